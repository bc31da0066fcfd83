//! Many people join a group from a list: said line by line first, then written at once.

use super::harness::Harness;
use serde_json::{Value, json};

const IMPORT: &str = "/api/groups/team/members/import";

fn problems(rows: &Value) -> Vec<Option<&str>> {
    rows.as_array().unwrap().iter().map(|row| row["problem"].as_str()).collect()
}

#[tokio::test]
async fn each_line_says_what_becomes_of_it_and_who_can_joins() {
    let harness = Harness::new();
    let (admin, member) = (harness.admin(), harness.member("team"));
    for name in ["ada", "ben", "gone"] {
        harness.create_user(name, false);
    }
    let there = harness.rows(&format!("SELECT username FROM user WHERE id = '{}'", member.user_id()))[0]["username"].clone();
    let gone = harness.rows("SELECT id FROM user WHERE username = 'gone'")[0]["id"].as_str().unwrap().to_owned();
    admin.post(&format!("/api/admin/users/{gone}/disable"), json!({})).await.expect(200);
    let there = there.as_str().unwrap();
    let list = format!(
        "email;role\nAda@example.org;admin\nben@example.org;\nada;member\nnobody@example.org;\ngone@example.org;\n{there};\nben;chief\n"
    );
    let body = json!({ "list": list, "reason": "the new team" });
    let rows = admin.post(&format!("{IMPORT}?dryRun=true"), body.clone()).await.expect(200).json;
    let expected = [None, None, Some("twice"), Some("unknown"), Some("disabled"), Some("member"), Some("role")];
    assert_eq!(problems(&rows), expected, "{rows}");
    assert_eq!((&rows[0]["role"], &rows[1]["role"], &rows[0]["line"]), (&json!("admin"), &json!("member"), &json!(2)));
    let members = || harness.rows("SELECT count(*) AS n FROM membership")[0]["n"].as_i64().unwrap();
    let before = members();

    assert_eq!(admin.post(IMPORT, body.clone()).await.expect(200).json, rows, "what was said is what is done");
    assert_eq!(members(), before + 2);
    let entries = harness.audit("add_user_to_group");
    assert_eq!(entries.iter().filter(|e| e["success"] == 1).count(), 2, "an entry for each who joined");
    assert_eq!(admin.post(IMPORT, body).await.expect(409).code(), "WRONG_STATE", "nobody is left to join");
}

#[tokio::test]
async fn whoever_joins_reads_the_welcome_and_members_hear_of_the_quota_and_the_end() {
    let harness = Harness::new();
    let (admin, lead, ada) = (harness.admin(), harness.group_admin("team"), harness.stranger());
    let words = json!({ "purpose": "Ships.", "notes": "Ask first.", "welcome": "Good that you are here." });
    lead.patch("/api/groups/team/page", words).await.expect(200);
    let elsewhere = harness.member("other").get("/api/groups/team/page").await;
    assert_eq!(elsewhere.expect(404).code(), "NOT_FOUND", "who is not in it does not read its notes");
    admin.post("/api/groups/team/members", json!({ "userId": ada.user_id() })).await.expect(200);
    assert_eq!(ada.get("/api/groups/team/page").await.expect(200).json["notes"], "Ask first.");
    assert_eq!(ada.patch("/api/groups/team/page", json!({ "notes": "mine" })).await.expect(403).code(), "AUTHORIZATION_ERROR");
    let entry = &harness.audit("edit_group_page")[0];
    assert_eq!(entry["details"]["fields"], json!(["purpose", "notes", "welcome"]));

    harness.clock.advance(1);
    let quota = json!({ "resourceQuota": { "cpu": "6" }, "reason": "the year ends" });
    admin.patch("/api/groups/team", quota).await.expect(200);
    harness.clock.advance(1);
    admin.patch(&format!("/api/groups/team/members/{}", ada.user_id()), json!({ "role": "admin" })).await.expect(200);
    harness.clock.advance(1);
    admin.delete("/api/groups/team").await.expect(204);
    let told = ada.get("/api/notices").await.expect(200).json;
    let told: Vec<&str> = told.as_array().unwrap().iter().rev().map(|n| n["message"].as_str().unwrap()).collect();
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(told[0].ends_with("made you a member of team. Good that you are here."), "{told:?}");
    assert!(told[1].contains("changed the quota of team: cpu from 10 to 6. The reason: the year ends"), "{told:?}");
    assert!(told[2].ends_with("made you an admin of team.") && told[3].ends_with("deleted the group team."), "{told:?}");
}
