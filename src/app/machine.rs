//! Machine routes over the uplink: the same edge as for everybody, reached through a workspace's own connection.
//!
//! The edge lives on one thread (its handlers are not `Send`), connections anywhere: calls pass through a queue. The
//! connection says which run of which workspace calls, and the token must be of just that one.

use crate::app::App;
use crate::gateway::uplink::{Body, Peer, Service, body, refuse};
use crate::http::edge::{self, Call, Channel, body_rule};
use crate::http::handler::{Reply, ReplyBody};
use crate::http::route::BodyRule;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::LocalBoxStream;
use futures_util::{StreamExt, TryStreamExt};
use http_body_util::{BodyExt, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Calls of all workspaces that wait for their turn; more wait in their connections.
const WAITING: usize = 256;
/// Parts of a streamed answer that wait for a slow reader.
const PARTS: usize = 4;
/// How long a body may take.
const BODY_TIME: Duration = Duration::from_secs(30);

/// One request with its body, which may travel.
struct Ask {
    peer: Arc<Peer>,
    head: Parts,
    body: Bytes,
    answer: oneshot::Sender<Response<Body>>,
}

/// The service that is given to uplinks.
pub struct MachineRoutes {
    app: Arc<App>,
    calls: mpsc::Sender<Ask>,
}

/// Begins to answer machine routes, on a thread of its own that ends with the service.
pub fn start(app: Arc<App>) -> Arc<MachineRoutes> {
    let (calls, asked) = mpsc::channel::<Ask>(WAITING);
    let edge = Arc::clone(&app);
    let life = move || match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => tokio::task::LocalSet::new().block_on(&runtime, answer_all(edge, asked)),
        Err(error) => tracing::error!(%error, "machine routes cannot be answered"),
    };
    if let Err(error) = std::thread::Builder::new().name("machine-routes".to_owned()).spawn(life) {
        tracing::error!(%error, "machine routes cannot be answered");
    }
    Arc::new(MachineRoutes { app, calls })
}

async fn answer_all(app: Arc<App>, mut asked: mpsc::Receiver<Ask>) {
    while let Some(ask) = asked.recv().await {
        tokio::task::spawn_local(answer(Arc::clone(&app), ask));
    }
}

async fn answer(app: Arc<App>, ask: Ask) {
    let Ask { peer, head, body, mut answer } = ask;
    let reply = tokio::select! {
        reply = edge::serve(app, call(&peer, &head, body)) => response(reply),
        // Nobody waits for it any more.
        () = answer.closed() => return,
    };
    drop(answer.send(reply));
}

impl Service for MachineRoutes {
    fn call(&self, peer: Arc<Peer>, request: Request<Incoming>) -> BoxFuture<'static, Response<Body>> {
        let (app, calls) = (Arc::clone(&self.app), self.calls.clone());
        Box::pin(async move {
            let (head, incoming) = request.into_parts();
            let limit = match body_rule(&app, head.method.as_str(), head.uri.path()) {
                BodyRule::Json(limit) | BodyRule::OptionalJson(limit) => limit,
                BodyRule::None | BodyRule::Streamed => 0,
            };
            let gathered = tokio::time::timeout(BODY_TIME, Limited::new(incoming, limit).collect()).await;
            let Ok(Ok(gathered)) = gathered else {
                return refuse(StatusCode::PAYLOAD_TOO_LARGE, "TOO_LARGE", "The body is too large, or did not come in time.");
            };
            let (answer, answered) = oneshot::channel();
            let sent = calls.send(Ask { peer, head, body: gathered.to_bytes(), answer }).await;
            let answered = if sent.is_ok() { answered.await.ok() } else { None };
            answered.unwrap_or_else(|| refuse(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", "The server is stopping."))
        })
    }
}

fn call(peer: &Peer, head: &Parts, body: Bytes) -> Call {
    let headers = head.headers.iter().map(|(n, v)| (n.as_str().to_owned(), String::from_utf8_lossy(v.as_bytes()).into_owned()));
    Call {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: headers.collect(),
        channel: Channel::Uplink { workspace: peer.workspace.clone(), run: peer.run },
        body: Ok(body),
        raw: None,
    }
}

fn response(reply: Reply) -> Response<Body> {
    let Reply { status, headers, body: content } = reply;
    let (kind, content) = match content {
        ReplyBody::Empty | ReplyBody::Upgraded(_) => (None, body(Bytes::new())),
        ReplyBody::Json(text) => (Some("application/json"), body(text)),
        ReplyBody::Text(text) => (Some("text/plain; charset=utf-8"), body(text)),
        ReplyBody::Bytes(bytes) => (None, body(bytes)),
        ReplyBody::Stream(stream) | ReplyBody::Sized(_, stream) => (None, streamed(stream)),
    };
    let mut response = Response::new(content);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(kind) = kind {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Carries a stream of this thread to the thread of the connection; it ends when nobody reads it.
fn streamed(mut stream: LocalBoxStream<'static, io::Result<Bytes>>) -> Body {
    let (parts, read) = mpsc::channel::<io::Result<Bytes>>(PARTS);
    tokio::task::spawn_local(async move {
        while let Some(part) = stream.next().await {
            if parts.send(part).await.is_err() {
                return;
            }
        }
    });
    let read = futures_util::stream::unfold(read, |mut read| async move { read.recv().await.map(|part| (part, read)) });
    BodyExt::boxed_unsync(StreamBody::new(read.map_ok(Frame::data)))
}
