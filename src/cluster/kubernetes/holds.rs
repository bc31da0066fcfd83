//! What keeps a namespace from going away, in words: the cluster says it in conditions that nobody looks at.

use crate::cluster::Reason;
use k8s_openapi::api::core::v1::{Namespace, NamespaceCondition};

/// Conditions by how much they explain, with what can be done.
const TELLING: [(&str, &str, &str); 4] = [
    (
        "NamespaceFinalizersRemaining",
        "finalizers_remain",
        "Whoever put these finalizers there must finish; where that controller is gone, a platform admin removes them from the objects.",
    ),
    (
        "NamespaceDeletionDiscoveryFailure",
        "api_service_broken",
        "An API service of the cluster does not answer, which stops the deletion of every namespace; a platform admin repairs or removes it (kubectl get apiservice).",
    ),
    (
        "NamespaceDeletionGroupVersionParsingFailure",
        "api_service_broken",
        "A platform admin looks at the API services of the cluster (kubectl get apiservice).",
    ),
    ("NamespaceDeletionContentFailure", "content_remains", "A platform admin looks at what is left in the namespace."),
];

/// Why a namespace that is being removed is still there; `None` while it goes on normally.
pub fn of(namespace: &Namespace) -> Option<Reason> {
    namespace.metadata.deletion_timestamp.as_ref()?;
    let conditions = namespace.status.as_ref()?.conditions.as_deref()?;
    let standing = |name: &str| conditions.iter().find(|condition| condition.type_ == name && condition.status == "True");
    let (condition, code, remedy) = TELLING.iter().find_map(|(name, code, remedy)| Some((standing(name)?, code, remedy)))?;
    Some(Reason {
        code: (*code).to_owned(),
        message: format!(
            "The namespace {} cannot be removed yet: {}",
            namespace.metadata.name.as_deref().unwrap_or_default(),
            words(condition)
        ),
        remedy: Some((*remedy).to_owned()),
    })
}

fn words(condition: &NamespaceCondition) -> String {
    const LONGEST: usize = 400;
    let text = condition.message.as_deref().or(condition.reason.as_deref()).unwrap_or("the cluster does not say why");
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn namespace(terminating: bool, conditions: serde_json::Value) -> Namespace {
        let stamp = terminating.then_some("2026-01-01T00:00:00Z");
        serde_json::from_value(json!({
            "metadata": { "name": "team-a", "deletionTimestamp": stamp },
            "status": { "phase": "Terminating", "conditions": conditions },
        }))
        .unwrap()
    }

    #[test]
    fn finalizers_are_named() {
        let found = of(&namespace(
            true,
            json!([
                { "type": "NamespaceContentRemaining", "status": "True", "reason": "SomeResourcesRemain", "message": "Some resources are remaining: configmaps. has 1 resource instances" },
                { "type": "NamespaceFinalizersRemaining", "status": "True", "reason": "SomeFinalizersRemain", "message": "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances" },
            ]),
        ))
        .unwrap();
        assert_eq!(found.code, "finalizers_remain");
        assert!(found.message.contains("example.com/hold in 1 resource instances"), "{}", found.message);
    }

    #[test]
    fn a_broken_api_service_is_named() {
        let found = of(&namespace(
            true,
            json!([{ "type": "NamespaceDeletionDiscoveryFailure", "status": "True", "reason": "DiscoveryFailed", "message": "stale GroupVersion discovery: metrics.k8s.io/v1beta1" }]),
        ))
        .unwrap();
        assert_eq!(found.code, "api_service_broken");
        assert!(found.message.contains("metrics.k8s.io/v1beta1"));
    }

    #[test]
    fn a_namespace_that_leaves_normally_or_stays_is_not_held() {
        assert_eq!(of(&namespace(true, json!([{ "type": "NamespaceFinalizersRemaining", "status": "False" }]))), None);
        assert_eq!(of(&namespace(false, json!([{ "type": "NamespaceFinalizersRemaining", "status": "True" }]))), None);
        assert_eq!(of(&Namespace::default()), None);
    }
}
