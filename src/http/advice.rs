//! What stands out of use: `GET /api/admin/advice` and `GET /api/groups/{group}/advice`.

use super::handler::{Reply, Request};
use crate::clock::DAY;
use crate::domain::finding::{LOW_FOR, enough};
use crate::domain::quota::{ResourceQuota, Usage, UsageView, percentage};
use crate::error::Result;
use crate::ops::findings::{self, Advice, Resting, Told};
use serde::Serialize;

/// Something uses nearly all that it may. An alert comes at 80 or 90 % and goes five points below.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertView {
    /// `group` or `node`.
    pub kind: &'static str,
    /// Null for nodes.
    pub group_id: Option<String>,
    pub name: String,
    /// `cpu`, `memory`, `storage` or `pods`.
    pub resource: &'static str,
    /// 80 or 90.
    pub level: i64,
    /// RFC 3339, as all times.
    pub since: String,
}

/// A quota of which never as much as 30 % was in use in two weeks.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnderusedView {
    pub group_id: String,
    pub name: String,
    pub resource: &'static str,
    /// The most that was in use.
    pub peak: String,
    pub quota: String,
    /// The peak in percent of the quota.
    pub percentage: f64,
    /// How many days were looked at.
    pub days: i64,
    /// What would do: twice the peak, rounded up.
    pub enough: String,
}

/// A workspace that nobody uses.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnusedView {
    pub id: String,
    pub name: String,
    pub group_id: String,
    pub group_name: String,
    pub user_id: String,
    pub user_name: String,
    pub user_display_name: String,
    /// When it was last used or started.
    pub last_used_at: String,
    pub frees: FreesView,
    /// The names of what you may do to end it: `stop_workspace`, `delete_workspace`.
    pub can: Vec<&'static str>,
}

/// What stopping or deleting gives back.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct FreesView {
    pub cpu: String,
    pub memory: String,
    pub storage: String,
    pub pods: i64,
}

/// Workspaces that nobody uses, the longest unused first, and what ending them all would free.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct UnusedListView {
    pub items: Vec<UnusedView>,
    pub frees: FreesView,
}

/// What stands out.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AdviceView {
    pub alerts: Vec<AlertView>,
    pub underused: Vec<UnderusedView>,
    /// They run and nobody uses them: stopping them frees cores and memory. Null for who may not list them.
    pub idle: Option<UnusedListView>,
    /// They are stopped and were not used for long: deleting them frees disks. Null for who may not list them.
    pub abandoned: Option<UnusedListView>,
}

impl From<&Usage> for FreesView {
    fn from(usage: &Usage) -> Self {
        let view = UsageView::new(usage, &ResourceQuota::UNLIMITED);
        Self { cpu: view.cpu.used, memory: view.memory.used, storage: view.storage.used, pods: usage.workspaces }
    }
}

fn alert(told: &Told) -> AlertView {
    AlertView {
        kind: if told.finding.group.is_some() { "group" } else { "node" },
        group_id: told.finding.group.as_ref().map(ToString::to_string),
        name: told.name.clone(),
        resource: told.finding.resource.as_str(),
        level: told.finding.level,
        since: told.finding.since.rfc3339(),
    }
}

fn underused(told: &Told) -> Option<UnderusedView> {
    let (resource, peak, total) = (told.finding.resource, told.finding.level, told.total?);
    Some(UnderusedView {
        group_id: told.finding.group.as_ref()?.to_string(),
        name: told.name.clone(),
        resource: resource.as_str(),
        peak: resource.print(peak),
        quota: resource.print(total),
        percentage: percentage(peak, Some(total)),
        days: LOW_FOR / DAY,
        enough: resource.print(enough(resource, peak, total)),
    })
}

/// What is given back by ending one: idle ones keep their disks, abandoned ones have nothing but those.
fn unused(found: &[Resting], frees: fn(&Usage) -> Usage) -> UnusedListView {
    let all = found.iter().fold(Usage::default(), |sum, one| sum.plus(&frees(&one.unused.holds)));
    let item = |Resting { unused: one, can }: &Resting| UnusedView {
        id: one.id.to_string(),
        name: one.name.clone(),
        group_id: one.group_id.to_string(),
        group_name: one.group_name.clone(),
        user_id: one.owner_id.to_string(),
        user_name: one.owner_username.clone(),
        user_display_name: if one.owner_name.is_empty() { one.owner_username.clone() } else { one.owner_name.clone() },
        last_used_at: one.since.rfc3339(),
        frees: FreesView::from(&frees(&one.holds)),
        can: can.clone(),
    };
    UnusedListView { items: found.iter().map(item).collect(), frees: FreesView::from(&all) }
}

fn by_stopping(holds: &Usage) -> Usage {
    Usage { storage_bytes: 0, workspaces: 0, ..*holds }
}

fn by_deleting(holds: &Usage) -> Usage {
    Usage { cpu_milli: 0, memory_bytes: 0, ..*holds }
}

fn view(advice: &Advice) -> AdviceView {
    AdviceView {
        alerts: advice.over.iter().map(alert).collect(),
        underused: advice.under.iter().filter_map(underused).collect(),
        idle: advice.idle.as_ref().map(|found| unused(found, by_stopping)),
        abandoned: advice.abandoned.as_ref().map(|found| unused(found, by_deleting)),
    }
}

pub async fn of_platform(request: Request) -> Result<Reply> {
    Reply::ok(&view(&findings::of_platform(&request.app.ops, &request.caller).await?))
}

pub async fn of_group(request: Request) -> Result<Reply> {
    let group = request.param("group")?.to_owned();
    Reply::ok(&view(&findings::of_group(&request.app.ops, &request.caller, group).await?))
}
