//! Whether the file is whole, as SQLite itself can tell.

use super::tx::Read;
use crate::error::Result;

const QUICK_CHECK: &str = "PRAGMA quick_check(20)";
const FOREIGN_KEYS: &str = "SELECT count(*) FROM pragma_foreign_key_check";

/// Every problem in words; empty when there is none. Reads the whole file.
pub fn check(read: &Read<'_>) -> Result<Vec<String>> {
    let mut problems: Vec<String> = read.rows(QUICK_CHECK, [], |r| r.get(0))?;
    problems.retain(|line| line != "ok");
    let dangling: i64 = read.one(FOREIGN_KEYS, [], |r| r.get(0))?;
    if dangling > 0 {
        problems.push(format!("{dangling} rows refer to something that is not there"));
    }
    Ok(problems)
}
