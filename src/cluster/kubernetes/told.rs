//! Notes of the changing half for the timelines of workspaces: what could not be done now, and when it will be. They are
//! told with the next observation, each once for a generation.

use crate::cluster::Note;
use crate::domain::id::WorkspaceId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Default)]
struct State {
    waiting: BTreeMap<WorkspaceId, Vec<Note>>,
    /// Code and generation of what was told.
    told: BTreeMap<WorkspaceId, BTreeSet<(String, i64)>>,
}

/// Notes that nobody has taken yet.
#[derive(Default)]
pub struct Told(Mutex<State>);

impl Told {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a note, unless the same was told of this generation.
    pub fn tell(&self, id: &WorkspaceId, generation: i64, note: Note) {
        let mut state = self.state();
        if state.told.entry(id.clone()).or_default().insert((note.code.clone(), generation)) {
            state.waiting.entry(id.clone()).or_default().push(note);
        }
    }

    /// Takes the notes of a workspace.
    pub fn take(&self, id: &WorkspaceId) -> Vec<Note> {
        self.state().waiting.remove(id).unwrap_or_default()
    }

    /// Forgets a workspace that was removed.
    pub fn forget(&self, id: &WorkspaceId) {
        let mut state = self.state();
        state.waiting.remove(id);
        state.told.remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Millis;
    use crate::cluster::NoteKind;

    #[test]
    fn a_note_is_told_once_for_a_generation() {
        let (told, id) = (Told::default(), WorkspaceId::trusted("ws_1".into()));
        let note = Note { at: Millis(1), run: 1, kind: NoteKind::Warning, code: "resize_waits".into(), message: "x".into() };
        told.tell(&id, 3, note.clone());
        told.tell(&id, 3, note.clone());
        assert_eq!(told.take(&id).len(), 1);
        told.tell(&id, 3, note.clone());
        assert_eq!(told.take(&id).len(), 0, "it was told already");
        told.tell(&id, 4, note);
        assert_eq!(told.take(&id).len(), 1);
    }
}
