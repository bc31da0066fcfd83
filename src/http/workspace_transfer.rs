//! `/api/workspaces/{id}/transfer`: giving a workspace to another person or into another group.

use super::fields::{id, text};
use super::handler::{Reply, Request};
use super::workspace_body::{group_reference, is_dry_run};
use super::workspace_view::WorkspaceView;
use super::workspaces::named;
use crate::domain::id::UserId;
use crate::domain::names::{Reason, WorkspaceName};
use crate::domain::pool::CheckView;
use crate::error::Result;
use crate::ops::workspace_transfer::{self, Review, Transfer};
use serde::Serialize;

/// To whom.
#[derive(Debug, utoipa::ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code)] // describes the body; it is decoded field by field
pub struct TransferBody {
    /// An active member of the group in which it will be.
    user_id: String,
    /// Id or name of another group; without it, it stays in its own.
    group_id: Option<String>,
    /// Another name, where the new owner has one of this name already.
    name: Option<String>,
    /// Told to both owners.
    reason: Option<String>,
}

/// The answer of a dry run: whether it fits, and what follows.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct TransferReviewView {
    pub allowed: bool,
    pub checks: Vec<CheckView>,
    /// One sentence each.
    pub consequences: Vec<String>,
}

impl From<Review> for TransferReviewView {
    fn from(review: Review) -> Self {
        let checks = review.weighed.checks.iter().map(CheckView::from).collect();
        Self { allowed: review.weighed.allowed(), checks, consequences: review.consequences }
    }
}

fn wish(request: &Request) -> Result<Transfer> {
    let expected = request.if_match()?;
    let mut fields = request.fields()?;
    let to = fields.required("userId", id(UserId::parse));
    let group = fields.optional("groupId", text(group_reference));
    let name = fields.optional("name", text(WorkspaceName::parse));
    let reason = fields.optional("reason", text(Reason::parse)).map(Reason::into_string);
    fields.build(|| Some(Transfer { to: to?, group, name, reason, expected }))
}

pub async fn transfer(request: Request) -> Result<Reply> {
    let (dry, wish, id) = (is_dry_run(&request)?, wish(&request)?, named(&request)?);
    if dry {
        let review = workspace_transfer::review(&request.app.ops, &request.caller, id, wish).await?;
        return Reply::ok(&TransferReviewView::from(review));
    }
    let single = workspace_transfer::transfer(&request.app.ops, &request.caller, id, wish).await?;
    Ok(Reply::ok(&WorkspaceView::single(&request.app, &single))?.etag(single.workspace.row.revision))
}
