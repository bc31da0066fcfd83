//! Makes what should be so: the only caller of the changing half of the cluster.
//!
//! One loop. It wakes on a change of the file, a change in the cluster, or after a while; asks the cluster for
//! everything, reads the rows that need a look, writes down what is, plans, and carries out a few steps at a time. A step
//! that fails is tried again later, with growing pauses; a step that panics fails alone (I9).
//!
//! Which rows need a look: those of which the cluster says something new ([`held`]), those that the file itself knows not
//! to be settled ([`crate::store::due`]), and, a few pages a round, all others once in a while. What the loop remembers
//! only spares it reading; forgetting all of it changes nothing but the cost of the next round.

pub mod held;
pub mod plan;
mod record;
pub mod seen;
pub mod step;
mod sweep;
#[cfg(test)]
mod tests;
mod tokens;

use crate::clock::{Clock, Millis};
use crate::cluster::{AgentTrust, ClusterControl, Observation};
use crate::domain::id::{GroupId, WorkspaceId};
use crate::error::Result;
use crate::identity::signing::MachineKeys;
use crate::metrics::{Outcome, Rounds};
use crate::ops::Ops;
use crate::store::due::{self, After, Ids};
use crate::store::{Origin, Read, Tx, workspaces};
use futures_util::{FutureExt, StreamExt};
use held::{Held, Known};
use plan::Wanted;
use record::Pending;
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};
use sweep::Sweep;
use tokens::Tokens;
use tokio::sync::watch;

/// A round at least this often, also when nothing seems to happen.
const PERIOD: Duration = Duration::from_secs(15);
/// After a round that did something the next one follows soon, to see what became of it.
const FOLLOW_UP: Duration = Duration::from_millis(250);
/// Between the rounds of a full comparison.
const SWEEP_PAUSE: Duration = Duration::from_millis(50);
/// Rounds keep this distance, so that a chatty cluster cannot make the server spin.
const GAP: Duration = Duration::from_millis(5);
/// After a round that failed as a whole.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Steps at a time.
const AT_ONCE: usize = 8;
/// Rows of one kind that are in memory at a time.
const PAGE: u32 = 500;

/// The loop and what it works with.
pub struct Reconciler {
    ops: Ops,
    cluster: Arc<dyn ClusterControl>,
    clock: Arc<dyn Clock>,
    /// Whom agents are told to trust, as soon as there are keys.
    keys: watch::Receiver<Option<MachineKeys>>,
    /// Notes of the cluster that could not be written yet: each is told once.
    pending: Pending,
    known: Known,
    sweep: Sweep,
    tokens: Tokens,
    /// Why the cluster does not answer, as every workspace that should run says by now.
    silence: Option<String>,
    rounds: Rounds,
}

/// What one round works with.
struct Round<'o> {
    held: Held<'o>,
    trust: Option<AgentTrust>,
    now: Millis,
    /// What was looked at already: the same observation is not acted on twice.
    groups: BTreeSet<GroupId>,
    workspaces: BTreeSet<WorkspaceId>,
}

impl Round<'_> {
    /// The page without what was looked at already.
    fn fresh(&self, ids: Ids) -> Ids {
        Ids {
            groups: ids.groups.into_iter().filter(|id| !self.groups.contains(id)).collect(),
            workspaces: ids.workspaces.into_iter().filter(|id| !self.workspaces.contains(id)).collect(),
        }
    }
}

impl Reconciler {
    pub fn new(ops: Ops, cluster: Arc<dyn ClusterControl>, clock: Arc<dyn Clock>, keys: watch::Receiver<Option<MachineKeys>>) -> Self {
        let (pending, known, sweep) = (Pending::default(), Known::default(), Sweep::default());
        Self { ops, cluster, clock, keys, pending, known, sweep, tokens: Tokens::default(), silence: None, rounds: Rounds::default() }
    }

    /// Counts its rounds here.
    #[must_use]
    pub fn measured(self, rounds: Rounds) -> Self {
        Self { rounds, ..self }
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
        let began = Instant::now();
        let ended = AssertUnwindSafe(self.round()).catch_unwind().await;
        // A cluster that is away is told as such, and no failure of the round.
        let outcome = if matches!(ended, Ok(Ok(_))) { Outcome::Done } else { Outcome::Failed };
        self.rounds.done(outcome, began.elapsed());
        match ended {
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
        if let Some(keys) = self.keys.borrow().as_ref() {
            self.cluster.trust(&keys.trust);
        }
        let observed = self.cluster.observe().await;
        let now = self.clock.now();
        match observed {
            Ok(observation) => self.follow(&observation, now).await,
            Err(error) => {
                self.silent(&error.to_string(), now).await?;
                Ok(AFTER_FAILURE)
            }
        }
    }

    /// Rows are read after the cluster was asked: what was made in between is then at most not there yet.
    async fn follow(&mut self, observation: &Observation, now: Millis) -> Result<Duration> {
        self.silence = None;
        self.pending.take(observation);
        record::notes(&self.ops.db, &mut self.pending).await?;
        let trust = self.keys.borrow().as_ref().map(|keys| keys.trust.clone());
        let mut round = Round { held: Held::of(observation), trust, now, groups: BTreeSet::new(), workspaces: BTreeSet::new() };
        let mut acted = self.follow_news(&mut round).await?;
        acted |= self.work_off_due(&round).await?;
        acted |= self.sweep_on(&round).await?;
        let kid = self.keys.borrow().as_ref().map(|keys| keys.signer.kid().to_owned());
        if let Some(kid) = kid {
            self.tokens.tend(&self.ops, kid, round.workspaces.into_iter().collect(), now).await;
        }
        self.pause(acted, now).await
    }

    async fn follow_news(&mut self, round: &mut Round<'_>) -> Result<bool> {
        let (groups, workspaces) = self.known.news(&round.held);
        round.groups.extend(groups.iter().cloned());
        round.workspaces.extend(workspaces.iter().cloned());
        let mut acted = false;
        for ids in held::pages(groups, workspaces, PAGE as usize) {
            acted |= self.settle(&ids, round).await?;
            self.known.dealt_with(&ids, &round.held);
        }
        Ok(acted)
    }

    async fn work_off_due(&self, round: &Round<'_>) -> Result<bool> {
        let (mut acted, mut after) = (false, After::default());
        loop {
            let ids = self.page(due::due, after.clone()).await?;
            if ids.is_empty() {
                return Ok(acted);
            }
            after = ids.end(&after);
            acted |= self.settle(&round.fresh(ids), round).await?;
        }
    }

    /// Writes down how these are, and does what has to be done to them; answers whether there was something.
    async fn settle(&self, ids: &Ids, round: &Round<'_>) -> Result<bool> {
        if ids.is_empty() {
            return Ok(false);
        }
        let wanted = Wanted::load(&self.ops.db, ids.clone()).await?;
        record::observation(&self.ops.db, &wanted, &round.held, round.now).await?;
        record::holds(&self.ops, &wanted, &round.held).await?;
        let steps = plan::plan(&wanted, &round.held, round.now, round.trust.is_some());
        let acted = !steps.is_empty();
        let trust = round.trust.clone().unwrap_or_default();
        let context = step::Context { ops: &self.ops, cluster: self.cluster.as_ref(), wanted: &wanted, trust: &trust, now: round.now };
        let all = steps.into_iter().map(|next| step::carry_out(&context, next));
        futures_util::stream::iter(all).buffer_unordered(AT_ONCE).for_each(|()| async {}).await;
        Ok(acted)
    }

    async fn page(&self, read: impl FnOnce(&Read<'_>, &After, u32) -> Result<Ids> + Send + 'static, after: After) -> Result<Ids> {
        self.ops.db.read(origin(), move |r: &Read<'_>| read(r, &after, PAGE)).await
    }

    async fn pause(&self, acted: bool, now: Millis) -> Result<Duration> {
        let usual = if self.sweep.is_going() {
            SWEEP_PAUSE
        } else if acted {
            FOLLOW_UP
        } else {
            PERIOD
        };
        let next = self.ops.db.read(origin(), due::next).await?;
        let wait = next.map(|due| Duration::from_millis(u64::try_from(due.since(now)).unwrap_or(0)));
        Ok(wait.map_or(usual, |wait| wait.min(usual)))
    }

    /// The cluster does not answer: each workspace that should be there says so once.
    async fn silent(&mut self, why: &str, now: Millis) -> Result<()> {
        self.tell_of_silence(due::untold, why, now).await?;
        if self.silence.as_deref() != Some(why) {
            self.tell_of_silence(due::meant, why, now).await?;
            self.silence = Some(why.to_owned());
        }
        Ok(())
    }

    async fn tell_of_silence(&self, read: fn(&Read<'_>, &After, u32) -> Result<Ids>, why: &str, now: Millis) -> Result<()> {
        let mut after = After::default();
        loop {
            let ids = self.page(read, after.clone()).await?;
            if ids.is_empty() {
                return Ok(());
            }
            after = ids.end(&after);
            record::unreachable(&self.ops.db, &Wanted::load(&self.ops.db, ids).await?, why, now).await?;
        }
    }
}

/// The server itself, in the log of what was done.
pub(crate) fn origin() -> Origin {
    Origin { call_id: "reconcile".to_owned(), ..Origin::default() }
}
