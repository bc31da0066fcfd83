//! Starting, stopping, restarting and deleting: what should be changes here, and the reconciler makes it so.

use super::weighing::{Weighed, weigh_change};
use super::workspaces::{Deed, Single, event, permitted, running, single, tell};
use super::{Caller, Ops};
use crate::domain::id::WorkspaceId;
use crate::domain::workspace::{Action as Verb, Desired, Phase, Status, Transition, transition};
use crate::error::{Error, Result};
use crate::events::{Cut, CutReason, Operation};
use crate::policy::Task;
use crate::policy::{Action, Actor, Permit, Target};
use crate::store::actors::Principal;
use crate::store::workspace_status::{self, WorkspaceStatus};
use crate::store::workspaces::{self, Workspace, WorkspaceRow};
use crate::store::{Change, Db, Effect, Origin, Read, Tx, activity, actors};
use serde_json::json;

fn permission(verb: Verb) -> Action {
    match verb {
        Verb::Start => Action::StartWorkspace,
        Verb::Stop => Action::StopWorkspace,
        Verb::Restart => Action::RestartWorkspace,
    }
}

fn deed(verb: Verb) -> Deed {
    match verb {
        Verb::Start => Deed { code: "start", line: "Asked to start.", done: "started" },
        Verb::Stop => Deed { code: "stop", line: "Asked to stop.", done: "stopped" },
        Verb::Restart => Deed { code: "restart", line: "Asked to restart.", done: "restarted" },
    }
}

/// What an action would do, permitted but not yet weighed.
struct Plan {
    workspace: Workspace,
    permit: Permit,
    next: Transition,
}

fn plan(read: &Read<'_>, principal: &Principal, id: &WorkspaceId, verb: Verb, reason: Option<&str>) -> Result<Plan> {
    let actor = actors::load(read, principal)?;
    let (workspace, permit) = permitted(read, &actor, id, permission(verb), reason)?;
    let next = transition(verb, workspace.status_word())?;
    Ok(Plan { workspace, permit, next })
}

fn weighed(read: &Read<'_>, plan: &Plan) -> Result<Weighed> {
    match plan.next.desired {
        Desired::Running => weigh_change(read, &plan.workspace, &running(&plan.workspace)),
        Desired::Stopped | Desired::Deleted => Ok(Weighed { checks: Vec::new() }),
    }
}

/// Starts, stops or restarts a workspace.
pub async fn act(ops: &Ops, caller: &Caller, id: WorkspaceId, verb: Verb, reason: Option<String>) -> Result<Single> {
    let (principal, break_glass) = (caller.principal.clone(), ops.rules().break_glass);
    let job = move |tx: &Tx<'_>| {
        let plan = plan(tx, &principal, &id, verb, reason.as_deref())?;
        weighed(tx, &plan)?.require()?;
        carry_out(tx, &plan, verb)?;
        let (workspace, _) = permitted(tx, plan.permit.actor(), &id, permission(verb), reason.as_deref())?;
        single(tx, plan.permit.actor(), workspace, break_glass)
    };
    ops.db.write(caller.origin.clone(), job).await
}

/// Whether the action could be taken now; writes nothing.
pub async fn weigh_act(ops: &Ops, caller: &Caller, id: WorkspaceId, verb: Verb) -> Result<Weighed> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| weighed(read, &plan(read, &principal, &id, verb, None)?);
    ops.db.read(caller.origin.clone(), job).await
}

fn carry_out(tx: &Tx<'_>, plan: &Plan, verb: Verb) -> Result<()> {
    let Plan { workspace, permit, next } = plan;
    let before = workspace.status_word();
    let run = workspace.row.run + i64::from(next.new_run);
    let row = WorkspaceRow {
        desired: next.desired,
        run,
        generation: workspace.row.generation + 1,
        started_at: if next.new_run { Some(tx.now()) } else { workspace.row.started_at },
        updated_at: tx.now(),
        ..workspace.row.clone()
    };
    workspaces::save(tx, permit, &row)?;
    if next.new_run {
        activity::touch(tx, &row.id, tx.now())?;
        forget_failure(tx, workspace)?;
    }
    tx.audit(permit, Change::of(json!({ "status": before, "run": run })))?;
    tell(tx, permit, workspace, run, &deed(verb))?;
    let reason = if next.desired == Desired::Running { CutReason::Restarting } else { CutReason::Stopped };
    tx.after_commit(Effect::Cut(Cut::Workspace(row.id.clone()), reason));
    tx.publish(event(&workspace.facts(), Operation::Changed));
    tx.after_commit(Effect::Wake);
    Ok(())
}

/// What failed belongs to the run before: the new one is starting, and nothing is known of it yet.
fn forget_failure(tx: &Tx<'_>, workspace: &Workspace) -> Result<()> {
    if workspace.status.phase != Phase::Failed {
        return Ok(());
    }
    let status = WorkspaceStatus { phase: Phase::Absent, reason: None, since: tx.now(), ..workspace.status.clone() };
    workspace_status::save(tx, &workspace.row.id, &status).map(drop)
}

/// Deletes a workspace with its files. The row stays, `deleting`, until the cluster has nothing of it any more.
pub async fn delete(ops: &Ops, caller: &Caller, id: WorkspaceId, action: Action, reason: Option<String>) -> Result<()> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let (workspace, permit) = permitted(tx, &actor, &id, action, reason.as_deref())?;
        if workspace.status_word() == Status::Deleting {
            return Ok(());
        }
        let row = WorkspaceRow {
            desired: Desired::Deleted,
            generation: workspace.row.generation + 1,
            updated_at: tx.now(),
            revision: workspace.row.revision + 1,
            ..workspace.row.clone()
        };
        workspaces::save(tx, &permit, &row)?;
        tx.audit(&permit, Change::of(json!({ "name": row.name, "status": workspace.status_word() })))?;
        tell(tx, &permit, &workspace, row.run, &Deed { code: "delete", line: "Asked to be deleted.", done: "deleted" })?;
        tx.after_commit(Effect::Cut(Cut::Workspace(row.id.clone()), CutReason::Stopped));
        tx.publish(event(&workspace.facts(), Operation::Changed));
        tx.after_commit(Effect::Wake);
        Ok(())
    };
    ops.db.write(caller.origin.clone(), job).await
}

/// The cluster has nothing of a deleted workspace any more, so its row goes. Does nothing when it is gone already, or
/// when it is not to be deleted after all.
pub async fn record_removed(db: &Db, origin: Origin, id: WorkspaceId) -> Result<()> {
    let job = move |tx: &Tx<'_>| {
        let Some(workspace) = workspaces::find(tx, &id, None)? else { return Ok(()) };
        if workspace.row.desired != Desired::Deleted {
            return Err(Error::Conflict("the workspace is not to be deleted".to_owned()));
        }
        let facts = workspace.facts();
        let actor = Actor::System(Task::Reconcile);
        let permit = tx.authorize(&actor, Action::RecordWorkspaceState, Target::Workspace(&facts), None)?;
        workspaces::remove(tx, &permit, &id)?;
        tx.audit(&permit, Change::of(json!({ "state": "removed", "name": workspace.row.name, "ownerId": workspace.row.owner_id })))?;
        tx.publish(event(&facts, Operation::Removed));
        Ok(())
    };
    db.write(origin, job).await
}
