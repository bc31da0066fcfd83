//! People through the API: every rule of the user routes, with a client for each kind of caller.

use super::harness::{Harness, PASSWORD};
use codex_web::domain::group::GroupRole;
use serde_json::{Value, json};

const PASS: &str = "velvet canyon mosaic 42";

async fn created(harness: &Harness, username: &str) -> String {
    let body = json!({"email": format!("{username}@example.com"), "temporaryPassword": PASS});
    harness.admin().post("/api/admin/users", body).await.expect(201).json["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_user_is_created_with_the_name_of_the_address_and_must_change_the_password() {
    let harness = Harness::new();
    let group = harness.group("team");
    let body = json!({"email": "Sara.Lind@Example.com", "name": "Sara Lind", "temporaryPassword": PASS, "groups": [group.as_str()], "isAdmin": true});
    let user = harness.admin().post("/api/admin/users", body).await.expect(201).json;
    assert_eq!((&user["username"], &user["email"]), (&json!("sara.lind"), &json!("Sara.Lind@example.com")));
    assert_eq!((&user["mustChangePassword"], &user["isAdmin"], &user["status"]), (&json!(true), &json!(true), &json!("active")));
    assert_eq!(user["groups"], json!([group.as_str()]));
    assert_eq!(user["groupMemberships"], json!([{"groupId": group.as_str(), "role": "member"}]));
    assert!(user.get("invitation").is_none());
    let entries = harness.audit("create_user");
    let entry = entries.last().unwrap();
    assert_eq!(entry["resource"], format!("user:{}", user["id"].as_str().unwrap()));
    assert!(!entry["details"].to_string().contains("Sara"), "the chain holds no names: {entry}");
    let file = harness.rows("SELECT data FROM audit_person").iter().map(Value::to_string).collect::<String>();
    assert!(!file.contains(PASS), "no password reaches the log");
}

#[tokio::test]
async fn without_a_password_the_answer_carries_an_invitation_once() {
    let harness = Harness::new();
    let admin = harness.admin();
    let user = admin.post("/api/admin/users", json!({"email": "new@example.com"})).await.expect(201).json;
    let link = user["invitation"]["link"].as_str().unwrap();
    let code = link.split_once("/invite#").unwrap().1;
    assert!(code.len() > 40, "{link}");
    let stored = harness.rows("SELECT hex(hash) AS hash FROM one_time_code WHERE purpose = 'invite'");
    assert_eq!(stored.len(), 1);
    assert!(!stored[0].to_string().contains(code));
    let again = admin.get(&format!("/api/admin/users/{}", user["id"].as_str().unwrap())).await.expect(200);
    assert!(!again.text.contains(code) && again.json["invitation"].is_null(), "{}", again.text);
}

#[tokio::test]
async fn every_invalid_field_of_a_new_user_is_named_at_once() {
    let harness = Harness::new();
    let body = json!({"email": "no address", "username": "Sara!", "name": "a\u{202e}b", "isAdmin": "yes", "groups": ["x"], "nam": 1, "temporaryPassword": 7});
    let answer = harness.admin().post("/api/admin/users", body).await.expect(400);
    let fields = answer.fields();
    for field in [
        "email:invalid",
        "username:invalid",
        "name:characters",
        "isAdmin:type",
        "groups[0]:invalid",
        "nam:unknown",
        "temporaryPassword:type",
    ] {
        assert!(fields.contains(&field.to_owned()), "{field} is missing in {fields:?}");
    }
    let weak = json!({"email": "a@example.com", "temporaryPassword": "short"});
    assert!(harness.admin().post("/api/admin/users", weak).await.expect(400).fields()[0].starts_with("temporaryPassword:"));
    let unknown = json!({"email": "a@example.com", "temporaryPassword": PASS, "groups": ["grp_00000000000000000000000000000000"]});
    assert_eq!(harness.admin().post("/api/admin/users", unknown).await.expect(400).fields(), ["groups[0]:unknown_group"]);
    assert_eq!(harness.rows("SELECT count(*) AS n FROM user WHERE email LIKE 'a@%'")[0]["n"], 0, "nothing half done");
}

#[tokio::test]
async fn a_taken_name_or_address_is_a_conflict_whatever_its_case() {
    let harness = Harness::new();
    created(&harness, "anna").await;
    let admin = harness.admin();
    let same_address = admin.post("/api/admin/users", json!({"email": "ANNA@example.com", "username": "other"})).await.expect(409);
    assert_eq!((same_address.code(), same_address.fields()), ("CONFLICT", vec!["email:taken".to_owned()]));
    let same_name = admin.post("/api/admin/users", json!({"email": "b@example.com", "username": "anna"})).await.expect(409);
    assert_eq!(same_name.fields(), ["username:taken"]);
}

#[tokio::test]
async fn only_platform_admins_manage_people_and_others_get_403() {
    let harness = Harness::new();
    let id = created(&harness, "anna").await;
    for client in [harness.member("team"), harness.group_admin("team"), harness.stranger()] {
        for (method, path, body) in [
            ("GET", "/api/admin/users".to_owned(), None),
            ("POST", "/api/admin/users".to_owned(), Some(json!({"email": "x@example.com"}))),
            ("PATCH", format!("/api/admin/users/{id}"), Some(json!({"name": "X"}))),
            ("DELETE", format!("/api/admin/users/{id}"), None),
            ("POST", format!("/api/admin/users/{id}/disable"), None),
            ("POST", format!("/api/admin/users/{id}/promote"), None),
            ("POST", format!("/api/admin/users/{id}/reset-password"), Some(json!({"newPassword": PASS}))),
        ] {
            assert_eq!(client.call(method, &path, body).await.status, 403, "{method} {path}");
        }
    }
    assert_eq!(harness.anonymous().get("/api/admin/users").await.status, 401);
}

#[tokio::test]
async fn a_profile_is_seen_by_its_owner_by_admins_and_by_admins_of_a_shared_group_only() {
    let harness = Harness::new();
    let lead = harness.group_admin("team");
    let member = harness.member("team");
    harness.join(&harness.group("secret"), member.user_id(), GroupRole::Member);
    let path = format!("/api/users/{}", member.user_id());
    assert_eq!(member.get(&path).await.status, 200);
    assert_eq!(harness.member("team").get(&path).await.status, 404);
    assert_eq!(harness.stranger().get(&path).await.status, 404);
    let seen = lead.get(&path).await.expect(200).json;
    assert_eq!(seen["groups"].as_array().unwrap().len(), 1, "an admin of one group does not learn of others: {seen}");
    let full = harness.admin().get(&path).await.expect(200).json;
    assert_eq!(full["groupDetails"].as_array().unwrap().len(), 2);
    assert_eq!(full["workspacesCount"], 0);
    assert_eq!(full["can"]["disable_user"], true);
    assert_eq!(full["can"]["enable_user"]["code"], "WRONG_STATE");
}

#[tokio::test]
async fn the_list_searches_the_whole_table_and_pages_without_gaps() {
    let harness = Harness::new();
    let admin = harness.admin();
    for n in 0..25 {
        harness.create_user(&format!("zoo-{n:02}"), false);
    }
    let mut names: Vec<String> = Vec::new();
    for search in ["zoo", "zo"] {
        names.clear();
        let mut path = format!("/api/admin/users?search={search}&limit=10&count=true");
        loop {
            let page = admin.get(&path).await.expect(200).json;
            assert_eq!(page["total"], 25, "{search}");
            names.extend(page["items"].as_array().unwrap().iter().map(|u| u["username"].as_str().unwrap().to_owned()));
            let Some(token) = page["nextToken"].as_str() else {
                assert_eq!(page["hasMore"], false);
                break;
            };
            path = format!("/api/admin/users?search={search}&limit=10&count=true&nextToken={token}");
        }
        assert_eq!(names, (0..25).map(|n| format!("zoo-{n:02}")).collect::<Vec<_>>(), "{search}");
    }
    // Who begins like that comes first, each person once, whichever page they fall on.
    for n in 0..3 {
        harness.create_user(&format!("a-zoo-{n}"), false);
    }
    let (mut mixed, mut token) = (Vec::new(), String::new());
    loop {
        let page = admin.get(&format!("/api/admin/users?search=ZOO&limit=9{token}")).await.expect(200).json;
        mixed.extend(page["items"].as_array().unwrap().iter().map(|u| u["username"].as_str().unwrap().to_owned()));
        let Some(next) = page["nextToken"].as_str() else { break };
        token = format!("&nextToken={next}");
    }
    names.extend((0..3).map(|n| format!("a-zoo-{n}")));
    assert_eq!(mixed, names);
    let part = admin.get("/api/admin/users?search=OO-07").await.expect(200).json;
    assert_eq!(part["items"][0]["username"], "zoo-07");
    let hostile = admin.get("/api/admin/users?search=%22%20OR%20%2A%20NEAR%28").await.expect(200).json;
    assert_eq!(hostile["items"], json!([]));
}

#[tokio::test]
async fn a_cursor_of_another_filter_and_unknown_parameters_are_refused() {
    let harness = Harness::new();
    let admin = harness.admin();
    for n in 0..3 {
        harness.create_user(&format!("zoo-{n}"), false);
    }
    let token = admin.get("/api/admin/users?limit=2").await.expect(200).json["nextToken"].as_str().unwrap().to_owned();
    assert_eq!(admin.get(&format!("/api/admin/users?limit=2&search=zoo&nextToken={token}")).await.status, 400);
    for query in ["limit=0", "limit=101", "limit=x", "status=deleted", "nextToken=!!", "serch=x"] {
        assert_eq!(admin.get(&format!("/api/admin/users?{query}")).await.status, 400, "{query}");
    }
}

#[tokio::test]
async fn disabling_ends_every_sign_in_and_connection_at_once() {
    let harness = Harness::new();
    let admin = harness.admin();
    let victim = harness.member("team");
    let bearer = victim.by_token();
    let mut live = harness.app.ops.bus.register(codex_web::events::Belongs {
        user: Some(victim.user_id().clone()),
        session: None,
        token: None,
        workspace: None,
        group: None,
    });
    assert_eq!(victim.get("/api/groups").await.status, 200);
    let path = format!("/api/admin/users/{}/disable", victim.user_id());
    let answer = admin.post(&path, json!({"reason": "left the company"})).await.expect(200).json;
    assert_eq!(answer["status"], "disabled");
    tokio::time::timeout(std::time::Duration::from_secs(1), live.cut()).await.expect("the open connection is cut");
    assert_eq!(victim.get("/api/groups").await.status, 401);
    assert_eq!(bearer.get("/api/groups").await.status, 401);
    assert_eq!(
        harness.rows(
            "SELECT count(*) AS n FROM session WHERE revoked_at IS NULL AND user_id = (SELECT id FROM user WHERE status = 'disabled')"
        )[0]["n"],
        0
    );
    let again = admin.post(&path, json!({})).await.expect(200).json;
    assert!(again["message"].as_str().unwrap().contains("already"));
    assert_eq!(harness.audit("disable_user").len(), 1, "nothing changed the second time");
    admin.post(&format!("/api/admin/users/{}/enable", victim.user_id()), json!({})).await.expect(200);
    assert_eq!(victim.get("/api/groups").await.status, 401, "the old sign-in stays ended");
    assert_eq!(harness.signed_in(victim.user_id()).get("/api/groups").await.status, 200);
}

#[tokio::test]
async fn signing_somebody_out_ends_what_is_open_and_they_may_sign_in_again() {
    let harness = Harness::new();
    let (admin, person) = (harness.admin(), harness.member("team"));
    let bearer = harness.signed_in(person.user_id());
    let path = format!("/api/admin/users/{}/sign-out", person.user_id());
    assert_eq!(person.post(&path, json!({})).await.status, 403, "it takes the right to manage people");
    let answer = admin.post(&path, json!({ "reason": "A lost laptop." })).await.expect(200).json;
    assert_eq!(answer["status"], "active");
    assert!(answer["message"].as_str().unwrap().contains("signed out everywhere"));
    for client in [&person, &bearer] {
        assert_eq!(client.get("/api/groups").await.status, 401);
    }
    let entries = harness.audit("sign_out_user");
    assert_eq!(entries.iter().filter(|entry| entry["success"] == 1).count(), 1, "{entries:?}");
    assert_eq!(harness.signed_in(person.user_id()).get("/api/groups").await.status, 200);
    assert_eq!(admin.get("/api/groups").await.status, 200, "nobody else is signed out");
}

#[tokio::test]
async fn nobody_disables_demotes_deletes_or_resets_themselves() {
    let harness = Harness::new();
    let admin = harness.admin();
    harness.admin();
    let me = format!("/api/admin/users/{}", admin.user_id());
    let disable = admin.post(&format!("{me}/disable"), json!({})).await.expect(400);
    assert_eq!(disable.code(), "SELF_DISABLE_NOT_ALLOWED");
    assert_eq!(admin.post(&format!("{me}/demote"), json!({})).await.expect(400).code(), "SELF_DEMOTION_NOT_ALLOWED");
    assert_eq!(admin.patch(&me, json!({"isAdmin": false})).await.expect(400).code(), "SELF_DEMOTION_NOT_ALLOWED");
    assert_eq!(admin.delete(&me).await.status, 400);
    assert_eq!(admin.post(&format!("{me}/reset-password"), json!({"newPassword": PASS})).await.status, 403);
}

#[tokio::test]
async fn two_admins_who_demote_each_other_leave_one() {
    let harness = Harness::new();
    let (anna, ben) = (harness.admin(), harness.admin());
    let (at_ben, at_anna) = (format!("/api/admin/users/{}/demote", ben.user_id()), format!("/api/admin/users/{}/demote", anna.user_id()));
    let (a, b) = tokio::join!(anna.post(&at_ben, json!({})), ben.post(&at_anna, json!({})));
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses[0], 200, "{} {}", a.text, b.text);
    assert!(statuses[1] >= 400, "{} {}", a.text, b.text);
    assert_eq!(harness.rows("SELECT count(DISTINCT user_id) AS n FROM system_grant")[0]["n"], 1);
}

#[tokio::test]
async fn the_last_admin_cannot_be_disabled_deleted_or_demoted_by_a_shell() {
    let harness = Harness::new();
    let admin = harness.admin();
    let shell = harness.shell();
    let path = format!("/api/admin/users/{}", admin.user_id());
    assert_eq!(shell.post(&format!("{path}/disable"), json!({})).await.expect(409).code(), "LAST_ADMIN");
    assert_eq!(shell.post(&format!("{path}/demote"), json!({})).await.expect(409).code(), "LAST_ADMIN");
    assert_eq!(shell.delete(&path).await.expect(409).code(), "LAST_ADMIN");
}

#[tokio::test]
async fn promotion_and_demotion_take_effect_on_the_next_request() {
    let harness = Harness::new();
    let admin = harness.admin();
    let person = harness.member("team");
    let path = format!("/api/admin/users/{}", person.user_id());
    assert_eq!(person.get("/api/admin/users").await.status, 403);
    let promoted = admin.post(&format!("{path}/promote"), json!({"reason": "on call"})).await.expect(200).json;
    assert_eq!(promoted["isAdmin"], true);
    assert_eq!(promoted["groups"].as_array().unwrap().len(), 1, "memberships stay");
    assert_eq!(person.get("/api/admin/users").await.status, 200);
    assert!(admin.post(&format!("{path}/promote"), json!({})).await.expect(200).json["message"].as_str().unwrap().contains("already"));
    let log = admin.get("/api/admin/audit-logs?action=promote_user_to_admin").await.expect(200).json;
    assert_eq!(log["items"][0]["details"]["reason"], "on call");
    assert!(log["items"][0]["details"]["promotedUser"].as_str().unwrap().contains('@'));
    admin.post(&format!("{path}/demote"), json!({})).await.expect(200);
    assert_eq!(person.get("/api/admin/users").await.status, 403);
    assert!(
        admin.post(&format!("{path}/demote"), json!({})).await.expect(200).json["message"]
            .as_str()
            .unwrap()
            .contains("not a platform admin")
    );
}

#[tokio::test]
async fn a_disabled_user_cannot_be_promoted() {
    let harness = Harness::new();
    let admin = harness.admin();
    let id = created(&harness, "anna").await;
    admin.post(&format!("/api/admin/users/{id}/disable"), json!({})).await.expect(200);
    assert_eq!(admin.post(&format!("/api/admin/users/{id}/promote"), json!({})).await.expect(409).code(), "WRONG_STATE");
}

#[tokio::test]
async fn a_patch_changes_what_it_names_under_one_entry_and_heeds_if_match() {
    let harness = Harness::new();
    let admin = harness.admin();
    let (old, new) = (harness.group("old"), harness.group("new"));
    let person = harness.create_user("anna", false);
    harness.join(&old, &person, GroupRole::Member);
    let path = format!("/api/admin/users/{person}");
    let etag = admin.get(&path).await.expect(200).header("etag").unwrap().to_owned();
    let body = json!({"name": "Anna Berg", "isAdmin": true, "groups": [new.as_str()]});
    let user = admin.with_header("if-match", &etag).patch(&path, body.clone()).await.expect(200).json;
    assert_eq!((&user["name"], &user["isAdmin"], &user["groups"]), (&json!("Anna Berg"), &json!(true), &json!([new.as_str()])));
    assert_eq!(admin.with_header("if-match", &etag).patch(&path, body).await.expect(412).code(), "STALE");
    let entries = harness.audit("promote_user_to_admin");
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["details"]["groups"].as_array().unwrap().len(), 2);
    assert_eq!(harness.audit("update_user").len(), 0, "one entry, under the gravest action");
    assert_eq!(admin.patch(&path, json!({})).await.status, 400);
    assert_eq!(admin.patch(&path, json!({"username": "x"})).await.expect(400).fields(), ["username:read_only"]);
    assert_eq!(harness.rows("SELECT member_count AS n FROM \"group\" WHERE name = 'old'")[0]["n"], 1, "only its owner is left");
}

#[tokio::test]
async fn a_deleted_user_frees_name_and_address_and_is_gone() {
    let harness = Harness::new();
    let admin = harness.admin();
    let id = created(&harness, "anna").await;
    assert_eq!(admin.delete(&format!("/api/admin/users/{id}")).await.status, 204);
    assert_eq!(admin.get(&format!("/api/admin/users/{id}")).await.status, 404);
    assert_eq!(admin.delete(&format!("/api/admin/users/{id}")).await.status, 404);
    created(&harness, "anna").await;
    let row = &harness.rows(&format!("SELECT status, password_hash FROM user WHERE id = '{id}'"))[0];
    assert_eq!((&row["status"], &row["password_hash"]), (&json!("deleted"), &Value::Null));
    let log = admin.get("/api/admin/audit-logs?action=delete_user").await.expect(200).json;
    assert_eq!(log["items"][0]["resourceName"], "anna@example.com", "the name stays for the audit");
}

#[tokio::test]
async fn an_owner_of_groups_cannot_be_deleted() {
    let harness = Harness::new();
    harness.group("team");
    let owner = harness.rows("SELECT owner_id FROM \"group\"")[0]["owner_id"].as_str().unwrap().to_owned();
    let answer = harness.admin().delete(&format!("/api/admin/users/{owner}")).await.expect(409);
    assert_eq!((answer.code(), &answer.json["error"]["details"]["groups"]), ("STILL_USED", &json!(1)));
}

#[tokio::test]
async fn a_reset_password_is_temporary_unless_said_otherwise_and_signs_out() {
    let harness = Harness::new();
    let admin = harness.admin();
    let person = harness.stranger();
    let path = format!("/api/admin/users/{}/reset-password", person.user_id());
    assert!(admin.post(&path, json!({})).await.expect(400).fields().contains(&"newPassword:required".to_owned()));
    assert_eq!(admin.post(&path, json!({"newPassword": "aaaaaaaaaaaa"})).await.status, 400);
    let answer = admin.post(&path, json!({"newPassword": PASS})).await.expect(200).json;
    assert_eq!(answer["mustChangePassword"], true);
    assert_eq!(person.get("/api/groups").await.status, 401);
    let permanent = admin.post(&path, json!({"newPassword": PASS, "permanent": true})).await.expect(200).json;
    assert_eq!(permanent["mustChangePassword"], false);
    assert_ne!(PASS, PASSWORD);
}

#[tokio::test]
async fn both_families_of_membership_routes_have_the_same_guards() {
    let harness = Harness::new();
    let admin = harness.admin();
    let group = harness.group("team");
    let person = harness.create_user("anna", false);
    let groups = format!("/api/admin/users/{person}/groups");
    let members = format!("/api/groups/{group}/members");
    // Not a member yet.
    for (method, path, status) in [
        ("POST", format!("{groups}/{group}/promote"), 409),
        ("POST", format!("{groups}/{group}/demote"), 409),
        ("DELETE", format!("{groups}/{group}"), 404),
        ("DELETE", format!("{members}/{person}"), 404),
    ] {
        assert_eq!(admin.call(method, &path, None).await.status, status, "{method} {path}");
    }
    assert_eq!(admin.patch(&format!("{members}/{person}"), json!({"role": "admin"})).await.status, 409);
    let user = admin.post(&groups, json!({"groupId": group.as_str()})).await.expect(200).json;
    assert_eq!(user["groupMemberships"][0]["role"], "member");
    assert_eq!(
        admin.post(&groups, json!({"groupId": "team", "role": "admin"})).await.expect(200).json["groupMemberships"][0]["role"],
        "admin"
    );
    assert_eq!(admin.post(&members, json!({"userId": person.as_str()})).await.expect(409).code(), "CONFLICT");
    assert_eq!(admin.post(&groups, json!({"groupId": group.as_str(), "role": "developer"})).await.expect(400).fields(), ["role:invalid"]);
    assert_eq!(admin.post(&format!("{groups}/{group}/demote"), json!({})).await.expect(200).json["groupMemberships"][0]["role"], "member");
    assert_eq!(admin.delete(&format!("{groups}/{group}")).await.expect(200).json["groups"], json!([]));
    assert_eq!(admin.post(&members, json!({"userId": person.as_str(), "role": "admin"})).await.expect(200).json["role"], "admin");
    assert_eq!(admin.delete(&format!("{members}/{person}")).await.status, 204);
    for lead in [harness.group_admin("team"), harness.member("team")] {
        assert_eq!(lead.post(&members, json!({"userId": person.as_str()})).await.status, 403, "group admins do not edit memberships");
        assert_eq!(lead.post(&groups, json!({"groupId": group.as_str()})).await.status, 403);
    }
}

#[tokio::test]
async fn the_owner_of_a_group_neither_leaves_nor_loses_the_role() {
    let harness = Harness::new();
    let admin = harness.admin();
    let group = harness.group("team");
    let owner = harness.rows("SELECT owner_id FROM \"group\"")[0]["owner_id"].as_str().unwrap().to_owned();
    let member = format!("/api/groups/team/members/{owner}");
    assert_eq!(admin.delete(&member).await.expect(409).code(), "WRONG_STATE");
    assert_eq!(admin.patch(&member, json!({"role": "member"})).await.expect(409).code(), "WRONG_STATE");
    let heir = harness.create_user("heir", false);
    harness.join(&group, &heir, GroupRole::Member);
    let transfer = |user: String| admin.post("/api/groups/team/owner", json!({"userId": user}));
    assert_eq!(transfer(heir.to_string()).await.expect(409).code(), "WRONG_STATE");
    admin.patch(&format!("/api/groups/team/members/{heir}"), json!({"role": "admin"})).await.expect(200);
    assert_eq!(transfer(heir.to_string()).await.expect(200).json["ownerId"], heir.as_str());
    assert_eq!(admin.delete(&member).await.status, 204);
}

#[tokio::test]
async fn the_search_box_finds_only_what_the_caller_may_open() {
    let harness = Harness::new();
    let admin = harness.admin();
    let lead = harness.group_admin("payments");
    let member = harness.member("payments");
    harness.group("payroll");
    let kinds = |answer: &super::harness::Answer| {
        answer.json.as_array().unwrap().iter().map(|h| h["subtitle"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(kinds(&admin.get("/api/search?q=pay").await.expect(200)).contains(&"payroll".to_owned()));
    assert_eq!(kinds(&member.get("/api/search?q=pay").await.expect(200)), ["payments"]);
    assert!(kinds(&lead.get("/api/search?q=member").await.expect(200)).iter().any(|s| s.starts_with("member-")));
    assert_eq!(kinds(&member.get("/api/search?q=member").await.expect(200)), Vec::<String>::new());
    assert_eq!(member.get("/api/search").await.expect(400).fields(), ["q:required"]);
    assert_eq!(kinds(&admin.get("/api/search?q=%25").await.expect(200)), Vec::<String>::new(), "a wildcard is a character");
}

#[tokio::test]
async fn the_platform_admins_are_a_list_of_their_own_which_is_searched_and_paged() {
    let harness = Harness::new();
    let admin = harness.admin();
    for name in ["ada.one", "ada.two", "bea.three"] {
        let id = created(&harness, name).await;
        if name != "bea.three" {
            admin.post(&format!("/api/admin/users/{id}/promote"), json!({"reason": "to be seen"})).await.expect(200);
        }
        if name == "ada.two" {
            admin.post(&format!("/api/admin/users/{id}/disable"), json!({})).await.expect(200);
        }
    }
    let names = async |query: &str| {
        let answer = admin.get(&format!("/api/admin/users?role=admin{query}")).await.expect(200).json;
        let items = answer["items"].as_array().unwrap().iter().map(|one| one["username"].as_str().unwrap().to_owned());
        (items.collect::<Vec<_>>(), answer)
    };
    let (all, told) = names("&count=true").await;
    assert!(
        all.contains(&"ada.one".to_owned()) && all.contains(&"ada.two".to_owned()) && !all.contains(&"bea.three".to_owned()),
        "{all:?}"
    );
    assert_eq!(told["total"], all.len());
    assert!(all.is_sorted());
    assert_eq!(names("&search=ADA").await.0, ["ada.one", "ada.two"]);
    assert_eq!(names("&search=ada&status=disabled").await.0, ["ada.two"]);
    let (first, told) = names("&limit=1").await;
    let (second, _) = names(&format!("&limit=1&nextToken={}", told["nextToken"].as_str().unwrap())).await;
    assert_eq!([first, second].concat(), all[..2]);
    let elsewhere = format!("/api/admin/users?nextToken={}", told["nextToken"].as_str().unwrap());
    assert_eq!(admin.get(&elsewhere).await.status, 400, "a place in one list is none in another");
}
