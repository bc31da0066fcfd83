//! Everything of a leaver ends, as one reviewed action: sign-in, credentials, platform rights, groups they own,
//! workspaces, memberships.
//!
//! The steps are read from what is so now, so a review lists only what is left to do, and an action that was interrupted
//! is taken up by asking again. Each step is the ordinary use case with its own permission, its own transaction and its
//! own audit entry; one that cannot be done says why and does not keep the others. Sign-in ends first: whoever leaves
//! sees none of the rest.

use super::groups as group_ops;
use super::members::{self, Wanted};
use super::offboard_review::{self as reviewing, told};
use super::users::present;
use super::workspace_transfer::{self, Transfer};
use super::{Caller, Ops, user_state, workspace_actions};
use crate::domain::id::{GroupId, UserId, WorkspaceId};
use crate::domain::names::Reason;
use crate::error::{Error, Result};
use crate::policy::{Action, Target};
use crate::store::codes::{self, Purpose};
use crate::store::{Change, Read, Tx, actors, git_access, offboard, users};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What becomes of a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    Delete,
    Transfer(UserId),
}

/// What was decided, and what it was decided on.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    pub workspaces: BTreeMap<WorkspaceId, Fate>,
    /// Who is to own the groups that they own.
    pub owners: BTreeMap<GroupId, UserId>,
    pub reason: Option<Reason>,
    /// The digest of the review; where it is given, nothing is done when something has changed since.
    pub review: Option<String>,
}

/// What a step is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Account,
    Credentials,
    Rights,
    Group,
    Workspace,
    Membership,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Credentials => "credentials",
            Self::Rights => "rights",
            Self::Group => "group",
            Self::Workspace => "workspace",
            Self::Membership => "membership",
        }
    }
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// To be done.
    Due,
    /// Somebody must decide first.
    Undecided,
    /// It cannot be done as it was decided.
    Blocked,
    Done,
    /// It was tried and refused.
    Failed,
}

impl State {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Undecided => "undecided",
            Self::Blocked => "blocked",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// One consequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub kind: Kind,
    /// The id of the account, group or workspace.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// The group in which it happens, where there is one.
    pub group: Option<GroupId>,
    /// One sentence: what is done.
    pub words: String,
    pub state: State,
    /// Why it is not due, or not done.
    pub message: Option<String>,
}

/// All that is left to do, and a digest of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    pub steps: Vec<Step>,
    pub digest: String,
}

impl Review {
    /// Whether nothing is left.
    pub fn is_complete(&self) -> bool {
        self.steps.iter().all(|step| step.state == State::Done)
    }
}

/// What would be done; writes nothing.
pub async fn review(ops: &Ops, caller: &Caller, id: UserId, wish: Wish) -> Result<Review> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        let (user, facts) = present(read, &id)?;
        read.authorize(&actor, Action::OffboardUser, Target::User(&facts), None)?;
        reviewing::steps(read, &actor, &user, &facts, &wish)
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// Does every step that is due, one after the other. The answer says of each what became of it.
pub async fn carry_out(ops: &Ops, caller: &Caller, id: UserId, wish: Wish) -> Result<Review> {
    let mut review = review(ops, caller, id.clone(), wish.clone()).await?;
    if wish.review.as_ref().is_some_and(|seen| *seen != review.digest) {
        return Err(Error::Stale);
    }
    for step in review.steps.iter_mut().filter(|step| step.state == State::Due) {
        match perform(ops, caller, &id, step, &wish).await {
            Ok(()) => step.state = State::Done,
            Err(error) => (step.state, step.message) = (State::Failed, Some(told(&error))),
        }
    }
    Ok(review)
}

async fn perform(ops: &Ops, caller: &Caller, id: &UserId, step: &Step, wish: &Wish) -> Result<()> {
    let reason = wish.reason.clone();
    let text = reason.as_ref().map(ToString::to_string);
    match step.kind {
        Kind::Account => user_state::disable(ops, caller, id.clone(), reason).await.map(drop),
        Kind::Credentials => end_credentials(ops, caller, id.clone(), text).await,
        Kind::Rights => user_state::demote(ops, caller, id.clone(), reason).await.map(drop),
        Kind::Group => {
            let Some((group, owner)) = wish.owners.iter().find(|(group, _)| group.as_str() == step.id) else { return Err(undecided()) };
            group_ops::transfer(ops, caller, group.to_string(), owner.clone(), reason).await.map(drop)
        }
        Kind::Workspace => {
            let Some((workspace, fate)) = wish.workspaces.iter().find(|(id, _)| id.as_str() == step.id) else { return Err(undecided()) };
            match fate {
                Fate::Delete => workspace_actions::delete(ops, caller, workspace.clone(), Action::DeleteWorkspace, text).await,
                Fate::Transfer(to) => {
                    let transfer = Transfer { to: to.clone(), group: None, name: None, reason: text, expected: None };
                    workspace_transfer::transfer(ops, caller, workspace.clone(), transfer).await.map(drop)
                }
            }
        }
        Kind::Membership => members::change(ops, caller, step.id.clone(), id.clone(), Wanted::Leaves, reason).await.map(drop),
    }
}

fn undecided() -> Error {
    Error::WrongState("Nobody has decided about it.".to_owned())
}

/// Tokens, keys, passwords, shares, roles and open requests, in one go.
async fn end_credentials(ops: &Ops, caller: &Caller, id: UserId, reason: Option<String>) -> Result<()> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let (user, facts) = present(tx, &id)?;
        let permit = tx.authorize(&actor, Action::OffboardUser, Target::User(&facts), reason.as_deref())?;
        let held = offboard::held(tx, &id)?;
        codes::drop_of_user(tx, Purpose::Invite, &id)?;
        users::drop_secrets(tx, &permit, &id)?;
        git_access::remove_of_user(tx, &permit, &id)?;
        offboard::end_grants(tx, &permit, &id)?;
        users::touch(tx, &permit, &id)?;
        let details = json!({
            "apiTokens": held.tokens, "sshKeys": held.ssh_keys, "gitCredentials": held.git_credentials,
            "shares": held.shares, "roles": held.roles, "requests": held.requests,
        });
        tx.audit(&permit, Change { details, subject: Some(user.id.to_string()), personal: Value::Null })
    };
    ops.db.write(caller.origin.clone(), job).await
}
