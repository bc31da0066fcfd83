//! Inviting somebody again: a new one-use link for an account that nobody has signed in with, or none any more.
//!
//! A link lives for three days, so it runs out while people are away. A new one ends those before it; the database keeps
//! hashes only, so the old link cannot be told again. What an invitation opens is in [`super::invitation`].

use super::user_create::{Invitation, invite};
use super::users::{changed, must_be_person, present};
use super::{Caller, Ops};
use crate::domain::id::UserId;
use crate::domain::names::Reason;
use crate::domain::user::UserStatus;
use crate::error::{Error, Result};
use crate::events::Operation;
use crate::policy::{Action, Permit, Target};
use crate::store::codes::{self, Purpose};
use crate::store::users::User;
use crate::store::{Change, Tx, actors};
use serde_json::{Value, json};

fn permitted(tx: &Tx<'_>, caller: &super::Principal, id: &UserId, reason: Option<&Reason>) -> Result<(User, Permit)> {
    let actor = actors::load(tx, caller)?;
    let (user, facts) = present(tx, id)?;
    let permit = tx.authorize(&actor, Action::InviteUser, Target::User(&facts), reason.map(Reason::as_str))?;
    must_be_person(&user, "has no password")?;
    Ok((user, permit))
}

fn record(tx: &Tx<'_>, permit: &Permit, user: &User, details: Value) -> Result<()> {
    tx.audit(permit, Change { details, subject: Some(user.id.to_string()), personal: Value::Null })?;
    tx.publish(changed(&user.id, Operation::Changed, None));
    Ok(())
}

/// Makes a new link; the ones before it work no more.
pub async fn renew(ops: &Ops, caller: &Caller, id: UserId, reason: Option<Reason>) -> Result<Invitation> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let (user, permit) = permitted(tx, &principal, &id, reason.as_ref())?;
        if user.has_password {
            return Err(Error::WrongState(format!("{} has a password already. Reset it instead.", user.username)));
        }
        if user.status != UserStatus::Active {
            return Err(Error::WrongState(format!("{} is disabled. Enable the account first.", user.username)));
        }
        codes::drop_of_user(tx, Purpose::Invite, &id)?;
        let made = invite(tx, &id)?;
        record(tx, &permit, &user, json!({ "invitation": "made", "expiresAt": made.expires_at.rfc3339() }))?;
        Ok(made)
    };
    ops.db.write(caller.origin.clone(), job).await
}

/// Lets no link of the account work any more.
pub async fn withdraw(ops: &Ops, caller: &Caller, id: UserId, reason: Option<Reason>) -> Result<()> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let (user, permit) = permitted(tx, &principal, &id, reason.as_ref())?;
        if codes::open_until(tx, Purpose::Invite, &id)?.is_none() {
            return Err(Error::WrongState(format!("No invitation of {} is open.", user.username)));
        }
        codes::drop_of_user(tx, Purpose::Invite, &id)?;
        record(tx, &permit, &user, json!({ "invitation": "withdrawn" }))
    };
    ops.db.write(caller.origin.clone(), job).await
}
