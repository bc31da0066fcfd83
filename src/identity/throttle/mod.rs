//! Slowing down those who guess, without giving them the means to lock somebody out.
//!
//! Three counters: per client address, per account, and per known device. A browser that signed in before
//! ([`super::device`]) is counted apart from everybody else: a stranger who hammers at `alice` slows down strangers who
//! say they are Alice, never Alice's own laptop, also not from behind the same NAT. No lock needs an administrator, no
//! answer differs between accounts that exist and that do not, and existing sessions are not touched.
//!
//! An attempt is admitted before the password is hashed and settled afterwards; what was never settled counts as
//! failed. A wait of up to a second is waited here, so that a typing error costs nobody an error message; longer ones are
//! answered with 429. All of it lies in bounded memory; the counters of existing accounts can be written to the database,
//! so that a restart does not forget an attack.

mod bounded;
mod counters;

use super::address::AddressKey;
use super::device::DeviceId;
use crate::clock::{Clock, DAY, Millis, SECOND};
use crate::domain::id::UserId;
use crate::error::Error;
use bounded::Bounded;
use counters::{AccountCounter, AddressCounter, DeviceCounter, Wait};
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A wait that is waited instead of told, in milliseconds.
const WAITED_HERE: Wait = SECOND;
/// How much is remembered of each kind.
const REMEMBERED: usize = 20_000;

/// What an account's attempts are counted under.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AccountKey {
    /// The name resolved: all spellings and the address of one user are one key.
    User(UserId),
    /// It did not: the canonical spelling of what was typed (`domain::email::sign_in_key`).
    Name(String),
}

/// One attempt to prove something.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub address: AddressKey,
    /// `None` for secrets that belong to no account: the set-up code.
    pub account: Option<AccountKey>,
    /// The device that the account knows, if the request showed one.
    pub device: Option<DeviceId>,
}

/// An account's counter as the `throttle` table keeps it. A row without failures is to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThrottleRow {
    /// `user:<id>`.
    pub key: String,
    pub failures: i64,
    pub window_from: Millis,
    pub last_at: Millis,
}

struct State {
    addresses: Bounded<AddressKey, AddressCounter>,
    users: Bounded<UserId, AccountCounter>,
    /// Apart from the users, so that invented names cannot push a user's counter out.
    names: Bounded<String, AccountCounter>,
    devices: Bounded<DeviceId, DeviceCounter>,
    changed: HashSet<UserId>,
    hasher: RandomState,
}

/// The throttle; share one.
pub struct SignInThrottle {
    state: Mutex<State>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for SignInThrottle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignInThrottle(..)")
    }
}

/// An attempt that may go on. Say how it ended; dropping it says that it failed.
#[must_use = "an attempt that is dropped counts as failed"]
pub struct Admission {
    throttle: Arc<SignInThrottle>,
    attempt: Attempt,
    by_device: bool,
    settled: bool,
}

impl std::fmt::Debug for Admission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admission").field("by_device", &self.by_device).finish_non_exhaustive()
    }
}

enum Outcome {
    Succeeded,
    Failed,
    /// It was never found out: the server was busy.
    Withdrawn,
}

impl SignInThrottle {
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        let state = State {
            addresses: Bounded::new(REMEMBERED),
            users: Bounded::new(REMEMBERED),
            names: Bounded::new(REMEMBERED),
            devices: Bounded::new(REMEMBERED),
            changed: HashSet::new(),
            hasher: RandomState::new(),
        };
        Arc::new(Self { state: Mutex::new(state), clock })
    }

    /// Lets an attempt go on, at once or after up to a second, or answers 429 with the time to wait.
    pub async fn admit(self: &Arc<Self>, attempt: Attempt) -> Result<Admission, Error> {
        let (admission, wait) = self.try_admit(attempt)?;
        if let Some(milliseconds) = u64::try_from(wait).ok().filter(|wait| *wait > 0) {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        }
        Ok(admission)
    }

    fn try_admit(self: &Arc<Self>, attempt: Attempt) -> Result<(Admission, Wait), Error> {
        let now = self.clock.now();
        let mut state = self.lock();
        let by_device = state.is_trusted_device(&attempt);
        let wait = if by_device { 0 } else { state.wait(&attempt, now) };
        if wait > WAITED_HERE {
            return Err(refusal(wait));
        }
        state.in_flight(&attempt, by_device, 1);
        drop(state);
        Ok((Admission { throttle: self.clone(), attempt, by_device, settled: false }, wait))
    }

    /// Forgets the failures of a user: an administrator unlocks the account, or the password was set anew.
    pub fn unlock(&self, user: &UserId) {
        let mut state = self.lock();
        state.users.remove(user);
        state.changed.insert(user.clone());
    }

    /// Whether strangers have to wait to sign in as this user, and until when.
    pub fn waits_until(&self, user: &UserId) -> Option<Millis> {
        let now = self.clock.now();
        let wait = self.lock().users.get(user).map_or(0, |counter| counter.wait(now));
        (wait > WAITED_HERE).then(|| now.plus(wait))
    }

    /// The counters that changed since the last call.
    pub fn take_changes(&self) -> Vec<ThrottleRow> {
        let mut state = self.lock();
        let changed = std::mem::take(&mut state.changed);
        changed.into_iter().map(|user| state.row(&user)).collect()
    }

    /// Puts the counters back that [`Self::take_changes`] gave before a restart. Keys that are none are passed over.
    pub fn restore(&self, rows: impl IntoIterator<Item = ThrottleRow>) {
        let now = self.clock.now();
        let mut state = self.lock();
        for row in rows {
            let user = row.key.strip_prefix("user:").and_then(|id| UserId::parse(id).ok());
            let lately = now.since(row.window_from) < DAY;
            if let Some(user) = user.filter(|_| lately && row.failures > 0) {
                let (window_from, last_at) = (row.window_from, row.last_at);
                *state.users.touch(user) = AccountCounter { failures: row.failures, window_from, last_at, in_flight: 0 };
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_trusted_device(&self, attempt: &Attempt) -> bool {
        attempt.device.as_ref().is_some_and(|device| self.devices.get(device).is_none_or(DeviceCounter::is_trusted))
    }

    fn wait(&self, attempt: &Attempt, now: Millis) -> Wait {
        let account = match &attempt.account {
            Some(AccountKey::User(user)) => self.users.get(user),
            Some(AccountKey::Name(name)) => self.names.get(name),
            None => None,
        };
        let address = self.addresses.get(&attempt.address).map_or(0, |counter| counter.wait(now));
        account.map_or(0, |counter| counter.wait(now)).max(address)
    }

    fn account(&mut self, key: &AccountKey) -> &mut AccountCounter {
        match key {
            AccountKey::User(user) => self.users.touch(user.clone()),
            AccountKey::Name(name) => self.names.touch(name.clone()),
        }
    }

    fn in_flight(&mut self, attempt: &Attempt, by_device: bool, change: i32) {
        let moved = |n: u32| n.saturating_add_signed(change);
        if by_device {
            if let Some(device) = &attempt.device {
                let counter = self.devices.touch(device.clone());
                counter.in_flight = moved(counter.in_flight);
            }
            return;
        }
        let address = self.addresses.touch(attempt.address);
        address.in_flight = moved(address.in_flight);
        if let Some(key) = &attempt.account {
            let account = self.account(key);
            account.in_flight = moved(account.in_flight);
        }
    }

    fn failed(&mut self, attempt: &Attempt, by_device: bool, now: Millis) {
        if let Some(device) = attempt.device.as_ref().filter(|_| by_device) {
            let counter = self.devices.touch(device.clone());
            counter.failures = counter.failures.saturating_add(1);
            return;
        }
        let account = attempt.account.as_ref().map(|key| self.hasher.hash_one(key));
        self.addresses.touch(attempt.address).failed(account, now);
        let Some(key) = &attempt.account else { return };
        self.account(key).failed(now);
        self.note_change(key);
    }

    /// A known device clears its own counter only: its owner's coming and going must not refresh a stranger's tries.
    fn succeeded(&mut self, attempt: &Attempt, by_device: bool) {
        if let Some(device) = &attempt.device {
            self.devices.touch(device.clone()).failures = 0;
        }
        let Some(key) = attempt.account.as_ref().filter(|_| !by_device) else { return };
        let counter = self.account(key);
        if counter.failures > 0 {
            counter.failures = 0;
            self.note_change(key);
        }
    }

    fn note_change(&mut self, key: &AccountKey) {
        if let AccountKey::User(user) = key {
            self.changed.insert(user.clone());
        }
    }

    fn row(&self, user: &UserId) -> ThrottleRow {
        let counter = self.users.get(user).copied().unwrap_or_default();
        let key = format!("user:{user}");
        ThrottleRow { key, failures: counter.failures, window_from: counter.window_from, last_at: counter.last_at }
    }
}

impl Admission {
    /// The password was right.
    pub fn succeeded(mut self) {
        self.settle(&Outcome::Succeeded);
    }

    /// The password was wrong, or there is no such account, or it may not sign in.
    pub fn failed(mut self) {
        self.settle(&Outcome::Failed);
    }

    /// Nobody looked: the server was too busy or failed.
    pub fn withdrawn(mut self) {
        self.settle(&Outcome::Withdrawn);
    }

    fn settle(&mut self, outcome: &Outcome) {
        if std::mem::replace(&mut self.settled, true) {
            return;
        }
        let now = self.throttle.clock.now();
        let mut state = self.throttle.lock();
        state.in_flight(&self.attempt, self.by_device, -1);
        match outcome {
            Outcome::Succeeded => state.succeeded(&self.attempt, self.by_device),
            Outcome::Failed => state.failed(&self.attempt, self.by_device, now),
            Outcome::Withdrawn => {}
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.settle(&Outcome::Failed);
    }
}

/// The same words whether or not the account exists.
fn refusal(wait: Wait) -> Error {
    let seconds = u64::try_from(wait.saturating_add(SECOND - 1) / SECOND).unwrap_or(1).max(1);
    let time = match seconds {
        1 => "a second".to_owned(),
        2..=119 => format!("{seconds} seconds"),
        120..=7_199 => format!("{} minutes", seconds.div_ceil(60)),
        _ => format!("{} hours", seconds.div_ceil(3_600)),
    };
    Error::RateLimited { retry_after_seconds: seconds, message: format!("Too many failed attempts. Try again in {time}.") }
}

#[cfg(test)]
mod tests;
