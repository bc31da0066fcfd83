//! What workspaces wrote in pods that are gone. A node forgets a log with its pod, so this server reads it while the pod
//! ends, and keeps the newest of it among its own data: bounded, over every stop and start, until the workspace is removed.
//!
//! What nobody could read is not kept: of a node that is away, of a pod that was removed without a warning, and of one that
//! ended while no server ran.

use super::Source;
use crate::clock::{Clock, Millis};
use crate::cluster::kubernetes::places::Places;
use crate::cluster::kubernetes::{Shared, names};
use crate::cluster::log_file::WorkspaceLog;
use crate::cluster::{LogLine, LogOptions};
use crate::domain::id::WorkspaceId;
use k8s_openapi::api::core::v1::Pod;
use std::collections::BTreeSet;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Bytes of each of the two files of a workspace.
const LARGEST: u64 = 256 * 1024;
/// How many lines of a container are read at most.
const LINES: usize = 2_000;
/// How many pods are read at the same time; a group that stops as a whole has more, and they wait.
const AT_ONCE: usize = 64;
/// A pod that has not ended by then is on a node that does not answer; it has half a minute to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// What changes within it is looked at together.
const TOGETHER: Duration = Duration::from_millis(50);

/// The logs of the past.
pub struct Past {
    folder: Option<PathBuf>,
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The pods that are there still and whose lines are kept here already, by their uid.
    taken: BTreeSet<String>,
    /// The workspaces that were removed: a pod that ends later must not bring their log back.
    removed: BTreeSet<WorkspaceId>,
}

impl Past {
    /// In this folder, which is made when it is needed.
    pub fn new(folder: Option<PathBuf>, clock: Arc<dyn Clock>) -> Self {
        Self { folder, clock, known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self, id: &WorkspaceId) -> Option<WorkspaceLog> {
        let folder = self.folder.as_ref()?.join(id.as_str());
        Some(WorkspaceLog::bounded(folder, Arc::clone(&self.clock), LARGEST))
    }

    /// The lines of a workspace, the oldest first.
    pub fn lines(&self, id: &WorkspaceId, since: Option<Millis>) -> Vec<LogLine> {
        self.log(id).map(|log| log.lines_since(since)).unwrap_or_default()
    }

    /// Whether the lines of this pod are here, and so need not be asked for.
    pub fn has_taken(&self, pod: &str) -> bool {
        self.known().taken.contains(pod)
    }

    /// Removes the lines of a workspace that is being removed.
    pub fn forget(&self, id: &WorkspaceId) {
        let Some(folder) = &self.folder else { return };
        self.known().removed.insert(id.clone());
        let _ = std::fs::remove_dir_all(folder.join(id.as_str()));
    }

    /// The log of a workspace to write to, from now on in the place of what the node has of this pod.
    fn take(&self, id: &WorkspaceId, pod: &str) -> Option<WorkspaceLog> {
        let mut known = self.known();
        if known.removed.contains(id) {
            return None;
        }
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(self.folder.as_ref()?.join(id.as_str()));
        known.taken.extend(made.is_ok().then(|| pod.to_owned()));
        self.log(id).filter(|_| made.is_ok())
    }
}

/// Keeps the log of every pod that ends, for as long as nobody aborts it.
pub async fn keep_all(shared: Arc<Shared>) {
    let Ok(watch) = shared.watch() else { return };
    if shared.past.folder.is_none() {
        return;
    }
    let (mut pods, places) = (watch.pods(), Arc::new(Semaphore::new(AT_ONCE)));
    let (mut begun, mut readers) = (BTreeSet::<String>::new(), JoinSet::new());
    loop {
        pods.mark_unchanged();
        let over: Vec<Arc<Pod>> = watch.all::<Pod>().into_iter().filter(|pod| is_over(pod)).collect();
        let is_there = |uid: &String| over.iter().any(|pod| pod.metadata.uid.as_ref() == Some(uid));
        begun.retain(is_there);
        shared.past.known().taken.retain(is_there);
        for pod in over {
            if pod.metadata.uid.clone().is_some_and(|uid| begun.insert(uid)) {
                let (shared, places) = (Arc::clone(&shared), Arc::clone(&places));
                readers.spawn(async move {
                    let _place = places.acquire().await;
                    let _ = tokio::time::timeout(PATIENCE, keep(&shared, &pod)).await;
                });
            }
        }
        while readers.try_join_next().is_some() {}
        if pods.changed().await.is_err() {
            return;
        }
        tokio::time::sleep(TOGETHER).await;
    }
}

/// Whether a pod is ending, or has ended and is only not removed yet.
fn is_over(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    pod.metadata.deletion_timestamp.is_some() || matches!(phase, Some("Failed" | "Succeeded"))
}

/// Reads the log of a pod to its end. One that was read in part by another server goes on where that one stopped.
async fn keep(shared: &Arc<Shared>, pod: &Pod) -> Option<()> {
    let metadata = &pod.metadata;
    let id = Places::seen(shared.watch().ok()?).workspace(metadata)?;
    let source = Source { shared: Arc::clone(shared), namespace: metadata.namespace.clone()?, pod: metadata.name.clone()? };
    let known = shared.past.lines(&id, None).last().map(|line| line.at);
    let crashed = containers_before(pod) > 0;
    let mut log = None;
    for previous in [true, false].into_iter().filter(|previous| crashed || !previous) {
        let options = LogOptions { tail: LINES, follow: !previous, since: known, previous };
        let Ok(Some(mut reading)) = source.ask(&options).await else { continue };
        if log.is_none() {
            log = Some(shared.past.take(&id, metadata.uid.as_deref()?)?);
        }
        while let (Some(line), Some(log)) = (reading.next().await, &log) {
            if known.is_none_or(|known| line.at > known) {
                log.keep(line);
            }
        }
    }
    Some(())
}

/// How many containers of the workspace ended in this pod before the last one.
fn containers_before(pod: &Pod) -> i32 {
    let all = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    all.filter(|container| container.name == names::CONTAINER).map(|container| container.restart_count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use k8s_openapi::api::core::v1::PodStatus;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    fn line(text: &str) -> LogLine {
        LogLine { at: Millis(1), text: text.to_owned() }
    }

    #[test]
    fn the_log_of_a_removed_workspace_does_not_come_back_with_a_pod_that_ends_late() {
        let folder = tempfile::tempdir().unwrap();
        let past = Past::new(Some(folder.path().join("logs")), Arc::new(ManualClock::starting_at(Millis(1))));
        let id = WorkspaceId::trusted(format!("ws_{:032}", 1));
        let log = past.take(&id, "uid-1").unwrap();
        log.keep(line("first"));
        assert_eq!(past.lines(&id, None), [line("first")]);
        assert!(past.has_taken("uid-1") && !past.has_taken("uid-2"));
        past.forget(&id);
        log.keep(line("late"));
        assert!(past.take(&id, "uid-2").is_none() && past.lines(&id, None).is_empty());
        assert!(!folder.path().join("logs").join(id.as_str()).exists());
    }

    #[test]
    fn nothing_is_kept_where_there_is_no_place_for_it() {
        let past = Past::new(None, Arc::new(ManualClock::starting_at(Millis(1))));
        let id = WorkspaceId::trusted(format!("ws_{:032}", 1));
        assert!(past.take(&id, "uid-1").is_none() && !past.has_taken("uid-1") && past.lines(&id, None).is_empty());
    }

    #[test]
    fn a_pod_is_over_when_it_is_being_removed_and_when_its_programs_have_ended() {
        let with_phase =
            |phase: &str| Pod { status: Some(PodStatus { phase: Some(phase.to_owned()), ..PodStatus::default() }), ..Pod::default() };
        assert!(!is_over(&with_phase("Running")) && !is_over(&with_phase("Pending")));
        assert!(is_over(&with_phase("Failed")), "evicted");
        let mut ending = with_phase("Running");
        ending.metadata.deletion_timestamp = Some(Time(k8s_openapi::jiff::Timestamp::UNIX_EPOCH));
        assert!(is_over(&ending));
    }
}
