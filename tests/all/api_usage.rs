//! Use over time, what stands out of it, and quotas: their size, their history, and moving a part of one.

use super::harness::{Answer, Client, Harness};
use super::site::Site;
use codex_web::clock::{DAY, HOUR, MINUTE};
use codex_web::domain::group::GroupRole;
use codex_web::domain::id::WorkspaceId;
use codex_web::domain::trend::Look;
use codex_web::gateway::looks;
use codex_web::ops::findings;
use codex_web::ops::running;
use codex_web::ops::trends::{self, Measured};
use serde_json::{Value, json};

const GIB: f64 = 1_073_741_824.0;

async fn look(harness: &Harness) {
    looks::once(&harness.app.gateway).await.unwrap();
}

/// Looks for what stands out, as the timed work does.
async fn find(harness: &Harness) {
    let ops = harness.app.ops.clone();
    tokio::task::spawn_blocking(move || findings::find(&ops)).await.unwrap().unwrap();
}

/// One list of a line: `mean`, `peak` or `limit`.
fn list<'a>(answer: &'a Answer, line: &str, what: &str) -> &'a Vec<Value> {
    let lines = answer.json["lines"].as_array().unwrap();
    lines.iter().find(|one| one["name"] == line).unwrap()[what].as_array().unwrap()
}

/// What is known of a line, the oldest first.
fn known(answer: &Answer, line: &str, what: &str) -> Vec<f64> {
    list(answer, line, what).iter().filter_map(Value::as_f64).collect()
}

fn last(answer: &Answer, line: &str, what: &str) -> f64 {
    *known(answer, line, what).last().unwrap()
}

#[tokio::test]
async fn what_a_group_and_its_workspace_use_is_kept_by_minute_hour_and_day() {
    let mut site = Site::new();
    let anna = site.harness.member("team");
    let id = site.running(&anna, "team", "mine").await;
    look(&site.harness).await;
    for (range, step) in [("6h", 60), ("7d", 3_600), ("90d", 86_400), ("365d", 86_400)] {
        let group = anna.get(&format!("/api/groups/team/usage/history?range={range}")).await.expect(200);
        assert_eq!((&group.json["range"], &group.json["stepSeconds"]), (&json!(range), &json!(step)));
        assert_eq!((known(&group, "cpu", "mean"), known(&group, "cpu", "peak")), (vec![1.0], vec![1.0]), "{range}");
        assert_eq!((known(&group, "memory", "mean"), known(&group, "storage", "mean")), (vec![2.0 * GIB], vec![20.0 * GIB]), "{range}");
        assert_eq!((known(&group, "workspaces", "mean"), known(&group, "running", "mean")), (vec![1.0], vec![1.0]), "{range}");
        assert_eq!((last(&group, "cpu", "limit"), last(&group, "workspaces", "limit")), (10.0, 20.0), "{range}");
        let own = anna.get(&format!("/api/workspaces/{id}/metrics/history?range={range}")).await.expect(200);
        assert_eq!((known(&own, "cpu", "mean"), known(&own, "memory", "mean")), (vec![0.01], vec![8.0 * 1_048_576.0]), "{range}");
        assert_eq!((known(&own, "storage", "mean"), known(&own, "processes", "mean")), (vec![4_096.0], vec![2.0]), "{range}");
        assert_eq!((last(&own, "cpu", "limit"), last(&own, "memory", "limit")), (1.0, 2.0 * GIB), "{range}");
    }
    let admin = site.harness.admin();
    let all = admin.get("/api/admin/usage/history").await.expect(200);
    assert_eq!((known(&all, "cpu", "mean"), last(&all, "cpu", "limit")), (vec![1.0], 8.0));
    let node = admin.get("/api/admin/usage/history?node=fake").await.expect(200);
    assert_eq!((known(&node, "storage", "mean"), last(&node, "memory", "limit")), (vec![0.0], 32.0 * GIB));
    let nowhere = admin.get("/api/admin/usage/history?node=nowhere").await.expect(200);
    assert_eq!(known(&nowhere, "cpu", "mean"), Vec::<f64>::new());
}

#[tokio::test]
async fn what_an_app_uses_is_kept_apart_from_what_its_workspace_does() {
    let mut site = Site::new();
    let anna = site.harness.member("team");
    let made = site.make(&anna, "team", "mine", json!({"start": true, "tier": "single-user", "image": "local:code-server"})).await;
    let id = made["id"].as_str().unwrap().to_owned();
    let plain = site.running(&anna, "team", "plain").await;
    site.settle().await;
    let page = running::page(&site.harness.app.ops, None, 10).await.unwrap();
    let asked: Vec<&str> = page.iter().filter(|one| one.has_apps).map(|one| one.workspace.as_str()).collect();
    assert_eq!((page.len(), asked), (2, vec![id.as_str()]), "what has no apps is not asked for them");
    anna.delete(&format!("/api/workspaces/{plain}")).await.expect(204);
    site.settle().await;
    look(&site.harness).await;
    let look = |cpu_milli| Look { cpu_milli, memory_bytes: 300 << 20, disk_bytes: None, things: 5, running: 1 };
    for cpu in [200, 400] {
        let apps = vec![(WorkspaceId::parse(&id).unwrap(), "code-server".to_owned(), look(cpu))];
        trends::record(&site.harness.app.ops, Measured { apps, ..Measured::default() }).await.unwrap();
    }
    let path = format!("/api/workspaces/{id}/metrics/history");
    for range in ["6h", "7d", "90d", "365d"] {
        let own = anna.get(&format!("{path}?range={range}&app=code-server")).await.expect(200);
        assert_eq!((known(&own, "cpu", "mean"), known(&own, "cpu", "peak")), (vec![0.3], vec![0.4]), "{range}");
        assert_eq!((known(&own, "memory", "mean"), known(&own, "processes", "mean")), (vec![300.0 * 1_048_576.0], vec![5.0]), "{range}");
        assert!(own.json["lines"].as_array().unwrap().iter().all(|line| line["name"] != "storage"), "a disk is the workspace's");
        let all = anna.get(&format!("{path}?range={range}")).await.expect(200);
        assert_eq!(known(&all, "cpu", "mean"), vec![0.01], "{range}");
    }
    anna.get(&format!("{path}?app=emacs")).await.expect(404);
    let top = site.harness.admin().get("/api/admin/usage/top").await.expect(200).json;
    assert_eq!((top["items"].as_array().unwrap().len(), &top["items"][0]["id"]), (1, &json!(id)), "an app is not one workspace more");
    let now = anna.get(&format!("/api/workspaces/{id}/metrics")).await.expect(200).json;
    assert_eq!(now["apps"], Value::Null, "its program does not run");
}

#[tokio::test]
async fn a_time_in_which_nobody_looked_is_a_gap_and_not_zero() {
    let harness = Harness::new();
    let member = harness.member("team");
    look(&harness).await;
    harness.clock.advance(10 * MINUTE);
    look(&harness).await;
    let told = member.get("/api/groups/team/usage/history").await.expect(200);
    let looks: Vec<i64> = told.json["looks"].as_array().unwrap().iter().map(|n| n.as_i64().unwrap()).collect();
    let first = looks.iter().position(|n| *n > 0).unwrap();
    let second = looks.iter().rposition(|n| *n > 0).unwrap();
    assert!(second - first >= 10 && looks[first + 1..second].iter().all(|n| *n == 0), "{looks:?}");
    let cpu = list(&told, "cpu", "mean");
    assert_eq!(
        (&cpu[first], &cpu[first + 1], &cpu[second]),
        (&json!(0.0), &Value::Null, &json!(0.0)),
        "it used nothing; nothing is known; nothing"
    );
    assert_eq!((cpu.len(), told.json["at"].as_array().unwrap().len()), (looks.len(), looks.len()));
}

#[tokio::test]
async fn a_restart_of_the_server_forgets_nothing_and_an_old_minute_lives_on_in_its_hour() {
    let harness = Harness::new();
    let member = harness.member("team");
    look(&harness).await;
    let harness = harness.restarted().await;
    let member = harness.signed_in(member.user_id());
    let week = member.get("/api/groups/team/usage/history?range=7d").await.expect(200);
    assert_eq!(known(&week, "cpu", "mean"), vec![0.0]);
    harness.clock.advance(7 * HOUR);
    look(&harness).await;
    let kept = |period: &str| harness.rows(&format!("SELECT DISTINCT at FROM usage_sample WHERE period = '{period}'")).len();
    assert_eq!((kept("minute"), kept("hour")), (1, 2), "a minute of seven hours ago is forgotten, its hour is not");
    harness.clock.advance(16 * DAY);
    look(&harness).await;
    assert_eq!((kept("hour"), kept("day") >= 2), (1, true));
    harness.clock.advance(401 * DAY);
    look(&harness).await;
    assert_eq!((kept("minute"), kept("hour"), kept("day")), (1, 1, 1), "what is kept is bounded");
}

#[tokio::test]
async fn a_cluster_that_is_away_leaves_gaps_where_it_would_have_to_be_asked() {
    let mut site = Site::new();
    let anna = site.harness.member("team");
    let id = site.running(&anna, "team", "mine").await;
    site.harness.cluster.set_faults(|faults| faults.unreachable = true);
    look(&site.harness).await;
    let group = anna.get("/api/groups/team/usage/history").await.expect(200);
    assert_eq!(known(&group, "cpu", "mean"), vec![1.0], "what a quota counts is in the file");
    let own = anna.get(&format!("/api/workspaces/{id}/metrics/history")).await.expect(200);
    assert_eq!(known(&own, "cpu", "mean"), Vec::<f64>::new());
}

#[tokio::test]
async fn the_quota_of_each_time_is_drawn_and_not_that_of_today() {
    let harness = Harness::new();
    let admin = harness.admin();
    admin.post("/api/groups", json!({"name": "team", "displayName": "Team", "resourceQuota": {"cpu": "4"}})).await.expect(201);
    look(&harness).await;
    harness.clock.advance(2 * HOUR);
    let admin = harness.signed_in(admin.user_id());
    admin.patch("/api/groups/team", json!({"resourceQuota": {"cpu": "6"}})).await.expect(200);
    look(&harness).await;
    let week = admin.get("/api/groups/team/usage/history?range=7d").await.expect(200);
    let limits = known(&week, "cpu", "limit");
    assert_eq!((limits[0], limits[limits.len() - 1]), (4.0, 6.0), "{limits:?}");
    assert!(list(&week, "cpu", "limit")[0].is_null(), "a week ago there was no group");
}

#[tokio::test]
async fn history_is_for_those_who_may_see_the_use() {
    let mut site = Site::new();
    let anna = site.harness.member("team");
    let id = site.running(&anna, "team", "mine").await;
    look(&site.harness).await;
    let (other, stranger, lead) = (site.harness.member("team"), site.harness.stranger(), site.harness.group_admin("team"));
    other.get("/api/groups/team/usage/history").await.expect(200);
    stranger.get("/api/groups/team/usage/history").await.expect(403);
    lead.get(&format!("/api/workspaces/{id}/metrics/history")).await.expect(200);
    other.get(&format!("/api/workspaces/{id}/metrics/history")).await.expect(404);
    for path in ["/api/admin/usage/history", "/api/admin/usage/top", "/api/admin/advice", "/api/admin/sizing"] {
        lead.get(path).await.expect(403);
    }
    assert_eq!(anna.get("/api/groups/team/usage/history?range=1d").await.expect(400).fields(), ["range:invalid"]);
    let told = other.get("/api/groups/team/advice").await.expect(200).json;
    assert_eq!((&told["idle"], &told["abandoned"]), (&Value::Null, &Value::Null), "a member does not see whose workspaces rest");
}

async fn alerts(client: &Client) -> Vec<(String, i64)> {
    let told = client.get("/api/groups/team/advice").await.expect(200).json;
    let one = |alert: &Value| (alert["resource"].as_str().unwrap().to_owned(), alert["level"].as_i64().unwrap());
    told["alerts"].as_array().unwrap().iter().map(one).collect()
}

#[tokio::test]
async fn an_alert_is_raised_once_told_to_the_admins_of_the_group_and_ends_well_below_its_level() {
    let harness = Harness::new();
    let (boss, lead, member) = (harness.admin(), harness.group_admin("team"), harness.member("team"));
    let quota = |cpu: &str| boss.patch("/api/groups/team", json!({"resourceQuota": {"cpu": cpu}}));
    quota("2.5").await.expect(200);
    member.post("/api/workspaces", json!({"name": "mine", "groupId": "team", "tier": "small-team", "start": true})).await.expect(201);
    look(&harness).await;
    assert_eq!(alerts(&member).await, [("cpu".to_owned(), 80)], "2 of 2.5 cores");
    let notices =
        |who: &Client| harness.rows(&format!("SELECT * FROM inbox WHERE user_id = '{}' AND code = 'usage_alert'", who.user_id())).len();
    look(&harness).await;
    assert_eq!((notices(&lead), notices(&member)), (1, 0), "once, and to those who can do something");
    quota("2.6").await.expect(200);
    look(&harness).await;
    assert_eq!(alerts(&member).await, [("cpu".to_owned(), 80)], "at 77 % it goes on");
    quota("2").await.expect(200);
    look(&harness).await;
    assert_eq!((alerts(&member).await, notices(&lead)), (vec![("cpu".to_owned(), 90)], 2));
    quota("2.8").await.expect(200);
    look(&harness).await;
    assert_eq!((alerts(&member).await, notices(&lead)), (vec![], 2), "at 71 % it is over");
    let told = boss.get("/api/admin/advice").await.expect(200).json;
    assert_eq!(told["alerts"], json!([]));
}

#[tokio::test]
async fn a_quota_that_was_hardly_used_for_two_weeks_is_worth_advice() {
    let harness = Harness::new();
    let member = harness.member("team");
    member.post("/api/workspaces", json!({"name": "mine", "groupId": "team", "tier": "single-user", "start": true})).await.expect(201);
    for _ in 0..13 {
        look(&harness).await;
        harness.clock.advance(DAY);
    }
    look(&harness).await;
    find(&harness).await;
    let member = harness.signed_in(member.user_id());
    assert_eq!(member.get("/api/groups/team/advice").await.expect(200).json["underused"], json!([]), "not yet two weeks");
    harness.clock.advance(2 * DAY);
    find(&harness).await;
    let member = harness.signed_in(member.user_id());
    let told = member.get("/api/groups/team/advice").await.expect(200).json;
    let cpu = told["underused"].as_array().unwrap().iter().find(|one| one["resource"] == "cpu").unwrap().clone();
    assert_eq!((&cpu["peak"], &cpu["quota"], &cpu["percentage"], &cpu["enough"]), (&json!("1"), &json!("10"), &json!(10.0), &json!("2")));
    let boss = harness.admin();
    assert!(boss.get("/api/admin/advice").await.expect(200).json["underused"].as_array().unwrap().len() >= 3);
    boss.patch("/api/groups/team", json!({"resourceQuota": {"cpu": "2"}})).await.expect(200);
    find(&harness).await;
    let told = member.get("/api/groups/team/advice").await.expect(200).json;
    assert!(told["underused"].as_array().unwrap().iter().all(|one| one["resource"] != "cpu"), "{told}");
}

#[tokio::test]
async fn idle_and_abandoned_workspaces_are_listed_with_what_ending_them_frees() {
    let mut site = Site::new();
    let (boss, lead, anna) = (site.harness.admin(), site.harness.group_admin("team"), site.harness.member("team"));
    let id = site.running(&anna, "team", "mine").await;
    find(&site.harness).await;
    assert_eq!(lead.get("/api/groups/team/advice").await.expect(200).json["idle"]["items"], json!([]), "it was just started");
    site.harness.clock.advance(9 * HOUR);
    find(&site.harness).await;
    let (boss, lead, anna) =
        (site.harness.signed_in(boss.user_id()), site.harness.signed_in(lead.user_id()), site.harness.signed_in(anna.user_id()));
    let idle = lead.get("/api/groups/team/advice").await.expect(200).json["idle"].clone();
    assert_eq!((&idle["items"][0]["id"], &idle["items"][0]["userId"]), (&json!(id), &json!(anna.user_id())));
    assert_eq!(idle["items"][0]["can"], json!(["stop_workspace", "delete_workspace"]));
    let token =
        boss.post("/api/auth/tokens", json!({"name": "watches", "scopes": ["settings:read"], "expiresInDays": 1})).await.expect(201);
    let watcher = site.harness.anonymous().with_bearer(token.json["token"].as_str().unwrap());
    let seen = watcher.get("/api/admin/advice").await.expect(200).json;
    assert_eq!((&seen["idle"]["items"][0]["id"], &seen["idle"]["items"][0]["can"]), (&json!(id), &json!([])), "seeing is not stopping");
    assert_eq!(idle["frees"], json!({"cpu": "1", "memory": "2Gi", "storage": "0", "pods": 0}));
    site.act(&anna, &id, "stop").await.expect(200);
    site.settle().await;
    assert_eq!(lead.get("/api/groups/team/advice").await.expect(200).json["idle"]["items"], json!([]), "at once, not at the next round");
    site.harness.clock.advance(31 * DAY);
    find(&site.harness).await;
    let boss = site.harness.signed_in(boss.user_id());
    let told = boss.get("/api/admin/advice").await.expect(200).json;
    assert_eq!(
        (&told["abandoned"]["items"][0]["id"], &told["abandoned"]["frees"]),
        (&json!(id), &json!({"cpu": "0", "memory": "0", "storage": "20Gi", "pods": 1}))
    );
    boss.patch("/api/admin/settings", json!({"items": {"workspaces.abandoned_after_days": 60}})).await.expect(200);
    codex_web::app::settings::refresh(&site.harness.app).await;
    find(&site.harness).await;
    assert_eq!(boss.get("/api/admin/advice").await.expect(200).json["abandoned"]["items"], json!([]), "the setting says when");
}

#[tokio::test]
async fn those_who_use_most_are_told_by_workspace_group_and_person() {
    let mut site = Site::new();
    let (boss, anna) = (site.harness.admin(), site.harness.member("team"));
    let first = site.running(&anna, "team", "first").await;
    site.running(&anna, "team", "second").await;
    look(&site.harness).await;
    let top = |by: &'static str| boss.get(by);
    let workspaces = top("/api/admin/usage/top").await.expect(200).json;
    assert_eq!((workspaces["items"].as_array().unwrap().len(), &workspaces["by"]), (2, &json!("workspace")));
    assert!(workspaces["items"].as_array().unwrap().iter().any(|one| one["id"] == json!(first) && one["cpu"] == "0.01"), "{workspaces}");
    let people = top("/api/admin/usage/top?by=user&resource=memory").await.expect(200).json;
    assert_eq!((&people["items"][0]["id"], &people["items"][0]["memory"]), (&json!(anna.user_id()), &json!("16Mi")));
    let groups = top("/api/admin/usage/top?by=group&limit=1").await.expect(200).json;
    assert_eq!((&groups["items"][0]["name"], &groups["items"][0]["cpu"]), (&json!("team"), &json!("0.02")));
    let refused = top("/api/admin/usage/top?by=colour&resource=pods").await.expect(400);
    assert_eq!(refused.fields(), ["by:invalid", "resource:invalid"]);
}

fn input<'a>(told: &'a Value, name: &str) -> (&'a str, &'a str) {
    let one = told["inputs"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap();
    (one["value"].as_str().unwrap(), one["source"].as_str().unwrap())
}

#[tokio::test]
async fn the_calculator_gives_the_guides_example_and_shows_what_all_quotas_would_promise() {
    let harness = Harness::new();
    let admin = harness.admin();
    let example = "/api/admin/sizing?members=10&cpu=2&memory=4Gi&storage=50Gi&workspaces=2&concurrency=70";
    let told = admin.get(example).await.expect(200).json;
    assert_eq!(told["proposed"], json!({"cpu": "14", "memory": "28Gi", "storage": "500Gi", "pods": 20}));
    assert_eq!(told["withBuffer"], json!({"cpu": "20", "memory": "40Gi", "storage": "500Gi", "pods": 30}));
    assert_eq!(told["usual"], json!({"cpu": "20", "memory": "40Gi", "storage": "500Gi", "pods": 50}));
    assert_eq!(
        (&told["commitments"][0]["promised"], &told["commitments"][0]["overcommitted"]),
        (&json!("20"), &json!(true)),
        "the cluster has 8"
    );
    assert_eq!(input(&told, "members"), ("10", "given"));
    let wrong = admin.get("/api/admin/sizing?members=0&cpu=much&concurrency=101").await.expect(400);
    assert_eq!(wrong.fields().len(), 3);
}

#[tokio::test]
async fn what_is_left_open_comes_from_the_groups_own_history() {
    let mut site = Site::new();
    let anna = site.harness.member("team");
    let fresh = anna.get("/api/groups/team/sizing").await.expect(200).json;
    assert_eq!((input(&fresh, "members"), input(&fresh, "cpu")), (("2", "history"), ("2", "usual")), "its owner and one member");
    site.running(&anna, "team", "first").await;
    site.running(&anna, "team", "second").await;
    look(&site.harness).await;
    let told = anna.get("/api/groups/team/sizing?concurrency=50").await.expect(200).json;
    assert_eq!((input(&told, "cpu"), input(&told, "memory")), (("1", "history"), ("2Gi", "history")));
    assert_eq!((input(&told, "workspaces"), input(&told, "concurrency")), (("1", "history"), ("50", "given")));
    assert_eq!((&told["proposed"]["storage"], &told["historyDays"]), (&json!("40Gi"), &json!(1)));
    assert!(told["commitments"].is_null(), "what the cluster has is not for members");
}

#[tokio::test]
async fn the_history_of_a_quota_has_who_and_why() {
    let harness = Harness::new();
    let admin = harness.admin();
    admin.post("/api/groups", json!({"name": "team", "displayName": "Team", "reason": "A new team"})).await.expect(201);
    for (cpu, reason) in [("12", "More people"), ("8", "Less to do")] {
        admin.patch("/api/groups/team", json!({"resourceQuota": {"cpu": cpu}, "reason": reason})).await.expect(200);
    }
    admin.patch("/api/groups/team", json!({"resourceQuota": {"cpu": "8"}, "reason": "The same again"})).await.expect(200);
    let told = admin.get("/api/groups/team/quota/history").await.expect(200);
    let lines: Vec<(&str, &str)> = told
        .json
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["resourceQuota"]["cpu"].as_str().unwrap(), one["reason"].as_str().unwrap()))
        .collect();
    assert_eq!(lines, [("8", "Less to do"), ("12", "More people"), ("10", "A new team")], "what changes nothing is no change");
    assert_eq!(told.json[0]["userId"], json!(admin.user_id()));
    let page = admin.get("/api/groups/team/quota/history?limit=2").await.expect(200);
    let next = page.header("link").unwrap().trim_start_matches('<').split('>').next().unwrap().to_owned();
    assert_eq!(admin.get(&next).await.expect(200).json[0]["reason"], "A new team");
    harness.stranger().get("/api/groups/team/quota/history").await.expect(403);
}

#[tokio::test]
async fn a_part_of_a_quota_moves_to_another_group_in_one_step_or_not_at_all() {
    let harness = Harness::new();
    let admin = harness.admin();
    let (team, other) = (harness.group("team"), harness.group("other"));
    let body = json!({"to": "other", "cpu": "4", "memory": "8Gi", "reason": "They need it more"});
    let dry = admin.post("/api/groups/team/quota/move?dryRun=true", body.clone()).await.expect(200).json;
    assert_eq!((&dry["from"]["cpu"], &dry["to"]["cpu"], &dry["allowed"]), (&json!("6"), &json!("14"), &json!(true)));
    assert_eq!(admin.get("/api/groups/team").await.expect(200).json["resourceQuota"]["cpu"], "10", "nothing was moved");
    let moved = admin.post("/api/groups/team/quota/move", body).await.expect(200).json;
    assert_eq!((&moved["from"]["resourceQuota"]["memory"], &moved["to"]["resourceQuota"]["memory"]), (&json!("12Gi"), &json!("28Gi")));
    let entries = harness.audit("set_group_quota");
    assert_eq!(entries.len(), 2);
    assert_eq!((&entries[0]["details"]["movedTo"], &entries[1]["details"]["movedFrom"]), (&json!(other), &json!(team)));
    for name in ["team", "other"] {
        let history = admin.get(&format!("/api/groups/{name}/quota/history")).await.expect(200).json;
        assert_eq!(history[0]["reason"], "They need it more", "{name}");
    }
    let all = admin.post("/api/groups/team/quota/move", json!({"to": "other", "storage": "10Gi", "cpu": "6"})).await.expect(409);
    assert_eq!(all.code(), "WRONG_STATE");
    assert_eq!(admin.get("/api/groups/other").await.expect(200).json["resourceQuota"]["storage"], "100Gi", "both or neither");
    assert_eq!(admin.post("/api/groups/team/quota/move", json!({"to": "team", "cpu": "1"})).await.expect(400).fields(), ["to:invalid"]);
    assert_eq!(admin.post("/api/groups/team/quota/move", json!({"to": "other"})).await.expect(400).fields(), ["body:required"]);
    admin.post("/api/groups/team/quota/move", json!({"to": "nowhere", "cpu": "1"})).await.expect(404);
    let lead = harness.group_admin("team");
    harness.join(&other, lead.user_id(), GroupRole::Admin);
    lead.post("/api/groups/team/quota/move", json!({"to": "other", "cpu": "1"})).await.expect(403);
}
