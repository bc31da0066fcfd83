//! Reading a pod: its conditions, the states of its containers, and the times of both.

use crate::clock::Millis;
use crate::cluster::kubernetes::names::{CONTAINER, INIT_CONTAINER, RUN};
use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, ContainerStatus, Pod, PodCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};

/// A time of the cluster: whole seconds.
pub fn millis(time: &Time) -> Millis {
    Millis(time.0.as_millisecond())
}

/// When the object was made.
pub fn made(meta: &ObjectMeta) -> Millis {
    meta.creation_timestamp.as_ref().map(millis).unwrap_or_default()
}

/// The run that the object is of; 0 where it does not say.
pub fn run(meta: &ObjectMeta) -> i64 {
    number(meta, RUN)
}

/// A number among the annotations; 0 where there is none.
pub fn number(meta: &ObjectMeta, annotation: &str) -> i64 {
    meta.annotations.as_ref().and_then(|all| all.get(annotation)?.parse().ok()).unwrap_or(0)
}

/// The condition of this type.
pub fn condition<'p>(pod: &'p Pod, kind: &str) -> Option<&'p PodCondition> {
    pod.status.as_ref()?.conditions.as_ref()?.iter().find(|condition| condition.type_ == kind)
}

pub fn is_true(pod: &Pod, kind: &str) -> bool {
    condition(pod, kind).is_some_and(|condition| condition.status == "True")
}

/// Since when the condition is as it is; when the pod was made, where it does not say.
pub fn changed(pod: &Pod, kind: &str) -> Millis {
    condition(pod, kind).and_then(|c| c.last_transition_time.as_ref()).map_or_else(|| made(&pod.metadata), millis)
}

/// When the node took it; when it was made, where no node has.
pub fn taken(pod: &Pod) -> Millis {
    pod.status.as_ref().and_then(|status| status.start_time.as_ref()).map_or_else(|| made(&pod.metadata), millis)
}

/// When all was there that its containers begin with: the node, the network, the disk.
pub fn prepared(pod: &Pod) -> Millis {
    let is_there = is_true(pod, "PodReadyToStartContainers").then(|| changed(pod, "PodReadyToStartContainers"));
    taken(pod).max(is_there.unwrap_or_default())
}

/// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
pub fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("Pending")
}

pub fn node(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref().filter(|name| !name.is_empty())
}

/// The container that copies the agent in, which runs before the other.
pub fn agent_container(pod: &Pod) -> Option<&ContainerStatus> {
    pod.status.as_ref()?.init_container_statuses.as_ref()?.iter().find(|status| status.name == INIT_CONTAINER)
}

/// The container that people work in.
pub fn workspace_container(pod: &Pod) -> Option<&ContainerStatus> {
    pod.status.as_ref()?.container_statuses.as_ref()?.iter().find(|status| status.name == CONTAINER)
}

/// Why the container does not run yet: the reason and the text of the kubelet.
pub fn waiting(status: &ContainerStatus) -> Option<(&str, &str)> {
    let waiting = status.state.as_ref()?.waiting.as_ref()?;
    Some((waiting.reason.as_deref().unwrap_or_default(), waiting.message.as_deref().unwrap_or_default()))
}

/// How the container ended last: now, or before it was started again.
pub fn ended(status: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    let of = |state: &'_ Option<ContainerState>| state.as_ref().is_some_and(|s| s.terminated.is_some());
    let state = if of(&status.state) { &status.state } else { &status.last_state };
    state.as_ref()?.terminated.as_ref()
}

/// When it ended; when it was started, or nothing, where the cluster does not say.
pub fn finished(end: &ContainerStateTerminated) -> Option<Millis> {
    end.finished_at.as_ref().or(end.started_at.as_ref()).map(millis).filter(|at| at.0 > 0)
}

/// Since when the container runs.
pub fn running_since(status: &ContainerStatus) -> Option<Millis> {
    status.state.as_ref()?.running.as_ref()?.started_at.as_ref().map(millis)
}
