//! Apps and ports of a workspace in the API: what is shown, who may do what, and that a change is told.

use super::site::Site;
use serde_json::json;
use std::time::Duration;

/// A workspace with an editor that runs, of a new member of the group; the fake's agent has no such program.
async fn place() -> (Site, super::harness::Client, String) {
    let mut site = Site::listening().await;
    let anna = site.harness.member("team");
    let made = site.make(&anna, "team", "mine", json!({ "start": true, "tier": "single-user", "image": "local:code-server" })).await;
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!((&made["apps"][0]["slug"], &made["apps"][0]["status"]), (&json!("code-server"), &json!("stopped")));
    site.settle().await;
    (site, anna, id)
}

#[tokio::test]
async fn an_app_that_is_not_installed_says_so_and_what_to_do() {
    let (mut site, anna, id) = place().await;
    let apps = anna.get(&format!("/api/workspaces/{id}/apps")).await.expect(200).json;
    assert_eq!((&apps[0]["status"], &apps[0]["name"]), (&json!("stopped"), &json!("VS Code")));
    assert!(apps[0]["url"].as_str().unwrap().ends_with(&format!("/open?workspace={id}&app=code-server")), "{apps}");
    anna.post(&format!("/api/workspaces/{id}/apps/code-server/restart"), json!({})).await.expect(200);
    let mut shown = json!(null);
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        site.harness.clock.advance(4_000);
        shown = anna.get(&format!("/api/workspaces/{id}")).await.expect(200).json["apps"][0].clone();
        if shown["status"] == "missing" {
            break;
        }
    }
    assert_eq!(shown["message"], "The program code-server is not installed here.");
    assert!(shown["hint"].as_str().unwrap().contains("codex-web apps install code-server --from-dir DIR"), "{shown}");
    let log = anna.get(&format!("/api/workspaces/{id}/apps/code-server/logs?lines=5")).await.expect(200);
    assert!(log.text.contains("Z The program code-server is not installed here.\n"), "{}", log.text);
    let following = format!("/api/workspaces/{id}/apps/code-server/logs?lines=1&follow=true");
    let mut lines = site.harness.wire().stream(&anna, &following).await;
    assert!(lines.next().await.unwrap().contains("not installed here"));
    anna.post(&format!("/api/workspaces/{id}/apps/code-server/restart"), json!({})).await.expect(200);
    assert!(lines.next().await.unwrap().contains("not installed here"), "the next line comes by itself");
    site.act(&anna, &id, "stop").await.expect(200);
    site.settle().await;
    assert!(lines.ends_within(Duration::from_secs(5)).await, "with the run");
}

#[tokio::test]
async fn a_restart_is_recorded_and_told_to_an_owner_who_did_not_do_it() {
    let (site, anna, id) = place().await;
    let path = format!("/api/workspaces/{id}/apps/code-server/restart");
    let boss = site.harness.admin();
    boss.post(&path, json!({ "reason": "It hangs." })).await.expect(200);
    let entries = site.harness.audit("restart_app");
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert!(entries[0].to_string().contains("code-server"), "{entries:?}");
    let timeline = anna.get(&format!("/api/workspaces/{id}/timeline")).await.expect(200).json.to_string();
    assert!(timeline.contains("Asked to restart an app. The reason: It hangs."), "{timeline}");
    let ben = site.harness.member("team");
    assert_eq!(ben.post(&path, json!({})).await.status, 404, "another member sees nothing of it");
    assert_eq!(anna.post(&path.replace("code-server", "emacs"), json!({})).await.status, 404);
    let other = site.make(&anna, "team", "stopped", json!({ "image": "local:code-server" })).await;
    let stopped = format!("/api/workspaces/{}/apps/code-server/restart", other["id"].as_str().unwrap());
    assert_eq!(anna.post(&stopped, json!({})).await.code(), "WRONG_STATE");
}

#[tokio::test]
async fn a_server_that_is_started_is_listed_and_told_while_somebody_looks() {
    let (site, anna, id) = place().await;
    let path = format!("/api/workspaces/{id}/ports");
    anna.get(&path).await.expect(200);
    // The fake's agent sees what this user runs on this machine; its own process is left out, so another one listens.
    let script = "import socket, time; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); print(s.getsockname()[1], flush=True); time.sleep(60)";
    let mut child =
        std::process::Command::new("python3").args(["-c", script]).stdout(std::process::Stdio::piped()).spawn().expect("python3");
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
    let port: u64 = line.trim().parse().unwrap();
    let before = site.harness.app.ops.bus.current();
    let mut found = None;
    for _ in 0..60 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let told = site.harness.app.ops.bus.current() > before;
        let ports = anna.get(&path).await.expect(200).json;
        found = ports.as_array().unwrap().iter().find(|entry| entry["port"] == port && told).cloned();
        if found.is_some() {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let found = found.expect("the port is listed and an event says so");
    assert_eq!(found["address"], "127.0.0.1");
    assert!(found["url"].as_str().unwrap().ends_with(&format!("/open?workspace={id}&port={port}")), "{found}");
    let ben = site.harness.member("team");
    assert_eq!(ben.get(&path).await.status, 404);
}
