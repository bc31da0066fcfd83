//! The right to one exchange about files: asked for, registered with those who end connections, and asked for again
//! while the exchange lasts.

use super::Asked;
use super::refusals;
use crate::cluster::WorkspaceRef;
use crate::domain::home_path::HomePath;
use crate::error::{Error, Missing, Result, Unauthenticated};
use crate::events::{Belongs, CutReason, Live};
use crate::gateway::Gateway;
use crate::gateway::agents::{AgentBody, RequestBody};
use crate::ops::Caller;
use crate::ops::files::{self as reaching, Reach};
use crate::policy::Action;
use crate::token::ticket::Scope;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Body;
use hyper::header::HOST;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use serde::de::DeserializeOwned;
use std::io;
use std::time::Duration;
use tokio::time::Instant;

/// How often the right to go on is asked for again.
const RECHECK: Duration = Duration::from_secs(60);
/// The longest JSON that is read of an agent, in bytes: ten thousand entries with long names.
const LONGEST_JSON: usize = 16 * 1024 * 1024;

/// Somebody who may, at this moment.
pub(super) struct Pass {
    gateway: Gateway,
    caller: Caller,
    reach: Reach,
    pub place: WorkspaceRef,
    pub disk_bytes: i64,
    path: HomePath,
    live: Live,
    /// When the right was last asked for.
    checked: Instant,
}

/// A body without anything in it.
pub(super) fn nothing() -> RequestBody {
    boxed(Empty::new())
}

pub(super) fn boxed<B>(body: B) -> RequestBody
where
    B: Body<Data = Bytes, Error = std::convert::Infallible> + Send + 'static,
{
    body.map_err(|never| match never {}).boxed_unsync()
}

impl Pass {
    /// Asks for the way in, and makes the exchange known to those who end connections. The order matters: what is taken
    /// away between the first answer and the registration is found by asking again.
    pub async fn get(gateway: &Gateway, caller: &Caller, asked: Asked, action: Action) -> Result<Self> {
        let reach = Reach { workspace: asked.workspace, action, path: asked.path.shown(), reason: asked.reason };
        let reached = reaching::reach(&gateway.ops, caller, reach.clone()).await?;
        let entrance = reached.entrance;
        let live = gateway.ops.bus.register(Belongs {
            user: Some(entrance.user.clone()),
            session: entrance.session.clone(),
            token: entrance.token.clone(),
            workspace: Some(entrance.workspace.clone()),
            group: Some(entrance.group.clone()),
        });
        reaching::recheck(&gateway.ops, caller, reach.clone(), entrance.run).await?;
        Ok(Self {
            gateway: gateway.clone(),
            caller: caller.clone(),
            reach,
            place: crate::gateway::place(&entrance.workspace, &entrance.namespace, entrance.run),
            disk_bytes: reached.disk_bytes,
            path: asked.path,
            live,
            checked: Instant::now(),
        })
    }

    /// One exchange with the agent, up to the head of its answer. A refusal comes back as an error.
    pub async fn ask(&mut self, method: Method, query: &str, headers: HeaderMap, body: RequestBody) -> Result<Response<AgentBody>> {
        let mut request = Request::builder().method(method).uri(format!("/v1/files/{}{query}", self.path.encoded())).body(body);
        if let Ok(request) = &mut request {
            *request.headers_mut() = headers;
            request.headers_mut().insert(HOST, hyper::header::HeaderValue::from_static("agent"));
        }
        let request = request.map_err(|e| Error::internal(e.to_string()))?;
        let gateway = self.gateway.clone();
        let place = self.place.clone();
        let asking = async { gateway.agents.request(&place, Scope::Files, request).await };
        let answer = self.while_allowed(asking).await??;
        if matches!(answer.status(), StatusCode::OK | StatusCode::PARTIAL_CONTENT) {
            return Ok(answer);
        }
        let status = answer.status();
        let body = Limited::new(answer.into_body(), 16 * 1024);
        let told = self.while_allowed(body.collect()).await?;
        Err(refusals::of(status, told.ok().map(http_body_util::Collected::to_bytes), self))
    }

    /// The JSON of an answer.
    pub async fn json<T: DeserializeOwned>(&mut self, answer: Response<AgentBody>) -> Result<T> {
        let body = Limited::new(answer.into_body(), LONGEST_JSON);
        let told = self.while_allowed(body.collect()).await?.map_err(|e| refusals::not_understood(&e.to_string()))?;
        serde_json::from_slice(&told.to_bytes()).map_err(|e| refusals::not_understood(&e.to_string()))
    }

    /// Waits for something, as long as the right to it lasts.
    pub async fn while_allowed<T>(&mut self, work: impl Future<Output = T>) -> Result<T> {
        tokio::pin!(work);
        loop {
            // Counted over all that this pass is used for: a busy stream must not put the question off.
            let due = self.checked + RECHECK;
            tokio::select! {
                biased;
                reason = self.live.cut() => return Err(cut(reason)),
                () = tokio::time::sleep_until(due) => {
                    self.recheck().await?;
                    self.checked = Instant::now();
                }
                done = &mut work => return Ok(done),
            }
        }
    }

    async fn recheck(&self) -> Result<()> {
        match reaching::recheck(&self.gateway.ops, &self.caller, self.reach.clone(), self.place.run).await {
            // The database is busy: that takes nobody's right away. The next check comes.
            Err(Error::Unavailable { .. } | Error::Internal(_)) => Ok(()),
            result => result,
        }
    }

    /// The bytes of an answer. They end in an error when the right to them does, so that a part never looks whole.
    pub fn stream(self, body: AgentBody) -> BoxStream<'static, io::Result<Bytes>> {
        let state = Some((self, body));
        stream::unfold(state, |state| async move {
            let (mut pass, mut body) = state?;
            loop {
                return match pass.while_allowed(body.frame()).await {
                    Ok(Some(Ok(frame))) => match frame.into_data() {
                        Ok(bytes) => Some((Ok(bytes), Some((pass, body)))),
                        Err(_) => continue,
                    },
                    Ok(None) => None,
                    Ok(Some(Err(error))) => Some((Err(io::Error::other(error)), None)),
                    Err(error) => Some((Err(io::Error::other(error.to_string())), None)),
                };
            }
        })
        .boxed()
    }
}

/// What somebody is told whose exchange was ended.
fn cut(reason: CutReason) -> Error {
    match reason {
        CutReason::SignedOut => Error::Unauthenticated(Unauthenticated::InvalidToken),
        CutReason::Revoked => Error::NotFound(Missing::Workspace),
        CutReason::Stopped => Error::WrongState("It was stopped.".to_owned()),
        CutReason::Restarting => Error::WrongState("It restarts. Try again in a moment.".to_owned()),
    }
}
