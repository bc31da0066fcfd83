//! Why the cluster refuses to make an object: its admission in words.
//!
//! The same texts come in two ways: as the answer to a call of ours, and as the warning `FailedCreate` about a
//! StatefulSet whose pod is refused, there with `create Pod … failed error: ` in front.

use super::{quoted, reason};
use crate::cluster::Reason;

/// The words for a refusal.
pub fn words(text: &str) -> Reason {
    let text = text.split_once(" failed error: ").map_or(text, |(_, rest)| rest);
    quota(text).or_else(|| policy(text)).or_else(|| missing(text)).unwrap_or_else(|| {
        let why = text.split_once(" is forbidden: ").map_or(text, |(_, why)| why);
        reason("refused", format!("The cluster refuses it: {}.", quoted(why, 400)), "A platform admin can look at it.")
    })
}

fn quota(text: &str) -> Option<Reason> {
    if let Some((_, rest)) = text.split_once("exceeded quota: ") {
        let name = rest.split(',').next().unwrap_or_default();
        let (requested, used, limited) = (list(rest, "requested: "), list(rest, "used: "), list(rest, "limited: "));
        let short: Vec<String> = requested
            .iter()
            .map(|(key, needs)| {
                let of = |all: &[(String, String)]| all.iter().find(|(k, _)| k == key).map_or("?".to_owned(), |(_, v)| v.clone());
                format!("{key}: needs {needs}, {} of {} used", of(&used), of(&limited))
            })
            .collect();
        let words = format!("The cluster's own quota of the group ({name}) is used up: {}.", short.join("; "));
        let cure = "Stop another workspace of the group, or ask a platform admin for a larger quota. It starts by itself then.";
        return Some(reason("quota_refused", words, cure));
    }
    let (_, rest) = text.split_once("failed quota: ")?;
    let (name, must) = rest.split_once(": must specify ")?;
    let words =
        format!("A quota in the group's namespace ({name}) asks for amounts that the workspace does not state: {}.", quoted(must, 200));
    Some(reason("quota_needs_amounts", words, "A platform admin can remove that quota: the group has one of its own."))
}

/// `a=1,b=2` after the word, up to the next word.
fn list(text: &str, word: &str) -> Vec<(String, String)> {
    let Some((_, rest)) = text.split_once(word) else { return Vec::new() };
    let end = rest.find(", ").unwrap_or(rest.len());
    rest[..end].split(',').filter_map(|pair| pair.split_once('=')).map(|(k, v)| (k.trim().to_owned(), v.trim().to_owned())).collect()
}

fn policy(text: &str) -> Option<Reason> {
    if let Some((_, rest)) = text.split_once("violates PodSecurity ") {
        let (level, what) = rest.split_once(": ").unwrap_or((rest, ""));
        let level = level.trim_matches('"').split(':').next().unwrap_or_default();
        let words = format!("The namespace allows only pods of the level {level}, and this one is not: {}.", quoted(what, 500));
        return Some(reason("pod_security", words, "A platform admin can correct the template, or what changes pods on their way in."));
    }
    if let Some((_, rest)) = text.split_once("admission webhook ") {
        let (name, why) = rest.split_once(" denied the request").unwrap_or((rest, ""));
        let words = format!("A rule of the cluster ({}) refuses it{}.", name.trim_matches('"'), quoted(why, 400));
        return Some(reason("admission_refused", words, "Who runs the cluster can change the rule."));
    }
    if text.contains("failed calling webhook") {
        let words = format!("A rule of the cluster cannot be asked: {}.", quoted(text, 400));
        return Some(reason(
            "admission_away",
            words,
            "It is tried again by itself; who runs the cluster can look at its admission webhooks.",
        ));
    }
    if ["maximum ", "minimum ", "usage per "].iter().filter(|word| text.contains(*word)).count() == 2 {
        let why = text.split_once(" is forbidden: ").map_or(text, |(_, why)| why);
        let words = format!("The limits of the group's namespace do not allow this size: {}.", quoted(why, 300));
        return Some(reason("limit_range", words, "Choose another size, or ask a platform admin about the LimitRange."));
    }
    if text.contains("because it is being terminated") {
        return Some(reason("group_deleting", "The namespace of the group is being deleted.", "Make the workspace in another group."));
    }
    None
}

fn missing(text: &str) -> Option<Reason> {
    if text.contains("service account") || text.contains("serviceaccount") {
        let words = "The service account of the group is not there.";
        return Some(reason(
            "account_missing",
            words,
            "It is made again by itself; if not, a platform admin can save the group once more.",
        ));
    }
    if text.contains("no PriorityClass with name") {
        let words = format!("The template names a priority class that is not there: {}.", quoted(text, 200));
        return Some(reason("priority_class_missing", words, "A platform admin can correct the template."));
    }
    None
}
