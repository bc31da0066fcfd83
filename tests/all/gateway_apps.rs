//! Apps on origins of their own, over a real port: the hand-off, what passes and what does not, and how fast it ends.

use super::app_browser::{Browser, path_of};
use super::echo_app::EchoApp;
use super::harness::Client;
use super::site::Site;
use bytes::Bytes;
use codex_web::clock::{MINUTE, SECOND};
use codex_web::events::{Cut, CutReason};
use futures_util::{SinkExt, StreamExt};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;

struct Scene {
    site: Site,
    anna: Client,
    id: String,
    app: EchoApp,
}

impl Scene {
    async fn new() -> Self {
        let mut site = Site::listening().await;
        let anna = site.harness.member("team");
        let id = site.running(&anna, "team", "mine").await;
        Self { site, anna, id, app: EchoApp::start().await }
    }

    async fn browser(&self) -> Browser {
        Browser::signed_in(&self.site.harness, &self.anna, &self.id, self.app.port).await
    }

    /// Where the way to the app begins, for this person.
    async fn start(&self, who: &Client, more: Value) -> String {
        let mut body = json!({ "port": self.app.port });
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        let answer = who.post(&format!("/api/workspaces/{}/open", self.id), body).await.expect(200).json;
        answer["url"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn the_owner_is_handed_off_to_the_app_and_arrives_where_they_wanted() {
    let scene = Scene::new().await;
    let start = scene.start(&scene.anna, json!({ "to": "/deep/link?folder=x" })).await;
    assert!(start.starts_with(&format!("http://{}--", scene.app.port)) && start.contains(".localhost:"), "{start}");
    let browser = Browser::at(&start, scene.site.harness.wire().address);

    let nobody = browser.get("/deep/link?folder=x").await.expect(303);
    assert_eq!(nobody.header("location"), Some("/.codex/start?to=/deep/link%3Ffolder%3Dx"));
    assert_eq!(browser.fetch("/").await.status, 401, "what is no page is told");
    assert_eq!(browser.socket("/socket", &browser.origin()).await.err(), Some(401));
    assert_eq!(scene.app.seen.requests.load(Ordering::SeqCst), 0);

    let landed = browser.hand_off(&scene.anna, &scene.id, &start).await.expect(303);
    assert_eq!(landed.header("location"), Some("/deep/link?folder=x"));
    assert_eq!((landed.header("cache-control"), landed.header("referrer-policy")), (Some("no-store"), Some("no-referrer")));
    let cookie = landed.header("set-cookie").unwrap();
    assert!(cookie.starts_with("codex_app=cxa_") && cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{cookie}");

    browser.cookies.lock().unwrap().insert("theirs".into(), "1".into());
    let told = browser.get("/deep/link?folder=x").await.expect(200).json();
    assert_eq!(told["target"], "/deep/link?folder=x");
    let header = |name: &str| told["headers"].as_array().unwrap().iter().find(|h| h[0] == name).map(|h| h[1].clone());
    assert_eq!(header("cookie"), Some(json!("theirs=1")), "ours do not reach the app");
    assert_eq!((header("host"), header("x-forwarded-host")), (Some(json!(browser.authority)), Some(json!(browser.authority))));
    assert_eq!((header("x-forwarded-for"), header("x-forwarded-proto")), (Some(json!("127.0.0.1")), Some(json!("http"))));
    assert!(scene.site.harness.audit("open_app").is_empty(), "the owner comes and goes unrecorded");
    assert_eq!(scene.site.harness.rows("SELECT count(*) AS n FROM app_session")[0]["n"], 1);
}

#[tokio::test]
async fn a_code_opens_once_here_and_for_this_browser_and_what_else_is_tried_is_recorded() {
    let mut scene = Scene::new().await;
    let other = scene.site.running(&scene.anna, "team", "other").await;
    let start = scene.start(&scene.anna, json!({})).await;
    let wire = scene.site.harness.wire().address;
    let (browser, stranger) = (Browser::at(&start, wire), Browser::at(&start, wire));

    let code = browser.code(&scene.anna, &scene.id, &start).await;
    stranger.get(path_of(&start)).await.expect(303);
    assert!(stranger.get(&code).await.expect(403).text.contains("another browser"), "another nonce");
    assert_eq!(browser.get(&code).await.status, 403, "it was used up by the attempt");

    let code = browser.code(&scene.anna, &scene.id, &start).await;
    assert_eq!(Browser::at(&start, wire).get(&code).await.status, 403, "no nonce at all");

    let code = browser.code(&scene.anna, &scene.id, &start).await;
    let elsewhere = Browser::at(&start.replace(scene.id.trim_start_matches("ws_"), other.trim_start_matches("ws_")), wire);
    *elsewhere.cookies.lock().unwrap() = browser.cookies.lock().unwrap().clone();
    assert_eq!(elsewhere.get(&code).await.status, 403, "another host");

    let code = browser.code(&scene.anna, &scene.id, &start).await;
    assert_eq!(browser.get(&code).await.status, 303);
    assert_eq!(browser.get(&code).await.status, 403, "a second time");

    let code = browser.code(&scene.anna, &scene.id, &start).await;
    scene.site.harness.clock.advance(31 * SECOND);
    assert_eq!(browser.get(&code).await.status, 403, "too late");
    assert_eq!(browser.get("/.codex/handoff?code=cxc_nonsense").await.status, 403);

    let why: Vec<Value> = scene.site.harness.rows("SELECT error FROM audit_event WHERE action = 'open_app' AND success = 0 ORDER BY seq");
    let why: Vec<&str> = why.iter().map(|row| row["error"].as_str().unwrap()).collect();
    let spent = "handoff:spent";
    assert_eq!(why, ["handoff:wrong_browser", spent, "handoff:wrong_browser", "handoff:wrong_host", spent, spent]);

    let mut frame = vec![("accept", "text/html"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")];
    assert_eq!(browser.send("GET", path_of(&start), &frame, Bytes::new()).await.status, 403, "not in a frame");
    frame[2].1 = "document";
    assert_eq!(browser.send("GET", path_of(&start), &frame, Bytes::new()).await.status, 303);
    for evil in ["//evil.example", "https://evil.example", "/\\evil.example", "/.codex/start"] {
        let answer = browser.get(&format!("/.codex/start?to={}", evil.replace('\\', "%5C"))).await.expect(303);
        assert!(answer.header("location").unwrap().contains("&to=/&nonce="), "{evil}");
        let body = json!({ "port": 80, "to": evil });
        assert_eq!(scene.anna.post(&format!("/api/workspaces/{}/open", scene.id), body).await.expect(400).fields(), ["to:invalid"]);
    }
}

#[tokio::test]
async fn others_open_an_app_by_a_share_or_by_breaking_glass_and_that_is_recorded() {
    let scene = Scene::new().await;
    let (admin, lead, ben) = (scene.site.harness.admin(), scene.site.harness.group_admin("team"), scene.site.harness.member("team"));
    let path = format!("/api/workspaces/{}/open", scene.id);
    for (who, status) in [(&admin, 403), (&lead, 403), (&ben, 404), (&scene.site.harness.anonymous(), 401)] {
        assert_eq!(who.post(&path, json!({ "port": scene.app.port })).await.status, status);
    }
    let reason = json!({ "reason": "a runaway notebook, ticket 4711", "port": scene.app.port });
    let start = admin.post(&path, reason.clone()).await.expect(200).json["url"].as_str().unwrap().to_owned();
    let browser = Browser::at(&start, scene.site.harness.wire().address);
    let to_ui = browser.get(path_of(&start)).await;
    let nonce = to_ui.header("location").unwrap().split("nonce=").nth(1).unwrap().to_owned();
    let mut with_nonce = reason;
    with_nonce["nonceHash"] = json!(nonce);
    let code = admin.post(&path, with_nonce).await.expect(200).json["url"].as_str().unwrap().to_owned();
    assert_eq!(browser.get(path_of(&code)).await.status, 303);
    assert_eq!(browser.get("/").await.status, 200);
    let entries: Vec<Value> = scene.site.harness.audit("open_app").into_iter().filter(|e| e["success"] == 1).collect();
    assert_eq!((entries.len(), &entries[0]["details"]["breakGlass"]), (1, &json!(true)));
    assert_eq!(entries[0]["details"]["app"], json!(scene.app.port.to_string()));
    let notice = &scene.site.harness.rows("SELECT user_id, message FROM inbox")[0];
    assert_eq!(notice["user_id"], scene.anna.user_id().as_str());
    assert!(notice["message"].as_str().unwrap().contains("ticket 4711"), "{notice}");
    assert_eq!(
        scene.anna.by_token().post(&path, json!({"port": 80, "nonceHash": nonce})).await.status,
        200,
        "a sign-in by tokens has an end too"
    );
}

#[tokio::test]
async fn what_is_asked_for_is_checked_whole() {
    let scene = Scene::new().await;
    let path = format!("/api/workspaces/{}/open", scene.id);
    let long = "x".repeat(44);
    for (body, fields) in [
        (json!({}), vec!["app:required"]),
        (json!({"app": "code", "port": 1}), vec!["port:invalid"]),
        (json!({"app": "Code"}), vec!["app:invalid"]),
        (json!({"app": "3000"}), vec!["app:invalid"]),
        (json!({"app": "code"}), vec!["app:unknown"]),
        (json!({"port": 0, "to": "x", "nonceHash": "short"}), vec!["port:invalid", "to:invalid", "nonceHash:invalid"]),
        (json!({"port": 65536}), vec!["port:invalid"]),
        (json!({"port": 80, "nonceHash": long}), vec!["nonceHash:too_long"]),
    ] {
        assert_eq!(scene.anna.post(&path, body.clone()).await.expect(400).fields(), fields, "{body}");
    }
}

#[tokio::test]
async fn a_cookie_of_one_app_is_worth_nothing_at_another_and_a_tossed_one_changes_nothing() {
    let mut scene = Scene::new().await;
    let other = scene.site.running(&scene.anna, "team", "other").await;
    let mine = scene.browser().await;
    let theirs = Browser::signed_in(&scene.site.harness, &scene.anna, &other, scene.app.port).await;
    let cookie = theirs.cookies.lock().unwrap()["codex_app"].clone();
    let good = mine.cookies.lock().unwrap().insert("codex_app".into(), cookie.clone()).unwrap();
    assert_eq!(mine.fetch("/").await.status, 401, "the session of another workspace");
    let tossed = format!("codex_app={cookie}; codex_app=junk; codex_app={good}");
    mine.cookies.lock().unwrap().clear();
    let seen = mine.send("GET", "/", &[("cookie", &tossed)], Bytes::new()).await.expect(200);
    assert!(!seen.text.contains("codex_app"), "{}", seen.text);
    let ui = scene.anna.headers().into_iter().find(|(n, _)| n == "cookie").unwrap().1;
    assert_eq!(mine.send("GET", "/api/auth/me", &[("cookie", &ui)], Bytes::new()).await.status, 401, "the UI's session is none here");
    let answer = mine.send("GET", "/api/auth/me", &[("cookie", &format!("{ui}; codex_app={good}"))], Bytes::new()).await.expect(200);
    assert_eq!(answer.json()["target"], "/api/auth/me", "the app is asked, not the UI");
    assert!(!answer.text.contains("codex_sid"), "{}", answer.text);
}

#[tokio::test]
async fn headers_that_reach_beyond_the_app_do_not_arrive() {
    let scene = Scene::new().await;
    let browser = scene.browser().await;
    let seen = browser.fetch("/hostile").await.expect(200);
    let cookies: Vec<&str> = seen.headers.iter().filter(|(n, _)| n == "set-cookie").map(|(_, v)| v.as_str()).collect();
    assert_eq!(cookies, ["kept=1; Path=/"]);
    for name in ["strict-transport-security", "clear-site-data", "service-worker-allowed", "alt-svc", "public-key-pins", "report-to"] {
        assert_eq!(seen.header(name), None, "{name}");
    }
    assert!(!seen.headers.iter().any(|(n, _)| n.starts_with("access-control")));
    assert_eq!(seen.header("content-security-policy"), Some("default-src 'self'"), "the app's own policy is the app's");
}

#[tokio::test]
async fn pages_of_other_origins_ask_in_vain() {
    let mut scene = Scene::new().await;
    let other = scene.site.running(&scene.anna, "team", "other").await;
    let browser = scene.browser().await;
    let sibling = browser.origin().replace(&format!("{}--", scene.app.port), "8000--");
    let foreign = browser.origin().replace(scene.id.trim_start_matches("ws_"), other.trim_start_matches("ws_"));
    let send = |headers: Vec<(&'static str, String)>, method: &'static str| {
        let browser = &browser;
        async move {
            let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
            browser.send(method, "/x", &headers, Bytes::new()).await.status
        }
    };
    assert_eq!(send(vec![("origin", browser.origin())], "POST").await, 200);
    assert_eq!(send(vec![("origin", sibling.clone())], "POST").await, 200, "another app of the same workspace");
    for origin in [foreign.as_str(), "null", "http://localhost:8080", "http://evil.example"] {
        assert_eq!(send(vec![("origin", origin.to_owned())], "POST").await, 403, "{origin}");
        assert_eq!(browser.socket("/socket", origin).await.err(), Some(403), "{origin}");
    }
    let site = |site: &str, mode: &str, dest: &str| {
        vec![("sec-fetch-site", site.to_owned()), ("sec-fetch-mode", mode.to_owned()), ("sec-fetch-dest", dest.to_owned())]
    };
    assert_eq!(send(site("same-site", "no-cors", "script"), "GET").await, 403);
    assert_eq!(send(site("cross-site", "navigate", "iframe"), "GET").await, 403);
    assert_eq!(send(site("cross-site", "navigate", "document"), "POST").await, 403);
    assert_eq!(send(site("cross-site", "navigate", "document"), "GET").await, 200, "a link that a person follows");
    assert_eq!(send(site("same-origin", "cors", "empty"), "GET").await, 200);
}

#[tokio::test]
async fn paths_reach_the_app_as_they_are_and_never_leave_it() {
    let scene = Scene::new().await;
    let browser = scene.browser().await;
    for raw in [
        "/a%2Fb%5c%00",
        "/../../v1/status",
        "/%2e%2e/%2E%2e/v1/term",
        "//evil.example/x",
        "/a;b=c?d=%2f..&e",
        "/.codexx",
        "/%2ecodex/start",
    ] {
        let told = browser.fetch(raw).await.expect(200).json();
        assert_eq!(told["target"], raw);
    }
    for reserved in ["/.codex", "/.codex/", "/.codex/x", "/.codex/../a"] {
        assert_eq!(browser.fetch(reserved).await.status, 404, "{reserved}");
    }
    let send = |target: &str, host: &str| {
        let cookie = browser.cookie_line().unwrap();
        format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n")
    };
    let own = &browser.authority;
    let absolute = browser.raw(&send(&format!("http://{own}/x"), own)).await;
    assert!(absolute.starts_with("HTTP/1.1 200") && absolute.contains("\"target\":\"/x\""), "{absolute}");
    for (target, host) in
        [(format!("http://evil.example{}", "/x"), own.as_str()), ("/x".to_owned(), "x.localhost"), ("/x".to_owned(), "evil.example")]
    {
        let answer = browser.raw(&send(&target, host)).await;
        assert!(answer.starts_with("HTTP/1.1 421"), "{target} {host}: {answer}");
    }
    let star = browser.raw(&send("*", own).replace("GET", "OPTIONS")).await;
    assert!(star.starts_with("HTTP/1.1 400"), "{star}");
}

#[tokio::test]
async fn a_request_that_could_be_read_in_two_ways_is_refused_and_nothing_is_smuggled() {
    let scene = Scene::new().await;
    let browser = scene.browser().await;
    let head = format!("Host: {}\r\nCookie: {}\r\n", browser.authority, browser.cookie_line().unwrap());
    let inner = format!("GET /smuggled HTTP/1.1\r\n{head}\r\n");
    let before = scene.app.seen.requests.load(Ordering::SeqCst);
    for (name, bytes) in [
        ("two lengths", format!("POST /a HTTP/1.1\r\n{head}Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello")),
        ("length and chunks", format!("POST /a HTTP/1.1\r\n{head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}")),
        ("chunks twice", format!("POST /a HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n")),
        ("an odd encoding", format!("POST /a HTTP/1.1\r\n{head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{inner}")),
        ("identity", format!("POST /a HTTP/1.1\r\n{head}Transfer-Encoding: identity\r\n\r\n{inner}")),
        ("chunks of HTTP/1.0", format!("POST /a HTTP/1.0\r\n{head}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}")),
        ("a blank before the colon", format!("POST /a HTTP/1.1\r\n{head}Content-Length : 5\r\n\r\nhello")),
        ("a signed length", format!("POST /a HTTP/1.1\r\n{head}Content-Length: +5\r\n\r\nhello")),
        ("two hosts", format!("GET /a HTTP/1.1\r\n{head}Host: evil.example\r\n\r\n")),
        (
            "a socket with a body",
            format!("GET /a HTTP/1.1\r\n{head}Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: {}\r\n\r\n{inner}", inner.len()),
        ),
        ("a posted socket", format!("POST /a HTTP/1.1\r\n{head}Upgrade: websocket\r\n\r\n{inner}")),
        ("a broken chunk", format!("POST /a HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n")),
    ] {
        let answer = browser.raw(&bytes).await;
        assert!(!answer.contains("smuggled"), "{name}: {answer}");
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.0 4") || answer.starts_with("HTTP/1.1 502"),
            "{name}: {answer}"
        );
    }
    let refused = browser.raw(&format!("GET /nothing HTTP/1.1\r\n{head}Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n{inner}")).await;
    assert!(
        refused.starts_with("HTTP/1.1 200") && refused.matches("HTTP/1.1").count() == 1,
        "what follows a handshake that failed is no request: {refused}"
    );
    let other = browser
        .raw(&format!(
            "GET /plain HTTP/1.1\r\n{head}Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings, close\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
        ))
        .await;
    assert!(other.starts_with("HTTP/1.1 200") && !other.contains("h2c"), "{other}");
    let served = scene.app.seen.requests.load(Ordering::SeqCst) - before;
    assert!(served <= 3, "the broken chunk and the two plain ones at most: {served}");
    assert_eq!(browser.send("POST", "/a", &[], Bytes::from("hello")).await.json()["body"], "hello");
}

#[tokio::test]
async fn bodies_of_every_kind_arrive_as_they_were_sent() {
    let scene = Scene::new().await;
    let browser = scene.browser().await;
    for (path, length) in [("/bytes/0", 0), ("/bytes/1024", 1_024), ("/bytes/70000", 70_000), ("/bytes/70000?chunked", 70_000)] {
        let seen = browser.fetch(path).await.expect(200);
        assert_eq!(seen.text.len(), length, "{path}");
        assert_eq!(seen.header("content-length").is_some(), !path.contains("chunked"), "{path}");
    }
    let head = browser.send("HEAD", "/bytes/70000", &[], Bytes::new()).await.expect(200);
    assert_eq!((head.header("content-length"), head.text.as_str()), (Some("70000"), ""));
    let unchanged = browser.fetch("/status/304").await.expect(304);
    assert_eq!(unchanged.header("etag"), Some("\"1\""));
    assert_eq!(browser.send("PUT", "/upload", &[], Bytes::from(vec![b'u'; 300_000])).await.text, "300000");
    let cookie = browser.cookie_line().unwrap();
    let chunked = format!(
        "PATCH /x HTTP/1.1\r\nHost: {}\r\nCookie: {cookie}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n",
        browser.authority
    );
    assert!(browser.raw(&chunked).await.contains("\"body\":\"abcdefg\""));
    let mut events = browser.stream("GET", "/events", &[], Bytes::new()).await.into_body();
    for n in 0..3 {
        let event = tokio::time::timeout(Duration::from_secs(2), events.frame()).await.expect("events come one by one").unwrap().unwrap();
        assert_eq!(event.into_data().unwrap(), format!("data: {n}\n\n"));
    }
}

#[tokio::test]
async fn one_connection_carries_requests_of_every_kind_in_their_order() {
    let scene = Scene::new().await;
    let browser = scene.browser().await;
    let head = format!("Host: {}\r\nCookie: {}\r\n", browser.authority, browser.cookie_line().unwrap());
    let asked = [
        format!("GET /first HTTP/1.1\r\n{head}\r\n"),
        format!("HEAD /bytes/9 HTTP/1.1\r\n{head}\r\n"),
        format!("GET /bytes/70000?chunked HTTP/1.1\r\n{head}\r\n"),
        format!("GET /second HTTP/1.1\r\n{head}x-real-ip: 6.6.6.6\r\n\r\n"),
        format!("PUT /upload HTTP/1.1\r\n{head}Content-Length: 3\r\n\r\nabc"),
        format!("GET /third HTTP/1.1\r\n{head}\r\n"),
    ];
    let answer = browser.raw(&asked.concat()).await;
    assert_eq!(answer.matches("HTTP/1.1 200").count(), asked.len(), "{answer}");
    let places =
        ["/first", "content-length: 9\r\n", "transfer-encoding: chunked", "/second", "\r\n\r\n3", "/third"].map(|mark| answer.find(mark));
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} {answer}");
    assert!(!answer.contains("codex_app") && !answer.contains("6.6.6.6"), "nothing of ours, and no lie, arrived: {answer}");
}

#[tokio::test]
async fn an_answer_that_ends_with_its_connection_is_asked_for_once_and_arrives_whole() {
    let scene = Scene::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0; 4_096];
            let length = stream.read(&mut head).await.unwrap();
            assert!(head[..length].ends_with(b"\r\n\r\n"));
            count.fetch_add(1, Ordering::SeqCst);
            stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nfirst ").await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            stream.write_all(&vec![b'x'; 100_000]).await.unwrap();
        }
    });
    let browser = Browser::signed_in(&scene.site.harness, &scene.anna, &scene.id, port).await;
    let before = asked.load(Ordering::SeqCst);
    let seen = browser.fetch("/report").await.expect(200);
    assert_eq!((seen.text.len(), seen.header("content-type")), (100_006, Some("text/plain")));
    assert_eq!(asked.load(Ordering::SeqCst) - before, 1);
}

#[tokio::test]
async fn each_request_of_a_connection_shows_who_asks() {
    let scene = Scene::new().await;
    let browser = scene.browser().await;
    let (host, cookie) = (&browser.authority, browser.cookie_line().unwrap());
    let get = |path: &str, host: &str, cookie: &str| format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n\r\n");
    let secret = cookie.find("cxa_").unwrap() + 4;
    let forged = format!("{}{}{}", &cookie[..secret], if cookie[secret..].starts_with('A') { 'B' } else { 'A' }, &cookie[secret + 1..]);
    let seen = || scene.app.seen.requests.load(Ordering::SeqCst);
    for (what, second) in [
        ("nobody", get("/stolen", host, "a=1")),
        ("a stranger", get("/stolen", host, &forged)),
        ("another app", get("/stolen", &format!("9--{}", host.split_once("--").unwrap().1), &cookie)),
        ("another site", get("/stolen", host, &format!("{cookie}\r\nOrigin: http://evil.example"))),
    ] {
        let before = seen();
        let answer = browser.raw(&format!("{}{second}", get("/mine", host, &cookie))).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("/mine") && !answer.contains("/stolen"), "{what}: {answer}");
        assert_eq!(seen() - before, 1, "{what}");
    }
}

#[tokio::test]
async fn sockets_carry_messages_of_any_size_both_ways() {
    let scene = Scene::new().await;
    let browser = scene.browser().await;
    let mut socket = browser.socket("/socket", &browser.origin()).await.unwrap();
    for size in [0, 1, 125, 126, 70_000, 2_000_000] {
        let message = Message::Binary(vec![7; size].into());
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), message, "{size}");
    }
    socket.close(None).await.unwrap();
    while socket.next().await.is_some() {}
    for _ in 0..100 {
        if scene.app.seen.sockets.load(Ordering::SeqCst) == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the app's end is still open");
}

const MUCH: usize = 300_000_000;

#[tokio::test]
async fn whoever_reads_or_takes_slowly_slows_the_other_side_down() {
    let scene = Scene::new().await;
    let browser = scene.browser().await;
    let slow = browser.stream("GET", &format!("/bytes/{MUCH}"), &[], Bytes::new()).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let sent = scene.app.seen.sent.load(Ordering::SeqCst);
    assert!(sent < 40_000_000, "a browser that does not read stops the app: {sent}");
    drop(slow);
    let upload = browser.stream("POST", "/upload?slow", &[], Bytes::from(vec![1; 60_000_000]));
    let _ = tokio::time::timeout(Duration::from_millis(500), upload).await;
    let taken = scene.app.seen.taken.load(Ordering::SeqCst);
    assert!(taken < 1_000_000, "the app took one piece: {taken}");
}

#[tokio::test]
async fn everything_ends_within_a_second_when_the_right_does() {
    let mut scene = Scene::new().await;
    let cuts = [
        (Cut::User(scene.anna.user_id().clone()), CutReason::Revoked),
        (Cut::Session(scene.anna.session_id().clone()), CutReason::SignedOut),
        (Cut::UserInGroup(scene.anna.user_id().clone(), scene.site.harness.group("team")), CutReason::Revoked),
        (Cut::All, CutReason::Restarting),
    ];
    for (cut, reason) in cuts {
        let browser = scene.browser().await;
        let mut socket = browser.socket("/socket", &browser.origin()).await.unwrap();
        socket.send(Message::Text("x".into())).await.unwrap();
        assert!(socket.next().await.unwrap().is_ok());
        let mut events = browser.stream("GET", "/events", &[], Bytes::new()).await.into_body();
        assert!(events.frame().await.unwrap().is_ok());
        let waiting = browser.stream("GET", "/never", &[], Bytes::new());
        let begun = Instant::now();
        let bus = scene.site.harness.app.ops.bus.clone();
        let (waited, ()) = tokio::join!(tokio::time::timeout(Duration::from_secs(1), waiting), async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            bus.cut(&cut, reason);
        });
        assert_ne!(waited.expect("a request that waits is answered").status(), 200, "{cut:?}");
        let end = async {
            while let Some(Ok(_)) = socket.next().await {}
            // What is cut off does not look whole.
            while let Some(frame) = events.frame().await {
                if frame.is_err() {
                    return;
                }
            }
            panic!("the stream ended as if it were complete");
        };
        tokio::time::timeout(Duration::from_secs(1), end).await.expect("within a second");
        assert!(begun.elapsed() < Duration::from_secs(2));
    }
    let browser = scene.browser().await;
    let mut socket = browser.socket("/socket", &browser.origin()).await.unwrap();
    scene.site.act(&scene.anna, &scene.id, "stop").await.expect(200);
    let end = async { while let Some(Ok(_)) = socket.next().await {} };
    tokio::time::timeout(Duration::from_secs(1), end).await.expect("a stop cuts too");
    scene.site.settle().await;
    let gone = browser.get("/").await.expect(409);
    assert!(gone.text.contains("It is stopped. Start it first.") && gone.text.contains("/open?workspace="), "{}", gone.text);
    assert!(gone.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    let code = scene.anna.post(&format!("/api/workspaces/{}/open", scene.id), json!({"port": 80, "nonceHash": "x".repeat(43)})).await;
    assert_eq!((code.status, code.code()), (409, "WRONG_STATE"));
    scene.site.act(&scene.anna, &scene.id, "start").await.expect(200);
    scene.site.settle().await;
    assert_eq!(browser.get("/").await.status, 200, "the browser is still known after a restart");
    let mut socket = browser.socket("/socket", &browser.origin()).await.unwrap();
    let mut events = browser.stream("GET", "/events", &[], Bytes::new()).await.into_body();
    assert!(events.frame().await.unwrap().is_ok());
    let admin = scene.site.harness.admin();
    admin.post(&format!("/api/admin/users/{}/disable", scene.anna.user_id()), json!({ "reason": "left" })).await.expect(200);
    let end = async {
        while let Some(Ok(_)) = socket.next().await {}
        while let Some(Ok(_)) = events.frame().await {}
    };
    tokio::time::timeout(Duration::from_secs(1), end).await.expect("who is disabled is out");
}

#[tokio::test]
async fn an_app_session_ends_with_the_sign_in_behind_it() {
    let scene = Scene::new().await;
    let browser = scene.browser().await;
    assert_eq!(browser.get("/").await.status, 200);
    scene.anna.post("/api/auth/logout", json!({})).await.expect(204);
    assert_eq!(browser.fetch("/").await.status, 401);
    assert_eq!(browser.get("/").await.status, 303, "a person is sent to sign in");

    let again = scene.site.harness.signed_in(scene.anna.user_id());
    let browser = Browser::signed_in(&scene.site.harness, &again, &scene.id, scene.app.port).await;
    assert_eq!(browser.get("/").await.status, 200);
    let admin = scene.site.harness.admin();
    admin.post(&format!("/api/admin/users/{}/disable", scene.anna.user_id()), json!({"reason": "left"})).await.expect(200);
    assert_eq!(browser.fetch("/").await.status, 401);
}

#[tokio::test]
async fn work_counts_as_use_and_an_idle_page_does_not() {
    let scene = Scene::new().await;
    let browser = scene.browser().await;
    let used = || scene.site.harness.rows("SELECT last_accessed_at AS at FROM workspace_activity")[0]["at"].as_i64().unwrap();
    let mut socket = browser.socket("/socket", &browser.origin()).await.unwrap();
    let begun = used();
    scene.site.harness.clock.advance(2 * MINUTE);
    socket.send(Message::Text("a heartbeat".into())).await.unwrap();
    browser.fetch("/poll").await.expect(200);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(used(), begun, "a page that was left open");
    socket.send(Message::Text("typing ".repeat(200).into())).await.unwrap();
    for _ in 0..100 {
        if used() > begun {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("work was not noted");
}

#[tokio::test]
async fn a_page_waits_for_an_app_that_does_not_listen_yet() {
    let scene = Scene::new().await;
    let start = scene.anna.post(&format!("/api/workspaces/{}/open", scene.id), json!({ "port": 1 })).await.expect(200).json;
    let start = start["url"].as_str().unwrap();
    let browser = Browser::at(start, scene.site.harness.wire().address);
    browser.hand_off(&scene.anna, &scene.id, start).await.expect(303);
    let page = browser.get("/").await.expect(503);
    assert!(page.text.contains("Nothing listens on port 1 yet") && page.text.contains("http-equiv=\"refresh\""), "{}", page.text);
    assert_eq!(page.header("retry-after"), Some("2"));
    assert!(!browser.fetch("/api").await.expect(503).text.contains("<html"), "no page for a script");
    assert_eq!(browser.socket("/socket", &browser.origin()).await.err(), Some(503));
}

/// A workspace with an editor, and a browser that is signed in at the editor's origin.
async fn editor(change: impl FnOnce(&rusqlite::Connection)) -> (Site, Client, String, Browser) {
    let mut site = Site::listening().await;
    let anna = site.harness.member("team");
    let made = site.make(&anna, "team", "mine", json!({ "tier": "single-user", "image": "local:code-server" })).await;
    let id = made["id"].as_str().unwrap().to_owned();
    change(&rusqlite::Connection::open(codex_web::app::database_path(site.harness.dir.path())).unwrap());
    site.act(&anna, &id, "start").await;
    site.settle().await;
    let begun = anna.post(&format!("/api/workspaces/{id}/open"), json!({ "app": "code-server" })).await.expect(200).json;
    let start = begun["url"].as_str().unwrap();
    let browser = Browser::at(start, site.harness.wire().address);
    browser.hand_off(&anna, &id, start).await.expect(303);
    (site, anna, id, browser)
}

#[tokio::test]
async fn an_app_that_is_not_installed_is_said_with_what_to_type_and_is_not_asked_for_again_and_again() {
    let (_site, _anna, id, browser) = editor(|_| {}).await;
    let page = browser.get("/?folder=/home/dev").await.expect(503);
    assert!(page.text.contains("VS Code is not installed"), "{}", page.text);
    assert!(page.text.contains("<code>codex-web apps install code-server --from-dir DIR</code>"), "{}", page.text);
    assert!(page.text.contains("href=\"/?folder=/home/dev\">Check again") && page.text.contains(&format!("/workspaces/{id}\"")));
    assert!(!page.text.contains("http-equiv") && page.header("retry-after").is_none(), "{page:?}");
    assert_eq!(browser.fetch("/api").await.expect(503).text, "The program code-server is not installed here.\n");
}

#[tokio::test]
async fn an_app_that_failed_says_why_shows_the_end_of_its_log_and_leads_to_where_it_is_restarted() {
    let broken = |file: &rusqlite::Connection| {
        let sql = "UPDATE workspace SET spec = replace(spec, '\"healthPath\":\"/healthz\"', '\"healthPath\":\"healthz\"')";
        assert_eq!(file.execute(sql, []).unwrap(), 1);
    };
    let (site, _anna, id, browser) = editor(broken).await;
    let page = browser.get("/").await.expect(503);
    assert!(page.text.contains("VS Code did not start") && page.text.contains("Its recipe cannot be used"), "{}", page.text);
    let log = page.text.split("<pre ").nth(1).unwrap_or_default();
    assert!(log.contains(" Its recipe cannot be used"), "the end of its log: {}", page.text);
    let public = &site.harness.app.transport.public_url;
    for link in [format!("{public}/open?workspace={id}&amp;app=code-server"), format!("{public}/workspaces/{id}/logs?app=code-server")] {
        assert!(page.text.contains(&format!("href=\"{link}\"")), "{link}: {}", page.text);
    }
    assert!(!page.text.contains("http-equiv") && page.header("retry-after").is_none(), "{page:?}");
}

/// A value of the right form that nobody was given.
fn invented(prefix: &str, n: usize) -> String {
    format!("{prefix}{n:0>43}")
}

#[tokio::test]
async fn cookies_that_nobody_was_given_are_limited_by_address_and_keep_nobody_else_out() {
    let scene = Scene::new().await;
    let mine = scene.browser().await;
    let guesser = Browser::at(&mine.origin(), mine.address);
    let show = |n: usize| guesser.cookies.lock().unwrap().insert("codex_app".to_owned(), invented("cxa_", n));
    for n in 0..10 {
        show(n);
        assert_eq!(guesser.get("/").await.expect(303).header("location"), Some("/.codex/start?to=/"), "{n}");
        assert_eq!(guesser.fetch("/").await.status, 401, "the same one again is not counted: {n}");
    }
    show(10);
    let refused = guesser.send("GET", "/", &[("accept", "*/*")], Bytes::new()).await.expect(429);
    assert!(refused.text.contains("Try again in"), "{refused:?}");
    assert!(refused.header("set-cookie").unwrap().starts_with("codex_app=; Path=/; Max-Age=0"), "{refused:?}");
    show(11);
    assert!(guesser.get("/").await.expect(429).text.contains("One moment"));

    assert_eq!(mine.get("/").await.status, 200, "who is inside stays inside");
    let start = scene.start(&scene.anna, json!({})).await;
    let another = Browser::at(&start, scene.site.harness.wire().address);
    assert_eq!(another.hand_off(&scene.anna, &scene.id, &start).await.status, 303, "who has a code comes in");
    assert_eq!(another.get("/").await.status, 200, "and is known from then on");
    guesser.cookies.lock().unwrap().clear();
    assert_eq!(guesser.get("/").await.status, 303, "without a cookie one is sent to sign in as ever");

    scene.site.harness.clock.advance(MINUTE);
    show(12);
    assert_eq!(guesser.get("/").await.status, 303, "and a minute later it is over");
}

#[tokio::test]
async fn codes_that_open_nothing_are_limited_by_address_and_codes_that_fit_still_open() {
    let scene = Scene::new().await;
    let start = scene.start(&scene.anna, json!({})).await;
    let browser = Browser::at(&start, scene.site.harness.wire().address);
    let spent = browser.code(&scene.anna, &scene.id, &start).await;
    assert_eq!(browser.get(&spent).await.status, 303);
    for n in 0..10 {
        assert_eq!(browser.get(&format!("/.codex/handoff?code={}", invented("cxc_", n))).await.status, 403, "{n}");
    }
    let refused = browser.get(&format!("/.codex/handoff?code={}", invented("cxc_", 10))).await.expect(429);
    assert!(refused.text.contains("Open the app again"), "{refused:?}");
    let recorded = || scene.site.harness.audit("open_app").len();
    let before = recorded();
    for _ in 0..5 {
        assert_eq!(browser.get(&spent).await.status, 429, "showing a used one again does not fill the log either");
    }
    assert_eq!(recorded(), before);
    let fits = browser.code(&scene.anna, &scene.id, &start).await;
    assert_eq!(browser.get(&fits).await.status, 303);
}

#[tokio::test]
async fn a_thousand_sockets_are_open_at_once_and_each_gets_its_own_answers() {
    const MANY: usize = 1_000;
    let scene = Scene::new().await;
    let browser = scene.browser().await;
    let origin = browser.origin();
    let mut sockets = Vec::with_capacity(MANY);
    for _ in 0..MANY / 50 {
        let opened = futures_util::future::join_all((0..50).map(|_| browser.socket("/socket", &origin))).await;
        sockets.extend(opened.into_iter().map(|socket| socket.expect("one more socket")));
    }
    assert_eq!(scene.app.seen.sockets.load(Ordering::SeqCst), MANY);
    for (n, socket) in sockets.iter_mut().enumerate() {
        socket.send(Message::Text(n.to_string().into())).await.unwrap();
    }
    for (n, socket) in sockets.iter_mut().enumerate() {
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::Text(n.to_string().into()));
    }
    scene.site.harness.app.ops.bus.cut(&Cut::Session(scene.anna.session_id().clone()), CutReason::SignedOut);
    let end = async {
        for socket in &mut sockets {
            while let Some(Ok(_)) = socket.next().await {}
        }
    };
    tokio::time::timeout(Duration::from_secs(2), end).await.expect("all of them end at once");
}
