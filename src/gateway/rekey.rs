//! Running agents learn the new keys when the key of their tickets is replaced.
//!
//! An agent is told whom to trust when its workspace starts. A key that was given away is dropped at once, so those that
//! run already must hear of the new one, or nobody could open them until they start again. They are told with one last
//! ticket of the old key. Whoever else has that key gains nothing by it: a connection to an agent is the server's to make,
//! and an agent that was told refuses the old key. It is told more than once, for those that were just starting.

use super::{Gateway, PATIENCE, agent_refused, place, refused, unreachable};
use crate::cluster::agent_client::{AgentError, renew_trust};
use crate::error::{Error, Result};
use crate::identity::signing::MachineKeys;
use crate::ops::running::{self, Running};
use crate::token::ticket::{Scope, Wanted};
use futures_util::StreamExt;
use std::time::Duration;
use tokio::sync::watch;

/// The pauses before each time of telling; the last is longer than a start may take.
const TELLINGS: [Duration; 3] = [Duration::ZERO, Duration::from_secs(5), Duration::from_secs(35)];
const PAGE: usize = 200;
/// Agents that are told at a time.
const AT_ONCE: usize = 8;

/// Follows the keys until told to stop.
pub async fn follow(gateway: Gateway, mut stopped: watch::Receiver<bool>) {
    let mut keys = gateway.keys.machine();
    let mut known = keys.borrow_and_update().clone();
    loop {
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            changed = keys.changed() => if changed.is_err() { return },
        }
        let now = keys.borrow_and_update().clone();
        if let (Some(old), Some(new)) = (&known, &now)
            && old.trust != new.trust
        {
            tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => return,
                () = tell_all(&gateway, old, new) => {}
            }
        }
        known = now;
    }
}

async fn tell_all(gateway: &Gateway, old: &MachineKeys, new: &MachineKeys) {
    for pause in TELLINGS {
        tokio::time::sleep(pause).await;
        let mut after = None;
        loop {
            let found = match running::page(&gateway.ops, after, PAGE).await {
                Ok(found) => found,
                Err(error) => {
                    tracing::warn!(%error, "the running workspaces could not be read: they may not know the new key");
                    break;
                }
            };
            after = found.last().map(|running| running.workspace.clone());
            let more = found.len() == PAGE;
            futures_util::stream::iter(found).for_each_concurrent(AT_ONCE, |running| tell(gateway, running, old, new)).await;
            if !more {
                break;
            }
        }
    }
}

async fn tell(gateway: &Gateway, running: Running, old: &MachineKeys, new: &MachineKeys) {
    let told = tokio::time::timeout(PATIENCE, renew(gateway, &running, old, new)).await.unwrap_or_else(|_| Err(unreachable()));
    if let Err(error) = told {
        let workspace = &running.workspace;
        tracing::warn!(%workspace, %error, "a workspace was not told the new key; it must start again if it cannot be opened");
    }
}

async fn renew(gateway: &Gateway, running: &Running, old: &MachineKeys, new: &MachineKeys) -> Result<()> {
    let (workspace, run) = (running.workspace.clone(), running.run);
    let place = place(&workspace, &running.namespace, run);
    let stream = gateway.view.connect(&place).await.map_err(refused)?;
    let (signer, now, entropy) = (old.signer.clone(), gateway.clock.now(), gateway.entropy.clone());
    // Signing takes a millisecond or two of a core.
    let minted = tokio::task::spawn_blocking(move || {
        signer.mint(&Wanted { workspace: &workspace, run, actor: None, scope: &[Scope::Admin] }, now, entropy.as_ref())
    });
    let ticket = minted.await.map_err(|_| Error::internal("a ticket could not be made"))?.map_err(|e| Error::internal(e.to_string()))?;
    match renew_trust(stream, &ticket, &new.trust.jwks).await {
        // It refuses the old key, so it knows the new one.
        Ok(()) | Err(AgentError::Refused { status: 401, .. }) => Ok(()),
        Err(error) => Err(agent_refused(error)),
    }
}
