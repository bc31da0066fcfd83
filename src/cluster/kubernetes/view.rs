//! The reading half of the trait: streams and numbers.

use super::KubernetesCluster;
use crate::cluster::{ByteStream, Capacity, ClusterError, ClusterHealth, ClusterView, LogLine, LogOptions, Metrics, WorkspaceRef};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use futures_util::stream::BoxStream;

fn unavailable<'a, T: Send + 'a>(what: &str) -> BoxFuture<'a, Result<T, ClusterError>> {
    ready(Err(ClusterError::Transient(format!("this build cannot read {what} of a Kubernetes cluster")))).boxed()
}

impl ClusterView for KubernetesCluster {
    fn logs<'a>(&'a self, _: &'a WorkspaceRef, _: LogOptions) -> BoxFuture<'a, Result<BoxStream<'static, LogLine>, ClusterError>> {
        unavailable("logs")
    }

    fn metrics<'a>(&'a self, _: &'a WorkspaceRef) -> BoxFuture<'a, Result<Metrics, ClusterError>> {
        unavailable("metrics")
    }

    fn connect<'a>(&'a self, _: &'a WorkspaceRef) -> BoxFuture<'a, Result<Box<dyn ByteStream>, ClusterError>> {
        unavailable("connections")
    }

    fn capacity(&self) -> BoxFuture<'_, Result<Capacity, ClusterError>> {
        unavailable("the capacity")
    }

    fn health(&self) -> BoxFuture<'_, ClusterHealth> {
        let shared = &self.shared;
        Box::pin(async move {
            let version = match shared.clients.get().await {
                Ok(client) => shared.clients.call(client.apiserver_version()).await,
                Err(error) => Err(error),
            };
            let (healthy, summary) = match version {
                Ok(version) => (true, format!("Kubernetes {}", version.git_version)),
                Err(error) => (false, error.to_string()),
            };
            ClusterHealth { healthy, kind: "kubernetes", summary, ..ClusterHealth::default() }
        })
    }
}
