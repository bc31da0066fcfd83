//! One call of the API server at a time: a page of a list, or a watch until it ends; with the ways in which each fails.
//!
//! This reads the answers itself instead of through the client's own watcher, because what matters here stands in
//! headers (`Retry-After`) and in how a stream ends: which of list again, go on, wait, or read the credentials anew.

use super::kept::{Kept, Which};
use http_body_util::BodyExt;
use hyper::body::Bytes;
use hyper::header::{ACCEPT_ENCODING, HeaderValue, RETRY_AFTER};
use hyper::{Request, Response, StatusCode};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ListMeta, Status};
use kube::api::{ListParams, WatchParams};
use kube::client::Body;
use kube::core::WatchEvent;
use serde::Deserialize;
use std::time::Duration;
use tokio::time::timeout;

/// Objects of one page of a list.
const PAGE: u32 = 250;
/// An answer begins within this, or never.
const ANSWER: Duration = Duration::from_secs(20);
/// No object is longer.
const LONGEST_LINE: usize = 16 << 20;

/// Why a call came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The version is not kept any more: list again.
    Expired,
    /// Come back after a while; so many seconds where it was said.
    Throttled(Option<Duration>),
    /// Credentials are not good any more.
    Unknown(String),
    /// The API server does not allow it, or does not have it.
    Forbidden(String),
    /// No answer, a broken one, or an error of the server.
    Broken(String),
}

/// One page of a list.
pub struct Page<K> {
    pub items: Vec<K>,
    /// Where the next page begins.
    pub next: Option<String>,
    pub version: String,
}

#[derive(Deserialize)]
#[serde(bound = "K: serde::de::DeserializeOwned")]
struct List<K> {
    #[serde(default)]
    metadata: ListMeta,
    #[serde(default = "Vec::new")]
    items: Vec<K>,
}

fn selectors<K: Kept>(ours: &str) -> (Option<String>, Option<String>) {
    match K::WHICH {
        Which::Ours => (Some(ours.to_owned()), None),
        Which::All => (None, None),
        Which::Fields(fields) => (None, Some(fields.to_owned())),
    }
}

fn kind<K: Kept>() -> kube::core::Request {
    kube::core::Request::new(K::url_path(&(), None))
}

/// One page of the list of this kind.
pub async fn list<K: Kept>(client: &kube::Client, ours: &str, from: Option<String>) -> Result<Page<K>, Trouble> {
    let (label_selector, field_selector) = selectors::<K>(ours);
    let wanted = ListParams { label_selector, field_selector, limit: Some(PAGE), continue_token: from, ..ListParams::default() };
    let request = kind::<K>().list(&wanted).map_err(|e| Trouble::Broken(e.to_string()))?;
    let answer = send(client, request).await?;
    let read = timeout(ANSWER, answer.into_body().collect()).await.map_err(|_| silent())?;
    let bytes = read.map_err(|e| Trouble::Broken(e.to_string()))?.to_bytes();
    let list: List<K> = decode(&bytes)?;
    let next = list.metadata.continue_.filter(|token| !token.is_empty());
    Ok(Page { items: list.items, next, version: list.metadata.resource_version.unwrap_or_default() })
}

/// Reads as the client reads its own answers, from text: the code that reads a pod is then in the executable once.
fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, Trouble> {
    let unreadable = |why: String| Trouble::Broken(format!("the answer could not be read: {why}"));
    let text = std::str::from_utf8(bytes).map_err(|e| unreadable(e.to_string()))?;
    serde_json::from_str(text).map_err(|e| unreadable(e.to_string()))
}

fn silent() -> Trouble {
    Trouble::Broken("the API server does not answer".to_owned())
}

/// Opens the watch of this kind from a version on; the API server ends it after `seconds`.
pub async fn watch<K: Kept>(client: &kube::Client, ours: &str, from: &str, seconds: u32) -> Result<Watching, Trouble> {
    let (label_selector, field_selector) = selectors::<K>(ours);
    let wanted = WatchParams { label_selector, field_selector, timeout: Some(seconds), bookmarks: true, ..WatchParams::default() };
    let mut request = kind::<K>().watch(&wanted, from).map_err(|e| Trouble::Broken(e.to_string()))?;
    // A compressed stream would be held back until a block of it is full.
    request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    Ok(Watching { body: send(client, request).await?.into_body(), buffer: Vec::new(), scanned: 0 })
}

/// A watch that is open.
pub struct Watching {
    body: Body,
    buffer: Vec<u8>,
    /// How much of the buffer is known to hold no end of a line.
    scanned: usize,
}

impl Watching {
    /// What is told next; `None` where the API server has ended the watch.
    pub async fn next<K: Kept>(&mut self) -> Result<Option<WatchEvent<K>>, Trouble> {
        loop {
            if let Some(line) = self.line()? {
                return read_line(&line).map(Some);
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(Trouble::Broken(format!("the watch broke off: {error}"))),
                Some(Ok(frame)) => self.buffer.extend_from_slice(&frame.into_data().unwrap_or_else(|_| Bytes::new())),
            }
        }
    }

    fn line(&mut self) -> Result<Option<Vec<u8>>, Trouble> {
        let Some(end) = self.buffer[self.scanned..].iter().position(|b| *b == b'\n') else {
            self.scanned = self.buffer.len();
            if self.scanned > LONGEST_LINE {
                return Err(Trouble::Broken("the watch told of an object that is too large".to_owned()));
            }
            return Ok(None);
        };
        let rest = self.buffer.split_off(self.scanned + end + 1);
        let line = std::mem::replace(&mut self.buffer, rest);
        self.scanned = 0;
        Ok(Some(line))
    }
}

/// What a line of a watch is about; its object is passed over.
#[derive(Deserialize)]
struct Told {
    #[serde(rename = "type")]
    what: String,
}

#[derive(Deserialize)]
struct Object<T> {
    object: T,
}

/// A line is read twice, first for what it is: an enum tagged by a field would keep the object in a form of its own in
/// between, which costs memory at each event and a third reader for every kind.
fn read_line<K: Kept>(line: &[u8]) -> Result<WatchEvent<K>, Trouble> {
    let told: Told = decode(line)?;
    match told.what.as_str() {
        "ADDED" => decode(line).map(|Object { object }| WatchEvent::Added(object)),
        "MODIFIED" => decode(line).map(|Object { object }| WatchEvent::Modified(object)),
        "DELETED" => decode(line).map(|Object { object }| WatchEvent::Deleted(object)),
        "BOOKMARK" => decode(line).map(|Object { object }| WatchEvent::Bookmark(object)),
        "ERROR" => {
            let Object { object: status } = decode::<Object<kube::core::Status>>(line)?;
            Err(refusal(status.code, &status.message, &status.reason, retry_of(&status)))
        }
        other => Err(Trouble::Broken(format!("the watch told of something unknown: {other:?}"))),
    }
}

fn retry_of(status: &kube::core::Status) -> Option<Duration> {
    let seconds = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
    (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)))
}

async fn send(client: &kube::Client, request: Request<Vec<u8>>) -> Result<Response<Body>, Trouble> {
    let sent = timeout(ANSWER, client.send(request.map(Body::from))).await.map_err(|_| silent())?;
    let answer = sent.map_err(|e| Trouble::Broken(plain(&e)))?;
    if answer.status().is_success() {
        return Ok(answer);
    }
    let (code, retry) = (answer.status(), retry_after(&answer));
    let body = timeout(ANSWER, answer.into_body().collect())
        .await
        .ok()
        .and_then(Result::ok)
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let status: Status = serde_json::from_slice(&body).unwrap_or_default();
    let text = status.message.unwrap_or_else(|| String::from_utf8_lossy(&body).chars().take(300).collect());
    Err(refusal(code.as_u16(), &text, status.reason.as_deref().unwrap_or_default(), retry))
}

fn retry_after(answer: &Response<Body>) -> Option<Duration> {
    let seconds: u64 = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds.min(300)))
}

/// What the API server says no with.
fn refusal(code: u16, text: &str, reason: &str, retry: Option<Duration>) -> Trouble {
    let told = if text.is_empty() { format!("the API server answered {code}") } else { text.to_owned() };
    match StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR) {
        StatusCode::GONE => Trouble::Expired,
        _ if reason == "Expired" || reason == "Gone" => Trouble::Expired,
        StatusCode::TOO_MANY_REQUESTS => Trouble::Throttled(retry),
        StatusCode::SERVICE_UNAVAILABLE if retry.is_some() => Trouble::Throttled(retry),
        StatusCode::UNAUTHORIZED => Trouble::Unknown(told),
        StatusCode::FORBIDDEN | StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Trouble::Forbidden(told),
        _ => Trouble::Broken(told),
    }
}

/// The last cause of an error of the client: its outer ones only say which layer saw it.
pub fn plain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
