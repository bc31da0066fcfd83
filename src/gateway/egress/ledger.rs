//! Who reached what, and how much: counted in memory, from the start of the server.
//!
//! Numbers of this kind are for looking at, not for billing: they are exact while the server runs, cost one addition a
//! chunk, and begin anew with it, which the account says (`since`). Lists are bounded, the least recent goes first; the
//! totals keep what fell out of them.

use crate::clock::{Clock, Millis};
use crate::domain::egress::{Refusal, Rule, Target};
use crate::domain::id::WorkspaceId;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Targets, and refused targets, that are remembered of one workspace.
const MOST_TARGETS: usize = 100;
/// Refusals of one run that are told to the timeline; the list has the others.
const MOST_TOLD: usize = 20;
/// Workspaces that are remembered while they have nothing open.
const MOST_BOOKS: usize = 4_096;

/// Towards the workspace, or away from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    In,
    Out,
}

/// Bytes both ways.
#[derive(Debug, Default)]
struct Bytes {
    into: AtomicU64,
    out: AtomicU64,
}

impl Bytes {
    fn add(&self, direction: Direction, n: u64) {
        let counter = if direction == Direction::In { &self.into } else { &self.out };
        counter.fetch_add(n, Ordering::Relaxed);
    }

    fn read(&self) -> (u64, u64) {
        (self.into.load(Ordering::Relaxed), self.out.load(Ordering::Relaxed))
    }
}

/// What a workspace reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// When counting began.
    pub since: Millis,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Connections that were made.
    pub connections: u64,
    /// Connections that are open now.
    pub open: usize,
    /// The most recent first.
    pub targets: Vec<Reached>,
    /// The most recent first.
    pub refused: Vec<Denied>,
}

/// One target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    pub target: Target,
    pub count: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// When it was last connected to.
    pub last_at: Millis,
}

/// One refused target, under one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    pub target: Target,
    pub rule: Rule,
    /// The refusal as the program was told.
    pub message: String,
    pub count: u64,
    pub last_at: Millis,
}

/// A list that forgets the least recent.
struct Recent<K, V>(HashMap<K, Seen<V>>);

struct Seen<V> {
    count: u64,
    last_at: Millis,
    value: V,
}

impl<K: Eq + Hash + Clone, V> Recent<K, V> {
    fn touch(&mut self, key: &K, at: Millis, fresh: impl FnOnce() -> V) -> &mut V {
        if !self.0.contains_key(key) && self.0.len() >= MOST_TARGETS {
            let oldest = self.0.iter().min_by_key(|(_, seen)| seen.last_at).map(|(key, _)| key.clone());
            oldest.map(|key| self.0.remove(&key));
        }
        let seen = self.0.entry(key.clone()).or_insert_with(|| Seen { count: 0, last_at: at, value: fresh() });
        seen.count += 1;
        seen.last_at = at;
        &mut seen.value
    }
}

/// The notes of one workspace.
pub struct Book {
    clock: Arc<dyn Clock>,
    since: Millis,
    total: Bytes,
    connections: AtomicU64,
    open: AtomicUsize,
    lists: Mutex<Lists>,
}

struct Lists {
    targets: Recent<Target, Arc<Bytes>>,
    refused: Recent<(Target, Rule), String>,
    /// The run that the timeline was told about, and what it was told.
    told: (i64, BTreeSet<(Target, Rule)>),
    last_at: Millis,
}

/// A place among a workspace's open connections, given back when it is dropped.
pub struct Place(Arc<Book>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An open connection, as it is counted.
pub struct Tunnel {
    place: Place,
    target: Arc<Bytes>,
}

impl Tunnel {
    /// Notes bytes that were passed on.
    pub fn count(&self, direction: Direction, bytes: usize) {
        let n = bytes as u64;
        self.place.0.total.add(direction, n);
        self.target.add(direction, n);
    }
}

impl Book {
    fn new(clock: Arc<dyn Clock>, since: Millis) -> Self {
        let now = clock.now();
        let lists = Lists { targets: Recent(HashMap::new()), refused: Recent(HashMap::new()), told: (0, BTreeSet::new()), last_at: now };
        Self { clock, since, total: Bytes::default(), connections: AtomicU64::new(0), open: AtomicUsize::new(0), lists: Mutex::new(lists) }
    }

    fn lists(&self) -> MutexGuard<'_, Lists> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place among at most `most` open connections.
    pub fn place(self: &Arc<Self>, most: usize) -> Option<Place> {
        let taken = self.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| (open < most).then_some(open + 1));
        taken.ok().map(|_| Place(Arc::clone(self)))
    }

    /// Notes a connection that was made.
    pub fn opened(&self, place: Place, target: &Target) -> Tunnel {
        self.connections.fetch_add(1, Ordering::Relaxed);
        let now = self.clock.now();
        let mut lists = self.lists();
        lists.last_at = now;
        let target = Arc::clone(lists.targets.touch(target, now, Arc::default));
        Tunnel { place, target }
    }

    /// Notes a refusal; `true` where it should be told, because this run was not refused this before.
    pub fn refused(&self, run: i64, refusal: &Refusal) -> bool {
        let key = (refusal.target.clone(), refusal.rule);
        let now = self.clock.now();
        let mut lists = self.lists();
        lists.last_at = now;
        *lists.refused.touch(&key, now, String::new) = refusal.to_string();
        if lists.told.0 != run {
            lists.told = (run, BTreeSet::new());
        }
        lists.told.1.len() < MOST_TOLD && lists.told.1.insert(key)
    }

    fn account(&self) -> Account {
        let (bytes_in, bytes_out) = self.total.read();
        let lists = self.lists();
        let mut targets: Vec<Reached> = lists
            .targets
            .0
            .iter()
            .map(|(target, seen)| {
                let (bytes_in, bytes_out) = seen.value.read();
                Reached { target: target.clone(), count: seen.count, bytes_in, bytes_out, last_at: seen.last_at }
            })
            .collect();
        let mut refused: Vec<Denied> = lists
            .refused
            .0
            .iter()
            .map(|((target, rule), seen)| Denied {
                target: target.clone(),
                rule: *rule,
                message: seen.value.clone(),
                count: seen.count,
                last_at: seen.last_at,
            })
            .collect();
        targets.sort_by(|a, b| b.last_at.cmp(&a.last_at).then_with(|| a.target.cmp(&b.target)));
        refused.sort_by(|a, b| b.last_at.cmp(&a.last_at).then_with(|| (&a.target, a.rule).cmp(&(&b.target, b.rule))));
        Account {
            since: self.since,
            bytes_in,
            bytes_out,
            connections: self.connections.load(Ordering::Relaxed),
            open: self.open.load(Ordering::Relaxed),
            targets,
            refused,
        }
    }
}

/// The books of all workspaces.
pub struct Ledger {
    clock: Arc<dyn Clock>,
    started: Millis,
    books: Mutex<HashMap<WorkspaceId, Arc<Book>>>,
}

impl Ledger {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { started: clock.now(), clock, books: Mutex::default() }
    }

    fn books(&self) -> MutexGuard<'_, HashMap<WorkspaceId, Arc<Book>>> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The book of a workspace, opened where there is none.
    pub fn book(&self, workspace: &WorkspaceId) -> Arc<Book> {
        let mut books = self.books();
        if let Some(book) = books.get(workspace) {
            return Arc::clone(book);
        }
        let is_full = books.len() >= MOST_BOOKS;
        if is_full {
            let idle = books.iter().filter(|(_, book)| Arc::strong_count(book) == 1);
            let oldest = idle.min_by_key(|(_, book)| book.lists().last_at).map(|(id, _)| id.clone());
            oldest.map(|id| books.remove(&id));
        }
        // Once books have been thrown away, this one may have been among them.
        let since = if is_full { self.clock.now() } else { self.started };
        let book = Arc::new(Book::new(Arc::clone(&self.clock), since));
        books.insert(workspace.clone(), Arc::clone(&book));
        book
    }

    /// The account of a workspace; one that never asked for anything has an empty one.
    pub fn account(&self, workspace: &WorkspaceId) -> Account {
        let book = self.books().get(workspace).map(Arc::clone);
        book.map_or_else(
            || Account {
                since: self.started,
                bytes_in: 0,
                bytes_out: 0,
                connections: 0,
                open: 0,
                targets: Vec::new(),
                refused: Vec::new(),
            },
            |book| book.account(),
        )
    }
}
