//! From what a call shows to who is calling: the only way in.
//!
//! A bearer token wins over a cookie. Tokens in query strings are never looked at. What the caller may do is loaded
//! from the rows in the same view; the token only says who.

use super::signing::Keys;
use crate::clock::HOUR;
use crate::domain::id::{SessionId, TokenId, WorkspaceId};
use crate::error::{Error, Result, Unauthenticated};
use crate::policy::{Action, Actor, Credential, Principal, could_ever};
use crate::store::{Db, Origin, Read, Tx, actors, api_tokens, machine_tokens, sessions};
use crate::token::machine;
use crate::token::opaque::{API_TOKEN_PREFIX, SESSION_PREFIX, TokenHash, presented};
use crate::token::{access, api};
use std::sync::Arc;

/// Name of the session cookie, before the transport's prefix or port.
pub const SESSION_COOKIE: &str = "codex_sid";

/// The use of an API token is noted at most so often, in milliseconds.
const TOKEN_TOUCH: i64 = HOUR;

/// A longer token is refused, never cut.
const TOKEN_MAX: usize = 8 * 1024;

/// What a call shows.
#[derive(Default)]
pub struct Shown {
    pub bearer: Option<String>,
    pub cookie: Option<String>,
}

impl Shown {
    /// Reads the headers. Two `Authorization` headers are a trick, not a credential.
    pub fn of(headers: &[(String, String)], cookie_name: &str) -> Result<Self> {
        let mut authorizations = headers.iter().filter(|(n, _)| n == "authorization").map(|(_, v)| v.as_str());
        let bearer = match (authorizations.next(), authorizations.next()) {
            (None, _) => None,
            (Some(_), Some(_)) => return Err(invalid()),
            (Some(value), None) => Some(bearer(value)?),
        };
        let cookie = headers.iter().filter(|(n, _)| n == "cookie").find_map(|(_, v)| cookie_value(v, cookie_name));
        Ok(Self { bearer, cookie })
    }

    /// The call is authenticated by a cookie alone, so it must prove that our own page made it.
    pub fn by_cookie(&self) -> bool {
        self.bearer.is_none() && self.cookie.is_some()
    }
}

fn invalid() -> Error {
    Error::Unauthenticated(Unauthenticated::InvalidToken)
}

fn bearer(value: &str) -> Result<String> {
    let (scheme, token) = value.split_once(' ').ok_or_else(invalid)?;
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || token.len() > TOKEN_MAX {
        return Err(invalid());
    }
    Ok(token.to_owned())
}

/// The value of a cookie in a `Cookie` header.
pub fn cookie_value(header: &str, name: &str) -> Option<String> {
    header.split(';').filter_map(|pair| pair.trim().split_once('=')).find(|(n, _)| *n == name).map(|(_, v)| v.to_owned())
}

/// Who calls, and what of theirs is thereby used.
struct Used {
    principal: Principal,
    touch: Option<Touch>,
}

/// What was not noted as used lately.
enum Touch {
    /// The cookie's session: its idle time moves.
    Session(SessionId),
    Token(TokenId),
}

/// What is asked of a caller at the door.
#[derive(Debug, Clone)]
pub enum Door {
    /// Whoever could ever be permitted this action; `ops` decides on the object.
    Action {
        action: Action,
        before_password_change: bool,
        /// What the address names, `kind:id`, for the audit log of a refusal.
        resource: String,
        /// Who shows nothing comes in too, because a ticket follows.
        ticket_follows: bool,
    },
    /// A machine token, and one that the action is given to.
    Machine(Action),
    /// Who they are is all that is asked.
    Open,
}

/// Who shows up at the door.
pub enum Visitor {
    Network(Shown),
    /// Somebody at the other end of the connection to a run of a workspace.
    Workspace {
        shown: Shown,
        workspace: WorkspaceId,
        run: i64,
    },
    /// A shell on the server's machine.
    CommandLine {
        system_user: String,
    },
}

/// Who is calling, and whether they could ever be permitted: one view of the database. The use of a browser session is
/// noted without anybody waiting for it.
pub async fn identify(db: &Db, keys: &Arc<Keys>, visitor: Visitor, door: Door, origin: Origin) -> Result<(Principal, Actor)> {
    let held = Arc::clone(keys);
    let (used, actor) = db
        .read(origin.clone(), move |read| {
            let used = match (&door, visitor) {
                (Door::Machine(_), visitor) => by_machine_token(&held, read, &visitor)?,
                (_, Visitor::CommandLine { system_user }) => Used { principal: Principal::CommandLine { system_user }, touch: None },
                (_, Visitor::Network(shown)) => principal(&held, read, &shown)?,
                // What is inside a workspace is nobody elsewhere.
                (_, Visitor::Workspace { .. }) => return Err(invalid()),
            };
            let actor = actors::load(read, &used.principal)?;
            admit(read, &actor, door)?;
            Ok((used, actor))
        })
        .await?;
    if let Some(touch) = used.touch {
        note_use(db.clone(), touch, origin);
    }
    Ok((used.principal, actor))
}

fn admit(read: &Read<'_>, actor: &Actor, door: Door) -> Result<()> {
    let (action, before_password_change, resource) = match door {
        Door::Action { ticket_follows: true, .. } if matches!(actor, Actor::Anonymous) => return Ok(()),
        Door::Action { action, before_password_change, resource, .. } => (action, before_password_change, resource),
        Door::Machine(action) => (action, false, "system".to_owned()),
        Door::Open => return Ok(()),
    };
    if actor.user().is_some_and(|u| u.must_change_password) && !before_password_change {
        return Err(Error::PasswordChangeRequired);
    }
    if could_ever(actor, action) { Ok(()) } else { Err(read.refuse(actor, action, resource)) }
}

fn note_use(db: Db, touch: Touch, origin: Origin) {
    tokio::spawn(async move {
        let address = origin.address.clone();
        let job = move |tx: &Tx<'_>| match touch {
            Touch::Session(session) => sessions::touch(tx, &session, tx.now().plus(super::session::IDLE)),
            Touch::Token(token) => api_tokens::touch(tx, &token, &address, TOKEN_TOUCH),
        };
        if let Err(error) = db.write(origin, job).await {
            tracing::debug!(%error, "the last use of a credential was not noted");
        }
    });
}

/// Who is calling. Nothing shown is nobody; something that does not hold is an error, not nobody.
fn principal(keys: &Keys, read: &Read<'_>, shown: &Shown) -> Result<Used> {
    match (&shown.bearer, &shown.cookie) {
        (Some(token), _) if token.starts_with(API_TOKEN_PREFIX) => by_api_token(read, token),
        (Some(token), _) => by_access_token(keys, read, token),
        (None, Some(cookie)) => by_cookie(read, cookie),
        (None, None) => Ok(Used { principal: Principal::Anonymous, touch: None }),
    }
}

fn by_access_token(keys: &Keys, read: &Read<'_>, token: &str) -> Result<Used> {
    let subject = access::read(token, &keys.access_keyring(), keys.issuer(), read.now()).map_err(|_| invalid())?;
    let session = sessions::find(read, &subject.session)?.filter(|s| s.user_id == subject.user).ok_or_else(invalid)?;
    if sessions::token_version(read, &subject.user)? != Some(subject.token_version) {
        return Err(invalid());
    }
    let principal = Principal::User { id: subject.user, credential: Credential::Access(session.id), signed_in_at: session.signed_in_at };
    Ok(Used { principal, touch: None })
}

fn by_api_token(read: &Read<'_>, token: &str) -> Result<Used> {
    let (mark, hash) = api::presented(token).ok_or_else(invalid)?;
    let held = api_tokens::find_live(read, mark)?.filter(|held| held.hash == hash).ok_or_else(invalid)?;
    let is_due = held.last_used_at.is_none_or(|at| read.now().since(at) >= TOKEN_TOUCH);
    let touch = is_due.then(|| Touch::Token(held.id.clone()));
    let principal = Principal::User { id: held.user_id, credential: Credential::ApiToken(held.id), signed_in_at: held.created_at };
    Ok(Used { principal, touch })
}

/// The workspace that shows its machine token. Over a workspace's own connection only the token of that run will do.
fn by_machine_token(keys: &Keys, read: &Read<'_>, visitor: &Visitor) -> Result<Used> {
    let (shown, within) = match visitor {
        Visitor::Network(shown) => (shown, None),
        Visitor::Workspace { shown, workspace, run } => (shown, Some((workspace, *run))),
        Visitor::CommandLine { .. } => return Err(invalid()),
    };
    let Some(token) = &shown.bearer else {
        return Err(if shown.cookie.is_some() { invalid() } else { Error::Unauthenticated(Unauthenticated::NoToken) });
    };
    let subject = machine::read(token, &keys.machine_keyring(), keys.issuer(), read.now()).map_err(|_| invalid())?;
    let held = machine_tokens::find(read, &subject.id)?.ok_or_else(invalid)?;
    let bound = held.grant.workspace == subject.workspace && held.grant.user == subject.user;
    let here = within.is_none_or(|(workspace, run)| *workspace == subject.workspace && run == held.run);
    if !bound || !here {
        return Err(invalid());
    }
    Ok(Used { principal: Principal::Machine { token: subject.id, workspace: subject.workspace, run: held.run }, touch: None })
}

fn by_cookie(read: &Read<'_>, cookie: &str) -> Result<Used> {
    let hash: TokenHash = presented(SESSION_PREFIX, cookie).ok_or_else(invalid)?;
    let session = sessions::find_by_secret(read, hash.as_bytes())?.ok_or_else(invalid)?;
    let touch = (read.now().since(session.last_used_at) >= super::session::TOUCH).then(|| Touch::Session(session.id.clone()));
    let principal = Principal::User { id: session.user_id, credential: Credential::Cookie(session.id), signed_in_at: session.signed_in_at };
    Ok(Used { principal, touch })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn a_bearer_wins_over_a_cookie() {
        let shown = Shown::of(&headers(&[("cookie", "a=1; codex_sid=s"), ("authorization", "Bearer t")]), "codex_sid").unwrap();
        assert!(!shown.by_cookie());
        assert_eq!(shown.bearer.as_deref(), Some("t"));
    }

    #[test]
    fn two_authorizations_an_empty_one_and_a_huge_one_are_refused() {
        assert!(Shown::of(&headers(&[("authorization", "Bearer a"), ("authorization", "Bearer b")]), "c").is_err());
        assert!(Shown::of(&headers(&[("authorization", "Bearer ")]), "c").is_err());
        assert!(Shown::of(&headers(&[("authorization", &format!("Bearer {}", "x".repeat(9_000)))]), "c").is_err());
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        assert_eq!(cookie_value("xcodex_sid=1; codex_sid=2", "codex_sid").as_deref(), Some("2"));
    }
}
