//! How workspaces look in the API.

use super::apps::AppView;
use super::runtime::RuntimeView;
use crate::app::App;
use crate::domain::app::{self, AppUse};
use crate::domain::capacity::print_measured;
use crate::domain::pool::CheckView;
use crate::domain::quantity::print_cpu;
use crate::domain::quota::AmountView;
use crate::domain::size::SizeView;
use crate::domain::workspace::{Desired, Status};
use crate::gateway::{self, metrics::InUse};
use crate::ops::timeline::TimelineEvent;
use crate::ops::weighing::Weighed;
use crate::ops::workspaces::{Hindrance, Listed, Single, Workspace};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Why a workspace is as it is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReasonView {
    /// Stable word: `needs_containers`, `cluster_unreachable`, …
    pub code: String,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// RFC 3339.
    pub since: String,
}

/// What is in use now. A part that cannot be measured is left out.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InUseView {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<AmountView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<AmountView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<AmountView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<i64>,
    /// What of it each app uses that runs; only under `…/metrics`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub apps: Vec<AppInUseView>,
}

/// What an app uses now, with all that it started.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AppInUseView {
    pub slug: String,
    pub name: String,
    /// Cores since an earlier look; absent at the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    pub memory: String,
    pub processes: i64,
}

impl From<(app::App, AppUse)> for AppInUseView {
    fn from((app, used): (app::App, AppUse)) -> Self {
        let (cpu, memory) = (used.cpu_milli.map(print_cpu), print_measured(used.memory_bytes));
        Self { slug: app.slug, name: app.name, cpu, memory, processes: used.processes }
    }
}

impl From<InUse> for InUseView {
    fn from(used: InUse) -> Self {
        Self { cpu: used.cpu, memory: used.memory, storage: used.storage, processes: used.processes, apps: Vec::new() }
    }
}

/// One person's environment in one group.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkspaceView {
    pub id: String,
    pub name: String,
    pub description: String,
    pub group_id: String,
    pub group_name: String,
    pub group_display_name: String,
    pub user_id: String,
    pub user_name: String,
    /// What its owner is called; the user name where no name was given.
    pub user_display_name: String,
    /// Only in the list of all workspaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_email: Option<String>,
    pub template_id: String,
    pub template_version: i64,
    pub image: String,
    #[schema(value_type = String)]
    pub status: Status,
    pub reason: Option<ReasonView>,
    pub resources: SizeView,
    /// The size in force, while it runs.
    pub applied_resources: Option<SizeView>,
    /// While what runs does not have its size yet: which it has, and when that ends.
    pub resize_waits: Option<String>,
    /// What it uses now; only in the single view.
    pub usage: Option<InUseView>,
    /// 1 while it should run.
    pub replicas: u8,
    /// Its page.
    pub url: String,
    /// What can be opened in it. In a list the status is the last that was heard.
    pub apps: Vec<AppView>,
    /// While it runs; only in the single view.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<RuntimeView>,
    /// RFC 3339, as all times.
    pub created_at: String,
    pub updated_at: String,
    pub last_accessed_at: Option<String>,
    pub generation: i64,
    pub run: i64,
    /// In a list the names of the actions that you may take; in the single view each action with `true`, or with the
    /// `code` and `message` of what stands in its way.
    #[schema(schema_with = super::openapi::allowed)]
    pub can: Value,
}

impl WorkspaceView {
    fn of(app: &App, workspace: &Workspace, can: Value) -> Self {
        let (row, status) = (&workspace.row, &workspace.status);
        Self {
            id: row.id.to_string(),
            name: row.name.clone(),
            description: row.description.clone(),
            group_id: row.group_id.to_string(),
            group_name: workspace.group_name.clone(),
            group_display_name: workspace.group_display_name.clone(),
            user_id: row.owner_id.to_string(),
            user_name: workspace.owner_username.clone(),
            user_display_name: shown(&workspace.owner_name, &workspace.owner_username),
            user_email: None,
            template_id: workspace.template_id.to_string(),
            template_version: workspace.template_version,
            image: row.image.clone(),
            status: workspace.status_word(),
            reason: status.reason.clone().map(|reason| ReasonView {
                code: reason.code,
                message: reason.message,
                remedy: reason.remedy,
                since: status.since.rfc3339(),
            }),
            resources: row.size.view(),
            applied_resources: status.applied.as_ref().map(crate::domain::size::Size::view),
            resize_waits: status.applied.as_ref().filter(|_| row.desired == Desired::Running).and_then(|applied| row.size.waits(applied)),
            usage: None,
            replicas: u8::from(row.desired == Desired::Running),
            url: format!("{}/workspaces/{}", app.transport.public_url, row.id),
            apps: AppView::all(app, &row.id, gateway::inside::known(&app.gateway, workspace)),
            runtime: None,
            created_at: row.created_at.rfc3339(),
            updated_at: row.updated_at.rfc3339(),
            last_accessed_at: workspace.last_accessed_at.map(crate::clock::Millis::rfc3339),
            generation: row.generation,
            run: row.run,
            can,
        }
    }

    /// As an entry of a list.
    pub fn listed(app: &App, listed: &Listed) -> Self {
        Self::of(app, &listed.workspace, json!(listed.can))
    }

    /// As an entry of the list of all workspaces.
    pub fn listed_with_email(app: &App, listed: &Listed) -> Self {
        Self { user_email: Some(listed.workspace.owner_email.clone()), ..Self::listed(app, listed) }
    }

    /// By itself.
    pub fn single(app: &App, single: &Single) -> Self {
        let can: Map<String, Value> =
            single.can.iter().map(|(name, hindrance)| ((*name).to_owned(), possible(hindrance.as_ref()))).collect();
        Self::of(app, &single.workspace, Value::Object(can))
    }
}

fn possible(hindrance: Option<&Hindrance>) -> Value {
    hindrance.map_or(Value::Bool(true), |h| json!({ "code": h.code, "message": h.message }))
}

/// The answer of a dry run.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct DryRunView {
    pub allowed: bool,
    pub checks: Vec<CheckView>,
}

impl From<Weighed> for DryRunView {
    fn from(weighed: Weighed) -> Self {
        Self { allowed: weighed.allowed(), checks: weighed.checks.iter().map(CheckView::from).collect() }
    }
}

/// Who did something.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ActorView {
    pub id: String,
    /// Absent where the person was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
}

/// One entry of the timeline.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct TimelineView {
    pub id: i64,
    /// RFC 3339.
    pub at: String,
    pub run: i64,
    /// `step`, `action`, `warning` or `error`.
    pub kind: String,
    /// Stable word.
    pub code: String,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<ActorView>,
    /// How often it happened in a row.
    pub count: i64,
}

impl From<&TimelineEvent> for TimelineView {
    fn from(event: &TimelineEvent) -> Self {
        Self {
            id: event.id,
            at: event.at.rfc3339(),
            run: event.run,
            kind: event.kind.clone(),
            code: event.code.clone(),
            message: event.message.clone(),
            actor: event.actor_id.as_ref().map(|id| ActorView { id: id.to_string(), username: event.actor_name.clone() }),
            count: event.count,
        }
    }
}

/// The name of a person, or the login of one who gave none.
fn shown(name: &str, username: &str) -> String {
    if name.is_empty() { username } else { name }.to_owned()
}
