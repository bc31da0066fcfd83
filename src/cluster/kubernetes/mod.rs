//! Workspaces as pods of a Kubernetes cluster: the production implementation of the `Cluster` trait.
//!
//! A group is a namespace with a quota, limits, network policies and a service account without a token. A workspace is a
//! StatefulSet of one pod or none, a headless Service, a disk that outlives stops, and a Secret with the agent's order.
//! The agent comes into the pod from an image of ours; the workspace's own image needs to know nothing of us.
//!
//! The client is made when it is first needed, so the server starts without its cluster and says so. Objects carry the
//! id of the installation, and only what carries ours is ever changed. Deliberately absent: exec into pods, a proxy in
//! each namespace, and any watch on Secrets.

pub mod applied;
mod apply;
mod capacity;
pub mod client;
pub mod connect;
mod control;
pub mod covers;
pub mod doctor;
pub mod errors;
mod health;
pub mod holds;
mod logs;
pub mod manifests;
mod metrics;
pub mod names;
mod notes;
mod observe;
mod pace;
mod places;
pub mod quantity;
mod reach;
pub mod rights;
#[cfg(test)]
mod scripted;
pub mod settings;
pub mod told;
mod view;
pub mod watch;
pub mod words;

pub use settings::{Connect, KubernetesSettings, ServerPlace};

use crate::clock::Clock;
use crate::cluster::{AgentTrust, ClusterError};
use crate::domain::egress::Policy;
use applied::Applied;
use client::Clients;
use connect::Connector;
use notes::Notes;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::watch as news;
use told::Told;
use watch::Watch;

/// What both halves share.
pub struct Shared {
    pub settings: Arc<KubernetesSettings>,
    pub clients: Clients,
    /// What we applied, as the cluster showed it then.
    pub applied: Applied,
    /// Notes of the changing half.
    pub told: Told,
    pub clock: Arc<dyn Clock>,
    /// Grows whenever something may have changed.
    pub changes: news::Sender<u64>,
    /// What workspaces may reach.
    pub egress: news::Receiver<Arc<Policy>>,
    /// What was told of each workspace already.
    notes: Mutex<Notes>,
    watch: OnceLock<Watch>,
    meter: metrics::Meter,
    promises: capacity::Promises,
    past: logs::Past,
    installation: OnceLock<String>,
    /// A fingerprint of whom agents are to trust now, once it is known.
    trust: Mutex<Option<(String, u64)>>,
}

impl Shared {
    /// The id of this installation, once it is known.
    pub fn installation(&self) -> Result<&str, ClusterError> {
        let known = self.installation.get().map(String::as_str);
        known.ok_or_else(|| ClusterError::Transient("the installation is not known yet".to_owned()))
    }

    /// The watches; begun when they are first asked for.
    pub fn watch(&self) -> Result<&Watch, ClusterError> {
        let selector = names::selector(self.installation()?);
        let begin = || Watch::start(self.clients.clone(), Arc::clone(&self.clock), &selector, self.changes.clone());
        Ok(self.watch.get_or_init(begin))
    }

    /// Takes what the API server answered to a change, so that the next look sees it whatever the watches have told.
    fn learn<K: watch::kept::Kept>(&self, object: &K) {
        if let Ok(watch) = self.watch() {
            watch.learn(object);
        }
    }

    /// Whom agents are to trust from now on: workspaces that were applied with other keys are applied again.
    fn trust(&self, trust: &AgentTrust) {
        *self.trust.lock().unwrap_or_else(PoisonError::into_inner) = Some(applied::trust_print(trust));
    }

    /// The fingerprint of it.
    fn trusted(&self) -> Option<(String, u64)> {
        self.trust.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says that something may have changed.
    pub fn tick(&self) {
        self.changes.send_modify(|n| *n += 1);
    }
}

/// A Kubernetes cluster.
pub struct KubernetesCluster {
    shared: Arc<Shared>,
    connector: OnceLock<Connector>,
    /// Reads the logs of pods while they end.
    keeper: OnceLock<tokio::task::AbortHandle>,
}

impl Drop for KubernetesCluster {
    fn drop(&mut self) {
        if let Some(keeper) = self.keeper.get() {
            keeper.abort();
        }
    }
}

impl KubernetesCluster {
    /// Opens no connection and reads no file.
    pub fn new(settings: KubernetesSettings, egress: news::Receiver<Arc<Policy>>, clock: Arc<dyn Clock>) -> Arc<Self> {
        let settings = Arc::new(settings);
        let shared = Shared {
            clients: Clients::new(Arc::clone(&settings)),
            past: logs::Past::new(settings.past_logs.clone(), Arc::clone(&clock)),
            settings,
            applied: Applied::new(Arc::clone(&clock)),
            told: Told::default(),
            clock,
            changes: news::Sender::new(0),
            egress,
            notes: Mutex::default(),
            watch: OnceLock::new(),
            meter: metrics::Meter::default(),
            promises: capacity::Promises::default(),
            installation: OnceLock::new(),
            trust: Mutex::default(),
        };
        Arc::new(Self { shared: Arc::new(shared), connector: OnceLock::new(), keeper: OnceLock::new() })
    }
}
