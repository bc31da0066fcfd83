//! How long an account lasts and who answers for it: the end date of contractors, and the manager.
//!
//! From its end on nobody signs in with an account, whatever the clock of the upkeep does: every way in asks. The upkeep
//! then disables it, which ends its sign-ins, tokens and connections, and tells the manager. Two weeks before, the person
//! and the manager are told.

use super::Ops;
use super::users::changed;
use crate::clock::{DAY, Millis};
use crate::domain::id::UserId;
use crate::domain::user::{UserKind, UserStatus};
use crate::error::{Error, Result};
use crate::events::{Cut, CutReason, Operation};
use crate::policy::{Action, Actor, Permit, Target, Task, UserFacts};
use crate::store::inbox::{self, Notice};
use crate::store::users::{self, User};
use crate::store::{Change, Effect, Origin, Tx, api_tokens, grants, sessions, terms};
use serde_json::{Map, Value, json};

/// So long before the end of an account its person and manager are told, in milliseconds.
const WARNED_BEFORE: i64 = 14 * DAY;

/// What is to change; `Some(None)` takes it away.
#[derive(Debug, Clone, Default)]
pub struct Term {
    pub expires_at: Option<Option<Millis>>,
    pub manager: Option<Option<UserId>>,
}

impl Term {
    pub fn is_nothing(&self) -> bool {
        self.expires_at.is_none() && self.manager.is_none()
    }
}

/// Saves end and manager of an account; answers before and after of what differs. Giving an account an end is disabling
/// it at that time, so it needs that permission, and the last platform admin whose account lasts keeps it.
pub(super) fn save(
    tx: &Tx<'_>,
    actor: &Actor,
    permit: &Permit,
    (user, facts): (&User, &UserFacts),
    term: &Term,
) -> Result<Map<String, Value>> {
    let mut told = Map::new();
    let expires_at = term.expires_at.unwrap_or(user.expires_at);
    if expires_at != user.expires_at {
        if let Some(end) = expires_at {
            demand_future(tx, end)?;
            let last_admin = facts.rights.is_admin() && !grants::lasts_with_another_admin(tx, &user.id)?;
            let facts = UserFacts { last_admin, ..facts.clone() };
            tx.authorize(actor, Action::DisableUser, Target::User(&facts), permit.reason())?;
        }
        told.insert(
            "expiresAt".into(),
            json!({ "before": user.expires_at.map(Millis::rfc3339), "after": expires_at.map(Millis::rfc3339) }),
        );
    }
    let manager = term.manager.clone().unwrap_or_else(|| user.manager_id.clone());
    if manager != user.manager_id {
        if let Some(id) = &manager {
            demand_manager(tx, &user.id, id)?;
        }
        told.insert("managerId".into(), json!({ "before": user.manager_id, "after": manager }));
    }
    if !told.is_empty() {
        terms::save(tx, permit, &user.id, expires_at, manager.as_ref())?;
    }
    Ok(told)
}

/// Saves end and manager of an account that is being made; answers what was given.
pub(super) fn begin(tx: &Tx<'_>, permit: &Permit, id: &UserId, term: &Term) -> Result<Map<String, Value>> {
    let (expires_at, manager) = (term.expires_at.flatten(), term.manager.clone().flatten());
    let mut told = Map::new();
    if let Some(end) = expires_at {
        demand_future(tx, end)?;
        told.insert("expiresAt".into(), json!(end.rfc3339()));
    }
    if let Some(manager) = &manager {
        demand_manager(tx, id, manager)?;
        told.insert("managerId".into(), json!(manager));
    }
    if !told.is_empty() {
        terms::save(tx, permit, id, expires_at, manager.as_ref())?;
    }
    Ok(told)
}

fn demand_future(tx: &Tx<'_>, end: Millis) -> Result<()> {
    let past = || Error::field("expiresAt", "past", "Give a time that is still to come, or disable the account.");
    if end > tx.now() { Ok(()) } else { Err(past()) }
}

/// A manager is an active person, and somebody else.
fn demand_manager(tx: &Tx<'_>, of: &UserId, id: &UserId) -> Result<()> {
    if id == of {
        return Err(Error::field("managerId", "self", "Nobody is their own manager."));
    }
    let found = users::find(tx, id)?.filter(|manager| manager.status == UserStatus::Active && manager.kind == UserKind::Person);
    found.map(drop).ok_or_else(|| Error::field("managerId", "unknown_user", "There is no such active person."))
}

/// Disables the accounts that are past their end, and tells of those that end soon.
pub fn end_accounts(ops: &Ops) -> Result<()> {
    for id in ops.db.read_blocking(terms::ended)? {
        ops.db.write_blocking(Origin::default(), move |tx: &Tx<'_>| end(tx, &id))?;
    }
    if ops.db.read_blocking(|read| terms::ending(read, WARNED_BEFORE))?.is_empty() {
        return Ok(());
    }
    ops.db.write_blocking(Origin::default(), tell_of_ends)
}

fn end(tx: &Tx<'_>, id: &UserId) -> Result<()> {
    let Some(user) = users::find(tx, id)?.filter(|user| user.status == UserStatus::Active) else { return Ok(()) };
    let facts = users::facts(tx, &user)?;
    let permit = tx.authorize(&Actor::System(Task::Upkeep), Action::EndAccount, Target::User(&facts), None)?;
    users::set_status(tx, &permit, id, UserStatus::Disabled)?;
    let ended = sessions::revoke_all(tx, &permit, id, None)?;
    let tokens = api_tokens::revoke_all(tx, &permit, id)?;
    let at = user.expires_at.map(Millis::rfc3339);
    let details = json!({ "expiresAt": at, "endedSessions": ended, "endedTokens": tokens });
    tx.audit(&permit, Change { details, subject: Some(id.to_string()), personal: Value::Null })?;
    if let Some(manager) = &user.manager_id {
        let message = format!("The account of {} has ended and is disabled. Workspaces and files are kept.", user.username);
        inbox::insert(tx, &Notice { to: manager, code: "account_ended", message, link: format!("/admin/users/{id}") })?;
    }
    tx.after_commit(Effect::Cut(Cut::User(id.clone()), CutReason::Revoked));
    tx.publish(changed(id, Operation::Changed, None));
    Ok(())
}

fn tell_of_ends(tx: &Tx<'_>) -> Result<()> {
    for ending in terms::ending(tx, WARNED_BEFORE)? {
        let date: String = ending.at.rfc3339().chars().take(10).collect();
        let message = format!("Your account ends on {date}. Speak to whoever you work for if you still need it.");
        inbox::insert(tx, &Notice { to: &ending.id, code: "account_ends", message, link: "/profile".into() })?;
        if let Some(manager) = &ending.manager {
            let message = format!("The account of {} ends on {date}. An administrator can move the date.", ending.username);
            let link = format!("/admin/users/{}", ending.id);
            inbox::insert(tx, &Notice { to: manager, code: "account_of_report_ends", message, link })?;
        }
    }
    Ok(())
}
