//! Where the audit log stands: how much it holds, what was signed last, what was purged. Each is found at one end of an
//! index, however long the log is.

use super::checkpoints::{self, Checkpoint};
use super::tx::Read;
use crate::clock::Millis;
use crate::error::Result;

/// One end of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    pub seq: i64,
    pub at: Millis,
    pub hash: Vec<u8>,
}

/// Where the log stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    pub oldest: Option<End>,
    pub newest: Option<End>,
    pub checkpoint: Option<Checkpoint>,
    /// The last entry that was purged, and when.
    pub purged: Option<End>,
}

const OLDEST: &str = "SELECT seq, ts, hash FROM audit_event ORDER BY seq LIMIT 1";
const NEWEST: &str = "SELECT seq, ts, hash FROM audit_event ORDER BY seq DESC LIMIT 1";
const FLOOR: &str = "SELECT seq, ts, hash FROM audit_floor ORDER BY seq DESC LIMIT 1";

fn end(read: &Read<'_>, sql: &str) -> Result<Option<End>> {
    read.row(sql, [], |r| Ok(End { seq: r.get("seq")?, at: Millis(r.get("ts")?), hash: r.get("hash")? }))
}

pub fn status(read: &Read<'_>) -> Result<Status> {
    Ok(Status { oldest: end(read, OLDEST)?, newest: end(read, NEWEST)?, checkpoint: checkpoints::last(read)?, purged: end(read, FLOOR)? })
}
