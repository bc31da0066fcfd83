//! Settings through the API: what there is and where it comes from, changes that hold at once, and what is refused.

use super::harness::{Answer, Harness};
use serde_json::{Value, json};

fn item<'a>(answer: &'a Answer, key: &str) -> &'a Value {
    answer.json["items"].as_array().unwrap().iter().find(|item| item["key"] == key).unwrap()
}

const PATH: &str = "/api/admin/settings";

#[tokio::test]
async fn every_setting_says_its_value_its_default_and_its_source() {
    let harness = Harness::with(&[("CODEX_WEB_WORKSPACES__EGRESS_PROXY", "http://ada:sesame@10.0.0.1:3128")]);
    let shown = harness.admin().get(PATH).await.expect(200);
    assert_eq!((&shown.json["id"], &shown.json["defaultWorkspaceImage"]), (&json!("system"), &json!("local:shell")));
    assert_eq!((&shown.json["updatedBy"], &shown.json["updatedAt"]), (&json!("system"), &Value::Null));
    assert_eq!(shown.json["items"].as_array().unwrap().len(), codex_web::config::registry::KEYS.len());
    let length = item(&shown, "auth.password_min_length");
    assert_eq!(
        (&length["value"], &length["default"], &length["type"], &length["when"], &length["source"], &length["pinned"]),
        (&json!(12), &json!(12), &json!("integer"), &json!("runtime"), &json!("default"), &json!(false))
    );
    let rate = item(&shown, "limits.rate");
    assert_eq!((&rate["value"], &rate["source"], &rate["pinned"]), (&json!(false), &json!("environment"), &json!(true)));
    assert_eq!((&rate["place"], &rate["when"]), (&json!("$CODEX_WEB_LIMITS__RATE"), &json!("start")));
    let proxy = item(&shown, "workspaces.egress_proxy");
    assert_eq!((&proxy["value"], &proxy["isSet"], &proxy["secret"]), (&Value::Null, &json!(true), &json!(true)));
    assert!(!shown.text.contains("sesame"), "a secret is never shown");
}

#[tokio::test]
async fn the_default_image_is_changed_by_its_own_name_and_holds_at_once() {
    let harness = Harness::new();
    let (admin, member) = (harness.admin(), harness.member("team"));
    let changed =
        admin.patch(PATH, json!({"defaultWorkspaceImage": "docker.io/library/debian:12", "reason": "The new base"})).await.expect(200);
    assert_eq!(changed.json["defaultWorkspaceImage"], "docker.io/library/debian:12");
    assert_eq!((&changed.json["updatedBy"], changed.header("etag")), (&json!(admin.user_id().as_str()), Some("\"1\"")));
    let image = item(&changed, "workspaces.default_image");
    assert_eq!(
        (&image["source"], &image["default"], &image["updatedBy"]),
        (&json!("settings"), &json!("local:shell"), &json!(admin.user_id().as_str()))
    );
    let made = member.post("/api/workspaces", json!({"name": "mine", "groupId": "team"})).await.expect(201);
    assert_eq!(made.json["image"], "docker.io/library/debian:12");
    let entry = harness.audit("update_system_settings").pop().unwrap();
    assert_eq!(entry["details"]["workspaces.default_image"], json!({"before": "local:shell", "after": "docker.io/library/debian:12"}));
}

#[tokio::test]
async fn each_setting_that_changes_while_the_server_runs_is_in_force_with_the_answer() {
    let harness = Harness::new();
    let admin = harness.admin();
    let items = json!({"auth.password_min_length": 20, "workspaces.break_glass": false, "workspaces.egress": "allowlist", "workspaces.egress_allow": ["git.example.org"]});
    admin.patch(PATH, json!({"items": items})).await.expect(200);
    let rules = harness.app.ops.rules();
    assert_eq!((rules.password_min_length, rules.break_glass), (20, false));
    let policy = harness.app.egress.policy();
    assert_eq!((policy.mode.as_str(), policy.allow.len()), ("allowlist", 1));
    let told = harness.anonymous().get("/api/auth/providers").await.expect(200);
    assert_eq!(told.json["passwordMinLength"], 20, "the sign-in page says the rule of the moment");
    let short = json!({"email": "sara@example.org", "temporaryPassword": "plum orbit lantern"});
    assert_eq!(admin.post("/api/admin/users", short).await.expect(400).fields(), ["temporaryPassword:too_short"]);
    assert_eq!(harness.audit("update_system_settings").len(), 1, "one change, one entry");
}

#[tokio::test]
async fn a_setting_goes_back_to_its_default_and_it_stays_known_who_did_that() {
    let harness = Harness::new();
    let admin = harness.admin();
    admin.patch(PATH, json!({"items": {"auth.password_min_length": 20}})).await.expect(200);
    let back = admin.patch(PATH, json!({"items": {"auth.password_min_length": null}})).await.expect(200);
    let length = item(&back, "auth.password_min_length");
    assert_eq!(
        (&length["value"], &length["source"], &length["updatedBy"]),
        (&json!(12), &json!("default"), &json!(admin.user_id().as_str()))
    );
    assert_eq!(back.header("etag"), Some("\"2\""), "the ETag only ever grows");
    assert_eq!(harness.app.ops.rules().password_min_length, 12);
    let entry = harness.audit("update_system_settings").pop().unwrap();
    assert_eq!(entry["details"]["auth.password_min_length"], json!({"before": 20, "after": 12}));
}

#[tokio::test]
async fn what_is_set_outlives_the_server() {
    let harness = Harness::new();
    harness.admin().patch(PATH, json!({"items": {"auth.password_min_length": 20}})).await.expect(200);
    let harness = harness.restarted().await;
    assert_eq!(harness.app.ops.rules().password_min_length, 20);
}

#[tokio::test]
async fn the_same_value_again_changes_nothing() {
    let harness = Harness::new();
    let admin = harness.admin();
    admin.patch(PATH, json!({"items": {"auth.password_min_length": 20}})).await.expect(200);
    let again = admin.patch(PATH, json!({"items": {"auth.password_min_length": 20}})).await.expect(200);
    assert_eq!((again.header("etag"), harness.audit("update_system_settings").len()), (Some("\"1\""), 1));
}

#[tokio::test]
async fn a_pinned_setting_is_refused_and_the_answer_names_what_pins_it() {
    let harness = Harness::with(&[("CODEX_WEB_WORKSPACES__BREAK_GLASS", "off")]);
    let admin = harness.admin();
    let pinned = admin.patch(PATH, json!({"items": {"workspaces.break_glass": true, "auth.password_min_length": 20}})).await;
    assert_eq!((pinned.status, pinned.code()), (409, "WRONG_STATE"));
    assert!(pinned.json["error"]["message"].as_str().unwrap().contains("$CODEX_WEB_WORKSPACES__BREAK_GLASS"), "{}", pinned.text);
    assert_eq!(harness.app.ops.rules().password_min_length, 12, "all or none");
    let start = admin.patch(PATH, json!({"items": {"server.workers": 2}})).await;
    assert_eq!((start.status, start.code()), (409, "WRONG_STATE"));
    assert!(start.json["error"]["message"].as_str().unwrap().contains("CODEX_WEB_SERVER__WORKERS"), "{}", start.text);
}

#[tokio::test]
async fn every_mistake_is_told_at_once_at_its_field() {
    let harness = Harness::new();
    let admin = harness.admin();
    let body = json!({"items": {"auth.password_min_lenght": 20, "auth.password_min_length": 3, "workspaces.break_glass": "perhaps"}, "defaultWorkspaceImage": "a b"});
    let refused = admin.patch(PATH, body).await.expect(400);
    let mut fields = refused.fields();
    fields.sort();
    let wanted = [
        "defaultWorkspaceImage:invalid",
        "items.auth.password_min_lenght:unknown",
        "items.auth.password_min_length:invalid",
        "items.workspaces.break_glass:invalid",
    ];
    assert_eq!(fields, wanted);
    assert!(refused.text.contains("Did you mean auth.password_min_length?"), "{}", refused.text);
    assert_eq!(admin.patch(PATH, json!({})).await.expect(400).fields(), ["body:required"]);
    assert_eq!(admin.patch(PATH, json!({"items": []})).await.expect(400).fields()[0], "items:type");
}

#[tokio::test]
async fn two_people_who_change_settings_at_once_are_told() {
    let harness = Harness::new();
    let (one, other) = (harness.admin().with_header("if-match", "\"0\""), harness.admin().with_header("if-match", "\"0\""));
    one.patch(PATH, json!({"items": {"auth.password_min_length": 20}})).await.expect(200);
    assert_eq!(other.patch(PATH, json!({"items": {"auth.password_min_length": 30}})).await.expect(412).code(), "STALE");
}

#[tokio::test]
async fn settings_are_for_platform_admins() {
    let harness = Harness::new();
    for client in [harness.member("team"), harness.group_admin("team"), harness.stranger()] {
        client.get(PATH).await.expect(403);
        client.patch(PATH, json!({"items": {"auth.password_min_length": 20}})).await.expect(403);
    }
    harness.anonymous().get(PATH).await.expect(401);
}
