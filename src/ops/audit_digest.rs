//! What administrators did in a week.

use super::{Caller, Ops};
use crate::domain::week::Week;
use crate::error::Result;
use crate::policy::administrative;
use crate::policy::{Action, Target};
pub use crate::store::audit_digest::{Administrator, Tally};
use crate::store::{Read, actors, audit_digest};

/// The digest of one week.
#[derive(Debug, Clone)]
pub struct Digest {
    pub week: Week,
    pub people: Vec<Administrator>,
}

/// Counts the acts of administration in a week, by person and action.
pub async fn of_week(ops: &Ops, caller: &Caller, week: Option<Week>) -> Result<Digest> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::ViewAuditLog, Target::System, None)?;
        let week = week.unwrap_or_else(|| Week::of(read.now()));
        let people = audit_digest::between(read, week.from, week.to, &administrative::all())?;
        Ok(Digest { week, people })
    };
    ops.db.read(caller.origin.clone(), job).await
}
