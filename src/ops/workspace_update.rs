//! Changing a workspace: its name, what it is for, and its size. A new size is weighed at once and takes effect at once,
//! or when the workspace is started next where the runtime cannot change what runs.

use super::weighing::{Weighed, weigh_change};
use super::workspaces::{Deed, Single, event, permitted, single, tell};
use super::{Caller, Ops};
use crate::domain::id::WorkspaceId;
use crate::domain::names::{Description, WorkspaceName};
use crate::domain::quantity::print_bytes;
use crate::domain::quota::Usage;
use crate::domain::size::{Size, SizeChange};
use crate::domain::workspace::Status;
use crate::error::{Error, Result, Taken};
use crate::events::Operation;
use crate::policy::{Action, Permit};
use crate::store::actors::Principal;
use crate::store::workspaces::{self, Workspace, WorkspaceRow};
use crate::store::{Change, Effect, Read, Tx, actors};
use serde_json::{Map, Value, json};

/// What is to change; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Edit {
    pub name: Option<WorkspaceName>,
    pub description: Option<Description>,
    pub resources: SizeChange,
    pub reason: Option<String>,
    /// The revision that the caller has read, from `If-Match`.
    pub expected: Option<i64>,
}

struct Plan {
    workspace: Workspace,
    permit: Permit,
    size: Size,
}

/// Changes a workspace.
pub async fn update(ops: &Ops, caller: &Caller, id: WorkspaceId, edit: Edit) -> Result<Single> {
    let (principal, break_glass) = (caller.principal.clone(), ops.rules().break_glass);
    let job = move |tx: &Tx<'_>| {
        let plan = plan(tx, &principal, &id, &edit)?;
        weighed(tx, &plan)?.require()?;
        carry_out(tx, &plan, &edit)?;
        let (workspace, _) = permitted(tx, plan.permit.actor(), &id, Action::UpdateWorkspace, edit.reason.as_deref())?;
        single(tx, plan.permit.actor(), workspace, break_glass)
    };
    ops.db.write(caller.origin.clone(), job).await
}

/// Whether the change would fit; writes nothing.
pub async fn weigh_update(ops: &Ops, caller: &Caller, id: WorkspaceId, edit: Edit) -> Result<Weighed> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| weighed(read, &plan(read, &principal, &id, &edit)?);
    ops.db.read(caller.origin.clone(), job).await
}

fn plan(read: &Read<'_>, principal: &Principal, id: &WorkspaceId, edit: &Edit) -> Result<Plan> {
    let actor = actors::load(read, principal)?;
    let (workspace, permit) = permitted(read, &actor, id, Action::UpdateWorkspace, edit.reason.as_deref())?;
    let row = &workspace.row;
    if edit.expected.is_some_and(|revision| revision != row.revision) {
        return Err(Error::Stale);
    }
    if workspace.status_word() == Status::Deleting {
        return Err(Error::WrongState("It is being deleted.".to_owned()));
    }
    let size = row.size.merged(&edit.resources);
    if size.disk_bytes < row.size.disk_bytes {
        let message = format!("A disk can only grow; this one has {}.", print_bytes(row.size.disk_bytes));
        return Err(Error::field("resources.storage", "range", message));
    }
    if let Some(name) = &edit.name
        && workspaces::is_name_taken(read, &row.owner_id, name.as_str(), Some(&row.id))?
    {
        return Err(Error::Taken(Taken::WorkspaceName));
    }
    Ok(Plan { workspace, permit, size })
}

fn weighed(read: &Read<'_>, plan: &Plan) -> Result<Weighed> {
    let Workspace { row, status, .. } = &plan.workspace;
    let after = Usage::counted(&plan.size, status.applied.as_ref(), row.desired, status.phase);
    weigh_change(read, &plan.workspace, &after)
}

fn carry_out(tx: &Tx<'_>, plan: &Plan, edit: &Edit) -> Result<()> {
    let Plan { workspace, permit, size } = plan;
    let old = &workspace.row;
    let row = WorkspaceRow {
        name: edit.name.as_ref().map_or_else(|| old.name.clone(), ToString::to_string),
        description: edit.description.as_ref().map_or_else(|| old.description.clone(), ToString::to_string),
        size: size.clone(),
        // Also when nothing differs: asking for the same again means "apply it once more".
        generation: old.generation + 1,
        revision: old.revision + 1,
        updated_at: tx.now(),
        ..old.clone()
    };
    workspaces::save(tx, permit, &row)?;
    tx.audit(permit, Change::of(differences(old, &row)))?;
    let deed = if old.size == row.size {
        Deed { code: "update", line: "Changed.", done: "changed" }
    } else {
        Deed { code: "resize", line: "Resized.", done: "resized" }
    };
    tell(tx, permit, workspace, row.run, &deed)?;
    tx.publish(event(&workspace.facts(), Operation::Changed));
    tx.after_commit(Effect::Wake);
    Ok(())
}

/// Before and after of what differs.
fn differences(old: &WorkspaceRow, new: &WorkspaceRow) -> Value {
    let (mut before, mut after) = (Map::new(), Map::new());
    let mut compare = |name: &str, a: Value, b: Value| {
        if a != b {
            before.insert(name.to_owned(), a);
            after.insert(name.to_owned(), b);
        }
    };
    compare("name", json!(old.name), json!(new.name));
    compare("description", json!(old.description), json!(new.description));
    compare("resources", json!(old.size.view()), json!(new.size.view()));
    json!({ "before": before, "after": after, "generation": new.generation })
}
