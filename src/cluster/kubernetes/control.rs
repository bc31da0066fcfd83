//! The changing half of the trait.

use super::KubernetesCluster;
use crate::cluster::{AgentTrust, ClusterControl, ClusterError, GroupSpec, Observation, WorkspaceSpec};
use crate::domain::id::{GroupId, WorkspaceId};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use tokio::sync::watch;

fn unavailable<'a, T: Send + 'a>(what: &str) -> BoxFuture<'a, Result<T, ClusterError>> {
    ready(Err(ClusterError::Transient(format!("this build cannot {what} a Kubernetes cluster")))).boxed()
}

impl ClusterControl for KubernetesCluster {
    fn claim(&self, installation: &str) {
        // Told again it is the same: the id of a database never changes.
        let _ = self.shared.installation.set(installation.to_owned());
    }

    fn observe(&self) -> BoxFuture<'_, Result<Observation, ClusterError>> {
        unavailable("observe")
    }

    fn apply_group<'a>(&'a self, _: &'a GroupSpec) -> BoxFuture<'a, Result<(), ClusterError>> {
        unavailable("make groups in")
    }

    fn remove_group<'a>(&'a self, _: &'a GroupId, _: &'a str) -> BoxFuture<'a, Result<(), ClusterError>> {
        unavailable("remove groups from")
    }

    fn apply_workspace<'a>(&'a self, _: &'a WorkspaceSpec, _: &'a AgentTrust) -> BoxFuture<'a, Result<(), ClusterError>> {
        unavailable("make workspaces in")
    }

    fn remove_workspace<'a>(&'a self, _: &'a WorkspaceId, _: &'a str) -> BoxFuture<'a, Result<(), ClusterError>> {
        unavailable("remove workspaces from")
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    /// Pods run on without this server.
    fn shut_down(&self) -> BoxFuture<'_, ()> {
        ready(()).boxed()
    }
}
