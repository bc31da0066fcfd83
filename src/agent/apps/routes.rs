//! `/v1/apps`: how the apps are, what they printed, start and restart. Scope `admin`.

use crate::agent::apps::Apps;
use crate::agent::http::{Answer, answer, body, refuse};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE};
use hyper::{Method, Response, StatusCode};
use serde_json::json;

/// Lines where the question names no number.
const LINES: usize = 200;

/// Answers `GET /v1/apps`, `GET /v1/apps/{slug}/logs?lines=`, `POST /v1/apps/{slug}/start|restart`.
pub fn serve(apps: &Apps, method: &Method, path: &str, query: Option<&str>) -> Answer {
    let parts: Vec<&str> = path.trim_start_matches("/v1/apps").split('/').filter(|part| !part.is_empty()).collect();
    match (method, parts.as_slice()) {
        (&Method::GET, []) => answer(StatusCode::OK, &json!(apps.reports())),
        (&Method::GET, [slug, "logs"]) => apps.log(slug, lines(query)).map_or_else(unknown, text),
        (&Method::POST, [slug, "start"]) => done(apps.want(slug)),
        (&Method::POST, [slug, "restart"]) => done(apps.restart(slug)),
        _ => refuse(StatusCode::NOT_FOUND, "not_found", "there is no such route"),
    }
}

fn lines(query: Option<&str>) -> usize {
    let named = query.unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("lines="));
    named.and_then(|number| number.parse().ok()).unwrap_or(LINES)
}

fn text(text: String) -> Answer {
    Response::builder()
        .header(CONTENT_TYPE, "text/plain; charset=utf-8")
        .header(CACHE_CONTROL, "no-store")
        .body(body(text))
        .unwrap_or_default()
}

fn done(found: bool) -> Answer {
    if found { answer(StatusCode::ACCEPTED, &json!({})) } else { unknown() }
}

fn unknown() -> Answer {
    refuse(StatusCode::NOT_FOUND, "not_found", "this workspace has no app of this name")
}
