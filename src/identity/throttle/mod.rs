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
mod state;

use super::address::AddressKey;
use super::device::DeviceId;
use crate::clock::{Clock, DAY, Millis, SECOND};
use crate::domain::id::UserId;
use crate::error::Error;
pub use crate::store::throttles::ThrottleRow;
pub use bounded::Bounded;
pub use counters::AddressCounter;
use counters::{AccountCounter, Wait};
use state::State;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A wait that is waited instead of told, in milliseconds.
const WAITED_HERE: Wait = SECOND;
/// How often, and how long each time in milliseconds, an attempt waits for others to be settled.
const ROUNDS: u32 = 40;
const ROUND: u64 = 50;

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
        Arc::new(Self { state: Mutex::new(State::new()), clock })
    }

    /// Lets an attempt go on, at once or after a short wait, or answers 429 with the time to wait.
    pub async fn admit(self: &Arc<Self>, attempt: Attempt) -> Result<Admission, Error> {
        for _ in 0..ROUNDS {
            match self.try_admit(&attempt)? {
                Some((admission, wait)) => {
                    let wait = Duration::from_millis(u64::try_from(wait).unwrap_or(0));
                    tokio::time::sleep(wait).await;
                    return Ok(admission);
                }
                None => tokio::time::sleep(Duration::from_millis(ROUND)).await,
            }
        }
        Err(refusal(SECOND))
    }

    /// `None` while too many attempts are on their way: else a hundred at the same moment would all be the first.
    fn try_admit(self: &Arc<Self>, attempt: &Attempt) -> Result<Option<(Admission, Wait)>, Error> {
        let now = self.clock.now();
        let mut state = self.lock();
        let by_device = state.is_trusted_device(attempt);
        let wait = if by_device { 0 } else { state.wait(attempt, now) };
        if wait > WAITED_HERE {
            return Err(refusal(wait));
        }
        if !by_device && state.is_crowded(attempt) {
            return Ok(None);
        }
        state.in_flight(attempt, by_device, 1);
        drop(state);
        Ok(Some((Admission { throttle: self.clone(), attempt: attempt.clone(), by_device, settled: false }, wait)))
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

/// The same words whether or not the account exists. `wait` is in milliseconds.
pub fn refusal(wait: Wait) -> Error {
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
