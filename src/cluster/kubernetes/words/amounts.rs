//! Amounts by their name, as pods, nodes and claims state them.

use crate::cluster::kubernetes::quantity::{milli, units};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use std::collections::BTreeMap;

/// `cpu`, `memory`, `nvidia.com/gpu` with their amounts.
pub type Amounts = BTreeMap<String, Quantity>;

/// Thousandths of a core; 0 where none is stated.
pub fn cpu(amounts: Option<&Amounts>) -> i64 {
    amounts.and_then(|all| milli(all.get("cpu")?)).unwrap_or(0)
}

/// Bytes, or pieces, of this name; 0 where none is stated.
pub fn amount(amounts: Option<&Amounts>, name: &str) -> i64 {
    amounts.and_then(|all| units(all.get(name)?)).unwrap_or(0)
}
