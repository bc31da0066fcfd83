//! What the nodes have, and how much of it is promised: the sum of what pods request, those of others too.
//!
//! Pods of others are not watched. Who asks how much room there is reads them once, without anything of them but their
//! requests, and the answer serves everybody for a while.

use super::settings::KubernetesSettings;
use super::words::amounts::{amount, cpu};
use super::{Shared, metrics};
use crate::clock::{Millis, SECOND};
use crate::cluster::{Capacity, ClusterError, NodeCapacity};
use hyper::Request;
use k8s_openapi::api::core::v1::{Node, Taint};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde::Deserialize;
use std::collections::BTreeMap;
use tokio::sync::Mutex;

/// How long an answer is good, in milliseconds.
const GOOD_FOR: i64 = 15 * SECOND;
const PAGE: u32 = 500;

/// The last answer: what is promised of each node.
#[derive(Default)]
pub struct Promises(Mutex<Option<(Millis, BTreeMap<String, Promised>)>>);

/// The sum over the pods of one node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Promised {
    cpu_milli: i64,
    memory_bytes: i64,
    pods: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct List {
    #[serde(default)]
    metadata: ListMeta,
    #[serde(default)]
    items: Vec<Item>,
}

#[derive(Deserialize, Default)]
struct ListMeta {
    #[serde(default, rename = "continue")]
    next: String,
}

#[derive(Deserialize)]
struct Item {
    spec: Spec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(default)]
    node_name: String,
    #[serde(default)]
    containers: Vec<Container>,
    #[serde(default)]
    init_containers: Vec<Container>,
    #[serde(default)]
    overhead: BTreeMap<String, Quantity>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    #[serde(default)]
    resources: Resources,
    /// `Always` makes a container of the start one that stays.
    #[serde(default)]
    restart_policy: String,
}

#[derive(Deserialize, Default)]
struct Resources {
    #[serde(default)]
    requests: BTreeMap<String, Quantity>,
}

/// What the cluster has.
pub async fn of(shared: &Shared) -> Result<Capacity, ClusterError> {
    let watch = shared.watch()?;
    if let Some(why) = watch.trouble() {
        return Err(ClusterError::Transient(why));
    }
    if !watch.sees::<Node>() {
        let spot = watch.blind_spots().into_iter().find(|(kind, _)| *kind == "nodes").map(|(_, why)| why);
        return Err(ClusterError::Transient(spot.unwrap_or_else(|| "the nodes are still being read".to_owned())));
    }
    let promised = promised(shared).await?;
    // What is measured is a help and no more: without it there are still the promises.
    let busy = metrics::nodes(shared).await.ok().flatten().unwrap_or_default();
    let nodes = watch.all::<Node>().into_iter().map(|node| {
        let name = node.metadata.name.clone().unwrap_or_default();
        let used = promised.get(&name).copied().unwrap_or_default();
        capacity(&node, used, busy.get(&name).copied(), &shared.settings)
    });
    Ok(Capacity { nodes: nodes.collect() })
}

fn capacity(node: &Node, used: Promised, busy: Option<metrics::Used>, settings: &KubernetesSettings) -> NodeCapacity {
    let gives = node.status.as_ref().and_then(|status| status.allocatable.as_ref());
    let has = node.status.as_ref().and_then(|status| status.capacity.as_ref());
    let labels = node.metadata.labels.as_ref();
    let kinds = ["node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type"];
    NodeCapacity {
        name: node.metadata.name.clone().unwrap_or_default(),
        instance_type: kinds.into_iter().find_map(|kind| labels?.get(kind).cloned()),
        unschedulable: unschedulable(node, settings),
        total_cpu_milli: cpu(has),
        total_memory_bytes: amount(has, "memory"),
        cpu_milli: cpu(gives),
        memory_bytes: amount(gives, "memory"),
        used_cpu_milli: used.cpu_milli,
        used_memory_bytes: used.memory_bytes,
        busy_cpu_milli: busy.map(|busy| busy.cpu_milli),
        busy_memory_bytes: busy.map(|busy| busy.memory_bytes),
        total_pods: Some(amount(has, "pods")),
        pods: Some(amount(gives, "pods")),
        used_pods: used.pods,
        ..NodeCapacity::default()
    }
}

/// Why a node takes no new workspace.
fn unschedulable(node: &Node, settings: &KubernetesSettings) -> Option<String> {
    let spec = node.spec.as_ref();
    if spec.and_then(|spec| spec.unschedulable).unwrap_or(false) {
        return Some("cordoned".to_owned());
    }
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    let ready = conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True");
    if !ready {
        return Some("not ready".to_owned());
    }
    let labels = node.metadata.labels.as_ref();
    let lacks = settings.node_selector.iter().find(|(name, value)| labels.and_then(|all| all.get(*name)) != Some(*value));
    if let Some((name, _)) = lacks {
        return Some(format!("not for workspaces (label {name})"));
    }
    let mut taints = spec.and_then(|spec| spec.taints.as_ref()).into_iter().flatten();
    let taint = taints.find(|taint| matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute") && !is_tolerated(taint, settings))?;
    Some(format!("not for workspaces (taint {})", taint.key))
}

/// Whether every workspace tolerates the taint.
fn is_tolerated(taint: &Taint, settings: &KubernetesSettings) -> bool {
    settings.tolerations.iter().any(|toleration| {
        toleration.key == taint.key
            && toleration.value.as_ref().is_none_or(|value| Some(value) == taint.value.as_ref())
            && toleration.effect.is_none_or(|effect| effect.as_str() == taint.effect)
    })
}

async fn promised(shared: &Shared) -> Result<BTreeMap<String, Promised>, ClusterError> {
    let mut last = shared.promises.0.lock().await;
    let now = shared.clock.now();
    if let Some((at, promised)) = &*last
        && now.since(*at) < GOOD_FOR
    {
        return Ok(promised.clone());
    }
    let (mut promised, mut next) = (BTreeMap::<String, Promised>::new(), String::new());
    let client = shared.clients.get().await?;
    loop {
        let running = "status.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed";
        let path = format!("/api/v1/pods?limit={PAGE}&fieldSelector={running}&continue={next}");
        let request = Request::get(path).body(Vec::new()).map_err(|e| ClusterError::Transient(e.to_string()))?;
        let list: List = shared.clients.call(client.request(request)).await?;
        list.items.into_iter().for_each(|item| add(&mut promised, &item.spec));
        if list.metadata.next.is_empty() {
            break;
        }
        next = list.metadata.next;
    }
    *last = Some((now, promised.clone()));
    Ok(promised)
}

/// As the scheduler counts: what stays is summed, and a step of the start that needs more counts instead.
fn add(all: &mut BTreeMap<String, Promised>, spec: &Spec) {
    if spec.node_name.is_empty() {
        return;
    }
    let stays = |container: &&Container| container.restart_policy == "Always";
    let of = |read: &dyn Fn(&BTreeMap<String, Quantity>) -> i64| {
        let sum = |containers: &mut dyn Iterator<Item = &Container>| containers.map(|c| read(&c.resources.requests)).sum::<i64>();
        let sidecars = sum(&mut spec.init_containers.iter().filter(stays));
        let steps = spec.init_containers.iter().filter(|c| !stays(c)).map(|c| read(&c.resources.requests)).max().unwrap_or(0);
        (sum(&mut spec.containers.iter()) + sidecars).max(steps + sidecars) + read(&spec.overhead)
    };
    let node = all.entry(spec.node_name.clone()).or_default();
    node.cpu_milli = node.cpu_milli.saturating_add(of(&|amounts| cpu(Some(amounts))));
    node.memory_bytes = node.memory_bytes.saturating_add(of(&|amounts| amount(Some(amounts), "memory")));
    node.pods += 1;
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn spec(value: serde_json::Value) -> Spec {
        serde_json::from_value(value).unwrap()
    }

    fn asks(cpu: &str, memory: &str) -> serde_json::Value {
        json!({"resources": {"requests": {"cpu": cpu, "memory": memory}}})
    }

    #[test]
    fn requests_are_counted_as_the_scheduler_counts_them() {
        let mut all = BTreeMap::new();
        add(&mut all, &spec(json!({"nodeName": "n", "containers": [asks("500m", "1Gi"), asks("250m", "1Gi")]})));
        add(&mut all, &spec(json!({"nodeName": "n", "containers": [asks("100m", "1Mi")], "initContainers": [asks("1", "1Mi")]})));
        let sidecar = json!({"restartPolicy": "Always", "resources": {"requests": {"cpu": "50m"}}});
        let pod = json!({"nodeName": "n", "containers": [{}], "initContainers": [sidecar], "overhead": {"cpu": "10m"}});
        add(&mut all, &spec(pod));
        add(&mut all, &spec(json!({"containers": [asks("9", "9Gi")]})));
        assert_eq!(all.len(), 1, "what has no node takes nothing of any");
        assert_eq!(all["n"], Promised { cpu_milli: 750 + 1_000 + 60, memory_bytes: (2 << 30) + (1 << 20), pods: 3 });
    }

    fn node(spec: serde_json::Value, ready: &str) -> Node {
        serde_json::from_value(json!({
            "metadata": {"name": "n", "labels": {"node.kubernetes.io/instance-type": "m5.large"}}, "spec": spec,
            "status": {"capacity": {"cpu": "4", "memory": "16Gi", "pods": "110"}, "allocatable": {"cpu": "3800m", "memory": "15Gi", "pods": "100"},
                       "conditions": [{"type": "Ready", "status": ready}]}
        }))
        .unwrap()
    }

    #[test]
    fn a_node_says_what_it_gives_and_what_is_promised_and_used_of_it() {
        let (promised, busy) = (Promised { cpu_milli: 10, memory_bytes: 20, pods: 3 }, metrics::Used { cpu_milli: 5, memory_bytes: 7 });
        let found = capacity(&node(json!({}), "True"), promised, Some(busy), &KubernetesSettings::new("agent"));
        assert_eq!((found.total_cpu_milli, found.cpu_milli, found.memory_bytes), (4_000, 3_800, 15 << 30));
        assert_eq!(
            (found.used_cpu_milli, found.used_memory_bytes, found.busy_cpu_milli, found.busy_memory_bytes),
            (10, 20, Some(5), Some(7))
        );
        assert_eq!((found.total_pods, found.pods, found.used_pods), (Some(110), Some(100), 3));
        assert_eq!((found.instance_type.as_deref(), found.unschedulable), (Some("m5.large"), None));
    }

    #[test]
    fn a_node_that_takes_no_workspace_says_why() {
        let settings = KubernetesSettings::new("agent");
        let why = |spec, ready| unschedulable(&node(spec, ready), &settings);
        assert_eq!(why(json!({"unschedulable": true}), "True").as_deref(), Some("cordoned"));
        assert_eq!(why(json!({}), "Unknown").as_deref(), Some("not ready"));
        let tainted =
            json!({"taints": [{"key": "soft", "effect": "PreferNoSchedule"}, {"key": "gpu", "value": "a100", "effect": "NoSchedule"}]});
        assert_eq!(why(tainted.clone(), "True").as_deref(), Some("not for workspaces (taint gpu)"));
        let mut tolerant = settings.clone();
        tolerant.tolerations = vec![crate::domain::container::Toleration::parse("gpu=a100:NoSchedule").unwrap()];
        assert_eq!(unschedulable(&node(tainted.clone(), "True"), &tolerant), None);
        tolerant.tolerations = vec![crate::domain::container::Toleration::parse("gpu=h100:NoSchedule").unwrap()];
        assert!(unschedulable(&node(tainted, "True"), &tolerant).is_some());
        let choosy = KubernetesSettings { node_selector: [("pool".to_owned(), "dev".to_owned())].into(), ..settings.clone() };
        assert_eq!(unschedulable(&node(json!({}), "True"), &choosy).as_deref(), Some("not for workspaces (label pool)"));
    }
}
