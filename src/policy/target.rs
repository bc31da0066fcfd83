//! What is asked about: the facts of an object that policy needs, loaded in the transaction that decides.

use super::matrix::{Object, Share};
use super::rights::Rights;
use crate::domain::id::{GroupId, OrganizationId, UserId, WorkspaceId};

#[derive(Debug, Clone)]
pub struct UserFacts {
    pub id: UserId,
    pub username: String,
    pub active: bool,
    pub rights: Rights,
    /// Groups the user is a member of.
    pub groups: Vec<GroupId>,
    /// No other active user holds all four platform rights.
    pub last_admin: bool,
}

#[derive(Debug, Clone)]
pub struct GroupFacts {
    pub id: GroupId,
    pub name: String,
    pub organization_id: OrganizationId,
    pub private: bool,
    pub private_members: bool,
    /// Seen by platform admins only.
    pub deleting: bool,
}

#[derive(Debug, Clone)]
pub struct WorkspaceFacts {
    pub id: WorkspaceId,
    pub name: String,
    pub group_id: GroupId,
    pub organization_id: OrganizationId,
    pub owner_id: UserId,
    /// The highest level at which it is shared with the caller.
    pub share: Option<Share>,
}

/// The object of an action.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    System,
    /// The caller's own account.
    Own,
    User(&'a UserFacts),
    Group(&'a GroupFacts),
    Workspace(&'a WorkspaceFacts),
}

impl Target<'_> {
    pub const fn object(&self) -> Object {
        match self {
            Self::System => Object::System,
            Self::Own => Object::Own,
            Self::User(_) => Object::User,
            Self::Group(_) => Object::Group,
            Self::Workspace(_) => Object::Workspace,
        }
    }

    /// `kind:id`, as the audit log names it.
    pub fn resource(&self, caller: Option<&UserId>) -> String {
        match self {
            Self::System => "system".to_owned(),
            Self::Own => caller.map_or_else(|| "system".to_owned(), |id| format!("user:{id}")),
            Self::User(user) => format!("user:{}", user.id),
            Self::Group(group) => format!("group:{}", group.id),
            Self::Workspace(workspace) => format!("workspace:{}", workspace.id),
        }
    }

    /// The group that the object belongs to.
    pub const fn group_id(&self) -> Option<&GroupId> {
        match self {
            Self::Group(group) => Some(&group.id),
            Self::Workspace(workspace) => Some(&workspace.group_id),
            Self::System | Self::Own | Self::User(_) => None,
        }
    }
}
