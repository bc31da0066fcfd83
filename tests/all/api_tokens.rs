//! API tokens and service accounts: what programs show instead of a password, and everything that a token never does.

use super::harness::{Client, Harness, PASSWORD};
use super::world::{Kind, Place, Template, stands, state};
use codex_web::clock::{DAY, HOUR};
use codex_web::domain::id::TokenId;
use codex_web::domain::scope::Scope;
use codex_web::events::Belongs;
use codex_web::http::route::Access;
use codex_web::http::routes::ROUTES;
use codex_web::ops::api_tokens;
use codex_web::policy::matrix::row;
use serde_json::{Value, json};
use std::time::Duration;

fn wish(scopes: &[&str]) -> Value {
    json!({"name": "nightly build", "scopes": scopes, "expiresInDays": 30})
}

/// The token's answer, and a client that shows it.
async fn made(harness: &Harness, owner: &Client, scopes: &[&str]) -> (Value, Client) {
    let token = owner.post("/api/auth/tokens", wish(scopes)).await.expect(201).json;
    let client = harness.anonymous().with_bearer(token["token"].as_str().unwrap());
    (token, client)
}

#[tokio::test]
async fn a_token_is_shown_once_works_instead_of_a_password_and_is_revoked_at_once() {
    let harness = Harness::new();
    let ada = harness.member("team");
    let (token, program) = made(&harness, &ada, &["profile:read", "workspaces:write"]).await;
    let text = token["token"].as_str().unwrap();
    assert!(text.starts_with(token["beginsWith"].as_str().unwrap()) && text.len() == 60, "{text}");
    let me = program.get("/api/auth/me").await.expect(200).json;
    assert_eq!(me["user"]["id"], ada.user_id().as_str());
    let group = harness.group("team");
    program.post("/api/workspaces", json!({"name": "by a program", "groupId": group})).await.expect(201);
    let list = ada.get("/api/auth/tokens").await.expect(200);
    assert!(!list.text.contains(text) && list.json[0]["token"].is_null(), "{}", list.text);
    assert_eq!((list.json[0]["name"].as_str(), list.json[0]["lastAddress"].as_str()), (Some("nightly build"), Some("127.0.0.1")));
    let kept = harness.rows("SELECT * FROM api_token");
    assert!(!kept[0].to_string().contains(&text[17..]), "only a hash is kept");
    ada.delete(&format!("/api/auth/tokens/{}", token["id"].as_str().unwrap())).await.expect(204);
    program.get("/api/auth/me").await.expect(401);
    assert_eq!(ada.get("/api/auth/tokens").await.json, json!([]));
}

#[tokio::test]
async fn what_a_token_did_is_told_by_its_id_and_its_name_stands_in_the_personal_part() {
    let harness = Harness::new();
    let admin = harness.admin();
    let (token, program) = made(&harness, &admin, &["groups:write"]).await;
    program.post("/api/groups", json!({"name": "gamma", "displayName": "Gamma"})).await.expect(201);
    program.post("/api/admin/users", json!({"email": "x@example.org"})).await.expect(403);
    let id = &token["id"];
    let by = |action: &str| harness.audit(action).pop().unwrap();
    let entry = by("create_api_token");
    assert_eq!((&entry["details"]["tokenId"], &entry["details"]["scopes"]), (id, &json!(["groups:write"])));
    assert!(!entry["details"].to_string().contains("nightly"));
    assert_eq!((&by("create_group")["token_id"], &by("create_group")["actor_id"]), (id, &json!(admin.user_id())));
    let refused = by("create_user");
    assert_eq!((&refused["token_id"], refused["error"].as_str()), (id, Some("denied:token_scope")));
}

/// Asks every route with a token of each single scope.
#[tokio::test]
async fn no_route_lets_a_token_do_what_its_scope_does_not_name() {
    let template = Template::make().await;
    let world = template.open();
    let admin = world.client(Kind::Admin);
    let scene = world.scene(Kind::Admin, Place::Near).unwrap();
    let mut faults = Vec::new();
    let mut programs = Vec::new();
    for scope in Scope::all() {
        programs.push((scope, made(&world.harness, &admin, &[&scope.to_string()]).await.1));
    }
    let untouched = state(&world.harness);
    for route in ROUTES.iter().filter(|route| stands(route, &scene)) {
        let action = match route.access {
            Access::Action(action) => action,
            Access::CommandLine(_) | Access::Machine(_) | Access::Public(_) | Access::InFirstFrame(..) => continue,
        };
        for (scope, program) in &programs {
            if row(action).scope.is_some_and(|needed| scope.covers(needed)) {
                continue;
            }
            let answer = world.call(program, route, &scene).await;
            if (answer.status, answer.code()) != (403, "AUTHORIZATION_ERROR") {
                faults.push(format!("{} {} with {scope}: {} {}", route.method.as_str(), route.path, answer.status, answer.code()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!(state(&world.harness), untouched);
}

#[tokio::test]
async fn a_token_is_never_worth_more_than_its_owner_at_that_moment() {
    let harness = Harness::new();
    let boss = harness.admin();
    let other = harness.admin();
    let (_, program) = made(&harness, &boss, &["users:read", "profile:read"]).await;
    program.get("/api/admin/users").await.expect(200);
    other.post(&format!("/api/admin/users/{}/demote", boss.user_id()), json!({})).await.expect(200);
    program.get("/api/admin/users").await.expect(403);
    program.get("/api/auth/me").await.expect(200);
}

#[tokio::test]
async fn disabling_an_account_ends_its_tokens_for_good() {
    let harness = Harness::new();
    let (admin, ada) = (harness.admin(), harness.stranger());
    let (_, program) = made(&harness, &ada, &["profile:read"]).await;
    let path = format!("/api/admin/users/{}", ada.user_id());
    admin.post(&format!("{path}/disable"), json!({})).await.expect(200);
    program.get("/api/auth/me").await.expect(401);
    admin.post(&format!("{path}/enable"), json!({})).await.expect(200);
    program.get("/api/auth/me").await.expect(401);
    assert_eq!(harness.audit("disable_user")[0]["details"]["endedTokens"], 1);
}

#[tokio::test]
async fn every_token_ends_and_its_keeper_is_told_two_weeks_and_three_days_before() {
    let harness = Harness::new();
    let ada = harness.stranger();
    for wrong in [json!(0), json!(366), json!("30"), Value::Null] {
        let answer =
            ada.post("/api/auth/tokens", json!({"name": "x", "scopes": ["profile:read"], "expiresInDays": wrong})).await.expect(400);
        assert!(answer.fields()[0].starts_with("expiresInDays:"), "{:?}", answer.fields());
    }
    let (_, program) = made(&harness, &ada, &["profile:read"]).await;
    let told = |harness: &Harness| {
        api_tokens::tell_of_ends(&harness.app.ops).unwrap();
        harness.rows("SELECT message FROM inbox WHERE code = 'token_ends' ORDER BY at").len()
    };
    assert_eq!(told(&harness), 0);
    for (days, notices) in [(15, 0), (2, 1), (1, 1), (9, 2), (1, 2)] {
        harness.clock.advance(days * DAY);
        assert_eq!(told(&harness), notices, "{days} days later");
    }
    program.get("/api/auth/me").await.expect(200);
    harness.clock.advance(2 * DAY + HOUR);
    program.get("/api/auth/me").await.expect(401);
}

#[tokio::test]
async fn a_token_for_one_group_works_there_and_nowhere_else() {
    let harness = Harness::new();
    let admin = harness.admin();
    let (here, there) = (harness.group("here"), harness.group("there"));
    let body = json!({"name": "x", "scopes": ["groups:write", "workspaces:write"], "expiresInDays": 1, "groups": [here]});
    let token = admin.post("/api/auth/tokens", body).await.expect(201).json;
    let program = harness.anonymous().with_bearer(token["token"].as_str().unwrap());
    program.get(&format!("/api/groups/{here}")).await.expect(200);
    program.patch(&format!("/api/groups/{here}"), json!({"displayName": "Mine"})).await.expect(200);
    program.get(&format!("/api/groups/{there}")).await.expect(404);
    program.patch(&format!("/api/groups/{there}"), json!({"displayName": "Mine"})).await.expect(404);
    program.get("/api/groups").await.expect(403);
    program.post("/api/groups", json!({"name": "gamma", "displayName": "Gamma"})).await.expect(403);
    let stranger = harness.stranger();
    let hidden = stranger.post("/api/auth/tokens", json!({"name": "x", "scopes": ["groups:read"], "expiresInDays": 1, "groups": [here]}));
    assert_eq!(hidden.await.expect(400).fields(), ["groups[0]:unknown_group"]);
}

#[tokio::test]
async fn a_token_needs_a_name_and_scopes_that_are_known() {
    let harness = Harness::new();
    let ada = harness.stranger();
    let answer = ada.post("/api/auth/tokens", json!({"scopes": ["*", "profile:read"], "expiresInDays": 1})).await.expect(400);
    assert_eq!(answer.fields(), ["name:required", "scopes[0]:unknown_scope"]);
    let answer = ada.post("/api/auth/tokens", json!({"name": "x", "scopes": [], "expiresInDays": 1})).await.expect(400);
    assert_eq!(answer.fields(), ["scopes:required"]);
}

#[tokio::test]
async fn one_account_has_fifty_tokens_at_most() {
    let harness = Harness::new();
    let ada = harness.stranger();
    for _ in 0..50 {
        ada.post("/api/auth/tokens", wish(&["profile:read"])).await.expect(201);
    }
    assert_eq!(ada.post("/api/auth/tokens", wish(&["profile:read"])).await.expect(409).code(), "WRONG_STATE");
    ada.delete("/api/auth/tokens").await.expect(204);
    ada.post("/api/auth/tokens", wish(&["profile:read"])).await.expect(201);
}

#[tokio::test]
async fn a_text_that_is_not_the_whole_token_opens_nothing() {
    let harness = Harness::new();
    let ada = harness.stranger();
    let (token, _) = made(&harness, &ada, &["profile:read"]).await;
    let text = token["token"].as_str().unwrap();
    let other = if text.ends_with('A') { "B" } else { "A" };
    for wrong in
        [format!("{}{other}", &text[..59]), text[..59].to_owned(), format!("{text}A"), text.to_uppercase(), format!("cxs{}", &text[3..])]
    {
        harness.anonymous().with_bearer(&wrong).get("/api/auth/me").await.expect(401);
    }
    harness.anonymous().with_cookie(text).get("/api/auth/me").await.expect(401);
    harness.anonymous().get(&format!("/api/auth/me?token={text}")).await.expect(401);
}

#[tokio::test]
async fn what_a_token_opened_is_cut_with_it_and_what_others_opened_is_not() {
    let harness = Harness::new();
    let ada = harness.stranger();
    let opened = |token: &Value| {
        let token = TokenId::parse(token["id"].as_str().unwrap()).unwrap();
        let user = Some(ada.user_id().clone());
        harness.app.ops.bus.register(Belongs { user, session: None, token: Some(token), workspace: None, group: None })
    };
    let (first, _) = made(&harness, &ada, &["workspaces:read"]).await;
    let (second, _) = made(&harness, &ada, &["workspaces:read"]).await;
    let (mut ended, mut kept) = (opened(&first), opened(&second));
    ada.delete(&format!("/api/auth/tokens/{}", first["id"].as_str().unwrap())).await.expect(204);
    tokio::time::timeout(Duration::from_secs(1), ended.cut()).await.expect("it goes on without its token");
    assert!(tokio::time::timeout(Duration::from_millis(50), kept.cut()).await.is_err());
    ada.delete("/api/auth/tokens").await.expect(204);
    tokio::time::timeout(Duration::from_secs(1), kept.cut()).await.expect("it goes on without its token");
}

#[tokio::test]
async fn administrators_see_that_there_are_tokens_and_revoke_them_but_make_none_for_people() {
    let harness = Harness::new();
    let (admin, ada) = (harness.admin(), harness.stranger());
    let (token, program) = made(&harness, &ada, &["profile:read"]).await;
    let path = format!("/api/admin/users/{}/tokens", ada.user_id());
    let list = admin.get(&path).await.expect(200);
    assert_eq!(list.json[0]["id"], token["id"]);
    assert!(list.json[0]["token"].is_null());
    let all = admin.get("/api/admin/tokens?limit=1").await.expect(200);
    assert_eq!(all.json[0]["owner"]["id"], ada.user_id().as_str());
    assert_eq!(admin.post(&path, wish(&["profile:read"])).await.expect(409).code(), "WRONG_STATE");
    ada.get(&path).await.expect(403);
    ada.get("/api/admin/tokens").await.expect(403);
    admin.delete(&format!("{path}/{}", token["id"].as_str().unwrap())).await.expect(204);
    program.get("/api/auth/me").await.expect(401);
    assert_eq!(harness.rows("SELECT code FROM inbox WHERE code = 'tokens_revoked'").len(), 1);
}

#[tokio::test]
async fn the_list_of_all_tokens_is_read_page_by_page() {
    let harness = Harness::new();
    let admin = harness.admin();
    for _ in 0..3 {
        made(&harness, &admin, &["profile:read"]).await;
    }
    let first = admin.get("/api/admin/tokens?limit=2").await.expect(200);
    let link = first.header("link").unwrap();
    let next = link.trim_start_matches('<').split('>').next().unwrap().to_owned();
    let second = admin.get(&next).await.expect(200);
    assert_eq!((first.json.as_array().unwrap().len(), second.json.as_array().unwrap().len()), (2, 1));
    assert!(second.header("link").is_none());
}

#[tokio::test]
async fn a_service_account_has_no_password_and_works_by_its_tokens_in_its_groups() {
    let harness = Harness::new();
    let admin = harness.admin();
    let group = harness.group("team");
    let body = json!({"username": "ci", "name": "Builds", "groups": [group]});
    let account = admin.post("/api/admin/service-accounts", body).await.expect(201).json;
    assert_eq!((account["kind"].as_str(), account["isAdmin"].as_bool()), (Some("service"), Some(false)));
    let id = account["id"].as_str().unwrap();
    let path = format!("/api/admin/users/{id}");
    let token = admin.post(&format!("{path}/tokens"), wish(&["workspaces:write"])).await.expect(201).json;
    let program = harness.anonymous().with_bearer(token["token"].as_str().unwrap());
    let workspace = program.post("/api/workspaces", json!({"name": "w", "groupId": group})).await.expect(201).json;
    assert_eq!(workspace["userId"], id);
    admin.post(&format!("{path}/promote"), json!({})).await.expect(409);
    admin.post(&format!("{path}/reset-password"), json!({"newPassword": PASSWORD})).await.expect(409);
    harness.anonymous().post("/api/auth/login", json!({"username": "ci", "password": PASSWORD})).await.expect(401);
    assert_eq!(admin.get("/api/admin/service-accounts").await.expect(200).json[0]["username"], "ci");
    harness.stranger().get("/api/admin/service-accounts").await.expect(403);
    admin.post(&format!("{path}/disable"), json!({})).await.expect(200);
    program.get("/api/workspaces").await.expect(401);
    let twice = admin.post("/api/admin/service-accounts", json!({"username": "ci"})).await.expect(409);
    assert_eq!(twice.fields(), ["username:taken"]);
}

#[tokio::test]
async fn each_offered_scope_says_what_it_is_for_and_gives_something() {
    let harness = Harness::new();
    let words = |list: &Value| list.as_array().unwrap().iter().map(|s| s["scope"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let member = harness.member("team").get("/api/access/scopes").await.expect(200).json;
    let admin = harness.admin().get("/api/access/scopes").await.expect(200).json;
    assert!(words(&member).contains(&"workspaces:connect".to_owned()) && !words(&member).contains(&"audit:read".to_owned()));
    assert!(words(&admin).contains(&"audit:read".to_owned()));
    for scope in admin.as_array().unwrap() {
        assert!(
            scope["words"].as_str().is_some_and(|words| words.ends_with('.')) && !scope["actions"].as_array().unwrap().is_empty(),
            "{scope}"
        );
    }
}
