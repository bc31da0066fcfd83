//! Opening the file: every pragma in one place, for the writer and for readers.

use crate::error::{Error, Result};
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, config::DbConfig};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `CDXW`: tells our file from any other SQLite database.
pub const APPLICATION_ID: i32 = 0x4344_5857;

/// How long a connection waits for a lock before it gives up.
const BUSY: Duration = Duration::from_secs(5);

/// How durable a commit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synchronous {
    /// An acknowledged change survives a power cut.
    Full,
    /// Only for throw-away data: the last changes may be lost with the power.
    Normal,
}

fn fault(what: &str, error: &rusqlite::Error) -> Error {
    Error::internal(format!("{what}: {error}"))
}

fn common(connection: &Connection, synchronous: Synchronous) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(256);
    connection.pragma_update(None, "foreign_keys", true)?;
    // Without it INSERT OR REPLACE would slip past the append-only triggers.
    connection.pragma_update(None, "recursive_triggers", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "synchronous", if synchronous == Synchronous::Full { "FULL" } else { "NORMAL" })?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    for (limit, value) in [
        (Limit::SQLITE_LIMIT_LENGTH, 16 * 1024 * 1024),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, 100_000),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1_000),
        (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 1_000),
        (Limit::SQLITE_LIMIT_ATTACHED, 1),
    ] {
        connection.set_limit(limit, value)?;
    }
    Ok(())
}

/// The one read-write connection.
pub fn writer(path: &Path, synchronous: Synchronous) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    #[allow(clippy::disallowed_methods)] // the one home of connections
    let connection = Connection::open_with_flags(path, flags).map_err(|e| fault("the database cannot be opened", &e))?;
    common(&connection, synchronous).map_err(|e| fault("the database cannot be prepared", &e))?;
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(|e| fault("the database refuses its journal mode", &e))?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(Error::internal(format!("the database stays in journal mode {mode}: is the data directory on a network disk?")));
    }
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024).map_err(|e| fault("the database cannot be prepared", &e))?;
    Ok(connection)
}

/// One read-only connection. The file must exist.
pub fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    #[allow(clippy::disallowed_methods)] // the one home of connections
    let connection = Connection::open_with_flags(path, flags)?;
    common(&connection, Synchronous::Full)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// Makes read-only connections for the pool.
#[derive(Debug)]
pub struct ReaderManager {
    pub path: PathBuf,
}

impl r2d2::ManageConnection for ReaderManager {
    type Connection = Connection;
    type Error = rusqlite::Error;

    fn connect(&self) -> rusqlite::Result<Connection> {
        reader(&self.path)
    }

    fn is_valid(&self, _: &mut Connection) -> rusqlite::Result<()> {
        Ok(())
    }

    fn has_broken(&self, _: &mut Connection) -> bool {
        false
    }
}
