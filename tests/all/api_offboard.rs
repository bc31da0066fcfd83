//! Everything of a leaver ends: reviewed first, each step by itself, taken up again where it stopped.

use super::harness::Client;
use super::site::Site;
use serde_json::{Value, json};

fn path(who: &Client) -> String {
    format!("/api/admin/users/{}/offboard", who.user_id())
}

async fn review(admin: &Client, who: &Client, body: Value) -> Value {
    admin.post(&format!("{}?dryRun=true", path(who)), body).await.expect(200).json
}

/// `kind:state` of each step.
fn states(review: &Value) -> Vec<String> {
    let steps = review["steps"].as_array().unwrap();
    steps.iter().map(|s| format!("{}:{}", s["kind"].as_str().unwrap(), s["state"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn everything_of_a_leaver_is_listed_first_and_then_ends() {
    let mut site = Site::new();
    let (admin, leaver, heir) = (site.harness.admin(), site.harness.member("team"), site.harness.member("team"));
    let (kept, gone) = (site.running(&leaver, "team", "kept").await, site.running(&leaver, "team", "gone").await);
    let id = leaver.user_id();
    site.harness.execute(&format!(
            "INSERT INTO api_token (id, user_id, name, mark, secret_hash, created_at, expires_at) VALUES ('tok_1', '{id}', 'ci', 'cxp_ci', x'01', 0, 9999999999999); \
             INSERT INTO git_credential (user_id, host, username, sealed, created_at) VALUES ('{id}', 'git.example.org', 'ada', x'00', 0); \
             INSERT INTO system_grant (user_id, right, granted_at) VALUES ('{id}', 'monitorSystem', 0)"
        ),
    );
    let undecided = review(&admin, &leaver, json!({})).await;
    let wanted = ["account:due", "credentials:due", "rights:due", "workspace:undecided", "workspace:undecided", "membership:undecided"];
    assert_eq!((states(&undecided), &undecided["complete"]), (wanted.map(str::to_owned).to_vec(), &json!(false)));
    assert!(undecided["steps"][1]["words"].as_str().unwrap().contains("an API token and a git credential end"), "{undecided}");

    let mut body = json!({ "reason": "leaves the company", "workspaces": [
        { "id": kept, "action": "transfer", "userId": heir.user_id() }, { "id": gone, "action": "delete" },
    ] });
    let decided = review(&admin, &leaver, body.clone()).await;
    assert!(states(&decided).iter().all(|state| state.ends_with(":due")), "{decided}");
    assert!(decided["steps"].to_string().contains("its disk of 20 GiB goes with every file on it"), "{decided}");
    assert_eq!(
        site.harness.rows("SELECT count(*) AS n FROM audit_event WHERE action = 'disable_user'")[0]["n"],
        0,
        "a review does nothing"
    );

    body["review"] = decided["review"].clone();
    let done = admin.post(&path(&leaver), body).await.expect(200).json;
    assert_eq!(done["complete"], true, "{done}");
    site.settle().await;
    let count = |sql: &str| site.harness.rows(&format!("SELECT count(*) AS n FROM {sql}"))[0]["n"].clone();
    assert_eq!(count(&format!("membership WHERE user_id = '{id}'")), 0);
    assert_eq!(count(&format!("workspace WHERE owner_id = '{id}'")), 0);
    assert_eq!(count(&format!("system_grant WHERE user_id = '{id}'")), 0);
    assert_eq!(count("api_token WHERE revoked_at IS NULL"), 0);
    assert_eq!(count(&format!("session WHERE user_id = '{id}' AND revoked_at IS NULL")), 0);
    assert_eq!(count("git_credential"), 0);
    assert_eq!(site.look(&heir, &kept).await["userId"], heir.user_id().as_str());
    for action in ["disable_user", "offboard_user", "demote_admin_user", "transfer_workspace", "delete_workspace", "remove_user_from_group"]
    {
        let entries = site.harness.audit(action);
        assert!(entries.len() == 1 && entries[0]["success"] == 1, "{action}: {entries:?}");
    }
    let nothing = review(&admin, &leaver, json!({})).await;
    assert_eq!((&nothing["complete"], &nothing["steps"]), (&json!(true), &json!([])));
}

#[tokio::test]
async fn what_cannot_be_done_is_named_and_the_rest_is_taken_up_later() {
    let site = Site::new();
    let (admin, leaver, heir) = (site.harness.admin(), site.harness.member("team"), site.harness.member("team"));
    let first = site.make(&leaver, "team", "engine", json!({})).await["id"].clone();
    site.harness.clock.advance(1);
    let second = site.make(&leaver, "team", "notes", json!({})).await["id"].clone();
    site.make(&heir, "team", "engine", json!({})).await;
    let body = json!({ "workspaces": [
        { "id": first, "action": "transfer", "userId": heir.user_id() }, { "id": second, "action": "delete" },
    ] });
    let done = admin.post(&path(&leaver), body).await.expect(200).json;
    let expected = ["account:done", "credentials:done", "workspace:blocked", "workspace:done", "membership:undecided"];
    assert_eq!((states(&done), &done["complete"]), (expected.map(str::to_owned).to_vec(), &json!(false)));
    assert!(done["steps"][2]["message"].as_str().unwrap().contains("has a workspace called engine already"), "{done}");
    assert_eq!(leaver.get("/api/auth/me").await.status, 401, "who leaves is out first, whatever is left");

    let rest = json!({ "workspaces": [{ "id": first, "action": "delete" }] });
    assert_eq!(states(&review(&admin, &leaver, rest.clone()).await), ["workspace:due", "membership:due"]);
    assert_eq!(admin.post(&path(&leaver), rest).await.expect(200).json["complete"], true);
}

#[tokio::test]
async fn what_was_not_reviewed_is_not_done() {
    let site = Site::new();
    let (admin, leaver) = (site.harness.admin(), site.harness.member("team"));
    let seen = review(&admin, &leaver, json!({})).await["review"].clone();
    site.make(&leaver, "team", "made since", json!({})).await;
    assert_eq!(admin.post(&path(&leaver), json!({ "review": seen })).await.expect(412).code(), "STALE");
    assert_eq!(leaver.get("/api/auth/me").await.status, 200);
}

#[tokio::test]
async fn a_group_gets_an_owner_who_is_its_admin_before_the_old_one_leaves() {
    let site = Site::new();
    let (admin, heir, plain) = (site.harness.admin(), site.harness.group_admin("team"), site.harness.member("team"));
    let group = site.harness.group("team");
    let owner = site.harness.rows("SELECT owner_id FROM \"group\" WHERE name = 'team'")[0]["owner_id"].as_str().unwrap().to_owned();
    let url = format!("/api/admin/users/{owner}/offboard");
    let ask = |to: &Client| json!({ "groups": [{ "id": group, "ownerId": to.user_id() }] });
    let blocked = admin.post(&format!("{url}?dryRun=true"), ask(&plain)).await.expect(200).json;
    assert!(
        states(&blocked).contains(&"group:blocked".to_owned()) && states(&blocked).contains(&"membership:undecided".to_owned()),
        "{blocked}"
    );
    assert_eq!(admin.post(&url, ask(&heir)).await.expect(200).json["complete"], true);
    assert_eq!(admin.get("/api/groups/team").await.json["ownerId"], heir.user_id().as_str());
    let told = heir.get("/api/notices").await.json;
    assert!(told[0]["message"].as_str().unwrap().contains("made you the owner of team"), "{told}");
}

#[tokio::test]
async fn nobody_offboards_themselves_or_somebody_with_more_rights_or_the_last_administrator() {
    let site = Site::new();
    let (admin, lead, member) = (site.harness.admin(), site.harness.group_admin("team"), site.harness.member("team"));
    assert_eq!(admin.post(&path(&admin), json!({})).await.expect(400).code(), "SELF_DISABLE_NOT_ALLOWED");
    assert_eq!(lead.post(&path(&member), json!({})).await.expect(403).code(), "AUTHORIZATION_ERROR");
    let helper = site.harness.stranger();
    site.harness
        .execute(&format!("INSERT INTO system_grant (user_id, right, granted_at) VALUES ('{}', 'manageUsers', 0)", helper.user_id()));
    assert_eq!(helper.post(&path(&admin), json!({})).await.expect(403).code(), "AUTHORIZATION_ERROR");
    // Without the right over workspaces they are blocked, not half done.
    site.make(&member, "team", "engine", json!({})).await;
    let id = site.harness.rows("SELECT id FROM workspace")[0]["id"].clone();
    let body = json!({ "workspaces": [{ "id": id, "action": "delete" }] });
    let done = helper.post(&path(&member), body).await.expect(200).json;
    assert!(states(&done).contains(&"workspace:blocked".to_owned()), "{done}");
    let wrong = json!({ "workspaces": [{ "id": id, "action": "transfer" }, { "id": "x", "action": "keep" }] });
    assert_eq!(admin.post(&path(&member), wrong).await.expect(400).fields(), ["workspaces[0]:invalid", "workspaces[1]:invalid"]);
}
