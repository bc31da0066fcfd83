//! Why a container does not run, does not stay, or does not answer.
//!
//! The agent is the first process of the workspace's container, so a container that ends is a workspace that ended. Its
//! last lines come with the status of the pod (`terminationMessagePolicy: FallbackToLogsOnError`).

use super::{Facts, Finding, amounts, image, pod, quoted, reason, warning};
use crate::cluster::Reason;
use crate::domain::agent::StartEvent;
use crate::domain::quantity::human_bytes;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod};

const LAST_LINES: usize = 5;
const LONGEST_LINES: usize = 500;

/// What keeps a container from running, if anything does.
pub fn failed(facts: &Facts<'_>, pod: &Pod) -> Option<Finding> {
    let agent = pod::agent_container(pod).filter(|status| !has_succeeded(status));
    let (status, is_agent) = agent.map(|status| (status, true)).or_else(|| Some((pod::workspace_container(pod)?, false)))?;
    if let Some((waiting, message)) = pod::waiting(status) {
        if image::REASONS.contains(&waiting) {
            let reason = image::words(waiting, &status.image, &pull_text(facts, pod, message), is_agent);
            return Some(Finding { reason, at: pod::prepared(pod) });
        }
        if let Some(reason) = not_made(waiting, message) {
            return Some(Finding { reason, at: pod::prepared(pod) });
        }
        if waiting != "CrashLoopBackOff" {
            return None;
        }
    } else if status.state.as_ref().is_none_or(|state| state.terminated.is_none()) {
        return None;
    }
    let end = pod::ended(status)?;
    let at = pod::finished(end).unwrap_or_else(|| pod::taken(pod));
    Some(Finding { reason: death(facts, pod, end, is_agent), at })
}

/// Every end of the workspace's container that the pod still tells of: also where it runs again.
pub fn deaths(facts: &Facts<'_>, pod: &Pod) -> Option<Finding> {
    let end = pod::ended(pod::workspace_container(pod)?)?;
    Some(Finding { reason: death(facts, pod, end, false), at: pod::finished(end)? })
}

fn has_succeeded(status: &ContainerStatus) -> bool {
    status.state.as_ref().and_then(|state| state.terminated.as_ref()).is_some_and(|end| end.exit_code == 0)
}

/// The text of the pull itself. A back-off repeats it after its own words; older clusters say it in a warning alone.
fn pull_text(facts: &Facts<'_>, pod: &Pod, message: &str) -> String {
    if let Some((_, text)) = message.split_once("ErrImagePull: ") {
        return text.to_owned();
    }
    if !message.is_empty() && !message.starts_with("Back-off") {
        return message.to_owned();
    }
    let uid = pod.metadata.uid.as_deref();
    let told = facts.warnings.iter().rev().find(|w| Some(w.object_uid.as_str()) == uid && w.message.starts_with("Failed to pull image"));
    let text = told.map(|w| w.message.split_once("\": ").map_or(w.message.as_str(), |(_, text)| text));
    text.unwrap_or(message).to_owned()
}

fn not_made(waiting: &str, message: &str) -> Option<Reason> {
    let told = quoted(message, 400);
    let found = match waiting {
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError"
            if ["non-root", "nonroot", "run as root", "non-numeric user"].iter().any(|w| message.to_ascii_lowercase().contains(w)) =>
        {
            let words = format!("The image wants to run as root, which workspaces may not: {told}.");
            reason(
                "runs_as_root",
                words,
                "Choose an image that runs as a numbered user, or ask a platform admin to set one in the template.",
            )
        }
        "CreateContainerConfigError" if message.contains("not found") => {
            let words = format!("Something that the container is made from is not there: {told}.");
            reason("setting_missing", words, "It is made again by itself; if not, stop the workspace and start it again.")
        }
        "RunContainerError" | "CreateContainerError" if is_missing_program(message) => no_program(&told),
        "CreateContainerConfigError"
        | "CreateContainerError"
        | "RunContainerError"
        | "PreCreateHookError"
        | "PreStartHookError"
        | "PostStartHookError" => {
            reason("container_not_made", format!("The container could not be made: {told}."), "A platform admin can look at the node.")
        }
        _ => return None,
    };
    Some(found)
}

fn is_missing_program(text: &str) -> bool {
    ["executable file not found", "no such file or directory", "exec format error"].iter().any(|words| text.contains(words))
}

fn no_program(told: &str) -> Reason {
    let cure = "Choose an image for the processors of the nodes that has what the template starts, or correct the template.";
    reason("program_not_found", format!("The program of the workspace could not be started: {told}."), cure)
}

fn death(facts: &Facts<'_>, pod: &Pod, end: &ContainerStateTerminated, is_agent: bool) -> Reason {
    let why = end.reason.as_deref().unwrap_or_default();
    let said = end.message.as_deref().unwrap_or_default();
    if let Some(reason) = agents_words(said) {
        return reason;
    }
    if is_agent {
        let words = format!("The agent could not be copied into the workspace (exit code {}){}.", end.exit_code, last_lines(said));
        return reason("agent_not_installed", words, "A platform admin can check that cluster.agent_image is an image of Codex Web.");
    }
    let probe = if matches!(end.exit_code, 137 | 143) { probe_killed(facts, pod, end) } else { None };
    match (why, end.exit_code) {
        ("OOMKilled", _) => out_of_memory(pod),
        ("StartError" | "ContainerCannotRun", _) if is_missing_program(said) => no_program(&quoted(said, 400)),
        ("StartError" | "ContainerCannotRun", _) => reason(
            "container_not_made",
            format!("The container could not be started: {}.", quoted(said, 400)),
            "A platform admin can look at the node.",
        ),
        (_, 0) => reason("ended", format!("The workspace ended by itself{}.", last_lines(said)), "It is started again by itself."),
        (_, code) => {
            if let Some(probe) = probe {
                let words = format!("The agent did not answer any more, so the workspace was started again: {probe}.");
                return reason("agent_stuck", words, "If this happens again, give it more cpu or memory, or look at what uses them up.");
            }
            let words = format!("The workspace ended by itself with exit code {code}{}{}.", meaning(code), last_lines(said));
            reason("crashed", words, "Its log says more. It is started again by itself, after longer and longer pauses.")
        }
    }
}

/// An agent that cannot begin says why, as one line of JSON in place of its last lines.
fn agents_words(said: &str) -> Option<Reason> {
    let StartEvent::Failed { code, message, remedy } = said.lines().find_map(|line| serde_json::from_str(line.trim()).ok())? else {
        return None;
    };
    let is_code = (1..=40).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let words = format!("{}.", quoted(&message, 400));
    is_code.then(|| reason(&code, words, &remedy.map(|remedy| quoted(&remedy, 300)).map(|r| format!("{r}.")).unwrap_or_default()))
}

fn out_of_memory(pod: &Pod) -> Reason {
    let limits = pod.spec.as_ref().and_then(|spec| spec.containers.first()?.resources.as_ref()?.limits.as_ref());
    let words = match amounts::amount(limits, "memory") {
        0 => "The workspace used more memory than it may and was ended.".to_owned(),
        bytes => format!("The workspace used more memory than its {} and was ended.", human_bytes(bytes)),
    };
    reason("out_of_memory", words, "Start it again with more memory, or run less at once.")
}

fn meaning(code: i32) -> &'static str {
    match code {
        126 => " (not executable)",
        127 => " (command not found)",
        130 => " (interrupted)",
        134 => " (aborted)",
        137 => " (killed)",
        139 => " (it reached for memory that is not its own)",
        143 => " (asked to end)",
        _ => "",
    }
}

/// The line by which the agent begins a run: where there is no other, the workspace said nothing.
fn is_the_agents(line: &str) -> bool {
    let run = line.strip_prefix("run ").and_then(|rest| rest.split_once(" began: "));
    run.is_some_and(|(number, _)| number.bytes().all(|b| b.is_ascii_digit()))
}

fn last_lines(said: &str) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty() && !is_the_agents(line)).collect();
    let last = lines.get(lines.len().saturating_sub(LAST_LINES)..).unwrap_or_default().join(" | ");
    let too_long = last.chars().count().saturating_sub(LONGEST_LINES);
    let last: String = last.chars().skip(too_long).collect();
    if last.is_empty() { String::new() } else { format!("; its last lines: {}", quoted(&last, LONGEST_LINES)) }
}

/// What the liveness probe said, where it was the one to end the container: shortly before the end.
fn probe_killed(facts: &Facts<'_>, pod: &Pod, end: &ContainerStateTerminated) -> Option<String> {
    const GRACE: i64 = 90 * crate::clock::SECOND;
    let at = pod::finished(end)?;
    let uid = pod.metadata.uid.as_deref()?;
    let probe = |w: &&warning::Warning| w.object_uid == uid && w.reason == "Unhealthy" && !w.message.starts_with("Readiness");
    let told =
        facts.warnings.iter().filter(probe).filter(|w| w.last <= at.plus(1_999) && at.since(w.last) < GRACE).max_by_key(|w| w.last)?;
    Some(quoted(&told.message, 300))
}

/// What the checks of a container say that runs and does not answer, once it had its time.
pub fn silent(facts: &Facts<'_>, pod: &Pod, patience: i64) -> Option<Finding> {
    let since = pod::running_since(pod::workspace_container(pod)?)?;
    if facts.now.since(since) < patience {
        return None;
    }
    let told = warning::newest(facts.warnings, pod.metadata.uid.as_deref(), &["Unhealthy"]).filter(|w| w.last.plus(1_000) >= since)?;
    let words = format!("It runs, but its agent does not answer: {}.", quoted(&told.message, 300));
    let cure = "It goes on by itself as soon as the agent answers; if it does not, start it again with more cpu or memory.";
    Some(Finding { reason: reason("agent_silent", words, cure), at: told.first })
}
