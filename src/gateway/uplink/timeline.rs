//! `/timeline/line`: a line that the agent of the workspace at the other end has for its timeline.
//!
//! Agents below a launcher of this server say it into a pipe instead. What is said is a hint, cut to size and counted: the
//! programs of a workspace can make its agent say anything.

use super::{Body, Peer, Service, answer, refuse};
use crate::domain::agent::{MOST_LINES, line_of};
use crate::domain::id::WorkspaceId;
use crate::gateway::Gateway;
use crate::ops::timeline;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The longest body, in bytes.
const LONGEST: usize = 16 * 1024;
/// Runs whose lines are counted; beyond that all counts begin anew.
const MOST_RUNS: usize = 50_000;

/// A line as an agent sends it; its own time is not believed.
#[derive(Deserialize)]
struct Said {
    code: String,
    message: String,
    failed: bool,
}

/// Takes lines for the timeline.
pub struct Timeline {
    gateway: Gateway,
    counts: Mutex<HashMap<WorkspaceId, (i64, u32)>>,
}

impl Timeline {
    pub fn new(gateway: Gateway) -> Arc<Self> {
        Arc::new(Self { gateway, counts: Mutex::default() })
    }

    /// Counts one more line of this run; `false` where it had its share.
    fn count(&self, peer: &Peer) -> bool {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= MOST_RUNS {
            counts.clear();
        }
        let count = counts.entry(peer.workspace.clone()).or_insert((peer.run, 0));
        if count.0 != peer.run {
            *count = (peer.run, 0);
        }
        count.1 = count.1.saturating_add(1);
        count.1 <= MOST_LINES
    }
}

impl Service for Timeline {
    fn call(&self, peer: Arc<Peer>, request: Request<Incoming>) -> BoxFuture<'static, Response<Body>> {
        if request.method() != Method::POST || request.uri().path() != "/timeline/line" {
            return Box::pin(async { refuse(StatusCode::NOT_FOUND, "not_found", "There is no such route.") });
        }
        if !self.count(&peer) {
            return Box::pin(async { refuse(StatusCode::TOO_MANY_REQUESTS, "too_many", "This run has said enough.") });
        }
        let ops = self.gateway.ops.clone();
        Box::pin(async move {
            let read = Limited::new(request.into_body(), LONGEST).collect().await;
            let said = read.ok().and_then(|body| serde_json::from_slice::<Said>(&body.to_bytes()).ok());
            let Some((said, words)) = said.and_then(|said| line_of(&said.code, &said.message).map(|words| (said, words))) else {
                return refuse(StatusCode::BAD_REQUEST, "bad_line", "The body is a line for the timeline.");
            };
            match timeline::said(&ops, peer.workspace.clone(), peer.run, said.code, words, said.failed).await {
                Ok(()) => answer(StatusCode::OK, &json!({})),
                Err(error) => {
                    tracing::debug!(workspace = %peer.workspace, %error, "a line for the timeline could not be written");
                    refuse(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "It could not be written.")
                }
            }
        })
    }
}
