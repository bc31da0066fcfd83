//! The reading half of the trait: streams and numbers.

use super::{KubernetesCluster, capacity, health, logs, metrics, settings};
use crate::cluster::{ByteStream, Capacity, ClusterError, ClusterHealth, ClusterView, LogLine, LogOptions, Metrics, WorkspaceRef};
use crate::domain::app::App;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

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

    fn connect<'a>(&'a self, workspace: &'a WorkspaceRef) -> BoxFuture<'a, Result<Box<dyn ByteStream>, ClusterError>> {
        Box::pin(async move { self.connector()?.connect(workspace).await })
    }

    /// Whether an image stands for the built-in template that brings this app.
    fn has_app<'a>(&'a self, app: &'a App) -> BoxFuture<'a, bool> {
        let is_there = app.requires.as_ref().is_none_or(|name| self.shared.settings.images.contains_key(name));
        Box::pin(std::future::ready(is_there))
    }

    fn app_hint(&self, app: &App) -> String {
        settings::image_hint(app.requires.as_deref().unwrap_or(&app.slug))
    }

    fn capacity(&self) -> BoxFuture<'_, Result<Capacity, ClusterError>> {
        Box::pin(capacity::of(&self.shared))
    }

    fn health(&self) -> BoxFuture<'_, ClusterHealth> {
        Box::pin(async move {
            let mut health = health::of(&self.shared).await;
            if let Ok(connector) = self.connector() {
                connector.try_out();
                health.summary = format!("{}. {}", health.summary, connector.told());
            }
            health
        })
    }
}
