//! What people see and change of their own account.

use super::users::{self, Account};
use super::{Caller, Ops, access};
use crate::domain::email::Email;
use crate::domain::id::UserId;
use crate::domain::names::PersonName;
use crate::error::{Error, Result, Unauthenticated};
use crate::events::{Audience, Event, Operation};
use crate::policy::{Action, Actor, Target};
use crate::store::{Change, Read, Tx, actors, users as rows};
use serde_json::json;

/// The user behind an actor; whoever is none is not signed in.
pub(super) fn own_id(actor: &Actor) -> Result<UserId> {
    actor.user_id().cloned().ok_or(Error::Unauthenticated(Unauthenticated::NoToken))
}

/// The account of the caller; `can` says what they may do on the platform.
pub async fn me(ops: &Ops, caller: &Caller) -> Result<Account> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::ViewOwnProfile, Target::Own, None)?;
        own(read, &actor)
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// The account as its owner sees it.
pub(super) fn own(read: &Read<'_>, actor: &Actor) -> Result<Account> {
    let account = users::account(read, actor, &own_id(actor)?)?;
    Ok(Account { can: access::names(actor, &access::PLATFORM_ACTIONS, Target::System), ..account })
}

/// What is to change; `None` stays as it is.
#[derive(Debug, Default)]
pub struct Edit {
    /// `Some(None)` takes the name away.
    pub name: Option<Option<PersonName>>,
    pub email: Option<Email>,
    /// The revision that the caller has seen.
    pub revision: Option<i64>,
}

/// Changes the caller's name and address.
pub async fn update(ops: &Ops, caller: &Caller, edit: Edit) -> Result<Account> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let permit = tx.authorize(&actor, Action::UpdateOwnProfile, Target::Own, None)?;
        let before = own(tx, &actor)?.user;
        if edit.revision.is_some_and(|seen| seen != before.revision) {
            return Err(Error::Stale);
        }
        let name = edit.name.as_ref().map_or(before.name.as_str(), |given| given.as_ref().map_or("", PersonName::as_str));
        let email = edit.email.as_ref().map_or(before.email.as_str(), Email::as_str);
        rows::save(tx, &permit, &before.id, name, email)?;
        let changed: Vec<&str> =
            [("name", name != before.name), ("email", email != before.email)].into_iter().filter(|c| c.1).map(|c| c.0).collect();
        let personal = json!({"before": {"name": before.name, "email": before.email}, "after": {"name": name, "email": email}});
        tx.audit(&permit, Change { details: json!({"changed": changed}), subject: Some(before.id.to_string()), personal })?;
        tx.publish(Event {
            kind: "user",
            operation: Operation::Changed,
            id: before.id.to_string(),
            group_id: None,
            audience: Audience { users: vec![before.id.clone()], platform: true, ..Audience::default() },
            reset: Vec::new(),
        });
        own(tx, &actor)
    };
    ops.db.write(caller.origin.clone(), job).await
}
