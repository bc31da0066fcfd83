//! The apps of a workspace: who may have one started anew, and the record of it. The agent does the work.

use super::workspaces::{Deed, not_running, permitted, tell};
use super::{Caller, Ops};
use crate::domain::id::WorkspaceId;
use crate::domain::workspace::Status;
use crate::error::{Error, Missing, Result};
use crate::policy::Action;
use crate::store::workspaces::Workspace;
use crate::store::{Change, Tx, actors};
use serde_json::json;

/// Decides on a restart of this app and records it; the workspace in which it is to happen.
pub async fn restart(ops: &Ops, caller: &Caller, id: WorkspaceId, slug: String, reason: Option<String>) -> Result<Workspace> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let (workspace, permit) = permitted(tx, &actor, &id, Action::RestartApp, reason.as_deref())?;
        if !workspace.row.spec.apps.iter().any(|app| app.slug == slug) {
            return Err(Error::NotFound(Missing::App));
        }
        let status = workspace.status_word();
        if status != Status::Running {
            return Err(Error::WrongState(not_running(status).to_owned()));
        }
        tx.audit(&permit, Change::of(json!({ "app": slug, "run": workspace.row.run })))?;
        let deed = Deed { code: "restart_app", line: "Asked to restart an app.", done: "restarted an app of" };
        tell(tx, &permit, &workspace, workspace.row.run, &deed)?;
        Ok(workspace)
    };
    ops.db.write(caller.origin.clone(), job).await
}
