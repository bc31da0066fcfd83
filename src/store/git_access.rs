//! What people reach git hosts with: one SSH key each, and a token for each https host. Private parts come and go
//! sealed; nothing here can open them.

use super::tx::{Read, Tx};
use crate::clock::Millis;
use crate::domain::git::GitHost;
use crate::domain::id::UserId;
use crate::error::Result;
use crate::policy::Permit;
use rusqlite::{Row, params};

/// A person's SSH key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshKeyRow {
    pub user_id: UserId,
    /// A line of `authorized_keys`.
    pub public_key: String,
    pub sealed_private: Vec<u8>,
    pub created_at: Millis,
}

/// A token for one https host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitCredentialRow {
    pub user_id: UserId,
    pub host: GitHost,
    pub username: String,
    pub sealed: Vec<u8>,
    pub created_at: Millis,
}

const FIND_KEY: &str = "SELECT user_id, public_key, sealed_private, created_at FROM ssh_key WHERE user_id = ?1";
const SAVE_KEY: &str = "INSERT INTO ssh_key (user_id, public_key, sealed_private, created_at) VALUES (?1, ?2, ?3, ?4) \
     ON CONFLICT (user_id) DO UPDATE SET public_key = excluded.public_key, sealed_private = excluded.sealed_private, \
     created_at = excluded.created_at";
const LIST_CREDENTIALS: &str = "SELECT user_id, host, username, sealed, created_at FROM git_credential WHERE user_id = ?1 ORDER BY host";
const FIND_CREDENTIAL: &str = "SELECT user_id, host, username, sealed, created_at FROM git_credential WHERE user_id = ?1 AND host = ?2";
const SAVE_CREDENTIAL: &str = "INSERT INTO git_credential (user_id, host, username, sealed, created_at) VALUES (?1, ?2, ?3, ?4, ?5) \
     ON CONFLICT (user_id, host) DO UPDATE SET username = excluded.username, sealed = excluded.sealed, created_at = excluded.created_at";
const REMOVE_CREDENTIAL: &str = "DELETE FROM git_credential WHERE user_id = ?1 AND host = ?2";
const REMOVE_KEY_OF_USER: &str = "DELETE FROM ssh_key WHERE user_id = ?1";
const REMOVE_CREDENTIALS_OF_USER: &str = "DELETE FROM git_credential WHERE user_id = ?1";

fn credential(r: &Row<'_>) -> rusqlite::Result<GitCredentialRow> {
    Ok(GitCredentialRow {
        user_id: UserId::trusted(r.get("user_id")?),
        host: GitHost::trusted(r.get("host")?),
        username: r.get("username")?,
        sealed: r.get("sealed")?,
        created_at: Millis(r.get("created_at")?),
    })
}

/// The key of a person who has made one.
pub fn find_key(read: &Read<'_>, user: &UserId) -> Result<Option<SshKeyRow>> {
    read.row(FIND_KEY, [user.as_str()], |r| {
        Ok(SshKeyRow {
            user_id: UserId::trusted(r.get("user_id")?),
            public_key: r.get("public_key")?,
            sealed_private: r.get("sealed_private")?,
            created_at: Millis(r.get("created_at")?),
        })
    })
}

/// Keeps a key in the place of the one before.
pub fn save_key(tx: &Tx<'_>, permit: &Permit, key: &SshKeyRow) -> Result<()> {
    let values = params![key.user_id.as_str(), key.public_key, key.sealed_private, key.created_at.0];
    tx.change(permit, SAVE_KEY, values).map(drop)
}

/// A person's credentials, by host.
pub fn list_credentials(read: &Read<'_>, user: &UserId) -> Result<Vec<GitCredentialRow>> {
    read.rows(LIST_CREDENTIALS, [user.as_str()], credential)
}

pub fn find_credential(read: &Read<'_>, user: &UserId, host: &GitHost) -> Result<Option<GitCredentialRow>> {
    read.row(FIND_CREDENTIAL, [user.as_str(), host.as_str()], credential)
}

/// Keeps a credential in the place of the one before for the same host.
pub fn save_credential(tx: &Tx<'_>, permit: &Permit, row: &GitCredentialRow) -> Result<()> {
    let values = params![row.user_id.as_str(), row.host.as_str(), row.username, row.sealed, row.created_at.0];
    tx.change(permit, SAVE_CREDENTIAL, values).map(drop)
}

/// Forgets a credential.
pub fn remove_credential(tx: &Tx<'_>, permit: &Permit, user: &UserId, host: &GitHost) -> Result<()> {
    tx.change(permit, REMOVE_CREDENTIAL, [user.as_str(), host.as_str()]).map(drop)
}

/// Forgets all of it: the account is deleted.
pub fn remove_of_user(tx: &Tx<'_>, permit: &Permit, user: &UserId) -> Result<()> {
    tx.change(permit, REMOVE_KEY_OF_USER, [user.as_str()])?;
    tx.change(permit, REMOVE_CREDENTIALS_OF_USER, [user.as_str()]).map(drop)
}
