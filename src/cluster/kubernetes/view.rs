//! The reading half of the trait: streams and numbers.

use super::{KubernetesCluster, capacity, health, logs, metrics};
use crate::cluster::{ByteStream, Capacity, ClusterError, ClusterHealth, ClusterView, LogLine, LogOptions, Metrics, WorkspaceRef};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use futures_util::stream::BoxStream;

fn unavailable<'a, T: Send + 'a>(what: &str) -> BoxFuture<'a, Result<T, ClusterError>> {
    ready(Err(ClusterError::Transient(format!("this build cannot read {what} of a Kubernetes cluster")))).boxed()
}

impl ClusterView for KubernetesCluster {
    fn logs<'a>(
        &'a self,
        workspace: &'a WorkspaceRef,
        options: LogOptions,
    ) -> BoxFuture<'a, Result<BoxStream<'static, LogLine>, ClusterError>> {
        Box::pin(logs::read(&self.shared, workspace, options))
    }

    fn metrics<'a>(&'a self, workspace: &'a WorkspaceRef) -> BoxFuture<'a, Result<Metrics, ClusterError>> {
        Box::pin(metrics::of(&self.shared, workspace))
    }

    fn connect<'a>(&'a self, _: &'a WorkspaceRef) -> BoxFuture<'a, Result<Box<dyn ByteStream>, ClusterError>> {
        unavailable("connections")
    }

    fn capacity(&self) -> BoxFuture<'_, Result<Capacity, ClusterError>> {
        Box::pin(capacity::of(&self.shared))
    }

    fn health(&self) -> BoxFuture<'_, ClusterHealth> {
        Box::pin(health::of(&self.shared))
    }
}
