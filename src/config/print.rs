//! How settings are shown: the table of `config show` and the commented example file.
//!
//! A secret is shown as `********`, here and everywhere: this is the one place that turns a setting into text for people.

use super::registry::{DefaultValue, KEYS};
use super::{Setting, Source};
use serde_json::{Value as Json, json};

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

/// The same for programs, in the shape of the settings API.
pub fn items(settings: &[Setting]) -> Json {
    settings.iter().map(item).collect()
}

fn item(setting: &Setting) -> Json {
    let key = setting.key;
    let default = match key.default {
        DefaultValue::Text(text) => key.kind.parse(text).map_or(Json::Null, |value| value.to_json()),
        DefaultValue::Unset | DefaultValue::Machine(_) => Json::Null,
    };
    json!({
        "key": key.path(),
        "value": setting.value.as_ref().filter(|_| !key.secret).map(super::value::Value::to_json),
        "default": default,
        "type": key.kind.words(),
        "description": key.doc,
        "when": key.when.as_str(),
        "source": match &setting.source {
            Source::File { .. } => "file",
            Source::Environment(_) => "environment",
            Source::Flag(_) => "flag",
            Source::Settings => "settings",
            Source::Default => "default",
        },
        "place": setting.source.to_string(),
        "pinned": setting.pinned(),
    })
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
