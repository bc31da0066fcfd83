//! The listener: from actix to [`super::edge`] and back.

use super::edge::{Call, Channel, body_rule, serve};
use super::handler::{RawExchange, Reply, ReplyBody};
use super::metrics;
use super::route::BodyRule;
use crate::app::App;
use crate::error::{Error, Result};
use crate::gateway::{client, entry};
use actix_web::body::SizedStream;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// How long a client may take to send a body: actix has no limit of its own.
const BODY_TIME: Duration = Duration::from_secs(30);

/// Where calls of this listener come from.
#[derive(Debug, Clone)]
pub enum ListenerKind {
    Network,
    /// The control socket: who may open it is the data directory's user; the peer's uid says who it is.
    Control,
    /// Metrics for whoever comes, and nothing else.
    Metrics,
}

/// Registers the one handler that serves everything.
pub fn configure(app: Arc<App>, kind: ListenerKind) -> impl Fn(&mut web::ServiceConfig) + Clone {
    move |config: &mut web::ServiceConfig| {
        // One of each worker: a count that all workers share would make their cores wait for each other.
        let own = Rc::new((Arc::clone(&app), kind.clone()));
        config.default_service(web::to(move |request: HttpRequest, payload: web::Payload| {
            let own = Rc::clone(&own);
            async move { answer(&own.0, &own.1, request, payload).await }
        }));
    }
}

async fn answer(app: &Arc<App>, kind: &ListenerKind, request: HttpRequest, mut payload: web::Payload) -> HttpResponse {
    if let ListenerKind::Metrics = kind {
        let told = metrics::on_own_listener(app, request.method().as_str(), request.uri().path()).await;
        return respond(told.unwrap_or_else(|error| super::reply::refusal(&error, "metrics", app.clock.now())));
    }
    // An app's own origin never meets the routes of the UI, whatever is asked for there.
    if let (ListenerKind::Network, Some(authority)) = (kind, client::authority(&request))
        && let Some(place) = app.gateway.apps.names.place(authority)
    {
        return entry::serve(&app.gateway, place, request, payload).await;
    }
    let mut headers: Vec<(String, String)> =
        request.headers().iter().map(|(n, v)| (n.as_str().to_owned(), String::from_utf8_lossy(v.as_bytes()).into_owned())).collect();
    // HTTP/2, which browsers speak over TLS, says in the request itself where it goes.
    if let (false, Some(authority)) = (request.headers().contains_key("host"), client::authority(&request)) {
        headers.push(("host".to_owned(), authority.to_owned()));
    }
    let (method, path) = (request.method().as_str().to_owned(), request.uri().path().to_owned());
    let body = match body_rule(app, &method, &path) {
        // The handler takes it as it comes.
        BodyRule::Streamed => Ok(Bytes::new()),
        _ if request.headers().contains_key("upgrade") => Ok(Bytes::new()),
        BodyRule::Json(limit) | BodyRule::OptionalJson(limit) => read_body(&mut payload, &headers, limit).await,
        BodyRule::None => read_body(&mut payload, &headers, 0).await,
    };
    let channel = channel(app, kind, &request);
    let call = match channel {
        Ok(channel) => Call {
            method,
            path,
            query: request.uri().query().unwrap_or_default().to_owned(),
            headers,
            channel,
            body,
            raw: Some(RawExchange { request: request.clone(), payload }),
        },
        Err(error) => return respond(super::reply::refusal(&error, "unknown", app.clock.now())),
    };
    respond(serve(Arc::clone(app), call).await)
}

fn channel(app: &App, kind: &ListenerKind, request: &HttpRequest) -> Result<Channel> {
    match kind {
        ListenerKind::Control => Ok(Channel::CommandLine(control_user(request))),
        ListenerKind::Network | ListenerKind::Metrics => {
            client::address(&app.transport, &app.config.server.trusted_proxies, request).map(Channel::Network)
        }
    }
}

/// The system user behind the control socket, put there when the connection was accepted.
fn control_user(request: &HttpRequest) -> String {
    request.conn_data::<ControlPeer>().map_or_else(|| "unknown".to_owned(), |peer| peer.0.clone())
}

/// Who opened a connection of the control socket.
#[derive(Debug, Clone)]
pub struct ControlPeer(pub String);

async fn read_body(payload: &mut web::Payload, headers: &[(String, String)], limit: usize) -> Result<Bytes> {
    let announced = headers.iter().find(|(n, _)| n == "content-length").and_then(|(_, v)| v.parse::<u64>().ok()).unwrap_or(0);
    if announced > limit as u64 {
        return Err(Error::TooLarge { limit });
    }
    let gather = async {
        let mut body = BytesMut::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|e| Error::Syntax(format!("The body broke off: {e}.")))?;
            if body.len() + chunk.len() > limit {
                return Err(Error::TooLarge { limit });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    };
    tokio::time::timeout(BODY_TIME, gather).await.unwrap_or_else(|_| Err(Error::Syntax("The body took longer than 30 seconds.".into())))
}

fn respond(reply: Reply) -> HttpResponse {
    let Reply { status, headers, body } = reply;
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match body {
        ReplyBody::Upgraded(response) => *response,
        ReplyBody::Empty => HttpResponseBuilder::new(status).finish(),
        ReplyBody::Json(text) => HttpResponseBuilder::new(status).content_type("application/json").body(text),
        ReplyBody::Text(text) => HttpResponseBuilder::new(status).content_type("text/plain; charset=utf-8").body(text),
        ReplyBody::Bytes(bytes) => HttpResponseBuilder::new(status).body(bytes),
        ReplyBody::Stream(stream) => HttpResponseBuilder::new(status).streaming(stream),
        ReplyBody::Sized(length, stream) => HttpResponseBuilder::new(status).body(SizedStream::new(length, stream)),
    };
    for (name, value) in headers {
        let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value)) else {
            tracing::error!(name, "a header of an answer is not valid and was left out");
            continue;
        };
        if name == actix_web::http::header::CONTENT_TYPE {
            response.headers_mut().insert(name, value);
        } else {
            response.headers_mut().append(name, value);
        }
    }
    response
}
