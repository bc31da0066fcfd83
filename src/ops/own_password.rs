//! Changing one's own password: with the one before it, tried under the same throttle as a sign-in.
//!
//! A stolen session must not become a stolen account, so the old password is always asked for, also where the change is
//! demanded. Every other sign-in ends. A browser goes on with a new session, whose cookie comes with the answer; a client
//! with tokens goes on with those it has.

use super::Caller;
use super::doors::{Checked, Doors};
use super::new_session::{SessionKind, SignedIn, begin, changed};
use super::own_account::own_id;
use super::sign_in::keep_throttle;
use crate::domain::id::UserId;
use crate::error::{Error, Missing, Result, Unauthenticated};
use crate::events::{Cut, CutReason, Operation};
use crate::identity::throttle::AccountKey;
use crate::policy::{Action, Actor, Credential, Target};
use crate::store::inbox::{self, Notice};
use crate::store::sign_in::{self, Credentials};
use crate::store::{Change, Effect, Read, Tx, actors, memberships, sessions, users};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

/// The two passwords.
#[derive(Debug)]
pub struct Replacement {
    pub current: SecretString,
    pub new: SecretString,
    /// The value of the device cookie, if one was shown.
    pub device: Option<String>,
}

/// Changes the password. A browser's new session is the answer; `None`: the caller's own sign-in goes on.
pub async fn change(doors: &Doors<'_>, caller: &Caller, passwords: Replacement) -> Result<Option<SignedIn>> {
    let principal = caller.principal.clone();
    let facts = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::ChangePassword, Target::Own, None)?;
        known(read, &own_id(&actor)?)
    };
    let (account, context) = doors.ops.db.read(caller.origin.clone(), facts).await?;
    let device = doors.device(&account, passwords.device.as_deref());
    let admission = doors.admit(caller, Some(AccountKey::User(account.id.clone())), device).await?;
    let Checked::Right { admission, .. } = doors.check(admission, &passwords.current, account.password_hash.as_deref()).await? else {
        note_failure(doors, caller).await?;
        return Err(Error::field(
            "currentPassword",
            "wrong",
            "This is not your password. Check the spelling and Caps Lock, then try again.",
        ));
    };
    admission.succeeded();
    if passwords.new.expose_secret() == passwords.current.expose_secret() {
        return Err(Error::field("newPassword", "same", "This is the password you have now. Take another one."));
    }
    let hash = doors.take_password("newPassword", &passwords.new, context).await?;
    let principal = caller.principal.clone();
    let checked = account.clone();
    let begun = doors.ops.db.write(caller.origin.clone(), move |tx| replace(tx, &actors::load(tx, &principal)?, &checked, &hash)).await?;
    doors.throttle.unlock(&account.id);
    keep_throttle(doors, caller).await;
    begun.map(|begun| doors.finish(begun)).transpose()
}

/// The account, and what everybody knows about its owner.
fn known(read: &Read<'_>, id: &UserId) -> Result<(Credentials, Vec<String>)> {
    let account = sign_in::find(read, id)?.ok_or(Error::NotFound(Missing::User))?;
    let mut context = vec![account.username.clone(), account.email.clone(), account.name.clone()];
    context.extend(memberships::of_users(read, [id.as_str()])?.into_iter().flat_map(|group| [group.name, group.display_name]));
    Ok((account, context))
}

fn replace(tx: &Tx<'_>, actor: &Actor, checked: &Credentials, hash: &str) -> Result<Option<super::new_session::Begun>> {
    let user = &checked.id;
    let permit = tx.authorize(actor, Action::ChangePassword, Target::Own, None)?;
    let now = sign_in::find(tx, user)?.filter(|now| now.password_hash == checked.password_hash);
    if now.is_none() {
        return Err(Error::Conflict("Your password was changed by somebody else at this moment. Sign in again.".into()));
    }
    let credential = actor.user().map(|u| &u.credential);
    let (begun, keep) = match credential {
        Some(Credential::Cookie(_)) => {
            let (begun, _) = begin(tx, user, SessionKind::Cookie)?;
            let session = begun.session.clone();
            (Some(begun), session)
        }
        Some(Credential::Access(session)) => (None, session.clone()),
        // A password is changed by whoever signed in with it, never by a program's token.
        Some(Credential::ApiToken(_)) | None => return Err(Error::Unauthenticated(Unauthenticated::StepUpRequired)),
    };
    users::set_password(tx, &permit, user, hash, false)?;
    let ended = sessions::revoke_all(tx, &permit, user, Some(&keep))?;
    let details = json!({"endedSessions": ended, "sessionId": keep});
    tx.audit(&permit, Change { details, subject: Some(user.to_string()), personal: Value::Null })?;
    let message = "Your password was changed, and every other sign-in was ended.".to_owned();
    inbox::insert(tx, &Notice { to: user, code: "password_changed", message, link: "/profile".into() })?;
    tx.after_commit(Effect::Cut(Cut::User(user.clone()), CutReason::SignedOut));
    tx.publish(changed(&keep, user, Operation::Changed));
    Ok(begun)
}

async fn note_failure(doors: &Doors<'_>, caller: &Caller) -> Result<()> {
    let counters = doors.throttle.take_changes();
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        crate::store::throttles::save(tx, &counters)?;
        let actor = actors::load(tx, &principal)?;
        let permit = tx.authorize(&actor, Action::ChangePassword, Target::Own, None)?;
        tx.audit_failure(&permit, "wrong_password", Change::default())
    };
    doors.ops.db.write(caller.origin.clone(), job).await
}
