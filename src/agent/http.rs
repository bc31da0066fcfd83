//! The agent's HTTP/1.1: a handful of routes over any byte stream.
//!
//! Every connection opens with one agent ticket in its first request and is trusted for that ticket's scope until it
//! ends. Two questions need none: `GET /healthz`, which is answered with nothing, and on a network `GET /v1/proof`, by
//! which the server finds out whom it has reached. `GET /v1/health` needs none where only the server can ask.

use crate::agent::apps::routes as apps;
use crate::agent::program::StartError;
use crate::agent::protocol::{TerminalSize, is_session_name};
use crate::agent::sessions::OpenError;
use crate::agent::socket::{self, Wish};
use crate::agent::visit::Visit;
use crate::agent::{Agent, ports, uplink};
use crate::domain::agent::HEALTH_PATH;
use crate::token::ticket::Scope;
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderMap, UPGRADE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The body of an answer: a few bytes, or a stream.
pub type Body = UnsyncBoxBody<Bytes, std::io::Error>;
pub type Answer = Response<Body>;

/// How long a connection may sit without a request, in the middle of one, or before its first.
const IDLE: Duration = Duration::from_secs(120);

/// The longest set of keys, in bytes.
const LONGEST_KEYS: usize = 64 * 1024;

/// Serves one connection of the server until it ends.
pub async fn serve<S>(agent: Arc<Agent>, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    serve_visit(agent, stream, Arc::default()).await;
}

/// Serves one connection until it ends.
pub async fn serve_visit<S>(agent: Arc<Agent>, stream: S, visit: Arc<Visit>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let (agent, visit) = (Arc::clone(&agent), Arc::clone(&visit));
        async move { Ok::<_, Infallible>(route(&agent, &visit, request).await) }
    });
    let mut server = hyper::server::conn::http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(IDLE).max_buf_size(64 * 1024);
    let _ = server.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
}

/// What needs no ticket.
fn open_to_all(agent: &Agent, visit: &Visit, request: &Request<Incoming>) -> Option<Answer> {
    match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, HEALTH_PATH) => Some(Response::new(body(Bytes::new()))),
        (&Method::GET, "/v1/proof") if !visit.is_private() => Some(visit.prove(agent, request.uri())),
        (&Method::GET, "/v1/health") if visit.is_private() => Some(answer(StatusCode::OK, &agent.health())),
        _ => None,
    }
}

async fn route(agent: &Arc<Agent>, visit: &Visit, mut request: Request<Incoming>) -> Answer {
    if let Some(answer) = open_to_all(agent, visit, &request) {
        return answer;
    }
    let path = request.uri().path().to_owned();
    let claims = match visit.pass(agent, request.headers_mut()) {
        Ok(claims) => claims,
        Err(refusal) => return *refusal,
    };
    if !claims.scope.contains(&needed(&path)) {
        return refuse(StatusCode::FORBIDDEN, "wrong_scope", "this connection was opened for something else");
    }
    match (request.method(), path.as_str()) {
        (&Method::GET, "/v1/status") => answer(StatusCode::OK, &agent.status()),
        (&Method::POST, "/v1/stop") => {
            agent.stop();
            answer(StatusCode::ACCEPTED, &json!({}))
        }
        (&Method::PUT, "/v1/keys") => renew_trust(agent, request).await,
        (&Method::POST, "/v1/uplink") => uplink::accept(agent.uplink(), request),
        (&Method::GET, "/v1/usage") => apps::used(agent.apps()).await,
        (&Method::GET, "/v1/ports") => answer(StatusCode::OK, &json!(ports::listening(&agent.apps().processes()))),
        (method, path) if path == "/v1/apps" || path.starts_with("/v1/apps/") => {
            apps::serve(agent.apps(), method, path, request.uri().query())
        }
        (&Method::GET, "/v1/term") => terminal(agent, request),
        (&Method::GET, "/v1/term/sessions") => answer(StatusCode::OK, &json!(agent.sessions().list())),
        (_, path) if path == "/v1/files" || path.starts_with("/v1/files/") => agent.files().answer(request).await,
        (&Method::DELETE, path) if path.starts_with("/v1/term/sessions/") => end_session(agent, path),
        (_, path) if path.starts_with("/v1/app/") || path.starts_with("/v1/port/") => agent.forwarder().forward(request).await,
        _ => refuse(StatusCode::NOT_FOUND, "not_found", "there is no such route"),
    }
}

/// The server has other keys. Connections that are open stay so: they are the server's own.
async fn renew_trust(agent: &Agent, request: Request<Incoming>) -> Answer {
    let read = Limited::new(request.into_body(), LONGEST_KEYS).collect().await;
    let told = read.ok().and_then(|body| String::from_utf8(body.to_bytes().to_vec()).ok());
    match told.map(|jwks| agent.trust(&jwks)) {
        Some(Ok(())) => answer(StatusCode::OK, &json!({})),
        Some(Err(_)) | None => refuse(StatusCode::BAD_REQUEST, "bad_keys", "the body is a JWKS document with an RSA key"),
    }
}

/// What a connection must have been opened for.
fn needed(path: &str) -> Scope {
    let area = path.strip_prefix("/v1/").and_then(|rest| rest.split('/').next()).unwrap_or_default();
    match area {
        "term" => Scope::Term,
        "app" => Scope::App,
        "port" => Scope::Port,
        "files" => Scope::Files,
        "uplink" => Scope::Up,
        _ => Scope::Admin,
    }
}

fn end_session(agent: &Agent, path: &str) -> Answer {
    let name = path.rsplit('/').next().unwrap_or_default();
    if agent.sessions().end(name) {
        answer(StatusCode::OK, &json!({}))
    } else {
        refuse(StatusCode::NOT_FOUND, "not_found", "there is no terminal of this name")
    }
}

fn terminal(agent: &Arc<Agent>, mut request: Request<Incoming>) -> Answer {
    let Some(key) = handshake_key(request.headers()) else {
        return refuse(StatusCode::UPGRADE_REQUIRED, "websocket_expected", "this route is a WebSocket");
    };
    let Some((name, wish)) = parse_wish(request.uri().query().unwrap_or_default()) else {
        return refuse(StatusCode::BAD_REQUEST, "bad_query", "session is a name of a-z, 0-9 and -, since is an offset");
    };
    let session = match agent.sessions().find_or_start(&name, wish.size) {
        Ok(session) => session,
        Err(OpenError::Start(error @ StartError::NoShell)) => return refuse(StatusCode::NOT_IMPLEMENTED, "no_shell", &error.to_string()),
        Err(error) => return refuse(StatusCode::CONFLICT, "terminal_refused", &error.to_string()),
    };
    let upgrade = hyper::upgrade::on(&mut request);
    let (clock, stopping) = (agent.clock(), agent.stopping());
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            socket::serve(TokioIo::new(upgraded), session, wish, clock, stopping).await;
        }
    });
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header("Sec-WebSocket-Accept", derive_accept_key(key.as_bytes()))
        .body(body(Bytes::new()))
        .unwrap_or_default()
}

fn handshake_key(headers: &HeaderMap) -> Option<String> {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let websocket = text("upgrade").is_some_and(|v| v.eq_ignore_ascii_case("websocket"));
    let version = text("sec-websocket-version") == Some("13");
    text("sec-websocket-key").filter(|_| websocket && version).map(str::to_owned)
}

fn parse_wish(query: &str) -> Option<(String, Wish)> {
    let mut name = "main".to_owned();
    let mut wish = Wish::default();
    let (mut cols, mut rows) = (None, None);
    for (key, value) in query.split('&').filter(|p| !p.is_empty()).map(|p| p.split_once('=').unwrap_or((p, ""))) {
        match key {
            "session" => value.clone_into(&mut name),
            "since" => wish.since = Some(value.parse().ok()?),
            "started" => wish.started = Some(value.parse().ok()?),
            "cols" => cols = Some(value.parse().ok()?),
            "rows" => rows = Some(value.parse().ok()?),
            _ => {}
        }
    }
    wish.size = cols.zip(rows).map(|(cols, rows)| TerminalSize { cols, rows });
    is_session_name(&name).then_some((name, wish))
}

/// A body that is all there.
pub fn body(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A small JSON answer.
pub fn answer(status: StatusCode, value: &serde_json::Value) -> Answer {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/json")
        .header(CACHE_CONTROL, "no-store")
        .body(body(value.to_string()))
        .unwrap_or_default()
}

/// A refusal: a stable code for the server, words for its log.
pub fn refuse(status: StatusCode, code: &str, message: &str) -> Answer {
    answer(status, &json!({ "code": code, "message": message }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_the_terminal_and_what_is_missed() {
        let (name, wish) = parse_wish("session=build-2&since=4096&cols=100&rows=30").unwrap();
        assert_eq!(name, "build-2");
        assert_eq!(wish.since, Some(4096));
        assert_eq!(wish.size, Some(TerminalSize { cols: 100, rows: 30 }));
        assert_eq!(parse_wish("").unwrap().0, "main");
    }

    #[test]
    fn hostile_queries_are_refused() {
        for query in ["session=../x", "session=", "since=-1", "since=99999999999999999999", "cols=70000&rows=1"] {
            assert_eq!(parse_wish(query), None, "{query}");
        }
    }
}
