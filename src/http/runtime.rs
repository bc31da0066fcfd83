//! The running part of a workspace's view: where its servers are, and for its owner the machine token.
//!
//! The shape is that of Eclipse Che: `runtime.servers` by name, with `url` and `status`, and `runtime.machineToken`.

use super::apps::AppView;
use crate::app::App;
use crate::domain::app::AppStatus;
use crate::domain::workspace::Status;
use crate::error::Result;
use crate::ops::workspaces::Workspace;
use crate::ops::{Caller, machine_tokens};
use crate::policy::{Credential, Principal};
use secrecy::ExposeSecret;
use serde::Serialize;
use std::collections::BTreeMap;

/// One app that can be opened.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerView {
    /// The page that opens it.
    pub url: String,
    pub status: AppStatus,
}

/// What there is of a workspace while it runs.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeView {
    /// By the app's short name.
    pub servers: BTreeMap<String, ServerView>,
    /// What programs inside show the server; only for the owner, signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine_token: Option<String>,
}

impl RuntimeView {
    /// `None` where nothing runs.
    pub async fn of(app: &App, caller: &Caller, workspace: &Workspace, apps: &[AppView]) -> Result<Option<Self>> {
        if workspace.status_word() != Status::Running {
            return Ok(None);
        }
        Ok(Some(Self { servers: servers(apps), machine_token: machine_token(app, caller, workspace).await? }))
    }
}

fn servers(apps: &[AppView]) -> BTreeMap<String, ServerView> {
    let server = |app: &AppView| ServerView { url: app.url.clone(), status: app.status };
    apps.iter().map(|app| (app.slug.clone(), server(app))).collect()
}

/// An API token's scopes say what it may do; a machine token is none of that.
async fn machine_token(app: &App, caller: &Caller, workspace: &Workspace) -> Result<Option<String>> {
    let Principal::User { id, credential: Credential::Cookie(_) | Credential::Access(_), .. } = &caller.principal else { return Ok(None) };
    if *id != workspace.row.owner_id {
        return Ok(None);
    }
    let signed = machine_tokens::current(&app.ops, &app.keys, workspace.row.id.clone(), workspace.row.run).await?;
    Ok(signed.map(|signed| signed.token.expose_secret().to_owned()))
}
