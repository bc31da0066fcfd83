//! A person's tokens for git over https, one for each host.
//!
//! A token goes in and never comes out of the API: it is sealed for its owner and host, and opened only where a
//! workspace of the owner asks for this very host ([`super::git_requests`]).

use super::own_account::own_id;
use super::users::changed;
use super::{Caller, Ops};
use crate::clock::Entropy;
use crate::domain::git::{GitHost, GitUsername};
use crate::domain::id::UserId;
use crate::error::{Error, Result};
use crate::events::Operation;
use crate::policy::{Action, Actor, Permit, Target};
pub use crate::store::git_access::GitCredentialRow;
use crate::store::{Change, Read, Tx, actors, git_access};
use crate::token::seal::Sealer;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::sync::Arc;
use zeroize::Zeroizing;

const PURPOSE: &str = "git-credential";

/// How many hosts one person may have tokens for.
pub const MOST: usize = 50;

/// A token to be kept.
#[derive(Debug)]
pub struct NewCredential {
    pub host: GitHost,
    pub username: GitUsername,
    pub token: SecretString,
}

/// Owner and host: a sealed token that is moved to another row does not open. A space stands in neither.
fn bound_to(user: &UserId, host: &GitHost) -> String {
    format!("{user} {host}")
}

/// The token of a row.
pub(super) fn open(sealer: &Sealer, row: &GitCredentialRow) -> Result<Zeroizing<Vec<u8>>> {
    sealer.open(PURPOSE, &bound_to(&row.user_id, &row.host), &row.sealed)
}

/// The caller's credentials, by host; the tokens stay sealed.
pub async fn list(ops: &Ops, caller: &Caller) -> Result<Vec<GitCredentialRow>> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::ManageOwnGitCredentials, Target::Own, None)?;
        git_access::list_credentials(read, &own_id(&actor)?)
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// Keeps a token, in the place of the one before for the same host.
pub async fn save(
    ops: &Ops,
    sealer: Arc<Sealer>,
    entropy: Arc<dyn Entropy>,
    caller: &Caller,
    new: NewCredential,
) -> Result<GitCredentialRow> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let (permit, user) = permitted(tx, &actor)?;
        let known = git_access::find_credential(tx, &user, &new.host)?.is_some();
        if !known && git_access::list_credentials(tx, &user)?.len() >= MOST {
            return Err(Error::WrongState(format!("You have credentials for {MOST} hosts already. Remove one first.")));
        }
        let sealed = sealer.seal(PURPOSE, &bound_to(&user, &new.host), new.token.expose_secret().as_bytes(), entropy.as_ref())?;
        let username = new.username.as_str().to_owned();
        let row = GitCredentialRow { user_id: user, host: new.host, username, sealed, created_at: tx.now() };
        git_access::save_credential(tx, &permit, &row)?;
        record(tx, &permit, &row.user_id, &row.host, if known { "replaced" } else { "added" })?;
        Ok(row)
    };
    ops.db.write(caller.origin.clone(), job).await
}

/// Forgets the token for a host; does nothing where there is none.
pub async fn remove(ops: &Ops, caller: &Caller, host: GitHost) -> Result<()> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let (permit, user) = permitted(tx, &actor)?;
        if git_access::find_credential(tx, &user, &host)?.is_some() {
            git_access::remove_credential(tx, &permit, &user, &host)?;
            record(tx, &permit, &user, &host, "removed")?;
        }
        Ok(())
    };
    ops.db.write(caller.origin.clone(), job).await
}

fn permitted(read: &Read<'_>, actor: &Actor) -> Result<(Permit, UserId)> {
    let permit = read.authorize(actor, Action::ManageOwnGitCredentials, Target::Own, None)?;
    Ok((permit, own_id(actor)?))
}

fn record(tx: &Tx<'_>, permit: &Permit, user: &UserId, host: &GitHost, what: &str) -> Result<()> {
    let details = json!({ "host": host, "change": what });
    tx.audit(permit, Change { details, subject: Some(user.to_string()), personal: Value::Null })?;
    tx.publish(changed(user, Operation::Changed, None));
    Ok(())
}
