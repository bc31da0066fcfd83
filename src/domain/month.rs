//! The calendar month, in UTC, that costs are counted by.

use crate::clock::{DAY, HOUR, Millis};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// A calendar month: from its first moment up to that of the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Month {
    pub from: Millis,
    pub to: Millis,
}

impl Month {
    /// The month that holds this moment. Outside of the calendar's range (thousands of years away) it is 30 days.
    pub fn of(now: Millis) -> Self {
        Self::in_calendar(now).unwrap_or(Self { from: now, to: now.plus(30 * DAY) })
    }

    fn in_calendar(now: Millis) -> Option<Self> {
        let day = Timestamp::from_millisecond(now.0).ok()?.to_zoned(TimeZone::UTC).date();
        let first = day.first_of_month();
        let next = day.last_of_month().tomorrow().ok()?;
        Some(Self { from: midnight(first)?, to: midnight(next)? })
    }

    /// Hours from this moment to the end of the month.
    #[allow(clippy::cast_precision_loss)] // at most 744
    pub fn hours_left(&self, now: Millis) -> f64 {
        self.to.since(now).max(0) as f64 / HOUR as f64
    }
}

fn midnight(day: Date) -> Option<Millis> {
    Some(Millis(day.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Millis {
        Millis::parse(text).unwrap()
    }

    #[test]
    fn a_month_begins_at_its_first_midnight_and_ends_at_the_next_ones() {
        for (now, from, to) in [
            ("2026-02-14T12:00:00Z", "2026-02-01", "2026-03-01"),
            ("2026-12-31T23:59:59.999Z", "2026-12-01", "2027-01-01"),
            ("2028-02-29T00:00:00Z", "2028-02-01", "2028-03-01"),
            ("2026-03-01T00:00:00Z", "2026-03-01", "2026-04-01"),
        ] {
            assert_eq!(Month::of(at(now)), Month { from: at(from), to: at(to) }, "{now}");
        }
    }

    #[test]
    fn hours_are_left_until_the_end_and_none_after_it() {
        let now = at("2026-02-28T12:00:00Z");
        let month = Month::of(now);
        assert!((month.hours_left(now) - 12.0).abs() < 1e-9);
        assert!(month.hours_left(month.to.plus(5)).abs() < 1e-9);
    }

    #[test]
    fn no_moment_whatever_panics() {
        for ms in [i64::MIN, 0, i64::MAX] {
            Month::of(Millis(ms));
        }
    }
}
