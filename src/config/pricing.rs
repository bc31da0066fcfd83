//! The `pricing` section, typed.

use super::Values;
use super::value::{MILLION, Value};
use crate::domain::pricing::PriceSettings;

/// Prices as they are set; what is unset is derived from machines elsewhere.
pub(super) fn read(get: &Values<'_>) -> PriceSettings {
    PriceSettings {
        currency: get.text("pricing.currency").to_owned(),
        cpu_core: decimal(get, "pricing.cpu_core_per_month"),
        memory_gib: decimal(get, "pricing.memory_gib_per_month"),
        storage_gib: decimal(get, "pricing.storage_gib_per_month").unwrap_or_default(),
        cluster_overhead: decimal(get, "pricing.cluster_overhead_rate").unwrap_or_default(),
        network_overhead: decimal(get, "pricing.network_overhead_rate").unwrap_or_default(),
        stopped_disk_is_free: get.on("pricing.stopped_disk_is_free"),
    }
}

#[allow(clippy::cast_precision_loss)] // the largest price is far below 2^53 millionths
fn decimal(get: &Values<'_>, path: &str) -> Option<f64> {
    if let Some(Value::Decimal(millionths)) = get.get(path) { Some(*millionths as f64 / MILLION as f64) } else { None }
}
