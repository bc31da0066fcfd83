//! The changing half of the trait.

use super::{KubernetesCluster, apply, logs};
use crate::clock::SystemEntropy;
use crate::cluster::{AgentTrust, ClusterControl, ClusterError, GroupSpec, Observation, WorkspaceSpec};
use crate::domain::id::{GroupId, WorkspaceId};
use crate::token::proof::ProofKey;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use tokio::sync::watch;

impl ClusterControl for KubernetesCluster {
    fn claim(&self, installation: &str) {
        // Told again it is the same: the id of a database never changes.
        let _ = self.shared.installation.set(installation.to_owned());
        // Whoever was told no key has one of its own, for as long as it lives.
        self.shared.settings.proof.get_or_init(|| ProofKey::fresh(&SystemEntropy));
    }

    fn prove_with(&self, key: ProofKey) {
        let _ = self.shared.settings.proof.set(key);
    }

    fn trust(&self, trust: &AgentTrust) {
        self.shared.trust(trust);
    }

    fn observe(&self) -> BoxFuture<'_, Result<Observation, ClusterError>> {
        self.keeper.get_or_init(|| tokio::spawn(logs::keep_all(std::sync::Arc::clone(&self.shared))).abort_handle());
        Box::pin(super::observe::observe(&self.shared))
    }

    fn apply_group<'a>(&'a self, group: &'a GroupSpec) -> BoxFuture<'a, Result<(), ClusterError>> {
        Box::pin(apply::group::apply(&self.shared, group))
    }

    fn remove_group<'a>(&'a self, id: &'a GroupId, namespace: &'a str) -> BoxFuture<'a, Result<(), ClusterError>> {
        Box::pin(apply::group::remove(&self.shared, id, namespace))
    }

    fn apply_workspace<'a>(&'a self, spec: &'a WorkspaceSpec, trust: &'a AgentTrust) -> BoxFuture<'a, Result<(), ClusterError>> {
        Box::pin(apply::workspace::apply(&self.shared, spec, trust))
    }

    fn remove_workspace<'a>(&'a self, id: &'a WorkspaceId, namespace: &'a str) -> BoxFuture<'a, Result<(), ClusterError>> {
        Box::pin(apply::workspace::remove(&self.shared, id, namespace))
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    /// Pods run on without this server.
    fn shut_down(&self) -> BoxFuture<'_, ()> {
        ready(()).boxed()
    }
}
