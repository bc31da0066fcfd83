//! Time and randomness enter through these traits, so that expiry and races can be tested without sleeping.
//!
//! This is the one home of the ambient clock and of the system's random generator: `clippy.toml` forbids both elsewhere.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};

/// A point in time: milliseconds since 1970-01-01 UTC, as the database stores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
pub struct Millis(pub i64);

impl Millis {
    /// The point `milliseconds` later (or earlier, when negative); saturates at the ends of the range.
    #[must_use]
    pub fn plus(self, milliseconds: i64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }

    /// Milliseconds from `earlier` to here; negative when `earlier` is later.
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// RFC 3339, UTC, milliseconds, as every time in the API is printed: `2026-03-12T10:20:30.123Z`.
    pub fn rfc3339(self) -> String {
        jiff::Timestamp::from_millisecond(self.0).map_or_else(|_| "9999-12-31T23:59:59.999Z".to_owned(), |t| format!("{t:.3}"))
    }

    /// Reads an RFC 3339 time, or a plain date, which is taken as midnight UTC.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(t) = text.parse::<jiff::Timestamp>() {
            return Some(Self(t.as_millisecond()));
        }
        let date: jiff::civil::Date = text.parse().ok()?;
        let zoned = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(Self(zoned.timestamp().as_millisecond()))
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

/// Milliseconds in one second, minute, hour and day.
pub const SECOND: i64 = 1_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// The wall clock.
    fn now(&self) -> Millis;
}

/// Where random bytes come from.
pub trait Entropy: Send + Sync {
    /// Fills the buffer with bytes fit for secrets.
    fn fill(&self, buffer: &mut [u8]);
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // the one home of the ambient clock
    fn now(&self) -> Millis {
        Millis(jiff::Timestamp::now().as_millisecond())
    }
}

/// The operating system's generator, through aws-lc.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[allow(clippy::disallowed_methods)]
    fn fill(&self, buffer: &mut [u8]) {
        // A generator that fails leaves nothing that can go on safely: the process must not mint guessable secrets.
        if aws_lc_rs::rand::fill(buffer).is_err() {
            std::process::abort();
        }
    }
}

/// A clock that only moves when told to, for tests of expiry.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    pub fn starting_at(now: Millis) -> Self {
        Self(AtomicI64::new(now.0))
    }

    /// Moves the clock forward.
    pub fn advance(&self, milliseconds: i64) {
        self.0.fetch_add(milliseconds, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Millis {
        Millis(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_printed_with_milliseconds_and_read_back() {
        let t = Millis(1_773_310_830_123);
        assert_eq!(Millis::parse(&t.rfc3339()), Some(t));
        assert!(t.rfc3339().ends_with(".123Z"), "{t}");
    }

    #[test]
    fn a_plain_date_is_midnight_utc() {
        assert_eq!(Millis::parse("1970-01-02"), Some(Millis(DAY)));
    }

    #[test]
    fn nonsense_is_no_time() {
        assert_eq!(Millis::parse("yesterday"), None);
    }
}
