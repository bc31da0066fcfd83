//! A thousand workspaces, on nodes that kwok plays, and one shipped server: the calls that it makes when nothing happens,
//! its memory, and how long a new one takes to put right what was lost while none ran.
//!
//! The server's own account is in a namespace called `audited`, so the API server writes down each of its calls.

use super::limits::Site;
use super::{PATIENCE, Rig};
use futures_util::{StreamExt, stream};
use k8s_openapi::api::core::v1::{Namespace, Node, Pod, Service, ServiceAccount};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

const WORKSPACES: usize = 1_000;
const NODES: usize = 6;
/// Requests at a time.
const AT_ONCE: usize = 8;
/// What is promised: calls of a server with nothing to do, its memory, and how soon a new server has looked at everything.
const CALLS_PER_SECOND: f64 = 2.0;
const MEMORY: u64 = 100_000_000;
const ALL_AGAIN: Duration = Duration::from_secs(60);

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

/// Resident bytes of a process.
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// How many workspaces the server shows as ready.
fn ready(site: &Site) -> usize {
    #[allow(clippy::disallowed_methods)] // a stranger's look at the file
    let connection = rusqlite::Connection::open(site.program.data().join("codex-web.db")).unwrap();
    let sql = "SELECT count(*) FROM workspace_status WHERE phase = 'ready'";
    connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap().try_into().unwrap()
}

/// Waits until a number is reached, looking twice a second.
async fn reaches(what: &str, wanted: usize, within: Duration, number: impl AsyncFn() -> usize) {
    let until = Instant::now() + within;
    loop {
        let now = number().await;
        if now == wanted {
            return;
        }
        assert!(Instant::now() < until, "{what}: {now} of {wanted} after {within:?}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// As a person would, only more often.
async fn make_all(site: &Site, rig: &Rig, group: &str) {
    let resources = json!({"cpu": "50m", "memory": "64Mi", "storage": "64Mi"});
    let body = |number| json!({"name": format!("w{number}"), "groupId": group, "image": rig.image, "resources": resources, "start": true});
    let make = |number| site.call("POST", "/api/workspaces", Some(body(number)));
    stream::iter(0..WORKSPACES).map(make).buffer_unordered(AT_ONCE).for_each(|_: Value| std::future::ready(())).await;
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
#[allow(clippy::print_stdout, clippy::cast_precision_loss)] // what was measured is part of what the stage shows
async fn a_thousand_workspaces_cost_few_calls_and_little_memory() {
    let Some(rig) = Rig::with_state().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let played = Played::begin(&rig).await;
    let more = [
        ("CLUSTER__KUBECONFIG", audited_account(&rig, folder.path()).await.to_str().unwrap().to_owned()),
        ("CLUSTER__NODE_SELECTOR", "type=kwok".to_owned()),
        ("CLUSTER__TOLERATIONS", "kwok.x-k8s.io/node".to_owned()),
        ("LIMITS__RATE", "off".to_owned()),
    ];
    let mut site = Site::with(&rig, more);
    let namespace = format!("codex-platform-{}", rig.name("many"));
    rig.will_own(&namespace);
    let quota = json!({"cpu": "1000", "memory": "1Ti", "storage": "1Ti", "pods": WORKSPACES});
    let body = json!({"name": "many", "displayName": "Many", "namespace": namespace, "resourceQuota": quota});
    let group = site.call("POST", "/api/groups", Some(body)).await["id"].as_str().unwrap().to_owned();

    let began = Instant::now();
    make_all(&site, &rig, &group).await;
    println!("{WORKSPACES} workspaces asked for in {:.1?}", began.elapsed());
    // How long a control plane takes to bind a thousand disks is its own affair.
    reaches("they start", WORKSPACES, Duration::from_secs(900), async || ready(&site)).await;
    println!("all run after {:.1?}", began.elapsed());
    // The follow-up of the last change is over.
    tokio::time::sleep(Duration::from_secs(20)).await;

    let calls_before = rig.audited_calls();
    let idle = Instant::now();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let calls = rig.audited_calls() - calls_before;
    let rate = calls as f64 / idle.elapsed().as_secs_f64();
    let memory = resident(site.server.child.id());
    println!("{calls} calls in a minute in which nothing happens; {} MB of memory", memory / 1_000_000);

    // While no server runs, somebody removes a part of each.
    site.server.kill();
    let services: Api<Service> = rig.api(&namespace);
    services.delete_collection(&DeleteParams::default(), &ListParams::default()).await.unwrap();
    let left = async || services.list_metadata(&ListParams::default()).await.unwrap().items.len();
    reaches("the services go", 0, PATIENCE, left).await;
    let began = Instant::now();
    site.server = site.program.serve();
    reaches("what was lost comes back", WORKSPACES, 3 * ALL_AGAIN, left).await;
    let again = began.elapsed();
    println!("a new server had looked at all of them and made a lost part of each again after {again:.1?}");
    println!("its memory after that: {} MB", resident(site.server.child.id()) / 1_000_000);
    site.server.stop();
    assert!(rate <= CALLS_PER_SECOND, "{rate} calls a second");
    assert!(memory < MEMORY, "{memory} bytes");
    assert!(again < ALL_AGAIN, "{again:?}");

    let namespaces: Api<Namespace> = Api::all(rig.client.clone());
    namespaces.delete(&namespace, &DeleteParams::background()).await.unwrap();
    let pods: Api<Pod> = rig.api(&namespace);
    let here = async || pods.list_metadata(&ListParams::default()).await.unwrap().items.len();
    reaches("they go", 0, Duration::from_secs(300), here).await;
    drop(played);
}
