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
pub mod client;
mod control;
pub mod covers;
pub mod errors;
pub mod holds;
pub mod manifests;
pub mod names;
pub mod quantity;
pub mod settings;
pub mod told;
mod view;

pub use settings::{Connect, KubernetesSettings, ServerPlace};

use crate::clock::Clock;
use crate::cluster::ClusterError;
use crate::domain::egress::Policy;
use applied::Applied;
use client::Clients;
use std::sync::{Arc, OnceLock};
use tokio::sync::watch;
use told::Told;

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
    pub changes: watch::Sender<u64>,
    /// What workspaces may reach.
    pub egress: watch::Receiver<Arc<Policy>>,
    installation: OnceLock<String>,
}

impl Shared {
    /// The id of this installation, once it is known.
    pub fn installation(&self) -> Result<&str, ClusterError> {
        let known = self.installation.get().map(String::as_str);
        known.ok_or_else(|| ClusterError::Transient("the installation is not known yet".to_owned()))
    }

    /// Says that something may have changed.
    pub fn tick(&self) {
        self.changes.send_modify(|n| *n += 1);
    }
}

/// A Kubernetes cluster.
pub struct KubernetesCluster {
    shared: Arc<Shared>,
}

impl KubernetesCluster {
    /// Opens no connection and reads no file.
    pub fn new(settings: KubernetesSettings, egress: watch::Receiver<Arc<Policy>>, clock: Arc<dyn Clock>) -> Arc<Self> {
        let settings = Arc::new(settings);
        let shared = Shared {
            clients: Clients::new(Arc::clone(&settings)),
            settings,
            applied: Applied::new(Arc::clone(&clock)),
            told: Told::default(),
            clock,
            changes: watch::Sender::new(0),
            egress,
            installation: OnceLock::new(),
        };
        Arc::new(Self { shared: Arc::new(shared) })
    }
}
