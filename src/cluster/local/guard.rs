//! A supervisor that panics fails its own workspace only, and says so (I9).
//!
//! Without this the workspace would keep the phase it had, with nobody left to change it. What it ran is ended, and the
//! next wish for it finds no supervisor and makes another.

use crate::cluster::local::state::Shared;
use crate::cluster::local::supervise::{clean, reason};
use crate::cluster::{NoteKind, Phase};
use crate::domain::id::WorkspaceId;
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

const CODE: &str = "supervisor_failed";
const WORDS: &str = "The server failed at this workspace; its log says more.";

/// Runs a supervisor to its end.
pub async fn guarded(shared: Arc<Shared>, id: WorkspaceId, supervisor: impl Future<Output = ()>) {
    if AssertUnwindSafe(supervisor).catch_unwind().await.is_ok() {
        return;
    }
    tracing::error!(workspace = %id, "the supervisor of a workspace panicked");
    let left = shared.change(&id, |entry| {
        entry.target = None;
        entry.applied = None;
        entry.phase = Phase::Failed;
        entry.reason = Some(reason(CODE, WORDS, Some("Start it again.")));
        (entry.run, entry.uid, entry.live.take())
    });
    let Some((run, uid, live)) = left else { return };
    if let Some(live) = live {
        live.groups.kill();
        clean(&shared, &live, shared.is_root.then_some(uid)).await;
    }
    shared.note(&id, run, NoteKind::Error, CODE, WORDS);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, SystemClock, SystemEntropy};
    use crate::cluster::local::LocalOptions;
    use crate::cluster::local::home::Record;
    use crate::cluster::local::state::Target;
    use crate::domain::id::GroupId;
    use tokio::sync::watch;

    #[tokio::test]
    async fn a_supervisor_that_panics_leaves_a_failure_with_a_reason_and_room_for_another() {
        let dir = tempfile::tempdir().unwrap();
        let options = LocalOptions::new(dir.path().to_owned(), dir.path().join("run"), Arc::new(SystemClock));
        let shared = Arc::new(Shared::new(options, false));
        let now = SystemClock.now();
        let (id, group) = (WorkspaceId::fresh(now, &SystemEntropy), GroupId::fresh(now, &SystemEntropy));
        let mut entry = shared.blank(&id, &Record { namespace: "team".into(), group, run: 3, generation: 5, uid: 20_000 });
        (entry.phase, entry.target) = (Phase::Creating, Some(watch::channel(Target::Stopped).0));
        shared.state().workspaces.insert(id.clone(), entry);
        let before = *shared.changes.borrow();
        guarded(Arc::clone(&shared), id.clone(), async { panic!("on purpose") }).await;
        assert!(shared.state().workspaces[&id].target.is_none(), "the next wish makes another supervisor");
        let seen = shared.observed().remove(0);
        assert_eq!((seen.phase, seen.run, seen.reason.map(|r| r.code).as_deref()), (Phase::Failed, 3, Some(CODE)));
        assert_eq!(seen.notes.iter().map(|n| (n.kind, n.code.as_str())).collect::<Vec<_>>(), [(NoteKind::Error, CODE)]);
        assert!(*shared.changes.borrow() > before, "the reconciler is told");
    }

    #[tokio::test]
    async fn a_supervisor_that_ends_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let options = LocalOptions::new(dir.path().to_owned(), dir.path().join("run"), Arc::new(SystemClock));
        let shared = Arc::new(Shared::new(options, false));
        guarded(Arc::clone(&shared), WorkspaceId::fresh(SystemClock.now(), &SystemEntropy), async {}).await;
        assert_eq!(*shared.changes.borrow(), 0);
    }
}
