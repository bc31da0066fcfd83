//! Kept connections to agents: reused, each for its purpose, ended with the run; and what the agent passes on.

use super::echo_app::EchoApp;
use super::site::Site;
use bytes::Bytes;
use codex_web::clock::SystemEntropy;
use codex_web::cluster::agent_client::{AppRefusal, Unreached, reach_app};
use codex_web::cluster::{ClusterView, WorkspaceRef};
use codex_web::domain::app_target::AppTarget;
use codex_web::domain::id::WorkspaceId;
use codex_web::error::Error;
use codex_web::events::{Cut, CutReason};
use codex_web::gateway::agents::{AgentBody, RequestBody, Unanswered};
use codex_web::token::ticket::{Scope, Wanted};
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

    async fn ask(&self, app: &AppTarget, request: Request<RequestBody>) -> Result<Response<AgentBody>, Unanswered> {
        self.site.harness.app.gateway.agents.ask_app(&self.place, app, request).await
    }

    async fn get(&self, port: u16, path: &str) -> (u16, Value) {
        let request = Request::get(path).header("host", "app").body(body("")).unwrap();
        match self.ask(&AppTarget::Port(port), request).await {
            Ok(response) => {
                let status = response.status().as_u16();
                let bytes = response.into_body().collect().await.unwrap().to_bytes();
                (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
            }
            Err(Unanswered::Refused(AppRefusal { status, code, .. })) => (status, Value::from(code)),
            Err(Unanswered::Failed(error)) => panic!("{error}"),
        }
    }

    /// Opens the agent's door with a ticket of this scope, as an app is reached.
    async fn reach(&self, scope: Scope, path: &str) -> Result<(), Unreached> {
        let stream = self.site.harness.cluster.connect(&self.place).await.unwrap();
        let keys = self.site.harness.app.keys.machine().borrow().clone().unwrap();
        let wanted = Wanted { workspace: &self.place.id, run: 1, actor: None, scope: &[scope] };
        let ticket = keys.signer.mint(&wanted, self.site.harness.app.clock.now(), &SystemEntropy).unwrap();
        reach_app(stream, &ticket, path).await.map(drop)
    }

    fn open(&self) -> usize {
        self.site.harness.app.gateway.agents.open_connections(&self.place.id)
    }
}

#[tokio::test]
async fn a_connection_is_reused_at_both_ends_and_the_ticket_stays_with_the_agent() {
    let (place, app) = (Place::new().await, EchoApp::start().await);
    for _ in 0..20 {
        let (status, told) = place.get(app.port, "/").await;
        assert_eq!((status, &told["method"]), (200, &Value::from("GET")));
        assert!(!told["headers"].to_string().contains("authorization"), "{told}");
    }
    assert_eq!((place.open(), app.seen.connections.load(Ordering::SeqCst)), (1, 1));
    let mut all = Vec::new();
    for _ in 0..10 {
        all.push(place.get(1, "/"));
    }
    for (status, refused) in futures_util::future::join_all(all).await {
        assert_eq!((status, refused), (502, Value::from("not_listening")));
    }
    assert_eq!(place.open(), 1, "what was refused is closed");
}

#[tokio::test]
async fn an_authorization_of_the_app_passes_beside_the_ticket() {
    let (place, app) = (Place::new().await, EchoApp::start().await);
    for _ in 0..2 {
        let request = Request::post("/x").header("authorization", "Basic YTpi").body(body("hello")).unwrap();
        let told = place.ask(&AppTarget::Port(app.port), request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
        let told: Value = serde_json::from_slice(&told).unwrap();
        let given: Vec<&Value> = told["headers"].as_array().unwrap().iter().filter(|h| h[0] == "authorization").collect();
        assert_eq!((given.len(), &given[0][1], &told["body"]), (1, &Value::from("Basic YTpi"), &Value::from("hello")));
    }
}

#[tokio::test]
async fn the_address_reaches_the_app_byte_for_byte() {
    let (place, app) = (Place::new().await, EchoApp::start().await);
    for raw in ["/", "/a%2Fb", "/../../v1/status", "/%2e%2e/%2E%2e/v1/term", "//x//", "/a;b=c?d=%2f..&e#", "/\\..\\", "/?", "/a?b=/../"] {
        let (status, told) = place.get(app.port, raw).await;
        assert_eq!((status, told["target"].as_str().unwrap()), (200, raw.trim_end_matches('#')), "{raw}");
    }
}

#[tokio::test]
async fn a_connection_is_good_for_its_own_purpose_only() {
    let (place, app) = (Place::new().await, EchoApp::start().await);
    let port = format!("/v1/port/{}", app.port);
    for (scope, path) in [(Scope::Port, "/v1/status"), (Scope::App, &port), (Scope::Admin, &port), (Scope::Port, "/v1/term/sessions")] {
        let response = place.send(scope, Request::get(path).body(body("")).unwrap()).await.unwrap();
        assert_eq!(response.status(), 403, "{scope:?} {path}");
    }
    // Without an upgrade it is no way to an app, whatever the ticket says.
    let response = place.send(Scope::Port, Request::post(&port).body(body("")).unwrap()).await.unwrap();
    assert_eq!(response.status(), 426);
    let refused = async |scope: Scope, path: &str| match place.reach(scope, path).await {
        Err(Unreached::Refused(refusal)) => refusal.status,
        other => panic!("{scope:?} {path}: {other:?}"),
    };
    for (scope, path) in [(Scope::App, port.as_str()), (Scope::Admin, &port), (Scope::Port, "/v1/app/code")] {
        assert_eq!(refused(scope, path).await, 403, "{scope:?} {path}");
    }
    for path in ["/v1/port/0", "/v1/port/65536", "/v1/port/x", "/v1/port/80/", "/v1/port/-1", "/v1/port/127.0.0.1:80", "/v1/port/"] {
        assert_eq!(refused(Scope::Port, path).await, 404, "{path}");
    }
    assert_eq!(refused(Scope::App, "/v1/app/none").await, 404);
    assert_eq!(app.seen.connections.load(Ordering::SeqCst), 0);
    place.reach(Scope::Port, &port).await.unwrap();
}

#[tokio::test]
async fn a_connection_to_one_app_is_never_lent_for_another() {
    let (place, one, other) = (Place::new().await, EchoApp::start().await, EchoApp::start().await);
    for _ in 0..3 {
        assert_eq!(place.get(one.port, "/").await.0, 200);
        assert_eq!(place.get(other.port, "/").await.0, 200);
    }
    assert_eq!((one.seen.requests.load(Ordering::SeqCst), other.seen.requests.load(Ordering::SeqCst)), (3, 3));
    assert_eq!((one.seen.connections.load(Ordering::SeqCst), other.seen.connections.load(Ordering::SeqCst)), (1, 1));
}

#[tokio::test]
async fn every_connection_ends_with_the_run_of_its_workspace() {
    let (place, app) = (Place::new().await, EchoApp::start().await);
    let request = Request::get("/events").body(body("")).unwrap();
    let mut stream = place.ask(&AppTarget::Port(app.port), request).await.unwrap().into_body();
    assert!(stream.frame().await.unwrap().is_ok());
    assert_eq!(place.get(app.port, "/").await.0, 200);
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
    let request = Request::get("/bytes/100000000").body(body("")).unwrap();
    let mut stream = place.ask(&AppTarget::Port(app.port), request).await.unwrap().into_body();
    assert!(stream.frame().await.unwrap().is_ok());
    drop(stream);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(place.open(), 0);
    let sent = app.seen.sent.load(Ordering::SeqCst);
    assert!(sent < 20_000_000, "the app was slowed down: {sent}");
}
