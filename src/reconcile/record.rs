//! Writing down what was observed: status and timeline, unaudited, and the hints for open pages.
//!
//! One transaction a page, and none where nothing has changed.

use super::held::Held;
use super::origin;
use super::plan::Wanted;
use super::seen::{is_news, seen, unreachable as unreachable_status};
use crate::clock::Millis;
use crate::cluster::{Note, NoteKind, Observation};
use crate::domain::group::GroupStatus;
use crate::domain::id::WorkspaceId;
use crate::domain::workspace::Reason;
use crate::error::Result;
use crate::events::Operation;
use crate::ops::timeline::{self, NewEvent};
use crate::ops::workspaces::event;
use crate::ops::{Ops, group_state};
use crate::policy::WorkspaceFacts;
use crate::store::workspace_status::{self, WorkspaceStatus};
use crate::store::workspaces::Workspace;
use crate::store::{Db, Tx};
use std::collections::VecDeque;

/// Notes kept in memory while the file cannot be written; the oldest are lost first.
const MOST_NOTES: usize = 10_000;

/// Notes that the cluster told and the timeline does not have yet.
#[derive(Debug, Default)]
pub struct Pending(VecDeque<(WorkspaceId, Note)>);

impl Pending {
    /// Takes the notes of an observation: they are not told again.
    pub fn take(&mut self, observation: &Observation) {
        for workspace in &observation.workspaces {
            self.0.extend(workspace.notes.iter().map(|note| (workspace.id.clone(), note.clone())));
        }
        let surplus = self.0.len().saturating_sub(MOST_NOTES);
        self.0.drain(..surplus);
    }
}

/// A status to be written.
pub struct StatusChange {
    pub facts: WorkspaceFacts,
    pub generation: i64,
    pub status: WorkspaceStatus,
    /// Open pages are told.
    pub news: bool,
}

impl StatusChange {
    /// `None` where the status is already so.
    pub fn of(workspace: &Workspace, status: WorkspaceStatus) -> Option<Self> {
        let news = is_news(&workspace.status, &status);
        (status != workspace.status).then(|| Self { facts: workspace.facts(), generation: workspace.row.generation, status, news })
    }

    /// Writes it, unless the workspace has changed since the status was worked out: then the next round knows better.
    pub fn write(&self, tx: &Tx<'_>) -> Result<()> {
        let written = workspace_status::save_if(tx, &self.facts.id, self.generation, &self.status)?;
        if written && self.news {
            tx.publish(event(&self.facts, Operation::Changed));
        }
        Ok(())
    }
}

/// Writes the notes that the cluster told since the last time.
pub async fn notes(db: &Db, pending: &mut Pending) -> Result<()> {
    let notes: Vec<NewEvent> = pending.0.iter().map(|(id, note)| new_event(id, note)).collect();
    if notes.is_empty() {
        return Ok(());
    }
    db.write(origin(), move |tx: &Tx<'_>| timeline::tell(tx, &notes)).await?;
    pending.0.clear();
    Ok(())
}

/// Writes down how these were observed.
pub async fn observation(db: &Db, wanted: &Wanted, held: &Held<'_>, now: Millis) -> Result<()> {
    let status = |workspace: &Workspace| seen(workspace, held.workspaces.get(&workspace.row.id).copied(), now);
    write(db, wanted.workspaces.iter().filter_map(|w| StatusChange::of(w, status(w))).collect()).await
}

/// Writes down what holds the places of groups that are being deleted: a cluster waits for it without a word.
pub async fn holds(ops: &Ops, wanted: &Wanted, held: &Held<'_>) -> Result<()> {
    let Some(observed) = &held.groups else { return Ok(()) };
    for group in wanted.groups.iter().filter(|group| group.status == GroupStatus::Deleting) {
        let Some(seen) = observed.get(&group.id).filter(|seen| seen.terminating) else { continue };
        let reason = seen.reason.as_ref().map(|reason| (reason.code.clone(), in_full(reason)));
        if reason != group.reason {
            group_state::record_held(ops, group.id.clone(), reason).await?;
        }
    }
    Ok(())
}

/// What is wrong and what to do, in one text: that is what a group keeps.
fn in_full(reason: &Reason) -> String {
    let message = reason.message.trim_end_matches('.');
    reason.remedy.as_ref().map_or_else(|| format!("{message}."), |remedy| format!("{message}. {remedy}"))
}

/// Writes down that nothing can be observed.
pub async fn unreachable(db: &Db, wanted: &Wanted, why: &str, now: Millis) -> Result<()> {
    let changes = wanted.workspaces.iter().filter_map(|w| StatusChange::of(w, unreachable_status(w, why, now))).collect();
    write(db, changes).await
}

async fn write(db: &Db, changes: Vec<StatusChange>) -> Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    db.write(origin(), move |tx: &Tx<'_>| changes.iter().try_for_each(|change| change.write(tx))).await
}

fn new_event(id: &WorkspaceId, note: &Note) -> NewEvent {
    NewEvent {
        workspace: id.clone(),
        at: note.at,
        run: note.run,
        kind: match note.kind {
            NoteKind::Step => "step",
            NoteKind::Warning => "warning",
            NoteKind::Error => "error",
        },
        code: note.code.clone(),
        message: note.message.clone(),
        actor: None,
    }
}
