//! Giving machine tokens to workspaces that run, and taking them back.
//!
//! A run of a workspace has one from the moment it is ready until it ends. It is renewed long before its end, and the
//! one before lasts until its own: a program that was started with it is not cut off. A new signing key, the end of the
//! run and the loss of the owner's account take all of them back.

use super::Ops;
use super::workspaces::event;
use crate::clock::{HOUR, Millis};
use crate::domain::id::{TokenId, WorkspaceId};
use crate::error::Result;
use crate::events::Operation;
use crate::identity::signing::Keys;
use crate::policy::{Action, Actor, Target, Task};
use crate::store::machine_tokens::{self, Due};
use crate::store::{Change, Origin, Read, Tx, running, workspaces};
use crate::token::machine::{LIFE, sign};
use secrecy::SecretString;
use serde_json::json;
use std::collections::BTreeSet;

/// What one step of a walk looks at.
const PAGE: usize = 200;
/// A token older than this is renewed, in milliseconds: two thirds of its life.
const RENEWED_AFTER: i64 = LIFE / 3 * 2;

/// What is to be done.
struct Work {
    due: Vec<Due>,
    over: Vec<(TokenId, WorkspaceId)>,
}

fn work(read: &Read<'_>, kid: &str, among: &[WorkspaceId]) -> Result<Work> {
    Ok(Work { due: machine_tokens::due(read, kid, read.now().plus(-RENEWED_AFTER), among)?, over: machine_tokens::over(read, kid, among)? })
}

/// Gives, renews and takes back whatever is due among these workspaces; `kid` names the key that signs now. Nothing is
/// written where nothing is.
pub async fn tend(ops: &Ops, kid: String, among: Vec<WorkspaceId>) -> Result<()> {
    let (key, ids) = (kid.clone(), among.clone());
    let found = ops.db.read(origin(), move |read| work(read, &key, &ids)).await?;
    if found.due.is_empty() && found.over.is_empty() {
        return Ok(());
    }
    // Looked up again where it is decided.
    let job = move |tx: &Tx<'_>| {
        let Work { due, over } = work(tx, &kid, &among)?;
        over.iter().try_for_each(|(token, workspace)| revoke(tx, token, workspace))?;
        due.iter().try_for_each(|due| issue(tx, due, &kid))
    };
    ops.db.write(origin(), job).await
}

/// Where a walk over everything stands.
#[derive(Debug, Clone, Default)]
pub struct Walk {
    workspace: Option<WorkspaceId>,
    token: Option<TokenId>,
}

/// Tends the next page of what runs and of what has a token: what no news told of. Forgets what is past its end.
pub async fn walk(ops: &Ops, kid: String, walk: Walk) -> Result<Walk> {
    let job = move |read: &Read<'_>| {
        let runs = running::page(read, walk.workspace.as_ref(), PAGE)?;
        let live = machine_tokens::live(read, walk.token.as_ref(), PAGE)?;
        let next = Walk {
            workspace: runs.last().filter(|_| runs.len() == PAGE).map(|r| r.workspace.clone()),
            token: live.last().filter(|_| live.len() == PAGE).map(|(token, _)| token.clone()),
        };
        let ids: BTreeSet<WorkspaceId> =
            runs.into_iter().map(|r| r.workspace).chain(live.into_iter().map(|(_, workspace)| workspace)).collect();
        Ok((next, ids, machine_tokens::any_expired(read)?))
    };
    let (next, ids, expired) = ops.db.read(origin(), job).await?;
    tend(ops, kid, ids.into_iter().collect()).await?;
    if expired {
        ops.db.write(origin(), |tx: &Tx<'_>| machine_tokens::sweep(tx).map(drop)).await?;
    }
    Ok(next)
}

fn issue(tx: &Tx<'_>, due: &Due, kid: &str) -> Result<()> {
    let Some(workspace) = workspaces::find(tx, &due.workspace, None)? else { return Ok(()) };
    let facts = workspace.facts();
    let permit = tx.authorize(&Actor::System(Task::Reconcile), Action::IssueMachineToken, Target::Workspace(&facts), None)?;
    let (id, expires_at) = (TokenId::fresh(tx.now(), tx.entropy()), tx.now().plus(LIFE));
    machine_tokens::insert(tx, &permit, &id, due, kid, expires_at)?;
    tx.audit(&permit, Change::of(json!({ "tokenId": id, "run": due.run, "userId": due.user, "expiresAt": expires_at.rfc3339() })))?;
    tx.publish(event(&facts, Operation::Changed));
    Ok(())
}

fn revoke(tx: &Tx<'_>, token: &TokenId, workspace: &WorkspaceId) -> Result<()> {
    let Some(workspace) = workspaces::find(tx, workspace, None)? else { return Ok(()) };
    let facts = workspace.facts();
    let permit = tx.authorize(&Actor::System(Task::Reconcile), Action::RevokeMachineToken, Target::Workspace(&facts), None)?;
    machine_tokens::revoke(tx, &permit, token)?;
    tx.audit(&permit, Change::of(json!({ "tokenId": token })))?;
    tx.publish(event(&facts, Operation::Changed));
    Ok(())
}

/// A token to be shown, and what goes with it.
#[derive(Debug)]
pub struct Signed {
    pub id: TokenId,
    pub token: SecretString,
    pub expires_at: Millis,
    /// The public half of the key that signed it, as base64 of its X.509 form.
    pub public_key: String,
}

/// The token that this run of a workspace uses now, signed by the key that signs now. `None` where it has none, or
/// where there is no key yet.
pub async fn current(ops: &Ops, keys: &Keys, workspace: WorkspaceId, run: i64) -> Result<Option<Signed>> {
    let Some(machine) = keys.machine().borrow().clone() else { return Ok(None) };
    let key = machine.signer.key();
    let kid = key.kid().to_owned();
    let held = ops.db.read(origin(), move |read| machine_tokens::newest(read, &workspace, &kid)).await?;
    let Some(grant) = held.filter(|held| held.run == run).map(|held| held.grant) else { return Ok(None) };
    let token = sign(key, keys.issuer(), &grant)?;
    Ok(Some(Signed { id: grant.id, token, expires_at: grant.expires_at, public_key: key.public_spki()? }))
}

fn origin() -> Origin {
    Origin { call_id: "machine-tokens".to_owned(), ..Origin::default() }
}

// What is renewed after two thirds leaves hours to whoever still holds the one before.
const _: () = assert!(LIFE - RENEWED_AFTER >= 8 * HOUR);
