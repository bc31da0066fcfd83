//! The apps of a workspace: started inside, on sockets that only the workspace's user can reach, watched, and started
//! again when they end.
//!
//! An app is started when it is first opened (or with the workspace, where its recipe says so). Whoever opens it waits
//! in [`Apps::ready`], so that nobody has to know whether it ran already. What is said here of an app is a hint: the
//! programs beside the agent run as the same user and could stop, replace or imitate one.

mod home;
mod output;
mod probe;
pub mod routes;
mod supervise;
#[cfg(test)]
mod tests;
pub mod usage;

use crate::agent::forward::socket_path;
use crate::agent::program::Programs;
use crate::clock::{Clock, Millis};
use crate::domain::agent::AgentOrder;
use crate::domain::app::{App, AppReport, AppStatus, Flaw, Listen, Start};
use futures_util::stream::{self, BoxStream, StreamExt};
use output::Output;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use supervise::Pace;
use tokio::sync::{Notify, watch};

/// A path of a unix socket has no more bytes than this.
const LONGEST_SOCKET: usize = 107;

/// Where an app listens inside the workspace.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    Socket(PathBuf),
    /// On loopback.
    Port(u16),
}

/// Why an app cannot be reached now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unready {
    /// The recipe has no app of this slug.
    Unknown,
    /// It has been started and does not answer yet: ask again.
    Starting,
    /// Its program is not there; the words say what to do.
    Missing(String),
    /// It ended again and again, or has stopped answering; the words say so.
    Failed(String),
}

/// The apps of one run of a workspace.
pub struct Apps {
    all: Vec<Arc<Supervised>>,
}

/// One app and how it is.
struct Supervised {
    app: App,
    flaw: Option<Flaw>,
    home: PathBuf,
    /// The folder of the installed app that it comes from.
    tools: Option<String>,
    address: Address,
    output: Output,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Grows with every change of the state.
    changed: watch::Sender<u64>,
    /// Somebody wants it while nothing runs.
    wanted: Notify,
    /// Somebody wants it anew.
    again: Notify,
}

struct State {
    status: AppStatus,
    since: Millis,
    restarts: u32,
    last_exit: Option<i32>,
    message: Option<String>,
    pid: Option<i32>,
    /// It is not started again by itself.
    given_up: bool,
    cpu: Option<usage::Reading>,
}

impl Apps {
    /// The apps of an order, none of them started.
    pub fn new(order: &AgentOrder, clock: &Arc<dyn Clock>) -> Self {
        let supervised = |app: &App| Arc::new(Supervised::new(app, order, clock));
        Self { all: order.apps.iter().map(supervised).collect() }
    }

    /// Begins to watch over them until the workspace stops.
    pub fn supervise(&self, programs: &Arc<dyn Programs>, stopping: &watch::Receiver<bool>) {
        self.supervise_at(Pace::default(), programs, stopping);
    }

    fn supervise_at(&self, pace: Pace, programs: &Arc<dyn Programs>, stopping: &watch::Receiver<bool>) {
        for app in &self.all {
            if app.app.start == Start::WithWorkspace {
                app.want();
            }
            tokio::spawn(supervise::run(Arc::clone(app), Arc::clone(programs), stopping.clone(), pace));
        }
    }

    fn find(&self, slug: &str) -> Option<&Arc<Supervised>> {
        self.all.iter().find(|app| app.app.slug == slug)
    }

    /// Where the app listens, once it does: it is started where it does not run, and waited for at most this long.
    pub async fn ready(&self, slug: &str, patience: Duration) -> Result<Address, Unready> {
        let app = self.find(slug).ok_or(Unready::Unknown)?;
        let mut changes = app.changed.subscribe();
        app.want();
        let settled = async {
            loop {
                changes.mark_unchanged();
                if let Some(settled) = app.settled() {
                    return settled;
                }
                if changes.changed().await.is_err() {
                    return Err(Unready::Starting);
                }
            }
        };
        tokio::time::timeout(patience, settled).await.unwrap_or(Err(Unready::Starting))
    }

    /// Starts it where it does not run, and waits for nothing; `false` where there is none of this slug.
    pub fn want(&self, slug: &str) -> bool {
        self.find(slug).map(|app| app.want()).is_some()
    }

    /// Ends its program and starts it anew; `false` where there is none of this slug.
    pub fn restart(&self, slug: &str) -> bool {
        self.find(slug).map(|app| app.restart()).is_some()
    }

    /// How each of them is, in the order of the recipe.
    pub fn reports(&self) -> Vec<AppReport> {
        self.all.iter().map(|app| app.report()).collect()
    }

    /// What the recipe says of it.
    pub fn recipe(&self, slug: &str) -> Option<&App> {
        self.find(slug).map(|app| &app.app)
    }

    /// The newest lines that it printed; `None` where there is none of this slug.
    pub fn log(&self, slug: &str, lines: usize) -> Option<String> {
        self.find(slug).map(|app| app.output.tail(lines))
    }

    /// The same, and then each line as it is printed.
    pub fn log_on(&self, slug: &str, lines: usize) -> Option<BoxStream<'static, String>> {
        let app = Arc::clone(self.find(slug)?);
        let from = app.output.first_of(lines);
        Some(stream::unfold((app, from), next_lines).boxed())
    }

    /// The slugs by the processes that lead each app.
    pub fn processes(&self) -> BTreeMap<i32, String> {
        self.all.iter().filter_map(|app| Some((app.state().pid?, app.app.slug.clone()))).collect()
    }
}

async fn next_lines((app, from): (Arc<Supervised>, u64)) -> Option<(String, (Arc<Supervised>, u64))> {
    let (text, next) = app.output.after(from).await;
    Some((text, (app, next)))
}

impl Supervised {
    fn new(app: &App, order: &AgentOrder, clock: &Arc<dyn Clock>) -> Self {
        let address = match app.listen {
            Listen::Unix => Address::Socket(socket_path(order, &app.slug)),
            Listen::Tcp { port } => Address::Port(port),
        };
        let state = State {
            status: AppStatus::Stopped,
            since: clock.now(),
            restarts: 0,
            last_exit: None,
            message: None,
            pid: None,
            given_up: false,
            cpu: None,
        };
        Self {
            flaw: app.check().err(),
            home: PathBuf::from(&order.home),
            tools: app.requires.as_ref().and_then(|name| order.tools.get(name)).cloned(),
            address,
            output: Output::new(&app.slug, Arc::clone(clock)),
            clock: Arc::clone(clock),
            state: Mutex::new(state),
            changed: watch::Sender::new(0),
            wanted: Notify::new(),
            again: Notify::new(),
            app: app.clone(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and tells whoever waits.
    fn set(&self, status: AppStatus, message: Option<String>) {
        self.change(|state| state.message = message, Some(status));
    }

    fn change(&self, change: impl FnOnce(&mut State), status: Option<AppStatus>) {
        let mut state = self.state();
        change(&mut state);
        if let Some(status) = status.filter(|status| *status != state.status) {
            (state.status, state.since) = (status, self.clock.now());
        }
        drop(state);
        self.changed.send_modify(|count| *count += 1);
    }

    /// Whether nothing will happen unless somebody asks.
    fn rests(&self) -> bool {
        let state = self.state();
        match state.status {
            AppStatus::Stopped | AppStatus::Missing => true,
            // A page that asks again and again must not start a broken app as often.
            AppStatus::Failed => state.given_up && self.clock.now().since(state.since) >= Pace::REST_MILLISECONDS,
            AppStatus::Starting | AppStatus::Running => false,
        }
    }

    fn want(&self) {
        if self.rests() {
            self.change(|state| (state.message, state.given_up) = (None, false), Some(AppStatus::Starting));
            self.wanted.notify_one();
        }
    }

    fn restart(&self) {
        let idle = {
            let state = self.state();
            matches!(state.status, AppStatus::Stopped | AppStatus::Missing) || state.given_up
        };
        self.change(|state| (state.message, state.given_up) = (None, false), Some(AppStatus::Starting));
        if idle { self.wanted.notify_one() } else { self.again.notify_one() }
    }

    /// What somebody who waits for it is told; `None` while it is on its way.
    fn settled(&self) -> Option<Result<Address, Unready>> {
        let state = self.state();
        let words = || state.message.clone().unwrap_or_default();
        match state.status {
            AppStatus::Running => Some(Ok(self.address.clone())),
            // It runs and was slow to answer: whoever opens it may have more patience.
            AppStatus::Failed if state.pid.is_some() => Some(Ok(self.address.clone())),
            AppStatus::Missing => Some(Err(Unready::Missing(words()))),
            AppStatus::Failed if state.given_up => Some(Err(Unready::Failed(words()))),
            AppStatus::Stopped | AppStatus::Starting | AppStatus::Failed => None,
        }
    }

    fn report(&self) -> AppReport {
        let state = self.state();
        AppReport {
            slug: self.app.slug.clone(),
            status: state.status,
            since: state.since.0,
            restarts: state.restarts,
            last_exit: state.last_exit,
            message: state.message.clone(),
        }
    }
}
