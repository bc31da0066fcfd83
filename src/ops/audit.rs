//! The audit log for people: reading, exporting, checking, and signing its head.

use super::{Caller, Ops};
use crate::error::{Error, Result};
use crate::policy::{Action, Target};
use crate::store::audit_export::{self, Range};
use crate::store::audit_read::{self, Before, Entry, Filter};
use crate::store::audit_verify::{self, Options, Report};
use crate::store::checkpoints::{self, Signer};
use crate::store::{Origin, Page, Read, actors};
use std::io::{BufRead, Write};
use std::sync::Arc;

/// Which entries are asked for.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    pub filter: Filter,
    pub before: Option<Before>,
    pub limit: usize,
    /// Also say how many there are in all.
    pub count: bool,
}

/// A page of entries, where the next begins, and how many there are where that was asked.
#[derive(Debug, Clone)]
pub struct Answer {
    pub page: Page<Entry>,
    pub next: Option<Before>,
    pub total: Option<i64>,
}

/// Entries, newest first.
pub async fn list(ops: &Ops, caller: &Caller, wish: Wish) -> Result<Answer> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::ViewAuditLog, Target::System, None)?;
        let total = if wish.count { Some(audit_read::count(read, &wish.filter)?) } else { None };
        let (page, next) = audit_read::list(read, &wish.filter, wish.before, wish.limit)?;
        Ok(Answer { page, next, total })
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// In which form a file is written.
#[derive(Debug, Clone)]
pub enum Format {
    /// Signed by this key.
    JsonLines(Arc<Signer>),
    Csv,
}

/// Writes the entries of a range, on a thread that may wait for the disk; answers how many there were.
pub async fn export(ops: &Ops, caller: &Caller, range: Range, format: Format, mut out: Box<dyn Write + Send>) -> Result<i64> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::ViewAuditLog, Target::System, None)?;
        let count = match format {
            Format::JsonLines(signer) => audit_export::jsonl(read, range, &signer, out.as_mut())?,
            Format::Csv => audit_export::csv(read, range, out.as_mut())?,
        };
        out.flush().map_err(|e| Error::internal(format!("the export cannot be written: {e}")))?;
        Ok(count)
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// Checks the chain, on the calling thread.
pub fn verify(ops: &Ops, options: &Options) -> Result<Report> {
    audit_verify::check(&ops.db, options)
}

/// Checks an exported file of JSON lines, on the calling thread.
pub fn verify_export(ops: &Ops, input: impl BufRead) -> Result<Report> {
    audit_export::check(&ops.db, input)
}

/// Signs the head of the chain when enough has happened; `now` signs whatever there is, before the server stops.
pub async fn checkpoint(ops: &Ops, signer: Arc<Signer>, now: bool) -> Result<Option<i64>> {
    if !now && !ops.db.read(Origin::default(), checkpoints::is_due).await? {
        return Ok(None);
    }
    ops.db.write(Origin { call_id: "checkpoint".into(), ..Origin::default() }, move |tx| checkpoints::insert(tx, &signer)).await
}
