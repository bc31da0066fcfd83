//! Opening an app: who may, how a browser that is signed in at the UI comes to be known at the app's own origin, and
//! for how long.
//!
//! A hand-off has two halves. The sign-in makes a code, bound to itself, the app, the app's origin and a nonce that only
//! the browser at that origin holds. That browser shows the code there, once, and gets an app session, which is worth
//! nothing without the sign-in. The owner comes and goes unrecorded; anybody else leaves an audit entry and is
//! announced, as at a terminal. A code that is shown a second time, elsewhere or by another browser is recorded too.

use super::terminal::{Entrance, enter_permit, entrance};
use super::workspaces::{Deed, event, tell};
use super::{Caller, Ops};
use crate::clock::{Millis, SECOND};
use crate::domain::app_target::AppTarget;
use crate::domain::id::{SessionId, UserId, WorkspaceId};
use crate::error::{Error, Result};
use crate::events::Operation;
use crate::identity::session;
use crate::policy::{Action, Credential, Permit};
use crate::store::actors::Principal;
pub use crate::store::app_ports::AppPort;
use crate::store::app_sessions::{self, AppSessionRow, NewAppSession};
use crate::store::codes::{self, CodeRow, Purpose};
use crate::store::sessions::{self, SessionKind};
use crate::store::workspaces::Workspace;
use crate::store::{Change, Db, Origin, Read, Tx, activity, app_ports};
use crate::token::opaque::{self, OpaqueToken, TokenHash};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// How long a code may be used, in milliseconds.
pub const CODE_LIFE: i64 = 30 * SECOND;

/// Which app somebody wants to see, and where in it they want to arrive.
#[derive(Debug, Clone)]
pub struct Wish {
    pub workspace: WorkspaceId,
    pub target: AppTarget,
    /// Written by whoever breaks the glass.
    pub reason: Option<String>,
}

/// A code for one origin.
#[derive(Debug)]
pub struct HandOff {
    pub code: SecretString,
    pub expires_at: Millis,
}

/// What a code stands for, as its row keeps it.
#[derive(Debug, Serialize, Deserialize)]
struct Subject {
    workspace: WorkspaceId,
    session: SessionId,
    cookie: bool,
    signed_in_at: Millis,
    app: String,
    /// The app's origin.
    host: String,
    nonce_hash: String,
    to: String,
    reason: Option<String>,
}

/// What showing a code led to.
#[derive(Debug)]
pub enum Redeemed {
    /// The new cookie's value, and where the browser goes.
    Opened { session: SecretString, to: String },
    /// It opens nothing; the word says why.
    Refused(&'static str),
}

/// Somebody at an app, as an app session says.
#[derive(Debug, Clone)]
pub struct Visit {
    pub caller: Caller,
    pub entrance: Entrance,
    pub target: AppTarget,
    /// The origin at which they are.
    pub host: String,
}

/// Whether the caller may open it, asked before anything is made. The workspace need not run.
pub async fn check(ops: &Ops, caller: &Caller, wish: Wish) -> Result<()> {
    let (principal, glass) = (caller.principal.clone(), ops.rules().break_glass);
    let job = move |read: &Read<'_>| permitted(read, &principal, &wish, glass).map(drop);
    ops.db.read(caller.origin.clone(), job).await
}

/// The port of an app where apps have no names. For the owner only: cookies do not tell ports of one host apart.
pub async fn port(ops: &Ops, caller: &Caller, wish: Wish, range: (u16, u16)) -> Result<AppPort> {
    let (principal, glass) = (caller.principal.clone(), ops.rules().break_glass);
    let job = move |tx: &Tx<'_>| {
        let (workspace, _) = permitted(tx, &principal, &wish, glass)?;
        if principal.user_id() != Some(&workspace.row.owner_id) {
            return Err(Error::WrongState(
                "Here apps share one host name, so they open for the owner of the workspace only. With gateway.apps_domain they have names of their own."
                    .to_owned(),
            ));
        }
        let given = app_ports::give(tx, range, &wish.workspace, &wish.target.to_string())?;
        given.ok_or_else(|| {
            let (first, last) = range;
            Error::WrongState(format!("All ports of apps ({first}-{last}) are taken. The operator can widen gateway.port_range."))
        })
    };
    ops.db.write(caller.origin.clone(), job).await
}

/// All ports that belong to apps.
pub fn ports(db: &Db) -> Result<Vec<AppPort>> {
    db.read_blocking(app_ports::list)
}

/// Makes the code with which the browser at the app's origin (`host`) is let in. The workspace must run.
pub async fn hand_off(ops: &Ops, caller: &Caller, wish: Wish, host: String, to: String, nonce_hash: String) -> Result<HandOff> {
    let (principal, glass) = (caller.principal.clone(), ops.rules().break_glass);
    let job = move |tx: &Tx<'_>| {
        let (workspace, permit) = permitted(tx, &principal, &wish, glass)?;
        let entrance = entrance(tx, &principal, &workspace)?;
        let Principal::User { id: user, credential, signed_in_at } = &principal else { return Err(no_sign_in()) };
        let session = credential.session().cloned().ok_or_else(no_sign_in)?;
        if !entrance.own {
            record(tx, &permit, &workspace, &entrance, &wish.target)?;
        }
        let subject = Subject {
            workspace: wish.workspace,
            session,
            cookie: matches!(credential, Credential::Cookie(_)),
            signed_in_at: *signed_in_at,
            app: wish.target.to_string(),
            host,
            nonce_hash,
            to,
            reason: wish.reason,
        };
        let subject = serde_json::to_string(&subject).map_err(|e| Error::internal(e.to_string()))?;
        let made = OpaqueToken::fresh(opaque::CODE_PREFIX, tx.entropy());
        let expires_at = tx.now().plus(CODE_LIFE);
        codes::insert(tx, Purpose::HandOff, made.hash.as_bytes(), Some(user), &subject, expires_at)?;
        Ok(HandOff { code: made.secret, expires_at })
    };
    ops.db.write(caller.origin.clone(), job).await
}

fn no_sign_in() -> Error {
    Error::WrongState("An app opens for a sign-in in a browser, and ends with it. This credential has none.".to_owned())
}

fn record(tx: &Tx<'_>, permit: &Permit, workspace: &Workspace, entrance: &Entrance, target: &AppTarget) -> Result<()> {
    let details = json!({ "run": entrance.run, "app": target.to_string(), "breakGlass": permit.is_break_glass() });
    tx.audit(permit, Change::of(details))?;
    tell(tx, permit, workspace, entrance.run, &Deed { code: "app_opened", line: "An app was opened.", done: "opened an app of" })
}

/// The workspace, and the permit to open this app of it.
fn permitted(read: &Read<'_>, principal: &Principal, wish: &Wish, glass: bool) -> Result<(Workspace, Permit)> {
    let found = enter_permit(read, principal, &wish.workspace, Action::OpenApp, wish.reason.as_deref(), glass)?;
    if let AppTarget::App(slug) = &wish.target
        && !found.0.row.spec.apps.iter().any(|app| app.slug == *slug)
    {
        return Err(Error::field("app", "unknown", "This workspace has no app of this name."));
    }
    Ok(found)
}

/// Whether a code would open anything, without using it up.
pub async fn opens(ops: &Ops, origin: Origin, hash: TokenHash) -> Result<bool> {
    ops.db.read(origin, move |read: &Read<'_>| Ok(codes::find(read, Purpose::HandOff, hash.as_bytes())?.is_some())).await
}

/// Uses a code up at the origin `host`, by the browser that holds the nonce with this hash (empty: it holds none).
pub async fn redeem(ops: &Ops, origin: Origin, code: &str, host: String, nonce_hash: String) -> Result<Redeemed> {
    let Some(hash) = opaque::presented(opaque::CODE_PREFIX, code) else { return Ok(Redeemed::Refused("unknown")) };
    let glass = ops.rules().break_glass;
    let job = move |tx: &Tx<'_>| {
        let Some(kept) = codes::redeem(tx, Purpose::HandOff, hash.as_bytes())? else {
            return match codes::find_spent(tx, Purpose::HandOff, hash.as_bytes())? {
                Some(spent) => refuse(tx, &spent, glass, "spent"),
                None => Ok(Redeemed::Refused("unknown")),
            };
        };
        let (subject, principal) = subject(&kept)?;
        if subject.host != host {
            return refuse(tx, &kept, glass, "wrong_host");
        }
        if subject.nonce_hash != nonce_hash {
            return refuse(tx, &kept, glass, "wrong_browser");
        }
        let (workspace, _) = enter_permit(tx, &principal, &subject.workspace, Action::OpenApp, subject.reason.as_deref(), glass)?;
        entrance(tx, &principal, &workspace)?;
        let made = OpaqueToken::fresh(opaque::APP_SESSION_PREFIX, tx.entropy());
        app_sessions::insert(
            tx,
            &NewAppSession {
                hash: made.hash.as_bytes(),
                session_id: &subject.session,
                workspace_id: &subject.workspace,
                app: &subject.app,
                host: &subject.host,
                reason: subject.reason.as_deref().unwrap_or_default(),
            },
        )?;
        if activity::touch(tx, &subject.workspace, tx.now())? {
            tx.publish(event(&workspace.facts(), Operation::Changed));
        }
        Ok(Redeemed::Opened { session: made.secret, to: subject.to })
    };
    ops.db.write(origin, job).await
}

fn subject(kept: &CodeRow) -> Result<(Subject, Principal)> {
    let subject: Subject = serde_json::from_str(&kept.subject).map_err(|e| Error::internal(e.to_string()))?;
    let user = kept.user_id.clone().ok_or_else(|| Error::internal("a hand-off without a user"))?;
    let principal = principal(user, subject.session.clone(), subject.cookie, subject.signed_in_at);
    Ok((subject, principal))
}

fn principal(id: UserId, session: SessionId, cookie: bool, signed_in_at: Millis) -> Principal {
    let credential = if cookie { Credential::Cookie(session) } else { Credential::Access(session) };
    Principal::User { id, credential, signed_in_at }
}

/// Records who showed a code that opens nothing. The use of the code is kept: the job succeeds.
fn refuse(tx: &Tx<'_>, kept: &CodeRow, glass: bool, why: &'static str) -> Result<Redeemed> {
    let (subject, principal) = subject(kept)?;
    let (_, permit) = enter_permit(tx, &principal, &subject.workspace, Action::OpenApp, subject.reason.as_deref(), glass)?;
    tx.audit_failure(&permit, &format!("handoff:{why}"), Change::of(json!({ "app": subject.app })))?;
    Ok(Redeemed::Refused(why))
}

/// Who an app session is, and whether they may still see the app. `None`: it ended with its sign-in, or never was.
pub async fn visit(ops: &Ops, origin: Origin, hash: TokenHash) -> Result<Option<Visit>> {
    let (glass, at) = (ops.rules().break_glass, origin.clone());
    let job = move |read: &Read<'_>| {
        let Some(row) = app_sessions::find(read, hash.as_bytes())? else { return Ok(None) };
        let AppSessionRow { session_id, session_kind, signed_in_at, user_id, workspace_id, app, host, reason } = row;
        let principal = principal(user_id, session_id, session_kind == SessionKind::Cookie, signed_in_at);
        let reason = Some(reason).filter(|reason| !reason.is_empty());
        let (workspace, _) = enter_permit(read, &principal, &workspace_id, Action::OpenApp, reason.as_deref(), glass)?;
        let entrance = entrance(read, &principal, &workspace)?;
        let Some(target) = AppTarget::parse(&app) else { return Ok(None) };
        Ok(Some(Visit { caller: Caller { principal, origin: at }, entrance, target, host }))
    };
    ops.db.read(origin, job).await
}

/// Notes that a person used the workspace by an app, which is a use of their sign-in too; at most one write a minute.
pub async fn used(db: &Db, visit: &Visit) -> Result<()> {
    let (workspace, session) = (visit.entrance.workspace.clone(), visit.entrance.session.clone());
    let job = move |tx: &Tx<'_>| {
        activity::touch(tx, &workspace, tx.now())?;
        session.map_or(Ok(()), |session| sessions::touch(tx, &session, tx.now().plus(session::IDLE)))
    };
    db.write(visit.caller.origin.clone(), job).await
}
