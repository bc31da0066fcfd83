//! Where settings are written: the file, the environment, the flags. Each layer is read completely and every problem
//! is collected, so that one run of `config check` tells all of them.

use super::registry::{self, Key};
use super::value::{Kind, Value};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// Where the value of a setting came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Default,
    /// The settings table, written through the settings page or its API.
    Settings,
    File {
        path: PathBuf,
        line: usize,
    },
    Environment(String),
    Flag(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Settings => f.write_str("settings"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "${name}"),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub place: String,
    pub message: String,
}

impl Problem {
    pub fn new(place: impl fmt::Display, message: impl Into<String>) -> Self {
        Self { place: place.to_string(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// What has been read so far; a later layer replaces what an earlier one said.
#[derive(Debug, Default)]
pub struct Layers {
    pub values: BTreeMap<String, (Value, Source)>,
    pub problems: Vec<Problem>,
}

impl Layers {
    /// Reads the file. Relative paths in it are relative to its folder.
    pub fn file(&mut self, path: &Path) {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return self.problems.push(Problem::new(path.display(), format!("cannot be read: {error}"))),
        };
        let (table, errors) = DeTable::parse_recoverable(&text);
        for error in &errors {
            let line = error.span().map_or(1, |span| line_of(&text, span.start));
            self.problems.push(Problem::new(format!("{}:{line}", path.display()), error.message()));
        }
        // After a syntax error the rest is guesswork, and its complaints would hide the cause.
        if errors.is_empty() {
            self.file_table(path, &text, table.get_ref());
        }
    }

    fn file_table(&mut self, path: &Path, text: &str, table: &DeTable<'_>) {
        for (section, content) in table {
            let at = |offset: usize| Source::File { path: path.to_owned(), line: line_of(text, offset) };
            match content.get_ref() {
                DeValue::Table(keys) => {
                    for (name, value) in keys {
                        self.one(
                            &format!("{}.{}", section.get_ref(), name.get_ref()),
                            at(name.span().start),
                            |kind| kind.read(&plain(value.get_ref())),
                            path.parent(),
                        );
                    }
                }
                _ => self.unknown(section.get_ref(), &at(section.span().start)),
            }
        }
    }

    /// Reads `CODEX_WEB_SECTION__KEY`. Names without a double underscore are left alone: some are not settings, and
    /// Kubernetes puts `CODEX_WEB_SERVICE_HOST` and its like into pods beside a service named `codex-web`.
    pub fn environment(&mut self, environment: &BTreeMap<String, String>, current_dir: &Path) {
        for (variable, text) in environment {
            let Some((section, name)) = variable.strip_prefix("CODEX_WEB_").and_then(|rest| rest.split_once("__")) else { continue };
            let key = format!("{}.{}", section.to_lowercase(), name.to_lowercase());
            self.one(&key, Source::Environment(variable.clone()), |kind| kind.parse(text), Some(current_dir));
        }
    }

    /// Takes one value given by its own name (a flag, or the variable of the data directory).
    pub fn given(&mut self, key: &str, text: &str, source: Source, current_dir: &Path) {
        self.one(key, source, |kind| kind.parse(text), Some(current_dir));
    }

    fn one(&mut self, path: &str, source: Source, read: impl Fn(Kind) -> Result<Value, String>, base: Option<&Path>) {
        let Some(key) = registry::find(path) else { return self.unknown(path, &source) };
        // Whatever the type, `file:PATH` is read as text first.
        let named = match read(Kind::Text { max: 4096 }) {
            Ok(Value::Text(text)) => text.strip_prefix("file:").map(PathBuf::from),
            _ => None,
        };
        let value = match named {
            Some(file) => from_file(key, &base.unwrap_or(Path::new("/")).join(file)),
            None => read(key.kind),
        };
        match value {
            Ok(value) => {
                self.values.insert(path.to_owned(), (absolute(key, value, base), source));
            }
            Err(message) => {
                let message = if key.secret { "the value is not valid".to_owned() } else { message };
                self.problems.push(Problem::new(source, format!("{path}: {message}")));
            }
        }
    }

    fn unknown(&mut self, path: &str, source: &Source) {
        let shown: String = path.chars().take(80).flat_map(char::escape_debug).collect();
        let hint = registry::nearest(path).map_or_else(String::new, |key| match source {
            Source::Environment(_) => format!("; did you mean {}?", key.variable()),
            _ => format!("; did you mean {}?", key.path()),
        });
        self.problems.push(Problem::new(source, format!("there is no setting {shown}{hint}")));
    }
}

fn from_file(key: &Key, file: &Path) -> Result<Value, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    key.kind.parse(text.trim_end_matches(['\r', '\n']))
}

fn absolute(key: &Key, value: Value, base: Option<&Path>) -> Value {
    match (key.kind, value, base) {
        (Kind::Path, Value::Text(text), Some(base)) => Value::Text(base.join(text).to_string_lossy().into_owned()),
        (_, value, _) => value,
    }
}

/// A TOML value as JSON; what JSON cannot say (dates, odd numbers) becomes its text and is refused by the type.
fn plain(value: &DeValue<'_>) -> Json {
    match value {
        DeValue::String(text) => Json::String(text.to_string()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or_else(|_| Json::String(number.to_string()), Json::from)
        }
        DeValue::Float(number) => Json::String(number.as_str().to_owned()),
        DeValue::Boolean(value) => Json::Bool(*value),
        DeValue::Datetime(value) => Json::String(value.to_string()),
        DeValue::Array(items) => items.iter().map(|item| plain(item.get_ref())).collect(),
        DeValue::Table(_) => Json::String("a table".to_owned()),
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
