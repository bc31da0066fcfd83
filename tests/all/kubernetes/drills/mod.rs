//! Parts of the cluster are killed, frozen and brought back while the server works: nothing hangs, nothing is lost or
//! doubled, and what is shown is true again soon after. Each drill has the cluster for itself.

mod limits;
mod scale;

use super::rig::{PATIENCE, Rig, eventually};
use super::{group, installation, settings, workspace};
use crate::contract::{Terminal, group_is, observed, reference, start, trust, until};
use codex_web::cluster::kubernetes::names;
use codex_web::cluster::{Cluster, ClusterError, Desired, GroupSpec, ObservedWorkspace, Phase, WorkspaceSpec};
use k8s_openapi::api::core::v1::{Pod, Secret, ServiceAccount};
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use serde_json::json;
use std::time::{Duration, Instant};

/// Applies until the cluster takes it, as the reconciler does; anything but "not now" is a failure.
async fn apply(cluster: &dyn Cluster, spec: &WorkspaceSpec) {
    let until = Instant::now() + PATIENCE;
    loop {
        match cluster.apply_workspace(spec, &trust()).await {
            Ok(()) => return,
            Err(ClusterError::Transient(why)) => assert!(Instant::now() < until, "{why}"),
            Err(other) => panic!("{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Waits for what is observed, through times in which nothing can be; the cluster may be unreachable, but never empty.
async fn comes_to(cluster: &dyn Cluster, spec: &WorkspaceSpec, wanted: impl Fn(&ObservedWorkspace) -> bool) {
    let until = Instant::now() + PATIENCE;
    let mut last = None;
    while Instant::now() < until {
        if let Ok(all) = cluster.observe().await {
            let seen = all.workspaces.into_iter().find(|seen| seen.id == spec.id).expect("an unreachable cluster is no empty one");
            if wanted(&seen) {
                return;
            }
            last = Some(seen);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("not as wanted after {PATIENCE:?}: {last:?}");
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn the_api_server_dies_in_the_middle_of_work() {
    let Some(rig) = Rig::with_state().await else { return };
    let cluster = installation(&rig, settings(&rig));
    let group = group(&rig, &*cluster, "team").await;
    let (mut first, second) = (workspace(&rig, &group), workspace(&rig, &group));
    start(&*cluster, &first).await;
    let mut terminal = Terminal::open(&*cluster, &first, "main", None).await;
    terminal.expect("$ ").await;

    let dead = rig.component("apiserver").stop();
    assert!(matches!(cluster.apply_workspace(&second, &trust()).await, Err(ClusterError::Transient(_))));
    drop(dead);
    apply(&*cluster, &second).await;
    // The watches of before are of a server that is no more.
    comes_to(&*cluster, &second, |seen| seen.phase == Phase::Ready).await;
    (first.desired, first.generation) = (Desired::Stopped, 2);
    apply(&*cluster, &first).await;
    comes_to(&*cluster, &first, |seen| seen.phase == Phase::Absent).await;
    let pods: Api<Pod> = rig.api(&group.namespace);
    assert_eq!(pods.list(&ListParams::default()).await.unwrap().items.len(), 1, "the second, once");
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn an_api_server_that_hangs_holds_nobody_up() {
    let Some(rig) = Rig::with_state().await else { return };
    let mut impatient = settings(&rig);
    impatient.request_timeout = Duration::from_secs(3);
    let cluster = installation(&rig, impatient);
    let group = group(&rig, &*cluster, "team").await;
    let mut spec = workspace(&rig, &group);
    start(&*cluster, &spec).await;

    // Frozen, it keeps every watch open and answers nothing.
    let hanging = rig.component("apiserver").freeze();
    let asked = Instant::now();
    (spec.desired, spec.generation) = (Desired::Stopped, 2);
    assert!(matches!(cluster.apply_workspace(&spec, &trust()).await, Err(ClusterError::Transient(_))));
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
    eventually("the silence is noticed", || async { !cluster.health().await.healthy }).await;
    drop(hanging);
    apply(&*cluster, &spec).await;
    comes_to(&*cluster, &spec, |seen| seen.phase == Phase::Absent).await;
    eventually("it is well again", || async { cluster.health().await.healthy }).await;
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn a_store_that_hangs_is_waited_for() {
    let Some(rig) = Rig::with_state().await else { return };
    let mut impatient = settings(&rig);
    impatient.request_timeout = Duration::from_secs(3);
    let cluster = installation(&rig, impatient);
    let group = group(&rig, &*cluster, "team").await;
    let spec = workspace(&rig, &group);
    let hanging = rig.component("etcd").freeze();
    // Whether the write happens after all, nobody knows; it is repeated, and that is no error.
    assert!(matches!(cluster.apply_workspace(&spec, &trust()).await, Err(ClusterError::Transient(_))));
    drop(hanging);
    apply(&*cluster, &spec).await;
    comes_to(&*cluster, &spec, |seen| seen.phase == Phase::Ready).await;
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn a_node_that_goes_away_is_said_and_its_workspace_comes_back_with_it() {
    let Some(rig) = Rig::with_state().await else { return };
    let cluster = installation(&rig, settings(&rig));
    let group = group(&rig, &*cluster, "team").await;
    let spec = workspace(&rig, &group);
    start(&*cluster, &spec).await;
    let dead = rig.component("kubelet").stop();
    let away = |seen: &ObservedWorkspace| seen.phase != Phase::Ready && seen.reason.is_some();
    comes_to(&*cluster, &spec, away).await;
    drop(dead);
    comes_to(&*cluster, &spec, |seen| seen.phase == Phase::Ready && seen.reason.is_none()).await;
    assert!(cluster.connect(&reference(&spec)).await.is_ok());
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn a_restarted_container_runtime_costs_no_workspace() {
    let Some(rig) = Rig::with_state().await else { return };
    let cluster = installation(&rig, settings(&rig));
    let group = group(&rig, &*cluster, "team").await;
    let spec = workspace(&rig, &group);
    start(&*cluster, &spec).await;
    let mut terminal = Terminal::open(&*cluster, &spec, "main", None).await;
    terminal.expect("$ ").await;
    drop(rig.component("containerd").stop());
    terminal.send("echo still $((1 + 1))\r").await;
    terminal.expect("still 2").await;
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn a_broken_service_of_the_api_holds_the_deletion_of_a_group_and_is_named() {
    let Some(rig) = Rig::with_state().await else { return };
    let cluster = installation(&rig, settings(&rig));
    let group = group(&rig, &*cluster, "team").await;
    let services: Api<APIService> = Api::all(rig.client.clone());
    let name = "v1.broken.example.com";
    let broken = json!({
        "metadata": { "name": name },
        "spec": { "group": "broken.example.com", "version": "v1", "groupPriorityMinimum": 10, "versionPriority": 10,
            "service": { "name": "nobody", "namespace": "default" }, "insecureSkipTLSVerify": true },
    });
    services.create(&PostParams::default(), &serde_json::from_value(broken).unwrap()).await.unwrap();
    let mended = Mended(&rig, name);
    cluster.remove_group(&group.id, &group.namespace).await.unwrap();
    group_is(&*cluster, &group.id, |seen| {
        seen.is_some_and(|seen| {
            seen.terminating && seen.reason.as_ref().is_some_and(|reason| reason.message.contains("broken.example.com"))
        })
    })
    .await;
    services.delete(name, &DeleteParams::default()).await.unwrap();
    group_is(&*cluster, &group.id, |seen| seen.is_none()).await;
    drop(mended);
}

/// Removes the broken service when a drill fails before it does: no namespace of the cluster could be deleted any more.
struct Mended<'a>(&'a Rig, &'static str);

impl Drop for Mended<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.kubectl(&["delete", "apiservice", self.1, "--ignore-not-found"]);
        }
    }
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn a_token_that_is_no_longer_good_is_read_again_from_its_file() {
    let Some(rig) = Rig::with_state().await else { return };
    let (folder, space) = (tempfile::tempdir().unwrap(), rig.namespace("account", &[]).await);
    let kubeconfig = folder.path().join("kubeconfig");
    let accounts: Api<ServiceAccount> = rig.api(&space);
    let make_token = async |name: &str| {
        let account = json!({ "metadata": { "name": name } });
        accounts.create(&PostParams::default(), &serde_json::from_value(account).unwrap()).await.unwrap();
        rig.kubectl(&[
            "create",
            "clusterrolebinding",
            &rig.name(name),
            "--clusterrole=cluster-admin",
            &format!("--serviceaccount={space}:{name}"),
        ]);
        let token = rig.kubectl(&["-n", &space, "create", "token", name]);
        std::fs::write(&kubeconfig, rig.kubeconfig_with_token(token.trim())).unwrap();
    };
    make_token("first").await;
    let mut mine = settings(&rig);
    mine.kubeconfig = Some(kubeconfig.clone());
    let cluster = installation(&rig, mine);
    let group = group(&rig, &*cluster, "team").await;
    let spec = workspace(&rig, &group);
    start(&*cluster, &spec).await;

    accounts.delete("first", &DeleteParams::default()).await.unwrap();
    eventually("the token is refused", || async {
        matches!(cluster.apply_group(&GroupSpec { generation: 2, ..group.clone() }).await, Err(ClusterError::Transient(_)))
    })
    .await;
    make_token("second").await;
    eventually("the new token is taken", || async { cluster.apply_group(&GroupSpec { generation: 3, ..group.clone() }).await.is_ok() })
        .await;
    until(&*cluster, &spec, Phase::Ready).await;
    for name in ["first", "second"] {
        rig.kubectl(&["delete", "clusterrolebinding", &rig.name(name)]);
    }
    let secrets: Api<Secret> = rig.api(&group.namespace);
    assert!(secrets.get_opt(&names::order_secret(&spec.id)).await.unwrap().is_some());
    observed(&*cluster, &spec, |seen| seen.is_some_and(|seen| seen.reason.is_none())).await;
}
