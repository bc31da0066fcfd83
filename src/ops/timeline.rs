//! Seeing what happened to a workspace, and forgetting what is too old.

use super::workspaces::{event, permitted};
use super::{Caller, Ops};
use crate::domain::id::WorkspaceId;
use crate::error::Result;
use crate::events::Operation;
use crate::policy::Action;
use crate::store::timeline;
pub use crate::store::timeline::{NewEvent, TimelineEvent};
use crate::store::{Origin, Page, Read, Tx, actors, workspaces};
use std::collections::BTreeSet;

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

/// Writes what became of workspaces, and tells the pages that show them.
pub fn tell(tx: &Tx<'_>, entries: &[NewEvent]) -> Result<()> {
    for entry in entries {
        timeline::insert(tx, entry)?;
    }
    let told: BTreeSet<&WorkspaceId> = entries.iter().map(|entry| &entry.workspace).collect();
    for id in told {
        if let Some(workspace) = workspaces::find(tx, id, None)? {
            tx.publish(event(&workspace.facts(), Operation::Changed));
        }
    }
    Ok(())
}

/// Writes down what the agent of a run said.
pub async fn said(ops: &Ops, id: WorkspaceId, run: i64, code: String, message: String, failed: bool) -> Result<()> {
    let kind = if failed { "error" } else { "step" };
    let job = move |tx: &Tx<'_>| tell(tx, &[NewEvent { workspace: id.clone(), at: tx.now(), run, kind, code, message, actor: None }]);
    ops.db.write(Origin { call_id: "agent".to_owned(), ..Origin::default() }, job).await
}

/// Forgets entries older than 30 days, some at a time; answers how many. Called now and then.
pub async fn sweep(ops: &Ops) -> Result<usize> {
    ops.db.write(Origin { call_id: "upkeep".to_owned(), ..Origin::default() }, |tx: &Tx<'_>| timeline::sweep(tx)).await
}
