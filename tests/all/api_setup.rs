//! The first administrator: one code, one winner, and then never again.

use super::harness::{Harness, PASSWORD};
use codex_web::clock::HOUR;
use codex_web::domain::id::UserId;
use codex_web::domain::user::UserStatus;
use codex_web::policy::Action;
use codex_web::store::users;
use serde_json::{Value, json};

fn body(code: &str, username: &str) -> Value {
    json!({"code": code, "username": username, "email": format!("{username}@example.org"), "name": "Ada", "password": PASSWORD, "session": "cookie"})
}

async fn code(harness: &Harness) -> String {
    harness.shell().post("/control/setup-code", json!({})).await.expect(201).json["code"].as_str().unwrap().to_owned()
}

async fn setup_required(harness: &Harness) -> bool {
    harness.anonymous().get("/api/auth/providers").await.expect(200).json["setupRequired"].as_bool().unwrap()
}

#[tokio::test]
async fn the_holder_of_the_code_becomes_the_first_administrator_and_set_up_closes_for_ever() {
    let harness = Harness::new();
    assert!(setup_required(&harness).await);
    let code = code(&harness).await;
    let entries = || harness.rows("SELECT count(*) AS n FROM audit_event")[0]["n"].as_i64().unwrap();
    let before = entries();
    let answer = harness.anonymous().post("/api/setup", body(&code, "ada")).await.expect(201);
    assert_eq!(entries() - before, 1, "one entry for the set-up: {:?}", harness.audit("set_up"));
    assert_eq!((answer.json["user"]["isAdmin"].as_bool(), answer.json["user"]["name"].as_str()), (Some(true), Some("Ada")));
    let client = harness.anonymous().with_cookie(&answer.cookie("codex_sid_8080").unwrap());
    client.get("/api/health/detailed").await.expect(200);
    assert!(!setup_required(&harness).await);
    harness.shell().post("/control/setup-code", json!({})).await.expect(409);
    harness.anonymous().post("/control/setup-code", json!({})).await.expect(404);
    harness.anonymous().post("/api/setup", body(&code, "eve")).await.expect(404);
    harness.anonymous().post("/api/setup", json!("not even an object")).await.expect(404);
    let entry = harness.audit("set_up").into_iter().find(|entry| entry["success"] == 1).unwrap();
    assert_eq!(entry["actor_kind"], "anonymous");
    assert!(!entry["details"].to_string().contains("ada@example.org"), "no personal data in the chain");
}

#[tokio::test]
async fn deleting_everybody_does_not_open_it_again() {
    let harness = Harness::new();
    let code = code(&harness).await;
    harness.anonymous().post("/api/setup", body(&code, "ada")).await.expect(201);
    let id = UserId::trusted(harness.rows("SELECT id FROM user")[0]["id"].as_str().unwrap().to_owned());
    harness.as_shell(Action::DeleteUser, move |tx, permit| users::set_status(tx, permit, &id, UserStatus::Deleted));
    assert!(!setup_required(&harness).await);
    harness.anonymous().post("/api/setup", body(&code, "eve")).await.expect(404);
}

#[tokio::test]
async fn of_two_racers_exactly_one_becomes_the_administrator() {
    let harness = Harness::new();
    let code = code(&harness).await;
    let racers: Vec<_> = ["ada", "ben", "cem"].map(|name| (harness.anonymous(), body(&code, name))).into_iter().collect();
    let answers = futures_util::future::join_all(racers.iter().map(|(client, body)| client.post("/api/setup", body.clone()))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|a| a.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 404, 404]);
    assert_eq!(harness.rows("SELECT count(*) AS n FROM user")[0]["n"], 1);
    assert_eq!(harness.rows("SELECT count(*) AS n FROM system_grant")[0]["n"], 4);
}

#[tokio::test]
async fn wrong_used_old_and_replaced_codes_are_refused() {
    let harness = Harness::new();
    let first = code(&harness).await;
    let second = code(&harness).await;
    for wrong in [first.as_str(), "cxc_wrong", "", &"x".repeat(256)] {
        assert_eq!(harness.anonymous().post("/api/setup", body(wrong, "ada")).await.expect(400).fields(), ["code:invalid"], "{wrong}");
        harness.clock.advance(60_000);
    }
    harness.clock.advance(HOUR);
    assert_eq!(harness.anonymous().post("/api/setup", body(&second, "ada")).await.expect(400).fields(), ["code:invalid"]);
    let third = code(&harness).await;
    harness.anonymous().post("/api/setup", body(&format!(" {third} "), "ada")).await.expect(201);
}

#[tokio::test]
async fn guessing_at_the_code_is_slowed_down() {
    let harness = Harness::new();
    code(&harness).await;
    let mut last = 0;
    for n in 0..12 {
        last = harness.anonymous().post("/api/setup", body(&format!("cxc_{n:0>43}"), "ada")).await.status;
    }
    assert_eq!(last, 429);
}

#[tokio::test]
async fn the_password_follows_the_policy_and_every_field_is_told() {
    let harness = Harness::new();
    let code = code(&harness).await;
    let answer = harness.anonymous().post("/api/setup", json!({"code": code, "username": "Ada!", "password": 5, "isAdmin": true})).await;
    let fields = answer.expect(400).fields();
    for wanted in ["username:invalid", "email:required", "password:type", "isAdmin:unknown"] {
        assert!(fields.iter().any(|f| f == wanted), "{fields:?}");
    }
    for (password, why) in
        [("short one", "too_short"), ("codexweb20262026", "personal"), ("ada@example.org-ada", "personal"), ("passwordpassword", "common")]
    {
        let mut body = body(&code, "ada");
        body["password"] = json!(password);
        let answer = harness.anonymous().post("/api/setup", body).await.expect(400);
        assert!(answer.fields()[0].starts_with("password:"), "{password}: {:?} instead of {why}", answer.fields());
    }
    // The code survives refused passwords.
    let mut body = body(&code, "ada");
    body["password"] = json!("aaaa bbbb cccc dddd é 漢");
    harness.anonymous().post("/api/setup", body).await.expect(201);
}

#[tokio::test]
async fn only_the_hash_of_the_code_is_kept() {
    let harness = Harness::new();
    let code = code(&harness).await;
    let rows = harness.rows("SELECT * FROM one_time_code");
    assert_eq!(rows.len(), 1);
    assert!(!rows[0].to_string().contains(&code[4..]));
}

#[tokio::test]
async fn every_invalid_field_is_told_at_once_the_password_too() {
    let harness = Harness::new();
    let body = json!({"code": "x", "username": "ROOT!", "email": "no", "password": "short", "colour": "red"});
    let mut told = harness.anonymous().post("/api/setup", body).await.expect(400).fields();
    told.sort();
    assert_eq!(told, ["colour:unknown", "email:invalid", "password:too_short", "username:invalid"]);
    let admin = harness.admin();
    let body = json!({"email": "no", "username": "ROOT!", "temporaryPassword": "short"});
    let mut told = admin.post("/api/admin/users", body).await.expect(400).fields();
    told.sort();
    assert_eq!(told, ["email:invalid", "temporaryPassword:too_short", "username:invalid"]);
}
