//! API tokens: `auth/tokens`, `admin/tokens`, and those of one account. The text of a token stands in one answer only.

use super::fields::{Fields, id, text};
use super::handler::{Reply, Request};
use super::paging::{LIST_MAX, ListShape, next_link};
use super::users::{reason, user_id};
use crate::clock::Millis;
use crate::domain::field::FieldRule;
use crate::domain::id::{GroupId, TokenId, WorkspaceId};
use crate::domain::names::{DisplayName, Reason};
use crate::domain::scope::Scope;
use crate::error::{Missing, Result};
use crate::ops::api_tokens::{self, DAYS_MOST, Made, NewToken, OfAccount, TokenRow};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::Value;

/// Scopes in one body.
const SCOPES_MOST: usize = 32;
/// Groups or workspaces in one body.
const OBJECTS_MOST: usize = 100;

/// Whom a token stands for.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct TokenOwnerView {
    pub id: String,
    pub username: String,
    pub name: String,
    /// `person` or `service`.
    pub kind: &'static str,
}

/// An API token. Its text is in the answer that made it, and in no other.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenView {
    pub id: String,
    pub name: String,
    /// How its text begins, to tell it from others.
    pub begins_with: String,
    /// For example `workspaces:read`.
    pub scopes: Vec<String>,
    /// With these or workspaces, it works there and nowhere else.
    pub groups: Vec<String>,
    pub workspaces: Vec<String>,
    pub created_at: String,
    pub expires_at: String,
    /// To the hour.
    pub last_used_at: Option<String>,
    pub last_address: Option<String>,
    /// Where everybody's tokens are listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<TokenOwnerView>,
    /// The token itself, once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

impl TokenView {
    fn of(row: &TokenRow) -> Self {
        Self {
            id: row.id.to_string(),
            name: row.name.clone(),
            begins_with: format!("{}{}_", api_tokens::PREFIX, row.mark),
            scopes: row.grant.scopes.iter().map(ToString::to_string).collect(),
            groups: row.grant.groups.iter().map(ToString::to_string).collect(),
            workspaces: row.grant.workspaces.iter().map(ToString::to_string).collect(),
            created_at: row.created_at.rfc3339(),
            expires_at: row.expires_at.rfc3339(),
            last_used_at: row.last_used_at.map(Millis::rfc3339),
            last_address: Some(row.last_address.clone()).filter(|address| !address.is_empty()),
            owner: None,
            token: None,
        }
    }

    fn made(made: &Made) -> Self {
        Self { token: Some(made.secret.expose_secret().to_owned()), ..Self::of(&made.row) }
    }

    fn of_account(of: &OfAccount) -> Self {
        let owner = of.owner.as_ref().map(|user| TokenOwnerView {
            id: user.id.to_string(),
            username: user.username.clone(),
            name: user.name.clone(),
            kind: user.kind.as_str(),
        });
        Self { owner, ..Self::of(&of.row) }
    }
}

/// A new token.
#[derive(Debug, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)] // describes the body; it is decoded field by field
pub struct NewTokenBody {
    /// What uses it.
    pub name: String,
    /// At least one; `GET /api/access/scopes` lists them.
    pub scopes: Vec<String>,
    /// 1 to 365.
    pub expires_in_days: i64,
    /// Ids; with these or workspaces it works there and nowhere else.
    pub groups: Option<Vec<String>>,
    pub workspaces: Option<Vec<String>>,
}

/// A new token of a service account.
#[derive(Debug, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)]
pub struct ServiceTokenBody {
    /// What uses it.
    pub name: String,
    /// At least one; `GET /api/access/scopes` lists them.
    pub scopes: Vec<String>,
    /// 1 to 365.
    pub expires_in_days: i64,
    /// Ids; with these or workspaces it works there and nowhere else.
    pub groups: Option<Vec<String>>,
    pub workspaces: Option<Vec<String>>,
    pub reason: Option<String>,
}

fn scope(text: &str) -> Result<Scope, FieldRule> {
    Scope::parse(text).ok_or_else(|| FieldRule::new("unknown_scope", "There is no such scope; write one like workspaces:read."))
}

fn days(value: &Value) -> Result<i64, FieldRule> {
    let wrong = || FieldRule::new("range", format!("Give a whole number of days from 1 to {DAYS_MOST}."));
    value.as_i64().filter(|days| (1..=DAYS_MOST).contains(days)).ok_or_else(wrong)
}

fn new_token(f: &mut Fields<'_>) -> Option<NewToken> {
    let name = f.required("name", text(DisplayName::parse));
    let scopes = f.list("scopes", SCOPES_MOST, text(scope));
    if scopes.as_ref().is_none_or(Vec::is_empty) {
        f.missing("scopes", "Give at least one scope.");
    }
    let days = f.required("expiresInDays", days);
    let groups = f.list("groups", OBJECTS_MOST, id(GroupId::parse)).unwrap_or_default();
    let workspaces = f.list("workspaces", OBJECTS_MOST, id(WorkspaceId::parse)).unwrap_or_default();
    Some(NewToken { name: name?, scopes: scopes?, days: days?, groups, workspaces })
}

fn token_id(request: &Request) -> Result<TokenId> {
    request.id("token", TokenId::parse, Missing::Token)
}

fn listed(rows: &[TokenRow]) -> Result<Reply> {
    Reply::ok(&rows.iter().map(TokenView::of).collect::<Vec<_>>())
}

pub async fn own(request: Request) -> Result<Reply> {
    listed(&api_tokens::own(&request.app.ops, &request.caller).await?)
}

pub async fn create_own(request: Request) -> Result<Reply> {
    let mut f = request.fields()?;
    let new = new_token(&mut f);
    let new = f.build(|| new)?;
    let made = api_tokens::create_own(&request.app.ops, &request.caller, new).await?;
    Reply::created(&TokenView::made(&made))
}

pub async fn revoke_own(request: Request) -> Result<Reply> {
    api_tokens::revoke_own(&request.app.ops, &request.caller, Some(token_id(&request)?)).await?;
    Ok(Reply::none())
}

pub async fn revoke_all_own(request: Request) -> Result<Reply> {
    api_tokens::revoke_own(&request.app.ops, &request.caller, None).await?;
    Ok(Reply::none())
}

pub async fn of_user(request: Request) -> Result<Reply> {
    listed(&api_tokens::of_user(&request.app.ops, &request.caller, user_id(&request)?).await?)
}

pub async fn create_for(request: Request) -> Result<Reply> {
    let mut f = request.fields()?;
    let new = new_token(&mut f);
    let reason = f.optional("reason", text(Reason::parse));
    let new = f.build(|| new)?;
    let made = api_tokens::create_for(&request.app.ops, &request.caller, user_id(&request)?, new, reason).await?;
    Reply::created(&TokenView::made(&made))
}

pub async fn revoke_of(request: Request) -> Result<Reply> {
    let (user, token) = (user_id(&request)?, token_id(&request)?);
    api_tokens::revoke_of(&request.app.ops, &request.caller, user, Some(token), reason(&request)?).await?;
    Ok(Reply::none())
}

pub async fn revoke_all_of(request: Request) -> Result<Reply> {
    let user = user_id(&request)?;
    api_tokens::revoke_of(&request.app.ops, &request.caller, user, None, reason(&request)?).await?;
    Ok(Reply::none())
}

pub async fn all(request: Request) -> Result<Reply> {
    let query = request.query();
    let limit = query.integer("limit", 1, LIST_MAX).unwrap_or(LIST_MAX);
    let cursor = query.text("cursor", 4_096);
    query.finish()?;
    let shape = ListShape::new("tokens", &[]);
    let after = cursor.map(|cursor| shape.keys("cursor", &cursor, 1)).transpose()?.and_then(|keys| keys.into_iter().next());
    let limit = usize::try_from(limit).unwrap_or_default();
    let page = api_tokens::all(&request.app.ops, &request.caller, after.map(TokenId::trusted), limit).await?;
    let reply = Reply::ok(&page.items.iter().map(TokenView::of_account).collect::<Vec<_>>())?;
    Ok(match page.items.last().filter(|_| page.more) {
        Some(last) => reply.header("link", next_link("/api/admin/tokens", &request.query, &shape.cursor(&[last.row.id.as_str()]))),
        None => reply,
    })
}
