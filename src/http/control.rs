//! What only the command line may ask for, on the control socket or in process: set-up codes, keys, backups, the
//! record of installed apps. On the network these routes do not exist.

use super::auth::secret;
use super::fields::{boolean, raw_text, text};
use super::handler::{Reply, Request};
use crate::app::setup_file;
use crate::domain::email::Email;
use crate::domain::field::FieldRule;
use crate::domain::names::{PersonName, Username};
use crate::domain::user::UserStatus;
use crate::error::Result;
use crate::identity::password::PASSWORD_BYTES_MAX;
use crate::ops::backup::{self, Places};
use crate::ops::installed_apps::{self, AppVersion};
use crate::ops::shell::{self, NewAccount};
use crate::ops::signing_keys;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::sync::Arc;

/// `POST /control/setup-code`: a new link, and the address to put it behind.
pub async fn setup_code(request: Request) -> Result<Reply> {
    let app = &request.app;
    let code = shell::setup_code(&app.ops, &request.caller, &app.entropy).await?;
    setup_file::keep(&app.config.data.dir, code.expose_secret())?;
    let url = format!("{}/setup#{}", app.transport.public_url, code.expose_secret());
    Reply::created(&json!({"code": code.expose_secret(), "url": url}))
}

/// `POST /control/users {username, email, name?, password, isAdmin?, mustChangePassword?}`.
pub async fn add_user(request: Request) -> Result<Reply> {
    let app = Arc::clone(&request.app);
    let mut fields = request.fields()?;
    let username = fields.required("username", text(Username::parse));
    let email = fields.required("email", text(Email::parse));
    let name = fields.optional("name", text(PersonName::parse));
    let password = secret(&mut fields, "password", PASSWORD_BYTES_MAX);
    let is_admin = fields.optional("isAdmin", boolean).unwrap_or(false);
    let must_change_password = fields.optional("mustChangePassword", boolean).unwrap_or(false);
    let (username, email, password) = fields.build(|| Some((username?, email?, password?)))?;
    let known = vec![username.to_string(), email.to_string(), name.as_ref().map(ToString::to_string).unwrap_or_default()];
    let password_hash = app.doors().take_password("password", &password, known).await?;
    let new = NewAccount { username, email, name, password_hash, must_change_password, is_admin };
    let user = shell::add(&app.ops, &request.caller, new).await?;
    setup_file::forget(&app.config.data.dir);
    Reply::created(&json!({
        "id": user.id, "username": user.username, "email": user.email, "name": user.name, "isAdmin": is_admin,
        "status": if user.status == UserStatus::Active { "active" } else { "disabled" },
        "mustChangePassword": user.must_change_password, "createdAt": user.created_at.rfc3339(),
    }))
}

/// `GET /control/keys`.
pub async fn list_keys(request: Request) -> Result<Reply> {
    let rows = signing_keys::list(&request.app.ops, &request.caller).await?;
    Reply::ok(&rows.iter().map(key_view).collect::<Vec<Value>>())
}

/// `POST /control/keys/rotate {compromised?}`.
pub async fn rotate_keys(request: Request) -> Result<Reply> {
    let mut fields = request.fields()?;
    let compromised = fields.optional("compromised", boolean).unwrap_or(false);
    let compromised = fields.build(|| Some(compromised))?;
    let app = &request.app;
    let (clock, entropy) = (Arc::clone(&app.clock), Arc::clone(&app.entropy));
    let rows = signing_keys::rotate(&app.ops, &app.keys, &request.caller, compromised, clock, entropy).await?;
    Reply::ok(&rows.iter().map(key_view).collect::<Vec<Value>>())
}

fn key_view(row: &crate::ops::signing_keys::KeyRow) -> Value {
    json!({
        "kid": row.kid,
        "kind": row.kind,
        "algorithm": row.algorithm,
        "state": if row.active { "active" } else { "retiring" },
        "createdAt": row.created_at.rfc3339(),
        "retireAt": row.retire_at.map(crate::clock::Millis::rfc3339),
    })
}

/// `POST /control/backups {withKeys?}`.
pub async fn create_backup(request: Request) -> Result<Reply> {
    let mut fields = request.fields()?;
    let with_keys = fields.optional("withKeys", boolean).unwrap_or(false);
    let with_keys = fields.build(|| Some(with_keys))?;
    let app = &request.app;
    let places = Places { data_dir: app.config.data.dir.clone() };
    let folder = places.backups();
    let (name, manifest) = backup::take(&app.ops, &request.caller, places, with_keys, Arc::clone(&app.clock)).await?;
    Reply::created(&json!({"name": name, "path": folder.join(&name).to_string_lossy(), "manifest": manifest}))
}

/// `POST /control/apps/installed {name, version, digest}`: before the files take their place.
pub async fn installed(request: Request) -> Result<Reply> {
    let app = app_version(&request)?;
    installed_apps::installed(&request.app.ops, &request.caller, app).await?;
    Ok(Reply::none())
}

/// `POST /control/apps/removed {name, version, digest}`: before the files are removed.
pub async fn removed(request: Request) -> Result<Reply> {
    let app = app_version(&request)?;
    installed_apps::removed(&request.app.ops, &request.caller, app).await?;
    Ok(Reply::none())
}

fn app_version(request: &Request) -> Result<AppVersion> {
    let mut fields = request.fields()?;
    let name = fields.required("name", raw_text(32));
    let version = fields.required("version", raw_text(64));
    let digest = fields.required("digest", raw_text(64));
    fields.build(|| Some(AppVersion { name: name?, version: version?, digest: digest? }))
}

/// `POST /control/restored {createdAt, upTo}`: after a backup was put in place, before anybody is served from it.
pub async fn restored(request: Request) -> Result<Reply> {
    let mut fields = request.fields()?;
    let made_at = fields.required("createdAt", raw_text(64));
    let up_to = fields.required("upTo", |value| value.as_i64().ok_or_else(|| FieldRule::new("type", "upTo is a whole number.")));
    let (made_at, up_to) = fields.build(|| Some((made_at?, up_to?)))?;
    let ended = backup::restored(&request.app.ops, &request.caller, made_at, up_to).await?;
    Reply::ok(&json!({"endedSessions": ended}))
}
