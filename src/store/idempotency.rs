//! Answers of creating requests by their `Idempotency-Key`, kept for a day.

use super::tx::{Read, Tx, Unaudited};
use crate::clock::{DAY, Millis};
use crate::domain::id::UserId;
use crate::error::Result;
use rusqlite::params;

/// An answer that was given before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    pub request_hash: Vec<u8>,
    pub status: u16,
    pub body: String,
}

/// Which request an answer belongs to.
#[derive(Debug, Clone)]
pub struct IdempotencyKey {
    pub user_id: UserId,
    pub route: String,
    pub key: String,
}

const FIND: &str = "SELECT request_hash, status, body FROM idempotency WHERE user_id = ?1 AND route = ?2 AND key = ?3 AND created_at > ?4";
const KEEP: &str =
    "INSERT OR REPLACE INTO idempotency (user_id, route, key, request_hash, status, body, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const SWEEP: &str = "DELETE FROM idempotency WHERE created_at < ?1";

pub fn find(read: &Read<'_>, key: &IdempotencyKey) -> Result<Option<Remembered>> {
    read.row(FIND, params![key.user_id.as_str(), key.route, key.key, read.now().plus(-DAY).0], |r| {
        Ok(Remembered { request_hash: r.get(0)?, status: r.get(1)?, body: r.get(2)? })
    })
}

pub fn keep(tx: &Tx<'_>, key: &IdempotencyKey, answer: &Remembered) -> Result<()> {
    tx.note(
        Unaudited::Idempotency,
        KEEP,
        params![key.user_id.as_str(), key.route, key.key, answer.request_hash, answer.status, answer.body, tx.now().0],
    )?;
    Ok(())
}

pub fn sweep(tx: &Tx<'_>, before: Millis) -> Result<usize> {
    tx.note(Unaudited::Idempotency, SWEEP, [before.0])
}
