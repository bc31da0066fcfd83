//! Groups: a namespace of our own, and everything in it. A namespace that somebody else made is never taken over.

use super::{Place, is_ours};
use crate::cluster::kubernetes::applied::{Holder, Prints, print_of};
use crate::cluster::kubernetes::manifests::group::{self, GroupObjects};
use crate::cluster::kubernetes::manifests::{Context, digest};
use crate::cluster::kubernetes::watch::kept::Kept;
use crate::cluster::kubernetes::{Shared, names};
use crate::cluster::{ClusterError, GroupSpec};
use crate::domain::egress::Policy;
use crate::domain::id::GroupId;
use futures_util::future::{try_join, try_join_all, try_join4};
use k8s_openapi::api::core::v1::{LimitRange, Namespace, ResourceQuota, Secret, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use std::collections::BTreeMap;

/// Makes the group's place as described. The namespace names the generation last, when everything in it is there.
pub async fn apply(shared: &Shared, spec: &GroupSpec) -> Result<(), ClusterError> {
    let context = Context { installation: shared.installation()?, settings: &shared.settings };
    let client = shared.clients.get().await?;
    let egress = shared.egress.borrow().clone();
    let wanted = group::objects(context, spec, &egress);
    let spaces = Place::<Namespace>::whole(shared, &client);
    let live = own(&spaces, context, spec).await?;
    let is_new = live.annotations().get(names::GENERATION).is_some_and(|text| text == "0");
    let mut prints = contents(shared, &client, &wanted, is_new).await?;
    let namespace = spaces.apply(&wanted.namespace, Some(live)).await?;
    prints.extend([print_of(&namespace), egress_print(&egress)]);
    shared.applied.remember(Holder::Group(spec.id.clone()), prints);
    shared.tick();
    Ok(())
}

/// A fingerprint of what workspaces may reach, beside those of the objects: when the setting changes, every group has to
/// be applied again.
pub fn egress_print(egress: &Policy) -> (String, u64) {
    let entries: Vec<String> = egress.allow.iter().map(ToString::to_string).collect();
    let digest = digest(&(egress.mode.as_str(), entries));
    ("egress".to_owned(), u64::from_str_radix(digest.get(..16).unwrap_or_default(), 16).unwrap_or_default())
}

/// The namespace if it is ours, made where there is none.
async fn own(spaces: &Place<'_, Namespace>, context: Context<'_>, spec: &GroupSpec) -> Result<Namespace, ClusterError> {
    let name = &spec.namespace;
    let found = match spaces.find(name).await? {
        Some(found) => found,
        None => match spaces.create(&group::namespace(context, spec, 0)).await {
            // Somebody was faster: whoever it was has to be looked at.
            Err(ClusterError::Conflict(_)) => spaces.find(name).await?.ok_or(ClusterError::Gone)?,
            made => return made,
        },
    };
    if !is_ours(&found.metadata, context.installation) {
        return Err(ClusterError::Conflict(format!(
            "the namespace {name} exists and was not made by this installation; it is never taken over, so choose another name for the group's namespace"
        )));
    }
    if found.labels().get(names::GROUP_ID).is_some_and(|id| id != spec.id.as_str()) {
        return Err(ClusterError::Conflict(format!("the namespace {name} belongs to another group")));
    }
    if found.metadata.deletion_timestamp.is_some() {
        return Err(ClusterError::Transient(format!("the namespace {name} is still being removed")));
    }
    Ok(found)
}

async fn contents(shared: &Shared, client: &Client, wanted: &GroupObjects, is_new: bool) -> Result<Prints, ClusterError> {
    let name = wanted.namespace.name_any();
    let quotas = Place::<ResourceQuota>::in_namespace(shared, client, &name);
    let limits = Place::<LimitRange>::in_namespace(shared, client, &name);
    let accounts = Place::<ServiceAccount>::in_namespace(shared, client, &name);
    let secrets = Place::<Secret>::in_namespace(shared, client, &name);
    let quota = async {
        let made = one(&quotas, &wanted.quota, is_new).await?;
        without_foreign_keys(shared, client, &wanted.quota, made).await
    };
    let account = async {
        let account = one(&accounts, &wanted.account, is_new).await?;
        if let Some(registry) = &wanted.registry {
            let live = if is_new { None } else { secrets.find(&registry.name_any()).await? };
            secrets.apply(registry, live).await?;
        }
        Ok(account)
    };
    let (quota, limits, account, policies) =
        try_join4(quota, one(&limits, &wanted.limits, is_new), account, policies(shared, client, &wanted.policies, is_new)).await?;
    let mut prints: Prints = policies.iter().map(print_of).collect();
    prints.extend([print_of(&quota), print_of(&limits), print_of(&account)]);
    Ok(prints)
}

/// Applies one object; in a namespace that was just made there is nothing to compare it with.
async fn one<K: super::Object + Kept<As = K>>(place: &Place<'_, K>, wanted: &K, is_new: bool) -> Result<K, ClusterError> {
    let live = if is_new { None } else { place.known(&wanted.name_any()).await? };
    place.apply(wanted, live).await
}

/// Applies the policies and removes those of ours that are not wanted any more.
async fn policies(shared: &Shared, client: &Client, wanted: &[NetworkPolicy], is_new: bool) -> Result<Vec<NetworkPolicy>, ClusterError> {
    let Some(namespace) = wanted.first().and_then(ResourceExt::namespace) else { return Ok(Vec::new()) };
    let place = Place::<NetworkPolicy>::in_namespace(shared, client, &namespace);
    let installation = shared.installation()?;
    let stale = names::POLICIES.iter().filter(|name| !is_new && !wanted.iter().any(|policy| policy.name_any() == **name));
    let removals = try_join_all(stale.map(|name| place.remove(name, installation)));
    let (applied, _) = try_join(try_join_all(wanted.iter().map(|policy| one(&place, policy, is_new))), removals).await?;
    Ok(applied)
}

/// `spec.hard` is ours as a whole. Apply leaves keys that others added, so they are removed one by one, and only as long
/// as it is this very object.
async fn without_foreign_keys(
    shared: &Shared,
    client: &Client,
    wanted: &ResourceQuota,
    live: ResourceQuota,
) -> Result<ResourceQuota, ClusterError> {
    let foreign = foreign_keys(hard(wanted), hard(&live));
    if foreign.is_empty() {
        return Ok(live);
    }
    let test = json!({ "op": "test", "path": "/metadata/uid", "value": live.uid() });
    let removals = foreign.iter().map(|key| json!({ "op": "remove", "path": format!("/spec/hard/{}", pointer(key)) }));
    let steps: serde_json::Value = std::iter::once(test).chain(removals).collect();
    let patch =
        serde_json::from_value(steps).map_err(|error| ClusterError::Transient(format!("the quota's change cannot be written: {error}")))?;
    let api: Api<ResourceQuota> = Api::namespaced(client.clone(), &wanted.namespace().unwrap_or_default());
    tracing::info!(namespace = wanted.namespace(), ?foreign, "keys that others added to the quota are removed");
    shared.clients.call(api.patch(&wanted.name_any(), &PatchParams::default(), &Patch::Json::<()>(patch))).await
}

fn hard(quota: &ResourceQuota) -> Option<&BTreeMap<String, Quantity>> {
    quota.spec.as_ref()?.hard.as_ref()
}

/// Keys that the cluster's quota has and ours does not.
pub fn foreign_keys(wanted: Option<&BTreeMap<String, Quantity>>, live: Option<&BTreeMap<String, Quantity>>) -> Vec<String> {
    let keys = live.into_iter().flat_map(BTreeMap::keys);
    keys.filter(|key| !wanted.is_some_and(|wanted| wanted.contains_key(*key))).cloned().collect()
}

/// A key as a part of a JSON pointer (RFC 6901).
fn pointer(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Begins to remove the group's namespace and everything in it. It is gone when it is not observed any more.
pub async fn remove(shared: &Shared, id: &GroupId, namespace: &str) -> Result<(), ClusterError> {
    let installation = shared.installation()?;
    let client = shared.clients.get().await?;
    let spaces = Place::<Namespace>::whole(shared, &client);
    let found = spaces.find(namespace).await?.ok_or(ClusterError::Gone)?;
    let is_the_groups = found.labels().get(names::GROUP_ID).is_some_and(|label| label == id.as_str());
    if !is_the_groups || !is_ours(&found.metadata, installation) {
        return Err(super::not_ours("namespace", namespace));
    }
    if found.metadata.deletion_timestamp.is_none() {
        spaces.remove_exactly(namespace, found.metadata.uid).await?;
    }
    shared.applied.forget(&Holder::Group(id.clone()));
    shared.tick();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_others_are_found_and_written_as_pointers() {
        let map = |keys: &[&str]| keys.iter().map(|key| ((*key).to_owned(), Quantity("1".into()))).collect::<BTreeMap<_, _>>();
        let (ours, live) = (map(&["pods", "requests.cpu"]), map(&["pods", "count/jobs.batch", "requests.cpu"]));
        assert_eq!(foreign_keys(Some(&ours), Some(&live)), ["count/jobs.batch"]);
        assert_eq!(pointer("count/jobs.batch~x"), "count~1jobs.batch~0x");
        assert_eq!(foreign_keys(Some(&ours), None), Vec::<String>::new());
    }

    #[test]
    fn the_print_of_a_policy_changes_with_its_mode_and_its_entries() {
        use crate::domain::egress::{Entry, Mode};
        let print =
            |mode, allow: &[&str]| egress_print(&Policy { mode, allow: allow.iter().map(|text| Entry::parse(text).unwrap()).collect() });
        assert_eq!(print(Mode::Open, &["10.0.0.0/8"]), print(Mode::Open, &["10.0.0.0/8"]));
        assert_ne!(print(Mode::Open, &[]), print(Mode::None, &[]));
        assert_ne!(print(Mode::Open, &[]), print(Mode::Open, &["10.0.0.0/8"]));
    }
}
