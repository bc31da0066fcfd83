//! Memberships, from both sides: `/groups/{group}/members` and `/admin/users/{user}/groups`.

use super::fields::{id, text};
use super::handler::{Reply, Request};
use super::paging::{LIST_MAX, ListShape, next_link};
use super::users::{UserView, reason, role};
use crate::domain::group::GroupRole;
use crate::domain::id::UserId;
use crate::domain::names::Reason;
use crate::error::{Missing, Result};
use crate::ops::members::{self, Member, Outcome, Wanted, Wish};
use serde::{Deserialize, Serialize};

/// A member of a group.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberView {
    pub id: String,
    pub username: String,
    pub name: String,
    pub email: String,
    /// `active` or `disabled`.
    pub status: &'static str,
    /// `member` or `admin`.
    pub role: &'static str,
    pub joined_at: String,
    pub last_visit_at: Option<String>,
    pub ends_at: Option<String>,
}

impl MemberView {
    fn of(member: &Member) -> Self {
        Self {
            id: member.id.to_string(),
            username: member.username.clone(),
            name: member.name.clone(),
            email: member.email.clone(),
            status: member.status.as_str(),
            role: member.role.as_str(),
            joined_at: member.joined_at.rfc3339(),
            last_visit_at: member.last_visit_at.map(crate::clock::Millis::rfc3339),
            ends_at: member.ends_at.map(crate::clock::Millis::rfc3339),
        }
    }
}

/// A new member.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)] // describes the body; it is decoded field by field
pub struct AddMemberBody {
    pub user_id: String,
    /// `member` (the default) or `admin`.
    pub role: Option<String>,
    pub reason: Option<String>,
}

/// A group for a user.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)]
pub struct AddToGroupBody {
    /// Its id or its name.
    pub group_id: String,
    /// `member` (the default) or `admin`.
    pub role: Option<String>,
    pub reason: Option<String>,
}

/// Another role.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[allow(dead_code)]
pub struct RoleBody {
    /// `member` or `admin`.
    pub role: String,
    pub reason: Option<String>,
}

pub async fn list(request: Request) -> Result<Reply> {
    let query = request.query();
    let search = query.text("search", 100).map(|t| t.trim().to_owned()).unwrap_or_default();
    let limit = query.integer("limit", 1, LIST_MAX).unwrap_or(LIST_MAX);
    let (cursor, count) = (query.text("cursor", 4_096), query.flag("count"));
    query.finish()?;
    let group = request.param("group")?.to_owned();
    let shape = ListShape::new("members", &[&group, &search]);
    let after = cursor.map(|c| shape.keys("cursor", &c, 1)).transpose()?.and_then(|keys| keys.into_iter().next());
    let wish = Wish { search, after: after.map(UserId::trusted), limit: usize::try_from(limit).unwrap_or(1), count };
    let path = format!("/api/groups/{group}/members");
    let (page, total) = members::list(&request.app.ops, &request.caller, group, wish).await?;
    let mut reply = Reply::ok(&page.items.iter().map(MemberView::of).collect::<Vec<_>>())?;
    if let Some(last) = page.items.last().filter(|_| page.more) {
        reply = reply.header("link", next_link(&path, &request.query, &shape.cursor(&[last.id.as_str()])));
    }
    Ok(match total {
        Some(total) => reply.header("x-total-count", total.to_string()),
        None => reply,
    })
}

fn user_id(request: &Request) -> Result<UserId> {
    request.id("user", UserId::parse, Missing::User)
}

async fn change(request: &Request, group: String, user: UserId, wanted: Wanted, reason: Option<Reason>) -> Result<Outcome> {
    members::change(&request.app.ops, &request.caller, group, user, wanted, reason).await
}

fn member_reply(outcome: &Outcome) -> Result<Reply> {
    outcome.member.as_ref().map_or_else(|| Ok(Reply::none()), |member| Reply::ok(&MemberView::of(member)))
}

fn user_reply(outcome: &Outcome) -> Result<Reply> {
    Ok(Reply::ok(&UserView::of(&outcome.account))?.etag(outcome.account.user.revision))
}

/// The body of a change of role.
fn new_role(request: &Request) -> Result<(GroupRole, Option<Reason>)> {
    let mut f = request.fields()?;
    let role = f.required("role", super::fields::word(GroupRole::parse, "member and admin"));
    let reason = f.optional("reason", text(Reason::parse));
    f.build(|| Some((role?, reason)))
}

pub async fn add(request: Request) -> Result<Reply> {
    let mut f = request.fields()?;
    let user = f.required("userId", id(UserId::parse));
    let role = role(&mut f).unwrap_or(GroupRole::Member);
    let reason = f.optional("reason", text(Reason::parse));
    let user = f.build(|| user)?;
    let group = request.param("group")?.to_owned();
    member_reply(&change(&request, group, user, Wanted::Joins(role), reason).await?)
}

pub async fn set_role(request: Request) -> Result<Reply> {
    let (role, reason) = new_role(&request)?;
    let group = request.param("group")?.to_owned();
    member_reply(&change(&request, group, user_id(&request)?, Wanted::Becomes(role), reason).await?)
}

pub async fn remove(request: Request) -> Result<Reply> {
    let (group, reason) = (request.param("group")?.to_owned(), reason(&request)?);
    change(&request, group, user_id(&request)?, Wanted::Leaves, reason).await?;
    Ok(Reply::none())
}

/// A group is named by its id or its name.
fn group_reference(value: &str) -> Result<String, crate::domain::field::FieldRule> {
    if value.is_empty() || value.len() > 64 || value.chars().any(char::is_control) {
        return Err(crate::domain::field::FieldRule::new("invalid", "Give the id or the name of a group."));
    }
    Ok(value.to_owned())
}

pub async fn add_to_group(request: Request) -> Result<Reply> {
    let mut f = request.fields()?;
    let group = f.required("groupId", text(group_reference));
    let role = role(&mut f).unwrap_or(GroupRole::Member);
    let reason = f.optional("reason", text(Reason::parse));
    let group = f.build(|| group)?;
    user_reply(&change(&request, group, user_id(&request)?, Wanted::Is(role), reason).await?)
}

pub async fn set_role_in_group(request: Request) -> Result<Reply> {
    let (role, reason) = new_role(&request)?;
    let group = request.param("group")?.to_owned();
    user_reply(&change(&request, group, user_id(&request)?, Wanted::Becomes(role), reason).await?)
}

async fn turn(request: Request, wanted: Wanted) -> Result<Reply> {
    let (group, reason) = (request.param("group")?.to_owned(), reason(&request)?);
    user_reply(&change(&request, group, user_id(&request)?, wanted, reason).await?)
}

pub async fn promote_in_group(request: Request) -> Result<Reply> {
    turn(request, Wanted::Promoted).await
}

pub async fn demote_in_group(request: Request) -> Result<Reply> {
    turn(request, Wanted::Demoted).await
}

pub async fn remove_from_group(request: Request) -> Result<Reply> {
    turn(request, Wanted::Leaves).await
}
