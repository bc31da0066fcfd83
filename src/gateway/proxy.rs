//! One exchange between a browser and an app: headers by the rules, bodies streamed in both directions, and an end as
//! soon as the visit is over.
//!
//! The request for the agent is built from parsed parts, never from the client's bytes; only the address is passed on as
//! it came, behind the agent's own beginning, because apps differ in how they read it. No body is gathered: a piece is
//! taken when the other side has room for it.

use super::entry::{Visitor, closing, is_upgrade};
use super::headers::{self, Told};
use super::visits::{Held, over};
use super::{Gateway, absent, place, tunnel};
use crate::error::{Error, Result};
use crate::events::CutReason;
use crate::gateway::agents::{AgentBody, RequestBody, Unanswered};
use actix_web::body::{BodyStream, SizedStream};
use actix_web::http::header::{HeaderName as ActixName, HeaderValue as ActixValue};
use actix_web::http::{StatusCode, Version};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, StreamExt};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use hyper::{Request, Response, Uri};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// Pieces of a request's body that wait for the agent.
const PIECES: usize = 4;
/// An answer that is here as a whole and no longer than this is sent as one piece.
const SMALL: usize = 64 * 1024;

/// Passes a request to the app, and the answer back.
pub async fn pass(
    gateway: &Gateway,
    visitor: &Visitor,
    held: Arc<Held>,
    shared: bool,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let entrance = &held.visit.entrance;
    let agent = place(&entrance.workspace, &entrance.namespace, entrance.run);
    let head = head(gateway, visitor, request)?;
    let mut payload = Some(payload);
    let outgoing = match length(request) {
        // What follows a handshake is the socket's, and its turn comes with the answer.
        Length::None => head.map(|()| Empty::new().map_err(|never| match never {}).boxed_unsync()),
        length => {
            let body = payload.take().map(|payload| upload(payload, length, Arc::clone(&held)));
            head.map(|()| body.map_or_else(empty, BodyExt::boxed_unsync))
        }
    };
    let answer = gateway.agents.ask_app(&agent, &visitor.place.target, outgoing);
    let answer = tokio::select! {
        biased;
        answer = answer => answer,
        () = over(held.cut.clone()) => return Err(ended(*held.cut.borrow())),
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(Unanswered::Failed(error)) => return Err(error),
        Err(Unanswered::Refused(refusal)) => return absent::answer(gateway, visitor, &held, request, refusal).await,
    };
    if answer.status() == hyper::StatusCode::SWITCHING_PROTOCOLS {
        let (true, Some(payload)) = (is_upgrade(request), payload) else { return Err(Error::WorkspaceUnreachable(BROKEN.to_owned())) };
        return tunnel::open(held, answer, payload, shared).await;
    }
    let response = respond(held, answer, shared, request.method() == actix_web::http::Method::HEAD);
    Ok(closing(request, response))
}

const BROKEN: &str = "The app answered in a way that cannot be passed on.";

fn empty() -> RequestBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// Why it ends, for who still waits for the first word.
pub fn ended(reason: Option<CutReason>) -> Error {
    let words = match reason {
        Some(CutReason::SignedOut) => "You have signed out.",
        Some(CutReason::Stopped) => "It was stopped.",
        Some(CutReason::Restarting) => "It restarts.",
        Some(CutReason::Revoked) | None => "It is no longer yours to open.",
    };
    Error::WrongState(words.to_owned())
}

fn head(gateway: &Gateway, visitor: &Visitor, request: &HttpRequest) -> Result<Request<()>> {
    let malformed = || Error::Syntax("The request cannot be passed on as it is.".to_owned());
    let told = Told { host: &visitor.authority, client: visitor.address, scheme: gateway.apps.scheme() };
    let given = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let headers = headers::inward(given, &told)?;
    let path = request.uri().path_and_query().map_or("/", actix_web::http::uri::PathAndQuery::as_str);
    let uri = path.parse::<Uri>().map_err(|_| malformed())?;
    let mut head = Request::new(());
    *head.method_mut() = hyper::Method::from_bytes(request.method().as_str().as_bytes()).map_err(|_| malformed())?;
    *head.uri_mut() = uri;
    *head.headers_mut() = headers;
    Ok(head)
}

/// How long a request's body is.
#[derive(Clone, Copy)]
enum Length {
    None,
    Known(u64),
    Unknown,
}

fn length(request: &HttpRequest) -> Length {
    if is_upgrade(request) {
        return Length::None;
    }
    let announced = request.headers().get("content-length").and_then(|v| v.to_str().ok()).and_then(|v| v.trim().parse().ok());
    match announced {
        Some(0) => Length::None,
        Some(bytes) => Length::Known(bytes),
        None if request.headers().contains_key("transfer-encoding") => Length::Unknown,
        // HTTP/2 needs to announce nothing.
        None if request.version() == Version::HTTP_2 && !request.method().is_safe() => Length::Unknown,
        None => Length::None,
    }
}

/// Takes the body from the framework, which keeps it on this thread, piece by piece.
fn upload(mut payload: web::Payload, length: Length, held: Arc<Held>) -> Upload {
    let (give, take) = mpsc::channel(PIECES);
    actix_web::rt::spawn(async move {
        let pieces = async {
            while let Some(piece) = payload.next().await {
                let piece = piece.map_err(io::Error::other);
                held.count(piece.as_ref().map_or(0, |piece| piece.len() as u64));
                let broken = piece.is_err();
                if give.send(piece).await.is_err() || broken {
                    break;
                }
            }
        };
        tokio::select! {
            () = pieces => {}
            () = over(held.cut.clone()) => { let _ = give.try_send(Err(io::ErrorKind::ConnectionAborted.into())); }
        }
    });
    let left = match length {
        Length::Known(bytes) => Some(bytes),
        Length::None | Length::Unknown => None,
    };
    Upload { pieces: take, left }
}

struct Upload {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    left: Option<u64>,
}

impl Body for Upload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = std::task::ready!(self.pieces.poll_recv(context));
        if let (Some(Ok(piece)), Some(left)) = (&piece, self.left.as_mut()) {
            *left = left.saturating_sub(piece.len() as u64);
        }
        Poll::Ready(match piece {
            None if self.left.is_some_and(|left| left > 0) => Some(Err(io::ErrorKind::UnexpectedEof.into())),
            piece => piece.map(|piece| piece.map(Frame::data)),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// The app's answer, as it comes.
fn respond(held: Arc<Held>, answer: Response<AgentBody>, shared: bool, is_head: bool) -> HttpResponse {
    let (head, mut body) = answer.into_parts();
    let announced = head.headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    let passed = headers::outward(&head.headers, shared).filter(|(name, _)| **name != CONTENT_LENGTH);
    let mut response = builder(head.status.as_u16(), passed);
    let bodyless = is_head || matches!(head.status.as_u16(), 204 | 304);
    if bodyless {
        return match announced {
            Some(bytes) => response.body(SizedStream::new(bytes, futures_util::stream::empty::<io::Result<Bytes>>())),
            None => response.body(actix_web::body::None::new()),
        };
    }
    match at_once(&mut body, announced) {
        Some(Ok(whole)) => response.body(whole),
        Some(Err(first)) => stream(response, Download::new(held, body, first), announced),
        None => stream(response, Download::new(held, body, Bytes::new()), announced),
    }
}

fn stream(mut response: HttpResponseBuilder, download: Download, announced: Option<u64>) -> HttpResponse {
    match announced {
        Some(bytes) => response.body(SizedStream::new(bytes, download)),
        None => response.body(BodyStream::new(download)),
    }
}

/// What is here already: the whole of a small body, or its first bytes. Saves most answers a second round.
fn at_once(body: &mut AgentBody, announced: Option<u64>) -> Option<std::result::Result<Bytes, Bytes>> {
    if announced.is_none_or(|bytes| bytes > SMALL as u64) {
        return None;
    }
    let mut first = BytesMut::new();
    loop {
        match body.frame().now_or_never() {
            Some(None) => return Some(Ok(first.freeze())),
            Some(Some(Ok(frame))) => {
                let Ok(data) = frame.into_data() else { continue };
                if announced == Some(data.len() as u64) && first.is_empty() {
                    return Some(Ok(data));
                }
                first.extend_from_slice(&data);
                if announced == Some(first.len() as u64) {
                    return Some(Ok(first.freeze()));
                }
            }
            // It broke off, which the stream will find again and pass on.
            Some(Some(Err(_))) | None => return Some(Err(first.freeze())),
        }
    }
}

/// The beginning of an answer, with headers in the framework's own types.
pub fn builder<'h>(status: u16, headers: impl Iterator<Item = (&'h HeaderName, &'h HeaderValue)>) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY));
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (ActixName::from_bytes(name.as_str().as_bytes()), ActixValue::from_bytes(value.as_bytes())) {
            response.append_header((name, value));
        }
    }
    response
}

/// The app's body on its way to the browser; breaks off when the visit is over.
struct Download {
    first: Bytes,
    body: AgentBody,
    over: Pin<Box<dyn Future<Output = ()>>>,
    _held: Arc<Held>,
}

impl Download {
    fn new(held: Arc<Held>, body: AgentBody, first: Bytes) -> Self {
        Self { first, body, over: Box::pin(over(held.cut.clone())), _held: held }
    }
}

impl futures_util::Stream for Download {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if !self.first.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.first))));
        }
        // An error, not an end: an answer that was cut off must not look whole.
        if self.over.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())));
        }
        loop {
            match std::task::ready!(Pin::new(&mut self.body).poll_frame(context)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(io::Error::other(error)))),
                // Trailers belong to the hop.
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
            }
        }
    }
}
