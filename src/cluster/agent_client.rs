//! The server's side of a connection to an agent: opens terminals, lists and ends them.
//!
//! Works over any byte stream that [`ClusterView::connect`](crate::cluster::ClusterView::connect) gives. Each call
//! opens its connection with one ticket, which the agent accepts once.

use crate::agent::forward::{self, OwnWords};
use crate::cluster::ByteStream;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Empty, Full, Limited};
use hyper::header::{AUTHORIZATION, CONNECTION, HOST, UPGRADE};
use hyper::upgrade::Upgraded;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, http::HeaderValue};

/// The longest answer that is read, in bytes.
const LONGEST_ANSWER: usize = 256 * 1024;

/// A terminal's socket. Binary messages are terminal bytes, text messages are the agent's `protocol`.
pub type TerminalSocket = WebSocketStream<Box<dyn ByteStream>>;

/// Why an agent did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgentError {
    /// It answered with a refusal: HTTP status, stable code, words.
    #[error("{message}")]
    Refused { status: u16, code: String, message: String },
    /// The connection broke, or what came was not understood.
    #[error("the agent did not answer: {0}")]
    Broken(String),
}

/// One terminal, as the agent lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentSession {
    pub session: String,
    /// Milliseconds since 1970.
    pub started_at: i64,
    pub cols: u16,
    pub rows: u16,
    /// How many clients are attached.
    pub attached: usize,
}

/// Which terminal to open, and how much of it the client has already.
#[derive(Debug, Clone, Copy, Default)]
pub struct Opening<'a> {
    /// `^[a-z0-9-]{1,32}$`; made where there is none of this name.
    pub session: &'a str,
    /// Offset up to which the client has the output.
    pub since: Option<u64>,
    /// The `started` of the `hello` that `since` belongs to, where the client kept it.
    pub started: Option<i64>,
    /// Columns and rows, so that a new program starts with the right size.
    pub size: Option<(u16, u16)>,
}

#[derive(Deserialize)]
struct Refusal {
    code: String,
    message: String,
}

/// Attaches to a terminal, or starts it.
pub async fn open_terminal(stream: Box<dyn ByteStream>, ticket: &str, opening: &Opening<'_>) -> Result<TerminalSocket, AgentError> {
    let mut uri = format!("ws://agent/v1/term?session={}", opening.session);
    for (name, value) in [("since", opening.since.map(|v| v.to_string())), ("started", opening.started.map(|v| v.to_string()))] {
        if let Some(value) = value {
            uri.push_str(&format!("&{name}={value}"));
        }
    }
    if let Some((cols, rows)) = opening.size {
        uri.push_str(&format!("&cols={cols}&rows={rows}"));
    }
    let mut request = uri.into_client_request().map_err(|e| broken(&e))?;
    request.headers_mut().insert("authorization", bearer(ticket)?);
    let limits = WebSocketConfig::default().read_buffer_size(16 * 1024).write_buffer_size(0);
    match tokio_tungstenite::client_async_with_config(request, stream, Some(limits)).await {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::Error::Http(response)) => {
            let status = response.status().as_u16();
            Err(refusal(status, response.body().as_deref().unwrap_or_default()))
        }
        Err(error) => Err(broken(&error)),
    }
}

/// The terminals of the workspace.
pub async fn list_sessions(stream: Box<dyn ByteStream>, ticket: &str) -> Result<Vec<AgentSession>, AgentError> {
    let body = ask(stream, Some(ticket), Method::GET, "/v1/term/sessions").await?;
    serde_json::from_slice(&body).map_err(|e| broken(&e))
}

/// Ends a terminal and its program; `Refused` with status 404 where there is none of this name.
pub async fn end_session(stream: Box<dyn ByteStream>, ticket: &str, session: &str) -> Result<(), AgentError> {
    ask(stream, Some(ticket), Method::DELETE, &format!("/v1/term/sessions/{session}")).await.map(drop)
}

/// Whether the agent answers; needs no ticket.
pub async fn is_ready(stream: Box<dyn ByteStream>) -> Result<(), AgentError> {
    ask(stream, None, Method::GET, "/v1/health").await.map(drop)
}

/// What the agent says of itself: uptime, terminals, last input. A hint, because the workspace could forge it.
pub async fn status(stream: Box<dyn ByteStream>, ticket: &str) -> Result<serde_json::Value, AgentError> {
    let body = ask(stream, Some(ticket), Method::GET, "/v1/status").await?;
    serde_json::from_slice(&body).map_err(|e| broken(&e))
}

/// Tells the agent whom to trust from now on: a JWKS document. The ticket must be of a key that it trusts still.
pub async fn renew_trust(stream: Box<dyn ByteStream>, ticket: &str, jwks: &str) -> Result<(), AgentError> {
    ask_with(stream, Some(ticket), Method::PUT, "/v1/keys", Full::new(Bytes::from(jwks.to_owned()))).await.map(drop)
}

/// The name of the protocol that a connection is turned round to.
const UPLINK: &str = "codex-uplink";

/// Why an agent did not reach an app, in its own words.
#[derive(Debug)]
pub struct AppRefusal {
    pub status: u16,
    /// See `agent::forward`.
    pub code: String,
    pub words: OwnWords,
}

/// Why there is no connection to an app.
#[derive(Debug)]
pub enum Unreached {
    Refused(AppRefusal),
    /// The connection broke, or what came was not understood.
    Broken(String),
}

impl From<AgentError> for Unreached {
    fn from(error: AgentError) -> Self {
        Self::Broken(error.to_string())
    }
}

/// Turns a connection round: from here on the agent asks in HTTP/2 and the server answers.
pub async fn turn_round(stream: Box<dyn ByteStream>, ticket: &str) -> Result<Upgraded, AgentError> {
    match change(stream, ticket, "/v1/uplink", UPLINK).await? {
        Changed::Yes(upgraded) => Ok(upgraded),
        Changed::No(status, body) => Err(refusal(status, &body)),
    }
}

/// Turns a connection into one to an app: from here on the app answers, as if it had been dialled. `path` is the
/// agent's own, as `/v1/app/code` or `/v1/port/3000`.
pub async fn reach_app(stream: Box<dyn ByteStream>, ticket: &str, path: &str) -> Result<Box<dyn ByteStream>, Unreached> {
    let upgraded = match change(stream, ticket, path, forward::PROTOCOL).await? {
        Changed::Yes(upgraded) => upgraded,
        Changed::No(status, body) => {
            let code = serde_json::from_slice::<Refusal>(&body).map(|refusal| refusal.code).unwrap_or_default();
            let words = serde_json::from_slice(&body).unwrap_or_default();
            return Err(Unreached::Refused(AppRefusal { status, code, words }));
        }
    };
    let parts = upgraded.downcast::<TokioIo<Box<dyn ByteStream>>>().map_err(|_| broken(&"the connection is not what it was"))?;
    if !parts.read_buf.is_empty() {
        return Err(broken(&"the app spoke before it was asked").into());
    }
    Ok(parts.io.into_inner())
}

/// What came of the wish to make something else of a connection.
enum Changed {
    Yes(Upgraded),
    /// Status and body of the refusal.
    No(u16, Bytes),
}

/// Opens a connection with a request to make something else of it.
async fn change(stream: Box<dyn ByteStream>, ticket: &str, path: &str, protocol: &str) -> Result<Changed, AgentError> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(HOST, "agent")
        .header(AUTHORIZATION, bearer(ticket)?)
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, protocol)
        .body(Empty::<Bytes>::new())
        .map_err(|e| broken(&e))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| broken(&e))?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|e| broken(&e))?;
        let status = response.status();
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return hyper::upgrade::on(response).await.map(Changed::Yes).map_err(|e| broken(&e));
        }
        let body = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await.map_err(|e| broken(&e))?.to_bytes();
        Ok(Changed::No(status.as_u16(), body))
    };
    // The connection moves while it is polled, and ends by handing the bytes over.
    let connection: BoxFuture<'static, hyper::Result<()>> = Box::pin(connection.with_upgrades());
    tokio::pin!(exchange);
    tokio::select! {
        biased;
        done = &mut exchange => done,
        _ = connection => exchange.await,
    }
}

async fn ask(stream: Box<dyn ByteStream>, ticket: Option<&str>, method: Method, path: &str) -> Result<Bytes, AgentError> {
    ask_with(stream, ticket, method, path, Full::default()).await
}

async fn ask_with(
    stream: Box<dyn ByteStream>,
    ticket: Option<&str>,
    method: Method,
    path: &str,
    body: Full<Bytes>,
) -> Result<Bytes, AgentError> {
    let mut request = Request::builder().method(method).uri(path).header(HOST, "agent");
    if let Some(ticket) = ticket {
        request = request.header(AUTHORIZATION, bearer(ticket)?);
    }
    let request = request.body(body).map_err(|e| broken(&e))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| broken(&e))?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|e| broken(&e))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await.map_err(|e| broken(&e))?.to_bytes();
        if status == StatusCode::OK || status == StatusCode::ACCEPTED { Ok(body) } else { Err(refusal(status.as_u16(), &body)) }
    };
    // The connection only moves while it is polled, and is dropped with this call.
    let mut connection = Box::pin(connection.map(|ended| broken(&format!("the connection ended ({ended:?})"))));
    tokio::pin!(exchange);
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        error = &mut connection => exchange.now_or_never().unwrap_or(Err(error)),
    }
}

fn bearer(ticket: &str) -> Result<HeaderValue, AgentError> {
    let mut value = HeaderValue::try_from(format!("Bearer {ticket}")).map_err(|e| broken(&e))?;
    value.set_sensitive(true);
    Ok(value)
}

fn refusal(status: u16, body: &[u8]) -> AgentError {
    match serde_json::from_slice::<Refusal>(body) {
        Ok(Refusal { code, message }) => AgentError::Refused { status, code, message },
        Err(_) => AgentError::Refused { status, code: "refused".to_owned(), message: format!("the agent answered {status}") },
    }
}

fn broken(error: &dyn std::fmt::Display) -> AgentError {
    AgentError::Broken(error.to_string())
}
