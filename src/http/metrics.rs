//! `GET /metrics`: what the server measures of itself, for Prometheus.
//!
//! On the server's own port it needs whoever may watch the platform, so a monitor's token. The listener of `metrics.listen`
//! asks nobody: the operator chose who reaches it, and it gives nothing else.

use super::handler::{Reply, Request};
use crate::app::App;
use crate::domain::capacity::Capacity;
use crate::error::{Error, Missing, Result};
use crate::gateway::capacity;
use crate::metrics::process::Process;
use crate::metrics::snapshot::{ClusterRoom, Disk};
use crate::metrics::{self, Snapshot};
use crate::ops::backup::{self, Places};
use crate::ops::measures::{self, Asker};
use std::path::Path;

/// `GET /metrics`.
pub async fn read(request: Request) -> Result<Reply> {
    page(&request.app, Asker::Caller(&request.caller)).await
}

/// Everything that the metrics listener answers.
pub(super) async fn on_own_listener(app: &App, method: &str, path: &str) -> Result<Reply> {
    if path != "/metrics" {
        return Err(Error::NotFound(Missing::Route));
    }
    match method {
        "GET" | "HEAD" => page(app, Asker::OwnListener).await,
        _ => Err(Error::MethodNotAllowed { allow: "GET".into() }),
    }
}

async fn page(app: &App, asker: Asker<'_>) -> Result<Reply> {
    let snapshot = look(app, asker).await?;
    let text = metrics::page(&app.meters, &snapshot).map_err(|_| Error::internal("the metrics cannot be printed"))?;
    Ok(Reply::text(text).header("content-type", metrics::CONTENT_TYPE).header("cache-control", "no-store"))
}

async fn look(app: &App, asker: Asker<'_>) -> Result<Snapshot> {
    let rows = measures::rows(&app.ops, asker).await?;
    let (health, room) = (app.view.health().await, app.ops.db.room());
    let started = app.clock.now().plus(-i64::try_from(app.monotonic_start.elapsed().as_millis()).unwrap_or(0));
    let disk = room.space().map(|space| Disk { size: space.size, free: space.free, reserve: room.reserve() });
    let (database, places) = (app.ops.db.path().to_owned(), Places { data_dir: app.config.data.dir.clone() });
    // Files are read where waiting is allowed.
    let read = move || (sizes(&database), newest_backup(&places), Process::read(seconds(started.0)));
    let (files, newest_backup, process) =
        tokio::task::spawn_blocking(read).await.map_err(|_| Error::internal("reading the files for the metrics panicked"))?;
    Ok(Snapshot {
        version: env!("CARGO_PKG_VERSION"),
        cluster_kind: health.kind,
        cluster_healthy: health.healthy,
        cluster: capacity::glance(&app.gateway).await.as_ref().map(cluster_room),
        rows,
        statements: app.ops.db.statements(),
        live_connections: app.ops.bus.live_connections() as u64,
        read_only: room.is_short(),
        unclean_start: app.unclean,
        disk,
        files,
        newest_backup,
        process,
    })
}

fn cluster_room(capacity: &Capacity) -> ClusterRoom {
    let all = capacity.together();
    ClusterRoom {
        cpu_milli: all.cpu_milli,
        memory_bytes: all.memory_bytes,
        nodes: i64::try_from(capacity.nodes.len()).unwrap_or(i64::MAX),
        free_workspaces: capacity.slots(),
    }
}

fn sizes(database: &Path) -> Vec<(&'static str, u64)> {
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |meta| meta.len());
    let mut journal = database.as_os_str().to_owned();
    journal.push("-wal");
    vec![("database", size(database)), ("journal", size(Path::new(&journal)))]
}

/// Seconds since 1970 of the newest backup in the data directory.
fn newest_backup(places: &Places) -> Option<f64> {
    let found = backup::list(places).ok()?;
    let (_, manifest) = found.last()?;
    crate::clock::Millis::parse(&manifest.created_at).map(|at| seconds(at.0))
}

/// Milliseconds below 2^53 are exact.
#[allow(clippy::cast_precision_loss)]
fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1_000.0
}
