//! Who looked at or changed a person's things, and what administrators did in a week.

use super::site::Site;
use codex_web::clock::{DAY, HOUR};
use codex_web::domain::group::GroupRole;
use serde_json::{Value, json};

fn items(json: &Value) -> Vec<(&str, &str)> {
    json["items"].as_array().unwrap().iter().map(|e| (e["kind"].as_str().unwrap(), e["action"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn a_person_sees_what_others_did_to_their_things_and_nothing_else() {
    let mut site = Site::new();
    let anna = site.harness.member("team");
    let lead = site.harness.group_admin("team");
    let admin = site.harness.admin();
    let id = site.running(&anna, "team", "my shell").await;
    let other = site.make(&lead, "team", "not hers", json!({})).await;
    let mine = anna.get("/api/users/me/activity").await.expect(200).json;
    assert!(items(&mine).is_empty(), "what she did herself is not listed");

    lead.get(&format!("/api/workspaces/{id}/logs")).await.expect(200);
    lead.get(&format!("/api/workspaces/{id}/logs")).await.expect(200);
    site.act(&lead, &id, "stop").await.expect(200);
    let reason = json!({"reason": "left the company"});
    admin.post(&format!("/api/admin/users/{}/disable", anna.user_id()), reason).await.expect(200);
    admin.post(&format!("/api/admin/users/{}/enable", anna.user_id()), json!({})).await.expect(200);
    admin.delete(&format!("/api/workspaces/{}", other["id"].as_str().unwrap())).await.expect(204);

    let anna = site.harness.signed_in(anna.user_id());
    let told = anna.get("/api/users/me/activity?limit=6").await.expect(200).json;
    let seen = items(&told);
    assert_eq!(
        seen,
        [("changed", "enable_user"), ("changed", "disable_user"), ("changed", "stop_workspace"), ("looked", "view_workspace_logs")]
    );
    let disabled = &told["items"][1];
    assert_eq!((&disabled["details"]["reason"], &disabled["details"]["status"]["after"]), (&json!("left the company"), &json!("disabled")));
    assert!(disabled["username"].as_str().unwrap().starts_with("admin-"), "{disabled}");
    for hidden in ["address", "agent", "hash", "requestId"] {
        assert!(disabled.get(hidden).is_none(), "{hidden} belongs to whoever did it");
    }
}

#[tokio::test]
async fn an_attempt_that_was_refused_is_shown_as_one() {
    let mut site = Site::new();
    let (anna, admin) = (site.harness.member("team"), site.harness.admin());
    let id = site.running(&anna, "team", "my shell").await;
    let refused = admin.get(&format!("/api/workspaces/{id}/files/?list=true")).await;
    assert!(refused.status == 403 || refused.status == 400, "{}", refused.text);
    let told = anna.get("/api/users/me/activity").await.expect(200).json;
    assert_eq!(items(&told), [("tried", "read_workspace_files")]);
    assert_eq!(told["items"][0]["success"], false);
}

#[tokio::test]
async fn looking_again_within_the_hour_is_one_look_and_the_owner_looks_unrecorded() {
    let mut site = Site::new();
    let (anna, lead) = (site.harness.member("team"), site.harness.group_admin("team"));
    let id = site.running(&anna, "team", "my shell").await;
    for _ in 0..3 {
        lead.get(&format!("/api/workspaces/{id}/logs")).await.expect(200);
        anna.get(&format!("/api/workspaces/{id}/logs")).await.expect(200);
    }
    assert_eq!(site.harness.audit("view_workspace_logs").len(), 1);
    site.harness.clock.advance(HOUR);
    lead.get(&format!("/api/workspaces/{id}/logs")).await.expect(200);
    assert_eq!(site.harness.audit("view_workspace_logs").len(), 2);
}

#[tokio::test]
async fn what_was_done_to_a_workspace_stays_with_the_one_who_had_it_then() {
    let mut site = Site::new();
    let (anna, lead) = (site.harness.member("team"), site.harness.group_admin("team"));
    let id = site.make(&anna, "team", "my shell", json!({})).await["id"].as_str().unwrap().to_owned();
    lead.delete(&format!("/api/workspaces/{id}")).await.expect(204);
    site.settle().await;
    anna.get(&format!("/api/workspaces/{id}")).await.expect(404);
    let told = anna.get("/api/users/me/activity?limit=1").await.expect(200).json;
    assert_eq!((items(&told), &told["items"][0]["resourceName"]), (vec![("changed", "delete_workspace")], &json!("my shell")));
}

#[tokio::test]
async fn pages_of_activity_follow_each_other() {
    let site = Site::new();
    let (anna, admin) = (site.harness.member("team"), site.harness.admin());
    for n in 0..7 {
        admin.patch(&format!("/api/admin/users/{}", anna.user_id()), json!({"name": format!("Anna {n}")})).await.expect(200);
    }
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page = anna.get(&format!("/api/users/me/activity?limit=3{token}")).await.expect(200).json;
        seen.extend(page["items"].as_array().unwrap().iter().map(|e| e["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["nextToken"].as_str() else { break };
        token = format!("&nextToken={next}");
    }
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!((seen.len(), count), (count, 7));
    assert_eq!(anna.get("/api/users/me/activity?nextToken=x").await.status, 400);
}

#[tokio::test]
async fn the_digest_of_a_week_counts_what_administrators_did_and_leaves_out_what_is_their_own() {
    let mut site = Site::new();
    let admin = site.harness.admin();
    let anna = site.harness.member("team");
    site.harness.join(&site.harness.group("team"), admin.user_id(), GroupRole::Member);
    let hers = site.running(&anna, "team", "hers").await;
    let own = site.running(&admin, "team", "own").await;
    for _ in 0..2 {
        admin.patch(&format!("/api/admin/users/{}", anna.user_id()), json!({"name": "Anna A"})).await.expect(200);
        admin.patch(&format!("/api/admin/users/{}", anna.user_id()), json!({"name": "Anna B"})).await.expect(200);
    }
    site.act(&admin, &hers, "stop").await.expect(200);
    site.act(&admin, &own, "stop").await.expect(200);
    admin.post(&format!("/api/admin/users/{}/disable", admin.user_id()), json!({})).await;
    assert_eq!(anna.delete("/api/groups/team").await.status, 403);

    let digest = admin.get("/api/admin/audit-logs/digest").await.expect(200).json;
    let people = digest["people"].as_array().unwrap();
    let of_admin = people.iter().find(|p| p["userId"] == admin.user_id().as_str()).unwrap();
    let counted: Vec<(&str, i64, i64)> = of_admin["actions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| (a["action"].as_str().unwrap(), a["done"].as_i64().unwrap(), a["refused"].as_i64().unwrap()))
        .collect();
    assert!(counted.contains(&("update_user", 4, 0)), "{counted:?}");
    assert!(counted.contains(&("stop_workspace", 1, 0)), "only the one of somebody else: {counted:?}");
    assert!(counted.contains(&("disable_user", 0, 1)), "{counted:?}");
    assert!(people.iter().all(|p| p["userId"] != anna.user_id().as_str()), "who was refused is no administrator");
    assert!(people.iter().any(|p| p["userId"] == "cli:harness"), "a shell on the machine administers too");

    // Who is none any more has still done what they did.
    let file = rusqlite::Connection::open(site.harness.dir.path().join("codex-web.db")).unwrap();
    file.execute("DELETE FROM system_grant WHERE user_id = ?1", [admin.user_id().as_str()]).unwrap();
    let watcher = site.harness.admin();
    let again = watcher.get("/api/admin/audit-logs/digest").await.expect(200).json;
    let before = again["people"].as_array().unwrap().iter().find(|p| p["userId"] == admin.user_id().as_str()).unwrap().clone();
    assert!(before["actions"].as_array().unwrap().iter().any(|a| a["action"] == "update_user" && a["done"] == 4), "{before}");

    site.harness.clock.advance(7 * DAY);
    let watcher = site.harness.signed_in(watcher.user_id());
    let next = watcher.get("/api/admin/audit-logs/digest").await.expect(200).json;
    assert_eq!((&next["from"], &next["total"]), (&digest["to"], &json!(0)), "another week");
    let from = digest["from"].as_str().unwrap().get(..10).unwrap().to_owned();
    assert_eq!(watcher.get(&format!("/api/admin/audit-logs/digest?week={from}")).await.expect(200).json["from"], digest["from"]);
    assert_eq!(watcher.get("/api/admin/audit-logs/digest?week=soon").await.status, 400);
    assert_eq!(anna.get("/api/admin/audit-logs/digest").await.status, 401, "a week later nobody of then is signed in");
    assert_eq!(site.harness.member("team").get("/api/admin/audit-logs/digest").await.status, 403);
}
