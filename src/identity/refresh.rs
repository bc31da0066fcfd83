//! What to do with a refresh token that is shown: rotate it, or notice that it was stolen.
//!
//! Each token is used once and gives its successor. A used one that comes back means that two parties hold it; the server
//! cannot tell which is the thief, so the whole family ends. One exception: an answer can be lost on the way, so a client
//! that repeats within five seconds, before anybody used the successor, gets one sibling. The decision is made over facts
//! read in the same transaction that then writes; nothing is checked first and changed later.

use crate::clock::{DAY, Millis, SECOND};

/// A family ends when no token of it was used for so long, in milliseconds.
pub const IDLE: i64 = 7 * DAY;
/// A family ends after so long in any case, in milliseconds.
pub const HARD: i64 = 30 * DAY;
/// A repeated request within this time is taken for a lost answer, in milliseconds.
pub const GRACE: i64 = 5 * SECOND;

/// What the rows say about a token that was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshFacts {
    pub idle_expires: Millis,
    /// The same for the whole family.
    pub hard_expires: Millis,
    pub used_at: Option<Millis>,
    pub revoked: bool,
    /// How many tokens were made from this one.
    pub successors: i64,
    /// One of them was used already.
    pub successor_used: bool,
    /// The session is neither revoked nor ended, and the user may sign in.
    pub session_live: bool,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshDecision {
    /// Mark it used and insert its successor.
    Rotate { idle_expires: Millis, hard_expires: Millis },
    /// Insert one more successor; the token stays used as it is.
    Sibling { idle_expires: Millis, hard_expires: Millis },
    /// Somebody else holds it: end the family and its session, write it to the audit, tell the user.
    Reuse,
    /// It is of no use any more, and that is no sign of anything.
    Dead,
}

/// When a family that begins now ends: idle, hard.
pub fn beginning(now: Millis) -> (Millis, Millis) {
    (now.plus(IDLE), now.plus(HARD))
}

/// Decides over a token that was shown now.
pub fn decide(facts: &RefreshFacts, now: Millis) -> RefreshDecision {
    if facts.revoked || !facts.session_live || now >= facts.hard_expires {
        return RefreshDecision::Dead;
    }
    let (idle_expires, hard_expires) = (now.plus(IDLE).min(facts.hard_expires), facts.hard_expires);
    match facts.used_at {
        None if now >= facts.idle_expires => RefreshDecision::Dead,
        None => RefreshDecision::Rotate { idle_expires, hard_expires },
        // The clock may have been set back a little in between: that is no theft either.
        Some(used) if now.since(used).abs() <= GRACE && facts.successors <= 1 && !facts.successor_used => {
            RefreshDecision::Sibling { idle_expires, hard_expires }
        }
        Some(_) => RefreshDecision::Reuse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_800_000_000_000);

    fn fresh() -> RefreshFacts {
        let (idle_expires, hard_expires) = beginning(NOW);
        let session_live = true;
        RefreshFacts { idle_expires, hard_expires, used_at: None, revoked: false, successors: 0, successor_used: false, session_live }
    }

    fn used() -> RefreshFacts {
        RefreshFacts { used_at: Some(NOW), successors: 1, ..fresh() }
    }

    #[test]
    fn an_unused_token_rotates_until_it_is_idle_for_seven_days() {
        let later = NOW.plus(IDLE - 1);
        let expected = RefreshDecision::Rotate { idle_expires: later.plus(IDLE), hard_expires: fresh().hard_expires };
        assert_eq!(decide(&fresh(), later), expected);
        assert_eq!(decide(&fresh(), NOW.plus(IDLE)), RefreshDecision::Dead);
    }

    #[test]
    fn rotating_never_moves_the_hard_end() {
        let facts = RefreshFacts { idle_expires: NOW.plus(HARD), ..fresh() };
        let late = NOW.plus(HARD - 1);
        assert_eq!(decide(&facts, late), RefreshDecision::Rotate { idle_expires: facts.hard_expires, hard_expires: facts.hard_expires });
        assert_eq!(decide(&facts, NOW.plus(HARD)), RefreshDecision::Dead);
    }

    #[test]
    fn a_lost_answer_is_answered_once_more() {
        assert!(matches!(decide(&used(), NOW.plus(GRACE)), RefreshDecision::Sibling { .. }));
        assert!(matches!(decide(&used(), NOW.plus(-GRACE)), RefreshDecision::Sibling { .. }));
        assert_eq!(decide(&RefreshFacts { successors: 2, ..used() }, NOW.plus(1)), RefreshDecision::Reuse);
    }

    #[test]
    fn a_used_token_that_comes_back_is_reuse() {
        assert_eq!(decide(&used(), NOW.plus(GRACE + 1)), RefreshDecision::Reuse);
        assert_eq!(decide(&RefreshFacts { successor_used: true, ..used() }, NOW.plus(1)), RefreshDecision::Reuse);
    }

    #[test]
    fn an_old_stolen_token_is_noticed_while_its_family_lives() {
        assert_eq!(decide(&used(), NOW.plus(IDLE + DAY)), RefreshDecision::Reuse);
    }

    #[test]
    fn what_is_over_is_dead_and_no_alarm() {
        assert_eq!(decide(&RefreshFacts { revoked: true, ..used() }, NOW.plus(DAY)), RefreshDecision::Dead);
        assert_eq!(decide(&RefreshFacts { session_live: false, ..fresh() }, NOW), RefreshDecision::Dead);
        assert_eq!(decide(&used(), NOW.plus(HARD)), RefreshDecision::Dead);
    }
}
