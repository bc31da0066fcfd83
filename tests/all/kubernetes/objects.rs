//! The objects themselves, on a cluster that judges them: every golden file passes a strict dry run, what is there
//! already is not written again, what somebody changes by hand comes back, and nothing of others is touched.

use super::rig::{Rig, eventually};
use super::{group, installation, settings, workspace};
use crate::contract::{group_is, observed, start, trust};
use codex_web::cluster::kubernetes::names;
use codex_web::cluster::{Cluster, ClusterError, Desired, GroupSpec};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{LimitRange, Namespace, PersistentVolumeClaim, Pod, ResourceQuota, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;

/// Every golden file of an object, as JSON.
fn goldens() -> BTreeMap<String, serde_json::Value> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/kubernetes");
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let yaml = files.filter(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    yaml.map(|path| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
    })
    .collect()
}

/// Applies without doing it; unknown fields are errors.
fn strictly() -> PatchParams {
    PatchParams::apply("test").force().dry_run().validation_strict()
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn every_golden_object_passes_a_strict_dry_run() {
    let rig = Rig::get().await;
    let cluster = installation(&rig, settings(&rig));
    let group = group(&rig, &*cluster, "team").await;
    let all = goldens();
    assert!(all.len() > 12, "the golden files are missing: {:?}", all.keys());
    for (name, mut json) in all {
        let (version, kind) = (json["apiVersion"].as_str().unwrap().to_owned(), json["kind"].as_str().unwrap().to_owned());
        let (set, version) =
            version.split_once('/').map_or((String::new(), version.clone()), |(group, v)| (group.to_owned(), v.to_owned()));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(&set, &version, &kind));
        let is_whole = kind == "Namespace";
        if !is_whole {
            json["metadata"]["namespace"] = json!(group.namespace);
        }
        let api: Api<DynamicObject> = if is_whole {
            Api::all_with(rig.client.clone(), &resource)
        } else {
            Api::namespaced_with(rig.client.clone(), &group.namespace, &resource)
        };
        let object = json["metadata"]["name"].as_str().unwrap().to_owned();
        let answer = api.patch(&object, &strictly(), &Patch::Apply(&json)).await;
        assert!(answer.is_ok(), "{name}: {answer:?}");
        if kind == "StatefulSet" {
            a_pod_of_it_is_admitted(&rig, &group, &name, &json["spec"]["template"]).await;
        }
    }
}

/// A StatefulSet that breaks the standard is taken all the same; only its pods are refused.
async fn a_pod_of_it_is_admitted(rig: &Rig, group: &GroupSpec, name: &str, template: &serde_json::Value) {
    let mut pod: Pod = serde_json::from_value(json!({ "metadata": template["metadata"], "spec": template["spec"] })).unwrap();
    pod.metadata.name = Some("admitted".to_owned());
    let params = PostParams { dry_run: true, field_manager: None };
    let answer = rig.api::<Pod>(&group.namespace).create(&params, &pod).await;
    assert!(answer.is_ok(), "{name}: {answer:?}");
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn a_namespace_of_somebody_else_is_neither_taken_over_nor_removed() {
    let rig = Rig::get().await;
    let cluster = installation(&rig, settings(&rig));
    let theirs = rig.namespace("theirs", &[("owner", "somebody")]).await;
    let mut group = group(&rig, &*cluster, "ours").await;
    group.namespace.clone_from(&theirs);
    let refused = cluster.apply_group(&group).await;
    assert!(matches!(&refused, Err(ClusterError::Conflict(words)) if words.contains("never taken over")), "{refused:?}");
    assert!(matches!(cluster.remove_group(&group.id, &theirs).await, Err(ClusterError::Conflict(_))));
    let namespace = Api::<Namespace>::all(rig.client.clone()).get(&theirs).await.unwrap();
    assert!(namespace.metadata.deletion_timestamp.is_none() && !namespace.labels().contains_key(names::INSTALLATION));
    assert_eq!(rig.api::<ResourceQuota>(&theirs).list(&kube::api::ListParams::default()).await.unwrap().items.len(), 0);
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn another_installation_on_the_same_cluster_keeps_its_groups() {
    let rig = Rig::get().await;
    let cluster = installation(&rig, settings(&rig));
    let group = group(&rig, &*cluster, "first").await;
    let other = installation(&rig, settings(&rig));
    // The rig's helper gives every cluster object of one test the same id; this one is somebody else.
    let stranger = codex_web::cluster::kubernetes::KubernetesCluster::new(
        settings(&rig),
        tokio::sync::watch::Sender::default().subscribe(),
        std::sync::Arc::new(codex_web::clock::SystemClock),
    );
    let stranger: std::sync::Arc<dyn Cluster> = stranger;
    stranger.claim(&rig.name("stranger"));
    assert!(matches!(stranger.apply_group(&group).await, Err(ClusterError::Conflict(_))));
    assert!(matches!(stranger.remove_group(&group.id, &group.namespace).await, Err(ClusterError::Conflict(_))));
    assert_eq!(other.apply_group(&group).await, Ok(()), "another process of the same installation may");
}

/// The versions of everything that a group is made of.
async fn versions(rig: &Rig, namespace: &str) -> BTreeMap<String, String> {
    async fn of<K>(rig: &Rig, namespace: &str, into: &mut BTreeMap<String, String>)
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let all = rig.api::<K>(namespace).list(&kube::api::ListParams::default().labels(names::INSTALLATION)).await.unwrap();
        into.extend(all.into_iter().map(|o| (format!("{}/{}", K::kind(&()), o.name_any()), o.resource_version().unwrap_or_default())));
    }
    let mut all = BTreeMap::new();
    of::<LimitRange>(rig, namespace, &mut all).await;
    of::<ServiceAccount>(rig, namespace, &mut all).await;
    of::<NetworkPolicy>(rig, namespace, &mut all).await;
    of::<Service>(rig, namespace, &mut all).await;
    of::<Secret>(rig, namespace, &mut all).await;
    all
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn what_is_there_already_is_not_written_again() {
    let rig = Rig::get().await;
    let cluster = installation(&rig, settings(&rig));
    let group = group(&rig, &*cluster, "team").await;
    let spec = workspace(&rig, &group);
    cluster.apply_workspace(&spec, &trust()).await.unwrap();
    let before = versions(&rig, &group.namespace).await;
    let sets: Api<StatefulSet> = rig.api(&group.namespace);
    let managed = |set: &StatefulSet| set.metadata.generation;
    let set = managed(&sets.get(&names::workspace(&spec.id)).await.unwrap());
    // A new server knows nothing and looks at everything once.
    let again = installation(&rig, settings(&rig));
    again.apply_group(&group).await.unwrap();
    again.apply_workspace(&spec, &trust()).await.unwrap();
    assert_eq!(versions(&rig, &group.namespace).await, before);
    assert_eq!(managed(&sets.get(&names::workspace(&spec.id)).await.unwrap()), set);
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn the_quota_is_ours_as_a_whole() {
    let rig = Rig::get().await;
    let cluster = installation(&rig, settings(&rig));
    let group = GroupSpec { workspaces: Some(3), cpu_milli: Some(2_500), ..group(&rig, &*cluster, "team").await };
    cluster.apply_group(&group).await.unwrap();
    let quotas: Api<ResourceQuota> = rig.api(&group.namespace);
    let by_hand = json!({ "spec": { "hard": { "count/jobs.batch": "7", "pods": "99" } } });
    quotas.patch(names::QUOTA, &PatchParams::default(), &Patch::Merge(&by_hand)).await.unwrap();
    group_is(&*cluster, &group.id, |seen| seen.is_some_and(|seen| seen.generation == 0)).await;
    cluster.apply_group(&group).await.unwrap();
    let hard = quotas.get(names::QUOTA).await.unwrap().spec.unwrap().hard.unwrap();
    assert_eq!((hard["pods"].0.as_str(), hard["requests.cpu"].0.as_str()), ("3", "2500m"));
    assert!(!hard.contains_key("count/jobs.batch"), "{hard:?}");
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn what_somebody_adds_to_a_pod_by_hand_is_taken_out_again() {
    let rig = Rig::get().await;
    let cluster = installation(&rig, settings(&rig));
    let spec = workspace(&rig, &group(&rig, &*cluster, "team").await);
    cluster.apply_workspace(&spec, &trust()).await.unwrap();
    let sets: Api<StatefulSet> = rig.api(&spec.namespace);
    let name = names::workspace(&spec.id);
    let by_hand = json!({ "spec": { "template": { "spec": { "containers": [{ "name": "miner", "image": "example.org/miner" }] } } } });
    sets.patch(&name, &PatchParams::default(), &Patch::Strategic(&by_hand)).await.unwrap();
    observed(&*cluster, &spec, |seen| seen.is_some_and(|seen| seen.generation == 0)).await;
    cluster.apply_workspace(&spec, &trust()).await.unwrap();
    let containers = sets.get(&name).await.unwrap().spec.unwrap().template.spec.unwrap().containers;
    assert_eq!(containers.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), [names::CONTAINER]);
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn a_disk_grows_and_keeps_its_size_when_less_is_asked() {
    let Some(rig) = Rig::with_pods().await else { return };
    let cluster = installation(&rig, settings(&rig));
    let mut spec = workspace(&rig, &group(&rig, &*cluster, "team").await);
    start(&*cluster, &spec).await;
    let claims: Api<PersistentVolumeClaim> = rig.api(&spec.namespace);
    let asked = || async {
        let claim = claims.get(&names::volume(&spec.id)).await.unwrap();
        claim.spec.unwrap().resources.unwrap().requests.unwrap()["storage"].0.clone()
    };
    let first = asked().await;
    let mut larger = spec.clone();
    larger.size.disk_bytes = 3 << 30;
    larger.generation += 1;
    cluster.apply_workspace(&larger, &trust()).await.unwrap();
    assert_eq!(asked().await, "3Gi");
    assert_ne!(first, "3Gi");
    spec.generation = larger.generation + 1;
    cluster.apply_workspace(&spec, &trust()).await.unwrap();
    assert_eq!(asked().await, "3Gi");
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn a_restart_is_another_pod_and_the_same_disk() {
    let Some(rig) = Rig::with_pods().await else { return };
    let cluster = installation(&rig, settings(&rig));
    let mut spec = workspace(&rig, &group(&rig, &*cluster, "team").await);
    start(&*cluster, &spec).await;
    let pods: Api<Pod> = rig.api(&spec.namespace);
    let claims: Api<PersistentVolumeClaim> = rig.api(&spec.namespace);
    let (pod, claim) = (names::pod(&spec.id), names::volume(&spec.id));
    let before = (pods.get(&pod).await.unwrap().uid(), claims.get(&claim).await.unwrap().uid());
    (spec.run, spec.generation) = (spec.run + 1, spec.generation + 1);
    start(&*cluster, &spec).await;
    let after = (pods.get(&pod).await.unwrap().uid(), claims.get(&claim).await.unwrap().uid());
    assert_ne!(before.0, after.0);
    assert_eq!(before.1, after.1);
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn a_running_pod_takes_another_size_in_place_where_the_cluster_can() {
    let Some(rig) = Rig::with_pods().await else { return };
    let cluster = installation(&rig, settings(&rig));
    let mut spec = workspace(&rig, &group(&rig, &*cluster, "team").await);
    start(&*cluster, &spec).await;
    let pods: Api<Pod> = rig.api(&spec.namespace);
    let before = pods.get(&names::pod(&spec.id)).await.unwrap().uid();
    spec.size.cpu_milli += 50;
    spec.generation += 1;
    cluster.apply_workspace(&spec, &trust()).await.unwrap();
    let pod = pods.get(&names::pod(&spec.id)).await.unwrap();
    let cpu = pod.spec.as_ref().unwrap().containers[0].resources.as_ref().unwrap().requests.as_ref().unwrap()["cpu"].0.clone();
    assert_eq!((pod.uid(), cpu), (before, format!("{}m", spec.size.cpu_milli)));
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn a_removed_workspace_leaves_nothing_and_its_neighbour_everything() {
    let rig = Rig::get().await;
    let cluster = installation(&rig, settings(&rig));
    let group = group(&rig, &*cluster, "team").await;
    let (mut leaving, mut staying) = (workspace(&rig, &group), workspace(&rig, &group));
    for spec in [&mut leaving, &mut staying] {
        cluster.apply_workspace(spec, &trust()).await.unwrap();
        spec.desired = Desired::Stopped;
        spec.generation += 1;
        cluster.apply_workspace(spec, &trust()).await.unwrap();
    }
    cluster.remove_workspace(&leaving.id, &leaving.namespace).await.unwrap();
    let left = || async {
        let set = rig.api::<StatefulSet>(&group.namespace).get_opt(&names::workspace(&leaving.id)).await.unwrap().is_some();
        let service = rig.api::<Service>(&group.namespace).get_opt(&names::workspace(&leaving.id)).await.unwrap().is_some();
        let secret = rig.api::<Secret>(&group.namespace).get_opt(&names::order_secret(&leaving.id)).await.unwrap().is_some();
        let claim = rig.api::<PersistentVolumeClaim>(&group.namespace).get_opt(&names::volume(&leaving.id)).await.unwrap().is_some();
        set || service || secret || claim
    };
    eventually("nothing is left of it", || async { !left().await }).await;
    assert!(rig.api::<PersistentVolumeClaim>(&group.namespace).get_opt(&names::volume(&staying.id)).await.unwrap().is_some());
    assert!(rig.api::<StatefulSet>(&group.namespace).get_opt(&names::workspace(&staying.id)).await.unwrap().is_some());
}
