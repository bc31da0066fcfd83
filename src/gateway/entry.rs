//! The edge of the origins of apps: who is there, may this page ask that, and where it goes.
//!
//! In this order: the form of the request, our own addresses, the origin of the page that asks, the app session, the
//! app. Nothing here reads a body or knows an app; nothing of an app is on the UI's origin.

use super::apps::{Cookie, encode, is_reserved};
use super::asked::Asked;
use super::names::Place;
use super::pages::{self, Mark, Page};
use super::visits::Held;
use super::{Gateway, client, handoff, ports, proxy};
use crate::domain::id::CallId;
use crate::error::{Error, Result};
use crate::ops::Origin;
use crate::token::opaque::{APP_SESSION_PREFIX, TokenHash, presented};
use crate::transport::origin::parse_authority;
use actix_web::http::header::{HeaderValue, SET_COOKIE};
use actix_web::http::{Method, StatusCode, Version};
use actix_web::{HttpRequest, HttpResponse, web};
use std::net::IpAddr;
use std::sync::Arc;

/// A request that has found its app.
pub struct Visitor {
    pub place: Place,
    /// The app's own port, where it has one.
    pub port: Option<u16>,
    /// The one origin of this app.
    pub host: String,
    /// The authority as the browser wrote it.
    pub authority: String,
    pub address: IpAddr,
}

impl Visitor {
    /// What is written down of where a request came from: made only where something is written down.
    pub fn origin(&self, gateway: &Gateway, request: &HttpRequest) -> Origin {
        origin(gateway, self.address, request)
    }
}

/// The same, of a request that another loop has read.
pub fn origin(gateway: &Gateway, address: IpAddr, request: &impl Asked) -> Origin {
    let agent = request.text("user-agent").unwrap_or_default();
    Origin {
        call_id: CallId::fresh(gateway.clock.now(), gateway.entropy.as_ref()).to_string(),
        address: address.to_string(),
        agent: agent.chars().filter(|c| !c.is_control()).take(200).collect(),
    }
}

/// Answers a request for an app that has a name.
pub async fn serve(gateway: &Gateway, place: Place, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let host = gateway.apps.names.origin(&place, None).to_string();
    answered(gateway, place, None, host, &request, payload).await
}

/// Answers a request at a port of an app.
pub async fn serve_port(gateway: &Gateway, port: u16, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let place = gateway.apps.ports.tenant(port).as_ref().and_then(ports::place);
    let Some(place) = place else { return pages::tell(421, "No app has this port.") };
    let own = gateway.apps.names.origin(&place, Some(port));
    // By any other name it would be another origin, with cookies of its own: a way around.
    let known = client::authority(&request).and_then(parse_authority).is_some_and(|(host, _)| host == own.host);
    if !known {
        return pages::tell(421, "This server does not answer to this name.");
    }
    answered(gateway, place, Some(port), own.to_string(), &request, payload).await
}

async fn answered(
    gateway: &Gateway,
    place: Place,
    port: Option<u16>,
    host: String,
    request: &HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let began = tokio::time::Instant::now();
    let outcome = match visitor(gateway, place, port, host, request) {
        Ok(visitor) => match pass(gateway, &visitor, request, payload).await {
            Ok(response) => response,
            Err(error) => refused(gateway, &visitor, request, &error),
        },
        Err(error) => plain(request, &error),
    };
    tracing::debug!(
        target: "codex_web::access",
        method = %request.method(),
        host = request.headers().get("host").and_then(|h| h.to_str().ok()).unwrap_or_default(),
        path = %request.uri().path().escape_debug(),
        status = outcome.status().as_u16(),
        milliseconds = began.elapsed().as_secs_f64() * 1_000.0,
        "an app was asked"
    );
    outcome
}

fn visitor(gateway: &Gateway, place: Place, port: Option<u16>, host: String, request: &HttpRequest) -> Result<Visitor> {
    well_formed(request)?;
    let apps = &gateway.apps;
    let address = client::address(&apps.transport, &apps.trusted_proxies, request)?;
    let authority = client::authority(request).ok_or(Error::UnknownHost)?.to_owned();
    Ok(Visitor { place, port, host, authority, address })
}

/// Refuses what two readers could read differently. The framework has refused most of it already; what it lets pass
/// for other uses has none here.
fn well_formed(request: &HttpRequest) -> Result<()> {
    let headers = request.headers();
    let all = |name: &str| headers.get_all(name).count();
    let bad = |why: &str| Err(Error::Syntax(why.to_owned()));
    if all("content-length") + all("transfer-encoding") > 1 || all("host") > 1 {
        return bad("The request says twice how long it is, or where it goes.");
    }
    let chunked = headers.get("transfer-encoding").is_none_or(|v| v.as_bytes().eq_ignore_ascii_case(b"chunked"));
    if !chunked || (all("transfer-encoding") > 0 && request.version() != Version::HTTP_11) {
        return bad("This transfer encoding is not understood.");
    }
    if is_upgrade(request) && (all("content-length") + all("transfer-encoding") > 0 || request.method() != Method::GET) {
        return bad("A handshake of a socket has no body.");
    }
    if !request.uri().path().starts_with('/') || matches!(*request.method(), Method::CONNECT | Method::TRACE) {
        return bad("This is no address of an app.");
    }
    Ok(())
}

/// The framework takes the rest of a connection for a stream once it sees this, whatever else is said.
pub fn is_upgrade(request: &HttpRequest) -> bool {
    request.headers().get("upgrade").is_some_and(|v| v.as_bytes().trim_ascii().eq_ignore_ascii_case(b"websocket"))
}

async fn pass(gateway: &Gateway, visitor: &Visitor, request: &HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    if is_reserved(request.uri().path()) {
        return handoff::answer(gateway, visitor, request).await;
    }
    let asker = asker(gateway, &visitor.place, &visitor.host, request);
    if matches!(asker, Asker::Foreign) {
        return Err(Error::CrossSite("A page of another site asked for this, so it was refused."));
    }
    let Some(held) = who(gateway, visitor, request).await? else { return Ok(unknown(request)) };
    if is_document(request) == Some(true) {
        held.count_a_page();
    }
    proxy::pass(gateway, visitor, held, matches!(asker, Asker::SameWorkspace), request, payload).await
}

/// The visit of the session that the browser shows, if it is one of this app at this origin. A browser may show several:
/// one that fits opens, whatever the others are.
async fn who(gateway: &Gateway, visitor: &Visitor, request: &HttpRequest) -> Result<Option<Arc<Held>>> {
    let mut limited = None;
    for value in gateway.apps.cookies(request, Cookie::Session, visitor.port) {
        let Some(hash) = presented(APP_SESSION_PREFIX, &value) else { continue };
        match visit(gateway, visitor, request, hash).await {
            Ok(Some(held)) => return Ok(Some(held)),
            Ok(None) => {}
            Err(error @ Error::RateLimited { .. }) => limited = Some(error),
            Err(error) => return Err(error),
        }
    }
    limited.map_or(Ok(None), Err)
}

/// The visit of one cookie; `None` where it is worth nothing here.
async fn visit(gateway: &Gateway, visitor: &Visitor, request: &HttpRequest, hash: TokenHash) -> Result<Option<Arc<Held>>> {
    let (visits, knocks) = (&gateway.apps.visits, &gateway.apps.knocks);
    if knocks.is_dead(&hash) {
        return Ok(None);
    }
    let now = gateway.clock.now();
    let turn = if visits.knows(&hash) { None } else { knocks.turn(visitor.address, now).await? };
    let found = visits.find(&gateway.ops, || visitor.origin(gateway, request), hash).await?;
    drop(turn);
    let Some(held) = found else { return knocks.unknown(visitor.address, &hash, now).map(|()| None) };
    let here = is_here(&held, &visitor.place, &visitor.host);
    Ok(Some(held).filter(|_| here))
}

/// Whether a visit is one of this app at this origin.
pub fn is_here(held: &Held, place: &Place, host: &str) -> bool {
    let visit = &held.visit;
    visit.host == host && visit.entrance.workspace == place.workspace && visit.target == place.target
}

/// Nobody whom we know: a person is sent to sign in, anything else is told.
fn unknown(request: &HttpRequest) -> HttpResponse {
    if !wants_page(request) {
        return closing(request, pages::tell(401, "Open this app from Codex Web first."));
    }
    let to = request.uri().path_and_query().map_or("/", actix_web::http::uri::PathAndQuery::as_str);
    let mut response = HttpResponse::build(StatusCode::SEE_OTHER);
    pages::own(&mut response).insert_header(("location", format!("/.codex/start?to={}", encode(to)))).finish()
}

/// Whose page asks.
pub enum Asker {
    /// The app's own, or a person who typed or followed an address.
    Own,
    /// Another app of the same workspace: the same person's programs.
    SameWorkspace,
    Foreign,
}

/// Cookies are sent along by site, not by origin, and apps of different people are one site: what another origin asks
/// for is refused unless a person opens it as a page.
pub fn asker(gateway: &Gateway, place: &Place, host: &str, request: &impl Asked) -> Asker {
    let neighbour = |origin: &str| {
        let host = origin.split_once("://").map_or("", |(_, host)| host);
        gateway.apps.names.place(host).is_some_and(|neighbour| neighbour.workspace == place.workspace)
    };
    if let Some(origin) = request.text("origin") {
        if origin == host {
            return Asker::Own;
        }
        return if neighbour(origin) { Asker::SameWorkspace } else { Asker::Foreign };
    }
    match request.text("sec-fetch-site") {
        None | Some("same-origin" | "none") => Asker::Own,
        Some(_) if is_document(request) == Some(true) && matches!(request.method(), "GET" | "HEAD") => Asker::Own,
        Some(_)
            if request.text("referer").is_some_and(|page| neighbour(page.split('/').take(3).collect::<Vec<_>>().join("/").as_str())) =>
        {
            Asker::SameWorkspace
        }
        Some(_) => Asker::Foreign,
    }
}

/// Whether the browser opens it as a page of its own; `None` where it does not say.
pub fn is_document(request: &impl Asked) -> Option<bool> {
    let mode = request.text("sec-fetch-mode")?;
    Some(mode == "navigate" && request.text("sec-fetch-dest").is_none_or(|dest| dest == "document"))
}

/// Whether a person waits for a page, and no script for data.
pub fn wants_page(request: &HttpRequest) -> bool {
    let accepts = || request.headers().get("accept").and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/html"));
    request.method() == Method::GET && !is_upgrade(request) && is_document(request).unwrap_or_else(accepts)
}

/// After a handshake that came to nothing the rest of the connection cannot be told apart: it ends.
pub fn closing(request: &HttpRequest, mut response: HttpResponse) -> HttpResponse {
    if is_upgrade(request) {
        response.head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
    }
    response
}

/// A refusal before anybody knows which app: no page, and the end of the connection.
fn plain(request: &HttpRequest, error: &Error) -> HttpResponse {
    let described = error.describe();
    let mut response = pages::tell(described.status, &described.message);
    if matches!(error, Error::Syntax(_)) {
        response.head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
    }
    closing(request, response)
}

/// A refusal in words: a page for people, with the way back to the UI.
fn refused(gateway: &Gateway, visitor: &Visitor, request: &HttpRequest, error: &Error) -> HttpResponse {
    let described = error.describe();
    let text = described.message.into_owned();
    let mut response = if wants_page(request) {
        let (title, refresh) = match error {
            Error::WrongState(_) => ("The workspace does not run", None),
            Error::WorkspaceUnreachable(_) | Error::ClusterUnavailable(_) | Error::Unavailable { .. } | Error::RateLimited { .. } => {
                ("One moment", Some(3))
            }
            Error::NotFound(_) | Error::Denied(_) => ("There is nothing here for you", None),
            _ => ("This was refused", None),
        };
        let back = gateway.apps.opening_page(&visitor.place);
        let mark = if refresh.is_some() { Mark::Wait } else { Mark::None };
        let links = [(back.as_str(), "Open it in Codex Web")];
        pages::show(&Page { status: described.status, mark, title, texts: &[&text], links: &links, refresh, ..Page::default() })
    } else {
        closing(request, pages::tell(described.status, &text))
    };
    if matches!(error, Error::RateLimited { .. }) {
        forget(gateway, visitor, &mut response);
    }
    response
}

/// Takes a cookie away that opens nothing, so that whoever shares a crowded address goes on by signing in once more.
fn forget(gateway: &Gateway, visitor: &Visitor, response: &mut HttpResponse) {
    let cookie = gateway.apps.forget_cookie(Cookie::Session, visitor.port);
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}
