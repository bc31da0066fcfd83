//! Every route on one page. What is not in this table does not exist.
//!
//! Each row says who may call it: the action that policy is asked for, or the reason why anybody may. The edge wires
//! the rows, and the OpenAPI document is built from them. This file is a table and may be longer than other files.

use super::file_view::{FileEntryView, FolderView, UploadView};
use super::open::{OpenBody, OpenView};
use super::route::{Access, AnswerDoc, Parameter, ParameterKind, Route, Values, schema_of};
use super::templates::TemplateView;
use super::terminal::{TerminalView, TicketBody, TicketView};
use super::workspace_body::{ActionBody, NewWorkspaceBody, WorkspacePatchBody};
use super::workspace_view::{InUseView, TimelineView, WorkspaceView};
use super::{
    access, advice, api_tokens, apps, audit, audit_digest, audit_export, auth, capacity, control, cost, dashboard, egress, events, files,
    group_page, groups, health, jwks, logs, machine, member_import, members, metrics, notices, offboard, open, openapi, own_activity,
    own_git, own_profile, own_sessions, pricing, quota, search, service_accounts, settings, setup, templates, terminal, trends,
    user_import, user_sessions, users, whoami, workspace_transfer, workspaces,
};
use crate::domain::workspace::Component;
use crate::policy::Action as A;

/// A handler as the table holds it.
macro_rules! to {
    ($handler:path) => {
        |request| Box::pin($handler(request))
    };
}

const PROBE: Access = Access::Public("Load balancers and monitors have no account; it says one word per component.");

const TICKETS: &str = "A socket cannot always carry a credential in its handshake: its first frame then shows a one-use ticket.";

const fn asked(name: &'static str, kind: ParameterKind, words: &'static str) -> Parameter {
    Parameter { name, kind, values: Values::Any, required: false, words }
}

/// The id of a group, or its name.
const GROUP: &str = "^(grp_[0-9a-f]{32}|[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)$";
const USER: &str = "^usr_[0-9a-f]{32}$";
/// Cores, for example 2, 0.5 or 500m; a thousandth is the smallest step.
const CORES: &str = "^([1-9][0-9]{0,5}(\\.[0-9]{1,3})?|0\\.([0-9]{0,2}[1-9]|[1-9]0{0,2}|0[1-9]0)|[1-9][0-9]{0,8}m)$";
/// An amount of memory or disk, for example 512Mi or 4Gi.
const BYTES: &str = "^([1-9][0-9]{0,6}[KMG]i|[1-9][0-9]{0,3}Ti|[1-9][0-9]{0,2}Pi)$";

const DRY_RUN: &[Parameter] = &[asked("dryRun", ParameterKind::Flag, "Only say whether it would be possible; nothing is written.")];
const REASON: &[Parameter] = &[asked("reason", ParameterKind::Text, "Told to the owner when it is somebody else's.").up_to(500)];
const PAGE: &[Parameter] = &[
    asked("limit", ParameterKind::Integer, "At most so many, up to 1000.").within(1, 1_000),
    asked("cursor", ParameterKind::Text, "From the Link header of the page before.").given_out(),
];
const WORKSPACES: &[Parameter] = &[
    asked("mine", ParameterKind::Flag, "Only your own."),
    asked("groupId", ParameterKind::Text, "Only those of this group (id or name).").like(GROUP),
    asked("userId", ParameterKind::Text, "Only those of this person.").like(USER),
    asked("status", ParameterKind::Text, "Only those in this status.")
        .one_of(&["running", "stopped", "starting", "stopping", "error", "pending", "deleting"]),
    asked("search", ParameterKind::Text, "A part of the name.").up_to(100),
    asked("limit", ParameterKind::Integer, "At most so many, up to 1000.").within(1, 1_000),
    asked("cursor", ParameterKind::Text, "From the Link header of the page before.").given_out(),
    asked("count", ParameterKind::Flag, "Also say how many there are in all (X-Total-Count)."),
];
const READ_FILES: &[Parameter] = &[
    asked("list", ParameterKind::Flag, "The entries of the folder."),
    asked("download", ParameterKind::Flag, "Also tell the browser the name to save it under."),
    asked("archive", ParameterKind::Text, "tar.gz or zip: the folder as one file.").one_of(&["tar.gz", "zip"]),
    asked("upload", ParameterKind::Text, "How far the upload with this id is.").like("^[A-Za-z0-9_-]{1,64}$"),
    asked("reason", ParameterKind::Text, "Told to the owner when it is somebody else's.").up_to(500),
];
const WRITE_FILE: &[Parameter] = &[
    asked("upload", ParameterKind::Text, "The client's own id of an upload in pieces: letters, digits, - and _.")
        .like("^[A-Za-z0-9_-]{1,64}$"),
    asked("offset", ParameterKind::Integer, "Bytes that have arrived before these.").within(0, i64::MAX),
    asked("total", ParameterKind::Integer, "Bytes that the whole file has; the piece that reaches it completes the file.")
        .within(0, i64::MAX),
    asked("reason", ParameterKind::Text, "Told to the owner when it is somebody else's.").up_to(500),
];
const LOGS: &[Parameter] = &[
    asked("lines", ParameterKind::Integer, "At most so many of the newest lines, up to 10000.").within(0, 10_000),
    asked("since", ParameterKind::Time, "Only what was written at this time or later."),
    asked("follow", ParameterKind::Flag, "Go on as lines are written."),
    asked("previous", ParameterKind::Flag, "What ended before, where that has a log of its own: a container that crashed."),
];
const TERMINAL: &[Parameter] = &[
    asked("session", ParameterKind::Text, "Name of the terminal; made when there is none of this name.").like("^[a-z0-9-]{1,32}$"),
    asked("since", ParameterKind::Integer, "Bytes of output that the client has already.").within(0, i64::MAX),
    asked("started", ParameterKind::Integer, "The started of the hello that since belongs to.").within(0, i64::MAX),
    asked("cols", ParameterKind::Integer, "Columns.").within(1, 1_000),
    asked("rows", ParameterKind::Integer, "Rows.").within(1, 1_000),
    asked("auth", ParameterKind::Text, "ticket: the first frame shows a ticket, whatever the handshake carries.").one_of(&["ticket"]),
];
const SEARCH: Parameter = asked("search", ParameterKind::Text, "A part of a name; one or two characters match the beginning.").up_to(100);
const COUNT: Parameter = asked("count", ParameterKind::Flag, "Also tell how many there are in all; it costs a scan.");
const CURSOR: Parameter = asked("cursor", ParameterKind::Text, "From the Link header of the page before.").given_out();
const LIMIT: Parameter = asked("limit", ParameterKind::Integer, "1 to 1000.").within(1, 1_000);
const PAGE_LIMIT: Parameter = asked("limit", ParameterKind::Integer, "1 to 100, 20 when absent.").within(1, 100);
const NEXT_TOKEN: Parameter = asked("nextToken", ParameterKind::Text, "From the page before.").given_out();
const RANGE: Parameter = asked("range", ParameterKind::Text, "6h by minutes, 7d by hours, 90d or 365d by days; 6h when absent.")
    .one_of(&["6h", "7d", "90d", "365d"]);
const SIZING: &[Parameter] = &[
    asked("members", ParameterKind::Integer, "How many people; those of the group when absent.").within(1, 100_000),
    asked("cpu", ParameterKind::Text, "Cores of a running workspace.").like(CORES),
    asked("memory", ParameterKind::Text, "Memory of a running workspace, for example 4Gi.").like(BYTES),
    asked("storage", ParameterKind::Text, "Disk of a member, for example 50Gi.").like(BYTES),
    asked("workspaces", ParameterKind::Integer, "Workspaces of a member.").within(1, 1_000),
    asked("concurrency", ParameterKind::Integer, "How many percent of the members work at the same time.").within(1, 100),
];
const FROM: Parameter = asked("startDate", ParameterKind::Time, "From this time on.");
const TO: Parameter = asked("endDate", ParameterKind::Time, "Up to this time; a date means the whole day.");

const WAY_IN: Access = Access::Public("Whoever signs in is nobody yet; the password, code or token in the body is what is asked for.");

/// The table.
pub const ROUTES: &[Route] = &[
    Route::get("/api/health", PROBE, to!(health::summary))
        .says("One word per component.")
        .gives(200, AnswerDoc::Json(schema_of::<health::HealthView>)),
    Route::get("/api/health/live", PROBE, to!(health::live))
        .says("The process answers.")
        .gives(200, AnswerDoc::Json(schema_of::<health::StateView>)),
    Route::get("/api/health/ready", PROBE, to!(health::ready))
        .says("503 while the server starts or stops.")
        .gives(200, AnswerDoc::Json(schema_of::<health::StateView>)),
    Route::get("/api/health/detailed", Access::Action(A::ViewDetailedHealth), to!(health::detailed))
        .says("The health of each part.")
        .gives(200, AnswerDoc::Json(schema_of::<health::DetailedHealthView>)),
    Route::get("/api/admin/health", Access::Action(A::ViewDetailedHealth), to!(health::of_platform))
        .says("Whether the database and the cluster answer; 503 when one does not.")
        .gives(200, AnswerDoc::Json(schema_of::<health::PlatformHealthView>)),
    Route::get("/metrics", Access::Action(A::ReadMetrics), to!(metrics::read))
        .says("What the server measures of itself, as OpenMetrics.")
        .gives(200, AnswerDoc::Stream("application/openmetrics-text")),
    Route::get("/api/openapi.json", Access::Public("The shape of the API is no secret: the source is public."), to!(openapi::serve))
        .says("This document.")
        .gives(200, AnswerDoc::Stream("application/json")),
    Route::get("/.well-known/jwks.json", Access::Public("Public keys are public."), to!(jwks::serve))
        .says("The public keys that verify our tokens (RFC 7517).")
        .gives(200, AnswerDoc::Stream("application/json")),
    Route::get("/api/whoami", Access::Action(A::ViewOwnProfile), to!(whoami::show))
        .says("Who and where the server thinks the caller is.")
        .gives(200, AnswerDoc::Json(schema_of::<whoami::WhoamiView>))
        .while_password_must_change(),
    // Signing in
    Route::get("/api/auth/providers", Access::Public("The sign-in page must know how one can sign in."), to!(auth::providers))
        .says("How one can sign in here, and whether set-up is due.")
        .gives(200, AnswerDoc::Json(schema_of::<auth::ProvidersView>)),
    Route::post("/api/setup", WAY_IN, to!(setup::set_up))
        .says("Makes the first administrator. Not there any more once somebody has an account.")
        .takes(schema_of::<setup::SetupBody>)
        .gives(201, AnswerDoc::Json(schema_of::<auth::SignedInView>)),
    Route::post("/api/auth/login", WAY_IN, to!(auth::login))
        .says("Signs in with a password: tokens for API clients, a cookie for pages.")
        .takes(schema_of::<auth::LoginBody>)
        .gives(200, AnswerDoc::Json(schema_of::<auth::SignedInView>)),
    Route::post("/api/auth/invite", WAY_IN, to!(auth::invite))
        .says("Uses an invitation up: sets the first password and signs in.")
        .takes(schema_of::<auth::InviteBody>)
        .gives(200, AnswerDoc::Json(schema_of::<auth::SignedInView>)),
    Route::post("/api/auth/refresh", WAY_IN, to!(auth::renew))
        .says("Trades a refresh token for a new pair of tokens; each is used once.")
        .takes(schema_of::<auth::RefreshBody>)
        .gives(200, AnswerDoc::Json(schema_of::<auth::SignedInView>)),
    Route::post("/api/auth/logout", Access::Action(A::SignOut), to!(auth::logout))
        .says("Signs out, here or everywhere.")
        .asks(&[asked("everywhere", ParameterKind::Flag, "End every sign-in of the caller.")])
        .may_take(schema_of::<auth::LogoutBody>)
        .gives(204, AnswerDoc::Nothing)
        .while_password_must_change(),
    // The caller's own account
    Route::get("/api/auth/me", Access::Action(A::ViewOwnProfile), to!(own_profile::me))
        .says("The caller's account, and what they may do on the platform.")
        .gives(200, AnswerDoc::Json(schema_of::<own_profile::OwnAccountView>))
        .while_password_must_change(),
    Route::patch("/api/auth/profile", Access::Action(A::UpdateOwnProfile), to!(own_profile::update))
        .says("Changes the caller's name and e-mail address.")
        .takes(schema_of::<own_profile::ProfileBody>)
        .gives(200, AnswerDoc::Json(schema_of::<own_profile::OwnAccountView>))
        .with_etag(),
    Route::post("/api/auth/change-password", Access::Action(A::ChangePassword), to!(own_profile::change_password))
        .says("Changes the caller's password; every other sign-in ends.")
        .takes(schema_of::<own_profile::PasswordBody>)
        .gives(204, AnswerDoc::Nothing)
        .while_password_must_change(),
    Route::get("/api/auth/sessions", Access::Action(A::ListOwnSessions), to!(own_sessions::list))
        .says("Where the caller is signed in.")
        .gives(200, AnswerDoc::List(schema_of::<own_sessions::SessionView>)),
    Route::delete("/api/auth/sessions/{session}", Access::Action(A::EndSession), to!(own_sessions::end))
        .says("Ends one of the caller's sign-ins.")
        .gives(204, AnswerDoc::Nothing),
    Route::get("/api/auth/tokens", Access::Action(A::ListOwnTokens), to!(api_tokens::own))
        .says("The caller's API tokens, newest first, without their text.")
        .gives(200, AnswerDoc::List(schema_of::<api_tokens::TokenView>)),
    Route::post("/api/auth/tokens", Access::Action(A::CreateOwnToken), to!(api_tokens::create_own))
        .says("Makes an API token; its text is in this answer and in no other.")
        .takes(schema_of::<api_tokens::NewTokenBody>)
        .gives(201, AnswerDoc::Json(schema_of::<api_tokens::TokenView>)),
    Route::delete("/api/auth/tokens", Access::Action(A::RevokeOwnToken), to!(api_tokens::revoke_all_own))
        .says("Revokes all of the caller's API tokens.")
        .gives(204, AnswerDoc::Nothing),
    Route::delete("/api/auth/tokens/{token}", Access::Action(A::RevokeOwnToken), to!(api_tokens::revoke_own))
        .says("Revokes one of the caller's API tokens.")
        .gives(204, AnswerDoc::Nothing),
    Route::get("/api/users/me/ssh-key", Access::Action(A::ManageOwnSshKey), to!(own_git::ssh_key))
        .says("The public part of the caller's SSH key; every field is null before one was made.")
        .gives(200, AnswerDoc::Json(schema_of::<own_git::SshKeyView>)),
    Route::post("/api/users/me/ssh-key", Access::Action(A::ManageOwnSshKey), to!(own_git::make_ssh_key))
        .says("Makes a new SSH key; the one before signs nothing any more.")
        .gives(201, AnswerDoc::Json(schema_of::<own_git::SshKeyView>)),
    Route::get("/api/users/me/git-credentials", Access::Action(A::ManageOwnGitCredentials), to!(own_git::credentials))
        .says("The hosts for which the caller keeps a token for git over https; the tokens are not shown.")
        .gives(200, AnswerDoc::List(schema_of::<own_git::GitCredentialView>)),
    Route::put("/api/users/me/git-credentials/{host}", Access::Action(A::ManageOwnGitCredentials), to!(own_git::save_credential))
        .says("Keeps a token for a host, in the place of the one before.")
        .takes(schema_of::<own_git::GitCredentialBody>)
        .gives(200, AnswerDoc::Json(schema_of::<own_git::GitCredentialView>)),
    Route::delete("/api/users/me/git-credentials/{host}", Access::Action(A::ManageOwnGitCredentials), to!(own_git::remove_credential))
        .says("Forgets the token for a host.")
        .gives(204, AnswerDoc::Nothing),
    Route::get("/api/users/me/activity", Access::Action(A::ViewOwnActivity), to!(own_activity::list))
        .says("Who looked at or changed the caller's account and workspaces, newest first.")
        .asks(&[PAGE_LIMIT, NEXT_TOKEN])
        .gives(200, AnswerDoc::Json(schema_of::<own_activity::ActivitiesView>)),
    Route::get("/api/events", Access::Action(A::ReadEvents), to!(events::follow))
        .says("What changed, as it changes (server-sent events).")
        .gives(200, AnswerDoc::Stream("text/event-stream")),
    Route::get("/api/notices", Access::Action(A::ReadOwnNotices), to!(notices::list))
        .says("What the caller was told, newest first.")
        .asks(&[asked("unread", ParameterKind::Flag, "Only what was not read yet."), LIMIT, CURSOR])
        .gives(200, AnswerDoc::List(schema_of::<notices::NoticeView>)),
    Route::post("/api/notices/read", Access::Action(A::ReadOwnNotices), to!(notices::mark_read))
        .says("Marks notices as read, up to one of them or all.")
        .may_take(schema_of::<notices::ReadBody>)
        .gives(204, AnswerDoc::Nothing),
    // People
    Route::get("/api/users/{user}", Access::Action(A::ViewUser), to!(users::get))
        .says("One user: oneself, somebody of a group one administers, or anybody for platform admins.")
        .gives(200, AnswerDoc::Json(schema_of::<users::UserView>))
        .with_etag(),
    Route::get("/api/admin/users", Access::Action(A::ListUsers), to!(users::list))
        .says("All users, by user name.")
        .asks(&[
            SEARCH,
            asked("status", ParameterKind::Text, "active or disabled.").one_of(&["active", "disabled"]),
            asked("role", ParameterKind::Text, "admin: only platform admins.").one_of(&["admin"]),
            PAGE_LIMIT,
            NEXT_TOKEN,
            COUNT,
        ])
        .gives(200, AnswerDoc::Json(schema_of::<users::UsersView>)),
    Route::post("/api/admin/users", Access::Action(A::CreateUser), to!(users::create))
        .says("A new user, with a temporary password or an invitation.")
        .takes(schema_of::<users::CreateUserBody>)
        .gives(201, AnswerDoc::Json(schema_of::<users::UserView>))
        .with_idempotency()
        .with_etag(),
    Route::post("/api/admin/user-imports", Access::Action(A::CreateUser), to!(user_import::import))
        .says("Makes the accounts of a list, all or none, each with an invitation.")
        .asks(&[asked("dryRun", ParameterKind::Flag, "Only say what each row would come to; nothing is written.")])
        .takes(schema_of::<user_import::UserImportBody>)
        .gives(200, AnswerDoc::Json(schema_of::<user_import::ImportView>)),
    Route::get("/api/admin/users/{user}", Access::Action(A::ViewUser), to!(users::get))
        .says("One user, with workspaces and groups.")
        .gives(200, AnswerDoc::Json(schema_of::<users::UserView>))
        .with_etag(),
    Route::patch("/api/admin/users/{user}", Access::Action(A::UpdateUser), to!(users::update))
        .says("Changes name, address, admin right and groups.")
        .takes(schema_of::<users::UpdateUserBody>)
        .gives(200, AnswerDoc::Json(schema_of::<users::UserView>))
        .with_etag(),
    Route::delete("/api/admin/users/{user}", Access::Action(A::DeleteUser), to!(users::delete))
        .says("Deletes a user who owns nothing.")
        .may_take(schema_of::<users::ReasonBody>)
        .gives(204, AnswerDoc::Nothing),
    Route::post("/api/admin/users/{user}/enable", Access::Action(A::EnableUser), to!(users::enable))
        .says("Lets a disabled user sign in again.")
        .may_take(schema_of::<users::ReasonBody>)
        .gives(200, AnswerDoc::Json(schema_of::<users::UserView>)),
    Route::post("/api/admin/users/{user}/disable", Access::Action(A::DisableUser), to!(users::disable))
        .says("Ends every sign-in and connection of a user, and lets nobody sign in as them.")
        .may_take(schema_of::<users::ReasonBody>)
        .gives(200, AnswerDoc::Json(schema_of::<users::UserView>)),
    Route::post("/api/admin/users/{user}/sign-out", Access::Action(A::SignOutUser), to!(users::sign_out))
        .says("Ends every sign-in and connection of a user, who may sign in again.")
        .may_take(schema_of::<users::ReasonBody>)
        .gives(200, AnswerDoc::Json(schema_of::<users::UserView>)),
    Route::get("/api/admin/users/{user}/sessions", Access::Action(A::ListUserSessions), to!(user_sessions::list))
        .says("Where a user is signed in.")
        .gives(200, AnswerDoc::List(schema_of::<own_sessions::SessionView>)),
    Route::delete("/api/admin/users/{user}/sessions/{session}", Access::Action(A::EndUserSession), to!(user_sessions::end))
        .says("Ends one sign-in of a user, with everything that is open by it.")
        .may_take(schema_of::<users::ReasonBody>)
        .gives(204, AnswerDoc::Nothing),
    Route::post("/api/admin/users/{user}/offboard", Access::Action(A::OffboardUser), to!(offboard::offboard))
        .says("Ends everything of a leaver: sign-in, credentials, rights, workspaces, memberships. With dryRun: every consequence first. What could not be done is named, and asked again it goes on.")
        .takes(schema_of::<offboard::OffboardBody>)
        .asks(DRY_RUN)
        .gives(200, AnswerDoc::Json(schema_of::<offboard::OffboardView>)),
    Route::post("/api/admin/users/{user}/promote", Access::Action(A::PromoteUserToAdmin), to!(users::promote))
        .says("Makes a user a platform admin.")
        .may_take(schema_of::<users::ReasonBody>)
        .gives(200, AnswerDoc::Json(schema_of::<users::UserView>)),
    Route::post("/api/admin/users/{user}/demote", Access::Action(A::DemoteAdminUser), to!(users::demote))
        .says("Takes the platform admin right from a user.")
        .may_take(schema_of::<users::ReasonBody>)
        .gives(200, AnswerDoc::Json(schema_of::<users::UserView>)),
    Route::post("/api/admin/users/{user}/reset-password", Access::Action(A::ResetUserPassword), to!(users::reset_password))
        .says("Sets a password for a user and ends their sign-ins.")
        .takes(schema_of::<users::ResetPasswordBody>)
        .gives(200, AnswerDoc::Json(schema_of::<users::UserView>)),
    Route::post("/api/admin/users/{user}/invitation", Access::Action(A::InviteUser), to!(users::invite))
        .says("A new one-use link that sets the first password; the ones before it work no more.")
        .may_take(schema_of::<users::ReasonBody>)
        .gives(201, AnswerDoc::Json(schema_of::<users::InvitationView>)),
    Route::delete("/api/admin/users/{user}/invitation", Access::Action(A::InviteUser), to!(users::withdraw_invitation))
        .says("Withdraws the invitation of a user.")
        .may_take(schema_of::<users::ReasonBody>)
        .gives(204, AnswerDoc::Nothing),
    Route::post("/api/admin/users/{user}/unlock", Access::Action(A::UnlockUser), to!(users::unlock))
        .says("Forgets a user's failed sign-ins.")
        .may_take(schema_of::<users::ReasonBody>)
        .gives(200, AnswerDoc::Json(schema_of::<users::UserView>)),
    // Whether it adds or changes a role shows only in the transaction.
    Route::post("/api/admin/users/{user}/groups", Access::Action(A::AddUserToGroup), to!(members::add_to_group))
        .says("Puts a user into a group, or changes their role in it.")
        .takes(schema_of::<members::AddToGroupBody>)
        .gives(200, AnswerDoc::Json(schema_of::<users::UserView>)),
    Route::delete("/api/admin/users/{user}/groups/{group}", Access::Action(A::RemoveUserFromGroup), to!(members::remove_from_group))
        .says("Takes a user out of a group.")
        .may_take(schema_of::<users::ReasonBody>)
        .gives(200, AnswerDoc::Json(schema_of::<users::UserView>)),
    Route::patch("/api/admin/users/{user}/groups/{group}/role", Access::Action(A::SetUserGroupRole), to!(members::set_role_in_group))
        .says("Another role in a group.")
        .takes(schema_of::<members::RoleBody>)
        .gives(200, AnswerDoc::Json(schema_of::<users::UserView>)),
    Route::post(
        "/api/admin/users/{user}/groups/{group}/promote",
        Access::Action(A::PromoteUserToGroupAdmin),
        to!(members::promote_in_group),
    )
    .says("Makes a member an admin of the group.")
    .may_take(schema_of::<users::ReasonBody>)
    .gives(200, AnswerDoc::Json(schema_of::<users::UserView>)),
    Route::post(
        "/api/admin/users/{user}/groups/{group}/demote",
        Access::Action(A::DemoteUserFromGroupAdmin),
        to!(members::demote_in_group),
    )
    .says("Makes a group admin an ordinary member.")
    .may_take(schema_of::<users::ReasonBody>)
    .gives(200, AnswerDoc::Json(schema_of::<users::UserView>)),
    // Programs
    Route::get("/api/admin/service-accounts", Access::Action(A::ListUsers), to!(service_accounts::list))
        .says("The service accounts, by user name.")
        .asks(&[LIMIT, CURSOR])
        .gives(200, AnswerDoc::List(schema_of::<users::UserView>)),
    Route::post("/api/admin/service-accounts", Access::Action(A::CreateServiceAccount), to!(service_accounts::create))
        .says("A new service account: no password, no browser, API tokens only.")
        .takes(schema_of::<service_accounts::NewServiceAccountBody>)
        .gives(201, AnswerDoc::Json(schema_of::<users::UserView>))
        .with_idempotency()
        .with_etag(),
    Route::get("/api/admin/tokens", Access::Action(A::ListAllTokens), to!(api_tokens::all))
        .says("Everybody's API tokens, newest first, without their text.")
        .asks(&[LIMIT, CURSOR])
        .gives(200, AnswerDoc::List(schema_of::<api_tokens::TokenView>)),
    Route::get("/api/admin/users/{user}/tokens", Access::Action(A::ListUserTokens), to!(api_tokens::of_user))
        .says("The API tokens of an account, newest first, without their text.")
        .gives(200, AnswerDoc::List(schema_of::<api_tokens::TokenView>)),
    Route::post("/api/admin/users/{user}/tokens", Access::Action(A::CreateServiceToken), to!(api_tokens::create_for))
        .says("Makes an API token for a service account; its text is in this answer and in no other.")
        .takes(schema_of::<api_tokens::ServiceTokenBody>)
        .gives(201, AnswerDoc::Json(schema_of::<api_tokens::TokenView>)),
    Route::delete("/api/admin/users/{user}/tokens", Access::Action(A::RevokeUserToken), to!(api_tokens::revoke_all_of))
        .says("Revokes all API tokens of an account.")
        .may_take(schema_of::<users::ReasonBody>)
        .gives(204, AnswerDoc::Nothing),
    Route::delete("/api/admin/users/{user}/tokens/{token}", Access::Action(A::RevokeUserToken), to!(api_tokens::revoke_of))
        .says("Revokes one API token of an account.")
        .may_take(schema_of::<users::ReasonBody>)
        .gives(204, AnswerDoc::Nothing),
    // Groups
    Route::get("/api/groups", Access::Action(A::ListOwnGroups), to!(groups::list))
        .says("The caller's groups; all of them for platform admins.")
        .asks(&[SEARCH, asked("sort", ParameterKind::Text, "name, displayName or -createdAt.").one_of(&["name", "displayName", "-createdAt"]), LIMIT, CURSOR, COUNT])
        .gives(200, AnswerDoc::List(schema_of::<groups::GroupView>)),
    Route::post("/api/groups", Access::Action(A::CreateGroup), to!(groups::create))
        .says("A new group with its namespace and quota.")
        .takes(schema_of::<groups::CreateGroupBody>)
        .gives(201, AnswerDoc::Json(schema_of::<groups::GroupView>))
        .with_idempotency()
        .with_etag(),
    Route::get("/api/groups/{group}", Access::Action(A::ViewGroup), to!(groups::get))
        .says("One group, by id or name.")
        .gives(200, AnswerDoc::Json(schema_of::<groups::GroupView>))
        .with_etag(),
    Route::patch("/api/groups/{group}", Access::Action(A::UpdateGroup), to!(groups::update))
        .says("Changes titles and quota; the quota by resource.")
        .asks(&[asked("dryRun", ParameterKind::Flag, "Weigh the quota, change nothing.")])
        .takes(schema_of::<groups::UpdateGroupBody>)
        .gives(200, AnswerDoc::Json(schema_of::<groups::GroupView>))
        .with_etag(),
    Route::delete("/api/groups/{group}", Access::Action(A::DeleteGroup), to!(groups::delete))
        .says("Deletes a group without workspaces.")
        .may_take(schema_of::<users::ReasonBody>)
        .gives(204, AnswerDoc::Nothing),
    Route::put("/api/groups/{group}/visit", Access::Action(A::ViewGroup), to!(groups::visit))
        .says("Notes that the caller, if a member, was here; the list of members shows when.")
        .gives(204, AnswerDoc::Nothing),
    Route::get("/api/groups/{group}/usage", Access::Action(A::ViewGroupUsage), to!(groups::usage))
        .says("What the group uses of its quota.")
        .gives(200, AnswerDoc::Json(schema_of::<crate::domain::quota::UsageView>)),
    Route::get("/api/groups/{group}/usage/history", Access::Action(A::ViewGroupUsage), to!(trends::of_group))
        .says("What the group used over time, against the quota of each time.")
        .asks(&[RANGE])
        .gives(200, AnswerDoc::Json(schema_of::<trends::TrendView>)),
    Route::get("/api/groups/{group}/advice", Access::Action(A::ViewGroupUsage), to!(advice::of_group))
        .says("What stands out: alerts, what is hardly used, workspaces that nobody uses.")
        .gives(200, AnswerDoc::Json(schema_of::<advice::AdviceView>)),
    Route::get("/api/groups/{group}/sizing", Access::Action(A::ViewGroupUsage), to!(quota::size_group))
        .says("How large its quota should be, by the guide's formula and its own history.")
        .asks(SIZING)
        .gives(200, AnswerDoc::Json(schema_of::<quota::SizingView>)),
    Route::get("/api/groups/{group}/quota/history", Access::Action(A::ViewGroupUsage), to!(quota::history))
        .says("What its quota was, who set it and why, the newest first.")
        .asks(&[LIMIT, CURSOR])
        .gives(200, AnswerDoc::List(schema_of::<quota::QuotaChangeView>)),
    Route::post("/api/groups/{group}/quota/move", Access::Action(A::SetGroupQuota), to!(quota::shift))
        .says("Moves a part of its quota to another group, in one step. With dryRun: what both would be left with.")
        .takes(schema_of::<quota::MoveQuotaBody>)
        .asks(DRY_RUN)
        .gives(200, AnswerDoc::Json(schema_of::<quota::MovedQuotaView>)),
    Route::get("/api/groups/{group}/page", Access::Action(A::ReadGroupPage), to!(group_page::get))
        .says("What a group says to its members: purpose, notes, welcome.")
        .gives(200, AnswerDoc::Json(schema_of::<group_page::GroupPageView>)),
    Route::patch("/api/groups/{group}/page", Access::Action(A::EditGroupPage), to!(group_page::update))
        .says("Changes a group's purpose, notes and welcome; its admins may.")
        .takes(schema_of::<group_page::GroupPageBody>)
        .gives(200, AnswerDoc::Json(schema_of::<group_page::GroupPageView>)),
    Route::post("/api/groups/{group}/owner", Access::Action(A::UpdateGroup), to!(groups::transfer))
        .says("Makes another admin of the group its owner.")
        .takes(schema_of::<groups::OwnerBody>)
        .gives(200, AnswerDoc::Json(schema_of::<groups::GroupView>))
        .with_etag(),
    Route::get("/api/groups/{group}/members", Access::Action(A::ViewGroupMembers), to!(members::list))
        .says("The members of a group.")
        .asks(&[SEARCH, LIMIT, CURSOR, COUNT])
        .gives(200, AnswerDoc::List(schema_of::<members::MemberView>)),
    Route::post("/api/groups/{group}/members", Access::Action(A::AddUserToGroup), to!(members::add))
        .says("A new member.")
        .takes(schema_of::<members::AddMemberBody>)
        .gives(200, AnswerDoc::Json(schema_of::<members::MemberView>)),
    Route::post("/api/groups/{group}/members/import", Access::Action(A::AddUserToGroup), to!(member_import::import))
        .says("New members from a list or CSV. With dryRun: what becomes of each line.")
        .takes(schema_of::<member_import::MemberImportBody>)
        .asks(DRY_RUN)
        .gives(200, AnswerDoc::List(schema_of::<member_import::ImportRowView>)),
    Route::patch("/api/groups/{group}/members/{user}", Access::Action(A::SetUserGroupRole), to!(members::set_role))
        .says("Another role for a member.")
        .takes(schema_of::<members::RoleBody>)
        .gives(200, AnswerDoc::Json(schema_of::<members::MemberView>)),
    Route::delete("/api/groups/{group}/members/{user}", Access::Action(A::RemoveUserFromGroup), to!(members::remove))
        .says("Takes a member out of the group.")
        .may_take(schema_of::<users::ReasonBody>)
        .gives(204, AnswerDoc::Nothing),
    // The platform
    Route::get("/api/search", Access::Action(A::SearchEverything), to!(search::find))
        .says("People, groups and workspaces that the caller may open.")
        .asks(&[asked("q", ParameterKind::Text, "What to search for.").up_to(100).needed(), asked("limit", ParameterKind::Integer, "1 to 50, 10 when absent.").within(1, 50)])
        .gives(200, AnswerDoc::List(schema_of::<search::HitView>)),
    Route::get("/api/access/matrix", Access::Action(A::ViewMatrix), to!(access::matrix))
        .says("The privilege matrix.")
        .gives(200, AnswerDoc::Json(schema_of::<access::MatrixView>)),
    Route::get("/api/access/scopes", Access::Action(A::ViewMatrix), to!(access::scopes))
        .says("The scopes that an API token of the caller can be made with, and what each gives.")
        .gives(200, AnswerDoc::List(schema_of::<access::ScopeView>)),
    Route::get("/api/dashboard/stats", Access::Action(A::ViewDashboard), to!(dashboard::own))
        .says("The caller's own numbers.")
        .gives(200, AnswerDoc::Json(schema_of::<dashboard::DashboardView>)),
    Route::get("/api/admin/stats", Access::Action(A::ViewPlatformStats), to!(dashboard::platform))
        .says("The numbers of the platform, and how they grew.")
        .asks(&[asked("days", ParameterKind::Integer, "How many days of growth, today included: 1 to 365, 30 when absent.").within(1, 365)])
        .gives(200, AnswerDoc::Json(schema_of::<dashboard::StatsView>)),
    Route::get("/api/admin/cluster/capacity", Access::Action(A::ViewClusterCapacity), to!(capacity::show))
        .says("What the cluster has, what is given away, how many workspaces still fit, and what quotas promise.")
        .gives(200, AnswerDoc::Json(schema_of::<capacity::CapacityView>)),
    Route::get("/api/admin/usage/history", Access::Action(A::ViewClusterCapacity), to!(trends::of_platform))
        .says("What all groups used over time, or what was measured on a node.")
        .asks(&[RANGE, asked("node", ParameterKind::Text, "The name of a node.").up_to(253)])
        .gives(200, AnswerDoc::Json(schema_of::<trends::TrendView>)),
    Route::get("/api/admin/usage/top", Access::Action(A::ViewPlatformStats), to!(trends::top))
        .says("Who uses most in this hour, as it was measured.")
        .asks(&[
            asked("by", ParameterKind::Text, "workspace, group or user; workspace when absent.").one_of(&["workspace", "group", "user"]),
            asked("resource", ParameterKind::Text, "cpu, memory or storage; cpu when absent.").one_of(&["cpu", "memory", "storage"]),
            asked("limit", ParameterKind::Integer, "1 to 100, 10 when absent.").within(1, 100),
        ])
        .gives(200, AnswerDoc::Json(schema_of::<trends::ConsumersView>)),
    Route::get("/api/admin/advice", Access::Action(A::ViewPlatformStats), to!(advice::of_platform))
        .says("What stands out: alerts, what is hardly used, workspaces that nobody uses and what ending them frees.")
        .gives(200, AnswerDoc::Json(schema_of::<advice::AdviceView>)),
    Route::get("/api/admin/sizing", Access::Action(A::ViewClusterCapacity), to!(quota::size_new))
        .says("How large the quota of a new group should be, by the guide's formula.")
        .asks(SIZING)
        .gives(200, AnswerDoc::Json(schema_of::<quota::SizingView>)),
    Route::get("/api/admin/pricing/config", Access::Action(A::ViewPricing), to!(pricing::show))
        .says("The prices that hold, each a month.")
        .gives(200, AnswerDoc::Json(schema_of::<pricing::PricesView>)),
    Route::patch("/api/admin/pricing/config", Access::Action(A::UpdatePricing), to!(pricing::update))
        .says("Changes prices, in force at once; null goes back to what is derived or usual.")
        .takes(schema_of::<pricing::PricesBody>)
        .gives(200, AnswerDoc::Json(schema_of::<pricing::PricesView>)),
    Route::get("/api/admin/costs", Access::Action(A::ViewCosts), to!(cost::list))
        .says("What everybody costs this month, the dearest first.")
        .asks(&[
            asked("by", ParameterKind::Text, "group, user or workspace; group when absent.").one_of(&["group", "user", "workspace"]),
            asked("limit", ParameterKind::Integer, "1 to 1000, 100 when absent.").within(1, 1_000),
        ])
        .gives(200, AnswerDoc::Json(schema_of::<cost::CostsView>)),
    Route::get("/api/admin/workspaces/{workspace}/cost", Access::Action(A::ViewWorkspaceMetrics), to!(cost::of_workspace))
        .says("What a workspace costs: the same as below /api/workspaces.")
        .gives(200, AnswerDoc::Json(schema_of::<cost::WorkspaceCostView>)),
    Route::get("/api/workspaces/{workspace}/cost", Access::Action(A::ViewWorkspaceMetrics), to!(cost::of_workspace))
        .says("What a workspace costs: expected a month, this month so far, and what the month comes to.")
        .gives(200, AnswerDoc::Json(schema_of::<cost::WorkspaceCostView>)),
    Route::get("/api/groups/{group}/cost", Access::Action(A::ViewGroupUsage), to!(cost::of_group))
        .says("What the workspaces of a group cost this month.")
        .gives(200, AnswerDoc::Json(schema_of::<cost::MonthView>)),
    Route::get("/api/users/{user}/cost", Access::Action(A::ViewUserCost), to!(cost::of_user))
        .says("What the workspaces of a person cost this month.")
        .gives(200, AnswerDoc::Json(schema_of::<cost::MonthView>)),
    Route::get("/api/admin/settings", Access::Action(A::ViewSystemSettings), to!(settings::show))
        .says("Every setting, with its value and where that comes from.")
        .gives(200, AnswerDoc::Json(schema_of::<settings::SettingsView>))
        .with_etag(),
    Route::patch("/api/admin/settings", Access::Action(A::UpdateSystemSettings), to!(settings::update))
        .says("Changes settings, in force at once; null puts one back to its default.")
        .takes(schema_of::<settings::SettingsBody>)
        .gives(200, AnswerDoc::Json(schema_of::<settings::SettingsView>))
        .with_etag(),
    Route::get("/api/admin/audit-logs", Access::Action(A::ViewAuditLog), to!(audit::list))
        .says("The audit log, newest first.")
        .asks(&[
            FROM,
            TO,
            asked("userId", ParameterKind::Text, "Who did it.").up_to(128),
            asked("action", ParameterKind::Text, "The code of an action.").up_to(64),
            asked("resource", ParameterKind::Text, "kind:id.").up_to(128),
            asked("success", ParameterKind::Flag, "Only what was done, or only what was refused."),
            asked("requestId", ParameterKind::Text, "The callid of an answer.").up_to(128),
            asked("id", ParameterKind::Text, "One entry.").up_to(128),
            PAGE_LIMIT,
            NEXT_TOKEN,
            COUNT,
        ])
        .gives(200, AnswerDoc::Json(schema_of::<audit::AuditView>)),
    Route::get("/api/admin/audit-logs/verify", Access::Action(A::ViewAuditLog), to!(audit::verify))
        .says("Checks the chain of the audit log.")
        .gives(200, AnswerDoc::Json(schema_of::<audit::VerifyView>)),
    Route::get("/api/admin/audit-logs/status", Access::Action(A::ViewAuditLog), to!(audit::status))
        .says("How long the audit log is, what was signed, checked and purged last.")
        .gives(200, AnswerDoc::Json(schema_of::<audit::AuditStatusView>)),
    Route::get("/api/admin/audit-logs/digest", Access::Action(A::ViewAuditLog), to!(audit_digest::show))
        .says("What administrators did in a week, by person and action.")
        .asks(&[asked("week", ParameterKind::Time, "A day of the week, for example 2026-03-12; this week when absent.")])
        .gives(200, AnswerDoc::Json(schema_of::<audit_digest::DigestView>)),
    Route::get("/api/admin/audit-logs/export", Access::Action(A::ViewAuditLog), to!(audit_export::export))
        .says("The audit log as a file: JSON lines or CSV, with a header, a footer and a signature.")
        .asks(&[
            asked("format", ParameterKind::Text, "jsonl or csv.").one_of(&["jsonl", "csv"]),
            FROM,
            TO,
            asked("after", ParameterKind::Integer, "After the entry with this number: to go on where an earlier file ends.").within(0, i64::MAX),
        ])
        .gives(200, AnswerDoc::Streams(&["application/x-ndjson", "text/csv"])),
    // What a workspace asks about itself
    Route::get("/api/machine/status", Access::Machine(A::ReadOwnMachine), to!(machine::status))
        .says("How the workspace is that asks.")
        .gives(200, AnswerDoc::Json(schema_of::<machine::MachineView>)),
    Route::post("/api/machine/heartbeat", Access::Machine(A::ReadOwnMachine), to!(machine::heartbeat))
        .says("Whether the server and the token are still good; it does not count as use.")
        .gives(200, AnswerDoc::Json(schema_of::<machine::HeartbeatView>)),
    Route::post("/api/machine/activity", Access::Machine(A::ReportOwnUse), to!(machine::activity))
        .says("Somebody uses the workspace.")
        .gives(204, AnswerDoc::Nothing),
    Route::get("/api/machine/logs", Access::Machine(A::ReadOwnMachine), to!(machine::own_logs))
        .says("The log of the workspace that asks.")
        .asks(&[asked("lines", ParameterKind::Integer, "At most so many of the newest lines, up to 10000.").within(0, 10_000)])
        .gives(200, AnswerDoc::Text),
    // The command line's own routes: on the network they do not exist.
    Route::post("/control/setup-code", Access::CommandLine(A::SetUp), to!(control::setup_code))
        .says("A new set-up link.")
        .gives(201, AnswerDoc::Nothing),
    Route::post("/control/users", Access::CommandLine(A::CreateUser), to!(control::add_user))
        .says("A user with a password.")
        .gives(201, AnswerDoc::Nothing),
    Route::get("/control/keys", Access::CommandLine(A::RotateKeys), to!(control::list_keys)).says("The signing keys."),
    Route::post("/control/keys/rotate", Access::CommandLine(A::RotateKeys), to!(control::rotate_keys)).says("New signing keys."),
    Route::post("/control/backups", Access::CommandLine(A::CreateBackup), to!(control::create_backup))
        .says("A backup.")
        .gives(201, AnswerDoc::Nothing),
    Route::post("/control/apps/installed", Access::CommandLine(A::InstallApp), to!(control::installed))
        .says("A workspace app is put in place.")
        .gives(204, AnswerDoc::Nothing),
    Route::post("/control/apps/removed", Access::CommandLine(A::RemoveApp), to!(control::removed))
        .says("A workspace app is removed.")
        .gives(204, AnswerDoc::Nothing),
    Route::post("/control/restored", Access::CommandLine(A::RestoreBackup), to!(control::restored)).says("A backup was put in place."),
    Route::post("/control/audit/export", Access::CommandLine(A::ViewAuditLog), to!(audit_export::to_command_line))
        .says("The audit log as a file."),
    Route::get("/api/templates", Access::Action(A::ListTemplates), to!(templates::list))
        .says("What a workspace can be made from.")
        .gives(200, AnswerDoc::List(schema_of::<TemplateView>)),
    Route::get("/api/workspaces", Access::Action(A::ListOwnWorkspaces), to!(workspaces::list))
        .says("The workspaces that you may see, newest first.")
        .asks(WORKSPACES)
        .gives(200, AnswerDoc::List(schema_of::<WorkspaceView>)),
    Route::post("/api/workspaces", Access::Action(A::CreateWorkspace), to!(workspaces::create))
        .says("Makes a workspace, stopped unless start is true. With dryRun: whether it would fit.")
        .takes(schema_of::<NewWorkspaceBody>)
        .asks(DRY_RUN)
        .with_idempotency()
        .with_etag()
        .gives(201, AnswerDoc::Json(schema_of::<WorkspaceView>)),
    Route::get("/api/workspaces/{workspace}", Access::Action(A::ViewWorkspace), to!(workspaces::get))
        .says("One workspace, with what you may do to it.")
        .with_etag()
        .gives(200, AnswerDoc::Json(schema_of::<WorkspaceView>)),
    Route::patch("/api/workspaces/{workspace}", Access::Action(A::UpdateWorkspace), to!(workspaces::update))
        .says("Changes name, description or size; a new size is in force at once where the runtime can, else from the next start: see resizeWaits.")
        .takes(schema_of::<WorkspacePatchBody>)
        .asks(DRY_RUN)
        .with_etag()
        .gives(200, AnswerDoc::Json(schema_of::<WorkspaceView>)),
    Route::delete("/api/workspaces/{workspace}", Access::Action(A::DeleteWorkspace), to!(workspaces::delete))
        .says("Deletes a workspace with its files.")
        .asks(REASON)
        .gives(204, AnswerDoc::Nothing),
    Route::post("/api/workspaces/{workspace}/actions", Access::Action(A::StartWorkspace), to!(workspaces::act))
        .says("Starts, stops or restarts a workspace.")
        .takes(schema_of::<ActionBody>)
        .asks(DRY_RUN)
        .gives(200, AnswerDoc::Json(schema_of::<WorkspaceView>)),
    Route::post("/api/workspaces/{workspace}/transfer", Access::Action(A::TransferWorkspace), to!(workspace_transfer::transfer))
        .says("Gives a workspace to another person, in its group or in another. With dryRun: whether it would fit, and what follows.")
        .takes(schema_of::<workspace_transfer::TransferBody>)
        .asks(DRY_RUN)
        .with_etag()
        .gives(200, AnswerDoc::Json(schema_of::<WorkspaceView>)),
    Route::get("/api/workspaces/{workspace}/timeline", Access::Action(A::ViewWorkspace), to!(workspaces::events))
        .says("What happened to it, newest first.")
        .asks(PAGE)
        .gives(200, AnswerDoc::List(schema_of::<TimelineView>)),
    Route::post("/api/workspaces/{workspace}/sync", Access::Action(A::SyncWorkspace), to!(workspaces::sync))
        .says("Looks at the cluster at once.")
        .gives(200, AnswerDoc::Json(schema_of::<WorkspaceView>)),
    Route::get("/api/workspaces/{workspace}/health", Access::Action(A::ViewWorkspace), to!(workspaces::health))
        .says("Each part of it, and how it is.")
        .gives(200, AnswerDoc::List(schema_of::<Component>)),
    Route::get("/api/workspaces/{workspace}/metrics", Access::Action(A::ViewWorkspaceMetrics), to!(workspaces::usage))
        .says("What it uses now, and what of it each of its apps.")
        .gives(200, AnswerDoc::Json(schema_of::<InUseView>)),
    Route::get("/api/workspaces/{workspace}/metrics/history", Access::Action(A::ViewWorkspaceMetrics), to!(trends::of_workspace))
        .says("What it used over time, or what one of its apps used, as it was measured while it ran.")
        .asks(&[RANGE, asked("app", ParameterKind::Text, "The slug of an app.").up_to(24)])
        .gives(200, AnswerDoc::Json(schema_of::<trends::TrendView>)),
    Route::get("/api/workspaces/{workspace}/egress", Access::Action(A::ViewWorkspaceEgress), to!(egress::show))
        .says("What it may reach outside, what it reached, and what it was refused.")
        .gives(200, AnswerDoc::Json(schema_of::<egress::EgressView>)),
    Route::get("/api/workspaces/{workspace}/logs", Access::Action(A::ViewWorkspaceLogs), to!(logs::read))
        .says("Its log: each line a time and a text.")
        .asks(LOGS)
        .gives(200, AnswerDoc::Text),
    Route::get("/api/workspaces/{workspace}/apps", Access::Action(A::ViewWorkspace), to!(apps::list))
        .says("What can be opened in it, and how it is. While somebody asks, changes are told as events of the workspace.")
        .gives(200, AnswerDoc::List(schema_of::<apps::AppView>)),
    Route::get("/api/workspaces/{workspace}/apps/{slug}/logs", Access::Action(A::ViewWorkspaceLogs), to!(apps::log))
        .says("What an app printed in this run: each line a time and a text.")
        .asks(&[
            asked("lines", ParameterKind::Integer, "The newest lines, 0 to 2000; 200 when absent.").within(0, 2_000),
            asked("follow", ParameterKind::Flag, "Then the new ones as they are printed."),
        ])
        .gives(200, AnswerDoc::Text),
    Route::post("/api/workspaces/{workspace}/apps/{slug}/restart", Access::Action(A::RestartApp), to!(apps::restart))
        .says("Ends an app and starts it anew, or starts it where it does not run.")
        .may_take(schema_of::<apps::RestartBody>)
        .gives(200, AnswerDoc::Json(schema_of::<apps::AppView>)),
    Route::get("/api/workspaces/{workspace}/ports", Access::Action(A::ViewWorkspace), to!(apps::ports))
        .says("The servers that run in it. While somebody asks, changes are told as events of the workspace.")
        .gives(200, AnswerDoc::List(schema_of::<apps::PortView>)),
    Route::get("/api/workspaces/{workspace}/terminal", Access::InFirstFrame(A::OpenTerminal, TICKETS), to!(terminal::open))
        .says("A terminal, as a WebSocket.")
        .asks(TERMINAL)
        .gives(101, AnswerDoc::Socket),
    Route::post("/api/workspaces/{workspace}/tickets", Access::Action(A::OpenTerminal), to!(terminal::ticket))
        .says("A ticket that opens one socket within 30 seconds.")
        .takes(schema_of::<TicketBody>)
        .gives(201, AnswerDoc::Json(schema_of::<TicketView>)),
    Route::get("/api/workspaces/{workspace}/terminals", Access::Action(A::OpenTerminal), to!(terminal::list))
        .says("Its open terminals.")
        .gives(200, AnswerDoc::List(schema_of::<TerminalView>)),
    Route::delete("/api/workspaces/{workspace}/terminals/{session}", Access::Action(A::OpenTerminal), to!(terminal::end))
        .says("Ends a terminal and the program in it.")
        .gives(204, AnswerDoc::Nothing),
    Route::get("/api/workspaces/{workspace}/files/{path}", Access::Action(A::ReadWorkspaceFiles), to!(files::get))
        .with_tail()
        .says("A file of the home, or with list a folder; an empty path is the home itself. Heeds Range and If-Range.")
        .asks(READ_FILES)
        .gives(200, AnswerDoc::File(schema_of::<FolderView>)),
    Route::put("/api/workspaces/{workspace}/files/{path}", Access::Action(A::WriteWorkspaceFiles), to!(files::put))
        .with_tail()
        .takes_a_stream()
        .says("Writes a file, whole or not at all, or in pieces that can go on later. Heeds If-Match and If-None-Match.")
        .asks(WRITE_FILE)
        .gives(200, AnswerDoc::Json(schema_of::<UploadView>)),
    Route::post("/api/workspaces/{workspace}/files/{path}", Access::Action(A::WriteWorkspaceFiles), to!(files::change))
        .with_tail()
        .says("Makes a folder, or gives a file or folder another name.")
        .takes(schema_of::<files::FileChangeBody>)
        .asks(REASON)
        .gives(200, AnswerDoc::Json(schema_of::<FileEntryView>)),
    Route::delete("/api/workspaces/{workspace}/files/{path}", Access::Action(A::WriteWorkspaceFiles), to!(files::delete))
        .with_tail()
        .says("Deletes a file, or a folder with all in it; links are not followed.")
        .asks(REASON)
        .gives(204, AnswerDoc::Nothing),
    Route::post("/api/workspaces/{workspace}/open", Access::Action(A::OpenApp), to!(open::open))
        .says("The way to an app's own origin; with the browser's nonce, the address that lets it in.")
        .takes(schema_of::<OpenBody>)
        .gives(200, AnswerDoc::Json(schema_of::<OpenView>)),
    Route::get("/api/admin/workspaces", Access::Action(A::ListAllWorkspaces), to!(workspaces::list_all))
        .says("All workspaces, newest first.")
        .asks(WORKSPACES)
        .gives(200, AnswerDoc::List(schema_of::<WorkspaceView>)),
    Route::delete("/api/admin/workspaces/{workspace}", Access::Action(A::AdminDeleteWorkspace), to!(workspaces::delete_any))
        .says("Deletes anybody's workspace with its files.")
        .asks(REASON)
        .gives(204, AnswerDoc::Nothing),
];
