//! Giving a workspace to somebody else, and what people are told of it.

use super::harness::Client;
use super::site::Site;
use codex_web::domain::group::GroupRole;
use serde_json::{Value, json};

fn path(id: &str) -> String {
    format!("/api/workspaces/{id}/transfer")
}

/// What no route writes yet.
async fn notices(who: &Client) -> Vec<String> {
    let told = who.get("/api/notices").await.expect(200).json;
    told.as_array().unwrap().iter().map(|n| n["message"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_given_workspace_is_stopped_and_is_the_new_owners_alone() {
    let mut site = Site::new();
    let (anna, ben) = (site.harness.member("team"), site.harness.member("team"));
    let id = site.running(&anna, "team", "engine").await;
    let (share, session) = (ben.user_id(), anna.session_id());
    site.harness.execute(&format!(
            "INSERT INTO share (holder_kind, holder_id, object_kind, object_id, level, granted_at) VALUES ('user', '{share}', 'workspace', '{id}', 'use', 0); \
         INSERT INTO app_session (hash, session_id, workspace_id, app, host, created_at) VALUES (x'01', '{session}', '{id}', 'code', 'a.localhost', 0)"
        ),
    );
    let body = json!({ "userId": ben.user_id(), "reason": "Anna changes teams" });

    let review = anna.post(&format!("{}?dryRun=true", path(&id)), body.clone()).await.expect(200).json;
    let lines: Vec<&str> = review["consequences"].as_array().unwrap().iter().map(|l| l.as_str().unwrap()).collect();
    assert_eq!(review["allowed"], true);
    assert!(lines.iter().any(|l| l.contains("stopped")) && lines.iter().any(|l| l.contains("no longer shared")), "{lines:?}");
    assert_eq!(site.look(&anna, &id).await["userId"], anna.user_id().as_str(), "a dry run writes nothing");

    let given = anna.post(&path(&id), body).await.expect(200).json;
    assert_eq!((&given["userId"], &given["status"]), (&json!(ben.user_id()), &json!("stopping")));
    assert_eq!(anna.get(&format!("/api/workspaces/{id}")).await.expect(404).code(), "NOT_FOUND");
    site.settle().await;
    let seen = site.look(&ben, &id).await;
    assert_eq!((&seen["status"], &seen["can"]["start_workspace"]), (&json!("stopped"), &json!(true)));
    for table in ["share", "app_session"] {
        assert_eq!(site.harness.rows(&format!("SELECT count(*) AS n FROM {table}"))[0]["n"], 0, "{table}");
    }
    let entry = &site.harness.audit("transfer_workspace")[0];
    assert_eq!((&entry["details"]["after"]["ownerId"], &entry["details"]["endedShares"]), (&json!(ben.user_id()), &json!(1)));
    assert_eq!(notices(&anna).await, Vec::<String>::new(), "who did it knows");
    let told = notices(&ben).await;
    assert!(told[0].contains("gave you the workspace engine") && told[0].contains("Anna changes teams"), "{told:?}");
    let periods = site.harness.rows("SELECT owner_id FROM workspace_period ORDER BY id");
    assert_eq!(periods.last().unwrap()["owner_id"], ben.user_id().as_str(), "it costs the new owner from now on");
}

#[tokio::test]
async fn the_machine_token_of_the_old_owner_ends_with_the_transfer() {
    let mut site = Site::listening().await;
    let (anna, ben) = (site.harness.member("team"), site.harness.member("team"));
    let id = site.running(&anna, "team", "engine").await;
    let live = "SELECT count(*) AS n FROM machine_token WHERE revoked_at IS NULL";
    site.settle().await;
    assert_eq!(site.harness.rows(live)[0]["n"], 1);
    anna.post(&path(&id), json!({ "userId": ben.user_id() })).await.expect(200);
    site.settle().await;
    assert_eq!(site.harness.rows(live)[0]["n"], 0);
}

#[tokio::test]
async fn only_who_could_have_made_it_there_can_have_it() {
    let site = Site::new();
    let (anna, ben, other, out) =
        (site.harness.member("team"), site.harness.member("team"), site.harness.member("other"), site.harness.stranger());
    let id = site.make(&anna, "team", "engine", json!({})).await["id"].as_str().unwrap().to_owned();
    let to = |who: &Client| json!({ "userId": who.user_id() });
    assert_eq!(anna.post(&path(&id), to(&out)).await.expect(400).fields(), ["userId:not_a_member"]);
    assert_eq!(anna.post(&path(&id), to(&anna)).await.expect(409).code(), "WRONG_STATE");
    assert_eq!(ben.post(&path(&id), to(&ben)).await.expect(404).code(), "NOT_FOUND");
    let elsewhere = json!({ "userId": other.user_id(), "groupId": "other" });
    assert_eq!(anna.post(&path(&id), elsewhere.clone()).await.expect(404).code(), "NOT_FOUND", "she does not see that group");
    let both = site.harness.group("other");
    site.harness.join(&both, anna.user_id(), GroupRole::Member);
    assert_eq!(anna.post(&path(&id), elsewhere).await.expect(200).json["groupName"], "other");
    let usage = |group: &str| {
        site.harness.rows(&format!("SELECT count(*) AS n FROM workspace w JOIN \"group\" g ON g.id = w.group_id WHERE g.name = '{group}'"))
            [0]["n"]
            .clone()
    };
    assert_eq!((usage("team"), usage("other")), (json!(0), json!(1)));
}

#[tokio::test]
async fn the_pools_of_the_new_owner_and_the_new_group_are_asked() {
    let site = Site::new();
    let (anna, ben, lead) = (site.harness.member("team"), site.harness.member("team"), site.harness.group_admin("team"));
    let small = site.harness.group("small");
    for who in [&anna, &ben, &lead] {
        site.harness.join(&small, who.user_id(), GroupRole::Member);
    }
    let id = site.make(&anna, "team", "engine", json!({ "resources": { "storage": "60Gi" } })).await["id"].as_str().unwrap().to_owned();
    site.make(&ben, "small", "full", json!({ "resources": { "storage": "60Gi" } })).await;
    let refused = anna.post(&path(&id), json!({ "userId": anna.user_id(), "groupId": "small" })).await.expect(409);
    assert_eq!((refused.code(), &refused.json["error"]["details"]["level"]), ("QUOTA_EXCEEDED", &json!("group")));
    // Inside its group it counts for nothing more, however full that is.
    site.harness.execute(&format!(
        "INSERT INTO resource_limit (account_kind, account_id, kind, amount) VALUES ('user', '{}', 'storage', {})",
        ben.user_id(),
        100_i64 << 30
    ));
    let refused = anna.post(&path(&id), json!({ "userId": ben.user_id() })).await.expect(409);
    assert_eq!((refused.code(), &refused.json["error"]["details"]["level"]), ("QUOTA_EXCEEDED", &json!("user")));
    lead.post(&path(&id), json!({ "userId": lead.user_id(), "reason": "to look after it" })).await.expect(200);
    let told = notices(&anna).await;
    assert!(told[0].contains("gave your workspace engine to") && told[0].contains("to look after it"), "{told:?}");
}

#[tokio::test]
async fn a_name_that_the_new_owner_uses_already_can_be_changed_on_the_way() {
    let site = Site::new();
    let (anna, ben) = (site.harness.member("team"), site.harness.member("team"));
    let id = site.make(&anna, "team", "engine", json!({})).await["id"].as_str().unwrap().to_owned();
    site.make(&ben, "team", "engine", json!({})).await;
    let body = json!({ "userId": ben.user_id() });
    assert_eq!(anna.post(&path(&id), body).await.expect(409).code(), "CONFLICT");
    let named = json!({ "userId": ben.user_id(), "name": "engine of anna" });
    assert_eq!(anna.post(&path(&id), named).await.expect(200).json["name"], "engine of anna");
}

/// What lies in a namespace cannot be carried into another: saying so is better than losing it.
#[tokio::test]
async fn a_disk_in_a_namespace_does_not_leave_its_group() {
    let mut site = Site::new();
    let anna = site.harness.member("team");
    let other = site.harness.group("other");
    site.harness.join(&other, anna.user_id(), GroupRole::Member);
    let id = site.running(&anna, "team", "engine").await;
    site.harness.execute("UPDATE \"group\" SET namespace_uid = 'uid-1' WHERE name = 'team'");
    let refused = anna.post(&path(&id), json!({ "userId": anna.user_id(), "groupId": "other" })).await.expect(409);
    assert!(
        refused.code() == "WRONG_STATE" && refused.json["error"]["message"].as_str().unwrap().contains("namespace"),
        "{}",
        refused.json
    );
}

#[tokio::test]
async fn notices_are_paged_and_counted_until_they_are_read() {
    let mut site = Site::new();
    let (anna, lead) = (site.harness.member("team"), site.harness.group_admin("team"));
    let id = site.running(&anna, "team", "mine").await;
    for reason in ["one", "two", "three"] {
        site.harness.clock.advance(1);
        lead.patch(&format!("/api/workspaces/{id}"), json!({ "description": reason, "reason": reason })).await.expect(200);
    }
    let page = anna.get("/api/notices?limit=2").await.expect(200);
    let seen: Vec<&Value> = page.json.as_array().unwrap().iter().collect();
    assert!(seen.len() == 2 && seen[0]["message"].as_str().unwrap().contains("three"), "{}", page.json);
    let next = page.header("link").unwrap().split(['<', '>']).nth(1).unwrap().to_owned();
    let rest = anna.get(&next).await.expect(200).json;
    assert_eq!(rest.as_array().unwrap().len(), 1);
    anna.post("/api/notices/read", json!({ "until": seen[1]["id"] })).await.expect(204);
    assert_eq!(anna.get("/api/notices?unread=true").await.json.as_array().unwrap().len(), 1, "what came later is still new");
    assert_eq!(lead.get("/api/notices").await.json, json!([]), "everybody has their own");
    anna.post("/api/notices/read", json!({})).await.expect(204);
    assert_eq!(anna.get("/api/notices?unread=true").await.json, json!([]));
}
