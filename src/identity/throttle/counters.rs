//! The three counters of the sign-in throttle, each a pure rule over its own numbers.
//!
//! An address has a bucket of ten failures that refills by one in six seconds, and waits longer when it tries many
//! accounts. An account slows down in steps. A known device has ten tries of its own.

use crate::clock::{DAY, MINUTE, Millis, SECOND};
use std::collections::VecDeque;

/// Failures that an address may have at once.
const ADDRESS_BURST: i64 = 10;
/// One of them is forgiven in this time.
const ADDRESS_REFILL: i64 = 6 * SECOND;
/// Attempts of an address whose outcome is not known yet.
const ADDRESS_IN_FLIGHT: u32 = 32;
/// So many different accounts failing from one address in [`STUFFING_WINDOW`] are a list of stolen passwords at work.
const STUFFING_ACCOUNTS: usize = 20;
const STUFFING_WINDOW: i64 = 10 * MINUTE;
const STUFFING_WAIT: i64 = 15 * MINUTE;

/// Attempts on an account whose outcome is not known yet.
const ACCOUNT_IN_FLIGHT: u32 = 4;
/// An account takes no more failures than this in a day from devices that it does not know (NIST SP 800-63B).
pub(super) const ACCOUNT_FAILURES_A_DAY: i64 = 100;

/// Tries of a known device until it is known no more.
const DEVICE_FAILURES: u32 = 10;
const DEVICE_IN_FLIGHT: u32 = 4;

/// Milliseconds to wait; 0 is "go on".
pub type Wait = i64;

/// Failures of one address.
#[derive(Debug, Default)]
pub struct AddressCounter {
    /// When the bucket will be full again: it is overfull while this lies more than a burst ahead.
    full_at: Millis,
    /// Accounts that failed lately, as hashes.
    accounts: VecDeque<(u64, Millis)>,
    blocked_until: Millis,
    pub(super) in_flight: u32,
}

impl AddressCounter {
    /// How long the next attempt has to wait, in milliseconds.
    pub fn wait(&self, now: Millis) -> Wait {
        let bucket = self.full_at.since(now) - (ADDRESS_BURST - 1) * ADDRESS_REFILL;
        self.blocked_until.since(now).max(bucket).max(0)
    }

    pub(super) fn is_crowded(&self) -> bool {
        self.in_flight >= ADDRESS_IN_FLIGHT
    }

    /// Counts a failure; `account` is a hash of what was tried, where it was an account.
    pub fn failed(&mut self, account: Option<u64>, now: Millis) {
        self.full_at = self.full_at.max(now).plus(ADDRESS_REFILL);
        self.accounts.retain(|(_, at)| now.since(*at) < STUFFING_WINDOW);
        let Some(account) = account else { return };
        if !self.accounts.iter().any(|(known, _)| *known == account) {
            self.accounts.push_back((account, now));
        }
        if self.accounts.len() >= STUFFING_ACCOUNTS {
            self.accounts.clear();
            self.blocked_until = now.plus(STUFFING_WAIT);
        }
    }
}

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct AccountCounter {
    pub(super) failures: i64,
    /// The first failure of the day that is counted.
    pub(super) window_from: Millis,
    pub(super) last_at: Millis,
    pub(super) in_flight: u32,
}

impl AccountCounter {
    pub(super) fn wait(&self, now: Millis) -> Wait {
        let failures = if self.is_over(now) { 0 } else { self.failures };
        let pace = match failures {
            0 => 0,
            1..=2 => SECOND,
            3..=8 => 3 * SECOND,
            9..=24 => 5 * SECOND,
            25..ACCOUNT_FAILURES_A_DAY => 10 * SECOND,
            _ => return self.window_from.plus(DAY).since(now).clamp(0, DAY),
        };
        // A clock that was set back must not make the wait longer than its step.
        self.last_at.plus(pace).since(now).clamp(0, pace)
    }

    pub(super) fn is_crowded(&self) -> bool {
        self.in_flight >= ACCOUNT_IN_FLIGHT
    }

    pub(super) fn failed(&mut self, now: Millis) {
        if self.failures == 0 || self.is_over(now) {
            (self.failures, self.window_from) = (0, now);
        }
        self.failures = self.failures.saturating_add(1);
        self.last_at = now;
    }

    fn is_over(&self, now: Millis) -> bool {
        now.since(self.window_from) >= DAY
    }
}

#[derive(Debug, Default)]
pub(super) struct DeviceCounter {
    pub(super) failures: u32,
    pub(super) in_flight: u32,
}

impl DeviceCounter {
    /// Whether the device is still known.
    pub(super) fn is_trusted(&self) -> bool {
        self.failures.saturating_add(self.in_flight) < DEVICE_FAILURES && self.in_flight < DEVICE_IN_FLIGHT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_800_000_000_000);

    #[test]
    fn an_address_has_ten_failures_and_then_one_in_six_seconds() {
        let mut counter = AddressCounter::default();
        for _ in 0..10 {
            assert_eq!(counter.wait(NOW), 0);
            counter.failed(Some(1), NOW);
        }
        assert_eq!(counter.wait(NOW), ADDRESS_REFILL);
        assert_eq!(counter.wait(NOW.plus(ADDRESS_REFILL)), 0);
        counter.failed(Some(1), NOW.plus(ADDRESS_REFILL));
        assert_eq!(counter.wait(NOW.plus(ADDRESS_REFILL)), ADDRESS_REFILL);
        assert_eq!(counter.wait(NOW.plus(MINUTE + ADDRESS_REFILL)), 0);
    }

    #[test]
    fn an_address_that_tries_twenty_accounts_in_ten_minutes_waits_a_quarter_of_an_hour() {
        let mut counter = AddressCounter::default();
        let mut now = NOW;
        for account in 0..20 {
            assert_eq!(counter.wait(now), 0, "{account}");
            counter.failed(Some(account), now);
            now = now.plus(20 * SECOND);
        }
        assert_eq!(counter.wait(now), STUFFING_WAIT - 20 * SECOND);
        assert_eq!(counter.wait(now.plus(STUFFING_WAIT)), 0);
    }

    #[test]
    fn twenty_accounts_over_a_day_are_an_office() {
        let mut counter = AddressCounter::default();
        let mut now = NOW;
        for account in 0..100 {
            counter.failed(Some(account), now);
            now = now.plus(MINUTE);
            assert_eq!(counter.wait(now), 0, "{account}");
        }
    }

    #[test]
    fn an_account_slows_down_in_steps() {
        let mut counter = AccountCounter::default();
        assert_eq!(counter.wait(NOW), 0);
        let mut steps = Vec::new();
        for _ in 0..99 {
            counter.failed(NOW);
            steps.push(counter.wait(NOW) / SECOND);
        }
        assert_eq!((steps[0], steps[1], steps[2], steps[7], steps[8], steps[23], steps[24], steps[98]), (1, 1, 3, 3, 5, 5, 10, 10));
    }

    #[test]
    fn after_a_hundred_failures_strangers_wait_until_the_day_is_over() {
        let mut counter = AccountCounter::default();
        let mut now = NOW;
        for _ in 0..100 {
            counter.failed(now);
            now = now.plus(MINUTE);
        }
        assert_eq!(counter.wait(now), DAY - 100 * MINUTE);
        assert_eq!(counter.wait(NOW.plus(DAY)), 0);
        counter.failed(NOW.plus(DAY));
        assert_eq!(counter.failures, 1);
    }

    #[test]
    fn a_clock_that_is_set_back_lengthens_no_wait() {
        let mut counter = AccountCounter::default();
        counter.failed(NOW);
        assert_eq!(counter.wait(NOW.plus(-DAY)), SECOND);
    }
}
