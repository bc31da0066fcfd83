//! Seeing what happened to a workspace, and forgetting what is too old.

use super::workspaces::permitted;
use super::{Caller, Ops};
use crate::domain::id::WorkspaceId;
use crate::error::Result;
use crate::policy::Action;
use crate::store::timeline;
pub use crate::store::timeline::TimelineEvent;
use crate::store::{Origin, Page, Read, Tx, actors};

/// The entries before `before` (exclusive), newest first.
pub async fn list(ops: &Ops, caller: &Caller, id: WorkspaceId, before: Option<i64>, limit: usize) -> Result<Page<TimelineEvent>> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        permitted(read, &actor, &id, Action::ViewWorkspace, None)?;
        timeline::list(read, &id, before, limit)
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// Forgets entries older than 30 days, some at a time; answers how many. Called now and then.
pub async fn sweep(ops: &Ops) -> Result<usize> {
    ops.db.write(Origin { call_id: "upkeep".to_owned(), ..Origin::default() }, |tx: &Tx<'_>| timeline::sweep(tx)).await
}
