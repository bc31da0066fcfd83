//! Which namespaces are groups', and which objects in them are workspaces'.
//!
//! Labels are easily copied: somebody restores a backup into another namespace, or tries a StatefulSet out beside the
//! group. So an object counts only where its name says the same as its labels, and only in the place of its group.

use super::names;
use super::watch::Watch;
use super::words::warning::workspace_digits;
use crate::domain::id::{GroupId, WorkspaceId};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The namespaces of groups, by name.
pub struct Places(BTreeMap<String, GroupId>);

impl Places {
    /// As the watch shows them.
    pub fn seen(watch: &Watch) -> Self {
        Self::among(watch.all::<Namespace>())
    }

    /// Of namespaces that say they are of the same group, the one that was made first: a copy is younger.
    fn among(mut spaces: Vec<Arc<Namespace>>) -> Self {
        spaces.sort_by_cached_key(|space| space.metadata.creation_timestamp.as_ref().map(|time| time.0));
        let mut taken = BTreeSet::new();
        let place = |space: Arc<Namespace>| {
            let group = group_of(&space.metadata)?;
            taken.insert(group.clone()).then_some((space.metadata.name.clone()?, group))
        };
        Self(spaces.into_iter().filter_map(place).collect())
    }

    /// The group whose namespace this is.
    pub fn group(&self, namespace: &str) -> Option<&GroupId> {
        self.0.get(namespace)
    }

    /// The workspace that an object is of.
    pub fn workspace(&self, meta: &ObjectMeta) -> Option<WorkspaceId> {
        let id = WorkspaceId::parse(meta.labels.as_ref()?.get(names::WORKSPACE)?).ok()?;
        let is_named_so = workspace_digits(meta.name.as_deref()?)? == id.hex();
        let is_in_its_place = self.group(meta.namespace.as_deref()?)? == &group_of(meta)?;
        (is_named_so && is_in_its_place).then_some(id)
    }
}

fn group_of(meta: &ObjectMeta) -> Option<GroupId> {
    GroupId::parse(meta.labels.as_ref()?.get(names::GROUP_ID)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, SystemClock, SystemEntropy};
    use serde_json::json;

    fn space(name: &str, group: &GroupId, made: &str) -> Arc<Namespace> {
        let labels = json!({ names::GROUP_ID: group.as_str() });
        Arc::new(serde_json::from_value(json!({ "metadata": { "name": name, "labels": labels, "creationTimestamp": made } })).unwrap())
    }

    fn object(name: &str, namespace: &str, group: &GroupId, id: &WorkspaceId) -> ObjectMeta {
        let labels = json!({ names::GROUP_ID: group.as_str(), names::WORKSPACE: id.as_str() });
        serde_json::from_value(json!({ "name": name, "namespace": namespace, "labels": labels })).unwrap()
    }

    fn group() -> GroupId {
        GroupId::fresh(SystemClock.now(), &SystemEntropy)
    }

    #[test]
    fn an_object_with_copied_labels_is_no_workspaces() {
        let (ours, other) = (group(), group());
        let places = Places::among(vec![space("team", &ours, "2026-01-01T00:00:00Z"), space("others", &other, "2026-01-01T00:00:00Z")]);
        let id = WorkspaceId::fresh(SystemClock.now(), &SystemEntropy);
        let name = names::workspace(&id);
        assert_eq!(places.workspace(&object(&name, "team", &ours, &id)), Some(id.clone()));
        assert_eq!(places.workspace(&object("try-out", "team", &ours, &id)), None, "under another name");
        assert_eq!(places.workspace(&object(&name, "others", &ours, &id)), None, "in the place of another group");
        assert_eq!(places.workspace(&object(&name, "restored", &ours, &id)), None, "in a namespace of somebody");
    }

    #[test]
    fn a_copied_namespace_does_not_stand_for_the_group() {
        let ours = group();
        let copied = vec![space("a-copy", &ours, "2026-01-02T00:00:00Z"), space("team", &ours, "2026-01-01T00:00:00Z")];
        let places = Places::among(copied);
        assert_eq!((places.group("team"), places.group("a-copy")), (Some(&ours), None));
    }
}
