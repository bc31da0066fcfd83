//! Who asks, with the facts about them that policy needs, loaded in the transaction that decides.

use super::rights::Rights;
use crate::clock::Millis;
use crate::domain::id::{GroupId, OrganizationId, SessionId, TokenId, UserId, WorkspaceId};
use crate::domain::scope::Scope;
use std::collections::{BTreeMap, BTreeSet};

pub use crate::domain::group::GroupRole as Role;

/// How the caller showed who they are. It never carries authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// The cookie of a browser.
    Cookie(SessionId),
    /// A short-lived access token of a sign-in.
    Access(SessionId),
    /// A long-lived API token. What it was made for is looked up with everything else: [`TokenGrant`].
    ApiToken(TokenId),
}

impl Credential {
    /// The sign-in behind it, if there is one.
    pub fn session(&self) -> Option<&SessionId> {
        match self {
            Self::Cookie(id) | Self::Access(id) => Some(id),
            Self::ApiToken(_) => None,
        }
    }

    /// The API token, if it is one.
    pub fn token(&self) -> Option<&TokenId> {
        match self {
            Self::ApiToken(id) => Some(id),
            Self::Cookie(_) | Self::Access(_) => None,
        }
    }
}

/// What an API token was made for: it narrows what its owner may do, and never adds to it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenGrant {
    pub scopes: BTreeSet<Scope>,
    /// With these, it works on these groups and what is in them ...
    pub groups: BTreeSet<GroupId>,
    /// ... and on these workspaces, and on nothing else. Both empty: on everything of its scopes.
    pub workspaces: BTreeSet<WorkspaceId>,
}

impl TokenGrant {
    /// Whether one of its scopes covers what an action needs.
    pub fn covers(&self, needed: Option<Scope>) -> bool {
        needed.is_some_and(|needed| self.scopes.iter().any(|scope| scope.covers(needed)))
    }

    /// It works on listed groups and workspaces only.
    pub fn is_limited(&self) -> bool {
        !self.groups.is_empty() || !self.workspaces.is_empty()
    }
}

/// A signed-in user.
#[derive(Debug, Clone)]
pub struct UserActor {
    pub id: UserId,
    pub username: String,
    pub rights: Rights,
    /// Groups that are not being deleted, with the role in each.
    pub groups: BTreeMap<GroupId, Role>,
    /// Action codes that organization roles give, by organization.
    pub organizations: BTreeMap<OrganizationId, BTreeSet<String>>,
    pub credential: Credential,
    /// What the API token was made for, where that is the credential. Such a credential without it may do nothing.
    pub token: Option<TokenGrant>,
    /// When the sign-in behind the credential was made, or last repeated.
    pub signed_in_at: Millis,
    pub has_second_factor: bool,
    /// Nothing works but changing the password and signing out.
    pub must_change_password: bool,
}

/// A part of the server that works without a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    Reconcile,
    Upkeep,
    Start,
    /// What a workspace asks for on its own connection.
    Gateway,
    /// The listener of `metrics.listen`.
    Measure,
}

impl Task {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reconcile => "reconcile",
            Self::Upkeep => "upkeep",
            Self::Start => "start",
            Self::Gateway => "gateway",
            Self::Measure => "measure",
        }
    }
}

/// A workspace that asks about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineActor {
    pub workspace: WorkspaceId,
    pub token: TokenId,
}

/// Who asks.
#[derive(Debug, Clone)]
pub enum Actor {
    /// Nobody is signed in.
    Anonymous,
    User(Box<UserActor>),
    System(Task),
    /// A program inside a workspace, by the workspace's machine token.
    Machine(MachineActor),
    /// Somebody with a shell as the data directory's user: `cli:<system user>`.
    CommandLine {
        system_user: String,
    },
}

impl Actor {
    pub fn user(&self) -> Option<&UserActor> {
        match self {
            Self::User(user) => Some(user),
            _ => None,
        }
    }

    pub fn user_id(&self) -> Option<&UserId> {
        self.user().map(|u| &u.id)
    }

    /// The word of the audit log's `actor_kind`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::User(_) => "user",
            Self::Machine(_) => "machine",
            Self::System(_) => "system",
            Self::CommandLine { .. } => "local-shell",
        }
    }

    /// The audit log's `actor_id`: an opaque id, never a name of a person.
    pub fn audit_id(&self) -> Option<String> {
        match self {
            Self::Anonymous => None,
            Self::User(user) => Some(user.id.to_string()),
            Self::Machine(machine) => Some(machine.workspace.to_string()),
            Self::System(task) => Some(task.as_str().to_owned()),
            Self::CommandLine { system_user } => Some(format!("cli:{system_user}")),
        }
    }
}

/// Who is calling, as the credential proved it; never what they may do.
#[derive(Debug, Clone)]
pub enum Principal {
    Anonymous,
    User {
        id: UserId,
        credential: Credential,
        signed_in_at: Millis,
    },
    /// A program inside a workspace.
    Machine {
        token: TokenId,
        workspace: WorkspaceId,
        run: i64,
    },
    /// A shell on the server's machine.
    CommandLine {
        system_user: String,
    },
}

impl Principal {
    pub fn user_id(&self) -> Option<&UserId> {
        match self {
            Self::User { id, .. } => Some(id),
            _ => None,
        }
    }
}
