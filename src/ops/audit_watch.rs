//! What the server itself found out about the audit log: whether it was intact when it was last checked, and why old
//! entries are still there. Lives in memory; a new server finds out anew.

use super::Ops;
use crate::clock::Millis;
use crate::error::Result;
use crate::policy::{Action, Actor, Target, Task};
use crate::store::audit_verify::{self, Finding, Options, Report};
use crate::store::{Change, Origin, Tx};
use serde_json::json;
use std::sync::{Mutex, PoisonError};

/// A check of the whole chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    pub at: Millis,
    pub entries: i64,
    /// What is wrong.
    pub finding: Option<Finding>,
}

impl Checked {
    pub fn of(at: Millis, report: &Report) -> Self {
        Self { at, entries: report.entries, finding: report.finding.clone() }
    }
}

/// Why entries that are old enough were not purged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// The setting `audit.hold`.
    Hold,
    /// The clock moved by more than a day, or shows less than the newest entry: age cannot be trusted.
    Clock,
    /// The chain is not intact.
    Broken,
    /// The file could not be written, or was not good when it was read back.
    File,
}

impl Kept {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Clock => "clock",
            Self::Broken => "broken",
            Self::File => "file",
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Known {
    checked: Option<Checked>,
    kept: Option<Kept>,
}

/// What is known.
#[derive(Debug, Default)]
pub struct AuditWatch(Mutex<Known>);

impl AuditWatch {
    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn checked(&self, checked: Checked) {
        self.known().checked = Some(checked);
    }

    pub fn last_check(&self) -> Option<Checked> {
        self.known().checked.clone()
    }

    /// Says why entries were kept; `None` when nothing old is left.
    pub fn keep(&self, kept: Option<Kept>) {
        self.known().kept = kept;
    }

    pub fn kept(&self) -> Option<Kept> {
        self.known().kept
    }
}

/// Checks the whole chain without being asked. What is wrong is told in the log, on the pages, and in the audit log
/// itself, which goes on: a broken past does not keep anybody from being held to account from now on.
pub fn check(ops: &Ops) -> Result<Checked> {
    let db = ops.db.clone();
    let (at, report) = ops.db.read_blocking(|read| Ok((read.now(), audit_verify::check(&db, read, &Options::default())?)))?;
    let checked = Checked::of(at, &report);
    ops.audit.checked(checked.clone());
    if let Some(finding) = &checked.finding {
        let (verdict, entry) = (finding.verdict.as_str(), finding.seq);
        tracing::error!(verdict, entry, "the audit log is not intact: keep the file as it is, and compare it with a backup");
        let origin = Origin { call_id: "audit-check".to_owned(), ..Origin::default() };
        ops.db.write_blocking(origin, move |tx: &Tx<'_>| {
            let permit = tx.authorize(&Actor::System(Task::Upkeep), Action::VerifyAuditLog, Target::System, None)?;
            tx.audit_failure(&permit, verdict, Change::of(json!({ "entry": entry })))
        })?;
    }
    Ok(checked)
}
