//! `/api/machine/*`: what programs inside a workspace ask about it, with the workspace's machine token and nothing else.

use super::handler::{Reply, Request};
use crate::clock::Millis;
use crate::domain::workspace::Status;
use crate::error::Result;
use crate::gateway::logs::{self, LogWish};
use crate::ops::machine::{self, OwnState};
use bytes::Bytes;
use futures_util::StreamExt;
use serde::Serialize;

/// Lines when no number is given, and the most.
const LINES: i64 = 200;
const LINES_MAX: i64 = 10_000;

/// How the workspace is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MachineView {
    /// Of the workspace.
    pub id: String,
    pub name: String,
    #[schema(value_type = String)]
    pub status: Status,
    pub run: i64,
    pub group_id: String,
    pub group_name: String,
    pub user_id: String,
    pub user_name: String,
    /// Its page.
    pub url: String,
    /// RFC 3339, as all times.
    pub started_at: Option<String>,
    pub last_accessed_at: Option<String>,
    /// When the token that asked ends; another one comes long before.
    pub token_expires_at: String,
}

/// The answer to a sign of life.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeartbeatView {
    /// The server's time, RFC 3339.
    pub at: String,
    #[schema(value_type = String)]
    pub status: Status,
    pub token_expires_at: String,
}

pub async fn status(request: Request) -> Result<Reply> {
    let OwnState { workspace, token_expires_at } = machine::look(&request.app.ops, &request.caller).await?;
    let row = &workspace.row;
    Reply::ok(&MachineView {
        id: row.id.to_string(),
        name: row.name.clone(),
        status: workspace.status_word(),
        run: row.run,
        group_id: row.group_id.to_string(),
        group_name: workspace.group_name.clone(),
        user_id: row.owner_id.to_string(),
        user_name: workspace.owner_username.clone(),
        url: format!("{}/workspaces/{}", request.app.transport.public_url, row.id),
        started_at: row.started_at.map(Millis::rfc3339),
        last_accessed_at: workspace.last_accessed_at.map(Millis::rfc3339),
        token_expires_at: token_expires_at.rfc3339(),
    })
}

/// Says that the server and the token are still good. It is no use: a workspace that only lives is idle.
pub async fn heartbeat(request: Request) -> Result<Reply> {
    let OwnState { workspace, token_expires_at } = machine::look(&request.app.ops, &request.caller).await?;
    let at = request.app.clock.now().rfc3339();
    Reply::ok(&HeartbeatView { at, status: workspace.status_word(), token_expires_at: token_expires_at.rfc3339() })
}

pub async fn activity(request: Request) -> Result<Reply> {
    machine::report_use(&request.app.ops, &request.caller).await?;
    Ok(Reply::none())
}

pub async fn own_logs(request: Request) -> Result<Reply> {
    let query = request.query();
    let lines = query.integer("lines", 0, LINES_MAX).unwrap_or(LINES);
    query.finish()?;
    let OwnState { workspace, .. } = machine::look(&request.app.ops, &request.caller).await?;
    let wish = LogWish { lines: usize::try_from(lines).unwrap_or(0), ..LogWish::default() };
    let found = logs::of(&request.app.gateway, &workspace.row.id, &workspace.namespace, workspace.row.run, wish).await?;
    let stream = found.map(|line| Ok(Bytes::from(line))).boxed_local();
    Ok(Reply::stream("text/plain; charset=utf-8", stream))
}
