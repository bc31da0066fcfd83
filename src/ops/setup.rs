//! The first administrator: whoever holds the one-time code from the terminal.
//!
//! There is no default account. The code is made in [`super::shell`] and shown where only the operator looks; with the
//! first account set-up closes for ever, also when all accounts are deleted later.

use super::doors::Doors;
use super::new_session::{SessionKind, SignedIn, begin};
use super::sign_in::word;
use super::{Caller, Ops, Origin};
use crate::domain::email::Email;
use crate::domain::id::UserId;
use crate::domain::names::{PersonName, Username};
use crate::error::{Error, Missing, Result};
use crate::policy::{Action, Actor, Target};
use crate::store::codes::{self, Purpose};
use crate::store::users::{self, NewUser};
use crate::store::{Change, Tx, grants, installation, sign_in};
use crate::token::opaque::{CODE_PREFIX, TokenHash, presented};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

/// Whether nobody has been made yet.
pub async fn is_open(ops: &Ops, origin: Origin) -> Result<bool> {
    ops.db.read(origin, installation::awaits_setup).await
}

/// Who the first administrator is to be.
#[derive(Debug)]
pub struct FirstAdministrator {
    pub code: SecretString,
    pub username: Username,
    pub email: Email,
    pub name: Option<PersonName>,
    pub password: SecretString,
    pub kind: SessionKind,
}

fn closed() -> Error {
    Error::NotFound(Missing::Route)
}

fn bad_code() -> Error {
    Error::field("code", "invalid", "This code is wrong, used or too old. `codex-web setup-code` on the server shows a new one.")
}

/// Makes the first administrator and signs them in.
pub async fn set_up(doors: &Doors<'_>, caller: &Caller, first: FirstAdministrator) -> Result<SignedIn> {
    let admission = doors.admit(caller, None, None).await?;
    let code = presented(CODE_PREFIX, first.code.expose_secret().trim());
    let is_live = move |read: &crate::store::Read<'_>| match code {
        Some(code) => codes::find(read, Purpose::Setup, code.as_bytes()).map(|found| found.is_some()),
        None => Ok(false),
    };
    let live = doors.ops.db.read(caller.origin.clone(), is_live).await?;
    let Some(code) = code.filter(|_| live) else {
        admission.failed();
        return Err(bad_code());
    };
    // The holder of the code guesses at nothing any more.
    admission.succeeded();
    let mut context = vec![first.username.to_string(), first.email.to_string()];
    context.extend(first.name.as_ref().map(ToString::to_string));
    let hash = doors.take_password("password", &first.password, context).await?;
    let begun = doors.ops.db.write(caller.origin.clone(), move |tx| make(tx, &first, code, &hash)).await?;
    doors.finish(begun)
}

fn make(tx: &Tx<'_>, first: &FirstAdministrator, code: TokenHash, hash: &str) -> Result<super::new_session::Begun> {
    let id = UserId::fresh(tx.now(), tx.entropy());
    let permit = tx.authorize(&Actor::Anonymous, Action::SetUp, Target::System, None)?.made(format!("user:{id}"), None);
    // Of two at once, one finds it closed.
    if !installation::close_setup(tx, &permit)? {
        return Err(closed());
    }
    codes::redeem(tx, Purpose::Setup, code.as_bytes())?.ok_or_else(bad_code)?;
    codes::drop_all(tx, Purpose::Setup)?;
    let name = first.name.as_ref().map_or("", PersonName::as_str);
    let (username, email) = (&first.username, &first.email);
    users::insert(tx, &permit, &NewUser { id: &id, username, email, name, password_hash: Some(hash), must_change_password: false })?;
    grants::insert_all(tx, &permit, &id)?;
    let personal = json!({"username": username.as_str(), "email": email.as_str(), "name": name});
    let (begun, signed_in) = begin(tx, &id, first.kind)?;
    sign_in::record(tx, &signed_in, &id)?;
    // One act, one entry: whoever set up is signed in by it.
    let details = json!({"isAdmin": true, "method": "setup_code", "sessionId": begun.session, "kind": word(first.kind)});
    tx.audit(&permit, Change { details, subject: Some(id.to_string()), personal })?;
    Ok(begun)
}
