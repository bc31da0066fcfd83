//! The changing half of the trait: writes down what is wanted and leaves the work to the supervisors. A group has no
//! place of its own here, so there is nothing to keep of it.

use crate::cluster::local::LocalCluster;
use crate::cluster::local::home::Record;
use crate::cluster::local::state::{Start, Target};
use crate::cluster::local::supervise::reason;
use crate::cluster::{AgentTrust, ClusterControl, ClusterError, Desired, GroupSpec, Observation, Phase, Reason, Recipe, WorkspaceSpec};
use crate::domain::id::{GroupId, WorkspaceId};
use futures_util::future::BoxFuture;
use std::fs;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Uids below this belong to the host's own users and services.
const LOWEST_UID: u32 = 10_000;

/// Why a spec cannot be run here, as it is described.
fn refusal(spec: &WorkspaceSpec, is_root: bool) -> Option<Reason> {
    let Recipe::Local { argv } = &spec.recipe else { return None };
    if argv.is_empty() {
        return Some(reason("program_not_found", "The recipe names no program.", Some("Use a template with a command.")));
    }
    if is_root && (spec.local_uid < LOWEST_UID || is_taken(spec.local_uid)) {
        let words = format!("The uid {} is not one that a workspace can have.", spec.local_uid);
        return Some(reason("uid_refused", &words, Some("Give workspaces uids above 10000 that no user of this host has.")));
    }
    None
}

fn is_taken(uid: u32) -> bool {
    let text = fs::read_to_string("/etc/passwd").unwrap_or_default();
    text.lines().any(|line| line.split(':').nth(2).is_some_and(|n| n == uid.to_string()))
}

fn needs_containers() -> Reason {
    let remedy = "Create it from a template that starts a program of this host, or connect a Kubernetes cluster.";
    reason("needs_containers", "This workspace is made from a container image, which the local runtime cannot run.", Some(remedy))
}

impl LocalCluster {
    async fn wait_for_scan(&self) {
        let mut scanned = self.shared.scanned.subscribe();
        let _ = scanned.wait_for(|done| *done).await;
    }

    /// Writes down what is wanted; gives the target for the supervisor, if there is something to do.
    fn note_wish(&self, spec: &WorkspaceSpec, trust: &AgentTrust) -> Option<Target> {
        let record = Record {
            namespace: spec.namespace.clone(),
            group: spec.group.clone(),
            run: spec.run,
            generation: spec.generation,
            uid: spec.local_uid,
        };
        let blank = self.shared.blank(&spec.id, &record);
        let mut state = self.shared.state();
        let entry = state.workspaces.entry(spec.id.clone()).or_insert(blank);
        let is_same_run = entry.live.as_ref().is_some_and(|live| live.run == spec.run) && entry.run == spec.run;
        let is_known =
            entry.generation == spec.generation && entry.run == spec.run && !matches!(entry.phase, Phase::Failed | Phase::Absent);
        entry.namespace.clone_from(&spec.namespace);
        entry.group.clone_from(&spec.group);
        entry.wanted_size.clone_from(&spec.size);
        (entry.run, entry.generation) = (spec.run, spec.generation);
        match (spec.desired, &spec.recipe) {
            (Desired::Deleted, _) => {
                entry.phase = Phase::Terminating;
                Some(Target::Removed)
            }
            (Desired::Stopped, _) => {
                // A start that has not come to a process yet ends as well before it counts as absent.
                let ends = entry.live.is_some() || (entry.phase == Phase::Creating && entry.target.is_some());
                entry.phase = if ends { Phase::Terminating } else { Phase::Absent };
                entry.reason = None;
                entry.target.is_some().then_some(Target::Stopped)
            }
            (Desired::Running, Recipe::Image { .. }) => {
                entry.phase = Phase::Failed;
                entry.reason = Some(needs_containers());
                entry.target.is_some().then_some(Target::Stopped)
            }
            (Desired::Running, Recipe::Local { .. }) => {
                if is_known && entry.phase != Phase::Terminating {
                    return None;
                }
                if !is_same_run {
                    entry.phase = Phase::Creating;
                    entry.reason = None;
                }
                Some(Target::Running(Arc::new(Start { spec: spec.clone(), trust: trust.clone() })))
            }
        }
    }

    fn write_record(&self, id: &WorkspaceId) {
        let folders = self.shared.folders(id);
        let record = self.shared.state().workspaces.get(id).map(super::state::Entry::record);
        if let Some(record) = record.filter(|r| folders.recall().is_some_and(|old| old != *r)) {
            // Losing it costs a repeated apply after a restart, nothing else.
            let _ = folders.keep(&record);
        }
    }

    fn begin_removal(&self, id: &WorkspaceId) {
        let known = self.shared.change(id, |entry| {
            entry.phase = Phase::Terminating;
            entry.reason = None;
        });
        if known.is_some() {
            self.aim(id, Target::Removed);
        }
    }
}

impl ClusterControl for LocalCluster {
    fn observe(&self) -> BoxFuture<'_, Result<Observation, ClusterError>> {
        Box::pin(async move {
            self.wait_for_scan().await;
            Ok(Observation { groups: None, workspaces: self.shared.observed() })
        })
    }

    fn apply_group<'a>(&'a self, _: &'a GroupSpec) -> BoxFuture<'a, Result<(), ClusterError>> {
        Box::pin(async { Ok(()) })
    }

    fn remove_group<'a>(&'a self, _: &'a GroupId, _: &'a str) -> BoxFuture<'a, Result<(), ClusterError>> {
        Box::pin(async { Ok(()) })
    }

    fn apply_workspace<'a>(&'a self, spec: &'a WorkspaceSpec, trust: &'a AgentTrust) -> BoxFuture<'a, Result<(), ClusterError>> {
        Box::pin(async move {
            self.wait_for_scan().await;
            if let Some(reason) = refusal(spec, self.shared.is_root).filter(|_| spec.desired == Desired::Running) {
                return Err(ClusterError::Rejected(reason));
            }
            if let Some(wanted) = self.note_wish(spec, trust) {
                self.aim(&spec.id, wanted);
            }
            self.write_record(&spec.id);
            self.shared.tick();
            Ok(())
        })
    }

    fn remove_workspace<'a>(&'a self, id: &'a WorkspaceId, _: &'a str) -> BoxFuture<'a, Result<(), ClusterError>> {
        Box::pin(async move {
            self.wait_for_scan().await;
            self.begin_removal(id);
            Ok(())
        })
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    fn shut_down(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let ids: Vec<WorkspaceId> = {
                let state = self.shared.state();
                state.workspaces.iter().filter(|(_, w)| w.target.is_some()).map(|(id, _)| id.clone()).collect()
            };
            for id in &ids {
                self.shared.change(id, |entry| entry.phase = if entry.live.is_some() { Phase::Terminating } else { entry.phase });
                self.aim(id, Target::Stopped);
            }
            let mut changes = self.shared.changes.subscribe();
            let over = async {
                while self.shared.state().workspaces.values().any(|w| w.live.is_some()) {
                    let _ = changes.changed().await;
                }
            };
            let _ = tokio::time::timeout(self.shared.options.grace + Duration::from_secs(5), over).await;
        })
    }
}
