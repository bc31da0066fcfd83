//! Whether the server lives, is ready, and how each part of it is.

use super::handler::{Reply, Request};
use crate::app::Stage;
use crate::error::Result;
use crate::ops::health;
use serde_json::json;

/// `GET /api/health/live`: the process answers.
pub async fn live(request: Request) -> Result<Reply> {
    Reply::ok(&json!({"status": "alive", "timestamp": request.app.clock.now().rfc3339()}))
}

/// `GET /api/health/ready`: 503 while starting or stopping.
pub async fn ready(request: Request) -> Result<Reply> {
    let ready = request.app.stage() == Stage::Serving;
    let status = if ready { 200 } else { 503 };
    let reply =
        Reply::json(status, &json!({"status": if ready { "ready" } else { "not ready" }, "timestamp": request.app.clock.now().rfc3339()}))?;
    Ok(if ready { reply } else { reply.header("retry-after", "2") })
}

/// `GET /api/health`: one word per component.
pub async fn summary(request: Request) -> Result<Reply> {
    let database = health::database_answers(&request.app.ops, request.caller.origin.clone()).await.is_ok();
    let cluster = request.app.view.health().await.healthy;
    let healthy = database && cluster && request.app.stage() == Stage::Serving;
    let word = |ok: bool| if ok { "healthy" } else { "unhealthy" };
    let body = json!({
        "status": word(healthy),
        "timestamp": request.app.clock.now().rfc3339(),
        "version": env!("CARGO_PKG_VERSION"),
        "environment": "production",
        "dependencies": {"database": word(database), "cluster": word(cluster), "kubernetes": word(cluster)},
    });
    Reply::json(if database { 200 } else { 503 }, &body)
}

/// `GET /api/health/detailed`: each part, for monitors.
pub async fn detailed(request: Request) -> Result<Reply> {
    let started = request.app.monotonic_start.elapsed();
    let probe = std::time::Instant::now();
    let database = health::database_answers(&request.app.ops, request.caller.origin.clone()).await;
    let database_took = probe.elapsed();
    let cluster = request.app.view.health().await;
    let checks: Vec<_> = cluster.checks.iter().map(|(name, blocked)| json!({"name": name, "blocked": blocked})).collect();
    let word = |ok: bool| if ok { "healthy" } else { "unhealthy" };
    Reply::ok(&json!({
        "status": word(database.is_ok() && cluster.healthy),
        "timestamp": request.app.clock.now().rfc3339(),
        "version": env!("CARGO_PKG_VERSION"),
        "uptime": started.as_secs(),
        "liveConnections": request.app.ops.bus.live_connections(),
        "dependencies": {"database": {"status": word(database.is_ok()), "responseTime": format!("{}ms", database_took.as_millis())}},
        "cluster": {"kind": cluster.kind, "status": word(cluster.healthy), "summary": cluster.summary, "warnings": cluster.warnings, "checks": checks},
    }))
}
