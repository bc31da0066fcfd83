//! The four platform rights as rows. All four together are what the API calls `isAdmin`.
//!
//! Expired grants never count. Nothing here gives a single right: custom platform roles are not made yet, but the rows
//! are ready for them.

use super::sql::id_list;
use super::tx::{Read, Tx};
use crate::domain::id::UserId;
use crate::error::Result;
use crate::policy::{Permit, Right, Rights};
use rusqlite::params;
use std::collections::HashMap;

const OF_MANY: &str = "SELECT user_id, right FROM system_grant WHERE user_id IN (SELECT value FROM json_each(?1)) \
     AND (expires_at IS NULL OR expires_at > ?2)";
const OTHER_ADMIN: &str = "SELECT g.user_id FROM system_grant g JOIN user u ON u.id = g.user_id WHERE g.user_id <> ?1 \
     AND u.status = 'active' AND (u.expires_at IS NULL OR u.expires_at > ?2) AND (g.expires_at IS NULL OR g.expires_at > ?2) \
     GROUP BY g.user_id HAVING count(*) = 4 LIMIT 1";
const LASTING_ADMIN: &str = "SELECT g.user_id FROM system_grant g JOIN user u ON u.id = g.user_id WHERE g.user_id <> ?1 \
     AND u.status = 'active' AND u.expires_at IS NULL AND g.expires_at IS NULL GROUP BY g.user_id HAVING count(*) = 4 LIMIT 1";
const COUNT_ADMINS: &str = "SELECT count(*) FROM (SELECT g.user_id FROM system_grant g JOIN user u ON u.id = g.user_id \
     WHERE u.status = 'active' AND (u.expires_at IS NULL OR u.expires_at > ?1) AND (g.expires_at IS NULL OR g.expires_at > ?1) \
     GROUP BY g.user_id HAVING count(*) = 4)";
const INSERT: &str = "INSERT INTO system_grant (user_id, right, granted_by, granted_at) VALUES (?1, ?2, ?3, ?4) \
     ON CONFLICT (user_id, right) DO UPDATE SET source = 'local', granted_by = excluded.granted_by, \
     granted_at = excluded.granted_at, expires_at = NULL";
const REMOVE: &str = "DELETE FROM system_grant WHERE user_id = ?1";

/// The rights of several people; who has none is left out.
pub fn of_many<'a>(read: &Read<'_>, ids: impl IntoIterator<Item = &'a str>) -> Result<HashMap<UserId, Rights>> {
    let rows = read.rows(OF_MANY, params![id_list(ids), read.now().0], |r| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?)))?;
    let mut rights: HashMap<UserId, Rights> = HashMap::new();
    for (id, word) in rows {
        if let Some(right) = Right::parse(&word) {
            let of_user = rights.entry(UserId::trusted(id)).or_default();
            *of_user = of_user.with(right);
        }
    }
    Ok(rights)
}

/// Nobody else who is active holds all four rights.
pub fn is_last_admin(read: &Read<'_>, id: &UserId) -> Result<bool> {
    Ok(read.row(OTHER_ADMIN, params![id.as_str(), read.now().0], |r| r.get::<_, String>(0))?.is_none())
}

/// Somebody else who is active holds all four rights, and neither the account nor the rights have an end.
pub fn lasts_with_another_admin(read: &Read<'_>, id: &UserId) -> Result<bool> {
    Ok(read.row(LASTING_ADMIN, params![id.as_str()], |r| r.get::<_, String>(0))?.is_some())
}

/// How many active people hold all four rights.
pub fn count_admins(read: &Read<'_>) -> Result<i64> {
    read.one(COUNT_ADMINS, [read.now().0], |r| r.get(0))
}

/// Gives all four rights, without an end.
pub fn insert_all(tx: &Tx<'_>, permit: &Permit, id: &UserId) -> Result<()> {
    for right in Right::ALL {
        tx.change(permit, INSERT, params![id.as_str(), right.as_str(), permit.actor().audit_id(), tx.now().0])?;
    }
    Ok(())
}

/// Takes every platform right.
pub fn remove_all(tx: &Tx<'_>, permit: &Permit, id: &UserId) -> Result<()> {
    tx.change(permit, REMOVE, [id.as_str()])?;
    Ok(())
}
