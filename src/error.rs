//! Every way in which the product says no, as one enum; the HTTP edge and the command line print it, nobody writes an
//! error body by hand.
//!
//! [`Error::describe`] is the single place where a refusal gets its HTTP status, its stable `code`, and the KBase
//! numbers (`appcode`, `apperror`) that the seed's clients know. `tests/golden/errors` holds the whole table.

mod nouns;

pub use nouns::{Missing, Taken};
use serde_json::{Value, json};
use std::borrow::Cow;

/// One invalid field of a request.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FieldProblem {
    /// Path of the field in the body (`resourceQuota.cpu`), or the name of the query parameter.
    pub field: String,
    /// Stable word: `required`, `unknown`, `type`, `invalid`, `too_long`, `taken`, …
    pub code: Cow<'static, str>,
    /// One sentence for people that names the rule.
    pub message: String,
}

impl FieldProblem {
    pub fn new(field: impl Into<String>, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { field: field.into(), code: code.into(), message: message.into() }
    }
}

/// Where a quota is too small, with the numbers that were compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaExceeded {
    /// `workspace`, `user`, `group` or `organization`.
    pub level: &'static str,
    pub id: String,
    /// `cpu`, `memory`, `storage` or `pods`.
    pub resource: &'static str,
    /// Printed quantities (`4Gi`).
    pub requested: String,
    pub used: String,
    pub total: String,
    pub available: String,
    /// The whole refusal in one sentence, with the name of the level.
    pub message: String,
}

/// A refusal by policy, as it is told and as it is audited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// The action's stable code.
    pub action: &'static str,
    /// What it was tried on, `kind:id`.
    pub resource: String,
    pub group_id: Option<String>,
    /// Stable word for the audit: `not_permitted`, `self_demotion`, …
    pub rule: &'static str,
    /// One sentence for people.
    pub message: String,
    /// How it is answered: the refusal itself, or as if the object were not there.
    pub shown: Shown,
}

/// How a refusal is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// 403.
    Refused,
    /// 404: the caller may not know that it exists.
    Hidden(Missing),
    /// 400 `SELF_DEMOTION_NOT_ALLOWED`.
    SelfDemotion,
    /// 400 `SELF_DISABLE_NOT_ALLOWED`.
    SelfDisable,
    /// 409 `LAST_ADMIN`.
    LastAdmin,
}

/// Why somebody is not signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unauthenticated {
    NoToken,
    InvalidToken,
    /// Wrong name or password, or the account is disabled: one answer for all of them.
    BadCredentials,
    /// It was right, but somebody else chose it and it was not changed in time.
    PasswordExpired,
    MfaRequired,
    StepUpRequired,
}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    #[error("invalid fields")]
    Invalid(Vec<FieldProblem>),
    /// The body is not JSON at all.
    #[error("{0}")]
    Syntax(String),
    #[error("not signed in")]
    Unauthenticated(Unauthenticated),
    #[error("{}", .0.message)]
    Denied(Box<Denied>),
    /// Same-origin proof is missing or foreign.
    #[error("{0}")]
    CrossSite(&'static str),
    #[error("the password must be changed first")]
    PasswordChangeRequired,
    #[error("{}", .0.words())]
    NotFound(Missing),
    #[error("{}", .0.words())]
    Taken(Taken),
    /// Something still depends on it; the sentence says what, and what to do.
    #[error("{message}")]
    StillUsed { message: String, details: Value },
    #[error("{}", .0.message)]
    Quota(Box<QuotaExceeded>),
    /// The object is not in a state in which this can be done.
    #[error("{0}")]
    WrongState(String),
    /// Two writers met, and the other one was first.
    #[error("{0}")]
    Conflict(String),
    #[error("closed")]
    Closed,
    #[error("the object has changed since it was read")]
    Stale,
    #[error("method not allowed")]
    MethodNotAllowed { allow: String },
    #[error("the body is larger than {limit} bytes")]
    TooLarge { limit: usize },
    /// A range that begins behind the end of a file of this length.
    #[error("the file ends before that")]
    RangeNotSatisfiable { length: u64 },
    #[error("unsupported media type")]
    UnsupportedMediaType,
    #[error("unknown host")]
    UnknownHost,
    #[error("too many requests")]
    RateLimited { retry_after_seconds: u64, message: String },
    /// The server cannot do it now; the sentence says why.
    #[error("{message}")]
    Unavailable { message: String, retry_after_seconds: u64 },
    #[error("{0}")]
    ClusterUnavailable(String),
    #[error("{0}")]
    WorkspaceUnreachable(String),
    #[error("the disk is full")]
    StorageFull,
    /// It is not full yet, but what is left is kept for what must go on.
    #[error("the disk is nearly full")]
    StorageShort,
    /// A fault of ours; the text is for the log and never shown.
    #[error("{0}")]
    Internal(String),
}

/// An error as it is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    pub status: u16,
    /// The stable word.
    pub code: &'static str,
    pub kbase: Option<(u32, &'static str)>,
    pub message: Cow<'static, str>,
    pub fields: Vec<FieldProblem>,
    pub details: Option<Value>,
    pub retry_after_seconds: Option<u64>,
    pub allow: Option<String>,
    pub content_range: Option<String>,
}

impl Description {
    fn plain(status: u16, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            code,
            kbase: None,
            message: message.into(),
            fields: Vec::new(),
            details: None,
            retry_after_seconds: None,
            allow: None,
            content_range: None,
        }
    }

    fn numbered(mut self, kbase: Option<(u32, &'static str)>) -> Self {
        self.kbase = kbase;
        self
    }

    fn details(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    fn retry(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }
}

impl Error {
    /// One invalid field.
    pub fn field(field: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldProblem::new(field, code, message)])
    }

    /// A fault of ours.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::Internal(message.into())
    }

    /// The one table from refusals to statuses, codes and sentences.
    pub fn describe(&self) -> Description {
        type D = Description;
        match self {
            Self::Invalid(fields) => describe_fields(fields),
            Self::Syntax(why) => D::plain(400, "SYNTAX_ERROR", why.clone()).numbered(Some((30001, "Illegal input parameter"))),
            Self::Unauthenticated(why) => describe_unauthenticated(*why),
            Self::Denied(denied) => describe_denied(denied),
            Self::CrossSite(why) => D::plain(403, "AUTHORIZATION_ERROR", *why).numbered(Some((20000, "Unauthorized"))),
            Self::PasswordChangeRequired => {
                D::plain(403, "PASSWORD_CHANGE_REQUIRED", "Your password must be changed first: until then nothing else works.")
            }
            Self::NotFound(what) => D::plain(404, "NOT_FOUND", format!("{}.", what.words())).numbered(what.kbase()),
            Self::Taken(what) => {
                let mut d = D::plain(409, "CONFLICT", format!("{}.", what.words())).numbered(what.kbase());
                d.fields = vec![FieldProblem::new(what.field(), "taken", d.message.clone())];
                d
            }
            Self::StillUsed { message, details } => D::plain(409, "STILL_USED", message.clone()).details(details.clone()),
            Self::Quota(q) => D::plain(409, "QUOTA_EXCEEDED", q.message.clone()).details(json!({
                "level": q.level, "id": q.id, "resource": q.resource, "requested": q.requested,
                "used": q.used, "total": q.total, "available": q.available,
            })),
            Self::WrongState(why) => D::plain(409, "WRONG_STATE", why.clone()),
            Self::Conflict(why) => D::plain(409, "CONFLICT", why.clone()),
            Self::Closed => D::plain(409, "CLOSED", "This request is closed already.").numbered(Some((60000, "Request closed"))),
            Self::Stale => D::plain(412, "STALE", "It has changed since you read it. Read it again and repeat the change."),
            Self::MethodNotAllowed { allow } => {
                let mut d = D::plain(405, "METHOD_NOT_ALLOWED", format!("Only {allow} work at this address."));
                d.allow = Some(allow.clone());
                d
            }
            Self::TooLarge { limit } => D::plain(413, "TOO_LARGE", format!("The body may have at most {limit} bytes.")),
            Self::RangeNotSatisfiable { length } => {
                let mut d = D::plain(416, "RANGE_NOT_SATISFIABLE", format!("The file has {length} bytes and ends before that."));
                d.content_range = Some(format!("bytes */{length}"));
                d
            }
            Self::UnsupportedMediaType => {
                D::plain(415, "UNSUPPORTED_MEDIA_TYPE", "The body must be JSON, sent with Content-Type: application/json.")
            }
            Self::UnknownHost => D::plain(
                421,
                "UNKNOWN_HOST",
                "This server does not answer at this host name. Use the address that it printed when it started.",
            ),
            Self::RateLimited { retry_after_seconds, message } => {
                D::plain(429, "RATE_LIMIT_EXCEEDED", message.clone()).retry(*retry_after_seconds)
            }
            Self::Unavailable { message, retry_after_seconds } => D::plain(503, "UNAVAILABLE", message.clone()).retry(*retry_after_seconds),
            Self::ClusterUnavailable(why) => D::plain(503, "CLUSTER_UNAVAILABLE", why.clone()).retry(5),
            Self::WorkspaceUnreachable(why) => D::plain(502, "WORKSPACE_UNREACHABLE", why.clone()),
            Self::StorageFull => D::plain(
                507,
                "STORAGE_FULL",
                "The server's disk is full, so nothing can be changed. Free some space; then it goes on by itself.",
            )
            .retry(30),
            Self::StorageShort => D::plain(
                507,
                "STORAGE_SHORT",
                "The server's disk is nearly full, so nothing new is written. You can read, stop and delete. An administrator frees space on \
                 the disk of the data directory (codex-web doctor says which); then it goes on by itself.",
            )
            .retry(30),
            Self::Internal(_) => {
                D::plain(500, "INTERNAL_ERROR", "Something failed on the server. Nothing was changed. Give your administrator the call id.")
            }
        }
    }
}

fn describe_fields(fields: &[FieldProblem]) -> Description {
    let message = match fields {
        [one] => format!("{}: {}", one.field, one.message),
        many => format!("{} fields are not valid.", many.len()),
    };
    let only_missing = !fields.is_empty() && fields.iter().all(|f| f.code == "required");
    let kbase = if only_missing { (30000, "Missing input parameter") } else { (30001, "Illegal input parameter") };
    let mut d = Description::plain(400, "VALIDATION_ERROR", message).numbered(Some(kbase));
    d.fields = fields.to_vec();
    d
}

fn describe_unauthenticated(why: Unauthenticated) -> Description {
    type D = Description;
    match why {
        Unauthenticated::NoToken => {
            D::plain(401, "AUTHENTICATION_ERROR", "You are not signed in.").numbered(Some((10010, "No authentication token")))
        }
        Unauthenticated::InvalidToken => {
            D::plain(401, "INVALID_TOKEN", "Your sign-in has ended. Sign in again.").numbered(Some((10020, "Invalid token")))
        }
        Unauthenticated::BadCredentials => {
            D::plain(401, "AUTHENTICATION_ERROR", "Wrong user name or password. Check the spelling and Caps Lock, then try again.")
                .numbered(Some((10000, "Authentication failed")))
        }
        Unauthenticated::PasswordExpired => D::plain(
            401,
            "AUTHENTICATION_ERROR",
            "This password was for your first sign-in and has expired. Ask your administrator for a new one.",
        )
        .numbered(Some((10000, "Authentication failed"))),
        Unauthenticated::MfaRequired => {
            D::plain(401, "MFA_REQUIRED", "A second factor is needed.").numbered(Some((10000, "Authentication failed")))
        }
        Unauthenticated::StepUpRequired => {
            D::plain(401, "STEP_UP_REQUIRED", "Sign in again to do this: your sign-in is older than 10 minutes.")
                .numbered(Some((10000, "Authentication failed")))
        }
    }
}

fn describe_denied(denied: &Denied) -> Description {
    type D = Description;
    let message = denied.message.clone();
    match denied.shown {
        Shown::Refused => D::plain(403, "AUTHORIZATION_ERROR", message).numbered(Some((20000, "Unauthorized"))),
        Shown::Hidden(what) => D::plain(404, "NOT_FOUND", format!("{}.", what.words())).numbered(what.kbase()),
        Shown::SelfDemotion => D::plain(400, "SELF_DEMOTION_NOT_ALLOWED", message),
        Shown::SelfDisable => D::plain(400, "SELF_DISABLE_NOT_ALLOWED", message),
        Shown::LastAdmin => D::plain(409, "LAST_ADMIN", message),
    }
}

/// What most functions of the product return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_ours_never_shows_its_text() {
        let d = Error::internal("SELECT secret FROM place").describe();
        assert_eq!(d.status, 500);
        assert!(!d.message.contains("SELECT"));
    }

    #[test]
    fn a_hidden_object_reads_like_a_missing_one() {
        let hidden = Error::Denied(Box::new(Denied {
            action: "view_group",
            resource: "group:grp_1".into(),
            group_id: None,
            rule: "not_permitted",
            message: "You may not.".into(),
            shown: Shown::Hidden(Missing::Group),
        }));
        assert_eq!(hidden.describe(), Error::NotFound(Missing::Group).describe());
    }

    #[test]
    fn all_missing_fields_have_the_number_for_missing_input() {
        let d = Error::field("name", "required", "Give a name.").describe();
        assert_eq!(d.kbase.map(|k| k.0), Some(30000));
    }
}
