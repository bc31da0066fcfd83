//! `/v1/apps`: how the apps are, what they printed, start and restart; `/v1/usage`: what they use. Scope `admin`.

use crate::agent::apps::{Apps, usage};
use crate::agent::http::{Answer, Body, answer, body, refuse};
use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE};
use hyper::{Method, Response, StatusCode};
use serde_json::json;

/// Lines where the question names no number.
const LINES: usize = 200;

/// Answers `GET /v1/apps`, `GET /v1/apps/{slug}/logs?lines=&follow=`, `POST /v1/apps/{slug}/start|restart`.
pub fn serve(apps: &Apps, method: &Method, path: &str, query: Option<&str>) -> Answer {
    let parts: Vec<&str> = path.trim_start_matches("/v1/apps").split('/').filter(|part| !part.is_empty()).collect();
    match (method, parts.as_slice()) {
        (&Method::GET, []) => answer(StatusCode::OK, &json!(apps.reports())),
        (&Method::GET, [slug, "logs"]) if asked(query, "follow=") == Some("true") => {
            let lines = apps.log_on(slug, lines(query));
            lines.map_or_else(unknown, |lines| text(StreamBody::new(lines.map(|text| Ok(Frame::data(Bytes::from(text))))).boxed_unsync()))
        }
        (&Method::GET, [slug, "logs"]) => apps.log(slug, lines(query)).map_or_else(unknown, |log| text(body(log))),
        (&Method::POST, [slug, "start"]) => done(apps.want(slug)),
        (&Method::POST, [slug, "restart"]) => done(apps.restart(slug)),
        _ => refuse(StatusCode::NOT_FOUND, "not_found", "there is no such route"),
    }
}

/// Answers `GET /v1/usage`. Reading takes some milliseconds, in which nobody's terminal is to wait.
pub async fn used(apps: &Apps) -> Answer {
    let leaders = apps.processes();
    let counted = tokio::task::spawn_blocking(move || usage::count(&leaders)).await.unwrap_or_default();
    answer(StatusCode::OK, &json!(apps.used(&counted)))
}

fn asked<'a>(query: Option<&'a str>, name: &str) -> Option<&'a str> {
    query.unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix(name))
}

fn lines(query: Option<&str>) -> usize {
    asked(query, "lines=").and_then(|number| number.parse().ok()).unwrap_or(LINES)
}

fn text(body: Body) -> Answer {
    Response::builder().header(CONTENT_TYPE, "text/plain; charset=utf-8").header(CACHE_CONTROL, "no-store").body(body).unwrap_or_default()
}

fn done(found: bool) -> Answer {
    if found { answer(StatusCode::ACCEPTED, &json!({})) } else { unknown() }
}

fn unknown() -> Answer {
    refuse(StatusCode::NOT_FOUND, "not_found", "this workspace has no app of this name")
}
