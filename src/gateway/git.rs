//! Answers what a workspace asks for its owner over its own connection: `/ssh/identities`, `/ssh/sign`,
//! `/git/credential`.
//!
//! The key never leaves this process: a request to sign comes in, is taken apart, and a signature goes out. A token for
//! git does leave, because git sends it to the host itself: but only for the one host that was asked about. Who asks is
//! known from the connection and never from what it says.

use super::git_ledger::{Entry, Ledger};
use super::uplink::{self, Body, Peer, Service};
use crate::clock::Clock;
use crate::domain::git::GitHost;
use crate::domain::id::WorkspaceId;
use crate::error::{Error, Result};
use crate::ops::Ops;
use crate::ops::git_requests::{self, Asker, Use};
use crate::token::seal::Sealer;
use crate::token::ssh::{SignRequest, Signed, wire};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE};
use hyper::{Request, Response};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};

/// The longest body of a request, in bytes.
pub const BODY_MAX: usize = 16 * 1024;

const OCTETS: &str = "application/octet-stream";
const JSON: &str = "application/json";

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeskAnswer {
    pub status: u16,
    pub content_type: &'static str,
    pub body: Bytes,
}

impl DeskAnswer {
    fn octets(body: Vec<u8>) -> Self {
        Self { status: 200, content_type: OCTETS, body: body.into() }
    }

    fn json(status: u16, body: &Value) -> Self {
        Self { status, content_type: JSON, body: body.to_string().into() }
    }

    fn refusal(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, &json!({ "code": code, "message": message }))
    }
}

/// Answers all workspaces.
pub struct GitDesk {
    ops: Ops,
    sealer: Arc<Sealer>,
    clock: Arc<dyn Clock>,
    ledger: Mutex<Ledger>,
}

impl GitDesk {
    pub fn new(ops: Ops, sealer: Arc<Sealer>, clock: Arc<dyn Clock>) -> Self {
        Self { ops, sealer, clock, ledger: Mutex::default() }
    }

    /// Answers one request of one run of a workspace.
    pub async fn answer(&self, workspace: &WorkspaceId, run: i64, path: &str, body: &Bytes) -> DeskAnswer {
        let asker = Asker { workspace: workspace.clone(), run };
        if body.len() > BODY_MAX {
            return too_long();
        }
        if !self.ledger.lock().unwrap_or_else(PoisonError::into_inner).admit(&asker, self.clock.now()) {
            return too_many();
        }
        let answered = match path {
            "/ssh/identities" => self.identities(asker).await,
            "/ssh/sign" => self.sign(asker, body).await,
            "/git/credential" => self.credential(asker, body).await,
            _ => Ok(DeskAnswer::refusal(404, "not_found", "There is no such route.")),
        };
        answered.unwrap_or_else(|error| failed(workspace, &error))
    }

    /// The contents of an `SSH_AGENT_IDENTITIES_ANSWER`: how many keys, and each with its comment.
    async fn identities(&self, asker: Asker) -> Result<DeskAnswer> {
        let key = git_requests::key(&self.ops, asker).await?;
        let mut contents = Vec::new();
        wire::put_number(&mut contents, u32::from(key.is_some()));
        if let Some(key) = key {
            wire::put_string(&mut contents, key.public.blob());
            wire::put_string(&mut contents, key.public.comment().as_bytes());
        }
        Ok(DeskAnswer::octets(contents))
    }

    async fn sign(&self, asker: Asker, body: &Bytes) -> Result<DeskAnswer> {
        let Some(key) = git_requests::key(&self.ops, asker.clone()).await? else {
            return Ok(DeskAnswer::refusal(404, "no_key", "The owner of this workspace has no SSH key yet."));
        };
        let read = SignRequest::read(body, &key.public);
        let used = match &read {
            Ok(request) => match request.what() {
                Signed::SignIn { user, host_key } => Use::SignIn { user: user.clone(), host_key: host_key.clone() },
                Signed::GitObject => Use::GitObject,
            },
            Err(refused) => Use::Refused { why: refused.why() },
        };
        if !self.on_record(asker, used).await? {
            return Ok(too_many());
        }
        match read {
            Ok(request) => Ok(DeskAnswer::octets(request.sign(&key.open(&self.sealer)?))),
            Err(refused) => Ok(DeskAnswer::refusal(403, "refused", refused.why())),
        }
    }

    async fn credential(&self, asker: Asker, body: &Bytes) -> Result<DeskAnswer> {
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        let Some(host) = asked["host"].as_str().and_then(GitHost::asked) else {
            return Ok(DeskAnswer::refusal(400, "invalid", "Name the host."));
        };
        let Some(credential) = git_requests::credential(&self.ops, asker.clone(), host.clone()).await? else {
            return Ok(DeskAnswer::refusal(404, "no_credential", "The owner of this workspace keeps no token for this host."));
        };
        if !self.on_record(asker, Use::Credential { host }).await? {
            return Ok(too_many());
        }
        let token = credential.open(&self.sealer)?;
        let token = std::str::from_utf8(&token).map_err(|_| Error::internal("a stored token is not text"))?;
        Ok(DeskAnswer::json(200, &json!({ "username": credential.username(), "token": token })))
    }

    /// Sees to it that the use is on record before it happens; `false` when there are too many.
    async fn on_record(&self, asker: Asker, used: Use) -> Result<bool> {
        let entry = self.ledger.lock().unwrap_or_else(PoisonError::into_inner).enter(&asker, &used, self.clock.now());
        match entry {
            Entry::Due(count) => git_requests::record(&self.ops, asker, used, count).await.map(|()| true),
            Entry::Counted => Ok(true),
            Entry::TooMany => Ok(false),
        }
    }
}

/// What an error looks like from inside: a state is told, a fault of ours is not.
fn failed(workspace: &WorkspaceId, error: &Error) -> DeskAnswer {
    match error {
        Error::WrongState(why) => DeskAnswer::refusal(403, "refused", why),
        Error::NotFound(_) => DeskAnswer::refusal(403, "refused", "The workspace is gone."),
        error => {
            tracing::warn!(%workspace, %error, "a request of a workspace for its owner's key or token failed");
            DeskAnswer::refusal(500, "failed", "The server failed at this; its log says more.")
        }
    }
}

/// The desk as a service of the uplink.
#[derive(Clone)]
pub struct GitService(pub Arc<GitDesk>);

impl Service for GitService {
    fn call(&self, peer: Arc<Peer>, request: Request<Incoming>) -> BoxFuture<'static, Response<Body>> {
        let desk = Arc::clone(&self.0);
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let answer = match Limited::new(body, BODY_MAX).collect().await {
                Ok(whole) => desk.answer(&peer.workspace, peer.run, head.uri.path(), &whole.to_bytes()).await,
                Err(_) => too_long(),
            };
            let built = Response::builder().status(answer.status).header(CONTENT_TYPE, answer.content_type);
            built.header(CACHE_CONTROL, "no-store").body(uplink::body(answer.body)).unwrap_or_default()
        })
    }
}

fn too_long() -> DeskAnswer {
    DeskAnswer::refusal(413, "too_long", "The request is too long.")
}

fn too_many() -> DeskAnswer {
    DeskAnswer::refusal(429, "too_many", "This workspace asks too often. Try again in a while.")
}
