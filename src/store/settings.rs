//! Run-time settings by registered key, as JSON values.

use super::tx::Read;
use crate::error::Result;
use serde_json::Value;
use std::collections::BTreeMap;

const ALL: &str = "SELECT key, value FROM setting";

/// Everything that is set. A value that is not JSON is no value: the registry's default then holds.
pub fn all(read: &Read<'_>) -> Result<BTreeMap<String, Value>> {
    let rows = read.rows(ALL, [], |r| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?)))?;
    Ok(rows.into_iter().filter_map(|(key, value)| Some((key, serde_json::from_str(&value).ok()?))).collect())
}
