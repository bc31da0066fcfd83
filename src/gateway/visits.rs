//! App sessions in memory: asked for in the database once every few seconds, not once a request, and ended by the bus.
//!
//! Each is registered as a live connection, so that signing out, a lost right or a stop ends it at once, together with
//! every exchange that goes on under it. Whatever needs no word of the bus (a grant that expires) is found when it is
//! asked for again: with the next request after a few seconds, and every minute while a connection lasts.

use crate::error::{Error, Result};
use crate::events::{Belongs, CutReason};
use crate::ops::open::{self, Visit};
use crate::ops::{Ops, Origin};
use crate::token::opaque::TokenHash;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// A visit that was confirmed so long ago is asked for again by the next request.
const FRESH: Duration = Duration::from_secs(5);
/// One that goes on is asked for again so often.
const RECHECK: Duration = Duration::from_secs(60);
/// Use is measured in windows of this length; more bytes from the client than the threshold in one of them is work, less
/// is a page that was left open (measured with code-server).
const WINDOW: Duration = Duration::from_secs(30);
const THRESHOLD: u64 = 1_024;

/// One visit, shared by everything that goes on under it.
pub struct Held {
    pub visit: Visit,
    /// Shows the reason once it is over.
    pub cut: watch::Receiver<Option<CutReason>>,
    began: Instant,
    /// Milliseconds since `began`.
    confirmed: AtomicU64,
    last_used: AtomicU64,
    window: AtomicU64,
    client_bytes: AtomicU64,
    noted: AtomicBool,
    ops: Ops,
}

impl Held {
    fn elapsed(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether this visit may go on without asking anybody; notes that it does.
    pub fn goes_on(&self) -> bool {
        let now = self.elapsed();
        let fresh = !self.is_over() && now.saturating_sub(self.confirmed.load(Ordering::Relaxed)) <= millis(FRESH);
        if fresh {
            self.last_used.store(now, Ordering::Relaxed);
        }
        fresh
    }

    fn is_over(&self) -> bool {
        // Whoever watches the bus for it is gone with its thread: nobody could end it any more.
        self.cut.borrow().is_some() || self.cut.has_changed().is_err()
    }

    /// Counts what the client sent as use of the workspace, once there is enough of it.
    pub fn count(self: &Arc<Self>, bytes: u64) {
        let now = self.elapsed();
        let window = self.window.load(Ordering::Relaxed);
        if now.saturating_sub(window) > millis(WINDOW) {
            self.window.store(now, Ordering::Relaxed);
            self.client_bytes.store(0, Ordering::Relaxed);
            self.noted.store(false, Ordering::Relaxed);
        }
        let sent = self.client_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if sent > THRESHOLD && !self.noted.swap(true, Ordering::Relaxed) {
            let held = Arc::clone(self);
            tokio::spawn(async move {
                if let Err(error) = open::used(&held.ops.db, &held.visit).await {
                    tracing::debug!(%error, "the use of a workspace was not noted");
                }
            });
        }
    }

    /// Counts as use what a person does by itself: a page that was asked for.
    pub fn count_a_page(self: &Arc<Self>) {
        self.count(THRESHOLD + 1);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

type Map = Mutex<HashMap<[u8; 32], Arc<Held>>>;

/// All visits of this process.
#[derive(Default)]
pub struct Visits {
    map: Arc<Map>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Visits {
    /// Whether this cookie's visit is held here, so that it may be asked about without the database.
    pub fn knows(&self, hash: &TokenHash) -> bool {
        let key: [u8; 32] = hash.as_bytes().try_into().unwrap_or_default();
        lock(&self.map).get(&key).is_some_and(|held| !held.is_over())
    }

    /// The visit of this cookie; `None` where the cookie is worth nothing any more.
    pub async fn find(&self, ops: &Ops, origin: impl FnOnce() -> Origin, hash: TokenHash) -> Result<Option<Arc<Held>>> {
        let key: [u8; 32] = hash.as_bytes().try_into().unwrap_or_default();
        let known = lock(&self.map).get(&key).cloned().filter(|held| !held.is_over());
        if let Some(held) = known {
            let now = held.elapsed();
            held.last_used.store(now, Ordering::Relaxed);
            let confirmed = held.confirmed.load(Ordering::Relaxed);
            let due = now.saturating_sub(confirmed) > millis(FRESH);
            // One of many at once asks; the others go on, and end with it should the answer be no.
            if !due || held.confirmed.compare_exchange(confirmed, now, Ordering::SeqCst, Ordering::SeqCst).is_err() {
                return Ok(Some(held));
            }
            let found = open::visit(ops, held.visit.caller.origin.clone(), hash).await;
            if found.as_ref().is_ok_and(|found| found.as_ref().is_some_and(|now| is_same(now, &held.visit))) {
                return Ok(Some(held));
            }
            lock(&self.map).remove(&key);
            if !matches!(found, Ok(Some(_))) {
                return found.map(|_| None);
            }
        }
        self.begin(ops, origin(), hash, key).await
    }

    /// The order matters: what is taken away between the first answer and the registration is found by asking again.
    async fn begin(&self, ops: &Ops, origin: Origin, hash: TokenHash, key: [u8; 32]) -> Result<Option<Arc<Held>>> {
        let Some(found) = open::visit(ops, origin.clone(), hash).await? else { return Ok(None) };
        let mut live = ops.bus.register(Belongs {
            user: Some(found.entrance.user.clone()),
            session: found.entrance.session.clone(),
            token: found.entrance.token.clone(),
            workspace: Some(found.entrance.workspace.clone()),
            group: Some(found.entrance.group.clone()),
        });
        let Some(visit) = open::visit(ops, origin, hash).await? else { return Ok(None) };
        let (tell, cut) = watch::channel(None);
        let held = Arc::new(Held {
            visit,
            cut,
            began: Instant::now(),
            confirmed: AtomicU64::new(0),
            last_used: AtomicU64::new(0),
            window: AtomicU64::new(0),
            client_bytes: AtomicU64::new(0),
            noted: AtomicBool::new(false),
            ops: ops.clone(),
        });
        let (watched, map) = (Arc::downgrade(&held), Arc::downgrade(&self.map));
        tokio::spawn(async move {
            let reason = tokio::select! {
                biased;
                reason = live.cut() => Some(reason),
                over = until_over(&watched, &map, hash, key) => over,
            };
            if let Some(map) = map.upgrade() {
                // Another visit of the same cookie may have taken its place.
                let mut map = lock(&map);
                if map.get(&key).is_some_and(|held| std::ptr::eq(Arc::as_ptr(held), watched.as_ptr())) {
                    map.remove(&key);
                }
            }
            tell.send_replace(reason);
        });
        lock(&self.map).insert(key, Arc::clone(&held));
        Ok(Some(held))
    }
}

fn is_same(now: &Visit, then: &Visit) -> bool {
    now.entrance.run == then.entrance.run && now.entrance.user == then.entrance.user && now.target == then.target && now.host == then.host
}

/// Asks for the right again every minute; ends when it is gone, or when nobody is there any more.
async fn until_over(watched: &Weak<Held>, map: &Weak<Map>, hash: TokenHash, key: [u8; 32]) -> Option<CutReason> {
    loop {
        tokio::time::sleep(RECHECK).await;
        let held = watched.upgrade()?;
        let idle = held.elapsed().saturating_sub(held.last_used.load(Ordering::Relaxed)) > millis(RECHECK);
        // The map and this one: nothing goes on under it.
        if idle && Arc::strong_count(&held) <= 2 {
            lock(&*map.upgrade()?).remove(&key);
            return None;
        }
        match open::visit(&held.ops, held.visit.caller.origin.clone(), hash).await {
            Ok(Some(now)) if is_same(&now, &held.visit) => {}
            // The database is busy: that takes nobody's right away. The next check comes.
            Err(Error::Unavailable { .. } | Error::Internal(_)) => {}
            _ => return Some(CutReason::Revoked),
        }
    }
}

/// Completes when the visit is over.
pub async fn over(mut cut: watch::Receiver<Option<CutReason>>) {
    // An error is the end of whoever would tell.
    let _ = cut.wait_for(Option::is_some).await;
}
