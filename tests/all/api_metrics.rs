//! The server's own metrics: who may read them, what they say, and that nobody can make a series by calling.

use super::harness::Harness;
use super::program::Program;
use codex_web::metrics;
use serde_json::json;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;

/// The value of a sample, by its name with its labels.
fn value(text: &str, sample: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' ')?.parse().ok())
}

async fn page(harness: &Harness) -> String {
    let answer = harness.admin().get("/metrics").await.expect(200);
    assert_eq!(answer.header("content-type"), Some(metrics::CONTENT_TYPE));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer.text
}

#[tokio::test]
async fn metrics_are_for_who_may_watch_the_platform() {
    let harness = Harness::new();
    assert_eq!(harness.anonymous().get("/metrics").await.status, 401);
    for client in [harness.stranger(), harness.member("team"), harness.group_admin("team")] {
        assert_eq!(client.get("/metrics").await.status, 403);
    }
    let by_token = harness.admin().by_token().get("/metrics").await.expect(200);
    assert!(by_token.text.ends_with("# EOF\n"), "{}", by_token.text);
    // A monitor knows the machine by whatever name.
    harness.admin().with_header("host", "10.1.2.3:9").get("/metrics").await.expect(200);
}

#[tokio::test]
async fn what_there_is_and_what_was_asked_is_counted() {
    let harness = Harness::new();
    let owner = harness.member("team");
    owner.post("/api/workspaces", json!({"name": "mine", "groupId": harness.group("team")})).await.expect(201);
    owner.get("/api/groups/no-such-group").await.expect(404);
    let text = page(&harness).await;
    let counted = |sample: &str| value(&text, sample).unwrap_or_else(|| panic!("{sample} is missing in {text}"));
    assert_eq!(counted("codex_web_existing_groups{status=\"active\"}").to_bits(), 1.0_f64.to_bits());
    assert_eq!(counted("codex_web_existing_groups{status=\"failed\"}").to_bits(), 0.0_f64.to_bits());
    assert_eq!(counted("codex_web_existing_workspaces{status=\"stopped\"}").to_bits(), 1.0_f64.to_bits());
    assert!(counted("codex_web_registered_users{status=\"active\"}") >= 3.0);
    assert!(counted("codex_web_held_disk_bytes") > 0.0 && counted("codex_web_promised_cpu_cores") > 0.0);
    assert!(counted("codex_web_audit_entries_total") > 3.0 && counted("codex_web_store_statements_total") > 3.0);
    assert!(counted("codex_web_disk_free_bytes") > 0.0 && counted("codex_web_database_size_bytes{file=\"database\"}") > 0.0);
    assert!(counted("codex_web_store_write_duration_seconds_count") > 3.0);
    assert!(counted("codex_web_http_requests_total{method=\"POST\",route=\"/api/workspaces\",status=\"201\"}") >= 1.0);
    assert!(counted("codex_web_http_requests_total{method=\"GET\",route=\"/api/groups/{group}\",status=\"404\"}") >= 1.0);
    assert_eq!(value(&text, "codex_web_backup_newest_timestamp_seconds"), None, "there is no backup");
}

#[tokio::test]
async fn nothing_that_a_caller_sends_becomes_a_label() {
    let harness = Harness::new();
    let stranger = harness.anonymous();
    for round in 0..20 {
        stranger.get(&format!("/api/groups/planted-{round}")).await;
        stranger.get(&format!("/api/planted-{round}")).await;
        stranger.get(&format!("/planted-{round}")).await;
        stranger.call(&format!("PLANTED{round}"), "/api/groups", None).await;
    }
    let text = page(&harness).await;
    assert!(!text.to_lowercase().contains("planted"), "{text}");
    let routes: BTreeSet<&str> = text.lines().filter_map(|line| line.split("route=\"").nth(1)?.split('"').next()).collect();
    assert!(routes.contains("none") && routes.contains("page"), "{routes:?}");
}

#[tokio::test]
async fn a_backup_is_seen_by_its_age() {
    let harness = Harness::new();
    harness.shell().post("/control/backups", json!({"withKeys": false})).await.expect(201);
    let made = value(&page(&harness).await, "codex_web_backup_newest_timestamp_seconds").unwrap();
    let start = value(&page(&harness).await, "process_start_time_seconds").unwrap();
    assert!(made >= start - 1.0 && made < start + 600.0, "{made} {start}");
}

/// One request on a connection of its own, as text.
fn asked(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(format!("{request} HTTP/1.1\r\nhost: monitor.invalid\r\nconnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_listener_of_its_own_gives_metrics_to_whoever_comes_and_nothing_else() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut program = Program::new();
    program.variables.push(("CODEX_WEB_METRICS__LISTEN".into(), free.clone()));
    let server = program.serve();
    let told = asked(&free, "GET /metrics");
    assert!(told.starts_with("HTTP/1.1 200") && told.contains("codex_web_build_info{") && told.contains("# EOF"), "{told}");
    for other in ["GET /", "GET /api/health", "GET /api/auth/providers", "POST /api/auth/login", "GET /metrics/"] {
        assert!(asked(&free, other).starts_with("HTTP/1.1 404"), "{other}");
    }
    assert!(asked(&free, "POST /metrics").starts_with("HTTP/1.1 405"));
    assert!(asked(&server.address, "GET /metrics").starts_with("HTTP/1.1 401"), "the main port asks who it is");
    assert_eq!(server.stop(), 0);
}

#[test]
fn a_listener_that_is_taken_is_told_before_anything_is_made() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut program = Program::new();
    program.variables.push(("CODEX_WEB_METRICS__LISTEN".into(), taken.local_addr().unwrap().to_string()));
    let ran = program.run(&["serve", "--listen", "127.0.0.1:0"]).expect(1);
    assert!(ran.messages.contains("Another program uses it"), "{ran:?}");
}

/// Names of our families and of the process's in a text.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("codex_web_") || word.starts_with("process_")).map(str::to_owned).collect()
}

#[tokio::test]
async fn the_shipped_alerts_and_dashboard_ask_for_what_exists() {
    let harness = Harness::new();
    harness.shell().post("/control/backups", json!({"withKeys": false})).await.expect(201);
    harness.app.meters.work.expect("a step");
    // What was not asked yet has no series.
    page(&harness).await;
    let page = page(&harness).await;
    let families: Vec<(&str, &str)> = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    let exists = |name: &str| {
        families.iter().any(|(family, kind)| {
            let samples: &[&str] = match *kind {
                "counter" => &["_total"],
                "histogram" => &["_bucket", "_sum", "_count"],
                "info" => &["_info"],
                _ => &[""],
            };
            samples.iter().any(|end| name.strip_suffix(end) == Some(*family))
        })
    };
    for (file, text) in [
        ("alerts.yaml", include_str!("../../packaging/monitoring/alerts.yaml")),
        ("alerts.test.yaml", include_str!("../../packaging/monitoring/alerts.test.yaml")),
        ("dashboard.json", include_str!("../../packaging/monitoring/dashboard.json")),
    ] {
        let asked = named(text);
        assert!(asked.len() > 5, "{file}: {asked:?}");
        let missing: Vec<&String> = asked.iter().filter(|name| !exists(name)).collect();
        assert!(missing.is_empty(), "{file} asks for what does not exist: {missing:?}");
    }
}
