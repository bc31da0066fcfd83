//! What the server's own metrics read of the database.

use super::{Caller, Ops, Origin};
use crate::error::Result;
use crate::metrics::snapshot::Rows;
use crate::policy::{Action, Actor, Target, Task};
use crate::store::{Read, actors, measures};

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub enum Asker<'a> {
    Caller(&'a Caller),
    /// Whoever reaches the listener that the operator opened for this (`metrics.listen`).
    OwnListener,
}

/// What there is.
pub async fn rows(ops: &Ops, asker: Asker<'_>) -> Result<Rows> {
    let (principal, origin) = match asker {
        Asker::Caller(caller) => (Some(caller.principal.clone()), caller.origin.clone()),
        Asker::OwnListener => (None, Origin { call_id: "metrics".to_owned(), ..Origin::default() }),
    };
    let job = move |read: &Read<'_>| {
        let actor = match &principal {
            Some(principal) => actors::load(read, principal)?,
            None => Actor::System(Task::Measure),
        };
        read.authorize(&actor, Action::ReadMetrics, Target::System, None)?;
        measures::rows(read)
    };
    ops.db.read(origin, job).await
}
