//! `/api/workspaces/{id}/egress`: what a workspace may reach outside, what it reached, and what it was refused.

use super::handler::{Reply, Request};
use super::workspaces::named;
use crate::domain::egress::Entry;
use crate::error::Result;
use crate::gateway::egress::ledger::{Denied, Reached};
use crate::ops::workspaces;
use crate::policy::Action;
use serde::Serialize;

/// What a workspace reaches.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EgressView {
    /// Whether its network goes through this server. Where it does not, nothing is limited or counted.
    pub governed: bool,
    /// `open`, `allowlist` or `none`.
    pub policy: &'static str,
    /// What the operator lists.
    pub allow: Vec<String>,
    /// When counting began: with the server. RFC 3339.
    pub since: String,
    /// Bytes that came in.
    pub bytes_in: u64,
    /// Bytes that went out.
    pub bytes_out: u64,
    /// Connections that were made.
    pub connections: u64,
    /// Connections that are open now.
    pub open_connections: usize,
    /// The most recent first, at most 100.
    pub targets: Vec<TargetView>,
    /// The most recent first, at most 100.
    pub refused: Vec<RefusedView>,
}

/// Something that was reached.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetView {
    pub host: String,
    pub port: u16,
    /// Connections.
    pub count: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// When it was last connected to. RFC 3339.
    pub last_at: String,
}

/// Something that was refused, under one rule.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefusedView {
    pub host: String,
    pub port: u16,
    /// Stable word: `not_listed`, `private_address`, …
    pub rule: &'static str,
    pub message: String,
    pub count: u64,
    /// RFC 3339.
    pub last_at: String,
}

impl From<Reached> for TargetView {
    fn from(reached: Reached) -> Self {
        let Reached { target, count, bytes_in, bytes_out, last_at } = reached;
        Self { host: target.host.to_string(), port: target.port, count, bytes_in, bytes_out, last_at: last_at.rfc3339() }
    }
}

impl From<Denied> for RefusedView {
    fn from(denied: Denied) -> Self {
        let Denied { target, rule, message, count, last_at } = denied;
        Self { host: target.host.to_string(), port: target.port, rule: rule.code(), message, count, last_at: last_at.rfc3339() }
    }
}

pub async fn show(request: Request) -> Result<Reply> {
    let id = named(&request)?;
    workspaces::view(&request.app.ops, &request.caller, id.clone(), Action::ViewWorkspaceEgress).await?;
    let (governed, policy) = (request.app.view.health().await.governs_egress, request.app.egress.policy());
    let account = request.app.egress.account(&id);
    Reply::ok(&EgressView {
        governed,
        policy: policy.mode.as_str(),
        allow: policy.allow.iter().map(Entry::to_string).collect(),
        since: account.since.rfc3339(),
        bytes_in: account.bytes_in,
        bytes_out: account.bytes_out,
        connections: account.connections,
        open_connections: account.open,
        targets: account.targets.into_iter().map(TargetView::from).collect(),
        refused: account.refused.into_iter().map(RefusedView::from).collect(),
    })
}
