//! Signing in and out: `auth/providers`, `auth/login`, `auth/invite`, `auth/refresh`, `auth/logout`.
//!
//! A page asks for a cookie (`"session": "cookie"`) and never sees a token; everybody else gets tokens and no cookie.

use super::cookies;
use super::fields::{Fields, raw_text, word};
use super::handler::{Reply, Request};
use super::users::UserView;
use crate::app::App;
use crate::domain::field::FieldRule;
use crate::error::Result;
use crate::identity::password::PASSWORD_BYTES_MAX;
use crate::identity::password_policy::PasswordPolicy;
use crate::ops::invitation::{self, Redemption};
use crate::ops::new_session::{SessionKind, Shown, SignedIn};
use crate::ops::sign_in::{self, Login};
use crate::ops::{own_sessions, refresh, setup};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;

/// No name or address is longer, in bytes.
const NAME_MAX: usize = 254;
/// No code or token of ours is longer, in bytes.
const CODE_MAX: usize = 256;

/// `GET /api/auth/providers`: how one can sign in here.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProvidersView {
    /// Nobody has an account yet: the code from the terminal makes the first one.
    pub setup_required: bool,
    pub password: bool,
    pub oidc: Vec<String>,
    pub ldap: Vec<String>,
    pub version: &'static str,
    /// Characters of a new password.
    pub password_min_length: usize,
}

/// What a sign-in answers.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedInView {
    pub success: bool,
    /// `Bearer`; with tokens only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_token: Option<String>,
    /// Seconds; with tokens only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// When the session ends if it is not used; with a cookie only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Nothing works but changing the password and signing out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub must_change_password: bool,
    pub user: UserView,
}

#[derive(utoipa::ToSchema)]
#[allow(dead_code)]
pub struct LoginBody {
    /// User name or e-mail address.
    username: Option<String>,
    /// Accepted in the place of `username`.
    email: Option<String>,
    password: String,
    /// `cookie` for pages; tokens otherwise.
    session: Option<String>,
}

#[derive(utoipa::ToSchema)]
#[allow(dead_code)]
pub struct InviteBody {
    code: String,
    password: String,
    session: Option<String>,
}

#[derive(utoipa::ToSchema)]
#[allow(dead_code)]
#[serde(rename_all = "camelCase")]
pub struct RefreshBody {
    refresh_token: String,
}

#[derive(utoipa::ToSchema)]
#[allow(dead_code)]
#[serde(rename_all = "camelCase")]
pub struct LogoutBody {
    /// Ends the sign-in of this token too.
    refresh_token: Option<String>,
}

pub async fn providers(request: Request) -> Result<Reply> {
    let setup_required = setup::is_open(&request.app.ops, request.caller.origin.clone()).await?;
    Reply::ok(&ProvidersView {
        setup_required,
        password: true,
        oidc: Vec::new(),
        ldap: Vec::new(),
        version: env!("CARGO_PKG_VERSION"),
        password_min_length: request.app.ops.rules().password_min_length,
    })
}

pub async fn login(request: Request) -> Result<Reply> {
    let mut fields = request.fields()?;
    let (username, email) = (fields.optional("username", raw_text(NAME_MAX)), fields.optional("email", raw_text(NAME_MAX)));
    match (&username, &email) {
        (None, None) => fields.problem("username", "required", "Give a user name or an e-mail address."),
        (Some(_), Some(_)) => fields.problem("email", "conflict", "Give either username or email, not both."),
        _ => {}
    }
    let (password, kind) = (secret(&mut fields, "password", PASSWORD_BYTES_MAX), session_kind(&mut fields));
    let device = cookies::device(&request);
    let given = fields.build(|| Some(Login { name: username.or(email)?, password: password?, kind, device }))?;
    let signed_in = sign_in::login(&request.app.doors(), &request.caller, given).await?;
    signed_in_reply(&request.app, 200, signed_in)
}

pub async fn invite(request: Request) -> Result<Reply> {
    let mut fields = request.fields()?;
    let (code, password) = (secret(&mut fields, "code", CODE_MAX), secret(&mut fields, "password", PASSWORD_BYTES_MAX));
    let kind = session_kind(&mut fields);
    let given = fields.build(|| Some(Redemption { code: code?, password: password?, kind }))?;
    let signed_in = invitation::redeem(&request.app.doors(), &request.caller, given).await?;
    signed_in_reply(&request.app, 200, signed_in)
}

pub async fn renew(request: Request) -> Result<Reply> {
    let mut fields = request.fields()?;
    let token = secret(&mut fields, "refreshToken", CODE_MAX);
    let token = fields.build(|| token)?;
    let signed_in = refresh::refresh(&request.app.doors(), &request.caller, &token).await?;
    signed_in_reply(&request.app, 200, signed_in)
}

pub async fn logout(request: Request) -> Result<Reply> {
    let query = request.query();
    let everywhere = query.flag("everywhere");
    query.finish()?;
    let mut fields = request.fields()?;
    let token = fields.optional("refreshToken", raw_text(CODE_MAX)).map(SecretString::from);
    fields.build(|| Some(()))?;
    if everywhere {
        own_sessions::sign_out_everywhere(&request.app.ops, &request.caller).await?;
    } else {
        own_sessions::sign_out(&request.app.ops, &request.caller, token).await?;
    }
    Ok(cookies::without_session(Reply::none(), &request.app))
}

/// A text that is never printed.
pub(super) fn secret(fields: &mut Fields<'_>, name: &'static str, most: usize) -> Option<SecretString> {
    fields.required(name, raw_text(most)).map(SecretString::from)
}

/// A new password. What can be held against it without knowing whose it is, is said together with the other fields.
pub(super) fn new_password(policy: PasswordPolicy) -> impl Fn(&Value) -> std::result::Result<String, FieldRule> {
    let plain = raw_text(PASSWORD_BYTES_MAX);
    move |value| {
        let password = plain(value)?;
        policy.check(&password, &[]).map(|()| password)
    }
}

/// How the client wants to show the sign-in.
pub(super) fn session_kind(fields: &mut Fields<'_>) -> SessionKind {
    let kind = |text: &str| match text {
        "cookie" => Some(SessionKind::Cookie),
        "tokens" => Some(SessionKind::Tokens),
        _ => None,
    };
    fields.optional("session", word(kind, "cookie and tokens")).unwrap_or(SessionKind::Tokens)
}

/// The answer of every way in.
pub(super) fn signed_in_reply(app: &App, status: u16, signed_in: SignedIn) -> Result<Reply> {
    let must_change_password = signed_in.account.user.must_change_password;
    let mut view = SignedInView {
        success: true,
        token_type: None,
        access_token: None,
        expires_in: None,
        refresh_token: None,
        expires_at: None,
        must_change_password,
        user: UserView::of(&signed_in.account),
    };
    match signed_in.shown {
        Shown::Tokens { access, expires_in, refresh } => {
            view.token_type = Some("Bearer");
            view.access_token = Some(access.expose_secret().to_owned());
            view.expires_in = Some(expires_in);
            view.refresh_token = Some(refresh.expose_secret().to_owned());
            Reply::json(status, &view)
        }
        Shown::Cookie(cookie) => {
            view.expires_at = Some(signed_in.expires_at.rfc3339());
            let reply = cookies::with_session(Reply::json(status, &view)?, app, cookie.expose_secret());
            Ok(signed_in.device.iter().fold(reply, |reply, device| cookies::with_device(reply, app, device)))
        }
    }
}
