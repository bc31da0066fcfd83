//! The three-role matrix of the privilege guidelines (38 rows), computed from the table and shown in the UI.
//!
//! Nothing here decides: each cell is found by asking [`super::may`] with a typical person of the role and a typical
//! object, so a change of the table shows in the golden file of this matrix.

use super::action::Action;
use super::actor::{Actor, Credential, Role, UserActor};
use super::matrix::{Object, row};
use super::rights::Rights;
use super::target::{GroupFacts, Target, UserFacts, WorkspaceFacts};
use super::{may, object_of};
use crate::clock::Millis;
use crate::domain::id::{GroupId, OrganizationId, SessionId, UserId, WorkspaceId};
use std::collections::BTreeMap;

/// Which objects a row of the guidelines speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    /// The caller's own.
    Own,
    /// Those of the groups in which the caller has a role.
    Groups,
    /// Own ones and those of groups.
    OwnAndGroups,
    /// All there are.
    All,
}

struct Line {
    number: u8,
    words: &'static str,
    action: Action,
    subject: Subject,
}

const fn line(number: u8, words: &'static str, action: Action, subject: Subject) -> Line {
    Line { number, words, action, subject }
}

const LINES: [Line; 38] = {
    use Action as A;
    use Subject::{All, Groups, Own, OwnAndGroups};
    [
        line(1, "View own profile", A::ViewOwnProfile, Own),
        line(2, "Edit own profile", A::UpdateOwnProfile, Own),
        line(3, "View other users' profiles", A::ViewUser, Groups),
        line(4, "Create users", A::CreateUser, All),
        line(5, "Delete users", A::DeleteUser, All),
        line(6, "Enable/disable users", A::DisableUser, All),
        line(7, "Reset passwords", A::ResetUserPassword, All),
        line(8, "Promote to admin", A::PromoteUserToAdmin, All),
        line(9, "Manage group membership", A::AddUserToGroup, All),
        line(10, "View own groups", A::ListOwnGroups, Own),
        line(11, "View group members", A::ViewGroupMembers, Groups),
        line(12, "View group resources", A::ViewGroupUsage, Groups),
        line(13, "View all groups", A::ListAllGroups, All),
        line(14, "Create groups", A::CreateGroup, All),
        line(15, "Delete groups", A::DeleteGroup, All),
        line(16, "Modify group quotas", A::SetGroupQuota, All),
        line(17, "Add group members", A::AddUserToGroup, All),
        line(18, "Remove group members", A::RemoveUserFromGroup, All),
        line(19, "Set group admin roles", A::PromoteUserToGroupAdmin, All),
        line(20, "Create workspace", A::CreateWorkspace, Groups),
        line(21, "View own workspaces", A::ViewWorkspace, Own),
        line(22, "View group workspaces", A::ListGroupWorkspaces, Groups),
        line(23, "View all workspaces", A::ListAllWorkspaces, All),
        line(24, "Start/stop own workspace", A::StartWorkspace, Own),
        line(25, "Start/stop group workspace", A::StartWorkspace, Groups),
        line(26, "Delete own workspace", A::DeleteWorkspace, Own),
        line(27, "Delete group workspace", A::DeleteWorkspace, Groups),
        line(28, "Delete any workspace", A::AdminDeleteWorkspace, All),
        line(29, "View workspace logs", A::ViewWorkspaceLogs, OwnAndGroups),
        line(30, "View workspace metrics", A::ViewWorkspaceMetrics, OwnAndGroups),
        line(31, "Update workspace details", A::UpdateWorkspace, OwnAndGroups),
        line(32, "View dashboard", A::ViewDashboard, Own),
        line(33, "View platform stats", A::ViewPlatformStats, All),
        line(34, "Access admin panel", A::AccessAdminPanel, All),
        line(35, "View audit logs", A::ViewAuditLog, All),
        line(36, "Modify system settings", A::UpdateSystemSettings, All),
        line(37, "View cluster capacity", A::ViewClusterCapacity, All),
        line(38, "Manage pricing config", A::UpdatePricing, All),
    ]
};

/// One printed row.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GuidelineRow {
    /// Row of the privilege guidelines, 1 to 38.
    pub number: u8,
    /// The action's code.
    pub action: &'static str,
    /// What the guidelines call it.
    pub name: &'static str,
    pub member: &'static str,
    pub group_admin: &'static str,
    pub platform_admin: &'static str,
}

/// The matrix, computed from the table.
pub fn matrix() -> Vec<GuidelineRow> {
    LINES
        .iter()
        .map(|l| GuidelineRow {
            number: l.number,
            action: l.action.code(),
            name: l.words,
            member: cell(l, &person(Rights::NONE, Some(Role::Member))),
            group_admin: cell(l, &person(Rights::NONE, Some(Role::Admin))),
            platform_admin: cell(l, &person(Rights::ALL, None)),
        })
        .collect()
}

const CALLER: &str = "usr_00000000000000000000000000000001";
const OTHER: &str = "usr_00000000000000000000000000000002";
const GROUP: &str = "grp_00000000000000000000000000000001";
const ELSEWHERE: &str = "grp_00000000000000000000000000000002";
const ORGANIZATION: &str = "org_00000000000000000000000000000001";

fn person(rights: Rights, role: Option<Role>) -> Actor {
    let groups: BTreeMap<GroupId, Role> = role.map(|r| (GroupId::trusted(GROUP.into()), r)).into_iter().collect();
    Actor::User(Box::new(UserActor {
        id: UserId::trusted(CALLER.into()),
        username: "somebody".into(),
        rights,
        groups,
        organizations: BTreeMap::new(),
        credential: Credential::Cookie(SessionId::trusted("ses_00000000000000000000000000000001".into())),
        token: None,
        signed_in_at: Millis(0),
        has_second_factor: false,
        must_change_password: false,
    }))
}

/// Asks about an object that is (own, in the caller's group, elsewhere).
fn allowed(actor: &Actor, action: Action, owner: &str, group: &str) -> bool {
    let group_id = GroupId::trusted(group.into());
    let organization_id = OrganizationId::trusted(ORGANIZATION.into());
    match object_of(action) {
        Object::System => may(actor, action, Target::System),
        Object::Own => may(actor, action, Target::Own),
        Object::User => {
            let facts = UserFacts {
                id: UserId::trusted(owner.into()),
                username: "other".into(),
                active: true,
                rights: Rights::NONE,
                groups: vec![group_id],
                last_admin: false,
            };
            may(actor, action, Target::User(&facts))
        }
        Object::Group => {
            let facts =
                GroupFacts { id: group_id, name: "team".into(), organization_id, private: true, private_members: true, deleting: false };
            may(actor, action, Target::Group(&facts))
        }
        Object::Workspace => {
            let facts = WorkspaceFacts {
                id: WorkspaceId::trusted("ws_00000000000000000000000000000001".into()),
                name: "work".into(),
                group_id,
                organization_id,
                owner_id: UserId::trusted(owner.into()),
                share: None,
            };
            may(actor, action, Target::Workspace(&facts))
        }
    }
}

fn cell(line: &Line, actor: &Actor) -> &'static str {
    let own = allowed(actor, line.action, CALLER, GROUP);
    let in_group = allowed(actor, line.action, OTHER, GROUP);
    let elsewhere = allowed(actor, line.action, OTHER, ELSEWHERE);
    let needs_admin_role = !row(line.action).group_member;
    match line.subject {
        Subject::Own => {
            if own {
                "yes"
            } else {
                "no"
            }
        }
        Subject::All => {
            if elsewhere {
                "yes"
            } else {
                "no"
            }
        }
        Subject::Groups if elsewhere => "yes",
        Subject::Groups if in_group && line.number == 3 => "limited: users who share a group where the caller is group admin",
        Subject::Groups if in_group && needs_admin_role => "limited: groups where role is admin",
        Subject::Groups if in_group => "yes (own groups)",
        Subject::Groups => "no",
        Subject::OwnAndGroups if elsewhere => "yes",
        Subject::OwnAndGroups if in_group => "limited: own + groups where role is admin",
        Subject::OwnAndGroups if own => "limited: own workspaces",
        Subject::OwnAndGroups => "no",
    }
}
