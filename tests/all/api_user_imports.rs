//! Accounts from a list: what a dry run says, and that an import makes all of them or none.

use super::harness::{Harness, PASSWORD};
use serde_json::{Value, json};

const DRY: &str = "/api/admin/user-imports?dryRun=true";
const REAL: &str = "/api/admin/user-imports";

fn people(harness: &Harness) -> i64 {
    harness.rows("SELECT count(*) AS n FROM user")[0]["n"].as_i64().unwrap()
}

fn problems(line: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    line["problems"].as_array().unwrap().iter().map(|p| format!("{}:{}", text(&p["field"]), text(&p["code"]))).collect()
}

#[tokio::test]
async fn a_dry_run_tells_what_is_wrong_with_each_row_and_makes_nobody() {
    let harness = Harness::new();
    let admin = harness.admin();
    harness.create_user("ben", false);
    harness.group("payments");
    let csv = "email,username,name,groups,ends,manager\n\
               ada@example.org,,Ada Lovelace,payments,2099-01-01,ben\n\
               BEN@example.org,,,,,\n\
               ada@example.org,ada2,,,,\n\
               cid@example.org,ben,,nowhere,2001-01-01,nobody\n\
               not an address,,,,,\n";
    let before = people(&harness);
    let told = admin.post(DRY, json!({"csv": csv})).await.expect(200).json;
    assert_eq!((told["wrong"].as_i64(), told["made"].as_i64(), people(&harness)), (Some(4), Some(0), before));
    let lines = told["lines"].as_array().unwrap();
    assert_eq!((problems(&lines[0]), lines[0]["username"].as_str(), lines[0]["line"].as_i64()), (vec![], Some("ada"), Some(2)));
    assert_eq!(problems(&lines[1]), ["email:taken", "username:taken"]);
    assert_eq!(problems(&lines[2]), ["email:taken"]);
    assert_eq!(problems(&lines[3]), ["username:taken", "ends:past", "groups:unknown_group", "manager:unknown_user"]);
    assert_eq!(problems(&lines[4]), ["email:invalid"]);
    assert!(lines.iter().all(|line| line["invitation"].is_null()));
}

#[tokio::test]
async fn an_import_makes_everybody_with_groups_end_manager_and_an_invitation_that_works() {
    let harness = Harness::new();
    let admin = harness.admin();
    let ben = harness.create_user("ben", false);
    let group = harness.group("payments");
    let csv = "email;groups;ends;manager\nada@example.org;payments;2099-01-01;ben\ncid@example.org;;;\n";
    let told = admin.post(REAL, json!({"csv": csv, "reason": "The new team."})).await.expect(200).json;
    assert_eq!((told["made"].as_i64(), told["wrong"].as_i64()), (Some(2), Some(0)));
    let ada = &told["lines"][0];
    let view = admin.get(&format!("/api/admin/users/{}", ada["userId"].as_str().unwrap())).await.expect(200).json;
    assert_eq!(
        (&view["groups"], &view["managerId"], &view["expiresAt"]),
        (&json!([group]), &json!(ben), &json!("2099-01-01T00:00:00.000Z"))
    );
    let code = ada["invitation"]["link"].as_str().unwrap().split('#').nth(1).unwrap();
    harness.anonymous().post("/api/auth/invite", json!({"code": code, "password": PASSWORD, "session": "cookie"})).await.expect(200);
    assert_eq!(harness.audit("create_user").iter().filter(|entry| entry["actor_id"] == json!(admin.user_id())).count(), 2);
}

#[tokio::test]
async fn one_wrong_row_stops_the_whole_import_and_is_named() {
    let harness = Harness::new();
    let admin = harness.admin();
    let before = people(&harness);
    let answer = admin.post(REAL, json!({"csv": "email\nada@example.org\nnobody\n"})).await.expect(400);
    assert_eq!(answer.fields(), ["line 3: email:invalid"]);
    assert_eq!(people(&harness), before);
    let answer = admin.post(REAL, json!({"csv": "emial\nx\n"})).await.expect(400);
    assert_eq!(answer.fields(), ["csv:unknown"]);
}

#[tokio::test]
async fn groups_of_a_list_need_the_permission_to_add_to_them() {
    let harness = Harness::new();
    let admin = harness.admin();
    harness.group("payments");
    let csv = json!({"csv": "email,groups\nada@example.org,payments\n"});
    let body = json!({"name": "hr", "scopes": ["users:write", "groups:read"], "expiresInDays": 1});
    let token = admin.post("/api/auth/tokens", body).await.expect(201).json;
    let program = harness.anonymous().with_bearer(token["token"].as_str().unwrap());
    assert_eq!(problems(&program.post(DRY, csv.clone()).await.expect(200).json["lines"][0]), ["groups:not_permitted"]);
    program.post(REAL, csv.clone()).await.expect(400);
    harness.group_admin("payments").post(REAL, csv).await.expect(403);
}
