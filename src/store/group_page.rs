//! What a group says of itself to its members: its purpose, notes, and a welcome for whoever joins.

use super::tx::{Read, Tx};
use crate::clock::Millis;
use crate::domain::id::GroupId;
use crate::error::Result;
use crate::policy::Permit;
use rusqlite::params;

/// The words; each may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupPage {
    pub purpose: String,
    pub notes: String,
    pub welcome: String,
    /// When the notes or the welcome were last written.
    pub updated_at: Option<Millis>,
}

const FIND: &str = "SELECT g.purpose, coalesce(p.notes, '') AS notes, coalesce(p.welcome, '') AS welcome, p.updated_at \
     FROM \"group\" g LEFT JOIN group_page p ON p.group_id = g.id WHERE g.id = ?1";
const SAVE: &str = "INSERT INTO group_page (group_id, notes, welcome, updated_at) VALUES (?1, ?2, ?3, ?4) \
     ON CONFLICT (group_id) DO UPDATE SET notes = excluded.notes, welcome = excluded.welcome, updated_at = excluded.updated_at";
const SAVE_PURPOSE: &str = "UPDATE \"group\" SET purpose = ?2 WHERE id = ?1";

/// The words of a group; of one that is not there, none.
pub fn find(read: &Read<'_>, group: &GroupId) -> Result<GroupPage> {
    let found = read.row(FIND, [group.as_str()], |r| {
        Ok(GroupPage {
            purpose: r.get("purpose")?,
            notes: r.get("notes")?,
            welcome: r.get("welcome")?,
            updated_at: r.get::<_, Option<i64>>("updated_at")?.map(Millis),
        })
    })?;
    Ok(found.unwrap_or_default())
}

/// Writes all of them.
pub fn save(tx: &Tx<'_>, permit: &Permit, group: &GroupId, page: &GroupPage) -> Result<()> {
    tx.change(permit, SAVE, params![group.as_str(), page.notes, page.welcome, tx.now().0])?;
    tx.change(permit, SAVE_PURPOSE, params![group.as_str(), page.purpose]).map(drop)
}
