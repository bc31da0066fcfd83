//! The full comparison: everything that the file holds settled, page by page, against what the cluster holds.
//!
//! It finds what nobody announced: what the cluster lost while no server ran, and what it holds that the file does not
//! know. The latter is reported and left alone: a restored older file must not delete the work of everybody who came
//! after it. A few pages a round, so that it never keeps a start waiting; whatever the number of rows, memory holds one
//! page.

use super::held::Held;
use super::{PAGE, Reconciler, Round, origin};
use crate::clock::{MINUTE, Millis};
use crate::error::Result;
use crate::store::Read;
use crate::store::due::{self, After};

/// From the end of one comparison to the beginning of the next, in milliseconds.
const EVERY: i64 = 5 * MINUTE;
/// Pages that one round compares.
const PAGES_A_ROUND: usize = 10;

/// How far the comparison is.
#[derive(Debug, Default)]
pub struct Sweep {
    /// The end of the last page, while one is going.
    at: Option<After>,
    ended: Option<Millis>,
    /// Ids of what the cluster holds and the file does not know.
    orphans: Vec<String>,
}

impl Sweep {
    pub fn is_going(&self) -> bool {
        self.at.is_some()
    }
}

impl Reconciler {
    /// What the cluster held and the file did not know at the last full comparison.
    pub fn orphans(&self) -> &[String] {
        &self.sweep.orphans
    }

    pub(super) async fn sweep_on(&mut self, round: &Round<'_>) -> Result<bool> {
        let begins = self.sweep.at.is_none() && self.sweep.ended.is_none_or(|ended| round.now.since(ended) >= EVERY);
        if begins {
            self.find_orphans(&round.held).await?;
            self.sweep.at = Some(After::default());
        }
        let mut acted = false;
        for _ in 0..PAGES_A_ROUND {
            let Some(after) = self.sweep.at.clone() else { break };
            let ids = self.page(due::rest, after.clone()).await?;
            if ids.is_empty() {
                (self.sweep.at, self.sweep.ended) = (None, Some(round.now));
                break;
            }
            let end = ids.end(&after);
            acted |= self.settle(&round.fresh(ids), round).await?;
            self.sweep.at = Some(end);
        }
        Ok(acted)
    }

    async fn find_orphans(&mut self, held: &Held<'_>) -> Result<()> {
        let mut orphans = Vec::new();
        for ids in held.pages(PAGE as usize) {
            let strange = self.ops.db.read(origin(), move |read: &Read<'_>| due::strangers(read, &ids)).await?;
            orphans.extend(strange.groups.iter().map(ToString::to_string));
            orphans.extend(strange.workspaces.iter().map(ToString::to_string));
        }
        if orphans != self.sweep.orphans
            && let Some(first) = orphans.first()
        {
            tracing::warn!(count = orphans.len(), first, "the cluster holds what this database does not know; it is left alone");
        }
        self.sweep.orphans = orphans;
        Ok(())
    }
}
