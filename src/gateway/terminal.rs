//! Terminals: a socket of the UI's own origin, bridged to the agent of one run of one workspace.
//!
//! Who shows a credential in the handshake is answered before the socket opens; who cannot (a script in a browser, a
//! client without headers) shows a socket ticket in the first frame. The right is asked for again every minute, and a
//! connection ends within a second when a sign-in, a right or the workspace itself ends.

use super::bridge::{self, Pass};
use super::{Gateway, agent_refused};
use crate::cluster::agent_client::{self, AgentSession, Opening};
use crate::domain::id::WorkspaceId;
use crate::error::{Error, Result, Unauthenticated};
use crate::events::{Belongs, Live};
use crate::ops::terminal::{self as entering, Entrance};
use crate::ops::{Caller, Origin};
use actix_web::{HttpRequest, HttpResponse, web};
use actix_ws::{Message, MessageStream, Session};
use futures_util::StreamExt;
use std::time::Duration;

/// The longest message a client may send, in bytes: as much as an agent takes.
const LONGEST_INPUT: usize = 1024 * 1024;
/// How long a client may take to show its ticket.
const FIRST_FRAME: Duration = Duration::from_secs(10);
/// The longest first frame, in bytes.
const LONGEST_FIRST_FRAME: usize = 1024;

/// Which terminal a client wants, and how much of it it has already.
#[derive(Debug, Clone)]
pub struct TerminalWish {
    /// `^[a-z0-9-]{1,32}$`.
    pub session: String,
    pub since: Option<u64>,
    pub started: Option<i64>,
    /// Columns and rows.
    pub size: Option<(u16, u16)>,
}

/// Whether a text may name a terminal: `^[a-z0-9-]{1,32}$`.
pub fn is_session_name(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Opens a socket for somebody whom the handshake has shown. Every refusal comes before the socket.
pub async fn open(
    gateway: Gateway,
    caller: Caller,
    id: WorkspaceId,
    wish: TerminalWish,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let (pass, live) = admit(&gateway, caller, id, None).await?;
    let (response, socket, stream) = upgrade(request, payload)?;
    let stream = stream.max_frame_size(LONGEST_INPUT);
    actix_web::rt::spawn(async move { bridge::run(gateway, pass, live, &wish, socket, stream).await });
    Ok(response)
}

/// Opens a socket for whoever shows a ticket in the first frame.
pub fn open_by_ticket(
    gateway: Gateway,
    origin: Origin,
    id: WorkspaceId,
    wish: TerminalWish,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let (response, socket, stream) = upgrade(request, payload)?;
    let mut stream = stream.max_frame_size(LONGEST_INPUT);
    actix_web::rt::spawn(async move {
        match by_first_frame(&gateway, origin, id, &mut stream).await {
            Ok((pass, live)) => bridge::run(gateway, pass, live, &wish, socket, stream).await,
            Err(error) => bridge::refuse(socket, &error).await,
        }
    });
    Ok(response)
}

fn upgrade(request: &HttpRequest, payload: web::Payload) -> Result<(HttpResponse, Session, MessageStream)> {
    actix_ws::handle(request, payload)
        .map_err(|e| Error::field("Upgrade", "invalid", format!("This address is a WebSocket, and the handshake was not understood: {e}.")))
}

/// Asks for the way in, and makes the connection known to those who end connections. The order matters: what is taken
/// away between the first answer and the registration is found by asking again.
async fn admit(gateway: &Gateway, caller: Caller, id: WorkspaceId, reason: Option<String>) -> Result<(Pass, Live)> {
    let entrance = entering::enter(&gateway.ops, &caller, id, reason.clone()).await?;
    let live = gateway.ops.bus.register(Belongs {
        user: Some(entrance.user.clone()),
        session: entrance.session.clone(),
        token: entrance.token.clone(),
        workspace: Some(entrance.workspace.clone()),
        group: Some(entrance.group.clone()),
    });
    entering::recheck(&gateway.ops, &caller, &entrance, reason.clone()).await?;
    Ok((Pass { caller, entrance, reason }, live))
}

#[derive(serde::Deserialize)]
struct FirstFrame {
    t: String,
    ticket: String,
}

async fn by_first_frame(gateway: &Gateway, origin: Origin, id: WorkspaceId, stream: &mut MessageStream) -> Result<(Pass, Live)> {
    let refused = || Error::Unauthenticated(Unauthenticated::NoToken);
    let first = tokio::time::timeout(FIRST_FRAME, first_text(stream)).await.map_err(|_| refused())?.ok_or_else(refused)?;
    let frame: FirstFrame = serde_json::from_str(&first).map_err(|_| refused())?;
    if frame.t != "auth" {
        return Err(refused());
    }
    let (caller, reason) = entering::redeem(&gateway.ops, origin, id.clone(), &frame.ticket).await?;
    admit(gateway, caller, id, reason).await
}

/// The first frame, if it is a short text.
async fn first_text(stream: &mut MessageStream) -> Option<String> {
    while let Some(Ok(message)) = stream.next().await {
        match message {
            Message::Ping(_) | Message::Pong(_) => {}
            Message::Text(text) if text.len() <= LONGEST_FIRST_FRAME => return Some(text.to_string()),
            _ => return None,
        }
    }
    None
}

/// The terminals of a workspace; none where nothing runs.
pub async fn list(gateway: &Gateway, caller: &Caller, id: WorkspaceId) -> Result<Vec<AgentSession>> {
    let Some(entrance) = entering::look(&gateway.ops, caller, id).await? else { return Ok(Vec::new()) };
    let opened = gateway.open(&entrance).await?;
    agent_client::list_sessions(opened.stream, &opened.ticket).await.map_err(agent_refused)
}

/// Ends a terminal and the program in it.
pub async fn end(gateway: &Gateway, caller: &Caller, id: WorkspaceId, session: &str) -> Result<()> {
    let missing = Error::NotFound(crate::error::Missing::Terminal);
    let Some(entrance) = entering::look(&gateway.ops, caller, id).await? else { return Err(missing) };
    if !entrance.own {
        let opened = gateway.open(&entrance).await?;
        let there = agent_client::list_sessions(opened.stream, &opened.ticket).await.map_err(agent_refused)?;
        if !there.iter().any(|one| one.session == session) {
            return Err(missing);
        }
        entering::ends_anothers(&gateway.ops, caller, &entrance, session).await?;
    }
    let opened = gateway.open(&entrance).await?;
    agent_client::end_session(opened.stream, &opened.ticket, session).await.map_err(agent_refused)
}

/// Connects to the agent.
pub(super) async fn attach(gateway: &Gateway, entrance: &Entrance, wish: &TerminalWish) -> Result<agent_client::TerminalSocket> {
    let opened = gateway.open(entrance).await?;
    let opening = Opening { session: &wish.session, since: wish.since, started: wish.started, size: wish.size };
    agent_client::open_terminal(opened.stream, &opened.ticket, &opening).await.map_err(agent_refused)
}
