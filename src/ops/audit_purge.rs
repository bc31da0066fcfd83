//! Purging what was written out: the entries go in the same transaction that says in the log itself which they were and
//! what the file of them must be.

use super::Ops;
use crate::domain::hex::{decode as unhex, encode as hex};
use crate::error::{Error, Result};
use crate::policy::{Action, Actor, Target, Task};
use crate::store::audit_export::Footer;
use crate::store::{Change, Origin, Tx, audit_purge};
use serde_json::json;

/// A file that was read back and found to be good.
#[derive(Debug, Clone)]
pub struct Proven {
    /// Its name in the folder of exports.
    pub name: String,
    /// The number of its first entry.
    pub first: i64,
    pub footer: Footer,
}

/// Removes the entries that this file holds; answers how many there were.
pub fn purge(ops: &Ops, file: Proven) -> Result<usize> {
    let hash = unhex(&file.footer.last_hash).ok_or_else(|| Error::internal("a footer without a hash"))?;
    let job = move |tx: &Tx<'_>| {
        let permit = tx.authorize(&Actor::System(Task::Upkeep), Action::PurgeAuditLog, Target::System, None)?;
        let Footer { last, count, sha256, .. } = &file.footer;
        let removed = audit_purge::remove(tx, &permit, *last, &hash)?;
        if i64::try_from(removed) != Ok(*count) {
            return Err(Error::internal(format!("the file holds {count} entries, but {removed} would go: nothing is purged")));
        }
        let details =
            json!({"from": file.first, "to": last, "entries": count, "lastHash": hex(&hash), "file": file.name, "sha256": sha256});
        tx.audit(&permit, Change::of(details))?;
        Ok(removed)
    };
    ops.db.write_blocking(Origin { call_id: "audit-retention".to_owned(), ..Origin::default() }, job)
}
