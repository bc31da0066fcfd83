//! Connections to agents and, through them, to apps, kept and reused: HTTP/1.1, one ticket per connection, for one run
//! of one workspace and one purpose each.
//!
//! A connection to an app is joined to it by the agent when it is opened, so that a request costs nothing there but
//! the passing on of bytes. A connection is lent to one exchange at a time and comes back when its answer was read to
//! the end; an upgrade keeps it for good. It stays with the thread that opened it: on another one every exchange would
//! wake two. What lies unused is closed after a while. However many people use a workspace, its connections are bounded,
//! and all of them end at once with its run: each is registered with the bus.

mod loan;

pub use self::loan::{AgentBody, Kept};

use self::loan::Loan;
use super::{PATIENCE, refused, unreachable};
use crate::clock::{Clock, Entropy};
use crate::cluster::agent_client::{AppRefusal, Unreached, reach_app};
use crate::cluster::{ByteStream, ClusterView, WorkspaceRef};
use crate::domain::app_target::AppTarget;
use crate::domain::id::WorkspaceId;
use crate::error::{Error, Result};
use crate::events::{Belongs, Bus, Live};
use crate::identity::signing::Keys;
use crate::token::ticket::{Scope, Wanted};
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::ThreadId;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Open connections to one workspace, in use or not: less than its agent accepts, which serves terminals besides.
pub const MOST_OF_A_WORKSPACE: usize = 1_536;
/// An unused connection to an agent is closed after so many milliseconds: well before the agent would.
const KEPT: i64 = 30_000;
/// The same for one to an app: shorter than common servers keep theirs.
pub const KEPT_TO_AN_APP: i64 = 4_000;
/// How often unused connections are looked at.
const LOOK: Duration = Duration::from_secs(2);
/// How long a kept connection may take to be ready for the next request.
const READY: Duration = Duration::from_millis(50);
/// How long a request waits for a connection where all are in use.
const TURN: Duration = Duration::from_secs(10);
/// How long an agent may take to join a connection to an app: longer than it waits for an app that it starts.
const JOIN: Duration = Duration::from_secs(15);

/// A body on its way to an agent.
pub type RequestBody = UnsyncBoxBody<Bytes, std::io::Error>;

/// What a connection is good for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Purpose {
    workspace: WorkspaceId,
    run: i64,
    door: Door,
    /// The thread that drives it.
    home: ThreadId,
}

/// Who answers at the other end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Door {
    /// The agent, within this scope.
    Agent(Scope),
    App(AppTarget),
}

impl Door {
    fn scope(&self) -> Scope {
        match self {
            Self::Agent(scope) => *scope,
            Self::App(AppTarget::App(_)) => Scope::App,
            Self::App(AppTarget::Port(_)) => Scope::Port,
        }
    }

    /// For how many milliseconds a connection may lie unused.
    fn kept(&self) -> i64 {
        match self {
            Self::Agent(_) => KEPT,
            Self::App(_) => KEPT_TO_AN_APP,
        }
    }
}

/// Why an app did not answer.
#[derive(Debug)]
pub enum Unanswered {
    /// The agent did not reach it, and says why.
    Refused(AppRefusal),
    Failed(Error),
}

impl From<Error> for Unanswered {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// One open connection as bytes.
pub struct Wire {
    pub stream: Box<dyn ByteStream>,
    /// Tells when it must end: with the run of its workspace.
    pub live: Live,
    /// Its place among the workspace's connections.
    place: OwnedSemaphorePermit,
}

/// One open connection, in nobody's use.
struct Connection {
    sender: SendRequest<RequestBody>,
    /// Since when it lies unused, in milliseconds since 1970; `IN_USE` while it is lent.
    unused_since: Arc<AtomicI64>,
    /// Its place among the workspace's connections.
    place: OwnedSemaphorePermit,
}

impl Connection {
    /// Waits for a kept connection, which may not have noticed yet that it is free.
    async fn is_ready(&mut self) -> bool {
        self.sender.is_ready() || matches!(tokio::time::timeout(READY, self.sender.ready()).await, Ok(Ok(())))
    }
}

const IN_USE: i64 = i64::MAX;

#[derive(Default)]
struct Pools {
    unused: HashMap<Arc<Purpose>, Vec<Connection>>,
    places: HashMap<WorkspaceId, Arc<Semaphore>>,
}

/// The connections to all agents.
pub struct Agents {
    view: Arc<dyn ClusterView>,
    keys: Arc<Keys>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    bus: Arc<Bus>,
    pools: Mutex<Pools>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Agents {
    pub fn new(view: Arc<dyn ClusterView>, keys: Arc<Keys>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>, bus: Arc<Bus>) -> Arc<Self> {
        Arc::new(Self { view, keys, clock, entropy, bus, pools: Mutex::default() })
    }

    /// One exchange with the agent of this run. The request's address begins with the agent's own `/v1/…`.
    pub async fn request(
        self: &Arc<Self>,
        place: &WorkspaceRef,
        scope: Scope,
        request: Request<RequestBody>,
    ) -> Result<Response<AgentBody>> {
        self.exchange(place, Door::Agent(scope), request).await.map_err(|unanswered| match unanswered {
            Unanswered::Failed(error) => error,
            Unanswered::Refused(_) => unreachable(),
        })
    }

    /// One exchange with an app of this run. An upgrade is taken from the answer with `hyper::upgrade::on`, and the
    /// answer's body is then kept as long as it is used.
    pub async fn ask_app(
        self: &Arc<Self>,
        place: &WorkspaceRef,
        app: &AppTarget,
        request: Request<RequestBody>,
    ) -> std::result::Result<Response<AgentBody>, Unanswered> {
        self.exchange(place, Door::App(app.clone()), request).await
    }

    async fn exchange(
        self: &Arc<Self>,
        place: &WorkspaceRef,
        door: Door,
        mut request: Request<RequestBody>,
    ) -> std::result::Result<Response<AgentBody>, Unanswered> {
        let purpose = Arc::new(Purpose { workspace: place.id.clone(), run: place.run, door, home: std::thread::current().id() });
        while let Some(mut connection) = self.take(&purpose) {
            // Not ready is also one whose last request is still being sent, though it was answered.
            if !connection.is_ready().await {
                continue;
            }
            match connection.sender.try_send_request(request).await {
                Ok(response) => return Ok(self.lend(purpose, connection, response)),
                // It was closed in this very moment, and nothing of the request was sent.
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(broken(&error.into_error()).into()),
                },
            }
        }
        let mut connection = self.open(place, &purpose, request.headers_mut()).await?;
        let response = connection.sender.send_request(request).await.map_err(|e| broken(&e))?;
        Ok(self.lend(purpose, connection, response))
    }

    /// How many connections to a workspace are open.
    pub fn open_connections(&self, workspace: &WorkspaceId) -> usize {
        lock(&self.pools).places.get(workspace).map_or(0, |places| MOST_OF_A_WORKSPACE - places.available_permits())
    }

    fn take(&self, purpose: &Purpose) -> Option<Connection> {
        let oldest = self.clock.now().0.saturating_sub(purpose.door.kept());
        let mut pools = lock(&self.pools);
        let unused = pools.unused.get_mut(purpose)?;
        // The one used last is the last to be closed by the other side.
        while let Some(connection) = unused.pop() {
            if connection.unused_since.swap(IN_USE, Ordering::SeqCst) >= oldest {
                return Some(connection);
            }
        }
        None
    }

    fn lend(self: &Arc<Self>, purpose: Arc<Purpose>, connection: Connection, response: Response<Incoming>) -> Response<AgentBody> {
        response.map(|body| AgentBody::new(body, Loan::new(self, purpose, connection)))
    }

    /// Opens a connection and shows its ticket: to the agent's door, with the request whose headers these are.
    async fn open(
        self: &Arc<Self>,
        workspace: &WorkspaceRef,
        purpose: &Arc<Purpose>,
        headers: &mut HeaderMap,
    ) -> std::result::Result<Connection, Unanswered> {
        let (Wire { stream, live, place }, ticket) = self.connect(workspace, &purpose.door).await?;
        if let Door::Agent(_) = &purpose.door {
            present(headers, &ticket)?;
        }
        let (sender, driven) = http1::Builder::new().handshake(TokioIo::new(stream)).await.map_err(|e| broken(&e))?;
        let unused_since = Arc::new(AtomicI64::new(IN_USE));
        tokio::spawn(drive(driven, live, Arc::downgrade(self), Arc::clone(purpose), Arc::clone(&unused_since)));
        Ok(Connection { sender, unused_since, place })
    }

    /// A connection of its own to an app: what is written there, the app reads.
    pub async fn wire(&self, workspace: &WorkspaceRef, app: &AppTarget) -> std::result::Result<Wire, Unanswered> {
        Ok(self.connect(workspace, &Door::App(app.clone())).await?.0)
    }

    /// A connection, and the ticket that an agent is still to be shown; where an app is at the other end it has seen it.
    async fn connect(&self, workspace: &WorkspaceRef, door: &Door) -> std::result::Result<(Wire, String), Unanswered> {
        let place = self.place(&workspace.id).await?;
        // Registered first, so that a cut between here and the handshake is not missed.
        let belongs = Belongs { user: None, session: None, token: None, workspace: Some(workspace.id.clone()), group: None };
        let live = self.bus.register(belongs);
        let stream = tokio::time::timeout(PATIENCE, self.view.connect(workspace)).await;
        let mut stream: Box<dyn ByteStream> = stream.map_err(|_| unreachable())?.map_err(refused)?;
        let ticket = self.ticket(workspace, door.scope()).await?;
        if let Door::App(app) = door {
            stream = reach(stream, &ticket, app).await?;
        }
        Ok((Wire { stream, live, place }, ticket))
    }

    /// A place among the workspace's connections; unused ones of other purposes make room.
    async fn place(&self, workspace: &WorkspaceId) -> Result<OwnedSemaphorePermit> {
        let places = {
            let mut pools = lock(&self.pools);
            let places = pools.places.entry(workspace.clone()).or_insert_with(|| Arc::new(Semaphore::new(MOST_OF_A_WORKSPACE)));
            let places = Arc::clone(places);
            if places.available_permits() == 0 {
                pools.unused.retain(|purpose, _| purpose.workspace != *workspace);
            }
            places
        };
        match tokio::time::timeout(TURN, places.acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(Error::Unavailable {
                message: "This workspace has too many open connections. Close some of its pages.".to_owned(),
                retry_after_seconds: 5,
            }),
        }
    }

    /// Whether a connection lies unused for longer than it is kept.
    fn is_left(&self, purpose: &Purpose, unused_since: &AtomicI64) -> bool {
        self.clock.now().0.saturating_sub(purpose.door.kept()) > unused_since.load(Ordering::SeqCst)
    }

    fn give_back(&self, purpose: Arc<Purpose>, connection: Connection) {
        if connection.sender.is_closed() {
            return;
        }
        connection.unused_since.store(self.clock.now().0, Ordering::SeqCst);
        lock(&self.pools).unused.entry(purpose).or_default().push(connection);
    }

    /// Forgets what is closed.
    fn tidy(&self, purpose: &Purpose) {
        let mut pools = lock(&self.pools);
        if let Some(unused) = pools.unused.get_mut(purpose) {
            unused.retain(|connection| !connection.sender.is_closed());
            if unused.is_empty() {
                pools.unused.remove(purpose);
            }
        }
        let Some(places) = pools.places.get(&purpose.workspace) else { return };
        if places.available_permits() == MOST_OF_A_WORKSPACE && Arc::strong_count(places) == 1 {
            pools.places.remove(&purpose.workspace);
        }
    }

    /// A ticket for one connection. Signing takes a millisecond or two of a core, so it is done beside the requests.
    async fn ticket(&self, place: &WorkspaceRef, scope: Scope) -> Result<String> {
        let keys = super::machine_keys(&self.keys)?;
        let (workspace, run, now, entropy) = (place.id.clone(), place.run, self.clock.now(), Arc::clone(&self.entropy));
        let minted = tokio::task::spawn_blocking(move || {
            keys.signer.mint(&Wanted { workspace: &workspace, run, actor: None, scope: &[scope] }, now, entropy.as_ref())
        });
        minted.await.map_err(|_| Error::internal("a ticket could not be made"))?.map_err(|e| Error::internal(e.to_string()))
    }
}

type Driven = http1::Connection<TokioIo<Box<dyn ByteStream>>, RequestBody>;

/// Moves a connection until it ends, is cut, or has lain unused for too long.
async fn drive(connection: Driven, live: Live, agents: Weak<Agents>, purpose: Arc<Purpose>, unused_since: Arc<AtomicI64>) {
    until_left(connection, live, &agents, &purpose, &unused_since).await;
    // The sender knows by now that it is closed.
    if let Some(agents) = agents.upgrade() {
        agents.tidy(&purpose);
    }
}

async fn until_left(connection: Driven, mut live: Live, agents: &Weak<Agents>, purpose: &Purpose, unused_since: &AtomicI64) {
    let connection = connection.with_upgrades();
    tokio::pin!(connection);
    loop {
        tokio::select! {
            biased;
            _ = live.cut() => return,
            // How it ended is told to whoever waits for the answer.
            _ = &mut connection => return,
            () = tokio::time::sleep(LOOK) => match agents.upgrade() {
                Some(agents) if !agents.is_left(purpose, unused_since) => {}
                _ => return,
            }
        }
    }
}

/// Has the agent join a connection to an app.
async fn reach(stream: Box<dyn ByteStream>, ticket: &str, app: &AppTarget) -> std::result::Result<Box<dyn ByteStream>, Unanswered> {
    match tokio::time::timeout(JOIN, reach_app(stream, ticket, &app.agent_path())).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(Unreached::Refused(refusal))) => Err(Unanswered::Refused(refusal)),
        Ok(Err(Unreached::Broken(why))) => {
            tracing::debug!(why = %why.escape_debug(), "an agent did not join a connection to an app");
            Err(unreachable().into())
        }
        Err(_) => Err(unreachable().into()),
    }
}

/// The ticket goes in front of an `Authorization` that is meant for the app.
fn present(headers: &mut HeaderMap, ticket: &str) -> Result<()> {
    let mut value = HeaderValue::try_from(format!("Bearer {ticket}")).map_err(|e| Error::internal(e.to_string()))?;
    value.set_sensitive(true);
    let others: Vec<HeaderValue> = headers.get_all(AUTHORIZATION).iter().cloned().collect();
    headers.insert(AUTHORIZATION, value);
    headers.extend(others.into_iter().map(|other| (AUTHORIZATION, other)));
    Ok(())
}

fn broken(error: &hyper::Error) -> Error {
    tracing::debug!(why = %error, "the connection to an agent broke");
    unreachable()
}
