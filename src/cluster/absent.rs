//! No cluster: for command lines that change what should be while no server runs.

use super::{ByteStream, Capacity, ClusterError, ClusterHealth, ClusterView, LogLine, LogOptions, Metrics, WorkspaceRef};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use futures_util::stream::BoxStream;

/// Every question is answered with "not now".
pub struct AbsentCluster;

fn absent<'a, T: Send + 'a>() -> BoxFuture<'a, Result<T, ClusterError>> {
    ready(Err(ClusterError::Transient("The server does not run, so nothing is known of the cluster.".into()))).boxed()
}

impl ClusterView for AbsentCluster {
    fn logs<'a>(&'a self, _: &'a WorkspaceRef, _: LogOptions) -> BoxFuture<'a, Result<BoxStream<'static, LogLine>, ClusterError>> {
        absent()
    }

    fn metrics<'a>(&'a self, _: &'a WorkspaceRef) -> BoxFuture<'a, Result<Metrics, ClusterError>> {
        absent()
    }

    fn connect<'a>(&'a self, _: &'a WorkspaceRef) -> BoxFuture<'a, Result<Box<dyn ByteStream>, ClusterError>> {
        absent()
    }

    fn capacity(&self) -> BoxFuture<'_, Result<Capacity, ClusterError>> {
        absent()
    }

    fn health(&self) -> BoxFuture<'_, ClusterHealth> {
        ready(ClusterHealth { kind: "none", summary: "The server does not run.".into(), ..ClusterHealth::default() }).boxed()
    }
}
