//! Workspaces through the API: what is made, seen, changed, refused, and what each of these leaves in the audit log.

use super::harness::{Answer, Client};
use super::site::Site;
use codex_web::clock::Millis;
use codex_web::domain::group::GroupRole;
use codex_web::domain::id::WorkspaceId;
use codex_web::domain::workspace::Reason;
use codex_web::policy::Action;
use codex_web::store::timeline::{self, NewEvent};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn names(answer: &Answer) -> BTreeSet<String> {
    answer.json.as_array().unwrap().iter().map(|w| w["name"].as_str().unwrap().to_owned()).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|n| (*n).to_owned()).collect()
}

#[tokio::test]
async fn a_workspace_lives_from_creation_to_its_end() {
    let mut site = Site::new();
    let anna = site.harness.member("team");
    let made = site.make(&anna, "team", "my shell", json!({ "description": "to try things" })).await;
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!(
        (&made["status"], &made["run"], &made["replicas"], &made["image"]),
        (&json!("stopped"), &json!(0), &json!(0), &json!("local:shell"))
    );
    assert_eq!(made["resources"], json!({ "cpu": "2", "memory": "4Gi", "storage": "20Gi" }));
    assert_eq!((&made["can"]["start_workspace"], &made["can"]["stop_workspace"]["code"]), (&json!(true), &json!("WRONG_STATE")));
    assert!(made["url"].as_str().unwrap().ends_with(&format!("/workspaces/{id}")));

    let started = site.act(&anna, &id, "start").await.expect(200).json;
    assert_eq!((&started["status"], &started["run"], &started["replicas"]), (&json!("starting"), &json!(1), &json!(1)));
    site.settle().await;
    let running = site.look(&anna, &id).await;
    assert_eq!((&running["status"], &running["reason"], &running["can"]["open_terminal"]), (&json!("running"), &json!(null), &json!(true)));
    assert_eq!((&running["appliedResources"], &running["usage"]["cpu"]["total"]), (&made["resources"], &json!("2")));

    assert_eq!(site.act(&anna, &id, "stop").await.expect(200).json["status"], "stopping");
    site.settle().await;
    assert_eq!(site.look(&anna, &id).await["status"], "stopped");
    assert_eq!(site.act(&anna, &id, "restart").await.expect(200).json["run"], 2);
    site.settle().await;
    assert_eq!(site.look(&anna, &id).await["status"], "running");

    anna.delete(&format!("/api/workspaces/{id}")).await.expect(204);
    assert_eq!(site.look(&anna, &id).await["status"], "deleting");
    anna.delete(&format!("/api/workspaces/{id}")).await.expect(204);
    site.settle().await;
    assert_eq!(anna.get(&format!("/api/workspaces/{id}")).await.expect(404).code(), "NOT_FOUND");
    for action in
        ["create_workspace", "start_workspace", "stop_workspace", "restart_workspace", "delete_workspace", "record_workspace_state"]
    {
        let entries = site.harness.audit(action);
        assert_eq!(entries.len(), 1, "{action}");
        assert_eq!(entries[0]["resource"], format!("workspace:{id}"), "{action}");
    }
    assert_eq!(site.harness.rows("SELECT count(*) AS n FROM workspace_event")[0]["n"], 0);
}

#[tokio::test]
async fn the_timeline_tells_what_happened_in_order() {
    let mut site = Site::new();
    let anna = site.harness.member("team");
    let id = site.running(&anna, "team", "one").await;
    let path = format!("/api/workspaces/{id}/timeline");
    let all = anna.get(&path).await.expect(200).json;
    let codes: Vec<&str> = all.as_array().unwrap().iter().rev().map(|e| e["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["created", "start", "accepted", "ready"]);
    let created = all.as_array().unwrap().last().unwrap();
    assert_eq!((created["actor"]["id"].as_str(), &created["kind"]), (Some(anna.user_id().as_str()), &json!("action")));

    let first = anna.get(&format!("{path}?limit=3")).await.expect(200);
    let link = first.header("link").unwrap();
    let next = link.trim_start_matches('<').split('>').next().unwrap();
    let rest = anna.get(next).await.expect(200);
    assert_eq!((rest.json[0]["code"].as_str(), rest.header("link")), (Some("created"), None));
}

#[tokio::test]
async fn what_a_cluster_tells_again_stands_in_the_timeline_once() {
    let mut site = Site::new();
    let anna = site.harness.member("team");
    let id = site.running(&anna, "team", "one").await;
    let told = |at: i64, kind: &'static str, message: &str| NewEvent {
        workspace: WorkspaceId::parse(&id).unwrap(),
        at: Millis(at),
        run: 1,
        kind,
        code: "told".into(),
        message: message.into(),
        actor: None,
    };
    let step = [told(1_000, "step", "placed"), told(1_000, "step", "placed"), told(400, "step", "placed")];
    // Crash after crash is one line with a count; a new server is told of the last one again.
    let crashes = [told(2_000, "error", "crashed"), told(3_000, "error", "crashed"), told(3_000, "error", "crashed")];
    let later = [told(4_000, "step", "placed"), told(2_000, "error", "crashed")];
    let all = [&step[..], &crashes[..], &later[..]].concat();
    site.harness.as_shell(Action::CreateUser, move |tx, _| all.iter().try_for_each(|event| timeline::insert(tx, event)));
    let seen = site.harness.rows("SELECT at, message, count FROM workspace_event WHERE code = 'told' ORDER BY id");
    let seen: Vec<_> = seen.iter().map(|row| (row["at"].as_i64(), row["message"].as_str(), row["count"].as_i64())).collect();
    let expected = [(1_000, "placed", 1), (3_000, "crashed", 2), (4_000, "placed", 1)];
    assert_eq!(seen, expected.map(|(at, message, count)| (Some(at), Some(message), Some(count))));
}

#[tokio::test]
async fn every_invalid_field_is_named_at_once() {
    let site = Site::new();
    let anna = site.harness.member("team");
    let body = json!({
        "name": "-bad-", "groupId": 7, "image": "a b", "tier": "huge", "start": "yes", "password": "x",
        "resources": { "cpu": "-1", "memory": 5, "disk": "1Gi" }, "description": "a\u{0}b",
    });
    let answer = anna.post("/api/workspaces", body).await.expect(400);
    let expected = [
        "name:invalid",
        "groupId:type",
        "image:invalid",
        "tier:invalid",
        "start:type",
        "password:unknown",
        "resources.cpu:invalid",
        "resources.memory:unit",
        "resources.disk:unknown",
        "description:characters",
    ];
    assert_eq!(answer.fields().into_iter().collect::<BTreeSet<_>>(), set(&expected));
    let missing = anna.post("/api/workspaces", json!({})).await.expect(400);
    assert_eq!(
        (missing.fields(), &missing.json["error"]["appcode"]),
        (vec!["name:required".into(), "groupId:required".into()], &json!(30000))
    );
    for (body, field) in [
        (
            json!({ "name": "a", "groupId": site.harness.group("team"), "templateId": "tpl_00000000000000000000000000000000" }),
            "templateId:unknown",
        ),
        (json!({ "name": "a", "groupId": site.harness.group("team"), "image": "local:nothing" }), "image:unknown"),
        (json!({ "name": "a", "groupId": site.harness.group("team"), "parameters": { "x": 1 } }), "parameters.x:unknown"),
    ] {
        assert_eq!(anna.post("/api/workspaces", body).await.expect(400).fields(), [field]);
    }
    assert_eq!(site.harness.rows("SELECT count(*) AS n FROM workspace")[0]["n"], 0);
}

#[tokio::test]
async fn a_name_is_unique_among_its_owners_and_free_again_after_a_deletion() {
    let site = Site::new();
    let (anna, ben) = (site.harness.member("team"), site.harness.member("team"));
    let first = site.make(&anna, "team", "same", json!({})).await;
    let again = anna.post("/api/workspaces", json!({ "name": "same", "groupId": "team" })).await.expect(409);
    assert_eq!((again.code(), again.fields()), ("CONFLICT", vec!["name:taken".to_owned()]));
    site.make(&ben, "team", "same", json!({})).await;
    let other = site.make(&anna, "team", "other", json!({})).await;
    let renamed = anna.patch(&format!("/api/workspaces/{}", other["id"].as_str().unwrap()), json!({ "name": "same" })).await;
    renamed.expect(409);
    anna.delete(&format!("/api/workspaces/{}", first["id"].as_str().unwrap())).await.expect(204);
    site.make(&anna, "team", "same", json!({})).await;
}

#[tokio::test]
async fn a_list_shows_exactly_what_can_be_opened() {
    let site = Site::new();
    let (anna, ben, lead) = (site.harness.member("team"), site.harness.member("team"), site.harness.group_admin("team"));
    let (admin, stranger, other) = (site.harness.admin(), site.harness.stranger(), site.harness.member("other"));
    for (who, group, name) in [(&anna, "team", "anna-1"), (&ben, "team", "ben-1"), (&other, "other", "other-1")] {
        site.make(who, group, name, json!({})).await;
    }
    let ids: Vec<(String, String)> = admin
        .get("/api/workspaces")
        .await
        .expect(200)
        .json
        .as_array()
        .unwrap()
        .iter()
        .map(|w| (w["name"].as_str().unwrap().to_owned(), w["id"].as_str().unwrap().to_owned()))
        .collect();
    for (who, expected) in [
        (&anna, set(&["anna-1"])),
        (&ben, set(&["ben-1"])),
        (&lead, set(&["anna-1", "ben-1"])),
        (&other, set(&["other-1"])),
        (&stranger, set(&[])),
        (&admin, set(&["anna-1", "ben-1", "other-1"])),
    ] {
        assert_eq!(names(&who.get("/api/workspaces").await.expect(200)), expected);
        for (name, id) in &ids {
            let status = who.get(&format!("/api/workspaces/{id}")).await.status;
            assert_eq!(status, if expected.contains(name) { 200 } else { 404 }, "{name}");
        }
    }
    assert_eq!(names(&lead.get("/api/workspaces?mine=true").await.expect(200)), set(&[]));
    assert_eq!(names(&anna.get("/api/workspaces?groupId=team").await.expect(200)), set(&["anna-1"]));
    assert_eq!(names(&lead.get("/api/workspaces?groupId=team").await.expect(200)), set(&["anna-1", "ben-1"]));
    assert_eq!(names(&admin.get("/api/workspaces?search=nna").await.expect(200)), set(&["anna-1"]));
    assert_eq!(names(&admin.get("/api/workspaces?search=be").await.expect(200)), set(&["ben-1"]));
    assert_eq!(names(&admin.get("/api/workspaces?status=running").await.expect(200)), set(&[]));
    assert_eq!(names(&admin.get(&format!("/api/workspaces?userId={}", ben.user_id())).await.expect(200)), set(&["ben-1"]));
    assert_eq!(names(&admin.get("/api/workspaces?groupId=nowhere").await.expect(200)), set(&[]));
    let can = |who: &Answer| who.json[0]["can"].as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect::<BTreeSet<_>>();
    assert!(can(&anna.get("/api/workspaces").await).contains("open_terminal"));
    let of_lead = can(&lead.get("/api/workspaces").await);
    assert!(of_lead.contains("stop_workspace") && !of_lead.contains("open_terminal"));

    let all = admin.get("/api/admin/workspaces").await.expect(200);
    assert_eq!(all.json.as_array().unwrap().len(), 3);
    assert!(all.json[0]["userEmail"].as_str().unwrap().ends_with("@example.org"));
    assert_eq!(lead.get("/api/admin/workspaces").await.status, 403);
}

#[tokio::test]
async fn pages_follow_each_other_and_a_cursor_works_with_its_own_list_only() {
    let site = Site::new();
    let anna = site.harness.member("team");
    for n in 0..5 {
        site.make(&anna, "team", &format!("ws {n}"), json!({ "resources": { "storage": "1Gi" } })).await;
    }
    let mut path = "/api/workspaces?mine=true&limit=2&count=true".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = anna.get(&path).await.expect(200);
        assert_eq!(page.header("x-total-count"), Some("5"));
        seen.extend(page.json.as_array().unwrap().iter().map(|w| w["name"].as_str().unwrap().to_owned()));
        let Some(link) = page.header("link") else { break };
        path = link.trim_start_matches('<').split('>').next().unwrap().to_owned();
    }
    assert_eq!(seen, ["ws 4", "ws 3", "ws 2", "ws 1", "ws 0"]);
    let foreign = path.replace("mine=true&", "");
    assert_eq!(anna.get(&foreign).await.expect(400).fields(), ["cursor:invalid"]);
    assert_eq!(anna.get("/api/workspaces?limit=0&state=x").await.expect(400).fields(), ["limit:range", "state:unknown"]);
}

#[tokio::test]
async fn the_quota_is_a_pool_that_refuses_in_words_and_numbers() {
    let site = Site::new();
    let (anna, ben) = (site.harness.member("team"), site.harness.member("team"));
    let big = json!({ "resources": { "cpu": "6", "memory": "12Gi", "storage": "60Gi" } });
    let first = site.make(&anna, "team", "big", big.clone()).await;
    let mut body = json!({ "name": "too", "groupId": "team" });
    body.as_object_mut().unwrap().extend(big.as_object().unwrap().clone());
    let refused = ben.post("/api/workspaces", body.clone()).await.expect(409);
    let details = &refused.json["error"]["details"];
    assert_eq!(refused.code(), "QUOTA_EXCEEDED");
    assert_eq!((&details["level"], &details["resource"], &details["requested"]), (&json!("group"), &json!("storage"), &json!("60Gi")));
    assert_eq!((&details["used"], &details["total"], &details["available"]), (&json!("60Gi"), &json!("100Gi"), &json!("40Gi")));
    assert_eq!(site.harness.audit("create_workspace").iter().filter(|e| e["success"] == 0).count(), 1);

    let dry = ben.post("/api/workspaces?dryRun=true", body.clone()).await.expect(200).json;
    let failed: Vec<&Value> = dry["checks"].as_array().unwrap().iter().filter(|c| c["ok"] == false).collect();
    assert_eq!((&dry["allowed"], failed.len(), &failed[0]["resource"]), (&json!(false), 1, &json!("storage")));
    body["resources"]["storage"] = json!("40Gi");
    assert_eq!(ben.post("/api/workspaces?dryRun=true", body.clone()).await.expect(200).json["allowed"], true);
    let second = ben.post("/api/workspaces", body).await.expect(201).json;

    // Stopped workspaces share cores; only one of these can run at a time.
    site.act(&anna, first["id"].as_str().unwrap(), "start").await.expect(200);
    let id = second["id"].as_str().unwrap();
    let refused = site.act(&ben, id, "start").await.expect(409);
    assert_eq!((refused.code(), &refused.json["error"]["details"]["resource"]), ("QUOTA_EXCEEDED", &json!("cpu")));
    let view = site.look(&ben, id).await;
    assert_eq!((&view["status"], &view["can"]["start_workspace"]["code"]), (&json!("stopped"), &json!("QUOTA_EXCEEDED")));
    let dry = ben.post(&format!("/api/workspaces/{id}/actions?dryRun=true"), json!({ "type": "start" })).await.expect(200).json;
    assert_eq!(dry["allowed"], false);
    assert_eq!(site.look(&ben, id).await["run"], 0);
}

#[tokio::test]
async fn every_level_above_the_group_holds_back_what_does_not_fit_in_it() {
    let site = Site::new();
    let anna = site.harness.member("team");
    let size = json!({ "resources": { "cpu": "2", "memory": "4Gi", "storage": "10Gi" } });
    let id = site.make(&anna, "team", "one", size.clone()).await["id"].as_str().unwrap().to_owned();
    let top = site.harness.rows("SELECT id FROM organization")[0]["id"].as_str().unwrap().to_owned();
    let child = "org_00000000000000000000000000000001";
    site.harness.execute(&format!(
        "INSERT INTO organization (id, name, display_name, parent_id, path, created_at) \
         SELECT '{child}', 'child', 'Child', id, path || '/child', 0 FROM organization; \
         UPDATE \"group\" SET organization_id = '{child}' WHERE name = 'team'"
    ));
    let another = {
        let mut body = json!({ "name": "two", "groupId": "team" });
        body.as_object_mut().unwrap().extend(size.as_object().unwrap().clone());
        body
    };
    let start = format!("/api/workspaces/{id}/actions");
    for (level, account) in [("user", anna.user_id().as_str()), ("organization", child), ("organization", &top)] {
        for (kind, amount) in [("pods", 1), ("storage", 15_i64 << 30), ("cpu", 1_000), ("memory", 2 << 30)] {
            let row = format!("('{level}', '{account}', '{kind}', {amount})");
            site.harness.execute(&format!("INSERT INTO resource_limit (account_kind, account_id, kind, amount) VALUES {row}"));
            let creates = matches!(kind, "pods" | "storage");
            let (path, body) = if creates { ("/api/workspaces", another.clone()) } else { (start.as_str(), json!({ "type": "start" })) };
            let dry = anna.post(&format!("{path}?dryRun=true"), body.clone()).await.expect(200).json;
            assert_eq!(dry["allowed"], false, "{level} {account} {kind}: {dry}");
            let refused = anna.post(path, body).await.expect(409);
            let details = &refused.json["error"]["details"];
            let told = (refused.code(), details["level"].as_str(), details["resource"].as_str());
            assert_eq!(told, ("QUOTA_EXCEEDED", Some(level), Some(kind)), "{account}: {}", refused.text);
            site.harness.execute("DELETE FROM resource_limit");
        }
    }
    anna.post("/api/workspaces", another).await.expect(201);
    site.act(&anna, &id, "start").await.expect(200);
}

#[tokio::test]
async fn of_two_at_once_for_the_last_of_something_one_gets_it() {
    let site = Site::new();
    let (anna, ben) = (site.harness.member("team"), site.harness.member("team"));
    let body = json!({ "name": "last", "groupId": "team", "resources": { "storage": "60Gi" } });
    let (a, b) = tokio::join!(anna.post("/api/workspaces", body.clone()), ben.post("/api/workspaces", body.clone()));
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    assert_eq!(site.harness.rows("SELECT count(*) AS n FROM workspace")[0]["n"], 1);
}

#[tokio::test]
async fn a_change_merges_what_it_names_and_heeds_the_revision() {
    let mut site = Site::new();
    let anna = site.harness.member("team");
    let id = site.running(&anna, "team", "mine").await;
    let path = format!("/api/workspaces/{id}");
    let read = anna.get(&path).await.expect(200);
    let etag = read.header("etag").unwrap().to_owned();
    let resized = anna.with_header("if-match", &etag).patch(&path, json!({ "resources": { "memory": "3Gi" } })).await.expect(200);
    assert_eq!(resized.json["resources"], json!({ "cpu": "1", "memory": "3Gi", "storage": "20Gi" }));
    assert_eq!(resized.json["generation"], read.json["generation"].as_i64().unwrap() + 1);
    assert_eq!(resized.json["appliedResources"]["memory"], "2Gi");
    assert_eq!(anna.with_header("if-match", &etag).patch(&path, json!({ "name": "late" })).await.expect(412).code(), "STALE");
    let entry = &site.harness.audit("update_workspace")[0];
    assert_eq!(entry["details"]["before"], json!({ "resources": { "cpu": "1", "memory": "2Gi", "storage": "20Gi" } }));

    let again = anna.patch(&path, json!({})).await.expect(200);
    assert_eq!(again.json["generation"], resized.json["generation"].as_i64().unwrap() + 1, "reapplied when asked");
    assert_eq!(anna.patch(&path, json!({ "resources": { "storage": "10Gi" } })).await.expect(400).fields(), ["resources.storage:range"]);
    assert_eq!(anna.patch(&path, json!({ "resources": { "cpu": "11" } })).await.expect(409).code(), "QUOTA_EXCEEDED");
    let dry = anna.patch(&format!("{path}?dryRun=true"), json!({ "resources": { "cpu": "11" } })).await.expect(200);
    assert_eq!(dry.json["allowed"], false);
    assert_eq!(anna.patch(&path, json!({ "name": null, "status": "x" })).await.expect(400).fields(), ["name:required", "status:unknown"]);
    let run = anna.patch(&path, json!({ "name": "renamed", "description": null })).await.expect(200).json["run"].clone();
    assert_eq!(run, 1, "a rename starts nothing anew");
    site.settle().await;
    assert_eq!(site.look(&anna, &id).await["status"], "running");
}

#[tokio::test]
async fn who_acts_on_somebody_elses_is_told_of_with_the_reason() {
    let mut site = Site::new();
    let (anna, lead, ben) = (site.harness.member("team"), site.harness.group_admin("team"), site.harness.member("team"));
    let id = site.running(&anna, "team", "mine").await;
    let path = format!("/api/workspaces/{id}/actions");
    assert_eq!(ben.post(&path, json!({ "type": "stop" })).await.expect(404).code(), "NOT_FOUND");
    lead.post(&path, json!({ "type": "stop", "reason": "maintenance tonight" })).await.expect(200);
    let notices = site.harness.rows("SELECT user_id, code, message, link FROM inbox");
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0]["user_id"], anna.user_id().as_str());
    let words = notices[0]["message"].as_str().unwrap();
    assert!(words.contains("stopped your workspace mine") && words.contains("maintenance tonight"), "{words}");
    let line = &anna.get(&format!("/api/workspaces/{id}/timeline")).await.json[0];
    assert_eq!((&line["code"], line["actor"]["id"].as_str()), (&json!("stop"), Some(lead.user_id().as_str())));
    let entries = site.harness.audit("stop_workspace");
    let entry = entries.iter().find(|e| e["success"] == 1).unwrap();
    let person = site.harness.rows(&format!("SELECT data FROM audit_person WHERE seq = {}", entry["seq"]));
    assert!(person[0]["data"].as_str().unwrap().contains("maintenance tonight"));
    assert!(!entry["details"].to_string().contains("maintenance"));
    site.act(&anna, &id, "start").await.expect(200);
    assert_eq!(site.harness.rows("SELECT count(*) AS n FROM inbox")[0]["n"], 1, "nobody is told what they did themselves");
}

#[tokio::test]
async fn an_action_that_makes_no_sense_says_why() {
    let mut site = Site::new();
    let anna = site.harness.member("team");
    let id = site.running(&anna, "team", "mine").await;
    let refused = site.act(&anna, &id, "start").await.expect(409);
    assert_eq!((refused.code(), refused.json["error"]["message"].as_str()), ("WRONG_STATE", Some("It is running already.")));
    assert_eq!(site.act(&anna, &id, "explode").await.expect(400).fields(), ["type:invalid"]);
    assert_eq!(anna.get("/api/workspaces/ws_1").await.expect(404).code(), "NOT_FOUND");
}

#[tokio::test]
async fn what_the_cluster_refuses_is_an_error_with_its_reason_and_can_be_tried_again() {
    let mut site = Site::new();
    let anna = site.harness.member("team");
    let reason =
        Reason { code: "needs_containers".into(), message: "Images cannot run here.".into(), remedy: Some("Use a template.".into()) };
    site.harness.cluster.set_faults(|f| f.reject = Some(reason));
    // The group is there already: only the workspace is refused.
    let made = site.make(&anna, "team", "image", json!({ "image": "docker.io/library/debian:12", "start": true })).await;
    let id = made["id"].as_str().unwrap();
    site.settle().await;
    let failed = site.look(&anna, id).await;
    assert_eq!(
        (&failed["status"], &failed["reason"]["code"], &failed["reason"]["remedy"]),
        (&json!("error"), &json!("needs_containers"), &json!("Use a template."))
    );
    let tries = site.harness.cluster.calls().iter().filter(|c| c.contains(id)).count();
    assert_eq!(tries, 1, "it is not tried again before its time");
    site.harness.cluster.set_faults(|f| f.reject = None);
    assert_eq!(site.act(&anna, id, "start").await.expect(200).json["status"], "starting");
    site.settle().await;
    assert_eq!(site.look(&anna, id).await["status"], "running");
}

#[tokio::test]
async fn while_the_cluster_is_away_the_status_stays_and_says_so() {
    let mut site = Site::new();
    let anna = site.harness.member("team");
    let id = site.running(&anna, "team", "mine").await;
    site.harness.cluster.set_faults(|f| f.unreachable = true);
    site.settle().await;
    let away = site.look(&anna, &id).await;
    assert_eq!((&away["status"], &away["reason"]["code"]), (&json!("running"), &json!("cluster_unreachable")));
    assert_eq!(anna.get(&format!("/api/workspaces/{id}/logs")).await.expect(503).code(), "CLUSTER_UNAVAILABLE");
    site.harness.cluster.set_faults(|f| f.unreachable = false);
    site.settle().await;
    assert_eq!(site.look(&anna, &id).await["reason"], json!(null));
}

#[tokio::test]
async fn deleting_anybodys_workspace_is_for_platform_admins_and_audited_as_that() {
    let site = Site::new();
    let (anna, lead, admin) = (site.harness.member("team"), site.harness.group_admin("team"), site.harness.admin());
    let id = site.make(&anna, "team", "mine", json!({})).await["id"].as_str().unwrap().to_owned();
    let path = format!("/api/admin/workspaces/{id}");
    assert_eq!(lead.delete(&path).await.status, 403);
    admin.delete(&format!("{path}?reason=left%20the%20company")).await.expect(204);
    assert_eq!(site.harness.audit("admin_delete_workspace").iter().filter(|e| e["success"] == 1).count(), 1);
    assert!(site.harness.audit("delete_workspace").is_empty());
    assert!(site.harness.rows("SELECT message FROM inbox")[0]["message"].as_str().unwrap().contains("left the company"));
}

#[tokio::test]
async fn logs_health_and_measurements_are_for_those_who_may_see_them() {
    let mut site = Site::new();
    let (anna, lead, ben) = (site.harness.member("team"), site.harness.group_admin("team"), site.harness.member("team"));
    let id = site.running(&anna, "team", "mine").await;
    let at = |part: &str| format!("/api/workspaces/{id}/{part}");
    for who in [&anna, &lead] {
        let logs = who.get(&at("logs?lines=1")).await.expect(200);
        assert!(logs.header("content-type").unwrap().starts_with("text/plain"));
        let (time, text) = logs.text.trim_end().split_once(' ').unwrap();
        assert!(time.ends_with('Z') && text == "The workspace is ready.", "{}", logs.text);
        assert_eq!(who.get(&at("health")).await.expect(200).json[0]["type"], "agent");
        assert_eq!(who.get(&at("metrics")).await.expect(200).json["cpu"]["total"], "1");
    }
    for part in ["logs", "health", "metrics", "timeline", "terminals"] {
        assert_eq!(ben.get(&at(part)).await.status, 404, "{part}");
    }
    assert_eq!(lead.get(&at("terminals")).await.status, 403, "looking is not entering");
    assert_eq!(anna.post(&at("sync"), json!({})).await.expect(200).json["status"], "running");
    assert_eq!(anna.get(&at("logs?since=2999-01-01")).await.expect(200).text, "", "nothing was written then");
    assert!(anna.get(&at("logs?since=2001-01-01T00:00:00Z")).await.expect(200).text.contains("The workspace is ready."));
    let followed = anna.get(&at("logs?follow=true")).await.expect(200);
    assert!(followed.text.contains("The workspace is ready."));
}

#[tokio::test]
async fn the_same_key_makes_one_workspace() {
    let site = Site::new();
    let anna = site.harness.member("team").with_header("idempotency-key", "once");
    let body = json!({ "name": "mine", "groupId": "team" });
    let first = anna.post("/api/workspaces", body.clone()).await.expect(201);
    let again = anna.post("/api/workspaces", body).await.expect(201);
    assert_eq!(first.json["id"], again.json["id"]);
    assert_eq!(site.harness.rows("SELECT count(*) AS n FROM workspace")[0]["n"], 1);
}

#[tokio::test]
async fn the_built_in_templates_are_offered_with_their_sizes() {
    let site = Site::new();
    let list = site.harness.stranger().get("/api/templates").await.expect(200).json;
    let kinds: Vec<(&str, &str)> =
        list.as_array().unwrap().iter().map(|t| (t["name"].as_str().unwrap(), t["kind"].as_str().unwrap())).collect();
    let expected = [("local:shell", "local"), ("image", "image"), ("local:jupyterlab", "local"), ("local:code-server", "local")];
    assert_eq!(kinds, expected);
    assert_eq!((&list[0]["sizes"][0]["name"], &list[0]["defaultSize"]["cpu"]), (&json!("single-user"), &json!("2")));
    assert_eq!(list[0]["apps"], json!([]));
    let editor = &list[3]["apps"][0];
    assert_eq!((&editor["slug"], &editor["name"], &editor["installed"]), (&json!("code-server"), &json!("VS Code"), &json!(false)));
    assert!(editor["hint"].as_str().unwrap().contains("codex-web apps install code-server --from-dir DIR"), "{editor}");
    let anna = site.harness.member("team");
    let body = json!({ "name": "bare", "groupId": "team", "templateId": list[1]["id"] });
    assert_eq!(anna.post("/api/workspaces", body).await.expect(400).fields(), ["image:required"]);
    // An editor is named like an image, and its workspace says so.
    let made = site.make(&anna, "team", "editor", json!({ "image": "local:code-server" })).await;
    assert_eq!((&made["image"], &made["templateId"]), (&json!("local:code-server"), &list[3]["id"]));
}

/// Makes the person an admin of the group afterwards.
fn promote(site: &Site, group: &str, who: &Client) {
    let (group, user) = (site.harness.group(group), who.user_id().clone());
    site.harness.as_shell(codex_web::policy::Action::CreateUser, move |tx, permit| {
        codex_web::store::memberships::set_role(tx, permit, &group, &user, GroupRole::Admin)
    });
}

#[tokio::test]
async fn rights_are_looked_up_on_every_request() {
    let site = Site::new();
    let (anna, ben) = (site.harness.member("team"), site.harness.member("team"));
    let id = site.make(&anna, "team", "mine", json!({})).await["id"].as_str().unwrap().to_owned();
    assert_eq!(ben.get(&format!("/api/workspaces/{id}")).await.status, 404);
    promote(&site, "team", &ben);
    assert_eq!(ben.get(&format!("/api/workspaces/{id}")).await.status, 200);
}
