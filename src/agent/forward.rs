//! From the server to an app of the workspace: a connection that the server opens here is joined to one of the app, and
//! what they say to each other is theirs.
//!
//! The target is a socket that this agent names or a loopback port, never a host from the request. Nothing of HTTP is
//! read here beyond the question itself: the server, which wrote the app's requests anew, speaks with the app as if it
//! had opened the connection, and keeps it for the next request. So an address reaches the app byte for byte, and a
//! request costs this process two reads and two writes.

use crate::agent::apps::{Address, Apps, Unready};
use crate::agent::http::{Answer, answer, body, refuse};
use crate::agent::join::join;
use crate::domain::agent::AgentOrder;
use crate::domain::app::{App, Listen};
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue, UPGRADE};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::json;
use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// What a connection becomes that is joined to an app.
pub const PROTOCOL: &str = "codex-app";
/// A port on which nothing listens yet, or not any more.
pub const NOT_LISTENING: &str = "not_listening";
/// An app that was started by this request, or a moment ago: ask again.
pub const APP_STARTING: &str = "app_starting";
/// An app whose program is not there.
pub const APP_MISSING: &str = "app_missing";
/// An app that ended again and again.
pub const APP_FAILED: &str = "app_failed";

/// What a refusal says besides its code, in its body.
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

/// How long a request waits for an app that it started: as long as an editor usually takes, and short enough that a
/// person then sees why they wait.
const START: Duration = Duration::from_secs(4);
/// How long an app may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long an app may go on after the server has closed its side. The server closes both at once.
const LINGER: Duration = Duration::from_secs(10);

/// Where a connection goes.
struct Aim {
    target: Address,
    /// The app that listens there, where it is one of ours to start.
    app: Option<String>,
}

/// Why an app was not reached.
enum Lost {
    Unready(Unready),
    Broken(io::Error),
}

/// A connection to an app.
enum Connected {
    Socket(UnixStream),
    Port(TcpStream),
}

/// Knows the apps of this run and where they listen.
pub struct Forwarder {
    targets: HashMap<String, Address>,
    apps: Arc<Apps>,
}

/// The socket on which the agent expects an app of this slug.
pub fn socket_path(order: &AgentOrder, slug: &str) -> PathBuf {
    let runtime = order.env.get("XDG_RUNTIME_DIR").map_or("/tmp", String::as_str);
    PathBuf::from(runtime).join("apps").join(format!("{slug}.sock"))
}

impl Forwarder {
    pub fn new(order: &AgentOrder, apps: Arc<Apps>) -> Self {
        let target = |listen: Listen, slug: &str| match listen {
            Listen::Unix => Address::Socket(socket_path(order, slug)),
            Listen::Tcp { port } => Address::Port(port),
        };
        let targets = order.apps.iter().map(|app| (app.slug.clone(), target(app.listen, &app.slug))).collect();
        Self { targets, apps }
    }

    /// `POST /v1/app/{slug}` and `/v1/port/{n}`, with `Upgrade: codex-app`: what follows on this connection is the app's.
    pub async fn forward(&self, mut request: Request<Incoming>) -> Answer {
        let upgrade = request.headers().get(UPGRADE).is_some_and(|protocol| protocol.as_bytes() == PROTOCOL.as_bytes());
        if !upgrade || request.method() != Method::POST {
            return refuse(StatusCode::UPGRADE_REQUIRED, "upgrade_expected", "this route becomes a connection to an app");
        }
        let Some(aim) = self.aim(request.uri().path()) else {
            return refuse(StatusCode::NOT_FOUND, "no_such_app", "there is no such app, or this is no port");
        };
        match self.connect(&aim).await {
            Ok(Connected::Socket(app)) => joined(&mut request, app),
            Ok(Connected::Port(app)) => joined(&mut request, app),
            Err(Lost::Unready(unready)) => not_ready(&unready, aim.app.and_then(|slug| self.apps.recipe(&slug))),
            Err(Lost::Broken(error)) if is_absent(&error) => refuse(StatusCode::BAD_GATEWAY, NOT_LISTENING, "nothing listens there"),
            Err(Lost::Broken(error)) => refuse(StatusCode::BAD_GATEWAY, "app_broke_off", &error.to_string()),
        }
    }

    fn aim(&self, path: &str) -> Option<Aim> {
        let (kind, name) = path.strip_prefix("/v1/")?.split_once('/')?;
        match kind {
            "app" => Some(Aim { target: self.targets.get(name)?.clone(), app: Some(name.to_owned()) }),
            "port" => Some(Aim { target: Address::Port(name.parse().ok().filter(|port| *port > 0)?), app: None }),
            _ => None,
        }
    }

    /// An app that does not listen is started, and waited for.
    async fn connect(&self, aim: &Aim) -> Result<Connected, Lost> {
        match (connect(&aim.target).await, &aim.app) {
            (Err(error), Some(app)) if is_absent(&error) => {
                self.apps.ready(app, START).await.map_err(Lost::Unready)?;
                connect(&aim.target).await.map_err(Lost::Broken)
            }
            (connected, _) => connected.map_err(Lost::Broken),
        }
    }
}

/// Joins the connection of this request to the app's.
fn joined<S>(request: &mut Request<Incoming>, app: S) -> Answer
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let upgrade = hyper::upgrade::on(request);
    tokio::spawn(async move {
        if let Ok(server) = upgrade.await {
            // How it ended, both sides see for themselves.
            let _ = join(TokioIo::new(server), app, LINGER).await;
        }
    });
    let mut answer = Answer::new(body(Bytes::new()));
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    answer.headers_mut().insert(UPGRADE, HeaderValue::from_static(PROTOCOL));
    answer
}

/// Why an app of the recipe cannot be shown now: besides the code what it is called, what there is to say of it, and
/// what to do where it is missing.
fn not_ready(unready: &Unready, app: Option<&App>) -> Answer {
    let (code, message) = match unready {
        Unready::Unknown => return refuse(StatusCode::NOT_FOUND, "no_such_app", "there is no such app"),
        Unready::Starting => (APP_STARTING, "the app is starting"),
        Unready::Missing(words) => (APP_MISSING, words.as_str()),
        Unready::Failed(words) => (APP_FAILED, words.as_str()),
    };
    let (name, hint) = app.map_or(("", ""), |app| (app.name.as_str(), app.hint.as_str()));
    answer(StatusCode::SERVICE_UNAVAILABLE, &json!({ "code": code, "message": message, "name": name, "hint": hint }))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::TimedOut)
}

async fn connect(target: &Address) -> io::Result<Connected> {
    let connected = async {
        match target {
            Address::Socket(path) => Ok(Connected::Socket(UnixStream::connect(path).await?)),
            Address::Port(port) => {
                // A server on `localhost` may listen on one of the two only.
                let stream = match TcpStream::connect((std::net::Ipv4Addr::LOCALHOST, *port)).await {
                    Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                        TcpStream::connect((std::net::Ipv6Addr::LOCALHOST, *port)).await.map_err(|_| error)?
                    }
                    connected => connected?,
                };
                stream.set_nodelay(true)?;
                Ok(Connected::Port(stream))
            }
        }
    };
    tokio::time::timeout(PATIENCE, connected).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
