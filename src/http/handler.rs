//! What a handler is given and what it gives back, free of the web framework, so that the same handlers answer the
//! network, the control socket and a command line without a server.

use super::fields::{Fields, Query};
use crate::app::App;
use crate::domain::field::FieldRule;
use crate::error::{Error, Missing, Result};
use crate::ops::Caller;
use crate::policy::Actor;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::LocalBoxStream;
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;

/// What every handler returns.
pub type Answer = LocalBoxFuture<'static, Result<Reply>>;
/// A handler, as the route table holds it.
pub type Handler = fn(Request) -> Answer;

/// One call, after authentication, the gate and the body's own checks.
pub struct Request {
    pub app: Arc<App>,
    pub caller: Caller,
    /// The caller's rights as the gate saw them. Decisions load them again, in their own transaction.
    pub actor: Actor,
    /// Values of the path's parameters, decoded.
    pub path: Vec<(&'static str, String)>,
    pub query: String,
    pub body: Option<Value>,
    /// Header names in lower case.
    pub headers: Vec<(String, String)>,
    /// The raw exchange, for sockets; absent when the call did not come over a network connection.
    pub raw: Option<RawExchange>,
    /// The body of a route that takes a stream, to be taken once.
    pub stream: Option<BodyStream>,
}

/// Bytes as they come, or how they broke off.
pub type BodyStream = LocalBoxStream<'static, std::io::Result<bytes::Bytes>>;

/// What a socket needs of the web framework.
pub struct RawExchange {
    pub request: actix_web::HttpRequest,
    pub payload: actix_web::web::Payload,
}

impl Request {
    /// A parameter of the path. One that the route does not have is a fault of ours.
    pub fn param(&self, name: &str) -> Result<&str> {
        self.path
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, v)| v.as_str())
            .ok_or_else(|| Error::internal(format!("no path parameter {name}")))
    }

    /// A parameter of the path that must be an id; what is not one names nothing that could exist.
    pub fn id<T, E>(&self, name: &str, parse: impl Fn(&str) -> Result<T, E>, missing: Missing) -> Result<T> {
        parse(self.param(name)?).map_err(|_| Error::NotFound(missing))
    }

    /// The body as an object whose fields are decoded one by one.
    pub fn fields(&self) -> Result<Fields<'_>> {
        Fields::of_body(self.body.as_ref())
    }

    /// The parameters after the question mark.
    pub fn query(&self) -> Query {
        Query::parse(&self.query)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The revision of `If-Match`; absent and `*` are no condition.
    pub fn if_match(&self) -> Result<Option<i64>> {
        let Some(text) = self.header("if-match").map(str::trim).filter(|t| *t != "*") else { return Ok(None) };
        let number = text.trim_start_matches("W/").trim_matches('"').parse::<i64>();
        number
            .map(Some)
            .map_err(|_| FieldRule::new("invalid", "If-Match holds the ETag of an earlier answer, for example \"3\".").error("If-Match"))
    }
}

/// The body of an answer.
pub enum ReplyBody {
    Empty,
    Json(String),
    Text(String),
    /// A file, whole.
    Bytes(bytes::Bytes),
    /// Sent as it comes, never compressed.
    Stream(BodyStream),
    /// The same, of a length that is known; one that ends early breaks the connection.
    Sized(u64, BodyStream),
    /// An upgraded connection.
    Upgraded(Box<actix_web::HttpResponse>),
}

/// An answer.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: ReplyBody,
}

impl Reply {
    fn with(status: u16, body: ReplyBody) -> Self {
        Self { status, headers: Vec::new(), body }
    }

    /// 200 with JSON.
    pub fn ok(value: &impl Serialize) -> Result<Self> {
        Self::json(200, value)
    }

    /// 201 with JSON.
    pub fn created(value: &impl Serialize) -> Result<Self> {
        Self::json(201, value)
    }

    pub fn json(status: u16, value: &impl Serialize) -> Result<Self> {
        let text = serde_json::to_string(value).map_err(|e| Error::internal(format!("an answer cannot be written: {e}")))?;
        Ok(Self::with(status, ReplyBody::Json(text)))
    }

    /// 204.
    pub fn none() -> Self {
        Self::with(204, ReplyBody::Empty)
    }

    /// 200 with plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::with(200, ReplyBody::Text(text.into()))
    }

    /// A stream with its content type.
    pub fn stream(content_type: &str, stream: BodyStream) -> Self {
        Self::with(200, ReplyBody::Stream(stream)).header("content-type", content_type)
    }

    /// A stream of a known length.
    pub fn sized(status: u16, length: u64, stream: BodyStream) -> Self {
        Self::with(status, ReplyBody::Sized(length, stream))
    }

    pub fn upgraded(response: actix_web::HttpResponse) -> Self {
        Self::with(101, ReplyBody::Upgraded(Box::new(response)))
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The revision of the object, to be sent back in `If-Match`.
    #[must_use]
    pub fn etag(self, revision: i64) -> Self {
        self.header("etag", format!("\"{revision}\""))
    }
}
