//! The end of an account, its manager, its invitation, and how many platform admins are advised.

use super::harness::{Harness, PASSWORD};
use codex_web::clock::{Clock, DAY};
use codex_web::ops::user_term;
use serde_json::{Value, json};

fn in_days(harness: &Harness, days: i64) -> String {
    harness.clock.now().plus(days * DAY).rfc3339()
}

#[tokio::test]
async fn an_account_ends_at_its_end_and_its_manager_is_told_before_and_then() {
    let harness = Harness::new();
    let (admin, lead) = (harness.admin(), harness.create_user("lead", false));
    let (ada, path) = {
        let id = harness.create_user("ada", false);
        (harness.signed_in(&id), format!("/api/admin/users/{id}"))
    };
    let end = in_days(&harness, 30);
    let told = admin.patch(&path, json!({"expiresAt": end, "managerId": lead})).await.expect(200).json;
    assert_eq!((told["expiresAt"].as_str(), told["managerId"].as_str()), (Some(end.as_str()), Some(lead.as_str())));
    assert_eq!(admin.get(&path).await.json["manager"]["username"], "lead");
    assert_eq!(harness.audit("update_user")[0]["details"]["expiresAt"], json!({"before": null, "after": end}));
    let token = ada.post("/api/auth/tokens", json!({"name": "x", "scopes": ["profile:read"], "expiresInDays": 365})).await.expect(201).json;
    let program = harness.anonymous().with_bearer(token["token"].as_str().unwrap());
    let notices = |code: &str| harness.rows(&format!("SELECT user_id FROM inbox WHERE code = '{code}'")).len();
    for (days, soon) in [(10, 0), (7, 1), (5, 1)] {
        harness.clock.advance(days * DAY);
        user_term::end_accounts(&harness.app.ops).unwrap();
        assert_eq!((notices("account_ends"), notices("account_of_report_ends")), (soon, soon), "after {days} more days");
    }
    program.get("/api/auth/me").await.expect(200);
    harness.clock.advance(9 * DAY);
    // Nobody is let in, whether or not the upkeep has come.
    program.get("/api/auth/me").await.expect(401);
    harness.anonymous().post("/api/auth/login", json!({"username": "ada", "password": PASSWORD})).await.expect(401);
    user_term::end_accounts(&harness.app.ops).unwrap();
    let entry = harness.audit("end_account").remove(0);
    assert_eq!((&entry["actor_kind"], &entry["details"]["endedTokens"]), (&json!("system"), &json!(1)));
    assert_eq!(notices("account_ended"), 1);
    let admin = harness.signed_in(admin.user_id());
    assert_eq!(admin.get(&path).await.json["status"], "disabled");
    let refused = admin.post(&format!("{path}/enable"), json!({})).await.expect(409);
    assert_eq!(refused.code(), "WRONG_STATE");
    admin.patch(&path, json!({"expiresAt": null})).await.expect(200);
    admin.post(&format!("{path}/enable"), json!({})).await.expect(200);
    harness.anonymous().post("/api/auth/login", json!({"username": "ada", "password": PASSWORD})).await.expect(200);
    program.get("/api/auth/me").await.expect(401);
}

#[tokio::test]
async fn an_end_lies_ahead_and_a_manager_is_an_active_person_and_somebody_else() {
    let harness = Harness::new();
    let admin = harness.admin();
    let ada = harness.create_user("ada", false);
    let path = format!("/api/admin/users/{ada}");
    let wrong = |body: Value| {
        let (admin, path) = (admin.clone(), path.clone());
        async move { admin.patch(&path, body).await.expect(400).fields() }
    };
    assert_eq!(wrong(json!({"expiresAt": in_days(&harness, -1)})).await, ["expiresAt:past"]);
    assert_eq!(wrong(json!({"expiresAt": "soon"})).await, ["expiresAt:invalid"]);
    assert_eq!(wrong(json!({"managerId": ada})).await, ["managerId:self"]);
    let nobody = format!("usr_{}", "0".repeat(32));
    assert_eq!(wrong(json!({"managerId": nobody})).await, ["managerId:unknown_user"]);
    let gone = harness.create_user("gone", false);
    admin.post(&format!("/api/admin/users/{gone}/disable"), json!({})).await.expect(200);
    assert_eq!(wrong(json!({"managerId": gone})).await, ["managerId:unknown_user"]);
}

#[tokio::test]
async fn the_last_platform_admin_whose_account_lasts_keeps_it() {
    let harness = Harness::new();
    let (one, two) = (harness.admin(), harness.admin());
    let end = json!({"expiresAt": in_days(&harness, 5)});
    let of = |client: &super::harness::Client| format!("/api/admin/users/{}", client.user_id());
    assert_eq!(one.patch(&of(&one), end.clone()).await.expect(400).code(), "SELF_DISABLE_NOT_ALLOWED");
    one.patch(&of(&two), end.clone()).await.expect(200);
    assert_eq!(two.patch(&of(&one), end).await.expect(409).code(), "LAST_ADMIN");
}

#[tokio::test]
async fn who_was_invited_is_invited_anew_and_the_old_link_works_no_more() {
    let harness = Harness::new();
    let admin = harness.admin();
    let made = admin.post("/api/admin/users", json!({"email": "guest@example.org"})).await.expect(201).json;
    let path = format!("/api/admin/users/{}", made["id"].as_str().unwrap());
    let code = |view: &Value| view["link"].as_str().unwrap().split('#').nth(1).unwrap().to_owned();
    let (first, again) = (code(&made["invitation"]), admin.post(&format!("{path}/invitation"), json!({})).await.expect(201).json);
    assert!(admin.get(&path).await.json["invitedUntil"].is_string());
    let redeem = |code: String| {
        let anonymous = harness.anonymous();
        async move { anonymous.post("/api/auth/invite", json!({"code": code, "password": PASSWORD, "session": "cookie"})).await }
    };
    redeem(first).await.expect(400);
    admin.delete(&format!("{path}/invitation")).await.expect(204);
    redeem(code(&again)).await.expect(400);
    assert!(admin.get(&path).await.json["invitedUntil"].is_null());
    assert_eq!(admin.delete(&format!("{path}/invitation")).await.expect(409).code(), "WRONG_STATE");
    let third = admin.post(&format!("{path}/invitation"), json!({})).await.expect(201).json;
    redeem(code(&third)).await.expect(200);
    assert_eq!(admin.post(&format!("{path}/invitation"), json!({})).await.expect(409).code(), "WRONG_STATE");
    let told: Vec<Value> =
        harness.audit("invite_user").into_iter().filter(|e| e["success"] == 1).map(|e| e["details"]["invitation"].clone()).collect();
    assert_eq!(told, ["made", "withdrawn", "made"]);
}

#[tokio::test]
async fn the_platform_says_when_there_are_too_few_or_too_many_admins() {
    let harness = Harness::new();
    let admin = harness.admin();
    let mut advice = Vec::new();
    for _ in 1..=5 {
        advice.push(admin.get("/api/admin/stats").await.expect(200).json["platform"]["adminAdvice"].is_string());
        harness.admin();
    }
    assert_eq!(advice, [true, false, false, false, true]);
}

/// Row 3 of the privilege matrix.
#[tokio::test]
async fn a_profile_is_seen_by_its_person_by_admins_of_a_shared_group_and_by_the_platform_and_tells_each_no_more() {
    let harness = Harness::new();
    let (admin, lead, member) = (harness.admin(), harness.group_admin("shared"), harness.member("shared"));
    let (colleague, stranger) = (harness.member("shared"), harness.stranger());
    let other = harness.group("other");
    harness.join(&other, member.user_id(), codex_web::domain::group::GroupRole::Member);
    let path = format!("/api/users/{}", member.user_id());
    for refused in [&colleague, &stranger] {
        refused.get(&path).await.expect(404);
    }
    let groups = |view: Value| view["groups"].as_array().unwrap().len();
    assert_eq!(groups(lead.get(&path).await.expect(200).json), 1, "a group admin learns of shared groups only");
    assert_eq!(groups(admin.get(&path).await.expect(200).json), 2);
    assert_eq!(groups(member.get(&path).await.expect(200).json), 2);
    for closed in ["sessions", "tokens"] {
        lead.get(&format!("/api/admin/users/{}/{closed}", member.user_id())).await.expect(403);
    }
}
