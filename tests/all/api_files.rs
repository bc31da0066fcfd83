//! The files of a workspace through the API, with a real agent: what can be done, what is refused, and what ends it.

use super::harness::{Answer, Client};
use super::site::Site;
use bytes::Bytes;
use codex_web::clock::MINUTE;
use codex_web::domain::id::WorkspaceId;
use codex_web::events::{Cut, CutReason};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A running workspace of somebody.
struct Desk {
    site: Site,
    anna: Client,
    id: String,
}

impl Desk {
    async fn new() -> Self {
        let mut site = Site::listening().await;
        let anna = site.harness.member("team");
        let id = site.running(&anna, "team", "mine").await;
        Self { site, anna, id }
    }

    fn home(&self) -> PathBuf {
        self.site.harness.cluster.home(&WorkspaceId::parse(&self.id).unwrap())
    }

    fn at(&self, path: &str) -> String {
        format!("/api/workspaces/{}/files/{path}", self.id)
    }

    /// Over the wire, with these headers and this body.
    async fn send(&self, who: &Client, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let reply = self.raw(who, method, path, headers, body).await;
        let status = reply.status().as_u16();
        let headers = reply.headers().iter().map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned())).collect();
        let text = String::from_utf8_lossy(&reply.into_body().collect().await.unwrap().to_bytes()).into_owned();
        Answer { status, headers, json: serde_json::from_str(&text).unwrap_or(Value::Null), text }
    }

    async fn raw(
        &self,
        who: &Client,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> hyper::Response<hyper::body::Incoming> {
        let stream = TcpStream::connect(self.site.harness.wire().address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = hyper::Request::builder().method(method).uri(self.at(path));
        for (name, value) in who.headers() {
            request = request.header(name, value);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        sender.send_request(request.body(Full::<Bytes>::from(body.to_vec())).unwrap()).await.unwrap()
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(&self.anna, "GET", path, &[], b"").await
    }

    async fn put(&self, path: &str, body: &[u8]) -> Answer {
        self.send(&self.anna, "PUT", path, &[], body).await
    }

    async fn names(&self, path: &str) -> Vec<String> {
        let list = self.get(&format!("{path}?list=true")).await.expect(200).json;
        list["entries"].as_array().unwrap().iter().map(|e| e["name"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn a_file_is_written_listed_read_renamed_and_deleted() {
    let desk = Desk::new().await;
    desk.anna.post(&desk.at("docs/new"), json!({"type": "directory"})).await.expect(200);
    let written = desk.put("docs/a%20b.txt", b"hello").await.expect(200);
    assert_eq!(written.json, json!({"offset": 5, "done": true}));
    assert_eq!(fs::read(desk.home().join("docs/a b.txt")).unwrap(), b"hello");

    let list = desk.get("docs?list=true").await.expect(200).json;
    let shown: Vec<(&Value, &Value, &Value)> =
        list["entries"].as_array().unwrap().iter().map(|e| (&e["name"], &e["type"], &e["mode"])).collect();
    assert_eq!(shown, [(&json!("new"), &json!("directory"), &json!("0755")), (&json!("a b.txt"), &json!("file"), &json!("0644"))]);
    assert_eq!((&list["path"], &list["truncated"], &list["usedBytes"]), (&json!("docs"), &json!(false), &json!(4_096)));
    assert!(list["totalBytes"].as_i64().unwrap() > 1 << 30 && list["entries"][1]["modifiedAt"].as_str().unwrap().ends_with('Z'));

    let read = desk.get("docs/a%20b.txt").await.expect(200);
    assert_eq!((read.text.as_str(), read.header("content-length"), read.header("etag")), ("hello", Some("5"), written.header("etag")));
    let part = desk.send(&desk.anna, "GET", "docs/a%20b.txt", &[("range", "bytes=1-3")], b"").await.expect(206);
    assert_eq!((part.text.as_str(), part.header("content-range")), ("ell", Some("bytes 1-3/5")));
    let behind = desk.send(&desk.anna, "GET", "docs/a%20b.txt", &[("range", "bytes=9-")], b"").await.expect(416);
    assert_eq!((behind.code(), behind.header("content-range")), ("RANGE_NOT_SATISFIABLE", Some("bytes */5")));
    let head = desk.send(&desk.anna, "HEAD", "docs/a%20b.txt", &[], b"").await.expect(200);
    assert_eq!((head.text.as_str(), head.header("content-length")), ("", Some("5")));

    let moved = desk.anna.post(&desk.at("docs/a%20b.txt"), json!({"type": "move", "to": "docs/Zoë.txt"})).await.expect(200);
    assert_eq!(moved.json["name"], "Zoë.txt");
    desk.put("other", b"x").await.expect(200);
    let onto = json!({"type": "move", "to": "docs/Zoë.txt"});
    assert_eq!(desk.anna.post(&desk.at("other"), onto).await.expect(409).code(), "CONFLICT");
    desk.anna.post(&desk.at("other"), json!({"type": "move", "to": "docs/Zoë.txt", "overwrite": true})).await.expect(200);
    assert_eq!(desk.get("docs/Zo%C3%AB.txt").await.expect(200).text, "x");
    desk.anna.delete(&desk.at("docs")).await.expect(204);
    desk.anna.delete(&desk.at("docs")).await.expect(404);
    assert_eq!(desk.names("").await, Vec::<String>::new());
    for action in ["read_workspace_files", "write_workspace_files"] {
        assert!(desk.site.harness.audit(action).is_empty(), "the owner comes and goes unrecorded");
    }
}

#[tokio::test]
async fn what_a_workspace_holds_never_runs_on_our_origin() {
    let desk = Desk::new().await;
    fs::write(desk.home().join("evil.html"), "<script>alert(1)</script>").unwrap();
    fs::create_dir(desk.home().join("dir")).unwrap();
    for path in ["evil.html", "evil.html?download=true", "dir?archive=zip", "dir?archive=tar.gz"] {
        let answer = desk.get(path).await.expect(200);
        let content_type = answer.header("content-type").unwrap();
        assert!(["application/octet-stream", "application/zip", "application/gzip"].contains(&content_type), "{path}: {content_type}");
        assert_eq!(answer.all("content-security-policy"), ["default-src 'none'; sandbox; frame-ancestors 'none'"], "{path}");
        assert_eq!((answer.header("x-content-type-options"), answer.header("cache-control")), (Some("nosniff"), Some("no-store")));
        assert!(answer.header("content-disposition").unwrap().starts_with("attachment"), "{path}");
    }
    let named = desk.get("evil.html?download=true").await;
    assert_eq!(named.header("content-disposition"), Some("attachment; filename=\"evil.html\"; filename*=UTF-8''evil.html"));
}

#[tokio::test]
async fn names_that_are_no_text_survive_and_paths_that_lead_out_do_not() {
    let desk = Desk::new().await;
    desk.put("caf%E9/x", b"").await.expect(404);
    fs::create_dir(desk.home().join(std::ffi::OsStr::from_bytes(b"caf\xe9"))).unwrap();
    desk.put("caf%E9/%FF%0A", b"odd").await.expect(200);
    let list = desk.get("caf%E9?list=true").await.expect(200).json;
    let odd = &list["entries"][0];
    assert_eq!((&odd["encodedName"], &odd["name"]), (&json!("%FF%0A"), &json!("\u{fffd}\n")));
    desk.anna.post(&desk.at("caf%E9/%FF%0A"), json!({"type": "move", "encodedTo": "caf%E9/%FE"})).await.expect(200);
    assert_eq!(desk.get("caf%E9/%FE").await.expect(200).text, "odd");

    fs::write(desk.home().parent().unwrap().join("secret"), b"treasure").unwrap();
    symlink("../secret", desk.home().join("up")).unwrap();
    symlink("/etc", desk.home().join("etc")).unwrap();
    for path in ["..%2fsecret", "%2e%2e/secret", "..", "a/../../secret", "%2e%2e%2fsecret", "a//b", "x%00"] {
        let refused = desk.get(path).await.expect(400);
        assert_eq!(
            refused.fields(),
            ["path:invalid"].map(|f| if path.contains("%2f") || path == "x%00" { "path:characters" } else { f }),
            "{path}"
        );
    }
    desk.get("%252e%252e/secret").await.expect(404);
    for path in ["up", "etc/passwd", "etc?list=true", "etc?archive=zip"] {
        let refused = desk.get(path).await.expect(409);
        assert!(refused.text.contains("out of the home directory"), "{path}: {}", refused.text);
    }
    desk.put("up", b"x").await.expect(409);
    desk.put("etc/x", b"x").await.expect(409);
    assert_eq!(fs::read(desk.home().parent().unwrap().join("secret")).unwrap(), b"treasure");
}

#[tokio::test]
async fn a_write_is_bound_to_what_was_read() {
    let desk = Desk::new().await;
    let first = desk.send(&desk.anna, "PUT", "notes", &[("if-none-match", "*")], b"one").await.expect(200);
    let etag = first.header("etag").unwrap().to_owned();
    assert_eq!(desk.send(&desk.anna, "PUT", "notes", &[("if-none-match", "*")], b"two").await.expect(412).code(), "STALE");
    let second = desk.send(&desk.anna, "PUT", "notes", &[("if-match", &etag)], b"three").await.expect(200);
    assert_ne!(second.header("etag"), Some(etag.as_str()));
    desk.send(&desk.anna, "PUT", "notes", &[("if-match", &etag)], b"four").await.expect(412);
    let whole = desk.send(&desk.anna, "GET", "notes", &[("range", "bytes=0-0"), ("if-range", &etag)], b"").await.expect(200);
    assert_eq!(whole.text, "three");
}

#[tokio::test]
async fn an_upload_that_breaks_off_goes_on_where_it_stopped() {
    let desk = Desk::new().await;
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
    desk.put("film", b"old").await.expect(200);
    let total = bytes.len();
    let path = |offset: usize| format!("film?upload=u-1&offset={offset}&total={total}");
    assert_eq!(desk.get("film?upload=u-1").await.expect(200).json, json!({"offset": 0, "done": false}));
    // The connection breaks in the middle of the first piece.
    let mut stream = TcpStream::connect(desk.site.harness.wire().address).await.unwrap();
    let headers: String = desk.anna.headers().iter().map(|(n, v)| format!("{n}: {v}\r\n")).collect();
    stream.write_all(format!("PUT {} HTTP/1.1\r\n{headers}content-length: {total}\r\n\r\n", desk.at(&path(0))).as_bytes()).await.unwrap();
    stream.write_all(&bytes[..1_000_000]).await.unwrap();
    stream.flush().await.unwrap();
    // Until the pieces have gone through.
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(stream);
    let mut offset = 0;
    for _ in 0..100 {
        offset = usize::try_from(desk.get("film?upload=u-1").await.expect(200).json["offset"].as_u64().unwrap()).unwrap();
        if offset == 1_000_000 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(offset, 1_000_000, "what arrived is kept");
    assert_eq!(desk.get("film").await.expect(200).text, "old");
    let wrong = desk.put(&path(5), b"x").await.expect(409);
    assert!(wrong.text.contains("1000000 bytes have arrived"), "{}", wrong.text);
    let middle = desk.put(&path(offset), &bytes[offset..2_000_000]).await.expect(200);
    assert_eq!(middle.json, json!({"offset": 2_000_000, "done": false}));
    let done = desk.put(&path(2_000_000), &bytes[2_000_000..]).await.expect(200);
    assert_eq!(done.json, json!({"offset": total, "done": true}));
    assert_eq!(fs::read(desk.home().join("film")).unwrap(), bytes);
    assert_eq!(desk.names("").await, ["film"]);
}

#[tokio::test]
async fn what_does_not_fit_is_refused_before_it_is_sent() {
    let desk = Desk::new().await;
    let list = desk.get("?list=true").await.expect(200).json;
    let total = list["totalBytes"].as_i64().unwrap();
    let refused = desk.put(&format!("big?upload=a&offset=0&total={total}"), b"x").await.expect(409);
    assert_eq!(refused.code(), "QUOTA_EXCEEDED");
    let details = &refused.json["error"]["details"];
    assert_eq!((&details["level"], &details["resource"], &details["used"]), (&json!("workspace"), &json!("storage"), &json!("4Ki")));
    assert_eq!(details["id"], desk.id.as_str());
    // Announced by its length, and answered although nothing of it has come.
    let mut stream = TcpStream::connect(desk.site.harness.wire().address).await.unwrap();
    let headers: String = desk.anna.headers().iter().map(|(n, v)| format!("{n}: {v}\r\n")).collect();
    stream.write_all(format!("PUT {} HTTP/1.1\r\n{headers}content-length: {total}\r\n\r\n", desk.at("big")).as_bytes()).await.unwrap();
    let mut head = [0; 12];
    tokio::time::timeout(Duration::from_secs(8), stream.read_exact(&mut head)).await.unwrap().unwrap();
    assert_eq!(&head, b"HTTP/1.1 409");
    assert!(fs::read_dir(desk.home()).unwrap().next().is_none());
}

#[tokio::test]
async fn others_do_not_get_in_and_breaking_glass_is_recorded_with_the_path() {
    let mut desk = Desk::new().await;
    let (lead, ben, admin) = (desk.site.harness.group_admin("team"), desk.site.harness.member("team"), desk.site.harness.admin());
    desk.put("diary", b"dear diary").await.expect(200);
    for (who, status) in [(&lead, 403), (&ben, 404), (&admin, 403)] {
        desk.send(who, "GET", "diary", &[], b"").await.expect(status);
        desk.send(who, "PUT", "diary", &[], b"x").await.expect(status);
        who.delete(&desk.at("diary")).await.expect(status);
    }
    let can = desk.site.look(&admin, &desk.id).await["can"].clone();
    assert_eq!(can["read_workspace_files"]["code"], "REASON_REQUIRED");
    for _ in 0..3 {
        let read = desk.send(&admin, "GET", "diary?reason=ticket%204711", &[], b"").await.expect(200);
        assert_eq!(read.text, "dear diary");
    }
    let entries: Vec<Value> = desk.site.harness.audit("read_workspace_files").into_iter().filter(|e| e["success"] == 1).collect();
    assert_eq!((entries.len(), &entries[0]["details"]["breakGlass"]), (3, &json!(true)));
    assert!(!entries[0]["details"].to_string().contains("diary"), "the path is kept where erasure finds it");
    let notices = desk.site.harness.rows("SELECT message FROM inbox");
    assert_eq!(notices.len(), 1, "one visit is told once: {notices:?}");
    assert!(notices[0]["message"].as_str().unwrap().contains("read files of your workspace mine. The reason: ticket 4711"), "{notices:?}");
    assert_eq!(fs::read(desk.home().join("diary")).unwrap(), b"dear diary");
    let changes = || desk.site.harness.audit("write_workspace_files").into_iter().filter(|e| e["success"] == 1).count();
    assert_eq!(changes(), 0);
    let glass = "reason=ticket%204711";
    desk.send(&admin, "PUT", &format!("note?{glass}"), &[], b"looked in").await.expect(200);
    assert_eq!(changes(), 1);
    let folder = json!({ "type": "directory" }).to_string();
    desk.send(&admin, "POST", &format!("found?{glass}"), &[("content-type", "application/json")], folder.as_bytes()).await.expect(200);
    assert_eq!(changes(), 2);
    desk.send(&admin, "DELETE", &format!("note?{glass}"), &[], b"").await.expect(204);
    assert_eq!(changes(), 3, "each change of somebody else's files is one entry");

    desk.site.act(&desk.anna, &desk.id, "stop").await.expect(200);
    desk.site.settle().await;
    let stopped = desk.get("diary").await.expect(409);
    assert_eq!((stopped.code(), stopped.json["error"]["message"].as_str()), ("WRONG_STATE", Some("It is stopped. Start it first.")));
}

#[tokio::test]
async fn a_download_ends_within_a_second_when_its_right_does() {
    let desk = Desk::new().await;
    let file = fs::File::create(desk.home().join("endless")).unwrap();
    file.set_len(1 << 30).unwrap();
    let bus = &desk.site.harness.app.ops.bus;
    for (cut, reason) in [
        (Cut::User(desk.anna.user_id().clone()), CutReason::Revoked),
        (Cut::Session(desk.anna.session_id().clone()), CutReason::SignedOut),
        (Cut::Workspace(WorkspaceId::parse(&desk.id).unwrap()), CutReason::Stopped),
    ] {
        let mut body = desk.raw(&desk.anna, "GET", "endless", &[], b"").await.into_body();
        body.frame().await.unwrap().unwrap();
        let begun = Instant::now();
        bus.cut(&cut, reason);
        let drain = async {
            while let Some(frame) = body.frame().await {
                if frame.is_err() {
                    return true;
                }
            }
            false
        };
        assert!(drain.await, "{cut:?}: it must not look whole");
        assert!(begun.elapsed() < Duration::from_secs(1), "{cut:?}: {:?}", begun.elapsed());
    }
    // An upload that waits for more is ended too.
    let mut stream = TcpStream::connect(desk.site.harness.wire().address).await.unwrap();
    let headers: String = desk.anna.headers().iter().map(|(n, v)| format!("{n}: {v}\r\n")).collect();
    stream.write_all(format!("PUT {} HTTP/1.1\r\n{headers}content-length: 100\r\n\r\nhalf", desk.at("half")).as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    bus.cut(&Cut::User(desk.anna.user_id().clone()), CutReason::Revoked);
    stream.write_all(&[b'x'; 96]).await.unwrap();
    let mut head = [0; 12];
    tokio::time::timeout(Duration::from_secs(2), stream.read_exact(&mut head)).await.unwrap().unwrap();
    assert_eq!(&head, b"HTTP/1.1 404");
    assert!(!desk.home().join("half").exists());
    // The same by the route that an administrator takes.
    let mut body = desk.raw(&desk.anna, "GET", "endless", &[], b"").await.into_body();
    body.frame().await.unwrap().unwrap();
    let admin = desk.site.harness.admin();
    admin.post(&format!("/api/admin/users/{}/disable", desk.anna.user_id()), json!({ "reason": "left" })).await.expect(200);
    let drain = async { while let Some(Ok(_)) = body.frame().await {} };
    tokio::time::timeout(Duration::from_secs(1), drain).await.expect("who is disabled is out");
}

#[tokio::test]
async fn a_write_counts_as_use_and_a_look_does_not() {
    let desk = Desk::new().await;
    let used = || desk.site.harness.rows("SELECT last_accessed_at AS at FROM workspace_activity")[0]["at"].as_i64().unwrap();
    let before = used();
    desk.site.harness.clock.advance(2 * MINUTE);
    desk.get("?list=true").await.expect(200);
    assert_eq!(used(), before);
    desk.put("x", b"").await.expect(200);
    assert!(used() >= before + 2 * MINUTE);
}
