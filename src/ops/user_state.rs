//! What becomes of an account: enabled and disabled, signed out, platform admin or not, a new password, an unlocked
//! sign-in.
//!
//! Disabling ends every sign-in, every API token and every live connection in the same commit. Asking for what is already so changes
//! nothing and is no error, as clients of the seed expect.

use super::users::{Account, account, changed, must_be_person, present};
use super::{Caller, Ops};
use crate::domain::id::UserId;
use crate::domain::names::Reason;
use crate::domain::user::UserStatus;
use crate::error::{Error, Result};
use crate::events::{Cut, CutReason, Operation};
use crate::policy::{Action, Actor, Permit, Target, UserFacts};
use crate::store::users::{self, User};
use crate::store::{Change, Effect, Tx, actors, api_tokens, grants, sessions};
use serde_json::{Value, json};

/// What a change of state came to: the account, and whether anything had to be done.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub account: Account,
    pub changed: bool,
}

/// One change: the account, the facts and the permit in, `false` when there was nothing to do.
async fn change<F>(ops: &Ops, caller: &Caller, id: UserId, action: Action, reason: Option<Reason>, apply: F) -> Result<Outcome>
where
    F: FnOnce(&Tx<'_>, &Permit, &User, &UserFacts) -> Result<bool> + Send + 'static,
{
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor: Actor = actors::load(tx, &principal)?;
        let (user, facts) = present(tx, &id)?;
        let permit = tx.authorize(&actor, action, Target::User(&facts), reason.as_ref().map(Reason::as_str))?;
        let changed = apply(tx, &permit, &user, &facts)?;
        Ok(Outcome { account: account(tx, &actor, &id)?, changed })
    };
    ops.db.write(caller.origin.clone(), job).await
}

fn record(tx: &Tx<'_>, permit: &Permit, user: &User, details: Value, personal: Value) -> Result<()> {
    tx.audit(permit, Change { details, subject: Some(user.id.to_string()), personal })?;
    let mut event = changed(&user.id, Operation::Changed, None);
    event.reset.push(user.id.clone());
    tx.publish(event);
    Ok(())
}

/// Ends everything that shows who this is: sign-ins in the database, and connections that are open now.
/// The answer is how many sign-ins there were.
fn end_sign_ins(tx: &Tx<'_>, permit: &Permit, id: &UserId) -> Result<usize> {
    let ended = sessions::revoke_all(tx, permit, id, None)?;
    tx.after_commit(Effect::Cut(Cut::User(id.clone()), CutReason::Revoked));
    Ok(ended)
}

/// Lets the account be used again. Its old sign-ins and API tokens stay ended.
pub async fn enable(ops: &Ops, caller: &Caller, id: UserId, reason: Option<Reason>) -> Result<Outcome> {
    change(ops, caller, id, Action::EnableUser, reason, |tx, permit, user, _| {
        if user.status == UserStatus::Active {
            return Ok(false);
        }
        if user.expires_at.is_some_and(|end| end <= tx.now()) {
            return Err(Error::WrongState(format!("The account of {} has ended. Give it a later end, or none, first.", user.username)));
        }
        users::set_status(tx, permit, &user.id, UserStatus::Active)?;
        record(tx, permit, user, json!({ "status": { "before": "disabled", "after": "active" } }), Value::Null)?;
        Ok(true)
    })
    .await
}

/// Ends the use of the account within the same commit; what it owns stays.
pub async fn disable(ops: &Ops, caller: &Caller, id: UserId, reason: Option<Reason>) -> Result<Outcome> {
    change(ops, caller, id, Action::DisableUser, reason, |tx, permit, user, _| {
        if user.status == UserStatus::Disabled {
            return Ok(false);
        }
        users::set_status(tx, permit, &user.id, UserStatus::Disabled)?;
        end_sign_ins(tx, permit, &user.id)?;
        let tokens = api_tokens::revoke_all(tx, permit, &user.id)?;
        let details = json!({ "status": { "before": "active", "after": "disabled" }, "endedTokens": tokens });
        record(tx, permit, user, details, Value::Null)?;
        Ok(true)
    })
    .await
}

/// Ends every sign-in of somebody who may sign in again at once: a device was lost, or left open.
pub async fn sign_out(ops: &Ops, caller: &Caller, id: UserId, reason: Option<Reason>) -> Result<Outcome> {
    change(ops, caller, id, Action::SignOutUser, reason, |tx, permit, user, _| {
        let ended = end_sign_ins(tx, permit, &user.id)?;
        record(tx, permit, user, json!({ "endedSessions": ended }), Value::Null)?;
        Ok(true)
    })
    .await
}

/// Makes somebody a platform admin. Their memberships stay as they are.
pub async fn promote(ops: &Ops, caller: &Caller, id: UserId, reason: Option<Reason>) -> Result<Outcome> {
    change(ops, caller, id, Action::PromoteUserToAdmin, reason, |tx, permit, user, facts| {
        if facts.rights.is_admin() {
            return Ok(false);
        }
        set_admin(tx, permit, user, true)?;
        record(tx, permit, user, json!({ "isAdmin": { "before": false, "after": true } }), json!({ "promotedUser": user.email }))?;
        Ok(true)
    })
    .await
}

/// Takes the platform rights from somebody else.
pub async fn demote(ops: &Ops, caller: &Caller, id: UserId, reason: Option<Reason>) -> Result<Outcome> {
    change(ops, caller, id, Action::DemoteAdminUser, reason, |tx, permit, user, facts| {
        if facts.rights.is_empty() {
            return Ok(false);
        }
        set_admin(tx, permit, user, false)?;
        record(tx, permit, user, json!({ "isAdmin": { "before": true, "after": false } }), json!({ "demotedUser": user.email }))?;
        Ok(true)
    })
    .await
}

/// The rows of a promotion or a demotion, and what follows for open connections: rights are looked up anew.
pub(super) fn set_admin(tx: &Tx<'_>, permit: &Permit, user: &User, wanted: bool) -> Result<()> {
    if !wanted {
        grants::remove_all(tx, permit, &user.id)?;
        return users::touch(tx, permit, &user.id);
    }
    must_be_person(user, "cannot be a platform admin")?;
    if user.status != UserStatus::Active {
        return Err(Error::WrongState(format!("{} is disabled. Enable the account first.", user.username)));
    }
    grants::insert_all(tx, permit, &user.id)?;
    users::touch(tx, permit, &user.id)
}

/// A new password, argon2id as PHC text, made before this is called.
#[derive(Debug)]
pub struct NewPassword {
    pub hash: String,
    /// It need not be changed at the next sign-in.
    pub permanent: bool,
}

/// Sets a password for somebody else and ends their sign-ins.
pub async fn reset_password(ops: &Ops, caller: &Caller, id: UserId, new: NewPassword, reason: Option<Reason>) -> Result<Outcome> {
    change(ops, caller, id, Action::ResetUserPassword, reason, move |tx, permit, user, _| {
        must_be_person(user, "has no password")?;
        users::set_password(tx, permit, &user.id, &new.hash, !new.permanent)?;
        users::forget_failures(tx, &user.id)?;
        end_sign_ins(tx, permit, &user.id)?;
        record(tx, permit, user, json!({ "permanent": new.permanent }), Value::Null)?;
        Ok(true)
    })
    .await
}

/// Forgets the failed sign-ins that slow this account down. The caller also tells the throttle in memory.
pub async fn unlock(ops: &Ops, caller: &Caller, id: UserId, reason: Option<Reason>) -> Result<Outcome> {
    change(ops, caller, id, Action::UnlockUser, reason, |tx, permit, user, _| {
        users::forget_failures(tx, &user.id)?;
        tx.audit(permit, Change { details: json!({}), subject: Some(user.id.to_string()), personal: Value::Null })?;
        Ok(true)
    })
    .await
}
