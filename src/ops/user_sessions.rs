//! Somebody else's sign-ins, for administrators: seeing where a person is signed in, and ending one of these.
//!
//! All of them at once are ended in [`super::user_state`].

use super::new_session::changed;
use super::users::present;
use super::{Caller, Ops};
use crate::domain::id::{SessionId, UserId};
use crate::domain::names::Reason;
use crate::error::{Error, Missing, Result};
use crate::events::{Cut, CutReason, Operation};
use crate::policy::{Action, Target};
use crate::store::sessions;
pub use crate::store::sessions::SessionRow;
use crate::store::{Change, Effect, Read, Tx, actors};
use serde_json::{Value, json};

/// The sign-ins of a person, newest first.
pub async fn list(ops: &Ops, caller: &Caller, id: UserId) -> Result<Vec<SessionRow>> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        let (user, facts) = present(read, &id)?;
        read.authorize(&actor, Action::ListUserSessions, Target::User(&facts), None)?;
        sessions::of_user(read, &user.id)
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// Ends one sign-in of a person, with everything that is open by it. One of somebody else is as good as none.
pub async fn end(ops: &Ops, caller: &Caller, id: UserId, session: SessionId, reason: Option<Reason>) -> Result<()> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let (user, facts) = present(tx, &id)?;
        let permit = tx.authorize(&actor, Action::EndUserSession, Target::User(&facts), reason.as_ref().map(Reason::as_str))?;
        let found = sessions::find(tx, &session)?.filter(|row| row.user_id == user.id).ok_or(Error::NotFound(Missing::Session))?;
        sessions::revoke(tx, &permit, &found.id)?;
        let details = json!({ "sessionId": found.id });
        tx.audit(&permit, Change { details, subject: Some(user.id.to_string()), personal: Value::Null })?;
        tx.after_commit(Effect::Cut(Cut::Session(found.id.clone()), CutReason::Revoked));
        let mut event = changed(&found.id, &user.id, Operation::Removed);
        event.audience.platform = true;
        tx.publish(event);
        Ok(())
    };
    ops.db.write(caller.origin.clone(), job).await
}
