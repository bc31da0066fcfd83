//! The in-process bus: what changed, for live pages and for wakers; and the registry of live connections.
//!
//! Events are hints without data. Each carries the audience that was known in its transaction; whoever follows the
//! stream filters by their own rights. The writer thread gives the sequence number, so it is the order of commits.
//! A leaf module: it knows ids and nothing else of the product.

use crate::domain::id::{GroupId, SessionId, TokenId, UserId, WorkspaceId};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, broadcast, watch};

/// How many events a late client can still read.
const RING: usize = 4_096;

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    Changed,
    Removed,
}

/// Who may see an event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audience {
    /// These people, whatever their rights.
    pub users: Vec<UserId>,
    /// Members of this group; only its admins when the flag is set.
    pub group: Option<(GroupId, bool)>,
    /// Whoever may watch the platform.
    pub platform: bool,
}

/// One hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `user`, `group`, `membership`, `workspace`, `setting`, `audit`, `session`, `notice`.
    pub kind: &'static str,
    pub operation: Operation,
    pub id: String,
    pub group_id: Option<GroupId>,
    pub audience: Audience,
    /// These people's rights changed: their pages reload everything.
    pub reset: Vec<UserId>,
}

/// An event with its place in the order of commits.
#[derive(Debug, Clone)]
pub struct Sequenced {
    pub seq: u64,
    pub event: Arc<Event>,
}

/// Which live connections to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cut {
    User(UserId),
    Session(SessionId),
    /// What was opened with an API token.
    Token(TokenId),
    /// What was opened with any API token of a person.
    TokensOf(UserId),
    Workspace(WorkspaceId),
    /// Connections of a person to the workspaces of a group.
    UserInGroup(UserId, GroupId),
    /// All of a person's connections to one workspace.
    UserInWorkspace(UserId, WorkspaceId),
    /// The server stops.
    All,
}

/// Why a connection was ended; it is told to the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CutReason {
    SignedOut,
    Revoked,
    Stopped,
    Restarting,
}

/// What a live connection belongs to.
#[derive(Debug, Clone)]
pub struct Belongs {
    /// Absent for connections that the server keeps for itself.
    pub user: Option<UserId>,
    pub session: Option<SessionId>,
    /// The API token that it was opened with.
    pub token: Option<TokenId>,
    pub workspace: Option<WorkspaceId>,
    pub group: Option<GroupId>,
}

impl Belongs {
    fn is_cut_by(&self, cut: &Cut) -> bool {
        match cut {
            Cut::User(user) => self.user.as_ref() == Some(user),
            Cut::Session(session) => self.session.as_ref() == Some(session),
            Cut::Token(token) => self.token.as_ref() == Some(token),
            Cut::TokensOf(user) => self.token.is_some() && self.user.as_ref() == Some(user),
            Cut::Workspace(workspace) => self.workspace.as_ref() == Some(workspace),
            Cut::UserInGroup(user, group) => self.user.as_ref() == Some(user) && self.group.as_ref() == Some(group),
            Cut::UserInWorkspace(user, workspace) => self.user.as_ref() == Some(user) && self.workspace.as_ref() == Some(workspace),
            Cut::All => true,
        }
    }
}

#[derive(Default)]
struct Connections {
    next: u64,
    live: HashMap<u64, (Belongs, watch::Sender<Option<CutReason>>)>,
}

/// The bus. Cheap to clone through its `Arc`.
pub struct Bus {
    start: String,
    seq: AtomicU64,
    ring: Mutex<VecDeque<Sequenced>>,
    sender: broadcast::Sender<Sequenced>,
    connections: Mutex<Connections>,
    /// Wakes the reconciler.
    pub reconcile: Notify,
}

/// What a client that comes back gets first.
pub enum Resume {
    /// These, and then what comes.
    From(Vec<Sequenced>),
    /// Too much was missed: load everything anew.
    Reset,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bus {
    /// `start` is random and tells one life of the server from the next.
    pub fn new(start: String) -> Arc<Self> {
        let (sender, _) = broadcast::channel(1_024);
        Arc::new(Self {
            start,
            seq: AtomicU64::new(0),
            ring: Mutex::new(VecDeque::with_capacity(64)),
            sender,
            connections: Mutex::default(),
            reconcile: Notify::new(),
        })
    }

    /// The id of an event in the stream: `<start>-<seq>`.
    pub fn stream_id(&self, seq: u64) -> String {
        format!("{}-{seq}", self.start)
    }

    /// Tells everybody. Called by the writer thread, in commit order.
    pub fn publish(&self, event: Event) {
        let seq = self.seq.fetch_add(1, Ordering::SeqCst) + 1;
        let sequenced = Sequenced { seq, event: Arc::new(event) };
        let mut ring = lock(&self.ring);
        if ring.len() == RING {
            ring.pop_front();
        }
        ring.push_back(sequenced.clone());
        // Nobody listening is not an error. Sent under the lock, so that a resuming client misses nothing between.
        let _ = self.sender.send(sequenced);
    }

    /// Follows the bus from a stream id that a client saw last.
    pub fn subscribe(&self, last_seen: Option<&str>) -> (Resume, broadcast::Receiver<Sequenced>) {
        let ring = lock(&self.ring);
        let receiver = self.sender.subscribe();
        let Some(last_seen) = last_seen else {
            return (Resume::From(Vec::new()), receiver);
        };
        let seq = last_seen.rsplit_once('-').filter(|(start, _)| *start == self.start).and_then(|(_, seq)| seq.parse::<u64>().ok());
        let current = self.seq.load(Ordering::SeqCst);
        let oldest = ring.front().map_or(current + 1, |s| s.seq);
        let resume = match seq {
            Some(seq) if seq <= current && seq + 1 >= oldest => Resume::From(ring.iter().filter(|s| s.seq > seq).cloned().collect()),
            _ => Resume::Reset,
        };
        (resume, receiver)
    }

    /// The newest sequence number.
    pub fn current(&self) -> u64 {
        self.seq.load(Ordering::SeqCst)
    }

    /// Registers a live connection; it must end when the receiver shows a reason. Dropping the guard unregisters it.
    pub fn register(self: &Arc<Self>, belongs: Belongs) -> Live {
        let (sender, receiver) = watch::channel(None);
        let mut connections = lock(&self.connections);
        connections.next += 1;
        let key = connections.next;
        connections.live.insert(key, (belongs, sender));
        Live { bus: Arc::clone(self), key, receiver }
    }

    /// Ends live connections at once.
    pub fn cut(&self, cut: &Cut, reason: CutReason) {
        for (belongs, sender) in lock(&self.connections).live.values() {
            if belongs.is_cut_by(cut) {
                sender.send_replace(Some(reason));
            }
        }
    }

    /// How many connections are open.
    pub fn live_connections(&self) -> usize {
        lock(&self.connections).live.len()
    }
}

/// One registered connection.
pub struct Live {
    bus: Arc<Bus>,
    key: u64,
    receiver: watch::Receiver<Option<CutReason>>,
}

impl Live {
    /// Whether the connection must end.
    pub fn is_cut(&self) -> bool {
        self.receiver.borrow().is_some()
    }

    /// Waits until the connection must end.
    pub async fn cut(&mut self) -> CutReason {
        loop {
            if let Some(reason) = *self.receiver.borrow_and_update() {
                return reason;
            }
            if self.receiver.changed().await.is_err() {
                return CutReason::Restarting;
            }
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        lock(&self.bus.connections).live.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str) -> Event {
        Event {
            kind: "group",
            operation: Operation::Changed,
            id: id.into(),
            group_id: None,
            audience: Audience::default(),
            reset: Vec::new(),
        }
    }

    fn belongs(user: &str) -> Belongs {
        Belongs { user: Some(UserId::trusted(user.into())), session: None, token: None, workspace: None, group: None }
    }

    #[test]
    fn a_client_that_comes_back_gets_exactly_what_it_missed() {
        let bus = Bus::new("s".into());
        bus.publish(event("1"));
        bus.publish(event("2"));
        let (Resume::From(missed), _) = bus.subscribe(Some("s-1")) else { panic!("reset") };
        assert_eq!(missed.iter().map(|s| s.seq).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn another_life_or_too_long_ago_is_a_reset() {
        let bus = Bus::new("s".into());
        for n in 0..5_000 {
            bus.publish(event(&n.to_string()));
        }
        assert!(matches!(bus.subscribe(Some("other-4999")).0, Resume::Reset));
        assert!(matches!(bus.subscribe(Some("s-3")).0, Resume::Reset));
        assert!(matches!(bus.subscribe(Some("s-99999")).0, Resume::Reset));
    }

    #[tokio::test]
    async fn only_the_connections_that_are_meant_are_cut() {
        let bus = Bus::new("s".into());
        let mut anna = bus.register(belongs("usr_a"));
        let _ben = bus.register(belongs("usr_b"));
        bus.cut(&Cut::User(UserId::trusted("usr_a".into())), CutReason::Revoked);
        assert_eq!(anna.cut().await, CutReason::Revoked);
        drop(anna);
        assert_eq!(bus.live_connections(), 1);
    }
}
