//! The proof that policy said yes. Store functions that change something take one, and only `policy` makes them.

use super::action::Action;
use super::actor::Actor;
use crate::domain::id::GroupId;

/// What a permit for one action lets the server do that the actor could not do by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consequence {
    /// Creating a group makes its creator the first admin of it.
    FirstMember,
    /// Setting up creates the first user, an administrator.
    FirstAdministrator,
    /// Deleting a group ends its memberships; deleting a user too.
    EndMemberships,
    /// Disabling, deleting, demoting or resetting a user ends sign-ins.
    EndSessions,
    /// A user is created with memberships, or with the admin right.
    InitialMemberships,
}

/// Made by [`super::authorize`] and by nobody else.
#[derive(Debug, Clone)]
pub struct Permit {
    action: Action,
    actor: Actor,
    resource: String,
    group_id: Option<GroupId>,
    reason: Option<String>,
    /// A platform admin entered somebody else's workspace with a reason.
    break_glass: bool,
}

impl Permit {
    pub(super) fn new(
        action: Action,
        actor: Actor,
        resource: String,
        group_id: Option<GroupId>,
        reason: Option<String>,
        break_glass: bool,
    ) -> Self {
        Self { action, actor, resource, group_id, reason, break_glass }
    }

    pub fn action(&self) -> Action {
        self.action
    }

    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// `kind:id` of the object.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    pub fn group_id(&self) -> Option<&GroupId> {
        self.group_id.as_ref()
    }

    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    pub fn is_break_glass(&self) -> bool {
        self.break_glass
    }

    /// The same permit, now naming the object that the action has just made.
    #[must_use]
    pub fn made(mut self, resource: String, group_id: Option<GroupId>) -> Self {
        self.resource = resource;
        if group_id.is_some() {
            self.group_id = group_id;
        }
        self
    }

    /// Whether this permit carries the consequence: the listed pairs, and no others.
    pub fn allows(&self, consequence: Consequence) -> bool {
        use Action as A;
        match consequence {
            Consequence::FirstMember => self.action == A::CreateGroup,
            Consequence::FirstAdministrator => self.action == A::SetUp,
            Consequence::EndMemberships => matches!(self.action, A::DeleteGroup | A::DeleteUser | A::RecordGroupState),
            Consequence::EndSessions => matches!(
                self.action,
                A::DisableUser
                    | A::EndAccount
                    | A::DeleteUser
                    | A::ResetUserPassword
                    | A::SignOutUser
                    | A::ChangePassword
                    | A::SignOut
                    | A::ReuseRefreshToken
                    | A::SignIn
                    | A::EndSession
                    | A::EndUserSession
            ),
            Consequence::InitialMemberships => self.action == A::CreateUser,
        }
    }
}
