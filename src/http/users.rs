//! People: `/admin/users`, `/users/{id}`.

use super::access::can_view;
use super::auth::new_password;
use super::fields::{Fields, Query, boolean, id, raw_text, text, word};
use super::handler::{Reply, Request};
use super::paging::ListShape;
use crate::clock::Millis;
use crate::domain::email::Email;
use crate::domain::id::{GroupId, UserId};
use crate::domain::names::{PersonName, Reason, Username};
use crate::domain::user::UserStatus;
use crate::error::{Error, Missing, Result};
use crate::identity::password_policy::PasswordPolicy;
use crate::ops::user_create::{self, Creation};
use crate::ops::user_state::{self, NewPassword, Outcome};
use crate::ops::users::{self, Account, After, Filter, Single, Update, Wish};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// One membership in a user.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupMembershipView {
    pub group_id: String,
    /// `member` or `admin`.
    pub role: &'static str,
}

/// A group of a user with its names.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupDetailView {
    pub id: String,
    pub name: String,
    pub display_name: String,
    pub role: &'static str,
    pub joined_at: String,
}

/// A one-use link that sets the first password; it is shown once.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InvitationView {
    pub link: String,
    pub expires_at: String,
}

/// A user.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserView {
    pub id: String,
    pub username: String,
    pub email: String,
    pub name: String,
    /// `person` or `service`.
    pub kind: &'static str,
    /// `active` or `disabled`.
    pub status: &'static str,
    pub is_admin: bool,
    /// Ids, for clients that know no roles.
    pub groups: Vec<String>,
    pub group_memberships: Vec<GroupMembershipView>,
    pub created_at: String,
    pub last_login_at: Option<String>,
    pub must_change_password: bool,
    /// In a list the names of the allowed actions, else each action with `true` or why not.
    #[schema(schema_with = super::openapi::allowed)]
    pub can: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspaces_count: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_details: Option<Vec<GroupDetailView>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invitation: Option<InvitationView>,
    /// What was done, in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl UserView {
    pub fn of(account: &Account) -> Self {
        let user = &account.user;
        let memberships = &account.memberships;
        Self {
            id: user.id.to_string(),
            username: user.username.clone(),
            email: user.email.clone(),
            name: user.name.clone(),
            kind: user.kind.as_str(),
            status: user.status.as_str(),
            is_admin: account.rights.is_admin(),
            groups: memberships.iter().map(|m| m.group_id.to_string()).collect(),
            group_memberships: memberships
                .iter()
                .map(|m| GroupMembershipView { group_id: m.group_id.to_string(), role: m.role.as_str() })
                .collect(),
            created_at: user.created_at.rfc3339(),
            last_login_at: user.last_login_at.map(Millis::rfc3339),
            must_change_password: user.must_change_password,
            can: json!(account.can),
            workspaces_count: None,
            group_details: None,
            invitation: None,
            message: None,
        }
    }

    fn saying(account: &Account, message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), ..Self::of(account) }
    }

    fn single(single: &Single) -> Self {
        let account = &single.account;
        let details = account.memberships.iter().map(|m| GroupDetailView {
            id: m.group_id.to_string(),
            name: m.name.clone(),
            display_name: m.display_name.clone(),
            role: m.role.as_str(),
            joined_at: m.joined_at.rfc3339(),
        });
        Self {
            can: can_view(&single.can),
            workspaces_count: Some(single.workspaces),
            group_details: Some(details.collect()),
            ..Self::of(account)
        }
    }
}

/// A page of users.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsersView {
    pub items: Vec<UserView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
    pub has_more: bool,
    /// With `count=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
}

/// A new user.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)] // describes the body; it is decoded field by field
pub struct CreateUserBody {
    pub email: String,
    /// By default the local part of the address.
    pub username: Option<String>,
    pub name: Option<String>,
    /// Must be changed at the first sign-in; without one the answer carries an invitation.
    pub temporary_password: Option<String>,
    pub send_invite: Option<bool>,
    pub is_admin: Option<bool>,
    pub groups: Option<Vec<String>>,
    pub reason: Option<String>,
}

/// Changes of a user; absent stays.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)]
pub struct UpdateUserBody {
    pub name: Option<String>,
    pub email: Option<String>,
    pub is_admin: Option<bool>,
    /// The whole list of group ids.
    pub groups: Option<Vec<String>>,
    pub reason: Option<String>,
}

/// Why it is done, for the audit log.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[allow(dead_code)]
pub struct ReasonBody {
    pub reason: Option<String>,
}

/// A password for somebody else.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)]
pub struct ResetPasswordBody {
    pub new_password: String,
    /// It need not be changed at the next sign-in.
    pub permanent: Option<bool>,
    pub reason: Option<String>,
}

/// The largest password that is looked at, in bytes; the policy counts characters.
const PASSWORD_BYTES: usize = 1_024;
/// Groups in one body.
const GROUPS_MOST: usize = 100;

fn user_id(request: &Request) -> Result<UserId> {
    request.id("user", UserId::parse, Missing::User)
}

/// A body that holds nothing but an optional reason.
pub(super) fn reason(request: &Request) -> Result<Option<Reason>> {
    let mut f = request.fields()?;
    let reason = f.optional("reason", text(Reason::parse));
    f.build(|| Some(reason))
}

fn wish(query: &Query) -> Result<(Wish, ListShape)> {
    let search = query.text("search", 100).map(|t| t.trim().to_owned()).unwrap_or_default();
    let status = query.optional("status", |t| match UserStatus::parse(t) {
        Some(status @ (UserStatus::Active | UserStatus::Disabled)) => Ok(status),
        _ => Err(crate::domain::field::FieldRule::new("invalid", "Allowed are active and disabled.")),
    });
    let limit = query.integer("limit", 1, 100).unwrap_or(20);
    let (token, count) = (query.text("nextToken", 4_096), query.flag("count"));
    query.finish()?;
    let shape = ListShape::new("users", &[&search, status.map_or("", UserStatus::as_str)]);
    let after = token.map(|token| shape.keys("nextToken", &token, 3)).transpose()?.map(|keys| after(&keys));
    let limit = usize::try_from(limit).unwrap_or(20);
    Ok((Wish { filter: Filter { search, status }, after, limit, count }, shape))
}

fn after(keys: &[String]) -> After {
    let number = |at: usize| keys.get(at).and_then(|k| k.parse().ok()).unwrap_or(0);
    After { part: number(0), key: keys.get(1).cloned().unwrap_or_default(), row: number(2) }
}

pub async fn list(request: Request) -> Result<Reply> {
    let (wish, shape) = wish(&request.query())?;
    let answer = users::list(&request.app.ops, &request.caller, wish).await?;
    let cursor = |after: &After| shape.cursor(&[&after.part.to_string(), &after.key, &after.row.to_string()]);
    Reply::ok(&UsersView {
        items: answer.page.items.iter().map(UserView::of).collect(),
        next_token: answer.next.as_ref().map(cursor),
        has_more: answer.page.more,
        total: answer.total,
    })
}

pub async fn get(request: Request) -> Result<Reply> {
    let single = users::get(&request.app.ops, &request.caller, user_id(&request)?).await?;
    Ok(Reply::ok(&UserView::single(&single))?.etag(single.account.user.revision))
}

/// Checks a password for somebody and hashes it, before anything is written.
async fn hashed(request: &Request, field: &'static str, password: &str, about: &[&str]) -> Result<String> {
    let policy = PasswordPolicy::with_min_length(request.app.ops.rules().password_min_length);
    policy.check(password, about).map_err(|rule| rule.error(field))?;
    request.app.passwords.hash(&SecretString::from(password)).await
}

fn new_user(f: &mut Fields<'_>, policy: PasswordPolicy) -> Option<(Creation, Option<String>)> {
    let email = f.required("email", text(Email::parse));
    let username = f.optional("username", text(Username::parse));
    let name = f.optional("name", text(PersonName::parse));
    // An empty one is none: the person gets an invitation.
    let parse = new_password(policy);
    let password = f.optional("temporaryPassword", |value| if value == "" { Ok(String::new()) } else { parse(value) });
    let is_admin = f.optional("isAdmin", boolean).unwrap_or(false);
    let groups = f.list("groups", GROUPS_MOST, id(GroupId::parse)).unwrap_or_default();
    let reason = f.optional("reason", text(Reason::parse));
    f.optional("sendInvite", boolean);
    Some((Creation { email: email?, username, name, password_hash: None, is_admin, groups, reason }, password))
}

pub async fn create(request: Request) -> Result<Reply> {
    let mut f = request.fields()?;
    let new = new_user(&mut f, PasswordPolicy::with_min_length(request.app.ops.rules().password_min_length));
    let (mut new, password) = f.build(|| new)?;
    if let Some(password) = password.filter(|p| !p.is_empty()) {
        let about =
            [new.email.as_str(), new.username.as_ref().map_or("", Username::as_str), new.name.as_ref().map_or("", PersonName::as_str)];
        new.password_hash = Some(hashed(&request, "temporaryPassword", &password, &about).await?);
    }
    let (account, invitation) = user_create::create(&request.app.ops, &request.caller, new).await?;
    let link = |code: &SecretString| format!("{}/invite#{}", request.app.transport.public_url, code.expose_secret());
    let invitation = invitation.map(|i| InvitationView { link: link(&i.code), expires_at: i.expires_at.rfc3339() });
    let view = UserView { invitation, ..UserView::of(&account) };
    let revision = account.user.revision;
    Ok(Reply::created(&view)?.header("location", format!("/api/admin/users/{}", account.user.id)).etag(revision))
}

pub async fn update(request: Request) -> Result<Reply> {
    use super::fields::Given;
    let mut f = request.fields()?;
    let name = match f.given("name", text(PersonName::parse)) {
        Given::Absent => None,
        Given::Null => Some(None),
        Given::Value(name) => Some(Some(name)),
    };
    let email = f.optional("email", text(Email::parse));
    let is_admin = f.optional("isAdmin", boolean);
    let groups = f.list("groups", GROUPS_MOST, id(GroupId::parse));
    let reason = f.optional("reason", text(Reason::parse));
    f.refuse("username", "A user name cannot be changed.");
    f.refuse("id", "An id cannot be changed.");
    let nothing = name.is_none() && email.is_none() && is_admin.is_none() && groups.is_none();
    let mut update = f.build(|| Some(Update { name, email, is_admin, groups, reason, revision: None }))?;
    if nothing {
        return Err(Error::field("body", "required", "Give at least one of name, email, isAdmin and groups."));
    }
    update.revision = request.if_match()?;
    let account = users::update(&request.app.ops, &request.caller, user_id(&request)?, update).await?;
    Ok(Reply::ok(&UserView::of(&account))?.etag(account.user.revision))
}

pub async fn delete(request: Request) -> Result<Reply> {
    users::delete(&request.app.ops, &request.caller, user_id(&request)?, reason(&request)?).await?;
    Ok(Reply::none())
}

fn told(outcome: &Outcome, done: &str, already: &str) -> Result<Reply> {
    let name = &outcome.account.user.username;
    let words = if outcome.changed { done } else { already };
    Ok(Reply::ok(&UserView::saying(&outcome.account, format!("{name} {words}.")))?.etag(outcome.account.user.revision))
}

pub async fn enable(request: Request) -> Result<Reply> {
    let outcome = user_state::enable(&request.app.ops, &request.caller, user_id(&request)?, reason(&request)?).await?;
    told(&outcome, "can sign in again", "is active already")
}

pub async fn disable(request: Request) -> Result<Reply> {
    let outcome = user_state::disable(&request.app.ops, &request.caller, user_id(&request)?, reason(&request)?).await?;
    told(&outcome, "is disabled and signed out everywhere", "is disabled already")
}

pub async fn sign_out(request: Request) -> Result<Reply> {
    let outcome = user_state::sign_out(&request.app.ops, &request.caller, user_id(&request)?, reason(&request)?).await?;
    told(&outcome, "is signed out everywhere", "is signed out everywhere")
}

pub async fn promote(request: Request) -> Result<Reply> {
    let outcome = user_state::promote(&request.app.ops, &request.caller, user_id(&request)?, reason(&request)?).await?;
    told(&outcome, "is a platform admin now", "is a platform admin already")
}

pub async fn demote(request: Request) -> Result<Reply> {
    let outcome = user_state::demote(&request.app.ops, &request.caller, user_id(&request)?, reason(&request)?).await?;
    told(&outcome, "is no platform admin any more", "is not a platform admin")
}

pub async fn unlock(request: Request) -> Result<Reply> {
    let id = user_id(&request)?;
    let outcome = user_state::unlock(&request.app.ops, &request.caller, id.clone(), reason(&request)?).await?;
    request.app.throttle.unlock(&id);
    told(&outcome, "can try to sign in at once", "can try to sign in at once")
}

pub async fn reset_password(request: Request) -> Result<Reply> {
    let id = user_id(&request)?;
    let mut f = request.fields()?;
    let password = f.required("newPassword", raw_text(PASSWORD_BYTES));
    let permanent = f.optional("permanent", boolean).unwrap_or(false);
    let reason = f.optional("reason", text(Reason::parse));
    let password = f.build(|| password)?;
    // Whoever may not do this learns nothing about passwords, and costs no hash.
    let about = users::get(&request.app.ops, &request.caller, id.clone()).await?.account.user;
    let hash = hashed(&request, "newPassword", &password, &[&about.username, &about.email, &about.name]).await?;
    let outcome =
        user_state::reset_password(&request.app.ops, &request.caller, id.clone(), NewPassword { hash, permanent }, reason).await?;
    request.app.throttle.unlock(&id);
    told(&outcome, "has a new password and was signed out everywhere", "has a new password")
}

/// A role in a body.
pub(super) fn role(f: &mut Fields<'_>) -> Option<crate::domain::group::GroupRole> {
    f.optional("role", word(crate::domain::group::GroupRole::parse, "member and admin"))
}
