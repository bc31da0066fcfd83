//! The harness itself: each client is who it says, in process and over the wire.

use super::harness::Harness;
use std::time::Duration;

#[tokio::test]
async fn each_client_is_who_it_says() {
    let harness = Harness::new();
    assert_eq!(harness.anonymous().get("/api/health/detailed").await.status, 401);
    assert_eq!(harness.member("team").get("/api/health/detailed").await.status, 403);
    let admin = harness.admin();
    assert_eq!(admin.get("/api/health/detailed").await.status, 200);
    assert_eq!(admin.by_token().get("/api/health/detailed").await.status, 200);
    assert_eq!(harness.shell().get("/api/health/detailed").await.status, 200);
    assert_eq!(harness.rows("SELECT count(*) AS n FROM membership")[0]["n"], 2);
}

#[tokio::test]
async fn the_wire_serves_the_same_application() {
    let harness = Harness::listening();
    let admin = harness.admin();
    let answer = harness.wire().call(&admin, "GET", "/api/health/detailed", None).await.expect(200);
    assert_eq!(answer.json["status"], "healthy");
    let mut events = harness.wire().events(&admin).await;
    assert!(events.next().await.unwrap().contains("retry"));
    harness.app.ops.bus.cut(&codex_web::events::Cut::All, codex_web::events::CutReason::Restarting);
    assert!(events.ends_within(Duration::from_secs(2)).await);
}

#[tokio::test]
async fn a_restart_keeps_the_data_and_its_sign_ins() {
    let harness = Harness::new();
    let admin = harness.admin();
    let shows = admin.shows.clone();
    let again = harness.restarted().await;
    assert_eq!(again.anonymous().showing(&shows).get("/api/health/detailed").await.status, 200);
}
