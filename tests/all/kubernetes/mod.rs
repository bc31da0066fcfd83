//! Codex Web on a real Kubernetes: a control plane, a kubelet, containers that run.
//!
//! Each test here is ignored in the ordinary run, because it needs a cluster; the stage `kubernetes` of `tests/run` brings
//! one up and runs them, with the cases of `contract.rs` on it. Tests below `drills` stop or freeze parts of the cluster,
//! so they run alone, one after the other.

// What one test does not use, another one does.
#[allow(dead_code)]
pub mod rig;

mod cluster;
mod connect;
mod deployed;
mod drills;
mod faults;
mod killed;
mod objects;
mod observe;
mod policies;

use crate::contract::{Subject, group_is, spec};
use codex_web::clock::{Clock, SystemClock, SystemEntropy};
use codex_web::cluster::kubernetes::{KubernetesCluster, KubernetesSettings};
use codex_web::cluster::{Cluster, GroupSpec, Size, WorkspaceSpec};
use codex_web::domain::egress::Policy;
use codex_web::domain::id::GroupId;
use codex_web::domain::template::Recipe;
use codex_web::token::proof::ProofKey;
use rig::Rig;
use std::sync::Arc;
use tokio::sync::watch;

/// What the operator would write for the cluster of these tests.
pub fn settings(rig: &Rig) -> KubernetesSettings {
    let mut settings = KubernetesSettings::new(&rig.agent_image);
    settings.kubeconfig = Some(rig.kubeconfig.clone());
    settings.past_logs = Some(rig.folder().join("workspace-logs"));
    settings.server.cidrs = rig.outside().map(|address| format!("{address}/32")).into_iter().collect();
    settings
}

/// An installation of its own on the cluster. Made again for the same rig it is the same one, as after a restart.
pub fn installation(rig: &Rig, settings: KubernetesSettings) -> Arc<dyn Cluster> {
    installation_under(rig, settings, watch::Sender::default().subscribe())
}

/// As [`installation`], whose workspaces may reach what this says.
pub fn installation_under(rig: &Rig, settings: KubernetesSettings, egress: watch::Receiver<Arc<Policy>>) -> Arc<dyn Cluster> {
    let cluster: Arc<dyn Cluster> = KubernetesCluster::new(settings, egress, Arc::new(SystemClock));
    cluster.prove_with(ProofKey::new(zeroize::Zeroizing::new([7; 32])));
    cluster.claim(&rig.name("installation"));
    cluster
}

/// A group that is ready, without limits.
pub async fn group(rig: &Rig, cluster: &dyn Cluster, word: &str) -> GroupSpec {
    let group = GroupSpec {
        id: GroupId::fresh(SystemClock.now(), &SystemEntropy),
        name: "Team".to_owned(),
        namespace: rig.name(word),
        generation: 1,
        cpu_milli: None,
        memory_bytes: None,
        storage_bytes: None,
        workspaces: None,
    };
    rig.will_own(&group.namespace);
    cluster.apply_group(&group).await.unwrap();
    group_is(cluster, &group.id, |seen| seen.is_some_and(|group| group.ready)).await;
    group
}

/// A small workspace of the group, from the image of the rig.
pub fn workspace(rig: &Rig, group: &GroupSpec) -> WorkspaceSpec {
    from_image(&rig.image, group)
}

fn from_image(image: &str, group: &GroupSpec) -> WorkspaceSpec {
    WorkspaceSpec {
        group: group.id.clone(),
        namespace: group.namespace.clone(),
        recipe: Recipe::Image { reference: image.to_owned() },
        size: Size { cpu_milli: 50, memory_bytes: 64 << 20, disk_bytes: 64 << 20, ..Size::default() },
        ..spec(&[])
    }
}

/// Kubernetes as the contract sees it.
pub async fn subject() -> Option<Subject> {
    let rig = Rig::with_pods().await?;
    let cluster = installation(&rig, settings(&rig));
    let group = group(&rig, &*cluster, "team").await;
    let (image, namespace) = (rig.image.clone(), rig.name("other"));
    rig.will_own(&namespace);
    Some(Subject::new(cluster, move || from_image(&image, &group), &namespace, rig))
}
