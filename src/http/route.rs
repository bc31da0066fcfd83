//! What a row of the route table says, and how a path is matched to one.
//!
//! The table itself is [`super::routes`]. The edge matches raw path segments and decodes each by itself, so that an
//! encoded slash or a dot segment can never lead to another route.

use super::handler::Handler;
pub use super::parameter::{Parameter, ParameterKind, Values};
use super::percent::decode_segment;
use crate::policy::Action;
use std::collections::HashMap;
use utoipa::openapi::{RefOr, Schema};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            // HEAD is GET without the body; the web framework drops it.
            "GET" | "HEAD" => Self::Get,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            _ => return None,
        })
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Whether it may change something.
    pub const fn is_unsafe(self) -> bool {
        !matches!(self, Self::Get)
    }
}

/// Who may call a route (I3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Whoever could ever be permitted this action; `ops` decides on the object.
    Action(Action),
    /// Anybody, for the written reason.
    Public(&'static str),
    /// A socket whose credential may come in its first frame; the handler authenticates, for the written reason.
    InFirstFrame(Action, &'static str),
    /// A workspace with its machine token, and nobody else: any other credential is none here.
    Machine(Action),
    /// The command line on the control socket, and nobody on the network.
    CommandLine(Action),
}

/// What the route does with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyRule {
    /// None is expected, and one that comes is refused.
    None,
    /// JSON of at most this many bytes.
    Json(usize),
    /// JSON if there is one: an empty body is an empty object.
    OptionalJson(usize),
    /// Bytes of any number, which the handler takes as they come: [`super::handler::Request::stream`].
    Streamed,
}

/// A schema with its name, and the schemas that it refers to.
pub type NamedSchema = (String, RefOr<Schema>, Vec<(String, RefOr<Schema>)>);

/// A schema for the API description.
pub type SchemaOf = fn() -> NamedSchema;

/// The schema of a type, for the table.
pub fn schema_of<T: utoipa::ToSchema>() -> NamedSchema {
    let mut parts = Vec::new();
    T::schemas(&mut parts);
    (T::name().into_owned(), T::schema(), parts)
}

/// How an answer looks in the API description.
#[derive(Clone, Copy)]
pub enum AnswerDoc {
    Nothing,
    Json(SchemaOf),
    /// A bare array.
    List(SchemaOf),
    Text,
    Stream(&'static str),
    /// One of these, as it is asked for.
    Streams(&'static [&'static str]),
    /// The bytes of a file, or what is known of it as JSON.
    File(SchemaOf),
    Socket,
}

/// One row.
#[derive(Clone, Copy)]
pub struct Route {
    pub method: Method,
    /// Segments; `{name}` is a parameter.
    pub path: &'static str,
    /// The last parameter is the whole rest of the path, however many segments that has, still encoded.
    pub tail: bool,
    pub access: Access,
    pub body: BodyRule,
    /// Accepts `Idempotency-Key`.
    pub idempotent: bool,
    /// Answers with `ETag` and heeds `If-Match`.
    pub etag: bool,
    /// Works while a password must be changed.
    pub before_password_change: bool,
    pub handler: Handler,
    /// One line for the API description.
    pub summary: &'static str,
    pub request: Option<SchemaOf>,
    pub status: u16,
    pub answer: AnswerDoc,
    pub query: &'static [Parameter],
}

impl Route {
    const fn new(method: Method, path: &'static str, access: Access, handler: Handler) -> Self {
        Self {
            method,
            path,
            tail: false,
            access,
            body: BodyRule::None,
            idempotent: false,
            etag: false,
            before_password_change: false,
            handler,
            summary: "",
            request: None,
            status: 200,
            answer: AnswerDoc::Nothing,
            query: &[],
        }
    }

    pub const fn get(path: &'static str, access: Access, handler: Handler) -> Self {
        Self::new(Method::Get, path, access, handler)
    }

    /// A POST with an optional small body.
    pub const fn post(path: &'static str, access: Access, handler: Handler) -> Self {
        let mut route = Self::new(Method::Post, path, access, handler);
        route.body = BodyRule::OptionalJson(SMALL_BODY);
        route
    }

    pub const fn put(path: &'static str, access: Access, handler: Handler) -> Self {
        let mut route = Self::new(Method::Put, path, access, handler);
        route.body = BodyRule::OptionalJson(SMALL_BODY);
        route
    }

    pub const fn patch(path: &'static str, access: Access, handler: Handler) -> Self {
        let mut route = Self::new(Method::Patch, path, access, handler);
        route.body = BodyRule::Json(SMALL_BODY);
        route
    }

    pub const fn delete(path: &'static str, access: Access, handler: Handler) -> Self {
        let mut route = Self::new(Method::Delete, path, access, handler);
        route.body = BodyRule::OptionalJson(SMALL_BODY);
        route
    }

    #[must_use]
    pub const fn says(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    #[must_use]
    pub const fn takes(mut self, request: SchemaOf) -> Self {
        self.request = Some(request);
        self.body = BodyRule::Json(SMALL_BODY);
        self
    }

    /// A body that may be left out.
    #[must_use]
    pub const fn may_take(mut self, request: SchemaOf) -> Self {
        self.request = Some(request);
        self.body = BodyRule::OptionalJson(SMALL_BODY);
        self
    }

    #[must_use]
    pub const fn gives(mut self, status: u16, answer: AnswerDoc) -> Self {
        self.status = status;
        self.answer = answer;
        self
    }

    #[must_use]
    pub const fn asks(mut self, query: &'static [Parameter]) -> Self {
        self.query = query;
        self
    }

    #[must_use]
    pub const fn with_tail(mut self) -> Self {
        self.tail = true;
        self
    }

    #[must_use]
    pub const fn takes_a_stream(mut self) -> Self {
        self.body = BodyRule::Streamed;
        self
    }

    #[must_use]
    pub const fn with_etag(mut self) -> Self {
        self.etag = true;
        self
    }

    #[must_use]
    pub const fn with_idempotency(mut self) -> Self {
        self.idempotent = true;
        self
    }

    #[must_use]
    pub const fn while_password_must_change(mut self) -> Self {
        self.before_password_change = true;
        self
    }
}

/// Enough for every JSON body of the API, in bytes.
pub const SMALL_BODY: usize = 64 * 1024;

enum Segment {
    Fixed(&'static str),
    Parameter(&'static str),
}

/// A path's segments and the routes that have them.
type Shape = (Vec<Segment>, Vec<&'static Route>);

/// The routes, ready to be matched: those with the same shape share an entry.
pub struct Router {
    by_length: HashMap<usize, Vec<Shape>>,
    /// Shapes whose last segment stands for the rest of the path. They come second.
    tails: Vec<Shape>,
}

/// What a method and a path lead to.
pub enum Match {
    Found(&'static Route, Vec<(&'static str, String)>),
    /// The path exists, but not with this method; the text is the `Allow` header.
    WrongMethod(String),
    Nothing,
}

impl Router {
    pub fn new(routes: &'static [Route]) -> Self {
        let mut by_length: HashMap<usize, Vec<Shape>> = HashMap::new();
        let mut tails = Vec::new();
        for route in routes {
            let segments: Vec<Segment> = route.path.split('/').skip(1).map(segment).collect();
            let shapes = if route.tail { &mut tails } else { by_length.entry(segments.len()).or_default() };
            match shapes.iter_mut().find(|(known, _)| same_shape(known, &segments)) {
                Some((_, routes)) => routes.push(route),
                None => shapes.push((segments, vec![route])),
            }
        }
        // A fixed segment wins over a parameter: /groups/new before /groups/{group}.
        for shapes in by_length.values_mut() {
            shapes.sort_by_key(|(segments, _)| segments.iter().map(|s| u8::from(matches!(s, Segment::Parameter(_)))).collect::<Vec<_>>());
        }
        Self { by_length, tails }
    }

    /// Finds the route of a raw path.
    pub fn find(&self, method: &str, path: &str) -> Match {
        let raw: Vec<&str> = path.split('/').skip(1).collect();
        let whole = raw.iter().copied().map(decode_segment).collect::<Option<Vec<String>>>().and_then(|segments| {
            let shapes = self.by_length.get(&segments.len())?;
            shapes.iter().find(|(shape, _)| fits(shape, &segments)).map(|shape| (shape, segments))
        });
        let found = whole.or_else(|| self.tails.iter().find_map(|shape| Some((shape, with_tail(&shape.0, &raw)?))));
        let Some(((shape, routes), segments)) = found else { return Match::Nothing };
        let wanted = Method::parse(method);
        if let Some(route) = routes.iter().find(|r| Some(r.method) == wanted) {
            return Match::Found(route, parameters(shape, segments));
        }
        let mut allowed: Vec<&str> = routes.iter().map(|r| r.method.as_str()).collect();
        allowed.sort_unstable();
        Match::WrongMethod(allowed.join(", "))
    }
}

/// The segments before the tail, decoded, and the tail as it was sent; it may be empty or missing.
fn with_tail(shape: &[Segment], raw: &[&str]) -> Option<Vec<String>> {
    let before = shape.len().checked_sub(1).filter(|before| raw.len() >= *before)?;
    let mut segments = raw[..before].iter().copied().map(decode_segment).collect::<Option<Vec<String>>>()?;
    if !fits(&shape[..before], &segments) {
        return None;
    }
    segments.push(raw[before..].join("/"));
    Some(segments)
}

fn segment(text: &'static str) -> Segment {
    match text.strip_prefix('{').and_then(|t| t.strip_suffix('}')) {
        Some(name) => Segment::Parameter(name),
        None => Segment::Fixed(text),
    }
}

fn same_shape(a: &[Segment], b: &[Segment]) -> bool {
    a.iter().zip(b).all(|pair| match pair {
        (Segment::Fixed(x), Segment::Fixed(y)) => x == y,
        (Segment::Parameter(_), Segment::Parameter(_)) => true,
        _ => false,
    })
}

fn fits(shape: &[Segment], segments: &[String]) -> bool {
    shape.iter().zip(segments).all(|(s, text)| match s {
        Segment::Fixed(fixed) => fixed == text,
        Segment::Parameter(_) => !text.is_empty(),
    })
}

fn parameters(shape: &[Segment], segments: Vec<String>) -> Vec<(&'static str, String)> {
    shape
        .iter()
        .zip(segments)
        .filter_map(|(s, text)| match s {
            Segment::Parameter(name) => Some((*name, text)),
            Segment::Fixed(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::routes::ROUTES;
    use super::*;

    fn tail(path: &str) -> Option<String> {
        match Router::new(ROUTES).find("GET", path) {
            Match::Found(route, mut parameters) if route.tail => parameters.pop().map(|(_, tail)| tail),
            _ => None,
        }
    }

    #[test]
    fn a_tail_is_handed_over_as_it_was_sent() {
        for raw in ["", "a", "a/b", "a%2fb", "..", "%2e%2e/x", "a//b", "%ff", "a/", "%zz"] {
            assert_eq!(tail(&format!("/api/workspaces/ws_1/files/{raw}")).as_deref(), Some(raw));
        }
        assert_eq!(tail("/api/workspaces/ws_1/files").as_deref(), Some(""));
    }

    #[test]
    fn nothing_before_a_tail_is_taken_loosely() {
        for path in
            ["/api/workspaces/%zz/files/a", "/api/workspaces//files/a", "/api/workspaces/a%2fb/files/x", "/api//workspaces/x/files/a"]
        {
            assert_eq!(tail(path), None, "{path}");
        }
        assert_eq!(tail("/api/workspaces/ws_1/fileset/a"), None);
    }
}
