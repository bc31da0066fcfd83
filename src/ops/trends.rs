//! Use over time: writing down what a look found, and what is shown of it.
//!
//! What groups use is what their quota counts, read from the file; what workspaces and nodes use was measured by the
//! gateway before. One look is one transaction. Nobody asks for it, so nothing of it is audited.

use super::workspaces::permitted;
use super::{Caller, Ops, findings};
use crate::clock::Millis;
use crate::domain::id::WorkspaceId;
use crate::domain::quota::{Resource, ResourceQuota, Usage};
use crate::domain::trend::{Gathered, Look, Range, Step, Subject};
use crate::error::{Error, Missing, Result};
use crate::policy::{Action, Target};
pub use crate::store::samples::{Consumer, TopBy};
use crate::store::workspaces::Workspace;
use crate::store::{Origin, Read, Tx, actors, groups, pool, quota_changes, samples};
use std::collections::HashMap;

/// A node as it was measured: what is in use, and what it has.
#[derive(Debug, Clone, Default)]
pub struct NodeLook {
    pub name: String,
    pub look: Look,
    /// What is given away, for the alerts: a node is full when nothing more can be given.
    pub given: Usage,
    /// What it has; `None` where that has no limit.
    pub has: ResourceQuota,
}

/// What the gateway measured at one moment.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    pub workspaces: Vec<(WorkspaceId, Look)>,
    /// Apps by their workspace and slug.
    pub apps: Vec<(WorkspaceId, String, Look)>,
    pub nodes: Vec<NodeLook>,
}

/// Writes a look down, and what stands out of it.
pub async fn record(ops: &Ops, measured: Measured) -> Result<()> {
    let origin = Origin { call_id: "look".to_owned(), ..Origin::default() };
    let groups = ops.db.read(origin.clone(), pool::every_usage).await?;
    let job = move |tx: &Tx<'_>| {
        let mut looks: Vec<(String, Look)> = vec![(Subject::Platform.key(), Look::default())];
        for (id, used, running) in &groups {
            let look = counted(used, *running);
            looks[0].1 = together(&looks[0].1, &look);
            looks.push((Subject::Object(id.as_str()).key(), look));
        }
        looks.extend(measured.workspaces.iter().map(|(id, look)| (Subject::Object(id.as_str()).key(), *look)));
        looks.extend(measured.apps.iter().map(|(id, slug, look)| (Subject::App(id.as_str(), slug).key(), *look)));
        looks.extend(measured.nodes.iter().map(|node| (Subject::Node(&node.name).key(), node.look)));
        samples::add(tx, tx.now(), &looks)?;
        samples::forget(tx)?;
        findings::note_over(tx, &groups, &measured.nodes)
    };
    ops.db.write(origin, job).await
}

fn counted(used: &Usage, running: i64) -> Look {
    Look {
        cpu_milli: used.cpu_milli,
        memory_bytes: used.memory_bytes,
        disk_bytes: Some(used.storage_bytes),
        things: used.workspaces,
        running,
    }
}

fn together(sum: &Look, other: &Look) -> Look {
    Look {
        cpu_milli: sum.cpu_milli.saturating_add(other.cpu_milli),
        memory_bytes: sum.memory_bytes.saturating_add(other.memory_bytes),
        disk_bytes: Some(sum.disk_bytes.unwrap_or(0).saturating_add(other.disk_bytes.unwrap_or(0))),
        things: sum.things.saturating_add(other.things),
        running: sum.running.saturating_add(other.running),
    }
}

/// One step of a series; where nobody looked, `gathered.looks` is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    pub at: Millis,
    pub gathered: Gathered,
    /// What a group might use then; nothing is known where the history does not reach back so far.
    pub quota: Option<ResourceQuota>,
}

fn points(moments: &[Millis], found: impl Fn(Millis) -> Option<Gathered>) -> Vec<Point> {
    let mut points: Vec<Point> =
        moments.iter().map(|at| Point { at: *at, gathered: found(*at).unwrap_or_default(), quota: None }).collect();
    // The step that has just begun: that nobody looked yet is no gap.
    if points.last().is_some_and(|last| last.gathered.looks == 0) {
        points.pop();
    }
    points
}

/// What the workspaces of a group counted for, against the quota of each time. A group without workspaces has no rows
/// of its own; where somebody looked at the platform, it used nothing.
pub async fn of_group(ops: &Ops, caller: &Caller, group: String, range: Range) -> Result<Vec<Point>> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        let group = groups::resolve(read, &group)?.ok_or(Error::NotFound(Missing::Group))?;
        read.authorize(&actor, Action::ViewGroupUsage, Target::Group(&group.facts()), None)?;
        let (own, looked) = group_series(read, range.step(), &range.moments(read.now()), group.id.as_str())?;
        let mut points = points(&range.moments(read.now()), |at| {
            (at.0 >= range.step().floor(group.created_at).0).then(|| of_empty_group(&own, &looked, at)).flatten()
        });
        let history = quota_changes::steps(read, &group.id)?;
        for point in &mut points {
            let end = point.at.plus(range.step().length());
            let known = history.iter().rev().find(|(from, _)| from.0 < end.0).map(|(_, quota)| *quota);
            // A group from before the history was kept has its present quota.
            point.quota = known.or_else(|| history.is_empty().then_some(group.quota));
        }
        Ok(points)
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// The group's own steps, and those of the platform, which are there whenever somebody looked.
type GroupSeries = (HashMap<Millis, Gathered>, HashMap<Millis, Gathered>);

fn group_series(read: &Read<'_>, step: Step, moments: &[Millis], id: &str) -> Result<GroupSeries> {
    let own = samples::series(read, step, moments, &Subject::Object(id).key())?;
    Ok((own, samples::series(read, step, moments, &Subject::Platform.key())?))
}

fn of_empty_group(own: &HashMap<Millis, Gathered>, looked: &HashMap<Millis, Gathered>, at: Millis) -> Option<Gathered> {
    let nothing = Look { disk_bytes: Some(0), ..Look::default() };
    let empty = |platform: &Gathered| Gathered { looks: platform.looks, sum: nothing, peak: nothing };
    // A group whose first workspace came within the step was looked at, and found empty, as often as the platform.
    match (own.get(&at), looked.get(&at)) {
        (Some(own), Some(all)) => Some(Gathered { looks: own.looks.max(all.looks), ..*own }),
        (Some(own), None) => Some(*own),
        (None, all) => all.map(empty),
    }
}

/// What a workspace, or one of its apps, was measured to use. While it does not run, nothing is measured.
pub async fn of_workspace(
    ops: &Ops,
    caller: &Caller,
    id: WorkspaceId,
    app: Option<String>,
    range: Range,
) -> Result<(Workspace, Vec<Point>)> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        let (workspace, _) = permitted(read, &actor, &id, Action::ViewWorkspaceMetrics, None)?;
        let subject = match &app {
            Some(slug) if workspace.row.spec.apps.iter().all(|app| app.slug != *slug) => return Err(Error::NotFound(Missing::App)),
            Some(slug) => Subject::App(id.as_str(), slug),
            None => Subject::Object(id.as_str()),
        };
        Ok((workspace, measured(read, subject, range)?))
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// What all groups counted for together, or what a node was measured to use.
pub async fn of_platform(ops: &Ops, caller: &Caller, node: Option<String>, range: Range) -> Result<Vec<Point>> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::ViewClusterCapacity, Target::System, None)?;
        measured(read, node.as_deref().map_or(Subject::Platform, Subject::Node), range)
    };
    ops.db.read(caller.origin.clone(), job).await
}

fn measured(read: &Read<'_>, subject: Subject<'_>, range: Range) -> Result<Vec<Point>> {
    let moments = range.moments(read.now());
    let found = samples::series(read, range.step(), &moments, &subject.key())?;
    Ok(points(&moments, |at| found.get(&at).copied()))
}

/// Who uses most of a resource in this hour, and when it began.
pub async fn top(ops: &Ops, caller: &Caller, by: TopBy, resource: Resource, limit: i64) -> Result<(Millis, Vec<Consumer>)> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::ViewPlatformStats, Target::System, None)?;
        Ok((Step::Hour.floor(read.now()), samples::top(read, read.now(), by, resource, limit)?))
    };
    ops.db.read(caller.origin.clone(), job).await
}
