//! The audit log through the API: filters, paging, who may read it, and that refusals are in it.

use super::harness::{Answer, Harness};
use codex_web::ops::audit_file;
use codex_web::policy::Action;
use codex_web::store::Change;
use serde_json::{Value, json};

fn items(answer: &Answer) -> &Vec<Value> {
    answer.json["items"].as_array().unwrap()
}

async fn some_history(harness: &Harness) -> String {
    let admin = harness.admin();
    harness.group("team");
    let anna = harness.create_user("anna", false);
    admin.post("/api/groups/team/members", json!({"userId": anna.as_str()})).await.expect(200);
    admin.post(&format!("/api/admin/users/{anna}/disable"), json!({})).await.expect(200);
    admin.patch("/api/groups/team", json!({"displayName": "The team"})).await.expect(200);
    anna.to_string()
}

#[tokio::test]
async fn entries_say_who_did_what_to_what_newest_first() {
    let harness = Harness::new();
    let anna = some_history(&harness).await;
    let log = harness.admin().get("/api/admin/audit-logs?limit=10").await.expect(200);
    let entry = items(&log).iter().find(|e| e["action"] == "disable_user").unwrap();
    assert_eq!((&entry["resource"], &entry["resourceName"]), (&json!(format!("user:{anna}")), &json!("anna@example.org")));
    assert!(entry["username"].as_str().unwrap().starts_with("admin-"), "{entry}");
    assert_eq!((&entry["success"], &entry["count"]), (&json!(true), &json!(1)));
    assert!(entry["id"].as_str().unwrap().starts_with("audit_"));
    assert_eq!(entry["details"]["status"], json!({"before": "active", "after": "disabled"}));
    let all = harness.admin().get("/api/admin/audit-logs?limit=100").await.expect(200);
    let chain = items(&all);
    assert!(chain.windows(2).all(|w| w[0]["previousHash"] == w[1]["hash"]), "each entry follows the one before it");
}

#[tokio::test]
async fn every_filter_narrows_and_all_work_together() {
    let harness = Harness::new();
    let anna = some_history(&harness).await;
    let admin = harness.admin();
    let actions = |answer: &Answer| items(answer).iter().map(|e| e["action"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let by_action = admin.get("/api/admin/audit-logs?action=disable_user&count=true").await.expect(200);
    assert_eq!((actions(&by_action), &by_action.json["total"]), (vec!["disable_user".to_owned()], &json!(1)));
    let by_resource = admin.get(&format!("/api/admin/audit-logs?resource=user:{anna}")).await.expect(200);
    assert_eq!(actions(&by_resource), ["disable_user"]);
    let actor = items(&by_action)[0]["userId"].as_str().unwrap().to_owned();
    let by_actor = admin.get(&format!("/api/admin/audit-logs?userId={actor}&action=update_group")).await.expect(200);
    assert_eq!(actions(&by_actor), ["update_group"]);
    let request = items(&by_action)[0]["requestId"].as_str().unwrap().to_owned();
    assert_eq!(actions(&admin.get(&format!("/api/admin/audit-logs?requestId={request}")).await.expect(200)), ["disable_user"]);
    let stamp = items(&by_action)[0]["timestamp"].as_str().unwrap().to_owned();
    let at = admin.get(&format!("/api/admin/audit-logs?startDate={stamp}&endDate={stamp}&action=disable_user")).await.expect(200);
    assert_eq!(actions(&at), ["disable_user"], "both ends are inside");
    let day = stamp.split('T').next().unwrap();
    let today = admin.get(&format!("/api/admin/audit-logs?startDate={day}&endDate={day}&action=disable_user")).await.expect(200);
    assert_eq!(actions(&today), ["disable_user"], "a date is the whole day");
    let never = admin.get("/api/admin/audit-logs?startDate=1970-01-01&endDate=1970-01-02").await.expect(200);
    assert!(items(&never).is_empty());
    for query in ["startDate=yesterday", "success=maybe", "limit=101", "nextToken=x", "users=1"] {
        assert_eq!(admin.get(&format!("/api/admin/audit-logs?{query}")).await.status, 400, "{query}");
    }
}

#[tokio::test]
async fn pages_have_no_gap_and_no_repetition_under_every_filter() {
    let harness = Harness::new();
    let admin = harness.admin();
    for n in 0..12 {
        harness.create_user(&format!("zoo-{n}"), false);
    }
    for filter in ["", "&action=create_user", "&userId=cli:harness", "&startDate=2020-01-01", "&success=true"] {
        let (mut seen, mut token) = (Vec::new(), String::new());
        loop {
            let page = admin.get(&format!("/api/admin/audit-logs?limit=5&count=true{filter}{token}")).await.expect(200);
            seen.extend(items(&page).iter().map(|e| e["id"].as_str().unwrap().to_owned()));
            let Some(next) = page.json["nextToken"].as_str() else {
                assert_eq!(page.json["total"], seen.len(), "{filter}");
                break;
            };
            token = format!("&nextToken={next}");
        }
        let count = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), count, "{filter}");
        assert!(count >= 12, "{filter}");
    }
}

#[tokio::test]
async fn a_refused_attempt_is_an_entry_and_only_the_platform_reads_the_log() {
    let harness = Harness::new();
    let member = harness.member("team");
    assert_eq!(member.delete("/api/groups/team").await.status, 403);
    assert_eq!(member.get("/api/admin/audit-logs").await.status, 403);
    assert_eq!(harness.group_admin("team").get("/api/admin/audit-logs").await.status, 403);
    let log = harness.admin().get("/api/admin/audit-logs?success=false").await.expect(200);
    let refused = items(&log).iter().find(|e| e["action"] == "delete_group").unwrap();
    assert_eq!((&refused["userId"], &refused["error"]), (&json!(member.user_id().as_str()), &json!("denied:not_permitted")));
    assert!(items(&log).iter().all(|e| e["success"] == false));
}

#[tokio::test]
async fn a_refused_conflict_is_an_entry_too() {
    let harness = Harness::new();
    harness.group("team");
    let owner = harness.rows("SELECT owner_id FROM \"group\"")[0]["owner_id"].as_str().unwrap().to_owned();
    harness.admin().delete(&format!("/api/admin/users/{owner}")).await.expect(409);
    let entry = harness.audit("delete_user").pop().unwrap();
    assert_eq!((&entry["success"], &entry["error"]), (&json!(0), &json!("conflict:still_used")));
}

#[tokio::test]
async fn the_chain_is_checked_and_a_change_behind_the_servers_back_shows() {
    let harness = Harness::new();
    some_history(&harness).await;
    let admin = harness.admin();
    let clean = admin.get("/api/admin/audit-logs/verify").await.expect(200).json;
    assert_eq!(clean["ok"], true, "{clean}");
    let file = rusqlite::Connection::open(harness.dir.path().join("codex-web.db")).unwrap();
    file.execute_batch("DROP TRIGGER audit_event_append_only; UPDATE audit_event SET action = 'nothing' WHERE seq = 2;").unwrap();
    let report = admin.get("/api/admin/audit-logs/verify").await.expect(200).json;
    assert_eq!((&report["ok"], &report["verdict"], &report["entry"]), (&json!(false), &json!("row altered"), &json!(2)));
}

#[tokio::test]
async fn the_log_is_exported_in_both_forms_without_names() {
    let harness = Harness::new();
    some_history(&harness).await;
    let admin = harness.admin();
    let lines = admin.get("/api/admin/audit-logs/export").await.expect(200);
    let rows: Vec<Value> = lines.text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!((&rows[0]["type"], &rows.last().unwrap()["type"]), (&json!("header"), &json!("footer")));
    assert_eq!(rows.last().unwrap()["count"], rows.len() - 2);
    assert!(!lines.text.contains("anna@"), "an export holds ids");
    let csv = admin.get("/api/admin/audit-logs/export?format=csv").await.expect(200);
    assert!(csv.text.starts_with("\"seq\",\"time\""));
    let records: Vec<&str> = csv.text.split("\r\n").filter(|line| !line.is_empty()).collect();
    assert!(records[1].starts_with("\"header\",") && records.last().unwrap().starts_with("\"footer\","), "{records:?}");
    assert!(!csv.text.contains("anna@"));
    assert!(csv.header("content-disposition").unwrap().contains("audit-beginning-to-"));
    assert_eq!(admin.get("/api/admin/audit-logs/export?format=pdf").await.status, 400);
    assert_eq!(harness.member("team").get("/api/admin/audit-logs/export").await.status, 403);
}

#[tokio::test]
async fn an_export_goes_on_where_another_ended_and_holds_only_its_days() {
    let harness = Harness::new();
    some_history(&harness).await;
    let admin = harness.admin();
    let parse = |text: &str| text.lines().map(|l| serde_json::from_str(l).unwrap()).collect::<Vec<Value>>();
    let whole = parse(&admin.get("/api/admin/audit-logs/export").await.expect(200).text);
    let (first, fourth) = (&whole[1], &whole[4]);
    let rest = parse(&admin.get("/api/admin/audit-logs/export?after=3").await.expect(200).text);
    assert_eq!((&rest[0]["first"], &rest[0]["previousHash"], &rest[1]["hash"]), (&json!(4), &fourth["prev"], &fourth["hash"]));
    assert_eq!(first["seq"], 1);
    let never = parse(&admin.get("/api/admin/audit-logs/export?endDate=1970-01-02").await.expect(200).text);
    assert_eq!((never.len(), &never[1]["count"], &never[0]["until"]), (2, &json!(0), &json!("1970-01-03T00:00:00.000Z")));
}

#[tokio::test]
async fn a_long_export_is_written_in_batches_and_verifies() {
    let harness = Harness::new();
    many(&harness, 2_300);
    let mut file = Vec::new();
    // The clients of these tests wait for each piece of a stream for a moment only.
    audit_file::write(&harness.app.ops, &harness.app.keys, audit_file::Form::JsonLines, audit_file::Range::default(), &mut file).unwrap();
    let found = codex_web::store::audit_file::check(&harness.app.ops.db, file.as_slice()).unwrap();
    assert_eq!(found.report.finding, None);
    assert!(found.report.entries >= 2_300);
}

/// So many entries in one transaction.
fn many(harness: &Harness, count: i64) {
    harness.as_shell(Action::RotateKeys, move |tx, permit| (0..count).try_for_each(|n| tx.audit(permit, Change::of(json!({ "n": n })))));
}

#[tokio::test]
async fn a_page_looks_at_so_many_entries_and_the_next_one_goes_on_looking() {
    let harness = Harness::new();
    let anna = harness.create_user("anna", false);
    many(&harness, 10_500);
    let admin = harness.admin();
    let filter = "userId=cli:harness&action=create_user&count=true";
    let page = admin.get(&format!("/api/admin/audit-logs?{filter}")).await.expect(200).json;
    assert_eq!((items_of(&page), &page["hasMore"], page.get("total")), (1, &json!(true), None), "only the administrator was made lately");
    let next = page["nextToken"].as_str().unwrap();
    let page = admin.get(&format!("/api/admin/audit-logs?{filter}&nextToken={next}")).await.expect(200).json;
    assert_eq!((items_of(&page), &page["hasMore"]), (1, &json!(false)));
    assert_eq!(page["items"][0]["resource"], "system", "{anna}");
    let whole = admin.get("/api/admin/audit-logs?count=true&limit=1").await.expect(200).json;
    assert!(whole["total"].as_i64().unwrap() > 10_500, "all of them are counted by their numbers");
}

fn items_of(page: &Value) -> usize {
    page["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn an_entry_has_an_address_of_its_own() {
    let harness = Harness::new();
    some_history(&harness).await;
    let admin = harness.admin();
    let all = admin.get("/api/admin/audit-logs?limit=3").await.expect(200);
    let id = items(&all)[2]["id"].as_str().unwrap();
    let one = admin.get(&format!("/api/admin/audit-logs?id={id}&count=true")).await.expect(200);
    assert_eq!((items(&one).len(), &items(&one)[0], &one.json["total"]), (1, &items(&all)[2], &json!(1)));
    assert!(items(&admin.get("/api/admin/audit-logs?id=audit_none").await.expect(200)).is_empty());
}

#[tokio::test]
async fn the_state_of_the_log_shows_its_checkpoint_and_its_last_check() {
    let harness = Harness::new();
    some_history(&harness).await;
    let admin = harness.admin();
    let fresh = admin.get("/api/admin/audit-logs/status").await.expect(200).json;
    assert_eq!((&fresh["checkpoint"], &fresh["checked"], &fresh["retention"]["days"]), (&json!(null), &json!(null), &json!(365)));
    assert_eq!(fresh["entries"], fresh["lastEntry"]);
    codex_web::upkeep::sign_audit_head_now(&harness.app.ops, &harness.app.keys).unwrap();
    harness.create_user("later", false);
    let signed = admin.get("/api/admin/audit-logs/status").await.expect(200).json;
    assert_eq!((&signed["checkpoint"]["entry"], &signed["checkpoint"]["behind"]), (&fresh["lastEntry"], &json!(1)));
    let anchor = signed["checkpoint"]["anchor"].as_str().unwrap();
    assert_eq!(anchor, format!("{}:{}", fresh["lastEntry"], fresh["lastHash"].as_str().unwrap()));
    admin.get("/api/admin/audit-logs/verify").await.expect(200);
    assert_eq!(admin.get("/api/admin/audit-logs/status").await.expect(200).json["checked"]["ok"], true);
    assert_eq!(harness.member("team").get("/api/admin/audit-logs/status").await.status, 403);
}
