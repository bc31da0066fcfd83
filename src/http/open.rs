//! `POST /api/workspaces/{id}/open`: the way to an app's own origin, in its two halves.

use super::fields::{raw_text, text};
use super::handler::{Reply, Request};
use super::workspaces::{gateway, named};
use crate::clock::Millis;
use crate::domain::app_target::AppTarget;
use crate::domain::field::FieldRule;
use crate::domain::names::Reason;
use crate::error::Result;
use crate::gateway::apps::is_inside;
use crate::gateway::open::{self, Way};
use crate::ops::open::Wish;
use serde::Serialize;
use serde_json::Value;

/// Which app, and where in it.
#[derive(Debug, utoipa::ToSchema)]
#[allow(dead_code)] // decoded field by field, so that every problem is told at once
pub struct OpenBody {
    /// The slug of an app. Either this or `port`.
    app: Option<String>,
    /// A port inside the workspace.
    port: Option<i64>,
    /// Where in the app, a path; `/` if absent.
    to: Option<String>,
    /// The hash that the app's origin gave the browser; with it the answer lets that browser in.
    #[schema(rename = "nonceHash")]
    nonce_hash: Option<String>,
    /// Asked of platform admins who open an app of somebody else's workspace; the owner is told.
    reason: Option<String>,
}

/// Where the browser goes.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OpenView {
    pub url: String,
    /// RFC 3339; `null` where the address does not expire.
    pub expires_at: Option<String>,
}

impl From<Way> for OpenView {
    fn from(way: Way) -> Self {
        Self { url: way.url, expires_at: way.expires_at.map(Millis::rfc3339) }
    }
}

fn slug(text: &str) -> Result<AppTarget, FieldRule> {
    let rule = || FieldRule::new("invalid", "The slug of an app: lower-case letters, digits and hyphens, beginning with a letter.");
    AppTarget::parse(text).filter(|target| matches!(target, AppTarget::App(_))).ok_or_else(rule)
}

fn port(value: &Value) -> Result<AppTarget, FieldRule> {
    let port = value.as_u64().and_then(|n| u16::try_from(n).ok()).filter(|n| *n > 0);
    port.map(AppTarget::Port).ok_or_else(|| FieldRule::new("invalid", "A port is a number from 1 to 65535."))
}

fn inside(text: &str) -> Result<String, FieldRule> {
    let rule = || FieldRule::new("invalid", "A path inside the app: it begins with one slash and has at most 2048 visible characters.");
    if is_inside(text) { Ok(text.to_owned()) } else { Err(rule()) }
}

fn nonce_hash(value: &Value) -> Result<String, FieldRule> {
    let given = raw_text(43)(value)?;
    let good = given.len() == 43 && given.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if good { Ok(given) } else { Err(FieldRule::new("invalid", "43 characters, as the app's origin gave them.")) }
}

/// Without a nonce's hash the beginning of the way, with it the end.
pub async fn open(request: Request) -> Result<Reply> {
    request.query().finish()?;
    let workspace = named(&request)?;
    let mut fields = request.fields()?;
    let app = fields.optional("app", text(slug));
    let at = fields.optional("port", port);
    if app.is_some() && at.is_some() {
        fields.problem("port", "invalid", "Name an app or a port, not both.");
    }
    let named_none = request.body.as_ref().is_some_and(|body| body["app"].is_null() && body["port"].is_null());
    if named_none {
        fields.problem("app", "required", "Name an app or a port.");
    }
    let to = fields.optional("to", text(inside)).unwrap_or_else(|| "/".to_owned());
    let nonce = fields.optional("nonceHash", nonce_hash);
    let reason = fields.optional("reason", text(Reason::parse)).map(Reason::into_string);
    let target = fields.build(|| app.or(at))?;
    let wish = Wish { workspace, target, reason };
    let gateway = gateway(&request.app);
    let way = match nonce {
        None => open::begin(&gateway, &request.caller, wish, &to).await?,
        Some(hash) => open::hand_off(&gateway, &request.caller, wish, to, hash).await?,
    };
    Reply::ok(&OpenView::from(way))
}
