//! Keeps one connection to every workspace that runs, and to none that does not.
//!
//! What starts, stops or changes hands is learned from the bus, one workspace at a time. What the bus could not tell (it
//! was overrun, an account ran out) is found by walking the running workspaces page by page. A connection is made known
//! to those who end connections before its right is looked up, so that nothing is taken away in between unseen.

use super::{Peer, Services, link};
use crate::domain::id::{UserId, WorkspaceId};
use crate::error::{Error, Result};
use crate::events::{Belongs, CutReason, Live, Sequenced};
use crate::gateway::{Gateway, PATIENCE, agent_refused, machine_keys, place, refused, unreachable};
use crate::ops::running;
use crate::token::ticket::{Scope, Wanted};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

/// One page of running workspaces is looked at this often.
const PAGE_PERIOD: Duration = Duration::from_secs(5);
const PAGE: usize = 200;
/// The pause after the first failure; each further one doubles it, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// A connection that lasted this long was no failure.
const STEADY: Duration = Duration::from_secs(10);

/// Holds the connections.
pub struct Keeper {
    gateway: Gateway,
    services: Services,
    links: HashMap<WorkspaceId, (i64, AbortHandle)>,
    tasks: JoinSet<(WorkspaceId, i64)>,
}

impl Keeper {
    pub fn new(gateway: Gateway, services: Services) -> Self {
        Self { gateway, services, links: HashMap::new(), tasks: JoinSet::new() }
    }

    /// Runs until told to stop; the connections end with it.
    pub async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        let (_, mut news) = self.gateway.ops.bus.subscribe(None);
        let mut pages = tokio::time::interval(PAGE_PERIOD);
        self.walk().await;
        let mut after = None;
        loop {
            tokio::select! {
                () = told_to_stop(&mut stopped) => return,
                told = news.recv() => match told {
                    Ok(told) => self.heed(&told).await,
                    Err(RecvError::Lagged(_)) => {
                        news = news.resubscribe();
                        self.walk().await;
                    }
                    Err(RecvError::Closed) => return,
                },
                Some(ended) = self.tasks.join_next() => self.forget(ended.ok()),
                _ = pages.tick() => after = self.look_at_page(after).await,
            }
        }
    }

    /// Everything that runs, page by page: at the start, and when too much was missed.
    async fn walk(&mut self) {
        let mut after = self.look_at_page(None).await;
        while after.is_some() {
            tokio::task::yield_now().await;
            after = self.look_at_page(after).await;
        }
    }

    /// The page behind this workspace; the answer is where the next one begins.
    async fn look_at_page(&mut self, after: Option<WorkspaceId>) -> Option<WorkspaceId> {
        let found = match running::page(&self.gateway.ops, after, PAGE).await {
            Ok(found) => found,
            Err(error) => {
                tracing::debug!(%error, "the running workspaces could not be read; they are read again");
                return None;
            }
        };
        let next = (found.len() == PAGE).then(|| found.last().map(|r| r.workspace.clone())).flatten();
        self.hold_all(found);
        next
    }

    async fn heed(&mut self, told: &Sequenced) {
        let event = &told.event;
        match event.kind {
            "workspace" => {
                if let Ok(id) = WorkspaceId::parse(&event.id) {
                    self.look_at(&id).await;
                }
            }
            // An account that is active again has its workspaces back.
            "user" => {
                if let Ok(id) = UserId::parse(&event.id)
                    && let Ok(found) = running::of_user(&self.gateway.ops, id).await
                {
                    self.hold_all(found);
                }
            }
            _ => {}
        }
    }

    async fn look_at(&mut self, id: &WorkspaceId) {
        match running::find(&self.gateway.ops, id.clone()).await {
            Ok(Some(running)) => self.hold(running),
            Ok(None) => {
                if let Some((_, link)) = self.links.remove(id) {
                    link.abort();
                }
            }
            // The connection itself asks again.
            Err(error) => tracing::debug!(%error, "a workspace could not be looked at"),
        }
    }

    fn hold_all(&mut self, found: Vec<Peer>) {
        for running in found {
            self.hold(running);
        }
    }

    /// Begins to hold a connection, unless this run has one.
    fn hold(&mut self, running: Peer) {
        let (id, run) = (running.workspace.clone(), running.run);
        if self.links.get(&id).is_some_and(|(held, link)| *held == run && !link.is_finished()) {
            return;
        }
        let holder = Holder { gateway: self.gateway.clone(), services: self.services.clone(), peer: Arc::new(running) };
        let key = (id.clone(), run);
        let held: BoxFuture<'static, ()> = Box::pin(holder.keep());
        let link = self.tasks.spawn(held.map(|()| key));
        if let Some((_, old)) = self.links.insert(id, (run, link)) {
            old.abort();
        }
    }

    fn forget(&mut self, ended: Option<(WorkspaceId, i64)>) {
        if let Some((id, run)) = ended
            && self.links.get(&id).is_some_and(|(held, link)| *held == run && link.is_finished())
        {
            self.links.remove(&id);
        }
    }
}

async fn told_to_stop(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// What became of a connection.
enum End {
    /// It ended, or was never made.
    Broken,
    /// It was taken away; whether it may come back is looked up.
    Cut,
    /// The workspace ends.
    Over,
}

/// What one connection is held with.
#[derive(Clone)]
struct Holder {
    gateway: Gateway,
    services: Services,
    peer: Arc<Peer>,
}

impl Holder {
    /// Holds the connection to one run: makes it, and makes it again when it breaks, as long as the run lasts.
    async fn keep(self) {
        let mut failures = 0_u32;
        loop {
            let mut live = self.register();
            let begun = Instant::now();
            match self.still_runs().await {
                Ok(true) => match self.one(&mut live).await {
                    End::Over => return,
                    End::Cut | End::Broken => {}
                },
                Ok(false) => return,
                Err(error) => tracing::debug!(%error, "a workspace could not be looked at"),
            }
            failures = if begun.elapsed() >= STEADY { 0 } else { failures.saturating_add(1) };
            tokio::time::sleep(pause(failures, &self.gateway)).await;
        }
    }

    async fn still_runs(&self) -> Result<bool> {
        let found = running::find(&self.gateway.ops, self.peer.workspace.clone()).await?;
        Ok(found.is_some_and(|now| now == *self.peer))
    }

    /// One connection from its beginning to its end.
    async fn one(&self, live: &mut Live) -> End {
        let mut serving: BoxFuture<'static, Result<()>> = Box::pin(self.clone().serve());
        loop {
            tokio::select! {
                biased;
                reason = live.cut() => match reason {
                    CutReason::Stopped | CutReason::Restarting => return End::Over,
                    CutReason::Revoked => return End::Cut,
                    // Signing out ends what a person sees, not what their workspace does. What else was taken away at
                    // the same moment is found by asking.
                    CutReason::SignedOut => {
                        *live = self.register();
                        if !self.still_runs().await.unwrap_or(false) {
                            return End::Cut;
                        }
                    }
                },
                ended = &mut serving => {
                    if let Err(error) = ended {
                        tracing::debug!(workspace = %self.peer.workspace, %error, "the connection to an agent ended");
                    }
                    return End::Broken;
                }
            }
        }
    }

    /// Makes the connection known to those who end connections.
    fn register(&self) -> Live {
        let peer = &self.peer;
        self.gateway.ops.bus.register(Belongs {
            user: Some(peer.owner.clone()),
            session: None,
            token: None,
            workspace: Some(peer.workspace.clone()),
            group: Some(peer.group.clone()),
        })
    }

    async fn serve(self) -> Result<()> {
        let Self { gateway, services, peer } = self;
        let place = place(&peer.workspace, &peer.namespace, peer.run);
        let stream = tokio::time::timeout(PATIENCE, gateway.view.connect(&place)).await;
        let stream = stream.map_err(|_| unreachable())?.map_err(refused)?;
        let ticket = ticket(&gateway, &peer)?;
        let serving: BoxFuture<'static, _> = Box::pin(link::serve(stream, ticket, peer, services));
        serving.await.map_err(agent_refused)
    }
}

fn ticket(gateway: &Gateway, peer: &Peer) -> Result<String> {
    let keys = machine_keys(&gateway.keys)?;
    let wanted = Wanted { workspace: &peer.workspace, run: peer.run, actor: None, scope: &[Scope::Up] };
    keys.signer.mint(&wanted, gateway.clock.now(), gateway.entropy.as_ref()).map_err(|e| Error::internal(e.to_string()))
}

/// Grows with failures, and is never the same for two workspaces: they do not come back all at once.
fn pause(failures: u32, gateway: &Gateway) -> Duration {
    let whole = FIRST_PAUSE.saturating_mul(1 << failures.min(10)).min(LONGEST_PAUSE);
    let mut chance = [0_u8; 1];
    gateway.entropy.fill(&mut chance);
    whole / 2 + whole * u32::from(chance[0]) / 512
}
