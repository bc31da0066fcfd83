//! People as administrators see and keep them: list, look, change, delete.
//!
//! Accounts are made in [`super::user_create`]; status, rights and passwords change in [`super::user_state`], memberships
//! in [`super::members`].

use super::access::{self, Can, Hindrance};
use super::user_term::Term;
use super::{Caller, Ops};
use crate::clock::Millis;
use crate::domain::email::Email;
use crate::domain::id::{GroupId, UserId};
use crate::domain::names::{PersonName, Reason};
use crate::domain::user::{UserKind, UserStatus};
use crate::error::{Error, Missing, Result};
use crate::events::{Audience, Cut, CutReason, Event, Operation};
use crate::policy::{Action, Actor, Permit, Rights, Target, UserFacts};
use crate::store::codes::{self, Purpose};
use crate::store::memberships;
pub use crate::store::memberships::OfUser;
use crate::store::users;
pub use crate::store::users::{After, Filter, User};
use crate::store::{Change, Effect, Page, Read, Tx, actors, git_access, grants, sessions};
use serde_json::json;

/// What can be done to an account, in the order in which `can` lists it.
pub const ACTIONS: [Action; 17] = [
    Action::ViewUser,
    Action::UpdateUser,
    Action::DeleteUser,
    Action::EnableUser,
    Action::DisableUser,
    Action::ResetUserPassword,
    Action::UnlockUser,
    Action::InviteUser,
    Action::SignOutUser,
    Action::ListUserSessions,
    Action::EndUserSession,
    Action::OffboardUser,
    Action::PromoteUserToAdmin,
    Action::DemoteAdminUser,
    Action::ListUserTokens,
    Action::CreateServiceToken,
    Action::RevokeUserToken,
];
/// What can be done with its memberships; decided on the group, so the group's state may still stand in the way.
const MEMBERSHIP_ACTIONS: [Action; 3] = [Action::AddUserToGroup, Action::RemoveUserFromGroup, Action::SetUserGroupRole];

/// An account with its rights and memberships.
#[derive(Debug, Clone)]
pub struct Account {
    pub user: User,
    pub rights: Rights,
    pub memberships: Vec<OfUser>,
    /// What the caller may do to it.
    pub can: Vec<&'static str>,
}

/// One account with everything its page shows.
#[derive(Debug, Clone)]
pub struct Single {
    pub account: Account,
    pub workspaces: i64,
    /// Who answers for it.
    pub manager: Option<User>,
    /// Until when its invitation can be used, where one is open.
    pub invited_until: Option<Millis>,
    pub can: Can,
}

/// Which accounts are asked for.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    pub filter: Filter,
    pub after: Option<After>,
    pub limit: usize,
    /// Also say how many there are in all.
    pub count: bool,
}

/// A page of accounts, where the next begins, and how many there are where that was asked.
#[derive(Debug, Clone)]
pub struct Answer {
    pub page: Page<Account>,
    pub next: Option<After>,
    pub total: Option<i64>,
}

/// All accounts, a page at a time.
pub async fn list(ops: &Ops, caller: &Caller, wish: Wish) -> Result<Answer> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::ListUsers, Target::System, None)?;
        let total = if wish.count { Some(users::count(read, &wish.filter)?) } else { None };
        let (page, next) = users::list(read, &wish.filter, wish.after.as_ref(), wish.limit)?;
        let more = page.more;
        Ok(Answer { page: Page { items: accounts(read, &actor, page.items)?, more }, next, total })
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// Rights and memberships of a whole page, each in one statement.
pub(super) fn accounts(read: &Read<'_>, actor: &Actor, page: Vec<User>) -> Result<Vec<Account>> {
    let ids = || page.iter().map(|u| u.id.as_str());
    let rights = grants::of_many(read, ids())?;
    let memberships = memberships::of_users(read, ids())?;
    let mut accounts = Vec::with_capacity(page.len());
    for user in page {
        let rights = rights.get(&user.id).copied().unwrap_or_default();
        let of_user: Vec<OfUser> = memberships.iter().filter(|m| m.user_id == user.id).cloned().collect();
        let active = user.status == UserStatus::Active;
        let facts = UserFacts {
            id: user.id.clone(),
            username: user.username.clone(),
            active,
            rights,
            groups: of_user.iter().map(|m| m.group_id.clone()).collect(),
            last_admin: active && rights.is_admin() && grants::is_last_admin(read, &user.id)?,
        };
        let can = names(actor, &facts);
        accounts.push(Account { user, rights, memberships: of_user, can });
    }
    Ok(accounts)
}

fn names(actor: &Actor, facts: &UserFacts) -> Vec<&'static str> {
    let mut can = access::names(actor, &ACTIONS, Target::User(facts));
    can.extend(access::names(actor, &MEMBERSHIP_ACTIONS, Target::User(facts)));
    can
}

/// An account that exists for whoever may see it; deleted ones do not.
pub(super) fn present(read: &Read<'_>, id: &UserId) -> Result<(User, UserFacts)> {
    let user = users::find(read, id)?.filter(|u| matches!(u.status, UserStatus::Active | UserStatus::Disabled));
    let user = user.ok_or(Error::NotFound(Missing::User))?;
    let facts = users::facts(read, &user)?;
    Ok((user, facts))
}

/// One account as it is now, seen by this actor.
pub(super) fn account(read: &Read<'_>, actor: &Actor, id: &UserId) -> Result<Account> {
    let (user, _) = present(read, id)?;
    accounts(read, actor, vec![user])?.pop().ok_or(Error::NotFound(Missing::User))
}

/// One account, for platform admins, for its owner, and for admins of a group it is in.
pub async fn get(ops: &Ops, caller: &Caller, id: UserId) -> Result<Single> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        let (user, facts) = present(read, &id)?;
        read.authorize(&actor, Action::ViewUser, Target::User(&facts), None)?;
        let (workspaces, groups) = users::owned(read, &id)?;
        let hindrance = |action| hindrance(action, &user, &facts, (workspaces, groups), read.now());
        let mut can = access::reasons(&actor, &ACTIONS, Target::User(&facts), hindrance);
        can.extend(access::reasons(&actor, &MEMBERSHIP_ACTIONS, Target::User(&facts), |_| None));
        let account = account(read, &actor, &id)?;
        let manager = user.manager_id.as_ref().map(|id| users::find(read, id)).transpose()?.flatten();
        let invited_until = codes::open_until(read, Purpose::Invite, &id)?;
        Ok(Single { account: limited(&actor, account), workspaces, manager, invited_until, can })
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// An admin of one shared group does not learn which other groups a person is in.
fn limited(actor: &Actor, mut account: Account) -> Account {
    let everything = crate::policy::may(actor, Action::ListUsers, Target::System) || actor.user_id() == Some(&account.user.id);
    if let (false, Some(caller)) = (everything, actor.user()) {
        account.memberships.retain(|m| caller.groups.contains_key(&m.group_id));
    }
    account
}

fn hindrance(action: Action, user: &User, facts: &UserFacts, owned: (i64, i64), now: Millis) -> Option<Hindrance> {
    let disabled = user.status == UserStatus::Disabled;
    match action {
        Action::EnableUser if disabled && user.expires_at.is_some_and(|end| end <= now) => {
            Some(Hindrance::state("The account has ended. Give it a later end, or none, first."))
        }
        Action::EnableUser if !disabled => Some(Hindrance::state("The account is active already.")),
        Action::DisableUser if disabled => Some(Hindrance::state("The account is disabled already.")),
        Action::InviteUser if user.kind == UserKind::Service => Some(Hindrance::state("A service account has no password.")),
        Action::InviteUser if user.has_password => Some(Hindrance::state("They have a password already.")),
        Action::InviteUser if disabled => Some(Hindrance::state("The account is disabled. Enable it first.")),
        Action::ResetUserPassword if user.kind == UserKind::Service => Some(Hindrance::state("A service account has no password.")),
        Action::PromoteUserToAdmin if user.kind == UserKind::Service => {
            Some(Hindrance::state("A service account is never a platform admin."))
        }
        Action::PromoteUserToAdmin if facts.rights.is_admin() => Some(Hindrance::state("They are a platform admin already.")),
        Action::PromoteUserToAdmin if disabled => Some(Hindrance::state("The account is disabled. Enable it first.")),
        Action::DemoteAdminUser if !facts.rights.is_admin() => Some(Hindrance::state("They are not a platform admin.")),
        Action::CreateServiceToken if user.kind == UserKind::Person => Some(Hindrance::state("People make their tokens themselves.")),
        Action::DeleteUser if owned != (0, 0) => Some(Hindrance { code: "STILL_USED", message: still_owns(user, owned) }),
        _ => None,
    }
}

fn still_owns(user: &User, (workspaces, groups): (i64, i64)) -> String {
    let count = |n: i64, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
    let what = match (workspaces, groups) {
        (w, 0) => count(w, "workspace"),
        (0, g) => count(g, "group"),
        (w, g) => format!("{} and {}", count(w, "workspace"), count(g, "group")),
    };
    format!("{} still owns {what}. Delete or transfer them first, or disable the account.", user.username)
}

/// What a PATCH brings; absent stays.
#[derive(Debug, Default)]
pub struct Update {
    /// `Some(None)` empties it.
    pub name: Option<Option<PersonName>>,
    pub email: Option<Email>,
    pub is_admin: Option<bool>,
    /// The whole list: who is in another group leaves it, under the rules of leaving.
    pub groups: Option<Vec<GroupId>>,
    /// End of the account and manager.
    pub term: Term,
    pub reason: Option<Reason>,
    /// Of `If-Match`.
    pub revision: Option<i64>,
}

/// Changes an account. Each part needs its own permission; the audit log gets one entry, under the gravest.
pub async fn update(ops: &Ops, caller: &Caller, id: UserId, update: Update) -> Result<Account> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let (user, facts) = present(tx, &id)?;
        let reason = update.reason.as_ref().map(Reason::as_str);
        let mut permit = tx.authorize(&actor, Action::UpdateUser, Target::User(&facts), reason)?;
        if update.revision.is_some_and(|r| r != user.revision) {
            return Err(Error::Stale);
        }
        let mut details = serde_json::Map::new();
        if let Some(wanted) = update.is_admin.filter(|wanted| *wanted != facts.rights.is_admin()) {
            let action = if wanted { Action::PromoteUserToAdmin } else { Action::DemoteAdminUser };
            permit = tx.authorize(&actor, action, Target::User(&facts), reason)?;
            super::user_state::set_admin(tx, &permit, &user, wanted)?;
            details.insert("isAdmin".into(), json!({ "before": !wanted, "after": wanted }));
        }
        if let Some(wanted) = &update.groups {
            let changes = super::members::replace_groups(tx, &actor, &user, wanted, reason)?;
            if !changes.is_empty() {
                details.insert("groups".into(), json!(changes));
            }
        }
        details.extend(super::user_term::save(tx, &actor, &permit, (&user, &facts), &update.term)?);
        let personal = save_profile(tx, &permit, &user, &update)?;
        details.insert("fields".into(), json!(personal.keys().collect::<Vec<_>>()));
        tx.audit(&permit, Change { details: details.into(), subject: Some(id.to_string()), personal: personal.into() })?;
        let mut event = changed(&id, Operation::Changed, None);
        event.reset.push(id.clone());
        tx.publish(event);
        account(tx, &actor, &id)
    };
    ops.db.write(caller.origin.clone(), job).await
}

/// Saves name and address; answers before and after of what differs, which is personal.
fn save_profile(tx: &Tx<'_>, permit: &Permit, user: &User, update: &Update) -> Result<serde_json::Map<String, serde_json::Value>> {
    let name = match &update.name {
        None => user.name.clone(),
        Some(name) => name.as_ref().map_or_else(String::new, ToString::to_string),
    };
    let email = update.email.as_ref().map_or_else(|| user.email.clone(), ToString::to_string);
    let mut personal = serde_json::Map::new();
    for (field, before, after) in [("name", &user.name, &name), ("email", &user.email, &email)] {
        if before != after {
            personal.insert(field.into(), json!({ "before": before, "after": after }));
        }
    }
    users::save(tx, permit, &user.id, &name, &email)?;
    Ok(personal)
}

/// Deletes an account that owns nothing. Its user name and address are free again; its name stays for the audit.
pub async fn delete(ops: &Ops, caller: &Caller, id: UserId, reason: Option<Reason>) -> Result<()> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let (user, facts) = present(tx, &id)?;
        let permit = tx.authorize(&actor, Action::DeleteUser, Target::User(&facts), reason.as_ref().map(Reason::as_str))?;
        let owned = users::owned(tx, &id)?;
        if owned != (0, 0) {
            let details = json!({ "workspaces": owned.0, "groups": owned.1 });
            return Err(Error::StillUsed { message: still_owns(&user, owned), details });
        }
        sessions::revoke_all(tx, &permit, &id, None)?;
        codes::drop_of_user(tx, Purpose::Invite, &id)?;
        users::drop_secrets(tx, &permit, &id)?;
        git_access::remove_of_user(tx, &permit, &id)?;
        grants::remove_all(tx, &permit, &id)?;
        memberships::remove_of_user(tx, &permit, &id)?;
        users::set_status(tx, &permit, &id, UserStatus::Deleted)?;
        let change = Change {
            details: json!({ "groups": facts.groups, "wasAdmin": facts.rights.is_admin() }),
            subject: Some(id.to_string()),
            personal: json!({ "deletedUser": user.email, "username": user.username }),
        };
        tx.audit(&permit, change)?;
        tx.after_commit(Effect::Cut(Cut::User(id.clone()), CutReason::Revoked));
        tx.publish(changed(&id, Operation::Removed, None));
        Ok(())
    };
    ops.db.write(caller.origin.clone(), job).await
}

/// The hint that an account changed: for itself and for who watches the platform.
pub(super) fn changed(id: &UserId, operation: Operation, group_id: Option<GroupId>) -> Event {
    Event {
        kind: "user",
        operation,
        id: id.to_string(),
        group_id,
        audience: Audience { users: vec![id.clone()], group: None, platform: true },
        reset: Vec::new(),
    }
}

/// A service account has no password and is never an administrator.
pub(super) fn must_be_person(user: &User, what: &str) -> Result<()> {
    match user.kind {
        UserKind::Person => Ok(()),
        UserKind::Service => Err(Error::WrongState(format!("{} is a service account and {what}.", user.username))),
    }
}
