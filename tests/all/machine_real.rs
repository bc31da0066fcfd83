//! The server's routes for machines as programs in a real workspace use them, and the running part of its view with an
//! app that really runs.
//!
//! Needs the walls of tier `full` and curl; where they are missing the tests say so and skip.

use super::egress_workspace::has;
use super::program::sign_in;
use super::real::{PASSWORD, Real, Shell, until};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

/// A shell that has the machine token, as one that was started after it came.
async fn informed(real: &Real, id: &str, token: &str) -> Shell {
    let mut shell = real.shell_of(id, token).await;
    shell.good("for i in $(seq 100); do test -s \"$CODEX_WEB_ENVIRONMENT\" && break; sleep 0.1; done; . \"$CODEX_WEB_ENVIRONMENT\"").await;
    shell
}

/// What curl inside gets: the status, and what was answered.
async fn curl(shell: &mut Shell, more: &str, path: &str) -> (u16, String) {
    let line = format!("curl -sS -m 10 -w '\\n%{{http_code}}' {more} \"$CODEX_WEB_API{path}\"");
    let said = shell.good(&line).await;
    let (text, status) = said.rsplit_once('\n').unwrap_or(("", &said));
    (status.parse().unwrap(), text.to_owned())
}

const BEARER: &str = "-H \"Authorization: Bearer $CHE_MACHINE_TOKEN\"";

/// Whether a token opens the machine routes from anywhere.
fn opens(real: &Real, token: &str) -> bool {
    real.ask("GET", "/api/machine/status", token, None).0 == 200
}

#[tokio::test]
async fn a_program_inside_learns_about_its_own_workspace_and_about_no_other() {
    if !has("curl") {
        return;
    }
    let Some(real) = Real::start(&[]).await else { return };
    let (id, other) = (real.workspace("mine", &json!({})).await, real.workspace("other", &json!({})).await);
    let mut shell = informed(&real, &id, &real.token).await;
    assert_eq!(shell.good("echo $CHE_WORKSPACE_ID; stat -c %a \"$CODEX_WEB_MACHINE_TOKEN_FILE\"").await, format!("{id}\n400"));
    let (status, text) = curl(&mut shell, BEARER, "/machine/status").await;
    let view: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(status, 200, "{text}");
    assert_eq!((&view["id"], &view["name"], &view["status"], &view["run"]), (&json!(id), &json!("mine"), &json!("running"), &json!(1)));
    assert_eq!((&view["groupName"], &view["userName"]), (&json!("team"), &json!("ada")));
    let (status, text) = curl(&mut shell, &format!("-X POST {BEARER}"), "/machine/heartbeat").await;
    assert!(status == 200 && text.contains("tokenExpiresAt"), "{status} {text}");
    assert_eq!(curl(&mut shell, &format!("-X POST {BEARER}"), "/machine/activity").await.0, 204);
    let (status, text) = curl(&mut shell, BEARER, "/machine/logs?lines=50").await;
    assert!(status == 200 && text.contains("The workspace is ready."), "{status} {text}");
    // The token of another workspace of the same person is worth nothing here, and opens its own from outside.
    let theirs = real.get(&format!("/api/workspaces/{other}"))["runtime"]["machineToken"].as_str().unwrap().to_owned();
    assert!(opens(&real, &theirs));
    for (more, path, wanted) in [
        (format!("-H 'Authorization: Bearer {theirs}'"), "/machine/status", 401),
        (format!("-H 'Authorization: Bearer {theirs}'"), "/machine/logs", 401),
        (format!("-X POST -H 'Authorization: Bearer {theirs}'"), "/machine/activity", 401),
        (String::new(), "/machine/status", 401),
        (BEARER.to_owned(), "/workspaces", 404),
        (BEARER.to_owned(), "/machine/../workspaces", 404),
    ] {
        let (status, text) = curl(&mut shell, &format!("--path-as-is {more}"), path).await;
        assert_eq!(status, wanted, "{more} {path}: {text}");
        assert!(!text.contains(&other), "{text}");
    }
    // The restart ends the token; a program that reads the file afterwards has the next one.
    let old = shell.good("cat \"$CODEX_WEB_MACHINE_TOKEN_FILE\"").await;
    assert!(opens(&real, &old));
    real.act(&id, "restart").await;
    assert!(!opens(&real, &old));
    let mut shell = informed(&real, &id, &real.token).await;
    let (status, text) = curl(&mut shell, BEARER, "/machine/status").await;
    assert!(status == 200 && text.contains("\"run\":2"), "{status} {text}");
    assert_eq!(real.server.stop(), 0);
}

/// An account that can sign in; its id and an access token.
fn person(real: &Real, name: &str) -> (String, String) {
    let new = json!({"username": name, "email": format!("{name}@example.org"), "name": name, "temporaryPassword": format!("{PASSWORD} at first")});
    let made = real.call("POST", "/api/admin/users", &new, 201);
    let id = made["id"].as_str().unwrap().to_owned();
    let reset = json!({"newPassword": PASSWORD, "permanent": true});
    let (status, answer) = real.ask("POST", &format!("/api/admin/users/{id}/reset-password"), &real.token, Some(&reset));
    assert!(status < 300, "{answer}");
    (id, sign_in(&real.server.address, name, PASSWORD))
}

#[tokio::test]
async fn a_token_inside_ends_with_the_access_of_its_owner_and_stays_ended() {
    if !has("curl") {
        return;
    }
    let Some(real) = Real::start(&[]).await else { return };
    let (ben, token) = person(&real, "ben");
    let group = real.get("/api/groups")[0]["id"].as_str().unwrap().to_owned();
    let (status, answer) =
        real.ask("POST", &format!("/api/groups/{group}/members"), &real.token, Some(&json!({"userId": ben, "role": "member"})));
    assert!(status < 300, "{answer}");
    let new = json!({"name": "bens", "groupId": group, "image": "local:shell", "start": true});
    let id = real.ask("POST", "/api/workspaces", &token, Some(&new)).1["id"].as_str().unwrap().to_owned();
    real.reaches(&id, "running").await;
    let mut shell = informed(&real, &id, &token).await;
    let ask = format!("curl -s -m 5 -o /dev/null -w '%{{http_code}}\\n' {BEARER} $CODEX_WEB_API/machine/status");
    shell.good(&format!("((while :; do {ask} >>~/codes; sleep 0.1; done) >/dev/null 2>&1 &)")).await;
    let codes = real.home(&id).join("codes");
    until(|| fs::read_to_string(&codes).is_ok_and(|text| text.matches("200\n").count() >= 3), &codes).await;
    let held = real.ask("GET", &format!("/api/workspaces/{id}"), &token, None).1["runtime"]["machineToken"].as_str().unwrap().to_owned();
    assert!(opens(&real, &held));
    real.call("POST", &format!("/api/admin/users/{ben}/disable"), &json!({}), 200);
    assert!(!opens(&real, &held), "at once");
    tokio::time::sleep(Duration::from_secs(1)).await;
    fs::write(&codes, "").unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = fs::read_to_string(&codes).unwrap();
    assert!(!after.contains("200"), "what runs inside gets nothing any more: {after}");
    // Taken back for good: an account that is enabled again gets another token, and the old one stays ended.
    let begun = Instant::now();
    while real.get("/api/admin/audit-logs?action=revoke_machine_token").to_string().matches(&id).count() == 0 {
        assert!(begun.elapsed() < Duration::from_secs(90), "the token is not taken back");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    real.call("POST", &format!("/api/admin/users/{ben}/enable"), &json!({}), 200);
    assert!(!opens(&real, &held));
    assert_eq!(real.server.stop(), 0);
}

/// An app that answers on the socket it is given, in the layout in which code-server is released.
fn little_editor(folder: &std::path::Path) {
    const SERVER: &str = "import os, socket, sys\npath = sys.argv[sys.argv.index('--socket') + 1]\ns = socket.socket(socket.AF_UNIX)\n\
        s.bind(path)\ns.listen(16)\nwhile True:\n    c, _ = s.accept()\n    c.recv(65536)\n\
        \x20   c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nhi')\n    c.close()\n";
    for (name, text) in [
        ("package.json", "{\"version\": \"4.0.0\"}"),
        ("lib/node", "#!/bin/sh\nexec /usr/bin/python3 \"$@\"\n"),
        ("out/node/entry.js", SERVER),
    ] {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[tokio::test]
async fn the_view_of_a_running_workspace_names_its_servers_with_where_and_how_they_are() {
    if !has("/usr/bin/python3") {
        return;
    }
    let Some(real) = Real::start(&[]).await else { return };
    let folder = tempfile::tempdir().unwrap();
    little_editor(folder.path());
    real.program.run(&["apps", "install", "code-server", "--from-dir", &folder.path().display().to_string()]).expect(0);
    let new = json!({"name": "mine", "groupId": "team", "image": "local:code-server", "start": true});
    let id = real.call("POST", "/api/workspaces", &new, 201)["id"].as_str().unwrap().to_owned();
    real.reaches(&id, "running").await;
    let runtime = || real.get(&format!("/api/workspaces/{id}"))["runtime"].clone();
    let reached = |status: &'static str| {
        let begun = Instant::now();
        async move {
            while runtime()["servers"]["code-server"]["status"] != status {
                assert!(begun.elapsed() < Duration::from_secs(60), "never {status}: {}", runtime());
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    };
    assert_eq!(runtime()["servers"].as_object().unwrap().len(), 1, "{}", runtime());
    assert_eq!(runtime()["servers"]["code-server"]["status"], "stopped", "nobody opened it yet");
    let port = real.server.address.rsplit(':').next().unwrap();
    let url = format!("http://localhost:{port}/open?workspace={id}&app=code-server");
    assert_eq!(runtime()["servers"]["code-server"]["url"], url);
    assert!(runtime()["machineToken"].is_string());
    real.call("POST", &format!("/api/workspaces/{id}/apps/code-server/restart"), &json!({}), 200);
    reached("running").await;
    // What ends by itself is started again; what cannot start says that it failed.
    let mut shell = real.shell(&id).await;
    shell.good("pkill -f 'entry[.]js' || kill $(pgrep -f 'entry[.]js')").await;
    reached("running").await;
    real.act(&id, "stop").await;
    assert!(runtime().is_null(), "nothing runs, so there are no servers");
    assert_eq!(real.server.stop(), 0);
}
