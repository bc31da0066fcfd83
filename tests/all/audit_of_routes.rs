//! Every change through the API leaves exactly one audit entry with the right actor and action; every refusal leaves
//! one, and repeats of it are folded.
//!
//! The closed list of route and action is [`super::samples`]; a changing route without a row there fails.

use super::samples::{self, Audit, Sample};
use super::world::{Kind, Place, Scene, Template, Verdict, World, changing, places, stands};
use codex_web::app::database_path;
use codex_web::http::route::{Access, Route};
use codex_web::http::routes::ROUTES;
use serde_json::Value;

fn name(route: &Route) -> String {
    format!("{} {}", route.method.as_str(), route.path)
}

fn assert_none(what: &str, faults: Vec<String>) {
    assert!(faults.is_empty(), "{what}:\n  {}", faults.join("\n  "));
}

/// The entries written since there were so many.
fn since(world: &World, seq: i64) -> Vec<Value> {
    world.harness.rows(&format!("SELECT * FROM audit_event WHERE seq > {seq} ORDER BY seq"))
}

fn last(world: &World) -> i64 {
    world.harness.rows("SELECT coalesce(max(seq), 0) AS n FROM audit_event")[0]["n"].as_i64().unwrap()
}

/// Makes so what the sample needs to succeed.
fn prepare(world: &World, sample: &Sample, scene: &Scene) {
    if sample.given.is_empty() {
        return;
    }
    let sql = sample
        .given
        .replace("{user}", scene.user.as_str())
        .replace("{group}", scene.group.as_str())
        .replace("{workspace}", scene.workspace.as_str());
    let file = rusqlite::Connection::open(database_path(world.harness.dir.path())).unwrap();
    file.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    file.execute_batch(&sql).unwrap();
}

fn actor_of(world: &World, kind: Kind) -> (String, Value) {
    match kind {
        Kind::CommandLine => ("local-shell".into(), "cli:tester".into()),
        Kind::Anonymous => ("anonymous".into(), Value::Null),
        _ => ("user".into(), world.client(kind).user_id().as_str().into()),
    }
}

#[test]
fn a_route_whose_entry_is_shown_elsewhere_names_a_test_that_is_there() {
    for sample in samples::ALL {
        let Audit::Elsewhere(why, test) = sample.audit else { continue };
        let (file, function) = test.split_once("::").unwrap();
        let text = std::fs::read_to_string(format!("{}/tests/all/{file}.rs", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let (_, body) =
            text.split_once(&format!("async fn {function}() {{")).unwrap_or_else(|| panic!("{} ({why}): no test {test}", sample.path));
        let body = body.split("\n}").next().unwrap();
        assert!(body.contains("audit(") || body.contains("audit_event"), "{test} looks at no entry");
    }
}

#[tokio::test]
async fn each_changing_route_leaves_exactly_one_entry_of_the_right_action_by_the_right_actor() {
    let template = Template::make().await;
    let mut faults = Vec::new();
    for route in changing() {
        let Some(sample) = samples::of(route) else {
            faults.push(format!("{}: no row in tests/all/samples.rs", name(route)));
            continue;
        };
        if matches!(sample.audit, Audit::Elsewhere(..)) {
            continue;
        }
        let world = template.open();
        let (kind, place) = sample.by;
        let scene = world.scene(kind, place).unwrap();
        prepare(&world, sample, &scene);
        let before = last(&world);
        let answer = world.call(&world.client(kind), route, &scene).await;
        if answer.status != route.status {
            faults.push(format!("{}: {} instead of {}: {}", name(route), answer.status, route.status, answer.text));
            continue;
        }
        let entries = since(&world, before);
        let told: Vec<&str> = entries.iter().filter_map(|e| e["action"].as_str()).collect();
        let wanted: Vec<&str> = match sample.audit {
            Audit::One(action) => vec![action],
            Audit::Two(action, _) => vec![action, action],
            Audit::None(_) | Audit::Elsewhere(..) => Vec::new(),
        };
        if told != wanted {
            faults.push(format!("{}: entries {told:?} instead of {wanted:?}", name(route)));
            continue;
        }
        for entry in &entries {
            let (actor_kind, actor) = actor_of(&world, kind);
            // Signing in is done by nobody, who is somebody afterwards.
            let is_actor = kind == Kind::Anonymous || (entry["actor_kind"] == actor_kind && entry["actor_id"] == actor);
            if !is_actor
                || entry["success"] != 1
                || entry["count"] != 1
                || entry["request_id"] != answer.header("x-request-id").unwrap_or_default()
            {
                faults.push(format!("{}: {entry}", name(route)));
            }
            let details = entry["details"].as_str().unwrap_or_default();
            if details.contains('@') || details.contains("plum orbit") {
                faults.push(format!("{}: personal data or a secret in the details: {details}", name(route)));
            }
        }
    }
    assert_none("changes that the audit log tells wrongly", faults);
}

/// Somebody whom the table refuses on an object that is there.
fn refused(world: &World, route: &Route) -> Option<(Kind, Scene)> {
    for kind in [Kind::Stranger, Kind::Member, Kind::GroupAdmin, Kind::MonitorSystem, Kind::SetPermissions] {
        for place in places(route).into_iter().filter(|p| matches!(p, Place::Near | Place::Far)) {
            let Some(scene) = world.scene(kind, place).filter(|scene| stands(route, scene)) else { continue };
            if matches!(world.verdict(route, kind, &scene), Verdict::Refused(403 | 404, _)) {
                return Some((kind, scene));
            }
        }
    }
    None
}

#[tokio::test]
async fn each_refused_attempt_is_one_entry_and_its_repeats_are_folded_into_one_more() {
    let template = Template::make().await;
    let mut faults = Vec::new();
    let mut seen = 0;
    for route in ROUTES {
        let Access::Action(action) = route.access else { continue };
        let world = template.open();
        // Somebody else's sign-in is no object of policy; asking for it is no act.
        let Some((kind, scene)) = refused(&world, route).filter(|_| !route.path.starts_with("/api/auth/")) else { continue };
        let before = last(&world);
        let client = world.client(kind);
        for _ in 0..4 {
            world.call(&client, route, &scene).await;
        }
        seen += 1;
        let at_once = since(&world, before);
        let (_, actor) = actor_of(&world, kind);
        let told =
            at_once.iter().map(|e| (e["action"].as_str().unwrap_or_default(), &e["actor_id"], e["success"].as_i64(), e["count"].as_i64()));
        let told: Vec<_> = told.collect();
        if told != [(action.code(), &actor, Some(0), Some(1))] {
            faults.push(format!("{} as {kind:?}: {told:?}", name(route)));
        }
        if !at_once.iter().all(|e| e["error"].as_str().is_some_and(|word| word.starts_with("denied:"))) {
            faults.push(format!("{} as {kind:?}: without a stable word", name(route)));
        }
        let dir = world.harness.into_dir().await;
        let file = rusqlite::Connection::open(database_path(dir.path())).unwrap();
        let folded = "SELECT count(*), coalesce(max(count), 0) FROM audit_event WHERE seq > ?1 AND success = 0 AND action = ?2";
        let folded: (i64, i64) = file.query_row(folded, (before, action.code()), |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
        if folded != (2, 3) {
            faults.push(format!("{} as {kind:?}: folded into {folded:?}", name(route)));
        }
    }
    assert!(seen > 0, "nobody was refused anything");
    assert_none("refusals that the audit log tells wrongly", faults);
}
