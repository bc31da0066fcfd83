//! Pods that end without being asked to, and those that do not end although they were: evicted, on a node that is away,
//! held by something.

use super::{Facts, Finding, Judgement, pod, quoted, reason};
use crate::clock::SECOND;
use crate::cluster::{Phase, Reason};
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// How long after its time a deletion counts as stuck, in milliseconds. The time of a pod includes its grace period.
const OVERDUE: i64 = 30 * SECOND;

/// The workspace as a whole goes.
pub fn all(facts: &Facts<'_>) -> Judgement {
    let pod = facts.pod.and_then(|pod| stuck(facts, pod));
    let claim = || {
        let meta = &facts.claim?.metadata;
        held(facts, meta, "Its disk")
    };
    let set = || held(facts, &facts.set?.metadata, "Its StatefulSet");
    Judgement { phase: Phase::Terminating, finding: pod.or_else(claim).or_else(set) }
}

/// The workspace is to stop and its pod is still there.
pub fn stopping(facts: &Facts<'_>, pod: &Pod) -> Judgement {
    Judgement { phase: Phase::Terminating, finding: stuck(facts, pod) }
}

/// A pod that goes so that another can come.
pub fn replaced(facts: &Facts<'_>, pod: &Pod) -> Judgement {
    match stuck(facts, pod) {
        Some(finding) => Judgement { phase: Phase::Waiting, finding: Some(finding) },
        None => Judgement { phase: Phase::Creating, finding: disrupted(pod) },
    }
}

/// Why the pod is still there although it should be gone.
fn stuck(facts: &Facts<'_>, pod: &Pod) -> Option<Finding> {
    let deleted = pod::millis(pod.metadata.deletion_timestamp.as_ref()?);
    if let Some(gone) = node_gone(facts, pod) {
        let name = pod::node(pod).unwrap_or_default();
        let words = format!("It cannot end: its node {name} does not answer, so nobody knows whether it still runs there.");
        let cure = "It goes on when the node is back. A platform admin who knows that the node is off can remove it from the cluster.";
        return Some(Finding { reason: reason("node_gone", words, cure), at: gone.at });
    }
    if facts.now.since(deleted) < OVERDUE {
        return None;
    }
    let finalizers = pod.metadata.finalizers.as_deref().unwrap_or_default();
    if !finalizers.is_empty() {
        return held(facts, &pod.metadata, "Its pod");
    }
    let words = format!("Its pod should be gone since {} and is not.", deleted.rfc3339());
    Some(Finding { reason: reason("stuck_ending", words, "A platform admin can look at the node that it runs on."), at: deleted })
}

/// An object that is held by finalizers.
fn held(facts: &Facts<'_>, meta: &ObjectMeta, what: &str) -> Option<Finding> {
    let at = pod::millis(meta.deletion_timestamp.as_ref()?);
    // This one is the cluster's own: it waits for the pod, which has words of its own.
    let own = |name: &&String| name.as_str() != "kubernetes.io/pvc-protection";
    let holders: Vec<String> = meta.finalizers.iter().flatten().filter(own).map(|name| quoted(name, 100)).collect();
    if holders.is_empty() || facts.now.since(at) < OVERDUE {
        return None;
    }
    let words = format!("{what} is held in the cluster by {}.", holders.join(", "));
    let cure = "What set this finalizer has to let go; a platform admin can see whether that still runs.";
    Some(Finding { reason: reason("held_by_finalizer", words, cure), at })
}

/// The node of the pod does not answer, or is not in the cluster any more.
pub fn node_gone(facts: &Facts<'_>, pod: &Pod) -> Option<Finding> {
    let name = pod::node(pod)?;
    let cure = "It goes on by itself when the node is back; a platform admin can start it again or remove it from the cluster.";
    let Some(node) = facts.node? else {
        // The watches of nodes and pods are two: a node that has just come may be seen later than its first pod.
        let known_for = facts.now.since(pod::changed(pod, "PodScheduled"));
        let words = format!("The node {name}, on which it ran, is not in the cluster any more.");
        let gone = || Finding { reason: reason("node_gone", words, "It is placed on another node by itself."), at: pod::taken(pod) };
        return (known_for > OVERDUE).then(gone);
    };
    let (at, why) = not_ready(node)?;
    let words = format!("Its node {name} does not answer{why}.");
    Some(Finding { reason: reason("node_gone", words, cure), at })
}

/// Since when the node is not ready, and what it says.
fn not_ready(node: &Node) -> Option<(crate::clock::Millis, String)> {
    let ready = node.status.as_ref()?.conditions.as_ref()?.iter().find(|condition| condition.type_ == "Ready")?;
    if ready.status == "True" {
        return None;
    }
    let at = ready.last_transition_time.as_ref().map(pod::millis).unwrap_or_default();
    let told = ready.message.as_deref().map(|text| quoted(text, 200)).filter(|text| !text.is_empty());
    Some((at, told.map(|text| format!(": {text}")).unwrap_or_default()))
}

/// A pod that ended for good: evicted, or by its program.
pub fn ended(pod: &Pod) -> Option<Finding> {
    if !matches!(pod::phase(pod), "Failed" | "Succeeded") {
        return None;
    }
    let status = pod.status.as_ref()?;
    let told = status.message.as_deref().unwrap_or_default();
    let at = pod::workspace_container(pod).and_then(pod::ended).and_then(pod::finished).unwrap_or_else(|| pod::taken(pod));
    if status.reason.as_deref() == Some("Evicted") {
        return Some(Finding { reason: evicted(told), at });
    }
    if let Some(finding) = disrupted(pod) {
        return Some(finding);
    }
    let oom = pod::workspace_container(pod).and_then(pod::ended).is_some_and(|end| end.reason.as_deref() == Some("OOMKilled"));
    if oom {
        let words = "The workspace used more memory than it may and was ended.";
        return Some(Finding { reason: reason("out_of_memory", words, "Start it again with more memory, or run less at once."), at });
    }
    let words = match (status.reason.as_deref(), told) {
        (Some(why), "") => format!("The workspace ended: {}.", quoted(why, 100)),
        (_, "") => "The workspace ended by itself.".to_owned(),
        (_, told) => format!("The workspace ended: {}.", quoted(told, 300)),
    };
    Some(Finding { reason: reason("ended", words, "It is started again by itself."), at })
}

fn evicted(told: &str) -> Reason {
    let words = format!("Its node ended it: {}.", quoted(told, 300));
    if told.contains("exceeds the limit") || told.contains("exceeds its local") || told.contains("ephemeral") {
        return reason("evicted", words, "It is started again by itself. Keep files in the home directory, not in temporary folders.");
    }
    reason("evicted", words, "It is started again by itself, on a node that has room.")
}

/// The cluster ends the pod for a reason of its own.
fn disrupted(pod: &Pod) -> Option<Finding> {
    let condition = pod::condition(pod, "DisruptionTarget").filter(|c| c.status == "True")?;
    let at = pod::changed(pod, "DisruptionTarget");
    let (why, text) = (condition.reason.as_deref().unwrap_or_default(), condition.message.as_deref().unwrap_or_default());
    let words = match why {
        "DeletionByTaintManager" => "Its node does not answer or is being emptied, so it is moved to another one.".to_owned(),
        "EvictionByEvictionAPI" => "Its node is being emptied, so it is moved to another one.".to_owned(),
        "PreemptionByScheduler" => "Something more important needs its node, so it has to wait for another one.".to_owned(),
        "DeletionByPodGC" => "Its node is not in the cluster any more, so it is moved to another one.".to_owned(),
        _ => format!("The cluster ends it: {}.", quoted(text, 300)),
    };
    Some(Finding { reason: reason("moved", words, "It is started again by itself; its files are kept."), at })
}
