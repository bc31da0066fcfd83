//! The reconciler against the fake cluster: interrupted anywhere, it neither loses nor doubles anything.

use super::site::Site;
use codex_web::clock::{Clock, MINUTE};
use codex_web::cluster::{ClusterControl, Observation, ObservedWorkspace, Phase};
use codex_web::domain::id::WorkspaceId;
use codex_web::domain::workspace::Reason;
use codex_web::reconcile::held::Held;
use codex_web::reconcile::plan::{Wanted, plan};
use codex_web::reconcile::seen::seen;
use codex_web::store::Origin;
use codex_web::store::due::{self, After, Ids};
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
async fn what_holds_a_deleted_group_is_told_until_it_lets_go() {
    let mut site = Site::new();
    let root = site.harness.admin();
    let group = site.harness.group("team");
    site.settle().await;
    let path = format!("/api/groups/{group}");
    let by = |words: &str| Some(Reason { code: "finalizers_remain".into(), message: words.into(), remedy: Some("Remove them.".into()) });
    site.harness.cluster.set_faults(|f| (f.hold_removals, f.held_by) = (true, by("Finalizers remain: example.com/hold")));
    root.delete(&path).await.expect(204);
    site.settle().await;
    let held = root.get(&path).await.expect(200).json;
    assert_eq!(held["status"], "deleting");
    assert_eq!(held["reason"], json!({ "code": "finalizers_remain", "message": "Finalizers remain: example.com/hold. Remove them." }));
    site.harness.cluster.set_faults(|f| f.held_by = None);
    site.settle().await;
    assert_eq!(root.get(&path).await.expect(200).json["reason"], json!(null), "it goes on");
    site.harness.cluster.set_faults(|f| f.hold_removals = false);
    site.settle().await;
    root.get(&path).await.expect(404);
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
    assert_eq!(site.reconciler.orphans(), [""; 0], "nobody has looked yet");
    compare_everything(&mut site).await;
    assert_eq!(site.reconciler.orphans(), [id]);
}

/// Lets the time of the full comparison come, and pass.
async fn compare_everything(site: &mut Site) {
    site.harness.clock.advance(5 * MINUTE);
    site.settle().await;
}

#[tokio::test]
async fn a_round_reads_nothing_of_what_is_settled() {
    let mut site = Site::new();
    let anna = site.harness.member("team");
    site.make(&anna, "team", "stopped", json!({})).await;
    site.running(&anna, "team", "running").await;
    // Whoever reads a row like this fails.
    site.harness.execute("UPDATE workspace SET spec = 'unreadable'");
    for _ in 0..5 {
        site.reconciler.round().await.unwrap();
    }
    site.harness.clock.advance(5 * MINUTE);
    assert!(site.reconciler.round().await.is_err(), "the full comparison reads everything");
}

#[tokio::test]
async fn what_the_cluster_lost_is_made_again() {
    let mut site = Site::new();
    let anna = site.harness.member("team");
    let id = site.running(&anna, "team", "mine").await;
    let (workspace, group) = (WorkspaceId::parse(&id).unwrap(), site.harness.group("team"));
    site.harness.cluster.remove_workspace(&workspace, "any").await.unwrap();
    site.harness.cluster.remove_group(&group, "any").await.unwrap();
    site.settle().await;
    assert_eq!(site.look(&anna, &id).await["status"], "running");
    assert_eq!(calls(&site, &id), ["apply_workspace", "remove_workspace", "apply_workspace"]);
    assert_eq!(site.harness.cluster.observe().await.unwrap().groups.unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_lost_while_no_server_ran_is_found_by_the_full_comparison() {
    let mut site = Site::new();
    let anna = site.harness.member("team");
    let id = site.running(&anna, "team", "mine").await;
    site.harness.cluster.remove_workspace(&WorkspaceId::parse(&id).unwrap(), "any").await.unwrap();
    site.harness.cluster.observe().await.unwrap();
    site.restart_reconciler();
    site.settle().await;
    assert_eq!(calls(&site, &id), ["apply_workspace", "remove_workspace", "apply_workspace"]);
}

/// Every combination of what should be and what was seen, as one workspace after the other.
fn every_state() -> Vec<String> {
    let mut states = Vec::new();
    for desired in ["running", "stopped", "deleted"] {
        for phase in Phase::ALL {
            for (run, generation) in [(3, 5), (2, 5), (3, 4), (2, 4), (0, 0)] {
                for (attempts, reason) in [(0, None), (0, Some("retrying")), (2, Some("retrying")), (0, Some("cluster_unreachable"))] {
                    let reason = reason.map_or_else(|| "NULL".to_owned(), |code| format!("'{code}'"));
                    states.push(format!(
                        "UPDATE workspace SET desired = '{desired}', run = 3, generation = 5, attempts = {attempts}; \
                         UPDATE workspace_status SET phase = '{}', observed_run = {run}, observed_generation = {generation}, \
                         reason_code = {reason}, reason_message = {reason};",
                        phase.as_str()
                    ));
                }
            }
        }
    }
    states
}

#[tokio::test]
async fn what_the_file_calls_settled_is_what_the_plan_leaves_alone() {
    let mut site = Site::new();
    let anna = site.harness.member("team");
    let id = site.running(&anna, "team", "mine").await;
    let ids = Ids { workspaces: vec![WorkspaceId::parse(&id).unwrap()], ..Ids::default() };
    let (db, now) = (&site.harness.app.ops.db, site.harness.clock.now());
    let (mut due, mut settled) = (0, 0);
    for state in every_state() {
        site.harness.execute(&state);
        let page = db.read(Origin::default(), |read| due::due(read, &After::default(), 10)).await.unwrap();
        if !page.workspaces.is_empty() {
            due += 1;
            continue;
        }
        settled += 1;
        let wanted = Wanted::load(db, ids.clone()).await.unwrap();
        let stored = wanted.workspaces[0].status.clone();
        let as_stored = ObservedWorkspace {
            id: ids.workspaces[0].clone(),
            namespace: String::new(),
            phase: stored.phase,
            run: stored.observed_run,
            generation: stored.observed_generation,
            reason: stored.reason.clone(),
            applied: stored.applied.clone(),
            notes: Vec::new(),
            components: stored.components.clone(),
        };
        let held = (stored.observed_generation > 0).then_some(as_stored);
        let observation = Observation { groups: None, workspaces: held.into_iter().collect() };
        assert_eq!(plan(&wanted, &Held::of(&observation), now, true), [], "{state}");
        let seen = seen(&wanted.workspaces[0], observation.workspaces.first(), now);
        assert_eq!((seen.phase, seen.reason), (stored.phase, stored.reason), "{state}");
    }
    // Stopped and seen at this generation or never; ready as wanted; failed in the run that is wanted.
    assert_eq!((due, settled), (351, 9));
}

#[tokio::test]
async fn a_silent_cluster_is_told_of_once_and_its_return_too() {
    let mut site = Site::new();
    let anna = site.harness.member("team");
    let running = site.running(&anna, "team", "mine").await;
    let stopped = site.make(&anna, "team", "other", json!({ "tier": "single-user" })).await["id"].as_str().unwrap().to_owned();
    site.harness.cluster.set_faults(|f| f.unreachable = true);
    for _ in 0..3 {
        site.reconciler.round().await.unwrap();
        assert_eq!(site.look(&anna, &running).await["reason"]["code"], "cluster_unreachable");
    }
    assert_eq!(site.look(&anna, &stopped).await["reason"], json!(null), "a stopped one misses nothing");
    site.harness.cluster.set_faults(|f| f.unreachable = false);
    site.settle().await;
    let back = site.look(&anna, &running).await;
    assert_eq!((&back["status"], &back["reason"]), (&json!("running"), &json!(null)));
}

#[tokio::test]
async fn a_step_that_panics_fails_its_own_workspace_and_nobody_elses() {
    let mut site = Site::new();
    let anna = site.harness.member("team");
    let make = async |name: &str| {
        let made = site.make(&anna, "team", name, json!({ "start": true, "tier": "single-user" })).await;
        WorkspaceId::parse(made["id"].as_str().unwrap()).unwrap()
    };
    let (bad, good) = (make("bad").await, make("good").await);
    site.harness.cluster.set_faults(|f| f.panics_about = Some(bad.clone()));
    site.settle().await;
    assert_eq!(site.look(&anna, good.as_str()).await["status"], "running", "the others go on");
    let failed = site.look(&anna, bad.as_str()).await;
    assert_ne!(failed["status"], "running");
    assert!(failed["reason"]["message"].as_str().unwrap().contains("its log says more"), "{failed}");
    // A request that meets the same fault is answered, and so is the next one.
    let logs = format!("/api/workspaces/{good}/logs");
    site.harness.cluster.set_faults(|f| f.panics_about = Some(good.clone()));
    let broken = anna.get(&logs).await.expect(500);
    assert_eq!(broken.code(), "INTERNAL_ERROR");
    site.harness.cluster.set_faults(|f| f.panics_about = None);
    anna.get(&logs).await.expect(200);
    // What failed is tried again, and nothing is left of it.
    site.harness.clock.advance(MINUTE);
    site.settle().await;
    let back = site.look(&anna, bad.as_str()).await;
    assert_eq!((&back["status"], &back["reason"]), (&json!("running"), &json!(null)));
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

#[tokio::test]
async fn what_a_running_workspace_tells_reaches_open_pages_and_progress_is_one_line() {
    let mut site = Site::new();
    let anna = site.harness.member("team");
    let id = site.running(&anna, "team", "mine").await;
    let workspace = codex_web::domain::id::WorkspaceId::parse(&id).unwrap();
    let lines = async |site: &Site| {
        let all = anna.get(&format!("/api/workspaces/{id}/timeline")).await.expect(200).json;
        let lines = all.as_array().unwrap().iter().filter(|line| line["code"].as_str().unwrap().starts_with("clon"));
        let lines: Vec<serde_json::Value> = lines.map(|line| json!([line["code"], line["message"], line["at"]])).collect();
        (site.harness.app.ops.bus.current(), lines)
    };
    let (mut before, none) = lines(&site).await;
    assert!(none.is_empty());
    let mut begun = json!(null);
    for words in ["Cloning it.", "Cloning it: receiving objects, 40 %.", "Cloning it: receiving objects, 90 %."] {
        site.harness.clock.advance(1_000);
        site.harness.cluster.tell(&workspace, "cloning", words);
        site.reconciler.round().await.unwrap();
        let (now, told) = lines(&site).await;
        assert!(now > before, "pages that show it are told");
        if begun.is_null() {
            begun = told[0][2].clone();
        }
        assert_eq!(told, [json!(["cloning", words, begun])], "with the latest words, since its beginning");
        before = now;
    }
    site.harness.cluster.tell(&workspace, "cloned", "It is there.");
    site.reconciler.round().await.unwrap();
    assert_eq!(lines(&site).await.1.len(), 2);
    // Another start has a line of its own.
    site.act(&anna, &id, "restart").await.expect(200);
    site.settle().await;
    site.harness.cluster.tell(&workspace, "cloning", "Cloning it.");
    site.reconciler.round().await.unwrap();
    assert_eq!(lines(&site).await.1.len(), 3);
}
