//! Sign-ins: rows of `session` and the refresh tokens that belong to them. Only hashes are stored.

use super::tx::{Read, Tx, Unaudited};
use crate::clock::{MINUTE, Millis};
use crate::domain::id::{SessionId, UserId};
use crate::error::Result;
use crate::policy::{Consequence, Permit};
use rusqlite::{Row, params};

/// How a sign-in is shown on later calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionKind {
    Cookie,
    Tokens,
}

impl SessionKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Cookie => "cookie",
            Self::Tokens => "tokens",
        }
    }
}

/// One sign-in.
#[derive(Debug, Clone)]
pub struct SessionRow {
    pub id: SessionId,
    pub user_id: UserId,
    pub kind: SessionKind,
    pub created_at: Millis,
    pub signed_in_at: Millis,
    pub last_used_at: Millis,
    pub idle_expires: Millis,
    pub hard_expires: Millis,
    pub address: String,
    pub agent: String,
}

impl SessionRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let time = |name| row.get(name).map(Millis);
        Ok(Self {
            id: SessionId::trusted(row.get("id")?),
            user_id: UserId::trusted(row.get("user_id")?),
            kind: if row.get::<_, String>("kind")? == "cookie" { SessionKind::Cookie } else { SessionKind::Tokens },
            created_at: time("created_at")?,
            signed_in_at: time("signed_in_at")?,
            last_used_at: time("last_used_at")?,
            idle_expires: time("idle_expires")?,
            hard_expires: time("hard_expires")?,
            address: row.get("address")?,
            agent: row.get("agent")?,
        })
    }
}

const BY_SECRET: &str = "SELECT id, user_id, kind, created_at, signed_in_at, last_used_at, idle_expires, hard_expires, address, agent \
     FROM session WHERE secret_hash = ?1 AND revoked_at IS NULL AND idle_expires > ?2 AND hard_expires > ?2";
const BY_ID: &str = "SELECT id, user_id, kind, created_at, signed_in_at, last_used_at, idle_expires, hard_expires, address, agent \
     FROM session WHERE id = ?1 AND revoked_at IS NULL AND hard_expires > ?2";
const OF_USER: &str = "SELECT id, user_id, kind, created_at, signed_in_at, last_used_at, idle_expires, hard_expires, address, agent \
     FROM session WHERE user_id = ?1 AND revoked_at IS NULL AND idle_expires > ?2 AND hard_expires > ?2 ORDER BY created_at DESC";
const TOKEN_VERSION: &str = "SELECT token_version FROM user WHERE id = ?1";
const INSERT: &str = "INSERT INTO session (id, user_id, secret_hash, kind, created_at, signed_in_at, last_used_at, idle_expires, hard_expires, address, agent) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?5, ?6, ?7, ?8, ?9)";
const TOUCH: &str = "UPDATE session SET last_used_at = ?2, idle_expires = ?3 WHERE id = ?1 AND last_used_at <= ?4";
const REVOKE: &str = "UPDATE session SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL";
const REVOKE_TOKENS: &str = "UPDATE refresh_token SET revoked_at = ?2 WHERE session_id = ?1 AND revoked_at IS NULL";
const REVOKE_USER: &str = "UPDATE session SET revoked_at = ?2 WHERE user_id = ?1 AND revoked_at IS NULL AND id <> ?3";
const REVOKE_USER_TOKENS: &str = "UPDATE refresh_token SET revoked_at = ?2 WHERE user_id = ?1 AND revoked_at IS NULL AND session_id <> ?3";
const RAISE_TOKEN_VERSION: &str = "UPDATE user SET token_version = token_version + 1 WHERE id = ?1";
const DROP_CODES: &str = "DELETE FROM one_time_code WHERE user_id = ?1 AND purpose <> 'invite'";
const SWEEP: &str = "DELETE FROM session WHERE hard_expires < ?1";

/// The live sign-in of a cookie.
pub fn find_by_secret(read: &Read<'_>, hash: &[u8]) -> Result<Option<SessionRow>> {
    read.row(BY_SECRET, params![hash, read.now().0], SessionRow::read)
}

/// The live sign-in behind an access token.
pub fn find(read: &Read<'_>, id: &SessionId) -> Result<Option<SessionRow>> {
    read.row(BY_ID, params![id.as_str(), read.now().0], SessionRow::read)
}

/// All live sign-ins of a person, newest first.
pub fn of_user(read: &Read<'_>, user: &UserId) -> Result<Vec<SessionRow>> {
    read.rows(OF_USER, params![user.as_str(), read.now().0], SessionRow::read)
}

/// The version that access tokens of this person must carry.
pub fn token_version(read: &Read<'_>, user: &UserId) -> Result<Option<i64>> {
    read.row(TOKEN_VERSION, [user.as_str()], |r| r.get(0))
}

/// A new sign-in. `secret` is the hash of the cookie, absent for clients with tokens.
pub fn insert(tx: &Tx<'_>, permit: &Permit, session: &SessionRow, secret: Option<&[u8]>) -> Result<()> {
    tx.change(
        permit,
        INSERT,
        params![
            session.id.as_str(),
            session.user_id.as_str(),
            secret,
            session.kind.as_str(),
            session.created_at.0,
            session.idle_expires.0,
            session.hard_expires.0,
            session.address,
            session.agent
        ],
    )?;
    Ok(())
}

/// Notes that a sign-in is used; at most one write a minute.
pub fn touch(tx: &Tx<'_>, id: &SessionId, idle_expires: Millis) -> Result<()> {
    let now = tx.now();
    tx.note(Unaudited::LastUsed, TOUCH, params![id.as_str(), now.0, idle_expires.0, now.plus(-MINUTE).0])?;
    Ok(())
}

/// Ends one sign-in and its refresh tokens.
pub fn revoke(tx: &Tx<'_>, permit: &Permit, id: &SessionId) -> Result<bool> {
    debug_assert!(permit.allows(Consequence::EndSessions));
    let ended = tx.change(permit, REVOKE, params![id.as_str(), tx.now().0])?;
    tx.change(permit, REVOKE_TOKENS, params![id.as_str(), tx.now().0])?;
    Ok(ended > 0)
}

/// Ends all sign-ins of a person but the one that is named, and every one-time code.
pub fn revoke_all(tx: &Tx<'_>, permit: &Permit, user: &UserId, but: Option<&SessionId>) -> Result<usize> {
    debug_assert!(permit.allows(Consequence::EndSessions));
    let but = but.map_or("", SessionId::as_str);
    let ended = tx.change(permit, REVOKE_USER, params![user.as_str(), tx.now().0, but])?;
    tx.change(permit, REVOKE_USER_TOKENS, params![user.as_str(), tx.now().0, but])?;
    tx.change(permit, DROP_CODES, params![user.as_str()])?;
    if but.is_empty() {
        tx.change(permit, RAISE_TOKEN_VERSION, params![user.as_str()])?;
    }
    Ok(ended)
}

/// Removes what has expired long ago.
pub fn sweep(tx: &Tx<'_>, before: Millis) -> Result<usize> {
    tx.note(Unaudited::Rotation, SWEEP, [before.0])
}

/// A refresh token, as it is checked.
#[derive(Debug, Clone)]
pub struct RefreshRow {
    pub family_id: String,
    pub session_id: SessionId,
    pub user_id: UserId,
    pub idle_expires: Millis,
    pub hard_expires: Millis,
    pub used_at: Option<Millis>,
    pub revoked_at: Option<Millis>,
    /// A token that followed this one was used, or made twice already.
    pub successor_used: bool,
    pub successors: i64,
}

const REFRESH: &str = "SELECT t.family_id, t.session_id, t.user_id, t.idle_expires, t.hard_expires, t.used_at, t.revoked_at, \
     (SELECT count(*) FROM refresh_token s WHERE s.parent_hash = t.hash) AS successors, \
     (SELECT count(*) FROM refresh_token s WHERE s.parent_hash = t.hash AND s.used_at IS NOT NULL) AS used_successors \
     FROM refresh_token t WHERE t.hash = ?1";
const REFRESH_INSERT: &str = "INSERT INTO refresh_token (hash, family_id, session_id, user_id, parent_hash, issued_at, idle_expires, hard_expires) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const REFRESH_USE: &str = "UPDATE refresh_token SET used_at = ?2 WHERE hash = ?1 AND used_at IS NULL AND revoked_at IS NULL";

pub fn find_refresh(read: &Read<'_>, hash: &[u8]) -> Result<Option<RefreshRow>> {
    read.row(REFRESH, params![hash], |row| {
        let time = |name| row.get(name).map(Millis);
        let optional = |name| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(name)?.map(Millis));
        Ok(RefreshRow {
            family_id: row.get("family_id")?,
            session_id: SessionId::trusted(row.get("session_id")?),
            user_id: UserId::trusted(row.get("user_id")?),
            idle_expires: time("idle_expires")?,
            hard_expires: time("hard_expires")?,
            used_at: optional("used_at")?,
            revoked_at: optional("revoked_at")?,
            successor_used: row.get::<_, i64>("used_successors")? > 0,
            successors: row.get("successors")?,
        })
    })
}

/// A new refresh token of a family.
pub struct NewRefresh<'a> {
    pub hash: &'a [u8],
    pub family_id: &'a str,
    pub session_id: &'a SessionId,
    pub user_id: &'a UserId,
    pub parent: Option<&'a [u8]>,
    pub idle_expires: Millis,
    pub hard_expires: Millis,
}

pub fn insert_refresh(tx: &Tx<'_>, token: &NewRefresh<'_>) -> Result<()> {
    tx.note(
        Unaudited::Rotation,
        REFRESH_INSERT,
        params![
            token.hash,
            token.family_id,
            token.session_id.as_str(),
            token.user_id.as_str(),
            token.parent,
            tx.now().0,
            token.idle_expires.0,
            token.hard_expires.0
        ],
    )?;
    Ok(())
}

/// Marks a token as used; `false` when somebody else was first.
pub fn use_refresh(tx: &Tx<'_>, hash: &[u8]) -> Result<bool> {
    Ok(tx.note(Unaudited::Rotation, REFRESH_USE, params![hash, tx.now().0])? == 1)
}
