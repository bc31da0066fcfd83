//! The figures of the platform: how it grew, what the cluster has and what is promised of it, what things cost.

use super::harness::{Answer, Client, Harness};
use codex_web::clock::{Clock, DAY, HOUR};
use codex_web::domain::month::Month;
use serde_json::{Value, json};

/// Noon of the tenth of a month: no test then meets its end.
fn in_the_middle_of_a_month(harness: &Harness) {
    let now = harness.clock.now();
    harness.clock.advance(Month::of(now).to.plus(9 * DAY + 12 * HOUR).since(now));
}

async fn made(client: &Client, name: &str, start: bool) -> String {
    let body = json!({"name": name, "groupId": "team", "tier": "small-team", "start": start});
    client.post("/api/workspaces", body).await.expect(201).json["id"].as_str().unwrap().to_owned()
}

fn last_day(answer: &Answer) -> Value {
    answer.json["growth"].as_array().unwrap().last().unwrap().clone()
}

#[tokio::test]
async fn the_numbers_of_the_platform_count_what_there_is() {
    let harness = Harness::new();
    let (admin, member) = (harness.admin(), harness.member("team"));
    made(&member, "one", true).await;
    made(&member, "two", false).await;
    let stats = admin.get("/api/admin/stats").await.expect(200);
    let people = harness.rows("SELECT count(*) AS n FROM user")[0]["n"].clone();
    assert_eq!((&stats.json["platform"]["totalUsers"], &stats.json["platform"]["adminUsers"]), (&people, &json!(1)));
    assert_eq!((&stats.json["platform"]["totalGroups"], &stats.json["platform"]["totalWorkspaces"]), (&json!(1), &json!(2)));
    assert_eq!(stats.json["activity"]["workspaceUtilization"], json!(0.0), "one should run, none does yet");
    assert!(stats.json["timestamp"].is_string());
}

#[tokio::test]
async fn growth_is_told_day_by_day_and_what_went_again_shows_on_its_days() {
    let harness = Harness::new();
    in_the_middle_of_a_month(&harness);
    let (admin, member) = (harness.admin(), harness.member("team"));
    let one = made(&member, "one", false).await;
    harness.clock.advance(DAY);
    let (admin, member) = (harness.signed_in(admin.user_id()), harness.signed_in(member.user_id()));
    made(&member, "two", false).await;
    made(&member, "three", false).await;
    harness.clock.advance(DAY);
    let (admin, member) = (harness.signed_in(admin.user_id()), harness.signed_in(member.user_id()));
    member.delete(&format!("/api/workspaces/{one}")).await.expect(204);
    let stats = admin.get("/api/admin/stats?days=4").await.expect(200);
    let told: Vec<i64> = stats.json["growth"].as_array().unwrap().iter().map(|day| day["workspaces"].as_i64().unwrap()).collect();
    assert_eq!(told, [0, 1, 3, 2]);
    let today: String = harness.clock.now().rfc3339().chars().take(10).collect();
    assert_eq!((&last_day(&stats)["date"], &last_day(&stats)["groups"]), (&json!(today), &json!(1)));
    for query in ["days=0", "days=366", "days=many", "day=3"] {
        assert_eq!(admin.get(&format!("/api/admin/stats?{query}")).await.status, 400, "{query}");
    }
}

#[tokio::test]
async fn the_capacity_is_what_the_cluster_says_and_free_places_are_counted_node_by_node() {
    let harness = Harness::new();
    let told = harness.admin().get("/api/admin/cluster/capacity").await.expect(200).json;
    assert_eq!((&told["totalCpu"], &told["allocatableMemory"], &told["usedCpu"]), (&json!("8.00"), &json!("32.00Gi"), &json!("0.00")));
    assert_eq!((&told["nodeCount"], &told["availableWorkspaceCapacity"]), (&json!(1), &json!(4)), "four times 2 cores and 4 GiB");
    let node = &told["nodes"][0];
    assert_eq!((&node["name"], &node["availableCpu"], &node["cpuPercentage"]), (&json!("fake"), &json!("8.00"), &json!(0.0)));
    assert_eq!((&node["workspaceCapacity"], &told["instanceTypes"]), (&json!(4), &json!([])));
    harness.member("team").get("/api/admin/cluster/capacity").await.expect(403);
}

#[tokio::test]
async fn a_cluster_that_is_away_has_no_capacity_and_a_quota_is_set_all_the_same() {
    let harness = Harness::new();
    harness.group("team");
    harness.cluster.set_faults(|faults| faults.unreachable = true);
    let admin = harness.admin();
    assert_eq!(admin.get("/api/admin/cluster/capacity").await.expect(503).code(), "CLUSTER_UNAVAILABLE");
    let set = admin.patch("/api/groups/team", json!({"resourceQuota": {"cpu": "500"}})).await.expect(200);
    assert_eq!((&set.json["resourceQuota"]["cpu"], &set.json["commitments"]), (&json!("500"), &Value::Null));
}

fn commitment<'a>(list: &'a Value, resource: &str) -> &'a Value {
    list.as_array().unwrap().iter().find(|one| one["resource"] == resource).unwrap()
}

#[tokio::test]
async fn a_quota_beyond_the_cluster_is_set_and_the_answer_shows_what_is_promised() {
    let harness = Harness::new();
    let admin = harness.admin();
    harness.group("other");
    harness.group("team");
    // A new group may use 10 cores; the cluster has 8.
    let tried = admin.patch("/api/groups/team?dryRun=true", json!({"resourceQuota": {"cpu": "14"}})).await.expect(200);
    let cpu = commitment(&tried.json["commitments"], "cpu");
    assert_eq!((&cpu["promised"], &cpu["capacity"], &cpu["percentage"]), (&json!("24"), &json!("8"), &json!(300.0)));
    assert_eq!((&tried.json["allowed"], &cpu["overcommitted"]), (&json!(true), &json!(true)));
    let set = admin.patch("/api/groups/team", json!({"resourceQuota": {"cpu": "14"}})).await.expect(200);
    assert_eq!(commitment(&set.json["commitments"], "cpu")["promised"], "24");
    let words = admin.patch("/api/groups/team", json!({"description": "No quota here"})).await.expect(200);
    assert!(words.json["commitments"].is_null(), "only who sets a quota is told");
    let shown = admin.get("/api/admin/cluster/capacity").await.expect(200);
    assert_eq!(
        (&commitment(&shown.json["commitments"], "cpu")["promised"], &commitment(&shown.json["commitments"], "pods")["capacity"]),
        (&json!("24"), &Value::Null)
    );
    let new = admin.post("/api/groups", json!({"name": "third", "displayName": "Third", "resourceQuota": {"cpu": "6"}})).await.expect(201);
    assert_eq!(commitment(&new.json["commitments"], "cpu")["promised"], "30");
}

#[tokio::test]
async fn a_workspace_costs_what_the_worked_example_says() {
    let harness = Harness::new();
    let member = harness.member("team");
    let id = made(&member, "mine", true).await;
    let cost = member.get(&format!("/api/workspaces/{id}/cost")).await.expect(200).json;
    assert_eq!((&cost["workspaceId"], &cost["workspaceName"]), (&json!(id), &json!("mine")));
    assert_eq!(cost["computeCosts"]["cpu"], json!({"cores": 2.0, "costPerMonth": 54.677}));
    assert_eq!(cost["computeCosts"]["memory"], json!({"gibibytes": 4.0, "costPerMonth": 27.3385}));
    assert_eq!(
        (&cost["computeCosts"]["storage"]["costPerMonth"], &cost["computeCosts"]["totalComputeCost"]),
        (&json!(2.0), &json!(84.0155))
    );
    assert_eq!((&cost["overheadCosts"]["totalOverheadCost"], &cost["totalMonthlyCost"]), (&json!(25.204_65), &json!(109.220_15)));
    // It is on its way, because nothing reconciles here: a tenth of the month is to be expected.
    assert_eq!((&cost["usageFactor"], &cost["actualMonthlyCost"]), (&json!(0.1), &json!(10.922_015)));
    assert_eq!(
        (&cost["pricingConfig"]["derivedFromInstance"], &cost["pricingConfig"]["instanceType"]),
        (&json!(true), &json!("t3a.xlarge"))
    );
    assert_eq!(
        harness.admin().get(&format!("/api/admin/workspaces/{id}/cost")).await.expect(200).json["totalMonthlyCost"],
        json!(109.220_15)
    );
    harness.member("team").get(&format!("/api/workspaces/{id}/cost")).await.expect(404);
}

/// To the cent.
fn near(value: &Value, wanted: f64) -> bool {
    (value.as_f64().unwrap() - wanted).abs() < 0.01
}

#[tokio::test]
async fn the_month_counts_what_was_held_hour_by_hour() {
    let harness = Harness::new();
    in_the_middle_of_a_month(&harness);
    let member = harness.member("team");
    let id = made(&member, "mine", true).await;
    harness.clock.advance(73 * HOUR);
    let member = harness.signed_in(member.user_id());
    let path = format!("/api/workspaces/{id}/cost");
    let month = member.get(&path).await.expect(200).json["month"].clone();
    // A tenth of a month of 730 hours.
    assert!(near(&month["monthToDate"], 10.922), "{month}");
    assert!(near(&month["coreHours"], 146.0) && near(&month["storageGiBHours"], 1_460.0), "{month}");
    member.post(&format!("/api/workspaces/{id}/actions"), json!({"type": "stop"})).await.expect(200);
    harness.clock.advance(73 * HOUR);
    let member = harness.signed_in(member.user_id());
    let month = member.get(&path).await.expect(200).json["month"].clone();
    // The disk alone: a tenth of 2.60.
    assert!(near(&month["monthToDate"], 11.182), "{month}");
    let left = Month::of(harness.clock.now()).hours_left(harness.clock.now());
    assert!(near(&month["projected"], 11.182 + 2.6 * left / 730.0), "{month}");
    harness.admin().patch("/api/admin/pricing/config", json!({"stoppedDiskIsFree": true})).await.expect(200);
    let month = member.get(&path).await.expect(200).json["month"].clone();
    assert!(near(&month["monthToDate"], 10.922) && near(&month["projected"], 10.922), "{month}");
}

#[tokio::test]
async fn groups_and_people_pay_for_workspaces_that_are_gone_and_nothing_is_counted_twice() {
    let harness = Harness::new();
    in_the_middle_of_a_month(&harness);
    let (admin, member) = (harness.admin(), harness.member("team"));
    let gone = made(&member, "gone", true).await;
    made(&member, "kept", false).await;
    harness.clock.advance(73 * HOUR);
    let (admin, member) = (harness.signed_in(admin.user_id()), harness.signed_in(member.user_id()));
    member.delete(&format!("/api/workspaces/{gone}")).await.expect(204);
    harness.clock.advance(73 * HOUR);
    let (admin, member) = (harness.signed_in(admin.user_id()), harness.signed_in(member.user_id()));
    // A tenth of the one, and two tenths of the other's disk.
    let wanted = 10.922 + 0.52;
    let own = member.get(&format!("/api/users/{}/cost", member.user_id())).await.expect(200).json;
    assert!(near(&own["monthToDate"], wanted), "{own}");
    let group = member.get("/api/groups/team/cost").await.expect(200).json;
    assert!(near(&group["monthToDate"], wanted), "{group}");
    for by in ["group", "user", "workspace"] {
        let all = admin.get(&format!("/api/admin/costs?by={by}")).await.expect(200).json;
        let sum: f64 = all["items"].as_array().unwrap().iter().map(|line| line["monthToDate"].as_f64().unwrap()).sum();
        assert!(near(&all["total"]["monthToDate"], wanted) && (sum - wanted).abs() < 0.01, "{all}");
    }
    let lines = admin.get("/api/admin/costs?by=workspace&limit=1").await.expect(200).json;
    assert_eq!((lines["items"].as_array().unwrap().len(), &lines["items"][0]["id"]), (1, &json!(gone)), "the dearest first");
    harness.stranger().get("/api/groups/team/cost").await.expect(403);
    harness.member("team").get("/api/admin/costs").await.expect(403);
    harness.member("team").get(&format!("/api/users/{}/cost", member.user_id())).await.expect(404);
    assert_eq!(admin.get("/api/admin/costs?by=colour").await.expect(400).fields(), ["by:invalid"]);
}

#[tokio::test]
async fn prices_are_changed_by_their_names_with_old_and_new_in_the_audit_log() {
    let harness = Harness::new();
    let admin = harness.admin();
    let usual = admin.get("/api/admin/pricing/config").await.expect(200).json;
    assert_eq!(
        (&usual["cpuCorePerMonth"], &usual["memoryGiBPerMonth"], &usual["storageGiBPerMonth"]),
        (&json!(27.3385), &json!(6.834_625), &json!(0.1))
    );
    let set = admin.patch(
        "/api/admin/pricing/config",
        json!({"cpuCorePerMonth": 12.5, "memoryGiBPerMonth": 3, "currency": "EUR", "reason": "Our own machines"}),
    );
    let set = set.await.expect(200).json;
    assert_eq!((&set["cpuCorePerMonth"], &set["memoryGiBPerMonth"], &set["currency"]), (&json!(12.5), &json!(3.0), &json!("EUR")));
    assert_eq!((&set["derivedFromInstance"], &set["instanceType"]), (&json!(false), &Value::Null));
    let entry = harness.audit("update_pricing").pop().unwrap();
    assert_eq!(entry["details"]["pricing.currency"], json!({"before": "USD", "after": "EUR"}));
    let back = admin.patch("/api/admin/pricing/config", json!({"cpuCorePerMonth": null})).await.expect(200).json;
    assert_eq!((&back["cpuCorePerMonth"], &back["derivedFromInstance"]), (&json!(27.3385), &json!(true)));
    let refused =
        admin.patch("/api/admin/pricing/config", json!({"cpuCorePerMonth": -1, "currency": "euro", "networkOverheadRate": "much"}));
    let mut fields = refused.await.expect(400).fields();
    fields.sort();
    assert_eq!(fields, ["cpuCorePerMonth:invalid", "currency:invalid", "networkOverheadRate:invalid"]);
    assert_eq!(admin.patch("/api/admin/pricing/config", json!({})).await.expect(400).fields(), ["body:required"]);
    let pinned = Harness::with(&[("CODEX_WEB_PRICING__CURRENCY", "CHF")]);
    let refused = pinned.admin().patch("/api/admin/pricing/config", json!({"currency": "EUR"})).await.expect(409);
    assert!(refused.text.contains("$CODEX_WEB_PRICING__CURRENCY"), "{}", refused.text);
    harness.member("team").get("/api/admin/pricing/config").await.expect(403);
}
