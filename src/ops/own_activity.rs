//! Who looked at or changed the caller's things: what the audit log says of their account and their workspaces where
//! somebody else acted.
//!
//! The address and the program of whoever did it are theirs, and are not shown; the reason they wrote is.

use super::{Caller, Ops};
use crate::error::Result;
use crate::policy::{Action, Target};
pub use crate::store::audit_concern::Deed;
use crate::store::{Page, Read, actors, audit_concern};

/// What became of somebody's things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing: it was refused, or failed.
    Tried,
    /// Something of them was read.
    Looked,
    /// Somebody went into a workspace.
    Entered,
    Changed,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Tried, Self::Looked, Self::Entered, Self::Changed];

    pub fn of(action: &str, success: bool) -> Self {
        match Action::parse(action) {
            _ if !success => Self::Tried,
            Some(Action::ViewWorkspaceLogs | Action::ViewWorkspaceEgress | Action::ReadWorkspaceFiles) => Self::Looked,
            Some(Action::OpenTerminal | Action::OpenApp) => Self::Entered,
            _ => Self::Changed,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tried => "tried",
            Self::Looked => "looked",
            Self::Entered => "entered",
            Self::Changed => "changed",
        }
    }
}

/// What others did to the caller's things, newest first; `before` is the number of the last entry of the page before.
pub async fn list(ops: &Ops, caller: &Caller, before: Option<i64>, limit: usize) -> Result<Page<Deed>> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::ViewOwnActivity, Target::Own, None)?;
        match actor.user_id() {
            Some(user) => audit_concern::list(read, user, before, limit),
            None => Ok(Page { items: Vec::new(), more: false }),
        }
    };
    ops.db.read(caller.origin.clone(), job).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_is_an_attempt_and_nothing_else() {
        assert_eq!(Kind::of("delete_workspace", false), Kind::Tried);
        assert_eq!(Kind::of("delete_workspace", true), Kind::Changed);
        assert_eq!(Kind::of("view_workspace_logs", true), Kind::Looked);
        assert_eq!(Kind::of("open_terminal", true), Kind::Entered);
    }
}
