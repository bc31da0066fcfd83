//! How long a sign-in lasts: twelve hours without use, seven days in all.
//!
//! Pure decisions over the facts of a row. Using a session writes to the database at most once a minute, so the idle end
//! may lie up to a minute earlier than the true last use would give; nobody is thrown out later than promised.

use crate::clock::{DAY, HOUR, MINUTE, Millis};

/// A session ends when nobody used it for so long, in milliseconds.
pub const IDLE: i64 = 12 * HOUR;
/// A session ends after so long in any case, in milliseconds.
pub const HARD: i64 = 7 * DAY;
/// Use is written down at most so often, in milliseconds.
pub const TOUCH: i64 = MINUTE;
/// Sensitive actions want a sign-in no older than this, of people who have a second factor; in milliseconds.
pub const STEP_UP: i64 = 10 * MINUTE;

/// When a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry {
    pub idle: Millis,
    pub hard: Millis,
}

impl Expiry {
    /// Of a session that begins now.
    pub fn beginning(now: Millis) -> Self {
        Self { idle: now.plus(IDLE), hard: now.plus(HARD) }
    }

    /// After one more use: the idle end moves, the hard end never does.
    #[must_use]
    pub fn used(self, now: Millis) -> Self {
        Self { idle: now.plus(IDLE).min(self.hard), hard: self.hard }
    }

    /// Whichever comes first.
    pub fn ends(self) -> Millis {
        self.idle.min(self.hard)
    }
}

/// What the row of a session and its user say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionFacts {
    pub last_used: Millis,
    pub expiry: Expiry,
    pub revoked: bool,
    /// The user is active and their account has not ended.
    pub user_may_sign_in: bool,
}

/// Whether a session may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionState {
    Live {
        /// The use is to be written down, with these new ends.
        touch: Option<Expiry>,
    },
    Expired,
    /// Signed out, or its user may not sign in any more.
    Ended,
}

/// Decides over a session that was shown now.
pub fn state(facts: &SessionFacts, now: Millis) -> SessionState {
    if facts.revoked || !facts.user_may_sign_in {
        return SessionState::Ended;
    }
    if now >= facts.expiry.ends() {
        return SessionState::Expired;
    }
    let due = now.since(facts.last_used) >= TOUCH;
    SessionState::Live { touch: due.then(|| facts.expiry.used(now)) }
}

/// Whether the sign-in is fresh enough for a sensitive action.
pub fn stepped_up(signed_in: Millis, now: Millis) -> bool {
    now.since(signed_in) <= STEP_UP
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, ManualClock};

    fn begun() -> (ManualClock, SessionFacts) {
        let now = Millis(1_800_000_000_000);
        let facts = SessionFacts { last_used: now, expiry: Expiry::beginning(now), revoked: false, user_may_sign_in: true };
        (ManualClock::starting_at(now), facts)
    }

    #[test]
    fn a_session_ends_after_twelve_hours_without_use() {
        let (clock, facts) = begun();
        clock.advance(IDLE - 1);
        assert!(matches!(state(&facts, clock.now()), SessionState::Live { .. }));
        clock.advance(1);
        assert_eq!(state(&facts, clock.now()), SessionState::Expired);
    }

    #[test]
    fn use_keeps_a_session_alive_for_seven_days_and_no_longer() {
        let (clock, mut facts) = begun();
        let begin = clock.now();
        while let SessionState::Live { touch } = state(&facts, clock.now()) {
            if let Some(expiry) = touch {
                (facts.last_used, facts.expiry) = (clock.now(), expiry);
            }
            clock.advance(HOUR);
        }
        assert_eq!(clock.now().since(begin), HARD);
    }

    #[test]
    fn use_is_written_down_once_a_minute() {
        let (clock, facts) = begun();
        clock.advance(TOUCH - 1);
        assert_eq!(state(&facts, clock.now()), SessionState::Live { touch: None });
        clock.advance(1);
        assert_eq!(state(&facts, clock.now()), SessionState::Live { touch: Some(facts.expiry.used(clock.now())) });
    }

    #[test]
    fn signing_out_and_disabling_end_it_at_once() {
        let (clock, facts) = begun();
        assert_eq!(state(&SessionFacts { revoked: true, ..facts }, clock.now()), SessionState::Ended);
        assert_eq!(state(&SessionFacts { user_may_sign_in: false, ..facts }, clock.now()), SessionState::Ended);
    }

    #[test]
    fn a_sign_in_is_fresh_for_ten_minutes() {
        let (clock, facts) = begun();
        clock.advance(STEP_UP);
        assert!(stepped_up(facts.last_used, clock.now()));
        clock.advance(1);
        assert!(!stepped_up(facts.last_used, clock.now()));
    }
}
