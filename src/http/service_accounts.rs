//! Service accounts: `admin/service-accounts`. What else is done to one is done on `admin/users`.

use super::fields::{id, text};
use super::handler::{Reply, Request};
use super::paging::{LIST_MAX, ListShape, next_link};
use super::users::UserView;
use crate::domain::id::GroupId;
use crate::domain::names::{PersonName, Reason, Username};
use crate::error::Result;
use crate::ops::service_accounts::{self, NewServiceAccount};

/// Groups in one body.
const GROUPS_MOST: usize = 100;

/// A new service account.
#[derive(Debug, utoipa::ToSchema)]
#[allow(dead_code)] // describes the body; it is decoded field by field
pub struct NewServiceAccountBody {
    pub username: String,
    /// What it is for.
    pub name: Option<String>,
    /// Ids of groups that it becomes a member of.
    pub groups: Option<Vec<String>>,
    pub reason: Option<String>,
}

pub async fn create(request: Request) -> Result<Reply> {
    let mut f = request.fields()?;
    let username = f.required("username", text(Username::parse));
    let name = f.optional("name", text(PersonName::parse));
    let groups = f.list("groups", GROUPS_MOST, id(GroupId::parse)).unwrap_or_default();
    let reason = f.optional("reason", text(Reason::parse));
    let new = f.build(|| Some(NewServiceAccount { username: username?, name, groups, reason }))?;
    let account = service_accounts::create(&request.app.ops, &request.caller, new).await?;
    let place = format!("/api/admin/users/{}", account.user.id);
    Ok(Reply::created(&UserView::of(&account))?.header("location", place).etag(account.user.revision))
}

pub async fn list(request: Request) -> Result<Reply> {
    let query = request.query();
    let limit = query.integer("limit", 1, LIST_MAX).unwrap_or(LIST_MAX);
    let cursor = query.text("cursor", 4_096);
    query.finish()?;
    let shape = ListShape::new("service-accounts", &[]);
    let after = cursor.map(|cursor| shape.keys("cursor", &cursor, 1)).transpose()?.and_then(|keys| keys.into_iter().next());
    let page = service_accounts::list(&request.app.ops, &request.caller, after, usize::try_from(limit).unwrap_or_default()).await?;
    let reply = Reply::ok(&page.items.iter().map(UserView::of).collect::<Vec<_>>())?;
    Ok(match page.items.last().filter(|_| page.more) {
        Some(last) => {
            let cursor = shape.cursor(&[&last.user.username]);
            reply.header("link", next_link("/api/admin/service-accounts", &request.query, &cursor))
        }
        None => reply,
    })
}
