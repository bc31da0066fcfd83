//! What goes wrong with one workspace or one group: it is said in plain words, it is mended where that is safe, and what
//! would lose somebody's files is not done.

use super::rig::{Rig, eventually};
use super::{group, installation, settings, workspace};
use crate::contract::{group_is, observed, start, trust, until};
use codex_web::cluster::kubernetes::names;
use codex_web::cluster::{Cluster, ClusterError, Desired, GroupSpec, ObservedWorkspace, Phase, Reason, WorkspaceSpec};
use codex_web::domain::template::Recipe;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, ResourceQuota, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;

/// Waits for a reason with this code; gives it.
async fn reason(cluster: &dyn Cluster, spec: &WorkspaceSpec, code: &str) -> Reason {
    let with_code = |seen: Option<&ObservedWorkspace>| seen.and_then(|seen| seen.reason.as_ref()).is_some_and(|reason| reason.code == code);
    let reason = observed(cluster, spec, with_code).await.unwrap().reason.unwrap();
    assert!(!reason.message.is_empty() && reason.remedy.is_some(), "{reason:?}");
    reason
}

/// What the reconciler does: what does not show its generation is applied again, until it does.
async fn reconcile(cluster: &dyn Cluster, spec: &WorkspaceSpec) {
    let is_there = |seen: Option<&ObservedWorkspace>| seen.is_some_and(|seen| seen.generation == spec.generation);
    for _ in 0..100 {
        let seen = cluster.observe().await.unwrap().workspaces.into_iter().find(|seen| seen.id == spec.id);
        if is_there(seen.as_ref()) {
            return;
        }
        cluster.apply_workspace(spec, &trust()).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    panic!("it does not settle");
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn an_image_that_cannot_be_pulled_is_named() {
    let Some(rig) = Rig::with_pods().await else { return };
    let cluster = installation(&rig, settings(&rig));
    let mut spec = workspace(&rig, &group(&rig, &*cluster, "team").await);
    let Recipe::Image { reference, .. } = &mut spec.recipe else { panic!("made from an image") };
    *reference = "registry.local/nobody-made-this:1".to_owned();
    cluster.apply_workspace(&spec, &trust()).await.unwrap();
    let reason = reason(&*cluster, &spec, "registry_unreachable").await;
    assert!(reason.message.contains("nobody-made-this") || reason.message.contains("registry.local"), "{reason:?}");
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn a_workspace_that_fits_on_no_node_says_so() {
    let Some(rig) = Rig::with_pods().await else { return };
    let cluster = installation(&rig, settings(&rig));
    let mut spec = workspace(&rig, &group(&rig, &*cluster, "team").await);
    spec.size.cpu_milli = 500_000;
    cluster.apply_workspace(&spec, &trust()).await.unwrap();
    reason(&*cluster, &spec, "insufficient_cpu").await;
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn what_the_quota_of_the_cluster_refuses_is_said() {
    let Some(rig) = Rig::with_pods().await else { return };
    let cluster = installation(&rig, settings(&rig));
    let group = group(&rig, &*cluster, "team").await;
    let first = workspace(&rig, &group);
    start(&*cluster, &first).await;
    // Our own check would have let both through, had they been asked for in the same moment.
    let quotas: Api<ResourceQuota> = rig.api(&group.namespace);
    let tight = json!({ "metadata": { "name": "tight" }, "spec": { "hard": { "count/pods": "1" } } });
    quotas.create(&PostParams::default(), &serde_json::from_value(tight).unwrap()).await.unwrap();
    eventually("the quota counts", || async {
        let status = quotas.get("tight").await.unwrap().status.and_then(|status| status.used);
        status.is_some_and(|used| used.get("count/pods").is_some_and(|count| count.0 == "1"))
    })
    .await;
    let second = workspace(&rig, &group);
    cluster.apply_workspace(&second, &trust()).await.unwrap();
    reason(&*cluster, &second, "quota_refused").await;
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn objects_edited_or_deleted_by_hand_come_back() {
    let Some(rig) = Rig::with_pods().await else { return };
    let cluster = installation(&rig, settings(&rig));
    let group = group(&rig, &*cluster, "team").await;
    let spec = workspace(&rig, &group);
    start(&*cluster, &spec).await;
    let (name, space) = (names::workspace(&spec.id), group.namespace.as_str());
    let (sets, services): (Api<StatefulSet>, Api<Service>) = (rig.api(space), rig.api(space));
    let disks: Api<PersistentVolumeClaim> = rig.api(space);
    let disk = disks.get(&names::volume(&spec.id)).await.unwrap().metadata.uid;

    let edit = json!({ "spec": { "template": { "metadata": { "labels": { "codex-web/owner": "mallory" } } } } });
    sets.patch(&name, &PatchParams::default(), &Patch::Merge(edit)).await.unwrap();
    observed(&*cluster, &spec, |seen| seen.is_some_and(|seen| seen.generation == 0)).await;
    reconcile(&*cluster, &spec).await;
    let label = sets.get(&name).await.unwrap().spec.unwrap().template.metadata.unwrap().labels.unwrap()["codex-web/owner"].clone();
    assert_eq!(label, spec.owner.as_str());

    sets.delete(&name, &DeleteParams::default()).await.unwrap();
    services.delete(&name, &DeleteParams::default()).await.unwrap();
    observed(&*cluster, &spec, |seen| seen.is_some_and(|seen| seen.generation == 0)).await;
    reconcile(&*cluster, &spec).await;
    until(&*cluster, &spec, Phase::Ready).await;
    services.get(&name).await.unwrap();
    assert_eq!(disks.get(&names::volume(&spec.id)).await.unwrap().metadata.uid, disk, "the files stay");

    let policies: Api<NetworkPolicy> = rig.api(space);
    policies.delete(names::POLICY_DENY, &DeleteParams::default()).await.unwrap();
    group_is(&*cluster, &group.id, |seen| seen.is_some_and(|seen| seen.generation == 0)).await;
    cluster.apply_group(&group).await.unwrap();
    policies.get(names::POLICY_DENY).await.unwrap();
    group_is(&*cluster, &group.id, |seen| seen.is_some_and(|seen| seen.generation == group.generation)).await;
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn a_workspace_that_somebody_restores_elsewhere_is_not_taken_for_the_one_of_the_group() {
    let Some(rig) = Rig::with_pods().await else { return };
    let cluster = installation(&rig, settings(&rig));
    let group = group(&rig, &*cluster, "team").await;
    let spec = workspace(&rig, &group);
    start(&*cluster, &spec).await;
    let name = names::workspace(&spec.id);
    let elsewhere = rig.namespace("vault", &[]).await;
    let mut copy = rig.api::<StatefulSet>(&group.namespace).get(&name).await.unwrap();
    let metadata = std::mem::take(&mut copy.metadata);
    copy.metadata.name = metadata.name;
    (copy.metadata.labels, copy.metadata.annotations) = (metadata.labels, metadata.annotations);
    copy.spec.as_mut().unwrap().replicas = Some(0);
    rig.api::<StatefulSet>(&elsewhere).create(&PostParams::default(), &copy).await.unwrap();
    // A new server reads both at its start.
    let successor = installation(&rig, settings(&rig));
    let seen = observed(&*successor, &spec, |seen| seen.is_some()).await.unwrap();
    assert_eq!((seen.namespace, seen.phase), (group.namespace.clone(), Phase::Ready));
    let seen = observed(&*cluster, &spec, |seen| seen.is_some()).await.unwrap();
    assert_eq!((seen.namespace, seen.generation), (group.namespace, spec.generation), "there is nothing to put right");
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn a_deleted_disk_is_reported_and_not_replaced() {
    let Some(rig) = Rig::with_pods().await else { return };
    let cluster = installation(&rig, settings(&rig));
    let group = group(&rig, &*cluster, "team").await;
    let mut spec = workspace(&rig, &group);
    start(&*cluster, &spec).await;
    (spec.desired, spec.generation) = (Desired::Stopped, 2);
    cluster.apply_workspace(&spec, &trust()).await.unwrap();
    until(&*cluster, &spec, Phase::Absent).await;
    let disks: Api<PersistentVolumeClaim> = rig.api(&group.namespace);
    disks.delete(&names::volume(&spec.id), &DeleteParams::default()).await.unwrap();
    eventually("the disk is gone", || async { disks.get_opt(&names::volume(&spec.id)).await.unwrap().is_none() }).await;

    (spec.desired, spec.generation, spec.run) = (Desired::Running, 3, 2);
    match cluster.apply_workspace(&spec, &trust()).await {
        Ok(()) => drop(reason(&*cluster, &spec, "disk_missing").await),
        Err(ClusterError::Rejected(reason)) => assert_eq!(reason.code, "disk_missing", "{reason:?}"),
        Err(other) => panic!("{other:?}"),
    }
    assert!(disks.get_opt(&names::volume(&spec.id)).await.unwrap().is_none(), "an empty disk in place of somebody's files");
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn a_group_whose_namespace_is_held_says_by_what() {
    let rig = Rig::get().await;
    let cluster = installation(&rig, settings(&rig));
    let group = group(&rig, &*cluster, "team").await;
    let configs: Api<ConfigMap> = rig.api(&group.namespace);
    let held = json!({ "metadata": { "name": "held", "finalizers": ["example.com/hold"] } });
    configs.create(&PostParams::default(), &serde_json::from_value(held).unwrap()).await.unwrap();
    cluster.remove_group(&group.id, &group.namespace).await.unwrap();
    let says = |text: &str| text.contains("example.com/hold");
    group_is(&*cluster, &group.id, |seen| {
        seen.is_some_and(|seen| seen.terminating && seen.reason.as_ref().is_some_and(|reason| says(&reason.message)))
    })
    .await;
    configs.patch("held", &PatchParams::default(), &Patch::Merge(json!({ "metadata": { "finalizers": null } }))).await.unwrap();
    group_is(&*cluster, &group.id, |seen| seen.is_none()).await;
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn two_servers_that_do_the_same_at_once_double_nothing() {
    let Some(rig) = Rig::with_pods().await else { return };
    let cluster = installation(&rig, settings(&rig));
    let group = group(&rig, &*cluster, "team").await;
    let spec = workspace(&rig, &group);
    // What a process that was killed in the middle leaves, another one finds: it begins again with everything.
    let successor = installation(&rig, settings(&rig));
    let trust = trust();
    let _ = tokio::join!(cluster.apply_workspace(&spec, &trust), successor.apply_workspace(&spec, &trust));
    reconcile(&*successor, &spec).await;
    until(&*successor, &spec, Phase::Ready).await;
    let pods: Api<Pod> = rig.api(&group.namespace);
    assert_eq!(pods.list(&ListParams::default()).await.unwrap().items.len(), 1);
    let disks: Api<PersistentVolumeClaim> = rig.api(&group.namespace);
    assert_eq!(disks.list(&ListParams::default()).await.unwrap().items.len(), 1);
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn a_namespace_of_somebody_else_is_left_alone() {
    let rig = Rig::get().await;
    let cluster = installation(&rig, settings(&rig));
    let taken = rig.namespace("taken", &[]).await;
    let group = GroupSpec { namespace: taken.clone(), ..unmade(&rig) };
    assert!(matches!(cluster.apply_group(&group).await, Err(ClusterError::Conflict(_))));
    let _ = cluster.remove_group(&group.id, &taken).await;
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(rig.client.clone());
    let untouched = namespaces.get(&taken).await.unwrap().metadata;
    assert_eq!(
        (untouched.deletion_timestamp, untouched.labels.map(|labels| labels.len())),
        (None, Some(1)),
        "only its own name as a label"
    );
}

fn unmade(rig: &Rig) -> GroupSpec {
    use codex_web::clock::{Clock, SystemClock, SystemEntropy};
    GroupSpec {
        id: codex_web::domain::id::GroupId::fresh(SystemClock.now(), &SystemEntropy),
        name: "Team".to_owned(),
        namespace: rig.name("unmade"),
        generation: 1,
        cpu_milli: None,
        memory_bytes: None,
        storage_bytes: None,
        workspaces: None,
    }
}
