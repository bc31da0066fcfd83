//! What a workspace uses now, against what it may use.

use super::{Gateway, place};
use crate::cluster::Metrics;
use crate::domain::id::WorkspaceId;
use crate::domain::quantity::{print_bytes, print_cpu};
use crate::domain::quota::{AmountView, percentage};
use crate::domain::size::Size;
use std::sync::Arc;
use std::time::Duration;

/// Measuring may take longer (a large home); the next question then finds what this one began.
const PATIENCE: Duration = Duration::from_millis(300);

/// What is used, as the API prints it; `None` where it cannot be known.
#[derive(Debug, Clone, Default)]
pub struct InUse {
    pub cpu: Option<AmountView>,
    pub memory: Option<AmountView>,
    pub storage: Option<AmountView>,
    pub processes: Option<i64>,
}

/// Measures a workspace. A cluster that is away, or slow, gives nothing: a page is shown without it.
pub async fn measure(gateway: &Gateway, id: &WorkspaceId, namespace: &str, run: i64, size: &Size) -> InUse {
    let (view, place) = (Arc::clone(&gateway.view), place(id, namespace, run));
    let measuring = tokio::spawn(async move { view.metrics(&place).await });
    match tokio::time::timeout(PATIENCE, measuring).await {
        Ok(Ok(Ok(metrics))) => in_use(&metrics, size),
        _ => InUse::default(),
    }
}

fn in_use(metrics: &Metrics, size: &Size) -> InUse {
    let amount = |used: Option<i64>, total: i64, print: fn(i64) -> String| {
        used.map(|used| AmountView { used: print(used), total: Some(print(total)), percentage: percentage(used, Some(total)) })
    };
    InUse {
        cpu: amount(metrics.cpu_milli, size.cpu_milli, print_cpu),
        memory: amount(metrics.memory_bytes, size.memory_bytes, print_bytes),
        storage: amount(metrics.disk_bytes, size.disk_bytes, print_bytes),
        processes: metrics.processes,
    }
}
