//! `/machine/token`: the machine token of the workspace at the other end, and each one that follows it.
//!
//! One JSON object a line, `{"token", "publicKey", "expiresAt"}`. The answer stays open: a token that was
//! renewed, or made anew after a change of keys, comes as the next line at once.

use super::{Body, Peer, Service, refuse};
use crate::domain::id::TokenId;
use crate::error::Result;
use crate::events::Sequenced;
use crate::gateway::Gateway;
use crate::ops::machine_tokens;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE};
use hyper::{Method, Request, Response, StatusCode};
use secrecy::ExposeSecret;
use serde_json::json;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// The token is looked up again at least this often, whatever the bus says.
const AT_LEAST: Duration = Duration::from_secs(60);

/// Hands out machine tokens.
pub struct Tokens {
    gateway: Gateway,
}

impl Tokens {
    pub fn new(gateway: Gateway) -> Arc<Self> {
        Arc::new(Self { gateway })
    }
}

impl Service for Tokens {
    fn call(&self, peer: Arc<Peer>, request: Request<Incoming>) -> BoxFuture<'static, Response<Body>> {
        if request.method() != Method::GET || request.uri().path() != "/machine/token" {
            return Box::pin(async { refuse(StatusCode::NOT_FOUND, "not_found", "There is no such route.") });
        }
        // Subscribed before the first look, so that nothing is missed between.
        let (_, news) = self.gateway.ops.bus.subscribe(None);
        let follower = Follower { gateway: self.gateway.clone(), peer, news, told: None };
        let lines = stream::unfold(follower, |mut follower| async move {
            let line = follower.next().await?;
            Some((Ok::<_, io::Error>(Frame::data(line)), follower))
        });
        let answer = Response::builder()
            .header(CONTENT_TYPE, "application/x-ndjson")
            .header(CACHE_CONTROL, "no-store")
            .body(StreamBody::new(lines).boxed_unsync());
        Box::pin(async move { answer.unwrap_or_else(|_| refuse(StatusCode::INTERNAL_SERVER_ERROR, "internal", "It did not work.")) })
    }
}

/// One workspace that follows its tokens.
struct Follower {
    gateway: Gateway,
    peer: Arc<Peer>,
    news: Receiver<Sequenced>,
    /// The token that was told last.
    told: Option<TokenId>,
}

impl Follower {
    /// Waits for a token that was not told yet.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            match self.untold().await {
                Ok(Some(line)) => return Some(line),
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, "the machine token of a workspace could not be read"),
            }
            let _ = tokio::time::timeout(AT_LEAST, self.news()).await;
        }
    }

    async fn untold(&mut self) -> Result<Option<Bytes>> {
        let Self { gateway, peer, .. } = self;
        let Some(signed) = machine_tokens::current(&gateway.ops, &gateway.keys, peer.workspace.clone(), peer.run).await? else {
            return Ok(None);
        };
        if self.told.as_ref() == Some(&signed.id) {
            return Ok(None);
        }
        let line = json!({
            "token": signed.token.expose_secret(),
            "publicKey": signed.public_key,
            "expiresAt": signed.expires_at.rfc3339(),
        });
        self.told = Some(signed.id);
        Ok(Some(Bytes::from(format!("{line}\n"))))
    }

    /// Waits until something is told of this workspace, or more than could be followed.
    async fn news(&mut self) {
        loop {
            match self.news.recv().await {
                Ok(told) if told.event.kind == "workspace" && told.event.id == self.peer.workspace.as_str() => return,
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return,
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}
