//! Around every call, in this order: the route, the host, same-origin proof, who is calling, how often, may they ever,
//! the body, the handler. Independent of how the call arrived.

use super::handler::{BodyStream, RawExchange, Reply, ReplyBody, Request};
use super::route::{Access, BodyRule, Match, Method, Route};
use super::{assets, cookies, origin_check, reply};
use crate::app::App;
use crate::domain::id::{CallId, GroupId, UserId, WorkspaceId};
use crate::error::{Error, Missing, Result};
use crate::identity::caller::{Door, SESSION_COOKIE, Shown, Visitor, identify};
use crate::ops::idempotency::{self, IdempotencyKey, Remembered};
use crate::ops::{Caller, Origin, Principal};
use crate::policy::Actor;
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use serde_json::Value;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

/// Stands on every answer of the API while the disk is nearly full, so that pages can say so.
const STORAGE: &str = "x-codex-web-storage";
/// JSON deeper than this is refused.
const DEPTH: usize = 16;

/// How a call arrived.
#[derive(Debug, Clone)]
pub enum Channel {
    /// Over the network, from this address.
    Network(IpAddr),
    /// Over the connection of this run of a workspace.
    Uplink { workspace: WorkspaceId, run: i64 },
    /// Over the control socket or in process, from a shell of this system user.
    CommandLine(String),
}

/// One call, with its body read or the reason why it could not be.
pub struct Call {
    pub method: String,
    /// The path as it was sent, still encoded.
    pub path: String,
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub channel: Channel,
    pub body: Result<bytes::Bytes>,
    pub raw: Option<RawExchange>,
}

impl Call {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// What is done with the body of this call; limits are those of the configuration where that has smaller ones.
pub fn body_rule(app: &App, method: &str, path: &str) -> BodyRule {
    let most = app.config.server.body_limit;
    match app.router.find(method, path) {
        Match::Found(route, _) => match route.body {
            BodyRule::Json(limit) => BodyRule::Json(limit.min(most)),
            BodyRule::OptionalJson(limit) => BodyRule::OptionalJson(limit.min(most)),
            rule => rule,
        },
        _ => BodyRule::None,
    }
}

/// Answers a call. Never fails and never panics: whatever goes wrong becomes an error answer (I9).
pub async fn serve(app: Arc<App>, call: Call) -> Reply {
    let now = app.clock.now();
    let call_id = CallId::fresh(now, app.entropy.as_ref()).to_string();
    tracing::debug!(call_id, method = %call.method.escape_debug(), path = %call.path.escape_debug(), "a request");
    let (is_api, began) = (call.path.starts_with("/api"), Instant::now());
    let found = app.router.find(&call.method, &call.path);
    let counted = matches!(call.channel, Channel::Network(_)).then(|| label(&call, &found));
    let answered = AssertUnwindSafe(answer(Arc::clone(&app), call, found, call_id.clone())).catch_unwind().await;
    let outcome = answered.unwrap_or_else(|_| Err(Error::internal("a handler panicked")));
    let mut reply = outcome.unwrap_or_else(|error| reply::refusal(&error, &call_id, now));
    if is_api && !reply.headers.iter().any(|(n, _)| *n == "cache-control") {
        reply = reply.header("cache-control", "no-store");
    }
    if let Some((method, route)) = counted {
        app.meters.request(method, route, reply.status, began.elapsed());
    }
    if is_api && app.ops.db.room().is_short() {
        reply = reply.header(STORAGE, "short");
    }
    standard_headers(&app, reply, call_id)
}

/// What a call is counted as: words of closed lists, whatever was sent.
fn label(call: &Call, found: &Match) -> (&'static str, &'static str) {
    let method = Method::parse(&call.method).map_or("other", Method::as_str);
    let route = match found {
        Match::Found(route, _) => route.path,
        Match::Nothing if !call.path.starts_with("/api") => "page",
        Match::WrongMethod(_) | Match::Nothing => "none",
    };
    (method, route)
}

fn standard_headers(app: &App, reply: Reply, call_id: String) -> Reply {
    // What a workspace holds is sent with a stricter one.
    let has_policy = reply.headers.iter().any(|(n, _)| *n == "content-security-policy");
    let reply = if has_policy { reply } else { reply.header("content-security-policy", assets::CONTENT_SECURITY_POLICY) };
    let reply = reply
        .header("x-content-type-options", "nosniff")
        .header("referrer-policy", "no-referrer")
        .header("cross-origin-opener-policy", "same-origin")
        .header("cross-origin-resource-policy", "same-origin")
        .header("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
        .header("x-request-id", call_id);
    if app.transport.cookies.secure() { reply.header("strict-transport-security", "max-age=31536000") } else { reply }
}

async fn answer(app: Arc<App>, mut call: Call, found: Match, call_id: String) -> Result<Reply> {
    let over_network = matches!(call.channel, Channel::Network(_));
    // Monitors ask by whatever name they know the machine; they learn one word.
    let probe = matches!(call.path.as_str(), "/metrics" | "/api/health" | "/api/health/live" | "/api/health/ready");
    if over_network && !probe {
        let host = call.header("host").ok_or(Error::UnknownHost)?;
        if !app.transport.knows(host) {
            return Err(Error::UnknownHost);
        }
    }
    let (route, path) = match found {
        Match::Found(route, path) => (route, path),
        Match::WrongMethod(allow) => return Err(Error::MethodNotAllowed { allow }),
        Match::Nothing => return page(&app, &call),
    };
    let from_workspace = matches!(call.channel, Channel::Uplink { .. });
    let meant = match route.access {
        Access::CommandLine(_) => matches!(call.channel, Channel::CommandLine(_)),
        Access::Machine(_) => true,
        _ => !from_workspace,
    };
    if !meant {
        return Err(Error::NotFound(Missing::Route));
    }
    let (caller, actor, by_cookie) = admit(&app, route, &path, &call, call_id).await?;
    if route.method.is_unsafe() && over_network {
        origin_check::check(&app.transport, &call.headers, by_cookie)?;
    }
    app.limiter.check(&caller)?;
    let body = std::mem::replace(&mut call.body, Ok(bytes::Bytes::new()))?;
    let stream = (route.body == BodyRule::Streamed).then(|| body_stream(&mut call.raw, body.clone()));
    let body = decode_body(route, body, call.header("content-type"))?;
    let request = Request { app, caller, actor, path, query: call.query, body, headers: call.headers, raw: call.raw, stream };
    if route.idempotent && request.header("idempotency-key").is_some() {
        return once(route, request).await;
    }
    (route.handler)(request).await
}

/// What is not a route may be a page or a file of the user interface.
fn page(app: &App, call: &Call) -> Result<Reply> {
    if call.path.starts_with("/api") || call.path.starts_with("/.well-known") {
        return Err(Error::NotFound(Missing::Route));
    }
    if call.method != "GET" && call.method != "HEAD" {
        return Err(Error::MethodNotAllowed { allow: "GET".into() });
    }
    let host = call.header("host").unwrap_or_default();
    if let (true, Some(home)) = (assets::is_page(&call.path), app.transport.redirect(host)) {
        let query = if call.query.is_empty() { String::new() } else { format!("?{}", call.query) };
        let target = format!("{home}{}{query}", call.path);
        return Ok(Reply { status: 307, headers: Vec::new(), body: ReplyBody::Empty }.header("location", target));
    }
    let gzip = call.header("accept-encoding").is_some_and(|a| a.contains("gzip"));
    assets::serve(&call.path, cookies::shows_session(app, &call.headers), gzip, call.header("if-none-match"))
}

/// Who is calling, and whether they could ever be permitted.
async fn admit(
    app: &Arc<App>,
    route: &'static Route,
    path: &[(&'static str, String)],
    call: &Call,
    call_id: String,
) -> Result<(Caller, Actor, bool)> {
    let (address, visitor) = match &call.channel {
        Channel::Network(address) => {
            (address.to_string(), Visitor::Network(Shown::of(&call.headers, &app.transport.cookies.name(SESSION_COOKIE))?))
        }
        Channel::Uplink { workspace, run } => {
            let shown = Shown::of(&call.headers, &app.transport.cookies.name(SESSION_COOKIE))?;
            (String::new(), Visitor::Workspace { shown, workspace: workspace.clone(), run: *run })
        }
        Channel::CommandLine(system_user) => (String::new(), Visitor::CommandLine { system_user: system_user.clone() }),
    };
    let by_cookie = matches!(&visitor, Visitor::Network(shown) if shown.by_cookie());
    let agent: String = call.header("user-agent").unwrap_or_default().chars().filter(|c| !c.is_control()).take(200).collect();
    let origin = Origin { call_id, address, agent };
    // A public route has no use for a credential, so a stale one must not stand in its way.
    if matches!(route.access, Access::Public(_)) && matches!(visitor, Visitor::Network(_)) {
        return Ok((Caller { principal: Principal::Anonymous, origin }, Actor::Anonymous, by_cookie));
    }
    let door = match route.access {
        Access::Action(action) | Access::CommandLine(action) | Access::InFirstFrame(action, _) => Door::Action {
            action,
            before_password_change: route.before_password_change,
            resource: named(path),
            ticket_follows: matches!(route.access, Access::InFirstFrame(..)),
        },
        Access::Machine(action) => Door::Machine(action),
        Access::Public(_) => Door::Open,
    };
    let (principal, actor) = identify(&app.ops.db, &app.keys, visitor, door, origin.clone()).await?;
    Ok((Caller { principal, origin }, actor, by_cookie))
}

/// What a path names, as the audit log writes it; the installation where it names nothing.
fn named(path: &[(&'static str, String)]) -> String {
    let is_id = |text: &str| GroupId::parse(text).is_ok() || UserId::parse(text).is_ok() || WorkspaceId::parse(text).is_ok();
    let first = path.iter().find(|(_, value)| is_id(value));
    first.map_or_else(|| "system".to_owned(), |(kind, id)| format!("{kind}:{id}"))
}

/// The body as it comes from the network, or the one that a call in this process has.
fn body_stream(raw: &mut Option<RawExchange>, body: bytes::Bytes) -> BodyStream {
    match raw.take() {
        Some(raw) => raw.payload.map_err(|error| std::io::Error::other(error.to_string())).boxed_local(),
        None => futures_util::stream::once(std::future::ready(Ok(body))).boxed_local(),
    }
}

fn decode_body(route: &Route, body: bytes::Bytes, content_type: Option<&str>) -> Result<Option<Value>> {
    match route.body {
        BodyRule::None | BodyRule::Streamed => Ok(None),
        BodyRule::OptionalJson(_) if body.is_empty() => Ok(Some(Value::Object(serde_json::Map::new()))),
        BodyRule::OptionalJson(_) | BodyRule::Json(_) => {
            let is_json =
                content_type.is_some_and(|t| t.split(';').next().is_some_and(|t| t.trim().eq_ignore_ascii_case("application/json")));
            if !is_json {
                return Err(Error::UnsupportedMediaType);
            }
            let value: Value = serde_json::from_slice(&body).map_err(|e| Error::Syntax(format!("The body is not valid JSON: {e}.")))?;
            if depth(&value) > DEPTH {
                return Err(Error::Syntax(format!("The body is nested deeper than {DEPTH} levels.")));
            }
            demand_known(route, &value)?;
            Ok(Some(value))
        }
    }
}

/// A route that describes no body takes an empty object at most; the others decode theirs.
fn demand_known(route: &Route, body: &Value) -> Result<()> {
    if route.request.is_some() || matches!(route.access, Access::CommandLine(_)) {
        return Ok(());
    }
    super::fields::Fields::of_body(Some(body))?.build(|| Some(()))
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// A repeated request with the same key gets the first answer again. Two at once wait for each other; after a crash
/// between the change and the keeping of its answer, the unique names of what these routes make refuse a second one.
async fn once(route: &'static Route, request: Request) -> Result<Reply> {
    use crate::domain::field::FieldRule;
    let Some(user_id) = request.caller.principal.user_id().cloned() else { return (route.handler)(request).await };
    let key = request.header("idempotency-key").unwrap_or_default().to_owned();
    if key.is_empty() || key.len() > 128 || !key.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(FieldRule::new("invalid", "An Idempotency-Key has 1 to 128 visible ASCII characters.").error("Idempotency-Key"));
    }
    let text = format!("{}?{}\n{}", route.path, request.query, request.body.as_ref().map(ToString::to_string).unwrap_or_default());
    let request_hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes()).as_ref().to_vec();
    let key = IdempotencyKey { user_id, route: format!("{} {}", route.method.as_str(), route.path), key };
    let app = Arc::clone(&request.app);
    let origin = request.caller.origin.clone();
    let _turn = app.turns.wait(format!("{} {} {}", key.user_id, key.route, key.key)).await;
    let known = idempotency::find(&app.ops, origin.clone(), key.clone()).await?;
    if let Some(known) = known {
        if known.request_hash != request_hash {
            return Err(Error::Conflict("This Idempotency-Key was used for another request. Use a new one.".into()));
        }
        let reply = Reply { status: known.status, headers: Vec::new(), body: ReplyBody::Json(known.body) };
        return Ok(reply.header("idempotency-replayed", "true"));
    }
    let reply = (route.handler)(request).await?;
    if let (200..=299, ReplyBody::Json(body)) = (reply.status, &reply.body) {
        let answer = Remembered { request_hash, status: reply.status, body: body.clone() };
        idempotency::keep(&app.ops, origin, key, answer).await?;
    }
    Ok(reply)
}
