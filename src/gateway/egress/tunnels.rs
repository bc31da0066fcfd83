//! Egress as the service for tunnels of the link between a workspace and the server.

use super::{Egress, Failure};
use crate::gateway::uplink::{Body, Carry, Peer, Tunnels, refuse};
use futures_util::future::BoxFuture;
use hyper::{Response, StatusCode};
use std::sync::Arc;

/// A refusal for the program that asked.
fn refusal(failure: &Failure) -> Response<Body> {
    let (status, code) = failure.code();
    refuse(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY), code, &failure.to_string())
}

/// Hands tunnels to egress.
pub struct EgressTunnels(pub Arc<Egress>);

impl Tunnels for EgressTunnels {
    fn open(&self, peer: Arc<Peer>, target: String) -> BoxFuture<'static, Result<Carry, Response<Body>>> {
        let egress = Arc::clone(&self.0);
        Box::pin(async move {
            match egress.connect(&peer.workspace, peer.run, &target).await {
                Ok(connection) => Ok(Box::new(|tunnel| Box::pin(connection.carry(tunnel)) as BoxFuture<'static, ()>) as Carry),
                Err(failure) => Err(refusal(&failure)),
            }
        })
    }
}
