//! What stands out of use: near a limit, hardly used, idle, abandoned. The rules, with their numbers.
//!
//! An alert is raised at 80 and at 90 % and goes five points below, so that use around a limit is one alert and not a
//! hundred. Advice to take something back needs two weeks in which never as much as 30 % was in use.

use super::quota::Resource;
use crate::clock::DAY;

/// The two levels of an alert, in percent.
pub const LEVELS: [i64; 2] = [80, 90];
/// How far below its level an alert goes, in points.
const SLACK: i64 = 5;
/// What never used so much, in percent, is larger than it need be.
pub const LOW: i64 = 30;
/// For how long it must not have, in milliseconds.
pub const LOW_FOR: i64 = 14 * DAY;
/// How many of those days somebody must have looked at it.
pub const LOW_LOOKED: i64 = 12;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FindingKind {
    /// Near a limit.
    Over,
    /// Hardly used.
    Under,
    /// It runs, and nobody uses it.
    Idle,
    /// It is stopped, and nobody has used it for long.
    Abandoned,
}

impl FindingKind {
    pub const ALL: [Self; 4] = [Self::Over, Self::Under, Self::Idle, Self::Abandoned];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Over => "over",
            Self::Under => "under",
            Self::Idle => "idle",
            Self::Abandoned => "abandoned",
        }
    }
}

/// Finds a resource by its word.
pub fn resource(word: &str) -> Option<Resource> {
    Resource::ALL.into_iter().find(|resource| resource.as_str() == word)
}

/// The level of the alert after this use, where `before` was its level; `None`: there is none.
pub fn level(before: Option<i64>, used: i64, total: i64) -> Option<i64> {
    if total <= 0 {
        return None;
    }
    let at_least = |percent: i64| i128::from(used) * 100 >= i128::from(total) * i128::from(percent);
    let holds = |level: &i64| at_least(*level) || (before.is_some_and(|before| before >= *level) && at_least(*level - SLACK));
    LEVELS.into_iter().rev().find(holds)
}

/// Whether the most that was in use is so little that it is worth advice.
pub fn is_low(peak: i64, total: i64) -> bool {
    total > 0 && i128::from(peak) * 100 < i128::from(total) * i128::from(LOW)
}

/// What would do in the place of a quota of which never more than `peak` was in use: twice that, rounded up to something
/// round, and never more than there is.
pub fn enough(resource: Resource, peak: i64, total: i64) -> i64 {
    const GIB: i64 = super::quantity::GIB;
    let unit = match resource {
        Resource::Cpu => 1_000,
        Resource::Memory | Resource::Storage => GIB,
        Resource::Pods => 1,
    };
    let doubled = peak.max(0).saturating_mul(2).max(unit);
    let rounded = doubled.saturating_add(unit - 1) / unit * unit;
    rounded.min(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_comes_at_its_level_and_goes_five_points_below() {
        let walk = |shares: &[i64]| {
            let mut now = None;
            shares
                .iter()
                .map(|used| {
                    now = level(now, *used, 100);
                    now.unwrap_or(0)
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(walk(&[79, 80, 79, 76, 75, 74, 79]), [0, 80, 80, 80, 80, 0, 0]);
        assert_eq!(walk(&[90, 89, 85, 84, 86, 74]), [90, 90, 90, 80, 80, 0], "from 90 it goes to 80, not away");
        assert_eq!(walk(&[100, 74, 120]), [90, 0, 90]);
        assert_eq!((level(None, 1, 0), level(Some(90), 0, 0)), (None, None), "of nothing there is no share");
    }

    #[test]
    fn shares_of_the_largest_numbers_are_still_right() {
        assert_eq!(level(None, i64::MAX, i64::MAX), Some(90));
        assert_eq!(level(None, i64::MAX / 2, i64::MAX), None);
    }

    #[test]
    fn thirty_percent_is_enough_and_a_hair_less_is_advice() {
        assert!(!is_low(30, 100) && is_low(29, 100) && !is_low(0, 0));
    }

    #[test]
    fn what_would_do_is_round_twice_the_peak_and_never_more_than_there_is() {
        assert_eq!(enough(Resource::Cpu, 1_250, 20_000), 3_000);
        assert_eq!(enough(Resource::Cpu, 0, 20_000), 1_000);
        assert_eq!(
            enough(Resource::Memory, super::super::quantity::GIB + 1, 40 * super::super::quantity::GIB),
            3 * super::super::quantity::GIB
        );
        assert_eq!(enough(Resource::Pods, 0, 1), 1);
    }
}
