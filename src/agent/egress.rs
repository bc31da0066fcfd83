//! The workspace's way to the outside: an HTTP proxy on loopback, for every program that knows `http_proxy`.
//!
//! The network of the workspace has loopback only, so whatever leaves it comes through here and on to the server, which
//! decides and connects. `CONNECT` carries anything (https, ssh); plain http arrives with the whole address in its first
//! line and is passed on without what belongs to this hop, with both connections kept for the next request. A refusal is
//! told where the program's user sees it: in the status line, which most programs print, and in a text.
//!
//! Deliberately absent: decisions (the agent runs as the user it would have to guard), name look-ups, and a cache.

mod outside;

use crate::agent::accept;
use crate::agent::hops;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::ext::ReasonPhrase;
use hyper::header::{CONTENT_TYPE, EXPECT, HOST, HeaderName, HeaderValue, VIA};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Uri, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

/// Connections of programs that are served at once; more wait.
const MOST_CONNECTIONS: usize = 256;
/// How long a program's connection may sit without a request.
const IDLE: Duration = Duration::from_secs(120);
/// How long a kept connection to the outside may take to be ready for the next request.
const READY: Duration = Duration::from_millis(50);
/// Bytes that wait in each direction of a tunnel.
const TUNNEL_BUFFER: usize = 32 * 1024;
/// The rule that refused, for programs.
const RULE: HeaderName = HeaderName::from_static("codex-web-rule");

/// Both directions of a connection to the outside.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Opens connections to the outside.
pub trait Outside: Send + Sync {
    /// To `host:port`.
    fn connect<'a>(&'a self, authority: &'a str) -> BoxFuture<'a, Result<Box<dyn Stream>, Refusal>>;
}

/// Why there is no connection, as the server said it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub status: StatusCode,
    /// Stable word.
    pub code: String,
    pub message: String,
}

impl Refusal {
    fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }
}

type Body = UnsyncBoxBody<Bytes, hyper::Error>;

/// Listens on this port of loopback.
pub async fn listen(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, port)).await
}

/// Serves what the listener accepts.
pub async fn serve(listener: TcpListener, outside: Arc<dyn Outside>) {
    accept::each(listener, MOST_CONNECTIONS, |stream| one(stream, Arc::clone(&outside))).await;
}

/// A program's connection, and the one to the outside that its last request used.
struct Hop {
    outside: Arc<dyn Outside>,
    kept: Mutex<Option<(String, SendRequest<Incoming>)>>,
}

async fn one(stream: TcpStream, outside: Arc<dyn Outside>) {
    let _ = stream.set_nodelay(true);
    let hop = Arc::new(Hop { outside, kept: Mutex::default() });
    let service = service_fn(move |request| {
        let hop = Arc::clone(&hop);
        async move { Ok::<_, Infallible>(hop.answer(request).await.unwrap_or_else(|refusal| page(&refusal))) }
    });
    let mut server = hyper::server::conn::http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(IDLE).preserve_header_case(true).half_close(true);
    let _ = server.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
}

impl Hop {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
        if request.method() == Method::CONNECT {
            return self.tunnel(request).await;
        }
        let authority = authority(request.uri())?;
        let request = outbound(request, &authority)?;
        let mut response = self.send(authority, request).await?;
        hops::strip(response.headers_mut());
        response.headers_mut().append(VIA, HeaderValue::from_static("1.1 codex-web"));
        Ok(response.map(BodyExt::boxed_unsync))
    }

    async fn tunnel(&self, mut request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
        let authority = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        let mut outside = self.outside.connect(&authority).await?;
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            if let Ok(program) = upgrade.await {
                let mut program = TokioIo::new(program);
                let _ = tokio::io::copy_bidirectional_with_sizes(&mut program, &mut outside, TUNNEL_BUFFER, TUNNEL_BUFFER).await;
            }
        });
        let mut response = Response::new(text(""));
        response.extensions_mut().insert(ReasonPhrase::from_static(b"Connection established"));
        Ok(response)
    }

    /// Sends on the kept connection where it leads to the same place and still lives, else on a fresh one.
    async fn send(&self, authority: String, mut request: Request<Incoming>) -> Result<Response<Incoming>, Refusal> {
        let mut kept = self.kept.lock().await;
        if let Some((place, mut sender)) = kept.take()
            && place == authority
            && matches!(tokio::time::timeout(READY, sender.ready()).await, Ok(Ok(())))
        {
            match sender.try_send_request(request).await {
                Ok(response) => {
                    *kept = Some((place, sender));
                    return Ok(response);
                }
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(broke_off(&authority)),
                },
            }
        }
        let stream = self.outside.connect(&authority).await?;
        let handshake = http1::Builder::new().preserve_header_case(true).handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|_| broke_off(&authority))?;
        tokio::spawn(connection);
        let response = sender.send_request(request).await.map_err(|_| broke_off(&authority))?;
        *kept = Some((authority, sender));
        Ok(response)
    }
}

fn broke_off(authority: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_GATEWAY, "broke_off", format!("{authority} broke the connection off."))
}

/// Where a plain request goes, from its first line. The port is 80 where none is written.
fn authority(uri: &Uri) -> Result<String, Refusal> {
    let bad = |message: &str| Refusal::new(StatusCode::BAD_REQUEST, "bad_request", message);
    match (uri.scheme_str(), uri.host()) {
        (Some("http"), Some(host)) => Ok(format!("{host}:{}", uri.port_u16().unwrap_or(80))),
        (Some(_), _) => Err(bad("This proxy takes http:// addresses and CONNECT.")),
        _ => Err(bad("This is the workspace's proxy to the outside; programs use it by the variables http_proxy and https_proxy.")),
    }
}

/// The request as the server outside sees it: the path alone in the first line, the name in `Host`, nothing of this hop.
fn outbound(request: Request<Incoming>, authority: &str) -> Result<Request<Incoming>, Refusal> {
    let (mut head, body) = request.into_parts();
    let bad = |_| Refusal::new(StatusCode::BAD_REQUEST, "bad_request", "The address is not understood.");
    let host = authority.strip_suffix(":80").unwrap_or(authority);
    let host =
        HeaderValue::try_from(host).map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, "bad_request", "The host is not understood."))?;
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    // `OPTIONS http://host` asks about the server as a whole.
    let path = if head.method == Method::OPTIONS && path == "/" { "*" } else { path };
    head.uri = Uri::try_from(path).map_err(bad)?;
    hops::strip(&mut head.headers);
    head.headers.insert(HOST, host);
    // This side says "100 Continue" itself, by reading.
    head.headers.remove(EXPECT);
    head.headers.append(VIA, HeaderValue::from_static("1.1 codex-web"));
    head.version = Version::HTTP_11;
    Ok(Request::from_parts(head, body))
}

fn text(words: &str) -> Body {
    Full::new(Bytes::from(words.to_owned())).map_err(|never| match never {}).boxed_unsync()
}

/// A refusal as a program and its user see it.
fn page(refusal: &Refusal) -> Response<Body> {
    let mut response = Response::new(text(&format!("Codex Web: {}\n", refusal.message)));
    *response.status_mut() = refusal.status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if let Ok(rule) = HeaderValue::try_from(&refusal.code) {
        response.headers_mut().insert(RULE, rule);
    }
    // Programs that do not show the text of a refused tunnel show the status line.
    let line = format!("{} ({})", refusal.status.canonical_reason().unwrap_or("Refused"), refusal.message);
    if let Ok(reason) = ReasonPhrase::try_from(line.into_bytes()) {
        response.extensions_mut().insert(reason);
    }
    response
}

#[cfg(test)]
mod tests;
