//! A person's SSH key: seeing the public part, and making a new one in the place of the old.
//!
//! The private part is sealed before the transaction and opened in one place only, where a workspace asks for a
//! signature ([`super::git_requests`]).

use super::own_account::own_id;
use super::users::changed;
use super::{Caller, Ops};
use crate::clock::{Entropy, Millis};
use crate::domain::id::UserId;
use crate::error::Result;
use crate::events::Operation;
use crate::policy::{Action, Target};
use crate::store::git_access::{self, SshKeyRow};
use crate::store::{Change, Read, Tx, actors};
use crate::token::seal::Sealer;
use crate::token::ssh::{PublicKey, UserKey};
use serde_json::{Value, json};
use std::sync::Arc;
use zeroize::Zeroizing;

const PURPOSE: &str = "ssh-key";

/// The public part, and since when it is the key.
#[derive(Debug, Clone)]
pub struct OwnKey {
    pub public: PublicKey,
    pub created_at: Millis,
}

fn own_key(row: &SshKeyRow) -> Result<OwnKey> {
    Ok(OwnKey { public: PublicKey::parse(&row.public_key)?, created_at: row.created_at })
}

/// The private part of a row.
pub(super) fn open(sealer: &Sealer, row: &SshKeyRow) -> Result<UserKey> {
    UserKey::from_pkcs8(sealer.open(PURPOSE, row.user_id.as_str(), &row.sealed_private)?)
}

/// The caller's key; `None` before one was made.
pub async fn find(ops: &Ops, caller: &Caller) -> Result<Option<OwnKey>> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::ManageOwnSshKey, Target::Own, None)?;
        git_access::find_key(read, &own_id(&actor)?)?.as_ref().map(own_key).transpose()
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// Makes a key for the caller. One that was there before signs nothing from then on.
pub async fn make(ops: &Ops, sealer: Arc<Sealer>, entropy: Arc<dyn Entropy>, caller: &Caller) -> Result<OwnKey> {
    let principal = caller.principal.clone();
    let key = UserKey::generate()?;
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let permit = tx.authorize(&actor, Action::ManageOwnSshKey, Target::Own, None)?;
        let user = own_id(&actor)?;
        let name = actor.user().map_or("", |user| user.username.as_str());
        let row = sealed(&sealer, entropy.as_ref(), &key, &user, name, tx.now())?;
        let before = git_access::find_key(tx, &user)?.as_ref().map(own_key).transpose()?;
        git_access::save_key(tx, &permit, &row)?;
        let made = own_key(&row)?;
        let fingerprints = json!({ "before": before.map(|key| key.public.fingerprint()), "after": made.public.fingerprint() });
        let details = json!({ "fingerprint": fingerprints });
        tx.audit(&permit, Change { details, subject: Some(user.to_string()), personal: Value::Null })?;
        tx.publish(changed(&user, Operation::Changed, None));
        Ok(made)
    };
    ops.db.write(caller.origin.clone(), job).await
}

fn sealed(sealer: &Sealer, entropy: &dyn Entropy, key: &UserKey, user: &UserId, name: &str, now: Millis) -> Result<SshKeyRow> {
    let private = Zeroizing::new(key.pkcs8().to_vec());
    Ok(SshKeyRow {
        user_id: user.clone(),
        public_key: key.public(&format!("{name}@codex-web")).line(),
        sealed_private: sealer.seal(PURPOSE, user.as_str(), &private, entropy)?,
        created_at: now,
    })
}
