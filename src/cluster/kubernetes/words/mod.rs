//! From what Kubernetes holds of a workspace to what a person is told: its phase, why, and what to do now. Pure.
//!
//! Kubernetes says why something does not go on in a dozen places: conditions of the pod, states of its containers,
//! warnings about the StatefulSet, the claim, the node. [`judge`] asks them in the order in which a start goes through
//! them, and the first that objects has the word. The words of each place have a file of their own, and each file has a
//! table of texts as real clusters write them. What is not recognised is shown as the cluster said it: never swallowed.
//!
//! Nothing here waits, asks or remembers; what was told already is the business of [`super::notes`].

pub mod amounts;
pub mod claim;
pub mod components;
pub mod container;
pub mod image;
pub mod leaving;
pub mod placement;
pub mod pod;
pub mod refused;
pub mod steps;
#[cfg(test)]
mod tests;
pub mod warning;

use crate::clock::{Millis, SECOND};
use crate::cluster::{Phase, Reason};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Node, PersistentVolumeClaim, Pod, Service};
use warning::Warning;

/// How long a StatefulSet may be without its pod, and a claim be unseen, before that means something: the parts of one
/// change reach the server over several watches, in any order. Milliseconds.
const SETTLING: i64 = 3 * SECOND;

/// A container that has started and does not answer its checks for so long does not just take its time. Milliseconds.
const PATIENCE: i64 = 20 * SECOND;

/// Everything that is known of one workspace.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub set: Option<&'a StatefulSet>,
    pub pod: Option<&'a Pod>,
    pub claim: Option<&'a PersistentVolumeClaim>,
    pub service: Option<&'a Service>,
    /// The node of the pod: `None` where nodes may not be looked at, `Some(None)` where there is no such node.
    pub node: Option<Option<&'a Node>>,
    /// About any of its objects, oldest first.
    pub warnings: &'a [Warning],
    /// Since when the StatefulSet is known as it is now; earlier than the server's start where it was there before.
    pub since: Millis,
    pub now: Millis,
}

/// A reason, and since when the cluster says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub reason: Reason,
    pub at: Millis,
}

/// How a workspace is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    pub phase: Phase,
    pub finding: Option<Finding>,
}

impl Judgement {
    fn plain(phase: Phase) -> Self {
        Self { phase, finding: None }
    }

    fn because(phase: Phase, finding: Finding) -> Self {
        Self { phase, finding: Some(finding) }
    }
}

/// A reason with its words; an empty remedy is none.
pub fn reason(code: &str, message: impl Into<String>, remedy: &str) -> Reason {
    let remedy = (!remedy.is_empty()).then(|| remedy.to_owned());
    Reason { code: code.to_owned(), message: message.into(), remedy }
}

/// Foreign text as part of a sentence: one line, without control characters and punctuation at the end, at most `most`
/// characters.
pub fn quoted(text: &str, most: usize) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let plain: String = words.chars().filter(|c| !c.is_control()).collect();
    let plain = plain.trim_end_matches(['.', ':', ' ']);
    if plain.chars().count() <= most {
        return plain.to_owned();
    }
    plain.chars().take(most).chain("…".chars()).collect()
}

/// The phase of a workspace, and why where there is something to say.
pub fn judge(facts: &Facts<'_>) -> Judgement {
    let Some(set) = facts.set else { return without_set(facts) };
    if set.metadata.deletion_timestamp.is_some() {
        return leaving::all(facts);
    }
    if replicas(set) == 0 {
        return match facts.pod {
            Some(pod) => leaving::stopping(facts, pod),
            None => Judgement { phase: Phase::Absent, finding: claim::missing(facts, set) },
        };
    }
    if let Some(finding) = claim::missing(facts, set) {
        return Judgement::because(Phase::Failed, finding);
    }
    match facts.pod {
        None => without_pod(facts),
        Some(pod) if pod.metadata.deletion_timestamp.is_some() => leaving::replaced(facts, pod),
        Some(pod) if pod::run(&pod.metadata) < pod::run(&set.metadata) => Judgement::plain(Phase::Creating),
        Some(pod) => with_pod(facts, pod),
    }
}

/// How many pods the StatefulSet is to have.
pub fn replicas(set: &StatefulSet) -> i32 {
    set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1)
}

/// Objects without their StatefulSet: leaving together with it, or left behind, which makes the workspace to be applied
/// anew.
fn without_set(facts: &Facts<'_>) -> Judgement {
    let stays = facts.claim.is_some_and(|claim| claim.metadata.deletion_timestamp.is_none())
        || facts.service.is_some_and(|service| service.metadata.deletion_timestamp.is_none());
    if stays { Judgement::plain(Phase::Absent) } else { leaving::all(facts) }
}

/// The StatefulSet asks for a pod and has none: just not yet, or because it is refused one.
fn without_pod(facts: &Facts<'_>) -> Judgement {
    let uid = facts.set.and_then(|set| set.metadata.uid.as_deref());
    let refusal = warning::newest(facts.warnings, uid, &["FailedCreate"]);
    let holds = |w: &Warning| w.last >= facts.since || facts.now.since(facts.since) > SETTLING;
    match refusal.filter(|w| holds(w)) {
        Some(warning) => Judgement::because(Phase::Waiting, Finding { reason: refused::words(&warning.message), at: warning.first }),
        None => Judgement::plain(Phase::Creating),
    }
}

fn with_pod(facts: &Facts<'_>, pod: &Pod) -> Judgement {
    if let Some(finding) = leaving::ended(pod) {
        return Judgement::because(Phase::Failed, finding);
    }
    if let Some(finding) = placement::unplaced(facts, pod) {
        return Judgement::because(Phase::Waiting, finding);
    }
    if let Some(finding) = claim::awaited(facts, pod).or_else(|| leaving::node_gone(facts, pod)) {
        return Judgement::because(Phase::Waiting, finding);
    }
    if pod::is_true(pod, "Ready") {
        return Judgement { phase: Phase::Ready, finding: claim::leaving(facts) };
    }
    if let Some(finding) = container::failed(facts, pod) {
        return Judgement::because(Phase::Failed, finding);
    }
    if let Some(finding) = claim::unmounted(facts, pod) {
        return Judgement::because(Phase::Waiting, finding);
    }
    Judgement { phase: Phase::Creating, finding: container::silent(facts, pod, PATIENCE) }
}
