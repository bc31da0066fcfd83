//! Seeing workspaces: lists of what the caller may see, one workspace with what they may do to it and why not, and what
//! every change of one has in common.

pub use super::access::Hindrance;
use super::{Caller, Ops, looks, weighing};
use crate::domain::id::{GroupId, OrganizationId, UserId, WorkspaceId};
use crate::domain::quota::Usage;
use crate::domain::workspace::{self, Desired, Status};
use crate::error::{Error, Missing, Result};
use crate::events::{Audience, Event, Operation};
use crate::policy::explain::explain;
use crate::policy::{Action, Actor, Context, Permit, Role, Target, WorkspaceFacts, may};
use crate::store::inbox::{self, Notice};
use crate::store::timeline::{self, NewEvent};
use crate::store::workspace_list::{self, Filter, Scope};
use crate::store::workspaces;
pub use crate::store::workspaces::Workspace;
use crate::store::{Page, Read, Tx, actors, pool};

/// What can be done to a workspace, in the order in which `can` lists it.
pub const ACTIONS: [Action; 15] = [
    Action::ViewWorkspace,
    Action::StartWorkspace,
    Action::StopWorkspace,
    Action::RestartWorkspace,
    Action::RestartApp,
    Action::UpdateWorkspace,
    Action::TransferWorkspace,
    Action::DeleteWorkspace,
    Action::OpenTerminal,
    Action::ReadWorkspaceFiles,
    Action::WriteWorkspaceFiles,
    Action::OpenApp,
    Action::ViewWorkspaceLogs,
    Action::ViewWorkspaceMetrics,
    Action::ViewWorkspaceEgress,
];

/// What goes into a workspace: needs one that runs, and opens to platform admins with a written reason.
const ENTERING: [Action; 4] = [Action::OpenTerminal, Action::OpenApp, Action::ReadWorkspaceFiles, Action::WriteWorkspaceFiles];

/// A workspace in a list, with the actions that the caller may take on it.
#[derive(Debug, Clone)]
pub struct Listed {
    pub workspace: Workspace,
    pub can: Vec<&'static str>,
}

/// One workspace, with each action and what stands in its way.
#[derive(Debug, Clone)]
pub struct Single {
    pub workspace: Workspace,
    pub can: Vec<(&'static str, Option<Hindrance>)>,
}

/// Which workspaces are asked for.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Only the caller's own.
    pub mine: bool,
    /// Id or name.
    pub group: Option<String>,
    /// Only those of this person.
    pub owner: Option<UserId>,
    pub status: Option<Status>,
    pub search: Option<String>,
    /// The last id of the page before.
    pub before: Option<WorkspaceId>,
    pub limit: usize,
    /// Also say how many there are in all.
    pub count: bool,
}

/// A page, and how many there are in all where that was asked.
#[derive(Debug, Clone)]
pub struct Answer {
    pub page: Page<Listed>,
    pub total: Option<i64>,
}

/// The workspaces that the caller may see.
pub async fn list(ops: &Ops, caller: &Caller, wish: Wish) -> Result<Answer> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::ListOwnWorkspaces, Target::System, None)?;
        let (scope, group) = scope(read, &actor, &wish)?;
        listed(read, &actor, scope, group, &wish)
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// All workspaces there are, for those who run the platform.
pub async fn list_all(ops: &Ops, caller: &Caller, wish: Wish) -> Result<Answer> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::ListAllWorkspaces, Target::System, None)?;
        let group = wish.group.as_deref().map(|text| pool::find_home(read, text)).transpose()?;
        match group {
            Some(None) => Ok(nothing()),
            Some(Some(home)) => listed(read, &actor, Scope::Group(home.facts.id), None, &wish),
            None => listed(read, &actor, Scope::All, None, &wish),
        }
    };
    ops.db.read(caller.origin.clone(), job).await
}

fn nothing() -> Answer {
    Answer { page: Page { items: Vec::new(), more: false }, total: Some(0) }
}

fn listed(read: &Read<'_>, actor: &Actor, scope: Scope, group: Option<GroupId>, wish: &Wish) -> Result<Answer> {
    let filter = Filter {
        scope,
        caller: actor.user_id().cloned(),
        group,
        owner: wish.owner.clone(),
        status: wish.status,
        search: wish.search.clone(),
        before: wish.before.clone(),
        limit: wish.limit,
    };
    let total = if wish.count { Some(workspace_list::count(read, &filter)?) } else { None };
    let page = workspace_list::list(read, &filter)?.map(|workspace| {
        let facts = workspace.facts();
        let can = ACTIONS.into_iter().filter(|a| may(actor, *a, Target::Workspace(&facts))).map(Action::code).collect();
        Listed { workspace, can }
    });
    Ok(Answer { page, total })
}

/// What the caller may see, narrowed by what they ask; the same answers as `view_workspace` on each row.
fn scope(read: &Read<'_>, actor: &Actor, wish: &Wish) -> Result<(Scope, Option<GroupId>)> {
    let home = wish.group.as_deref().map(|text| pool::find_home(read, text)).transpose()?;
    let group = match &home {
        // A group that is not there has no workspaces; nobody's id looks like this.
        Some(None) => Some(GroupId::trusted(String::new())),
        Some(Some(home)) => Some(home.facts.id.clone()),
        None => None,
    };
    if let (Some(Some(home)), false) = (&home, wish.mine)
        && may(actor, Action::ListGroupWorkspaces, Target::Group(&home.facts))
    {
        return Ok((Scope::Group(home.facts.id.clone()), None));
    }
    let Some(user) = actor.user() else { return Ok((Scope::All, group)) };
    if wish.mine {
        return Ok((Scope::Owner(user.id.clone()), group));
    }
    if may(actor, Action::ListAllWorkspaces, Target::System) {
        return Ok((Scope::All, group));
    }
    let groups = user.groups.iter().filter(|(_, role)| **role == Role::Admin).map(|(id, _)| id.clone()).collect();
    let view = Action::ViewWorkspace.code();
    let organizations: Vec<OrganizationId> =
        user.organizations.iter().filter(|(_, actions)| actions.contains(view)).map(|(id, _)| id.clone()).collect();
    Ok((Scope::Visible { user: user.id.clone(), groups, organizations }, group))
}

/// One workspace.
pub async fn get(ops: &Ops, caller: &Caller, id: WorkspaceId) -> Result<Single> {
    let (principal, break_glass) = (caller.principal.clone(), ops.rules().break_glass);
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        let (workspace, _) = permitted(read, &actor, &id, Action::ViewWorkspace, None)?;
        single(read, &actor, workspace, break_glass)
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// The workspace, and the permit for one action on it. What is not there and what is hidden get the same answer.
pub(super) fn permitted(
    read: &Read<'_>,
    actor: &Actor,
    id: &WorkspaceId,
    action: Action,
    reason: Option<&str>,
) -> Result<(Workspace, Permit)> {
    let workspace = workspaces::find(read, id, actor.user_id())?.ok_or(Error::NotFound(Missing::Workspace))?;
    let permit = read.authorize(actor, action, Target::Workspace(&workspace.facts()), reason)?;
    Ok((workspace, permit))
}

/// Asks for one action and gives the workspace: for what only reads. Looking closely at what is somebody else's is recorded.
pub async fn view(ops: &Ops, caller: &Caller, id: WorkspaceId, action: Action) -> Result<Workspace> {
    view_if(ops, caller, id, action, |_| Ok(())).await
}

/// The same, for a part of it that may not be there: what `has` refuses was not looked at, and leaves no entry.
pub async fn view_if(
    ops: &Ops,
    caller: &Caller,
    id: WorkspaceId,
    action: Action,
    has: impl FnOnce(&Workspace) -> Result<()>,
) -> Result<Workspace> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        permitted(read, &actor, &id, action, None).map(|(workspace, _)| (workspace, read.now()))
    };
    let (workspace, now) = ops.db.read(caller.origin.clone(), job).await?;
    has(&workspace)?;
    if looks::is_recorded(action) {
        looks::record(ops, caller, &workspace, action, now).await?;
    }
    Ok(workspace)
}

/// Looks at the cluster at once instead of at the next round.
pub async fn sync(ops: &Ops, caller: &Caller, id: WorkspaceId) -> Result<Workspace> {
    let workspace = view(ops, caller, id, Action::SyncWorkspace).await?;
    ops.bus.reconcile.notify_one();
    Ok(workspace)
}

/// The workspace as it is after a change, with what the caller may do now.
pub(super) fn single(read: &Read<'_>, actor: &Actor, workspace: Workspace, break_glass: bool) -> Result<Single> {
    let facts = workspace.facts();
    let mut can = Vec::with_capacity(ACTIONS.len());
    for action in ACTIONS {
        can.push((action.code(), hindrance(read, actor, &workspace, &facts, action, break_glass)?));
    }
    Ok(Single { workspace, can })
}

fn hindrance(
    read: &Read<'_>,
    actor: &Actor,
    workspace: &Workspace,
    facts: &WorkspaceFacts,
    action: Action,
    break_glass: bool,
) -> Result<Option<Hindrance>> {
    let context = Context { now: read.now(), reason: None, break_glass };
    let explained = explain(actor, action, Target::Workspace(facts), context);
    if !explained.allowed {
        let with_reason = Context { reason: Some("?"), ..context };
        let door = ENTERING.contains(&action) && explain(actor, action, Target::Workspace(facts), with_reason).allowed;
        return Ok(Some(if door { reason_needed() } else { Hindrance { code: "AUTHORIZATION_ERROR", message: explained.words } }));
    }
    let status = workspace.status_word();
    let transition = match action {
        Action::StartWorkspace => workspace::Action::Start,
        Action::StopWorkspace => workspace::Action::Stop,
        Action::RestartWorkspace => workspace::Action::Restart,
        Action::RestartApp if status != Status::Running => return Ok(Some(wrong_state(not_running(status)))),
        action if ENTERING.contains(&action) && status != Status::Running => return Ok(Some(wrong_state(not_running(status)))),
        Action::UpdateWorkspace | Action::TransferWorkspace | Action::DeleteWorkspace if status == Status::Deleting => {
            return Ok(Some(wrong_state("It is being deleted.")));
        }
        _ => return Ok(None),
    };
    match workspace::transition(transition, status) {
        Err(error) => Ok(Some(wrong_state(error.to_string()))),
        Ok(next) if next.desired == Desired::Running => {
            let weighed = weighing::weigh_change(read, workspace, &running(workspace))?;
            Ok(weighed.short().map(|check| Hindrance { code: "QUOTA_EXCEEDED", message: format!("{}.", check.shortfall()) }))
        }
        Ok(_) => Ok(None),
    }
}

fn wrong_state(message: impl Into<String>) -> Hindrance {
    Hindrance { code: "WRONG_STATE", message: message.into() }
}

fn reason_needed() -> Hindrance {
    let message = "It belongs to somebody else. You may enter with a written reason; the owner is told.";
    Hindrance { code: "REASON_REQUIRED", message: message.to_owned() }
}

/// Why nobody can enter a workspace in this state.
pub(super) fn not_running(status: Status) -> &'static str {
    match status {
        Status::Running => "It is running.",
        Status::Stopped => "It is stopped. Start it first.",
        Status::Starting => "It is still starting.",
        Status::Pending => "It waits to start.",
        Status::Stopping => "It is stopping.",
        Status::Error => "It did not start. Its page says why.",
        Status::Deleting => "It is being deleted.",
    }
}

/// What the workspace counts for once it should run.
pub(super) fn running(workspace: &Workspace) -> Usage {
    Usage::counted(&workspace.row.size, workspace.status.applied.as_ref(), Desired::Running, workspace.status.phase)
}

/// The hint for the pages: its owner, the admins of its group, and whoever watches the platform.
pub(crate) fn event(facts: &WorkspaceFacts, operation: Operation) -> Event {
    Event {
        kind: "workspace",
        operation,
        id: facts.id.to_string(),
        group_id: Some(facts.group_id.clone()),
        audience: Audience { users: vec![facts.owner_id.clone()], group: Some((facts.group_id.clone(), true)), platform: true },
        reset: Vec::new(),
    }
}

/// What was done, in two forms: `stop`, `Asked to stop.` for the timeline, `stopped` for the owner.
pub(super) struct Deed {
    pub code: &'static str,
    pub line: &'static str,
    /// Completes "anna … your workspace".
    pub done: &'static str,
}

/// Writes the deed into the timeline, and tells the owner when somebody else did it.
pub(super) fn tell(tx: &Tx<'_>, permit: &Permit, workspace: &Workspace, run: i64, deed: &Deed) -> Result<()> {
    let actor = permit.actor().user();
    let because = permit.reason().map(|reason| format!(" The reason: {reason}")).unwrap_or_default();
    timeline::insert(
        tx,
        &NewEvent {
            workspace: workspace.row.id.clone(),
            at: tx.now(),
            run,
            kind: "action",
            code: deed.code.to_owned(),
            message: format!("{}{because}", deed.line),
            actor: actor.map(|user| user.id.clone()),
        },
    )?;
    if actor.is_some_and(|user| user.id == workspace.row.owner_id) {
        return Ok(());
    }
    let who = actor.map_or("Somebody at the server's console", |user| user.username.as_str());
    let message = format!("{who} {} your workspace {}.{because}", deed.done, workspace.row.name);
    let link = format!("/workspaces/{}", workspace.row.id);
    inbox::insert(tx, &Notice { to: &workspace.row.owner_id, code: deed.code, message, link })
}
