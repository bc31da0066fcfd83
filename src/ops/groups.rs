//! Groups: list, look, change, delete, another owner.
//!
//! A group is desired state: its row is written here and in [`super::group_create`], its namespace is made by the
//! reconciler, whose findings come back through [`super::group_state`].

use super::access::{self, Can, Hindrance};
use super::{Caller, Ops, group_notices};
use crate::domain::group::{GroupRole, GroupStatus};
use crate::domain::id::{GroupId, UserId};
use crate::domain::names::{Description, DisplayName, Reason};
use crate::domain::pool::{Check, left_of};
use crate::domain::quota::{QuotaChange, ResourceQuota, Usage};
use crate::domain::user::UserStatus;
use crate::error::{Error, Missing, Result};
use crate::events::{Audience, Event, Operation};
use crate::policy::{Action, Actor, Context, Permit, Role, Target, may};
use crate::store::groups;
pub use crate::store::groups::{After, Group, Sort};
use crate::store::inbox::{self, Notice};
use crate::store::{Change, Effect, Page, Read, Tx, actors, memberships, pool, users};
use serde_json::json;

/// What can be done to a group, in the order in which `can` lists it.
pub const ACTIONS: [Action; 15] = [
    Action::ViewGroup,
    Action::ViewGroupMembers,
    Action::ViewGroupUsage,
    Action::ListGroupWorkspaces,
    Action::ReadGroupPage,
    Action::EditGroupPage,
    Action::CreateWorkspace,
    Action::UpdateGroup,
    Action::SetGroupQuota,
    Action::DeleteGroup,
    Action::AddUserToGroup,
    Action::RemoveUserFromGroup,
    Action::SetUserGroupRole,
    Action::PromoteUserToGroupAdmin,
    Action::DemoteUserFromGroupAdmin,
];

/// A group as the caller meets it.
#[derive(Debug, Clone)]
pub struct Listed {
    pub group: Group,
    pub used: Usage,
    /// The caller's own role in it.
    pub role: Option<Role>,
    pub can: Vec<&'static str>,
}

/// One group, with each action and what stands in its way.
#[derive(Debug, Clone)]
pub struct Single {
    pub listed: Listed,
    pub can: Can,
}

/// Which groups are asked for.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    pub search: String,
    pub sort: Sort,
    pub after: Option<After>,
    pub limit: usize,
    /// Also say how many there are in all.
    pub count: bool,
}

/// A page of groups, where the next begins, and how many there are where that was asked.
#[derive(Debug, Clone)]
pub struct Answer {
    pub page: Page<Listed>,
    pub next: Option<After>,
    pub total: Option<i64>,
}

/// The group of this id or name.
pub(super) fn found(read: &Read<'_>, id_or_name: &str) -> Result<Group> {
    groups::resolve(read, id_or_name)?.ok_or(Error::NotFound(Missing::Group))
}

/// All groups for those who watch the platform, else the caller's own.
pub async fn list(ops: &Ops, caller: &Caller, wish: Wish) -> Result<Answer> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::ListOwnGroups, Target::System, None)?;
        let (page, next, total) = if may(&actor, Action::ListAllGroups, Target::System) {
            let total = if wish.count { Some(groups::count_all(read, &wish.search)?) } else { None };
            let (page, next) = groups::list_all(read, &wish.search, wish.sort, wish.after.as_ref(), wish.limit)?;
            (page, next, total)
        } else {
            own(read, &actor, &wish)?
        };
        let more = page.more;
        Ok(Answer { page: Page { items: listed(read, &actor, page.items)?, more }, next, total })
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// A person's own groups are few: all are read, and the page is cut from them.
fn own(read: &Read<'_>, actor: &Actor, wish: &Wish) -> Result<(Page<Group>, Option<After>, Option<i64>)> {
    let Some(user) = actor.user_id() else {
        return Ok((Page { items: Vec::new(), more: false }, None, Some(0)));
    };
    let mut all = groups::list_own(read, user, &wish.search)?;
    let title = |g: &Group| g.display_name.to_lowercase();
    match wish.sort {
        Sort::Name => {}
        Sort::DisplayName => all.sort_by_key(|g| (title(g), g.id.clone())),
        Sort::Newest => all.sort_by(|a, b| b.id.cmp(&a.id)),
    }
    let total = wish.count.then(|| i64::try_from(all.len()).unwrap_or(i64::MAX));
    let start = wish.after.as_ref().and_then(|after| all.iter().position(|g| g.id.as_str() == after.id)).map_or(0, |at| at + 1);
    let rest = all.split_off(start.min(all.len()));
    let more = rest.len() > wish.limit;
    let items: Vec<Group> = rest.into_iter().take(wish.limit).collect();
    let next = items.last().filter(|_| more).map(|g| After { key: g.name.clone(), id: g.id.to_string() });
    Ok((Page { items, more }, next, total))
}

fn listed(read: &Read<'_>, actor: &Actor, page: Vec<Group>) -> Result<Vec<Listed>> {
    let ids: Vec<GroupId> = page.iter().map(|g| g.id.clone()).collect();
    let used = pool::group_usages(read, &ids)?;
    let with = |group: Group| {
        let role = actor.user().and_then(|u| u.groups.get(&group.id)).copied();
        let can = access::names(actor, &ACTIONS, Target::Group(&group.facts()));
        Listed { used: used.get(&group.id).copied().unwrap_or_default(), role, can, group }
    };
    Ok(page.into_iter().map(with).collect())
}

pub(super) fn single(read: &Read<'_>, actor: &Actor, id: &GroupId) -> Result<Single> {
    let group = groups::find(read, id)?.ok_or(Error::NotFound(Missing::Group))?;
    let workspaces = groups::workspaces(read, id)?;
    let can = access::reasons(actor, &ACTIONS, Target::Group(&group.facts()), |action| hindrance(action, &group, workspaces));
    let listed = listed(read, actor, vec![group])?.pop().ok_or(Error::NotFound(Missing::Group))?;
    Ok(Single { listed, can })
}

fn hindrance(action: Action, group: &Group, workspaces: i64) -> Option<Hindrance> {
    let going = group.status == GroupStatus::Deleting;
    match action {
        Action::ViewGroup | Action::ViewGroupMembers | Action::ViewGroupUsage | Action::ListGroupWorkspaces | Action::ReadGroupPage => None,
        _ if going => Some(Hindrance::state("The group is being deleted.")),
        Action::CreateWorkspace | Action::AddUserToGroup if !group.status.takes_more() => {
            Some(Hindrance::state("The cluster could not make the group's place."))
        }
        Action::DeleteGroup if group.status == GroupStatus::Creating => Some(Hindrance::state(STILL_MADE)),
        Action::DeleteGroup if workspaces > 0 => Some(Hindrance { code: "STILL_USED", message: still_has(group, workspaces) }),
        _ => None,
    }
}

/// Of a group whose namespace is on its way: an operation that is pending comes to its end first.
const STILL_MADE: &str = "Its namespace is still being made. Delete it when that is done.";

fn still_has(group: &Group, workspaces: i64) -> String {
    let many = if workspaces == 1 { "a workspace".to_owned() } else { format!("{workspaces} workspaces") };
    format!("{} still has {many}. Delete all of its workspaces first.", group.display_name)
}

/// One group, by id or name.
pub async fn get(ops: &Ops, caller: &Caller, group: String) -> Result<Single> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        let group = found(read, &group)?;
        read.authorize(&actor, Action::ViewGroup, Target::Group(&group.facts()), None)?;
        single(read, &actor, &group.id)
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// A member was here. Written at most once a minute; of whoever else may look, nothing is kept.
pub async fn visit(ops: &Ops, caller: &Caller, group: String) -> Result<()> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        let group = found(read, &group)?;
        read.authorize(&actor, Action::ViewGroup, Target::Group(&group.facts()), None)?;
        let Some(user) = actor.user().map(|user| user.id.clone()) else { return Ok(None) };
        Ok(memberships::is_visit_due(read, &group.id, &user)?.then_some((group.id, user)))
    };
    match ops.db.read(caller.origin.clone(), job).await? {
        Some((group, user)) => ops.db.write(caller.origin.clone(), move |tx| memberships::visit(tx, &group, &user)).await,
        None => Ok(()),
    }
}

/// What a group may use and what it uses.
pub async fn usage(ops: &Ops, caller: &Caller, group: String) -> Result<(ResourceQuota, Usage)> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        let group = found(read, &group)?;
        read.authorize(&actor, Action::ViewGroupUsage, Target::Group(&group.facts()), None)?;
        Ok((group.quota, pool::group_usage(read, &group.id)?))
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// What a PATCH brings; absent stays. A PATCH that changes nothing has the group applied again.
#[derive(Debug, Default)]
pub struct Update {
    pub display_name: Option<DisplayName>,
    pub description: Option<Description>,
    pub quota: QuotaChange,
    pub reason: Option<Reason>,
    /// Of `If-Match`.
    pub revision: Option<i64>,
}

/// Changes titles and quota. Lowering a quota below what is used stops nothing; it refuses more.
pub async fn update(ops: &Ops, caller: &Caller, group: String, update: Update) -> Result<Single> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let group = found(tx, &group)?;
        let quota = group.quota.merged(&update.quota);
        let permit = permit_update(tx, &actor, &group, &update, &quota)?;
        if update.revision.is_some_and(|r| r != group.revision) {
            return Err(Error::Stale);
        }
        if group.status == GroupStatus::Deleting {
            return Err(Error::WrongState(format!("{} is being deleted.", group.display_name)));
        }
        let display_name = update.display_name.as_ref().map_or(group.display_name.as_str(), DisplayName::as_str);
        let description = update.description.as_ref().map_or(group.description.as_str(), Description::as_str);
        groups::save(tx, &permit, &group.id, display_name, description, &quota)?;
        if quota != group.quota {
            groups::insert_quota_change(tx, &permit, &group.id, &quota)?;
            group_notices::quota_changed(tx, &permit, &group, &quota)?;
        }
        tx.audit(&permit, Change::of(differences(&group, display_name, description, &quota)))?;
        tx.after_commit(Effect::Wake);
        tell(tx, &group, Operation::Changed, Vec::new());
        single(tx, &actor, &group.id)
    };
    ops.db.write(caller.origin.clone(), job).await
}

/// Each part needs its own permission; the last one asked names the entry, and the quota is the gravest.
fn permit_update(tx: &Tx<'_>, actor: &Actor, group: &Group, update: &Update, quota: &ResourceQuota) -> Result<Permit> {
    let (facts, reason) = (group.facts(), update.reason.as_ref().map(Reason::as_str));
    let quota_differs = *quota != group.quota;
    let words = update.display_name.is_some() || update.description.is_some();
    if words || !quota_differs {
        let permit = tx.authorize(actor, Action::UpdateGroup, Target::Group(&facts), reason)?;
        if !quota_differs {
            return Ok(permit);
        }
    }
    tx.authorize(actor, Action::SetGroupQuota, Target::Group(&facts), reason)
}

fn differences(group: &Group, display_name: &str, description: &str, quota: &ResourceQuota) -> serde_json::Value {
    let mut details = serde_json::Map::new();
    for (field, before, after) in
        [("displayName", group.display_name.as_str(), display_name), ("description", &group.description, description)]
    {
        if before != after {
            details.insert(field.into(), json!({ "before": before, "after": after }));
        }
    }
    if *quota != group.quota {
        details.insert("resourceQuota".into(), json!({ "before": group.quota.view(), "after": quota.view() }));
    }
    details.insert("name".into(), json!(group.name));
    details.into()
}

/// What a new quota would leave.
#[derive(Debug, Clone)]
pub struct Weighed {
    /// Where one is not ok, nothing more fits until something ends.
    pub checks: Vec<Check>,
    pub before: ResourceQuota,
    pub after: ResourceQuota,
}

/// What a new quota would leave, without changing anything.
pub async fn weigh(ops: &Ops, caller: &Caller, group: String, change: QuotaChange) -> Result<Weighed> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        let group = found(read, &group)?;
        read.authorize_with(&actor, Action::SetGroupQuota, Target::Group(&group.facts()), Context::default())?;
        let used = pool::group_usage(read, &group.id)?;
        let quota = group.quota.merged(&change);
        Ok(Weighed { checks: left_of(group.id.as_str(), &group.name, &used, &quota), before: group.quota, after: quota })
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// Makes another admin of the group its owner.
pub async fn transfer(ops: &Ops, caller: &Caller, group: String, owner: UserId, reason: Option<Reason>) -> Result<Single> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let group = found(tx, &group)?;
        let permit = tx.authorize(&actor, Action::UpdateGroup, Target::Group(&group.facts()), reason.as_ref().map(Reason::as_str))?;
        let person = users::find(tx, &owner)?.filter(|u| u.status == UserStatus::Active).ok_or(Error::NotFound(Missing::User))?;
        if memberships::find(tx, &group.id, &owner)? != Some(GroupRole::Admin) {
            return Err(Error::WrongState(format!("{} is not an admin of {}. Make them one first.", person.username, group.display_name)));
        }
        groups::set_owner(tx, &permit, &group.id, &owner)?;
        tx.audit(&permit, Change::of(json!({ "ownerId": { "before": group.owner_id, "after": owner } })))?;
        if actor.user_id() != Some(&owner) {
            let who = actor.user().map_or("Somebody at the server's console", |user| user.username.as_str());
            let message = format!("{who} made you the owner of {}.", group.display_name);
            inbox::insert(tx, &Notice { to: &owner, code: "group_owner", message, link: format!("/groups/{}", group.id) })?;
        }
        tell(tx, &group, Operation::Changed, Vec::new());
        single(tx, &actor, &group.id)
    };
    ops.db.write(caller.origin.clone(), job).await
}

/// Deletes a group without workspaces: its memberships end now, its row goes when its namespace is gone.
pub async fn delete(ops: &Ops, caller: &Caller, group: String, reason: Option<Reason>) -> Result<()> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let group = found(tx, &group)?;
        let permit = tx.authorize(&actor, Action::DeleteGroup, Target::Group(&group.facts()), reason.as_ref().map(Reason::as_str))?;
        let workspaces = groups::workspaces(tx, &group.id)?;
        if workspaces > 0 {
            let details = json!({ "workspaces": workspaces });
            return Err(Error::StillUsed { message: still_has(&group, workspaces), details });
        }
        match group.status {
            GroupStatus::Deleting => return Ok(()),
            GroupStatus::Creating => return Err(Error::WrongState(STILL_MADE.to_owned())),
            GroupStatus::Active | GroupStatus::Failed => {}
        }
        let members = memberships::users(tx, &group.id)?;
        group_notices::deleted(tx, &permit, &group, &members)?;
        memberships::remove_of_group(tx, &permit, &group.id)?;
        groups::mark_deleting(tx, &permit, &group.id)?;
        tx.audit(&permit, Change::of(json!({ "name": group.name, "namespace": group.namespace, "members": members })))?;
        tx.after_commit(Effect::Wake);
        tell(tx, &group, Operation::Removed, members);
        Ok(())
    };
    ops.db.write(caller.origin.clone(), job).await
}

/// The hint that a group changed: for its members, for who watches the platform, and a fresh start for `reset`.
pub(super) fn tell(tx: &Tx<'_>, group: &Group, operation: Operation, reset: Vec<UserId>) {
    tx.publish(Event {
        kind: "group",
        operation,
        id: group.id.to_string(),
        group_id: Some(group.id.clone()),
        audience: Audience { users: reset.clone(), group: Some((group.id.clone(), false)), platform: true },
        reset,
    });
}
