//! Lines that the agent of a workspace has for its timeline: how far a clone is, and why one failed.
//!
//! What it says is cut to size and counted: the programs of the workspace could say it in its name.

use crate::cluster::local::state::Shared;
use crate::cluster::{NoteKind, WorkspaceSpec};
use crate::domain::agent::{MOST_LINES, line_of};

/// The lines of one run so far.
#[derive(Debug, Default)]
pub struct AgentNotes(u32);

impl AgentNotes {
    /// Takes one line to the timeline, or drops it where there were too many.
    pub fn take(&mut self, shared: &Shared, spec: &WorkspaceSpec, (code, message, failed): (&str, &str, bool)) {
        self.0 = self.0.saturating_add(1);
        let Some(words) = line_of(code, message).filter(|_| self.0 <= MOST_LINES) else { return };
        let kind = if failed { NoteKind::Error } else { NoteKind::Step };
        shared.note(&spec.id, spec.run, kind, code, &words);
    }
}
