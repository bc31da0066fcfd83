//! The reading half of the trait: logs, numbers, connections, and how the walls stand.

use crate::agent::process_table;
use crate::clock::{Millis, SECOND};
use crate::cluster::local::egress;
use crate::cluster::local::home::used_bytes;
use crate::cluster::local::spec::Tier;
use crate::cluster::local::state::{CpuReading, Live, Shared};
use crate::cluster::local::{LocalCluster, host, tools};
use crate::cluster::{App, ByteStream, Capacity, ClusterError, ClusterHealth, ClusterView, LogLine, LogOptions, Metrics, WorkspaceRef};
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use std::sync::Arc;
use tokio::net::UnixStream;

/// How long a measured home stays good, in milliseconds: measuring walks the whole tree.
const DISK_GOOD_FOR: i64 = 30 * SECOND;
/// A home that took long to measure stays good so many times longer: measuring never takes more than a hundredth of a core.
const DISK_REST: i64 = 100;
/// Two readings of the processor closer than this tell more about the kernel's clock than about the workspace.
const CPU_GOOD_FOR: i64 = SECOND;

struct Usage {
    at: Millis,
    cpu_microseconds: u64,
    memory: u64,
    processes: u64,
}

/// What a running workspace uses: the kernel's count where there is one, else the sum over its processes.
fn usage(shared: &Shared, live: &Live) -> Usage {
    let (now, counted) = (shared.options.clock.now(), live.groups.counted());
    let whole = counted.cpu_microseconds.is_some() && counted.memory_bytes.is_some() && counted.processes.is_some();
    // The table of all processes is long: it is read only for what the kernel does not count, once for all workspaces.
    let (age, processes) = if whole {
        (0, Vec::new())
    } else {
        let (age, all) = shared.processes_and_age();
        (i64::try_from(age.as_millis()).unwrap_or(0), process_table::below(live.keeper, all.iter().copied()))
    };
    Usage {
        at: now.plus(if counted.cpu_microseconds.is_some() { 0 } else { -age }),
        cpu_microseconds: counted.cpu_microseconds.unwrap_or_else(|| process_table::microseconds_of(&processes)),
        memory: counted.memory_bytes.unwrap_or_else(|| process_table::memory_of(&processes)),
        processes: counted.processes.unwrap_or(processes.len() as u64),
    }
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Thousandths of a core since the last reading, which this one replaces unless it was a moment ago.
fn cpu_milli(shared: &Shared, workspace: &WorkspaceRef, used: &Usage) -> Option<i64> {
    let mut state = shared.state();
    let cpu = &mut state.workspaces.get_mut(&workspace.id)?.live.as_mut()?.cpu;
    let milli = match cpu {
        Some(last) if used.at.since(last.at) < CPU_GOOD_FOR => return last.milli,
        Some(last) => Some(signed(used.cpu_microseconds.saturating_sub(last.microseconds)) / used.at.since(last.at)),
        None => None,
    };
    *cpu = Some(CpuReading { at: used.at, microseconds: used.cpu_microseconds, milli });
    milli
}

async fn disk(shared: &Arc<Shared>, workspace: &WorkspaceRef) -> Option<i64> {
    let now = shared.options.clock.now();
    let known = shared.state().workspaces.get(&workspace.id)?.disk;
    if let Some((until, bytes)) = known
        && now < until
    {
        return Some(bytes);
    }
    let home = shared.folders(&workspace.id).home();
    let bytes = signed(tokio::task::spawn_blocking(move || used_bytes(&home)).await.ok()?);
    let (after, took) = (shared.options.clock.now(), shared.options.clock.now().since(now));
    let until = after.plus(DISK_GOOD_FOR.max(took.saturating_mul(DISK_REST)));
    shared.state().workspaces.get_mut(&workspace.id)?.disk = Some((until, bytes));
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
            let shared = Arc::clone(&self.shared);
            let used = tokio::task::spawn_blocking(move || usage(&shared, &live)).await;
            let used = used.map_err(|e| ClusterError::Transient(e.to_string()))?;
            Ok(Metrics {
                cpu_milli: cpu_milli(&self.shared, workspace, &used),
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
