//! How far the start of a pod is, as lines of the timeline, and what size it has.
//!
//! A step is something that the cluster itself remembers with its time, so the same steps can be read again by a server
//! that has just started.

use super::{Facts, Finding, Judgement, amounts, container, pod};
use crate::clock::Millis;
use crate::cluster::kubernetes::names::CONTAINER;
use crate::cluster::kubernetes::quantity::units;
use crate::cluster::{NoteKind, Phase, Size};
use amounts::Amounts;
use k8s_openapi::api::core::v1::Pod;

/// A line of the timeline before it is known whether it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// By the cluster's clock.
    pub at: Millis,
    pub kind: NoteKind,
    pub code: String,
    pub message: String,
}

/// All that can be told of this pod and of what is wrong now, oldest first.
pub fn lines(facts: &Facts<'_>, judgement: &Judgement) -> Vec<Line> {
    let mut lines = facts.pod.filter(|pod| is_of_this_run(facts, pod)).map(|pod| steps(facts, pod)).unwrap_or_default();
    let kind = match judgement.phase {
        Phase::Failed => NoteKind::Error,
        _ => NoteKind::Warning,
    };
    if let Some(Finding { reason, at }) = &judgement.finding {
        // What was told as an end of the container is the same finding.
        if !lines.iter().any(|line| line.code == reason.code && line.message == reason.message) {
            lines.push(Line { at: *at, kind, code: reason.code.clone(), message: reason.message.clone() });
        }
    }
    lines
}

fn is_of_this_run(facts: &Facts<'_>, found: &Pod) -> bool {
    facts.set.is_none_or(|set| pod::run(&found.metadata) >= pod::run(&set.metadata))
}

fn steps(facts: &Facts<'_>, found: &Pod) -> Vec<Line> {
    let step = |at: Millis, code: &str, message: String| Line { at, kind: NoteKind::Step, code: code.to_owned(), message };
    let mut lines = vec![step(pod::made(&found.metadata), "accepted", "The start was accepted.".to_owned())];
    if let Some(node) = pod::node(found).filter(|_| pod::is_true(found, "PodScheduled")) {
        lines.push(step(pod::changed(found, "PodScheduled"), "placed", format!("Placed on the node {node}.")));
    }
    if pod::is_true(found, "PodReadyToStartContainers") {
        lines.push(step(pod::changed(found, "PodReadyToStartContainers"), "disk_attached", "The disk is attached.".to_owned()));
    }
    let container = pod::workspace_container(found);
    if let Some((status, since)) = container.and_then(|status| Some((status, pod::running_since(status)?))) {
        if status.restart_count == 0 {
            lines.push(step(since, "image_pulled", format!("The image {} is there.", status.image)));
        }
        if status.started == Some(true) {
            lines.push(step(since, "agent_answers", "The agent answers.".to_owned()));
        }
    }
    if let Some(death) = container::deaths(facts, found) {
        let Finding { reason, at } = death;
        lines.push(Line { at, kind: NoteKind::Error, code: reason.code, message: reason.message });
    }
    if pod::is_true(found, "Ready") {
        lines.push(step(pod::changed(found, "Ready"), "ready", "The workspace is ready.".to_owned()));
    }
    lines
}

/// The size that is in force: what the node gave the container, and how large the disk is.
pub fn applied(facts: &Facts<'_>) -> Option<Size> {
    let found = facts.pod.filter(|found| !matches!(pod::phase(found), "Failed" | "Succeeded"))?;
    let spec = found.spec.as_ref()?.containers.iter().find(|container| container.name == CONTAINER)?;
    let given = pod::workspace_container(found).and_then(|status| status.resources.as_ref());
    let resources = given.filter(|r| r.requests.is_some() || r.limits.is_some()).or(spec.resources.as_ref())?;
    let (requests, limits) = (resources.requests.as_ref(), resources.limits.as_ref());
    let larger = |of: &dyn Fn(Option<&Amounts>) -> i64| of(limits).max(of(requests));
    let extended = limits.into_iter().flatten().filter(|(name, _)| name.contains('/'));
    Some(Size {
        cpu_milli: larger(&amounts::cpu),
        memory_bytes: larger(&|amounts| amounts::amount(amounts, "memory")),
        disk_bytes: disk(facts),
        extended: extended.filter_map(|(name, q)| Some((name.clone(), units(q)?))).collect(),
    })
}

/// What was asked for, once the volume is at least that large; else what the volume has.
fn disk(facts: &Facts<'_>) -> i64 {
    let Some(claim) = facts.claim else { return 0 };
    let asked = claim.spec.as_ref().and_then(|spec| spec.resources.as_ref()?.requests.as_ref());
    let has = claim.status.as_ref().and_then(|status| status.capacity.as_ref());
    let (asked, has) = (amounts::amount(asked, "storage"), amounts::amount(has, "storage"));
    if has == 0 { asked } else { asked.min(has) }
}
