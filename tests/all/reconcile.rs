//! The reconciler against the fake cluster: interrupted anywhere, it neither loses nor doubles anything.

use super::site::Site;
use codex_web::cluster::{ClusterControl, Phase};
use codex_web::domain::id::WorkspaceId;
use codex_web::domain::workspace::Reason;
use serde_json::json;

fn calls(site: &Site, id: &str) -> Vec<String> {
    site.harness.cluster.calls().iter().filter(|call| call.ends_with(id)).map(|call| call.split(' ').next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_reconciler_that_dies_after_every_round_does_everything_once() {
    let mut site = Site::new();
    let anna = site.harness.member("team");
    let id = site.make(&anna, "team", "mine", json!({ "start": true })).await["id"].as_str().unwrap().to_owned();
    for (action, status, done) in [("", "running", 1), ("restart", "running", 2), ("stop", "stopped", 3)] {
        if !action.is_empty() {
            site.act(&anna, &id, action).await.expect(200);
        }
        for _ in 0..6 {
            site.reconciler.round().await.unwrap();
            site.restart_reconciler();
        }
        assert_eq!(site.look(&anna, &id).await["status"], status, "{action}");
        assert_eq!(calls(&site, &id), vec!["apply_workspace"; done], "{action}");
    }
    anna.delete(&format!("/api/workspaces/{id}")).await.expect(204);
    for _ in 0..6 {
        site.reconciler.round().await.unwrap();
        site.restart_reconciler();
    }
    anna.get(&format!("/api/workspaces/{id}")).await.expect(404);
    assert_eq!(calls(&site, &id).last().map(String::as_str), Some("remove_workspace"));
    assert_eq!(site.harness.audit("record_workspace_state").len(), 1);
    let steps = site.harness.rows("SELECT count(*) AS n FROM workspace_status");
    assert_eq!(steps[0]["n"], 0);
}

#[tokio::test]
async fn workspaces_come_back_after_a_restart_of_the_server() {
    let mut site = Site::new();
    let anna = site.harness.member("team");
    let id = site.running(&anna, "team", "mine").await;
    let stopped = site.make(&anna, "team", "other", json!({ "tier": "single-user" })).await["id"].as_str().unwrap().to_owned();
    site.harness.cluster.shut_down().await;
    site.restart_reconciler();
    site.settle().await;
    let back = site.look(&anna, &id).await;
    assert_eq!((&back["status"], &back["run"]), (&json!("running"), &json!(1)));
    assert_eq!(site.look(&anna, &stopped).await["status"], "stopped");
}

#[tokio::test]
async fn a_crash_is_shown_with_its_reason_until_somebody_starts_it_again() {
    let mut site = Site::new();
    let anna = site.harness.member("team");
    let id = site.running(&anna, "team", "mine").await;
    let reason = Reason { code: "out_of_memory".into(), message: "It used more than its 2 GiB of memory.".into(), remedy: None };
    site.harness.cluster.crash(&WorkspaceId::parse(&id).unwrap(), reason);
    site.settle().await;
    let crashed = site.look(&anna, &id).await;
    assert_eq!((&crashed["status"], &crashed["reason"]["code"]), (&json!("error"), &json!("out_of_memory")));
    anna.patch(&format!("/api/workspaces/{id}"), json!({ "name": "renamed" })).await.expect(200);
    site.settle().await;
    assert_eq!(site.look(&anna, &id).await["status"], "error", "a rename starts nothing");
    assert_eq!(site.act(&anna, &id, "start").await.expect(200).json["status"], "starting");
    site.settle().await;
    assert_eq!(site.look(&anna, &id).await["status"], "running");
}

#[tokio::test]
async fn a_slow_removal_keeps_the_row_until_the_cluster_has_nothing_of_it() {
    let mut site = Site::new();
    let anna = site.harness.member("team");
    let id = site.running(&anna, "team", "mine").await;
    site.harness.cluster.set_faults(|f| f.hold_removals = true);
    anna.delete(&format!("/api/workspaces/{id}")).await.expect(204);
    site.settle().await;
    assert_eq!(site.look(&anna, &id).await["status"], "deleting");
    assert_eq!(calls(&site, &id).iter().filter(|c| *c == "remove_workspace").count(), 1);
    site.harness.cluster.set_faults(|f| f.hold_removals = false);
    site.settle().await;
    anna.get(&format!("/api/workspaces/{id}")).await.expect(404);
}

#[tokio::test]
async fn what_the_database_does_not_know_is_left_alone() {
    let mut site = Site::new();
    let anna = site.harness.member("team");
    let id = site.running(&anna, "team", "mine").await;
    // As after the restore of an older file: the rows are gone, the work is not.
    let gone = WorkspaceId::parse(&id).unwrap();
    site.harness.as_shell(codex_web::policy::Action::CreateUser, move |tx, permit| {
        codex_web::store::workspaces::remove(tx, permit, &gone).map(drop)
    });
    site.settle().await;
    let held = site.harness.cluster.observe().await.unwrap();
    assert_eq!(held.workspaces.iter().map(|w| (w.id.to_string(), w.phase)).collect::<Vec<_>>(), [(id.clone(), Phase::Ready)]);
    assert!(!calls(&site, &id).iter().any(|c| c == "remove_workspace"));
}

#[tokio::test]
async fn the_loop_wakes_by_itself_and_ends_when_told() {
    let Site { harness, reconciler } = Site::new();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let running = tokio::spawn(reconciler.run(stopped));
    let anna = harness.member("team");
    let body = json!({ "name": "mine", "groupId": "team", "start": true });
    let id = anna.post("/api/workspaces", body).await.expect(201).json["id"].as_str().unwrap().to_owned();
    let ready = async {
        while anna.get(&format!("/api/workspaces/{id}")).await.json["status"] != "running" {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(5), ready).await.expect("it was woken by the change");
    stop.send_replace(true);
    tokio::time::timeout(std::time::Duration::from_secs(5), running).await.expect("it ends").unwrap();
}
