//! What goes on while the disk is nearly full.
//!
//! A new action is not in the list: it is refused with 507 until somebody has decided otherwise. What is listed ends
//! something, frees something, lets the person in who frees it, or keeps somebody out; each costs an audit entry or two.

use super::{Action, Actor};

/// Whether the action is taken although nothing new should be written.
pub fn goes_on(actor: &Actor, action: Action) -> bool {
    // The server's own work records what happens anyway: a workspace that ended, a token that is taken back.
    matches!(actor, Actor::System(_)) || is_spared(action)
}

const fn is_spared(action: Action) -> bool {
    use Action as A;
    match action {
        // Getting in, and out.
        A::SignIn | A::SignOut | A::EndSession | A::ReuseRefreshToken | A::SignOutUser | A::EndUserSession => true,
        // Keeping somebody out.
        A::DisableUser | A::DeleteUser | A::RemoveUserFromGroup | A::DemoteAdminUser | A::DemoteUserFromGroupAdmin => true,
        A::RevokeOwnToken | A::RevokeUserToken => true,
        // Ending and freeing.
        A::StopWorkspace | A::DeleteWorkspace | A::AdminDeleteWorkspace | A::DeleteGroup | A::RemoveApp | A::OffboardUser => true,
        // Going where the files are that somebody may delete.
        A::OpenTerminal | A::OpenApp | A::ReadWorkspaceFiles | A::WriteWorkspaceFiles => true,
        // What brings the installation back.
        A::RestoreBackup | A::RotateKeys => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Task;

    #[test]
    fn ending_and_signing_in_go_on_and_making_does_not() {
        let shell = Actor::CommandLine { system_user: "root".into() };
        for action in [Action::SignIn, Action::StopWorkspace, Action::DeleteWorkspace, Action::DisableUser, Action::RevokeUserToken] {
            assert!(goes_on(&shell, action), "{action:?}");
        }
        for action in [Action::CreateWorkspace, Action::StartWorkspace, Action::CreateUser, Action::CreateBackup, Action::UpdateOwnProfile]
        {
            assert!(!goes_on(&shell, action), "{action:?}");
        }
        assert!(goes_on(&Actor::System(Task::Reconcile), Action::RecordWorkspaceState));
    }
}
