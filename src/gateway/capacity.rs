//! What the cluster has, asked within a bounded time.

use super::Gateway;
use crate::cluster::{Capacity, ClusterError};
use crate::error::Result;
use std::time::Duration;

/// How long an administrator waits for it.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long something that only mentions it waits.
const GLANCE: Duration = Duration::from_millis(500);

/// What the cluster has; an error when it does not say so in time.
pub async fn read(gateway: &Gateway) -> Result<Capacity> {
    let answer = tokio::time::timeout(PATIENCE, gateway.view.capacity()).await;
    let late = || ClusterError::Transient("it took too long".to_owned());
    answer.unwrap_or_else(|_| Err(late())).map_err(super::refused)
}

/// What the cluster has, for an answer that is complete without it.
pub async fn glance(gateway: &Gateway) -> Option<Capacity> {
    tokio::time::timeout(GLANCE, gateway.view.capacity()).await.ok()?.ok()
}
