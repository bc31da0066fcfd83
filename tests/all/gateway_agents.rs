//! Kept connections to agents: reused, each for its purpose, ended with the run; and what the agent passes on.

use super::echo_app::EchoApp;
use super::site::Site;
use bytes::Bytes;
use codex_web::cluster::WorkspaceRef;
use codex_web::domain::id::WorkspaceId;
use codex_web::error::Error;
use codex_web::events::{Cut, CutReason};
use codex_web::gateway::agents::{AgentBody, RequestBody};
use codex_web::token::ticket::Scope;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response};
use serde_json::Value;
use std::sync::atomic::Ordering;
use std::time::Duration;

fn body(bytes: impl Into<Bytes>) -> RequestBody {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

struct Place {
    site: Site,
    place: WorkspaceRef,
}

impl Place {
    async fn new() -> Self {
        let mut site = Site::listening().await;
        let anna = site.harness.member("team");
        let id = site.running(&anna, "team", "mine").await;
        let place = WorkspaceRef { id: WorkspaceId::trusted(id), namespace: "codex-platform-team".into(), run: 1 };
        Self { site, place }
    }

    async fn send(&self, scope: Scope, request: Request<RequestBody>) -> Result<Response<AgentBody>, Error> {
        self.site.harness.app.gateway.agents.request(&self.place, scope, request).await
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let response = self.send(Scope::Port, Request::get(path).header("host", "app").body(body("")).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    fn open(&self) -> usize {
        self.site.harness.app.gateway.agents.open_connections(&self.place.id)
    }
}

#[tokio::test]
async fn a_connection_is_reused_at_both_ends_and_the_ticket_stays_with_the_agent() {
    let (place, app) = (Place::new().await, EchoApp::start().await);
    for _ in 0..20 {
        let (status, told) = place.get(&format!("/v1/port/{}/", app.port)).await;
        assert_eq!((status, &told["method"]), (200, &Value::from("GET")));
        assert!(!told["headers"].to_string().contains("authorization"), "{told}");
    }
    assert_eq!((place.open(), app.seen.connections.load(Ordering::SeqCst)), (1, 1));
    let mut all = Vec::new();
    for _ in 0..10 {
        all.push(place.get("/v1/port/1/"));
    }
    for (status, refused) in futures_util::future::join_all(all).await {
        assert_eq!((status, &refused["code"]), (502, &Value::from("not_listening")));
    }
    assert!(place.open() <= 11);
}

#[tokio::test]
async fn an_authorization_of_the_app_passes_beside_the_ticket() {
    let (place, app) = (Place::new().await, EchoApp::start().await);
    for _ in 0..2 {
        let request = Request::post(format!("/v1/port/{}/x", app.port)).header("authorization", "Basic YTpi").body(body("hello")).unwrap();
        let told = place.send(Scope::Port, request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
        let told: Value = serde_json::from_slice(&told).unwrap();
        let given: Vec<&Value> = told["headers"].as_array().unwrap().iter().filter(|h| h[0] == "authorization").collect();
        assert_eq!((given.len(), &given[0][1], &told["body"]), (1, &Value::from("Basic YTpi"), &Value::from("hello")));
    }
}

#[tokio::test]
async fn the_address_reaches_the_app_byte_for_byte() {
    let (place, app) = (Place::new().await, EchoApp::start().await);
    for raw in ["/", "/a%2Fb", "/../../v1/status", "/%2e%2e/%2E%2e/v1/term", "//x//", "/a;b=c?d=%2f..&e#", "/\\..\\", "/?", "/a?b=/../"] {
        let (status, told) = place.get(&format!("/v1/port/{}{raw}", app.port)).await;
        assert_eq!((status, told["target"].as_str().unwrap()), (200, raw.trim_end_matches('#')), "{raw}");
    }
}

#[tokio::test]
async fn a_connection_is_good_for_its_own_purpose_only() {
    let (place, app) = (Place::new().await, EchoApp::start().await);
    for (scope, path) in [
        (Scope::Port, "/v1/status".to_owned()),
        (Scope::App, format!("/v1/port/{}/", app.port)),
        (Scope::Port, "/v1/app/code/".to_owned()),
        (Scope::Admin, format!("/v1/port/{}/", app.port)),
        (Scope::Port, "/v1/term/sessions".to_owned()),
    ] {
        let response = place.send(scope, Request::get(&path).body(body("")).unwrap()).await.unwrap();
        assert_eq!(response.status(), 403, "{scope:?} {path}");
    }
    for path in ["/v1/port/0/", "/v1/port/65536/", "/v1/port/x/", "/v1/port/80", "/v1/port/-1/", "/v1/port/127.0.0.1:80/"] {
        assert_eq!(place.get(path).await.0, 404, "{path}");
    }
    let response = place.send(Scope::App, Request::get("/v1/app/none/").body(body("")).unwrap()).await.unwrap();
    assert_eq!(response.status(), 404);
    assert_eq!(app.seen.requests.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn every_connection_ends_with_the_run_of_its_workspace() {
    let (place, app) = (Place::new().await, EchoApp::start().await);
    let path = format!("/v1/port/{}/events", app.port);
    let mut stream = place.send(Scope::Port, Request::get(&path).body(body("")).unwrap()).await.unwrap().into_body();
    assert!(stream.frame().await.unwrap().is_ok());
    assert_eq!(place.get(&format!("/v1/port/{}/", app.port)).await.0, 200);
    assert_eq!(place.open(), 2);
    place.site.harness.app.ops.bus.cut(&Cut::Workspace(place.place.id.clone()), CutReason::Stopped);
    let end = async { while let Some(Ok(_)) = stream.frame().await {} };
    tokio::time::timeout(Duration::from_secs(1), end).await.expect("cut within a second");
    drop(stream);
    let gone = async {
        while place.open() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(1), gone).await.expect("no connection is left");
}

#[tokio::test]
async fn an_answer_that_nobody_reads_on_closes_its_connection() {
    let (place, app) = (Place::new().await, EchoApp::start().await);
    let path = format!("/v1/port/{}/bytes/100000000", app.port);
    let mut stream = place.send(Scope::Port, Request::get(&path).body(body("")).unwrap()).await.unwrap().into_body();
    assert!(stream.frame().await.unwrap().is_ok());
    drop(stream);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(place.open(), 0);
    let sent = app.seen.sent.load(Ordering::SeqCst);
    assert!(sent < 20_000_000, "the app was slowed down: {sent}");
}
