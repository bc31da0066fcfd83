//! A new access token for a refresh token, and noticing that a refresh token was stolen.
//!
//! One transaction reads the facts, lets `identity::refresh` decide, and does what was decided. Tokens that exist are
//! never throttled: a stranger behind the same address must not be able to sign clients out.

use super::Caller;
use super::doors::Doors;
use super::new_session::{Begun, SessionKind, SignedIn, actor, changed};
use super::own_account;
use crate::clock::Millis;
use crate::error::{Error, Result, Unauthenticated};
use crate::events::{Cut, CutReason, Operation};
use crate::identity::refresh::{RefreshDecision, RefreshFacts, decide};
use crate::policy::{Action, Actor, Target};
use crate::store::inbox::{self, Notice};
use crate::store::sessions::{self, NewRefresh, RefreshRow};
use crate::store::{Change, Effect, Tx, sign_in};
use crate::token::opaque::{OpaqueToken, REFRESH_PREFIX, TokenHash, presented};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

/// What came of a token that was shown.
enum Outcome {
    Renewed(Box<Begun>),
    Unknown,
    /// Known, and of no use any more.
    Dead,
}

/// Trades a refresh token for a new pair.
pub async fn refresh(doors: &Doors<'_>, caller: &Caller, token: &SecretString) -> Result<SignedIn> {
    let outcome = match presented(REFRESH_PREFIX, token.expose_secret()) {
        Some(hash) => doors.ops.db.write(caller.origin.clone(), move |tx| renew(tx, hash)).await?,
        None => Outcome::Unknown,
    };
    match outcome {
        Outcome::Renewed(begun) => doors.finish(*begun),
        Outcome::Dead => Err(refused()),
        Outcome::Unknown => {
            doors.admit(caller, None, None).await?.failed();
            Err(refused())
        }
    }
}

fn refused() -> Error {
    Error::Unauthenticated(Unauthenticated::InvalidToken)
}

fn renew(tx: &Tx<'_>, hash: TokenHash) -> Result<Outcome> {
    let Some(row) = sessions::find_refresh(tx, hash.as_bytes())? else { return Ok(Outcome::Unknown) };
    let live = sessions::find(tx, &row.session_id)?.is_some();
    let may_sign_in = sign_in::find(tx, &row.user_id)?.is_some_and(|account| account.may_sign_in);
    let facts = RefreshFacts {
        idle_expires: row.idle_expires,
        hard_expires: row.hard_expires,
        used_at: row.used_at,
        revoked: row.revoked_at.is_some(),
        successors: row.successors,
        successor_used: row.successor_used,
        session_live: live && may_sign_in,
    };
    match decide(&facts, tx.now()) {
        RefreshDecision::Rotate { idle_expires, hard_expires } => {
            if !sessions::use_refresh(tx, hash.as_bytes())? {
                return Err(Error::internal("a refresh token changed under its own transaction"));
            }
            succeed(tx, &row, hash, (idle_expires, hard_expires))
        }
        RefreshDecision::Sibling { idle_expires, hard_expires } => succeed(tx, &row, hash, (idle_expires, hard_expires)),
        RefreshDecision::Reuse => {
            end_family(tx, &row)?;
            Ok(Outcome::Dead)
        }
        RefreshDecision::Dead => Ok(Outcome::Dead),
    }
}

fn succeed(tx: &Tx<'_>, row: &RefreshRow, parent: TokenHash, (idle_expires, hard_expires): (Millis, Millis)) -> Result<Outcome> {
    let made = OpaqueToken::fresh(REFRESH_PREFIX, tx.entropy());
    let (hash, parent) = (made.hash.as_bytes(), Some(parent.as_bytes()));
    let (family_id, session_id, user_id) = (row.family_id.as_str(), &row.session_id, &row.user_id);
    sessions::insert_refresh(tx, &NewRefresh { hash, family_id, session_id, user_id, parent, idle_expires, hard_expires })?;
    sessions::touch(tx, session_id, idle_expires)?;
    let actor = actor(tx, user_id, session_id, SessionKind::Tokens)?;
    Ok(Outcome::Renewed(Box::new(Begun {
        account: own_account::own(tx, &actor)?,
        session: session_id.clone(),
        expires_at: idle_expires,
        kind: SessionKind::Tokens,
        secret: made.secret,
        token_version: sessions::token_version(tx, user_id)?.unwrap_or_default(),
        ended: Vec::new(),
    })))
}

/// Two parties hold the token, and nobody can tell which of them is the thief: the sign-in ends for both.
fn end_family(tx: &Tx<'_>, row: &RefreshRow) -> Result<()> {
    let permit = tx.authorize(&Actor::Anonymous, Action::ReuseRefreshToken, Target::System, None)?;
    let permit = permit.made(format!("user:{}", row.user_id), None);
    sessions::revoke(tx, &permit, &row.session_id)?;
    let details = json!({"sessionId": row.session_id});
    tx.audit_failure(&permit, "token_reused", Change { details, subject: Some(row.user_id.to_string()), personal: Value::Null })?;
    let message = "One of your sign-ins was ended: its refresh token was used twice, so somebody else may hold a copy. \
                   If you do not know why, change your password."
        .to_owned();
    inbox::insert(tx, &Notice { to: &row.user_id, code: "token_reuse_detected", message, link: "/profile".into() })?;
    tx.after_commit(Effect::Cut(Cut::Session(row.session_id.clone()), CutReason::Revoked));
    tx.publish(changed(&row.session_id, &row.user_id, Operation::Removed));
    Ok(())
}
