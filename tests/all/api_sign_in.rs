//! Signing in and out with a password: cookies, tokens, what is told and what is written down.

use super::harness::{Answer, Client, Harness, PASSWORD, hash_of};
use codex_web::clock::{DAY, HOUR, MINUTE, SECOND};
use serde_json::{Value, json};
use std::time::Duration;

/// The name of the session cookie here.
pub const COOKIE: &str = "codex_sid_8080";
const DEVICE: &str = "codex_dev_8080";

async fn login(client: &Client, name: &str, password: &str) -> Answer {
    client.post("/api/auth/login", json!({"username": name, "password": password})).await
}

async fn page_login(client: &Client, name: &str, password: &str) -> Answer {
    client.post("/api/auth/login", json!({"username": name, "password": password, "session": "cookie"})).await
}

#[tokio::test]
async fn an_api_client_gets_tokens_and_no_cookie() {
    let harness = Harness::new();
    let id = harness.create_user("ada", true);
    let answer = login(&harness.anonymous(), "ada", PASSWORD).await.expect(200);
    assert_eq!((answer.json["success"].as_bool(), answer.json["tokenType"].as_str()), (Some(true), Some("Bearer")));
    assert_eq!(answer.json["expiresIn"], 600);
    assert!(answer.json["refreshToken"].as_str().unwrap().starts_with("cxr_"));
    assert!(answer.json.get("expiresAt").is_none() && answer.json.get("mustChangePassword").is_none());
    assert!(answer.all("set-cookie").is_empty());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let user = &answer.json["user"];
    assert_eq!((user["id"].as_str(), user["isAdmin"].as_bool()), (Some(id.as_str()), Some(true)));
    assert!(user["can"].as_array().unwrap().contains(&json!("create_user")));
    let me = harness.anonymous().with_bearer(answer.json["accessToken"].as_str().unwrap()).get("/api/auth/me").await.expect(200);
    assert_eq!(me.json["user"]["username"], "ada");
    assert!(me.json["user"]["lastLoginAt"].is_string());
}

#[tokio::test]
async fn a_page_gets_a_cookie_and_no_token() {
    let harness = Harness::new();
    harness.create_user("ada", false);
    let answer = page_login(&harness.anonymous(), "ada", PASSWORD).await.expect(200);
    assert!(answer.json["expiresAt"].is_string());
    assert!(answer.json.get("accessToken").is_none() && answer.json.get("refreshToken").is_none());
    let line = answer.all("set-cookie").into_iter().find(|line| line.starts_with(COOKIE)).unwrap();
    for part in ["; Path=/", "; HttpOnly", "; SameSite=Lax", "=cxs_"] {
        assert!(line.contains(part), "{line}");
    }
    assert!(!line.contains("Domain"), "{line}");
    let secret = answer.cookie(COOKIE).unwrap();
    assert_eq!(secret.len(), 47, "256 bits");
    harness.anonymous().with_cookie(&secret).get("/api/auth/me").await.expect(200);
    let stored = harness.rows("SELECT secret_hash FROM session");
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0]["secret_hash"].as_str().unwrap().len(), 64, "a SHA-256 and nothing else");
}

#[tokio::test]
async fn behind_tls_the_cookie_is_bound_to_the_host() {
    let settings = [("CODEX_WEB_SERVER__TRUSTED_PROXIES", "127.0.0.1"), ("CODEX_WEB_SERVER__PUBLIC_URL", "https://codex.example.org")];
    let harness = Harness::with(&settings);
    harness.create_user("ada", false);
    let answer = page_login(&harness.anonymous(), "ada", PASSWORD).await.expect(200);
    let lines = answer.all("set-cookie");
    assert!(lines.iter().any(|line| line.starts_with("__Host-codex_sid=") && line.ends_with("; Secure")), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("__Host-codex_dev=") && line.ends_with("; Secure")), "{lines:?}");
    assert!(answer.header("strict-transport-security").is_some());
}

#[tokio::test]
async fn the_name_may_be_the_address_in_any_spelling() {
    let harness = Harness::new();
    harness.create_user("ada", false);
    for name in ["ada", "ADA", " ada ", "ada@example.org", "Ada@EXAMPLE.org"] {
        login(&harness.anonymous(), name, PASSWORD).await.expect(200);
    }
    harness.anonymous().post("/api/auth/login", json!({"email": "ada@example.org", "password": PASSWORD})).await.expect(200);
    let both = json!({"username": "ada", "email": "ada@example.org", "password": PASSWORD});
    assert_eq!(harness.anonymous().post("/api/auth/login", both).await.expect(400).fields(), ["email:conflict"]);
    let neither = harness.anonymous().post("/api/auth/login", json!({"passwort": "x"})).await.expect(400);
    assert_eq!(neither.fields(), ["username:required", "password:required", "passwort:unknown"]);
}

#[tokio::test]
async fn whoever_fails_hears_one_answer() {
    let harness = Harness::new();
    harness.create_user("ada", false);
    harness.create_user_with("invited", false, None, false);
    let disabled = harness.create_user("gone", false);
    harness.admin().post(&format!("/api/admin/users/{disabled}/disable"), json!({})).await.expect(200);
    let mut answers = Vec::new();
    for (name, password) in [("nobody", "x"), ("ada", "x"), ("invited", "x"), ("gone", PASSWORD), ("ada", ""), ("nobody@example.org", "x")]
    {
        let answer = login(&harness.anonymous().from_address(&format!("10.0.0.{}", answers.len())), name, password).await.expect(401);
        let mut json = answer.json.clone();
        json["error"]["callid"] = Value::Null;
        json["error"]["time"] = Value::Null;
        answers.push(json);
    }
    assert!(answers.iter().all(|a| a == &answers[0]), "{answers:#?}");
    let told: Vec<String> =
        harness.audit("sign_in").iter().filter(|e| e["success"] == 0).map(|e| e["error"].as_str().unwrap().to_owned()).collect();
    assert_eq!(told, ["unknown_user", "wrong_password", "no_password", "account_disabled", "wrong_password", "unknown_user"]);
}

/// What was computed for passwords, and asked of the database, so far.
fn work(harness: &Harness) -> (u64, u64) {
    (harness.app.passwords.computed(), harness.app.ops.db.statements())
}

#[tokio::test]
async fn failing_costs_the_same_work_whoever_it_is() {
    let harness = Harness::new();
    harness.create_user("ada", false);
    harness.create_user_with("invited", false, None, false);
    let disabled = harness.create_user("gone", false);
    harness.admin().post(&format!("/api/admin/users/{disabled}/disable"), json!({})).await.expect(200);
    let mut costs = Vec::new();
    // Twice round: a counter that is there already costs what a new one costs.
    for _ in 0..2 {
        for name in ["ada", "nobody", "invited", "gone", "ada@example.org", "nobody@example.org"] {
            // Far enough apart that no throttle has a say.
            harness.clock.advance(HOUR);
            let before = work(&harness);
            login(&harness.anonymous(), name, "not the password").await.expect(401);
            let after = work(&harness);
            costs.push((name, after.0 - before.0, after.1 - before.1));
        }
    }
    let (_, hashed, statements) = costs[0];
    assert!(hashed > 0 && statements > 2, "{costs:?}");
    assert!(costs.iter().all(|cost| (cost.1, cost.2) == (hashed, statements)), "{costs:?}");
}

#[tokio::test]
async fn names_like_admin_have_no_password_that_everybody_knows() {
    let harness = Harness::new();
    for (at, (name, password)) in [("admin", "admin"), ("admin", "password"), ("root", "root")].into_iter().enumerate() {
        login(&harness.anonymous().from_address(&format!("10.0.0.{at}")), name, password).await.expect(401);
    }
    assert_eq!(harness.rows("SELECT count(*) AS n FROM user")[0]["n"], 0);
}

#[tokio::test]
async fn every_character_of_a_long_password_counts_and_a_huge_one_is_refused() {
    let harness = Harness::new();
    let long: String = (0..128_u8).map(|n| char::from(b'a' + n % 26)).collect();
    harness.create_user_with("ada", false, Some(&hash_of(&long)), false);
    login(&harness.anonymous(), "ada", &long).await.expect(200);
    for at in [72, 127] {
        let mut other = long.clone();
        other.replace_range(at..=at, "!");
        harness.clock.advance(HOUR);
        login(&harness.anonymous(), "ada", &other).await.expect(401);
    }
    let huge = login(&harness.anonymous(), "ada", &"x".repeat(1_025)).await.expect(400);
    assert_eq!(huge.fields(), ["password:too_long"]);
}

#[tokio::test]
async fn a_weak_hash_is_replaced_at_the_next_sign_in() {
    let harness = Harness::new();
    let id = harness.create_user_with("ada", false, Some(&weaker_hash()), false);
    login(&harness.anonymous(), "ada", PASSWORD).await.expect(200);
    let stored = harness.rows(&format!("SELECT password_hash FROM user WHERE id = '{id}'"));
    assert!(stored[0]["password_hash"].as_str().unwrap().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored:?}");
    login(&harness.anonymous(), "ada", PASSWORD).await.expect(200);
}

/// The common password at a cost that was once enough.
fn weaker_hash() -> String {
    use argon2::password_hash::PasswordHasher;
    let params = argon2::Params::new(64, 1, 1, Some(32)).unwrap();
    let hasher = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    hasher.hash_password_with_salt(PASSWORD.as_bytes(), b"0123456789abcdef").unwrap().to_string()
}

#[tokio::test]
async fn after_signing_out_nothing_of_the_sign_in_works() {
    let harness = Harness::new();
    harness.create_user("ada", false);
    let page = page_login(&harness.anonymous(), "ada", PASSWORD).await.expect(200);
    let client = harness.anonymous().with_cookie(&page.cookie(COOKIE).unwrap());
    let answer = client.post("/api/auth/logout", json!({})).await.expect(204);
    assert!(answer.all("set-cookie").iter().any(|line| line.starts_with("codex_sid_8080=;") && line.contains("Max-Age=0")));
    assert_eq!(answer.header("clear-site-data"), Some("\"storage\""));
    assert_eq!(client.get("/api/auth/me").await.expect(401).code(), "INVALID_TOKEN");

    let tokens = login(&harness.anonymous(), "ada", PASSWORD).await.expect(200).json;
    let client = harness.anonymous().with_bearer(tokens["accessToken"].as_str().unwrap());
    client.post("/api/auth/logout", json!({"refreshToken": tokens["refreshToken"]})).await.expect(204);
    client.get("/api/auth/me").await.expect(401);
    harness.anonymous().post("/api/auth/refresh", json!({"refreshToken": tokens["refreshToken"]})).await.expect(401);
    assert_eq!(harness.audit("sign_out").len(), 2);
}

#[tokio::test]
async fn signing_out_everywhere_ends_every_sign_in_of_that_person_only() {
    let harness = Harness::new();
    let ada = harness.create_user("ada", false);
    let (one, two) = (harness.signed_in(&ada), harness.signed_in(&ada));
    let (token, other) = (two.by_token(), harness.stranger());
    one.post("/api/auth/logout?everywhere=true", json!({})).await.expect(204);
    for client in [&one, &two, &token] {
        client.get("/api/auth/me").await.expect(401);
    }
    other.get("/api/auth/me").await.expect(200);
    assert_eq!(one.post("/api/auth/logout?everywere=true", json!({})).await.status, 401);
    assert_eq!(other.post("/api/auth/logout?everywere=true", json!({})).await.expect(400).fields(), ["everywere:unknown"]);
}

#[tokio::test]
async fn a_session_ends_by_the_servers_clock() {
    let harness = Harness::new();
    let client = harness.stranger();
    for _ in 0..2 {
        harness.clock.advance(12 * HOUR - MINUTE);
        use_it(&harness, &client).await;
    }
    harness.clock.advance(12 * HOUR + SECOND);
    client.get("/api/auth/me").await.expect(401);

    let client = harness.stranger();
    for _ in 0..7 * 2 - 1 {
        harness.clock.advance(12 * HOUR - MINUTE);
        use_it(&harness, &client).await;
    }
    harness.clock.advance(11 * HOUR);
    use_it(&harness, &client).await;
    harness.clock.advance(2 * HOUR);
    client.get("/api/auth/me").await.expect(401);
}

/// One use of a session, and the moment until it is noted beside the answer.
async fn use_it(harness: &Harness, client: &Client) {
    let before = harness.app.clock.now().0;
    client.get("/api/auth/me").await.expect(200);
    let noted = format!("SELECT last_used_at FROM session WHERE id = '{}'", client.session_id());
    until(|| harness.rows(&noted)[0]["last_used_at"].as_i64().unwrap() >= before).await;
}

/// Waits for what happens beside an answer.
pub async fn until(mut done: impl FnMut() -> bool) {
    for _ in 0..500 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not happen within five seconds");
}

#[tokio::test]
async fn an_access_token_lives_for_ten_minutes() {
    let harness = Harness::new();
    let client = harness.stranger().by_token();
    harness.clock.advance(9 * MINUTE);
    client.get("/api/auth/me").await.expect(200);
    harness.clock.advance(2 * MINUTE);
    assert_eq!(client.get("/api/auth/me").await.expect(401).code(), "INVALID_TOKEN");
}

#[tokio::test]
async fn the_twenty_first_sign_in_ends_the_oldest() {
    let harness = Harness::new();
    let ada = harness.create_user("ada", false);
    let mut first = Vec::new();
    for _ in 0..2 {
        first.push(harness.signed_in(&ada));
        harness.clock.advance(SECOND);
    }
    for _ in 0..18 {
        harness.signed_in(&ada);
    }
    harness.clock.advance(SECOND);
    login(&harness.anonymous(), "ada", PASSWORD).await.expect(200);
    first[0].get("/api/auth/me").await.expect(401);
    let list = first[1].get("/api/auth/sessions").await.expect(200).json;
    assert_eq!(list.as_array().unwrap().len(), 20);
    let entry = harness.audit("sign_in").pop().unwrap();
    assert_eq!(entry["details"]["endedSessions"], json!([first[0].session_id()]));
}

#[tokio::test]
async fn a_hundred_wrong_passwords_slow_strangers_down_and_never_the_known_device() {
    let harness = Harness::new();
    harness.create_user("ada", false);
    let known = page_login(&harness.anonymous().from_address("10.1.1.1"), "ada", PASSWORD).await.expect(200).cookie(DEVICE).unwrap();
    for n in 0..100 {
        harness.clock.advance(11 * SECOND);
        let stranger = harness.anonymous().from_address(&format!("10.0.{}.1", n % 250));
        login(&stranger, "ada", "guess").await.expect(401);
    }
    let stranger = harness.anonymous().from_address("10.9.9.9");
    harness.clock.advance(MINUTE);
    let answer = login(&stranger, "ada", PASSWORD).await.expect(429);
    assert_eq!(answer.code(), "RATE_LIMIT_EXCEEDED");
    assert!(answer.header("retry-after").unwrap().parse::<i64>().unwrap() > 3_600);
    let laptop = harness.anonymous().from_address("10.1.1.1").with_header("cookie", &format!("{DEVICE}={known}"));
    let laptop = laptop.with_header("sec-fetch-site", "same-origin");
    page_login(&laptop, "ada", PASSWORD).await.expect(200);
    // A device is known to its own account only, and a made-up one to none.
    harness.create_user("ben", false);
    let forged = harness.anonymous().with_header("cookie", &format!("{DEVICE}=1.abc.1.def"));
    login(&forged, "ada", PASSWORD).await.expect(429);
    // The window ends by itself: nobody has to lift anything.
    harness.clock.advance(DAY);
    login(&stranger, "ada", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn being_slowed_down_is_told_alike_for_names_that_exist_and_that_do_not() {
    let harness = Harness::new();
    harness.create_user("ada", false);
    let mut told = Vec::new();
    for name in ["ada", "nobody"] {
        let client = harness.anonymous().from_address(if name == "ada" { "10.0.0.1" } else { "10.0.0.2" });
        for _ in 0..3 {
            harness.clock.advance(2 * SECOND);
            login(&client, name, "guess").await.expect(401);
        }
        let answer = login(&client, name, PASSWORD).await.expect(429);
        told.push((answer.json["error"]["message"].clone(), answer.header("retry-after").map(str::to_owned)));
        for _ in 0..4 {
            login(&client, name, PASSWORD).await.expect(429);
        }
    }
    assert_eq!(told[0], told[1]);
    let throttled = harness.audit("sign_in").into_iter().filter(|e| e["error"] == "throttled").count();
    assert_eq!(throttled, 1, "equal ones of a minute are one row");
}

#[tokio::test]
async fn a_restart_does_not_forget_an_attack() {
    let harness = Harness::new();
    harness.create_user("ada", false);
    for n in 0..30 {
        harness.clock.advance(11 * SECOND);
        login(&harness.anonymous().from_address(&format!("10.0.{n}.1")), "ada", "guess").await.expect(401);
    }
    let harness = harness.restarted().await;
    login(&harness.anonymous().from_address("10.9.9.9"), "ada", PASSWORD).await.expect(429);
    harness.clock.advance(11 * SECOND);
    login(&harness.anonymous().from_address("10.9.9.9"), "ada", PASSWORD).await.expect(200);
    assert_eq!(harness.rows("SELECT count(*) AS n FROM throttle")[0]["n"], 0, "a success clears the counter");
}

#[tokio::test]
async fn a_text_that_is_nobodys_name_is_never_written_down() {
    let harness = Harness::new();
    harness.create_user("ada", false);
    login(&harness.anonymous(), "my-secret-password-typed-too-early", "x").await.expect(401);
    harness.clock.advance(HOUR);
    login(&harness.anonymous(), " ADA ", "x").await.expect(401);
    let entries = harness.audit("sign_in");
    assert_eq!(entries[0]["details"]["typed"].as_str().unwrap().len(), 16);
    let personal = harness
        .rows("SELECT p.subject, p.data FROM audit_person p JOIN audit_event e ON e.seq = p.seq WHERE e.action = 'sign_in' ORDER BY p.seq");
    assert!(!personal[0]["data"].as_str().unwrap().contains("secret"), "{personal:?}");
    assert!(personal[1]["data"].as_str().unwrap().contains("\"typed\":\"ada\""), "{personal:?}");
    assert!(personal[1]["subject"].as_str().unwrap().starts_with("usr_"));
}

#[tokio::test]
async fn a_password_that_must_be_changed_opens_nothing_but_the_change() {
    let harness = Harness::new();
    harness.create_user_with("ada", true, Some(super::harness::password_hash()), true);
    let answer = page_login(&harness.anonymous(), "ada", PASSWORD).await.expect(200);
    assert_eq!(answer.json["mustChangePassword"], true);
    let client = harness.anonymous().with_cookie(&answer.cookie(COOKIE).unwrap());
    assert_eq!(client.get("/api/auth/me").await.expect(200).json["user"]["mustChangePassword"], true);
    for path in ["/api/auth/sessions", "/api/events", "/api/health/detailed"] {
        assert_eq!(client.get(path).await.expect(403).code(), "PASSWORD_CHANGE_REQUIRED", "{path}");
    }
    assert_eq!(client.patch("/api/auth/profile", json!({"name": "A"})).await.expect(403).code(), "PASSWORD_CHANGE_REQUIRED");
    let change = json!({"currentPassword": PASSWORD, "newPassword": "amber thicket violin ferry"});
    let changed = client.post("/api/auth/change-password", change).await.expect(204);
    client.get("/api/auth/me").await.expect(401);
    let client = harness.anonymous().with_cookie(&changed.cookie(COOKIE).unwrap());
    client.get("/api/health/detailed").await.expect(200);
    login(&harness.anonymous(), "ada", PASSWORD).await.expect(401);
}

#[tokio::test]
async fn a_password_that_an_administrator_chose_works_for_three_days() {
    let harness = Harness::new();
    let admin = harness.admin();
    let new = json!({"email": "ada@example.org", "temporaryPassword": "amber thicket violin ferry"});
    let id = admin.post("/api/admin/users", new).await.expect(201).json["id"].as_str().unwrap().to_owned();
    harness.clock.advance(71 * HOUR);
    login(&harness.anonymous(), "ada", "amber thicket violin ferry").await.expect(200);
    harness.clock.advance(2 * HOUR);
    let wrong = login(&harness.anonymous(), "ada", "a guess").await.expect(401);
    assert!(wrong.json["error"]["message"].as_str().unwrap().starts_with("Wrong user name"), "a guess learns nothing");
    harness.clock.advance(HOUR);
    let told = login(&harness.anonymous(), "ada", "amber thicket violin ferry").await.expect(401);
    assert!(told.json["error"]["message"].as_str().unwrap().contains("has expired"));
    let again = json!({"newPassword": "copper meadow lantern gale"});
    harness.admin().post(&format!("/api/admin/users/{id}/reset-password"), again).await.expect(200);
    let page = page_login(&harness.anonymous(), "ada", "copper meadow lantern gale").await.expect(200);
    let client = harness.anonymous().with_cookie(&page.cookie(COOKIE).unwrap());
    let own = json!({"currentPassword": "copper meadow lantern gale", "newPassword": PASSWORD});
    client.post("/api/auth/change-password", own).await.expect(204);
    harness.clock.advance(30 * DAY);
    login(&harness.anonymous(), "ada", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_cookie_that_was_there_before_signing_in_is_worth_nothing_after_it() {
    let harness = Harness::new();
    harness.create_user("ada", false);
    let planted = format!("cxs_{}", "a".repeat(43));
    let victim = harness.anonymous().with_cookie(&planted);
    let answer = page_login(&victim, "ada", PASSWORD).await.expect(200);
    assert_ne!(answer.cookie(COOKIE).unwrap(), planted);
    victim.get("/api/auth/me").await.expect(401);
}
