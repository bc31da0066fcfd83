//! Every action that a person, a program or the server itself can take. The rows of [`super::matrix`] say who may.

macro_rules! actions {
    ($($name:ident),* $(,)?) => {
        /// What is asked for. A new action does not compile until its row in the matrix exists.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action { $($name),* }

        impl Action {
            /// All actions, in the order of the table.
            pub const ALL: &'static [Action] = &[$(Action::$name),*];
        }
    };
}

actions! {
    // Signing in
    SetUp, SignIn, SignOut, ReuseRefreshToken,
    // The caller's own account
    ViewOwnProfile, UpdateOwnProfile, ChangePassword, ListOwnSessions, EndSession,
    ListOwnTokens, CreateOwnToken, RevokeOwnToken, SearchEverything, ReadEvents, ReadOwnNotices, ViewMatrix,
    ManageOwnSshKey, ManageOwnGitCredentials, ViewOwnActivity,
    // Users
    ListUsers, ViewUser, CreateUser, UpdateUser, DeleteUser, EnableUser, DisableUser, ResetUserPassword, UnlockUser, InviteUser,
    SignOutUser, OffboardUser, ListUserSessions, EndUserSession, PromoteUserToAdmin, DemoteAdminUser,
    // Programs
    CreateServiceAccount, ListUserTokens, ListAllTokens, CreateServiceToken, RevokeUserToken,
    // Groups
    ListOwnGroups, ListAllGroups, ViewGroup, ViewGroupMembers, ViewGroupUsage, ReadGroupPage, EditGroupPage, CreateGroup,
    UpdateGroup, SetGroupQuota, DeleteGroup, AddUserToGroup, RemoveUserFromGroup, SetUserGroupRole, PromoteUserToGroupAdmin, DemoteUserFromGroupAdmin,
    // Templates and workspaces
    ListTemplates, ListOwnWorkspaces, ListGroupWorkspaces, ListAllWorkspaces, CreateWorkspace, ViewWorkspace,
    StartWorkspace, StopWorkspace, RestartWorkspace, UpdateWorkspace, TransferWorkspace, DeleteWorkspace, AdminDeleteWorkspace,
    SyncWorkspace, ViewWorkspaceLogs, ViewWorkspaceMetrics, ViewWorkspaceEgress, OpenTerminal, OpenApp, RestartApp,
    ReadWorkspaceFiles, WriteWorkspaceFiles,
    // The platform
    ViewDashboard, ViewPlatformStats, AccessAdminPanel, ViewAuditLog, ViewSystemSettings, UpdateSystemSettings,
    ViewClusterCapacity, ViewPricing, UpdatePricing, ViewCosts, ViewUserCost, ViewDetailedHealth, ReadMetrics, RotateKeys, CreateBackup, RestoreBackup, UpgradeSchema,
    InstallApp, RemoveApp, VerifyAuditLog, PurgeAuditLog,
    // What a workspace asks about itself
    ReadOwnMachine, ReportOwnUse,
    // The server's own work
    EndAccount, RecordGroupState, RecordWorkspaceState, UseSshKey, UseGitCredential, IssueMachineToken, RevokeMachineToken,
}

impl Action {
    /// The stable word: audit code, key of `can`, name in the matrix.
    pub fn code(self) -> &'static str {
        super::matrix::row(self).code
    }

    /// Finds an action by its stable word.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|a| a.code() == code)
    }
}
