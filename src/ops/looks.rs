//! Looking at what is somebody else's: the log of a workspace and where its programs go say much about its owner, so that
//! reading them leaves an entry. The first look within an hour does, for each reader, workspace and kind; a page that asks
//! again every few seconds does not fill the log. Lives in memory: after a restart the next look is a first one again.

use super::{Caller, Ops, workspaces};
use crate::clock::{HOUR, Millis};
use crate::domain::id::{UserId, WorkspaceId};
use crate::error::Result;
use crate::policy::Action;
use crate::store::workspaces::Workspace;
use crate::store::{Change, Tx, actors};
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// More looks than this are not remembered; one more is then written by itself.
const REMEMBERED: usize = 4_096;

/// What is recorded when somebody else does it.
pub(super) fn is_recorded(action: Action) -> bool {
    matches!(action, Action::ViewWorkspaceLogs | Action::ViewWorkspaceEgress)
}

type Look = (UserId, WorkspaceId, Action);

/// The looks of the last hour.
#[derive(Debug, Default)]
pub struct Looks(Mutex<HashMap<Look, Millis>>);

impl Looks {
    /// Takes note; `true` when it is to be recorded.
    fn is_first(&self, look: Look, now: Millis) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.get(&look).is_some_and(|at| now.since(*at) < HOUR) {
            return false;
        }
        if known.len() >= REMEMBERED {
            known.retain(|_, at| now.since(*at) < HOUR);
        }
        if known.len() < REMEMBERED {
            known.insert(look, now);
        }
        true
    }

    fn forget(&self, look: &Look) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(look);
    }
}

/// Records a look that was permitted, when it is at something of somebody else.
pub(super) async fn record(ops: &Ops, caller: &Caller, workspace: &Workspace, action: Action, now: Millis) -> Result<()> {
    let Some(reader) = caller.principal.user_id().filter(|reader| **reader != workspace.row.owner_id) else { return Ok(()) };
    let look = (reader.clone(), workspace.row.id.clone(), action);
    if !ops.looks.is_first(look.clone(), now) {
        return Ok(());
    }
    let (principal, id) = (caller.principal.clone(), workspace.row.id.clone());
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let (workspace, permit) = workspaces::permitted(tx, &actor, &id, action, None)?;
        tx.audit(&permit, Change::of(json!({ "run": workspace.row.run })))
    };
    let written = ops.db.write(caller.origin.clone(), job).await;
    if written.is_err() {
        ops.looks.forget(&look);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_recorded_once_an_hour_for_each_reader_workspace_and_kind() {
        let looks = Looks::default();
        let look = |user: u8, action| (UserId::trusted(format!("usr_{user:032x}")), WorkspaceId::trusted(format!("ws_{:032x}", 7)), action);
        assert!(looks.is_first(look(1, Action::ViewWorkspaceLogs), Millis(0)));
        assert!(!looks.is_first(look(1, Action::ViewWorkspaceLogs), Millis(HOUR - 1)));
        assert!(looks.is_first(look(1, Action::ViewWorkspaceEgress), Millis(1)));
        assert!(looks.is_first(look(2, Action::ViewWorkspaceLogs), Millis(1)));
        assert!(looks.is_first(look(1, Action::ViewWorkspaceLogs), Millis(HOUR)));
    }
}
