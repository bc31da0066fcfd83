//! Machine tokens from their beginning to their end, and the routes that take them and nothing else.

use super::harness::{Answer, Client};
use super::site::Site;
use codex_web::clock::{DAY, HOUR, MINUTE};
use codex_web::domain::id::WorkspaceId;
use codex_web::ops::machine_tokens;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

/// The token of a running workspace.
async fn token(site: &Site, id: &str) -> Option<String> {
    let app = &site.harness.app;
    let run = site.harness.rows(&format!("SELECT run FROM workspace WHERE id = '{id}'"))[0]["run"].as_i64().unwrap();
    let signed = machine_tokens::current(&app.ops, &app.keys, WorkspaceId::parse(id).unwrap(), run).await.unwrap()?;
    Some(signed.token.expose_secret().to_owned())
}

async fn one(site: &mut Site) -> (Client, String, String) {
    let owner = site.harness.member("team");
    let id = site.running(&owner, "team", "mine").await;
    let token = token(site, &id).await.expect("it has no token");
    (owner, id, token)
}

async fn asked(site: &Site, token: &str) -> Answer {
    site.harness.anonymous().with_bearer(token).get("/api/machine/status").await
}

/// Whether the token still opens something.
async fn holds(site: &Site, token: &str) -> bool {
    let answer = asked(site, token).await;
    assert!(matches!((answer.status, answer.code()), (200, "") | (401, "INVALID_TOKEN")), "{}", answer.text);
    answer.status == 200
}

#[tokio::test]
async fn a_workspace_that_runs_has_a_token_and_learns_of_itself_with_it() {
    let mut site = Site::listening().await;
    let (owner, id, token) = one(&mut site).await;
    let said = asked(&site, &token).await.expect(200).json;
    assert_eq!(
        (&said["id"], &said["userId"], &said["status"], &said["run"]),
        (&json!(id), &json!(owner.user_id()), &json!("running"), &json!(1))
    );
    let machine = site.harness.anonymous().with_bearer(&token);
    let beat = machine.post("/api/machine/heartbeat", json!({})).await.expect(200).json;
    assert_eq!(beat["tokenExpiresAt"], said["tokenExpiresAt"]);
    let log = machine.get("/api/machine/logs?lines=5").await.expect(200);
    assert!(log.text.contains("The workspace is ready."), "{}", log.text);
    site.harness.clock.advance(5 * MINUTE);
    let before = site.look(&owner, &id).await["lastAccessedAt"].clone();
    machine.post("/api/machine/heartbeat", json!({})).await.expect(200);
    assert_eq!(site.look(&owner, &id).await["lastAccessedAt"], before, "living is not being used");
    machine.post("/api/machine/activity", json!({})).await.expect(204);
    assert_ne!(site.look(&owner, &id).await["lastAccessedAt"], before);
}

#[tokio::test]
async fn giving_and_taking_back_is_in_the_audit_log_and_the_token_is_nowhere() {
    let mut site = Site::listening().await;
    let (owner, id, token) = one(&mut site).await;
    let given = site.harness.audit("issue_machine_token");
    assert_eq!(given.len(), 1, "{given:?}");
    assert_eq!((&given[0]["actor_kind"], &given[0]["resource"]), (&json!("system"), &json!(format!("workspace:{id}"))));
    site.act(&owner, &id, "stop").await.expect(200);
    site.settle().await;
    let taken = site.harness.audit("revoke_machine_token");
    assert_eq!(taken.len(), 1, "{taken:?}");
    assert_eq!(taken[0]["details"]["tokenId"], given[0]["details"]["tokenId"]);
    let signature = token.rsplit('.').next().unwrap();
    for table in ["machine_token", "audit_event", "audit_person", "workspace_event"] {
        let text = format!("{:?}", site.harness.rows(&format!("SELECT * FROM {table}")));
        assert!(!text.contains(signature), "{table}");
    }
}

#[tokio::test]
async fn a_token_ends_with_the_stop_before_anybody_has_marked_it() {
    let mut site = Site::listening().await;
    let (owner, id, token) = one(&mut site).await;
    assert!(holds(&site, &token).await);
    site.act(&owner, &id, "stop").await.expect(200);
    assert!(!holds(&site, &token).await, "no round of the reconciler has passed");
    site.settle().await;
    site.act(&owner, &id, "start").await.expect(200);
    site.settle().await;
    assert!(!holds(&site, &token).await, "the token of an earlier run");
    let next = self::token(&site, &id).await.unwrap();
    assert!(next != token && holds(&site, &next).await);
}

#[tokio::test]
async fn a_token_ends_with_the_account_of_the_owner_and_with_the_workspace() {
    let mut site = Site::listening().await;
    let (owner, id, token) = one(&mut site).await;
    let admin = site.harness.admin();
    let account = format!("/api/admin/users/{}", owner.user_id());
    admin.post(&format!("{account}/disable"), json!({})).await.expect(200);
    assert!(!holds(&site, &token).await);
    admin.post(&format!("{account}/enable"), json!({})).await.expect(200);
    assert!(holds(&site, &token).await, "nobody had taken it back yet");
    admin.post(&format!("{account}/disable"), json!({})).await.expect(200);
    site.harness.clock.advance(MINUTE);
    site.settle().await;
    admin.post(&format!("{account}/enable"), json!({})).await.expect(200);
    assert!(!holds(&site, &token).await, "it was taken back");
    site.harness.clock.advance(MINUTE);
    site.settle().await;
    let next = self::token(&site, &id).await.expect("a workspace that runs on gets another");
    admin.delete(&format!("/api/workspaces/{id}")).await.expect(204);
    assert!(!holds(&site, &next).await);
    site.settle().await;
    assert!(site.harness.rows("SELECT id FROM machine_token").is_empty());
}

#[tokio::test]
async fn a_token_is_renewed_after_two_thirds_of_its_day_and_the_old_one_lasts_to_its_end() {
    let mut site = Site::listening().await;
    let (_, id, first) = one(&mut site).await;
    site.harness.clock.advance(15 * HOUR);
    site.settle().await;
    assert_eq!(token(&site, &id).await.as_ref(), Some(&first));
    site.harness.clock.advance(2 * HOUR);
    site.settle().await;
    let second = token(&site, &id).await.unwrap();
    assert_ne!(second, first);
    assert!(holds(&site, &first).await && holds(&site, &second).await);
    site.harness.clock.advance(8 * HOUR);
    assert!(!holds(&site, &first).await && holds(&site, &second).await);
    site.harness.clock.advance(2 * DAY);
    site.settle().await;
    assert_eq!(site.harness.rows("SELECT id FROM machine_token").len(), 1, "what is past its end is forgotten");
}

#[tokio::test]
async fn new_keys_after_a_compromise_end_every_token_at_once() {
    let mut site = Site::listening().await;
    let (_, id, old) = one(&mut site).await;
    site.harness.shell().post("/control/keys/rotate", json!({ "compromised": true })).await.expect(200);
    assert!(!holds(&site, &old).await);
    site.harness.clock.advance(MINUTE);
    site.settle().await;
    let new = token(&site, &id).await.unwrap();
    assert!(holds(&site, &new).await);
    assert_eq!(site.harness.audit("revoke_machine_token").len(), 1);
}

#[tokio::test]
async fn machine_routes_take_machine_tokens_only_and_machine_tokens_open_nothing_else() {
    let mut site = Site::listening().await;
    let (owner, id, token) = one(&mut site).await;
    for who in [owner.clone(), owner.by_token(), site.harness.admin(), site.harness.shell(), site.harness.anonymous()] {
        assert_eq!(who.get("/api/machine/status").await.status, 401);
        assert_eq!(who.post("/api/machine/activity", json!({})).await.status, 401);
    }
    let machine = site.harness.anonymous().with_bearer(&token);
    for path in ["/api/workspaces", &format!("/api/workspaces/{id}"), "/api/auth/me", "/api/groups", "/api/events"] {
        assert_eq!(machine.get(path).await.status, 401, "{path}");
    }
    assert_eq!(machine.post(&format!("/api/workspaces/{id}/actions"), json!({ "type": "stop" })).await.status, 401);
    // Not in the address either, where it would end up in logs.
    assert_eq!(site.harness.anonymous().get(&format!("/api/machine/status?token={token}")).await.status, 401);
    for forged in [token[..token.len() - 4].to_owned(), format!("{token}AAAA"), token.replacen('.', "..", 1)] {
        assert_eq!(asked(&site, &forged).await.status, 401);
    }
}

#[tokio::test]
async fn only_the_owner_sees_the_token_and_only_while_it_runs() {
    let mut site = Site::listening().await;
    let (owner, id, token) = one(&mut site).await;
    let runtime = |view: &Value| view["runtime"].clone();
    assert_eq!(runtime(&site.look(&owner, &id).await)["machineToken"], json!(token));
    let lead = site.harness.group_admin("team");
    for who in [&lead, &site.harness.admin()] {
        let seen = site.look(who, &id).await;
        assert!(seen["runtime"].is_object() && seen["runtime"]["machineToken"].is_null(), "{seen}");
    }
    assert!(!owner.get("/api/workspaces").await.expect(200).text.contains(&token), "lists are no place for tokens");
    site.act(&owner, &id, "stop").await.expect(200);
    assert!(runtime(&site.look(&owner, &id).await).is_null());
}

/// A request as `curl` inside the workspace makes it.
async fn curl(port: u16, token: &str, line: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!("{line} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[actix_web::test]
async fn from_inside_only_the_token_of_that_run_will_do() {
    use codex_web::agent::machine::{Environment, api, follow};
    use codex_web::gateway::uplink::{Services, keeper::Keeper, tokens::Tokens};
    let mut site = Site::listening().await;
    let (_, id, token) = one(&mut site).await;
    let other_owner = site.harness.member("team");
    let other = site.running(&other_owner, "team", "theirs").await;
    let others = self::token(&site, &other).await.unwrap();
    let app = &site.harness.app;
    let services = Services::default()
        .below("/api/machine/", codex_web::app::machine::start(std::sync::Arc::clone(app)))
        .below("/machine/", Tokens::new(app.gateway.clone()));
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    tokio::spawn(Keeper::new(app.gateway.clone(), services).run(stopped));
    let agent = site.harness.cluster.agent(&WorkspaceId::parse(&id).unwrap()).unwrap();
    let listener = api::listen(0).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(api::serve(listener, agent.uplink().clone()));
    let answer = curl(port, &token, "GET /api/machine/status").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(&id), "{answer}");
    assert!(curl(port, &token, "GET /api/machine/logs?lines=3").await.contains("The workspace is ready."));
    assert!(holds(&site, &others).await);
    assert!(curl(port, &others, "GET /api/machine/status").await.starts_with("HTTP/1.1 401"), "the token of another workspace");
    assert!(curl(port, "nonsense", "GET /api/machine/status").await.starts_with("HTTP/1.1 401"));
    for path in ["/api/workspaces", "/api/machine/../workspaces", "/api/machine/%2e%2e/workspaces", "/", "/machine/token"] {
        assert!(curl(port, &token, &format!("GET {path}")).await.starts_with("HTTP/1.1 404"), "{path}");
    }
    let dir = tempfile::tempdir().unwrap();
    let (folder, environment) = (dir.path().join("codex-web"), Environment::default());
    tokio::spawn(follow(agent.uplink().clone(), folder.clone(), environment.clone()));
    let kept = folder.join("machine-token");
    let begun = std::time::Instant::now();
    while !std::fs::read_to_string(&kept).is_ok_and(|text| text == token) {
        assert!(begun.elapsed().as_secs() < 10, "the token never came");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    site.harness.clock.advance(17 * HOUR);
    site.settle().await;
    let renewed = self::token(&site, &id).await.unwrap();
    while !std::fs::read_to_string(&kept).is_ok_and(|text| text == renewed) {
        assert!(begun.elapsed().as_secs() < 20, "the renewed token never came");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
