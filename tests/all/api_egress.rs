//! What a workspace reaches, as the API tells it: to whom, with which words, and how fast a changed setting holds.

use super::harness::Harness;
use super::site::Site;
use codex_web::app::{database_path, settings};
use codex_web::domain::egress::Mode;
use codex_web::domain::id::WorkspaceId;
use serde_json::{Value, json};
use std::time::Duration;

/// Asks for something as a program of the workspace does; the stable word of the refusal.
async fn refused(site: &Site, id: &str, run: i64, authority: &str) -> &'static str {
    let workspace = WorkspaceId::parse(id).unwrap();
    site.harness.app.egress.connect(&workspace, run, authority).await.err().expect("it was opened").code().1
}

/// Writes a setting as the settings page would.
fn write_setting(harness: &Harness, key: &str, value: &Value) {
    let connection = rusqlite::Connection::open(database_path(harness.dir.path())).unwrap();
    connection.execute("PRAGMA busy_timeout = 5000", []).ok();
    connection.execute("INSERT OR REPLACE INTO setting (key, value, updated_at) VALUES (?1, ?2, 0)", (key, value.to_string())).unwrap();
}

#[tokio::test]
async fn its_owner_sees_what_a_workspace_was_refused_and_the_timeline_tells_it_once() {
    let mut site = Site::new();
    let owner = site.harness.member("team");
    let id = site.running(&owner, "team", "mine").await;
    let fresh = owner.get(&format!("/api/workspaces/{id}/egress")).await.expect(200).json;
    assert_eq!((fresh["governed"].as_bool(), fresh["policy"].as_str(), fresh["connections"].as_i64()), (Some(true), Some("open"), Some(0)));
    for _ in 0..2 {
        assert_eq!(refused(&site, &id, 1, "169.254.169.254:80").await, "metadata_address");
    }
    assert_eq!(refused(&site, &id, 1, "[::1]:5432").await, "loopback_address");
    let seen = owner.get(&format!("/api/workspaces/{id}/egress")).await.expect(200).json;
    let of = |host: &str| seen["refused"].as_array().unwrap().iter().find(|r| r["host"] == host).cloned().unwrap_or_default();
    let metadata = of("169.254.169.254");
    assert_eq!(
        (metadata["port"].as_i64(), metadata["rule"].as_str(), metadata["count"].as_i64()),
        (Some(80), Some("metadata_address"), Some(2))
    );
    assert!(metadata["message"].as_str().unwrap().contains("hands out this machine's credentials"), "{metadata}");
    assert_eq!(of("[::1]")["rule"], "loopback_address");
    assert_eq!(
        (seen["bytesIn"].as_i64(), seen["bytesOut"].as_i64(), seen["targets"].as_array().map(Vec::len)),
        (Some(0), Some(0), Some(0))
    );
    for _ in 0..100 {
        let told = owner.get(&format!("/api/workspaces/{id}/timeline")).await.expect(200).json;
        let notes: Vec<&Value> = told.as_array().unwrap().iter().filter(|note| note["code"] == "egress_refused").collect();
        if notes.len() == 2 {
            assert!(notes.iter().all(|note| note["kind"] == "warning" && note["count"] == 1), "{notes:?}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the timeline was not told");
}

#[tokio::test]
async fn where_programs_go_is_nobody_elses_business() {
    let mut site = Site::new();
    let owner = site.harness.member("team");
    let id = site.running(&owner, "team", "mine").await;
    let path = format!("/api/workspaces/{id}/egress");
    site.harness.member("team").get(&path).await.expect(404);
    site.harness.stranger().get(&path).await.expect(404);
    site.harness.anonymous().get(&path).await.expect(401);
    site.harness.admin().get(&path).await.expect(200);
    site.harness.group_admin("team").get(&path).await.expect(200);
}

#[tokio::test]
async fn a_setting_that_somebody_changes_holds_without_a_restart() {
    let mut site = Site::new();
    let owner = site.harness.member("team");
    let id = site.running(&owner, "team", "mine").await;
    write_setting(&site.harness, "workspaces.egress", &json!("allowlist"));
    write_setting(&site.harness, "workspaces.egress_allow", &json!(["*.example.org:443"]));
    settings::refresh(&site.harness.app).await;
    assert_eq!(refused(&site, &id, 1, "www.example.net:443").await, "not_listed");
    let seen = owner.get(&format!("/api/workspaces/{id}/egress")).await.expect(200).json;
    assert_eq!((seen["policy"].as_str(), &seen["allow"]), (Some("allowlist"), &json!(["*.example.org:443"])));
    write_setting(&site.harness, "workspaces.egress", &json!("none"));
    settings::refresh(&site.harness.app).await;
    assert_eq!(site.harness.app.egress.policy().mode, Mode::None);
    assert_eq!(refused(&site, &id, 1, "www.example.org:443").await, "closed");
}
