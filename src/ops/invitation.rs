//! The other end of an invitation: the invited person chooses a password and is signed in.
//!
//! The code is used up with the change it makes possible. Whoever has a password already cannot be given another one this
//! way, so an old invitation opens nothing.

use super::Caller;
use super::doors::Doors;
use super::new_session::{SessionKind, SignedIn, begin};
use super::sign_in::word;
use crate::error::{Error, Result};
use crate::policy::{Action, Target};
use crate::store::codes::{self, Purpose};
use crate::store::sign_in::{self, Credentials};
use crate::store::{Change, Read, Tx, users};
use crate::token::opaque::{CODE_PREFIX, TokenHash, presented};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

/// A code and the password chosen with it.
#[derive(Debug)]
pub struct Redemption {
    pub code: SecretString,
    pub password: SecretString,
    pub kind: SessionKind,
}

fn bad_code() -> Error {
    Error::field("code", "invalid", "This invitation is wrong, used or too old. Ask your administrator for a new one.")
}

/// Whom a code invites, while they may still come.
fn invited(read: &Read<'_>, code: TokenHash) -> Result<Option<Credentials>> {
    let Some(user) = codes::find(read, Purpose::Invite, code.as_bytes())?.and_then(|row| row.user_id) else { return Ok(None) };
    Ok(sign_in::find(read, &user)?.filter(|account| account.may_sign_in && account.password_hash.is_none()))
}

/// Sets the first password of an invited person and signs them in.
pub async fn redeem(doors: &Doors<'_>, caller: &Caller, redemption: Redemption) -> Result<SignedIn> {
    let admission = doors.admit(caller, None, None).await?;
    let code = presented(CODE_PREFIX, redemption.code.expose_secret().trim());
    let looked = doors.ops.db.read(caller.origin.clone(), move |read| code.map_or(Ok(None), |code| invited(read, code))).await?;
    let (Some(code), Some(account)) = (code, looked) else {
        admission.failed();
        return Err(bad_code());
    };
    admission.succeeded();
    let context = vec![account.username, account.email, account.name];
    let hash = doors.take_password("password", &redemption.password, context).await?;
    let kind = redemption.kind;
    let job = move |tx: &Tx<'_>| {
        let account = invited(tx, code)?.ok_or_else(bad_code)?;
        codes::redeem(tx, Purpose::Invite, code.as_bytes())?.ok_or_else(bad_code)?;
        let (begun, signed_in) = begin(tx, &account.id, kind)?;
        let permit = tx.authorize(signed_in.actor(), Action::ChangePassword, Target::Own, None)?;
        users::set_password(tx, &permit, &account.id, &hash, false)?;
        codes::drop_of_user(tx, Purpose::Invite, &account.id)?;
        sign_in::record(tx, &signed_in, &account.id)?;
        // One act, one entry: whoever chose the password is signed in by it.
        let details = json!({"method": "invitation", "sessionId": begun.session, "kind": word(kind)});
        tx.audit(&permit, Change { details, subject: Some(account.id.to_string()), personal: Value::Null })?;
        Ok(begun)
    };
    let begun = doors.ops.db.write(caller.origin.clone(), job).await?;
    doors.finish(begun)
}
