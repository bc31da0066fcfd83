//! How a sign-in begins, whatever way somebody came in: one row, and the secrets that show it.
//!
//! A browser gets a cookie, an API client an access token and the first refresh token of a family. A person has at most
//! [`MOST`] sign-ins; one more ends the oldest.

use super::doors::Doors;
use super::own_account;
use super::users::Account;
use crate::clock::Millis;
use crate::domain::id::{SessionId, UserId};
use crate::error::Result;
use crate::events::{Audience, Cut, CutReason, Event, Operation};
use crate::identity::{refresh, session};
use crate::policy::{Action, Actor, Credential, Permit, Principal, Target};
use crate::store::sessions::{self, NewRefresh, SessionRow};
use crate::store::{Effect, Read, Tx, actors};
use crate::token::access::{self, AccessSubject};
use crate::token::opaque::{OpaqueToken, REFRESH_PREFIX, SESSION_PREFIX};
use secrecy::SecretString;

pub use crate::store::sessions::SessionKind;

/// Sign-ins that one person has at most.
pub const MOST: usize = 20;

/// A sign-in with everything its client is told.
#[derive(Debug)]
pub struct SignedIn {
    pub account: Account,
    pub session: SessionId,
    /// When it ends if nobody uses it.
    pub expires_at: Millis,
    pub shown: Shown,
    /// Makes this browser known to the account; a value for the device cookie.
    pub device: Option<String>,
}

/// How the client shows it from now on. Nothing here is kept.
#[derive(Debug)]
pub enum Shown {
    Cookie(SecretString),
    Tokens {
        access: SecretString,
        /// Seconds.
        expires_in: i64,
        refresh: SecretString,
    },
}

/// A sign-in as its transaction made it. The access token is signed afterwards.
pub(super) struct Begun {
    pub account: Account,
    pub session: SessionId,
    pub expires_at: Millis,
    pub kind: SessionKind,
    pub secret: SecretString,
    pub token_version: i64,
    /// Older sign-ins that ended because there were too many.
    pub ended: Vec<SessionId>,
}

/// The person as an actor with this sign-in.
pub(super) fn actor(read: &Read<'_>, user: &UserId, session: &SessionId, kind: SessionKind) -> Result<Actor> {
    let credential = match kind {
        SessionKind::Cookie => Credential::Cookie(session.clone()),
        SessionKind::Tokens => Credential::Access(session.clone()),
    };
    actors::load(read, &Principal::User { id: user.clone(), credential, signed_in_at: read.now() })
}

/// Begins a sign-in. The caller audits it with the permit.
pub(super) fn begin(tx: &Tx<'_>, user: &UserId, kind: SessionKind) -> Result<(Begun, Permit)> {
    let (now, id) = (tx.now(), SessionId::fresh(tx.now(), tx.entropy()));
    let actor = actor(tx, user, &id, kind)?;
    let permit = tx.authorize(&actor, Action::SignIn, Target::Own, None)?;
    let ended = make_room(tx, &permit, user)?;
    let (idle_expires, hard_expires) = match kind {
        SessionKind::Cookie => (now.plus(session::IDLE), now.plus(session::HARD)),
        SessionKind::Tokens => refresh::beginning(now),
    };
    let prefix = if kind == SessionKind::Cookie { SESSION_PREFIX } else { REFRESH_PREFIX };
    let made = OpaqueToken::fresh(prefix, tx.entropy());
    let (address, agent) = (tx.origin().address.clone(), tx.origin().agent.clone());
    let row = SessionRow {
        id: id.clone(),
        user_id: user.clone(),
        kind,
        created_at: now,
        signed_in_at: now,
        last_used_at: now,
        idle_expires,
        hard_expires,
        address,
        agent,
    };
    match kind {
        SessionKind::Cookie => sessions::insert(tx, &permit, &row, Some(made.hash.as_bytes()))?,
        SessionKind::Tokens => {
            sessions::insert(tx, &permit, &row, None)?;
            let (hash, family_id) = (made.hash.as_bytes(), id.as_str());
            let first = NewRefresh { hash, family_id, session_id: &id, user_id: user, parent: None, idle_expires, hard_expires };
            sessions::insert_refresh(tx, &first)?;
        }
    }
    tx.publish(changed(&id, user, Operation::Changed));
    let account = own_account::own(tx, &actor)?;
    let token_version = sessions::token_version(tx, user)?.unwrap_or_default();
    Ok((Begun { account, session: id, expires_at: idle_expires, kind, secret: made.secret, token_version, ended }, permit))
}

/// Ends the oldest sign-ins, so that one more is not too many.
fn make_room(tx: &Tx<'_>, permit: &Permit, user: &UserId) -> Result<Vec<SessionId>> {
    let ended: Vec<SessionId> = sessions::of_user(tx, user)?.into_iter().skip(MOST - 1).map(|row| row.id).collect();
    for id in &ended {
        sessions::revoke(tx, permit, id)?;
        tx.after_commit(Effect::Cut(Cut::Session(id.clone()), CutReason::SignedOut));
    }
    Ok(ended)
}

/// Tells the person's own pages.
pub(super) fn changed(session: &SessionId, user: &UserId, operation: Operation) -> Event {
    Event {
        kind: "session",
        operation,
        id: session.to_string(),
        group_id: None,
        audience: Audience { users: vec![user.clone()], ..Audience::default() },
        reset: Vec::new(),
    }
}

impl Doors<'_> {
    /// Signs what is to be signed.
    pub(super) fn finish(&self, begun: Begun) -> Result<SignedIn> {
        let Begun { account, session, expires_at, kind, secret, token_version, .. } = begun;
        let user = account.user.id.clone();
        let shown = match kind {
            SessionKind::Cookie => Shown::Cookie(secret),
            SessionKind::Tokens => {
                let subject = AccessSubject { user: user.clone(), session: session.clone(), token_version };
                let made = access::issue(&self.keys.access(), self.keys.issuer(), &subject, self.clock.now(), self.entropy)?;
                Shown::Tokens { access: made.token, expires_in: made.expires_in, refresh: secret }
            }
        };
        let device = (kind == SessionKind::Cookie).then(|| self.devices.issue(&user, self.clock.now(), self.entropy));
        Ok(SignedIn { account, session, expires_at, shown, device })
    }
}
