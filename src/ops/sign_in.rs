//! Signing in with a name and a password.
//!
//! Admission by the throttle, then the password outside of any transaction, then one transaction that looks at the
//! account again and begins the sign-in. Whoever fails hears one answer, after the same work (one hash, and the same number
//! of statements), whether the name is unknown, the password wrong, the account disabled or without a password; the audit
//! log knows which it was. A text that is
//! nobody's name is never written down: people type passwords there.

use super::Caller;
use super::doors::{Checked, Doors};
use super::new_session::{SessionKind, SignedIn, begin};
use crate::domain::email::sign_in_key;
use crate::domain::id::UserId;
use crate::error::{Error, Result, Unauthenticated};
use crate::identity::throttle::AccountKey;
use crate::policy::{Action, Actor, Target};
use crate::store::sign_in::{self, Credentials};
use crate::store::throttles::{self, ThrottleRow};
use crate::store::{Change, Tx};
use secrecy::SecretString;
use serde_json::{Value, json};

/// What somebody typed, and what their client asks for.
#[derive(Debug)]
pub struct Login {
    /// User name or e-mail address, as typed.
    pub name: String,
    pub password: SecretString,
    pub kind: SessionKind,
    /// The value of the device cookie, if one was shown.
    pub device: Option<String>,
}

fn refused() -> Error {
    Error::Unauthenticated(Unauthenticated::BadCredentials)
}

/// Signs somebody in.
pub async fn login(doors: &Doors<'_>, caller: &Caller, login: Login) -> Result<SignedIn> {
    let key = sign_in_key(&login.name);
    let wanted = key.clone();
    let found = doors.ops.db.read(caller.origin.clone(), move |read| sign_in::find_by_name(read, &wanted)).await?;
    let device = found.as_ref().and_then(|account| doors.device(account, login.device.as_deref()));
    let account = found.as_ref().map_or_else(|| AccountKey::Name(key.clone()), |account| AccountKey::User(account.id.clone()));
    let admission = doors.admit(caller, Some(account), device).await?;
    let usable = found.as_ref().filter(|account| account.may_sign_in);
    let stored = usable.and_then(|account| account.password_hash.as_deref());
    let (account, admission, stronger) = match (doors.check(admission, &login.password, stored).await?, usable) {
        (Checked::Right { admission, stronger }, Some(account)) => (account, admission, stronger),
        // A password cannot be right without an account; the compiler does not know.
        (Checked::Right { .. } | Checked::Wrong, _) => {
            note_failure(doors, caller, found.as_ref(), &key).await?;
            return Err(refused());
        }
    };
    match enter(doors, caller, account, stronger, login.kind).await {
        Ok(signed_in) => {
            admission.succeeded();
            keep_throttle(doors, caller).await;
            Ok(signed_in)
        }
        Err(error @ Error::Unauthenticated(_)) => {
            admission.failed();
            note_failure(doors, caller, found.as_ref(), &key).await?;
            Err(error)
        }
        Err(error) => {
            admission.withdrawn();
            Err(error)
        }
    }
}

async fn enter(doors: &Doors<'_>, caller: &Caller, account: &Credentials, stronger: Option<String>, kind: SessionKind) -> Result<SignedIn> {
    let checked = account.clone();
    let job = move |tx: &Tx<'_>| {
        // Disabled, or given another password, while the old one was being checked?
        let now = sign_in::find(tx, &checked.id)?.filter(|now| now.may_sign_in && now.password_hash == checked.password_hash);
        let account = now.ok_or_else(refused)?;
        if account.password_expired {
            // Only whoever knows the password learns this.
            return Err(Error::Unauthenticated(Unauthenticated::PasswordExpired));
        }
        let (begun, permit) = begin(tx, &account.id, kind)?;
        sign_in::record(tx, &permit, &account.id)?;
        if let Some(hash) = &stronger {
            sign_in::save_stronger_hash(tx, &permit, &account.id, hash)?;
        }
        let mut details = json!({"method": "password", "sessionId": begun.session, "kind": word(kind)});
        if !begun.ended.is_empty() {
            details["endedSessions"] = json!(begun.ended);
        }
        tx.audit(&permit, Change { details, subject: Some(account.id.to_string()), personal: Value::Null })?;
        Ok(begun)
    };
    let begun = doors.ops.db.write(caller.origin.clone(), job).await?;
    doors.finish(begun)
}

/// How the audit log names the kind of a sign-in.
pub(super) fn word(kind: SessionKind) -> &'static str {
    match kind {
        SessionKind::Cookie => "browser",
        SessionKind::Tokens => "tokens",
    }
}

/// Why nobody was signed in: for the audit log only.
fn reason(found: Option<&Credentials>) -> &'static str {
    match found {
        None => "unknown_user",
        Some(account) if !account.may_sign_in => "account_disabled",
        Some(account) if account.password_hash.is_none() => "no_password",
        Some(account) if account.password_expired => "password_expired",
        Some(_) => "wrong_password",
    }
}

async fn note_failure(doors: &Doors<'_>, caller: &Caller, found: Option<&Credentials>, typed: &str) -> Result<()> {
    let why = reason(found);
    let user: Option<UserId> = found.map(|account| account.id.clone());
    // Made whether or not it is needed, as the counter below: how long it takes must not tell which name is somebody's.
    let stand_in = doors.typed_names.stand_in(typed);
    let (details, personal) = match &user {
        Some(_) => (json!({"method": "password"}), json!({"typed": typed})),
        None => (json!({"method": "password", "typed": stand_in}), Value::Null),
    };
    let mut counters = doors.throttle.take_changes();
    if user.is_none() {
        counters.push(ThrottleRow::of_nobody(doors.clock.now()));
    }
    let job = move |tx: &Tx<'_>| {
        throttles::save(tx, &counters)?;
        let permit = tx.authorize(&Actor::Anonymous, Action::SignIn, Target::System, None)?;
        let permit = user.as_ref().map_or(permit.clone(), |id| permit.made(format!("user:{id}"), None));
        tx.audit_failure(&permit, why, Change { details, subject: user.map(|id| id.to_string()), personal })
    };
    doors.ops.db.write(caller.origin.clone(), job).await
}

/// Writes changed counters down. If that fails, a restart forgets some failures, and nobody is refused for it.
pub(super) async fn keep_throttle(doors: &Doors<'_>, caller: &Caller) {
    let counters = doors.throttle.take_changes();
    if counters.is_empty() {
        return;
    }
    let kept = doors.ops.db.write(caller.origin.clone(), move |tx| throttles::save(tx, &counters)).await;
    if let Err(error) = kept {
        tracing::warn!(%error, "counters of failed sign-ins were not written down");
    }
}
