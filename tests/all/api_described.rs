//! What the API description says of an address is what the server holds it to: bounds of numbers, lists of words.

use super::harness::{Answer, Harness};
use codex_web::http::route::{Access, Method, ParameterKind, Route, Values};
use codex_web::http::routes::ROUTES;
use serde_json::json;

/// Routes that are asked with GET and answer at once.
fn asked() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().filter(|route| route.method == Method::Get && matches!(route.access, Access::Action(_) | Access::Public(_)))
}

/// A path to nothing: what stands in the query is read before what the path names is looked for.
fn path(route: &Route) -> String {
    let part = |segment: &str| match segment {
        "{workspace}" => "ws_00000000000000000000000000000000".to_owned(),
        "{user}" => "usr_00000000000000000000000000000000".to_owned(),
        parameter if parameter.starts_with('{') => "none".to_owned(),
        fixed => fixed.to_owned(),
    };
    route.path.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn refuses(answer: &Answer, field: &str) -> bool {
    answer.status == 400 && answer.fields().iter().any(|told| told.split(':').next() == Some(field))
}

#[tokio::test]
async fn every_number_of_an_address_is_taken_up_to_its_bounds_and_no_further() {
    let admin = Harness::new().admin();
    let (mut faults, mut tried) = (Vec::new(), 0);
    for route in asked() {
        for parameter in route.query.iter().filter(|one| one.kind == ParameterKind::Integer) {
            let Values::Within(from, to) = parameter.values else {
                faults.push(format!("{}: {} has no bounds", route.path, parameter.name));
                continue;
            };
            let (low, high) = (i128::from(from), i128::from(to));
            for (value, good) in [(low - 1, false), (low, true), (high, true), (high + 1, false)] {
                let answer = admin.get(&format!("{}?{}={value}", path(route), parameter.name)).await;
                tried += 1;
                if refuses(&answer, parameter.name) == good {
                    faults.push(format!("{}?{}={value}: {} {}", route.path, parameter.name, answer.status, answer.text));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(tried > 60, "only {tried} were tried");
}

#[tokio::test]
async fn every_word_that_is_offered_is_taken_and_no_other() {
    let admin = Harness::new().admin();
    let (mut faults, mut tried) = (Vec::new(), 0);
    for route in asked() {
        for parameter in route.query {
            let Values::OneOf(words) = parameter.values else { continue };
            for (word, good) in words.iter().map(|word| (*word, true)).chain([("", true), ("nonsense", false)]) {
                let answer = admin.get(&format!("{}?{}={word}", path(route), parameter.name)).await;
                tried += 1;
                if refuses(&answer, parameter.name) == good {
                    faults.push(format!("{}?{}={word}: {} {}", route.path, parameter.name, answer.status, answer.text));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(tried > 50, "only {tried} were tried");
}

#[tokio::test]
async fn a_time_of_an_address_is_a_day_or_a_moment() {
    let admin = Harness::new().admin();
    let mut faults = Vec::new();
    for route in asked() {
        for parameter in route.query.iter().filter(|one| one.kind == ParameterKind::Time) {
            let tried = [
                ("2026-03-31", true),
                ("2026-03-12T10:20:30Z", true),
                ("2026-03-12T10:20:30.5%2B02:00", true),
                ("2026-02-30", false),
                ("", false),
            ];
            for (value, good) in tried {
                let answer = admin.get(&format!("{}?{}={value}", path(route), parameter.name)).await;
                if refuses(&answer, parameter.name) == good {
                    faults.push(format!("{}?{}={value}: {} {}", route.path, parameter.name, answer.status, answer.text));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test]
async fn the_health_of_the_platform_is_one_word_for_each_part() {
    let harness = Harness::new();
    let admin = harness.admin();
    let well = admin.get("/api/admin/health").await.expect(200).json;
    assert_eq!((&well["status"], &well["database"], &well["kubernetes"]), (&json!("healthy"), &json!("healthy"), &json!("healthy")));
    assert_eq!(well["version"], env!("CARGO_PKG_VERSION"));
    harness.group("team");
    let detailed = admin.get("/api/health/detailed").await.expect(200).json;
    assert!(detailed["memory"]["residentBytes"].as_u64().unwrap() > 1_000_000, "{detailed}");
    assert_eq!((&detailed["dependencies"]["kubernetes"]["namespacesCount"], &detailed["environment"]), (&json!(1), &json!("production")));
    for took in [&detailed["performance"]["total"], &detailed["dependencies"]["kubernetes"]["responseTime"]] {
        let number = took.as_str().unwrap().strip_suffix("ms").unwrap();
        assert!(number.parse::<u64>().is_ok(), "{took}");
    }
    harness.cluster.set_faults(|faults| faults.unreachable = true);
    let away = admin.get("/api/admin/health").await.expect(503).json;
    assert_eq!((&away["status"], &away["database"], &away["kubernetes"]), (&json!("unhealthy"), &json!("healthy"), &json!("unhealthy")));
    assert_eq!(harness.member("team").get("/api/admin/health").await.status, 403);
}
