//! `/api/workspaces/{id}/apps` and `/ports`: what can be opened in a workspace, how it is, and what it printed.

use super::fields::text;
use super::handler::{Reply, Request};
use super::workspaces::named;
use crate::app::App;
use crate::domain::app::{AppStatus, PortReport};
use crate::domain::id::WorkspaceId;
use crate::domain::names::Reason;
use crate::error::Result;
use crate::gateway::inside::{self, AppState};
use futures_util::StreamExt;
use serde::Serialize;

/// Lines when no number is given, and the most.
const LINES: i64 = 200;
const LINES_MAX: i64 = 2_000;

/// One app of a workspace.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppView {
    /// Unique in its workspace; part of addresses.
    pub slug: String,
    pub name: String,
    /// A name of the icon sprite.
    pub icon: String,
    /// `stopped` until somebody opens it.
    pub status: AppStatus,
    /// What is to be said of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What to do where it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The page that opens it; it can be bookmarked.
    pub url: String,
    /// Since when it is so, while the workspace runs. RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// How often it was started again by itself in this run.
    pub restarts: u32,
    /// The exit code of its last end; a signal counts as 128 plus its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_exit: Option<i32>,
}

impl AppView {
    pub fn of(app: &App, workspace: &WorkspaceId, state: AppState) -> Self {
        let AppState { app: recipe, status, message, since, restarts, last_exit } = state;
        Self {
            url: format!("{}/open?workspace={workspace}&app={}", app.transport.public_url, recipe.slug),
            slug: recipe.slug,
            name: recipe.name,
            icon: recipe.icon,
            status,
            message,
            hint: Some(recipe.hint).filter(|hint| status == AppStatus::Missing && !hint.is_empty()),
            since: since.map(crate::clock::Millis::rfc3339),
            restarts,
            last_exit,
        }
    }

    pub fn all(app: &App, workspace: &WorkspaceId, states: Vec<AppState>) -> Vec<Self> {
        states.into_iter().map(|state| Self::of(app, workspace, state)).collect()
    }
}

/// A server that somebody started in a workspace.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PortView {
    pub port: u16,
    /// What it is bound to: `127.0.0.1`, `::1`, `0.0.0.0`, …
    pub address: String,
    /// The name of the program; empty where it cannot be known.
    pub process: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// The app whose program opened it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The page that opens it.
    pub url: String,
}

pub async fn list(request: Request) -> Result<Reply> {
    request.query().finish()?;
    let id = named(&request)?;
    let states = inside::list(&request.app.gateway, &request.caller, id.clone()).await?;
    Reply::ok(&AppView::all(&request.app, &id, states))
}

pub async fn log(request: Request) -> Result<Reply> {
    let query = request.query();
    let lines = query.integer("lines", 0, LINES_MAX).unwrap_or(LINES);
    let follow = query.flag("follow");
    query.finish()?;
    let slug = request.param("slug")?.to_owned();
    let (id, lines, gateway) = (named(&request)?, usize::try_from(lines).unwrap_or(0), &request.app.gateway);
    if !follow {
        return Ok(Reply::text(inside::log(gateway, &request.caller, id, &slug, lines).await?));
    }
    let stream = inside::follow_log(gateway, &request.caller, id, &slug, lines).await?.map(Ok).boxed_local();
    // A proxy that waits for more would hold back the line somebody waits for.
    Ok(Reply::stream("text/plain; charset=utf-8", stream).header("x-accel-buffering", "no"))
}

/// What may be said about a restart.
#[derive(Debug, utoipa::ToSchema)]
#[allow(dead_code)] // decoded field by field, so that every problem is told at once
pub struct RestartBody {
    /// Told to the owner when it is somebody else's.
    reason: Option<String>,
}

pub async fn restart(request: Request) -> Result<Reply> {
    request.query().finish()?;
    let (id, slug) = (named(&request)?, request.param("slug")?.to_owned());
    let mut fields = request.fields()?;
    let reason = fields.optional("reason", text(Reason::parse)).map(Reason::into_string);
    let reason = fields.build(|| Some(reason))?;
    let state = inside::restart(&request.app.gateway, &request.caller, id.clone(), &slug, reason).await?;
    Reply::ok(&AppView::of(&request.app, &id, state))
}

pub async fn ports(request: Request) -> Result<Reply> {
    request.query().finish()?;
    let id = named(&request)?;
    let found = inside::ports(&request.app.gateway, &request.caller, id.clone()).await?;
    let address = |port: u16| format!("{}/open?workspace={id}&port={port}", request.app.transport.public_url);
    let view = |found: PortReport| {
        let PortReport { port, address: bound, process, pid, app } = found;
        PortView { port, address: bound, process, pid, app, url: address(port) }
    };
    Reply::ok(&found.into_iter().map(view).collect::<Vec<_>>())
}
