//! Makes what should be so: the only caller of the changing half of the cluster.
//!
//! One loop without memory. It wakes on a change of the file, a change in the cluster, or after a while; reads
//! everything, asks the cluster for everything, writes down what is, plans, and carries out a few steps at a time. A step
//! that fails is tried again later, with growing pauses; a step that panics fails alone (I9).

pub mod plan;
mod record;
pub mod seen;
pub mod step;
#[cfg(test)]
mod tests;

use crate::clock::{Clock, Millis};
use crate::cluster::{AgentTrust, ClusterControl};
use crate::error::Result;
use crate::identity::signing::MachineKeys;
use crate::ops::{Ops, group_state};
use crate::store::{Origin, Tx, workspaces};
use futures_util::{FutureExt, StreamExt};
use plan::{Plan, Wanted};
use record::Pending;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A round at least this often, also when nothing seems to happen.
const PERIOD: Duration = Duration::from_secs(15);
/// After a round that did something the next one follows soon, to see what became of it.
const FOLLOW_UP: Duration = Duration::from_millis(250);
/// Rounds keep this distance, so that a chatty cluster cannot make the server spin.
const GAP: Duration = Duration::from_millis(5);
/// After a round that failed as a whole.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Steps at a time.
const AT_ONCE: usize = 8;

/// The loop and what it works with.
pub struct Reconciler {
    ops: Ops,
    cluster: Arc<dyn ClusterControl>,
    clock: Arc<dyn Clock>,
    /// Whom agents are told to trust, as soon as there are keys.
    keys: watch::Receiver<Option<MachineKeys>>,
    /// Notes of the cluster that could not be written yet: each is told once.
    pending: Pending,
    orphans: Vec<String>,
}

impl Reconciler {
    pub fn new(ops: Ops, cluster: Arc<dyn ClusterControl>, clock: Arc<dyn Clock>, keys: watch::Receiver<Option<MachineKeys>>) -> Self {
        Self { ops, cluster, clock, keys, pending: Pending::default(), orphans: Vec::new() }
    }

    /// Runs until told to stop. A step in the middle is abandoned; the next server takes it again.
    pub async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        let mut changes = self.cluster.changes();
        let mut keys = self.keys.clone();
        if let Err(error) = self.begin().await {
            tracing::warn!(%error, "earlier failures of the reconciler could not be forgotten");
        }
        loop {
            let pause = tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => return,
                pause = self.guarded_round() => pause,
            };
            tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(GAP) => {}
            }
            tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => return,
                () = self.ops.bus.reconcile.notified() => {}
                Ok(()) = changes.changed() => {}
                Ok(()) = keys.changed() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// A new server tries everything at once: what it failed at may be cured.
    async fn begin(&self) -> Result<()> {
        self.ops.db.write(origin(), |tx: &Tx<'_>| workspaces::forget_attempts(tx)).await
    }

    async fn guarded_round(&mut self) -> Duration {
        match AssertUnwindSafe(self.round()).catch_unwind().await {
            Ok(Ok(pause)) => pause,
            Ok(Err(error)) => {
                tracing::warn!(%error, "a round of the reconciler failed; it is repeated");
                AFTER_FAILURE
            }
            Err(_) => {
                tracing::error!("a round of the reconciler panicked; it is repeated");
                AFTER_FAILURE
            }
        }
    }

    /// One round: see, write down, plan, act. The answer is how long the next one may wait.
    pub async fn round(&mut self) -> Result<Duration> {
        let observed = self.cluster.observe().await;
        // Read after the cluster was asked: what was made in between is then at most not there yet.
        let wanted = self.wanted().await?;
        let now = self.clock.now();
        let observation = match observed {
            Ok(observation) => observation,
            Err(error) => {
                record::unreachable(&self.ops.db, &wanted, &error.to_string(), now).await?;
                return Ok(AFTER_FAILURE);
            }
        };
        self.pending.take(&observation);
        record::observation(&self.ops.db, &wanted, &observation, now, &mut self.pending).await?;
        let trust = self.keys.borrow().as_ref().map(|keys| keys.trust.clone());
        let plan = plan::plan(&wanted, &observation, now, trust.is_some());
        self.report_orphans(&plan);
        Ok(self.carry_out(plan, &wanted, trust.unwrap_or_default(), now).await)
    }

    async fn wanted(&self) -> Result<Wanted> {
        let groups = group_state::desired(&self.ops).await?;
        Ok(Wanted { groups, workspaces: self.ops.db.read(origin(), workspaces::all).await? })
    }

    async fn carry_out(&self, plan: Plan, wanted: &Wanted, trust: AgentTrust, now: Millis) -> Duration {
        let did_something = !plan.steps.is_empty();
        let context = step::Context { ops: &self.ops, cluster: self.cluster.as_ref(), wanted, trust: &trust, now };
        let all = plan.steps.into_iter().map(|next| step::carry_out(&context, next));
        futures_util::stream::iter(all).buffer_unordered(AT_ONCE).for_each(|()| async {}).await;
        let wait = plan.next.map(|due| Duration::from_millis(u64::try_from(due.since(now)).unwrap_or(0)));
        let pause = if did_something { FOLLOW_UP } else { PERIOD };
        wait.map_or(pause, |wait| wait.min(pause))
    }

    fn report_orphans(&mut self, plan: &Plan) {
        if self.orphans == plan.orphans {
            return;
        }
        self.orphans.clone_from(&plan.orphans);
        if !self.orphans.is_empty() {
            let (count, first) = (self.orphans.len(), &self.orphans[0]);
            tracing::warn!(count, first, "the cluster holds what this database does not know; it is left alone");
        }
    }
}

/// The server itself, in the log of what was done.
pub(crate) fn origin() -> Origin {
    Origin { call_id: "reconcile".to_owned(), ..Origin::default() }
}
