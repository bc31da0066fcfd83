//! A person's own sign-ins: seeing them, ending one, signing out here or everywhere.

use super::new_session::changed;
use super::own_account::own_id;
use super::{Caller, Ops};
use crate::domain::id::{SessionId, UserId};
use crate::error::{Error, Missing, Result};
use crate::events::{Cut, CutReason, Operation};
use crate::policy::{Action, Target};
use crate::store::sessions::{self, SessionRow};
use crate::store::{Change, Effect, Read, Tx, actors};
use crate::token::opaque::{REFRESH_PREFIX, presented};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

/// One sign-in, and whether it is the one that asks.
#[derive(Debug, Clone)]
pub struct OwnSession {
    pub session: SessionRow,
    pub current: bool,
}

/// The caller's sign-ins, newest first.
pub async fn list(ops: &Ops, caller: &Caller) -> Result<Vec<OwnSession>> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::ListOwnSessions, Target::Own, None)?;
        let current = actor.user().and_then(|u| u.credential.session()).cloned();
        let rows = sessions::of_user(read, &own_id(&actor)?)?;
        Ok(rows.into_iter().map(|session| OwnSession { current: current.as_ref() == Some(&session.id), session }).collect())
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// Ends one of the caller's sign-ins. Somebody else's is as good as none. Answers whether it was the caller's own.
pub async fn end(ops: &Ops, caller: &Caller, id: SessionId) -> Result<bool> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let permit = tx.authorize(&actor, Action::EndSession, Target::Own, None)?;
        let user = own_id(&actor)?;
        let own = sessions::find(tx, &id)?.filter(|session| session.user_id == user).ok_or(Error::NotFound(Missing::Session))?;
        sessions::revoke(tx, &permit, &own.id)?;
        tx.audit(&permit, Change { details: json!({"sessionId": own.id}), subject: Some(user.to_string()), personal: Value::Null })?;
        cut(tx, &own.id, &user);
        Ok(actor.user().and_then(|u| u.credential.session()) == Some(&own.id))
    };
    ops.db.write(caller.origin.clone(), job).await
}

/// Signs out: ends the sign-in that asks and the one of the refresh token, if one is given.
pub async fn sign_out(ops: &Ops, caller: &Caller, refresh: Option<SecretString>) -> Result<()> {
    let principal = caller.principal.clone();
    let refresh = refresh.and_then(|token| presented(REFRESH_PREFIX, token.expose_secret()));
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let permit = tx.authorize(&actor, Action::SignOut, Target::Own, None)?;
        let user = own_id(&actor)?;
        let mut ending: Vec<SessionId> = actor.user().and_then(|u| u.credential.session()).cloned().into_iter().collect();
        let of_token = refresh.map(|hash| sessions::find_refresh(tx, hash.as_bytes())).transpose()?.flatten();
        ending.extend(of_token.filter(|row| row.user_id == user).map(|row| row.session_id));
        ending.dedup();
        for session in &ending {
            sessions::revoke(tx, &permit, session)?;
            cut(tx, session, &user);
        }
        tx.audit(&permit, Change { details: json!({"sessionIds": ending}), subject: Some(user.to_string()), personal: Value::Null })
    };
    ops.db.write(caller.origin.clone(), job).await
}

/// Signs out everywhere.
pub async fn sign_out_everywhere(ops: &Ops, caller: &Caller) -> Result<()> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let permit = tx.authorize(&actor, Action::SignOut, Target::Own, None)?;
        let user = own_id(&actor)?;
        let ended = sessions::revoke_all(tx, &permit, &user, None)?;
        let details = json!({"everywhere": true, "endedSessions": ended});
        tx.audit(&permit, Change { details, subject: Some(user.to_string()), personal: Value::Null })?;
        tx.after_commit(Effect::Cut(Cut::User(user), CutReason::SignedOut));
        Ok(())
    };
    ops.db.write(caller.origin.clone(), job).await
}

fn cut(tx: &Tx<'_>, session: &SessionId, user: &UserId) {
    tx.after_commit(Effect::Cut(Cut::Session(session.clone()), CutReason::SignedOut));
    tx.publish(changed(session, user, Operation::Removed));
}
