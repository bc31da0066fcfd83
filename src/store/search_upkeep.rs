//! Upkeep of the search index. Every commit that names something adds a small part to the index, and a search opens all
//! parts; they are merged a piece at a time, so that the writer is never held for long.

use super::tx::{Tx, Unaudited};
use crate::error::Result;
use rusqlite::params;

/// Merges parts of like size until so many pages of the index (about 4 KiB each) are written. How few parts are worth
/// it is set in the index itself (`usermerge`, see `schema.sql`).
const MERGE: &str = "INSERT INTO search (search, rank) VALUES ('merge', ?1)";
const WRITTEN: &str = "SELECT total_changes()";
/// Pages of one piece: a transaction of some milliseconds.
const PIECE: i64 = 250;

/// Merges one piece. Whether there may be more to merge.
pub fn merge(tx: &Tx<'_>) -> Result<bool> {
    let before: i64 = tx.one(WRITTEN, [], |r| r.get(0))?;
    tx.note(Unaudited::SearchIndex, MERGE, params![PIECE])?;
    let after: i64 = tx.one(WRITTEN, [], |r| r.get(0))?;
    // The statement itself counts as one change: https://sqlite.org/fts5.html#the_merge_command
    Ok(after - before > 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{SystemClock, SystemEntropy};
    use crate::events::Bus;
    use crate::store::open::Synchronous;
    use crate::store::{Db, DbOptions, Origin};
    use std::sync::Arc;

    fn add(db: &Db, number: usize) {
        db.write_blocking(Origin::default(), move |tx| {
            let sql = "INSERT INTO user (id, username, email, created_at, updated_at) VALUES (?1, ?2, ?2 || '@example.org', 0, 0)";
            Ok(tx.connection().execute(sql, params![format!("usr_{number:032x}"), format!("person-{number:03}")])?)
        })
        .unwrap();
    }

    /// Into how many parts the index is divided: the number of each stands above the lower 37 bits of its pages' keys.
    fn parts(db: &Db) -> i64 {
        let sql = "SELECT count(DISTINCT id >> 37) FROM search_data WHERE id >> 37 > 0";
        db.read_blocking(|read| read.one(sql, [], |r| r.get(0))).unwrap()
    }

    #[test]
    fn what_many_commits_added_is_merged_into_few_parts_and_is_found_as_before() {
        let dir = tempfile::tempdir().unwrap();
        let options = DbOptions {
            path: dir.path().join("codex-web.db"),
            synchronous: Synchronous::Normal,
            readers: 1,
            audit_key: [1; 32],
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            bus: Bus::new("test".into()),
        };
        let db = Db::open(options).unwrap().0;
        let mut added = 0;
        while parts(&db) < 6 {
            add(&db, added);
            added += 1;
            assert!(added < 200, "every commit adds a part, and only now and then SQLite itself merges some");
        }
        let mut pieces = 0;
        while db.write_blocking(Origin::default(), merge).unwrap() {
            pieces += 1;
            assert!(pieces < 100, "merging comes to an end");
        }
        assert!(pieces > 0 && parts(&db) < 4, "6 parts became {} in {pieces} pieces", parts(&db));
        let found = "SELECT count(*) FROM search WHERE search MATCH 'text : \"person\"'";
        assert_eq!(db.read_blocking(|read| read.one(found, [], |r| r.get::<_, i64>(0))).unwrap(), i64::try_from(added).unwrap());
    }
}
