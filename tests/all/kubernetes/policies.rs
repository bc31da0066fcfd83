//! Who reaches whom, as the cluster enforces the network policies that groups get: pods of workspaces try it out.

use super::rig::{Rig, eventually};
use super::{group, installation_under, settings, workspace};
use crate::contract::{reference, start};
use codex_web::cluster::kubernetes::{KubernetesSettings, names};
use codex_web::cluster::{Cluster, GroupSpec, WorkspaceSpec};
use codex_web::domain::egress::{Entry, Mode, Policy};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};
use serde_json::json;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// An installation whose server is known by its pod, in a namespace of this test, and by this machine's address; and the
/// hand on its egress policy.
struct Place {
    rig: Rig,
    cluster: Arc<dyn Cluster>,
    egress: watch::Sender<Arc<Policy>>,
    server_namespace: String,
}

impl Place {
    async fn new() -> Option<Self> {
        let rig = Rig::with_state().await?;
        let server_namespace = rig.namespace("server", &[]).await;
        let (egress, policy) = watch::channel(Arc::new(Policy::default()));
        let mut settings = KubernetesSettings { dns_servers: vec![Entry::parse(&rig.name_server()).unwrap()], ..settings(&rig) };
        settings.server.namespace.clone_from(&server_namespace);
        let cluster = installation_under(&rig, settings, policy);
        Some(Self { rig, cluster, egress, server_namespace })
    }

    /// A workspace that runs, and the address of its pod.
    async fn running(&self, group: &GroupSpec) -> (WorkspaceSpec, String) {
        let spec = workspace(&self.rig, group);
        start(&*self.cluster, &spec).await;
        let pod = self.rig.api::<Pod>(&spec.namespace).get(&names::pod(&spec.id)).await.unwrap();
        (spec, pod.status.unwrap().pod_ip.unwrap())
    }

    /// A pod of somebody in the namespace of the server, with these labels.
    async fn pod_beside_the_server(&self, name: &str, labels: serde_json::Value) {
        let pods: Api<Pod> = self.rig.api(&self.server_namespace);
        let container = json!({ "name": names::CONTAINER, "image": self.rig.image, "command": ["sleep", "3600"] });
        let pod = json!({ "metadata": { "name": name, "labels": labels }, "spec": { "containers": [container], "terminationGracePeriodSeconds": 0 } });
        pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
        self.rig.until(pods, name, kube::runtime::conditions::is_pod_running()).await;
    }

    /// Whether a program in this pod gets what it asks for.
    async fn gets(&self, namespace: &str, pod: &str, words: [&str; 3]) -> bool {
        self.rig.exec(namespace, pod, names::CONTAINER, &words).await.1
    }

    async fn workspace_gets(&self, spec: &WorkspaceSpec, words: [&str; 3]) -> bool {
        self.gets(&spec.namespace, &names::pod(&spec.id), words).await
    }

    async fn reaches(&self, spec: &WorkspaceSpec, url: &str) -> bool {
        self.workspace_gets(spec, ["probe", "get", url]).await
    }

    async fn resolves(&self, spec: &WorkspaceSpec) -> bool {
        self.workspace_gets(spec, ["probe", "dns", "host.test.internal"]).await
    }

    /// Sets what workspaces may reach, and does with the group what the reconciler does then.
    async fn allows(&self, group: &GroupSpec, mode: Mode, allow: &[&str]) {
        self.egress.send_replace(Arc::new(Policy { mode, allow: allow.iter().map(|text| Entry::parse(text).unwrap()).collect() }));
        self.cluster.apply_group(group).await.unwrap();
    }
}

/// Something to reach on this machine: it says hello over HTTP on a port of the address; the answer is `address:port`.
async fn greeter(address: IpAddr) -> String {
    let listener = TcpListener::bind((address, 0)).await.unwrap();
    let place = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello").await;
        }
    });
    place
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn only_the_server_reaches_an_agent_and_nobody_anything_else() {
    let Some(place) = Place::new().await else { return };
    let (team, others) = (group(&place.rig, &*place.cluster, "team").await, group(&place.rig, &*place.cluster, "others").await);
    let (target, address) = place.running(&team).await;
    let ((neighbour, _), (stranger, _)) = (place.running(&team).await, place.running(&others).await);
    place.pod_beside_the_server("server", json!({ "app.kubernetes.io/name": "codex-web" })).await;
    place.pod_beside_the_server("beside", json!({ "app.kubernetes.io/name": "something-else" })).await;
    let agent = format!("http://{address}:{}/healthz", codex_web::domain::agent::AGENT_PORT);
    let agent = ["probe", "get", agent.as_str()];
    // A server of somebody's own in the workspace, on every address.
    let serve = ["sh", "-c", "httpd -p 8123 -h /tmp"];
    let (said, started) = place.rig.exec(&target.namespace, &names::pod(&target.id), names::CONTAINER, &serve).await;
    assert!(started, "{said}");
    let own = format!("{address}:8123");
    let own = ["probe", "dial", own.as_str()];

    eventually("the pod of the server reaches the agent", || place.gets(&place.server_namespace, "server", agent)).await;
    eventually("this machine reaches the agent", || async { place.cluster.connect(&reference(&target)).await.is_ok() }).await;
    assert!(!place.gets(&place.server_namespace, "server", own).await, "the server needs no other port");
    assert!(!place.gets(&place.server_namespace, "beside", agent).await, "a pod beside the server");
    for spec in [&neighbour, &stranger] {
        assert!(!place.workspace_gets(spec, agent).await, "another workspace reaches the agent");
        assert!(!place.workspace_gets(spec, own).await, "another workspace reaches a program");
    }
    assert!(place.workspace_gets(&target, agent).await, "the tools of this test work, or the refusals mean nothing");
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn a_workspace_reaches_outside_what_the_setting_allows() {
    let Some(place) = Place::new().await else { return };
    let team = group(&place.rig, &*place.cluster, "team").await;
    let (spec, _) = place.running(&team).await;
    let (public, private) = (greeter(place.rig.internet()).await, greeter(place.rig.outside().unwrap().parse().unwrap()).await);
    let other_port = greeter(place.rig.internet()).await;
    let (public_url, private_url, other_url) = (format!("http://{public}/"), format!("http://{private}/"), format!("http://{other_port}/"));
    let api_server = format!("{}:443", place.rig.first_service());

    place.allows(&team, Mode::Open, &[]).await;
    eventually("open: the outside is reached", || place.reaches(&spec, &public_url)).await;
    eventually("open: names resolve", || place.resolves(&spec)).await;
    assert!(!place.reaches(&spec, &private_url).await, "open: a private address is reached");
    assert!(!place.workspace_gets(&spec, ["probe", "dial", &api_server]).await, "open: the API server is reached");

    place.allows(&team, Mode::Open, &[&private]).await;
    eventually("open: what is allowed besides is reached", || place.reaches(&spec, &private_url)).await;
    assert!(place.reaches(&spec, &public_url).await);

    place.allows(&team, Mode::Allowlist, &[&public]).await;
    eventually("allowlist: what is not on it is not reached", || async { !place.reaches(&spec, &private_url).await }).await;
    assert!(!place.reaches(&spec, &other_url).await, "allowlist: another port of an address on it is reached");
    assert!(place.reaches(&spec, &public_url).await && place.resolves(&spec).await, "allowlist: what is on it");

    place.allows(&team, Mode::None, &[]).await;
    eventually("none: nothing is reached", || async { !place.reaches(&spec, &public_url).await }).await;
    eventually("none: names do not resolve", || async { !place.resolves(&spec).await }).await;
    // And still the server reaches the workspace.
    assert!(place.cluster.connect(&reference(&spec)).await.is_ok());
}
