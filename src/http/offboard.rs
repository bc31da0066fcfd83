//! `/api/admin/users/{id}/offboard`: everything of a leaver ends, reviewed first.

use super::fields::{Fields, id, text, word};
use super::handler::{Reply, Request};
use super::workspace_body::is_dry_run;
use crate::domain::field::FieldRule;
use crate::domain::id::{GroupId, UserId, WorkspaceId};
use crate::domain::names::Reason;
use crate::error::{Missing, Result};
use crate::ops::offboard::{self, Fate, Review, Step, Wish};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// How many workspaces or groups one body decides about.
const MOST: usize = 1_000;

/// What becomes of one workspace.
#[derive(Debug, utoipa::ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code)] // describes the body; it is decoded field by field
pub struct WorkspaceFateBody {
    id: String,
    /// `delete` or `transfer`.
    action: String,
    /// Who gets it, with `transfer`: an active member of its group.
    user_id: Option<String>,
}

/// Who owns a group from now on.
#[derive(Debug, utoipa::ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code)]
pub struct NewOwnerBody {
    id: String,
    /// An active admin of the group.
    owner_id: String,
}

/// What was decided about a leaver. What nobody has decided about is left as it is, and is named in the answer.
#[derive(Debug, utoipa::ToSchema)]
#[allow(dead_code)]
pub struct OffboardBody {
    workspaces: Option<Vec<WorkspaceFateBody>>,
    groups: Option<Vec<NewOwnerBody>>,
    /// The `review` of a dry run: nothing is done when something has changed since (412).
    review: Option<String>,
    reason: Option<String>,
}

/// One consequence.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepView {
    /// `account`, `credentials`, `rights`, `group`, `workspace` or `membership`.
    pub kind: &'static str,
    /// Of the account, the group or the workspace.
    pub id: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_id: Option<String>,
    /// What is done, as a sentence.
    pub words: String,
    /// `due`, `undecided`, `blocked`, `done` or `failed`.
    pub state: &'static str,
    /// Why it is not due, or not done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl StepView {
    fn of(step: &Step) -> Self {
        Self {
            kind: step.kind.as_str(),
            id: step.id.clone(),
            name: step.name.clone(),
            group_id: step.group.as_ref().map(ToString::to_string),
            words: step.words.clone(),
            state: step.state.as_str(),
            message: step.message.clone(),
        }
    }
}

/// Everything that ends, in the order in which it does.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct OffboardView {
    /// Nothing is left to do.
    pub complete: bool,
    pub steps: Vec<StepView>,
    /// Names this list: given back, it is carried out only if nothing has changed since.
    pub review: String,
}

impl From<Review> for OffboardView {
    fn from(review: Review) -> Self {
        Self { complete: review.is_complete(), steps: review.steps.iter().map(StepView::of).collect(), review: review.digest }
    }
}

#[derive(Clone, Copy)]
enum Verb {
    Delete,
    Transfer,
}

fn verb(text: &str) -> Option<Verb> {
    match text {
        "delete" => Some(Verb::Delete),
        "transfer" => Some(Verb::Transfer),
        _ => None,
    }
}

/// One entry of a list of objects, whose own problems are told as the entry's.
fn entry<T>(value: &Value, decode: impl FnOnce(&mut Fields<'_>) -> Option<T>) -> Result<T, FieldRule> {
    let wrong = |error: crate::error::Error| {
        let problem = error.describe().fields.into_iter().next();
        problem.map_or_else(
            || FieldRule::new("invalid", "An object is expected here."),
            |p| FieldRule::new("invalid", format!("{}: {}", p.field, p.message)),
        )
    };
    let mut fields = Fields::of_body(Some(value)).map_err(wrong)?;
    let decoded = decode(&mut fields);
    fields.build(|| decoded).map_err(wrong)
}

fn fate(value: &Value) -> Result<(WorkspaceId, Fate), FieldRule> {
    entry(value, |f| {
        let workspace = f.required("id", id(WorkspaceId::parse));
        let verb = f.required("action", word(verb, "delete and transfer"));
        let to = f.optional("userId", id(UserId::parse));
        let fate = match (verb?, to) {
            (Verb::Delete, _) => Fate::Delete,
            (Verb::Transfer, Some(to)) => Fate::Transfer(to),
            (Verb::Transfer, None) => {
                f.problem("userId", "required", "Name who gets it.");
                return None;
            }
        };
        Some((workspace?, fate))
    })
}

fn owner(value: &Value) -> Result<(GroupId, UserId), FieldRule> {
    entry(value, |f| {
        let (group, owner) = (f.required("id", id(GroupId::parse)), f.required("ownerId", id(UserId::parse)));
        Some((group?, owner?))
    })
}

/// The name of a review, as a dry run gives it.
fn digest(text: &str) -> Result<String, FieldRule> {
    let is_digest = text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if is_digest { Ok(text.to_owned()) } else { Err(FieldRule::new("invalid", "Give the review of a dry run back as it came.")) }
}

fn wish(request: &Request) -> Result<Wish> {
    let mut f = request.fields()?;
    let workspaces: BTreeMap<_, _> = f.list("workspaces", MOST, fate).unwrap_or_default().into_iter().collect();
    let owners: BTreeMap<_, _> = f.list("groups", MOST, owner).unwrap_or_default().into_iter().collect();
    let review = f.optional("review", text(digest));
    let reason = f.optional("reason", text(Reason::parse));
    f.build(|| Some(Wish { workspaces, owners, reason, review }))
}

pub async fn offboard(request: Request) -> Result<Reply> {
    let (dry, wish) = (is_dry_run(&request)?, wish(&request)?);
    let id = request.id("user", UserId::parse, Missing::User)?;
    let review = if dry {
        offboard::review(&request.app.ops, &request.caller, id, wish).await?
    } else {
        offboard::carry_out(&request.app.ops, &request.caller, id, wish).await?
    };
    Reply::ok(&OffboardView::from(review))
}
