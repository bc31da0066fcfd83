//! `GET /api/whoami`: who and where the server thinks the caller is, to check the settings of a proxy with.

use super::handler::{Reply, Request};
use crate::error::Result;
use serde::Serialize;

/// What the server sees.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WhoamiView {
    /// The client's address as it is counted and audited; empty over the control socket.
    pub address: String,
    /// The address under which people reach this server, as it is configured.
    pub public_url: String,
    pub agent: String,
    pub user_id: Option<String>,
    pub username: Option<String>,
}

#[allow(clippy::unused_async)] // the form of every handler
pub async fn show(request: Request) -> Result<Reply> {
    let user = request.actor.user();
    Reply::ok(&WhoamiView {
        address: request.caller.origin.address.clone(),
        public_url: request.app.transport.public_url.to_string(),
        agent: request.caller.origin.agent.clone(),
        user_id: user.map(|u| u.id.to_string()),
        username: user.map(|u| u.username.clone()),
    })
}
