//! The way out of a workspace: what programs inside ask of the server, over one connection that the server opened.
//!
//! For every workspace that runs, [`keeper`] holds one connection to its agent ([`link`]). There the agent asks in
//! HTTP/2, and what it asks is handed to one of a few services by its path: tunnels to the outside, the routes for
//! machines, ssh signatures, git credentials. The connection is the identity: who asks is known before the first byte
//! is read, and nothing inside the workspace can speak for another. Services are given in at the start, so this module
//! knows none of them.
//!
//! Deliberately absent: any right beyond the connection's own. What a service does for a [`Peer`] is for it to decide.

pub mod keeper;
pub mod link;
pub mod timeline;
pub mod tokens;

use crate::ops::running::Running;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE};
use hyper::upgrade::Upgraded;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;
use std::io;
use std::sync::Arc;

/// Who asks: the run of a workspace, and whose it is. As it was when the connection was made; the connection ends when
/// it stops being true.
pub type Peer = Running;

/// The body of an answer: a few bytes, or a stream.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Both directions of a tunnel.
pub type Tunnel = TokioIo<Upgraded>;

/// What is done with a tunnel once it stands; it ends with the future, or with the connection to the workspace.
pub type Carry = Box<dyn FnOnce(Tunnel) -> BoxFuture<'static, ()> + Send>;

/// Answers requests below a path.
pub trait Service: Send + Sync {
    /// Never fails: what goes wrong is an answer too. Dropped when the workspace is cut off or gives up waiting.
    fn call(&self, peer: Arc<Peer>, request: Request<Incoming>) -> BoxFuture<'static, Response<Body>>;
}

/// Opens tunnels to the outside (`CONNECT`).
pub trait Tunnels: Send + Sync {
    /// `target` is what was asked for: `host:port`, unchecked. The answer is what to do with the stream, or a refusal
    /// for the program that asked ([`refuse`]).
    fn open(&self, peer: Arc<Peer>, target: String) -> BoxFuture<'static, Result<Carry, Response<Body>>>;
}

/// Who answers what. Cheap to clone.
#[derive(Clone, Default)]
pub struct Services {
    tunnels: Option<Arc<dyn Tunnels>>,
    below: Vec<(&'static str, Arc<dyn Service>)>,
}

impl Services {
    /// Tunnels are opened by this; without it each is refused.
    #[must_use]
    pub fn tunnels(mut self, tunnels: Arc<dyn Tunnels>) -> Self {
        self.tunnels = Some(tunnels);
        self
    }

    /// What lies below this path, which begins and ends with a slash.
    #[must_use]
    pub fn below(mut self, path: &'static str, service: Arc<dyn Service>) -> Self {
        self.below.push((path, service));
        self
    }

    fn find(&self, path: &str) -> Option<&Arc<dyn Service>> {
        is_plain(path).then(|| self.below.iter().find(|(prefix, _)| path.starts_with(prefix)).map(|(_, service)| service)).flatten()
    }
}

/// What becomes of one request.
enum Course {
    Tunnel(Arc<dyn Tunnels>, String),
    Service(Arc<dyn Service>),
    Refused(Box<Response<Body>>),
}

fn course(services: &Services, request: &Request<Incoming>) -> Course {
    if request.method() == Method::CONNECT {
        let target = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        return match &services.tunnels {
            Some(tunnels) => Course::Tunnel(Arc::clone(tunnels), target),
            None => Course::Refused(Box::new(refuse(StatusCode::FORBIDDEN, "no_tunnels", "This server opens no connections."))),
        };
    }
    match services.find(request.uri().path()) {
        Some(service) => Course::Service(Arc::clone(service)),
        None => Course::Refused(Box::new(refuse(StatusCode::NOT_FOUND, "not_found", "There is no such route."))),
    }
}

/// Whether a path means what it says: nothing encoded, no empty or dot segments. Nobody who asks here needs others, and
/// what two readers could read differently is refused.
fn is_plain(path: &str) -> bool {
    let letters = path.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'%' | b'\\' | b';'));
    let segments = path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(|s| !matches!(s, "" | "." | "..")));
    letters && segments
}

/// A body that is all there.
pub fn body(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A small JSON answer.
pub fn answer(status: StatusCode, value: &serde_json::Value) -> Response<Body> {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/json")
        .header(CACHE_CONTROL, "no-store")
        .body(body(value.to_string()))
        .unwrap_or_default()
}

/// A refusal: a stable code for programs, words for people.
pub fn refuse(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    answer(status, &json!({ "code": code, "message": message }))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    impl Service for Nothing {
        fn call(&self, _: Arc<Peer>, _: Request<Incoming>) -> BoxFuture<'static, Response<Body>> {
            Box::pin(async { answer(StatusCode::OK, &json!({})) })
        }
    }

    fn services() -> Services {
        Services::default().below("/api/machine/", Arc::new(Nothing)).below("/ssh/", Arc::new(Nothing))
    }

    #[test]
    fn paths_lead_to_the_service_that_they_begin_with_and_nowhere_else() {
        for path in ["/api/machine/status", "/api/machine/a/b", "/ssh/sign"] {
            assert!(services().find(path).is_some(), "{path}");
        }
        for path in ["", "/", "*", "/api/machine", "/api/machines/x", "/api/users", "/sshx/sign", "/git/credential", "ssh/sign"] {
            assert!(services().find(path).is_none(), "{path}");
        }
    }

    #[test]
    fn paths_that_two_readers_could_read_differently_lead_nowhere() {
        for path in [
            "/ssh/../api/machine/status",
            "/ssh/./sign",
            "/ssh//sign",
            "//ssh/sign",
            "/ssh/",
            "/ssh/..",
            "/ssh/%2e%2e/users",
            "/ssh/a%2fb",
            "/ssh/a\\b",
            "/ssh/a;b",
            "/ssh/a b",
            "/ssh/a\u{0}b",
            "/ssh/ü",
        ] {
            assert!(services().find(path).is_none(), "{path}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_asked_for_a_service_is_only_reached_below_its_own_path(path in "[/a-z.%\\\\;2feE ]{0,40}") {
            let found = services().find(&path).is_some();
            let below = path.starts_with("/api/machine/") || path.starts_with("/ssh/");
            proptest::prop_assert!(!found || (below && !path.contains("..") && !path.contains('%') && !path.contains("//")));
        }
    }
}
