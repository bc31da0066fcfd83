//! Refresh tokens: each is used once, and a stolen one ends the sign-in.

use super::harness::{Answer, Harness, PASSWORD};
use codex_web::clock::{DAY, SECOND};
use serde_json::{Value, json};

async fn tokens(harness: &Harness) -> Value {
    harness.create_user("ada", false);
    harness.anonymous().post("/api/auth/login", json!({"username": "ada", "password": PASSWORD})).await.expect(200).json
}

async fn refresh(harness: &Harness, token: &Value) -> Answer {
    harness.anonymous().post("/api/auth/refresh", json!({"refreshToken": token})).await
}

#[tokio::test]
async fn a_refresh_token_gives_a_new_pair_of_the_same_sign_in() {
    let harness = Harness::new();
    let first = tokens(&harness).await;
    harness.clock.advance(15 * 60 * SECOND);
    harness.anonymous().with_bearer(first["accessToken"].as_str().unwrap()).get("/api/auth/me").await.expect(401);
    let entries = harness.rows("SELECT count(*) AS n FROM audit_event");
    let second = refresh(&harness, &first["refreshToken"]).await.expect(200).json;
    assert_eq!(harness.rows("SELECT count(*) AS n FROM audit_event"), entries, "going on is no act; reuse is one");
    assert_eq!((second["tokenType"].as_str(), second["user"]["username"].as_str()), (Some("Bearer"), Some("ada")));
    assert_ne!(first["refreshToken"], second["refreshToken"]);
    harness.anonymous().with_bearer(second["accessToken"].as_str().unwrap()).get("/api/auth/me").await.expect(200);
    assert_eq!(harness.rows("SELECT count(*) AS n FROM session")[0]["n"], 1);
}

#[tokio::test]
async fn a_token_that_comes_back_ends_the_sign_in_for_both() {
    let harness = Harness::new();
    let first = tokens(&harness).await;
    let second = refresh(&harness, &first["refreshToken"]).await.expect(200).json;
    harness.clock.advance(6 * SECOND);
    assert_eq!(refresh(&harness, &first["refreshToken"]).await.expect(401).code(), "INVALID_TOKEN");
    refresh(&harness, &second["refreshToken"]).await.expect(401);
    for pair in [&first, &second] {
        harness.anonymous().with_bearer(pair["accessToken"].as_str().unwrap()).get("/api/auth/me").await.expect(401);
    }
    let entries = harness.audit("token_reuse_detected");
    assert_eq!(entries.len(), 1, "told once, not at every try");
    assert!(entries[0]["resource"].as_str().unwrap().starts_with("user:usr_"));
    assert_eq!(harness.rows("SELECT code FROM inbox")[0]["code"], "token_reuse_detected");
}

#[tokio::test]
async fn a_lost_answer_is_answered_once_more_and_then_it_is_theft() {
    let harness = Harness::new();
    let first = tokens(&harness).await;
    refresh(&harness, &first["refreshToken"]).await.expect(200);
    let sibling = refresh(&harness, &first["refreshToken"]).await.expect(200).json;
    refresh(&harness, &first["refreshToken"]).await.expect(401);
    refresh(&harness, &sibling["refreshToken"]).await.expect(401);
}

#[tokio::test]
async fn of_many_at_once_at_most_two_succeed_and_the_theft_is_noticed() {
    let harness = Harness::new();
    let first = tokens(&harness).await;
    let tries = (0..8).map(|_| refresh(&harness, &first["refreshToken"]));
    let answers = futures_util::future::join_all(tries).await;
    let won: Vec<&Answer> = answers.iter().filter(|a| a.status == 200).collect();
    assert_eq!(won.len(), 2, "the first and its one repetition");
    assert!(answers.iter().all(|a| matches!(a.status, 200 | 401)));
    for answer in won {
        refresh(&harness, &answer.json["refreshToken"]).await.expect(401);
    }
    assert_eq!(harness.audit("token_reuse_detected").len(), 1);
}

#[tokio::test]
async fn a_family_ends_after_a_week_without_use_and_after_thirty_days_in_any_case() {
    let harness = Harness::new();
    let idle = tokens(&harness).await;
    let mut used = harness.anonymous().post("/api/auth/login", json!({"username": "ada", "password": PASSWORD})).await.expect(200).json;
    for _ in 0..4 {
        harness.clock.advance(7 * DAY - SECOND * 60);
        used = refresh(&harness, &used["refreshToken"]).await.expect(200).json;
    }
    refresh(&harness, &idle["refreshToken"]).await.expect(401);
    harness.clock.advance(2 * DAY);
    used = refresh(&harness, &used["refreshToken"]).await.expect(200).json;
    harness.clock.advance(DAY);
    refresh(&harness, &used["refreshToken"]).await.expect(401);
    assert!(harness.audit("token_reuse_detected").is_empty(), "the end of time is no theft");
}

#[tokio::test]
async fn whoever_may_not_sign_in_any_more_gets_no_new_pair() {
    let harness = Harness::new();
    let first = tokens(&harness).await;
    let id = first["user"]["id"].as_str().unwrap();
    harness.admin().post(&format!("/api/admin/users/{id}/disable"), json!({})).await.expect(200);
    refresh(&harness, &first["refreshToken"]).await.expect(401);
    harness.admin().post(&format!("/api/admin/users/{id}/enable"), json!({})).await.expect(200);
    refresh(&harness, &first["refreshToken"]).await.expect(401);
    harness.anonymous().with_bearer(first["accessToken"].as_str().unwrap()).get("/api/auth/me").await.expect(401);
}

#[tokio::test]
async fn guessing_at_tokens_is_slowed_down_and_good_ones_are_not() {
    let harness = Harness::new();
    let first = tokens(&harness).await;
    let mut last = 0;
    for n in 0..12 {
        last = refresh(&harness, &json!(format!("cxr_{n:0>43}"))).await.status;
    }
    assert_eq!(last, 429);
    refresh(&harness, &first["refreshToken"]).await.expect(200);
}
