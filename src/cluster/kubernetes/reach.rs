//! Which pod is the one of a run, by what the watch knows, and the connector that asks it.

use super::connect::{Connector, Parts, Pods, Seen};
use super::places::Places;
use super::{KubernetesCluster, Shared, names};
use crate::clock::SystemEntropy;
use crate::cluster::{ClusterError, WorkspaceRef};
use crate::domain::agent::AGENT_PORT;
use k8s_openapi::api::core::v1::Pod;
use std::sync::Arc;
use tokio::sync::watch;

/// Pods as the watch shows them.
struct Watched(Arc<Shared>);

impl Pods for Watched {
    /// What is known is used even while the cluster is silent: whoever answers must prove who they are.
    fn pod(&self, workspace: &WorkspaceRef) -> Result<Seen, ClusterError> {
        let watch = self.0.watch()?;
        if let Some(pod) = watch.find::<Pod>(Some(&workspace.namespace), &names::pod(&workspace.id)) {
            return seen(&pod).filter(|(run, _)| *run == workspace.run).map(|(_, seen)| seen).ok_or(ClusterError::Gone);
        }
        Err(watch.trouble().map_or(ClusterError::Gone, ClusterError::Transient))
    }

    fn any(&self) -> Option<WorkspaceRef> {
        let watch = self.0.watch().ok()?;
        let places = Places::seen(watch);
        watch.all::<Pod>().iter().filter(|pod| is_ready(pod)).find_map(|pod| {
            let (run, seen) = seen(pod)?;
            let id = places.workspace(&pod.metadata)?;
            (!seen.ending).then_some(WorkspaceRef { id, namespace: seen.namespace, run })
        })
    }

    fn changes(&self) -> Result<watch::Receiver<u64>, ClusterError> {
        Ok(self.0.watch()?.pods())
    }
}

/// The pod and the run that it is for; `None` for one whose programs have ended.
fn seen(pod: &Pod) -> Option<(i64, Seen)> {
    let metadata = &pod.metadata;
    let run = metadata.annotations.as_ref()?.get(names::RUN)?.parse().ok()?;
    let status = pod.status.as_ref();
    if status.and_then(|status| status.phase.as_deref()).is_some_and(|phase| matches!(phase, "Failed" | "Succeeded")) {
        return None;
    }
    let seen = Seen {
        name: metadata.name.clone()?,
        namespace: metadata.namespace.clone()?,
        uid: metadata.uid.clone()?,
        address: status.and_then(|status| status.pod_ip.as_deref()?.parse().ok()),
        ending: metadata.deletion_timestamp.is_some(),
    };
    Some((run, seen))
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

impl KubernetesCluster {
    /// What connects to agents.
    pub fn connector(&self) -> Result<&Connector, ClusterError> {
        let proof = self.shared.settings.proof.get();
        let proof = proof.ok_or_else(|| ClusterError::Transient("the installation is not known yet".to_owned()))?;
        Ok(self.connector.get_or_init(|| {
            Connector::new(Parts {
                wish: self.shared.settings.connect,
                clients: self.shared.clients.clone(),
                pods: Arc::new(Watched(Arc::clone(&self.shared))),
                proof: proof.clone(),
                entropy: Arc::new(SystemEntropy),
                port: AGENT_PORT,
            })
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::PodStatus;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};

    fn pod(run: &str) -> Pod {
        let metadata = ObjectMeta {
            name: Some("workspace-1-0".to_owned()),
            namespace: Some("team".to_owned()),
            uid: Some("uid-1".to_owned()),
            annotations: Some([(names::RUN.to_owned(), run.to_owned())].into()),
            ..ObjectMeta::default()
        };
        let status = PodStatus { phase: Some("Running".to_owned()), pod_ip: Some("10.1.2.3".to_owned()), ..PodStatus::default() };
        Pod { metadata, status: Some(status), ..Pod::default() }
    }

    #[test]
    fn a_pod_is_that_of_the_run_which_it_was_made_for() {
        let (run, found) = seen(&pod("7")).unwrap();
        assert_eq!((run, found.uid.as_str(), found.address, found.ending), (7, "uid-1", "10.1.2.3".parse().ok(), false));
        assert_eq!(seen(&pod("")), None);
        let mut ended = pod("7");
        ended.status.as_mut().unwrap().phase = Some("Failed".to_owned());
        assert_eq!(seen(&ended), None, "an evicted pod keeps its name and its address");
        let mut ending = pod("7");
        ending.metadata.deletion_timestamp = Some(Time(k8s_openapi::jiff::Timestamp::UNIX_EPOCH));
        assert!(seen(&ending).unwrap().1.ending);
    }
}
