//! From what should be and what is to what has to be done: a pure function, level-triggered.
//!
//! It knows no history. The same input gives the same steps, a step that was done is not planned again, and a step that
//! was interrupted is planned again, so that a crash at any line loses and doubles nothing. At most one step for each
//! object. What the cluster holds and the file does not know is none of its business.

use super::held::Held;
use super::origin;
use crate::clock::Millis;
use crate::cluster::{GroupSpec, ObservedGroup, ObservedWorkspace, WorkspaceSpec};
use crate::domain::git::GitSetup;
use crate::domain::group::GroupStatus;
use crate::domain::id::{GroupId, WorkspaceId};
use crate::domain::workspace::{Desired, Phase};
use crate::error::Result;
use crate::store::due::{self, Ids};
use crate::store::groups::{self, Group};
use crate::store::workspaces::{self, Workspace};
use crate::store::{Db, Read};
use std::collections::BTreeSet;

/// What should be of the objects at hand.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub groups: Vec<Group>,
    /// Those of the groups that still have workspaces.
    pub inhabited: BTreeSet<GroupId>,
    pub workspaces: Vec<Workspace>,
}

impl Wanted {
    /// Reads the rows of one page; what is gone by now is left out.
    pub async fn load(db: &Db, ids: Ids) -> Result<Self> {
        let job = move |read: &Read<'_>| {
            Ok(Self {
                groups: groups::find_many(read, ids.groups.iter().map(GroupId::as_str))?,
                inhabited: due::inhabited(read, &ids.groups)?,
                workspaces: workspaces::find_many(read, ids.workspaces.iter().map(WorkspaceId::as_str))?,
            })
        };
        db.read(origin(), job).await
    }
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

/// Plans for these objects. Without keys nothing is started: an agent must be told whom to trust.
pub fn plan(wanted: &Wanted, held: &Held<'_>, now: Millis, has_keys: bool) -> Vec<Step> {
    let groups = wanted.groups.iter().filter_map(|group| {
        let inhabited = wanted.inhabited.contains(&group.id);
        let step = match &held.groups {
            // A copy of a namespace that is gone says the same of itself, under another name.
            Some(groups) => plan_group(group, groups.get(&group.id).copied().filter(|seen| seen.namespace == group.namespace), inhabited),
            None => plan_without_place(group, inhabited),
        }?;
        is_due(&step, group.next_attempt_at, now).then_some(step)
    });
    let workspaces = wanted.workspaces.iter().filter_map(|workspace| {
        let step = plan_workspace(workspace, held.workspaces.get(&workspace.row.id).copied(), has_keys)?;
        is_due(&step, workspace.row.next_attempt_at, now).then_some(step)
    });
    groups.chain(workspaces).collect()
}

/// Writing down what is so waits for nothing; asking the cluster again waits for its time.
fn is_due(step: &Step, next_attempt: Millis, now: Millis) -> bool {
    let asks_the_cluster = !matches!(step, Step::RecordGroup { .. } | Step::ForgetGroup(_) | Step::ForgetWorkspace(_));
    next_attempt <= now || !asks_the_cluster
}

fn plan_group(group: &Group, observed: Option<&ObservedGroup>, inhabited: bool) -> Option<Step> {
    let apply = || Some(Step::ApplyGroup(group_spec(group)));
    if group.status == GroupStatus::Deleting {
        return match observed {
            None if inhabited => None,
            None => Some(Step::ForgetGroup(group.id.clone())),
            Some(observed) if observed.terminating => None,
            Some(_) => Some(Step::RemoveGroup { id: group.id.clone(), namespace: group.namespace.clone() }),
        };
    }
    let Some(observed) = observed else { return apply() };
    if observed.terminating {
        return None;
    }
    if observed.generation < group.generation {
        return apply();
    }
    (observed.ready && !is_recorded(group)).then(|| record(group, observed.namespace_uid.clone()))
}

/// Where a group has no place of its own, only the file has to be told so.
fn plan_without_place(group: &Group, inhabited: bool) -> Option<Step> {
    if group.status == GroupStatus::Deleting {
        return (!inhabited).then(|| Step::ForgetGroup(group.id.clone()));
    }
    (!is_recorded(group)).then(|| record(group, None))
}

fn is_recorded(group: &Group) -> bool {
    group.status == GroupStatus::Active && group.observed_generation >= group.generation && group.attempts == 0
}

fn record(group: &Group, namespace_uid: Option<String>) -> Step {
    Step::RecordGroup { id: group.id.clone(), generation: group.generation, namespace_uid }
}

fn plan_workspace(workspace: &Workspace, observed: Option<&ObservedWorkspace>, has_keys: bool) -> Option<Step> {
    let row = &workspace.row;
    let apply = || Some(Step::ApplyWorkspace(Box::new(spec(workspace))));
    match (row.desired, observed) {
        (Desired::Deleted, None) => Some(Step::ForgetWorkspace(row.id.clone())),
        (Desired::Deleted, Some(seen)) if seen.phase != Phase::Terminating => {
            Some(Step::RemoveWorkspace { id: row.id.clone(), namespace: workspace.namespace.clone(), generation: row.generation })
        }
        (Desired::Stopped, Some(seen)) if must_stop(workspace, seen) => apply(),
        (Desired::Running, seen) if has_keys && workspace.group_status == GroupStatus::Active && must_run(workspace, seen) => apply(),
        _ => None,
    }
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
        container: row.spec.container.clone(),
        git: GitSetup { name: workspace.owner_name.clone(), email: workspace.owner_email.clone(), repository: row.spec.repository.clone() },
        size: row.size.clone(),
        desired: row.desired,
        local_uid: row.local_uid,
    }
}
