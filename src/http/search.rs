//! `/search`: the command palette.

use super::handler::{Reply, Request};
use crate::domain::field::FieldRule;
use crate::error::Result;
use crate::ops::search;
use serde::Serialize;

/// One thing that was found.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct HitView {
    /// `user`, `group` or `workspace`.
    pub kind: &'static str,
    pub id: String,
    pub title: String,
    pub subtitle: String,
}

pub async fn find(request: Request) -> Result<Reply> {
    let query = request.query();
    let text = query.text("q", 100);
    let limit = query.integer("limit", 1, 50).unwrap_or(10);
    query.finish()?;
    let text = text.ok_or_else(|| FieldRule::new("required", "Give what to search for.").error("q"))?.trim().to_owned();
    if text.is_empty() {
        return Reply::ok(&Vec::<HitView>::new()); // blanks are in no name
    }
    let hits = search::find(&request.app.ops, &request.caller, text, usize::try_from(limit).unwrap_or(10)).await?;
    let views: Vec<HitView> = hits.into_iter().map(|h| HitView { kind: h.kind, id: h.id, title: h.title, subtitle: h.subtitle }).collect();
    Reply::ok(&views)
}
