//! Run-time settings by registered key, as JSON values.
//!
//! A setting that was put back to its default keeps its row with the value `null`: so the revision of the whole, which
//! is the sum of the rows' revisions, only ever grows, and it stays known who put it back.

use super::tx::{Read, Tx};
use crate::clock::Millis;
use crate::error::Result;
use crate::policy::Permit;
use rusqlite::params;
use serde_json::Value;
use std::collections::BTreeMap;

const LIST: &str = "SELECT s.key, s.value, s.updated_at, s.updated_by, u.username, s.revision FROM setting s \
     LEFT JOIN user u ON u.id = s.updated_by ORDER BY s.key";
const REVISION: &str = "SELECT coalesce(sum(revision), 0) FROM setting";
const SAVE: &str = "INSERT INTO setting (key, value, updated_at, updated_by) VALUES (?1, ?2, ?3, ?4) \
     ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at, updated_by = excluded.updated_by, \
     revision = revision + 1";

/// One setting that somebody wrote.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// `null`: put back to the default.
    pub value: Value,
    pub updated_at: Millis,
    /// The id of a person, or `cli:NAME`.
    pub updated_by: Option<String>,
    /// The user name, where it was a person.
    pub updated_by_name: Option<String>,
}

/// Every row, by key. A value that is not JSON is no value.
pub fn list(read: &Read<'_>) -> Result<BTreeMap<String, Stored>> {
    let rows = read.rows(LIST, [], |r| {
        let text: String = r.get("value")?;
        let value = serde_json::from_str(&text).unwrap_or(Value::Null);
        let stored = Stored {
            value,
            updated_at: Millis(r.get("updated_at")?),
            updated_by: r.get("updated_by")?,
            updated_by_name: r.get("username")?,
        };
        Ok((r.get::<_, String>("key")?, stored))
    })?;
    Ok(rows.into_iter().collect())
}

/// Everything that is set, for the configuration: where nothing is, the registry's default holds.
pub fn all(read: &Read<'_>) -> Result<BTreeMap<String, Value>> {
    let set = list(read)?.into_iter().filter(|(_, stored)| !stored.value.is_null());
    Ok(set.map(|(key, stored)| (key, stored.value)).collect())
}

/// The ETag of all settings together.
pub fn revision(read: &Read<'_>) -> Result<i64> {
    read.one(REVISION, [], |r| r.get(0))
}

/// Writes one; `null` puts it back to its default.
pub fn save(tx: &Tx<'_>, permit: &Permit, key: &str, value: &Value) -> Result<()> {
    tx.change(permit, SAVE, params![key, value.to_string(), tx.now().0, permit.actor().audit_id()])?;
    Ok(())
}
