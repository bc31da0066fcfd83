//! A workspace that goes to another person, or into another group, and what of the old owner's ends with that: who it
//! was shared with, and the doors into its apps that were open.

use super::app_sessions;
use super::tx::{Read, Tx};
use super::workspaces::WorkspaceRow;
use crate::domain::id::WorkspaceId;
use crate::error::Result;
use crate::policy::Permit;
use rusqlite::params;

const SAVE: &str = "UPDATE workspace SET owner_id = ?2, group_id = ?3, name = ?4, desired = ?5, generation = ?6, updated_at = ?7, revision = ?8, \
     attempts = 0, next_attempt_at = 0 WHERE id = ?1";
const SHARES: &str = "SELECT count(*) FROM share WHERE object_kind = 'workspace' AND object_id = ?1";
const END_SHARES: &str = "DELETE FROM share WHERE object_kind = 'workspace' AND object_id = ?1";

/// How many people and groups it is shared with.
pub fn shares(read: &Read<'_>, id: &WorkspaceId) -> Result<i64> {
    read.one(SHARES, [id.as_str()], |r| r.get(0))
}

/// Writes whose it is now, and ends what the one before gave to others. The machine token of the owner before holds no
/// longer from the same commit on: it is good for the owner of its workspace only.
pub fn save(tx: &Tx<'_>, permit: &Permit, row: &WorkspaceRow) -> Result<()> {
    let changed = params![
        row.id.as_str(),
        row.owner_id.as_str(),
        row.group_id.as_str(),
        row.name,
        row.desired.as_str(),
        row.generation,
        row.updated_at.0,
        row.revision,
    ];
    tx.change(permit, SAVE, changed)?;
    tx.change(permit, END_SHARES, [row.id.as_str()])?;
    app_sessions::end_of_workspace(tx, &row.id)?;
    super::periods::settle(tx, &row.id)
}
