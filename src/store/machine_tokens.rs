//! The rows behind machine tokens: which were given to which run of which workspace, and which were taken back.
//!
//! A row holds no secret: the token is signed again from it. Whether one is still good is asked of the rows around it in
//! the same view, so that what ends a workspace's right ends its token before anybody has marked it.

use super::tx::{Read, Tx, Unaudited};
use crate::clock::Millis;
use crate::domain::id::{TokenId, UserId, WorkspaceId};
use crate::error::Result;
use crate::policy::Permit;
use crate::token::machine::MachineGrant;
use rusqlite::{Row, params};

/// A token that holds now, and the run it was made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub grant: MachineGrant,
    pub run: i64,
}

/// A running workspace without a token that lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub workspace: WorkspaceId,
    pub run: i64,
    pub user: UserId,
}

/// A token with all that must be so for it to hold; `?1` is the time.
macro_rules! held_sql {
    () => {
        "SELECT t.id, t.workspace_id, t.run, t.user_id, u.username, t.issued_at, t.expires_at FROM machine_token t \
         CROSS JOIN workspace w ON w.id = t.workspace_id CROSS JOIN user u ON u.id = t.user_id \
         WHERE t.revoked_at IS NULL AND t.expires_at > ?1 AND w.desired = 'running' AND w.run = t.run AND w.owner_id = t.user_id \
         AND u.status = 'active' AND (u.expires_at IS NULL OR u.expires_at > ?1)"
    };
}

const BY_ID: &str = concat!(held_sql!(), " AND t.id = ?2");
const NEWEST: &str = concat!(held_sql!(), " AND t.workspace_id = ?2 AND t.kid = ?3 ORDER BY t.issued_at DESC LIMIT 1");
const DUE: &str = "SELECT w.id, w.run, w.owner_id FROM json_each(?4) x CROSS JOIN workspace w ON w.id = x.value \
     CROSS JOIN workspace_status s ON s.workspace_id = w.id CROSS JOIN user u ON u.id = w.owner_id \
     WHERE w.desired = 'running' AND s.phase = 'ready' AND s.observed_run = w.run \
     AND u.status = 'active' AND (u.expires_at IS NULL OR u.expires_at > ?1) \
     AND NOT EXISTS (SELECT 1 FROM machine_token t WHERE t.workspace_id = w.id AND t.run = w.run AND t.user_id = w.owner_id \
     AND t.kid = ?2 AND t.revoked_at IS NULL AND t.issued_at > ?3)";
const OVER: &str = "SELECT t.id, t.workspace_id FROM json_each(?3) x CROSS JOIN machine_token t ON t.workspace_id = x.value \
     CROSS JOIN workspace w ON w.id = t.workspace_id CROSS JOIN user u ON u.id = t.user_id \
     WHERE t.revoked_at IS NULL AND t.expires_at > ?1 AND (w.desired <> 'running' OR w.run <> t.run OR w.owner_id <> t.user_id \
     OR t.kid <> ?2 OR u.status <> 'active' OR (u.expires_at IS NOT NULL AND u.expires_at <= ?1))";
const LIVE: &str = "SELECT id, workspace_id FROM machine_token WHERE revoked_at IS NULL AND id > ?1 ORDER BY id LIMIT ?2";
const INSERT: &str =
    "INSERT INTO machine_token (id, workspace_id, run, user_id, kid, issued_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const REVOKE: &str = "UPDATE machine_token SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL";
const SWEEP: &str = "DELETE FROM machine_token WHERE expires_at <= ?1";
const EXPIRED: &str = "SELECT 1 FROM machine_token WHERE expires_at <= ?1 LIMIT 1";

fn held(row: &Row<'_>) -> rusqlite::Result<Held> {
    Ok(Held {
        grant: MachineGrant {
            id: TokenId::trusted(row.get("id")?),
            workspace: WorkspaceId::trusted(row.get("workspace_id")?),
            user: UserId::trusted(row.get("user_id")?),
            username: row.get("username")?,
            issued_at: Millis(row.get("issued_at")?),
            expires_at: Millis(row.get("expires_at")?),
        },
        run: row.get("run")?,
    })
}

/// The token of this id, if it holds.
pub fn find(read: &Read<'_>, id: &TokenId) -> Result<Option<Held>> {
    read.row(BY_ID, params![read.now().0, id.as_str()], held)
}

/// The newest token of a workspace that holds and was signed with this key.
pub fn newest(read: &Read<'_>, workspace: &WorkspaceId, kid: &str) -> Result<Option<Held>> {
    read.row(NEWEST, params![read.now().0, workspace.as_str(), kid], held)
}

/// Those of these workspaces that run without a token of this key that was issued after `fresh`.
pub fn due(read: &Read<'_>, kid: &str, fresh: Millis, among: &[WorkspaceId]) -> Result<Vec<Due>> {
    read.rows(DUE, params![read.now().0, kid, fresh.0, list(among)], |r| {
        Ok(Due { workspace: WorkspaceId::trusted(r.get("id")?), run: r.get("run")?, user: UserId::trusted(r.get("owner_id")?) })
    })
}

/// The tokens of these workspaces that nothing gives a right to any more.
pub fn over(read: &Read<'_>, kid: &str, among: &[WorkspaceId]) -> Result<Vec<(TokenId, WorkspaceId)>> {
    read.rows(OVER, params![read.now().0, kid, list(among)], pair)
}

/// The next tokens that were not taken back, in the order of their ids.
pub fn live(read: &Read<'_>, after: Option<&TokenId>, limit: usize) -> Result<Vec<(TokenId, WorkspaceId)>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    read.rows(LIVE, params![after.map_or("", TokenId::as_str), limit], pair)
}

fn pair(row: &Row<'_>) -> rusqlite::Result<(TokenId, WorkspaceId)> {
    Ok((TokenId::trusted(row.get("id")?), WorkspaceId::trusted(row.get("workspace_id")?)))
}

/// Ids as one parameter.
fn list(ids: &[WorkspaceId]) -> String {
    serde_json::json!(ids).to_string()
}

/// Whether there is something for [`sweep`].
pub fn any_expired(read: &Read<'_>) -> Result<bool> {
    Ok(read.row(EXPIRED, [read.now().0], |_| Ok(()))?.is_some())
}

/// Writes down a token that is given to a run.
pub fn insert(tx: &Tx<'_>, permit: &Permit, id: &TokenId, due: &Due, kid: &str, expires_at: Millis) -> Result<()> {
    let values = params![id.as_str(), due.workspace.as_str(), due.run, due.user.as_str(), kid, tx.now().0, expires_at.0];
    tx.change(permit, INSERT, values).map(drop)
}

/// Takes a token back.
pub fn revoke(tx: &Tx<'_>, permit: &Permit, id: &TokenId) -> Result<()> {
    tx.change(permit, REVOKE, params![id.as_str(), tx.now().0]).map(drop)
}

/// Forgets tokens that are past their end.
pub fn sweep(tx: &Tx<'_>) -> Result<usize> {
    tx.note(Unaudited::Rotation, SWEEP, [tx.now().0])
}
