//! The one row that says what this installation is.

use super::tx::{Read, Tx};
use crate::clock::Millis;
use crate::error::Result;
use crate::policy::{Consequence, Permit};
use rusqlite::params;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallationRow {
    /// 32 hexadecimal digits: genesis of the audit chain, `iss` of tokens.
    pub id: String,
    pub created_at: Millis,
    /// Set-up is closed for ever once this is set.
    pub set_up_at: Option<Millis>,
}

const FIND: &str = "SELECT id, created_at, set_up_at FROM installation";
const AWAITS_SETUP: &str = "SELECT set_up_at IS NULL AND NOT EXISTS (SELECT 1 FROM user) FROM installation";
const CLOSE_SETUP: &str = "UPDATE installation SET set_up_at = ?1 WHERE set_up_at IS NULL AND NOT EXISTS (SELECT 1 FROM user)";

pub fn find(read: &Read<'_>) -> Result<InstallationRow> {
    read.one(FIND, [], |r| {
        Ok(InstallationRow { id: r.get(0)?, created_at: Millis(r.get(1)?), set_up_at: r.get::<_, Option<i64>>(2)?.map(Millis) })
    })
}

/// Whether nobody has ever been made here: set-up is open.
pub fn awaits_setup(read: &Read<'_>) -> Result<bool> {
    read.one(AWAITS_SETUP, [], |r| r.get(0))
}

/// Closes set-up; `false` when somebody was first.
pub fn close_setup(tx: &Tx<'_>, permit: &Permit) -> Result<bool> {
    debug_assert!(permit.allows(Consequence::FirstAdministrator));
    Ok(tx.change(permit, CLOSE_SETUP, params![tx.now().0])? == 1)
}
