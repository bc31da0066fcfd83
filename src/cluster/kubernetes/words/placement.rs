//! Why no node takes a pod, from the scheduler's one sentence about all nodes.
//!
//! That sentence counts nodes by what is wrong with them: `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't
//! match Pod's node affinity/selector. preemption: …`. What most nodes lack gives the code and the remedy; all of it is
//! told.

use super::{Facts, Finding, amounts, pod, quoted, reason};
use crate::cluster::Reason;
use crate::domain::quantity::{human_bytes, human_cpu};
use k8s_openapi::api::core::v1::Pod;

const GOES_ON: &str = "It starts by itself as soon as one has.";

/// What the pod asks for, to be named in the words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked {
    pub cpu_milli: i64,
    pub memory_bytes: i64,
}

/// What one group of nodes lacks.
struct Cause {
    nodes: i64,
    code: &'static str,
    /// Follows "No node", where this is all that is wrong.
    alone: String,
    /// Follows the number of nodes, where there is more.
    among: String,
    remedy: &'static str,
}

/// Why the pod waits for a node.
pub fn unplaced(facts: &Facts<'_>, pod: &Pod) -> Option<Finding> {
    let condition = pod::condition(pod, "PodScheduled").filter(|c| c.status == "False")?;
    let text = condition.message.as_deref().unwrap_or_default();
    let at = pod::changed(pod, "PodScheduled");
    if condition.reason.as_deref() == Some("SchedulingGated") {
        let words = "Something in the cluster holds it back before it is given to a node (a scheduling gate).";
        return Some(Finding { reason: reason("scheduling_gated", words, "A platform admin knows what set the gate."), at });
    }
    // The claim is why, not the node: its own words say more.
    if text.contains("unbound")
        && let Some(reason) = super::claim::unbound(facts)
    {
        return Some(Finding { reason, at });
    }
    Some(Finding { reason: words(text, asked(pod)), at })
}

/// What the scheduler counts: the larger of the containers that run and of the one that runs before them.
pub fn asked(pod: &Pod) -> Asked {
    let Some(spec) = &pod.spec else { return Asked::default() };
    let sum = |of: fn(Option<&amounts::Amounts>) -> i64| {
        let each = |c: &k8s_openapi::api::core::v1::Container| of(c.resources.as_ref().and_then(|r| r.requests.as_ref()));
        let before = spec.init_containers.iter().flatten().map(each).max().unwrap_or(0);
        spec.containers.iter().map(each).sum::<i64>().max(before)
    };
    Asked { cpu_milli: sum(amounts::cpu), memory_bytes: sum(|amounts| amounts::amount(amounts, "memory")) }
}

/// The words for the scheduler's sentence.
pub fn words(text: &str, asked: Asked) -> Reason {
    if text.contains("no nodes available to schedule pods") || text.starts_with("0/0 nodes") {
        return reason("no_nodes", "The cluster has no node.", "A platform admin can add one; it starts by itself then.");
    }
    // What could be driven out to make room is another question than this one.
    let text = text.split("preemption: ").next().unwrap_or(text);
    let body = text.split_once("nodes are available: ").map_or(text, |(_, body)| body);
    let body = body.split(". ").next().unwrap_or(body).trim_end_matches('.');
    if let Some(reason) = about_claims(body) {
        return reason;
    }
    let mut causes: Vec<Cause> = body.split(", ").filter_map(|part| cause(part, asked)).collect();
    causes.sort_by_key(|cause| -cause.nodes);
    match causes.as_slice() {
        [] => reason("unschedulable", format!("No node takes it: {}.", quoted(body, 300)), "A platform admin can look at the nodes."),
        [only] => reason(only.code, format!("No node {}.", only.alone), only.remedy),
        [most, ..] => {
            let each: Vec<String> = causes.iter().map(|cause| format!("{} {}", cause.nodes, cause.among)).collect();
            reason(most.code, format!("No node can take it: of the nodes, {}.", each.join(", ")), most.remedy)
        }
    }
}

/// What is wrong with the disk, not with the nodes: said once for all of them.
fn about_claims(body: &str) -> Option<Reason> {
    if body.contains("persistentvolumeclaim") && body.contains("not found") {
        return Some(super::claim::gone());
    }
    body.contains("unbound immediate PersistentVolumeClaims").then(|| {
        reason("disk_not_bound", "Its disk is not there yet.", "It goes on by itself; a platform admin can look at the storage class.")
    })
}

/// `2 node(s) were unschedulable` as a number and what it means.
fn cause(part: &str, asked: Asked) -> Option<Cause> {
    let (number, text) = part.trim().split_once(' ')?;
    let nodes = number.parse().ok()?;
    let (code, alone, among, remedy) = meaning(text, asked);
    Some(Cause { nodes, code, alone, among, remedy })
}

fn meaning(text: &str, asked: Asked) -> (&'static str, String, String, &'static str) {
    let same = |code, words: &str, remedy| (code, words.to_owned(), words.to_owned(), remedy);
    if let Some(what) = text.strip_prefix("Insufficient ") {
        return insufficient(what, asked);
    }
    if let Some(taint) = text.split_once('{').filter(|_| text.contains("taint")).map(|(_, rest)| rest.trim_end_matches('}')) {
        return tainted(taint.split([':', '=']).next().unwrap_or(taint).trim());
    }
    if text.contains("affinity/selector") || text.contains("node selector") {
        let (alone, among) = ("has the labels that it asks for".to_owned(), "without the labels that it asks for".to_owned());
        return ("no_matching_node", alone, among, "A platform admin can correct the node selector of the template, or label a node.");
    }
    if text.contains("were unschedulable") {
        let remedy = "A platform admin closed them (cordon) and can open them again; it starts by itself then.";
        return ("nodes_closed", "is open for new work".to_owned(), "closed for new work".to_owned(), remedy);
    }
    if text.contains("Too many pods") {
        let remedy = "Stop another workspace, or ask a platform admin for another node. It starts by itself then.";
        return ("too_many_pods", "may take another pod".to_owned(), "with as many pods as they may take".to_owned(), remedy);
    }
    if text.contains("volume node affinity conflict") {
        let (alone, among) = ("that could take it can reach its disk".to_owned(), "from where its disk cannot be reached".to_owned());
        return ("disk_elsewhere", alone, among, "Its disk is tied to one node or zone: a platform admin can bring that back.");
    }
    if text.contains("available persistent volumes to bind") {
        let (alone, among) = ("has a disk for it".to_owned(), "without a disk for it".to_owned());
        return (
            "disk_not_bound",
            alone,
            among,
            "A platform admin can add a volume, or set cluster.storage_class to a class that makes them.",
        );
    }
    if text.contains("max volume count") {
        return same("too_many_disks", "with as many disks as they may have", "Stop another workspace; it starts by itself then.");
    }
    let words = quoted(text, 200);
    ("unschedulable", format!("takes it: {words}"), format!("where {words}"), "A platform admin can look at the nodes.")
}

fn insufficient(what: &str, asked: Asked) -> (&'static str, String, String, &'static str) {
    const CURE: &str = "Choose a smaller size, stop something else, or ask a platform admin for a larger node. It starts by itself as soon as there is room.";
    let (code, free) = match what {
        "cpu" if asked.cpu_milli > 0 => ("insufficient_cpu", human_cpu(asked.cpu_milli)),
        "cpu" => ("insufficient_cpu", "enough cpu".to_owned()),
        "memory" if asked.memory_bytes > 0 => ("insufficient_memory", format!("{} of memory", human_bytes(asked.memory_bytes))),
        "memory" => ("insufficient_memory", "enough memory".to_owned()),
        other => ("insufficient_resource", format!("enough {}", quoted(other, 80))),
    };
    (code, format!("has {free} free"), format!("without {free} free"), CURE)
}

fn tainted(key: &str) -> (&'static str, String, String, &'static str) {
    let (code, alone, among) = match key {
        "node.kubernetes.io/not-ready" | "node.kubernetes.io/unreachable" => ("nodes_away", "answers", "that do not answer"),
        "node.kubernetes.io/unschedulable" => ("nodes_closed", "is open for new work", "closed for new work"),
        "node.kubernetes.io/disk-pressure" => ("nodes_full", "has disk space left", "without disk space"),
        "node.kubernetes.io/memory-pressure" => ("nodes_full", "has memory left", "short of memory"),
        "node.kubernetes.io/pid-pressure" => ("nodes_full", "has room for more processes", "with too many processes"),
        "node.kubernetes.io/network-unavailable" => ("nodes_away", "has a network", "without a network"),
        _ => {
            let key = quoted(key, 120);
            let words = (format!("is for workspaces like this one (taint {key})"), format!("kept for something else (taint {key})"));
            return (
                "nodes_reserved",
                words.0,
                words.1,
                "A platform admin can add a toleration to the template or to cluster.tolerations.",
            );
        }
    };
    (code, alone.to_owned(), among.to_owned(), GOES_ON)
}
