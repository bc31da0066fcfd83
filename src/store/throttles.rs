//! Failed sign-ins by account, kept so that a restart does not forget an attack. Written beside the audit entries of the
//! failures, read once at start; what decides is in `identity::throttle`.

use super::tx::{Read, Tx, Unaudited};
use crate::clock::Millis;
use crate::error::Result;
use rusqlite::params;

/// One account's counter. A row without failures is to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThrottleRow {
    /// `user:<id>`, or `nobody`.
    pub key: String,
    pub failures: i64,
    pub window_from: Millis,
    pub last_at: Millis,
}

impl ThrottleRow {
    /// Written where no account failed, so that a failure costs the same whoever was named. Nothing reads it.
    pub fn of_nobody(now: Millis) -> Self {
        Self { key: "nobody".to_owned(), failures: 1, window_from: now, last_at: now }
    }
}

const LIST: &str = "SELECT key, failures, window_from, last_at FROM throttle WHERE window_from > ?1";
const SAVE: &str = "INSERT OR REPLACE INTO throttle (key, failures, window_from, last_at) VALUES (?1, ?2, ?3, ?4)";
const REMOVE: &str = "DELETE FROM throttle WHERE key = ?1";
const SWEEP: &str = "DELETE FROM throttle WHERE window_from <= ?1";

/// The counters of windows that began after this moment.
pub fn list(read: &Read<'_>, after: Millis) -> Result<Vec<ThrottleRow>> {
    read.rows(LIST, [after.0], |r| {
        Ok(ThrottleRow {
            key: r.get("key")?,
            failures: r.get("failures")?,
            window_from: Millis(r.get("window_from")?),
            last_at: Millis(r.get("last_at")?),
        })
    })
}

/// Keeps the counters as they are now.
pub fn save(tx: &Tx<'_>, rows: &[ThrottleRow]) -> Result<()> {
    for row in rows {
        if row.failures > 0 {
            tx.note(Unaudited::Throttle, SAVE, params![row.key, row.failures, row.window_from.0, row.last_at.0])?;
        } else {
            tx.note(Unaudited::Throttle, REMOVE, [&row.key])?;
        }
    }
    Ok(())
}

/// Removes windows that are over.
pub fn sweep(tx: &Tx<'_>, before: Millis) -> Result<usize> {
    tx.note(Unaudited::Throttle, SWEEP, [before.0])
}
