//! The way out of a workspace: requests and tunnels over the connection that the server keeps to each agent, and how
//! fast it ends when the right to it does.

use super::harness::Client;
use super::site::Site;
use bytes::Bytes;
use codex_web::agent::Agent;
use codex_web::agent::uplink::{ConnectError, Uplink};
use codex_web::domain::id::WorkspaceId;
use codex_web::gateway::uplink::keeper::Keeper;
use codex_web::gateway::uplink::{Body, Carry, Peer, Service, Services, Tunnels, answer, refuse};
use futures_util::future::BoxFuture;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What one tunnel carries while the others are stuck, in bytes.
const ALL: usize = 32 * 1024 * 1024;

/// Says who asked for what.
struct Mirror;

impl Service for Mirror {
    fn call(&self, peer: Arc<Peer>, request: Request<Incoming>) -> BoxFuture<'static, Response<Body>> {
        let path = request.uri().path().to_owned();
        Box::pin(async move {
            assert_ne!(path, "/mirror/panic", "asked to");
            answer(StatusCode::OK, &json!({ "workspace": peer.workspace, "owner": peer.owner, "run": peer.run, "path": path }))
        })
    }
}

/// Sends back what comes, but to one target that is refused, and from one that is never read.
struct Echo;

impl Tunnels for Echo {
    fn open(&self, _: Arc<Peer>, target: String) -> BoxFuture<'static, Result<Carry, Response<Body>>> {
        Box::pin(async move {
            let carry: Carry = match target.as_str() {
                "refused:80" => return Err(refuse(StatusCode::FORBIDDEN, "denied", "Not there.")),
                "deaf:80" => Box::new(|tunnel| {
                    Box::pin(async move {
                        std::future::pending::<()>().await;
                        drop(tunnel);
                    })
                }),
                _ => Box::new(|tunnel| {
                    Box::pin(async move {
                        let (mut read, mut write) = tokio::io::split(tunnel);
                        let _ = tokio::io::copy(&mut read, &mut write).await;
                        let _ = write.shutdown().await;
                    })
                }),
            };
            Ok(carry)
        })
    }
}

struct Kept {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

fn keep(site: &Site) -> Kept {
    let services = Services::default().below("/mirror/", Arc::new(Mirror)).tunnels(Arc::new(Echo));
    let (stop, stopped) = watch::channel(false);
    let keeper = Keeper::new(site.harness.app.gateway.clone(), services);
    Kept { stop, task: tokio::spawn(keeper.run(stopped)) }
}

fn agent(site: &Site, id: &str) -> Arc<Agent> {
    site.harness.cluster.agent(&WorkspaceId::parse(id).unwrap()).expect("it does not run")
}

async fn ask(uplink: &Uplink, path: &str) -> std::io::Result<(u16, Value)> {
    let request = Request::builder().uri(path).body(codex_web::agent::http::body(Bytes::new())).unwrap();
    let response = uplink.request(request).await?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.map_err(std::io::Error::other)?.to_bytes();
    Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
}

/// Waits until the server is connected, or is not; how long it took.
async fn until(uplink: &Uplink, connected: bool) -> Duration {
    let begun = Instant::now();
    while uplink.is_connected() != connected {
        assert!(begun.elapsed() < Duration::from_secs(10), "still {} after ten seconds", !connected);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    begun.elapsed()
}

async fn one(site: &mut Site) -> (Client, String) {
    let owner = site.harness.member("team");
    let id = site.running(&owner, "team", "mine").await;
    (owner, id)
}

#[tokio::test]
async fn a_workspace_asks_the_server_and_the_connection_says_who_asks() {
    let mut site = Site::listening().await;
    let _kept = keep(&site);
    let (owner, id) = one(&mut site).await;
    let other_owner = site.harness.member("team");
    let other = site.running(&other_owner, "team", "theirs").await;
    for (owner, id) in [(&owner, &id), (&other_owner, &other)] {
        let (status, said) = ask(agent(&site, id).uplink(), "/mirror/me").await.unwrap();
        assert_eq!(status, 200);
        assert_eq!((said["workspace"].as_str(), said["owner"].as_str()), (Some(id.as_str()), Some(owner.user_id().as_str())));
    }
}

#[tokio::test]
async fn what_no_service_answers_is_not_found_and_a_service_that_panics_fails_alone() {
    let mut site = Site::listening().await;
    let _kept = keep(&site);
    let (_, id) = one(&mut site).await;
    let agent = agent(&site, &id);
    for path in ["/", "/api/users", "/mirror", "/mirror/%2e%2e/x", "/mirror/../x", "//mirror/x"] {
        let (status, said) = ask(agent.uplink(), path).await.unwrap();
        assert_eq!((status, said["code"].as_str()), (404, Some("not_found")), "{path}");
    }
    assert_eq!(ask(agent.uplink(), "/mirror/panic").await.unwrap().0, 500);
    assert_eq!(ask(agent.uplink(), "/mirror/x").await.unwrap().0, 200);
}

#[tokio::test]
async fn a_tunnel_carries_both_ways_and_a_refusal_says_why() {
    let mut site = Site::listening().await;
    let _kept = keep(&site);
    let (_, id) = one(&mut site).await;
    let agent = agent(&site, &id);
    let mut tunnel = agent.uplink().connect("example.org:443").await.unwrap();
    tunnel.write_all(b"hello").await.unwrap();
    tunnel.shutdown().await.unwrap();
    let mut heard = String::new();
    tunnel.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "hello");
    let refused = agent.uplink().connect("refused:80").await;
    let Err(ConnectError::Refused { status, body }) = refused else { panic!("{:?}", refused.err()) };
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(String::from_utf8_lossy(&body).contains("Not there."));
    assert!(matches!(agent.uplink().connect("not a target").await, Err(ConnectError::Broken(_))));
}

#[tokio::test]
async fn tunnels_that_nobody_reads_do_not_hold_up_the_others() {
    let mut site = Site::listening().await;
    let _kept = keep(&site);
    let (_, id) = one(&mut site).await;
    let agent = agent(&site, &id);
    let mut deaf = Vec::new();
    for _ in 0..8 {
        let mut tunnel = agent.uplink().connect("deaf:80").await.unwrap();
        let chunk = vec![1_u8; 64 * 1024];
        // Written until the window is full and nothing moves any more.
        while tokio::time::timeout(Duration::from_millis(200), tunnel.write_all(&chunk)).await.is_ok() {}
        deaf.push(tunnel);
    }
    let tunnel = agent.uplink().connect("example.org:443").await.unwrap();
    let (mut read, mut write) = tokio::io::split(tunnel);
    let sending = tokio::spawn(async move {
        let chunk = vec![7_u8; 64 * 1024];
        for _ in 0..ALL / chunk.len() {
            write.write_all(&chunk).await.unwrap();
        }
        write.shutdown().await.unwrap();
    });
    let (mut seen, mut buffer) = (0, vec![0_u8; 64 * 1024]);
    loop {
        let n = tokio::time::timeout(Duration::from_secs(5), read.read(&mut buffer)).await.expect("it stands still").unwrap();
        if n == 0 {
            break;
        }
        assert!(buffer[..n].iter().all(|b| *b == 7));
        seen += n;
    }
    sending.await.unwrap();
    assert_eq!(seen, ALL);
    assert_eq!(ask(agent.uplink(), "/mirror/x").await.unwrap().0, 200);
}

#[tokio::test]
async fn a_stop_ends_the_connection_and_its_tunnels_within_a_second() {
    let mut site = Site::listening().await;
    let _kept = keep(&site);
    let (owner, id) = one(&mut site).await;
    let agent = agent(&site, &id);
    let mut tunnel = agent.uplink().connect("example.org:443").await.unwrap();
    site.act(&owner, &id, "stop").await.expect(200);
    assert!(until(agent.uplink(), false).await < Duration::from_secs(1));
    let ended = tokio::time::timeout(Duration::from_secs(1), tunnel.read(&mut [0_u8; 8])).await.expect("the tunnel still stands");
    assert!(matches!(ended, Err(_) | Ok(0)));
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(!agent.uplink().is_connected(), "it came back");
}

#[tokio::test]
async fn an_owner_who_is_disabled_loses_the_connection_and_gets_it_back_with_the_account() {
    let mut site = Site::listening().await;
    let _kept = keep(&site);
    let (owner, id) = one(&mut site).await;
    let (agent, admin) = (agent(&site, &id), site.harness.admin());
    until(agent.uplink(), true).await;
    let account = format!("/api/admin/users/{}", owner.user_id());
    admin.post(&format!("{account}/disable"), json!({})).await.expect(200);
    assert!(until(agent.uplink(), false).await < Duration::from_secs(1));
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(!agent.uplink().is_connected(), "it came back");
    admin.post(&format!("{account}/enable"), json!({})).await.expect(200);
    until(agent.uplink(), true).await;
}

#[tokio::test]
async fn signing_out_leaves_what_the_workspace_does_alone() {
    let mut site = Site::listening().await;
    let _kept = keep(&site);
    let (owner, id) = one(&mut site).await;
    let agent = agent(&site, &id);
    let mut tunnel = agent.uplink().connect("example.org:443").await.unwrap();
    owner.post("/api/auth/logout?everywhere=true", json!({})).await.expect(204);
    tokio::time::sleep(Duration::from_millis(300)).await;
    tunnel.write_all(b"still here").await.unwrap();
    let mut heard = [0_u8; 10];
    tunnel.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"still here");
    // And the next cut finds it all the same.
    site.harness.admin().post(&format!("/api/admin/users/{}/disable", owner.user_id()), json!({})).await.expect(200);
    assert!(until(agent.uplink(), false).await < Duration::from_secs(1));
}

#[tokio::test]
async fn a_server_that_comes_back_finds_its_workspaces_again() {
    let mut site = Site::listening().await;
    let kept = keep(&site);
    let (_, id) = one(&mut site).await;
    let agent = agent(&site, &id);
    until(agent.uplink(), true).await;
    kept.stop.send_replace(true);
    kept.task.await.unwrap();
    until(agent.uplink(), false).await;
    let waiting = tokio::spawn({
        let uplink = agent.uplink().clone();
        async move { ask(&uplink, "/mirror/x").await }
    });
    let _kept = keep(&site);
    assert_eq!(waiting.await.unwrap().unwrap().0, 200, "who asks meanwhile waits for it");
}

#[tokio::test]
async fn a_restart_gives_the_new_run_a_connection_of_its_own() {
    let mut site = Site::listening().await;
    let _kept = keep(&site);
    let (owner, id) = one(&mut site).await;
    let old = agent(&site, &id);
    until(old.uplink(), true).await;
    site.act(&owner, &id, "restart").await.expect(200);
    assert!(until(old.uplink(), false).await < Duration::from_secs(1));
    site.settle().await;
    let new = agent(&site, &id);
    until(new.uplink(), true).await;
    assert!(!old.uplink().is_connected());
    assert_eq!(ask(new.uplink(), "/mirror/x").await.unwrap().1["run"], 2);
}
