//! People: `/admin/users`, `/users/{id}`.

use super::auth::new_password;
use super::fields::{Fields, Given, Query, boolean, id, raw_text, text, word};
use super::handler::{Reply, Request};
use super::paging::ListShape;
pub use super::user_view::{InvitationView, UserView};
use crate::clock::Millis;
use crate::domain::email::Email;
use crate::domain::field::FieldRule;
use crate::domain::id::{GroupId, UserId};
use crate::domain::names::{PersonName, Reason, Username};
use crate::domain::user::UserStatus;
use crate::error::{Error, Missing, Result};
use crate::identity::password_policy::PasswordPolicy;
use crate::ops::user_create::{self, Creation, Invitation};
use crate::ops::user_invite;
use crate::ops::user_state::{self, NewPassword, Outcome};
use crate::ops::user_term::Term;
use crate::ops::users::{self, After, Filter, Update, Wish};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

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
    /// RFC 3339; nobody signs in with the account from then on.
    pub expires_at: Option<String>,
    /// Who answers for it.
    pub manager_id: Option<String>,
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
    /// RFC 3339; nobody signs in with the account from then on. `null` takes it away.
    pub expires_at: Option<String>,
    /// Who answers for it; `null` for nobody.
    pub manager_id: Option<String>,
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

pub(super) fn user_id(request: &Request) -> Result<UserId> {
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
        _ => Err(FieldRule::new("invalid", "Allowed are active and disabled.")),
    });
    let only_admins = |t: &str| if t == "admin" { Ok(()) } else { Err(FieldRule::new("invalid", "Allowed is admin.")) };
    let admins = query.optional("role", only_admins).is_some();
    let limit = query.integer("limit", 1, 100).unwrap_or(20);
    let (token, count) = (query.text("nextToken", 4_096), query.flag("count"));
    query.finish()?;
    let role = if admins { "admin" } else { "" };
    let shape = ListShape::new("users", &[&search, status.map_or("", UserStatus::as_str), role]);
    let after = token.map(|token| shape.keys("nextToken", &token, 3)).transpose()?.map(|keys| after(&keys));
    let limit = usize::try_from(limit).unwrap_or(20);
    Ok((Wish { filter: Filter { search, status, admins }, after, limit, count }, shape))
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
    let term =
        Term { expires_at: f.optional("expiresAt", text(moment)).map(Some), manager: f.optional("managerId", id(UserId::parse)).map(Some) };
    f.optional("sendInvite", boolean);
    Some((Creation { email: email?, username, name, password_hash: None, is_admin, groups, term, reason }, password))
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
    let invited = invitation.map(|made| self::invitation(&request, &made));
    let view = UserView { invitation: invited, ..UserView::of(&account) };
    let revision = account.user.revision;
    Ok(Reply::created(&view)?.header("location", format!("/api/admin/users/{}", account.user.id)).etag(revision))
}

/// A field of a PATCH that can be taken away.
#[allow(clippy::option_option)] // left as it is, taken away, or set: what the use case tells apart too
fn patch_field<T>(given: Given<T>) -> Option<Option<T>> {
    match given {
        Given::Absent => None,
        Given::Null => Some(None),
        Given::Value(value) => Some(Some(value)),
    }
}

pub(super) fn moment(text: &str) -> Result<Millis, FieldRule> {
    Millis::parse(text)
        .ok_or_else(|| FieldRule::new("invalid", "Write the time as RFC 3339, for example 2026-03-12T10:20:30Z, or as a date."))
}

pub async fn update(request: Request) -> Result<Reply> {
    let mut f = request.fields()?;
    let name = patch_field(f.given("name", text(PersonName::parse)));
    let email = f.optional("email", text(Email::parse));
    let is_admin = f.optional("isAdmin", boolean);
    let groups = f.list("groups", GROUPS_MOST, id(GroupId::parse));
    let reason = f.optional("reason", text(Reason::parse));
    f.refuse("username", "A user name cannot be changed.");
    f.refuse("id", "An id cannot be changed.");
    let term =
        Term { expires_at: patch_field(f.given("expiresAt", text(moment))), manager: patch_field(f.given("managerId", id(UserId::parse))) };
    let nothing = name.is_none() && email.is_none() && is_admin.is_none() && groups.is_none() && term.is_nothing();
    let mut update = f.build(|| Some(Update { name, email, is_admin, groups, term, reason, revision: None }))?;
    if nothing {
        return Err(Error::field("body", "required", "Give at least one of name, email, isAdmin, groups, expiresAt and managerId."));
    }
    update.revision = request.if_match()?;
    let account = users::update(&request.app.ops, &request.caller, user_id(&request)?, update).await?;
    Ok(Reply::ok(&UserView::of(&account))?.etag(account.user.revision))
}

/// The page that an invitation opens.
pub(super) fn invitation(request: &Request, made: &Invitation) -> InvitationView {
    let link = format!("{}/invite#{}", request.app.transport.public_url, made.code.expose_secret());
    InvitationView { link, expires_at: made.expires_at.rfc3339() }
}

pub async fn invite(request: Request) -> Result<Reply> {
    let made = user_invite::renew(&request.app.ops, &request.caller, user_id(&request)?, reason(&request)?).await?;
    Reply::created(&invitation(&request, &made))
}

pub async fn withdraw_invitation(request: Request) -> Result<Reply> {
    user_invite::withdraw(&request.app.ops, &request.caller, user_id(&request)?, reason(&request)?).await?;
    Ok(Reply::none())
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
