//! Terminals over real sockets: who gets in, how, and how fast a connection ends when the right to it does.

use super::harness::Client;
use super::site::Site;
use codex_web::clock::{Clock, MINUTE, SECOND, SystemEntropy};
use codex_web::cluster::agent_client::{self, AgentError};
use codex_web::cluster::{ClusterView, WorkspaceRef};
use codex_web::domain::id::WorkspaceId;
use codex_web::events::{Cut, CutReason};
use codex_web::gateway::rekey;
use codex_web::token::ticket::{Scope, Wanted};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

type Socket = WebSocketStream<TcpStream>;

/// As our own page opens it.
fn page(site: &Site, who: &Client) -> Client {
    who.with_header("origin", &site.harness.app.transport.public_url.to_string())
}

async fn open(site: &Site, who: &Client, path: &str) -> Result<Socket, u16> {
    site.harness.wire().socket(who, path).await
}

/// The next text message.
async fn told(socket: &mut Socket) -> Value {
    let next = async {
        while let Some(message) = socket.next().await {
            if let Message::Text(text) = message.unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
        json!({ "t": "closed" })
    };
    tokio::time::timeout(Duration::from_secs(5), next).await.expect("nothing was told for five seconds")
}

/// Types something and reads it back.
async fn echo(socket: &mut Socket, text: &str) {
    socket.send(Message::Binary(text.as_bytes().to_vec().into())).await.unwrap();
    let mut seen = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&seen).contains(text) {
            if let Some(Ok(Message::Binary(bytes))) = socket.next().await {
                seen.extend_from_slice(&bytes);
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), read).await.expect("it does not echo");
}

async fn ticket(who: &Client, id: &str, reason: Option<&str>) -> String {
    let body = json!({ "for": "terminal", "reason": reason });
    who.post(&format!("/api/workspaces/{id}/tickets"), body).await.expect(201).json["ticket"].as_str().unwrap().to_owned()
}

async fn show(socket: &mut Socket, ticket: &str) {
    socket.send(Message::Text(json!({ "t": "auth", "ticket": ticket }).to_string().into())).await.unwrap();
}

#[tokio::test]
async fn the_owner_types_and_reads_and_others_do_not_get_in() {
    let mut site = Site::listening().await;
    let (anna, lead, ben) = (site.harness.member("team"), site.harness.group_admin("team"), site.harness.member("team"));
    let id = site.running(&anna, "team", "mine").await;
    let path = format!("/api/workspaces/{id}/terminal?session=main&since=0");

    let mut socket = open(&site, &page(&site, &anna), &path).await.unwrap();
    let hello = told(&mut socket).await;
    assert_eq!((&hello["t"], &hello["session"]), (&json!("hello"), &json!("main")));
    echo(&mut socket, "hello terminal").await;
    let mut by_token = open(&site, &anna.by_token(), &path).await.unwrap();
    assert_eq!(told(&mut by_token).await["t"], "hello");
    assert!(site.harness.audit("open_terminal").is_empty(), "the owner comes and goes unrecorded");
    assert_eq!(site.harness.rows("SELECT count(*) AS n FROM workspace_activity")[0]["n"], 1);

    for (who, status) in [(page(&site, &lead), 403), (page(&site, &ben), 404), (page(&site, &site.harness.admin()), 403)] {
        assert_eq!(open(&site, &who, &path).await.err(), Some(status));
    }
    let foreign = anna.with_header("origin", "http://evil.example");
    for who in [&anna, &foreign, &foreign.by_token()] {
        assert_eq!(open(&site, who, &path).await.err(), Some(403), "another origin, or none with a cookie");
    }
    assert_eq!(open(&site, &page(&site, &anna), &path.replace("main", "Main!")).await.err(), Some(400));

    let list = anna.get(&format!("/api/workspaces/{id}/terminals")).await.expect(200).json;
    assert_eq!((&list[0]["session"], &list[0]["attached"]), (&json!("main"), &json!(2)));
    anna.delete(&format!("/api/workspaces/{id}/terminals/none")).await.expect(404);
    // Somebody it is shared with ends one of them: written down, and the owner told.
    let ben = site.harness.member("team");
    site.harness.execute(&format!(
        "INSERT INTO share (holder_kind, holder_id, object_kind, object_id, level, granted_at) VALUES ('user', '{}', 'workspace', '{id}', 'use', 0)",
        ben.user_id()
    ));
    let mut other = open(&site, &page(&site, &anna), &path.replace("main", "other")).await.unwrap();
    assert_eq!(told(&mut other).await["t"], "hello");
    let ended = || site.harness.audit("open_terminal").iter().filter(|e| e["details"]["ended"] == "other").count();
    ben.delete(&format!("/api/workspaces/{id}/terminals/none")).await.expect(404);
    assert_eq!(ended(), 0);
    ben.delete(&format!("/api/workspaces/{id}/terminals/other")).await.expect(204);
    assert_eq!(ended(), 1);
    let told_owner = anna.get("/api/notices").await.expect(200).text;
    assert!(told_owner.contains("ended a terminal of your workspace mine"), "{told_owner}");
    anna.delete(&format!("/api/workspaces/{id}/terminals/main")).await.expect(204);
    assert_eq!(told(&mut socket).await["t"], "exit");
}

#[tokio::test]
async fn a_ticket_opens_one_socket_of_one_workspace_within_half_a_minute() {
    let mut site = Site::listening().await;
    let anna = site.harness.member("team");
    let id = site.running(&anna, "team", "mine").await;
    let other = site.running(&anna, "team", "other").await;
    let nobody = site.harness.anonymous();
    let path = |id: &str| format!("/api/workspaces/{id}/terminal?session=main");

    let good = ticket(&anna, &id, None).await;
    let mut socket = open(&site, &nobody, &path(&id)).await.unwrap();
    show(&mut socket, &good).await;
    assert_eq!(told(&mut socket).await["t"], "hello");
    echo(&mut socket, "by ticket").await;

    let late = ticket(&anna, &id, None).await;
    let elsewhere = ticket(&anna, &other, None).await;
    for (shown, wait, code) in [
        (good, 0, "signed_out"),
        (elsewhere, 0, "signed_out"),
        ("cxc_nonsense".to_owned(), 0, "signed_out"),
        (late, 31 * SECOND, "signed_out"),
    ] {
        site.harness.clock.advance(wait);
        let mut socket = open(&site, &nobody, &path(&id)).await.unwrap();
        show(&mut socket, &shown).await;
        let bye = told(&mut socket).await;
        assert_eq!((&bye["t"], &bye["code"]), (&json!("bye"), &json!(code)));
    }
    let mut silent = open(&site, &nobody, &path(&id)).await.unwrap();
    silent.send(Message::Text("{\"t\":\"resize\",\"cols\":1,\"rows\":1}".into())).await.unwrap();
    assert_eq!(told(&mut silent).await["code"], "signed_out");
}

#[tokio::test]
async fn breaking_glass_takes_a_written_reason_and_the_owner_is_told() {
    let mut site = Site::listening().await;
    let (anna, admin, lead) = (site.harness.member("team"), site.harness.admin(), site.harness.group_admin("team"));
    let id = site.running(&anna, "team", "mine").await;
    let view = site.look(&admin, &id).await;
    assert_eq!(view["can"]["open_terminal"]["code"], "REASON_REQUIRED");
    assert_eq!(site.look(&lead, &id).await["can"]["open_terminal"]["code"], "AUTHORIZATION_ERROR");
    let tickets = format!("/api/workspaces/{id}/tickets");
    assert_eq!(admin.post(&tickets, json!({ "for": "terminal" })).await.status, 403);
    assert_eq!(lead.post(&tickets, json!({ "for": "terminal", "reason": "curious" })).await.status, 403);

    let good = ticket(&admin, &id, Some("a runaway job, ticket 4711")).await;
    let path = format!("/api/workspaces/{id}/terminal?session=rescue&auth=ticket");
    let mut socket = open(&site, &page(&site, &admin), &path).await.unwrap();
    show(&mut socket, &good).await;
    assert_eq!(told(&mut socket).await["t"], "hello");
    let entries: Vec<Value> = site.harness.audit("open_terminal").into_iter().filter(|e| e["success"] == 1).collect();
    assert_eq!((entries.len(), &entries[0]["details"]["breakGlass"]), (1, &json!(true)));
    let notice = &site.harness.rows("SELECT user_id, message FROM inbox")[0];
    assert_eq!(notice["user_id"], anna.user_id().as_str());
    assert!(notice["message"].as_str().unwrap().contains("ticket 4711"));
}

#[tokio::test]
async fn a_connection_ends_within_a_second_when_its_right_does() {
    let mut site = Site::listening().await;
    let anna = site.harness.member("team");
    let id = site.running(&anna, "team", "mine").await;
    let path = format!("/api/workspaces/{id}/terminal?session=main");
    let cuts = [
        (Cut::User(anna.user_id().clone()), CutReason::Revoked, "revoked"),
        (Cut::Session(anna.session_id().clone()), CutReason::SignedOut, "signed_out"),
        (Cut::UserInGroup(anna.user_id().clone(), site.harness.group("team")), CutReason::Revoked, "revoked"),
        (Cut::All, CutReason::Restarting, "restart"),
    ];
    for (cut, reason, code) in cuts {
        let mut socket = open(&site, &page(&site, &anna), &path).await.unwrap();
        assert_eq!(told(&mut socket).await["t"], "hello");
        let started = std::time::Instant::now();
        site.harness.app.ops.bus.cut(&cut, reason);
        let bye = told(&mut socket).await;
        assert_eq!((&bye["t"], &bye["code"]), (&json!("bye"), &json!(code)), "{cut:?}");
        assert!(started.elapsed() < Duration::from_secs(1));
    }
    let cookie = open(&site, &page(&site, &anna), &path).await.unwrap();
    let bearer = open(&site, &anna.by_token(), &path).await.unwrap();
    let (admin, user) = (site.harness.admin(), format!("/api/admin/users/{}", anna.user_id()));
    let (mut open_ones, page_of_hers) = ([cookie, bearer], page(&site, &anna));
    for socket in &mut open_ones {
        assert_eq!(told(socket).await["t"], "hello");
    }
    let started = std::time::Instant::now();
    admin.post(&format!("{user}/disable"), json!({ "reason": "left" })).await.expect(200);
    for socket in &mut open_ones {
        let bye = told(socket).await;
        assert_eq!((&bye["t"], &bye["code"]), (&json!("bye"), &json!("revoked")), "who is disabled is out");
    }
    assert!(started.elapsed() < Duration::from_secs(1));
    assert_eq!(open(&site, &page_of_hers, &path).await.err(), Some(401));
    admin.post(&format!("{user}/enable"), json!({})).await.expect(200);
    let anna = site.harness.signed_in(anna.user_id());
    for (action, code) in [("restart", "restart"), ("stop", "stopped")] {
        let mut socket = open(&site, &page(&site, &anna), &path).await.unwrap();
        assert_eq!(told(&mut socket).await["t"], "hello");
        site.act(&anna, &id, action).await.expect(200);
        assert_eq!(told(&mut socket).await["code"], code);
        site.settle().await;
    }
    assert_eq!(open(&site, &page(&site, &anna), &path).await.err(), Some(409), "it is stopped");
    assert_eq!(anna.get(&format!("/api/workspaces/{id}/terminals")).await.expect(200).json, json!([]));
    let gone = tokio::time::timeout(Duration::from_secs(2), async {
        while site.harness.app.ops.bus.live_connections() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    gone.await.expect("every connection has left the register");
}

#[tokio::test]
async fn a_large_output_arrives_whole_and_use_is_written_once_a_minute() {
    let mut site = Site::listening().await;
    let anna = site.harness.member("team");
    let id = site.running(&anna, "team", "mine").await;
    let path = format!("/api/workspaces/{id}/terminal?session=main");
    let mut socket = open(&site, &page(&site, &anna), &path).await.unwrap();
    assert_eq!(told(&mut socket).await["t"], "hello");
    let line = "0123456789abcdef".repeat(2_000);
    for _ in 0..8 {
        echo(&mut socket, &line).await;
    }
    let before = site.harness.rows("SELECT last_accessed_at AS at FROM workspace_activity")[0]["at"].clone();
    site.harness.clock.advance(2 * MINUTE);
    let mut again = open(&site, &page(&site, &anna), &path).await.unwrap();
    assert_eq!(told(&mut again).await["t"], "hello");
    let after = site.harness.rows("SELECT last_accessed_at AS at FROM workspace_activity")[0]["at"].clone();
    assert!(after.as_i64().unwrap() - before.as_i64().unwrap() >= MINUTE);
}

#[tokio::test]
async fn running_workspaces_hear_of_new_keys_and_forget_the_old_ones() {
    let mut site = Site::listening().await;
    let anna = site.harness.member("team");
    let id = site.running(&anna, "team", "mine").await;
    let path = format!("/api/workspaces/{id}/terminal?session=main");
    let keys = &site.harness.app.keys;
    let old = keys.machine().borrow().clone().unwrap();
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let following = tokio::spawn(rekey::follow(site.harness.app.gateway.clone(), stopped));
    tokio::task::yield_now().await;
    site.harness.shell().post("/control/keys/rotate", json!({ "compromised": true })).await.expect(200);
    assert_ne!(keys.machine().borrow().as_ref().map(|k| k.trust.clone()), Some(old.trust.clone()));
    let opened = async {
        loop {
            if let Ok(mut socket) = open(&site, &page(&site, &anna), &path).await
                && told(&mut socket).await["t"] == "hello"
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), opened).await.expect("the agent does not know the new key");
    let place = WorkspaceRef { id: WorkspaceId::parse(&id).unwrap(), namespace: "codex-platform-team".to_owned(), run: 1 };
    let stream = site.harness.cluster.connect(&place).await.unwrap();
    let wanted = Wanted { workspace: &place.id, run: 1, actor: None, scope: &[Scope::Admin] };
    let ticket = old.signer.mint(&wanted, site.harness.clock.now(), &SystemEntropy).unwrap();
    let refused = agent_client::status(stream, &ticket).await;
    assert!(matches!(refused, Err(AgentError::Refused { status: 401, .. })), "{refused:?}");
    following.abort();
}
