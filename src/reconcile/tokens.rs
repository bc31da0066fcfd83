//! Machine tokens follow what runs: given when a run is ready, renewed while it lasts, taken back when it ends.
//!
//! A round tends the workspaces that it dealt with, and now and then a page of all of them, for what nobody told: a token
//! that grew old, an account that ran out.

use crate::clock::{Millis, SECOND};
use crate::domain::id::WorkspaceId;
use crate::ops::Ops;
use crate::ops::machine_tokens::{self, Walk};

/// A page of everything is tended this often, in milliseconds.
const PAGE_PERIOD: i64 = 5 * SECOND;

/// What one round hands to the next.
#[derive(Debug, Default)]
pub struct Tokens {
    walk: Walk,
    walked: Option<Millis>,
}

impl Tokens {
    /// What cannot be written now is found again by a later walk.
    pub async fn tend(&mut self, ops: &Ops, kid: String, among: Vec<WorkspaceId>, now: Millis) {
        if !among.is_empty()
            && let Err(error) = machine_tokens::tend(ops, kid.clone(), among).await
        {
            tracing::warn!(%error, "machine tokens could not be given or taken back; it is tried again");
        }
        if self.walked.is_some_and(|walked| now.since(walked) < PAGE_PERIOD) {
            return;
        }
        self.walked = Some(now);
        match machine_tokens::walk(ops, kid, self.walk.clone()).await {
            Ok(walk) => self.walk = walk,
            Err(error) => tracing::warn!(%error, "machine tokens could not be walked; it is tried again"),
        }
    }
}
