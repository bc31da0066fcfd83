//! Lines that the agent of a workspace has for its timeline: how far a clone is, and why one failed.
//!
//! The agent runs beside the programs of the workspace and as the same user, so what it says is cut to size and counted.

use crate::cluster::local::state::Shared;
use crate::cluster::{NoteKind, WorkspaceSpec};

/// Lines that one run may write.
const MOST: u32 = 100;
/// Characters of one line.
const LONGEST: usize = 600;
const LONGEST_CODE: usize = 40;

/// The lines of one run so far.
#[derive(Debug, Default)]
pub struct AgentNotes(u32);

impl AgentNotes {
    /// Takes one line to the timeline, or drops it where there were too many.
    pub fn take(&mut self, shared: &Shared, spec: &WorkspaceSpec, (code, message, failed): (&str, &str, bool)) {
        self.0 = self.0.saturating_add(1);
        if self.0 > MOST || !is_code(code) {
            return;
        }
        let kind = if failed { NoteKind::Error } else { NoteKind::Step };
        shared.note(&spec.id, spec.run, kind, code, &plain(message));
    }
}

fn is_code(code: &str) -> bool {
    (1..=LONGEST_CODE).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

fn plain(message: &str) -> String {
    message.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_agent_says_is_cut_to_size() {
        assert!(is_code("clone_failed") && !is_code("") && !is_code("A b") && !is_code(&"a".repeat(41)));
        assert_eq!(plain("one\ntwo\x1b[31m"), "onetwo[31m");
        assert_eq!(plain(&"ü".repeat(1_000)).chars().count(), LONGEST);
    }
}
