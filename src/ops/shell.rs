//! What a shell on the server's machine does to people: the code that opens set-up, and accounts with a password that
//! somebody typed. Recovery and automation, audited as `cli:<system user>`.

use super::{Caller, Ops};
use crate::clock::{Entropy, HOUR};
use crate::domain::email::Email;
use crate::domain::id::UserId;
use crate::domain::names::{PersonName, Username};
use crate::error::{Error, Result};
use crate::policy::{Action, Actor, Permit, Rights, Target, UserFacts};
use crate::store::codes::{self, Purpose};
use crate::store::users::{self, NewUser, User};
use crate::store::{Change, Tx, actors, grants, installation};
use crate::token::opaque::{CODE_PREFIX, OpaqueToken};
use secrecy::SecretString;
use serde_json::json;
use std::sync::Arc;

/// How long a set-up link is good, in milliseconds.
const SETUP_LIFE: i64 = HOUR;

/// A new code for the set-up page; earlier ones end. Only while set-up is open.
pub async fn setup_code(ops: &Ops, caller: &Caller, entropy: &Arc<dyn Entropy>) -> Result<SecretString> {
    let OpaqueToken { secret, hash } = OpaqueToken::fresh(CODE_PREFIX, entropy.as_ref());
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        tx.authorize(&actor, Action::SetUp, Target::System, None)?;
        if installation::find(tx)?.set_up_at.is_some() {
            return Err(Error::WrongState(
                "This installation is set up already. `codex-web user reset-password` lets an administrator in again.".into(),
            ));
        }
        codes::drop_all(tx, Purpose::Setup)?;
        codes::insert(tx, Purpose::Setup, hash.as_bytes(), None, "", tx.now().plus(SETUP_LIFE))
    };
    ops.db.write(caller.origin.clone(), job).await?;
    Ok(secret)
}

/// An account as the command line makes it. The password comes in hashed: nobody may wait for that in a write.
#[derive(Debug, Clone)]
pub struct NewAccount {
    pub username: Username,
    pub email: Email,
    pub name: Option<PersonName>,
    pub password_hash: String,
    pub must_change_password: bool,
    pub is_admin: bool,
}

/// Adds the account. On an empty installation an administrator completes set-up, and nobody else can be added.
pub async fn add(ops: &Ops, caller: &Caller, new: NewAccount) -> Result<User> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let id = UserId::fresh(tx.now(), tx.entropy());
        let first = installation::find(tx)?.set_up_at.is_none();
        let permit = if first { first_admin(tx, &actor, &new)? } else { permit(tx, &actor, &id, &new)? };
        insert(tx, &permit.made(format!("user:{id}"), None), &id, &new)?;
        users::find(tx, &id)?.ok_or_else(|| Error::internal("the new account is not there"))
    };
    ops.db.write(caller.origin.clone(), job).await
}

fn first_admin(tx: &Tx<'_>, actor: &Actor, new: &NewAccount) -> Result<Permit> {
    let permit = tx.authorize(actor, Action::SetUp, Target::System, None)?;
    if !new.is_admin {
        return Err(Error::WrongState("There is no administrator yet: add one first, with --admin.".into()));
    }
    if !installation::close_setup(tx, &permit)? {
        return Err(Error::Conflict("Somebody else was just made the first administrator.".into()));
    }
    codes::drop_all(tx, Purpose::Setup)?;
    Ok(permit)
}

fn permit(tx: &Tx<'_>, actor: &Actor, id: &UserId, new: &NewAccount) -> Result<Permit> {
    if new.is_admin {
        let (username, rights) = (new.username.to_string(), Rights::NONE);
        let facts = UserFacts { id: id.clone(), username, active: true, rights, groups: Vec::new(), last_admin: false };
        tx.authorize(actor, Action::PromoteUserToAdmin, Target::User(&facts), None)?;
    }
    tx.authorize(actor, Action::CreateUser, Target::System, None)
}

fn insert(tx: &Tx<'_>, permit: &Permit, id: &UserId, new: &NewAccount) -> Result<()> {
    let name = new.name.as_ref().map_or("", PersonName::as_str);
    let row = NewUser {
        id,
        username: &new.username,
        email: &new.email,
        name,
        password_hash: Some(&new.password_hash),
        must_change_password: new.must_change_password,
    };
    users::insert(tx, permit, &row)?;
    if new.is_admin {
        grants::insert_all(tx, permit, id)?;
    }
    let change = Change {
        details: json!({"isAdmin": new.is_admin}),
        subject: Some(id.to_string()),
        personal: json!({"username": new.username.as_str(), "email": new.email.as_str()}),
    };
    tx.audit(permit, change)
}
