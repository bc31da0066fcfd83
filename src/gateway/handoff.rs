//! The two addresses of ours on an app's origin, by which a browser that is signed in at the UI is let in.
//!
//! `/.codex/start` gives the browser a nonce and sends it to the UI with the nonce's hash; `/.codex/handoff` takes the
//! code that the UI made for that hash, once. A link alone opens nothing: whoever is sent a code by somebody else does
//! not hold the nonce, so nobody can be led into a workspace that is not theirs without noticing.

use super::Gateway;
use super::apps::{Cookie, encode, is_inside, named, parameter};
use super::entry::{Visitor, is_document};
use super::pages::{self, Page};
use crate::error::{Error, Result};
use crate::ops::open::{self, Redeemed};
use crate::token::opaque::{CODE_PREFIX, TokenHash, presented, random_text};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::ExposeSecret;

/// Random bytes of a nonce, and their length as text.
const NONCE_BYTES: usize = 32;
const NONCE_LENGTH: usize = 43;
/// How long a browser may take from the start to the hand-off, in seconds: signing in and starting lie between.
const NONCE_LIFE: i64 = 3_600;
/// How long a browser remembers whose storage of a port it holds, in seconds.
const TENANT_LIFE: i64 = 400 * 24 * 3_600;

/// Answers an address below `/.codex/`.
pub async fn answer(gateway: &Gateway, visitor: &Visitor, request: &HttpRequest) -> Result<HttpResponse> {
    let is_get = request.method() == actix_web::http::Method::GET;
    match request.uri().path() {
        "/.codex/start" if is_get => start(gateway, visitor, request),
        "/.codex/handoff" if is_get => redeem(gateway, visitor, request).await,
        _ => Ok(pages::tell(404, "There is nothing here.")),
    }
}

/// The hash by which a nonce is known outside of its cookie.
fn nonce_hash(nonce: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, nonce.as_bytes()))
}

fn is_nonce(text: &str) -> bool {
    text.len() == NONCE_LENGTH && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn start(gateway: &Gateway, visitor: &Visitor, request: &HttpRequest) -> Result<HttpResponse> {
    only_documents(request)?;
    let apps = &gateway.apps;
    let to = parameter(request.query_string(), "to").filter(|to| is_inside(to)).unwrap_or_else(|| "/".to_owned());
    // The same for every tab of this browser: they may be on their way at the same time.
    let known = apps.cookies(request, Cookie::Nonce, visitor.port).into_iter().find(|value| is_nonce(value));
    let nonce = known.unwrap_or_else(|| random_text(NONCE_BYTES, gateway.entropy.as_ref()));
    let location = format!(
        "{}/open#workspace={}&{}&to={}&nonce={}",
        apps.transport.public_url,
        visitor.place.workspace,
        named(&visitor.place),
        encode(&to),
        nonce_hash(&nonce)
    );
    let mut response = HttpResponse::build(StatusCode::SEE_OTHER);
    pages::own(&mut response)
        .append_header(("set-cookie", apps.set_cookie(Cookie::Nonce, visitor.port, &nonce, Some(NONCE_LIFE))))
        .insert_header(("location", location));
    Ok(response.finish())
}

async fn redeem(gateway: &Gateway, visitor: &Visitor, request: &HttpRequest) -> Result<HttpResponse> {
    only_documents(request)?;
    let apps = &gateway.apps;
    let code = parameter(request.query_string(), "code").unwrap_or_default();
    let nonces = apps.cookies(request, Cookie::Nonce, visitor.port);
    // Two nonces are a trick: one of them was put there by somebody else.
    let nonce = match nonces.as_slice() {
        [nonce] if is_nonce(nonce) => nonce_hash(nonce),
        _ => String::new(),
    };
    let outcome = match presented(CODE_PREFIX, &code) {
        Some(hash) => show(gateway, visitor, request, &code, hash, nonce).await,
        None => Ok(Redeemed::Refused("malformed")),
    };
    match outcome {
        Ok(Redeemed::Opened { session, to }) => {
            tracing::info!(host = %visitor.host, workspace = %visitor.place.workspace, app = %visitor.place.target, "an app was opened");
            let mut response = HttpResponse::build(StatusCode::SEE_OTHER);
            pages::own(&mut response)
                .append_header(("set-cookie", apps.set_cookie(Cookie::Session, visitor.port, session.expose_secret(), None)))
                .insert_header(("location", to));
            forget_the_last_tenant(gateway, visitor, request, &mut response);
            Ok(response.finish())
        }
        Ok(Redeemed::Refused(why)) => {
            tracing::warn!(host = %visitor.host, why, "a hand-off was refused");
            Ok(nothing_opens(gateway, visitor, 403, "It was used already, it came too late, or it was made for another browser."))
        }
        Err(error @ Error::RateLimited { .. }) => Ok(nothing_opens(gateway, visitor, 429, &error.describe().message)),
        Err(error) => Err(error),
    }
}

/// Shows a code to the database. One that fits nothing is counted by its address; a crowded address is asked first
/// whether its code opens anything at all, so that guesses do not become writes, and one that does opens as ever.
async fn show(gateway: &Gateway, visitor: &Visitor, request: &HttpRequest, code: &str, hash: TokenHash, nonce: String) -> Result<Redeemed> {
    let (knocks, now) = (&gateway.apps.knocks, gateway.clock.now());
    if knocks.is_dead(&hash) {
        return Ok(Redeemed::Refused("unknown"));
    }
    if let Some(turn) = knocks.turn(visitor.address, now).await? {
        let opens = open::opens(&gateway.ops, visitor.origin(gateway, request), hash).await?;
        drop(turn);
        if !opens {
            return knocks.refused(visitor.address, now).map(|()| Redeemed::Refused("unknown"));
        }
    }
    let redeemed = open::redeem(&gateway.ops, visitor.origin(gateway, request), code, visitor.host.clone(), nonce).await?;
    match &redeemed {
        Redeemed::Refused("unknown") => knocks.unknown(visitor.address, &hash, now)?,
        Redeemed::Refused(_) => knocks.refused(visitor.address, now)?,
        Redeemed::Opened { .. } => {}
    }
    Ok(redeemed)
}

fn nothing_opens(gateway: &Gateway, visitor: &Visitor, status: u16, text: &str) -> HttpResponse {
    let back = gateway.apps.opening_page(&visitor.place);
    let links = [(back.as_str(), "Open the app again")];
    pages::show(&Page { status, title: "This link opens nothing", texts: &[text], links: &links, ..Page::default() })
}

/// Where ports are reused, what pages of the port's earlier app have stored in this browser is removed.
fn forget_the_last_tenant(gateway: &Gateway, visitor: &Visitor, request: &HttpRequest, response: &mut actix_web::HttpResponseBuilder) {
    let Some(tenant) = visitor.port.and_then(|port| gateway.apps.ports.tenant(port)) else { return };
    let mark = tenant.given_at.0.to_string();
    if gateway.apps.cookies(request, Cookie::Tenant, visitor.port) != [mark.clone()] {
        response
            .insert_header(("clear-site-data", "\"storage\""))
            .append_header(("set-cookie", gateway.apps.set_cookie(Cookie::Tenant, visitor.port, &mark, Some(TENANT_LIFE))));
    }
}

/// Neither step is for frames or scripts.
fn only_documents(request: &HttpRequest) -> Result<()> {
    if is_document(request).unwrap_or(true) { Ok(()) } else { Err(Error::CrossSite("This address is opened as a page of its own only.")) }
}
