//! The audit log for people: reading it, where it stands, and checking it. [`super::audit_file`] writes it out.

use super::{Caller, Ops, audit_watch};
use crate::error::Result;
use crate::policy::{Action, Target};
use crate::store::audit_read;
pub use crate::store::audit_read::{Before, Entry, Filter};
pub use crate::store::audit_status::{End, Status};
pub use crate::store::audit_verify::Report;
use crate::store::audit_verify::{self, Options};
use crate::store::{Page, Read, actors, audit_status};

/// Which entries are asked for.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    pub filter: Filter,
    pub before: Option<Before>,
    pub limit: usize,
    /// Also say how many there are in all.
    pub count: bool,
}

/// A page of entries, where the next begins, and how many there are where that was asked and can be told cheaply.
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
        let total = if wish.count { audit_read::count(read, &wish.filter)? } else { None };
        let (page, next) = audit_read::list(read, &wish.filter, wish.before, wish.limit)?;
        Ok(Answer { page, next, total })
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// Where the log stands.
pub async fn status(ops: &Ops, caller: &Caller) -> Result<Status> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::ViewAuditLog, Target::System, None)?;
        audit_status::status(read)
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// Checks the whole chain for somebody who may read it.
pub async fn verify_for(ops: &Ops, caller: &Caller) -> Result<Report> {
    let (principal, db) = (caller.principal.clone(), ops.db.clone());
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::ViewAuditLog, Target::System, None)?;
        let report = audit_verify::check(&db, read, &Options::default())?;
        Ok((read.now(), report))
    };
    let (at, report) = ops.db.read(caller.origin.clone(), job).await?;
    ops.audit.checked(audit_watch::Checked::of(at, &report));
    Ok(report)
}
