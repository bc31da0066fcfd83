//! How settings are shown: the table of `config show` and the commented example file.
//!
//! A secret is shown as `********`, here and everywhere: this is the one place that turns a setting into text for people.

use super::registry::{DefaultValue, KEYS, Key};
use super::value::Value;
use super::{Setting, Source};
use serde::Serialize;
use serde_json::Value as Json;

/// What stands in the place of a secret.
const MASK: &str = "********";

/// The value as people read it; empty when it is unset.
pub fn shown(setting: &Setting) -> String {
    match &setting.value {
        None => String::new(),
        Some(_) if setting.key.secret => MASK.to_owned(),
        Some(value) => value.to_toml(),
    }
}

/// One row per setting: name, value, source.
pub fn rows(settings: &[Setting]) -> Vec<[String; 3]> {
    settings.iter().map(|setting| [setting.key.path(), shown(setting), setting.source.to_string()]).collect()
}

/// One setting as the settings API and `config show --output json` tell it.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// `section.name`.
    pub key: String,
    /// What holds; null when it is unset or secret.
    pub value: Json,
    /// It has a value, which for a secret is all that is told.
    pub is_set: bool,
    /// What holds when nobody says anything; null when that is nothing, or worked out from the machine.
    pub default: Json,
    /// `boolean`, `integer`, `decimal`, `word`, `text`, `list`, `image`, `path`, `address`, `origin`, `host`, `ports` or `proxy`.
    pub r#type: &'static str,
    /// What may be written, in words.
    pub rule: String,
    /// The words of a `word`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub choices: Option<&'static [&'static str]>,
    pub description: &'static str,
    /// When a change takes effect: `runtime` at once, `start` at the next start.
    pub when: &'static str,
    /// `default`, `settings`, `file`, `environment` or `flag`.
    pub source: &'static str,
    /// The file with its line, the variable or the flag.
    pub place: String,
    /// A file, a variable or a flag holds it against the settings page.
    pub pinned: bool,
    pub secret: bool,
}

impl Item {
    pub fn of(setting: &Setting) -> Self {
        let key = setting.key;
        Self {
            key: key.path(),
            value: setting.value.as_ref().filter(|_| !key.secret).map_or(Json::Null, Value::to_json),
            is_set: setting.value.is_some(),
            default: default_of(key),
            r#type: key.kind.name(),
            rule: key.kind.words(),
            choices: key.kind.choices(),
            description: key.doc,
            when: key.when.as_str(),
            source: match &setting.source {
                Source::File { .. } => "file",
                Source::Environment(_) => "environment",
                Source::Flag(_) => "flag",
                Source::Settings => "settings",
                Source::Default => "default",
            },
            place: setting.source.to_string(),
            pinned: setting.pinned(),
            secret: key.secret,
        }
    }
}

/// The fixed default of a setting; null where there is none.
pub fn default_of(key: &Key) -> Json {
    match key.default {
        DefaultValue::Text(text) => key.kind.parse(text).map_or(Json::Null, |value| value.to_json()),
        DefaultValue::Unset | DefaultValue::Machine(_) => Json::Null,
    }
}

/// The same for programs.
pub fn items(settings: &[Setting]) -> Vec<Item> {
    settings.iter().map(Item::of).collect()
}

/// `codex-web.toml` with every setting, each commented out at its default.
pub fn example() -> String {
    let mut text = String::from(
        "# Codex Web. Every setting with its default; remove the leading # to change one.\n\
         # Order, lowest first: default, this file, environment, flags.\n\
         # A value may be \"file:PATH\": then the file holds it.\n",
    );
    let mut section = "";
    for key in KEYS {
        if key.section != section {
            section = key.section;
            text.push_str(&format!("\n[{section}]\n"));
        }
        text.push_str(&format!("\n# {}\n# {}: {}\n", key.doc, key.variable(), key.kind.words()));
        let (value, remark) = match key.default {
            DefaultValue::Text(text) => (text, String::new()),
            DefaultValue::Machine(words) => (key.example.unwrap_or_default(), format!(" # by default: {words}")),
            DefaultValue::Unset => (key.example.unwrap_or_default(), " # by default: unset".to_owned()),
        };
        let value = key.kind.parse(value).map(|value| value.to_toml()).unwrap_or_default();
        text.push_str(&format!("#{} = {value}{remark}\n", key.name));
    }
    text
}
