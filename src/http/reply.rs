//! The one envelope of errors, and what stands on every answer.

use super::handler::{Reply, ReplyBody};
use crate::clock::Millis;
use crate::error::{Error, FieldProblem};
use serde::Serialize;
use serde_json::Value;

/// `{"error": …}` as every refusal is told (D2).
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ErrorView {
    pub error: ErrorBody,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ErrorBody {
    /// The HTTP status, as a number and in words.
    pub httpcode: u16,
    pub httpstatus: String,
    /// The numbers of KBase Groups, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appcode: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apperror: Option<&'static str>,
    /// The stable word.
    pub code: &'static str,
    pub message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    pub fields: Vec<FieldProblem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub details: Option<Value>,
    /// Names the request in the server's log.
    pub callid: String,
    /// RFC 3339.
    pub time: String,
}

/// Turns a refusal into its answer; a fault of ours is told in the log, with the same call id.
pub fn refusal(error: &Error, call_id: &str, now: Millis) -> Reply {
    if let Error::Internal(why) = error {
        tracing::error!(call_id, why = %why.escape_debug(), "a request failed by a fault of the server");
    }
    let d = error.describe();
    let view = ErrorView {
        error: ErrorBody {
            httpcode: d.status,
            httpstatus: status_words(d.status).to_owned(),
            appcode: d.kbase.map(|k| k.0),
            apperror: d.kbase.map(|k| k.1),
            code: d.code,
            message: d.message.into_owned(),
            fields: d.fields,
            details: d.details,
            callid: call_id.to_owned(),
            time: now.rfc3339(),
        },
    };
    let body = serde_json::to_string(&view).unwrap_or_else(|_| "{}".to_owned());
    let mut reply = Reply { status: d.status, headers: Vec::new(), body: ReplyBody::Json(body) };
    if let Some(seconds) = d.retry_after_seconds {
        reply = reply.header("retry-after", seconds.to_string());
    }
    if let Some(allow) = d.allow {
        reply = reply.header("allow", allow);
    }
    if let Some(range) = d.content_range {
        reply = reply.header("content-range", range);
    }
    if d.status == 401 {
        reply = reply.header("www-authenticate", "Bearer");
    }
    reply
}

fn status_words(status: u16) -> &'static str {
    actix_web::http::StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason()).unwrap_or("Error")
}
