//! Counts of whole tables, for the server's own metrics. Each is one pass over an index or a table that is read seldom.

use super::tx::Read;
use super::workspace_status::COUNTS as WORKSPACES;
use crate::clock::Millis;
use crate::domain::workspace::Status;
use crate::error::Result;
use crate::metrics::snapshot::{Amounts, Rows, Tally};
use rusqlite::{Row, params};

const USERS: &str = "SELECT status, count(*) FROM user WHERE kind = 'person' AND status IN ('active', 'disabled') GROUP BY status";
const GROUPS: &str = "SELECT status, count(*) FROM \"group\" GROUP BY status";
const SIGN_INS: &str = "SELECT count(*) FROM session WHERE revoked_at IS NULL AND hard_expires > ?1 AND idle_expires > ?1";
// The open periods are what the workspaces count for at the moment.
const HELD: &str = "SELECT CAST(total(cpu_milli) AS INTEGER), CAST(total(memory_bytes) AS INTEGER), CAST(total(disk_bytes) AS INTEGER) \
     FROM workspace_period WHERE until IS NULL";
const NEWEST_ENTRY: &str = "SELECT coalesce(max(seq), 0) FROM audit_event";
const NEWEST_SIGNED: &str = "SELECT seq, ts FROM audit_checkpoint ORDER BY seq DESC LIMIT 1";

const USER_STATES: &[&str] = &["active", "disabled"];
const GROUP_STATES: &[&str] = &["creating", "active", "failed", "deleting"];

/// A number for each word, 0 where the table has no row of it.
fn tally(read: &Read<'_>, sql: &str, words: impl Iterator<Item = &'static str>) -> Result<Tally> {
    let found = read.rows(sql, [], |r| Ok((r.get::<_, String>(0)?, r.get::<_, i64>(1)?)))?;
    Ok(words.map(|word| (word, found.iter().find(|(w, _)| w == word).map_or(0, |(_, count)| *count))).collect())
}

fn amounts(row: &Row<'_>) -> rusqlite::Result<Amounts> {
    Ok(Amounts { cpu_milli: row.get(0)?, memory_bytes: row.get(1)?, disk_bytes: row.get(2)? })
}

/// What there is.
pub fn rows(read: &Read<'_>) -> Result<Rows> {
    let promised = super::stats::promised(read)?;
    Ok(Rows {
        users: tally(read, USERS, USER_STATES.iter().copied())?,
        groups: tally(read, GROUPS, GROUP_STATES.iter().copied())?,
        workspaces: tally(read, WORKSPACES, Status::ALL.into_iter().map(Status::as_str))?,
        sign_ins: read.one(SIGN_INS, params![read.now().0], |r| r.get(0))?,
        held: read.one(HELD, [], amounts)?,
        promised: Amounts { cpu_milli: promised.cpu_milli, memory_bytes: promised.memory_bytes, disk_bytes: promised.storage_bytes },
        audit_entries: read.one(NEWEST_ENTRY, [], |r| r.get(0))?,
        audit_signed: read.row(NEWEST_SIGNED, [], |r| Ok((r.get(0)?, Millis(r.get(1)?).0)))?,
    })
}
