//! What a workspace may ask about itself, with its machine token: how it is, that it is used, what it logged.
//!
//! The token names one workspace, so there is nothing to choose and nothing of others to see.

use super::{Caller, Ops};
use crate::clock::Millis;
use crate::error::{Error, Missing, Result, Unauthenticated};
use crate::events::Operation;
use crate::ops::workspaces::event;
use crate::policy::{Action, Principal, Target};
pub use crate::store::workspaces::Workspace;
use crate::store::{Read, Tx, activity, actors, machine_tokens, workspaces};

/// How the workspace is, and how long the token that asked is good.
#[derive(Debug, Clone)]
pub struct OwnState {
    pub workspace: Workspace,
    pub token_expires_at: Millis,
}

fn own(read: &Read<'_>, principal: &Principal, action: Action) -> Result<OwnState> {
    let refused = || Error::Unauthenticated(Unauthenticated::InvalidToken);
    let Principal::Machine { token, workspace, .. } = principal else { return Err(refused()) };
    let actor = actors::load(read, principal)?;
    let held = machine_tokens::find(read, token)?.ok_or_else(refused)?;
    let workspace = workspaces::find(read, workspace, None)?.ok_or(Error::NotFound(Missing::Workspace))?;
    read.authorize(&actor, action, Target::Workspace(&workspace.facts()), None)?;
    Ok(OwnState { workspace, token_expires_at: held.grant.expires_at })
}

/// The workspace that asks, for reading.
pub async fn look(ops: &Ops, caller: &Caller) -> Result<OwnState> {
    let principal = caller.principal.clone();
    ops.db.read(caller.origin.clone(), move |read: &Read<'_>| own(read, &principal, Action::ReadOwnMachine)).await
}

/// Notes that somebody uses the workspace; at most one write a minute.
pub async fn report_use(ops: &Ops, caller: &Caller) -> Result<()> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let OwnState { workspace, .. } = own(tx, &principal, Action::ReportOwnUse)?;
        if activity::touch(tx, &workspace.row.id, tx.now())? {
            tx.publish(event(&workspace.facts(), Operation::Changed));
        }
        Ok(())
    };
    ops.db.write(caller.origin.clone(), job).await
}
