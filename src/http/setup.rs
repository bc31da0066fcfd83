//! `POST /api/setup`: the first administrator. Not there any more once somebody has an account.

use super::auth::{new_password, secret, session_kind, signed_in_reply};
use super::fields::text;
use super::handler::{Reply, Request};
use crate::app::setup_file;
use crate::domain::email::Email;
use crate::domain::names::{PersonName, Username};
use crate::error::{Error, Missing, Result};
use crate::identity::password_policy::PasswordPolicy;
use crate::ops::setup::{self, FirstAdministrator};
use secrecy::SecretString;

#[derive(utoipa::ToSchema)]
#[allow(dead_code)]
pub struct SetupBody {
    /// The one-time code that the server printed.
    code: String,
    username: String,
    email: String,
    name: Option<String>,
    password: String,
    /// `cookie` for pages; tokens otherwise.
    session: Option<String>,
}

pub async fn set_up(request: Request) -> Result<Reply> {
    if !setup::is_open(&request.app.ops, request.caller.origin.clone()).await? {
        return Err(Error::NotFound(Missing::Route));
    }
    let mut fields = request.fields()?;
    let code = secret(&mut fields, "code", 256);
    let (username, email) = (fields.required("username", text(Username::parse)), fields.required("email", text(Email::parse)));
    let name = fields.optional("name", text(PersonName::parse));
    let policy = PasswordPolicy::with_min_length(request.app.ops.rules().password_min_length);
    let password = fields.required("password", new_password(policy)).map(SecretString::from);
    let kind = session_kind(&mut fields);
    let first =
        fields.build(|| Some(FirstAdministrator { code: code?, username: username?, email: email?, name, password: password?, kind }))?;
    let signed_in = setup::set_up(&request.app.doors(), &request.caller, first).await?;
    setup_file::forget(&request.app.config.data.dir);
    signed_in_reply(&request.app, 201, signed_in)
}
