//! A thousand workspaces, on nodes that kwok plays: the calls that the server makes when nothing happens, its memory, and
//! how long a new server takes to make sure of all of them.
//!
//! The server's own account is in a namespace called `audited`, so the API server writes down each of its calls.

use super::{Rig, apply, eventually};
use crate::kubernetes::{group, installation, settings, workspace};
use codex_web::cluster::{Cluster, Phase, WorkspaceSpec};
use codex_web::domain::container::Toleration;
use futures_util::{StreamExt, stream};
use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const WORKSPACES: usize = 1_000;
const NODES: usize = 6;
/// As many at a time as the reconciler does.
const AT_ONCE: usize = 16;
/// What is promised: calls of a server with nothing to do, its memory, and a new server's first round.
const CALLS_PER_SECOND: f64 = 2.0;
const MEMORY: u64 = 100_000_000;
const FIRST_ROUND: Duration = Duration::from_secs(60);

/// Nodes that only kwok plays, and a cluster patient enough for so many pods; all of it gone when this is dropped.
struct Played<'a>(&'a Rig);

impl<'a> Played<'a> {
    async fn begin(rig: &'a Rig) -> Self {
        // With the short patience of the drills a node that is busy being played would be taken for a lost one, and its pods
        // driven away.
        let controller = rig.component("controller-manager");
        controller.end();
        controller.start(&["--node-monitor-grace-period=10m"]);
        // Played pods have no network: nobody has to be kept from it.
        rig.component("netpol").end();
        rig.component("kwok").start(&[]);
        let nodes: Api<Node> = Api::all(rig.client.clone());
        for number in 0..NODES {
            let name = format!("played-{number}");
            let node = json!({
                "metadata": { "name": name, "annotations": { "kwok.x-k8s.io/node": "fake" },
                    "labels": { "type": "kwok", "kubernetes.io/hostname": name } },
                "spec": { "taints": [{ "key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule" }] },
            });
            nodes.create(&PostParams::default(), &serde_json::from_value(node).unwrap()).await.unwrap();
            let room = json!({ "cpu": "1000", "memory": "4Ti", "pods": "400", "ephemeral-storage": "1Ti" });
            let status = json!({ "status": { "capacity": room, "allocatable": room } });
            nodes.patch_status(&name, &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
        }
        Self(rig)
    }
}

impl Drop for Played<'_> {
    fn drop(&mut self) {
        self.0.kubectl(&["delete", "nodes", "-l", "type=kwok", "--wait=false"]);
        self.0.component("kwok").end();
        self.0.component("netpol").start(&[]);
        // It comes back as it was.
        drop(self.0.component("controller-manager").stop());
    }
}

/// The server's account, with every right: the number of calls is what matters here.
async fn audited_account(rig: &Rig, folder: &Path) -> std::path::PathBuf {
    rig.kubectl(&["create", "namespace", "audited"]);
    rig.will_own("audited");
    let accounts: Api<ServiceAccount> = rig.api("audited");
    let account = json!({ "metadata": { "name": "server" } });
    accounts.create(&PostParams::default(), &serde_json::from_value(account).unwrap()).await.unwrap();
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": { "name": "audited" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin" },
        "subjects": [{ "kind": "ServiceAccount", "namespace": "audited", "name": "server" }],
    });
    let bindings: Api<k8s_openapi::api::rbac::v1::ClusterRoleBinding> = Api::all(rig.client.clone());
    let _ = bindings.create(&PostParams::default(), &serde_json::from_value(binding).unwrap()).await;
    let kubeconfig = folder.join("kubeconfig");
    let token = rig.kubectl(&["-n", "audited", "create", "token", "server"]);
    std::fs::write(&kubeconfig, rig.kubeconfig_with_token(token.trim())).unwrap();
    kubeconfig
}

/// Resident bytes of this process.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// Applies all that does not show its generation, as the reconciler does, until nothing is left; gives how many calls that took.
async fn settle(cluster: &Arc<dyn Cluster>, specs: &[WorkspaceSpec]) -> usize {
    let mut applied = 0;
    loop {
        let seen = cluster.observe().await.unwrap().workspaces;
        let known: std::collections::BTreeMap<_, _> = seen.iter().map(|seen| (seen.id.as_str(), seen.generation)).collect();
        let due: Vec<&WorkspaceSpec> = specs.iter().filter(|spec| known.get(spec.id.as_str()) != Some(&spec.generation)).collect();
        if due.is_empty() {
            return applied;
        }
        applied += due.len();
        stream::iter(due).for_each_concurrent(AT_ONCE, |spec| async { apply(&**cluster, spec).await }).await;
    }
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
#[allow(clippy::print_stderr, clippy::cast_precision_loss)] // what was measured is part of what the stage shows
async fn a_thousand_workspaces_cost_few_calls_and_little_memory() {
    let Some(rig) = Rig::with_state().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let played = Played::begin(&rig).await;
    let mut mine = settings(&rig);
    mine.kubeconfig = Some(audited_account(&rig, folder.path()).await);
    mine.node_selector = [("type".to_owned(), "kwok".to_owned())].into();
    mine.tolerations = vec![Toleration { key: "kwok.x-k8s.io/node".to_owned(), value: None, effect: None }];
    let before = resident();
    let cluster = installation(&rig, mine.clone());
    let group = group(&rig, &*cluster, "team").await;
    let specs: Vec<_> = (0..WORKSPACES).map(|_| workspace(&rig, &group)).collect();

    let began = Instant::now();
    stream::iter(&specs).for_each_concurrent(AT_ONCE, |spec| async { apply(&*cluster, spec).await }).await;
    eprintln!("{WORKSPACES} workspaces asked for in {:.1?}", began.elapsed());
    let running =
        || async { cluster.observe().await.unwrap().workspaces.iter().filter(|seen| seen.phase == Phase::Ready).count() == WORKSPACES };
    // How long a control plane takes to bind a thousand disks is its own affair.
    let until = Instant::now() + Duration::from_secs(900);
    while !running().await {
        assert!(Instant::now() < until, "they do not start");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    eprintln!("all run after {:.1?}", began.elapsed());
    settle(&cluster, &specs).await;

    let memory = resident().saturating_sub(before);
    eprintln!("{} MB more memory with all of them", memory / 1_000_000);
    assert!(memory < MEMORY, "{memory} bytes");

    let calls_before = rig.audited_calls();
    let idle = Instant::now();
    while idle.elapsed() < Duration::from_secs(60) {
        cluster.observe().await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let rate = (rig.audited_calls() - calls_before) as f64 / idle.elapsed().as_secs_f64();
    eprintln!("{rate:.2} calls a second when nothing happens");
    assert!(rate <= CALLS_PER_SECOND, "{rate} calls a second");

    // A new server knows nothing, and makes sure of everything.
    drop(cluster);
    let began = Instant::now();
    let successor = installation(&rig, mine);
    eventually("the new server sees them", || async { successor.observe().await.is_ok_and(|all| all.workspaces.len() == WORKSPACES) })
        .await;
    let applied = settle(&successor, &specs).await;
    eprintln!("a new server made sure of all in {:.1?}, {applied} applied", began.elapsed());
    assert!(began.elapsed() < FIRST_ROUND, "{:?}", began.elapsed());

    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(rig.client.clone());
    namespaces.delete(&group.namespace, &DeleteParams::background()).await.unwrap();
    let pods: Api<k8s_openapi::api::core::v1::Pod> = rig.api(&group.namespace);
    let until = Instant::now() + Duration::from_secs(180);
    while !pods.list(&ListParams::default().limit(1)).await.unwrap().items.is_empty() {
        assert!(Instant::now() < until, "they do not go");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    drop(played);
}
