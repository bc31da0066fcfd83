//! The agent's way to the server: one HTTP/2 connection, opened by the server and then used the other way round.
//!
//! A workspace has no address of the server and no network to reach it by. So the server connects, as it does for a
//! terminal, asks for `POST /v1/uplink`, and after the upgrade the roles turn: this side asks, the server answers. The
//! connection itself says which workspace is asking. Many requests and tunnels share it; each has a window of its own,
//! so that one that nobody reads does not hold up the others.
//!
//! The newest connection wins: a server that comes back after a break may be faster than the news of the break.

use crate::agent::http::{Answer, Body, body, refuse};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::header::{CONNECTION, UPGRADE};
use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use hyper::upgrade::Upgraded;
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::io;
use std::time::Duration;
use tokio::sync::watch;

/// The protocol's name in the upgrade.
pub const PROTOCOL: &str = "codex-uplink";

/// How long a request waits for the server to be connected.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the server may take to begin its answer: longer than it takes to give up on a slow target.
const ANSWER: Duration = Duration::from_secs(60);
/// How much one stream may send before this side has read it, in bytes: a bulk download never waits for the reader.
const STREAM_WINDOW: u32 = 512 * 1024;
/// The same for all streams together: streams that nobody reads stop themselves long before they stop the others.
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;
/// How much of an upload is kept ready for the connection, in bytes.
const SEND_BUFFER: usize = 256 * 1024;
/// How often a silent server is asked whether it is still there, and how long it may take to say so.
const PING: Duration = Duration::from_secs(20);
/// The longest text of a refusal that is read, in bytes.
const REFUSAL: usize = 4 * 1024;

type Sender = SendRequest<Body>;

/// The handle on the connection to the server, there or not. Cheap to clone.
#[derive(Clone)]
pub struct Uplink(watch::Sender<Option<Sender>>);

/// A tunnel through the server, to be read and written.
pub type Tunnel = TokioIo<Upgraded>;

/// Why there is no tunnel.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The server said no: its status, and the body of its answer (JSON with `code` and `message`).
    #[error("the server refused: {status}")]
    Refused { status: StatusCode, body: Bytes },
    /// The server is not connected, or the connection broke.
    #[error(transparent)]
    Broken(#[from] io::Error),
}

impl From<ConnectError> for io::Error {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Broken(error) => error,
            refused @ ConnectError::Refused { .. } => Self::new(io::ErrorKind::ConnectionRefused, refused.to_string()),
        }
    }
}

impl Default for Uplink {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Uplink {
    /// Asks the server. The address needs a path only; the head of the answer must come within a minute, the body may
    /// take as long as it wants.
    pub async fn request(&self, mut request: Request<Body>) -> io::Result<Response<Incoming>> {
        *request.uri_mut() = absolute(request.uri())?;
        let mut sender = self.sender().await?;
        let answer = async {
            sender.ready().await.map_err(broken)?;
            sender.send_request(request).await.map_err(broken)
        };
        tokio::time::timeout(ANSWER, answer).await.map_err(|_| timed_out("the server did not answer within a minute"))?
    }

    /// Opens a tunnel to `host:port` through the server.
    pub async fn connect(&self, authority: &str) -> Result<Tunnel, ConnectError> {
        let authority: Authority = authority.parse().map_err(|_| invalid("a tunnel needs host:port"))?;
        let mut uri = hyper::http::uri::Parts::default();
        uri.authority = Some(authority);
        let mut request = Request::new(body(Bytes::new()));
        *request.method_mut() = Method::CONNECT;
        *request.uri_mut() = Uri::from_parts(uri).map_err(|_| invalid("a tunnel needs host:port"))?;
        let mut sender = self.sender().await?;
        let asked = async {
            sender.ready().await.map_err(broken)?;
            sender.send_request(request).await.map_err(broken)
        };
        let answer = tokio::time::timeout(ANSWER, asked).await.map_err(|_| timed_out("the server did not connect within a minute"))??;
        let status = answer.status();
        if !status.is_success() {
            let body = Limited::new(answer.into_body(), REFUSAL).collect().await.map(http_body_util::Collected::to_bytes);
            return Err(ConnectError::Refused { status, body: body.unwrap_or_default() });
        }
        Ok(TokioIo::new(hyper::upgrade::on(answer).await.map_err(broken)?))
    }

    /// Whether the server is connected now.
    pub fn is_connected(&self) -> bool {
        self.0.borrow().as_ref().is_some_and(|sender| !sender.is_closed())
    }

    /// For [`Connections::next`].
    pub fn connections(&self) -> Connections {
        let mut receiver = self.0.subscribe();
        receiver.mark_changed();
        Connections { receiver, _uplink: self.clone() }
    }

    async fn sender(&self) -> io::Result<Sender> {
        let mut current = self.0.subscribe();
        let open = |sender: &Option<Sender>| sender.as_ref().is_some_and(|sender| !sender.is_closed());
        let found = tokio::time::timeout(PATIENCE, current.wait_for(open)).await;
        let found = found.ok().and_then(Result::ok).and_then(|sender| sender.clone());
        found.ok_or_else(|| io::Error::new(io::ErrorKind::NotConnected, "the server is not connected to this workspace"))
    }

    /// Uses a connection that the server has turned over, until it ends.
    async fn hold(&self, upgraded: Upgraded) {
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(SEND_BUFFER)
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING)
            .keep_alive_while_idle(true);
        let Ok((sender, connection)) = builder.handshake(upgraded).await else { return };
        self.0.send_replace(Some(sender));
        let _ = connection.await;
        // Another connection may have taken its place meanwhile; that one is open.
        self.0.send_if_modified(|current| {
            let is_over = current.as_ref().is_some_and(SendRequest::is_closed);
            if is_over {
                *current = None;
            }
            is_over
        });
    }
}

/// Follows the connections of the server, one after the other.
pub struct Connections {
    receiver: watch::Receiver<Option<Sender>>,
    /// Keeps the channel open.
    _uplink: Uplink,
}

impl Connections {
    /// Waits for a connection that was not told of before; the one that is there counts.
    pub async fn next(&mut self) {
        loop {
            let _ = self.receiver.changed().await;
            if self.receiver.borrow_and_update().as_ref().is_some_and(|sender| !sender.is_closed()) {
                return;
            }
        }
    }
}

/// Answers the server's wish to turn the connection round.
pub(super) fn accept(uplink: &Uplink, mut request: Request<Incoming>) -> Answer {
    let named = request.headers().get(UPGRADE).is_some_and(|v| v.as_bytes() == PROTOCOL.as_bytes());
    if !named {
        return refuse(StatusCode::UPGRADE_REQUIRED, "upgrade_expected", "this route turns a connection round");
    }
    let (uplink, upgrade) = (uplink.clone(), hyper::upgrade::on(&mut request));
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            uplink.hold(upgraded).await;
        }
    });
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, PROTOCOL)
        .body(body(Bytes::new()))
        .unwrap_or_default()
}

/// HTTP/2 asks for a scheme and a name; there is only one server at the other end.
fn absolute(uri: &Uri) -> io::Result<Uri> {
    let mut parts = hyper::http::uri::Parts::default();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(Authority::from_static("server"));
    parts.path_and_query = Some(uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")));
    Uri::from_parts(parts).map_err(|_| invalid("the address of a request needs a path"))
}

fn broken(error: hyper::Error) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, error)
}

fn invalid(words: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, words)
}

fn timed_out(words: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, words)
}
