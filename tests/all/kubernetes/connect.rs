//! The agent in a pod, and both ways to it: at the pod's address, and through the API server.

use super::rig::{Rig, eventually, skipped};
use super::{group, installation, settings, workspace};
use crate::contract::{Terminal, new_signer, observed, reference, start, ticket_for, trust};
use crate::program::binary;
use bytes::Bytes;
use codex_web::agent::forward;
use codex_web::clock::{Clock, SystemClock, SystemEntropy};
use codex_web::cluster::agent_client::{self, AgentError};
use codex_web::cluster::kubernetes::{Connect, KubernetesSettings, names};
use codex_web::cluster::{AgentTrust, ByteStream, Cluster, ClusterError, Desired, WorkspaceRef, WorkspaceSpec};
use codex_web::token::ticket::{Scope, Wanted};
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::api::DeleteParams;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What is carried at once, in bytes: more than every buffer on the way.
const MUCH: usize = 8 * 1024 * 1024;

/// A workspace that runs, reached in this way.
struct Reached {
    rig: Rig,
    cluster: Arc<dyn Cluster>,
    spec: WorkspaceSpec,
}

impl Reached {
    async fn new(wish: Connect) -> Option<Self> {
        let rig = Rig::with_pods().await?;
        let mut settings = settings(&rig);
        settings.connect = wish;
        let cluster = installation(&rig, settings);
        let group = group(&rig, &*cluster, "team").await;
        let spec = workspace(&rig, &group);
        start(&*cluster, &spec).await;
        Some(Self { rig, cluster, spec })
    }

    async fn stream(&self) -> Box<dyn ByteStream> {
        self.cluster.connect(&reference(&self.spec)).await.unwrap()
    }

    /// One exchange with the agent: status and body.
    async fn ask(&self, scope: Scope, method: &str, path: &str, body: Vec<u8>) -> (StatusCode, Vec<u8>) {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(self.stream().await)).await.unwrap();
        tokio::spawn(connection);
        let ticket = ticket_for(&self.spec.id, self.spec.run, &[scope]);
        let request =
            Request::builder().method(method).uri(path).header("host", "agent").header("authorization", format!("Bearer {ticket}"));
        let answer = sender.send_request(request.body(Full::<Bytes>::from(body)).unwrap()).await.unwrap();
        let status = answer.status();
        (status, answer.into_body().collect().await.unwrap().to_bytes().to_vec())
    }

    /// What a program on a port of the workspace says to this.
    async fn port(&self, port: u16, said: &str) -> String {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(self.stream().await)).await.unwrap();
        tokio::spawn(connection.with_upgrades());
        let ticket = ticket_for(&self.spec.id, self.spec.run, &[Scope::Port]);
        let joined = Request::post(format!("/v1/port/{port}")).header("host", "agent").header("authorization", format!("Bearer {ticket}"));
        let joined = joined.header("connection", "upgrade").header("upgrade", forward::PROTOCOL).body(Full::<Bytes>::default()).unwrap();
        let answer = sender.send_request(joined).await.unwrap();
        assert_eq!(answer.status(), StatusCode::SWITCHING_PROTOCOLS);
        let mut program = TokioIo::new(hyper::upgrade::on(answer).await.unwrap());
        program.write_all(said.as_bytes()).await.unwrap();
        program.flush().await.unwrap();
        let mut heard = Vec::new();
        program.read_to_end(&mut heard).await.unwrap();
        String::from_utf8_lossy(&heard).into_owned()
    }

    /// Runs a line in a terminal of its own; what it printed.
    async fn shell(&self, session: &str, line: &str) -> String {
        let mut terminal = Terminal::open(&*self.cluster, &self.spec, session, None).await;
        terminal.send(&format!("{line}; echo DO''NE\r")).await;
        terminal.expect("DONE").await
    }
}

async fn terminal_files_ports_and_tickets(reached: Reached) {
    // A shell of the image, as a user without rights, at home on the volume.
    let printed =
        reached.shell("one", "echo \"$(id -u) $HOME $GREETING\"; grep -h CapEff /proc/self/status /proc/1/status; cat /proc/1/comm").await;
    for expected in ["1000 /home/dev hello", "CapEff:\t0000000000000000", "codex-web"] {
        assert!(printed.contains(expected), "{expected:?} is not in {printed}");
    }
    // Files, more than fits into any buffer on the way, there and back.
    let sent: Vec<u8> = (0..MUCH).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let (status, told) = reached.ask(Scope::Files, "PUT", "/v1/files/much.bin", sent.clone()).await;
    assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&told));
    let (status, received) = reached.ask(Scope::Files, "GET", "/v1/files/much.bin", Vec::new()).await;
    assert!(status == StatusCode::OK && received == sent, "{status}, {} bytes", received.len());
    // A server that somebody starts on loopback, which only the agent can reach.
    reached.shell("two", "echo from the port > page.txt; httpd -p 127.0.0.1:8123 -h .").await;
    let page = reached.port(8123, "GET /page.txt HTTP/1.0\r\n\r\n").await;
    assert!(page.starts_with("HTTP/1.") && page.trim_end().ends_with("from the port"), "{page}");
    // What is for another run is refused before anything is said.
    let later = WorkspaceRef { run: reached.spec.run + 1, ..reference(&reached.spec) };
    assert_eq!(reached.cluster.connect(&later).await.err(), Some(ClusterError::Gone));
    let wrong = ticket_for(&reached.spec.id, reached.spec.run + 1, &[Scope::Admin]);
    let refused = agent_client::status(reached.stream().await, &wrong).await;
    assert!(matches!(refused, Err(AgentError::Refused { status: 401, .. })), "{refused:?}");
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn an_agent_is_reached_at_the_address_of_its_pod() {
    if let Some(reached) = Reached::new(Connect::Direct).await {
        terminal_files_ports_and_tickets(reached).await;
    }
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn an_agent_is_reached_through_the_api_server() {
    if let Some(reached) = Reached::new(Connect::PortForward).await {
        terminal_files_ports_and_tickets(reached).await;
    }
}

/// Whatever the way: what is connected ends when the pod goes, also where nobody in it says goodbye.
async fn a_pod_that_goes_takes_its_connections_along(reached: Reached) {
    let mut stream = reached.stream().await;
    let pods = reached.rig.api::<Pod>(&reached.spec.namespace);
    let name = format!("workspace-{}-0", reached.spec.id.hex());
    let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
    pods.delete(&name, &at_once).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(30), stream.read(&mut [0; 16])).await;
    assert!(matches!(ended, Ok(Ok(0) | Err(_))), "the connection outlived its pod: {ended:?}");
    // The same run comes back in another pod, and is reached there.
    eventually("the new pod is reached", || async { reached.cluster.connect(&reference(&reached.spec)).await.is_ok() }).await;
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn direct_connections_end_with_the_pod() {
    if let Some(reached) = Reached::new(Connect::Direct).await {
        a_pod_that_goes_takes_its_connections_along(reached).await;
    }
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn forwarded_connections_end_with_the_pod() {
    if let Some(reached) = Reached::new(Connect::PortForward).await {
        a_pod_that_goes_takes_its_connections_along(reached).await;
    }
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn a_stop_is_polite_and_files_stay() {
    let Some(mut reached) = Reached::new(Connect::Auto).await else { return };
    let begun = "trap 'echo ended well > ended; exit 0' TERM; echo wait''ing; while :; do sleep 0.1; done";
    let mut terminal = Terminal::open(&*reached.cluster, &reached.spec, "one", None).await;
    terminal.send(&format!("sh -c \"{begun}\"\r")).await;
    terminal.expect("waiting").await;
    let stopped = WorkspaceSpec { desired: Desired::Stopped, ..reached.spec.clone() };
    reached.cluster.apply_workspace(&stopped, &crate::contract::trust()).await.unwrap();
    let texts = terminal.rest().await;
    assert!(texts.iter().any(|text| text["t"] == "bye"), "{texts:?}");
    crate::contract::until(&*reached.cluster, &stopped, codex_web::cluster::Phase::Absent).await;
    reached.spec.run += 1;
    reached.spec.generation += 1;
    start(&*reached.cluster, &reached.spec).await;
    let printed = reached.shell("one", "cat ended").await;
    assert!(printed.contains("ended well"), "{printed}");
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn without_a_route_to_the_pod_the_way_leads_through_the_api_server() {
    let Some(reached) = Reached::new(Connect::Direct).await else { return };
    if reached.rig.outside().is_none() {
        return skipped("the routes to this cluster are not ours to close");
    }
    let pod = reached.rig.api::<Pod>(&reached.spec.namespace).get(&names::pod(&reached.spec.id)).await.unwrap();
    let closed = reached.rig.without_route(&pod.status.unwrap().pod_ip.unwrap());
    eventually("the address of the pod is not reached", || async { reached.cluster.connect(&reference(&reached.spec)).await.is_err() })
        .await;
    // Another server, which has found nothing out yet.
    let fallen_back = Reached { cluster: installation(&reached.rig, settings(&reached.rig)), ..reached };
    fallen_back.cluster.observe().await.unwrap();
    let printed = fallen_back.shell("one", "echo by-another-$((1 + 1))-ways").await;
    assert!(printed.contains("by-another-2-ways"), "{printed}");
    let told = fallen_back.cluster.health().await.summary;
    assert!(told.contains("through the API server: ") && told.contains("cannot be reached from here"), "{told}");
    drop(closed);
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn workspaces_run_on_while_the_key_of_their_tickets_changes() {
    let Some(reached) = Reached::new(Connect::Auto).await else { return };
    let pods = reached.rig.api::<Pod>(&reached.spec.namespace);
    let pod = async || pods.get(&names::pod(&reached.spec.id)).await.unwrap();
    let before = pod().await;
    let mut terminal = Terminal::open(&*reached.cluster, &reached.spec, "one", None).await;
    terminal.expect("$ ").await;

    // As the gateway and the reconciler do it: who runs is told, and who starts anew reads it.
    let next = new_signer("codex-web");
    let trust = AgentTrust { jwks: next.jwks(), ..trust() };
    let (old_ticket, new_ticket) = (
        || ticket_for(&reached.spec.id, reached.spec.run, &[Scope::Admin]),
        || {
            let wanted = Wanted { workspace: &reached.spec.id, run: reached.spec.run, actor: None, scope: &[Scope::Term] };
            next.mint(&wanted, SystemClock.now(), &SystemEntropy).unwrap()
        },
    );
    agent_client::renew_trust(reached.stream().await, &old_ticket(), &trust.jwks).await.unwrap();
    reached.cluster.trust(&trust);
    observed(&*reached.cluster, &reached.spec, |seen| seen.is_some_and(|seen| seen.generation == 0)).await;
    reached.cluster.apply_workspace(&reached.spec, &trust).await.unwrap();
    observed(&*reached.cluster, &reached.spec, |seen| seen.is_some_and(|seen| seen.generation == reached.spec.generation)).await;

    let refused = agent_client::list_sessions(reached.stream().await, &old_ticket()).await;
    assert!(matches!(refused, Err(AgentError::Refused { status: 401, .. })), "{refused:?}");
    assert_eq!(agent_client::list_sessions(reached.stream().await, &new_ticket()).await.unwrap().len(), 1, "the terminal of before");
    terminal.send("echo still $((1 + 1))\r").await;
    terminal.expect("still 2").await;
    assert_eq!(pod().await.metadata.uid, before.metadata.uid);

    // An agent that starts anew in the same run was never told; it reads its order.
    pods.delete(&names::pod(&reached.spec.id), &DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() }).await.unwrap();
    eventually("another pod accepts the new key", || async {
        // The one before is reached a moment longer, and knows the new key too.
        let now = pods.get_opt(&names::pod(&reached.spec.id)).await.unwrap();
        if now.is_none_or(|now| now.metadata.uid == before.metadata.uid) {
            return false;
        }
        let Ok(stream) = reached.cluster.connect(&reference(&reached.spec)).await else { return false };
        agent_client::list_sessions(stream, &new_ticket()).await.is_ok()
    })
    .await;
    assert_ne!(pod().await.metadata.uid, before.metadata.uid);
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn an_api_server_with_a_certificate_of_the_sites_own_authority_is_believed_by_extra_ca() {
    let Some(rig) = Rig::with_state().await else { return };
    let (kubeconfig, authority) = rig.kubeconfig_without_authority();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kubeconfig");
    std::fs::write(&file, kubeconfig).unwrap();
    let unknown = KubernetesSettings { kubeconfig: Some(file), ..settings(&rig) };
    let refused = installation(&rig, unknown.clone()).observe().await;
    assert!(matches!(&refused, Err(ClusterError::Transient(why)) if why.to_lowercase().contains("certificate")), "{refused:?}");
    let told = KubernetesSettings { extra_ca: Some(authority), ..unknown };
    assert!(installation(&rig, told).observe().await.is_ok());
}

/// The exported image is taken by a container runtime as it is, and its program starts.
#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn the_exported_image_is_taken_by_the_container_runtime() {
    let Some(rig) = Rig::with_state().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("image.tar");
    let name = format!("registry.local/{}:1", rig.name("exported"));
    let exported = Command::new(binary()).args(["image", "export", "--name", &name, "--file"]).arg(&archive).output().unwrap();
    if !exported.status.success() {
        return skipped("this build is dynamic and makes no image");
    }
    rig.import(&archive);
    let namespace = rig.namespace("exported", &[]).await;
    let pod: Pod = serde_json::from_value(serde_json::json!({
        "metadata": { "name": "exported" },
        "spec": {
            "restartPolicy": "Never",
            "containers": [{ "name": "c", "image": name, "imagePullPolicy": "Never", "args": ["--version"] }],
        },
    }))
    .unwrap();
    let pods = rig.api::<Pod>(&namespace);
    pods.create(&kube::api::PostParams::default(), &pod).await.unwrap();
    let ended = |pod: Option<&Pod>| pod.and_then(|p| p.status.as_ref()?.phase.as_deref()).is_some_and(|phase| phase == "Succeeded");
    rig.until(pods.clone(), "exported", ended).await;
    let log = pods.logs("exported", &kube::api::LogParams::default()).await.unwrap();
    assert!(log.starts_with("codex-web "), "{log}");
}
