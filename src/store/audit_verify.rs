//! Checking the audit log: every entry is computed anew from its content, in one consistent view, row by row.
//!
//! The first thing that is wrong ends the check and is named with its place. What an attacker can do without the audit
//! key: change, remove, add or reorder rows, all of which break a MAC, a link or the count. Cutting the tail breaks no
//! link, so checkpoints name the length. A side row that erasure removed is counted and is fine; one that was changed is
//! not.

use super::audit_chain::{Hash, Link, commitment, genesis, hash};
use super::checkpoints::{self, Checkpoint};
use super::db::Db;
use super::tx::Read;
use crate::domain::hex::encode as hex;
use crate::error::Result;
use crate::policy::Action;
use rusqlite::{Row, params};
use std::collections::HashMap;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    RowAltered,
    RowMissing,
    RowInserted,
    TailCut,
    ChainRewritten,
    CheckpointSignatureBad,
    ExportDiffers,
}

impl Verdict {
    pub const ALL: [Self; 7] = [
        Self::RowAltered,
        Self::RowMissing,
        Self::RowInserted,
        Self::TailCut,
        Self::ChainRewritten,
        Self::CheckpointSignatureBad,
        Self::ExportDiffers,
    ];

    /// As the command line prints it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RowAltered => "row altered",
            Self::RowMissing => "row missing",
            Self::RowInserted => "row inserted",
            Self::TailCut => "tail cut",
            Self::ChainRewritten => "chain rewritten",
            Self::CheckpointSignatureBad => "checkpoint signature bad",
            Self::ExportDiffers => "export differs",
        }
    }
}

/// The first thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub verdict: Verdict,
    /// The number of the entry.
    pub seq: i64,
    /// One sentence for people.
    pub message: String,
}

impl Finding {
    pub(super) fn new(verdict: Verdict, seq: i64, message: impl Into<String>) -> Self {
        Self { verdict, seq, message: message.into() }
    }
}

/// What was checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Entries whose MAC and place were right.
    pub entries: i64,
    /// The newest of them.
    pub last_seq: i64,
    pub last_hash: Vec<u8>,
    pub checkpoints: i64,
    /// Side rows that erasure removed.
    pub erased: i64,
    pub finding: Option<Finding>,
}

/// Where to begin and what to hold the chain against.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Begin after this entry and trust it: a quick check of the newest. 0 checks everything.
    pub after: i64,
    /// A head that was written down elsewhere: number and hash.
    pub anchor: Option<(i64, Vec<u8>)>,
}

pub(super) const ENTRIES: &str = "SELECT e.seq, e.format, e.ts, e.id, e.actor_kind, e.actor_id, e.session_id, e.token_id, e.action, e.resource, \
     e.group_id, e.org_id, e.success, e.error, e.count, e.request_id, e.details, e.person_hash, e.prev, e.hash, p.salt, p.data \
     FROM audit_event e LEFT JOIN audit_person p ON p.seq = e.seq WHERE e.seq > ?1 AND e.seq <= ?2 ORDER BY e.seq LIMIT ?3";
const FLOOR: &str = "SELECT seq, hash FROM audit_floor ORDER BY seq DESC LIMIT 1";
const HASH_OF: &str = "SELECT hash FROM audit_event WHERE seq = ?1";
const PURGE: &str = "SELECT seq FROM audit_event INDEXED BY audit_event_action WHERE action = ?1 AND success = 1 ORDER BY seq DESC LIMIT 1";
const BELOW: &str = "SELECT seq FROM audit_event WHERE seq <= ?1 ORDER BY seq LIMIT 1";

/// One row with its stored hash and its side row.
pub(super) struct Stored {
    pub link: Link,
    pub hash: Vec<u8>,
    side: Option<(Vec<u8>, String)>,
}

pub(super) fn stored(r: &Row<'_>) -> rusqlite::Result<Stored> {
    let salt: Option<Vec<u8>> = r.get("salt")?;
    let data: Option<String> = r.get("data")?;
    Ok(Stored {
        link: Link {
            seq: r.get("seq")?,
            format: r.get("format")?,
            ts: r.get("ts")?,
            id: r.get("id")?,
            actor_kind: r.get("actor_kind")?,
            actor_id: r.get("actor_id")?,
            session_id: r.get("session_id")?,
            token_id: r.get("token_id")?,
            action: r.get("action")?,
            resource: r.get("resource")?,
            group_id: r.get("group_id")?,
            org_id: r.get("org_id")?,
            success: r.get("success")?,
            error: r.get("error")?,
            count: r.get("count")?,
            request_id: r.get("request_id")?,
            details: r.get("details")?,
            person_hash: r.get("person_hash")?,
            prev: r.get("prev")?,
        },
        hash: r.get("hash")?,
        side: salt.zip(data),
    })
}

struct Check<'a> {
    key: &'a [u8; 32],
    report: Report,
    /// Signed heads by the entry they name.
    heads: HashMap<i64, Checkpoint>,
    anchor: Option<(i64, Vec<u8>)>,
}

/// Checks the chain of this database with its own key.
pub fn check(db: &Db, read: &Read<'_>, options: &Options) -> Result<Report> {
    verify(read, db.audit_key(), options)
}

/// Checks the chain in one view. `key` is the key of its MACs.
pub fn verify(read: &Read<'_>, key: &[u8; 32], options: &Options) -> Result<Report> {
    let installation = checkpoints::installation(read)?;
    let purged = floor(read)?;
    let (floor, floor_hash) = purged.clone().unwrap_or((0, genesis(&installation).to_vec()));
    let (start, start_hash) = beginning(read, options.after, floor, floor_hash)?;
    let heads = checkpoints::from(read, start)?;
    let keys = checkpoints::public_keys(read)?;
    let mut report = Report { last_seq: start, last_hash: start_hash, ..Report::default() };
    if let Some(seq) = read.row(BELOW, [floor], |r| r.get::<_, i64>(0))? {
        report.finding = Some(Finding::new(Verdict::RowInserted, seq, "It stands before the beginning of the log."));
        return Ok(report);
    }
    if let Some(bad) = heads.iter().find(|head| !checkpoints::is_genuine(head, &installation, &keys)) {
        let message = "Its checkpoint was not signed by a key of this installation.";
        report.finding = Some(Finding::new(Verdict::CheckpointSignatureBad, bad.seq, message));
        return Ok(report);
    }
    if let Some((seq, hash)) = purged
        && !is_on_record(read, key, seq, &hash)?
    {
        let message = format!("The log begins after entry {seq}, and no purge that is on record ended there.");
        report.finding = Some(Finding::new(Verdict::RowMissing, seq, message));
        return Ok(report);
    }
    report.checkpoints = i64::try_from(heads.len()).unwrap_or(i64::MAX);
    let heads = heads.into_iter().map(|head| (head.seq, head)).collect();
    let mut check = Check { key, report, heads, anchor: options.anchor.clone() };
    let finding = check.rows(read, start)?.or_else(|| check.end());
    check.report.finding = finding;
    Ok(check.report)
}

/// Where the last purge ended: number and hash of the last entry that it removed.
pub(super) fn floor(read: &Read<'_>) -> Result<Option<(i64, Vec<u8>)>> {
    read.row(FLOOR, [], |r| Ok((r.get(0)?, r.get(1)?)))
}

/// Whether the newest purge in the chain is the one that ended here. A floor that somebody moved by hand, to take the
/// entries below it away, has no such entry: it would need the audit key.
fn is_on_record(read: &Read<'_>, key: &[u8; 32], seq: i64, hash_there: &[u8]) -> Result<bool> {
    let Some(at) = read.row(PURGE, [Action::PurgeAuditLog.code()], |r| r.get::<_, i64>(0))? else { return Ok(false) };
    let Some(row) = read.row(ENTRIES, params![at - 1, at, 1], stored)? else { return Ok(false) };
    let told: serde_json::Value = serde_json::from_str(&row.link.details).unwrap_or_default();
    Ok(hash(key, &row.link).as_slice() == row.hash && told["to"] == seq && told["lastHash"] == hex(hash_there))
}

fn beginning(read: &Read<'_>, after: i64, floor: i64, floor_hash: Vec<u8>) -> Result<(i64, Vec<u8>)> {
    if after > floor
        && let Some(hash) = read.row(HASH_OF, [after], |r| r.get(0))?
    {
        return Ok((after, hash));
    }
    Ok((floor, floor_hash))
}

impl Check<'_> {
    /// Goes through the rows without ever holding more than two.
    fn rows(&mut self, read: &Read<'_>, start: i64) -> Result<Option<Finding>> {
        let mut statement = read.statement(ENTRIES)?;
        let mut rows = statement.query_map(params![start, i64::MAX, -1], stored)?.peekable();
        while let Some(row) = rows.next() {
            let row = row?;
            let next = match rows.peek() {
                Some(Ok(next)) => Some(next),
                _ => None,
            };
            if let Some(finding) = self.row(&row, next) {
                return Ok(Some(finding));
            }
            self.report.entries += 1;
            self.report.last_seq = row.link.seq;
            self.report.last_hash = row.hash;
        }
        Ok(None)
    }

    fn row(&mut self, row: &Stored, next: Option<&Stored>) -> Option<Finding> {
        let seq = row.link.seq;
        let expected = self.report.last_seq + 1;
        if seq != expected {
            return Some(Finding::new(Verdict::RowMissing, expected, format!("Entry {expected} is missing; the next one is {seq}.")));
        }
        let computed: Hash = hash(self.key, &row.link);
        let linked = row.link.prev == self.report.last_hash;
        if computed.as_slice() != row.hash {
            return Some(self.broken(seq, linked, next));
        }
        if !linked {
            return Some(Finding::new(Verdict::ChainRewritten, seq, "It is genuine but does not follow the entry before it."));
        }
        self.side(row).or_else(|| self.head(row))
    }

    /// The row's content and its hash disagree: it was changed, or it was put between two others.
    fn broken(&self, seq: i64, linked: bool, next: Option<&Stored>) -> Finding {
        let skipped = next.is_some_and(|next| next.link.prev == self.report.last_hash);
        if skipped || !linked {
            return Finding::new(Verdict::RowInserted, seq, "It is not genuine, and the chain goes on without it.");
        }
        Finding::new(Verdict::RowAltered, seq, "Its content is not what was written.")
    }

    fn side(&mut self, row: &Stored) -> Option<Finding> {
        let seq = row.link.seq;
        match (&row.link.person_hash, &row.side) {
            (Some(_), None) => {
                self.report.erased += 1;
                None
            }
            (Some(promised), Some((salt, data))) if commitment(salt, data).as_slice() != promised => {
                Some(Finding::new(Verdict::RowAltered, seq, "Its personal side row is not what was written."))
            }
            (None, Some(_)) => Some(Finding::new(Verdict::RowInserted, seq, "It has a personal side row that it never had.")),
            _ => None,
        }
    }

    fn head(&self, row: &Stored) -> Option<Finding> {
        let seq = row.link.seq;
        let signed = self.heads.get(&seq).map(|head| &head.hash);
        let anchored = self.anchor.as_ref().filter(|(at, _)| *at == seq).map(|(_, hash)| hash);
        [signed, anchored]
            .into_iter()
            .flatten()
            .any(|hash| *hash != row.hash)
            .then(|| Finding::new(Verdict::ChainRewritten, seq, "The chain up to here is another one than the one that was signed."))
    }

    /// What should have come after the last row.
    fn end(&self) -> Option<Finding> {
        let last = self.report.last_seq;
        let known = self.heads.keys().copied().chain(self.anchor.as_ref().map(|(seq, _)| *seq)).max().unwrap_or(0);
        (known > last)
            .then(|| Finding::new(Verdict::TailCut, last + 1, format!("The log ends with entry {last}, but there were at least {known}.")))
    }
}

#[cfg(test)]
#[path = "audit_verify_tests.rs"]
mod tests;
