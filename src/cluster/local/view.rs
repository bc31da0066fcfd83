//! The reading half of the trait: logs, numbers, connections, and how the walls stand.

use crate::clock::SECOND;
use crate::cluster::local::egress;
use crate::cluster::local::home::used_bytes;
use crate::cluster::local::spec::Tier;
use crate::cluster::local::state::{Live, Shared};
use crate::cluster::local::{LocalCluster, host, process_table, tools};
use crate::cluster::{App, ByteStream, Capacity, ClusterError, ClusterHealth, ClusterView, LogLine, LogOptions, Metrics, WorkspaceRef};
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use std::sync::Arc;
use tokio::net::UnixStream;

/// How long a measured home stays good, in milliseconds: measuring walks the whole tree.
const DISK_GOOD_FOR: i64 = 30 * SECOND;
/// The kernel's unit of processor time in `/proc`, fixed by its interface to programs.
const TICKS_PER_SECOND: u64 = 100;

struct Usage {
    cpu_microseconds: u64,
    memory: u64,
    processes: u64,
}

/// What a running workspace uses: the kernel's count where there is one, else the sum over its processes.
fn usage(live: &Live) -> Usage {
    let counted = live.groups.counted();
    let processes = process_table::descendants(live.keeper);
    let page = rustix::param::page_size() as u64;
    let memory = || processes.iter().map(|p| process_table::proportional_bytes(p.pid).unwrap_or(p.resident_pages * page)).sum();
    let ticks = || processes.iter().map(|p| p.ticks).sum::<u64>();
    Usage {
        cpu_microseconds: counted.cpu_microseconds.unwrap_or_else(|| ticks() * (1_000_000 / TICKS_PER_SECOND)),
        memory: counted.memory_bytes.unwrap_or_else(memory),
        processes: counted.processes.unwrap_or(processes.len() as u64),
    }
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Thousandths of a core since the last reading, which this one replaces.
fn cpu_milli(shared: &Shared, workspace: &WorkspaceRef, now_used: u64) -> Option<i64> {
    let now = shared.options.clock.now();
    let last = shared.state().workspaces.get_mut(&workspace.id)?.live.as_mut()?.cpu.replace((now, now_used))?;
    let elapsed = now.since(last.0);
    (elapsed > 0).then(|| signed(now_used.saturating_sub(last.1)) / elapsed)
}

async fn disk(shared: &Arc<Shared>, workspace: &WorkspaceRef) -> Option<i64> {
    let now = shared.options.clock.now();
    let known = shared.state().workspaces.get(&workspace.id)?.disk;
    if let Some((at, bytes)) = known
        && now.since(at) < DISK_GOOD_FOR
    {
        return Some(bytes);
    }
    let home = shared.folders(&workspace.id).home();
    let bytes = signed(tokio::task::spawn_blocking(move || used_bytes(&home)).await.ok()?);
    shared.state().workspaces.get_mut(&workspace.id)?.disk = Some((now, bytes));
    Some(bytes)
}

impl ClusterView for LocalCluster {
    fn logs<'a>(
        &'a self,
        workspace: &'a WorkspaceRef,
        options: LogOptions,
    ) -> BoxFuture<'a, Result<BoxStream<'static, LogLine>, ClusterError>> {
        Box::pin(async move {
            let log = self.shared.state().workspaces.get(&workspace.id).map(|e| Arc::clone(&e.log)).ok_or(ClusterError::Gone)?;
            let read = tokio::task::spawn_blocking(move || log.read(&options)).await;
            read.map_err(|e| ClusterError::Transient(format!("the log could not be read: {e}")))
        })
    }

    fn metrics<'a>(&'a self, workspace: &'a WorkspaceRef) -> BoxFuture<'a, Result<Metrics, ClusterError>> {
        Box::pin(async move {
            let live = self.shared.state().workspaces.get(&workspace.id).map(|e| e.live.clone()).ok_or(ClusterError::Gone)?;
            let disk_bytes = disk(&self.shared, workspace).await;
            let Some(live) = live else { return Ok(Metrics { disk_bytes, ..Metrics::default() }) };
            let used = tokio::task::spawn_blocking(move || usage(&live)).await.map_err(|e| ClusterError::Transient(e.to_string()))?;
            Ok(Metrics {
                cpu_milli: cpu_milli(&self.shared, workspace, used.cpu_microseconds),
                memory_bytes: Some(signed(used.memory)),
                disk_bytes,
                processes: Some(signed(used.processes)),
            })
        })
    }

    fn connect<'a>(&'a self, workspace: &'a WorkspaceRef) -> BoxFuture<'a, Result<Box<dyn ByteStream>, ClusterError>> {
        Box::pin(async move {
            let live = self.shared.state().workspaces.get(&workspace.id).and_then(|e| e.live.clone()).filter(|l| l.run == workspace.run);
            let live = live.ok_or(ClusterError::Gone)?;
            match UnixStream::connect(&live.socket).await {
                Ok(stream) => Ok(Box::new(stream) as Box<dyn ByteStream>),
                Err(error) => Err(ClusterError::Transient(format!("the agent does not accept connections: {error}"))),
            }
        })
    }

    fn capacity(&self) -> BoxFuture<'_, Result<Capacity, ClusterError>> {
        Box::pin(async move {
            let shared = Arc::clone(&self.shared);
            let read = tokio::task::spawn_blocking(move || host::node(&shared)).await.ok().flatten();
            let node = read.ok_or_else(|| ClusterError::Transient("the host does not say what it has".to_owned()))?;
            Ok(Capacity { nodes: vec![node] })
        })
    }

    fn has_app<'a>(&'a self, app: &'a App) -> BoxFuture<'a, bool> {
        let (apps, app) = (tools::apps_dir(&self.shared.options.data_dir), app.clone());
        Box::pin(async move { tokio::task::spawn_blocking(move || tools::offers(&apps, &app)).await.unwrap_or(false) })
    }

    fn health(&self) -> BoxFuture<'_, ClusterHealth> {
        Box::pin(async move {
            let verdict = self.shared.verdict.borrow().clone();
            let Some(verdict) = verdict else {
                return ClusterHealth { healthy: true, kind: "local", summary: super::TESTING.to_owned(), ..ClusterHealth::default() };
            };
            let mode = self.shared.options.egress.borrow().mode;
            ClusterHealth {
                healthy: verdict.tier.is_some_and(|tier| egress::can_hold(tier, mode)),
                kind: "local",
                summary: verdict.summary(self.shared.is_root),
                warnings: verdict.warnings(self.shared.is_root, mode),
                checks: verdict.checks.clone(),
                governs_egress: verdict.tier == Some(Tier::Full),
            }
        })
    }
}
