//! The end of an audit entry's life in the database: it is written out, the file is read back and checked, and only then
//! is the entry removed.
//!
//! Each step can be repeated. A server that was killed between two of them leaves entries that are still there and a file
//! that is written again. Nothing is removed while `audit.hold` is on, while the chain is not intact, or when the clock
//! may be wrong: one that jumped ahead would make everything old. A full disk never makes entries old either.

use super::Upkeep;
use crate::clock::{DAY, Millis};
use crate::error::{Error, Result};
use crate::identity::signing::Keys;
use crate::ops::Ops;
use crate::ops::audit_file::{self, Footer, Form, Range};
use crate::ops::audit_purge::{self as ops_purge, Proven};
use crate::ops::audit_watch::{self, Kept};
use crate::store::audit_file::FileReport;
use crate::store::audit_purge::{self, Segment};
use std::fs::{self, File, OpenOptions};
use std::io::BufReader;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Entries of one file: removing them keeps the writer for a moment only.
const MOST: usize = 5_000;
/// Files of one round.
const FILES: usize = 40;
/// Entries wait so long past their time, so that a quiet log is not cut into single entries.
const SLACK: i64 = DAY;

/// What a round did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// No entry is old enough.
    NothingDue,
    /// Old entries stay.
    Kept(Kept),
    /// So many entries were removed, up to this one.
    Purged { entries: usize, up_to: i64 },
}

/// One round.
pub(super) fn run(upkeep: &Upkeep) -> Result<Outcome> {
    let outcome = round(upkeep);
    upkeep.ops.audit.keep(match &outcome {
        Ok(Outcome::Kept(kept)) => Some(*kept),
        Ok(_) => None,
        Err(_) => Some(Kept::File),
    });
    outcome
}

fn round(upkeep: &Upkeep) -> Result<Outcome> {
    let (ops, now, settings) = (&upkeep.ops, upkeep.clock.now(), upkeep.ops.rules().audit);
    let before = now.plus(-settings.retention_days.saturating_mul(DAY));
    let due = |ops: &Ops| ops.db.read_blocking(|read| audit_purge::oldest(read, before, MOST));
    let Some(first) = due(ops)?.filter(|segment| segment.oldest < before.plus(-SLACK)) else { return Ok(Outcome::NothingDue) };
    if settings.hold {
        return Ok(Outcome::Kept(Kept::Hold));
    }
    if clock_is_wrong(upkeep, now)? {
        tracing::warn!("the clock moved by more than a day or shows less than the newest audit entry: no entry is purged");
        return Ok(Outcome::Kept(Kept::Clock));
    }
    if audit_watch::check(ops)?.finding.is_some() {
        return Ok(Outcome::Kept(Kept::Broken));
    }
    make_folder(&upkeep.audit_dir)?;
    clear_leftovers(&upkeep.audit_dir, first.after)?;
    let (mut entries, mut up_to, mut next) = (0, first.after, Some(first));
    for _ in 0..FILES {
        let Some(segment) = next else { break };
        let proven = prove(ops, &upkeep.keys, &upkeep.audit_dir, segment)?;
        entries += ops_purge::purge(ops, proven)?;
        up_to = segment.up_to;
        next = due(ops)?;
    }
    tracing::info!(entries, up_to, "old audit entries were written out and purged");
    Ok(Outcome::Purged { entries, up_to })
}

/// The wall clock against the newest entry, and against the clock that only runs.
fn clock_is_wrong(upkeep: &Upkeep, now: Millis) -> Result<bool> {
    let (wall, steady) = upkeep.started;
    let elapsed = i64::try_from(steady.elapsed().as_millis()).unwrap_or(i64::MAX);
    let jumped = now.since(wall).saturating_sub(elapsed).abs() > DAY;
    let newest = upkeep.ops.db.read_blocking(audit_purge::newest)?;
    Ok(jumped || newest.is_some_and(|newest| now < newest))
}

fn fault(path: &Path, error: impl std::fmt::Display) -> Error {
    Error::internal(format!("{}: {error}", path.display()))
}

fn make_folder(dir: &Path) -> Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| fault(dir, error))
}

/// `audit-0000000001-0000005000.jsonl`: in the order of their names the files are in the order of the log.
fn name_of(segment: Segment) -> String {
    format!("audit-{:010}-{:010}.jsonl", segment.after + 1, segment.up_to)
}

/// Removes files of entries that were not purged: a server was killed before it could, and they are written again.
fn clear_leftovers(dir: &Path, purged: i64) -> Result<()> {
    let entries = fs::read_dir(dir).map_err(|error| fault(dir, error))?;
    for entry in entries {
        let path = entry.map_err(|error| fault(dir, error))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let first: Option<i64> = name.strip_prefix("audit-").and_then(|rest| rest.get(..10)).and_then(|digits| digits.parse().ok());
        let is_ours = name.ends_with(".jsonl") || name.ends_with(".jsonl.part");
        if is_ours && first.is_some_and(|first| first > purged) {
            fs::remove_file(&path).map_err(|error| fault(&path, error))?;
        }
    }
    Ok(())
}

/// Writes a segment, reads the file back from the disk, and checks that it holds what the database holds.
fn prove(ops: &Ops, keys: &Keys, dir: &Path, segment: Segment) -> Result<Proven> {
    let name = name_of(segment);
    let (path, part) = (dir.join(&name), dir.join(format!("{name}.part")));
    let written = write(ops, keys, &part, segment)?;
    fs::rename(&part, &path).map_err(|error| fault(&path, error))?;
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| fault(dir, error))?;
    let found = read_back(ops, &path)?;
    if let Some(finding) = &found.report.finding {
        return Err(fault(&path, format!("{}: {}", finding.verdict.as_str(), finding.message)));
    }
    let count = segment.up_to - segment.after;
    let whole = found.report.entries == count && found.report.last_seq == segment.up_to;
    match found.footer {
        Some(footer) if whole && footer == written => Ok(Proven { name, first: segment.after + 1, footer }),
        _ => Err(fault(&path, "it does not hold what was written into it")),
    }
}

fn write(ops: &Ops, keys: &Keys, path: &Path, segment: Segment) -> Result<Footer> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path).map_err(|error| fault(path, error))?;
    let range = Range { after: segment.after, up_to: Some(segment.up_to), ..Range::default() };
    let footer = audit_file::write(ops, keys, Form::JsonLines, range, &mut file)?;
    file.sync_all().map_err(|error| fault(path, error))?;
    Ok(footer)
}

fn read_back(ops: &Ops, path: &Path) -> Result<FileReport> {
    let file = File::open(path).map_err(|error| fault(path, error))?;
    crate::store::audit_file::check(&ops.db, BufReader::new(file))
}
