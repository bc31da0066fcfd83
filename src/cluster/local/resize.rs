//! Another size for a workspace that runs: at once where the kernel counts the whole of it, else at the next start, and
//! said so. Limits of single processes were given with them and cannot be changed from outside.

use crate::cluster::local::state::{Live, Shared};
use crate::cluster::{NoteKind, WorkspaceSpec};

/// Gives what runs the wanted size; answers whether that is in force now.
pub fn resize(shared: &Shared, live: &Live, spec: &WorkspaceSpec) -> bool {
    if shared.state().workspaces.get(&spec.id).is_none_or(|entry| entry.applied.as_ref() == Some(&spec.size)) {
        return true;
    }
    if live.groups.govern() && live.groups.set(&spec.size).is_ok() {
        shared.change(&spec.id, |entry| entry.applied = Some(spec.size.clone()));
        shared.note(&spec.id, spec.run, NoteKind::Step, "resized", "The new size is in force.");
        return true;
    }
    let words = "The new size is used from the next start: this host cannot change the limits of programs that run.";
    shared.note(&spec.id, spec.run, NoteKind::Warning, "resize_waits", words);
    false
}
