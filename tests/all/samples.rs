//! How to call each route that changes something, and what its audit entry says: one row per route.
//!
//! A route without a row fails the walks, so whoever adds one says here what it is called with and under which action
//! it is recorded.

use super::harness::PASSWORD;
use super::world::{Kind, Place, Scene};
use codex_web::http::route::{Method, Route};
use serde_json::{Value, json};

/// What is recorded when the sample succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audit {
    /// Exactly one entry with this action.
    One(&'static str),
    /// Two entries with this action, for this reason.
    Two(&'static str, &'static str),
    /// None, for this reason.
    None(&'static str),
    /// It cannot succeed here, for this reason; this test, `file::function`, shows its entry.
    Elsewhere(&'static str, &'static str),
}

/// One row.
#[derive(Clone, Copy)]
pub struct Sample {
    pub method: Method,
    pub path: &'static str,
    /// A body with which the route does its work; `null` is none.
    pub body: fn(&Scene) -> Value,
    pub audit: Audit,
    /// By whom, and on whose object, it succeeds.
    pub by: (Kind, Place),
    /// What must be so before: SQL, with `{user}`, `{group}` and `{workspace}` for the ids.
    pub given: &'static str,
}

const fn row(method: Method, path: &'static str, body: fn(&Scene) -> Value, audit: Audit) -> Sample {
    Sample { method, path, body, audit, by: (Kind::Admin, Place::Near), given: "" }
}

const fn post(path: &'static str, body: fn(&Scene) -> Value, action: &'static str) -> Sample {
    row(Method::Post, path, body, Audit::One(action))
}

const fn patch(path: &'static str, body: fn(&Scene) -> Value, action: &'static str) -> Sample {
    row(Method::Patch, path, body, Audit::One(action))
}

const fn delete(path: &'static str, action: &'static str) -> Sample {
    row(Method::Delete, path, nothing, Audit::One(action))
}

impl Sample {
    const fn by(mut self, kind: Kind, place: Place) -> Self {
        self.by = (kind, place);
        self
    }

    const fn given(mut self, sql: &'static str) -> Self {
        self.given = sql;
        self
    }
}

fn nothing(_: &Scene) -> Value {
    Value::Null
}

/// Somebody else has the workspaces of the user.
const OWNS_NOTHING: &str = "UPDATE workspace SET owner_id = (SELECT id FROM user WHERE username = 'lead') WHERE owner_id = '{user}'";
const IS_GROUP_ADMIN: &str = "UPDATE membership SET role = 'admin' WHERE user_id = '{user}' AND group_id = '{group}'";
const IS_PLATFORM_ADMIN: &str = "INSERT INTO system_grant (user_id, right, granted_at) SELECT '{user}', column1, 0 \
     FROM (VALUES ('manageSystem'), ('manageUsers'), ('monitorSystem'), ('setPermissions'))";
const IS_SERVICE: &str = "UPDATE user SET kind = 'service', password_hash = NULL, organization_id = (SELECT id FROM organization) \
     WHERE id = '{user}'";
const HAS_NO_PASSWORD: &str = "UPDATE user SET password_hash = NULL WHERE id = '{user}'";
const INVITED: &str = "UPDATE user SET password_hash = NULL WHERE id = '{user}'; \
     INSERT INTO one_time_code (purpose, hash, user_id, created_at, expires_at) VALUES ('invite', x'00', '{user}', 0, 99999999999999)";
const RUNS: &str = "UPDATE workspace SET desired = 'running', run = 1 WHERE id = '{workspace}'; \
     UPDATE workspace_status SET phase = 'ready', observed_run = 1 WHERE workspace_id = '{workspace}'";
const ANOTHER_PASSWORD: &str = "copper violin harbour meadow";

/// Of every changing route.
pub const ALL: &[Sample] = &[
    row(
        Method::Post,
        "/api/setup",
        |_| json!({"code": "cxc_wrong", "username": "first", "email": "first@example.org", "password": ANOTHER_PASSWORD}),
        Audit::Elsewhere("set-up is over in a populated world", "api_setup::the_holder_of_the_code_becomes_the_first_administrator_and_set_up_closes_for_ever"),
    ),
    post("/api/auth/login", |_| json!({"username": "member", "password": PASSWORD}), "sign_in").by(Kind::Anonymous, Place::Near),
    row(
        Method::Post,
        "/api/auth/invite",
        |_| json!({"code": "cxc_wrong", "password": ANOTHER_PASSWORD}),
        Audit::Elsewhere("needs an invitation", "api_own_account::an_invitation_sets_the_first_password_once"),
    ),
    row(
        Method::Post,
        "/api/auth/refresh",
        |_| json!({"refreshToken": "cxr_wrong"}),
        Audit::Elsewhere("needs a refresh token", "api_refresh::a_refresh_token_gives_a_new_pair_of_the_same_sign_in"),
    ),
    post("/api/auth/logout", nothing, "sign_out").by(Kind::Member, Place::Own),
    patch("/api/auth/profile", |_| json!({"name": "Another Name"}), "update_profile").by(Kind::Member, Place::Own),
    post("/api/auth/change-password", |_| json!({"currentPassword": PASSWORD, "newPassword": ANOTHER_PASSWORD}), "change_password")
        .by(Kind::Member, Place::Own),
    delete("/api/auth/sessions/{session}", "end_session").by(Kind::Member, Place::Own),
    post("/api/auth/tokens", |_| json!({"name": "nightly", "scopes": ["workspaces:read"], "expiresInDays": 30}), "create_api_token")
        .by(Kind::Member, Place::Own),
    delete("/api/auth/tokens", "revoke_api_token").by(Kind::Member, Place::Own),
    delete("/api/auth/tokens/{token}", "revoke_api_token").by(Kind::Member, Place::Own),
    row(Method::Post, "/api/notices/read", nothing, Audit::None("that somebody has read a notice is nothing they could be asked about"))
        .by(Kind::Member, Place::Own),
    row(Method::Put, "/api/groups/{group}/visit", nothing, Audit::None("that a member has looked at their own group is no act"))
        .by(Kind::Member, Place::Own),
    post("/api/users/me/ssh-key", nothing, "manage_own_ssh_key").by(Kind::Member, Place::Own),
    row(
        Method::Put,
        "/api/users/me/git-credentials/{host}",
        |_| json!({"username": "ada", "token": "glpat-0123456789"}),
        Audit::One("manage_own_git_credentials"),
    )
    .by(Kind::Member, Place::Own),
    delete("/api/users/me/git-credentials/{host}", "manage_own_git_credentials").by(Kind::Member, Place::Own).given(
        "INSERT INTO git_credential (user_id, host, username, sealed, created_at) VALUES ('{user}', 'git.example.org', 'ada', x'00', 0)",
    ),
    post("/api/admin/users", |_| json!({"username": "sara", "email": "sara@example.org", "name": "Sara Lind"}), "create_user"),
    patch("/api/admin/users/{user}", |_| json!({"name": "Another Name"}), "update_user"),
    delete("/api/admin/users/{user}", "delete_user").given(OWNS_NOTHING),
    post("/api/admin/users/{user}/enable", nothing, "enable_user").given("UPDATE user SET status = 'disabled' WHERE id = '{user}'"),
    post("/api/admin/users/{user}/disable", nothing, "disable_user"),
    post("/api/admin/users/{user}/sign-out", nothing, "sign_out_user"),
    delete("/api/admin/users/{user}/sessions/{session}", "end_user_session"),
    row(
        Method::Post,
        "/api/admin/users/{user}/offboard",
        |_| json!({}),
        Audit::Elsewhere("it is many steps, each with an entry of its own", "api_offboard::everything_of_a_leaver_is_listed_first_and_then_ends"),
    ),
    post("/api/admin/users/{user}/promote", nothing, "promote_user_to_admin"),
    post("/api/admin/users/{user}/demote", nothing, "demote_admin_user").given(IS_PLATFORM_ADMIN),
    post("/api/admin/users/{user}/reset-password", |_| json!({"newPassword": ANOTHER_PASSWORD}), "reset_user_password"),
    post("/api/admin/users/{user}/invitation", nothing, "invite_user").given(HAS_NO_PASSWORD),
    delete("/api/admin/users/{user}/invitation", "invite_user").given(INVITED),
    post("/api/admin/users/{user}/unlock", nothing, "unlock_user"),
    post("/api/admin/users/{user}/groups", |s| json!({"groupId": s.group}), "add_user_to_group")
        .given("DELETE FROM membership WHERE user_id = '{user}' AND group_id = '{group}'"),
    delete("/api/admin/users/{user}/groups/{group}", "remove_user_from_group").given(OWNS_NOTHING),
    patch("/api/admin/users/{user}/groups/{group}/role", |_| json!({"role": "admin"}), "set_user_group_role"),
    post("/api/admin/users/{user}/groups/{group}/promote", nothing, "promote_user_to_group_admin"),
    post("/api/admin/users/{user}/groups/{group}/demote", nothing, "demote_user_from_group_admin").given(IS_GROUP_ADMIN),
    post("/api/admin/user-imports", |_| json!({"csv": "email,groups\nsara@example.org,alpha\n"}), "create_user"),
    post("/api/admin/service-accounts", |s| json!({"username": "ci", "name": "Builds", "groups": [s.group]}), "create_service_account"),
    post(
        "/api/admin/users/{user}/tokens",
        |_| json!({"name": "nightly", "scopes": ["workspaces:read"], "expiresInDays": 30}),
        "create_service_token",
    )
    .given(IS_SERVICE),
    delete("/api/admin/users/{user}/tokens", "revoke_user_token"),
    delete("/api/admin/users/{user}/tokens/{token}", "revoke_user_token"),
    post("/api/groups", |_| json!({"name": "gamma", "displayName": "Gamma"}), "create_group"),
    patch("/api/groups/{group}", |_| json!({"displayName": "Another Title"}), "update_group"),
    patch("/api/groups/{group}/page", |_| json!({"notes": "Ask before you stop the big one."}), "edit_group_page"),
    delete("/api/groups/{group}", "delete_group").given("DELETE FROM workspace WHERE group_id = '{group}'"),
    row(
        Method::Post,
        "/api/groups/{group}/quota/move",
        |_| json!({"to": "delta", "cpu": "1"}),
        Audit::Two("set_group_quota", "each of the two groups has its own"),
    ),
    post("/api/groups/{group}/owner", |s| json!({"userId": s.user}), "update_group").given(IS_GROUP_ADMIN),
    post("/api/groups/{group}/members", |s| json!({"userId": s.outsider}), "add_user_to_group"),
    post("/api/groups/{group}/members/import", |_| json!({"list": "stranger"}), "add_user_to_group"),
    patch("/api/groups/{group}/members/{user}", |_| json!({"role": "admin"}), "set_user_group_role"),
    delete("/api/groups/{group}/members/{user}", "remove_user_from_group").given(OWNS_NOTHING),
    patch("/api/admin/pricing/config", |_| json!({"cpuCorePerMonth": 12.5}), "update_pricing"),
    patch("/api/admin/settings", |_| json!({"items": {"auth.password_min_length": 14}}), "update_system_settings"),
    post("/api/workspaces", |s| json!({"name": "a new one", "groupId": s.group}), "create_workspace"),
    patch("/api/workspaces/{workspace}", |_| json!({"description": "Changed."}), "update_workspace"),
    post("/api/workspaces/{workspace}/transfer", |s| json!({"userId": s.outsider}), "transfer_workspace")
        .given("INSERT INTO membership (group_id, user_id, role, joined_at, granted_at) SELECT '{group}', id, 'member', 0, 0 FROM user WHERE username = 'stranger'"),
    delete("/api/workspaces/{workspace}", "delete_workspace"),
    post("/api/workspaces/{workspace}/actions", |_| json!({"type": "start"}), "start_workspace"),
    row(Method::Post, "/api/workspaces/{workspace}/sync", nothing, Audit::None("it only makes the server look sooner")),
    row(
        Method::Post,
        "/api/workspaces/{workspace}/tickets",
        |_| json!({"for": "terminal"}),
        Audit::None("entering is recorded when the socket opens, when it is somebody else's"),
    )
    .by(Kind::Member, Place::Own)
    .given(RUNS),
    row(
        Method::Post,
        "/api/workspaces/{workspace}/open",
        |_| json!({"port": 3000}),
        Audit::None("opening is recorded when it is somebody else's: gateway_apps.rs"),
    )
    .by(Kind::Member, Place::Own)
    .given(RUNS),
    row(Method::Delete, "/api/workspaces/{workspace}/terminals/{session}", nothing, Audit::Elsewhere("needs a running workspace", "api_terminal::the_owner_types_and_reads_and_others_do_not_get_in")),
    row(Method::Put, "/api/workspaces/{workspace}/files/{path}", nothing, Audit::Elsewhere("needs a running workspace", "api_files::others_do_not_get_in_and_breaking_glass_is_recorded_with_the_path")),
    row(
        Method::Post,
        "/api/workspaces/{workspace}/files/{path}",
        |_| json!({"type": "directory"}),
        Audit::Elsewhere("needs a running workspace", "api_files::others_do_not_get_in_and_breaking_glass_is_recorded_with_the_path"),
    ),
    row(Method::Delete, "/api/workspaces/{workspace}/files/{path}", nothing, Audit::Elsewhere("needs a running workspace", "api_files::others_do_not_get_in_and_breaking_glass_is_recorded_with_the_path")),
    row(Method::Post, "/api/workspaces/{workspace}/apps/{slug}/restart", nothing, Audit::Elsewhere("needs a running app", "api_apps::a_restart_is_recorded_and_told_to_an_owner_who_did_not_do_it")),
    delete("/api/admin/workspaces/{workspace}", "admin_delete_workspace"),
    row(Method::Post, "/api/machine/heartbeat", nothing, Audit::None("it changes nothing")).by(Kind::Machine, Place::Near),
    row(Method::Post, "/api/machine/activity", nothing, Audit::None("use is noted, not audited")).by(Kind::Machine, Place::Near),
    row(Method::Post, "/control/setup-code", nothing, Audit::None("a code is not yet an account; using it is recorded as set_up"))
        .by(Kind::CommandLine, Place::Near)
        .given("UPDATE installation SET set_up_at = NULL; DELETE FROM system_grant"),
    post(
        "/control/users",
        |_| json!({"username": "sara", "email": "sara@example.org", "password": "plum orbit lantern quiver"}),
        "create_user",
    )
    .by(Kind::CommandLine, Place::Near),
    post("/control/keys/rotate", |_| json!({"compromised": true}), "rotate_keys").by(Kind::CommandLine, Place::Near),
    row(Method::Post, "/control/backups", |_| json!({"withKeys": false}), Audit::Two("create_backup", "begun, and made or failed"))
        .by(Kind::CommandLine, Place::Near),
    post("/control/apps/installed", |_| json!({"name": "code-server", "version": "4.139.1", "digest": "00"}), "install_app")
        .by(Kind::CommandLine, Place::Near),
    post("/control/apps/removed", |_| json!({"name": "code-server", "version": "4.139.1", "digest": "00"}), "remove_app")
        .by(Kind::CommandLine, Place::Near),
    post("/control/restored", |_| json!({"createdAt": "2026-01-01T00:00:00Z", "upTo": 1}), "restore_backup")
        .by(Kind::CommandLine, Place::Near),
    post("/control/audit/export", nothing, "view_audit_log").by(Kind::CommandLine, Place::Near),
];

/// Reads that are recorded because of what they hand out.
pub const RECORDED_READS: [&str; 1] = ["/api/admin/audit-logs/export"];

/// Reads that leave an entry when what they show is somebody else's, once an hour.
pub const RECORDED_LOOKS: [&str; 3] =
    ["/api/workspaces/{workspace}/logs", "/api/workspaces/{workspace}/apps/{slug}/logs", "/api/workspaces/{workspace}/egress"];

/// The row of a route.
pub fn of(route: &Route) -> Option<&'static Sample> {
    ALL.iter().find(|sample| sample.method == route.method && sample.path == route.path)
}

/// Whether the path names something below the object that policy is asked about.
pub fn below(route: &Route) -> bool {
    route.path.matches('{').count() > 1
}
