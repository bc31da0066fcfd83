//! `/api/notices`: what the caller was told.

use super::fields::id;
use super::handler::{Reply, Request};
use super::paging::{LIST_MAX, ListShape, next_link};
use crate::domain::id::NoticeId;
use crate::error::Result;
use crate::ops::notices::{self, Told, Wish};
use serde::{Deserialize, Serialize};

/// Something that somebody was told.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NoticeView {
    pub id: String,
    /// RFC 3339.
    pub at: String,
    /// Stable word: `stop`, `transfer`, `password_changed`, …
    pub code: String,
    pub message: String,
    /// The page of the UI that it is about, from its root; absent where there is none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub link: String,
    /// Null while it is new.
    pub read_at: Option<String>,
}

impl NoticeView {
    fn of(told: &Told) -> Self {
        Self {
            id: told.id.to_string(),
            at: told.at.rfc3339(),
            code: told.code.clone(),
            message: told.message.clone(),
            link: told.link.clone(),
            read_at: told.read_at.map(crate::clock::Millis::rfc3339),
        }
    }
}

/// How far somebody has read.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[allow(dead_code)] // describes the body; it is decoded field by field
pub struct ReadBody {
    /// The newest notice that was read; without it, all were.
    pub until: Option<String>,
}

pub async fn list(request: Request) -> Result<Reply> {
    let query = request.query();
    let unread = query.flag("unread");
    let limit = query.integer("limit", 1, LIST_MAX).unwrap_or(LIST_MAX);
    let cursor = query.text("cursor", 4_096);
    query.finish()?;
    let shape = ListShape::new("notices", &[if unread { "unread" } else { "" }]);
    let before = match cursor {
        Some(cursor) => shape.keys("cursor", &cursor, 1)?.pop().map(NoticeId::trusted),
        None => None,
    };
    let wish = Wish { unread, before, limit: usize::try_from(limit).unwrap_or(1) };
    let page = notices::list(&request.app.ops, &request.caller, wish).await?;
    let reply = Reply::ok(&page.items.iter().map(NoticeView::of).collect::<Vec<_>>())?;
    Ok(match page.items.last().filter(|_| page.more) {
        Some(last) => reply.header("link", next_link("/api/notices", &request.query, &shape.cursor(&[last.id.as_str()]))),
        None => reply,
    })
}

pub async fn mark_read(request: Request) -> Result<Reply> {
    let mut fields = request.fields()?;
    let until = fields.optional("until", id(NoticeId::parse));
    let until = fields.build(|| Some(until))?;
    notices::mark_read(&request.app.ops, &request.caller, until).await?;
    Ok(Reply::none())
}
