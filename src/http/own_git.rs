//! What the caller reaches git hosts with: `users/me/ssh-key`, `users/me/git-credentials`.

use super::fields::text;
use super::handler::{Reply, Request};
use crate::domain::field::FieldRule;
use crate::domain::git::{GitHost, GitUsername, check_token};
use crate::error::Result;
use crate::ops::git_credentials::{self, GitCredentialRow, NewCredential};
use crate::ops::ssh_key::{self, OwnKey};
use secrecy::SecretString;
use serde::Serialize;
use std::sync::Arc;

/// The public part of the caller's SSH key; `null` everywhere before one was made.
#[derive(Debug, Default, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SshKeyView {
    /// One line of `authorized_keys`.
    pub public_key: Option<String>,
    /// As `ssh-keygen -l` prints it: `SHA256:…`.
    pub fingerprint: Option<String>,
    pub created_at: Option<String>,
}

impl SshKeyView {
    fn of(key: &OwnKey) -> Self {
        Self {
            public_key: Some(key.public.line()),
            fingerprint: Some(key.public.fingerprint()),
            created_at: Some(key.created_at.rfc3339()),
        }
    }
}

/// A host for which a token is kept.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GitCredentialView {
    /// Lower-case name, with the port where it is not 443.
    pub host: String,
    pub username: String,
    pub created_at: String,
}

impl GitCredentialView {
    fn of(row: GitCredentialRow) -> Self {
        Self { host: row.host.into_string(), username: row.username, created_at: row.created_at.rfc3339() }
    }
}

#[derive(utoipa::ToSchema)]
#[allow(dead_code)] // decoded field by field, so that every problem is told at once
pub struct GitCredentialBody {
    /// The user name that belongs to the token; many hosts take any.
    username: String,
    /// Never shown again.
    token: String,
}

pub async fn ssh_key(request: Request) -> Result<Reply> {
    let key = ssh_key::find(&request.app.ops, &request.caller).await?;
    Reply::ok(&key.as_ref().map(SshKeyView::of).unwrap_or_default())
}

pub async fn make_ssh_key(request: Request) -> Result<Reply> {
    request.fields()?.build(|| Some(()))?;
    let app = &request.app;
    let key = ssh_key::make(&app.ops, Arc::clone(app.keys.sealer()), Arc::clone(&app.entropy), &request.caller).await?;
    Reply::created(&SshKeyView::of(&key))
}

fn host(request: &Request) -> Result<GitHost> {
    GitHost::parse(request.param("host")?).map_err(|rule| rule.error("host"))
}

fn token(text: &str) -> Result<SecretString, FieldRule> {
    check_token(text).map(|()| text.to_owned().into())
}

pub async fn credentials(request: Request) -> Result<Reply> {
    let rows = git_credentials::list(&request.app.ops, &request.caller).await?;
    Reply::ok(&rows.into_iter().map(GitCredentialView::of).collect::<Vec<_>>())
}

pub async fn save_credential(request: Request) -> Result<Reply> {
    let host = host(&request)?;
    let mut fields = request.fields()?;
    let username = fields.required("username", text(GitUsername::parse));
    let token = fields.required("token", text(token));
    let new = fields.build(|| Some(NewCredential { host, username: username?, token: token? }))?;
    let app = &request.app;
    let row = git_credentials::save(&app.ops, Arc::clone(app.keys.sealer()), Arc::clone(&app.entropy), &request.caller, new).await?;
    Reply::ok(&GitCredentialView::of(row))
}

pub async fn remove_credential(request: Request) -> Result<Reply> {
    request.fields()?.build(|| Some(()))?;
    git_credentials::remove(&request.app.ops, &request.caller, host(&request)?).await?;
    Ok(Reply::none())
}
