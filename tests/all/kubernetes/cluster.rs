//! The cluster that the other tests stand on does what they take for granted: pods run and are reached, volumes grow,
//! policies are enforced. Where one of these fails, look at `tests/kubernetes/cluster` first.

use super::rig::{PATIENCE, Rig, eventually};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::runtime::conditions;
use serde_json::{Value, json};
use std::time::Instant;

async fn create<K>(api: &Api<K>, object: Value) -> K
where
    K: serde::de::DeserializeOwned + serde::Serialize + Clone + std::fmt::Debug,
{
    api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap()
}

/// A pod that passes `restricted` and serves HTTP on 8080.
fn server(rig: &Rig, name: &str) -> Value {
    json!({
        "metadata": { "name": name, "labels": { "app": name } },
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "securityContext": { "runAsNonRoot": true, "runAsUser": 1000, "fsGroup": 1000, "seccompProfile": { "type": "RuntimeDefault" } },
            "containers": [{
                "name": "c", "image": rig.image, "command": ["probe", "serve", ":8080"], "ports": [{ "name": "web", "containerPort": 8080 }],
                "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } },
            }],
        },
    })
}

async fn ready(rig: &Rig, namespace: &str, name: &str) -> Pod {
    let ready = |pod: Option<&Pod>| {
        let conditions = pod.and_then(|pod| pod.status.as_ref()).and_then(|status| status.conditions.as_ref());
        conditions.is_some_and(|all| all.iter().any(|one| one.type_ == "Ready" && one.status == "True"))
    };
    rig.until(rig.api::<Pod>(namespace), name, ready).await.unwrap()
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn a_restricted_pod_keeps_its_files_on_a_volume_that_grows() {
    let Some(rig) = Rig::with_pods().await else { return };
    let space = rig.namespace("volume", &[("pod-security.kubernetes.io/enforce", "restricted")]).await;
    let claims: Api<PersistentVolumeClaim> = rig.api(&space);
    let size = |size: &str| json!({ "resources": { "requests": { "storage": size } } });
    let claim =
        json!({ "metadata": { "name": "home" }, "spec": { "accessModes": ["ReadWriteOnce"], "resources": size("1Gi")["resources"] } });
    create(&claims, claim).await;
    let mut pod = server(&rig, "one");
    pod["spec"]["volumes"] = json!([{ "name": "home", "persistentVolumeClaim": { "claimName": "home" } }]);
    pod["spec"]["containers"][0]["volumeMounts"] = json!([{ "name": "home", "mountPath": "/home/dev" }]);
    let pods: Api<Pod> = rig.api(&space);
    create(&pods, pod.clone()).await;
    ready(&rig, &space, "one").await;
    let (said, good) = rig.exec(&space, "one", "c", &["sh", "-c", "echo kept >/home/dev/file && id -u"]).await;
    assert!(good && said.trim() == "1000", "{said}");

    claims.patch("home", &PatchParams::default(), &Patch::Merge(json!({ "spec": size("3Gi") }))).await.unwrap();
    let grown = |claim: Option<&PersistentVolumeClaim>| {
        let capacity = claim.and_then(|claim| claim.status.as_ref()).and_then(|status| status.capacity.as_ref());
        capacity.is_some_and(|capacity| capacity["storage"].0 == "3Gi")
    };
    rig.until(claims, "home", grown).await;

    let old = pods.delete("one", &kube::api::DeleteParams::default()).await.unwrap().left().unwrap();
    rig.until(pods.clone(), "one", conditions::is_deleted(&old.metadata.uid.unwrap())).await;
    create(&pods, pod).await;
    ready(&rig, &space, "one").await;
    assert_eq!(rig.exec(&space, "one", "c", &["cat", "/home/dev/file"]).await, ("kept\n".to_owned(), true));
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn names_resolve_and_policies_are_enforced() {
    let Some(rig) = Rig::with_pods().await else { return };
    let space = rig.namespace("network", &[]).await;
    let pods: Api<Pod> = rig.api(&space);
    for name in ["one", "two"] {
        create(&pods, server(&rig, name)).await;
    }
    let service =
        json!({ "metadata": { "name": "two" }, "spec": { "selector": { "app": "two" }, "ports": [{ "port": 80, "targetPort": 8080 }] } });
    create(&rig.api::<Service>(&space), service).await;
    ready(&rig, &space, "one").await;
    ready(&rig, &space, "two").await;
    let reaches = || async {
        let (said, good) = rig.exec(&space, "one", "c", &["probe", "get", "http://two/"]).await;
        good && said.starts_with("200 two answers")
    };
    eventually("a pod reaches a service by its name", reaches).await;

    let deny = json!({ "metadata": { "name": "deny" }, "spec": { "podSelector": {}, "policyTypes": ["Ingress"] } });
    let policies: Api<NetworkPolicy> = rig.api(&space);
    create(&policies, deny).await;
    eventually("a policy denies", || async { !reaches().await }).await;
    let allow = json!({
        "metadata": { "name": "allow" },
        "spec": { "podSelector": { "matchLabels": { "app": "two" } }, "policyTypes": ["Ingress"],
            "ingress": [{ "from": [{ "podSelector": { "matchLabels": { "app": "one" } } }], "ports": [{ "port": "web" }] }] },
    });
    create(&policies, allow).await;
    eventually("another one allows", reaches).await;
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run kubernetes"]
async fn metrics_are_measured() {
    let Some(rig) = Rig::with_pods().await else { return };
    let asked = Instant::now();
    let url = "/apis/metrics.k8s.io/v1beta1/nodes";
    let measured = || async {
        let request = hyper::Request::get(url).body(Vec::new()).unwrap();
        let answer: Result<Value, _> = rig.client.request(request).await;
        answer.is_ok_and(|list| list["items"].as_array().is_some_and(|nodes| !nodes.is_empty()))
    };
    eventually("metrics-server knows the node", measured).await;
    assert!(asked.elapsed() < PATIENCE);
}
