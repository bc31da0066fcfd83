//! Signed heads of the audit chain. Without them a cut tail looks like a quiet day.
//!
//! A checkpoint says how many entries there were and what the newest one's hash was, signed with the Ed25519 audit key.
//! One is due after a thousand entries, after an hour with news, and when the server stops. Keys are
//! kept by [`super::keys`]; whoever opened one hands it in as a [`Signer`].

use super::audit::head;
use super::audit_chain::checkpoint_message;
use super::tx::{Read, Tx, Unaudited};
use crate::clock::{HOUR, Millis};
use crate::error::{Error, Result};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rusqlite::{Row, params};
use std::collections::HashMap;

/// So many entries after the last checkpoint another is due.
const EVERY: i64 = 1_000;

/// The audit key, ready to sign.
pub struct Signer {
    kid: String,
    pair: Ed25519KeyPair,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl Signer {
    /// From the private key as PKCS#8; `kid` names its row.
    pub fn new(kid: String, pkcs8: &[u8]) -> Result<Self> {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| Error::internal("the audit key cannot be read"))?;
        Ok(Self { kid, pair })
    }

    pub fn kid(&self) -> &str {
        &self.kid
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

/// One signed head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    pub seq: i64,
    pub count: i64,
    pub hash: Vec<u8>,
    pub at: Millis,
    pub kid: String,
    pub signature: Vec<u8>,
}

const PUBLIC_KEYS: &str = "SELECT kid, public_jwk FROM signing_key WHERE kind = 'audit'";
const LAST: &str = "SELECT seq, ts FROM audit_checkpoint ORDER BY seq DESC LIMIT 1";
const NEWEST: &str = "SELECT seq, count, hash, ts, kid, signature FROM audit_checkpoint ORDER BY seq DESC LIMIT 1";
const ALL: &str = "SELECT seq, count, hash, ts, kid, signature FROM audit_checkpoint WHERE seq >= ?1 ORDER BY seq";
const INSERT: &str = "INSERT OR IGNORE INTO audit_checkpoint (seq, count, hash, ts, kid, signature) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const INSTALLATION: &str = "SELECT id FROM installation";

/// The public audit keys by name, as 32 bytes.
pub(super) fn public_keys(read: &Read<'_>) -> Result<HashMap<String, Vec<u8>>> {
    let rows = read.rows(PUBLIC_KEYS, [], |r| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?)))?;
    Ok(rows.into_iter().filter_map(|(kid, jwk)| Some((kid, public_bytes(&jwk)?))).collect())
}

fn public_bytes(jwk: &str) -> Option<Vec<u8>> {
    let jwk: serde_json::Value = serde_json::from_str(jwk).ok()?;
    URL_SAFE_NO_PAD.decode(jwk.get("x")?.as_str()?).ok()
}

pub(super) fn installation(read: &Read<'_>) -> Result<String> {
    read.one(INSTALLATION, [], |r| r.get(0))
}

fn checkpoint(r: &Row<'_>) -> rusqlite::Result<Checkpoint> {
    Ok(Checkpoint {
        seq: r.get("seq")?,
        count: r.get("count")?,
        hash: r.get("hash")?,
        at: Millis(r.get("ts")?),
        kid: r.get("kid")?,
        signature: r.get("signature")?,
    })
}

/// All checkpoints from this entry on.
pub fn from(read: &Read<'_>, seq: i64) -> Result<Vec<Checkpoint>> {
    read.rows(ALL, [seq], checkpoint)
}

/// The newest checkpoint.
pub fn last(read: &Read<'_>) -> Result<Option<Checkpoint>> {
    read.row(NEWEST, [], checkpoint)
}

/// Whether enough has happened for another checkpoint.
pub fn is_due(read: &Read<'_>) -> Result<bool> {
    let (newest, _) = head(read)?;
    let (seq, at) = read.row(LAST, [], |r| Ok((r.get::<_, i64>(0)?, Millis(r.get(1)?))))?.unwrap_or((0, Millis(0)));
    Ok(newest - seq >= EVERY || (newest > seq && read.now().since(at) >= HOUR))
}

/// Signs the head of the chain; answers `None` when it is signed already or there is no entry yet.
pub fn insert(tx: &Tx<'_>, signer: &Signer) -> Result<Option<i64>> {
    let (seq, hash) = head(tx)?;
    if seq == 0 {
        return Ok(None);
    }
    // Entries are numbered without a gap from one, so the newest number is how many there ever were.
    let (count, now) = (seq, tx.now().0);
    let signature = signer.sign(&checkpoint_message(&installation(tx)?, seq, count, &hash, now));
    let inserted = tx.note(Unaudited::Checkpoint, INSERT, params![seq, count, hash, now, signer.kid, signature])?;
    Ok((inserted > 0).then_some(seq))
}

/// Whether a checkpoint was signed by a key of this installation.
pub(super) fn is_genuine(checkpoint: &Checkpoint, installation: &str, keys: &HashMap<String, Vec<u8>>) -> bool {
    let message = checkpoint_message(installation, checkpoint.seq, checkpoint.count, &checkpoint.hash, checkpoint.at.0);
    is_signed(&message, &checkpoint.kid, &checkpoint.signature, keys)
}

pub(super) fn is_signed(message: &[u8], kid: &str, signature: &[u8], keys: &HashMap<String, Vec<u8>>) -> bool {
    keys.get(kid).is_some_and(|key| UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok())
}
