//! Groups through the API: creation with its namespace, quotas, refusals, and who sees what.

use super::harness::{Client, Harness};
use codex_web::app::background;
use codex_web::cluster::{ClusterControl, GroupSpec, Reason};
use codex_web::domain::group::GroupRole;
use codex_web::domain::id::GroupId;
use serde_json::{Value, json};

/// The application with its reconciler: groups become active.
struct Running {
    harness: Harness,
    background: Option<background::Background>,
}

impl Running {
    fn new() -> Self {
        let harness = Harness::new();
        let background = Some(background::start(&harness.application));
        Self { harness, background }
    }

    async fn stop(mut self) {
        if let Some(background) = self.background.take() {
            background.stop().await;
        }
    }
}

fn body(name: &str) -> Value {
    json!({"name": name, "displayName": "ML research", "namespace": format!("codex-platform-{name}"),
           "resourceQuota": {"cpu": "20", "memory": "40Gi", "storage": "500Gi", "pods": 50}})
}

#[tokio::test]
async fn a_new_group_is_active_with_its_creator_as_admin_and_owner() {
    let running = Running::new();
    let admin = running.harness.admin();
    let group = admin.post("/api/groups", body("ml")).await.expect(201).json;
    assert_eq!((&group["status"], &group["memberCount"], &group["role"]), (&json!("active"), &json!(1), &json!("admin")));
    assert_eq!(group["ownerId"], admin.user_id().as_str());
    assert_eq!(group["resourceQuota"], json!({"cpu": "20", "memory": "40Gi", "storage": "500Gi", "pods": 50}));
    assert_eq!(group["currentUsage"]["cpu"], json!({"used": "0", "total": "20", "percentage": 0.0}));
    assert_eq!((&group["private"], &group["privateMembers"]), (&json!(true), &json!(true)));
    let listed = admin.get("/api/groups").await.expect(200).json;
    let used = &listed.as_array().unwrap().iter().find(|g| g["name"] == "ml").unwrap()["usage"];
    assert_eq!((&used["cpu"], &used["pods"]["total"]), (&json!({"used": "0", "total": "20", "percentage": 0.0}), &json!(50)));
    let by_name = admin.get("/api/groups/ml").await.expect(200).json;
    assert_eq!(by_name["id"], group["id"]);
    assert_eq!(running.harness.audit("create_group").len(), 1);
    assert_eq!(running.harness.rows("SELECT count(*) AS n FROM quota_change")[0]["n"], 1);
    running.stop().await;
}

#[tokio::test]
async fn what_is_left_out_gets_the_namespace_of_the_name_and_the_usual_quota() {
    let running = Running::new();
    let group = running.harness.admin().post("/api/groups", json!({"name": "ml", "displayName": "ML"})).await.expect(201).json;
    assert_eq!(group["namespace"], "codex-platform-ml");
    assert_eq!(group["resourceQuota"], json!({"cpu": "10", "memory": "20Gi", "storage": "100Gi", "pods": 20}));
    running.stop().await;
}

#[tokio::test]
async fn a_namespace_that_the_cluster_refuses_takes_the_group_back() {
    let running = Running::new();
    let admin = running.harness.admin();
    let foreign = GroupSpec {
        id: GroupId::parse("grp_00000000000000000000000000000001").unwrap(),
        name: "foreign".into(),
        namespace: "codex-platform-ml".into(),
        generation: 1,
        cpu_milli: None,
        memory_bytes: None,
        storage_bytes: None,
        workspaces: None,
    };
    running.harness.cluster.apply_group(&foreign).await.unwrap();
    let answer = admin.post("/api/groups", body("ml")).await.expect(409);
    assert!(answer.text.contains("Namespace already exists"), "{}", answer.text);
    assert_eq!(running.harness.rows("SELECT count(*) AS n FROM \"group\"")[0]["n"], 0);
    let recorded = running.harness.audit("record_group_state");
    assert_eq!(recorded.last().unwrap()["details"]["rejected"], "namespace_taken");
    let reason = Reason { code: "too_large".into(), message: "No node is that large.".into(), remedy: None };
    running.harness.cluster.set_faults(|f| f.reject = Some(reason));
    let answer = admin.post("/api/groups", body("large")).await.expect(409);
    assert!(answer.text.contains("No node is that large."), "{}", answer.text);
    running.harness.cluster.set_faults(|f| f.reject = None);
    admin.post("/api/groups", body("large")).await.expect(201);
    running.stop().await;
}

#[tokio::test]
async fn every_invalid_field_of_a_new_group_is_named_at_once() {
    let harness = Harness::new();
    let admin = harness.admin();
    let answer = admin
        .post(
            "/api/groups",
            json!({"name": "ML_research", "displayName": "", "namespace": "my-namespace", "extra": 1,
                   "resourceQuota": {"cpu": "-1", "memory": "40GB", "storage": 64, "pods": 0.5, "gpu": 1}}),
        )
        .await
        .expect(400);
    let fields = answer.fields();
    for field in [
        "name:invalid",
        "displayName:required",
        "namespace:prefix",
        "extra:unknown",
        "resourceQuota.cpu:invalid",
        "resourceQuota.memory:unit",
        "resourceQuota.storage:unit",
        "resourceQuota.pods:invalid",
        "resourceQuota.gpu:unknown",
    ] {
        assert!(fields.contains(&field.to_owned()), "{field} is missing in {fields:?}");
    }
    for name in ["names", "member"] {
        assert_eq!(admin.post("/api/groups", json!({"name": name, "displayName": "X"})).await.expect(400).fields(), ["name:reserved"]);
    }
    for (field, value) in [
        ("cpu", json!("0")),
        ("cpu", json!("99999999999999999999")),
        ("memory", json!("NaNGi")),
        ("memory", json!("9999999999999Pi")),
        ("pods", json!(-1)),
        ("pods", json!(9_223_372_036_854_775_807_i64)),
        ("pods", json!(null)),
        ("storage", json!(["1Gi"])),
    ] {
        let quota = json!({"name": "x", "displayName": "X", "resourceQuota": {field: value}});
        let fields = admin.post("/api/groups", quota).await.expect(400).fields();
        assert!(fields[0].starts_with(&format!("resourceQuota.{field}:")), "{field}: {fields:?}");
    }
    assert_eq!(harness.rows("SELECT count(*) AS n FROM \"group\"")[0]["n"], 0, "nothing half done");
}

#[tokio::test]
async fn a_taken_name_or_namespace_is_a_conflict() {
    let harness = Harness::new();
    harness.group("ml");
    let admin = harness.admin();
    let name = admin.post("/api/groups", json!({"name": "ml", "displayName": "X", "namespace": "codex-platform-other"})).await.expect(409);
    assert_eq!((name.code(), name.fields()), ("CONFLICT", vec!["name:taken".to_owned()]));
    let namespace =
        admin.post("/api/groups", json!({"name": "other", "displayName": "X", "namespace": "codex-platform-ml"})).await.expect(409);
    assert_eq!(namespace.fields(), ["namespace:taken"]);
}

#[tokio::test]
async fn only_platform_admins_make_change_and_delete_groups() {
    let harness = Harness::new();
    harness.group("team");
    for client in [harness.member("team"), harness.group_admin("team")] {
        assert_eq!(client.post("/api/groups", body("x")).await.status, 403);
        assert_eq!(client.patch("/api/groups/team", json!({"displayName": "X"})).await.status, 403);
        assert_eq!(client.patch("/api/groups/team", json!({"resourceQuota": {"cpu": "1"}})).await.status, 403);
        assert_eq!(client.delete("/api/groups/team").await.status, 403);
    }
}

#[tokio::test]
async fn a_group_is_hidden_from_who_is_not_in_it() {
    let harness = Harness::new();
    harness.group("team");
    harness.group("other");
    let member = harness.member("team");
    for path in ["/api/groups/other", "/api/groups/other/members", "/api/groups/other/usage", "/api/groups/nothing"] {
        let answer = member.get(path).await;
        assert_eq!((answer.status, answer.code()), (404, "NOT_FOUND"), "{path}");
    }
    let names = |answer: super::harness::Answer| {
        answer.json.as_array().unwrap().iter().map(|g| g["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(member.get("/api/groups").await.expect(200)), ["team"]);
    assert_eq!(names(harness.admin().get("/api/groups").await.expect(200)), ["other", "team"]);
    assert_eq!(names(harness.stranger().get("/api/groups").await.expect(200)), Vec::<String>::new());
    assert_eq!(member.get("/api/groups/team/members").await.expect(200).json.as_array().unwrap().len(), 2);
    let can = member.get("/api/groups/team").await.expect(200).json["can"].clone();
    assert_eq!(can["create_workspace"], true);
    assert_eq!(can["delete_group"]["code"], "AUTHORIZATION_ERROR");
}

#[tokio::test]
async fn pages_of_groups_follow_each_other_in_every_order() {
    let harness = Harness::new();
    for n in 0..7 {
        harness.group(&format!("team-{n}"));
        harness.clock.advance(2);
    }
    let admin = harness.admin();
    for (query, first) in [
        ("sort=name", "team-0"),
        ("sort=displayName", "team-0"),
        ("sort=-createdAt", "team-6"),
        ("search=eam", "team-0"),
        ("search=te", "team-0"),
    ] {
        let (mut seen, mut path) = (Vec::new(), format!("/api/groups?{query}&limit=3&count=true"));
        loop {
            let page = admin.get(&path).await.expect(200);
            assert_eq!(page.header("x-total-count"), Some("7"), "{query}");
            seen.extend(page.json.as_array().unwrap().iter().map(|g| g["name"].as_str().unwrap().to_owned()));
            let Some(link) = page.header("link") else { break };
            link.trim_start_matches('<').split_once('>').unwrap().0.clone_into(&mut path);
        }
        assert_eq!((seen.len(), seen[0].as_str()), (7, first), "{query}: {seen:?}");
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 7, "{query}");
    }
    assert_eq!(admin.get("/api/groups?sort=size").await.status, 400);
}

#[tokio::test]
async fn a_member_pages_through_their_own_groups() {
    let harness = Harness::new();
    let member = harness.member("team-0");
    for n in 1..5 {
        harness.join(&harness.group(&format!("team-{n}")), member.user_id(), GroupRole::Admin);
    }
    let first = member.get("/api/groups?limit=3&count=true").await.expect(200);
    assert_eq!((first.json.as_array().unwrap().len(), first.header("x-total-count")), (3, Some("5")));
    let link = first.header("link").unwrap().trim_start_matches('<').split_once('>').unwrap().0.to_owned();
    let rest = member.get(&link).await.expect(200).json;
    assert_eq!(rest.as_array().unwrap().iter().map(|g| g["name"].as_str().unwrap()).collect::<Vec<_>>(), ["team-3", "team-4"]);
    assert_eq!(rest[0]["role"], "admin");
}

async fn patched(client: &Client, change: Value) -> Value {
    client.patch("/api/groups/team", change).await.expect(200).json
}

#[tokio::test]
async fn a_quota_is_merged_by_resource_and_its_history_is_kept() {
    let harness = Harness::new();
    harness.group("team");
    let admin = harness.admin();
    let group = patched(&admin, json!({"resourceQuota": {"cpu": "500m"}})).await;
    assert_eq!(group["resourceQuota"], json!({"cpu": "0.5", "memory": "20Gi", "storage": "100Gi", "pods": 20}));
    assert_eq!(harness.audit("set_group_quota")[0]["details"]["resourceQuota"]["before"]["cpu"], "10");
    assert_eq!(harness.rows("SELECT count(*) AS n FROM quota_change")[0]["n"], 1);
    let before = harness.rows("SELECT generation FROM \"group\"")[0]["generation"].as_i64().unwrap();
    patched(&admin, json!({"resourceQuota": {"cpu": "0.5"}, "reason": "reapply"})).await;
    assert_eq!(harness.rows("SELECT generation FROM \"group\"")[0]["generation"], before + 1, "the same values apply it again");
    assert_eq!((harness.audit("set_group_quota").len(), harness.audit("update_group").len()), (1, 1));
    assert_eq!(harness.rows("SELECT count(*) AS n FROM quota_change")[0]["n"], 1);
    patched(&admin, json!({"displayName": "The team", "resourceQuota": {"pods": 5}})).await;
    let last = harness.audit("set_group_quota").pop().unwrap();
    assert_eq!(last["details"]["displayName"]["after"], "The team", "one entry, under the gravest action");
}

#[tokio::test]
async fn what_is_fixed_about_a_group_is_named_when_it_is_changed() {
    let harness = Harness::new();
    harness.group("team");
    let admin = harness.admin();
    for field in ["id", "name", "namespace", "createdAt", "memberCount"] {
        let answer = admin.patch("/api/groups/team", json!({"displayName": "X", field: "x"})).await.expect(400);
        assert_eq!(answer.fields(), [format!("{field}:read_only")]);
    }
    assert_eq!(admin.patch("/api/groups/team", json!({})).await.status, 400);
    let etag = admin.get("/api/groups/team").await.header("etag").unwrap().to_owned();
    admin.with_header("if-match", &etag).patch("/api/groups/team", json!({"description": null})).await.expect(200);
    assert_eq!(
        admin.with_header("if-match", &etag).patch("/api/groups/team", json!({"displayName": "Y"})).await.expect(412).code(),
        "STALE"
    );
    assert_eq!(admin.with_header("if-match", "\"x\"").patch("/api/groups/team", json!({"displayName": "Y"})).await.status, 400);
}

#[tokio::test]
async fn a_lowered_quota_stops_nothing_and_a_dry_run_says_what_would_be_short() {
    let harness = Harness::new();
    let member = harness.member("team");
    let group = harness.group("team");
    let new = json!({"name": "one", "groupId": group.as_str(), "image": "local:shell", "resources": {"cpu": "4", "memory": "8Gi", "storage": "10Gi"}, "start": true});
    member.post("/api/workspaces", new).await.expect(201);
    let admin = harness.admin();
    let dry = admin.patch("/api/groups/team?dryRun=true", json!({"resourceQuota": {"cpu": "1"}})).await.expect(200).json;
    assert_eq!((&dry["allowed"], &dry["checks"][0]["ok"], &dry["checks"][0]["used"]), (&json!(true), &json!(false), &json!("4")));
    assert_eq!(harness.audit("set_group_quota").len(), 0, "a dry run writes nothing");
    let group = patched(&admin, json!({"resourceQuota": {"cpu": "1"}})).await;
    assert_eq!(group["usage"]["cpu"], json!({"used": "4", "total": "1", "percentage": 400.0}));
    assert_eq!(harness.rows("SELECT desired FROM workspace")[0]["desired"], "running");
    assert_eq!(admin.get("/api/groups/team/usage").await.expect(200).json["pods"], json!({"used": 1, "total": 20, "percentage": 5.0}));
    assert_eq!(member.get("/api/dashboard/stats").await.expect(200).json["totalWorkspaces"], 1);
}

#[tokio::test]
async fn a_group_with_workspaces_is_kept_and_so_are_members_who_own_them() {
    let harness = Harness::new();
    let member = harness.member("team");
    let new = json!({"name": "one", "groupId": "team", "image": "local:shell"});
    let made = member.post("/api/workspaces", new.clone()).await;
    if made.status != 201 {
        let id = harness.group("team");
        member.post("/api/workspaces", json!({"name": "one", "groupId": id.as_str(), "image": "local:shell"})).await.expect(201);
    }
    let admin = harness.admin();
    let answer = admin.delete("/api/groups/team").await.expect(409);
    assert_eq!((answer.code(), &answer.json["error"]["details"]["workspaces"]), ("STILL_USED", &json!(1)));
    for path in [format!("/api/groups/team/members/{}", member.user_id()), format!("/api/admin/users/{}/groups/team", member.user_id())] {
        assert_eq!(admin.delete(&path).await.expect(409).code(), "STILL_USED", "{path}");
    }
    let gone = admin.delete(&format!("/api/admin/users/{}", member.user_id())).await.expect(409);
    assert_eq!(gone.json["error"]["details"]["workspaces"], 1);
    let can = admin.get("/api/groups/team").await.expect(200).json["can"].clone();
    assert_eq!(can["delete_group"]["code"], "STILL_USED");
}

#[tokio::test]
async fn a_group_whose_namespace_is_still_being_made_is_deleted_when_that_is_done() {
    let running = Running::new();
    let (harness, admin) = (&running.harness, running.harness.admin());
    harness.cluster.set_faults(|faults| faults.unreachable = true);
    let made = admin.post("/api/groups", body("ml")).await.expect(201).json;
    assert_eq!(made["status"], "creating");
    assert_eq!(admin.get("/api/groups/ml").await.json["can"]["delete_group"]["code"], "WRONG_STATE");
    assert_eq!(admin.delete("/api/groups/ml").await.expect(409).code(), "WRONG_STATE");
    harness.cluster.set_faults(|faults| faults.unreachable = false);
    for _ in 0..200 {
        if admin.get("/api/groups/ml").await.json["status"] == "active" {
            break;
        }
        harness.clock.advance(60_000);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    admin.delete("/api/groups/ml").await.expect(204);
    running.stop().await;
}

#[tokio::test]
async fn a_deleted_group_is_gone_for_its_members_at_once_and_frees_its_name_when_the_namespace_is_gone() {
    let running = Running::new();
    let harness = &running.harness;
    let admin = harness.admin();
    admin.post("/api/groups", body("ml")).await.expect(201);
    let member = harness.create_user("anna", false);
    admin.post("/api/groups/ml/members", json!({"userId": member.as_str()})).await.expect(200);
    let member = harness.signed_in(&member);
    assert_eq!(member.get("/api/groups/ml").await.status, 200);
    assert_eq!(admin.delete("/api/groups/ml").await.status, 204);
    assert_eq!(member.get("/api/groups/ml").await.status, 404);
    let mut gone = false;
    for _ in 0..100 {
        gone = harness.rows("SELECT count(*) AS n FROM \"group\"")[0]["n"] == 0;
        if gone {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(gone, "the reconciler removes the row");
    assert_eq!(harness.audit("delete_group").len(), 1);
    admin.post("/api/groups", body("ml")).await.expect(201);
    running.stop().await;
}

#[tokio::test]
async fn members_are_searched_and_paged() {
    let harness = Harness::new();
    let group = harness.group("team");
    for n in 0..5 {
        harness.join(&group, &harness.create_user(&format!("zoo-{n}"), false), GroupRole::Member);
        harness.clock.advance(2);
    }
    let admin = harness.admin();
    let page = admin.get("/api/groups/team/members?search=ZOO&limit=2&count=true").await.expect(200);
    assert_eq!((page.json.as_array().unwrap().len(), page.header("x-total-count")), (2, Some("5")));
    let link = page.header("link").unwrap().trim_start_matches('<').split_once('>').unwrap().0.to_owned();
    let next = admin.get(&link).await.expect(200).json;
    assert_eq!(next[0]["username"], "zoo-2");
    assert_eq!(admin.get("/api/groups/team/members?search=%25").await.expect(200).json, json!([]), "a wildcard is a character");
}

#[tokio::test]
async fn when_a_member_was_last_here_is_known_to_the_minute() {
    let harness = Harness::new();
    let group = harness.group("ml");
    let (member, admin) = (harness.member("ml"), harness.admin());
    let last = async || {
        let members = admin.get(&format!("/api/groups/{group}/members")).await.expect(200).json;
        let found = members.as_array().unwrap().iter().find(|m| m["id"] == member.user_id().as_str()).cloned();
        found.unwrap()["lastVisitAt"].clone()
    };
    let visit = format!("/api/groups/{group}/visit");
    assert_eq!(last().await, Value::Null);
    member.call("PUT", &visit, None).await.expect(204);
    let first = last().await;
    assert!(first.is_string(), "{first}");
    harness.clock.advance(30_000);
    member.call("PUT", &visit, None).await.expect(204);
    assert_eq!(last().await, first, "once a minute at most");
    harness.clock.advance(30_000);
    member.call("PUT", &visit, None).await.expect(204);
    assert_ne!(last().await, first);
    admin.call("PUT", &visit, None).await.expect(204);
    harness.stranger().call("PUT", &visit, None).await.expect(404);
}

#[tokio::test]
async fn the_matrix_and_the_statistics_answer() {
    let harness = Harness::new();
    let member = harness.member("team");
    let matrix = member.get("/api/access/matrix").await.expect(200).json;
    assert_eq!(matrix["rows"].as_array().unwrap().len(), 38);
    assert_eq!(member.get("/api/admin/stats").await.status, 403);
    let stats = harness.admin().get("/api/admin/stats").await.expect(200).json;
    assert_eq!((&stats["platform"]["totalGroups"], &stats["platform"]["adminUsers"]), (&json!(1), &json!(1)));
    assert_eq!(stats["activity"]["workspaceUtilization"], 0.0);
}
