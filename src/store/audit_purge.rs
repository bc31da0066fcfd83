//! Removing the oldest entries of the audit log, which were written out and read back before: the floor rises to the last
//! of them, so that the chain goes on from its hash.
//!
//! Signed heads stay: the files of what was purged are checked against them.

use super::audit_verify::floor;
use super::tx::{Read, Tx};
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::policy::Permit;
use rusqlite::params;

const OLDEST: &str = "SELECT seq, ts FROM audit_event WHERE seq > ?1 ORDER BY seq LIMIT ?2";
const HASH_OF: &str = "SELECT hash FROM audit_event WHERE seq = ?1";
const NEWEST: &str = "SELECT ts FROM audit_event ORDER BY seq DESC LIMIT 1";
const RAISE: &str = "INSERT INTO audit_floor (seq, hash, ts) VALUES (?1, ?2, ?3)";
const REMOVE_CONCERNS: &str = "DELETE FROM audit_concern WHERE seq <= ?1";
const REMOVE_PERSONS: &str = "DELETE FROM audit_person WHERE seq <= ?1";
const REMOVE: &str = "DELETE FROM audit_event WHERE seq <= ?1";

/// Entries that follow each other and are all older than the given moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// The entry before the first.
    pub after: i64,
    pub up_to: i64,
    /// When the first of them was written.
    pub oldest: Millis,
}

/// The oldest entries up to the first one that was written at `before` or later, at most `most` of them.
pub fn oldest(read: &Read<'_>, before: Millis, most: usize) -> Result<Option<Segment>> {
    let after = floor(read)?.map_or(0, |(seq, _)| seq);
    let limit = i64::try_from(most).unwrap_or(i64::MAX);
    let rows: Vec<(i64, i64)> = read.rows(OLDEST, params![after, limit], |r| Ok((r.get(0)?, r.get(1)?)))?;
    let old: Vec<(i64, i64)> = rows.into_iter().take_while(|(_, at)| *at < before.0).collect();
    Ok(old.first().zip(old.last()).map(|(first, last)| Segment { after, up_to: last.0, oldest: Millis(first.1) }))
}

/// When the newest entry was written.
pub fn newest(read: &Read<'_>) -> Result<Option<Millis>> {
    read.row(NEWEST, [], |r| r.get(0).map(Millis))
}

/// Removes every entry up to this one, which must have this hash; answers how many there were.
pub fn remove(tx: &Tx<'_>, permit: &Permit, up_to: i64, hash: &[u8]) -> Result<usize> {
    let kept: Option<Vec<u8>> = tx.row(HASH_OF, [up_to], |r| r.get(0))?;
    if kept.as_deref() != Some(hash) {
        return Err(Error::internal(format!("entry {up_to} is not the one that was written out: nothing is purged")));
    }
    tx.change(permit, RAISE, params![up_to, hash, tx.now().0])?;
    tx.change(permit, REMOVE_CONCERNS, [up_to])?;
    tx.change(permit, REMOVE_PERSONS, [up_to])?;
    tx.change(permit, REMOVE, [up_to])
}
