//! A small HTTP app, as somebody might run it in a workspace: it tells what reached it, sends and takes any amount of
//! bytes, answers with hostile headers, and echoes WebSocket messages.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// What the app saw.
#[derive(Default)]
pub struct Seen {
    pub connections: AtomicUsize,
    pub requests: AtomicUsize,
    pub sockets: AtomicUsize,
    /// Bytes of the download that is under way.
    pub sent: AtomicU64,
    /// Bytes of the upload that is under way.
    pub taken: AtomicU64,
}

/// The app on a free port of loopback; it ends with the test's runtime.
pub struct EchoApp {
    pub port: u16,
    pub seen: Arc<Seen>,
}

impl EchoApp {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Seen::default());
        let shared = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let seen = Arc::clone(&shared);
                let service = service_fn(move |request| {
                    let seen = Arc::clone(&seen);
                    async move { Ok::<_, Infallible>(answer(&seen, request).await) }
                });
                tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades());
            }
        });
        Self { port, seen }
    }
}

fn whole(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).boxed_unsync()
}

async fn answer(seen: &Arc<Seen>, request: Request<Incoming>) -> Response<Body> {
    seen.requests.fetch_add(1, Ordering::SeqCst);
    let path = request.uri().path().to_owned();
    if let Some(count) = path.strip_prefix("/bytes/") {
        return download(seen, count.parse().unwrap(), request.uri().query() == Some("chunked"));
    }
    match path.as_str() {
        "/socket" => socket(seen, request),
        "/upload" => upload(seen, request).await,
        "/hostile" => hostile(),
        "/status/304" => Response::builder().status(304).header("etag", "\"1\"").body(whole("")).unwrap(),
        "/never" => std::future::pending().await,
        "/events" => events(),
        _ => tell(request).await,
    }
}

async fn tell(request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let headers: Vec<(String, String)> =
        head.headers.iter().map(|(n, v)| (n.to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned())).collect();
    let told = json!({
        "method": head.method.as_str(),
        "target": head.uri.path_and_query().map(hyper::http::uri::PathAndQuery::as_str),
        "headers": headers,
        "body": String::from_utf8_lossy(&body),
    });
    Response::builder().header("content-type", "application/json").header("x-app", "echo").body(whole(told.to_string())).unwrap()
}

fn download(seen: &Arc<Seen>, count: u64, chunked: bool) -> Response<Body> {
    const PIECE: usize = 64 * 1024;
    seen.sent.store(0, Ordering::SeqCst);
    let seen = Arc::clone(seen);
    let piece = Bytes::from(vec![b'x'; PIECE]);
    let pieces = futures_util::stream::unfold(count, move |left| {
        let next = piece.slice(..usize::try_from(left).unwrap().min(PIECE));
        seen.sent.fetch_add(next.len() as u64, Ordering::SeqCst);
        async move { (left > 0).then(|| (Ok(Frame::data(next)), left.saturating_sub(PIECE as u64))) }
    });
    let response = Response::builder();
    let response = if chunked { response } else { response.header("content-length", count) };
    response.body(StreamBody::new(pieces).boxed_unsync()).unwrap()
}

async fn upload(seen: &Arc<Seen>, request: Request<Incoming>) -> Response<Body> {
    seen.taken.store(0, Ordering::SeqCst);
    let slow = request.uri().query() == Some("slow");
    let mut body = request.into_body();
    while let Some(Ok(frame)) = body.frame().await {
        seen.taken.fetch_add(frame.into_data().map_or(0, |d| d.len() as u64), Ordering::SeqCst);
        if slow {
            tokio::time::sleep(Duration::from_secs(3600)).await;
        }
    }
    Response::new(whole(seen.taken.load(Ordering::SeqCst).to_string()))
}

fn hostile() -> Response<Body> {
    Response::builder()
        .header("set-cookie", "kept=1; Path=/")
        .header("set-cookie", "tossed=1; Domain=localhost; Path=/")
        .header("set-cookie", "codex_sid_8080=stolen; Path=/")
        .header("set-cookie", "__Host-codex_app=stolen; Path=/; Secure")
        .header("set-cookie", "CODEX_APP=stolen")
        .header("strict-transport-security", "max-age=31536000; includeSubDomains")
        .header("clear-site-data", "\"*\"")
        .header("service-worker-allowed", "/")
        .header("alt-svc", "h3=\":443\"")
        .header("access-control-allow-origin", "*")
        .header("access-control-allow-credentials", "true")
        .header("public-key-pins", "x")
        .header("report-to", "{}")
        .header("content-security-policy", "default-src 'self'")
        .body(whole("hostile"))
        .unwrap()
}

fn events() -> Response<Body> {
    let ticks = futures_util::stream::unfold(0, |n| async move {
        tokio::time::sleep(Duration::from_millis(if n == 0 { 0 } else { 100 })).await;
        Some((Ok(Frame::data(Bytes::from(format!("data: {n}\n\n")))), n + 1))
    });
    Response::builder().header("content-type", "text/event-stream").body(StreamBody::new(ticks).boxed_unsync()).unwrap()
}

fn socket(seen: &Arc<Seen>, mut request: Request<Incoming>) -> Response<Body> {
    let Some(key) = request.headers().get(SEC_WEBSOCKET_KEY).cloned() else {
        return Response::builder().status(StatusCode::UPGRADE_REQUIRED).body(whole("a socket")).unwrap();
    };
    let upgrade = hyper::upgrade::on(&mut request);
    let seen = Arc::clone(seen);
    tokio::spawn(async move {
        let stream = TokioIo::new(upgrade.await.unwrap());
        seen.sockets.fetch_add(1, Ordering::SeqCst);
        let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
        while let Some(Ok(message)) = socket.next().await {
            if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
                break;
            }
        }
        seen.sockets.fetch_sub(1, Ordering::SeqCst);
    });
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_ACCEPT, derive_accept_key(key.as_bytes()))
        .body(whole(""))
        .unwrap()
}
