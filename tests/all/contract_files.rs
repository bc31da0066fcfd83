//! Files through the walls of the local runtime, in both tiers: whose they are, what cannot be reached, and what a
//! sudden end leaves.
#![allow(clippy::print_stderr)] // what is skipped is said

use crate::contract::{reference, spec, start, ticket_for};
use crate::contract_local::{Host, in_both_tiers, is_root};
use bytes::Bytes;
use codex_web::cluster::local::Tier;
use codex_web::cluster::{ClusterControl, ClusterView, Size, WorkspaceSpec};
use codex_web::token::ticket::Scope;
use futures_util::StreamExt;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper::header::{AUTHORIZATION, HOST};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::time::Duration;

in_both_tiers! {
    files_belong_to_the_workspace_and_nothing_else_is_reached
    only_a_ticket_for_files_opens_them
    a_file_past_the_limit_is_an_error_and_not_the_end_of_the_workspace
    an_agent_that_is_killed_leaves_the_old_file_or_the_new_one
}

type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, std::io::Error>;

fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// One exchange with the agent; nothing where the connection broke.
async fn ask(host: &Host, spec: &WorkspaceSpec, scope: Scope, method: &str, path: &str, body: Body) -> Option<(u16, Bytes)> {
    let stream = host.cluster.connect(&reference(spec)).await.ok()?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(connection);
    let ticket = format!("Bearer {}", ticket_for(&spec.id, spec.run, &[scope]));
    let request = hyper::Request::builder().method(method).uri(format!("/v1/files/{path}"));
    let request = request.header(HOST, "agent").header(AUTHORIZATION, ticket).body(body).unwrap();
    let answer = sender.send_request(request).await.ok()?;
    let status = answer.status().as_u16();
    Some((status, answer.into_body().collect().await.ok()?.to_bytes()))
}

async fn files(host: &Host, spec: &WorkspaceSpec, method: &str, path: &str, body: &str) -> (u16, String) {
    let (status, bytes) = ask(host, spec, Scope::Files, method, path, whole(body.to_owned())).await.unwrap();
    (status, String::from_utf8_lossy(&bytes).into_owned())
}

async fn files_belong_to_the_workspace_and_nothing_else_is_reached(host: Host) {
    let (mine, theirs) = (spec(&["sh"]), spec(&["sh"]));
    start(host.cluster(), &mine).await;
    start(host.cluster(), &theirs).await;
    fs::write(host.home(&theirs).join("secret"), b"treasure").unwrap();
    let database = host.folder.path().join("codex-web.db");
    fs::write(&database, b"treasure").unwrap();
    let home = host.home(&mine);

    assert_eq!(files(&host, &mine, "POST", "a/b", &json!({"type": "directory"}).to_string()).await.0, 200);
    let (status, text) = files(&host, &mine, "PUT", "a/b/caf%E9", "mine").await;
    assert_eq!(status, 200, "{text}");
    assert_eq!(files(&host, &mine, "GET", "a/b/caf%E9", "").await, (200, "mine".to_owned()));
    let list: Value = serde_json::from_str(&files(&host, &mine, "GET", "a/b?list=1", "").await.1).unwrap();
    assert_eq!(list["entries"][0]["name"], "caf%E9");
    if is_root() {
        for path in [home.join("a"), home.join("a/b")] {
            assert_eq!(fs::metadata(path).unwrap().uid(), mine.local_uid);
        }
    }
    symlink(host.home(&theirs), home.join("neighbour")).unwrap();
    symlink(&database, home.join("database")).unwrap();
    symlink("../../../codex-web.db", home.join("up")).unwrap();
    symlink("/proc/self/root", home.join("root")).unwrap();
    symlink("/proc/1/environ", home.join("environ")).unwrap();
    for path in ["neighbour/secret", "database", "up", "root/etc/passwd", "environ", "neighbour?list=1", "root?archive=zip"] {
        let (status, text) = files(&host, &mine, "GET", path, "").await;
        assert!(status == 409 && text.contains("\"outside\""), "{path}: {status} {text}");
    }
    for (method, path) in [("PUT", "neighbour/secret"), ("PUT", "database"), ("DELETE", "neighbour/secret"), ("PUT", "root/tmp/x")] {
        assert_eq!(files(&host, &mine, method, path, "x").await.0, 409, "{method} {path}");
    }
    let (status, text) =
        files(&host, &mine, "POST", "a", &json!({"type": "move", "to": "neighbour/a", "overwrite": true}).to_string()).await;
    assert_eq!(status, 409, "{text}");
    for path in ["..", "%2e%2e/x", "a/%2e%2e", "a%2fb", "%00"] {
        assert_eq!(files(&host, &mine, "GET", path, "").await.0, 400, "{path}");
    }
    assert_eq!(files(&host, &mine, "DELETE", "neighbour", "").await.0, 200, "the link itself is the workspace's own");
    assert_eq!(
        (fs::read(&database).unwrap(), fs::read(host.home(&theirs).join("secret")).unwrap()),
        (b"treasure".to_vec(), b"treasure".to_vec())
    );
    host.cluster.shut_down().await;
}

async fn only_a_ticket_for_files_opens_them(host: Host) {
    let spec = spec(&["sh"]);
    start(host.cluster(), &spec).await;
    for scope in [Scope::Term, Scope::Admin, Scope::App, Scope::Port, Scope::Up] {
        let (status, _) = ask(&host, &spec, scope, "GET", "?list=1", whole("")).await.unwrap();
        assert_eq!(status, 403, "{scope:?}");
    }
    assert_eq!(files(&host, &spec, "GET", "?list=1", "").await.0, 200);
    host.cluster.shut_down().await;
}

async fn a_file_past_the_limit_is_an_error_and_not_the_end_of_the_workspace(host: Host) {
    let small = Size { disk_bytes: 4 << 20, ..spec(&["sh"]).size };
    let spec = WorkspaceSpec { size: small, ..spec(&["sh"]) };
    start(host.cluster(), &spec).await;
    assert_eq!(files(&host, &spec, "PUT", "notes", "old").await.0, 200);
    // Nobody says here how much room there is: the kernel's own limit ends it.
    let piece = Bytes::from(vec![7; 1 << 20]);
    let long = futures_util::stream::iter(0..8).map(move |_| Ok(Frame::data(piece.clone())));
    let answer = ask(&host, &spec, Scope::Files, "PUT", "notes", StreamBody::new(long).boxed_unsync()).await;
    // The agent may hang up on what it does not want to read.
    if let Some((status, text)) = answer {
        assert!(status == 409 && String::from_utf8_lossy(&text).contains("no_room"), "{status} {text:?}");
    }
    assert_eq!(files(&host, &spec, "GET", "notes", "").await, (200, "old".to_owned()));
    let left: Vec<_> = fs::read_dir(host.home(&spec)).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("codex-upload")), "{left:?}");
    host.cluster.shut_down().await;
}

async fn an_agent_that_is_killed_leaves_the_old_file_or_the_new_one(host: Host) {
    if !is_root() {
        return eprintln!("SKIPPED: the agent is found by the workspace's uid, which needs root");
    }
    let mut spec = spec(&["sh"]);
    start(host.cluster(), &spec).await;
    let file = host.home(&spec).join("state");
    let mut sizes = std::collections::BTreeSet::new();
    for round in 0..6_u8 {
        assert_eq!(ask(&host, &spec, Scope::Files, "PUT", "state", whole(vec![b'a'; LENGTH])).await.unwrap().0, 200);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let piece = Bytes::from(vec![b'b'; LENGTH / 12]);
        let pieces = futures_util::stream::iter(0..12).then(move |_| {
            let piece = piece.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(5)).await;
                Ok(Frame::data(piece))
            }
        });
        let writing = ask(&host, &spec, Scope::Files, "PUT", "state", StreamBody::new(pieces).boxed_unsync());
        let killing = async {
            tokio::time::sleep(Duration::from_millis(8 + 14 * u64::from(round))).await;
            kill_agent_of(spec.local_uid);
        };
        tokio::join!(writing, killing);
        let bytes = fs::read(&file).unwrap();
        assert_eq!(bytes.len(), LENGTH, "round {round}");
        assert!(bytes.iter().all(|b| *b == bytes[0]) && [b'a', b'b'].contains(&bytes[0]), "round {round}: neither the old nor the new");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        sizes.insert(bytes[0]);
        crate::contract::observed(host.cluster(), &spec, |w| w.is_some_and(|w| w.phase == codex_web::cluster::Phase::Failed)).await;
        spec.run += 1;
        start(host.cluster(), &spec).await;
        assert_eq!(files(&host, &spec, "GET", "?list=1", "").await.0, 200, "it comes back");
    }
    assert!(sizes.contains(&b'a'), "no write was ever caught in the middle");
    host.cluster.shut_down().await;
}

/// How long the file of that test is, in bytes.
const LENGTH: usize = 3 << 20;

/// Ends the agent of a workspace: the oldest of its processes that runs our program.
fn kill_agent_of(uid: u32) {
    let processes = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let status = fs::read_to_string(entry.path().join("status")).ok()?;
        let own = status.lines().any(|l| l.starts_with("Uid:") && l.split_whitespace().nth(1) == Some(&uid.to_string()));
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        (own && status.starts_with("Name:\tcodex-web")).then_some(pid)
    });
    for pid in processes.filter_map(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}
