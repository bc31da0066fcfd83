//! `/users/me/activity`: who looked at or changed the caller's things.

use super::handler::{Reply, Request};
use super::paging::ListShape;
use crate::error::Result;
use crate::ops::own_activity::{self, Deed, Kind};
use serde::Serialize;
use serde_json::Value;

/// What somebody did to the caller's account or to one of their workspaces.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnActivityView {
    pub id: String,
    pub timestamp: String,
    /// `looked`, `entered`, `changed`, or `tried` where it was refused or failed.
    pub kind: &'static str,
    pub action: String,
    /// Who it was: an account, `cli:<user>` for a shell on the server's machine, or `null` for nobody who was signed in.
    pub user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `kind:id`.
    pub resource: String,
    pub resource_name: Option<String>,
    /// Before and after, and the reason where one was written.
    #[schema(value_type = Object)]
    pub details: Value,
    pub success: bool,
    /// Equal attempts of one minute are one.
    pub count: i64,
}

impl OwnActivityView {
    fn of(deed: Deed) -> Self {
        let entry = deed.entry;
        Self {
            kind: Kind::of(&entry.action, entry.success).as_str(),
            id: entry.id,
            timestamp: entry.at.rfc3339(),
            action: entry.action,
            user_id: entry.actor_id,
            username: deed.username,
            name: deed.name.filter(|name| !name.is_empty()),
            resource: entry.resource,
            resource_name: entry.resource_name,
            details: entry.details,
            success: entry.success,
            count: entry.count,
        }
    }
}

/// A page, newest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActivitiesView {
    pub items: Vec<OwnActivityView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
    pub has_more: bool,
}

pub async fn list(request: Request) -> Result<Reply> {
    let query = request.query();
    let limit = query.integer("limit", 1, 100).unwrap_or(20);
    let token = query.text("nextToken", 4_096);
    query.finish()?;
    let shape = ListShape::new("activity", &[]);
    let keys = token.map(|token| shape.keys("nextToken", &token, 1)).transpose()?;
    let before = keys.and_then(|keys| keys.first().and_then(|key| key.parse().ok()));
    let page = own_activity::list(&request.app.ops, &request.caller, before, usize::try_from(limit).unwrap_or(20)).await?;
    let next = page.items.last().filter(|_| page.more).map(|deed| shape.cursor(&[&deed.entry.seq.to_string()]));
    Reply::ok(&ActivitiesView { next_token: next, has_more: page.more, items: page.items.into_iter().map(OwnActivityView::of).collect() })
}
