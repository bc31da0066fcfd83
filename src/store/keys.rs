//! Signing keys: public parts as they are published, private parts sealed.

use super::tx::{Read, Tx, Unaudited};
use crate::clock::Millis;
use crate::error::Result;
use crate::policy::Permit;
use rusqlite::params;

/// One key.
#[derive(Debug, Clone)]
pub struct KeyRow {
    pub kid: String,
    /// `access`, `machine` or `audit`.
    pub kind: String,
    pub algorithm: String,
    pub active: bool,
    pub public_jwk: String,
    pub sealed_private: Vec<u8>,
    pub created_at: Millis,
    pub retire_at: Option<Millis>,
}

const ALL: &str =
    "SELECT kid, kind, algorithm, state, public_jwk, sealed_private, created_at, retire_at FROM signing_key ORDER BY kind, created_at DESC";
const INSERT: &str = "INSERT INTO signing_key (kid, kind, algorithm, state, public_jwk, sealed_private, created_at) VALUES (?1, ?2, ?3, 'active', ?4, ?5, ?6)";
const RETIRE: &str = "UPDATE signing_key SET state = 'retiring', retire_at = ?2 WHERE kind = ?1 AND state = 'active'";
const DROP: &str = "DELETE FROM signing_key WHERE kind = ?1";
// Public audit keys are kept for ever: checkpoints of years ago must still be checked.
const SWEEP: &str = "DELETE FROM signing_key WHERE state = 'retiring' AND retire_at < ?1 AND kind <> 'audit'";

pub fn list(read: &Read<'_>) -> Result<Vec<KeyRow>> {
    read.rows(ALL, [], |r| {
        Ok(KeyRow {
            kid: r.get("kid")?,
            kind: r.get("kind")?,
            algorithm: r.get("algorithm")?,
            active: r.get::<_, String>("state")? == "active",
            public_jwk: r.get("public_jwk")?,
            sealed_private: r.get("sealed_private")?,
            created_at: Millis(r.get("created_at")?),
            retire_at: r.get::<_, Option<i64>>("retire_at")?.map(Millis),
        })
    })
}

/// The first key of its kind: a new installation is born with it.
pub fn insert_first(tx: &Tx<'_>, key: &KeyRow) -> Result<()> {
    tx.note(Unaudited::Installation, INSERT, params![key.kid, key.kind, key.algorithm, key.public_jwk, key.sealed_private, tx.now().0])?;
    Ok(())
}

/// A new active key; the one before it still verifies until `retire_at`, or is gone at once when that is `None`.
pub fn rotate(tx: &Tx<'_>, permit: &Permit, key: &KeyRow, retire_at: Option<Millis>) -> Result<()> {
    match retire_at {
        Some(at) => tx.change(permit, RETIRE, params![key.kind, at.0])?,
        None if key.kind == "audit" => tx.change(permit, RETIRE, params![key.kind, tx.now().0])?,
        None => tx.change(permit, DROP, params![key.kind])?,
    };
    tx.change(permit, INSERT, params![key.kid, key.kind, key.algorithm, key.public_jwk, key.sealed_private, tx.now().0])?;
    Ok(())
}

/// Drops keys that nothing can be signed with any more.
pub fn sweep(tx: &Tx<'_>) -> Result<usize> {
    tx.note(Unaudited::Installation, SWEEP, [tx.now().0])
}
