//! How full the disk of a workspace is, measured by the cluster and not by the workspace itself.

use crate::cluster::WorkspaceRef;
use crate::gateway::Gateway;
use std::sync::Arc;
use std::time::Duration;

/// The disk of a workspace, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Disk {
    /// Absent where it was not measured in time.
    pub used: Option<i64>,
    /// 0 where there is no limit.
    pub total: i64,
}

impl Disk {
    /// Measures it, waiting so long. The measuring goes on beside, and the next caller finds its answer.
    pub async fn measure(gateway: &Gateway, place: &WorkspaceRef, total: i64, patience: Duration) -> Self {
        let (view, place) = (Arc::clone(&gateway.view), place.clone());
        let measuring = tokio::spawn(async move { view.metrics(&place).await });
        let measured = tokio::time::timeout(patience, measuring).await;
        let used = measured.ok().and_then(Result::ok).and_then(Result::ok).and_then(|metrics| metrics.disk_bytes);
        Self { used, total }
    }

    /// How many bytes may still be written; `None` where nothing is known to stand against it.
    pub fn room(&self) -> Option<i64> {
        self.used.filter(|_| self.total > 0).map(|used| self.total.saturating_sub(used).max(0))
    }
}
