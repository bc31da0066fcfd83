//! How long a person waits: from the call of the API to the objects in the cluster and to a prompt in the terminal, and
//! from a stop to the next prompt; each beside what the cluster alone takes for the same objects by kubectl.
//!
//! A measurement, so it runs alone, when it is named. Every round has to keep the limits; the medians are told beside them,
//! because a kubelet looks at its containers once a second, and each single number is that much a matter of luck.

use super::{PATIENCE, Rig};
use crate::program::{Program, Server, request, sign_in};
use codex_web::cluster::kubernetes::names;
use codex_web::domain::id::WorkspaceId;
use futures_util::StreamExt;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim, Pod, Secret, Service};
use kube::Resource;
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::conditions;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt::Debug;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};

const PASSWORD: &str = "eleven mild comets 58";
const ROUNDS: usize = 5;
/// What is promised.
const OBJECTS: Duration = Duration::from_millis(300);
const MORE_THAN_THE_CLUSTER: Duration = Duration::from_secs(1);

/// A server beside the cluster, and its administrator.
pub struct Site {
    pub server: Server,
    pub program: Program,
    token: String,
}

impl Site {
    fn new(rig: &Rig) -> Self {
        Self::with(rig, [])
    }

    /// With more settings, which win.
    pub fn with<const N: usize>(rig: &Rig, more: [(&str, String); N]) -> Self {
        let mut program = Program::new();
        let settings = [
            ("CLUSTER__KIND", "kubernetes".to_owned()),
            ("CLUSTER__KUBECONFIG", rig.kubeconfig.to_str().unwrap().to_owned()),
            ("CLUSTER__AGENT_IMAGE", rig.agent_image.clone()),
            ("CLUSTER__SERVER_CIDR", format!("{}/32", rig.outside().unwrap())),
        ];
        program.variables.extend(settings.into_iter().chain(more).map(|(name, value)| (format!("CODEX_WEB_{name}"), value)));
        program.add_admin("root", PASSWORD);
        let server = program.serve();
        let token = sign_in(&server.address, "root", PASSWORD);
        Self { server, program, token }
    }

    pub async fn call(&self, method: &'static str, path: &str, body: Option<Value>) -> Value {
        let (address, token, path) = (self.server.address.clone(), self.token.clone(), path.to_owned());
        let asked = tokio::task::spawn_blocking(move || request(&address, method, &path, Some(&token), body.as_ref()));
        let (status, answer) = asked.await.unwrap().expect("an answer");
        assert!((200..300).contains(&status), "{method}: {status} {answer}");
        answer
    }

    /// Waits for the prompt of the shell, as the page of the terminal does.
    async fn prompt(&self, workspace: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            let Err(why) = self.shows_a_prompt(workspace).await else { return };
            assert!(Instant::now() < until, "no prompt after {PATIENCE:?}: {why}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn shows_a_prompt(&self, workspace: &str) -> Result<(), String> {
        let url = format!("ws://{}/api/workspaces/{workspace}/terminal?session=main&since=0", self.server.address);
        let mut asked = url.into_client_request().unwrap();
        asked.headers_mut().insert("authorization", format!("Bearer {}", self.token).parse().unwrap());
        let stream = TcpStream::connect(&self.server.address).await.unwrap();
        let (mut socket, _) = tokio_tungstenite::client_async(asked, stream).await.map_err(|error| match error {
            tungstenite::Error::Http(answer) => String::from_utf8_lossy(answer.body().as_deref().unwrap_or_default()).into_owned(),
            other => other.to_string(),
        })?;
        let mut shown = Vec::new();
        while let Some(Ok(message)) = socket.next().await {
            if matches!(&message, Message::Binary(bytes) if String::from_utf8_lossy(bytes).contains("$ ")) {
                return Ok(());
            }
            shown.push(message);
        }
        Err(format!("{shown:?}"))
    }
}

/// The object as somebody would have written it for another namespace: with nothing of us in it but the label by which
/// its own parts find each other.
async fn written<K>(rig: &Rig, from: &str, name: &str, to: &str) -> Value
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned + Serialize + Debug,
{
    let mut object = serde_json::to_value(rig.api::<K>(from).get(name).await.unwrap()).unwrap();
    let labels = json!({ names::APP: object["metadata"]["labels"][names::APP] });
    object["metadata"] = json!({ "name": name, "namespace": to, "labels": labels });
    object.as_object_mut().unwrap().remove("status");
    if let Some(template) = object.pointer_mut("/spec/template") {
        template["metadata"] = json!({ "labels": labels });
    }
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        // What the cluster has written into it.
        spec.remove("volumeName");
        spec.remove("clusterIPs");
    }
    object
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
#[allow(clippy::print_stdout)] // what was measured is part of what the stage shows
async fn people_wait_little_longer_than_the_cluster_takes() {
    let Some(rig) = Rig::with_state().await else { return };
    let site = Site::new(&rig);
    let namespace = format!("codex-platform-{}", rig.name("timed"));
    rig.will_own(&namespace);
    let quota = json!({"cpu": "2", "memory": "4Gi", "storage": "4Gi", "pods": 20});
    let body = json!({"name": "timed", "displayName": "Timed", "namespace": namespace, "resourceQuota": quota});
    let began = Instant::now();
    let group = site.call("POST", "/api/groups", Some(body)).await["id"].as_str().unwrap().to_owned();
    let namespaces: Api<Namespace> = Api::all(rig.client.clone());
    rig.until(namespaces, &namespace, |space: Option<&Namespace>| space.is_some()).await;
    println!("a group: its namespace after {:.0?}", began.elapsed());
    let by_hand = rig.name("by-hand");
    rig.namespace("by-hand", &[("pod-security.kubernetes.io/enforce", "restricted")]).await;
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": names::SERVICE_ACCOUNT, "namespace": by_hand}});
    let accounts: Api<k8s_openapi::api::core::v1::ServiceAccount> = rig.api(&by_hand);
    accounts.create(&kube::api::PostParams::default(), &serde_json::from_value(account).unwrap()).await.unwrap();
    let (sets, kubectl_sets) = (rig.api::<StatefulSet>(&namespace), rig.api::<StatefulSet>(&by_hand));
    let (pods, kubectl_pods) = (rig.api::<Pod>(&namespace), rig.api::<Pod>(&by_hand));
    let resources = json!({"cpu": "50m", "memory": "64Mi", "storage": "64Mi"});
    let mut rounds = Vec::new();
    for round in 1..=ROUNDS {
        let body = json!({"name": format!("w{round}"), "groupId": group, "image": rig.image, "resources": resources, "start": true});
        let began = Instant::now();
        let id = site.call("POST", "/api/workspaces", Some(body)).await["id"].as_str().unwrap().to_owned();
        let hex = WorkspaceId::parse(&id).unwrap();
        let (name, pod) = (names::workspace(&hex), names::pod(&hex));
        rig.until(sets.clone(), &name, |set: Option<&StatefulSet>| set.is_some()).await;
        let objects = began.elapsed();
        let ready = async {
            rig.until(pods.clone(), &pod, is_ready).await;
            began.elapsed()
        };
        let prompt = async {
            site.prompt(&id).await;
            began.elapsed()
        };
        let (prompt, ready) = tokio::join!(prompt, ready);

        let list = json!({"apiVersion": "v1", "kind": "List", "items": [
            written::<Secret>(&rig, &namespace, &names::order_secret(&hex), &by_hand).await,
            written::<PersistentVolumeClaim>(&rig, &namespace, &names::volume(&hex), &by_hand).await,
            written::<Service>(&rig, &namespace, &name, &by_hand).await,
            written::<StatefulSet>(&rig, &namespace, &name, &by_hand).await,
        ]});
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), list.to_string()).unwrap();
        let began = Instant::now();
        rig.kubectl(&["apply", "-f", file.path().to_str().unwrap()]);
        rig.until(kubectl_pods.clone(), &pod, is_ready).await;
        let by_kubectl = began.elapsed();

        let actions = format!("/api/workspaces/{id}/actions");
        site.call("POST", &actions, Some(json!({"type": "stop"}))).await;
        let uid = kubectl_pods.get(&pod).await.unwrap().metadata.uid.unwrap();
        scale(&kubectl_sets, &name, 0).await;
        rig.until(kubectl_pods.clone(), &pod, conditions::is_deleted(&uid)).await;
        while site.call("GET", &format!("/api/workspaces/{id}"), None).await["status"] != "stopped" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let began = Instant::now();
        site.call("POST", &actions, Some(json!({"type": "start"}))).await;
        site.prompt(&id).await;
        let again = began.elapsed();
        let began = Instant::now();
        scale(&kubectl_sets, &name, 1).await;
        rig.until(kubectl_pods.clone(), &pod, is_ready).await;
        let by_scale = began.elapsed();
        println!(
            "round {round}: objects {objects:.0?}; prompt {prompt:.2?} (pod Ready {ready:.2?}), kubectl apply to Ready {by_kubectl:.2?}; prompt again {again:.2?}, scale to Ready {by_scale:.2?}"
        );
        assert!(objects < OBJECTS, "round {round}: objects after {objects:?}");
        assert!(prompt < by_kubectl + MORE_THAN_THE_CLUSTER, "round {round}: {prompt:?} beside {by_kubectl:?}");
        assert!(again < by_scale + MORE_THAN_THE_CLUSTER, "round {round}: {again:?} beside {by_scale:?}");
        rounds.push([objects, prompt, by_kubectl, again, by_scale]);
        // The next round finds a cluster that is busy with nothing.
        site.call("POST", &actions, Some(json!({"type": "stop"}))).await;
        scale(&kubectl_sets, &name, 0).await;
        for running in [&pods, &kubectl_pods] {
            if let Some(uid) = running.get_opt(&pod).await.unwrap().and_then(|pod| pod.metadata.uid) {
                rig.until(running.clone(), &pod, conditions::is_deleted(&uid)).await;
            }
        }
    }
    let [objects, prompt, by_kubectl, again, by_scale] = medians(&rounds);
    println!(
        "medians: objects {objects:.0?}; prompt {prompt:.2?}, kubectl apply to Ready {by_kubectl:.2?}; prompt again {again:.2?}, scale to Ready {by_scale:.2?}"
    );
    site.server.stop();
}

/// The middle one of each column.
fn medians<const N: usize>(rounds: &[[Duration; N]]) -> [Duration; N] {
    std::array::from_fn(|column| {
        let mut all: Vec<Duration> = rounds.iter().map(|round| round[column]).collect();
        all.sort();
        all[all.len() / 2]
    })
}

async fn scale(sets: &Api<StatefulSet>, name: &str, replicas: u32) {
    let change = json!({ "spec": { "replicas": replicas } });
    sets.patch(name, &PatchParams::default(), &Patch::Merge(change)).await.unwrap();
}

fn is_ready(pod: Option<&Pod>) -> bool {
    let conditions = pod.and_then(|pod| pod.status.as_ref()?.conditions.as_ref());
    conditions.is_some_and(|all| all.iter().any(|one| one.type_ == "Ready" && one.status == "True"))
}
