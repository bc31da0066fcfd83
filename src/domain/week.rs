//! The calendar week, from Monday, in UTC: what a digest is of.

use crate::clock::{DAY, Millis};

/// Seven days from the first moment of a Monday.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Week {
    pub from: Millis,
    /// The first moment of the next one.
    pub to: Millis,
}

impl Week {
    /// The week that holds this moment.
    pub fn of(moment: Millis) -> Self {
        // 1 January 1970 was a Thursday, three days after a Monday.
        let days = moment.0.div_euclid(DAY) + 3;
        let from = Millis((days - days.rem_euclid(7) - 3) * DAY);
        Self { from, to: from.plus(7 * DAY) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_begins_on_monday_whatever_day_is_asked_for() {
        let at = |text: &str| Millis::parse(text).unwrap();
        for day in ["2026-11-16", "2026-11-19T11:00:00Z", "2026-11-22T23:59:59.999Z"] {
            assert_eq!(Week::of(at(day)), Week { from: at("2026-11-16"), to: at("2026-11-23") }, "{day}");
        }
        assert_eq!(Week::of(at("2026-11-23")).from, at("2026-11-23"));
        assert_eq!(Week::of(at("1969-12-31")).from, at("1969-12-29"), "also before the epoch");
    }
}
