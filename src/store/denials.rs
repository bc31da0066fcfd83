//! Refused attempts in the audit log, folded: the first is written at once, equal ones within the minute become one
//! row with a count, so that a scanner cannot fill the disk.

use super::tx::Attempt;
use crate::clock::{MINUTE, Millis};
use std::collections::HashMap;

/// More kinds of refusals than this are not remembered at once; a new one is then written by itself.
const REMEMBERED: usize = 1_024;

#[derive(PartialEq, Eq, Hash, Clone)]
struct Key {
    actor: Option<String>,
    action: &'static str,
    resource: String,
    error: String,
}

struct Folded {
    since: Millis,
    attempt: Attempt,
    count: i64,
}

/// What waits to be folded. Lives on the writer thread.
#[derive(Default)]
pub(super) struct Denials {
    waiting: HashMap<Key, Folded>,
}

/// A refusal that is to be written now.
pub(super) struct Due {
    pub attempt: Attempt,
    pub error: String,
    pub count: i64,
}

impl Denials {
    /// Takes note of a refusal; the answer is what must be written at once.
    pub(super) fn record(&mut self, attempt: Attempt, error: String, now: Millis) -> Option<Due> {
        let key = Key { actor: attempt.actor_id.clone(), action: attempt.action, resource: attempt.resource.clone(), error: error.clone() };
        if let Some(folded) = self.waiting.get_mut(&key).filter(|f| now.since(f.since) < MINUTE) {
            folded.count += 1;
            return None;
        }
        if self.waiting.len() < REMEMBERED {
            self.waiting.insert(key, Folded { since: now, attempt: attempt.clone(), count: 0 });
        }
        Some(Due { attempt, error, count: 1 })
    }

    /// What a minute has gathered; `all` empties the rest as well, before the server stops.
    pub(super) fn due(&mut self, now: Millis, all: bool) -> Vec<Due> {
        let mut due = Vec::new();
        self.waiting.retain(|key, folded| {
            let keep = !all && now.since(folded.since) < MINUTE;
            if !keep && folded.count > 0 {
                due.push(Due { attempt: folded.attempt.clone(), error: key.error.clone(), count: folded.count });
            }
            keep
        });
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Actor;

    fn attempt() -> Attempt {
        Attempt::of(&Actor::Anonymous, "delete_group", "group:grp_1".into(), None)
    }

    #[test]
    fn the_first_is_written_and_equal_ones_become_one_row() {
        let mut denials = Denials::default();
        assert!(denials.record(attempt(), "denied".into(), Millis(0)).is_some());
        for n in 1..=5 {
            assert!(denials.record(attempt(), "denied".into(), Millis(n)).is_none());
        }
        assert!(denials.due(Millis(MINUTE - 1), false).is_empty());
        let due = denials.due(Millis(MINUTE), false);
        assert_eq!(due.iter().map(|d| d.count).collect::<Vec<_>>(), [5]);
    }

    #[test]
    fn stopping_writes_what_waits() {
        let mut denials = Denials::default();
        denials.record(attempt(), "denied".into(), Millis(0));
        denials.record(attempt(), "denied".into(), Millis(1));
        assert_eq!(denials.due(Millis(2), true).len(), 1);
    }
}
