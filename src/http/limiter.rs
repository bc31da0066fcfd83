//! How often one caller may call: a token bucket per person, or per address before anybody is known.

use crate::config::Limits;
use crate::error::{Error, Result};
use crate::ops::{Caller, Principal};
use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use std::num::NonZeroU32;

/// A burst is this many times the steady rate.
const BURST: u32 = 4;

/// The buckets.
pub struct Limiter {
    buckets: Option<RateLimiter<String, DashMapStateStore<String>, DefaultClock>>,
    clock: DefaultClock,
}

impl Limiter {
    pub fn new(limits: &Limits) -> Self {
        let rate = NonZeroU32::new(limits.requests_per_second).filter(|_| limits.rate);
        let buckets = rate.map(|rate| {
            let burst = NonZeroU32::new(rate.get().saturating_mul(BURST)).unwrap_or(rate);
            RateLimiter::keyed(Quota::per_second(rate).allow_burst(burst))
        });
        Self { buckets, clock: DefaultClock::default() }
    }

    /// Takes one from the caller's bucket.
    pub fn check(&self, caller: &Caller) -> Result<()> {
        let Some(buckets) = &self.buckets else { return Ok(()) };
        let key = match &caller.principal {
            Principal::User { id, .. } => id.to_string(),
            Principal::Machine { workspace, .. } => workspace.to_string(),
            Principal::Anonymous => caller.origin.address.clone(),
            Principal::CommandLine { .. } => return Ok(()),
        };
        buckets.check_key(&key).map_err(|not_until| {
            let wait = not_until.wait_time_from(self.clock.now()).as_secs() + 1;
            Error::RateLimited { retry_after_seconds: wait, message: format!("Too many requests. Try again in {wait} s.") }
        })
    }

    /// Forgets full buckets; called now and then.
    pub fn tidy(&self) {
        if let Some(buckets) = &self.buckets {
            buckets.retain_recent();
        }
    }
}
