//! Who is in a group, and as what. Two families of routes lead here (`/groups/{id}/members`, `/admin/users/{id}/groups`),
//! so that both have the same guards.
//!
//! Editing memberships directly is for platform admins (D1). Nobody leaves a group in which they own workspaces, and
//! the group's owner neither leaves nor loses the admin role before the group has another owner (D4).

use super::groups::{found, tell};
use super::users::{Account, account, changed, present};
use super::{Caller, Ops, group_notices};
use crate::domain::group::GroupRole;
use crate::domain::id::{GroupId, UserId};
use crate::domain::names::Reason;
use crate::error::{Error, Missing, Result, Taken};
use crate::events::{Audience, Cut, CutReason, Event, Operation};
use crate::policy::{Action, Actor, Permit, Target};
use crate::store::groups::{self, Group};
use crate::store::memberships;
pub use crate::store::memberships::Member;
use crate::store::users::{self, User};
use crate::store::{Change, Effect, Page, Read, Tx, actors};
use serde_json::{Value, json};

/// Which members are asked for.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Substring of user name, name or e-mail; empty: all.
    pub search: String,
    /// The last member of the page before.
    pub after: Option<UserId>,
    pub limit: usize,
    /// Also say how many there are in all.
    pub count: bool,
}

/// The members of a group, for those who may see them.
pub async fn list(ops: &Ops, caller: &Caller, group: String, wish: Wish) -> Result<(Page<Member>, Option<i64>)> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        let group = found(read, &group)?;
        read.authorize(&actor, Action::ViewGroupMembers, Target::Group(&group.facts()), None)?;
        let total = if wish.count { Some(memberships::count(read, &group.id, &wish.search)?) } else { None };
        Ok((memberships::list(read, &group.id, &wish.search, wish.after.as_ref(), wish.limit)?, total))
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// What is to become of one membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A new member; somebody who is one already is a conflict.
    Joins(GroupRole),
    /// A member with this role, whether they were one or not.
    Is(GroupRole),
    /// Another role for somebody who is a member.
    Becomes(GroupRole),
    /// The same, as the routes called promote and demote have it.
    Promoted,
    Demoted,
    Leaves,
}

/// The member and their account after the change; `member` is gone when they left.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub member: Option<Member>,
    pub account: Account,
}

/// Changes one membership.
pub async fn change(ops: &Ops, caller: &Caller, group: String, user: UserId, wanted: Wanted, reason: Option<Reason>) -> Result<Outcome> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let group = found(tx, &group)?;
        let role = memberships::find(tx, &group.id, &user)?;
        let permit = tx.authorize(&actor, action(wanted, role), Target::Group(&group.facts()), reason.as_ref().map(Reason::as_str))?;
        let (user, _) = present(tx, &user)?;
        apply(tx, &permit, &group, &user, role, wanted)?;
        Ok(Outcome { member: memberships::find_member(tx, &group.id, &user.id)?, account: account(tx, &actor, &user.id)? })
    };
    ops.db.write(caller.origin.clone(), job).await
}

fn action(wanted: Wanted, role: Option<GroupRole>) -> Action {
    match (wanted, role) {
        (Wanted::Joins(_), _) | (Wanted::Is(_), None) => Action::AddUserToGroup,
        (Wanted::Is(_), Some(_)) | (Wanted::Becomes(_), _) => Action::SetUserGroupRole,
        (Wanted::Promoted, _) => Action::PromoteUserToGroupAdmin,
        (Wanted::Demoted, _) => Action::DemoteUserFromGroupAdmin,
        (Wanted::Leaves, _) => Action::RemoveUserFromGroup,
    }
}

fn apply(tx: &Tx<'_>, permit: &Permit, group: &Group, user: &User, role: Option<GroupRole>, wanted: Wanted) -> Result<()> {
    match (wanted, role) {
        (Wanted::Joins(_), Some(_)) => Err(Error::Taken(Taken::Member)),
        (Wanted::Joins(new) | Wanted::Is(new), None) => admit(tx, permit, group, user, new),
        (Wanted::Is(new) | Wanted::Becomes(new), Some(old)) => set_role(tx, permit, group, user, old, new),
        (Wanted::Promoted, Some(old)) => set_role(tx, permit, group, user, old, GroupRole::Admin),
        (Wanted::Demoted, Some(old)) => set_role(tx, permit, group, user, old, GroupRole::Member),
        (Wanted::Leaves, Some(old)) => {
            leave(tx, permit, group, user)?;
            record(tx, permit, group, user, json!({ "userId": user.id, "role": { "before": old, "after": Value::Null } }))
        }
        (Wanted::Leaves, None) => Err(Error::NotFound(Missing::Member)),
        (Wanted::Becomes(_) | Wanted::Promoted | Wanted::Demoted, None) => {
            Err(Error::WrongState(format!("{} is not a member of {}. Add them first.", user.username, group.display_name)))
        }
    }
}

/// Somebody joins who was not in it, with an entry of their own in the audit log.
pub(super) fn admit(tx: &Tx<'_>, permit: &Permit, group: &Group, user: &User, role: GroupRole) -> Result<()> {
    join(tx, permit, group, user, role)?;
    record(tx, permit, group, user, json!({ "userId": user.id, "role": role }))
}

fn set_role(tx: &Tx<'_>, permit: &Permit, group: &Group, user: &User, old: GroupRole, new: GroupRole) -> Result<()> {
    if old == new {
        return Ok(());
    }
    if group.owner_id == user.id {
        return Err(owner_stays(group, user, "stays its admin"));
    }
    memberships::set_role(tx, permit, &group.id, &user.id, new)?;
    group_notices::role_changed(tx, permit, group, &user.id, new)?;
    users::touch(tx, permit, &user.id)?;
    record(tx, permit, group, user, json!({ "userId": user.id, "role": { "before": old, "after": new } }))
}

fn owner_stays(group: &Group, user: &User, what: &str) -> Error {
    Error::WrongState(format!("{} owns {} and {what}. Give the group another owner first.", user.username, group.display_name))
}

fn join(tx: &Tx<'_>, permit: &Permit, group: &Group, user: &User, role: GroupRole) -> Result<()> {
    if !group.status.takes_more() {
        return Err(Error::WrongState(format!("{} takes no new members: it is {}.", group.display_name, group.status.as_str())));
    }
    memberships::insert(tx, permit, &group.id, &user.id, role)?;
    group_notices::joined(tx, permit, group, &user.id, role)?;
    users::touch(tx, permit, &user.id)
}

fn leave(tx: &Tx<'_>, permit: &Permit, group: &Group, user: &User) -> Result<()> {
    if group.owner_id == user.id {
        return Err(owner_stays(group, user, "cannot leave it"));
    }
    let workspaces = memberships::workspaces(tx, &group.id, &user.id)?;
    if workspaces > 0 {
        let many = if workspaces == 1 { "a workspace".to_owned() } else { format!("{workspaces} workspaces") };
        let message = format!("{} owns {many} in {}. Delete or transfer them first.", user.username, group.display_name);
        return Err(Error::StillUsed { message, details: json!({ "workspaces": workspaces }) });
    }
    memberships::remove(tx, permit, &group.id, &user.id)?;
    group_notices::left(tx, permit, group, &user.id)?;
    users::touch(tx, permit, &user.id)?;
    tx.after_commit(Effect::Cut(Cut::UserInGroup(user.id.clone(), group.id.clone()), CutReason::Revoked));
    Ok(())
}

fn record(tx: &Tx<'_>, permit: &Permit, group: &Group, user: &User, details: Value) -> Result<()> {
    tx.audit(permit, Change { details, subject: Some(user.id.to_string()), personal: json!({ "user": user.email }) })?;
    announce(tx, group, &user.id);
    Ok(())
}

/// Who gained or lost a membership sees other things now; the group's list changed for its members.
fn announce(tx: &Tx<'_>, group: &Group, user: &UserId) {
    tx.publish(Event {
        kind: "membership",
        operation: Operation::Changed,
        id: user.to_string(),
        group_id: Some(group.id.clone()),
        audience: Audience { users: vec![user.clone()], group: Some((group.id.clone(), false)), platform: true },
        reset: vec![user.clone()],
    });
    tell(tx, group, Operation::Changed, Vec::new());
    tx.publish(changed(user, Operation::Changed, Some(group.id.clone())));
}

/// Brings the memberships of a person to this list; new ones are plain members. The caller writes the audit entry.
/// Answers what changed, by id.
pub(super) fn replace_groups(tx: &Tx<'_>, actor: &Actor, user: &User, wanted: &[GroupId], reason: Option<&str>) -> Result<Vec<Value>> {
    let now = memberships::of_users(tx, [user.id.as_str()])?;
    let mut changes = Vec::new();
    for old in now.iter().filter(|old| !wanted.contains(&old.group_id)) {
        let group = groups::find(tx, &old.group_id)?.ok_or(Error::NotFound(Missing::Group))?;
        let permit = tx.authorize(actor, Action::RemoveUserFromGroup, Target::Group(&group.facts()), reason)?;
        leave(tx, &permit, &group, user)?;
        announce(tx, &group, &user.id);
        changes.push(json!({ "groupId": group.id, "before": old.role, "after": Value::Null }));
    }
    for (index, id) in wanted.iter().enumerate() {
        if now.iter().any(|old| old.group_id == *id) || wanted.iter().take(index).any(|earlier| earlier == id) {
            continue;
        }
        let field = format!("groups[{index}]");
        let group = groups::find(tx, id)?.ok_or_else(|| Error::field(field, "unknown_group", "There is no such group."))?;
        let permit = tx.authorize(actor, Action::AddUserToGroup, Target::Group(&group.facts()), reason)?;
        join(tx, &permit, &group, user, GroupRole::Member)?;
        announce(tx, &group, &user.id);
        changes.push(json!({ "groupId": group.id, "before": Value::Null, "after": "member" }));
    }
    Ok(changes)
}
