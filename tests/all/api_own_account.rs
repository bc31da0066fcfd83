//! A person's own account: profile, password, sign-ins, and the invitation that begins it.

use super::harness::{Harness, PASSWORD};
use codex_web::clock::{DAY, HOUR, SystemEntropy};
use codex_web::policy::Action;
use codex_web::store::codes::{self, Purpose};
use codex_web::token::opaque::{CODE_PREFIX, OpaqueToken};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::time::Duration;

const OTHER: &str = "amber thicket violin ferry";

#[tokio::test]
async fn people_change_their_own_name_and_address_and_nothing_else() {
    let harness = Harness::new();
    let client = harness.member("team");
    let before = client.get("/api/auth/me").await.expect(200);
    assert_eq!(before.json["user"]["groupMemberships"][0]["role"], "member");
    let answer = client.patch("/api/auth/profile", json!({"name": "Ada Lovelace", "email": "ada@example.org"})).await.expect(200);
    assert_eq!(
        (answer.json["user"]["name"].as_str(), answer.json["user"]["email"].as_str()),
        (Some("Ada Lovelace"), Some("ada@example.org"))
    );
    assert_ne!(before.header("etag"), answer.header("etag"));
    let cleared = client.patch("/api/auth/profile", json!({"name": null})).await.expect(200);
    assert_eq!(cleared.json["user"]["name"], "");
    let refused = client.patch("/api/auth/profile", json!({"isAdmin": true, "status": "active", "email": "no"})).await.expect(400);
    assert_eq!(refused.fields(), ["email:invalid", "isAdmin:unknown", "status:unknown"]);
    let entry = harness.audit("update_profile").remove(0);
    assert_eq!(entry["details"], json!({"changed": ["name", "email"]}));
}

#[tokio::test]
async fn an_address_that_is_somebody_elses_is_taken_and_a_stale_edit_is_refused() {
    let harness = Harness::new();
    harness.create_user("ben", false);
    let client = harness.stranger();
    let answer = client.patch("/api/auth/profile", json!({"email": "BEN@example.org"})).await.expect(409);
    assert_eq!(answer.fields(), ["email:taken"]);
    let etag = client.get("/api/auth/me").await.header("etag").unwrap().to_owned();
    client.with_header("if-match", &etag).patch("/api/auth/profile", json!({"name": "One"})).await.expect(200);
    client.with_header("if-match", &etag).patch("/api/auth/profile", json!({"name": "Two"})).await.expect(412);
}

#[tokio::test]
async fn changing_the_password_needs_the_old_one_and_ends_every_other_sign_in() {
    let harness = Harness::new();
    let ada = harness.create_user("ada", false);
    let (here, there) = (harness.signed_in(&ada), harness.signed_in(&ada));
    let token = there.by_token();
    let wrong = here.post("/api/auth/change-password", json!({"currentPassword": "no", "newPassword": OTHER})).await.expect(400);
    assert_eq!(wrong.fields(), ["currentPassword:wrong"]);
    let same = here.post("/api/auth/change-password", json!({"currentPassword": PASSWORD, "newPassword": PASSWORD})).await.expect(400);
    assert_eq!(same.fields(), ["newPassword:same"]);
    let weak = here.post("/api/auth/change-password", json!({"currentPassword": PASSWORD, "newPassword": "ada@example.org-1"})).await;
    assert!(weak.expect(400).fields()[0].starts_with("newPassword:"));
    let changed = here.post("/api/auth/change-password", json!({"currentPassword": PASSWORD, "newPassword": OTHER})).await.expect(204);
    for client in [&here, &there, &token] {
        client.get("/api/auth/me").await.expect(401);
    }
    let again = harness.anonymous().with_cookie(&changed.cookie("codex_sid_8080").unwrap());
    let list = again.get("/api/auth/sessions").await.expect(200).json;
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_ne!(list[0]["id"], json!(here.session_id()), "a new id");
    harness.anonymous().post("/api/auth/login", json!({"username": "ada", "password": OTHER})).await.expect(200);
    harness.anonymous().post("/api/auth/login", json!({"username": "ada", "password": PASSWORD})).await.expect(401);
    let entries = harness.audit("change_password");
    assert_eq!(entries.iter().map(|e| e["success"].as_i64().unwrap()).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(harness.rows("SELECT code FROM inbox")[0]["code"], "password_changed");
}

#[tokio::test]
async fn a_client_with_tokens_goes_on_with_its_own_after_changing_the_password() {
    let harness = Harness::new();
    let ada = harness.create_user("ada", false);
    let page = harness.signed_in(&ada);
    let tokens = harness.anonymous().post("/api/auth/login", json!({"username": "ada", "password": PASSWORD})).await.expect(200).json;
    let client = harness.anonymous().with_bearer(tokens["accessToken"].as_str().unwrap());
    let changed = client.post("/api/auth/change-password", json!({"currentPassword": PASSWORD, "newPassword": OTHER})).await.expect(204);
    assert!(changed.all("set-cookie").is_empty());
    client.get("/api/auth/me").await.expect(200);
    page.get("/api/auth/me").await.expect(401);
    harness.anonymous().post("/api/auth/refresh", json!({"refreshToken": tokens["refreshToken"]})).await.expect(200);
}

#[tokio::test]
async fn guessing_at_the_old_password_with_a_stolen_session_is_slowed_down() {
    let harness = Harness::new();
    let client = harness.stranger();
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(client.post("/api/auth/change-password", json!({"currentPassword": "guess", "newPassword": OTHER})).await.status);
    }
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
}

#[tokio::test]
async fn people_see_their_sign_ins_and_end_any_of_them() {
    let harness = Harness::new();
    let ada = harness.create_user("ada", false);
    let here = harness.signed_in(&ada);
    let there = harness.signed_in(&ada);
    let list = here.get("/api/auth/sessions").await.expect(200).json;
    let ids: Vec<(&str, bool)> =
        list.as_array().unwrap().iter().map(|s| (s["id"].as_str().unwrap(), s["current"].as_bool().unwrap())).collect();
    assert_eq!(ids.len(), 2);
    assert!(ids.contains(&(here.session_id().as_str(), true)) && ids.contains(&(there.session_id().as_str(), false)));
    assert_eq!((list[0]["address"].as_str(), list[0]["agent"].as_str()), (Some("127.0.0.1"), Some("harness")));
    here.delete(&format!("/api/auth/sessions/{}", there.session_id())).await.expect(204);
    there.get("/api/auth/me").await.expect(401);
    let own = here.delete(&format!("/api/auth/sessions/{}", here.session_id())).await.expect(204);
    assert!(own.header("clear-site-data").is_some());
    here.get("/api/auth/me").await.expect(401);
}

#[tokio::test]
async fn somebody_elses_sign_in_is_as_good_as_none() {
    let harness = Harness::new();
    let (admin, other) = (harness.admin(), harness.stranger());
    let mut answers = Vec::new();
    for id in [other.session_id().to_string(), format!("ses_{}", "0".repeat(32)), "ses_1".into(), "x".into()] {
        let answer = admin.delete(&format!("/api/auth/sessions/{id}")).await.expect(404);
        answers.push((answer.json["error"]["message"].clone(), answer.json["error"]["code"].clone()));
    }
    assert!(answers.iter().all(|a| *a == answers[0]), "{answers:?}");
    other.get("/api/auth/me").await.expect(200);
}

fn invitation(harness: &Harness, life: i64) -> String {
    let user = harness.create_user_with("guest", false, None, false);
    let made = OpaqueToken::fresh(CODE_PREFIX, &SystemEntropy);
    let hash = made.hash;
    harness.as_shell(Action::CreateUser, move |tx, _| {
        codes::insert(tx, Purpose::Invite, hash.as_bytes(), Some(&user), user.as_str(), tx.now().plus(life))
    });
    made.secret.expose_secret().to_owned()
}

fn redemption(code: &str) -> Value {
    json!({"code": code, "password": PASSWORD, "session": "cookie"})
}

#[tokio::test]
async fn an_invitation_sets_the_first_password_once() {
    let harness = Harness::new();
    let code = invitation(&harness, 3 * DAY);
    let weak = harness.anonymous().post("/api/auth/invite", json!({"code": code, "password": "guest@example.org"})).await.expect(400);
    assert!(weak.fields()[0].starts_with("password:"));
    let all = || harness.rows("SELECT count(*) AS n FROM audit_event")[0]["n"].as_i64().unwrap();
    let before = all();
    let answer = harness.anonymous().post("/api/auth/invite", redemption(&code)).await.expect(200);
    assert_eq!(all() - before, 1);
    assert_eq!(answer.json["user"]["username"], "guest");
    harness.anonymous().with_cookie(&answer.cookie("codex_sid_8080").unwrap()).get("/api/auth/me").await.expect(200);
    assert_eq!(harness.anonymous().post("/api/auth/invite", redemption(&code)).await.expect(400).fields(), ["code:invalid"]);
    harness.anonymous().post("/api/auth/login", json!({"username": "guest", "password": PASSWORD})).await.expect(200);
    let entries = harness.audit("change_password");
    assert_eq!(entries.len(), 1);
    assert_eq!((entries[0]["details"]["method"].as_str(), entries[0]["actor_kind"].as_str()), (Some("invitation"), Some("user")));
}

#[tokio::test]
async fn of_two_who_redeem_an_invitation_at_once_one_wins() {
    let harness = Harness::new();
    let code = invitation(&harness, 3 * DAY);
    let (one, two) = (harness.anonymous(), harness.anonymous());
    let (one, two) = tokio::join!(one.post("/api/auth/invite", redemption(&code)), two.post("/api/auth/invite", redemption(&code)));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400]);
}

#[tokio::test]
async fn an_old_invitation_and_that_of_a_disabled_person_open_nothing() {
    let harness = Harness::new();
    let code = invitation(&harness, HOUR);
    harness.clock.advance(HOUR);
    harness.anonymous().post("/api/auth/invite", redemption(&code)).await.expect(400);
    let harness = Harness::new();
    let code = invitation(&harness, HOUR);
    let id = harness.rows("SELECT id FROM user WHERE username = 'guest'")[0]["id"].as_str().unwrap().to_owned();
    harness.admin().post(&format!("/api/admin/users/{id}/disable"), json!({})).await.expect(200);
    harness.anonymous().post("/api/auth/invite", redemption(&code)).await.expect(400);
}

#[tokio::test]
async fn disabling_and_resetting_end_every_sign_in_and_open_stream_within_a_second() {
    let harness = Harness::listening();
    let admin = harness.admin();
    for (verb, body) in [("disable", json!({})), ("reset-password", json!({"newPassword": OTHER}))] {
        let id = harness.create_user(&format!("ada-{verb}"), false);
        let page = harness.signed_in(&id);
        let token = page.by_token();
        let mut by_cookie = harness.wire().events(&page).await;
        let mut by_token = harness.wire().events(&token).await;
        by_cookie.until("retry").await;
        by_token.until("retry").await;
        let path = format!("/api/admin/users/{id}/{verb}");
        let begin = std::time::Instant::now();
        let answer = harness.wire().call(&admin, "POST", &path, Some(body)).await;
        assert!(matches!(answer.status, 200 | 204), "{}", answer.text);
        assert!(by_cookie.ends_within(Duration::from_secs(1)).await && by_token.ends_within(Duration::from_secs(1)).await, "{verb}");
        assert!(begin.elapsed() < Duration::from_secs(1), "{verb}");
        for client in [&page, &token] {
            assert_eq!(harness.wire().call(client, "GET", "/api/auth/me", None).await.status, 401, "{verb}");
        }
    }
}

#[tokio::test]
async fn signing_out_ends_the_open_stream_of_that_sign_in_only() {
    let harness = Harness::listening();
    let ada = harness.create_user("ada", false);
    let (here, there) = (harness.signed_in(&ada), harness.signed_in(&ada));
    let mut ending = harness.wire().events(&here).await;
    let mut going_on = harness.wire().events(&there).await;
    ending.until("retry").await;
    going_on.until("retry").await;
    harness.wire().call(&here, "POST", "/api/auth/logout", Some(json!({}))).await.expect(204);
    assert!(ending.ends_within(Duration::from_secs(1)).await);
    // The other page hears that the list of sign-ins changed.
    assert!(going_on.until("\"session\"").await.contains("removed"));
}
