//! The OpenAPI document, built from the route table: what is not in the table does not exist, and neither does a
//! second list.

use super::route::{Access, AnswerDoc, BodyRule, Method, Parameter, ParameterKind, Route, SchemaOf, Values, schema_of};
use super::routes::ROUTES;
use super::{handler, reply::ErrorView};
use crate::error::Result;
use crate::policy::Action;
use crate::policy::explain::who_may;
use serde_json::{Map, Value, json};
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

/// The nouns of the API in the order in which one reads about them: name, what it is about, how its paths begin.
/// The last one takes whatever no other does.
const NOUNS: &[(&str, &str, &[&str])] = &[
    ("Signing in", "Who one is, how a session begins and ends, and the caller's own account.", &["/api/auth", "/api/setup", "/api/whoami"]),
    ("Users", "People: their accounts, roles and memberships, and what they keep for git.", &["/api/users", "/api/admin/users"]),
    ("Groups", "Teams with a quota: their members, usage and cost.", &["/api/groups"]),
    ("Workspaces", "One person's environment in one group.", &["/api/workspaces", "/api/admin/workspaces"]),
    ("Templates", "What workspaces are made from.", &["/api/templates"]),
    ("Inside a workspace", "What a workspace asks about itself, with its machine token.", &["/api/machine"]),
    ("Access and audit", "Who may do what, and who did.", &["/api/access", "/api/admin/audit-logs"]),
    ("Health", "Whether the server and its parts are well.", &["/api/health", "/api/admin/health"]),
    ("Platform", "Figures, capacity, prices, settings, and what belongs to the whole installation.", &["/"]),
];

/// The noun that a path belongs to.
fn noun(path: &str) -> &'static str {
    let below = |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    NOUNS.iter().find(|(_, _, prefixes)| prefixes.iter().any(|prefix| below(prefix))).map_or("Platform", |(name, _, _)| *name)
}

/// `GET /api/openapi.json`.
pub async fn serve(_: handler::Request) -> Result<handler::Reply> {
    handler::Reply::ok(&document())
}

/// The whole document.
pub fn document() -> Value {
    let mut schemas = Map::new();
    let mut paths: Map<String, Value> = Map::new();
    add_schema(&mut schemas, schema_of::<ErrorView>);
    for route in ROUTES.iter().filter(|r| !matches!(r.access, Access::CommandLine(_))) {
        let operation = operation(route, &mut schemas);
        let entry = paths.entry(route.path.to_owned()).or_insert_with(|| json!({}));
        if let Value::Object(methods) = entry {
            methods.insert(route.method.as_str().to_lowercase(), operation);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Codex Web", "version": env!("CARGO_PKG_VERSION"), "description": "Governed development workspaces.", "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "servers": [{"url": "/"}],
        "tags": NOUNS.iter().map(|(name, about, _)| json!({"name": name, "description": about})).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An access token from /api/auth/login, or an API token (cxp_...)."},
                "machine": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "The machine token of a workspace: CHE_MACHINE_TOKEN inside it."},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "codex_sid", "description": "The browser's session."},
            },
        },
    })
}

/// An amount of cores: `2`, `0.5`, `"500m"`.
pub fn cpu_amount() -> Object {
    ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Number])).build()
}

/// What the caller may do: names of actions in a list, else an object of each action with the reason against it.
pub fn allowed() -> Object {
    ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::Array, Type::Object])).build()
}

fn add_schema(schemas: &mut Map<String, Value>, of: SchemaOf) -> Value {
    let (name, schema, parts) = of();
    for (part, schema) in parts {
        schemas.entry(part).or_insert_with(|| serde_json::to_value(schema).unwrap_or(Value::Null));
    }
    schemas.entry(name.clone()).or_insert_with(|| serde_json::to_value(schema).unwrap_or(Value::Null));
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn operation(route: &Route, schemas: &mut Map<String, Value>) -> Value {
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": route.summary,
        "tags": [noun(route.path)],
        "parameters": parameters(route),
        "responses": responses(route, schemas),
    });
    match route.access {
        Access::Public(reason) => {
            operation["security"] = json!([]);
            operation["x-public-because"] = json!(reason);
        }
        Access::Machine(action) => {
            operation["security"] = json!([{"machine": []}]);
            describe_access(&mut operation, action);
        }
        Access::Action(action) | Access::CommandLine(action) | Access::InFirstFrame(action, _) => {
            operation["security"] = json!([{"bearer": []}, {"cookie": []}]);
            describe_access(&mut operation, action);
        }
    }
    if route.body == BodyRule::Streamed {
        operation["requestBody"] = json!({"required": true, "content": {"application/octet-stream": {}}});
    } else if route.body != BodyRule::None
        && let Some(of) = route.request
    {
        let schema = add_schema(schemas, of);
        operation["requestBody"] =
            json!({"required": matches!(route.body, BodyRule::Json(_)), "content": {"application/json": {"schema": schema}}});
    }
    operation
}

/// The action that is asked for, and who may take it in words.
fn describe_access(operation: &mut Value, action: Action) {
    operation["x-action"] = json!(action.code());
    operation["x-who"] = json!(who_may(action));
}

/// `get_api_groups_group`: unique, stable, readable.
fn operation_id(route: &Route) -> String {
    let path: String = route.path.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    format!("{}{}", route.method.as_str().to_lowercase(), path.replace("__", "_").trim_end_matches('_'))
}

fn parameters(route: &Route) -> Vec<Value> {
    let mut list: Vec<Value> = route
        .path
        .split('/')
        .filter_map(|s| s.strip_prefix('{').and_then(|s| s.strip_suffix('}')))
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
        .collect();
    for parameter in route.query {
        list.push(json!({"name": parameter.name, "in": "query", "required": parameter.required, "description": parameter.words, "schema": values(*parameter)}));
    }
    // A POST makes something or acts; there is nothing yet that could have changed.
    if route.etag && route.method.is_unsafe() && route.method != Method::Post {
        list.push(json!({"name": "If-Match", "in": "header", "required": false, "schema": {"type": "string"}}));
    }
    if route.idempotent {
        list.push(json!({"name": "Idempotency-Key", "in": "header", "required": false, "schema": {"type": "string"}}));
    }
    list
}

/// No parameter takes control characters.
const PLAIN: &str = "^[^\\x00-\\x1f\\x7f-\\x9f]*$";

/// Which values a query parameter takes. An empty text is as good as none, as forms send what nobody filled in.
fn values(parameter: Parameter) -> Value {
    let kind = match parameter.kind {
        ParameterKind::Text | ParameterKind::Time => "string",
        ParameterKind::Integer => "integer",
        ParameterKind::Flag => "boolean",
    };
    let mut schema = json!({"type": kind});
    match parameter.values {
        Values::Within(from, to) => {
            schema["minimum"] = json!(from);
            schema["maximum"] = json!(to);
        }
        Values::OneOf(words) => schema["enum"] = words.iter().copied().chain([""]).collect(),
        Values::Like(pattern) => schema["pattern"] = json!(format!("^$|{pattern}")),
        Values::UpTo(characters) => {
            schema["maxLength"] = json!(characters);
            schema["pattern"] = json!(PLAIN);
            if parameter.required {
                schema["minLength"] = json!(1);
            }
        }
        Values::GivenOut => schema["format"] = json!("given-out"),
        Values::Any if parameter.kind == ParameterKind::Time => {
            schema["anyOf"] = json!([{"format": "date"}, {"format": "date-time"}]);
            schema["examples"] = json!(["2026-03-12", "2026-03-12T10:20:30Z"]);
        }
        Values::Any => {}
    }
    schema
}

fn responses(route: &Route, schemas: &mut Map<String, Value>) -> Value {
    let good = match route.answer {
        AnswerDoc::Nothing => json!({"description": "Done."}),
        AnswerDoc::Json(of) => json!({"description": "The object.", "content": {"application/json": {"schema": add_schema(schemas, of)}}}),
        AnswerDoc::List(of) => {
            json!({"description": "The list.", "content": {"application/json": {"schema": {"type": "array", "items": add_schema(schemas, of)}}}})
        }
        AnswerDoc::Text => json!({"description": "Text.", "content": {"text/plain": {"schema": {"type": "string"}}}}),
        AnswerDoc::File(of) => {
            let content = json!({"application/octet-stream": {}, "application/json": {"schema": add_schema(schemas, of)}});
            json!({"description": "The bytes of the file, or what was asked about it.", "content": content})
        }
        AnswerDoc::Streams(kinds) => {
            let content: Map<String, Value> = kinds.iter().map(|kind| ((*kind).to_owned(), json!({}))).collect();
            json!({"description": "A stream, of the kind that was asked for.", "content": content})
        }
        AnswerDoc::Stream(kind) => json!({"description": "A stream.", "content": {kind: {}}}),
        AnswerDoc::Socket => json!({"description": "The connection becomes a WebSocket."}),
    };
    let error = json!({"description": "Refused; `error.code` says why.", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorView"}}}});
    let mut responses = Map::new();
    responses.insert(route.status.to_string(), good);
    responses.insert("4XX".into(), error.clone());
    responses.insert("5XX".into(), error);
    Value::Object(responses)
}
