//! Every route, asked by every kind of caller about every kind of object: the answer is the one that policy gives.
//!
//! The walk reads the route table, so a new route is walked as soon as it stands there; one that the walk cannot fill
//! with path parameters or a body fails it. What a refusal says (status and code) is computed by asking the policy
//! table directly, with facts loaded past the handler.

use super::harness::{Answer, Client};
use super::world::{Kind, Place, Template, Verdict, World, body, changing, done, faults_of, fill, places, stands, state};
use crate::samples;
use codex_web::http::route::{Access, AnswerDoc, BodyRule, Method, Route};
use codex_web::http::routes::ROUTES;
use std::collections::{BTreeMap, BTreeSet};

fn assert_none(what: &str, faults: Vec<String>) {
    assert!(faults.is_empty(), "{what}:\n  {}", faults.join("\n  "));
}

fn name(route: &Route) -> String {
    format!("{} {}", route.method.as_str(), route.path)
}

/// What is wrong with one answer, compared with what the rules say.
fn compare(route: &Route, verdict: &Verdict, answer: &Answer) -> Option<String> {
    let (status, code) = (answer.status, answer.code());
    let fault = match verdict {
        Verdict::Refused(wanted, word) if (*wanted, *word) != (status, code) => format!("the rules say {wanted} {word}"),
        // What stands below the object may be missing although the object is there.
        Verdict::Permitted if status == 404 && samples::below(route) => return None,
        Verdict::Permitted if matches!(status, 401 | 403 | 404) => "the rules permit it".to_owned(),
        // A sign-in with a sample's credentials may fail; being turned away as a person may not.
        Verdict::Free if status == 403 => "anybody may ask".to_owned(),
        _ => return None,
    };
    Some(format!("{status} {code}; {fault}: {}", answer.text))
}

/// Calls that were refused, and calls that only read, have changed nothing.
fn demand_untouched(route: &Route, world: &World, untouched: &str, faults: &mut Vec<String>) {
    if state(&world.harness) != untouched {
        faults.push(format!("{}: refused, and something changed", name(route)));
    }
}

#[tokio::test]
async fn every_route_answers_every_kind_of_caller_as_policy_says() {
    let template = Template::make().await;
    let mut faults = Vec::new();
    let mut calls = 0;
    let untouched = state(&template.open().harness);
    for route in ROUTES.iter().filter(|route| !is_socket(route)) {
        let mut world = template.open();
        for (kind, place) in Kind::ALL.into_iter().flat_map(|kind| places(route).into_iter().map(move |place| (kind, place))) {
            let Some(scene) = world.scene(kind, place).filter(|scene| stands(route, scene)) else { continue };
            let verdict = world.verdict(route, kind, &scene);
            if route.method.is_unsafe() && !matches!(verdict, Verdict::Refused(..)) {
                demand_untouched(route, &world, &untouched, &mut faults);
            }
            let answer = world.call(&world.client(kind), route, &scene).await;
            calls += 1;
            let call = format!("{} as {kind:?} on {place:?}", name(route));
            faults.extend(compare(route, &verdict, &answer).map(|fault| format!("{call}: {fault}")));
            faults.extend(faults_of(&answer, route.path).into_iter().map(|f| format!("{call}: {f}: {}", answer.text)));
            if route.method.is_unsafe() && answer.status < 400 {
                world = template.open();
            }
        }
        demand_untouched(route, &world, &untouched, &mut faults);
    }
    assert!(calls > ROUTES.len() * Kind::ALL.len() / 2, "only {calls} calls");
    assert_none("routes that answer otherwise than policy", faults);
}

fn is_socket(route: &Route) -> bool {
    matches!(route.access, Access::InFirstFrame(..))
}

#[tokio::test]
async fn every_socket_opens_for_whom_policy_permits_and_from_our_own_pages_only() {
    let template = Template::make().await;
    let world = template.listening();
    let ours = format!("http://localhost:{}", world.harness.wire().address.port());
    let mut faults = Vec::new();
    for route in ROUTES.iter().filter(|route| is_socket(route)) {
        for (kind, place) in Kind::ALL.into_iter().flat_map(|kind| places(route).into_iter().map(move |place| (kind, place))) {
            // A shell has no sockets.
            let Some(scene) = world.scene(kind, place).filter(|scene| stands(route, scene) && kind != Kind::CommandLine) else { continue };
            let path = fill(route, &scene).unwrap();
            let verdict = world.verdict(route, kind, &scene);
            let client = world.client(kind);
            let status = world.harness.wire().socket(&client.with_header("origin", &ours), &path).await.err().unwrap_or(101);
            let good = match &verdict {
                Verdict::Refused(wanted, _) => status == *wanted,
                // The workspaces of this world do not run.
                Verdict::Permitted => status == 409,
                Verdict::Free => status == 101,
            };
            if !good {
                faults.push(format!("{} as {kind:?} on {place:?}: {status}; the rules say {verdict:?}", name(route)));
            }
            for origin in ["http://evil.example", "null", "http://localhost:1", ""] {
                let by_cookie = matches!(client.shows, super::harness::Shows::Cookie { .. });
                let status = world.harness.wire().socket(&client.with_header("origin", origin), &path).await.err().unwrap_or(101);
                if status < 400 && (by_cookie || !origin.is_empty()) {
                    faults.push(format!("{} as {kind:?} from {origin:?}: {status}", name(route)));
                }
            }
        }
    }
    assert_none("sockets that open otherwise than policy", faults);
}

#[tokio::test]
async fn a_hidden_object_reads_like_one_that_is_not_there() {
    let template = Template::make().await;
    let world = template.open();
    let mut faults = Vec::new();
    for route in ROUTES.iter().filter(|r| matches!(r.access, Access::Action(_)) && r.path.contains('{')) {
        for kind in [Kind::Stranger, Kind::Member, Kind::GroupAdmin] {
            let (Some(far), Some(missing)) = (world.scene(kind, Place::Far), world.scene(kind, Place::Missing)) else { continue };
            let (hidden, absent) = (world.verdict(route, kind, &far), world.verdict(route, kind, &missing));
            if hidden != absent || !matches!(hidden, Verdict::Refused(404, _)) {
                continue;
            }
            let client = world.client(kind);
            let (one, other) = (world.call(&client, route, &far).await, world.call(&client, route, &missing).await);
            let words = |answer: &Answer| (answer.status, answer.json["error"]["message"].clone(), answer.json["error"]["appcode"].clone());
            if words(&one) != words(&other) {
                faults.push(format!("{} as {kind:?}: {} / {}", name(route), one.text, other.text));
            }
        }
    }
    assert_none("answers that tell a hidden object from a missing one", faults);
}

#[tokio::test]
async fn a_get_changes_nothing() {
    let template = Template::make().await;
    let world = template.open();
    let mut faults = Vec::new();
    for route in ROUTES.iter().filter(|r| r.method == Method::Get) {
        for kind in [Kind::Member, Kind::GroupAdmin, Kind::Admin, Kind::CommandLine] {
            for place in places(route) {
                let Some(scene) = world.scene(kind, place).filter(|scene| stands(route, scene)) else { continue };
                let before = (state(&world.harness), done(&world.harness));
                let answer = world.call(&world.client(kind), route, &scene).await;
                let entries = done(&world.harness) - before.1;
                let recorded = i64::from(samples::RECORDED_READS.contains(&route.path) && answer.status == 200);
                let looked = i64::from(samples::RECORDED_LOOKS.contains(&route.path) && place != Place::Own);
                if state(&world.harness) != before.0 || entries < recorded || entries > recorded.max(looked) {
                    faults.push(format!("{} as {kind:?} on {place:?}: {}", name(route), answer.status));
                }
            }
        }
    }
    assert_none("GETs that change something", faults);
}

/// The ways in which a call of a page at another site differs from one of ours.
fn foreign(client: &Client) -> Vec<(&'static str, Client)> {
    let bare = client.with_header("sec-fetch-site", "");
    vec![
        ("no proof", bare.clone()),
        ("another site", client.with_header("sec-fetch-site", "cross-site")),
        ("the same site, another origin", client.with_header("sec-fetch-site", "same-site")),
        ("typed into the address bar", client.with_header("sec-fetch-site", "none")),
        ("a foreign Origin", bare.with_header("origin", "http://evil.example")),
        ("an opaque Origin", bare.with_header("origin", "null")),
        ("our host, another port", bare.with_header("origin", "http://localhost:1")),
        ("our host as a prefix", bare.with_header("origin", "http://localhost:8080.evil.example")),
    ]
}

#[tokio::test]
async fn no_change_by_cookie_is_taken_from_another_site() {
    let template = Template::make().await;
    let mut world = template.open();
    let mut faults = Vec::new();
    // A cookie is no credential where only machines ask.
    for route in changing().filter(|r| !matches!(r.access, Access::CommandLine(_) | Access::Machine(_))) {
        let scene = world.scene(Kind::Admin, Place::Near).unwrap();
        let before = (state(&world.harness), done(&world.harness));
        for (how, client) in foreign(&world.client(Kind::Admin)) {
            let answer = world.call(&client, route, &scene).await;
            let refused = answer.status == 403 && answer.code() == "AUTHORIZATION_ERROR";
            if !refused || (state(&world.harness), done(&world.harness)) != before {
                faults.push(format!("{} with {how}: {} {}", name(route), answer.status, answer.code()));
            }
        }
        let ours = world.client(Kind::Admin).with_header("sec-fetch-site", "").with_header("origin", "http://localhost:8080");
        let answer = world.call(&ours, route, &scene).await;
        if answer.json["error"]["message"].as_str().unwrap_or_default().contains("another site") {
            faults.push(format!("{} with our own Origin: {}", name(route), answer.text));
        }
        world = template.open();
    }
    assert_none("changes that another site's page could make", faults);
}

#[tokio::test]
async fn what_is_not_in_the_table_does_not_exist() {
    let template = Template::make().await;
    let world = template.open();
    let admin = world.client(Kind::Admin);
    let scene = world.scene(Kind::Admin, Place::Near).unwrap();
    let mut known: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for route in ROUTES.iter().filter(|r| !matches!(r.access, Access::CommandLine(_))) {
        known.entry(fill(route, &scene).unwrap()).or_default().insert(route.method.as_str());
    }
    let mut faults = Vec::new();
    for (path, methods) in &known {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW", "get"] {
            if methods.contains(method) || (method == "HEAD" && methods.contains("GET")) {
                continue;
            }
            let answer = admin.call(method, path, None).await;
            let allowed: BTreeSet<&str> = answer.header("allow").unwrap_or_default().split(", ").collect();
            if answer.status != 405 || allowed != *methods {
                faults.push(format!("{method} {path}: {} {:?}", answer.status, answer.header("allow")));
            }
            faults.extend(faults_of(&answer, path).into_iter().map(|f| format!("{method} {path}: {f}")));
        }
        for stray in [format!("{path}/"), format!("{path}/nothing/of/the/kind"), path.replacen("/api", "/api/", 1), path.to_uppercase()] {
            let answer = admin.get(&stray).await;
            if stray != *path && answer.status == 200 && answer.header("content-type").is_none_or(|t| !t.starts_with("text/html")) {
                faults.push(format!("GET {stray}: 200"));
            }
        }
    }
    for stray in ["/api", "/api/", "/api/nothing", "/api/groups/x/y/z/a", "/api/../api/health", "/.well-known/nothing", "/api//health"] {
        let answer = admin.get(stray).await;
        if answer.status != 404 {
            faults.push(format!("GET {stray}: {}", answer.status));
        }
    }
    assert_none("answers from outside the table", faults);
}

#[test]
fn every_row_of_the_table_is_complete() {
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    for route in ROUTES {
        let mut demand = |good: bool, what: &str| {
            if !good {
                faults.push(format!("{}: {what}", name(route)));
            }
        };
        demand(seen.insert(name(route)), "it stands twice");
        demand(route.summary.len() > 8 && route.summary.ends_with('.'), "no summary");
        let network = !matches!(route.access, Access::CommandLine(_));
        // Where every program that collects metrics looks for them.
        let usual = route.path.starts_with("/.well-known/") || route.path == "/metrics";
        demand(route.path.starts_with("/api/") || usual || !network, "outside /api");
        demand(!matches!(route.body, BodyRule::Json(_)) || route.request.is_some() || !network, "a body without a schema");
        demand(route.method.is_unsafe() || route.body == BodyRule::None, "a GET with a body");
        demand(
            matches!(route.answer, AnswerDoc::Nothing) == (route.status == 204) || !network,
            "an answer without a schema, or a 204 with one",
        );
        demand(!route.idempotent || route.method == Method::Post, "idempotency keys are for POST");
        match route.access {
            Access::Public(reason) | Access::InFirstFrame(_, reason) => demand(reason.len() > 20, "no reason"),
            Access::Action(_) | Access::Machine(_) | Access::CommandLine(_) => {}
        }
        demand(!route.method.is_unsafe() || samples::of(route).is_some(), "no sample: tests/all/samples.rs must know how to call it");
    }
    assert_none("rows of the route table", faults);
}

#[tokio::test]
async fn the_walk_knows_how_to_fill_every_route() {
    let template = Template::make().await;
    let world: World = template.open();
    let scene = world.scene(Kind::Admin, Place::Near).unwrap();
    let unknown = ROUTES.iter().filter(|r| fill(r, &scene).is_none()).map(name).collect();
    assert_none("paths with parameters of an unknown kind", unknown);
    let stale = samples::ALL
        .iter()
        .filter(|s| !ROUTES.iter().any(|r| r.method == s.method && r.path == s.path))
        .map(|s| s.path.to_owned())
        .collect();
    assert_none("samples of routes that are not there", stale);
    let _ = body(&ROUTES[0], &scene);
}
