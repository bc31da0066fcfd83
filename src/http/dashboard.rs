//! The numbers of the home page and of the platform page.

use super::handler::{Reply, Request};
use crate::domain::quota::{UsageView, percentage};
use crate::domain::user::advice_on_admins;
use crate::error::Result;
use crate::ops::dashboard;
use serde::Serialize;

/// `GET /api/dashboard/stats`: the caller's own workspaces, and what their groups use together.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DashboardView {
    pub total_workspaces: i64,
    pub running_workspaces: i64,
    pub total_groups: i64,
    pub resource_usage: UsageView,
}

pub async fn own(request: Request) -> Result<Reply> {
    let own = dashboard::own(&request.app.ops, &request.caller).await?;
    Reply::ok(&DashboardView {
        total_workspaces: own.workspaces,
        running_workspaces: own.running,
        total_groups: own.groups,
        resource_usage: UsageView::new(&own.used, &own.quota),
    })
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformView {
    pub total_users: i64,
    pub admin_users: i64,
    /// What is to be said of the number of platform admins, where it is not as advised.
    pub admin_advice: Option<String>,
    pub total_groups: i64,
    pub total_workspaces: i64,
    pub running_workspaces: i64,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActivityView {
    #[serde(rename = "activeUsersLast7Days")]
    pub active_users_last_7_days: i64,
    /// Running workspaces in percent of all.
    pub workspace_utilization: f64,
}

/// How many there were at the end of a day, UTC; of today how many there are.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct DayView {
    /// For example `2026-03-12`.
    pub date: String,
    pub users: i64,
    pub groups: i64,
    pub workspaces: i64,
}

/// `GET /api/admin/stats`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct StatsView {
    pub platform: PlatformView,
    pub activity: ActivityView,
    /// Day by day, the oldest first; today is the last.
    pub growth: Vec<DayView>,
    pub timestamp: String,
}

pub async fn platform(request: Request) -> Result<Reply> {
    let query = request.query();
    let days = query.integer("days", 1, 365).unwrap_or(30);
    query.finish()?;
    let (stats, growth) = dashboard::platform(&request.app.ops, &request.caller, days).await?;
    Reply::ok(&StatsView {
        platform: PlatformView {
            total_users: stats.users,
            admin_users: stats.admins,
            admin_advice: advice_on_admins(stats.admins),
            total_groups: stats.groups,
            total_workspaces: stats.workspaces,
            running_workspaces: stats.running,
        },
        activity: ActivityView {
            active_users_last_7_days: stats.active_users,
            workspace_utilization: percentage(stats.running, Some(stats.workspaces)),
        },
        growth: growth.iter().map(day).collect(),
        timestamp: request.app.clock.now().rfc3339(),
    })
}

fn day(day: &dashboard::Day) -> DayView {
    let date = day.date.rfc3339().chars().take(10).collect();
    DayView { date, users: day.counts.users, groups: day.counts.groups, workspaces: day.counts.workspaces }
}
