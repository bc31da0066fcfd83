//! Credentials against each other: each kind is refused where another is expected, none is taken from where it does not
//! belong, and none is ever written down.

use super::harness::{Client, Harness, PASSWORD, Shows};
use codex_web::clock::SystemEntropy;
use codex_web::token::access::{self, AccessSubject};
use codex_web::token::keys::{Family, SigningKey};
use codex_web::token::opaque::{API_TOKEN_PREFIX, CODE_PREFIX, OpaqueToken};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::path::Path;

/// Every kind of secret that exists, good of its kind.
async fn secrets(harness: &Harness) -> Vec<(&'static str, String)> {
    harness.create_user("ada", true);
    let login = |session: Value| json!({"username": "ada", "password": PASSWORD, "session": session});
    let tokens = harness.anonymous().post("/api/auth/login", login(json!("tokens"))).await.expect(200).json;
    let page = harness.anonymous().post("/api/auth/login", login(json!("cookie"))).await.expect(200);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    vec![
        ("access", text(&tokens["accessToken"])),
        ("refresh", text(&tokens["refreshToken"])),
        ("cookie", page.cookie("codex_sid_8080").unwrap()),
        ("device", page.cookie("codex_dev_8080").unwrap()),
        ("code", OpaqueToken::fresh(CODE_PREFIX, &SystemEntropy).secret.expose_secret().to_owned()),
        ("api token", OpaqueToken::fresh(API_TOKEN_PREFIX, &SystemEntropy).secret.expose_secret().to_owned()),
    ]
}

#[tokio::test]
async fn each_kind_works_in_its_own_place_only() {
    let harness = Harness::new();
    for (kind, secret) in secrets(&harness).await {
        // Unknown ones count as guesses: far apart, nobody is slowed down.
        harness.clock.advance(60_000);
        let bearer = harness.anonymous().with_bearer(&secret).get("/api/auth/me").await.status;
        let cookie = harness.anonymous().with_cookie(&secret).get("/api/auth/me").await.status;
        let refresh = harness.anonymous().post("/api/auth/refresh", json!({"refreshToken": secret})).await.status;
        harness.clock.advance(60_000);
        let invite = harness.anonymous().post("/api/auth/invite", json!({"code": secret, "password": "x"})).await.status;
        let expected = |own: &str, good: u16, bad: u16| if kind == own { good } else { bad };
        assert_eq!(bearer, expected("access", 200, 401), "{kind} as bearer");
        assert_eq!(cookie, expected("cookie", 200, 401), "{kind} as cookie");
        assert!(refresh == expected("refresh", 200, 401) || (kind == "access" && refresh == 400), "{kind} as refresh token: {refresh}");
        assert_eq!(invite, 400, "{kind} as invitation");
    }
}

#[tokio::test]
async fn no_credential_is_taken_from_the_address() {
    let harness = Harness::new();
    for (kind, secret) in secrets(&harness).await {
        for name in ["token", "access_token", "authorization", "session", "ticket", "codex_sid_8080"] {
            let answer = harness.anonymous().get(&format!("/api/auth/me?{name}={secret}")).await;
            assert_eq!(answer.status, 401, "{kind} as {name}");
        }
    }
}

#[tokio::test]
async fn a_token_signed_by_anybody_else_is_refused() {
    let harness = Harness::new();
    let client = harness.stranger();
    let subject = AccessSubject { user: client.user_id().clone(), session: client.session_id().clone(), token_version: 1 };
    let now = harness.app.clock.now();
    let foreign = SigningKey::generate(Family::Access).unwrap();
    let forged = access::issue(&foreign, harness.app.keys.issuer(), &subject, now, &SystemEntropy).unwrap();
    client.with_bearer(forged.token.expose_secret()).get("/api/auth/me").await.expect(401);
    let elsewhere = access::issue(&harness.app.keys.access(), "codex-web:elsewhere", &subject, now, &SystemEntropy).unwrap();
    client.with_bearer(elsewhere.token.expose_secret()).get("/api/auth/me").await.expect(401);
    let stale = AccessSubject { token_version: 0, ..subject.clone() };
    let stale = access::issue(&harness.app.keys.access(), harness.app.keys.issuer(), &stale, now, &SystemEntropy).unwrap();
    client.with_bearer(stale.token.expose_secret()).get("/api/auth/me").await.expect(401);
    let swapped = AccessSubject { user: harness.create_user("eve", true), ..subject };
    let swapped = access::issue(&harness.app.keys.access(), harness.app.keys.issuer(), &swapped, now, &SystemEntropy).unwrap();
    client.with_bearer(swapped.token.expose_secret()).get("/api/auth/me").await.expect(401);
}

#[tokio::test]
async fn a_bearer_wins_over_a_cookie_and_two_of_them_are_none() {
    let harness = Harness::new();
    let (admin, member) = (harness.admin(), harness.member("team"));
    let both = admin.with_header("authorization", &format!("Bearer {}", member.access_token()));
    assert_eq!(both.get("/api/auth/me").await.expect(200).json["user"]["id"], json!(member.user_id()));
    let wrong = admin.with_header("authorization", "Bearer nonsense");
    wrong.get("/api/auth/me").await.expect(401);
    let headers = [("authorization", "Bearer a"), ("authorization", "Bearer b")];
    assert_eq!(admin.raw("GET", "/api/auth/me", &headers, bytes::Bytes::new()).await.status, 401);
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing_with_somebodys_cookie() {
    let harness = Harness::new();
    let client = harness.stranger();
    let change = |name: &str, value: &str| client.with_header("sec-fetch-site", "").with_header(name, value);
    for site in ["cross-site", "same-site", "none"] {
        let answer = client.with_header("sec-fetch-site", site).patch("/api/auth/profile", json!({"name": "Eve"})).await.expect(403);
        assert_eq!(answer.code(), "AUTHORIZATION_ERROR", "{site}");
    }
    for origin in ["https://evil.example", "null", "http://localhost:9999", "https://localhost:8080", "http://localhost.evil.example:8080"]
    {
        change("origin", origin).patch("/api/auth/profile", json!({"name": "Eve"})).await.expect(403);
    }
    change("x-nothing", "1").patch("/api/auth/profile", json!({"name": "Eve"})).await.expect(403);
    change("origin", "http://localhost:8080").patch("/api/auth/profile", json!({"name": "Ada"})).await.expect(200);
    client.by_token().patch("/api/auth/profile", json!({"name": "By token"})).await.expect(200);
    let form = client.raw("POST", "/api/auth/logout", &[("content-type", "application/x-www-form-urlencoded")], "a=b".into()).await;
    assert_eq!(form.status, 415);
}

#[tokio::test]
async fn nobody_is_signed_in_by_another_sites_page() {
    let harness = Harness::new();
    harness.create_user("ada", false);
    let body = json!({"username": "ada", "password": PASSWORD, "session": "cookie"});
    harness.anonymous().with_header("sec-fetch-site", "cross-site").post("/api/auth/login", body.clone()).await.expect(403);
    harness.anonymous().with_header("origin", "https://evil.example").post("/api/auth/login", body.clone()).await.expect(403);
    harness.anonymous().with_header("origin", "http://localhost:8080").post("/api/auth/login", body).await.expect(200);
    assert_eq!(harness.rows("SELECT count(*) AS n FROM session")[0]["n"], 1);
}

#[tokio::test]
async fn an_unknown_host_is_answered_with_421_before_anything_else() {
    let harness = Harness::listening();
    let client = harness.admin().with_header("host", "rebound.example");
    for (method, path) in [("GET", "/api/auth/me"), ("POST", "/api/auth/login"), ("GET", "/"), ("GET", "/.well-known/jwks.json")] {
        let answer = harness.wire().call(&client, method, path, Some(json!({}))).await.expect(421);
        assert_eq!(answer.code(), "UNKNOWN_HOST", "{path}");
    }
}

#[tokio::test]
async fn the_published_keys_are_public_and_verify_our_tokens() {
    let harness = Harness::new();
    let answer = harness.anonymous().get("/.well-known/jwks.json").await.expect(200);
    assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
    let keys = answer.json["keys"].as_array().unwrap().clone();
    assert!(keys.iter().any(|k| k["alg"] == "EdDSA" && k["kid"] == json!(harness.app.keys.access().kid())));
    assert!(keys.iter().all(|k| k.get("d").is_none()), "{keys:?}");
}

#[tokio::test]
async fn replaced_keys_verify_for_a_while_and_compromised_ones_not_at_all() {
    let harness = Harness::new();
    let client = harness.admin();
    let (before, page) = (client.by_token(), client.clone());
    let rotate = async |compromised| {
        let app = &harness.app;
        let shell = codex_web::ops::Caller {
            principal: codex_web::policy::Principal::CommandLine { system_user: "root".into() },
            origin: codex_web::store::Origin::default(),
        };
        let (clock, entropy) = (app.clock.clone(), app.entropy.clone());
        codex_web::ops::signing_keys::rotate(&app.ops, &app.keys, &shell, compromised, clock, entropy).await.unwrap()
    };
    rotate(false).await;
    before.get("/api/auth/me").await.expect(200);
    let after = client.by_token();
    after.get("/api/auth/me").await.expect(200);
    rotate(true).await;
    before.get("/api/auth/me").await.expect(401);
    after.get("/api/auth/me").await.expect(401);
    page.get("/api/auth/me").await.expect(200);
    client.by_token().get("/api/auth/me").await.expect(200);
    assert_eq!(harness.audit("rotate_keys").len(), 2);
}

/// What every part of this process writes to its log, at the finest level.
#[derive(Clone, Default)]
struct Log(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_is_ever_found_in_the_data_directory_or_in_the_log() {
    let log = Log::default();
    let to = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || to.clone()).finish();
    // With a single subscriber, a call site that another test's thread reaches first is switched off for good.
    let _second =
        tracing::Dispatch::new(tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(std::io::sink).finish());
    let _guard = tracing::subscriber::set_default(subscriber);
    let harness = Harness::new();
    let mut planted: Vec<String> = secrets(&harness).await.into_iter().map(|(_, secret)| secret).collect();
    planted.push(PASSWORD.to_owned());
    for text in ["canary-wrong-password", "canary-typed-into-the-name-box"] {
        harness.clock.advance(3_600_000);
        let (name, password) = if text.contains("name") { (text, "x") } else { ("ada", text) };
        harness.anonymous().post("/api/auth/login", json!({"username": name, "password": password})).await.expect(401);
        planted.push(text.to_owned());
    }
    let refreshed = harness.anonymous().post("/api/auth/refresh", json!({"refreshToken": planted[1]})).await;
    planted.extend(["accessToken", "refreshToken"].iter().filter_map(|f| refreshed.json[f].as_str().map(str::to_owned)));
    let client = harness.signed_in(&harness.create_user("ben", false));
    let fresh = "canary new password of ben";
    client.post("/api/auth/change-password", json!({"currentPassword": PASSWORD, "newPassword": fresh})).await.expect(204);
    planted.push(fresh.to_owned());
    planted.push(match &client.shows {
        Shows::Cookie { secret, .. } => secret.clone(),
        other => panic!("{other:?}"),
    });
    let mut files = contents(harness.dir.path());
    let written = log.0.lock().unwrap().clone();
    assert!(String::from_utf8_lossy(&written).contains("a request"), "the log was not caught: {} bytes", written.len());
    files.push(("the log".to_owned(), written));
    assert!(files.iter().any(|(name, _)| name.ends_with("codex-web.db-wal") || name.ends_with("codex-web.db")));
    for secret in &planted {
        for (name, bytes) in &files {
            assert!(!bytes.windows(secret.len()).any(|w| w == secret.as_bytes()), "{secret} lies in {name}");
        }
    }
}

fn contents(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(contents(&path));
        } else {
            files.push((path.to_string_lossy().into_owned(), std::fs::read(&path).unwrap()));
        }
    }
    files
}

#[tokio::test]
async fn every_answer_about_people_is_kept_out_of_caches() {
    let harness = Harness::new();
    let client: Client = harness.stranger();
    for path in ["/api/auth/me", "/api/auth/sessions", "/api/whoami", "/api/auth/providers", "/api/nothing"] {
        assert_eq!(client.get(path).await.header("cache-control"), Some("no-store"), "{path}");
    }
    let seen = client.from_address("203.0.113.7").get("/api/whoami").await.expect(200).json;
    assert_eq!((seen["address"].as_str(), seen["publicUrl"].as_str()), (Some("203.0.113.7"), Some("http://localhost:8080")));
}

#[tokio::test]
async fn every_installation_has_keys_of_its_own() {
    let (one, two) = (Harness::new(), Harness::new());
    assert_ne!(one.app.keys.access().kid(), two.app.keys.access().kid());
    let token = one.stranger().by_token();
    let Shows::Bearer(token) = token.shows else { panic!("no token") };
    two.anonymous().with_bearer(&token).get("/api/auth/me").await.expect(401);
}
