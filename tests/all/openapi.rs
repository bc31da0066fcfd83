//! The API description: sound in itself, complete, and the same as yesterday unless somebody meant to change it.
//!
//! `tests/golden/operations` lists every operation with the action it needs; a change there is a change of the API.

use crate::golden;
use codex_web::http::openapi::document;
use codex_web::http::route::{Access, AnswerDoc, BodyRule, Route};
use codex_web::http::routes::ROUTES;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Calls back for every object of the document with the path to it.
fn walk(value: &Value, path: &str, seen: &mut impl FnMut(&str, &serde_json::Map<String, Value>)) {
    match value {
        Value::Object(map) => {
            seen(path, map);
            for (key, inner) in map {
                walk(inner, &format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")), seen);
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                walk(inner, &format!("{path}/{index}"), seen);
            }
        }
        _ => {}
    }
}

fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let mut all = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            all.push((method.clone(), path.clone(), operation));
        }
    }
    all
}

fn assert_none(what: &str, faults: Vec<String>) {
    assert!(faults.is_empty(), "{what}:\n  {}", faults.join("\n  "));
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_used() {
    let document = document();
    let (mut broken, mut used) = (Vec::new(), BTreeSet::new());
    walk(&document, "", &mut |path, map| {
        let Some(reference) = map.get("$ref") else { return };
        let target = reference.as_str().and_then(|r| r.strip_prefix('#'));
        match target.filter(|t| document.pointer(t).is_some_and(Value::is_object)) {
            Some(target) => {
                used.insert(target.rsplit('/').next().unwrap_or_default().to_owned());
            }
            None => broken.push(format!("{path}: {reference}")),
        }
    });
    assert_none("references that lead nowhere", broken);
    let schemas = document["components"]["schemas"].as_object().unwrap();
    assert_none("schemas that nothing uses", schemas.keys().filter(|name| !used.contains(*name)).cloned().collect());
}

#[test]
fn every_schema_is_json_schema_as_openapi_3_1_has_it() {
    const TYPES: [&str; 7] = ["null", "boolean", "object", "array", "number", "string", "integer"];
    let document = document();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
    let mut faults = Vec::new();
    walk(&document["components"]["schemas"], "", &mut |path, map| {
        let inside_properties = path.ends_with("/properties") || path.is_empty();
        if inside_properties {
            return;
        }
        if map.contains_key("nullable") {
            faults.push(format!("{path}: nullable is of OpenAPI 3.0"));
        }
        match map.get("type") {
            Some(Value::String(kind)) if !TYPES.contains(&kind.as_str()) => faults.push(format!("{path}: type {kind}")),
            Some(Value::Array(kinds)) if kinds.iter().any(|k| !k.as_str().is_some_and(|k| TYPES.contains(&k))) => {
                faults.push(format!("{path}: types {kinds:?}"));
            }
            _ => {}
        }
        let properties = map.get("properties").and_then(Value::as_object);
        for name in map.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            if !properties.is_some_and(|p| p.contains_key(name)) {
                faults.push(format!("{path}: requires {name}, which it does not describe"));
            }
        }
        for name in properties.into_iter().flat_map(|p| p.keys()) {
            let camel = name.bytes().all(|b| b.is_ascii_alphanumeric()) && name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
            if !camel {
                faults.push(format!("{path}: the name {name} is not camelCase"));
            }
        }
        if map.get("type") == Some(&Value::from("array")) && !map.contains_key("items") && !map.contains_key("prefixItems") {
            faults.push(format!("{path}: an array of what?"));
        }
    });
    assert_none("schemas that are not sound", faults);
}

#[test]
fn every_operation_is_complete_and_has_a_name_of_its_own() {
    let document = document();
    let mut faults = Vec::new();
    let mut names = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let mut demand = |good: bool, what: &str| {
            if !good {
                faults.push(format!("{method} {path}: {what}"));
            }
        };
        let id = operation["operationId"].as_str().unwrap_or_default();
        demand(id.len() > 4 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "no usable operationId");
        demand(names.insert(id.to_owned()), "its operationId is taken");
        demand(operation["summary"].as_str().is_some_and(|s| !s.is_empty()), "no summary");
        demand(
            operation["x-action"].is_string() != operation["x-public-because"].is_string(),
            "neither an action nor a reason to be public",
        );
        let nouns = document["tags"].as_array().unwrap();
        demand(nouns.iter().any(|noun| noun["name"] == operation["tags"][0]), "its noun is not described");
        let who = operation["x-who"].as_str();
        demand(operation["x-action"].is_null() || who.is_some_and(|w| w.ends_with('.')), "it does not say who may");
        let parameters = operation["parameters"].as_array().unwrap();
        let in_path: Vec<String> = path.split('/').filter_map(|s| Some(s.strip_prefix('{')?.strip_suffix('}')?.to_owned())).collect();
        let told: Vec<String> =
            parameters.iter().filter(|p| p["in"] == "path").map(|p| p["name"].as_str().unwrap_or_default().to_owned()).collect();
        demand(in_path == told, "its path parameters differ from its path");
        let unique: BTreeSet<String> = parameters.iter().map(|p| format!("{} {}", p["in"], p["name"])).collect();
        demand(unique.len() == parameters.len(), "a parameter stands twice");
        let described = |p: &Value| p["in"] != "query" || p["description"].as_str().is_some_and(|d| d.len() > 3);
        demand(parameters.iter().all(described), "a query parameter without a description");
        let responses = operation["responses"].as_object().unwrap();
        demand(responses.values().all(|r| r["description"].is_string()), "an answer without a description");
        demand(responses.contains_key("4XX") && responses.contains_key("5XX"), "the errors are not described");
        for scheme in operation["security"].as_array().into_iter().flatten().filter_map(Value::as_object).flat_map(|s| s.keys()) {
            demand(document["components"]["securitySchemes"][scheme].is_object(), "an unknown security scheme");
        }
    }
    assert_none("operations that are not complete", faults);
    let listed = ROUTES.iter().filter(|r| !matches!(r.access, Access::CommandLine(_))).count();
    assert_eq!(operations(&document).len(), listed, "the document and the route table have the same operations");
}

fn line(route: &Route) -> String {
    let access = match route.access {
        Access::Action(action) => action.code().to_owned(),
        Access::Public(_) => "(public)".to_owned(),
        Access::InFirstFrame(action, _) => format!("{} (in the first frame)", action.code()),
        Access::Machine(action) => format!("{} (machine token only)", action.code()),
        Access::CommandLine(action) => format!("{} (command line only)", action.code()),
    };
    let answer = match route.answer {
        AnswerDoc::Nothing => "nothing",
        AnswerDoc::Json(_) => "object",
        AnswerDoc::List(_) => "list",
        AnswerDoc::Text => "text",
        AnswerDoc::Stream(_) | AnswerDoc::Streams(_) => "stream",
        AnswerDoc::File(_) => "file",
        AnswerDoc::Socket => "socket",
    };
    let body = match route.body {
        BodyRule::None => "",
        BodyRule::OptionalJson(_) if route.request.is_none() => "",
        BodyRule::OptionalJson(_) => " body?",
        BodyRule::Json(_) => " body",
        BodyRule::Streamed => " bytes",
    };
    let flags = [(route.idempotent, " idempotency-key"), (route.etag, " etag"), (route.before_password_change, " before-password-change")];
    let flags: String = flags.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect();
    let query: Vec<&str> = route.query.iter().map(|p| p.name).collect();
    let query = if query.is_empty() { String::new() } else { format!(" ?{}", query.join("&")) };
    format!("{:<6} {}{query} -> {} {answer}{body}{flags}: {access}", route.method.as_str(), route.path, route.status)
}

#[test]
fn the_operations_are_those_of_the_golden_file() {
    let mut lines: Vec<String> = ROUTES.iter().map(line).collect();
    lines.sort_by(|a, b| (&a[7..], &a[..7]).cmp(&(&b[7..], &b[..7])));
    let mut text = String::new();
    for line in lines {
        writeln!(text, "{line}").unwrap();
    }
    golden::check("operations", &text);
}
