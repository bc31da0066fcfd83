//! The keys that sign tokens: seeing them, and making new ones.

use super::{Caller, Ops};
use crate::clock::{Clock, Entropy};
use crate::error::{Error, Result};
use crate::identity::signing::{Keys, fresh};
use crate::policy::{Action, Target};
use crate::store::keys;
pub use crate::store::keys::KeyRow;
use crate::store::{Change, Read, Tx, actors};
use crate::token::keys::Family;
use serde_json::json;
use std::sync::Arc;

/// All keys, active and retiring, without their private parts.
pub async fn list(ops: &Ops, caller: &Caller) -> Result<Vec<KeyRow>> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::RotateKeys, Target::System, None)?;
        keys::list(read)
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// Makes a new access key; the old one verifies until the last token of it has expired.
///
/// `compromised` drops the old keys at once and replaces the key of agent tickets too. That one is replaced only then:
/// an agent learns the keys it trusts when its workspace starts, and those that run have to be told (`gateway::rekey`).
pub async fn rotate(
    ops: &Ops,
    signing: &Arc<Keys>,
    caller: &Caller,
    compromised: bool,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
) -> Result<Vec<KeyRow>> {
    let sealer = Arc::clone(signing.sealer());
    let kinds: &[Family] = if compromised { &[Family::Access, Family::Machine] } else { &[Family::Access] };
    // An RSA key takes a second to make: before the transaction, and on a thread that may wait.
    let make = move || kinds.iter().map(|kind| fresh(*kind, &sealer, clock.as_ref(), entropy.as_ref())).collect::<Result<Vec<KeyRow>>>();
    let made = tokio::task::spawn_blocking(make).await.map_err(|_| Error::internal("making a key panicked"))??;
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let permit = tx.authorize(&actor, Action::RotateKeys, Target::System, None)?;
        Keys::rotate(tx, &permit, &made, compromised)?;
        let kids: Vec<&str> = made.iter().map(|key| key.kid.as_str()).collect();
        tx.audit(&permit, Change::of(json!({"keys": kids, "compromised": compromised})))?;
        keys::list(tx)
    };
    let rows = ops.db.write(caller.origin.clone(), job).await?;
    let (signing, db) = (Arc::clone(signing), ops.db.clone());
    tokio::task::spawn_blocking(move || signing.reload(&db)).await.map_err(|_| Error::internal("reading the keys panicked"))??;
    Ok(rows)
}
