//! Apps on ports of their own, where they have no names: whose a port is, who may open one, and what keeps two apps of
//! one host apart.

use super::app_browser::Browser;
use super::echo_app::EchoApp;
use super::harness::Client;
use super::site::Site;
use bytes::Bytes;
use serde_json::json;
use std::net::{SocketAddr, TcpListener};

/// Three free ports in a row, as the setting names them.
fn free_range() -> (u16, String) {
    for _ in 0..200 {
        let first = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if first < 65_530 && (first..first + 3).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return (first, format!("{first}-{}", first + 2));
        }
    }
    panic!("no three free ports in a row");
}

async fn site() -> (Site, u16) {
    let (first, range) = free_range();
    (Site::listening_with(&[("CODEX_WEB_GATEWAY__MODE", "ports"), ("CODEX_WEB_GATEWAY__PORT_RANGE", &range)]).await, first)
}

fn address(url: &str) -> SocketAddr {
    url.split('/').nth(2).unwrap().parse().unwrap()
}

async fn start(who: &Client, id: &str, port: u16) -> String {
    let answer = who.post(&format!("/api/workspaces/{id}/open"), json!({ "port": port })).await.expect(200).json;
    answer["url"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_app_gets_a_port_of_another_host_and_keeps_it() {
    let (mut site, first) = site().await;
    let anna = site.harness.member("team");
    let id = site.running(&anna, "team", "mine").await;
    let app = EchoApp::start().await;
    let url = start(&anna, &id, app.port).await;
    assert_eq!(url, format!("http://127.0.0.1:{first}/.codex/start?to=/"), "the pages are at localhost");
    assert_eq!(start(&anna, &id, app.port).await, url);
    assert!(start(&anna, &id, 1).await.contains(&format!(":{}/", first + 1)), "another app, another port");

    let browser = Browser::at(&url, address(&url));
    assert_eq!(browser.get("/").await.status, 303);
    let landed = browser.hand_off(&anna, &id, &url).await.expect(303);
    assert_eq!(landed.header("clear-site-data"), Some("\"storage\""), "whatever an earlier tenant stored goes");
    assert!(browser.cookies.lock().unwrap().contains_key(&format!("codex_app_{first}")));
    assert_eq!(browser.hand_off(&anna, &id, &url).await.expect(303).header("clear-site-data"), None, "and what this one stores stays");

    let ui = anna.headers().into_iter().find(|(n, _)| n == "cookie").unwrap().1;
    let all = format!("{ui}; {}; codex_app_{}=x; theirs=1", browser.cookie_line().unwrap(), first + 1);
    let told = browser.send("GET", "/x", &[("cookie", &all)], Bytes::new()).await.expect(200);
    let cookies = told.json()["headers"].as_array().unwrap().iter().find(|h| h[0] == "cookie").unwrap()[1].clone();
    assert!(cookies.as_str().unwrap().ends_with("theirs=1") && !cookies.as_str().unwrap().contains("codex_"), "{cookies}");

    let other =
        Browser::at(&url.replace(&first.to_string(), &(first + 1).to_string()), format!("127.0.0.1:{}", first + 1).parse().unwrap());
    *other.cookies.lock().unwrap() = browser.cookies.lock().unwrap().clone();
    assert_eq!(other.fetch("/").await.status, 401, "cookies ignore ports, sessions do not");
    let renamed = browser.send("GET", "/x", &[("host", &format!("evil.example:{first}"))], Bytes::new()).await;
    assert_eq!(renamed.status, 421, "a name that leads here by trickery is another origin");
    let foreign = browser.send("POST", "/x", &[("origin", &other.origin())], Bytes::new()).await;
    assert_eq!(foreign.status, 403, "another port is another origin");
}

#[tokio::test]
async fn only_the_owner_opens_an_app_that_shares_its_host_with_others() {
    let (mut site, _) = site().await;
    let (anna, admin) = (site.harness.member("team"), site.harness.admin());
    let id = site.running(&anna, "team", "mine").await;
    let body = json!({ "port": 80, "reason": "an emergency" });
    let refused = admin.post(&format!("/api/workspaces/{id}/open"), body).await;
    assert_eq!((refused.status, refused.code()), (409, "WRONG_STATE"));
    assert!(refused.text.contains("for the owner of the workspace only"), "{}", refused.text);
}

#[tokio::test]
async fn a_port_whose_workspace_is_gone_is_given_again_last() {
    let (mut site, first) = site().await;
    let anna = site.harness.member("team");
    let (one, two) = (site.running(&anna, "team", "one").await, site.running(&anna, "team", "two").await);
    assert!(start(&anna, &one, 80).await.contains(&format!(":{first}/")));
    anna.delete(&format!("/api/workspaces/{one}")).await.expect(204);
    site.settle().await;
    for (port, at) in [(80, first + 1), (81, first + 2), (82, first)] {
        assert!(start(&anna, &two, port).await.contains(&format!(":{at}/")), "{port}");
    }
    let full = anna.post(&format!("/api/workspaces/{two}/open"), json!({ "port": 83 })).await;
    assert_eq!((full.status, full.code()), (409, "WRONG_STATE"));
    assert!(full.text.contains("gateway.port_range"), "{}", full.text);
}
