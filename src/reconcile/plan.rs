//! From what should be and what is to what has to be done: a pure function, level-triggered.
//!
//! It knows no history. The same input gives the same steps, a step that was done is not planned again, and a step that
//! was interrupted is planned again, so that a crash at any line loses and doubles nothing. At most one step for each
//! object. What the cluster holds and the file does not know is reported and left alone: a restored older file must not
//! delete the work of everybody who came after it.

use crate::clock::Millis;
use crate::cluster::{GroupSpec, Observation, ObservedGroup, ObservedWorkspace, WorkspaceSpec};
use crate::domain::group::GroupStatus;
use crate::domain::id::{GroupId, WorkspaceId};
use crate::domain::workspace::{Desired, Phase};
use crate::store::groups::Group;
use crate::store::workspaces::Workspace;
use std::collections::{BTreeMap, BTreeSet};

/// What should be.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub groups: Vec<Group>,
    pub workspaces: Vec<Workspace>,
}

/// One thing to do. Each may be done twice, or be left in the middle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    ApplyGroup(GroupSpec),
    RemoveGroup {
        id: GroupId,
        namespace: String,
    },
    /// The cluster has it as described; the file is to say so.
    RecordGroup {
        id: GroupId,
        generation: i64,
        namespace_uid: Option<String>,
    },
    /// The cluster has nothing of it any more.
    ForgetGroup(GroupId),
    ApplyWorkspace(Box<WorkspaceSpec>),
    RemoveWorkspace {
        id: WorkspaceId,
        namespace: String,
        generation: i64,
    },
    /// The cluster has nothing of it any more.
    ForgetWorkspace(WorkspaceId),
}

/// What has to be done now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    pub steps: Vec<Step>,
    /// Ids of what the cluster holds and the file does not know.
    pub orphans: Vec<String>,
    /// When the next step that has to wait may be tried.
    pub next: Option<Millis>,
}

impl Plan {
    /// Takes the step now, or remembers when it may be taken.
    fn when_due(&mut self, due: Millis, now: Millis, step: Step) {
        if due <= now {
            self.steps.push(step);
        } else {
            self.next = Some(self.next.map_or(due, |next| next.min(due)));
        }
    }
}

/// Plans one round. Without keys nothing is started: an agent must be told whom to trust.
pub fn plan(wanted: &Wanted, observation: &Observation, now: Millis, has_keys: bool) -> Plan {
    let mut plan = Plan::default();
    let groups: BTreeMap<&GroupId, &ObservedGroup> = observation.groups.iter().map(|g| (&g.id, g)).collect();
    let workspaces: BTreeMap<&WorkspaceId, &ObservedWorkspace> = observation.workspaces.iter().map(|w| (&w.id, w)).collect();
    let inhabited: BTreeSet<&GroupId> = wanted.workspaces.iter().map(|w| &w.row.group_id).collect();
    for group in &wanted.groups {
        plan_group(&mut plan, group, groups.get(&group.id).copied(), inhabited.contains(&group.id), now);
    }
    for workspace in &wanted.workspaces {
        plan_workspace(&mut plan, workspace, workspaces.get(&workspace.row.id).copied(), now, has_keys);
    }
    let known: BTreeSet<&str> =
        wanted.groups.iter().map(|g| g.id.as_str()).chain(wanted.workspaces.iter().map(|w| w.row.id.as_str())).collect();
    let held = observation.groups.iter().map(|g| g.id.as_str()).chain(observation.workspaces.iter().map(|w| w.id.as_str()));
    plan.orphans = held.filter(|id| !known.contains(id)).map(str::to_owned).collect();
    plan
}

fn plan_group(plan: &mut Plan, group: &Group, observed: Option<&ObservedGroup>, inhabited: bool, now: Millis) {
    if group.status == GroupStatus::Deleting {
        return match observed {
            None if inhabited => {}
            None => plan.steps.push(Step::ForgetGroup(group.id.clone())),
            Some(observed) if observed.terminating => {}
            Some(_) => {
                let step = Step::RemoveGroup { id: group.id.clone(), namespace: group.namespace.clone() };
                plan.when_due(group.next_attempt_at, now, step);
            }
        };
    }
    match observed {
        Some(observed) if observed.terminating => {}
        Some(observed) if observed.generation >= group.generation => {
            let recorded = group.status == GroupStatus::Active && group.observed_generation >= group.generation;
            if observed.ready && !recorded {
                plan.steps.push(Step::RecordGroup {
                    id: group.id.clone(),
                    generation: group.generation,
                    namespace_uid: observed.namespace_uid.clone(),
                });
            }
        }
        _ => plan.when_due(group.next_attempt_at, now, Step::ApplyGroup(group_spec(group))),
    }
}

fn plan_workspace(plan: &mut Plan, workspace: &Workspace, observed: Option<&ObservedWorkspace>, now: Millis, has_keys: bool) {
    let row = &workspace.row;
    let step = match (row.desired, observed) {
        (Desired::Deleted, None) => return plan.steps.push(Step::ForgetWorkspace(row.id.clone())),
        (Desired::Deleted, Some(seen)) if seen.phase != Phase::Terminating => {
            Step::RemoveWorkspace { id: row.id.clone(), namespace: workspace.namespace.clone(), generation: row.generation }
        }
        (Desired::Stopped, Some(seen)) if must_stop(workspace, seen) => Step::ApplyWorkspace(Box::new(spec(workspace))),
        (Desired::Running, seen) if has_keys && workspace.group_status == GroupStatus::Active && must_run(workspace, seen) => {
            Step::ApplyWorkspace(Box::new(spec(workspace)))
        }
        _ => return,
    };
    plan.when_due(row.next_attempt_at, now, step);
}

fn must_stop(workspace: &Workspace, seen: &ObservedWorkspace) -> bool {
    match seen.phase {
        Phase::Terminating => false,
        Phase::Absent => seen.generation < workspace.row.generation,
        Phase::Creating | Phase::Waiting | Phase::Ready | Phase::Failed => true,
    }
}

/// A run that failed stays failed until somebody starts another: starting it again and again would hide why.
fn must_run(workspace: &Workspace, seen: Option<&ObservedWorkspace>) -> bool {
    let Some(seen) = seen else { return true };
    if seen.run < workspace.row.run {
        return true;
    }
    match seen.phase {
        // Also after a restart of the server, which local workspaces end with.
        Phase::Absent => true,
        Phase::Failed | Phase::Terminating => false,
        Phase::Creating | Phase::Waiting | Phase::Ready => seen.generation < workspace.row.generation,
    }
}

fn group_spec(group: &Group) -> GroupSpec {
    GroupSpec {
        id: group.id.clone(),
        name: group.name.clone(),
        namespace: group.namespace.clone(),
        generation: group.generation,
        cpu_milli: group.quota.cpu_milli,
        memory_bytes: group.quota.memory_bytes,
        storage_bytes: group.quota.storage_bytes,
        workspaces: group.quota.workspaces,
    }
}

fn spec(workspace: &Workspace) -> WorkspaceSpec {
    let row = &workspace.row;
    WorkspaceSpec {
        id: row.id.clone(),
        name: row.name.clone(),
        generation: row.generation,
        run: row.run,
        group: row.group_id.clone(),
        namespace: workspace.namespace.clone(),
        owner: row.owner_id.clone(),
        recipe: row.spec.recipe.clone(),
        env: row.spec.env.clone(),
        apps: row.spec.apps.clone(),
        size: row.size.clone(),
        desired: row.desired,
        local_uid: row.local_uid,
    }
}
