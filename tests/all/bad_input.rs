//! Bad input, to every route: refused with a 4xx and the envelope that names the fields, never a fault of the server,
//! and nothing written.
//!
//! What a body may hold is read from the API description, so a new route and a new field are attacked as soon as they
//! are described. The fuzz is seeded: a failure names the body that did it.

use super::world::{Kind, Place, Scene, Template, Verdict, World, body, changing, done, faults_of, fill, stands, state};
use crate::harness::{Answer, Client, Harness, PASSWORD};
use bytes::Bytes;
use codex_web::http::openapi::document;
use codex_web::http::route::{Access, BodyRule, Method, ParameterKind, Route};
use codex_web::http::routes::ROUTES;
use serde_json::{Map, Value, json};
use std::io::{Read, Write};
use std::time::{Duration, Instant};

fn assert_none(what: &str, faults: Vec<String>) {
    let shown: Vec<String> = faults.iter().take(60).cloned().collect();
    assert!(faults.is_empty(), "{what} ({}):\n  {}", faults.len(), shown.join("\n  "));
}

fn short(text: &str) -> String {
    text.chars().take(300).collect()
}

/// Where a route can be attacked: set-up is there only while nobody is.
fn arena(template: &Template, route: &Route) -> World {
    if route.path == "/api/setup" { template.empty() } else { template.open() }
}

/// Somebody whom the rules let through, and where; the attack must reach the handler.
fn attacker(world: &World, route: &Route) -> Option<(Client, Scene)> {
    for kind in [Kind::Admin, Kind::Member, Kind::Anonymous, Kind::Machine] {
        for place in [Place::Near, Place::Own] {
            let Some(scene) = world.scene(kind, place).filter(|scene| stands(route, scene)) else { continue };
            if matches!(world.verdict(route, kind, &scene), Verdict::Permitted | Verdict::Free) {
                return Some((world.client(kind), scene));
            }
        }
    }
    None
}

// --- what a body may hold ---------------------------------------------------------------------------------------------

/// One field of a body, as the API description has it.
#[derive(Debug, Clone)]
struct Field {
    path: Vec<String>,
    types: Vec<String>,
    required: bool,
}

impl Field {
    fn name(&self) -> String {
        self.path.join(".")
    }

    fn takes(&self, kind: &str) -> bool {
        self.types.is_empty() || self.types.iter().any(|t| t == kind)
    }

    fn last(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }
}

fn resolve<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    if let Some(reference) = schema["$ref"].as_str() {
        return resolve(document, document.pointer(&reference[1..]).unwrap_or(&Value::Null));
    }
    let choices = schema["oneOf"].as_array().or(schema["anyOf"].as_array()).or(schema["allOf"].as_array());
    match choices.and_then(|all| all.iter().find(|one| one["type"] != "null")) {
        Some(choice) => resolve(document, choice),
        None => schema,
    }
}

fn gather(document: &Value, schema: &Value, before: &[String], fields: &mut Vec<Field>) {
    let schema = resolve(document, schema);
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        let inner = resolve(document, inner);
        let path: Vec<String> = before.iter().cloned().chain([name.clone()]).collect();
        let types = match &inner["type"] {
            Value::String(kind) => vec![kind.clone()],
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        fields.push(Field { path: path.clone(), types, required: required.contains(&name.as_str()) });
        gather(document, inner, &path, fields);
    }
}

/// The fields of a route's body.
fn fields(document: &Value, route: &Route) -> Vec<Field> {
    let operation = &document["paths"][route.path][route.method.as_str().to_lowercase()];
    let mut fields = Vec::new();
    gather(document, &operation["requestBody"]["content"]["application/json"]["schema"], &[], &mut fields);
    fields
}

/// The body with one field set, or taken out.
fn with(body: &Value, path: &[String], value: Option<Value>) -> Value {
    let mut body = body.clone();
    let mut at = &mut body;
    for name in &path[..path.len() - 1] {
        if !at[name].is_object() {
            at[name] = json!({});
        }
        at = &mut at[name];
    }
    let last = &path[path.len() - 1];
    match (value, at.as_object_mut()) {
        (Some(value), Some(map)) => {
            map.insert(last.clone(), value);
        }
        (None, Some(map)) => {
            map.remove(last);
        }
        _ => {}
    }
    body
}

/// What no text field but a password takes.
fn hostile_texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "a\u{0}b",
        "a\u{7}b",
        "a\u{1b}[31mb",
        "a\u{7f}b",
        "a\u{85}b",
        "a\u{200b}b",
        "a\u{202e}b",
        "a\u{2066}b",
        "\u{feff}a",
        "a\u{2028}b",
        "a\u{ad}b",
        "a\u{e0041}b",
        "a\u{fffd}b",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push("x".repeat(10_000));
    texts.push(format!("a{}", "\u{301}".repeat(2_000)));
    texts
}

/// What is no amount of anything.
fn hostile_amounts() -> Vec<Value> {
    vec![
        json!(-1),
        json!("-1"),
        json!("-1Gi"),
        json!(-9_223_372_036_854_775_808_i64),
        json!(0),
        json!("0"),
        json!(""),
        json!(" "),
        json!("NaN"),
        json!("nan"),
        json!("Infinity"),
        json!("-Infinity"),
        json!("1e999"),
        json!("99999999999999999999"),
        json!("99999999999999999999Gi"),
        json!("9223372036854775807Ei"),
        json!("9223372036854775808"),
        json!(1.0e308),
        json!(u64::MAX),
        json!("1Zi"),
        json!("0x10"),
        json!("١"),
        json!("１"),
        json!("1 Gi"),
        json!("1Gi;"),
        json!("1.2.3"),
        json!("--1"),
        json!("+"),
        json!("Gi"),
        json!("1e-999"),
        json!([1]),
        json!({"value": 1}),
        json!(true),
        json!("0.0000000001"),
    ]
}

const AMOUNTS: [&str; 4] = ["cpu", "memory", "storage", "pods"];
/// Taken as they are, whatever is in them: checked by their own rule, never shown.
const SECRETS: [&str; 10] =
    ["password", "newPassword", "currentPassword", "temporaryPassword", "refreshToken", "code", "mfaToken", "session", "ticket", "token"];
/// Written for people in their own script; everything else is ASCII, which leaves no look-alikes. What names somebody or
/// something keeps to one alphabet in each word.
const FOR_PEOPLE: [(&str, &str); 15] = [
    ("/api/workspaces/{workspace}/files/{path}", "to"),
    ("", "displayName"),
    ("", "description"),
    ("", "reason"),
    ("/api/admin/users", "name"),
    ("/api/admin/users/{user}", "name"),
    ("/api/auth/profile", "name"),
    ("/api/setup", "name"),
    ("/control/users", "name"),
    ("/api/auth/tokens", "name"),
    ("/api/admin/users/{user}/tokens", "name"),
    ("/api/admin/service-accounts", "name"),
    ("/api/groups/{group}/page", "purpose"),
    ("/api/groups/{group}/page", "notes"),
    ("/api/groups/{group}/page", "welcome"),
];

/// Fields that are only looked up: what names nothing is not found there, or is a wrong user name like any other.
const LOOKED_UP: [(&str, &str); 4] = [
    ("", "groupId"),
    ("/api/auth/login", "username"),
    ("/api/groups/{group}/quota/move", "to"),
    // Each line of it; where nobody is found, nobody joins.
    ("/api/groups/{group}/members/import", "list"),
];

fn is_looked_up(route: &Route, field: &str) -> bool {
    LOOKED_UP.iter().any(|(path, name)| *name == field && (path.is_empty() || *path == route.path))
}

fn is_for_people(route: &Route, field: &Field) -> bool {
    FOR_PEOPLE.iter().any(|(path, name)| *name == field.last() && (path.is_empty() || *path == route.path))
}

/// Values that do not fit a field by their type.
fn wrong_types(field: &Field) -> Vec<Value> {
    let all = [
        ("string", json!("text")),
        ("integer", json!(7)),
        ("number", json!(7.5)),
        ("boolean", json!(true)),
        ("array", json!([])),
        ("array", json!([[]])),
        ("object", json!({})),
        ("object", json!({"a": {"b": []}})),
    ];
    let fits = |kind: &str| field.takes(kind) || (kind == "integer" && field.takes("number"));
    if field.types.is_empty() {
        return Vec::new();
    }
    all.into_iter().filter(|(kind, _)| !fits(kind)).map(|(_, value)| value).collect()
}

/// Every attack on a route's body that must be refused with the field named.
fn attacks(route: &Route, sample: &Value, fields: &[Field]) -> Vec<(String, Value, String)> {
    let mut all = Vec::new();
    for field in fields {
        let name = field.name();
        let inside_given = field.path.len() == 1 || !sample[&field.path[0]].is_null();
        if field.required && inside_given {
            all.push((format!("without {name}"), with(sample, &field.path, None), name.clone()));
            all.push((format!("{name} is null"), with(sample, &field.path, Some(Value::Null)), name.clone()));
        }
        for value in wrong_types(field) {
            all.push((format!("{name} of another type: {value}"), with(sample, &field.path, Some(value)), name.clone()));
        }
        if AMOUNTS.contains(&field.last()) {
            for value in hostile_amounts() {
                all.push((format!("{name}: {value}"), with(sample, &field.path, Some(value)), name.clone()));
            }
            continue;
        }
        if field.takes("string") && !SECRETS.contains(&field.last()) {
            let mut texts = hostile_texts();
            if is_for_people(route, field) && ["name", "displayName"].contains(&field.last()) {
                texts.extend(["аdmin", "Team Αlpha"].map(str::to_owned));
            }
            if !is_for_people(route, field) {
                texts.extend(
                    [
                        "аdmin",
                        "ａdmin",
                        "ad‍min",
                        "admin\u{301}",
                        "ADMIN\u{131}",
                        "../../etc/passwd",
                        "<script>alert(1)</script>",
                        "'; DROP TABLE user; --",
                    ]
                    .map(str::to_owned),
                );
            }
            for text in texts {
                let shown = short(&text.escape_unicode().to_string()).chars().take(40).collect::<String>();
                all.push((format!("{name}: {shown}"), with(sample, &field.path, Some(json!(text))), name.clone()));
            }
        }
        if SECRETS.contains(&field.last()) && field.takes("string") {
            all.push((format!("{name} of 60 kB"), with(sample, &field.path, Some(json!("x".repeat(60_000)))), name.clone()));
        }
    }
    let unknown = "nobodyKnowsThis".to_owned();
    all.push(("an unknown field".into(), with(sample, std::slice::from_ref(&unknown), Some(json!(1))), unknown));
    for forged in ["id", "isSuperuser", "createdAt", "ownerId", "status", "revision", "constructor", "__proto__"] {
        if !fields.iter().any(|f| f.name() == forged) {
            all.push((
                format!("{forged} is not the caller's to set"),
                with(sample, &[forged.to_owned()], Some(json!("x"))),
                forged.to_owned(),
            ));
        }
    }
    all
}

/// Whether the refusal names the field, or a part of it.
fn names(answer: &Answer, field: &str) -> bool {
    let told = answer.json["error"]["fields"].as_array().cloned().unwrap_or_default();
    told.iter().filter_map(|f| f["field"].as_str()).any(|f| {
        f == field || f.starts_with(&format!("{field}.")) || f.starts_with(&format!("{field}[")) || field.starts_with(&format!("{f}."))
    })
}

/// Routes whose bodies are described.
fn described() -> impl Iterator<Item = &'static Route> {
    changing().filter(|r| r.request.is_some() && !matches!(r.access, Access::CommandLine(_)))
}

#[tokio::test]
async fn every_invalid_field_of_every_body_is_refused_and_named() {
    let template = Template::make().await;
    let document = document();
    let mut faults = Vec::new();
    let mut tried = 0;
    for route in described() {
        let name = format!("{} {}", route.method.as_str(), route.path);
        let world = arena(&template, route);
        let (client, scene) = attacker(&world, route).unwrap_or_else(|| panic!("nobody may call {name}"));
        let (path, sample) = (fill(route, &scene).unwrap(), body(route, &scene).unwrap_or(json!({})));
        let before = (state(&world.harness), done(&world.harness));
        for (how, attack, field) in attacks(route, &sample, &fields(&document, route)) {
            let answer = client.call(route.method.as_str(), &path, Some(attack)).await;
            tried += 1;
            // Of a list of people nobody is found, so that nobody joins.
            let nobody = route.path.ends_with("/members/import") && answer.status == 409;
            let looked_up = is_looked_up(route, &field) && (nobody || matches!(answer.status, 401 | 404 | 429));
            if !looked_up && (answer.status != 400 || answer.code() != "VALIDATION_ERROR" || !names(&answer, &field)) {
                faults.push(format!("{name}, {how}: {} {}", answer.status, short(&answer.text)));
            }
            faults.extend(faults_of(&answer, route.path).into_iter().map(|f| format!("{name}, {how}: {f}")));
        }
        if (state(&world.harness), done(&world.harness)) != before {
            faults.push(format!("{name}: something was written"));
        }
    }
    assert!(tried > 20 * described().count(), "only {tried} attacks");
    assert_none("bad input that was not refused as it should be", faults);
}

#[tokio::test]
async fn every_problem_of_a_body_is_told_at_once() {
    let template = Template::make().await;
    let document = document();
    let mut faults = Vec::new();
    for route in described() {
        let world = arena(&template, route);
        let (client, scene) = attacker(&world, route).unwrap();
        let mut attack = Map::new();
        let tops: Vec<Field> = fields(&document, route).into_iter().filter(|f| f.path.len() == 1 && !f.types.is_empty()).collect();
        for field in &tops {
            attack.insert(field.name(), if field.takes("object") { json!(7) } else { json!({"wrong": true}) });
        }
        attack.insert("nobodyKnowsThis".into(), json!(1));
        attack.insert("norThis".into(), json!(1));
        let answer = client.call(route.method.as_str(), &fill(route, &scene).unwrap(), Some(Value::Object(attack))).await;
        let missing: Vec<String> =
            tops.iter().map(Field::name).chain(["nobodyKnowsThis".into(), "norThis".into()]).filter(|f| !names(&answer, f)).collect();
        if !missing.is_empty() {
            faults.push(format!("{} {}: not told: {missing:?}: {}", route.method.as_str(), route.path, short(&answer.text)));
        }
    }
    assert_none("problems that were not told", faults);
}

// --- bodies that are no objects at all --------------------------------------------------------------------------------

fn nested(depth: usize) -> String {
    format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth))
}

fn broken_bodies() -> Vec<(&'static str, Bytes)> {
    vec![
        ("half an object", "{\"name\":".into()),
        ("a trailing comma", "{\"name\": \"a\",}".into()),
        ("something behind it", "{} {}".into()),
        ("a list", "[1, 2]".into()),
        ("a text", "\"name\"".into()),
        ("a number", "7".into()),
        ("null", "null".into()),
        ("NaN", "{\"name\": NaN}".into()),
        ("a byte order mark", "\u{feff}{}".into()),
        ("invalid UTF-8", Bytes::from_static(b"{\"name\": \"\xff\xfe\"}")),
        ("half a surrogate", "{\"name\": \"\\ud800\"}".into()),
        ("a NUL", Bytes::from_static(b"{\"name\": \"a\0b\"}")),
        ("seventeen levels", nested(17).into()),
        ("five thousand levels", nested(5_000).into()),
        ("lists five thousand deep", format!("{}{}", "[".repeat(5_000), "]".repeat(5_000)).into()),
        ("a number of a thousand digits", format!("{{\"name\": {}}}", "9".repeat(1_000)).into()),
        ("XML", "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>".into()),
    ]
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_refused() {
    let template = Template::make().await;
    let mut faults = Vec::new();
    for route in
        changing().filter(|r| !matches!(r.body, BodyRule::None | BodyRule::Streamed) && !matches!(r.access, Access::CommandLine(_)))
    {
        let name = format!("{} {}", route.method.as_str(), route.path);
        let world = arena(&template, route);
        let (client, scene) = attacker(&world, route).unwrap_or_else(|| panic!("nobody may call {name}"));
        let path = fill(route, &scene).unwrap();
        let before = (state(&world.harness), done(&world.harness));
        for (how, bytes) in broken_bodies() {
            let json = [("content-type", "application/json")];
            let answer = Answer::of(client.raw(route.method.as_str(), &path, &json, bytes).await).await;
            if answer.status != 400 {
                faults.push(format!("{name}, {how}: {} {}", answer.status, short(&answer.text)));
            }
            faults.extend(faults_of(&answer, route.path).into_iter().map(|f| format!("{name}, {how}: {f}")));
        }
        let sample = body(route, &scene).unwrap_or(json!({"a": 1})).to_string();
        for kind in [
            "",
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=a",
            "application/jsonx",
            "application/json-patch+json",
            "\u{fffd}",
        ] {
            let answer = Answer::of(client.raw(route.method.as_str(), &path, &[("content-type", kind)], sample.clone().into()).await).await;
            if answer.status != 415 {
                faults.push(format!("{name}, sent as {kind:?}: {} {}", answer.status, short(&answer.text)));
            }
            faults.extend(faults_of(&answer, route.path).into_iter().map(|f| format!("{name}, sent as {kind:?}: {f}")));
        }
        if (state(&world.harness), done(&world.harness)) != before {
            faults.push(format!("{name}: something was written"));
        }
    }
    assert_none("bodies that were not refused as they should be", faults);
}

// --- paths, queries, headers ------------------------------------------------------------------------------------------

fn hostile_segments() -> Vec<String> {
    let mut all: Vec<String> = [
        "%2f",
        "..",
        "%2e%2e",
        "..%2f..%2fetc%2fpasswd",
        "%00",
        "a%00b",
        "%ff",
        "%",
        "%zz",
        "%0d%0aset-cookie:%20a=b",
        "\\..\\",
        "%5c",
        "'; DROP TABLE user; --",
        "%F0%9F%A6%80",
        "usr_",
        "grp_",
        "ws_zz",
        "-1",
        "0",
        "null",
        "undefined",
        "NaN",
        "*",
        "?",
        "{id}",
        "usr_0123456789ABCDEF0123456789ABCDEF",
        "me",
        "_",
        "a b",
        "%25%32%66",
    ]
    .map(str::to_owned)
    .to_vec();
    all.push("a".repeat(10_000));
    all.push("%41".repeat(4_000));
    all
}

#[tokio::test]
async fn hostile_paths_are_never_found_and_never_a_fault() {
    let template = Template::make().await;
    let world = template.open();
    let mut before = (state(&world.harness), done(&world.harness));
    let mut faults = Vec::new();
    for route in ROUTES.iter().filter(|r| r.path.contains('{')) {
        let (client, scene) = attacker(&world, route).unwrap_or_else(|| panic!("nobody may call {}", route.path));
        let path = fill(route, &scene).unwrap();
        let (pattern, given): (Vec<&str>, Vec<&str>) = (route.path.split('/').collect(), path.split('/').collect());
        for (at, _) in pattern.iter().enumerate().filter(|(_, s)| s.starts_with('{')) {
            for hostile in hostile_segments() {
                let mut parts: Vec<&str> = given.clone();
                parts[at] = &hostile;
                let path = parts.join("/");
                let answer = client.call(route.method.as_str(), &path, body(route, &scene)).await;
                let allowed: &[u16] = if ["{session}", "{path}"].contains(&pattern[at]) { &[400, 404, 405, 409] } else { &[400, 404, 405] };
                if !allowed.contains(&answer.status) {
                    faults.push(format!("{} {}: {} {}", route.method.as_str(), short(&path), answer.status, short(&answer.text)));
                }
                faults.extend(faults_of(&answer, "").into_iter().map(|f| format!("{} {}: {f}", route.method.as_str(), short(&path))));
            }
        }
        let after = (state(&world.harness), done(&world.harness));
        if after != before {
            faults.push(format!("{} {}: something was written", route.method.as_str(), route.path));
        }
        before = after;
    }
    assert_none("hostile paths", faults);
}

/// Values that a parameter of this kind does not take.
fn hostile_values(kind: ParameterKind) -> Vec<String> {
    let words: &[&str] = match kind {
        ParameterKind::Integer => {
            &["abc", "-1", "1.5", "0x10", "99999999999999999999", "-9223372036854775809", "NaN", "%31%00", "١", "1%20"]
        }
        ParameterKind::Flag => &["maybe", "2", "TRUE", "yes", "%00", "null"],
        ParameterKind::Time => &["yesterday", "2026-13-01", "2026-02-30T10:00:00Z", "%00", "99999999999999", "-1", "2026-01-01T25:00:00Z"],
        ParameterKind::Text => &["%00", "a%0ab", "%1b%5b31m"],
    };
    let mut all: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
    // What nobody filled in is no number; a text that is empty is none.
    if kind != ParameterKind::Text {
        all.push(String::new());
    }
    all.push("x".repeat(5_000));
    all
}

#[tokio::test]
async fn every_invalid_parameter_of_every_query_is_refused_and_named() {
    let template = Template::make().await;
    let mut faults = Vec::new();
    for route in ROUTES.iter().filter(|r| !r.query.is_empty() && !matches!(r.access, Access::CommandLine(_) | Access::InFirstFrame(..))) {
        let world = arena(&template, route);
        let (client, scene) = attacker(&world, route).unwrap_or_else(|| panic!("nobody may call {}", route.path));
        let (path, method) = (fill(route, &scene).unwrap(), route.method.as_str());
        let before = (state(&world.harness), done(&world.harness));
        let mut queries =
            vec![("nobodyKnowsThis=1".to_owned(), "nobodyKnowsThis"), ("a=%zz".to_owned(), "query"), ("%ff=1".to_owned(), "query")];
        for parameter in route.query {
            let takes_lines = parameter.name == "reason";
            let values = hostile_values(parameter.kind).into_iter().filter(|value| !(takes_lines && value == "a%0ab"));
            queries.extend(values.map(|value| (format!("{}={value}", parameter.name), parameter.name)));
            let twice = match parameter.kind {
                ParameterKind::Integer => "1",
                ParameterKind::Flag => "true",
                ParameterKind::Time => "2026-01-01",
                ParameterKind::Text => "a",
            };
            queries.push((format!("{0}={twice}&{0}={twice}", parameter.name), parameter.name));
        }
        for (query, field) in queries {
            let answer = client.call(method, &format!("{path}?{query}"), body(route, &scene)).await;
            if answer.status != 400 || !names(&answer, field) {
                faults.push(format!("{method} {}?{}: {} {}", route.path, short(&query), answer.status, short(&answer.text)));
            }
            faults.extend(faults_of(&answer, route.path).into_iter().map(|f| format!("{method} {}?{}: {f}", route.path, short(&query))));
        }
        if (state(&world.harness), done(&world.harness)) != before {
            faults.push(format!("{method} {}: something was written", route.path));
        }
    }
    assert_none("parameters that were not refused as they should be", faults);
}

#[tokio::test]
async fn odd_headers_are_refused_or_ignored_and_never_a_fault() {
    let template = Template::make().await;
    let world = template.open();
    let admin = world.client(Kind::Admin);
    let mut faults = Vec::new();
    let mut demand = |what: String, answer: &Answer, statuses: &[u16]| {
        if !statuses.contains(&answer.status) {
            faults.push(format!("{what}: {} {}", answer.status, short(&answer.text)));
        }
        faults.extend(faults_of(answer, "/api").into_iter().map(|f| format!("{what}: {f}")));
    };
    let probe = "/api/health/detailed";
    for value in [
        "",
        "Bearer",
        "Bearer ",
        "bearer",
        "Basic YTpi",
        "Bearer a b",
        "Bearer \u{fffd}",
        "Bearer ..",
        "Bearer a.b.c",
        &format!("Bearer {}", "x".repeat(20_000)),
    ] {
        if value.is_empty() {
            continue;
        }
        let answer = world.harness.anonymous().with_header("authorization", value).get(probe).await;
        demand(format!("Authorization: {}", short(value)), &answer, &[401]);
    }
    let twice = admin.by_token().with_header("x-a", "1");
    let answer = Answer::of(twice.raw("GET", probe, &[("authorization", "Bearer x")], Bytes::new()).await).await;
    demand("two Authorization headers".into(), &answer, &[401]);
    for value in ["codex_sid", "=", ";;;=;", "codex_sid_8080=", "codex_sid_8080=cxs_%00", &"a=b; ".repeat(5_000)] {
        let answer = world.harness.anonymous().with_header("cookie", value).get(probe).await;
        demand(format!("Cookie: {}", short(value)), &answer, &[401]);
    }
    for value in [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost:8080.evil.example",
        "localhost:8080@evil.example",
        "",
        "localhost:99999",
        "[::1",
        "\u{fffd}",
        &"a".repeat(5_000),
    ] {
        let host = if value.is_empty() { " " } else { value };
        demand(format!("Host: {}", short(host)), &admin.with_header("host", host).get(probe).await, &[400, 421]);
    }
    for route in changing().filter(|r| r.etag && r.method != Method::Post) {
        let (client, scene) = attacker(&world, route).unwrap();
        for value in ["abc", "\"", "W/", "\"-\"", "\"99999999999999999999\"", "\"1\", \"2\"", "\u{fffd}"] {
            let answer = world.call(&client.with_header("if-match", value), route, &scene).await;
            demand(format!("{} {} If-Match: {value}", route.method.as_str(), route.path), &answer, &[400]);
        }
        let answer = world.call(&client.with_header("if-match", "\"999999\""), route, &scene).await;
        demand(format!("{} {} with a stale If-Match", route.method.as_str(), route.path), &answer, &[412]);
    }
    for route in changing().filter(|r| r.idempotent) {
        let (client, scene) = attacker(&world, route).unwrap();
        for value in [" ", "a b", "\u{fffd}", "ключ", &"k".repeat(129)] {
            let answer = world.call(&client.with_header("idempotency-key", value), route, &scene).await;
            demand(format!("{} Idempotency-Key: {}", route.path, short(value)), &answer, &[400]);
        }
    }
    assert_none("odd headers", faults);
}

// --- over the wire ----------------------------------------------------------------------------------------------------

/// Sends bytes as they are; the status, when the server answered at all.
fn send(address: std::net::SocketAddr, parts: &[&[u8]]) -> Option<u16> {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    for part in parts {
        // The server may hang up before it has read everything.
        if stream.write_all(part).is_err() {
            break;
        }
    }
    let mut head = [0; 64];
    let read = stream.read(&mut head).ok().filter(|n| *n > 12)?;
    String::from_utf8_lossy(&head[..read]).split(' ').nth(1)?.parse().ok()
}

#[tokio::test]
async fn what_is_no_proper_request_is_refused_at_the_listener() {
    let harness = Harness::listening();
    let admin = harness.admin();
    let address = harness.wire().address;
    let credentials: String = admin.headers().iter().map(|(n, v)| format!("{n}: {v}\r\n")).collect();
    let before = (state(&harness), done(&harness));
    let mut faults = Vec::new();
    let json = "content-type: application/json\r\n";
    let huge = format!("{{\"name\": \"{}\"}}", "x".repeat(1_000_000));
    let heads: Vec<(&str, String, &str, &[u16])> = vec![
        ("a megabyte", format!("content-length: {}\r\n{json}", huge.len()), &huge, &[413]),
        ("a megabyte in chunks", format!("transfer-encoding: chunked\r\n{json}"), "F4240\r\n", &[413, 400]),
        ("a length that is no number", format!("content-length: abc\r\n{json}"), "{}", &[400]),
        ("a negative length", format!("content-length: -1\r\n{json}"), "{}", &[400]),
        ("two lengths", format!("content-length: 2\r\ncontent-length: 3\r\n{json}"), "{}", &[400]),
        ("a length and chunks", format!("content-length: 2\r\ntransfer-encoding: chunked\r\n{json}"), "0\r\n\r\n", &[400, 415]),
        ("a length past all numbers", format!("content-length: 99999999999999999999\r\n{json}"), "{}", &[400, 413]),
        ("a chunk size that is no number", format!("transfer-encoding: chunked\r\n{json}"), "zz\r\n", &[400]),
    ];
    for (path, method) in [("/api/groups", "POST"), ("/api/auth/login", "POST"), ("/api/nothing", "POST")] {
        let routed = ROUTES.iter().any(|r| r.path == path && r.method == Method::Post);
        for (how, head, body, statuses) in &heads {
            let request = format!("{method} {path} HTTP/1.1\r\n{credentials}{head}\r\n");
            let body =
                if *how == "a megabyte in chunks" { format!("{body}{}\r\n0\r\n\r\n", "x".repeat(1_000_000)) } else { (*body).to_owned() };
            let status = send(address, &[request.as_bytes(), body.as_bytes()]);
            let good = match status {
                Some(status) => statuses.contains(&status) || (!routed && (400..500).contains(&status)),
                // Hanging up on what is no HTTP is an answer too.
                None => !statuses.contains(&413) || body.len() > 100_000,
            };
            if !good {
                faults.push(format!("{method} {path} with {how}: {status:?}"));
            }
        }
    }
    let long = "a".repeat(200_000);
    let many = "x-a: b\r\n".repeat(1_000);
    for (how, request) in [
        ("a line of 200 kB", format!("GET /{long} HTTP/1.1\r\n\r\n")),
        ("a header of 200 kB", format!("GET / HTTP/1.1\r\nx-a: {long}\r\n\r\n")),
        ("a thousand headers", format!("GET / HTTP/1.1\r\n{many}\r\n")),
        ("no HTTP", "\u{16}\u{3}\u{1}garbage\r\n\r\n".to_owned()),
        ("a bare line feed in a header", format!("GET /api/health HTTP/1.1\r\n{credentials}x-a: b\nx-b: c\r\n\r\n")),
        ("a blank before the colon", format!("GET /api/groups HTTP/1.1\r\n{credentials}x-a : b\r\n\r\n")),
        ("a NUL in a header", format!("GET /api/groups HTTP/1.1\r\n{credentials}x-a: \u{0}\r\n\r\n")),
        ("HTTP/9.9", format!("GET /api/groups HTTP/9.9\r\n{credentials}\r\n")),
        ("no host", "GET /api/groups HTTP/1.1\r\n\r\n".to_owned()),
        ("an absolute target elsewhere", format!("GET http://evil.example/api/groups HTTP/1.1\r\n{credentials}\r\n")),
        ("a target that is no path", format!("GET groups HTTP/1.1\r\n{credentials}\r\n")),
    ] {
        let status = send(address, &[request.as_bytes()]);
        if status.is_some_and(|s| s >= 500) {
            faults.push(format!("{how}: {status:?}"));
        }
    }
    if (state(&harness), done(&harness)) != before {
        faults.push("something was written".into());
    }
    assert_eq!(harness.wire().call(&admin, "GET", "/api/health/detailed", None).await.status, 200, "the server goes on");
    assert_none("requests that were not refused as they should be", faults);
}

// --- chance -----------------------------------------------------------------------------------------------------------

/// Repeatable chance (xorshift64*).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n.max(1) as u64).unwrap_or(0)
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let at = self.below(from.len());
        &from[at]
    }

    fn text(&mut self) -> String {
        const ODD: [char; 18] =
            ['a', '0', '-', '_', '.', ' ', '/', '\\', '"', '\'', '\0', '\n', '\u{1b}', 'é', '\u{202e}', '🦀', '\u{301}', '٣'];
        let length = *self.pick(&[0, 1, 2, 5, 12, 63, 64, 300]);
        (0..length).map(|_| *self.pick(&ODD)).collect()
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth > 3 { 6 } else { 9 }) {
            0 => Value::Null,
            1 => json!(self.below(2) == 0),
            2 => json!(self.next().cast_signed()),
            3 => json!(f64::from_bits(self.next())),
            4 => self.pick(&hostile_amounts()).clone(),
            5 => json!(self.text()),
            6 => json!(PASSWORD),
            7 => Value::Array((0..self.below(4)).map(|_| self.value(depth + 1)).collect()),
            _ => Value::Object((0..self.below(4)).map(|_| (self.text(), self.value(depth + 1))).collect()),
        }
    }
}

const SEED: u64 = 0x00C0_DE30_0DD5;
const FUZZ: Duration = Duration::from_secs(20);

#[tokio::test]
async fn twenty_seconds_of_chance_find_no_fault() {
    let template = Template::make().await;
    let world = template.open();
    let document = document();
    let routes: Vec<&Route> = ROUTES.iter().filter(|r| !matches!(r.access, Access::CommandLine(_))).collect();
    let mut chance = Chance(SEED);
    let mut faults = Vec::new();
    let (started, mut calls) = (Instant::now(), 0);
    while started.elapsed() < FUZZ && calls < 20_000 {
        let route = *chance.pick(&routes);
        if matches!(
            route.answer,
            codex_web::http::route::AnswerDoc::Stream(_)
                | codex_web::http::route::AnswerDoc::Streams(_)
                | codex_web::http::route::AnswerDoc::Socket
        ) {
            continue;
        }
        let kind = *chance.pick(&[Kind::Admin, Kind::Admin, Kind::Member, Kind::GroupAdmin, Kind::Anonymous, Kind::CommandLine]);
        let place = *chance.pick(&Place::ALL);
        let Some(scene) = world.scene(kind, place) else { continue };
        let mut attack = body(route, &scene).unwrap_or(json!({}));
        let known = fields(&document, route);
        for _ in 0..chance.below(4) {
            let value = chance.value(0);
            match known.get(chance.below(known.len() + 1)) {
                Some(field) => attack = with(&attack, &field.path, (chance.below(5) > 0).then_some(value)),
                None => attack = with(&attack, &[chance.text()], Some(value)),
            }
        }
        let mut path = fill(route, &scene).unwrap();
        if chance.below(6) == 0 {
            let escaped: String = chance.text().bytes().map(|b| format!("%{b:02x}")).collect();
            path = format!("{path}{}{escaped}", chance.pick(&["/", "?", "?limit=", "?search=", "?cursor=", "%", ";"]));
        }
        let attack = route.method.is_unsafe().then_some(attack);
        let shown = attack.as_ref().map(ToString::to_string).unwrap_or_default();
        let answer = world.client(kind).call(route.method.as_str(), &path, attack).await;
        calls += 1;
        // A link of the next page may be kept by caches of nobody; everything else is judged as everywhere.
        faults.extend(
            faults_of(&answer, route.path)
                .into_iter()
                .map(|f| format!("{} {} as {kind:?} {}: {f}: {}", route.method.as_str(), short(&path), short(&shown), short(&answer.text))),
        );
    }
    assert!(calls > 200, "only {calls} calls");
    assert_none("faults found by chance", faults);
}
