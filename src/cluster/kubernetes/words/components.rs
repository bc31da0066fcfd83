//! The parts of a workspace in the cluster and how each is: StatefulSet, Service, claim, pod, in this order (the seeds'
//! component health). Amounts and words of the cluster itself stand in the details.

use super::{Facts, claim, pod, quoted, replicas, warning};
use crate::cluster::Component;
use crate::cluster::kubernetes::names;
use crate::domain::id::WorkspaceId;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, Service};

const LONGEST: usize = 600;

/// All parts.
pub fn components(id: &WorkspaceId, facts: &Facts<'_>) -> Vec<Component> {
    let name = names::workspace(id);
    vec![stateful_set(&name, facts), service(&name, facts.service), disk(&names::volume(id), facts), pods(&name, facts)]
}

fn part(name: &str, kind: &str, healthy: bool, status: &str, reason: &str, details: String) -> Component {
    let (name, kind) = (name.to_owned(), kind.to_owned());
    Component { name, kind, healthy, status: status.to_owned(), reason: reason.to_owned(), details }
}

fn missing(name: &str, kind: &str) -> Component {
    part(name, kind, false, "NotFound", "NotFound", "It is not in the cluster.".to_owned())
}

fn stateful_set(name: &str, facts: &Facts<'_>) -> Component {
    let Some(set) = facts.set else { return missing(name, "statefulset") };
    let wanted = replicas(set);
    let ready = set.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or(0);
    let details = format!("{ready} of {wanted} ready");
    if set.metadata.deletion_timestamp.is_some() {
        return part(name, "statefulset", false, "Terminating", "Terminating", details);
    }
    let refused = warning::newest(facts.warnings, set.metadata.uid.as_deref(), &["FailedCreate"]).filter(|_| facts.pod.is_none());
    match (wanted, ready >= wanted, refused) {
        (0, ..) => part(name, "statefulset", true, "Stopped", "", details),
        (_, true, _) => part(name, "statefulset", true, "Ready", "", details),
        (.., Some(w)) => part(name, "statefulset", false, "NotReady", &w.reason, quoted(&w.message, LONGEST)),
        _ => part(name, "statefulset", false, "NotReady", "", details),
    }
}

fn service(name: &str, service: Option<&Service>) -> Component {
    let Some(service) = service else { return missing(name, "service") };
    let spec = service.spec.as_ref();
    let address = spec.and_then(|spec| spec.cluster_ip.as_deref()).unwrap_or_default();
    let ports: Vec<String> = spec.and_then(|s| s.ports.as_ref()).into_iter().flatten().map(|p| p.port.to_string()).collect();
    if address.is_empty() || ports.is_empty() {
        return part(name, "service", false, "Misconfigured", "Misconfigured", "It has no address or no ports.".to_owned());
    }
    // A headless service has no address of its own: its name leads to the pod.
    let address = if address == "None" { "leads to the pod" } else { address };
    part(name, "service", true, "Ready", "", format!("{address}, port {}", ports.join(", ")))
}

fn disk(name: &str, facts: &Facts<'_>) -> Component {
    let Some(found) = facts.claim else { return missing(name, "pvc") };
    let status = found.status.as_ref();
    let phase = status.and_then(|status| status.phase.as_deref()).unwrap_or("Pending");
    if found.metadata.deletion_timestamp.is_some() {
        return part(name, "pvc", false, "Terminating", "Terminating", "It is being deleted.".to_owned());
    }
    if phase != "Bound" {
        let why = claim::unbound(facts);
        let (code, details) = why.map_or_else(Default::default, |why| (why.code, why.message));
        // A claim of a stopped workspace that never ran waits for its first pod.
        let waits = code.is_empty() && facts.set.is_some_and(|set| replicas(set) == 0);
        let details = if waits { "Its volume is made at the first start.".to_owned() } else { details };
        return part(name, "pvc", waits, phase, &code, details);
    }
    let has = status.and_then(|s| s.capacity.as_ref()?.get("storage")).map(|q| q.0.clone()).unwrap_or_default();
    let wants = found.spec.as_ref().and_then(|s| s.resources.as_ref()?.requests.as_ref()?.get("storage")).map(|q| q.0.clone());
    let grows = status.and_then(|s| s.conditions.as_ref()).into_iter().flatten().find(|c| c.status == "True");
    let details = match (grows, wants) {
        (Some(c), Some(wants)) => quoted(&format!("{has}, to become {wants}: {} {}", c.type_, c.message.as_deref().unwrap_or("")), LONGEST),
        _ => has,
    };
    part(name, "pvc", true, phase, "", details)
}

fn pods(name: &str, facts: &Facts<'_>) -> Component {
    let wanted = facts.set.map_or(0, replicas);
    let Some(found) = facts.pod else {
        return part(name, "pod", wanted == 0, "NoPods", "", String::new());
    };
    let name = found.metadata.name.as_deref().unwrap_or(name);
    let node = pod::node(found).map(|node| format!("on {node}")).unwrap_or_default();
    if found.metadata.deletion_timestamp.is_some() {
        return part(name, "pod", false, "Terminating", "Terminating", node);
    }
    if pod::is_true(found, "Ready") {
        let restarts = pod::workspace_container(found).map_or(0, |status| status.restart_count);
        let times = match restarts {
            0 => String::new(),
            1 => ", started again once".to_owned(),
            n => format!(", started again {n} times"),
        };
        return part(name, "pod", true, "Running", "", format!("{node}{times}"));
    }
    let (reason, details) = why_not_ready(found);
    part(name, "pod", false, pod::phase(found), &reason, quoted(&format!("{node} {details}"), LONGEST))
}

fn why_not_ready(found: &Pod) -> (String, String) {
    let statuses = [pod::agent_container(found), pod::workspace_container(found)];
    let waits = |status: &ContainerStatus| pod::waiting(status).map(|(reason, text)| (reason.to_owned(), text.to_owned()));
    let busy = |(reason, _): &(String, String)| !matches!(reason.as_str(), "PodInitializing" | "ContainerCreating");
    if let Some(found) = statuses.into_iter().flatten().filter_map(waits).find(busy) {
        return found;
    }
    let conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"];
    let condition = conditions.iter().find_map(|kind| pod::condition(found, kind).filter(|c| c.status != "True"));
    let told = |text: &Option<String>| text.clone().unwrap_or_default();
    condition.map_or_else(Default::default, |c| (told(&c.reason), told(&c.message)))
}
