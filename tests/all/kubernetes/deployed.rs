//! The server in the cluster, from the manifests of `packaging/kubernetes` and with their service account alone: a group,
//! a workspace and its files, and nothing left when they are removed.

use super::rig::{Rig, eventually};
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim, Pod, Service};
use kube::api::{Api, ListParams};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

const PASSWORD: &str = "a long enough passphrase 77";
const HOST: &str = "codex-web.codex-web.svc";

/// The server as something in the cluster sees it.
struct Deployed {
    rig: Rig,
    /// The address of its Service.
    address: String,
    token: String,
}

impl Deployed {
    fn new(rig: Rig, overlay: &Path) -> Self {
        rig.will_own("codex-web");
        rig.kubectl(&["apply", "--kustomize", overlay.to_str().unwrap()]);
        rig.kubectl(&["--namespace=codex-web", "rollout", "status", "deployment/codex-web", "--timeout=60s"]);
        let address = rig.kubectl(&["--namespace=codex-web", "get", "service", "codex-web", "--output=jsonpath={.spec.clusterIP}"]);
        let mut deployed = Self { rig, address, token: String::new() };
        let told = deployed.command(&["setup-code"]);
        let (_, code) = told.split_once('#').unwrap_or_else(|| panic!("no link in {told:?}"));
        let mara = json!({"code": code.split_whitespace().next(), "username": "mara", "email": "mara@example.org", "password": PASSWORD});
        let signed_in = deployed.done("POST", "/api/setup", &mara);
        signed_in["accessToken"].as_str().unwrap().clone_into(&mut deployed.token);
        deployed
    }

    /// What a command of the program prints in the server's container, whatever the image calls the program.
    fn command(&self, arguments: &[&str]) -> String {
        let exec = ["--namespace=codex-web", "exec", "deployment/codex-web", "--", "/proc/1/exe"];
        self.rig.kubectl(&[&exec, arguments].concat())
    }

    /// Status and body of one call. The certificate is the server's own.
    fn call(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--insecure", "--max-time", "30", "--write-out", "\n%{http_code}"])
            .args(["--connect-to", &format!("{HOST}:443:{}:443", self.address)])
            .args(["--request", method, "--header", "content-type: application/json"])
            .args(if self.token.is_empty() { vec![] } else { vec!["--header".to_owned(), format!("authorization: Bearer {}", self.token)] })
            .args(if body.is_empty() { vec![] } else { vec!["--data-binary", body] })
            .arg(format!("https://{HOST}{path}"))
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (answer, status) = text.rsplit_once('\n').unwrap();
        assert!(output.status.success(), "{method} {path}: {}", String::from_utf8_lossy(&output.stderr));
        (status.parse().unwrap(), answer.to_owned())
    }

    fn done(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, answer) = self.call(method, path, &body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        serde_json::from_str(&answer).unwrap_or(Value::Null)
    }

    /// Signs in anew.
    fn sign_in(&mut self) {
        self.token.clear();
        let signed_in = self.done("POST", "/api/auth/login", &json!({"username": "mara", "password": PASSWORD}));
        signed_in["accessToken"].as_str().unwrap().clone_into(&mut self.token);
    }

    async fn becomes(&self, workspace: &str, status: &str) {
        eventually(&format!("the workspace is {status}"), || async {
            self.done("GET", &format!("/api/workspaces/{workspace}"), &Value::Null)["status"] == status
        })
        .await;
    }
}

/// The shipped manifests with the image and the names of this cluster.
fn overlay(rig: &Rig) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path().join("base");
    fs::create_dir(&base).unwrap();
    for entry in fs::read_dir("packaging/kubernetes").unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
        fs::copy(entry.path(), base.join(entry.file_name())).unwrap();
    }
    let config = base.join("codex-web.toml");
    let text = fs::read_to_string(&config).unwrap();
    let text = text.replace("https://codex-web.example.org", &format!("https://{HOST}"));
    fs::write(config, text.replace("registry.example.org/codex-web:0.1.0", &rig.agent_image)).unwrap();
    let (name, tag) = rig.agent_image.rsplit_once(':').unwrap();
    let images = format!("images: [{{name: registry.example.org/codex-web, newName: {name}, newTag: {tag:?}}}]\n");
    let head = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [base]\n";
    fs::write(dir.path().join("kustomization.yaml"), format!("{head}{images}")).unwrap();
    dir
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn the_server_runs_in_the_cluster_from_the_shipped_manifests() {
    let Some(rig) = Rig::with_state().await else { return };
    let files = overlay(&rig);
    let mut server = Deployed::new(rig, files.path());
    let told = server.rig.kubectl(&["--namespace=codex-web", "logs", "deployment/codex-web"]);
    assert!(told.contains("\"cluster\":\"kubernetes\",\"healthy\":true"), "{told}");

    let namespace = format!("codex-platform-{}", server.rig.name("ml"));
    server.rig.will_own(&namespace);
    let quota = json!({"cpu": "1", "memory": "1Gi", "storage": "2Gi", "pods": 2});
    let group =
        server.done("POST", "/api/groups", &json!({"name": "ml", "displayName": "ML", "namespace": namespace, "resourceQuota": quota}));
    assert_eq!(group["status"], "active", "{group}");
    let size = json!({"cpu": "50m", "memory": "64Mi", "storage": "64Mi"});
    let image = &server.rig.image;
    let asked = json!({"name": "first", "groupId": group["id"], "image": image, "resources": size, "start": true});
    let workspace = server.done("POST", "/api/workspaces", &asked)["id"].as_str().unwrap().to_owned();
    server.becomes(&workspace, "running").await;

    // By way of the agent in the pod, which lets nobody in but this server; and over a stop.
    let file = format!("/api/workspaces/{workspace}/files/kept.txt");
    assert_eq!(server.call("PUT", &file, "kept over a stop").0, 200);
    let pods: Api<Pod> = server.rig.api(&namespace);
    let pod_of_it = || async {
        let pods = pods.list(&ListParams::default()).await.unwrap().items;
        pods.iter().map(|pod| pod.metadata.uid.clone()).collect::<Vec<_>>()
    };
    // Its keys are given away and replaced: the pod runs on, and its agent is told.
    let before = pod_of_it().await;
    server.command(&["keys", "rotate", "--compromised"]);
    server.sign_in();
    eventually("the agent believes the new key", || async { server.call("GET", &file, "").0 == 200 }).await;
    assert_eq!(pod_of_it().await, before);
    let actions = format!("/api/workspaces/{workspace}/actions");
    server.done("POST", &actions, &json!({"type": "stop"}));
    server.becomes(&workspace, "stopped").await;
    assert_eq!(server.rig.api::<Pod>(&namespace).list(&ListParams::default()).await.unwrap().items.len(), 0);
    server.done("POST", &actions, &json!({"type": "start"}));
    server.becomes(&workspace, "running").await;
    assert_eq!(server.call("GET", &file, ""), (200, "kept over a stop".to_owned()));

    // Gone is gone.
    assert_eq!(server.call("DELETE", &format!("/api/workspaces/{workspace}"), "").0, 204);
    eventually("the workspace is gone", || async { server.call("GET", &format!("/api/workspaces/{workspace}"), "").0 == 404 }).await;
    assert!(server.rig.api::<PersistentVolumeClaim>(&namespace).list(&ListParams::default()).await.unwrap().items.is_empty());
    assert!(server.rig.api::<Service>(&namespace).list(&ListParams::default()).await.unwrap().items.is_empty());
    let group = group["id"].as_str().unwrap();
    assert_eq!(server.call("DELETE", &format!("/api/groups/{group}"), "").0, 204);
    let namespaces: Api<Namespace> = Api::all(server.rig.client.clone());
    eventually("the namespace is gone", || async { namespaces.get_opt(&namespace).await.unwrap().is_none() }).await;
    server.rig.kubectl(&["delete", "clusterrole,clusterrolebinding", "codex-web"]);
}
