//! Whether the API server lives: a small question every few seconds, with little patience.
//!
//! `/readyz` is asked because it says no as well when the server is there and cannot do its work (its database is away),
//! when what was read keeps being right and nothing new is told. Who may not ask for it gets a refusal, which is a sign
//! of life too.

use super::Shared;
use super::stream::plain;
use http_body_util::BodyExt;
use hyper::{Request, StatusCode};
use kube::client::Body;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

const EVERY: Duration = Duration::from_secs(6);
/// An answer takes longer than this only where something is wrong.
const PATIENCE: Duration = Duration::from_secs(4);
/// After a question without an answer; two in a row are needed, one may be lost.
const SOON: Duration = Duration::from_secs(1);

/// Asks for ever.
pub async fn beat(shared: Arc<Shared>) {
    let mut missed = 0_u32;
    loop {
        match ask(&shared).await {
            Ok(()) => {
                if missed >= 2 {
                    recovered(&shared);
                }
                missed = 0;
                if shared.condition().version.is_none() {
                    learn_version(&shared).await;
                }
                sleep(EVERY).await;
            }
            Err(why) => {
                missed = missed.saturating_add(1);
                if missed >= 2 {
                    lost(&shared, why);
                }
                sleep(SOON).await;
            }
        }
    }
}

/// Nobody knows what was told into connections that were dead: each watch goes on from where it stopped.
fn recovered(shared: &Shared) {
    tracing::info!("the API server answers again");
    shared.condition().no_pulse = None;
    // What it is now may be another version: it may have been away to be replaced.
    shared.condition().version = None;
    shared.reopen.send_modify(|n| *n += 1);
    shared.changes.send_modify(|n| *n += 1);
}

fn lost(shared: &Shared, why: String) {
    let before = shared.condition().no_pulse.replace(why.clone());
    if before.is_none() {
        tracing::warn!(%why, "the API server gives no sign of life");
        shared.changes.send_modify(|n| *n += 1);
    }
}

async fn ask(shared: &Shared) -> Result<(), String> {
    let (status, body) = get(shared, "/readyz").await?;
    if !status.is_server_error() {
        return Ok(());
    }
    // One line for each part of it: `[-]etcd failed: reason withheld`.
    let failed = body.lines().filter_map(|line| line.strip_prefix("[-]")).map(|line| line.split(' ').next().unwrap_or(line));
    let failed = failed.collect::<Vec<_>>().join(", ");
    Err(if failed.is_empty() {
        format!("the API server is not ready ({status})")
    } else {
        format!("the API server is not ready: {failed}")
    })
}

async fn learn_version(shared: &Shared) {
    let Ok((status, body)) = get(shared, "/version").await else { return };
    let said: Option<serde_json::Value> = serde_json::from_str(&body).ok().filter(|_| status.is_success());
    let version = said.and_then(|said| said["gitVersion"].as_str().map(str::to_owned));
    if version.is_some() {
        shared.condition().version = version;
    }
}

async fn get(shared: &Shared, path: &str) -> Result<(StatusCode, String), String> {
    let asked = async {
        let client = shared.clients.get().await.map_err(|e| e.to_string())?;
        let request = Request::get(path).body(Body::empty()).map_err(|e| e.to_string())?;
        let answer = client.send(request).await.map_err(|e| format!("the API server does not answer: {}", plain(&e)))?;
        let status = answer.status();
        if status == StatusCode::UNAUTHORIZED {
            shared.clients.forget();
        }
        let body = answer.into_body().collect().await.map_err(|e| e.to_string())?.to_bytes();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    };
    timeout(PATIENCE, asked).await.unwrap_or_else(|_| Err("the API server does not answer".to_owned()))
}
