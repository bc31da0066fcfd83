//! What a workspace's status becomes by what was observed: pure.
//!
//! The reason of a try that failed stays until another try works, so that a page does not flicker between "failed" and
//! "starting". What failed in an earlier run says nothing about the one that is wanted now.

use crate::clock::Millis;
use crate::cluster::ObservedWorkspace;
use crate::domain::group::GroupStatus;
use crate::domain::workspace::{Desired, Phase, Reason};
use crate::store::workspace_status::WorkspaceStatus;
use crate::store::workspaces::Workspace;

/// The reason while the cluster does not answer.
pub const UNREACHABLE: &str = "cluster_unreachable";

/// The status after an observation in which the workspace looked like this, or was not there.
pub fn seen(workspace: &Workspace, observed: Option<&ObservedWorkspace>, now: Millis) -> WorkspaceStatus {
    let (row, stored) = (&workspace.row, &workspace.status);
    let complaint = stored.reason.clone().filter(|reason| row.attempts > 0 && reason.code != UNREACHABLE);
    let mut status = match observed {
        Some(o) if o.run >= row.run && o.phase != Phase::Absent => {
            let fresh = from_cluster(stored, o);
            WorkspaceStatus { reason: fresh.reason.clone().or(complaint), ..fresh }
        }
        _ if complaint.is_some() && row.desired == Desired::Running => stored.clone(),
        Some(o) if row.desired == Desired::Running && o.phase == Phase::Failed => {
            WorkspaceStatus { phase: Phase::Absent, reason: None, ..from_cluster(stored, o) }
        }
        Some(o) => from_cluster(stored, o),
        None => absent(stored),
    };
    if status.phase == Phase::Absent && row.desired == Desired::Running && workspace.group_status != GroupStatus::Active {
        status.phase = Phase::Waiting;
        status.reason = Some(group_not_ready(workspace));
    }
    dated(status, stored, now)
}

/// The status while the cluster does not answer: as it was last seen, and since when nothing is known.
pub fn unreachable(workspace: &Workspace, why: &str, now: Millis) -> WorkspaceStatus {
    let stored = &workspace.status;
    if workspace.row.desired == Desired::Stopped && stored.phase == Phase::Absent {
        return stored.clone();
    }
    let reason = Reason {
        code: UNREACHABLE.to_owned(),
        message: format!("The cluster does not answer, so this is how it was last seen: {why}."),
        remedy: Some("It goes on by itself as soon as the cluster answers.".to_owned()),
    };
    dated(WorkspaceStatus { reason: Some(reason), ..stored.clone() }, stored, now)
}

/// The status after a try that did not work.
pub fn complained(workspace: &Workspace, reason: Reason, is_final: bool, now: Millis) -> WorkspaceStatus {
    let stored = &workspace.status;
    let failed = is_final && workspace.row.desired == Desired::Running;
    let status = WorkspaceStatus { phase: if failed { Phase::Failed } else { stored.phase }, reason: Some(reason), ..stored.clone() };
    dated(status, stored, now)
}

/// The cluster holds nothing of it, so there is no generation of it either.
fn absent(stored: &WorkspaceStatus) -> WorkspaceStatus {
    let (reason, applied, components) = (None, None, Vec::new());
    WorkspaceStatus { phase: Phase::Absent, reason, applied, components, observed_generation: 0, ..stored.clone() }
}

fn from_cluster(stored: &WorkspaceStatus, observed: &ObservedWorkspace) -> WorkspaceStatus {
    WorkspaceStatus {
        phase: observed.phase,
        reason: observed.reason.clone(),
        since: stored.since,
        observed_generation: observed.generation,
        observed_run: observed.run,
        applied: observed.applied.clone(),
        components: observed.components.clone(),
    }
}

fn group_not_ready(workspace: &Workspace) -> Reason {
    let name = &workspace.group_name;
    let (message, remedy) = match workspace.group_status {
        GroupStatus::Failed => (format!("The group {name} could not be made."), "Its page says why; a platform admin can change that."),
        GroupStatus::Deleting => (format!("The group {name} is being deleted."), "Make the workspace in another group."),
        GroupStatus::Creating | GroupStatus::Active => (format!("The group {name} is still being made."), "It goes on by itself."),
    };
    Reason { code: "group_not_ready".to_owned(), message, remedy: Some(remedy.to_owned()) }
}

/// `since` moves only when what a person reads has changed.
fn dated(status: WorkspaceStatus, stored: &WorkspaceStatus, now: Millis) -> WorkspaceStatus {
    let code = |s: &WorkspaceStatus| s.reason.as_ref().map(|r| r.code.clone());
    let same = status.phase == stored.phase && code(&status) == code(stored) && status.observed_run == stored.observed_run;
    WorkspaceStatus { since: if same { stored.since } else { now }, ..status }
}

/// Whether anything that a page shows has changed; measurements inside components are looked up when they are asked for.
pub fn is_news(before: &WorkspaceStatus, after: &WorkspaceStatus) -> bool {
    WorkspaceStatus { components: Vec::new(), ..before.clone() } != WorkspaceStatus { components: Vec::new(), ..after.clone() }
}
