//! What the cluster answers when it does not do as asked, in the product's words: what to wait for, what to correct, and
//! who can correct it.

use crate::cluster::{ClusterError, Reason};
use kube::Error;
use kube::core::Status;
use std::time::Duration;

/// Whether our credentials were refused.
pub fn is_unauthorized(error: &Error) -> bool {
    matches!(error, Error::Api(status) if status.code == 401)
}

/// Whether the API server has too much to do at the moment.
pub fn is_throttled(error: &Error) -> bool {
    matches!(error, Error::Api(status) if matches!(status.code, 429 | 503))
}

/// The API server asked to be left alone for so long.
pub fn throttled(wait: Duration) -> ClusterError {
    let seconds = wait.as_secs_f64().ceil();
    ClusterError::Transient(format!("the cluster has too much to do: it asks to wait {seconds} seconds"))
}

/// Whether there is no such object.
pub fn is_not_found(error: &Error) -> bool {
    matches!(error, Error::Api(status) if status.is_not_found())
}

/// No answer within the time that a request may take.
pub fn too_slow(limit: Duration) -> ClusterError {
    ClusterError::Transient(format!("the cluster did not answer within {} seconds", limit.as_secs()))
}

/// The product's error for one of the client's.
pub fn of(error: &Error) -> ClusterError {
    match error {
        Error::Api(status) => of_status(status),
        Error::Service(inner) => ClusterError::Transient(format!("the cluster does not answer: {}", chain(inner.as_ref()))),
        Error::HyperError(inner) => ClusterError::Transient(format!("the connection to the cluster ended: {}", chain(inner))),
        Error::Auth(inner) => ClusterError::Transient(format!("the credentials for the cluster cannot be used: {}", chain(inner))),
        other => ClusterError::Transient(format!("the cluster's answer cannot be used: {}", chain(other))),
    }
}

fn of_status(status: &Status) -> ClusterError {
    let told = told(status);
    match status.code {
        401 => ClusterError::Transient(
            "the cluster does not accept the server's credentials (401): the token has expired or was withdrawn; a platform admin writes a new one into the kubeconfig".to_owned(),
        ),
        403 => forbidden(&told),
        404 => ClusterError::Gone,
        409 if status.reason == "AlreadyExists" => ClusterError::Conflict(told),
        409 => ClusterError::Transient(format!("somebody else changed it at the same moment: {told}")),
        400 | 405 | 413 | 415 | 422 => ClusterError::Rejected(Reason {
            code: "cluster_refused".to_owned(),
            message: format!("The cluster does not accept it: {told}"),
            remedy: Some("A platform admin can look at the template and at the size.".to_owned()),
        }),
        429 => {
            let wait = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
            let when = if wait > 0 { format!("it asks to wait {wait} seconds") } else { "it asks to come back later".to_owned() };
            ClusterError::Transient(format!("the cluster has too much to do (429): {when}"))
        }
        504 => ClusterError::Transient(format!("the cluster could not do it in time (504): {told}")),
        code => ClusterError::Transient(format!("the cluster failed at it ({code}): {told}")),
    }
}

/// 403 is three different things: a right that is missing, a limit that is reached, and a namespace that is leaving.
fn forbidden(told: &str) -> ClusterError {
    if told.contains("exceeded quota") {
        return ClusterError::Rejected(Reason {
            code: "quota_exceeded".to_owned(),
            message: format!("The group's quota in the cluster does not allow it: {told}"),
            remedy: Some("Stop or remove something in the group, or ask a platform admin for a larger quota.".to_owned()),
        });
    }
    if told.contains("is being terminated") {
        return ClusterError::Transient("the group's namespace is being removed".to_owned());
    }
    if told.contains("violates PodSecurity") {
        return ClusterError::Rejected(Reason {
            code: "pod_security".to_owned(),
            message: format!("The cluster's pod security does not allow it: {told}"),
            remedy: Some("A platform admin can look at the admission rules of the cluster.".to_owned()),
        });
    }
    if let Some(right) = missing_right(told) {
        return ClusterError::Rejected(Reason {
            code: "right_missing".to_owned(),
            message: format!("The server may not {right} in the cluster."),
            remedy: Some("A platform admin gives its service account this right; codex-web doctor lists all that are missing.".to_owned()),
        });
    }
    ClusterError::Rejected(Reason {
        code: "cluster_refused".to_owned(),
        message: format!("The cluster refused it: {told}"),
        remedy: Some("A platform admin can look at the admission rules of the cluster.".to_owned()),
    })
}

/// `patch statefulsets.apps (namespace team-a)` out of `… User "x" cannot patch resource "statefulsets" in API group "apps" in
/// the namespace "team-a"`.
fn missing_right(told: &str) -> Option<String> {
    let (_, rest) = told.split_once(" cannot ")?;
    let (verb, rest) = rest.split_once(" resource \"")?;
    let (resource, rest) = rest.split_once('"')?;
    let quoted = |after: &str| rest.split_once(after).and_then(|(_, text)| text.split_once('"')).map(|(name, _)| name);
    let group = quoted("API group \"").filter(|group| !group.is_empty()).map(|group| format!(".{group}")).unwrap_or_default();
    let place = quoted("in the namespace \"").map(|namespace| format!(" (namespace {namespace})")).unwrap_or_default();
    Some(format!("{verb} {resource}{group}{place}"))
}

/// The cluster's own words, on one line and bounded.
fn told(status: &Status) -> String {
    const LONGEST: usize = 500;
    let text = if status.message.is_empty() { &status.reason } else { &status.message };
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(LONGEST).collect()
}

/// An error with its causes; libraries keep the useful half in the last one.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut words = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !words.iter().any(|word| word.contains(&text)) {
            words.push(text);
        }
        next = cause.source();
    }
    words.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, reason: &str, message: &str) -> Status {
        Status { code, reason: reason.to_owned(), message: message.to_owned(), ..Status::default() }
    }

    fn code(error: &ClusterError) -> &str {
        match error {
            ClusterError::Transient(_) => "transient",
            ClusterError::Rejected(reason) => &reason.code,
            ClusterError::Conflict(_) => "conflict",
            ClusterError::Gone => "gone",
        }
    }

    #[test]
    fn each_answer_says_whether_waiting_helps() {
        for (answer, expected) in [
            (status(401, "Unauthorized", "Unauthorized"), "transient"),
            (status(403, "Forbidden", "pods \"x\" is forbidden: exceeded quota: group-quota, requested: pods=1"), "quota_exceeded"),
            (status(403, "Forbidden", "unable to create new content in namespace f because it is being terminated"), "transient"),
            (status(403, "Forbidden", "pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\": privileged"), "pod_security"),
            (status(404, "NotFound", "namespaces \"x\" not found"), "gone"),
            (status(409, "AlreadyExists", "namespaces \"x\" already exists"), "conflict"),
            (status(409, "Conflict", "the object has been modified"), "transient"),
            (status(422, "Invalid", "StatefulSet is invalid"), "cluster_refused"),
            (status(429, "TooManyRequests", "slow down"), "transient"),
            (status(500, "InternalError", "boom"), "transient"),
            (status(504, "Timeout", "request did not complete"), "transient"),
        ] {
            assert_eq!(code(&of_status(&answer)), expected, "{answer:?}");
        }
    }

    #[test]
    fn a_missing_right_is_named_with_its_verb_and_its_place() {
        let words = "secrets is forbidden: User \"system:serviceaccount:g1:codex\" cannot list resource \"secrets\" in API group \"\" in the namespace \"g1\"";
        let ClusterError::Rejected(reason) = forbidden(words) else { panic!("not rejected") };
        assert_eq!(reason.message, "The server may not list secrets (namespace g1) in the cluster.");
        let words = "namespaces is forbidden: User \"x\" cannot create resource \"namespaces\" in API group \"\" at the cluster scope";
        assert_eq!(missing_right(words).as_deref(), Some("create namespaces"));
        let words = "User \"x\" cannot patch resource \"statefulsets\" in API group \"apps\" in the namespace \"a\"";
        assert_eq!(missing_right(words).as_deref(), Some("patch statefulsets.apps (namespace a)"));
    }

    #[test]
    fn throttling_says_how_long_to_wait() {
        let mut answer = status(429, "TooManyRequests", "slow down");
        answer.details = serde_json::from_value(serde_json::json!({ "retryAfterSeconds": 7 })).unwrap();
        assert!(of_status(&answer).to_string().contains("wait 7 seconds"));
    }

    #[test]
    fn words_of_the_cluster_stay_on_one_bounded_line() {
        let long = format!("a\n  b\t{}", "x".repeat(2_000));
        let text = told(&status(422, "Invalid", &long));
        assert!(text.starts_with("a b x") && text.len() == 500, "{}", text.len());
    }
}
