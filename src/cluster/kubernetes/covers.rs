//! Whether an object in the cluster already holds everything that we want of it. Then it is not applied again.
//!
//! What the cluster adds (defaults, status, its own bookkeeping) is no difference; an entry that somebody added to a list
//! of ours is one. Amounts are compared as numbers, because the cluster writes `1000m` as `1`.

use super::quantity;
use serde::Serialize;
use serde_json::Value as Json;

/// Below these names every text is an amount.
const AMOUNTS: [&str; 6] = ["requests", "limits", "hard", "default", "defaultRequest", "sizeLimit"];

/// Whether `live` holds everything of `wanted`.
pub fn covers<K: Serialize>(wanted: &K, live: &K) -> bool {
    match (serde_json::to_value(wanted), serde_json::to_value(live)) {
        (Ok(wanted), Ok(live)) => holds(&wanted, &live, false),
        _ => false,
    }
}

fn holds(wanted: &Json, live: &Json, amount: bool) -> bool {
    match (wanted, live) {
        (Json::Object(wanted), Json::Object(live)) => wanted.iter().all(|(name, value)| {
            let amount = amount || AMOUNTS.contains(&name.as_str());
            live.get(name).map_or_else(|| is_empty(value), |found| holds(value, found, amount))
        }),
        (Json::Array(wanted), Json::Array(live)) => {
            wanted.len() == live.len() && wanted.iter().zip(live).all(|(wanted, live)| holds(wanted, live, amount))
        }
        (Json::String(wanted), Json::String(live)) if amount => {
            wanted == live || quantity::parse(wanted).is_some_and(|number| quantity::parse(live) == Some(number))
        }
        _ => wanted == live,
    }
}

/// What the cluster leaves out means the same.
fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::Object(map) => map.is_empty(),
        Json::Array(items) => items.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn defaults_of_the_cluster_are_no_difference() {
        let wanted = json!({ "spec": { "replicas": 1, "selector": {}, "ingress": [] } });
        let live = json!({ "spec": { "replicas": 1, "podManagementPolicy": "OrderedReady" }, "status": { "replicas": 1 } });
        assert!(covers(&wanted, &live));
    }

    #[test]
    fn a_changed_a_missing_and_an_added_value_are_differences() {
        let wanted = json!({ "spec": { "replicas": 1, "containers": [{ "name": "a" }] } });
        assert!(!covers(&wanted, &json!({ "spec": { "replicas": 2, "containers": [{ "name": "a" }] } })));
        assert!(!covers(&wanted, &json!({ "spec": { "containers": [{ "name": "a" }] } })));
        assert!(!covers(&wanted, &json!({ "spec": { "replicas": 1, "containers": [{ "name": "a" }, { "name": "b" }] } })));
    }

    #[test]
    fn amounts_are_numbers_and_other_texts_are_not() {
        let sized = |amount: &str| json!({ "resources": { "requests": { "cpu": amount } } });
        assert!(covers(&sized("1000m"), &sized("1")));
        assert!(!covers(&sized("1000m"), &sized("2")));
        assert!(!covers(&json!({ "labels": { "a": "1000m" } }), &json!({ "labels": { "a": "1" } })));
    }
}
