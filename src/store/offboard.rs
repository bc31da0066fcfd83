//! What a leaver holds, and the ends of it that are nobody else's business: credentials, shares, roles, open requests.

use super::tx::{Read, Tx};
use super::workspaces::{self, Workspace};
use crate::domain::id::{GroupId, UserId};
use crate::error::Result;
use crate::policy::Permit;
use rusqlite::params;

const WORKSPACES: &str = "SELECT id FROM workspace WHERE owner_id = ?1 AND desired <> 'deleted' ORDER BY id";
const GROUPS: &str = "SELECT id FROM \"group\" WHERE owner_id = ?1 AND status <> 'deleting' ORDER BY id";
const HELD: &str = "SELECT (SELECT count(*) FROM session WHERE user_id = ?1 AND revoked_at IS NULL AND idle_expires > ?2 AND hard_expires > ?2) AS sessions, \
     (SELECT count(*) FROM api_token WHERE user_id = ?1 AND revoked_at IS NULL AND expires_at > ?2) AS tokens, \
     (SELECT count(*) FROM ssh_key WHERE user_id = ?1) AS keys, (SELECT count(*) FROM git_credential WHERE user_id = ?1) AS credentials, \
     (SELECT count(*) FROM share WHERE holder_kind = 'user' AND holder_id = ?1) AS shares, \
     (SELECT count(*) FROM organization_role_assignment WHERE user_id = ?1) + (SELECT count(*) FROM organization_member WHERE user_id = ?1) AS roles, \
     (SELECT count(*) FROM request WHERE status = 'open' AND (requester_id = ?1 OR subject = ?1)) AS requests";
const END_SHARES: &str = "DELETE FROM share WHERE holder_kind = 'user' AND holder_id = ?1";
const END_ROLES: &str = "DELETE FROM organization_role_assignment WHERE user_id = ?1";
const LEAVE_ORGANIZATIONS: &str = "DELETE FROM organization_member WHERE user_id = ?1";
const CANCEL_REQUESTS: &str =
    "UPDATE request SET status = 'canceled', updated_at = ?2 WHERE status = 'open' AND (requester_id = ?1 OR subject = ?1)";

/// How much of each somebody holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    pub sessions: i64,
    /// API tokens that still hold.
    pub tokens: i64,
    pub ssh_keys: i64,
    pub git_credentials: i64,
    /// Workspaces and templates of others that they may use.
    pub shares: i64,
    /// Places in organizations.
    pub roles: i64,
    pub requests: i64,
}

/// The workspaces of a person that are not on their way out.
pub fn workspaces(read: &Read<'_>, user: &UserId) -> Result<Vec<Workspace>> {
    let ids = read.rows(WORKSPACES, [user.as_str()], |r| r.get::<_, String>(0))?;
    workspaces::find_many(read, ids.iter().map(String::as_str))
}

/// The groups that a person owns.
pub fn groups(read: &Read<'_>, user: &UserId) -> Result<Vec<super::groups::Group>> {
    let ids = read.rows(GROUPS, [user.as_str()], |r| Ok(GroupId::trusted(r.get(0)?)))?;
    super::groups::find_many(read, ids.iter().map(GroupId::as_str))
}

/// What a person holds.
pub fn held(read: &Read<'_>, user: &UserId) -> Result<Held> {
    read.one(HELD, params![user.as_str(), read.now().0], |r| {
        Ok(Held {
            sessions: r.get("sessions")?,
            tokens: r.get("tokens")?,
            ssh_keys: r.get("keys")?,
            git_credentials: r.get("credentials")?,
            shares: r.get("shares")?,
            roles: r.get("roles")?,
            requests: r.get("requests")?,
        })
    })
}

/// Ends what others gave a person, and what they asked for.
pub fn end_grants(tx: &Tx<'_>, permit: &Permit, user: &UserId) -> Result<()> {
    tx.change(permit, END_SHARES, [user.as_str()])?;
    tx.change(permit, END_ROLES, [user.as_str()])?;
    tx.change(permit, LEAVE_ORGANIZATIONS, [user.as_str()])?;
    tx.change(permit, CANCEL_REQUESTS, params![user.as_str(), tx.now().0]).map(drop)
}
