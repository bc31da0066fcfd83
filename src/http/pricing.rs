//! Prices: `/admin/pricing/config`. They are settings with names of their own.

use super::fields::{Fields, Given, text};
use super::handler::{Reply, Request};
use super::settings::{changeable, wish};
use crate::app::App;
use crate::app::settings::refresh;
use crate::config::registry::{self, Key};
use crate::domain::names::Reason;
use crate::domain::pricing::Prices;
use crate::error::{Error, Result};
use crate::gateway::capacity;
use crate::ops::settings::Wish;
use crate::ops::{cost, settings};
use crate::policy::Action;
use serde::{Deserialize, Serialize};

/// The prices that hold, each a month.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PricesView {
    pub currency: String,
    pub cpu_core_per_month: f64,
    #[serde(rename = "memoryGiBPerMonth")]
    pub memory_gib_per_month: f64,
    #[serde(rename = "storageGiBPerMonth")]
    pub storage_gib_per_month: f64,
    /// What managing the cluster adds, as a part of the rest.
    pub cluster_overhead_rate: f64,
    pub network_overhead_rate: f64,
    /// A stopped workspace costs nothing although its disk stays.
    pub stopped_disk_is_free: bool,
    /// The machine that a price was derived from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
    /// A price was derived from a machine, because nobody set it.
    pub derived_from_instance: bool,
}

impl From<&Prices> for PricesView {
    fn from(prices: &Prices) -> Self {
        Self {
            currency: prices.currency.clone(),
            cpu_core_per_month: prices.cpu_core,
            memory_gib_per_month: prices.memory_gib,
            storage_gib_per_month: prices.storage_gib,
            cluster_overhead_rate: prices.cluster_overhead,
            network_overhead_rate: prices.network_overhead,
            stopped_disk_is_free: prices.stopped_disk_is_free,
            instance_type: prices.instance_type.clone(),
            derived_from_instance: prices.derived,
        }
    }
}

/// New prices; absent stays, null goes back to what is derived or usual.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)] // describes the body; it is decoded field by field
pub struct PricesBody {
    pub currency: Option<String>,
    pub cpu_core_per_month: Option<f64>,
    #[serde(rename = "memoryGiBPerMonth")]
    pub memory_gib_per_month: Option<f64>,
    #[serde(rename = "storageGiBPerMonth")]
    pub storage_gib_per_month: Option<f64>,
    pub cluster_overhead_rate: Option<f64>,
    pub network_overhead_rate: Option<f64>,
    pub stopped_disk_is_free: Option<bool>,
    pub reason: Option<String>,
}

/// The fields of the body, and the settings that they are.
const FIELDS: [(&str, &str); 7] = [
    ("currency", "pricing.currency"),
    ("cpuCorePerMonth", "pricing.cpu_core_per_month"),
    ("memoryGiBPerMonth", "pricing.memory_gib_per_month"),
    ("storageGiBPerMonth", "pricing.storage_gib_per_month"),
    ("clusterOverheadRate", "pricing.cluster_overhead_rate"),
    ("networkOverheadRate", "pricing.network_overhead_rate"),
    ("stoppedDiskIsFree", "pricing.stopped_disk_is_free"),
];

/// The prices of this moment.
pub(super) async fn prices(app: &App) -> Prices {
    let rules = app.ops.rules();
    // Where both prices are set the machines do not matter, and the cluster is not asked.
    let derives = rules.pricing.cpu_core.is_none() || rules.pricing.memory_gib.is_none();
    let capacity = if derives { capacity::glance(&app.gateway).await } else { None };
    let detected = capacity.and_then(|capacity| capacity.instance_types().into_iter().next());
    Prices::new(&rules.pricing, detected.as_ref().map(|(kind, _)| kind.as_str()))
}

pub async fn show(request: Request) -> Result<Reply> {
    cost::see_prices(&request.app.ops, &request.caller).await?;
    Reply::ok(&PricesView::from(&prices(&request.app).await))
}

fn wishes(f: &mut Fields<'_>) -> Vec<(&'static Key, Wish)> {
    let mut wishes = Vec::new();
    for (field, key) in FIELDS {
        let value = match f.given(field, |value| Ok(value.clone())) {
            Given::Absent => continue,
            Given::Null => serde_json::Value::Null,
            Given::Value(value) => value,
        };
        if let Some(key) = registry::find(key) {
            wishes.extend(wish(f, field, key, &value).map(|wish| (key, wish)));
        }
    }
    wishes
}

pub async fn update(request: Request) -> Result<Reply> {
    let mut f = request.fields()?;
    let wishes = wishes(&mut f);
    let reason = f.optional("reason", text(Reason::parse));
    let wishes = f.build(|| Some(wishes))?;
    if wishes.is_empty() {
        return Err(Error::field("body", "required", "Give at least one price."));
    }
    for (key, _) in &wishes {
        changeable(&request.app.config, key)?;
    }
    let wishes = wishes.into_iter().map(|(_, wish)| wish).collect();
    settings::change(&request.app.ops, &request.caller, Action::UpdatePricing, wishes, reason, None).await?;
    refresh(&request.app).await;
    Reply::ok(&PricesView::from(&prices(&request.app).await))
}
