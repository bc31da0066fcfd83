//! From the server to an app of the workspace: HTTP in both directions, and whatever an upgrade makes of a connection.
//!
//! The target is a socket that this agent names or a loopback port, never a host from the request. Of the address only
//! the agent's own beginning is taken away; what follows reaches the app byte for byte, because every reader would
//! normalise it differently. Connections to apps are kept for a while, as connections to the agent are. Bodies pass
//! frame by frame, so that whoever is slow slows the other side down.

use crate::agent::apps::{Address, Apps, Unready};
use crate::agent::hops;
use crate::agent::http::{Answer, answer, body, refuse};
use crate::domain::agent::AgentOrder;
use crate::domain::app::{App, Listen};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONNECTION, HeaderName, HeaderValue, UPGRADE};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::json;
use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::Instant;

/// Says that an answer is the agent's own, not the app's; holds the code of the refusal.
pub const OWN_ANSWER: HeaderName = HeaderName::from_static("codex-agent");
/// A port on which nothing listens yet, or not any more.
pub const NOT_LISTENING: &str = "not_listening";
/// An app that was started by this request, or a moment ago: ask again.
pub const APP_STARTING: &str = "app_starting";
/// An app whose program is not there.
pub const APP_MISSING: &str = "app_missing";
/// An app that ended again and again.
pub const APP_FAILED: &str = "app_failed";

/// What an answer of the agent's own says besides its code, in its body.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct OwnWords {
    /// For people, one or two sentences.
    pub message: String,
    /// What the app is called.
    pub name: String,
    /// What to do where it is missing.
    pub hint: String,
}

/// How long an unused connection to an app is kept: shorter than common servers keep theirs.
const KEPT: Duration = Duration::from_secs(4);
/// How many unused connections to one app are kept.
const KEPT_MOST: usize = 64;
/// How long a request waits for an app that it started: as long as an editor usually takes, and short enough that a
/// person then sees why they wait.
const START: Duration = Duration::from_secs(4);
/// How long an app may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a kept connection may take to be ready for the next request.
const READY: Duration = Duration::from_millis(50);
/// Bytes that wait in each direction of an upgraded connection.
const TUNNEL_BUFFER: usize = 16 * 1024;

/// Where a request goes.
struct Aim {
    target: Address,
    /// The app that listens there, where it is one of ours to start.
    app: Option<String>,
}

/// Why a request did not reach its app.
enum Lost {
    Unready(Unready),
    Broken(io::Error),
}

impl From<io::Error> for Lost {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

type Sender = SendRequest<Incoming>;
type Kept = Mutex<HashMap<Address, Vec<(Sender, Instant)>>>;

/// Knows the apps of this run and the connections to them.
pub struct Forwarder {
    targets: HashMap<String, Address>,
    apps: Arc<Apps>,
    kept: Arc<Kept>,
}

/// The socket on which the agent expects an app of this slug.
pub fn socket_path(order: &AgentOrder, slug: &str) -> PathBuf {
    let runtime = order.env.get("XDG_RUNTIME_DIR").map_or("/tmp", String::as_str);
    PathBuf::from(runtime).join("apps").join(format!("{slug}.sock"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Forwarder {
    pub fn new(order: &AgentOrder, apps: Arc<Apps>) -> Self {
        let target = |listen: Listen, slug: &str| match listen {
            Listen::Unix => Address::Socket(socket_path(order, slug)),
            Listen::Tcp { port } => Address::Port(port),
        };
        let targets = order.apps.iter().map(|app| (app.slug.clone(), target(app.listen, &app.slug))).collect();
        Self { targets, apps, kept: Arc::default() }
    }

    /// `/v1/app/{slug}/…` and `/v1/port/{n}/…`.
    pub async fn forward(&self, request: Request<Incoming>) -> Answer {
        let Some((aim, rest)) = self.aim(&request) else {
            return own(StatusCode::NOT_FOUND, "no_such_app", "there is no such app, or this is no port");
        };
        let app = aim.app.clone();
        match self.exchange(aim, rest, request).await {
            Ok(answer) => answer,
            Err(Lost::Unready(unready)) => not_ready(&unready, app.and_then(|slug| self.apps.recipe(&slug))),
            Err(Lost::Broken(error)) if is_absent(&error) => own(StatusCode::BAD_GATEWAY, NOT_LISTENING, "nothing listens there"),
            Err(Lost::Broken(error)) => own(StatusCode::BAD_GATEWAY, "app_broke_off", &error.to_string()),
        }
    }

    /// Where it goes, and what the app sees of the address: the raw text after the agent's own beginning.
    fn aim(&self, request: &Request<Incoming>) -> Option<(Aim, Uri)> {
        let address = request.uri().path_and_query()?.as_str().strip_prefix("/v1/")?;
        let (kind, address) = address.split_once('/')?;
        let (name, rest) = address.split_at(address.find('/')?);
        let aim = match kind {
            "app" => Aim { target: self.targets.get(name)?.clone(), app: Some(name.to_owned()) },
            "port" => Aim { target: Address::Port(name.parse().ok().filter(|port| *port > 0)?), app: None },
            _ => return None,
        };
        Some((aim, Uri::try_from(rest).ok()?))
    }

    async fn exchange(&self, aim: Aim, rest: Uri, mut request: Request<Incoming>) -> Result<Answer, Lost> {
        let tunnel = hops::is_websocket(request.headers()).then(|| hyper::upgrade::on(&mut request));
        hops::strip(request.headers_mut());
        *request.uri_mut() = rest;
        if tunnel.is_some() {
            upgrade(request.headers_mut());
        }
        let (mut response, sender) = self.send(&aim, request).await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let Some(tunnel) = tunnel else { return Err(io::Error::other("the app changed the protocol unasked").into()) };
            let app = hyper::upgrade::on(&mut response);
            tokio::spawn(async move {
                if let (Ok(server), Ok(app)) = tokio::join!(tunnel, app) {
                    let (mut server, mut app) = (TokioIo::new(server), TokioIo::new(app));
                    let _ = tokio::io::copy_bidirectional_with_sizes(&mut server, &mut app, TUNNEL_BUFFER, TUNNEL_BUFFER).await;
                }
            });
            hops::strip(response.headers_mut());
            upgrade(response.headers_mut());
            return Ok(response.map(|_| body(Bytes::new())));
        }
        hops::strip(response.headers_mut());
        response.headers_mut().remove(OWN_ANSWER);
        let back = Return { kept: Arc::downgrade(&self.kept), target: aim.target, sender: Some(sender) };
        Ok(response.map(|incoming| Passing { body: incoming, back }.boxed_unsync()))
    }

    /// Sends on a kept connection if one still lives, else on a fresh one.
    async fn send(&self, aim: &Aim, mut request: Request<Incoming>) -> Result<(Response<Incoming>, Sender), Lost> {
        while let Some(mut sender) = self.take(&aim.target) {
            // Not ready is also one whose last request is still being sent, though it was answered.
            if !matches!(tokio::time::timeout(READY, sender.ready()).await, Ok(Ok(()))) {
                continue;
            }
            match sender.try_send_request(request).await {
                Ok(response) => return Ok((response, sender)),
                Err(mut refused) => match refused.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(io::Error::other(refused.into_error()).into()),
                },
            }
        }
        let mut sender = self.connect(aim).await?;
        let response = sender.send_request(request).await.map_err(io::Error::other)?;
        Ok((response, sender))
    }

    /// A fresh connection. An app that does not listen is started, and waited for.
    async fn connect(&self, aim: &Aim) -> Result<Sender, Lost> {
        match (connect(&aim.target).await, &aim.app) {
            (Err(error), Some(app)) if is_absent(&error) => {
                self.apps.ready(app, START).await.map_err(Lost::Unready)?;
                Ok(connect(&aim.target).await?)
            }
            (connected, _) => Ok(connected?),
        }
    }

    fn take(&self, target: &Address) -> Option<Sender> {
        let mut kept = lock(&self.kept);
        let senders = kept.get_mut(target)?;
        senders.retain(|(sender, since)| !sender.is_closed() && since.elapsed() < KEPT);
        let found = senders.pop().map(|(sender, _)| sender);
        if senders.is_empty() {
            kept.remove(target);
        }
        found
    }
}

fn own(status: StatusCode, code: &'static str, message: &str) -> Answer {
    marked(refuse(status, code, message), code)
}

fn marked(mut answer: Answer, code: &'static str) -> Answer {
    answer.headers_mut().insert(OWN_ANSWER, HeaderValue::from_static(code));
    answer
}

/// Why an app of the recipe cannot be shown now: besides the code what it is called, what there is to say of it, and
/// what to do where it is missing.
fn not_ready(unready: &Unready, app: Option<&App>) -> Answer {
    let (code, message) = match unready {
        Unready::Unknown => return own(StatusCode::NOT_FOUND, "no_such_app", "there is no such app"),
        Unready::Starting => (APP_STARTING, "the app is starting"),
        Unready::Missing(words) => (APP_MISSING, words.as_str()),
        Unready::Failed(words) => (APP_FAILED, words.as_str()),
    };
    let (name, hint) = app.map_or(("", ""), |app| (app.name.as_str(), app.hint.as_str()));
    marked(answer(StatusCode::SERVICE_UNAVAILABLE, &json!({ "code": code, "message": message, "name": name, "hint": hint })), code)
}

fn upgrade(headers: &mut hyper::HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::TimedOut)
}

async fn connect(target: &Address) -> io::Result<Sender> {
    let connected = async {
        match target {
            Address::Socket(path) => handshake(UnixStream::connect(path).await?).await,
            Address::Port(port) => {
                // A server on `localhost` may listen on one of the two only.
                let stream = match TcpStream::connect((std::net::Ipv4Addr::LOCALHOST, *port)).await {
                    Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                        TcpStream::connect((std::net::Ipv6Addr::LOCALHOST, *port)).await.map_err(|_| error)?
                    }
                    connected => connected?,
                };
                stream.set_nodelay(true)?;
                handshake(stream).await
            }
        }
    };
    tokio::time::timeout(PATIENCE, connected).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn handshake<S>(stream: S) -> io::Result<Sender>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::Builder::new().handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(async move {
        // How it ended is told to whoever waits for the answer.
        let _ = connection.with_upgrades().await;
    });
    Ok(sender)
}

/// Gives a connection back once its answer was read to the end.
struct Return {
    kept: Weak<Kept>,
    target: Address,
    sender: Option<Sender>,
}

impl Return {
    fn give_back(&mut self) {
        let (Some(sender), Some(kept)) = (self.sender.take(), self.kept.upgrade()) else { return };
        let mut kept = lock(&kept);
        let senders = kept.entry(self.target.clone()).or_default();
        if senders.len() < KEPT_MOST {
            senders.push((sender, Instant::now()));
        }
    }
}

/// The app's body on its way to the server.
struct Passing {
    body: Incoming,
    back: Return,
}

impl hyper::body::Body for Passing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() || self.body.is_end_stream() {
            self.back.give_back();
        }
        Poll::Ready(frame.map(|frame| frame.map_err(io::Error::other)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer without a body is over before anybody polls it.
impl Drop for Passing {
    fn drop(&mut self) {
        if self.body.is_end_stream() {
            self.back.give_back();
        }
    }
}
