//! Giving a workspace to another person, in its group or in another.
//!
//! Whoever gives it needs the right over the workspace, and where it leaves its group also the right to make one in the
//! other. The pools of the new owner and the new group are weighed in the same transaction. What runs is stopped: its
//! programs hold what the old owner lent them. Files stay where they are, so a workspace whose disk lies in a group's
//! own namespace does not leave that group.

use super::weighing::{Weighed, weigh_move};
use super::workspaces::{Single, event, permitted, single};
use super::{Caller, Ops};
use crate::domain::group::GroupStatus;
use crate::domain::id::{UserId, WorkspaceId};
use crate::domain::names::WorkspaceName;
use crate::domain::quota::Usage;
use crate::domain::user::UserStatus;
use crate::domain::workspace::{Desired, Status};
use crate::error::{Error, Missing, Result};
use crate::events::{Cut, CutReason, Operation};
use crate::policy::{Action, Actor, Permit, Target};
use crate::store::actors::Principal;
use crate::store::inbox::{self, Notice};
use crate::store::pool::{self, Home};
use crate::store::timeline::{self, NewEvent};
use crate::store::users::{self, User};
use crate::store::workspaces::{self, Workspace, WorkspaceRow};
use crate::store::{Change, Effect, Read, Tx, actors, groups, handover, memberships};
use serde_json::json;

/// To whom, and as what.
#[derive(Debug, Clone)]
pub struct Transfer {
    pub to: UserId,
    /// Id or name of another group; `None`: it stays in its own.
    pub group: Option<String>,
    /// Another name, where the new owner has one of this name already.
    pub name: Option<WorkspaceName>,
    pub reason: Option<String>,
    /// The revision that the caller has read, from `If-Match`.
    pub expected: Option<i64>,
}

/// What a transfer would do.
#[derive(Debug, Clone)]
pub struct Review {
    pub weighed: Weighed,
    /// One sentence each.
    pub consequences: Vec<String>,
}

pub(super) struct Plan {
    workspace: Workspace,
    permit: Permit,
    to: User,
    home: Home,
    name: String,
}

/// Transfers a workspace. The answer is the workspace as the caller saw it last: it may be theirs no more.
pub async fn transfer(ops: &Ops, caller: &Caller, id: WorkspaceId, wish: Transfer) -> Result<Single> {
    let (principal, break_glass) = (caller.principal.clone(), ops.rules().break_glass);
    let job = move |tx: &Tx<'_>| {
        let plan = plan(tx, &load(tx, &principal)?, &id, &wish)?;
        carry_out(tx, &plan)?;
        let actor = plan.permit.actor();
        let workspace = workspaces::find(tx, &id, actor.user_id())?.ok_or(Error::NotFound(Missing::Workspace))?;
        single(tx, actor, workspace, break_glass)
    };
    ops.db.write(caller.origin.clone(), job).await
}

/// What a transfer would do; writes nothing.
pub async fn review(ops: &Ops, caller: &Caller, id: WorkspaceId, wish: Transfer) -> Result<Review> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let plan = plan(read, &load(read, &principal)?, &id, &wish)?;
        Ok(Review { weighed: weighed(read, &plan)?, consequences: consequences(read, &plan)? })
    };
    ops.db.read(caller.origin.clone(), job).await
}

fn load(read: &Read<'_>, principal: &Principal) -> Result<Actor> {
    actors::load(read, principal)
}

/// Whether it may be done and can be done, but for the pools.
pub(super) fn plan(read: &Read<'_>, actor: &Actor, id: &WorkspaceId, wish: &Transfer) -> Result<Plan> {
    let (workspace, permit) = permitted(read, actor, id, Action::TransferWorkspace, wish.reason.as_deref())?;
    if wish.expected.is_some_and(|revision| revision != workspace.row.revision) {
        return Err(Error::Stale);
    }
    if workspace.status_word() == Status::Deleting {
        return Err(Error::WrongState("It is being deleted.".to_owned()));
    }
    let home = home(read, actor, &workspace, wish)?;
    let to = heir(read, &home, &wish.to)?;
    if to.id == workspace.row.owner_id && home.facts.id == workspace.row.group_id {
        return Err(Error::WrongState(format!("It is {}'s already, in this group.", to.username)));
    }
    let name = wish.name.as_ref().map_or_else(|| workspace.row.name.clone(), ToString::to_string);
    if workspaces::is_name_taken(read, &to.id, &name, Some(id))? {
        return Err(Error::Conflict(format!(
            "{} has a workspace called {name} already. Give this one another name on the way.",
            to.username
        )));
    }
    Ok(Plan { workspace, permit, to, home, name })
}

/// The group in which it will be.
fn home(read: &Read<'_>, actor: &Actor, workspace: &Workspace, wish: &Transfer) -> Result<Home> {
    let now = &workspace.row.group_id;
    let home = pool::find_home(read, wish.group.as_deref().unwrap_or(now.as_str()))?.ok_or(Error::NotFound(Missing::Group))?;
    if home.facts.id == *now {
        return Ok(home);
    }
    read.authorize(actor, Action::CreateWorkspace, Target::Group(&home.facts), None)?;
    if home.status != GroupStatus::Active {
        return Err(Error::WrongState(format!("The group {} is {}, so nothing can go there.", home.facts.name, home.status.as_str())));
    }
    let has_place = groups::find(read, now)?.is_some_and(|group| group.namespace_uid.is_some());
    if has_place && workspace.status.observed_generation > 0 {
        let words = "Its disk lies in the namespace of its group and cannot leave it. Give it to somebody inside the group, or make a new one there and copy the files.";
        return Err(Error::WrongState(words.to_owned()));
    }
    Ok(home)
}

/// Only who could have made it there can have it. One answer for all others, so that nobody learns who has an account.
fn heir(read: &Read<'_>, home: &Home, id: &UserId) -> Result<User> {
    let is_member = memberships::find(read, &home.facts.id, id)?.is_some();
    let user = users::find(read, id)?.filter(|user| is_member && user.status == UserStatus::Active);
    user.ok_or_else(|| {
        Error::field(
            "userId",
            "not_a_member",
            format!("Name an active member of {}; others cannot have a workspace in it.", home.facts.name),
        )
    })
}

pub(super) fn weighed(read: &Read<'_>, plan: &Plan) -> Result<Weighed> {
    let Workspace { row, status, .. } = &plan.workspace;
    let after = Usage::counted(&row.size, status.applied.as_ref(), Desired::Stopped, status.phase);
    weigh_move(read, &plan.workspace, &plan.to.id, &plan.home, &after)
}

/// What follows, for people to read before they decide.
pub(super) fn consequences(read: &Read<'_>, plan: &Plan) -> Result<Vec<String>> {
    let row = &plan.workspace.row;
    let mut lines = Vec::new();
    if row.desired == Desired::Running {
        lines.push(format!("It is stopped now; {} starts it again.", plan.to.username));
    }
    if plan.to.id != row.owner_id {
        lines.push(format!("{} cannot open it any more; open terminals and apps close.", plan.workspace.owner_username));
        lines.push("Its files go along, and so do passwords and keys that lie in them.".to_owned());
    }
    match handover::shares(read, &row.id)? {
        0 => {}
        1 => lines.push("It is no longer shared with the one it is shared with now.".to_owned()),
        shares => lines.push(format!("It is no longer shared with the {shares} it is shared with now.")),
    }
    if plan.home.facts.id != row.group_id {
        lines.push(format!("It counts for {} from now on, and its admins see it.", plan.home.facts.name));
    }
    Ok(lines)
}

/// Weighs it and does it.
pub(super) fn carry_out(tx: &Tx<'_>, plan: &Plan) -> Result<()> {
    weighed(tx, plan)?.require()?;
    let Plan { workspace, permit, to, home, name } = plan;
    let old = &workspace.row;
    let ended = handover::shares(tx, &old.id)?;
    let row = WorkspaceRow {
        owner_id: to.id.clone(),
        group_id: home.facts.id.clone(),
        name: name.clone(),
        desired: Desired::Stopped,
        generation: old.generation + 1,
        revision: old.revision + 1,
        updated_at: tx.now(),
        ..old.clone()
    };
    handover::save(tx, permit, &row)?;
    let whose = |row: &WorkspaceRow| json!({ "ownerId": row.owner_id, "groupId": row.group_id, "name": row.name });
    let details = json!({ "before": whose(old), "after": whose(&row), "stopped": old.desired == Desired::Running, "endedShares": ended });
    tx.audit(permit, Change::of(details))?;
    tell(tx, plan, &row)?;
    tx.after_commit(Effect::Cut(Cut::Workspace(old.id.clone()), CutReason::Revoked));
    tx.publish(event(&workspace.facts(), Operation::Changed));
    let after = workspaces::find(tx, &old.id, None)?.ok_or(Error::NotFound(Missing::Workspace))?;
    tx.publish(event(&after.facts(), Operation::Changed));
    tx.after_commit(Effect::Wake);
    Ok(())
}

/// A line in the timeline, and a notice for both owners where they did not do it themselves.
fn tell(tx: &Tx<'_>, plan: &Plan, row: &WorkspaceRow) -> Result<()> {
    let (old, to, group) = (&plan.workspace, &plan.to, &plan.home.facts.name);
    let actor = plan.permit.actor().user();
    let because = plan.permit.reason().map(|reason| format!(" The reason: {reason}")).unwrap_or_default();
    let who = actor.map_or("Somebody at the server's console", |user| user.username.as_str());
    let line = NewEvent {
        workspace: row.id.clone(),
        at: tx.now(),
        run: row.run,
        kind: "action",
        code: "transfer".to_owned(),
        message: format!("Given by {} to {} in {group}.{because}", old.owner_username, to.username),
        actor: actor.map(|user| user.id.clone()),
    };
    timeline::insert(tx, &line)?;
    let is_actor = |id: &UserId| actor.is_some_and(|user| user.id == *id);
    if !is_actor(&old.row.owner_id) {
        let message = if to.id == old.row.owner_id {
            format!("{who} moved your workspace {} to the group {group}.{because}", row.name)
        } else {
            format!("{who} gave your workspace {} to {}.{because}", old.row.name, to.username)
        };
        let link = if to.id == old.row.owner_id { format!("/workspaces/{}", row.id) } else { String::new() };
        inbox::insert(tx, &Notice { to: &old.row.owner_id, code: "transfer", message, link })?;
    }
    if to.id != old.row.owner_id && !is_actor(&to.id) {
        let message = format!("{who} gave you the workspace {} of {} in {group}.{because}", row.name, old.owner_username);
        inbox::insert(tx, &Notice { to: &to.id, code: "transfer", message, link: format!("/workspaces/{}", row.id) })?;
    }
    Ok(())
}
