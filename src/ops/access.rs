//! What a caller can do, for the buttons of pages: the same rows that decide, asked beforehand.
//!
//! A list entry carries the names of what is allowed; a single object also says why the rest is not, by right or by its
//! state. Nothing here permits anything.

use super::{Caller, Ops};
use crate::domain::scope::Scope;
use crate::error::Result;
use crate::policy::explain::explain;
use crate::policy::guidelines::{GuidelineRow, matrix};
use crate::policy::matrix::row;
use crate::policy::{Action, Actor, Context, Target, could_ever, may};
use crate::store::{Read, actors};

/// Why an action cannot be taken now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hindrance {
    /// The `code` that the error would have.
    pub code: &'static str,
    pub message: String,
}

impl Hindrance {
    /// It is not in a state for that.
    pub fn state(message: impl Into<String>) -> Self {
        Self { code: "WRONG_STATE", message: message.into() }
    }
}

/// Every action with what stands in its way.
pub type Can = Vec<(&'static str, Option<Hindrance>)>;

/// What can be done on the platform as a whole, in the order in which `can` lists it.
pub const PLATFORM_ACTIONS: [Action; 14] = [
    Action::CreateUser,
    Action::ListUsers,
    Action::CreateGroup,
    Action::ListAllGroups,
    Action::ListAllWorkspaces,
    Action::ViewAuditLog,
    Action::AccessAdminPanel,
    Action::ViewPlatformStats,
    Action::ViewSystemSettings,
    Action::UpdateSystemSettings,
    Action::ViewClusterCapacity,
    Action::UpdatePricing,
    Action::CreateServiceAccount,
    Action::ListAllTokens,
];

/// The names of the actions that are allowed.
pub fn names(actor: &Actor, actions: &[Action], target: Target<'_>) -> Vec<&'static str> {
    actions.iter().filter(|action| may(actor, **action, target)).map(|action| action.code()).collect()
}

/// Each action, and why not: first by right, then by `state`.
pub fn reasons(actor: &Actor, actions: &[Action], target: Target<'_>, state: impl Fn(Action) -> Option<Hindrance>) -> Can {
    let one = |action: Action| {
        let explained = explain(actor, action, target, Context::default());
        if explained.allowed { state(action) } else { Some(Hindrance { code: "AUTHORIZATION_ERROR", message: explained.words }) }
    };
    actions.iter().map(|action| (action.code(), one(*action))).collect()
}

/// A scope with what it gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    pub scope: Scope,
    /// Codes of the actions that it covers and that the caller could take on something.
    pub actions: Vec<&'static str>,
}

/// The scopes that would give a token of the caller anything.
pub async fn scopes(ops: &Ops, caller: &Caller) -> Result<Vec<Offered>> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::ViewMatrix, Target::Own, None)?;
        let covered = |scope: Scope, action: Action| row(action).scope.is_some_and(|needed| scope.covers(needed));
        let offered = Scope::all().map(|scope| {
            let given = Action::ALL.iter().filter(|action| covered(scope, **action) && could_ever(&actor, **action));
            Offered { scope, actions: given.map(|action| action.code()).collect() }
        });
        Ok(offered.filter(|offered| !offered.actions.is_empty()).collect())
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// The privilege matrix, as the table has it.
pub async fn guidelines(ops: &Ops, caller: &Caller) -> Result<Vec<GuidelineRow>> {
    let principal = caller.principal.clone();
    ops.db
        .read(caller.origin.clone(), move |read| {
            let actor = actors::load(read, &principal)?;
            read.authorize(&actor, Action::ViewMatrix, Target::Own, None)?;
            Ok(matrix())
        })
        .await
}
