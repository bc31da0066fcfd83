//! Backups: one folder each, holding a consistent copy of the database and a manifest with checksums, and the master
//! key only when it was asked for.
//!
//! A folder gets its name when everything in it is written, flushed and verified, so a backup that is listed is whole.
//! Restoring keeps the files it replaces aside, and ends every sign-in. Here are the audited acts; the work on files is
//! below: [`create`], [`inspect`], [`restore`].

mod create;
mod files;
mod inspect;
mod manifest;
mod restore;
#[cfg(test)]
mod tests;

pub use create::create;
pub use inspect::{key_of, list, verify};
pub use manifest::{AuditHead, FileEntry, Manifest, read_manifest};
pub use restore::put_in_place;

use super::{Caller, Ops};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::policy::{Action, Target};
use crate::store::{Change, Tx, actors, backup};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;

/// The database, in the data directory and in a backup.
pub const DATABASE: &str = "codex-web.db";
/// The master key's copy in a backup.
const KEY: &str = "master";

/// Where things lie in a data directory.
#[derive(Debug, Clone)]
pub struct Places {
    pub data_dir: PathBuf,
}

impl Places {
    pub fn database(&self) -> PathBuf {
        self.data_dir.join(DATABASE)
    }

    pub fn master_key(&self) -> PathBuf {
        self.data_dir.join("keys").join(KEY)
    }

    pub fn backups(&self) -> PathBuf {
        self.data_dir.join("backups")
    }

    /// The folder of a backup: a name in `backups/`, or a path.
    pub fn backup(&self, name: &str) -> PathBuf {
        if name.contains('/') { PathBuf::from(name) } else { self.backups().join(name) }
    }
}

/// Makes a backup, audited: that a copy of everything is taken is known before it is made, and so is its failure.
pub async fn take(ops: &Ops, caller: &Caller, places: Places, with_keys: bool, clock: Arc<dyn Clock>) -> Result<(String, Manifest)> {
    note(ops, caller, json!({"withKeys": with_keys, "step": "begun"}), None).await?;
    let made = tokio::task::spawn_blocking(move || create(&places, with_keys, clock.as_ref())).await;
    let made = made.map_err(|_| Error::internal("making the backup panicked")).and_then(|made| made);
    let (details, failed) = match &made {
        Ok((name, manifest)) => (json!({"withKeys": with_keys, "name": name, "upTo": manifest.audit_head.seq}), None),
        Err(_) => (json!({"withKeys": with_keys}), Some("failed:backup")),
    };
    note(ops, caller, details, failed).await?;
    made
}

/// The first act in a restored database: every sign-in ends, and the audit log says what happened to its past. The
/// answer is how many sessions ended.
pub async fn restored(ops: &Ops, caller: &Caller, made_at: String, up_to: i64) -> Result<usize> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let permit = tx.authorize(&actor, Action::RestoreBackup, Target::System, None)?;
        let ended = backup::end_sign_ins(tx, &permit)?;
        tx.audit(&permit, Change::of(json!({"madeAt": made_at, "upTo": up_to, "endedSessions": ended})))?;
        Ok(ended)
    };
    ops.db.write(caller.origin.clone(), job).await
}

async fn note(ops: &Ops, caller: &Caller, details: Value, failed: Option<&'static str>) -> Result<()> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let permit = tx.authorize(&actor, Action::CreateBackup, Target::System, None)?;
        match failed {
            None => tx.audit(&permit, Change::of(details)),
            Some(error) => tx.audit_failure(&permit, error, Change::of(details)),
        }
    };
    ops.db.write(caller.origin.clone(), job).await
}
