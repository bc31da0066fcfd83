//! What workspaces and nodes use now, as the metrics server measures it; where there is none, nothing is said.
//!
//! One question for all pods of ours serves everybody who asks within the time in which the metrics server measures
//! again, so a page with a thousand meters costs no more than one. The size of files on a disk is not measured by it.

use super::client::Clients;
use super::quantity;
use super::{Shared, names};
use crate::clock::{Millis, SECOND};
use crate::cluster::{ClusterError, Metrics, WorkspaceRef};
use hyper::Request;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Mutex;

/// How long an answer is good, in milliseconds: the metrics server measures every 15 seconds.
const GOOD_FOR: i64 = 10 * SECOND;
/// Where there is no metrics server, it is asked for less often.
const ABSENT_FOR: i64 = 60 * SECOND;

/// Thousandths of a core and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    pub cpu_milli: i64,
    pub memory_bytes: i64,
}

/// By namespace and name; the namespace of a node is empty. `None` where nothing measures.
type Measured = Option<Arc<BTreeMap<(String, String), Used>>>;

/// The last answers.
#[derive(Default)]
pub struct Meter {
    pods: Mutex<Option<(Millis, Measured)>>,
    nodes: Mutex<Option<(Millis, Measured)>>,
}

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    metadata: Meta,
    #[serde(default)]
    usage: BTreeMap<String, Quantity>,
    #[serde(default)]
    containers: Vec<Container>,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(default)]
    namespace: String,
    name: String,
}

#[derive(Deserialize)]
struct Container {
    #[serde(default)]
    usage: BTreeMap<String, Quantity>,
}

/// What a workspace uses.
pub async fn of(shared: &Shared, workspace: &WorkspaceRef) -> Result<Metrics, ClusterError> {
    let (watch, pod) = (shared.watch()?, names::pod(&workspace.id));
    let namespace = Some(workspace.namespace.as_str());
    if watch.find::<Pod>(namespace, &pod).is_none() {
        let set = watch.find::<StatefulSet>(namespace, &names::workspace(&workspace.id));
        return set.map(|_| Metrics::default()).ok_or(ClusterError::Gone);
    }
    let selector = names::selector(shared.installation()?);
    let path = format!("/apis/metrics.k8s.io/v1beta1/pods?labelSelector={}", selector.replace('=', "%3D").replace('/', "%2F"));
    let all = measured(shared, &shared.meter.pods, &path).await?;
    let used = all.and_then(|all| all.get(&(workspace.namespace.clone(), pod)).copied());
    Ok(Metrics { cpu_milli: used.map(|used| used.cpu_milli), memory_bytes: used.map(|used| used.memory_bytes), ..Metrics::default() })
}

/// What nodes use, by name; `None` where nothing measures.
pub async fn nodes(shared: &Shared) -> Result<Option<BTreeMap<String, Used>>, ClusterError> {
    let all = measured(shared, &shared.meter.nodes, "/apis/metrics.k8s.io/v1beta1/nodes").await?;
    Ok(all.map(|all| all.iter().map(|((_, name), used)| (name.clone(), *used)).collect()))
}

/// Asks, unless somebody did a moment ago; who comes while one asks waits for that answer.
async fn measured(shared: &Shared, last: &Mutex<Option<(Millis, Measured)>>, path: &str) -> Result<Measured, ClusterError> {
    let mut last = last.lock().await;
    let now = shared.clock.now();
    if let Some((at, measured)) = &*last
        && now.since(*at) < if measured.is_some() { GOOD_FOR } else { ABSENT_FOR }
    {
        return Ok(measured.clone());
    }
    let measured = ask(&shared.clients, path).await?;
    *last = Some((now, measured.clone()));
    Ok(measured)
}

/// `None` where there is no metrics server, or it does not answer the API server, or may not be asked.
async fn ask(clients: &Clients, path: &str) -> Result<Measured, ClusterError> {
    let request = Request::get(path).body(Vec::new()).map_err(|e| ClusterError::Transient(e.to_string()))?;
    let client = clients.get().await?;
    match clients.call(client.request::<List>(request)).await {
        Ok(list) => Ok(Some(Arc::new(list.items.into_iter().map(used).collect()))),
        Err(ClusterError::Gone | ClusterError::Rejected(_)) => Ok(None),
        Err(ClusterError::Transient(why)) if why.contains("503") => Ok(None),
        Err(error) => Err(error),
    }
}

fn used(item: Item) -> ((String, String), Used) {
    let all = item.containers.into_iter().map(|container| container.usage).chain([item.usage]);
    let used = all.fold(Used::default(), |sum, usage| Used {
        cpu_milli: sum.cpu_milli.saturating_add(usage.get("cpu").and_then(quantity::milli).unwrap_or(0)),
        memory_bytes: sum.memory_bytes.saturating_add(usage.get("memory").and_then(quantity::units).unwrap_or(0)),
    });
    ((item.metadata.namespace, item.metadata.name), used)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_containers_use_is_summed_and_nodes_tell_their_own() {
        let pods = r#"{"kind":"PodMetricsList","items":[{"metadata":{"name":"w-0","namespace":"g"},"containers":[
            {"name":"a","usage":{"cpu":"1500000n","memory":"10Mi"}},{"name":"b","usage":{"cpu":"2m","memory":"1024Ki"}}]}]}"#;
        let list: List = serde_json::from_str(pods).unwrap();
        let all: BTreeMap<_, _> = list.items.into_iter().map(used).collect();
        assert_eq!(all[&("g".into(), "w-0".into())], Used { cpu_milli: 4, memory_bytes: 11 << 20 });
        let nodes = r#"{"items":[{"metadata":{"name":"n"},"usage":{"cpu":"250m","memory":"2Gi"}}]}"#;
        let list: List = serde_json::from_str(nodes).unwrap();
        assert_eq!(used(list.items.into_iter().next().unwrap()).1, Used { cpu_milli: 250, memory_bytes: 2 << 30 });
    }
}
