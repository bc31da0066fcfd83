//! Whether the server lives, is ready, and how each part of it is.

use super::handler::{Reply, Request};
use crate::app::Stage;
use crate::error::Result;
use crate::metrics::process::Process;
use crate::ops::health;
use serde::Serialize;
use std::time::Instant;

/// Whether the process answers.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct StateView {
    pub status: &'static str,
    /// RFC 3339.
    pub timestamp: String,
}

/// One word per component: `healthy` or `unhealthy`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct HealthView {
    pub status: &'static str,
    /// RFC 3339.
    pub timestamp: String,
    pub version: &'static str,
    pub environment: &'static str,
    pub dependencies: DependenciesView,
}

/// The parts that the server needs.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct DependenciesView {
    pub database: &'static str,
    pub cluster: &'static str,
    /// The same as `cluster`, under the name that older clients ask for.
    pub kubernetes: &'static str,
    /// `unhealthy` while the disk is nearly full and the server only reads.
    pub storage: &'static str,
}

/// Each part, for monitors.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DetailedHealthView {
    pub status: &'static str,
    /// RFC 3339.
    pub timestamp: String,
    pub version: &'static str,
    pub environment: &'static str,
    /// Seconds since the start.
    pub uptime: u64,
    pub memory: MemoryHealthView,
    pub performance: PerformanceView,
    /// Open event streams and sockets.
    pub live_connections: usize,
    pub dependencies: DetailedDependenciesView,
    pub cluster: ClusterHealthView,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct DetailedDependenciesView {
    pub database: DatabaseHealthView,
    /// What runs workspaces, whichever it is, under the name that older clients ask for.
    pub kubernetes: KubernetesHealthView,
    pub storage: StorageHealthView,
}

/// The disk of the data directory.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StorageHealthView {
    pub status: &'static str,
    /// Nothing new is written: only reading, signing in, stopping and deleting go on.
    pub read_only: bool,
    /// Bytes; null before the first look.
    pub free_bytes: Option<u64>,
    pub size_bytes: Option<u64>,
    /// Below so many free bytes the server only reads.
    pub reserve_bytes: u64,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseHealthView {
    pub status: &'static str,
    /// For example `2ms`.
    pub response_time: String,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesHealthView {
    pub status: &'static str,
    /// For example `2ms`.
    pub response_time: String,
    /// One for each group.
    pub namespaces_count: i64,
}

/// What the server itself holds.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemoryHealthView {
    /// Resident, in bytes; null where the system does not say.
    pub resident_bytes: Option<u64>,
}

/// How long each part took to answer this question, for example `2ms`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PerformanceView {
    pub database: String,
    pub kubernetes: String,
    pub total: String,
}

/// Whether the platform works, in a few words.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PlatformHealthView {
    pub status: &'static str,
    pub database: &'static str,
    pub kubernetes: &'static str,
    /// RFC 3339.
    pub timestamp: String,
    pub version: &'static str,
}

/// The cluster, and what it does not isolate.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ClusterHealthView {
    /// `local` or `kubernetes`.
    pub kind: &'static str,
    pub status: &'static str,
    pub summary: String,
    pub warnings: Vec<String>,
    pub checks: Vec<EscapeCheckView>,
}

/// One escape check of the sandbox.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct EscapeCheckView {
    pub name: String,
    pub blocked: bool,
}

fn word(healthy: bool) -> &'static str {
    if healthy { "healthy" } else { "unhealthy" }
}

/// `GET /api/health/live`: the process answers.
pub async fn live(request: Request) -> Result<Reply> {
    Reply::ok(&StateView { status: "alive", timestamp: request.app.clock.now().rfc3339() })
}

/// `GET /api/health/ready`: 503 while starting or stopping.
pub async fn ready(request: Request) -> Result<Reply> {
    let ready = request.app.stage() == Stage::Serving;
    let view = StateView { status: if ready { "ready" } else { "not ready" }, timestamp: request.app.clock.now().rfc3339() };
    if ready { Reply::ok(&view) } else { Ok(Reply::json(503, &view)?.header("retry-after", "2")) }
}

/// `GET /api/health`: one word per component.
pub async fn summary(request: Request) -> Result<Reply> {
    let database = health::database_answers(&request.app.ops, request.caller.origin.clone()).await.is_ok();
    let cluster = request.app.view.health().await.healthy;
    let storage = !request.app.ops.db.room().is_short();
    let healthy = database && cluster && storage && request.app.stage() == Stage::Serving;
    let view = HealthView {
        status: word(healthy),
        timestamp: request.app.clock.now().rfc3339(),
        version: env!("CARGO_PKG_VERSION"),
        environment: "production",
        dependencies: DependenciesView {
            database: word(database),
            cluster: word(cluster),
            kubernetes: word(cluster),
            storage: word(storage),
        },
    };
    Reply::json(if database { 200 } else { 503 }, &view)
}

fn storage(request: &Request) -> StorageHealthView {
    let room = request.app.ops.db.room();
    let space = room.space();
    StorageHealthView {
        status: word(!room.is_short()),
        read_only: room.is_short(),
        free_bytes: space.map(|space| space.free),
        size_bytes: space.map(|space| space.size),
        reserve_bytes: room.reserve(),
    }
}

/// `GET /api/admin/health`: 503 when the database or the cluster does not answer.
pub async fn of_platform(request: Request) -> Result<Reply> {
    let database = health::database_answers(&request.app.ops, request.caller.origin.clone()).await.is_ok();
    let cluster = request.app.view.health().await.healthy;
    let view = PlatformHealthView {
        status: word(database && cluster),
        database: word(database),
        kubernetes: word(cluster),
        timestamp: request.app.clock.now().rfc3339(),
        version: env!("CARGO_PKG_VERSION"),
    };
    Reply::json(if database && cluster { 200 } else { 503 }, &view)
}

fn milliseconds(since: Instant) -> String {
    format!("{}ms", since.elapsed().as_millis())
}

/// `GET /api/health/detailed`: each part, for monitors.
pub async fn detailed(request: Request) -> Result<Reply> {
    let (ops, origin) = (&request.app.ops, &request.caller.origin);
    let begun = Instant::now();
    let database = health::database_answers(ops, origin.clone()).await;
    let database_took = milliseconds(begun);
    let asked = Instant::now();
    let cluster = request.app.view.health().await;
    let cluster_took = milliseconds(asked);
    let namespaces = health::namespaces(ops, origin.clone()).await.unwrap_or(0);
    let storage = storage(&request);
    Reply::ok(&DetailedHealthView {
        status: word(database.is_ok() && cluster.healthy && !storage.read_only),
        timestamp: request.app.clock.now().rfc3339(),
        version: env!("CARGO_PKG_VERSION"),
        environment: "production",
        uptime: request.app.monotonic_start.elapsed().as_secs(),
        memory: MemoryHealthView { resident_bytes: Process::read(0.0).resident_bytes },
        performance: PerformanceView { database: database_took.clone(), kubernetes: cluster_took.clone(), total: milliseconds(begun) },
        live_connections: request.app.ops.bus.live_connections(),
        dependencies: DetailedDependenciesView {
            database: DatabaseHealthView { status: word(database.is_ok()), response_time: database_took },
            kubernetes: KubernetesHealthView { status: word(cluster.healthy), response_time: cluster_took, namespaces_count: namespaces },
            storage,
        },
        cluster: ClusterHealthView {
            kind: cluster.kind,
            status: word(cluster.healthy),
            summary: cluster.summary,
            warnings: cluster.warnings,
            checks: cluster.checks.into_iter().map(|(name, blocked)| EscapeCheckView { name, blocked }).collect(),
        },
    })
}
