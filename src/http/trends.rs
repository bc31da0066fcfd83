//! Use over time, as lines: `…/usage/history` of groups and of the platform, `…/metrics/history` of workspaces.

use super::fields::Query;
use super::handler::{Reply, Request};
use super::workspaces::named;
use crate::clock::SECOND;
use crate::domain::capacity::{NodeCapacity, print_measured};
use crate::domain::field::FieldRule;
use crate::domain::finding;
use crate::domain::quantity::print_cpu;
use crate::domain::quota::{Resource, ResourceQuota};
use crate::domain::size::Size;
use crate::domain::trend::{Part, Range};
use crate::error::Result;
use crate::gateway::capacity;
use crate::ops::trends::{self, Point, TopBy};
use serde::Serialize;

/// One line. Each list has one entry for each of `at`; null is where nothing is known.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct LineView {
    /// `cpu`, `memory`, `storage`, `workspaces`, `running`, `processes` or `pods`.
    pub name: &'static str,
    /// `cores`, `bytes` or `count`.
    pub unit: &'static str,
    pub mean: Vec<Option<f64>>,
    /// The largest single value of the step.
    pub peak: Vec<Option<f64>>,
    /// What might be used then; absent where there is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<Vec<Option<f64>>>,
}

/// Use over time.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrendView {
    /// `6h`, `7d`, `90d` or `365d`.
    pub range: &'static str,
    /// How long a step is: 60, 3600 or 86400.
    pub step_seconds: i64,
    /// The first moment of each step (RFC 3339, UTC), the oldest first.
    pub at: Vec<String>,
    /// How often somebody looked in each step. 0: nobody did, because the server was off or it did not run; nothing is
    /// known of it, and a chart has a gap there.
    pub looks: Vec<i64>,
    pub lines: Vec<LineView>,
}

fn range(query: &Query) -> Range {
    let parse = |word: &str| Range::parse(word).ok_or_else(|| FieldRule::new("invalid", "Allowed are 6h, 7d, 90d and 365d."));
    query.optional("range", parse).unwrap_or_default()
}

/// Cores, bytes, or how many: as JSON has numbers. Beyond 53 bits nobody reads the last digit.
#[allow(clippy::cast_precision_loss)]
fn amount(part: Part, amount: i64) -> f64 {
    if part == Part::Cpu { amount as f64 / 1_000.0 } else { amount as f64 }
}

fn line(name: &'static str, part: Part, points: &[Point], limit: impl Fn(&Point) -> Option<i64>) -> LineView {
    let limits: Vec<Option<f64>> = points.iter().map(|point| limit(point).map(|limit| amount(part, limit))).collect();
    LineView {
        name,
        unit: match part {
            Part::Cpu => "cores",
            Part::Memory | Part::Disk => "bytes",
            Part::Things | Part::Running => "count",
        },
        mean: points.iter().map(|point| point.gathered.mean(part).map(|mean| amount(part, mean))).collect(),
        peak: points.iter().map(|point| point.gathered.peak(part).map(|peak| amount(part, peak))).collect(),
        limit: limits.iter().any(Option::is_some).then_some(limits),
    }
}

fn view(range: Range, points: &[Point], lines: Vec<LineView>) -> TrendView {
    TrendView {
        range: range.as_str(),
        step_seconds: range.step().length() / SECOND,
        at: points.iter().map(|point| point.at.rfc3339()).collect(),
        looks: points.iter().map(|point| point.gathered.looks).collect(),
        lines,
    }
}

fn no_limit(_: &Point) -> Option<i64> {
    None
}

pub async fn of_group(request: Request) -> Result<Reply> {
    let query = request.query();
    let range = range(&query);
    query.finish()?;
    let points = trends::of_group(&request.app.ops, &request.caller, request.param("group")?.to_owned(), range).await?;
    let quota = |resource: Resource| move |point: &Point| point.quota.and_then(|quota| quota.of(resource));
    let lines = vec![
        line("cpu", Part::Cpu, &points, quota(Resource::Cpu)),
        line("memory", Part::Memory, &points, quota(Resource::Memory)),
        line("storage", Part::Disk, &points, quota(Resource::Storage)),
        line("workspaces", Part::Things, &points, quota(Resource::Pods)),
        line("running", Part::Running, &points, no_limit),
    ];
    Reply::ok(&view(range, &points, lines))
}

pub async fn of_workspace(request: Request) -> Result<Reply> {
    let query = request.query();
    let (range, app) = (range(&query), query.text("app", 24));
    query.finish()?;
    let is_app = app.is_some();
    let (workspace, points) = trends::of_workspace(&request.app.ops, &request.caller, named(&request)?, app, range).await?;
    let size: &Size = workspace.status.applied.as_ref().unwrap_or(&workspace.row.size);
    let mut lines =
        vec![line("cpu", Part::Cpu, &points, |_| Some(size.cpu_milli)), line("memory", Part::Memory, &points, |_| Some(size.memory_bytes))];
    // A disk is shared by all that runs in the workspace.
    if !is_app {
        lines.push(line("storage", Part::Disk, &points, |_| Some(size.disk_bytes)));
    }
    lines.push(line("processes", Part::Things, &points, no_limit));
    Reply::ok(&view(range, &points, lines))
}

/// What a node has now, or all of them together, is drawn as the limit: how it was before is not kept.
pub async fn of_platform(request: Request) -> Result<Reply> {
    let query = request.query();
    let (range, node) = (range(&query), query.text("node", 253));
    query.finish()?;
    let points = trends::of_platform(&request.app.ops, &request.caller, node.clone(), range).await?;
    let capacity = capacity::glance(&request.app.gateway).await.unwrap_or_default();
    let has: Option<NodeCapacity> = match &node {
        None => Some(capacity.together()).filter(|_| !capacity.nodes.is_empty()),
        Some(name) => capacity.nodes.iter().find(|one| one.name == *name).cloned(),
    };
    let limit = |resource: Resource| {
        let has = has.as_ref().and_then(|has| quota_of(has).of(resource)).filter(|amount| *amount > 0);
        move |_: &Point| has
    };
    let mut lines = vec![
        line("cpu", Part::Cpu, &points, limit(Resource::Cpu)),
        line("memory", Part::Memory, &points, limit(Resource::Memory)),
        line("storage", Part::Disk, &points, limit(Resource::Storage)),
    ];
    if node.is_some() {
        lines.push(line("pods", Part::Things, &points, limit(Resource::Pods)));
    } else {
        lines.push(line("workspaces", Part::Things, &points, no_limit));
        lines.push(line("running", Part::Running, &points, no_limit));
    }
    Reply::ok(&view(range, &points, lines))
}

fn quota_of(node: &NodeCapacity) -> ResourceQuota {
    ResourceQuota {
        cpu_milli: Some(node.cpu_milli),
        memory_bytes: Some(node.memory_bytes),
        storage_bytes: node.disk_bytes,
        workspaces: node.pods,
    }
}

/// One of those who use most: means over the hour, as they were measured.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ConsumerView {
    pub id: String,
    pub name: String,
    /// The group of a workspace, the user name of a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside: Option<String>,
    pub cpu: String,
    pub memory: String,
    /// Null where nothing measures it.
    pub storage: Option<String>,
}

/// Who uses most in this hour.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ConsumersView {
    /// `workspace`, `group` or `user`.
    pub by: &'static str,
    /// What they are ordered by: `cpu`, `memory` or `storage`.
    pub resource: &'static str,
    /// When the hour began.
    pub since: String,
    pub items: Vec<ConsumerView>,
}

pub async fn top(request: Request) -> Result<Reply> {
    let query = request.query();
    let by = query.optional("by", |word| match word {
        "workspace" => Ok((TopBy::Workspace, "workspace")),
        "group" => Ok((TopBy::Group, "group")),
        "user" => Ok((TopBy::User, "user")),
        _ => Err(FieldRule::new("invalid", "Allowed are workspace, group and user.")),
    });
    let resource = query.optional("resource", |word| {
        let found = finding::resource(word).filter(|resource| *resource != Resource::Pods);
        found.ok_or_else(|| FieldRule::new("invalid", "Allowed are cpu, memory and storage."))
    });
    let limit = query.integer("limit", 1, 100).unwrap_or(10);
    query.finish()?;
    let ((by, word), resource) = (by.unwrap_or((TopBy::Workspace, "workspace")), resource.unwrap_or(Resource::Cpu));
    let (since, consumers) = trends::top(&request.app.ops, &request.caller, by, resource, limit).await?;
    let items = consumers.into_iter().map(|one| ConsumerView {
        id: one.id,
        name: one.name,
        beside: one.beside,
        cpu: print_cpu(one.cpu_milli),
        memory: print_measured(one.memory_bytes),
        storage: one.disk_bytes.map(print_measured),
    });
    Reply::ok(&ConsumersView { by: word, resource: resource.as_str(), since: since.rfc3339(), items: items.collect() })
}
