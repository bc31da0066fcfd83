//! Entering a workspace: who may, under which sign-in, and for how long.
//!
//! The right is asked for on every connection, and again while one lasts. The owner comes and goes unrecorded but for
//! the last use; anybody else leaves an audit entry, and who enters by a written reason is announced to the owner.

use super::workspaces::{Deed, event, not_running, permitted, tell};
use super::{Caller, Ops};
use crate::clock::{Millis, SECOND};
use crate::domain::id::{GroupId, SessionId, TokenId, UserId, WorkspaceId};
use crate::domain::workspace::Status;
use crate::error::{Error, Missing, Result, Unauthenticated};
use crate::events::Operation;
use crate::policy::{Action, Context, Credential, Permit, Target};
use crate::store::actors::Principal;
use crate::store::codes::{self, Purpose};
use crate::store::workspaces::{self, Workspace};
use crate::store::{Change, Db, Origin, Read, Tx, activity, actors, sessions};
use crate::token::opaque::{self, OpaqueToken};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// How long a socket ticket may be used, in milliseconds.
pub const TICKET_LIFE: i64 = 30 * SECOND;

/// A ticket for one socket.
#[derive(Debug)]
pub struct Ticket {
    pub secret: SecretString,
    pub expires_at: Millis,
}

/// What a ticket stands for, as its row keeps it.
#[derive(Debug, Serialize, Deserialize)]
struct Subject {
    workspace: WorkspaceId,
    session: Option<SessionId>,
    cookie: bool,
    token: Option<TokenId>,
    signed_in_at: Millis,
    reason: Option<String>,
}

/// The way into one run of a workspace.
#[derive(Debug, Clone)]
pub struct Entrance {
    pub workspace: WorkspaceId,
    pub name: String,
    pub namespace: String,
    pub group: GroupId,
    pub run: i64,
    pub user: UserId,
    pub session: Option<SessionId>,
    /// The API token that was shown.
    pub token: Option<TokenId>,
    /// The owner came in by themselves.
    pub own: bool,
}

/// The workspace and the permit to enter it, with the setting for break glass applied.
pub(super) fn enter_permit(
    read: &Read<'_>,
    principal: &Principal,
    id: &WorkspaceId,
    action: Action,
    reason: Option<&str>,
    glass: bool,
) -> Result<(Workspace, Permit)> {
    let actor = actors::load(read, principal)?;
    // A socket has no gate in front of it: its credential may come after the handshake.
    if actor.user().is_some_and(|user| user.must_change_password) {
        return Err(Error::PasswordChangeRequired);
    }
    let workspace = workspaces::find(read, id, actor.user_id())?.ok_or(Error::NotFound(Missing::Workspace))?;
    let context = Context { now: read.now(), reason, break_glass: glass };
    let permit = read.authorize_with(&actor, action, Target::Workspace(&workspace.facts()), context)?;
    Ok((workspace, permit))
}

/// Makes a ticket for clients that show their credential in the first frame of a socket.
pub async fn ticket(ops: &Ops, caller: &Caller, id: WorkspaceId, reason: Option<String>) -> Result<Ticket> {
    let (principal, glass) = (caller.principal.clone(), ops.rules().break_glass);
    let job = move |tx: &Tx<'_>| {
        enter_permit(tx, &principal, &id, Action::OpenTerminal, reason.as_deref(), glass)?;
        let Principal::User { id: user, credential, signed_in_at } = &principal else {
            return Err(Error::Unauthenticated(Unauthenticated::NoToken));
        };
        let subject = Subject {
            workspace: id.clone(),
            session: credential.session().cloned(),
            cookie: matches!(credential, Credential::Cookie(_)),
            token: credential.token().cloned(),
            signed_in_at: *signed_in_at,
            reason: reason.clone(),
        };
        let subject = serde_json::to_string(&subject).map_err(|e| Error::internal(e.to_string()))?;
        let made = OpaqueToken::fresh(opaque::CODE_PREFIX, tx.entropy());
        let expires_at = tx.now().plus(TICKET_LIFE);
        codes::insert(tx, Purpose::Socket, made.hash.as_bytes(), Some(user), &subject, expires_at)?;
        Ok(Ticket { secret: made.secret, expires_at })
    };
    ops.db.write(caller.origin.clone(), job).await
}

/// Uses a ticket up: who it is for, and the reason that was written when it was made.
pub async fn redeem(ops: &Ops, origin: Origin, id: WorkspaceId, secret: &str) -> Result<(Caller, Option<String>)> {
    let refused = || Error::Unauthenticated(Unauthenticated::InvalidToken);
    let hash = opaque::presented(opaque::CODE_PREFIX, secret).ok_or_else(refused)?;
    let job = move |tx: &Tx<'_>| {
        let Some(kept) = codes::redeem(tx, Purpose::Socket, hash.as_bytes())? else { return Ok(None) };
        let subject: Subject = serde_json::from_str(&kept.subject).map_err(|e| Error::internal(e.to_string()))?;
        Ok(kept.user_id.filter(|_| subject.workspace == id).map(|user| (user, subject)))
    };
    // Used up also when it turns out to be for another workspace: the job does not fail, so the use is kept.
    let (user, subject) = ops.db.write(origin.clone(), job).await?.ok_or_else(refused)?;
    let credential = match (subject.session, subject.token) {
        (Some(session), _) if subject.cookie => Credential::Cookie(session),
        (Some(session), _) => Credential::Access(session),
        (None, Some(id)) => Credential::ApiToken(id),
        (None, None) => return Err(refused()),
    };
    let principal = Principal::User { id: user, credential, signed_in_at: subject.signed_in_at };
    Ok((Caller { principal, origin }, subject.reason))
}

/// Asks for the way in. Refuses what does not run; records who enters somebody else's workspace.
pub async fn enter(ops: &Ops, caller: &Caller, id: WorkspaceId, reason: Option<String>) -> Result<Entrance> {
    let (principal, glass) = (caller.principal.clone(), ops.rules().break_glass);
    let job = move |tx: &Tx<'_>| {
        let (workspace, permit) = enter_permit(tx, &principal, &id, Action::OpenTerminal, reason.as_deref(), glass)?;
        let entrance = entrance(tx, &principal, &workspace)?;
        if !entrance.own {
            tx.audit(&permit, Change::of(json!({ "run": entrance.run, "breakGlass": permit.is_break_glass() })))?;
            tell(tx, &permit, &workspace, entrance.run, &Deed { code: "entered", line: "Entered by a terminal.", done: "entered" })?;
        }
        if activity::touch(tx, &id, tx.now())? {
            tx.publish(event(&workspace.facts(), Operation::Changed));
        }
        Ok(entrance)
    };
    ops.db.write(caller.origin.clone(), job).await
}

pub(super) fn entrance(read: &Read<'_>, principal: &Principal, workspace: &Workspace) -> Result<Entrance> {
    let Principal::User { id: user, credential, .. } = principal else {
        return Err(Error::Unauthenticated(Unauthenticated::NoToken));
    };
    if let Some(session) = credential.session()
        && sessions::find(read, session)?.is_none()
    {
        return Err(Error::Unauthenticated(Unauthenticated::InvalidToken));
    }
    let status = workspace.status_word();
    if status != Status::Running {
        return Err(Error::WrongState(not_running(status).to_owned()));
    }
    let row = &workspace.row;
    Ok(Entrance {
        workspace: row.id.clone(),
        name: row.name.clone(),
        namespace: workspace.namespace.clone(),
        group: row.group_id.clone(),
        run: row.run,
        user: user.clone(),
        session: credential.session().cloned(),
        token: credential.token().cloned(),
        own: row.owner_id == *user,
    })
}

/// Whether a connection that was let in may go on: the same question again, and the same run.
pub async fn recheck(ops: &Ops, caller: &Caller, entrance: &Entrance, reason: Option<String>) -> Result<()> {
    let (principal, glass, entrance) = (caller.principal.clone(), ops.rules().break_glass, entrance.clone());
    let job = move |read: &Read<'_>| {
        let (workspace, _) = enter_permit(read, &principal, &entrance.workspace, Action::OpenTerminal, reason.as_deref(), glass)?;
        let now = self::entrance(read, &principal, &workspace)?;
        if now.run == entrance.run { Ok(()) } else { Err(Error::WrongState("It was restarted.".to_owned())) }
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// The way in for what only asks: the list of terminals. `None` where nothing runs.
pub async fn look(ops: &Ops, caller: &Caller, id: WorkspaceId) -> Result<Option<Entrance>> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        let (workspace, _) = permitted(read, &actor, &id, Action::OpenTerminal, None)?;
        match entrance(read, &principal, &workspace) {
            Err(Error::WrongState(_)) => Ok(None),
            found => found.map(Some),
        }
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// Somebody else ends a terminal of this workspace, and the program in it: recorded before it is done, and the owner told.
pub async fn ends_anothers(ops: &Ops, caller: &Caller, entrance: &Entrance, session: &str) -> Result<()> {
    let (principal, entrance, session) = (caller.principal.clone(), entrance.clone(), session.to_owned());
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let (workspace, permit) = permitted(tx, &actor, &entrance.workspace, Action::OpenTerminal, None)?;
        tx.audit(&permit, Change::of(json!({ "run": entrance.run, "ended": session })))?;
        let deed = Deed { code: "terminal_ended", line: "A terminal was ended.", done: "ended a terminal of" };
        tell(tx, &permit, &workspace, entrance.run, &deed)
    };
    ops.db.write(caller.origin.clone(), job).await
}

/// Notes that a person used the workspace; at most one write a minute.
pub async fn used(db: &Db, id: WorkspaceId) -> Result<()> {
    let origin = Origin { call_id: "terminal".to_owned(), ..Origin::default() };
    db.write(origin, move |tx: &Tx<'_>| activity::touch(tx, &id, tx.now()).map(drop)).await
}
