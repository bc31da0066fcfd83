//! What a real cluster says about workspaces, in the words that people read: every fault is made for real, on objects
//! that look like ours and are made by hand, so that nothing but the reading half is under test.
#![allow(clippy::print_stdout)] // what was said is shown to who reads the log of the stage

use super::rig::{Rig, eventually};
use super::{group, installation, settings, workspace};
use crate::contract::{observed, reference, start};
use codex_web::clock::{Clock, SystemClock, SystemEntropy};
use codex_web::cluster::kubernetes::doctor::{self, Verdict};
use codex_web::cluster::kubernetes::rights::RIGHTS;
use codex_web::cluster::kubernetes::{KubernetesSettings, names};
use codex_web::cluster::{Cluster, ClusterError, LogOptions, ObservedWorkspace, Phase, WorkspaceRef};
use codex_web::domain::id::{GroupId, WorkspaceId};
use futures_util::StreamExt;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim, ResourceQuota, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::api::{Api, DeleteParams, PostParams};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// A namespace of this installation without anything in it, and the cluster that reads it.
struct Place {
    rig: Rig,
    cluster: Arc<dyn Cluster>,
    namespace: String,
    installation: String,
    group: GroupId,
}

impl Place {
    async fn new(word: &str) -> Option<Self> {
        let rig = Rig::with_pods().await?;
        let installation = rig.name("installation");
        let group = GroupId::fresh(SystemClock.now(), &SystemEntropy);
        let labels = [(names::INSTALLATION, installation.as_str()), (names::GROUP_ID, group.as_str())];
        let namespace = rig.namespace(word, &labels).await;
        let cluster = super::installation(&rig, settings(&rig));
        Some(Self { rig, cluster, namespace, installation, group })
    }

    fn labels(&self, id: &WorkspaceId) -> Value {
        let (app, group) = (names::workspace(id), self.group.as_str());
        json!({ names::INSTALLATION: self.installation, names::GROUP_ID: group, names::WORKSPACE: id.as_str(), names::APP: app })
    }

    /// Makes a claim and a StatefulSet as ours are, with these changes to the pod and to its container.
    async fn make(&self, pod: Value, container: Value) -> WorkspaceId {
        let id = WorkspaceId::fresh(SystemClock.now(), &SystemEntropy);
        let size = json!({ "requests": { "storage": "64Mi" } });
        self.claim(&id, json!({ "accessModes": ["ReadWriteOnce"], "resources": size })).await;
        self.set(&id, pod, container).await;
        id
    }

    async fn claim(&self, id: &WorkspaceId, spec: Value) {
        let claim = json!({ "metadata": { "name": names::volume(id), "labels": self.labels(id) }, "spec": spec });
        let claims: Api<PersistentVolumeClaim> = self.rig.api(&self.namespace);
        claims.create(&PostParams::default(), &serde_json::from_value(claim).unwrap()).await.unwrap();
    }

    async fn set(&self, id: &WorkspaceId, pod: Value, container: Value) {
        let mut main = json!({
            "name": names::CONTAINER, "image": self.rig.image, "command": ["sleep", "3600"], "terminationMessagePolicy": "FallbackToLogsOnError",
            "resources": { "requests": { "cpu": "10m", "memory": "16Mi" }, "limits": { "memory": "32Mi" } },
        });
        merge(&mut main, container);
        let volume = json!({ "name": "home", "persistentVolumeClaim": { "claimName": names::volume(id) } });
        let mount = json!([{ "name": "home", "mountPath": "/home/dev" }]);
        main["volumeMounts"] = mount;
        let mut spec = json!({ "containers": [main], "volumes": [volume], "terminationGracePeriodSeconds": 0 });
        merge(&mut spec, pod);
        let annotations = json!({ names::RUN: "1" });
        let template = json!({ "metadata": { "labels": self.labels(id), "annotations": annotations }, "spec": spec });
        let name = names::workspace(id);
        let set = json!({
            "metadata": { "name": name, "labels": self.labels(id), "annotations": annotations },
            "spec": { "replicas": 1, "serviceName": name, "selector": { "matchLabels": { names::APP: name } }, "template": template },
        });
        let sets: Api<StatefulSet> = self.rig.api(&self.namespace);
        sets.create(&PostParams::default(), &serde_json::from_value(set).unwrap()).await.unwrap();
    }

    /// Waits for a reason with this code; fails after a minute, with what was said instead.
    async fn says(&self, id: &WorkspaceId, phase: Phase, code: &str, words: &str) {
        let end = std::time::Instant::now() + super::rig::PATIENCE;
        let mut last = None;
        while std::time::Instant::now() < end {
            let seen = self.look(id).await;
            let reason = seen.as_ref().and_then(|seen| seen.reason.clone());
            if let (Some(seen), Some(reason)) = (&seen, &reason)
                && (seen.phase, reason.code.as_str()) == (phase, code)
                && reason.message.contains(words)
            {
                assert!(reason.remedy.as_ref().is_some_and(|remedy| remedy.ends_with('.')), "{reason:?}");
                println!("{code}: {} -> {}", reason.message, reason.remedy.as_deref().unwrap_or_default());
                return;
            }
            last = seen.map(|seen| (seen.phase, seen.reason, seen.components));
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        panic!("{code} was not said; the last was {last:?}");
    }

    async fn look(&self, id: &WorkspaceId) -> Option<ObservedWorkspace> {
        self.cluster.observe().await.unwrap().workspaces.into_iter().find(|seen| seen.id == *id)
    }

    fn reference(&self, id: &WorkspaceId) -> WorkspaceRef {
        WorkspaceRef { id: id.clone(), namespace: self.namespace.clone(), run: 1 }
    }
}

fn merge(into: &mut Value, from: Value) {
    for (key, value) in from.as_object().unwrap() {
        into[key] = value.clone();
    }
}

fn shell(script: &str) -> Value {
    json!({ "command": ["sh", "-c", script] })
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn what_keeps_a_workspace_from_a_node_is_said() {
    let Some(place) = Place::new("nodes").await else { return };
    let asks = |cpu: &str, memory: &str| json!({ "resources": { "requests": { "cpu": cpu, "memory": memory } } });
    let cpu = place.make(json!({}), asks("500", "16Mi")).await;
    let memory = place.make(json!({}), asks("10m", "4Ti")).await;
    let selector = place.make(json!({ "nodeSelector": { "nobody": "has-this" } }), json!({})).await;
    place.says(&cpu, Phase::Waiting, "insufficient_cpu", "500 cores free").await;
    place.says(&memory, Phase::Waiting, "insufficient_memory", "4 TiB of memory free").await;
    place.says(&selector, Phase::Waiting, "no_matching_node", "labels").await;
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn images_that_cannot_be_had_are_named() {
    let Some(place) = Place::new("images").await else { return };
    let pull = |image: &str, policy: &str| json!({ "image": image, "imagePullPolicy": policy });
    let away = place.make(json!({}), pull("registry.local/nobody-made-this:1", "IfNotPresent")).await;
    let never = place.make(json!({}), pull("registry.local/nobody-made-this:1", "Never")).await;
    let invalid = place.make(json!({}), pull("Not//A:Name", "IfNotPresent")).await;
    place.says(&away, Phase::Failed, "registry_unreachable", "registry.local/nobody-made-this:1").await;
    place.says(&never, Phase::Failed, "image_never_pulled", "is not on the node").await;
    place.says(&invalid, Phase::Failed, "image_name_invalid", "is no name of an image").await;
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn programs_that_end_say_how_and_leave_their_last_lines() {
    let Some(place) = Place::new("ends").await else { return };
    let crash = place.make(json!({}), shell("echo one; echo two; exit 3")).await;
    let memory = place.make(json!({}), json!({ "command": ["probe", "eat", "200"] })).await;
    let program = place.make(json!({}), json!({ "command": ["/nope"] })).await;
    place.says(&crash, Phase::Failed, "crashed", "exit code 3; its last lines: one | two.").await;
    place.says(&memory, Phase::Failed, "out_of_memory", "more memory than its 32 MiB").await;
    place.says(&program, Phase::Failed, "program_not_found", "/nope").await;
    // What ended has a log of its own.
    eventually("the log of the container that ended", || async {
        let options = LogOptions { tail: 10, previous: true, ..LogOptions::default() };
        let Ok(lines) = place.cluster.logs(&place.reference(&crash), options).await else { return false };
        let texts: Vec<String> = lines.map(|line| line.text).collect().await;
        texts == ["one", "two"]
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn what_a_container_lacks_is_said() {
    let Some(place) = Place::new("lacks").await else { return };
    let secret = json!({ "env": [{ "name": "X", "valueFrom": { "secretKeyRef": { "name": "nope", "key": "x" } } }] });
    let setting = place.make(json!({}), secret).await;
    let root = place.make(json!({ "securityContext": { "runAsNonRoot": true, "runAsUser": 0 } }), json!({})).await;
    let probe = json!({ "exec": { "command": ["false"] }, "periodSeconds": 1, "failureThreshold": 600 });
    let silent = place.make(json!({}), json!({ "startupProbe": probe })).await;
    place.says(&setting, Phase::Failed, "setting_missing", "secret \"nope\" not found").await;
    place.says(&root, Phase::Failed, "runs_as_root", "as root").await;
    place.says(&silent, Phase::Creating, "agent_silent", "Startup probe failed").await;
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn disks_that_are_not_there_are_told() {
    let Some(place) = Place::new("disks").await else { return };
    let (class, gone) = (WorkspaceId::fresh(SystemClock.now(), &SystemEntropy), WorkspaceId::fresh(SystemClock.now(), &SystemEntropy));
    let size = json!({ "requests": { "storage": "64Mi" } });
    place.claim(&class, json!({ "accessModes": ["ReadWriteOnce"], "resources": size, "storageClassName": "nosuchclass" })).await;
    place.set(&class, json!({}), json!({})).await;
    place.set(&gone, json!({}), json!({})).await;
    place.says(&class, Phase::Waiting, "storage_class_missing", "nosuchclass").await;
    place.says(&gone, Phase::Failed, "disk_missing", "somebody deleted the claim").await;
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn what_admission_refuses_is_told_although_the_set_was_taken() {
    let Some(place) = Place::new("admission").await else { return };
    let quotas: Api<ResourceQuota> = place.rig.api(&place.namespace);
    let tight = json!({ "metadata": { "name": "tight" }, "spec": { "hard": { "pods": "0" } } });
    quotas.create(&PostParams::default(), &serde_json::from_value(tight).unwrap()).await.unwrap();
    eventually("the quota counts", || async { quotas.get("tight").await.unwrap().status.is_some_and(|status| status.used.is_some()) })
        .await;
    let full = place.make(json!({}), json!({})).await;
    place.says(&full, Phase::Waiting, "quota_refused", "pods: needs 1, 0 of 0 used").await;

    let spaces: Api<Namespace> = Api::all(place.rig.client.clone());
    let label = json!({ "metadata": { "labels": { "pod-security.kubernetes.io/enforce": "restricted" } } });
    spaces.patch(&place.namespace, &kube::api::PatchParams::default(), &kube::api::Patch::Merge(label)).await.unwrap();
    let loose = place.make(json!({}), json!({})).await;
    place.says(&loose, Phase::Waiting, "pod_security", "the level restricted").await;
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn logs_metrics_and_capacity_are_read() {
    let Some(rig) = Rig::with_pods().await else { return };
    let cluster = installation(&rig, settings(&rig));
    let spec = workspace(&rig, &group(&rig, &*cluster, "team").await);
    start(&*cluster, &spec).await;
    let ready = observed(&*cluster, &spec, |seen| seen.is_some_and(|seen| seen.phase == Phase::Ready)).await.unwrap();
    let kinds: Vec<&str> = ready.components.iter().map(|part| part.kind.as_str()).collect();
    assert_eq!(kinds, ["statefulset", "service", "pvc", "pod"]);
    // A cluster counts its ready pods a moment after they are.
    observed(&*cluster, &spec, |seen| seen.is_some_and(|seen| seen.components.iter().all(|part| part.healthy))).await;
    eventually("metrics are measured", || async {
        let metrics = cluster.metrics(&reference(&spec)).await.unwrap();
        metrics.cpu_milli.is_some() && metrics.memory_bytes.is_some_and(|bytes| bytes > 0)
    })
    .await;
    let capacity = cluster.capacity().await.unwrap();
    let node = capacity.nodes.iter().find(|node| node.used_cpu_milli >= 50).unwrap();
    assert!(node.cpu_milli >= node.used_cpu_milli && node.memory_bytes > node.used_memory_bytes, "{node:?}");
    let health = cluster.health().await;
    assert!(health.healthy && health.summary.starts_with("Kubernetes v1."), "{health:?}");
    let other = WorkspaceId::fresh(SystemClock.now(), &SystemEntropy);
    let nobody = WorkspaceRef { id: other, ..reference(&spec) };
    assert!(matches!(cluster.logs(&nobody, LogOptions::default()).await, Err(ClusterError::Gone)));
    assert!(matches!(cluster.metrics(&nobody).await, Err(ClusterError::Gone)));
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn a_log_that_is_followed_goes_on_in_the_next_container() {
    let Some(place) = Place::new("follow").await else { return };
    let id = place.make(json!({}), shell("echo begin; sleep 1; echo end; exit 1")).await;
    eventually("the pod is there", || async { place.look(&id).await.is_some_and(|seen| seen.components[3].status != "NoPods") }).await;
    let options = LogOptions { tail: 100, follow: true, ..LogOptions::default() };
    let lines = place.cluster.logs(&place.reference(&id), options).await.unwrap();
    let read = tokio::time::timeout(super::rig::PATIENCE, lines.take(4).map(|line| line.text).collect::<Vec<_>>());
    assert_eq!(read.await.unwrap(), ["begin", "end", "begin", "end"]);
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn doctor_finds_a_cluster_well_and_names_what_is_not() {
    let Some(rig) = Rig::with_pods().await else { return };
    let bad = |findings: &[doctor::Finding]| {
        let bad = findings.iter().filter(|finding| finding.verdict == Verdict::Bad);
        bad.map(|finding| format!("{}: {}", finding.name, finding.found)).collect::<Vec<_>>()
    };
    let well = doctor::examine(settings(&rig), Arc::new(SystemClock)).await;
    assert!(bad(&well).is_empty(), "{well:?}");
    for finding in &well {
        println!("{:?} {}: {} -> {}", finding.verdict, finding.name, finding.found, finding.cure.as_deref().unwrap_or_default());
        assert_eq!(finding.cure.is_none(), finding.verdict == Verdict::Good, "{finding:?}");
    }
    let class = KubernetesSettings { storage_class: Some("nosuchclass".into()), ..settings(&rig) };
    assert!(bad(&doctor::examine(class, Arc::new(SystemClock)).await).iter().any(|found| found.contains("nosuchclass")));
    let nowhere = KubernetesSettings { kubeconfig: Some("/nowhere".into()), ..settings(&rig) };
    assert_eq!(bad(&doctor::examine(nowhere, Arc::new(SystemClock)).await).len(), 1);
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn the_rights_of_the_table_are_enough_and_one_verb_short_is_named() {
    let Some(rig) = Rig::with_pods().await else { return };
    let space = rig.namespace("rights", &[]).await;
    let accounts: Api<ServiceAccount> = rig.api(&space);
    for (name, lacks) in [("whole", None), ("short", Some(("apps", "statefulsets", "patch")))] {
        let account = json!({ "metadata": { "name": name } });
        accounts.create(&PostParams::default(), &serde_json::from_value(account).unwrap()).await.unwrap();
        let rules: Vec<Value> = RIGHTS
            .iter()
            .map(|right| {
                let may = |verb: &&&str| lacks != Some((right.group, right.resource, **verb));
                let verbs: Vec<&&str> = right.verbs.iter().filter(may).collect();
                json!({ "apiGroups": [right.group], "resources": [right.resource], "verbs": verbs })
            })
            .collect();
        let role = json!({ "metadata": { "name": rig.name(name) }, "rules": rules });
        let roles: Api<ClusterRole> = Api::all(rig.client.clone());
        roles.create(&PostParams::default(), &serde_json::from_value(role).unwrap()).await.unwrap();
        let subject = json!({ "kind": "ServiceAccount", "name": name, "namespace": space });
        let reference = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": rig.name(name) });
        let binding = json!({ "metadata": { "name": rig.name(name) }, "roleRef": reference, "subjects": [subject] });
        let bindings: Api<ClusterRoleBinding> = Api::all(rig.client.clone());
        bindings.create(&PostParams::default(), &serde_json::from_value(binding).unwrap()).await.unwrap();
        let wish = serde_json::from_value(json!({ "spec": { "audiences": [], "expirationSeconds": 600 } })).unwrap();
        let token = accounts.create_token_request(name, &PostParams::default(), &wish).await.unwrap().status.unwrap().token;
        let file = std::env::temp_dir().join(rig.name(name));
        std::fs::write(&file, kubeconfig(&rig, &token)).unwrap();
        let as_account = KubernetesSettings { kubeconfig: Some(file.clone()), ..settings(&rig) };
        let found = doctor::examine(as_account, Arc::new(SystemClock)).await;
        let bad: Vec<&doctor::Finding> = found.iter().filter(|finding| finding.verdict == Verdict::Bad).collect();
        if lacks.is_some() {
            assert_eq!(bad.len(), 1, "{bad:?}");
            assert!(bad[0].found.contains("may not patch statefulsets.apps"), "{}", bad[0].found);
            assert!(bad[0].cure.as_ref().is_some_and(|cure| cure.contains("verbs [\"patch\"]")), "{:?}", bad[0].cure);
        } else {
            assert!(bad.is_empty(), "{bad:?}");
        }
        std::fs::remove_file(file).unwrap();
        roles.delete(&rig.name(name), &DeleteParams::default()).await.unwrap();
        bindings.delete(&rig.name(name), &DeleteParams::default()).await.unwrap();
    }
}

/// A kubeconfig with this token in place of the administrator's credentials.
fn kubeconfig(rig: &Rig, token: &str) -> String {
    let file = kube::config::Kubeconfig::read_from(&rig.kubeconfig).unwrap();
    let mut cluster = serde_json::to_value(file.clusters[0].cluster.as_ref().unwrap()).unwrap();
    if let Some(path) = cluster.get("certificate-authority").and_then(Value::as_str) {
        cluster["certificate-authority"] = json!(rig.kubeconfig.parent().unwrap().join(path));
    }
    let (cluster, user) = (json!({ "name": "c", "cluster": cluster }), json!({ "name": "u", "user": { "token": token } }));
    let context = json!({ "name": "c", "context": { "cluster": "c", "user": "u" } });
    json!({ "apiVersion": "v1", "kind": "Config", "clusters": [cluster], "users": [user], "contexts": [context], "current-context": "c" })
        .to_string()
}
