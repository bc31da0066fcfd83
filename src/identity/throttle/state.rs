//! All counters together: which of them an attempt is weighed against, and which of them its outcome moves.

use super::bounded::Bounded;
use super::counters::{AccountCounter, AddressCounter, DeviceCounter, Wait};
use super::{AccountKey, Attempt, ThrottleRow};
use crate::clock::Millis;
use crate::domain::id::UserId;
use crate::identity::address::AddressKey;
use crate::identity::device::DeviceId;
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

/// How much is remembered of each kind.
pub(super) const REMEMBERED: usize = 20_000;

pub(super) struct State {
    pub(super) addresses: Bounded<AddressKey, AddressCounter>,
    pub(super) users: Bounded<UserId, AccountCounter>,
    /// Apart from the users, so that invented names cannot push a user's counter out.
    pub(super) names: Bounded<String, AccountCounter>,
    pub(super) devices: Bounded<DeviceId, DeviceCounter>,
    pub(super) changed: HashSet<UserId>,
    pub(super) hasher: RandomState,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            addresses: Bounded::new(REMEMBERED),
            users: Bounded::new(REMEMBERED),
            names: Bounded::new(REMEMBERED),
            devices: Bounded::new(REMEMBERED),
            changed: HashSet::new(),
            hasher: RandomState::new(),
        }
    }

    pub(super) fn is_trusted_device(&self, attempt: &Attempt) -> bool {
        attempt.device.as_ref().is_some_and(|device| self.devices.get(device).is_none_or(DeviceCounter::is_trusted))
    }

    /// Whether so many attempts are on their way that their outcome must be known before another is let in.
    pub(super) fn is_crowded(&self, attempt: &Attempt) -> bool {
        let account = self.counter(attempt).is_some_and(AccountCounter::is_crowded);
        account || self.addresses.get(&attempt.address).is_some_and(AddressCounter::is_crowded)
    }

    fn counter(&self, attempt: &Attempt) -> Option<&AccountCounter> {
        match attempt.account.as_ref()? {
            AccountKey::User(user) => self.users.get(user),
            AccountKey::Name(name) => self.names.get(name),
        }
    }

    pub(super) fn wait(&self, attempt: &Attempt, now: Millis) -> Wait {
        let address = self.addresses.get(&attempt.address).map_or(0, |counter| counter.wait(now));
        self.counter(attempt).map_or(0, |counter| counter.wait(now)).max(address)
    }

    fn account(&mut self, key: &AccountKey) -> &mut AccountCounter {
        match key {
            AccountKey::User(user) => self.users.touch(user.clone()),
            AccountKey::Name(name) => self.names.touch(name.clone()),
        }
    }

    pub(super) fn in_flight(&mut self, attempt: &Attempt, by_device: bool, change: i32) {
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

    pub(super) fn failed(&mut self, attempt: &Attempt, by_device: bool, now: Millis) {
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
    pub(super) fn succeeded(&mut self, attempt: &Attempt, by_device: bool) {
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

    pub(super) fn row(&self, user: &UserId) -> ThrottleRow {
        let counter = self.users.get(user).copied().unwrap_or_default();
        let key = format!("user:{user}");
        ThrottleRow { key, failures: counter.failures, window_from: counter.window_from, last_at: counter.last_at }
    }
}
