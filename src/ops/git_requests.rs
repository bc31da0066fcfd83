//! What a running workspace asks for its owner: the public key, a signature, the token for a host.
//!
//! Nobody is signed in here: the connection says which run of which workspace asks, and each request looks up again
//! that this run is the current one and that its owner may still use the account. Every use is a fact that somebody may
//! ask about later, so the gateway records it before it answers; how often is decided there.

use super::{Ops, git_credentials, ssh_key};
use crate::domain::git::GitHost;
use crate::domain::id::WorkspaceId;
use crate::domain::user::UserStatus;
use crate::domain::workspace::Desired;
use crate::error::{Error, Missing, Result};
use crate::policy::{Action, Actor, Permit, Target, Task};
use crate::store::git_access::{self, GitCredentialRow, SshKeyRow};
use crate::store::workspaces::{self, Workspace};
use crate::store::{Change, Origin, Read, Tx, users};
use crate::token::seal::Sealer;
use crate::token::ssh::{PublicKey, UserKey};
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// Which run of which workspace asks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asker {
    pub workspace: WorkspaceId,
    pub run: i64,
}

/// What was asked for, as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// The key signed in as a user of some SSH server; the fingerprint of the server's key where it is known.
    SignIn { user: String, host_key: Option<String> },
    /// The key signed a commit or a tag.
    GitObject,
    /// The key was to sign something else.
    Refused { why: &'static str },
    /// The token for this host was handed out.
    Credential { host: GitHost },
}

impl Use {
    fn action(&self) -> Action {
        match self {
            Self::SignIn { .. } | Self::GitObject | Self::Refused { .. } => Action::UseSshKey,
            Self::Credential { .. } => Action::UseGitCredential,
        }
    }

    /// What stands in the audit entry; the name on a foreign server is personal data.
    fn told(&self) -> (Value, Value) {
        match self {
            Self::SignIn { user, host_key } => (json!({ "use": "sign_in", "hostKey": host_key }), json!({ "remoteUser": user })),
            Self::GitObject => (json!({ "use": "git_object" }), Value::Null),
            Self::Refused { .. } => (json!({ "use": "other" }), Value::Null),
            Self::Credential { host } => (json!({ "use": "credential", "host": host }), Value::Null),
        }
    }
}

/// The owner's key, still sealed.
#[derive(Debug, Clone)]
pub struct Key {
    row: SshKeyRow,
    pub public: PublicKey,
}

impl Key {
    pub fn open(&self, sealer: &Sealer) -> Result<UserKey> {
        ssh_key::open(sealer, &self.row)
    }
}

/// The owner's token for a host, still sealed.
#[derive(Debug, Clone)]
pub struct Credential(GitCredentialRow);

impl Credential {
    pub fn username(&self) -> &str {
        &self.0.username
    }

    /// The token itself.
    pub fn open(&self, sealer: &Sealer) -> Result<Zeroizing<Vec<u8>>> {
        git_credentials::open(sealer, &self.0)
    }
}

fn origin() -> Origin {
    Origin { call_id: "gateway".to_owned(), ..Origin::default() }
}

/// The workspace, where this run of it may still ask for its owner.
fn standing(read: &Read<'_>, asker: &Asker, action: Action) -> Result<(Workspace, Permit)> {
    let workspace = workspaces::find(read, &asker.workspace, None)?.ok_or(Error::NotFound(Missing::Workspace))?;
    if workspace.row.desired != Desired::Running || workspace.row.run != asker.run {
        return Err(Error::WrongState("This run of the workspace is over.".to_owned()));
    }
    let owner = users::find(read, &workspace.row.owner_id)?;
    let active = |user: &users::User| user.status == UserStatus::Active && user.expires_at.is_none_or(|end| end > read.now());
    if !owner.as_ref().is_some_and(active) {
        return Err(Error::WrongState("The account of its owner cannot be used.".to_owned()));
    }
    let actor = Actor::System(Task::Gateway);
    let permit = read.authorize(&actor, action, Target::Workspace(&workspace.facts()), None)?;
    Ok((workspace, permit))
}

/// The key of the workspace's owner; `None` where they have made none.
pub async fn key(ops: &Ops, asker: Asker) -> Result<Option<Key>> {
    let job = move |read: &Read<'_>| {
        let (workspace, _) = standing(read, &asker, Action::UseSshKey)?;
        let row = git_access::find_key(read, &workspace.row.owner_id)?;
        row.map(|row| PublicKey::parse(&row.public_key).map(|public| Key { row, public })).transpose()
    };
    ops.db.read(origin(), job).await
}

/// The token that the workspace's owner keeps for this host.
pub async fn credential(ops: &Ops, asker: Asker, host: GitHost) -> Result<Option<Credential>> {
    let job = move |read: &Read<'_>| {
        let (workspace, _) = standing(read, &asker, Action::UseGitCredential)?;
        Ok(git_access::find_credential(read, &workspace.row.owner_id, &host)?.map(Credential))
    };
    ops.db.read(origin(), job).await
}

/// Records a use; `count` of equal ones since the last entry, this one included.
pub async fn record(ops: &Ops, asker: Asker, used: Use, count: u64) -> Result<()> {
    let job = move |tx: &Tx<'_>| {
        let (workspace, permit) = standing(tx, &asker, used.action())?;
        let owner = &workspace.row.owner_id;
        let (mut details, personal) = used.told();
        details["ownerId"] = json!(owner);
        details["run"] = json!(asker.run);
        details["count"] = json!(count);
        let change = Change { details, subject: Some(owner.to_string()), personal };
        match &used {
            Use::Refused { why } => tx.audit_failure(&permit, why, change),
            Use::SignIn { .. } | Use::GitObject | Use::Credential { .. } => tx.audit(&permit, change),
        }
    };
    ops.db.write(origin(), job).await
}
