//! The collecting decoder: every missing, unknown, mistyped and invalid field of a body or a query in one answer.
//!
//! serde stops at the first error, so bodies are decoded field by field. Absent and `null` are different things in a
//! PATCH ([`Given`]).

use crate::domain::field::FieldRule;
use crate::domain::spelling::distance;
use crate::error::{Error, FieldProblem, Result};
use serde_json::{Map, Value};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

/// A field of a PATCH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given<T> {
    Absent,
    Null,
    Value(T),
}

impl<T> Given<T> {
    /// The value, where `null` and absent mean the same.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// Nearest known name within two edits, for "did you mean".
fn nearest<'n>(typed: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    known.map(|name| (distance(typed, name), name)).filter(|(d, _)| *d <= 2).min_by_key(|(d, _)| *d).map(|(_, name)| name)
}

/// One object of a body.
pub struct Fields<'v> {
    object: &'v Map<String, Value>,
    prefix: String,
    seen: BTreeSet<&'static str>,
    problems: Vec<FieldProblem>,
}

impl<'v> Fields<'v> {
    /// The body itself; it must be an object.
    pub fn of_body(body: Option<&'v Value>) -> Result<Self> {
        match body {
            Some(Value::Object(object)) => Ok(Self::of(object, String::new())),
            _ => Err(Error::field("body", "type", "The body must be a JSON object.")),
        }
    }

    fn of(object: &'v Map<String, Value>, prefix: String) -> Self {
        Self { object, prefix, seen: BTreeSet::new(), problems: Vec::new() }
    }

    fn path(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Notes a problem that was found elsewhere.
    pub fn problem(&mut self, name: &str, code: &'static str, message: impl Into<String>) {
        let path = self.path(name);
        self.problems.push(FieldProblem::new(path, code, message));
    }

    /// Notes that something must be given, unless another problem of the field is known.
    pub fn missing(&mut self, name: &'static str, message: &'static str) {
        if !self.problems.iter().any(|p| p.field.starts_with(&self.path(name))) {
            self.problem(name, "required", message);
        }
    }

    /// A field that must be there.
    pub fn required<T>(&mut self, name: &'static str, parse: impl FnOnce(&Value) -> Result<T, FieldRule>) -> Option<T> {
        match self.given(name, parse) {
            Given::Value(value) => Some(value),
            Given::Absent | Given::Null => {
                if !self.problems.iter().any(|p| p.field == self.path(name)) {
                    self.problem(name, "required", "This field is required.");
                }
                None
            }
        }
    }

    /// A field that may be left out; `null` is the same as absent.
    pub fn optional<T>(&mut self, name: &'static str, parse: impl FnOnce(&Value) -> Result<T, FieldRule>) -> Option<T> {
        self.given(name, parse).value()
    }

    /// A field of a PATCH.
    pub fn given<T>(&mut self, name: &'static str, parse: impl FnOnce(&Value) -> Result<T, FieldRule>) -> Given<T> {
        self.seen.insert(name);
        match self.object.get(name) {
            None => Given::Absent,
            Some(Value::Null) => Given::Null,
            Some(value) => match parse(value) {
                Ok(value) => Given::Value(value),
                Err(rule) => {
                    let path = self.path(name);
                    self.problems.push(rule.on(path));
                    Given::Absent
                }
            },
        }
    }

    /// An object inside; its problems carry the whole path.
    pub fn nested<T>(&mut self, name: &'static str, decode: impl FnOnce(&mut Fields<'v>) -> Option<T>) -> Option<T> {
        self.seen.insert(name);
        match self.object.get(name) {
            None | Some(Value::Null) => None,
            Some(Value::Object(object)) => {
                let mut inner = Fields::of(object, format!("{}.", self.path(name)));
                let value = decode(&mut inner);
                inner.note_unknown();
                self.problems.append(&mut inner.problems);
                value
            }
            Some(_) => {
                self.problem(name, "type", "This field must be an object.");
                None
            }
        }
    }

    /// A list; each element is parsed, problems name the index.
    pub fn list<T>(&mut self, name: &'static str, most: usize, parse: impl Fn(&Value) -> Result<T, FieldRule>) -> Option<Vec<T>> {
        self.seen.insert(name);
        match self.object.get(name) {
            None | Some(Value::Null) => None,
            Some(Value::Array(values)) if values.len() <= most => {
                let mut items = Vec::with_capacity(values.len());
                for (index, value) in values.iter().enumerate() {
                    match parse(value) {
                        Ok(item) => items.push(item),
                        Err(rule) => {
                            let path = self.path(&format!("{name}[{index}]"));
                            self.problems.push(rule.on(path));
                        }
                    }
                }
                Some(items)
            }
            Some(Value::Array(_)) => {
                self.problem(name, "too_long", format!("At most {most} entries are allowed."));
                None
            }
            Some(_) => {
                self.problem(name, "type", "This field must be a list.");
                None
            }
        }
    }

    /// A field that exists but may not be set here, with the reason.
    pub fn refuse(&mut self, name: &'static str, message: &str) {
        self.seen.insert(name);
        if self.object.contains_key(name) {
            self.problem(name, "read_only", message);
        }
    }

    fn note_unknown(&mut self) {
        let unknown: Vec<&String> = self.object.keys().filter(|k| !self.seen.contains(k.as_str())).collect();
        for key in unknown {
            let shown: String = key.chars().filter(|c| !c.is_control()).take(64).collect();
            let message = match nearest(key, self.seen.iter().copied()) {
                Some(name) => format!("There is no such field. Did you mean {name}?"),
                None => "There is no such field.".to_owned(),
            };
            self.problems.push(FieldProblem::new(format!("{}{shown}", self.prefix), "unknown", message));
        }
    }

    /// The decoded value, or every problem at once.
    pub fn build<T>(mut self, value: impl FnOnce() -> Option<T>) -> Result<T> {
        self.note_unknown();
        if self.problems.is_empty() {
            return value().ok_or_else(|| Error::internal("a required field was not noticed"));
        }
        Err(Error::Invalid(self.problems))
    }
}

/// A text, checked by a rule of the domain.
pub fn text<T>(parse: impl Fn(&str) -> Result<T, FieldRule>) -> impl Fn(&Value) -> Result<T, FieldRule> {
    move |value| match value {
        Value::String(text) => parse(text),
        _ => Err(FieldRule::new("type", "This field must be a text.")),
    }
}

/// A text that is taken as it is, up to a number of bytes: passwords and codes, never names.
pub fn raw_text(most: usize) -> impl Fn(&Value) -> Result<String, FieldRule> {
    move |value| match value {
        Value::String(text) if text.len() <= most => Ok(text.clone()),
        Value::String(_) => Err(FieldRule::new("too_long", format!("At most {most} bytes are allowed."))),
        _ => Err(FieldRule::new("type", "This field must be a text.")),
    }
}

pub fn boolean(value: &Value) -> Result<bool, FieldRule> {
    value.as_bool().ok_or_else(|| FieldRule::new("type", "This field must be true or false."))
}

/// An id of one kind.
pub fn id<T, E: std::fmt::Display>(parse: impl Fn(&str) -> Result<T, E>) -> impl Fn(&Value) -> Result<T, FieldRule> {
    text(move |t| parse(t).map_err(|e| FieldRule::new("invalid", format!("This {e}."))))
}

/// A word of a closed list.
pub fn word<T>(parse: impl Fn(&str) -> Option<T>, allowed: &'static str) -> impl Fn(&Value) -> Result<T, FieldRule> {
    text(move |t| parse(t).ok_or_else(|| FieldRule::new("invalid", format!("Allowed are {allowed}."))))
}

/// The parameters after the question mark, decoded with the same care. Each may stand once.
pub struct Query {
    pairs: Vec<(String, String)>,
    seen: RefCell<BTreeSet<&'static str>>,
    problems: RefCell<Vec<FieldProblem>>,
    broken: Cell<bool>,
}

impl Query {
    pub fn parse(text: &str) -> Self {
        let mut broken = false;
        let pairs = text
            .split('&')
            .filter(|p| !p.is_empty())
            .filter_map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                let decoded = super::percent::decode_query(name).zip(super::percent::decode_query(value));
                broken |= decoded.is_none();
                decoded
            })
            .collect();
        Self { pairs, seen: RefCell::default(), problems: RefCell::default(), broken: Cell::new(broken) }
    }

    /// A parameter of text, parsed; an empty one is absent, as forms send what nobody filled in.
    pub fn optional<T>(&self, name: &'static str, parse: impl FnOnce(&str) -> Result<T, FieldRule>) -> Option<T> {
        if self.pairs.iter().any(|(n, value)| n == name && !value.is_empty()) {
            return self.given(name, parse);
        }
        self.seen.borrow_mut().insert(name);
        None
    }

    /// A parameter, parsed whatever it holds.
    pub fn given<T>(&self, name: &'static str, parse: impl FnOnce(&str) -> Result<T, FieldRule>) -> Option<T> {
        self.seen.borrow_mut().insert(name);
        let mut values = self.pairs.iter().filter(|(n, _)| n == name);
        let value = values.next().map(|(_, v)| v.as_str())?;
        if values.next().is_some() {
            self.problems.borrow_mut().push(FieldProblem::new(name, "repeated", "This parameter may stand once."));
        }
        match parse(value) {
            Ok(value) => Some(value),
            Err(rule) => {
                self.problems.borrow_mut().push(rule.on(name));
                None
            }
        }
    }

    pub fn text(&self, name: &'static str, most: usize) -> Option<String> {
        self.optional(name, |t| {
            if t.chars().count() > most {
                return Err(FieldRule::new("too_long", format!("At most {most} characters are allowed.")));
            }
            if t.chars().any(char::is_control) {
                return Err(FieldRule::new("invalid", "Control characters are not allowed."));
            }
            Ok(t.to_owned())
        })
    }

    pub fn flag(&self, name: &'static str) -> bool {
        self.given(name, |t| match t {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(FieldRule::new("invalid", "Allowed are true and false.")),
        })
        .unwrap_or(false)
    }

    pub fn flag_option(&self, name: &'static str) -> Option<bool> {
        self.given(name, |t| match t {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(FieldRule::new("invalid", "Allowed are true and false.")),
        })
    }

    pub fn integer(&self, name: &'static str, from: i64, to: i64) -> Option<i64> {
        self.given(name, |t| {
            t.parse::<i64>()
                .ok()
                .filter(|n| (from..=to).contains(n))
                .ok_or_else(|| FieldRule::new("range", format!("Allowed are whole numbers from {from} to {to}.")))
        })
    }

    pub fn time(&self, name: &'static str) -> Option<crate::clock::Millis> {
        self.given(name, |t| {
            crate::clock::Millis::parse(t)
                .ok_or_else(|| FieldRule::new("invalid", "Write the time as RFC 3339, for example 2026-03-12T10:20:30Z, or as a date."))
        })
    }

    /// Every problem at once, unknown parameters included. Call it after the last parameter was read.
    pub fn finish(&self) -> Result<()> {
        let seen = self.seen.borrow();
        let mut problems = self.problems.borrow_mut();
        if self.broken.get() {
            problems.push(FieldProblem::new("query", "invalid", "The query is not valid percent-encoded UTF-8."));
        }
        for (name, _) in self.pairs.iter().filter(|(n, _)| !seen.contains(n.as_str())) {
            let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
            let message = match nearest(name, seen.iter().copied()) {
                Some(known) => format!("There is no such parameter. Did you mean {known}?"),
                None => "There is no such parameter.".to_owned(),
            };
            problems.push(FieldProblem::new(shown, "unknown", message));
        }
        if problems.is_empty() { Ok(()) } else { Err(Error::Invalid(std::mem::take(&mut problems))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_problem_is_told_at_once() {
        let body = json!({"nam": "x", "age": "old", "inner": {"z": 1}});
        let mut f = Fields::of_body(Some(&body)).unwrap();
        let name = f.required("name", raw_text(10));
        let age = f.required("age", |v| v.as_i64().ok_or(FieldRule::new("type", "This field must be a number.")));
        let inner = f.nested("inner", |f| f.required("a", boolean));
        let Err(Error::Invalid(problems)) = f.build(|| Some((name?, age?, inner?))) else { panic!("accepted") };
        let told: Vec<_> = problems.iter().map(|p| (p.field.as_str(), p.code.as_ref())).collect();
        assert_eq!(told, [("name", "required"), ("age", "type"), ("inner.a", "required"), ("inner.z", "unknown"), ("nam", "unknown")]);
        assert!(problems.iter().any(|p| p.message.contains("Did you mean name?")));
    }

    #[test]
    fn absent_and_null_are_different_things() {
        let body = json!({"a": null});
        let mut f = Fields::of_body(Some(&body)).unwrap();
        assert_eq!(f.given("a", boolean), Given::Null);
        assert_eq!(f.given("b", boolean), Given::Absent);
    }

    #[test]
    fn an_unknown_or_repeated_parameter_is_refused() {
        let q = Query::parse("limit=5&limt=6&x=%zz");
        assert_eq!(q.integer("limit", 1, 10), Some(5));
        let Err(Error::Invalid(problems)) = q.finish() else { panic!("accepted") };
        assert_eq!(problems.len(), 2);
    }
}
