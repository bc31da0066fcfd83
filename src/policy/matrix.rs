//! THE TABLE: one row per action, the columns are sources of right.
//!
//! One exhaustive `match` without a wildcard, so that a new action does not compile until somebody has decided who may
//! take it. A cell says that this source of right gives the action on the object at hand; sources add up and nothing
//! subtracts, but for the few "never" rules of [`super::constraints`]. The three-role matrix of the privilege
//! guidelines (38 rows) is printed from this table: [`super::guidelines`].
//!
//! This file is a table and may be longer than other files.

use super::action::Action;
use super::rights::Right;
use crate::domain::scope::{Area, Scope};
use crate::error::Missing;

/// What kind of object an action is taken on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object {
    /// The installation as a whole.
    System,
    /// The caller's own account.
    Own,
    User,
    Group,
    Workspace,
}

/// Who may ask without any relation to the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Everyone {
    No,
    /// Whoever is signed in.
    SignedIn,
    /// Also who is not signed in; the reason is written beside the row.
    Anonymous,
}

/// When a written reason is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReasonRule {
    Never,
    /// Taken and shown in the audit log when given.
    Welcome,
    /// Must be given when the object belongs to somebody else.
    ForOthers,
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Audit code, key of `can`.
    pub code: &'static str,
    /// What it does, for people: completes "You may not …".
    pub words: &'static str,
    pub object: Object,
    /// Any one of these platform rights gives it on everything.
    pub platform: &'static [Right],
    /// An organization role that carries the action of this name gives it inside that organization.
    pub organization: bool,
    pub group_admin: bool,
    pub group_member: bool,
    /// A share of at least this level gives it on the shared workspace.
    pub share: Option<Share>,
    /// The object is the caller's own.
    pub own: bool,
    /// The object shows this to everybody who is signed in: a group that is not private, its members where they are not.
    pub public: bool,
    pub everyone: Everyone,
    /// The workspace itself, by its machine token.
    pub machine: bool,
    /// The tasks of the server itself that may do it.
    pub system: bool,
    /// Scope that an API token needs; `None`: no token ever may, whatever its owner may do.
    pub scope: Option<Scope>,
    /// Needs a second factor shown within the last 10 minutes, from people who have one.
    pub step_up: bool,
    pub reason: ReasonRule,
    /// An extra door: a platform admin with a written reason, while `workspaces.break_glass` is on.
    pub break_glass: bool,
}

/// Level of a share, lowest first (Che's words).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Share {
    Read,
    Use,
    Run,
    Configure,
    Delete,
    SetPermissions,
}

const USERS: &[Right] = &[Right::ManageUsers];
const SYSTEM: &[Right] = &[Right::ManageSystem];
const MONITOR: &[Right] = &[Right::MonitorSystem, Right::ManageSystem];
const WATCH_USERS: &[Right] = &[Right::ManageUsers, Right::MonitorSystem];

const PROFILE_READ: Option<Scope> = Some(Scope::read(Area::Profile));
const PROFILE_WRITE: Option<Scope> = Some(Scope::write(Area::Profile));
const WORKSPACES_READ: Option<Scope> = Some(Scope::read(Area::Workspaces));
const WORKSPACES_WRITE: Option<Scope> = Some(Scope::write(Area::Workspaces));
/// Into workspaces: neither reading nor writing of the list of workspaces lets a program in.
const WORKSPACES_CONNECT: Option<Scope> = Some(Scope::CONNECT);
const GROUPS_READ: Option<Scope> = Some(Scope::read(Area::Groups));
const GROUPS_WRITE: Option<Scope> = Some(Scope::write(Area::Groups));
const TEMPLATES_READ: Option<Scope> = Some(Scope::read(Area::Templates));
const AUDIT_READ: Option<Scope> = Some(Scope::read(Area::Audit));
const USERS_READ: Option<Scope> = Some(Scope::read(Area::Users));
const USERS_WRITE: Option<Scope> = Some(Scope::write(Area::Users));
/// Also what the platform as a whole has, does and costs.
const SETTINGS_READ: Option<Scope> = Some(Scope::read(Area::Settings));
const SETTINGS_WRITE: Option<Scope> = Some(Scope::write(Area::Settings));
const METRICS_READ: Option<Scope> = Some(Scope::read(Area::Metrics));

const NOBODY: Row = Row {
    code: "",
    words: "",
    object: Object::System,
    platform: &[],
    organization: false,
    group_admin: false,
    group_member: false,
    share: None,
    own: false,
    public: false,
    everyone: Everyone::No,
    machine: false,
    system: false,
    scope: None,
    step_up: false,
    reason: ReasonRule::Never,
    break_glass: false,
};

const fn system(code: &'static str, words: &'static str, platform: &'static [Right]) -> Row {
    Row { code, words, platform, ..NOBODY }
}

const fn own_account(code: &'static str, words: &'static str) -> Row {
    Row { code, words, object: Object::Own, everyone: Everyone::SignedIn, scope: PROFILE_READ, ..NOBODY }
}

const fn user(code: &'static str, words: &'static str) -> Row {
    Row { code, words, object: Object::User, platform: USERS, scope: USERS_WRITE, step_up: true, reason: ReasonRule::Welcome, ..NOBODY }
}

const fn group(code: &'static str, words: &'static str, platform: &'static [Right]) -> Row {
    Row { code, words, object: Object::Group, platform, scope: GROUPS_WRITE, reason: ReasonRule::Welcome, ..NOBODY }
}

/// A right of the owner, of the admins of the group and of platform admins.
const fn workspace(code: &'static str, words: &'static str, share: Share) -> Row {
    Row {
        code,
        words,
        object: Object::Workspace,
        platform: SYSTEM,
        organization: true,
        group_admin: true,
        share: Some(share),
        own: true,
        scope: WORKSPACES_WRITE,
        reason: ReasonRule::Welcome,
        ..NOBODY
    }
}

/// A right of the workspace itself and of nobody else.
const fn machine(code: &'static str, words: &'static str) -> Row {
    Row { code, words, object: Object::Workspace, machine: true, ..NOBODY }
}

/// The row of an action.
pub const fn row(action: Action) -> Row {
    use Action as A;
    match action {
        // Whoever holds the one-time code from the terminal makes the first administrator.
        A::SetUp => Row { everyone: Everyone::Anonymous, system: true, ..system("set_up", "set up this installation", &[]) },
        // Nobody is signed in before signing in.
        A::SignIn => Row { everyone: Everyone::Anonymous, ..system("sign_in", "sign in", &[]) },
        A::SignOut => Row { everyone: Everyone::SignedIn, ..system("sign_out", "sign out", &[]) },
        A::ReuseRefreshToken => Row { everyone: Everyone::Anonymous, ..system("token_reuse_detected", "use a refresh token twice", &[]) },

        A::ViewOwnProfile => own_account("view_own_profile", "see your profile"),
        A::UpdateOwnProfile => Row { scope: PROFILE_WRITE, ..own_account("update_profile", "change your profile") },
        // What proves who somebody is, is changed by whoever signed in, never by a program: a token that leaked must not
        // become a sign-in or another token.
        A::ChangePassword => Row { scope: None, ..own_account("change_password", "change your password") },
        A::ListOwnSessions => Row { scope: None, ..own_account("list_sessions", "list your sign-ins") },
        A::EndSession => Row { scope: None, ..own_account("end_session", "end one of your sign-ins") },
        A::ListOwnTokens => Row { scope: None, ..own_account("list_own_tokens", "list your API tokens") },
        A::CreateOwnToken => Row { scope: None, step_up: true, ..own_account("create_api_token", "make API tokens") },
        A::RevokeOwnToken => Row { scope: None, ..own_account("revoke_api_token", "revoke your API tokens") },
        // Each hit is filtered by what the caller may see, which is more than one scope names.
        A::SearchEverything => Row { scope: None, ..own_account("search", "search") },
        // Each event is filtered by its audience, as for the search.
        A::ReadEvents => Row { scope: None, ..own_account("read_events", "follow events") },
        A::ReadOwnNotices => own_account("read_own_notices", "read what you were told"),
        A::ViewMatrix => own_account("view_access_matrix", "see the privilege matrix"),
        A::ManageOwnSshKey => Row { scope: PROFILE_WRITE, ..own_account("manage_own_ssh_key", "see and replace your SSH key") },
        A::ManageOwnGitCredentials => {
            Row { scope: PROFILE_WRITE, ..own_account("manage_own_git_credentials", "see and change your git credentials") }
        }
        // Only what others did to the caller's own things.
        A::ViewOwnActivity => own_account("view_own_activity", "see who looked at or changed your things"),

        A::ListUsers => Row { scope: USERS_READ, ..system("list_users", "list all users", WATCH_USERS) },
        A::ViewUser => Row {
            own: true,
            group_admin: true,
            step_up: false,
            reason: ReasonRule::Never,
            platform: WATCH_USERS,
            scope: USERS_READ,
            ..user("view_user", "see this user's profile")
        },
        A::CreateUser => Row { object: Object::System, ..user("create_user", "create users") },
        A::UpdateUser => user("update_user", "change this user"),
        A::DeleteUser => user("delete_user", "delete this user"),
        A::EnableUser => user("enable_user", "enable this user"),
        A::DisableUser => user("disable_user", "disable this user"),
        // Whoever sets a password can sign in with it: no token may, or its scopes would bound nothing.
        A::ResetUserPassword => Row { scope: None, ..user("reset_user_password", "reset this user's password") },
        A::UnlockUser => Row { system: true, ..user("unlock_user", "lift the sign-in throttle of this user") },
        // Whoever holds the link chooses the password.
        A::InviteUser => Row { scope: None, ..user("invite_user", "invite this user anew, or withdraw the invitation") },
        A::SignOutUser => user("sign_out_user", "sign this user out everywhere"),
        A::ListUserSessions => Row {
            step_up: false,
            reason: ReasonRule::Never,
            scope: USERS_READ,
            ..user("list_user_sessions", "see where this user is signed in")
        },
        A::EndUserSession => user("end_user_session", "end a sign-in of this user"),
        // It takes workspaces and tokens from somebody for good: a person does that.
        A::OffboardUser => Row { scope: None, ..user("offboard_user", "end everything of this user") },
        A::PromoteUserToAdmin => {
            Row { platform: &[Right::SetPermissions], scope: None, ..user("promote_user_to_admin", "make this user a platform admin") }
        }
        A::DemoteAdminUser => {
            let row = user("demote_admin_user", "take the platform admin right from this user");
            Row { platform: &[Right::SetPermissions], scope: None, ..row }
        }
        A::CreateServiceAccount => Row { object: Object::System, ..user("create_service_account", "create service accounts") },
        A::ListUserTokens => Row {
            platform: WATCH_USERS,
            step_up: false,
            reason: ReasonRule::Never,
            scope: USERS_READ,
            ..user("list_user_tokens", "list this user's API tokens")
        },
        A::ListAllTokens => Row { scope: USERS_READ, ..system("list_all_tokens", "list all API tokens", WATCH_USERS) },
        A::CreateServiceToken => Row { scope: None, ..user("create_service_token", "make API tokens for this service account") },
        A::RevokeUserToken => user("revoke_user_token", "revoke this user's API tokens"),

        A::ListOwnGroups => Row { everyone: Everyone::SignedIn, scope: GROUPS_READ, ..system("list_groups", "list your groups", &[]) },
        A::ListAllGroups => Row { scope: GROUPS_READ, ..system("list_all_groups", "list all groups", MONITOR) },
        A::ViewGroup => Row {
            public: true,
            group_admin: true,
            group_member: true,
            organization: true,
            scope: GROUPS_READ,
            ..group("view_group", "see this group", MONITOR)
        },
        A::ViewGroupMembers => Row {
            public: true,
            group_admin: true,
            group_member: true,
            organization: true,
            platform: &[Right::ManageUsers, Right::MonitorSystem, Right::ManageSystem],
            scope: GROUPS_READ,
            ..group("view_group_members", "see the members of this group", MONITOR)
        },
        A::ViewGroupUsage => Row {
            group_admin: true,
            group_member: true,
            organization: true,
            scope: GROUPS_READ,
            ..group("view_group_usage", "see what this group uses", MONITOR)
        },
        A::ReadGroupPage => Row {
            group_admin: true,
            group_member: true,
            organization: true,
            scope: GROUPS_READ,
            ..group("read_group_page", "read the notes of this group", MONITOR)
        },
        A::EditGroupPage => Row { group_admin: true, ..group("edit_group_page", "write the notes of this group", SYSTEM) },
        A::CreateGroup => Row { object: Object::System, ..group("create_group", "create groups", SYSTEM) },
        A::UpdateGroup => group("update_group", "change this group", SYSTEM),
        A::SetGroupQuota => Row { step_up: true, ..group("set_group_quota", "change the quota of this group", SYSTEM) },
        A::DeleteGroup => Row { step_up: true, ..group("delete_group", "delete this group", SYSTEM) },
        A::AddUserToGroup => Row { step_up: true, ..group("add_user_to_group", "add members to this group", USERS) },
        A::RemoveUserFromGroup => Row { step_up: true, ..group("remove_user_from_group", "remove members from this group", USERS) },
        A::SetUserGroupRole => Row { step_up: true, ..group("set_user_group_role", "change roles in this group", USERS) },
        A::PromoteUserToGroupAdmin => {
            Row { step_up: true, ..group("promote_user_to_group_admin", "make members admins of this group", USERS) }
        }
        A::DemoteUserFromGroupAdmin => {
            Row { step_up: true, ..group("demote_user_from_group_admin", "take the admin role in this group from members", USERS) }
        }

        A::ListTemplates => Row { everyone: Everyone::SignedIn, scope: TEMPLATES_READ, ..system("list_templates", "list templates", &[]) },
        A::ListOwnWorkspaces => {
            Row { everyone: Everyone::SignedIn, scope: WORKSPACES_READ, ..system("list_workspaces", "list your workspaces", &[]) }
        }
        A::ListGroupWorkspaces => Row {
            group_admin: true,
            organization: true,
            scope: WORKSPACES_READ,
            ..group("list_group_workspaces", "list the workspaces of this group", MONITOR)
        },
        A::ListAllWorkspaces => Row { scope: WORKSPACES_READ, ..system("list_all_workspaces", "list all workspaces", MONITOR) },
        A::CreateWorkspace => Row {
            group_admin: true,
            group_member: true,
            organization: true,
            scope: WORKSPACES_WRITE,
            ..group("create_workspace", "create workspaces in this group", SYSTEM)
        },
        A::ViewWorkspace => Row {
            platform: MONITOR,
            reason: ReasonRule::Never,
            scope: WORKSPACES_READ,
            ..workspace("view_workspace", "see this workspace", Share::Read)
        },
        A::StartWorkspace => workspace("start_workspace", "start this workspace", Share::Run),
        A::StopWorkspace => workspace("stop_workspace", "stop this workspace", Share::Run),
        A::RestartWorkspace => workspace("restart_workspace", "restart this workspace", Share::Run),
        A::RestartApp => workspace("restart_app", "restart apps of this workspace", Share::Run),
        A::UpdateWorkspace => workspace("update_workspace", "change this workspace", Share::Configure),
        A::TransferWorkspace => workspace("transfer_workspace", "give this workspace to somebody else", Share::SetPermissions),
        A::DeleteWorkspace => workspace("delete_workspace", "delete this workspace", Share::Delete),
        A::AdminDeleteWorkspace => Row {
            own: false,
            group_admin: false,
            share: None,
            organization: false,
            step_up: true,
            ..workspace("admin_delete_workspace", "delete any workspace", Share::Delete)
        },
        A::SyncWorkspace => Row {
            platform: MONITOR,
            reason: ReasonRule::Never,
            scope: WORKSPACES_READ,
            ..workspace("sync_workspace", "refresh this workspace", Share::Read)
        },
        A::ViewWorkspaceLogs => Row {
            platform: MONITOR,
            reason: ReasonRule::Never,
            scope: WORKSPACES_READ,
            ..workspace("view_workspace_logs", "read the logs of this workspace", Share::Use)
        },
        A::ViewWorkspaceMetrics => Row {
            platform: MONITOR,
            reason: ReasonRule::Never,
            scope: WORKSPACES_READ,
            ..workspace("view_workspace_metrics", "see the metrics of this workspace", Share::Read)
        },
        // Where somebody's programs go tells as much as their log.
        A::ViewWorkspaceEgress => Row {
            platform: MONITOR,
            reason: ReasonRule::Never,
            scope: WORKSPACES_READ,
            ..workspace("view_workspace_egress", "see what this workspace reaches", Share::Use)
        },
        // D5: looking is not entering. Group admins see and stop; only the owner and those it is shared with go in.
        A::OpenTerminal => Row {
            platform: &[],
            group_admin: false,
            organization: false,
            break_glass: true,
            scope: WORKSPACES_CONNECT,
            ..workspace("open_terminal", "enter this workspace", Share::Use)
        },
        A::OpenApp => Row {
            platform: &[],
            group_admin: false,
            organization: false,
            break_glass: true,
            scope: WORKSPACES_CONNECT,
            ..workspace("open_app", "open the apps of this workspace", Share::Use)
        },
        A::ReadWorkspaceFiles => Row {
            platform: &[],
            group_admin: false,
            organization: false,
            break_glass: true,
            scope: WORKSPACES_CONNECT,
            ..workspace("read_workspace_files", "read the files of this workspace", Share::Use)
        },
        A::WriteWorkspaceFiles => Row {
            platform: &[],
            group_admin: false,
            organization: false,
            break_glass: true,
            scope: WORKSPACES_CONNECT,
            ..workspace("write_workspace_files", "change the files of this workspace", Share::Use)
        },

        A::ViewDashboard => {
            Row { everyone: Everyone::SignedIn, scope: WORKSPACES_READ, ..system("view_dashboard", "see your dashboard", &[]) }
        }
        A::ViewPlatformStats => Row { scope: SETTINGS_READ, ..system("view_platform_stats", "see platform statistics", MONITOR) },
        A::AccessAdminPanel => system(
            "access_admin_panel",
            "open the administration pages",
            &[Right::ManageSystem, Right::ManageUsers, Right::MonitorSystem, Right::SetPermissions],
        ),
        A::ViewAuditLog => Row { scope: AUDIT_READ, ..system("view_audit_log", "read the audit log", MONITOR) },
        A::ViewSystemSettings => Row { scope: SETTINGS_READ, ..system("view_system_settings", "see system settings", MONITOR) },
        A::UpdateSystemSettings => Row {
            scope: SETTINGS_WRITE,
            step_up: true,
            reason: ReasonRule::Welcome,
            ..system("update_system_settings", "change system settings", SYSTEM)
        },
        A::ViewClusterCapacity => {
            Row { scope: SETTINGS_READ, ..system("view_cluster_capacity", "see the capacity of the cluster", MONITOR) }
        }
        A::ViewPricing => Row { scope: SETTINGS_READ, ..system("view_pricing", "see prices", MONITOR) },
        A::ViewCosts => Row { scope: SETTINGS_READ, ..system("view_costs", "see what everybody costs", MONITOR) },
        A::ViewUserCost => Row {
            own: true,
            step_up: false,
            reason: ReasonRule::Never,
            platform: MONITOR,
            scope: USERS_READ,
            ..user("view_user_cost", "see what this user's workspaces cost")
        },
        A::UpdatePricing => {
            Row { scope: SETTINGS_WRITE, step_up: true, reason: ReasonRule::Welcome, ..system("update_pricing", "change prices", SYSTEM) }
        }
        A::ViewDetailedHealth => Row { scope: SETTINGS_READ, ..system("view_detailed_health", "see the health of each part", MONITOR) },
        A::ReadMetrics => Row { scope: METRICS_READ, system: true, ..system("read_metrics", "read the server's metrics", MONITOR) },
        A::RotateKeys => Row { step_up: true, system: true, ..system("rotate_keys", "rotate signing keys", SYSTEM) },
        A::CreateBackup => Row { step_up: true, system: true, ..system("create_backup", "make a backup", SYSTEM) },
        A::RestoreBackup => Row { system: true, ..system("restore_backup", "restore a backup", &[]) },
        A::InstallApp => Row { system: true, ..system("install_app", "install workspace apps", &[]) },
        A::RemoveApp => Row { system: true, ..system("remove_app", "remove workspace apps", &[]) },
        A::VerifyAuditLog => Row { system: true, ..system("verify_audit_log", "check the audit log", &[]) },
        A::PurgeAuditLog => Row { system: true, ..system("purge_audit_log", "remove old entries of the audit log", &[]) },
        A::UpgradeSchema => Row { system: true, ..system("upgrade_schema", "upgrade the database", &[]) },

        A::ReadOwnMachine => machine("read_own_machine", "ask how this workspace is"),
        A::ReportOwnUse => machine("report_own_use", "say that this workspace is used"),

        A::IssueMachineToken => {
            Row { object: Object::Workspace, system: true, ..system("issue_machine_token", "give a workspace its machine token", &[]) }
        }
        A::RevokeMachineToken => {
            Row { object: Object::Workspace, system: true, ..system("revoke_machine_token", "take a machine token back", &[]) }
        }
        // The end that an administrator gave the account has come.
        A::EndAccount => {
            Row { object: Object::User, system: true, ..system("end_account", "disable an account that is past its end", &[]) }
        }
        A::RecordGroupState => {
            Row { object: Object::Group, system: true, ..system("record_group_state", "record what became of a group", &[]) }
        }
        A::RecordWorkspaceState => {
            Row { object: Object::Workspace, system: true, ..system("record_workspace_state", "record what became of a workspace", &[]) }
        }
        // The owner's own workspace asks; the server checks which one it is and records the use.
        A::UseSshKey => {
            Row { object: Object::Workspace, system: true, ..system("use_ssh_key", "sign with the SSH key of a workspace's owner", &[]) }
        }
        A::UseGitCredential => Row {
            object: Object::Workspace,
            system: true,
            ..system("use_git_credential", "hand a workspace its owner's git credential", &[])
        },
    }
}

/// The action that decides whether the caller may know that the object exists, and what is said when they may not.
pub const fn visibility(object: Object) -> Option<(Action, Missing)> {
    match object {
        Object::System | Object::Own => None,
        Object::User => Some((Action::ViewUser, Missing::User)),
        Object::Group => Some((Action::ViewGroup, Missing::Group)),
        Object::Workspace => Some((Action::ViewWorkspace, Missing::Workspace)),
    }
}
