//! The caller's own account: `auth/me`, `auth/profile`, `auth/change-password`.

use super::auth::{secret, signed_in_reply};
use super::cookies;
use super::fields::{Given, text};
use super::handler::{Reply, Request};
use super::users::UserView;
use crate::domain::email::Email;
use crate::domain::field::FieldRule;
use crate::domain::names::PersonName;
use crate::error::Result;
use crate::identity::password::PASSWORD_BYTES_MAX;
use crate::ops::own_account::{self, Edit};
use crate::ops::own_password::{self, Replacement};
use serde::Serialize;

/// The caller's account.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct OwnAccountView {
    pub success: bool,
    pub user: UserView,
}

#[derive(utoipa::ToSchema)]
#[allow(dead_code)]
pub struct ProfileBody {
    /// `null` takes the name away.
    name: Option<String>,
    email: Option<String>,
}

#[derive(utoipa::ToSchema)]
#[allow(dead_code)]
#[serde(rename_all = "camelCase")]
pub struct PasswordBody {
    current_password: String,
    new_password: String,
}

pub async fn me(request: Request) -> Result<Reply> {
    let account = own_account::me(&request.app.ops, &request.caller).await?;
    let revision = account.user.revision;
    Ok(Reply::ok(&OwnAccountView { success: true, user: UserView::of(&account) })?.etag(revision))
}

/// A name, or the empty text for none.
fn name_or_none(given: &str) -> Result<Option<PersonName>, FieldRule> {
    if given.trim().is_empty() { Ok(None) } else { PersonName::parse(given).map(Some) }
}

pub async fn update(request: Request) -> Result<Reply> {
    let revision = request.if_match()?;
    let mut fields = request.fields()?;
    let name = match fields.given("name", text(name_or_none)) {
        Given::Absent => None,
        Given::Null => Some(None),
        Given::Value(name) => Some(name),
    };
    let email = match fields.given("email", text(Email::parse)) {
        Given::Null => {
            fields.problem("email", "required", "Everybody has an e-mail address.");
            None
        }
        given => given.value(),
    };
    let edit = fields.build(|| Some(Edit { name, email, revision }))?;
    let account = own_account::update(&request.app.ops, &request.caller, edit).await?;
    let revision = account.user.revision;
    Ok(Reply::ok(&OwnAccountView { success: true, user: UserView::of(&account) })?.etag(revision))
}

pub async fn change_password(request: Request) -> Result<Reply> {
    let mut fields = request.fields()?;
    let current = secret(&mut fields, "currentPassword", PASSWORD_BYTES_MAX);
    let new = secret(&mut fields, "newPassword", PASSWORD_BYTES_MAX);
    let device = cookies::device(&request);
    let passwords = fields.build(|| Some(Replacement { current: current?, new: new?, device }))?;
    match own_password::change(&request.app.doors(), &request.caller, passwords).await? {
        None => Ok(Reply::none()),
        // The body is dropped: a page needs the new cookies and nothing else.
        Some(signed_in) => {
            let told = signed_in_reply(&request.app, 200, signed_in)?;
            Ok(Reply { headers: told.headers, ..Reply::none() })
        }
    }
}
