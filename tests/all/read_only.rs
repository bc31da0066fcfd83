//! The disk is nearly full: what would write more is refused and says what to do, what ends and frees goes on, and
//! everything comes back by itself.

use super::harness::{Harness, PASSWORD};
use super::site::Site;
use codex_web::store::room::Space;
use serde_json::json;

const HEADER: &str = "x-codex-web-storage";

fn short(harness: &Harness) {
    harness.app.ops.db.room().seen(Space { size: 1 << 40, free: 1 });
}

fn long(harness: &Harness) {
    harness.app.ops.db.room().seen(Space { size: 1 << 40, free: 1 << 39 });
}

#[tokio::test]
async fn nothing_new_is_written_and_the_refusal_says_what_to_do() {
    let mut site = Site::new();
    let owner = site.harness.member("team");
    let kept = site.make(&owner, "team", "kept", json!({"tier": "single-user"})).await["id"].as_str().unwrap().to_owned();
    let admin = site.harness.admin();
    short(&site.harness);
    let group = site.harness.group("team");
    let refused = [
        owner.post("/api/workspaces", json!({"name": "more", "groupId": group})).await,
        site.act(&owner, &kept, "start").await,
        admin.post("/api/groups", json!({"name": "another", "displayName": "Another"})).await,
        admin.patch("/api/admin/settings", json!({"items": {"auth.password_min_length": 14}})).await,
    ];
    for answer in &refused {
        assert_eq!((answer.status, answer.code()), (507, "STORAGE_SHORT"), "{}", answer.text);
        assert!(answer.text.contains("codex-web doctor"), "{}", answer.text);
        assert!(answer.header("retry-after").is_some());
    }
    let before = site.harness.rows("SELECT count(*) AS n FROM workspace")[0]["n"].clone();
    assert_eq!(before, 1, "nothing of what was refused is there");
    site.settle().await;
    assert_eq!(site.look(&owner, &kept).await["status"], "stopped");

    long(&site.harness);
    owner.post("/api/workspaces", json!({"name": "more", "groupId": group})).await.expect(201);
    site.act(&owner, &kept, "start").await.expect(200);
}

#[tokio::test]
async fn reading_signing_in_stopping_and_deleting_go_on() {
    let mut site = Site::listening().await;
    let (owner, admin) = (site.harness.member("team"), site.harness.admin());
    let id = site.running(&owner, "team", "mine").await;
    let username = site.harness.rows(&format!("SELECT username FROM user WHERE id = '{}'", owner.user_id()))[0]["username"].clone();
    short(&site.harness);
    assert_eq!(site.look(&owner, &id).await["status"], "running");
    let fresh = site.harness.anonymous();
    fresh.post("/api/auth/login", json!({"username": username, "password": PASSWORD})).await.expect(200);
    site.act(&owner, &id, "stop").await.expect(200);
    site.settle().await;
    assert_eq!(site.look(&owner, &id).await["status"], "stopped", "the reconciler goes on");
    owner.delete(&format!("/api/workspaces/{id}")).await.expect(204);
    admin.post(&format!("/api/admin/users/{}/disable", owner.user_id()), json!({"reason": "left"})).await.expect(200);
    assert_eq!(owner.get("/api/auth/me").await.status, 401);
}

#[tokio::test]
async fn a_refused_right_is_told_before_the_disk_is() {
    let harness = Harness::new();
    let stranger = harness.stranger();
    short(&harness);
    let answer = stranger.post("/api/groups", json!({"name": "another", "displayName": "Another"})).await;
    assert_eq!((answer.status, answer.code()), (403, "AUTHORIZATION_ERROR"), "{}", answer.text);
}

#[tokio::test]
async fn health_metrics_and_every_answer_tell_of_it_and_of_its_end() {
    let harness = Harness::new();
    let admin = harness.admin();
    let seen = async |wanted: (&str, bool, f64, Option<&str>)| {
        let health = harness.anonymous().get("/api/health").await.expect(200);
        let told = (health.json["dependencies"]["storage"].as_str().unwrap().to_owned(), health.header(HEADER).map(str::to_owned));
        assert_eq!((told.0.as_str(), told.1.as_deref()), (wanted.0, wanted.3), "{}", health.text);
        assert_eq!(health.json["status"], wanted.0);
        let detailed = admin.get("/api/health/detailed").await.expect(200).json;
        assert_eq!(detailed["dependencies"]["storage"]["readOnly"], wanted.1, "{detailed}");
        let metrics = admin.get("/metrics").await.expect(200).text;
        assert!(metrics.contains(&format!("codex_web_read_only {}\n", wanted.2)), "{metrics}");
    };
    short(&harness);
    seen(("unhealthy", true, 1.0, Some("short"))).await;
    long(&harness);
    seen(("healthy", false, 0.0, None)).await;
}

#[tokio::test]
async fn a_server_that_starts_on_such_a_disk_reads_from_its_first_answer() {
    // More is to be kept free than any disk of a test has.
    let harness = Harness::with(&[("CODEX_WEB_DATA__MIN_FREE", "1048576")]);
    assert!(harness.app.ops.db.room().is_short());
    assert_eq!(harness.anonymous().get("/api/health").await.json["dependencies"]["storage"], "unhealthy");
}
