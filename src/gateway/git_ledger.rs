//! How often a workspace has asked for what, so that every use is on record and no program can flood the record.
//!
//! The first use of its kind in an hour is recorded before it is answered; equal ones after it are counted, and the
//! next entry says how many they were. What is new is limited by the hour and everything by the minute. Lives in
//! memory: after a restart of the server the next use is a first one again.

use crate::clock::{DAY, HOUR, MINUTE, Millis};
use crate::ops::git_requests::{Asker, Use};
use std::collections::BTreeMap;

/// Requests of one workspace in one minute. A large fetch by submodules makes a few dozen.
const MOST_A_MINUTE: u32 = 120;
/// Different uses of one workspace in one hour.
const MOST_KINDS: usize = 40;

/// What is to be done about one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// Record it, with this count.
    Due(u64),
    /// It is counted.
    Counted,
    /// Refuse it: too many.
    TooMany,
}

#[derive(Debug, Default)]
struct Page {
    minute: Millis,
    in_minute: u32,
    uses: BTreeMap<Use, Line>,
}

#[derive(Debug)]
struct Line {
    recorded: Millis,
    since: u64,
}

/// The pages of all workspaces.
#[derive(Debug, Default)]
pub struct Ledger(BTreeMap<Asker, Page>);

impl Ledger {
    /// Takes note of a request, whatever it will turn out to be; `false` when there were too many in this minute.
    pub fn admit(&mut self, asker: &Asker, now: Millis) -> bool {
        // A page with a count waits for the use that tells it, but not for ever: its run may be over.
        self.0.retain(|_, page| {
            let untold = page.uses.values().any(|line| line.since > 0);
            now.since(page.minute) < if untold { DAY } else { HOUR }
        });
        let page = self.0.entry(asker.clone()).or_default();
        if now.since(page.minute) >= MINUTE {
            (page.minute, page.in_minute) = (now, 0);
        }
        page.in_minute = page.in_minute.saturating_add(1);
        page.in_minute <= MOST_A_MINUTE
    }

    /// Takes note of a use.
    pub fn enter(&mut self, asker: &Asker, used: &Use, now: Millis) -> Entry {
        let page = self.0.entry(asker.clone()).or_default();
        if let Some(line) = page.uses.get_mut(used) {
            line.since += 1;
            if now.since(line.recorded) < HOUR {
                return Entry::Counted;
            }
            let count = std::mem::take(&mut line.since);
            line.recorded = now;
            return Entry::Due(count);
        }
        // A line that still holds a count stays until it was told.
        page.uses.retain(|_, line| line.since > 0 || now.since(line.recorded) < HOUR);
        if page.uses.len() >= MOST_KINDS {
            return Entry::TooMany;
        }
        page.uses.insert(used.clone(), Line { recorded: now, since: 0 });
        Entry::Due(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::WorkspaceId;

    fn asker(run: i64) -> Asker {
        Asker { workspace: WorkspaceId::trusted(format!("wsp_{:032x}", 7)), run }
    }

    fn sign_in(user: &str) -> Use {
        Use::SignIn { user: user.to_owned(), host_key: None }
    }

    #[test]
    fn the_first_use_is_recorded_and_equal_ones_are_counted_until_the_hour_is_over() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.enter(&asker(1), &sign_in("git"), Millis(0)), Entry::Due(1));
        for second in 1..10 {
            assert_eq!(ledger.enter(&asker(1), &sign_in("git"), Millis(second * 1_000)), Entry::Counted);
        }
        assert_eq!(ledger.enter(&asker(1), &sign_in("git"), Millis(HOUR)), Entry::Due(10));
        assert_eq!(ledger.enter(&asker(1), &sign_in("git"), Millis(HOUR + 1)), Entry::Counted);
        assert_eq!(ledger.enter(&asker(2), &sign_in("git"), Millis(HOUR + 1)), Entry::Due(1), "another run");
    }

    #[test]
    fn each_new_use_is_recorded_and_their_number_is_limited() {
        let mut ledger = Ledger::default();
        for number in 0..MOST_KINDS {
            assert_eq!(ledger.enter(&asker(1), &sign_in(&format!("u{number}")), Millis(0)), Entry::Due(1));
        }
        assert_eq!(ledger.enter(&asker(1), &sign_in("one-more"), Millis(1)), Entry::TooMany);
        assert_eq!(ledger.enter(&asker(1), &sign_in("u1"), Millis(1)), Entry::Counted, "what is known goes on");
        assert_eq!(ledger.enter(&asker(1), &sign_in("one-more"), Millis(HOUR)), Entry::Due(1), "an hour later there is room");
    }

    #[test]
    fn requests_are_limited_by_the_minute_and_for_each_workspace() {
        let mut ledger = Ledger::default();
        let admitted = (0..200).filter(|_| ledger.admit(&asker(1), Millis(MINUTE))).count();
        assert_eq!(admitted, usize::try_from(MOST_A_MINUTE).unwrap());
        assert!(ledger.admit(&asker(2), Millis(MINUTE)));
        assert!(ledger.admit(&asker(1), Millis(2 * MINUTE)));
        assert!(ledger.admit(&asker(3), Millis(2 * HOUR)));
        assert_eq!(ledger.0.len(), 1, "what is long over is forgotten");
    }
}
