//! Connections to agents, kept and reused: HTTP/1.1, one ticket per connection, for one run of one workspace and one
//! purpose each.
//!
//! A connection is lent to one exchange at a time and comes back when its answer was read to the end; an upgrade keeps
//! it for good. What lies unused is closed after a while. However many people use a workspace, its connections are
//! bounded, and all of them end at once with its run: each is registered with the bus.

use super::{PATIENCE, refused, unreachable};
use crate::clock::{Clock, Entropy};
use crate::cluster::{ByteStream, ClusterView, WorkspaceRef};
use crate::domain::id::WorkspaceId;
use crate::error::{Error, Result};
use crate::events::{Belongs, Bus};
use crate::identity::signing::Keys;
use crate::token::ticket::{Scope, Wanted};
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::thread::ThreadId;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Open connections to one workspace, in use or not: less than its agent accepts, which serves terminals besides.
pub const MOST_OF_A_WORKSPACE: usize = 1_536;
/// An unused connection is closed after so many milliseconds: well before the agent would.
const KEPT: i64 = 30_000;
/// How often unused connections are looked at.
const LOOK: Duration = Duration::from_secs(10);
/// How long a kept connection may take to be ready for the next request.
const READY: Duration = Duration::from_millis(50);
/// How long a request waits for a connection where all are in use.
const TURN: Duration = Duration::from_secs(10);

/// A body on its way to an agent.
pub type RequestBody = UnsyncBoxBody<Bytes, std::io::Error>;

/// What a connection is good for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Purpose {
    workspace: WorkspaceId,
    run: i64,
    scope: Scope,
}

/// One open connection, in nobody's use.
struct Connection {
    sender: SendRequest<RequestBody>,
    /// Since when it lies unused, in milliseconds since 1970; `IN_USE` while it is lent.
    unused_since: Arc<AtomicI64>,
    /// The thread that drives it: on another one every exchange wakes two.
    home: ThreadId,
    /// Its place among the workspace's connections.
    place: OwnedSemaphorePermit,
}

const IN_USE: i64 = i64::MAX;

#[derive(Default)]
struct Pools {
    unused: HashMap<Purpose, Vec<Connection>>,
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

    /// One exchange with the agent of this run. The request's address begins with the agent's own `/v1/…`; an upgrade
    /// is taken from the answer with `hyper::upgrade::on`, and the answer's body is then kept as long as it is used.
    pub async fn request(
        self: &Arc<Self>,
        place: &WorkspaceRef,
        scope: Scope,
        mut request: Request<RequestBody>,
    ) -> Result<Response<AgentBody>> {
        let purpose = Purpose { workspace: place.id.clone(), run: place.run, scope };
        while let Some(mut connection) = self.take(&purpose) {
            // Not ready is also one whose last request is still being sent, though it was answered.
            if !matches!(tokio::time::timeout(READY, connection.sender.ready()).await, Ok(Ok(()))) {
                continue;
            }
            match connection.sender.try_send_request(request).await {
                Ok(response) => return Ok(self.lend(purpose, connection, response)),
                // It was closed in this very moment, and nothing of the request was sent.
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(broken(&error.into_error())),
                },
            }
        }
        let mut connection = self.open(place, &purpose).await?;
        present(request.headers_mut(), &self.ticket(place, scope).await?)?;
        let response = connection.sender.send_request(request).await.map_err(|e| broken(&e))?;
        Ok(self.lend(purpose, connection, response))
    }

    /// How many connections to a workspace are open.
    pub fn open_connections(&self, workspace: &WorkspaceId) -> usize {
        lock(&self.pools).places.get(workspace).map_or(0, |places| MOST_OF_A_WORKSPACE - places.available_permits())
    }

    fn take(&self, purpose: &Purpose) -> Option<Connection> {
        let mut pools = lock(&self.pools);
        let unused = pools.unused.get_mut(purpose)?;
        let here = std::thread::current().id();
        let at = unused.iter().rposition(|connection| connection.home == here).or(unused.len().checked_sub(1))?;
        let connection = unused.swap_remove(at);
        connection.unused_since.store(IN_USE, Ordering::SeqCst);
        Some(connection)
    }

    fn lend(self: &Arc<Self>, purpose: Purpose, connection: Connection, response: Response<Incoming>) -> Response<AgentBody> {
        let loan = Loan { agents: Arc::downgrade(self), purpose, connection: Some(connection) };
        response.map(|body| AgentBody { body, loan })
    }

    async fn open(self: &Arc<Self>, workspace: &WorkspaceRef, purpose: &Purpose) -> Result<Connection> {
        let place = self.place(&workspace.id).await?;
        // Registered first, so that a cut between here and the handshake is not missed.
        let belongs = Belongs { user: None, session: None, workspace: Some(workspace.id.clone()), group: None };
        let mut live = self.bus.register(belongs);
        let stream = tokio::time::timeout(PATIENCE, self.view.connect(workspace)).await;
        let stream: Box<dyn ByteStream> = stream.map_err(|_| unreachable())?.map_err(refused)?;
        let (sender, driven) = http1::Builder::new().handshake(TokioIo::new(stream)).await.map_err(|e| broken(&e))?;
        let unused_since = Arc::new(AtomicI64::new(IN_USE));
        let (watched, agents, purpose) = (Arc::clone(&unused_since), Arc::downgrade(self), purpose.clone());
        tokio::spawn(async move {
            let driven = driven.with_upgrades();
            tokio::pin!(driven);
            loop {
                tokio::select! {
                    biased;
                    _ = live.cut() => break,
                    // How it ended is told to whoever waits for the answer.
                    _ = &mut driven => break,
                    () = tokio::time::sleep(LOOK) => {
                        let Some(agents) = agents.upgrade() else { break };
                        if agents.clock.now().0.saturating_sub(KEPT) > watched.load(Ordering::SeqCst) {
                            break;
                        }
                    }
                }
            }
            // The sender knows that it is closed once this end is gone.
            drop(live);
            if let Some(agents) = agents.upgrade() {
                agents.tidy(&purpose);
            }
        });
        Ok(Connection { sender, unused_since, home: std::thread::current().id(), place })
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

    fn give_back(&self, purpose: Purpose, connection: Connection) {
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

/// A connection that is in use; it goes back when the answer was read to the end, and is closed otherwise.
struct Loan {
    agents: Weak<Agents>,
    purpose: Purpose,
    connection: Option<Connection>,
}

impl Loan {
    fn end(&mut self) {
        if let (Some(agents), Some(connection)) = (self.agents.upgrade(), self.connection.take()) {
            agents.give_back(self.purpose.clone(), connection);
        }
    }
}

/// The body of an agent's answer, with the connection that it comes on.
pub struct AgentBody {
    body: Incoming,
    loan: Loan,
}

impl AgentBody {
    /// For an upgraded connection: its place stays taken as long as this is kept, and it is never reused.
    pub fn keep(mut self) -> Kept {
        Kept { _place: self.loan.connection.take().map(|connection| connection.place) }
    }
}

/// The place of a connection that was upgraded.
pub struct Kept {
    _place: Option<OwnedSemaphorePermit>,
}

impl Body for AgentBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<std::result::Result<Frame<Bytes>, hyper::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() || (self.body.is_end_stream() && matches!(frame, Some(Ok(_)))) {
            self.loan.end();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer without a body is over before anybody polls it.
impl Drop for AgentBody {
    fn drop(&mut self) {
        if self.body.is_end_stream() {
            self.loan.end();
        }
    }
}
