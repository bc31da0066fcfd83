//! What follows from a change, as data. The writer thread runs effects after the commit, in commit order, before the
//! caller is answered, so that a dropped request can lose nothing. None of them waits.

use crate::events::{Bus, Cut, CutReason, Event};

/// A closed list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// End live connections.
    Cut(Cut, CutReason),
    /// Wake the reconciler.
    Wake,
    /// Tell the pages.
    Publish(Event),
}

/// Connections are cut before anybody is told, and the reconciler wakes in between.
fn order(effect: &Effect) -> u8 {
    match effect {
        Effect::Cut(..) => 0,
        Effect::Wake => 1,
        Effect::Publish(_) => 2,
    }
}

/// Runs the effects of one commit.
pub(super) fn run(bus: &Bus, mut effects: Vec<Effect>) {
    effects.sort_by_key(order);
    for effect in effects {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| match effect {
            Effect::Cut(cut, reason) => bus.cut(&cut, reason),
            Effect::Wake => bus.reconcile.notify_one(),
            Effect::Publish(event) => bus.publish(event),
        }));
        if outcome.is_err() {
            tracing::error!("an effect of a committed change panicked; the change stands");
        }
    }
}
