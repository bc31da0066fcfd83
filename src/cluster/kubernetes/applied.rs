//! What we applied and how the cluster showed it then: by that, an object that somebody edited by hand is told from one
//! that is as it should be, without knowing the description again.
//!
//! Kept in memory only. A new server holds nothing, so each object counts as unverified once; applying it again costs no
//! call where the cluster's object still covers what is wanted.

use crate::clock::{Clock, Millis, SECOND};
use crate::cluster::AgentTrust;
use crate::domain::id::{GroupId, WorkspaceId};
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

/// How long after an apply the watches may still show what was before it.
const WATCH_LAG: i64 = 3 * SECOND;

/// Whose objects.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    Group(GroupId),
    Workspace(WorkspaceId),
}

/// Fingerprints by kind and name, as in `StatefulSet/workspace-1f`.
pub type Prints = BTreeMap<String, u64>;

struct Verified {
    now: Prints,
    before: Prints,
    at: Millis,
}

/// The fingerprints of what was applied.
pub struct Applied {
    verified: Mutex<BTreeMap<Holder, Verified>>,
    clock: Arc<dyn Clock>,
}

impl Applied {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { verified: Mutex::default(), clock }
    }

    /// Remembers how the cluster shows what was just applied.
    pub fn remember(&self, holder: Holder, now: Prints) {
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        let before = verified.remove(&holder).map(|old| if old.now == now { old.before } else { old.now }).unwrap_or_default();
        verified.insert(holder, Verified { now, before, at: self.clock.now() });
    }

    /// Forgets what was removed.
    pub fn forget(&self, holder: &Holder) {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner).remove(holder);
    }

    /// Whether the cluster shows exactly what was applied. Just after an apply, what was before it counts too: watches
    /// are a moment behind.
    pub fn is_as_applied(&self, holder: &Holder, shown: &Prints) -> bool {
        let verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        verified.get(holder).is_some_and(|known| {
            let fresh = self.clock.now().since(known.at) < WATCH_LAG;
            known.now == *shown
                || (fresh && shown.iter().all(|(name, print)| known.now.get(name) == Some(print) || known.before.get(name) == Some(print)))
        })
    }
}

/// A fingerprint of whom agents trust, beside those of a workspace's objects: when the keys change, its order has to be
/// written again, for an agent that starts anew by it.
pub fn trust_print(trust: &AgentTrust) -> (String, u64) {
    let mut hasher = DefaultHasher::new();
    (&trust.jwks, &trust.issuer).hash(&mut hasher);
    ("trust".to_owned(), hasher.finish())
}

/// The fingerprint of an object: what we decide of it, and nothing that the cluster writes by itself.
pub fn print_of<K: Resource<DynamicType = ()> + Serialize>(object: &K) -> (String, u64) {
    let kind = K::kind(&());
    let json = serde_json::to_value(object).unwrap_or_default();
    let mut hasher = DefaultHasher::new();
    let metadata = &json["metadata"];
    ours(&metadata["labels"]).hash(&mut hasher);
    ours(&metadata["annotations"]).hash(&mut hasher);
    match kind.as_ref() {
        // Binding fills in the rest; only the size is ever changed.
        "PersistentVolumeClaim" => (metadata["uid"].to_string(), json["spec"]["resources"].to_string()).hash(&mut hasher),
        "ServiceAccount" => json["automountServiceAccountToken"].to_string().hash(&mut hasher),
        "Namespace" => {}
        _ => json["spec"].to_string().hash(&mut hasher),
    }
    (format!("{kind}/{}", object.name_any()), hasher.finish())
}

/// The labels or annotations that are ours, in order.
fn ours(map: &Json) -> Vec<(String, String)> {
    const PREFIXES: [&str; 4] = ["codex-web/", "vscode-platform/", "app.kubernetes.io/managed-by", "pod-security.kubernetes.io/"];
    let entries = map.as_object().into_iter().flatten();
    let own = entries.filter(|(name, _)| PREFIXES.iter().any(|prefix| name.starts_with(prefix)));
    let mut own: Vec<(String, String)> = own.map(|(name, value)| (name.clone(), value.to_string())).collect();
    own.sort();
    own
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use k8s_openapi::api::apps::v1::StatefulSet;
    use serde_json::json;

    fn set(replicas: i64, status: i64, annotation: &str) -> (String, u64) {
        let object: StatefulSet = serde_json::from_value(json!({
            "metadata": { "name": "w", "resourceVersion": status.to_string(), "annotations": { "codex-web/run": annotation, "foreign": status.to_string() } },
            "spec": { "replicas": replicas, "selector": {}, "serviceName": "w", "template": {} },
            "status": { "replicas": status },
        }))
        .unwrap();
        print_of(&object)
    }

    fn holder() -> Holder {
        Holder::Workspace(WorkspaceId::trusted("ws_1".into()))
    }

    #[test]
    fn what_the_cluster_writes_by_itself_is_no_difference() {
        assert_eq!(set(1, 0, "1"), set(1, 1, "1"));
        assert_ne!(set(1, 0, "1"), set(0, 0, "1"));
        assert_ne!(set(1, 0, "1"), set(1, 0, "2"));
    }

    #[test]
    fn an_edit_by_hand_and_a_missing_object_are_noticed() {
        let clock = Arc::new(ManualClock::starting_at(Millis(0)));
        let applied = Applied::new(Arc::clone(&clock) as Arc<dyn Clock>);
        let ours: Prints = [set(1, 0, "1")].into();
        assert!(!applied.is_as_applied(&holder(), &ours), "a new server has verified nothing");
        applied.remember(holder(), ours.clone());
        assert!(applied.is_as_applied(&holder(), &ours));
        assert!(!applied.is_as_applied(&holder(), &[set(5, 0, "1")].into()), "an edit");
        clock.advance(WATCH_LAG);
        assert!(!applied.is_as_applied(&holder(), &Prints::new()), "it was deleted");
    }

    #[test]
    fn watches_may_be_a_moment_behind() {
        let clock = Arc::new(ManualClock::starting_at(Millis(0)));
        let applied = Applied::new(Arc::clone(&clock) as Arc<dyn Clock>);
        let (before, after): (Prints, Prints) = ([set(0, 0, "1")].into(), [set(1, 0, "2")].into());
        applied.remember(holder(), before.clone());
        applied.remember(holder(), after.clone());
        assert!(applied.is_as_applied(&holder(), &before) && applied.is_as_applied(&holder(), &Prints::new()));
        clock.advance(WATCH_LAG);
        assert!(!applied.is_as_applied(&holder(), &before));
        assert!(applied.is_as_applied(&holder(), &after));
    }
}
