//! `/api/workspaces/{id}/terminal` and what belongs to it: the socket, its tickets, the list of open terminals.

use super::fields::{text, word};
use super::handler::{RawExchange, Reply, Request};
use super::origin_check;
use super::workspaces::{gateway, named};
use crate::clock::Millis;
use crate::domain::field::FieldRule;
use crate::domain::names::Reason;
use crate::error::{Error, Missing, Result};
use crate::gateway::terminal::{self, TerminalWish, is_session_name};
use crate::ops::terminal as entering;
use crate::policy::{Credential, Principal};
use secrecy::ExposeSecret;
use serde::Serialize;

/// A ticket for one socket.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TicketView {
    /// Goes into the first frame: `{"t":"auth","ticket":"…"}`. It works once.
    pub ticket: String,
    /// RFC 3339.
    pub expires_at: String,
}

/// What a ticket is wanted for.
#[derive(Debug, utoipa::ToSchema)]
#[allow(dead_code)] // decoded field by field, so that every problem is told at once
pub struct TicketBody {
    /// `terminal`.
    r#for: String,
    /// Asked of platform admins who enter somebody else's workspace; the owner is told.
    reason: Option<String>,
}

/// One open terminal.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TerminalView {
    pub session: String,
    /// RFC 3339.
    pub started_at: String,
    pub cols: u16,
    pub rows: u16,
    /// How many are connected to it.
    pub attached: usize,
}

fn is_by_cookie(request: &Request) -> bool {
    matches!(&request.caller.principal, Principal::User { credential: Credential::Cookie(_), .. })
}

fn wish(request: &Request) -> Result<(TerminalWish, bool)> {
    let query = request.query();
    let rule = || FieldRule::new("invalid", "Use 1 to 32 lower-case letters, digits and hyphens.");
    let session = query.optional("session", |t| if is_session_name(t) { Ok(t.to_owned()) } else { Err(rule()) });
    let since = query.integer("since", 0, i64::MAX).and_then(|n| u64::try_from(n).ok());
    let started = query.integer("started", 0, i64::MAX);
    let cols = query.integer("cols", 1, 1_000).and_then(|n| u16::try_from(n).ok());
    let rows = query.integer("rows", 1, 1_000).and_then(|n| u16::try_from(n).ok());
    let ways = |t: &str| if t == "ticket" { Ok(()) } else { Err(FieldRule::new("invalid", "Allowed is ticket.")) };
    let by_ticket = query.optional("auth", ways).is_some();
    query.finish()?;
    let session = session.unwrap_or_else(|| "main".to_owned());
    Ok((TerminalWish { session, since, started, size: cols.zip(rows) }, by_ticket))
}

/// The socket. Without a credential, or with `auth=ticket`, the first frame must show a ticket.
pub async fn open(request: Request) -> Result<Reply> {
    let (wish, by_ticket) = wish(&request)?;
    let id = named(&request)?;
    origin_check::check_socket(&request.app.transport, &request.headers, is_by_cookie(&request))?;
    let gateway = gateway(&request.app);
    let raw = request.raw.ok_or_else(|| Error::field("Upgrade", "required", "This address is a WebSocket."))?;
    let RawExchange { request: handshake, payload } = raw;
    let response = if by_ticket || matches!(request.caller.principal, Principal::Anonymous) {
        terminal::open_by_ticket(gateway, request.caller.origin, id, wish, &handshake, payload)?
    } else {
        terminal::open(gateway, request.caller, id, wish, &handshake, payload).await?
    };
    Ok(Reply::upgraded(response))
}

pub async fn ticket(request: Request) -> Result<Reply> {
    request.query().finish()?;
    let mut fields = request.fields()?;
    let purpose = fields.required("for", word(|t| (t == "terminal").then_some(()), "terminal"));
    let reason = fields.optional("reason", text(Reason::parse)).map(Reason::into_string);
    let reason = fields.build(|| purpose.map(|()| reason))?;
    let made = entering::ticket(&request.app.ops, &request.caller, named(&request)?, reason).await?;
    Reply::created(&TicketView { ticket: made.secret.expose_secret().to_owned(), expires_at: made.expires_at.rfc3339() })
}

pub async fn list(request: Request) -> Result<Reply> {
    request.query().finish()?;
    let open = terminal::list(&gateway(&request.app), &request.caller, named(&request)?).await?;
    let views: Vec<TerminalView> = open
        .into_iter()
        .map(|one| TerminalView {
            session: one.session,
            started_at: Millis(one.started_at).rfc3339(),
            cols: one.cols,
            rows: one.rows,
            attached: one.attached,
        })
        .collect();
    Reply::ok(&views)
}

pub async fn end(request: Request) -> Result<Reply> {
    request.query().finish()?;
    let session = request.param("session")?.to_owned();
    if !is_session_name(&session) {
        return Err(Error::NotFound(Missing::Terminal));
    }
    terminal::end(&gateway(&request.app), &request.caller, named(&request)?, &session).await?;
    Ok(Reply::none())
}
