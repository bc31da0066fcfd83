//! Looks at what workspaces and nodes use, once a minute, and has it written down.
//!
//! One job in the background. It asks the cluster about a few workspaces at a time, each within a bounded time, and what
//! does not answer is left out: nothing is known of it then, and nothing is made up. The writing is one transaction.

use super::Gateway;
use super::{capacity, inside};
use crate::clock::{MINUTE, Millis};
use crate::cluster::{Metrics, NodeCapacity, WorkspaceRef};
use crate::domain::app::AppUse;
use crate::domain::id::WorkspaceId;
use crate::domain::quota::{ResourceQuota, Usage};
use crate::domain::trend::Look;
use crate::error::Result;
use crate::ops::running::{self, Running};
use crate::ops::trends::{self, Measured, NodeLook};
use futures_util::StreamExt;
use std::time::Duration;
use tokio::sync::watch;

/// Running workspaces read at once.
const PAGE: usize = 200;
/// Workspaces asked about at the same time.
const AT_ONCE: usize = 4;
/// How long one may take to answer. Measuring a large home for the first time takes longer; the next look finds it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Looks at the beginning of each minute until the server stops.
pub async fn keep(gateway: Gateway, mut stopped: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            () = tokio::time::sleep(until_next(gateway.clock.now())) => {}
        }
        tokio::select! {
            _ = stopped.changed() => return,
            outcome = once(&gateway) => {
                if let Err(error) = outcome {
                    tracing::warn!(%error, "what is used could not be written down; the charts have a gap");
                }
            }
        }
    }
}

/// To the next minute, and a moment into it.
fn until_next(now: Millis) -> Duration {
    let left = MINUTE - now.0.rem_euclid(MINUTE);
    Duration::from_millis(u64::try_from(left).unwrap_or(0).saturating_add(50))
}

/// One look.
pub async fn once(gateway: &Gateway) -> Result<()> {
    let mut measured = Measured { nodes: nodes(gateway).await, ..Measured::default() };
    let mut after = None;
    loop {
        let page = running::page(&gateway.ops, after, PAGE).await?;
        let next = (page.len() == PAGE).then(|| page.last().map(|r| r.workspace.clone())).flatten();
        for (id, look, apps) in measure(gateway, page).await {
            measured.apps.extend(apps.into_iter().filter_map(|app| Some((id.clone(), app.slug.clone(), look_of_app(&app)?))));
            measured.workspaces.extend(look.map(|look| (id, look)));
        }
        match next {
            Some(_) => after = next,
            None => break,
        }
    }
    trends::record(&gateway.ops, measured).await
}

/// The cluster knows the whole of a workspace, its agent alone which program is which app's: it is asked where there are
/// apps, because a connection into a workspace can cost more than everything else here.
async fn measure(gateway: &Gateway, page: Vec<Running>) -> Vec<(WorkspaceId, Option<Look>, Vec<AppUse>)> {
    let ask = |running: Running| {
        let gateway = gateway.clone();
        async move {
            let place = WorkspaceRef { id: running.workspace, namespace: running.namespace, run: running.run };
            let apps = async { if running.has_apps { inside::measure(&gateway, &place).await } else { Vec::new() } };
            let (told, apps) = tokio::join!(tokio::time::timeout(PATIENCE, gateway.view.metrics(&place)), apps);
            let look = told.ok().and_then(std::result::Result::ok).and_then(|metrics| look(&metrics));
            (place.id, look, apps)
        }
    };
    futures_util::stream::iter(page.into_iter().map(ask)).buffer_unordered(AT_ONCE).collect().await
}

/// `None` at the first look, which knows no processor yet.
fn look_of_app(used: &AppUse) -> Option<Look> {
    Some(Look { cpu_milli: used.cpu_milli?, memory_bytes: used.memory_bytes, disk_bytes: None, things: used.processes, running: 1 })
}

/// `None` where the processor and the memory are not known: a row with zeros in their place would be a lie.
fn look(metrics: &Metrics) -> Option<Look> {
    Some(Look {
        cpu_milli: metrics.cpu_milli?,
        memory_bytes: metrics.memory_bytes?,
        disk_bytes: metrics.disk_bytes,
        things: metrics.processes.unwrap_or(0),
        running: 1,
    })
}

/// A cluster that is away has no nodes to look at.
async fn nodes(gateway: &Gateway) -> Vec<NodeLook> {
    capacity::read(gateway).await.map(|capacity| capacity.nodes.iter().map(node).collect()).unwrap_or_default()
}

fn node(node: &NodeCapacity) -> NodeLook {
    NodeLook {
        name: node.name.clone(),
        look: Look {
            cpu_milli: node.busy_cpu_milli.unwrap_or(node.used_cpu_milli),
            memory_bytes: node.busy_memory_bytes.unwrap_or(node.used_memory_bytes),
            disk_bytes: node.used_disk_bytes,
            things: node.used_pods,
            running: 0,
        },
        given: Usage {
            cpu_milli: node.used_cpu_milli,
            memory_bytes: node.used_memory_bytes,
            storage_bytes: node.used_disk_bytes.unwrap_or(0),
            workspaces: node.used_pods,
        },
        has: ResourceQuota {
            cpu_milli: Some(node.cpu_milli),
            memory_bytes: Some(node.memory_bytes),
            storage_bytes: node.disk_bytes,
            workspaces: node.pods,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_look_is_at_the_beginning_of_a_minute() {
        assert_eq!(until_next(Millis(0)), Duration::from_millis(60_050));
        assert_eq!(until_next(Millis(59_999)), Duration::from_millis(51));
    }

    #[test]
    fn what_is_not_measured_is_no_look_and_an_unmeasured_disk_stays_unknown() {
        let metrics = Metrics { memory_bytes: Some(1), processes: Some(3), ..Metrics::default() };
        assert_eq!(look(&metrics), None);
        let told = look(&Metrics { cpu_milli: Some(0), ..metrics });
        assert_eq!(told, Some(Look { cpu_milli: 0, memory_bytes: 1, disk_bytes: None, things: 3, running: 1 }));
    }

    #[test]
    fn of_a_node_the_measured_use_is_looked_at_and_what_is_given_away_where_nothing_measures() {
        let one = NodeCapacity { used_cpu_milli: 4_000, busy_cpu_milli: Some(250), used_memory_bytes: 7, ..NodeCapacity::default() };
        assert_eq!((node(&one).look.cpu_milli, node(&one).look.memory_bytes, node(&one).given.cpu_milli), (250, 7, 4_000));
    }
}
