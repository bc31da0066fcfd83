//! How the apps of a workspace are and which servers run in it, as its agent says; and a look every two seconds while
//! somebody watches.
//!
//! The kernel tells nobody of a new listening socket, so somebody has to ask. Asking is left to this server and to the
//! time in which a page is open: each question for apps or ports keeps the watch alive for half a minute, and one small
//! request over a kept connection then serves every page that looks. What changed is published as a change of the
//! workspace, upon which pages ask again. A workspace that nobody looks at is never asked.
//!
//! An agent's word is a hint: it runs beside the programs of the workspace. Only apps of the recipe are shown, and what
//! is said of them is bounded.

use super::logs;
use super::{Gateway, place};
use crate::clock::{Millis, SECOND};
use crate::cluster::WorkspaceRef;
use crate::domain::app::{App, AppReport, AppStatus, AppUse, PortReport, is_slug};
use crate::domain::id::WorkspaceId;
use crate::domain::workspace::Status;
use crate::error::{Error, Missing, Result};
use crate::events::Operation;
use crate::gateway::agents::{AgentBody, RequestBody};
use crate::ops::workspaces::{self, Workspace};
use crate::ops::{Caller, apps as asking};
use crate::policy::{Action, WorkspaceFacts};
use crate::token::ticket::Scope;
use bytes::Bytes;
use futures_util::stream::{self, LocalBoxStream, StreamExt};
use http_body_util::{BodyDataStream, BodyExt, Full, Limited};
use hyper::{Method, Request, Response, StatusCode};
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often a watched workspace is asked.
const LOOK: Duration = Duration::from_secs(2);
/// How long a watch lasts after the last question, in milliseconds.
const WATCHED: i64 = 30 * SECOND;
/// What was heard so long ago is not asked for again, in milliseconds.
const FRESH: i64 = 3 * SECOND;
/// How many workspaces are watched at once.
const MOST_WATCHED: usize = 512;
/// How long an agent may take. A page is shown without an answer.
const PATIENCE: Duration = Duration::from_millis(500);
/// The longest answer that is read, in bytes.
const LONGEST_ANSWER: usize = 512 * 1024;
/// Apps of one workspace that are measured.
const MOST_APPS: usize = 16;
/// Characters of an agent's words that are shown.
const LONGEST_WORDS: usize = 400;

/// One app of a workspace.
#[derive(Debug, Clone)]
pub struct AppState {
    pub app: App,
    pub status: AppStatus,
    /// What is to be said of it, in one or two sentences.
    pub message: Option<String>,
    pub since: Option<Millis>,
    pub restarts: u32,
    pub last_exit: Option<i32>,
}

/// What an agent said of its workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Heard {
    apps: Vec<AppReport>,
    ports: Vec<PortReport>,
}

/// A workspace that is looked at.
struct Watch {
    run: i64,
    heard: Heard,
    heard_at: Millis,
    until: Millis,
}

/// The workspaces that are looked at now.
#[derive(Default)]
pub struct Watches(Mutex<HashMap<WorkspaceId, Watch>>);

impl Watches {
    fn all(&self) -> MutexGuard<'_, HashMap<WorkspaceId, Watch>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was last heard of this run, not before `earliest`.
    fn known(&self, id: &WorkspaceId, run: i64, earliest: Millis) -> Option<Heard> {
        self.all().get(id).filter(|watch| watch.run == run && watch.heard_at >= earliest).map(|watch| watch.heard.clone())
    }

    /// Keeps what was heard; whether it is new.
    fn keep(&self, id: &WorkspaceId, run: i64, heard: &Heard, now: Millis) -> bool {
        let mut all = self.all();
        let Some(watch) = all.get_mut(id).filter(|watch| watch.run == run) else { return false };
        let is_new = watch.heard != *heard;
        (watch.heard, watch.heard_at) = (heard.clone(), now);
        is_new
    }

    /// Begins or goes on to watch; whether it is new.
    fn begin(&self, id: &WorkspaceId, run: i64, heard: &Heard, now: Millis) -> bool {
        let mut all = self.all();
        let until = now.plus(WATCHED);
        if let Some(watch) = all.get_mut(id).filter(|watch| watch.run == run) {
            watch.until = until;
            return false;
        }
        if all.len() >= MOST_WATCHED && !all.contains_key(id) {
            return false;
        }
        all.insert(id.clone(), Watch { run, heard: heard.clone(), heard_at: now, until });
        true
    }

    /// Whether it is to be asked once more; forgets it where nobody looks any more.
    fn goes_on(&self, id: &WorkspaceId, run: i64, now: Millis) -> bool {
        let mut all = self.all();
        let goes_on = all.get(id).is_some_and(|watch| watch.run == run && watch.until >= now);
        if !goes_on && all.get(id).is_some_and(|watch| watch.run == run) {
            all.remove(id);
        }
        goes_on
    }

    fn forget(&self, id: &WorkspaceId, run: i64) {
        let mut all = self.all();
        if all.get(id).is_some_and(|watch| watch.run == run) {
            all.remove(id);
        }
    }
}

/// The apps of a workspace by what is known already: for lists, which ask no agent.
pub fn known(gateway: &Gateway, workspace: &Workspace) -> Vec<AppState> {
    let heard = gateway.watches.known(&workspace.row.id, workspace.row.run, Millis(0));
    states(workspace, heard.filter(|_| runs(workspace)).as_ref())
}

/// The apps of a workspace as they are now; one that does not answer in time is shown as far as it is known.
pub async fn now(gateway: &Gateway, workspace: &Workspace) -> Vec<AppState> {
    if workspace.row.spec.apps.is_empty() || !runs(workspace) {
        return states(workspace, None);
    }
    states(workspace, look(gateway, workspace).await.ok().as_ref())
}

/// The apps of a workspace, for somebody who watches them.
pub async fn list(gateway: &Gateway, caller: &Caller, id: WorkspaceId) -> Result<Vec<AppState>> {
    let workspace = workspaces::view(&gateway.ops, caller, id, Action::ViewWorkspace).await?;
    Ok(now(gateway, &workspace).await)
}

/// The servers that run in a workspace, for somebody who watches them; none where it does not run.
pub async fn ports(gateway: &Gateway, caller: &Caller, id: WorkspaceId) -> Result<Vec<PortReport>> {
    let workspace = workspaces::view(&gateway.ops, caller, id, Action::ViewWorkspace).await?;
    if !runs(&workspace) {
        return Ok(Vec::new());
    }
    Ok(look(gateway, &workspace).await?.ports)
}

/// Whether a workspace would find this app where it runs, asked before there is a workspace.
pub async fn is_installed(gateway: &Gateway, app: &App) -> bool {
    gateway.view.has_app(app).await
}

/// What to do where it would not, in one sentence.
pub fn hint(gateway: &Gateway, app: &App) -> String {
    gateway.view.app_hint(app)
}

/// The newest lines that an app printed in this run; nothing where it does not run.
pub async fn log(gateway: &Gateway, caller: &Caller, id: WorkspaceId, slug: &str, lines: usize) -> Result<String> {
    let workspace = logged(gateway, caller, id, slug).await?;
    if !runs(&workspace) {
        return Ok(String::new());
    }
    let bytes = ask(gateway, &placed(&workspace), Method::GET, &format!("/v1/apps/{slug}/logs?lines={lines}")).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The same, and then each line as it is printed, until the run or the right to read it ends.
pub async fn follow_log(
    gateway: &Gateway,
    caller: &Caller,
    id: WorkspaceId,
    slug: &str,
    lines: usize,
) -> Result<LocalBoxStream<'static, Bytes>> {
    let workspace = logged(gateway, caller, id.clone(), slug).await?;
    if !runs(&workspace) {
        return Ok(stream::empty().boxed_local());
    }
    let (place, path) = (placed(&workspace), format!("/v1/apps/{slug}/logs?lines={lines}&follow=true"));
    let response = tokio::time::timeout(PATIENCE, send(gateway, &place, Method::GET, &path)).await;
    let body = response.unwrap_or_else(|_| Err(super::unreachable()))?.into_body();
    // A workspace that ends breaks the connection.
    let pieces = BodyDataStream::new(body).scan((), |(), piece| std::future::ready(piece.ok()));
    Ok(match logs::end_of_right(gateway, caller, id, workspace.row.group_id.clone()) {
        Some(end) => pieces.take_until(end).boxed_local(),
        None => pieces.boxed_local(),
    })
}

async fn logged(gateway: &Gateway, caller: &Caller, id: WorkspaceId, slug: &str) -> Result<Workspace> {
    let has = |workspace: &Workspace| find(workspace, slug).map(drop);
    workspaces::view_if(&gateway.ops, caller, id, Action::ViewWorkspaceLogs, has).await
}

/// What the apps of a workspace use now; nothing where it does not run, has none, or does not answer.
pub async fn used(gateway: &Gateway, workspace: &Workspace) -> Vec<(App, AppUse)> {
    let apps = &workspace.row.spec.apps;
    if apps.is_empty() || !runs(workspace) {
        return Vec::new();
    }
    let told = measure(gateway, &placed(workspace)).await;
    apps.iter().filter_map(|app| Some((app.clone(), told.iter().find(|one| one.slug == app.slug)?.clone()))).collect()
}

/// What an agent says that its apps use.
pub(super) async fn measure(gateway: &Gateway, place: &WorkspaceRef) -> Vec<AppUse> {
    let told: Vec<AppUse> = read(gateway, place, "/v1/usage").await.unwrap_or_default();
    let named = told.into_iter().filter(|one| is_slug(&one.slug)).take(MOST_APPS);
    named.map(AppUse::within_reason).collect()
}

/// Ends an app's program and starts it anew, or starts it where it does not run.
pub async fn restart(gateway: &Gateway, caller: &Caller, id: WorkspaceId, slug: &str, reason: Option<String>) -> Result<AppState> {
    let workspace = asking::restart(&gateway.ops, caller, id, slug.to_owned(), reason).await?;
    let place = placed(&workspace);
    ask(gateway, &place, Method::POST, &format!("/v1/apps/{slug}/restart")).await?;
    let apps = reports(gateway, &place).await?;
    let states = states(&workspace, Some(&Heard { apps, ports: Vec::new() }));
    states.into_iter().find(|state| state.app.slug == slug).ok_or(Error::NotFound(Missing::App))
}

fn runs(workspace: &Workspace) -> bool {
    workspace.status_word() == Status::Running
}

fn placed(workspace: &Workspace) -> WorkspaceRef {
    place(&workspace.row.id, &workspace.namespace, workspace.row.run)
}

fn find<'a>(workspace: &'a Workspace, slug: &str) -> Result<&'a App> {
    workspace.row.spec.apps.iter().find(|app| app.slug == slug).ok_or(Error::NotFound(Missing::App))
}

/// The apps of the recipe, each with what was heard of it.
fn states(workspace: &Workspace, heard: Option<&Heard>) -> Vec<AppState> {
    let state = |app: &App| {
        let report = heard.and_then(|heard| heard.apps.iter().find(|report| report.slug == app.slug));
        AppState {
            app: app.clone(),
            status: report.map_or(AppStatus::Stopped, |report| report.status),
            message: report.and_then(|report| report.message.as_deref()).map(short),
            since: report.map(|report| Millis(report.since)),
            restarts: report.map_or(0, |report| report.restarts),
            last_exit: report.and_then(|report| report.last_exit),
        }
    };
    workspace.row.spec.apps.iter().map(state).collect()
}

fn short(words: &str) -> String {
    words.chars().filter(|c| !c.is_control()).take(LONGEST_WORDS).collect()
}

/// What the agent says, or said a moment ago; and the watch goes on.
async fn look(gateway: &Gateway, workspace: &Workspace) -> Result<Heard> {
    let (id, run, now) = (&workspace.row.id, workspace.row.run, gateway.clock.now());
    let heard = match gateway.watches.known(id, run, now.plus(-FRESH)) {
        Some(heard) => heard,
        None => hear(gateway, &placed(workspace)).await?,
    };
    if gateway.watches.begin(id, run, &heard, now) {
        tokio::spawn(watch(gateway.clone(), placed(workspace), workspace.facts()));
    }
    Ok(heard)
}

/// Asks until nobody looks any more, or the run is over.
async fn watch(gateway: Gateway, place: WorkspaceRef, facts: WorkspaceFacts) {
    loop {
        tokio::time::sleep(LOOK).await;
        if !gateway.watches.goes_on(&place.id, place.run, gateway.clock.now()) {
            return;
        }
        let Ok(heard) = hear(&gateway, &place).await else {
            gateway.watches.forget(&place.id, place.run);
            return;
        };
        if gateway.watches.keep(&place.id, place.run, &heard, gateway.clock.now()) {
            gateway.ops.bus.publish(workspaces::event(&facts, Operation::Changed));
        }
    }
}

async fn hear(gateway: &Gateway, place: &WorkspaceRef) -> Result<Heard> {
    let (apps, ports) = tokio::try_join!(reports(gateway, place), read::<Vec<PortReport>>(gateway, place, "/v1/ports"))?;
    let ports = ports.into_iter().map(|port| PortReport { process: short(&port.process), address: short(&port.address), ..port });
    Ok(Heard { apps, ports: ports.collect() })
}

async fn reports(gateway: &Gateway, place: &WorkspaceRef) -> Result<Vec<AppReport>> {
    read(gateway, place, "/v1/apps").await
}

async fn read<T: DeserializeOwned>(gateway: &Gateway, place: &WorkspaceRef, path: &str) -> Result<T> {
    let bytes = ask(gateway, place, Method::GET, path).await?;
    serde_json::from_slice(&bytes).map_err(|_| super::unreachable())
}

/// One question to the agent, in the server's own name: what it may be asked was decided before.
async fn ask(gateway: &Gateway, place: &WorkspaceRef, method: Method, path: &str) -> Result<Bytes> {
    let exchange = async {
        let response = send(gateway, place, method, path).await?;
        let body = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await.map_err(|_| super::unreachable())?;
        Ok(body.to_bytes())
    };
    tokio::time::timeout(PATIENCE, exchange).await.unwrap_or_else(|_| Err(super::unreachable()))
}

async fn send(gateway: &Gateway, place: &WorkspaceRef, method: Method, path: &str) -> Result<Response<AgentBody>> {
    let body: RequestBody = Full::default().map_err(|never| match never {}).boxed_unsync();
    let request = Request::builder().method(method).uri(path).header("host", "agent").body(body);
    let request = request.map_err(|error| Error::internal(error.to_string()))?;
    let response = gateway.agents.request(place, Scope::Admin, request).await?;
    match response.status() {
        StatusCode::OK | StatusCode::ACCEPTED => Ok(response),
        StatusCode::NOT_FOUND => Err(Error::NotFound(Missing::App)),
        _ => Err(super::unreachable()),
    }
}
