//! Settings: `/admin/settings`. The registry says what there is and what may be written; the table holds what is set.

use super::fields::{Fields, Given, text};
use super::handler::{Reply, Request};
use crate::app::settings::refresh;
use crate::config::print::{self, Item};
use crate::config::registry::{self, Key, When};
use crate::config::{Config, Setting, Source};
use crate::domain::names::Reason;
use crate::error::{Error, Result};
use crate::ops::settings::{self, Held, Stored, Wish};
use crate::policy::Action;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The setting that has a name of its own at the top.
const DEFAULT_IMAGE: &str = "workspaces.default_image";

/// One setting, and who set it last.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SettingView {
    #[serde(flatten)]
    pub item: Item,
    /// When it was last changed here; absent when it never was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<String>,
    /// The id of a person, or `cli:NAME`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_by: Option<String>,
    /// The person's user name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_by_name: Option<String>,
}

/// All settings.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SettingsView {
    /// Always `system`.
    pub id: &'static str,
    /// What a workspace without template and image is made from; null: it must be named.
    pub default_workspace_image: Option<String>,
    /// When a setting was last changed here; null before the first change.
    pub updated_at: Option<String>,
    /// Who changed one last; `system` before the first change.
    pub updated_by: String,
    pub items: Vec<SettingView>,
}

/// Changes of settings: the default image by its own name, or any by key; null puts one back to its default.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)] // describes the body; it is decoded field by field
pub struct SettingsBody {
    pub default_workspace_image: Option<String>,
    #[schema(value_type = Option<Object>)]
    pub items: Option<Value>,
    pub reason: Option<String>,
}

/// The values of the table, as the configuration reads them.
pub(super) fn values(held: &Held) -> BTreeMap<String, Value> {
    held.stored.iter().filter(|(_, s)| !s.value.is_null()).map(|(key, s)| (key.clone(), s.value.clone())).collect()
}

fn item(setting: &Setting, stored: Option<&Stored>) -> SettingView {
    // A file that pins a setting hides what was once set here, so who did that says nothing.
    let stored = stored.filter(|_| !setting.pinned());
    SettingView {
        item: Item::of(setting),
        updated_at: stored.map(|s| s.updated_at.rfc3339()),
        updated_by: stored.and_then(|s| s.updated_by.clone()),
        updated_by_name: stored.and_then(|s| s.updated_by_name.clone()),
    }
}

fn reply(config: &Config, held: &Held) -> Result<Reply> {
    let effective = config.effective(&values(held));
    let last = held.stored.values().max_by_key(|stored| stored.updated_at);
    let items: Vec<SettingView> = effective.iter().map(|setting| item(setting, held.stored.get(&setting.key.path()))).collect();
    // Where the built-in default is a program that the cluster cannot run, nothing holds.
    let image = Some(config.runtime(&values(held)).default_image).filter(|image| !image.is_empty());
    let view = SettingsView {
        id: "system",
        default_workspace_image: image,
        updated_at: last.map(|stored| stored.updated_at.rfc3339()),
        updated_by: last.and_then(|stored| stored.updated_by.clone()).unwrap_or_else(|| "system".to_owned()),
        items,
    };
    Ok(Reply::ok(&view)?.etag(held.revision))
}

pub async fn show(request: Request) -> Result<Reply> {
    let held = settings::list(&request.app.ops, &request.caller).await?;
    reply(&request.app.config, &held)
}

/// A setting that may be changed while the server runs, or why this one may not.
pub(super) fn changeable(config: &Config, key: &'static Key) -> Result<&'static Key> {
    let path = key.path();
    let Some(setting) = config.setting(&path) else { return Err(Error::internal(format!("{path} has no setting"))) };
    if key.when == When::Start {
        let place = if setting.source == Source::Default { key.variable() } else { setting.source.to_string() };
        return Err(Error::WrongState(format!("{path} is read at the start only: change it in {place} and start the server again.")));
    }
    if setting.pinned() {
        return Err(Error::WrongState(format!("{path} is set in {}: change it there, or remove it there first.", setting.source)));
    }
    Ok(key)
}

/// What one wish asks for; what is wrong with it is noted at its field.
pub(super) fn wish(f: &mut Fields<'_>, field: &str, key: &'static Key, value: &Value) -> Option<Wish> {
    let wish = |value| Wish { key: key.path(), value, default: print::default_of(key), secret: key.secret };
    if value.is_null() {
        return Some(wish(None));
    }
    match key.kind.read(value) {
        Ok(read) => Some(wish(Some(read.to_json()))),
        Err(_) if key.secret => {
            f.problem(field, "invalid", format!("Write {}.", key.kind.words()));
            None
        }
        Err(why) => {
            let mut letters = why.chars();
            let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
            f.problem(field, "invalid", format!("{first}{}.", letters.as_str()));
            None
        }
    }
}

fn unknown(f: &mut Fields<'_>, name: &str) {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
    let message = match registry::nearest(name) {
        Some(key) => format!("There is no such setting. Did you mean {}?", key.path()),
        None => "There is no such setting.".to_owned(),
    };
    f.problem(&format!("items.{shown}"), "unknown", message);
}

/// What the body asks for, each wish with its key.
fn wishes(f: &mut Fields<'_>) -> Vec<(&'static Key, Wish)> {
    let mut wishes = Vec::new();
    let object = |value: &Value| match value {
        Value::Object(object) => Ok(object.clone()),
        _ => Err(crate::domain::field::FieldRule::new("type", "This field must be an object.")),
    };
    let items: Map<String, Value> = f.optional("items", object).unwrap_or_default();
    let image = match f.given("defaultWorkspaceImage", |value| Ok(value.clone())) {
        Given::Absent => None,
        Given::Null => Some(Value::Null),
        Given::Value(value) => Some(value),
    };
    if let (Some(value), Some(key)) = (&image, registry::find(DEFAULT_IMAGE)) {
        if items.contains_key(DEFAULT_IMAGE) {
            f.problem("defaultWorkspaceImage", "conflict", "Give it either here or among the items, not both.");
        }
        wishes.extend(wish(f, "defaultWorkspaceImage", key, value).map(|wish| (key, wish)));
    }
    if image.is_none() && items.is_empty() {
        f.problem("body", "required", "Give at least one of defaultWorkspaceImage and items.");
    }
    for (name, value) in &items {
        match registry::find(name) {
            Some(key) => wishes.extend(wish(f, &format!("items.{name}"), key, value).map(|wish| (key, wish))),
            None => unknown(f, name),
        }
    }
    wishes
}

pub async fn update(request: Request) -> Result<Reply> {
    let mut f = request.fields()?;
    let wishes = wishes(&mut f);
    let reason = f.optional("reason", text(Reason::parse));
    let wishes = f.build(|| Some(wishes))?;
    for (key, _) in &wishes {
        changeable(&request.app.config, key)?;
    }
    let wishes = wishes.into_iter().map(|(_, wish)| wish).collect();
    let revision = request.if_match()?;
    let held = settings::change(&request.app.ops, &request.caller, Action::UpdateSystemSettings, wishes, reason, revision).await?;
    refresh(&request.app).await;
    reply(&request.app.config, &held)
}
