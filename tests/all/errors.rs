//! Every refusal of the product, as it is told: status, code, the numbers of KBase Groups, words. Held by
//! `tests/golden/errors`; a change there is a change of the API.

use crate::golden;
use codex_web::error::{Denied, Error, FieldProblem, Missing, QuotaExceeded, Shown, Taken, Unauthenticated};
use serde_json::json;
use std::fmt::Write as _;

fn denied(shown: Shown) -> Error {
    Error::Denied(Box::new(Denied {
        action: "delete_group",
        resource: "group:grp_1".into(),
        group_id: None,
        rule: "not_permitted",
        message: "You may not delete this group. Only platform admins can.".into(),
        shown,
    }))
}

fn all() -> Vec<(&'static str, Error)> {
    let problem = |code: &'static str| FieldProblem::new("name", code, "Give a name.");
    let quota = QuotaExceeded {
        level: "group",
        id: "grp_1".into(),
        resource: "memory",
        requested: "16Gi".into(),
        used: "28Gi".into(),
        total: "32Gi".into(),
        available: "4Gi".into(),
        message: "Does not fit in payments.".into(),
    };
    let mut errors = vec![
        ("one field missing", Error::Invalid(vec![problem("required")])),
        ("several fields", Error::Invalid(vec![problem("required"), problem("too_long")])),
        ("no JSON", Error::Syntax("The body is not valid JSON.".into())),
        ("cross site", Error::CrossSite("This call came from another site.")),
        ("password change", Error::PasswordChangeRequired),
        ("refused", denied(Shown::Refused)),
        ("hidden", denied(Shown::Hidden(Missing::Group))),
        ("self demotion", denied(Shown::SelfDemotion)),
        ("self disable", denied(Shown::SelfDisable)),
        ("last admin", denied(Shown::LastAdmin)),
        ("still used", Error::StillUsed { message: "It has workspaces.".into(), details: json!({"workspaces": 2}) }),
        ("quota", Error::Quota(Box::new(quota))),
        ("wrong state", Error::WrongState("It runs already.".into())),
        ("conflict", Error::Conflict("Somebody was first.".into())),
        ("closed", Error::Closed),
        ("stale", Error::Stale),
        ("method", Error::MethodNotAllowed { allow: "GET".into() }),
        ("too large", Error::TooLarge { limit: 65_536 }),
        ("range", Error::RangeNotSatisfiable { length: 10 }),
        ("media type", Error::UnsupportedMediaType),
        ("unknown host", Error::UnknownHost),
        ("rate", Error::RateLimited { retry_after_seconds: 3, message: "Too many requests.".into() }),
        ("unavailable", Error::Unavailable { message: "The server is stopping.".into(), retry_after_seconds: 5 }),
        ("cluster", Error::ClusterUnavailable("The cluster did not answer.".into())),
        ("workspace", Error::WorkspaceUnreachable("It did not answer.".into())),
        ("disk full", Error::StorageFull),
        ("disk nearly full", Error::StorageShort),
        ("fault", Error::internal("a secret detail")),
    ];
    for why in [
        Unauthenticated::NoToken,
        Unauthenticated::InvalidToken,
        Unauthenticated::BadCredentials,
        Unauthenticated::PasswordExpired,
        Unauthenticated::MfaRequired,
        Unauthenticated::StepUpRequired,
    ] {
        errors.push(("not signed in", Error::Unauthenticated(why)));
    }
    for what in [
        Missing::Route,
        Missing::Group,
        Missing::Request,
        Missing::User,
        Missing::Field,
        Missing::Resource,
        Missing::ResourceType,
        Missing::Workspace,
        Missing::Template,
        Missing::Session,
        Missing::Token,
        Missing::Member,
        Missing::Terminal,
        Missing::File,
    ] {
        errors.push(("missing", Error::NotFound(what)));
    }
    for what in [
        Taken::GroupName,
        Taken::Namespace,
        Taken::Username,
        Taken::Email,
        Taken::Member,
        Taken::WorkspaceName,
        Taken::Request,
        Taken::Resource,
    ] {
        errors.push(("taken", Error::Taken(what)));
    }
    errors
}

#[test]
fn every_refusal_is_told_as_the_golden_file_says() {
    let mut text = String::new();
    for (name, error) in all() {
        let d = error.describe();
        let kbase = d.kbase.map_or_else(|| "-".to_owned(), |(code, words)| format!("{code} {words}"));
        let retry = d.retry_after_seconds.map_or_else(String::new, |s| format!(" retry-after {s}"));
        writeln!(text, "{} {} [{kbase}]{retry} {name}: {}", d.status, d.code, d.message).unwrap();
    }
    golden::check("errors", &text);
}

#[test]
fn nothing_answers_422_and_no_fault_shows_its_text() {
    for (name, error) in all() {
        let d = error.describe();
        assert_ne!(d.status, 422, "{name}");
        assert!(!d.message.contains("a secret detail"), "{name}");
    }
}
