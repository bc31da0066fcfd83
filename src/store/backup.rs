//! Copies of the database file: making one while the server runs, and checking one by opening it.
//!
//! A copy is made page by page from a read-only connection of its own, in one step: that is one consistent view, and
//! in WAL mode it keeps nobody from writing. The copy is a single file without a journal beside it.

use super::open;
use super::tx::{Read, Tx};
use super::upgrade::VERSION;
use crate::clock::Millis;
use crate::domain::hex;
use crate::error::{Error, Result};
use crate::policy::Permit;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

/// What a database holds, as the manifest of a backup tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// `user_version`.
    pub schema: i64,
    /// The id of the installation.
    pub installation: String,
    /// Rows of each table.
    pub rows: BTreeMap<String, i64>,
    /// Sequence number and hash (hexadecimal) of the newest audit entry; 0 and empty when there is none.
    pub audit_head: (i64, String),
    /// When the newest audit entry was written.
    pub newest_entry: Option<Millis>,
}

/// Copies the database at `from` to the new file `to` and flushes it to the disk.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    let source = open::reader(from)?;
    let mut target = create(to)?;
    {
        let backup = Backup::new(&source, &mut target)?;
        match backup.step(-1)? {
            StepResult::Done => {}
            other => return Err(Error::internal(format!("the copy ended early: {other:?}"))),
        }
    }
    // The header says WAL, as the source does; a copy must be complete without a second file.
    target.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get::<_, String>(0))?;
    target.close().map_err(|(_, error)| Error::from(error))?;
    let flushed = File::open(to).and_then(|file| file.sync_all());
    flushed.map_err(|error| Error::internal(format!("{} cannot be flushed: {error}", to.display())))
}

#[allow(clippy::disallowed_methods)] // the target of a copy gets its pragmas from the source
fn create(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Ok(Connection::open_with_flags(path, flags)?)
}

/// Opens a database and checks it in full: pages, indexes, constraints, references. The inner error says what is
/// wrong with it.
pub fn check(path: &Path) -> Result<std::result::Result<Content, String>> {
    let connection = open::reader(path)?;
    let problems: Vec<String> =
        connection.prepare("PRAGMA integrity_check(10)")?.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    if problems != ["ok"] {
        return Ok(Err(format!("the file is damaged: {}", problems.join("; "))));
    }
    let broken: Vec<String> = connection
        .prepare("SELECT DISTINCT \"table\" FROM pragma_foreign_key_check")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    if !broken.is_empty() {
        return Ok(Err(format!("rows refer to nothing in: {}", broken.join(", "))));
    }
    content(&connection).map(|content| {
        if content.schema > VERSION {
            Err(format!("it was written by a newer Codex Web (schema {}, this program knows {VERSION})", content.schema))
        } else {
            Ok(content)
        }
    })
}

fn content(connection: &Connection) -> Result<Content> {
    let tables: Vec<String> = connection
        .prepare("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut rows = BTreeMap::new();
    for table in tables {
        let count = connection.query_row(&format!("SELECT count(*) FROM \"{}\"", table.replace('"', "\"\"")), [], |row| row.get(0))?;
        rows.insert(table, count);
    }
    let transaction = connection.unchecked_transaction()?;
    let read = Read::new(&transaction, Millis(0));
    let head: Option<(i64, Vec<u8>, i64)> =
        read.row("SELECT seq, hash, ts FROM audit_event ORDER BY seq DESC LIMIT 1", [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let installation = read.one("SELECT id FROM installation", [], |row| row.get(0))?;
    let schema = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let newest_entry = head.as_ref().map(|(_, _, at)| Millis(*at));
    let audit_head = head.map_or((0, String::new()), |(seq, hash, _)| (seq, hex::encode(&hash)));
    Ok(Content { schema, installation, rows, audit_head, newest_entry })
}

/// Runs a job on a database file that this process does not own: a backup, or the file of a running server. It sees one
/// consistent view and can change nothing.
pub fn look_into<T>(path: &Path, now: Millis, job: impl FnOnce(&Read<'_>) -> Result<T>) -> Result<T> {
    let connection = open::reader(path)?;
    let transaction = connection.unchecked_transaction()?;
    job(&Read::new(&transaction, now))
}

/// Ends every sign-in and drops every one-time code: an older database must not bring back what was revoked since.
/// The answer is how many sessions ended.
pub fn end_sign_ins(tx: &Tx<'_>, permit: &Permit) -> Result<usize> {
    let now = tx.now().0;
    tx.change(permit, "UPDATE user SET token_version = token_version + 1", [])?;
    tx.change(permit, "UPDATE refresh_token SET revoked_at = ?1 WHERE revoked_at IS NULL", [now])?;
    tx.change(permit, "DELETE FROM one_time_code", [])?;
    tx.change(permit, "UPDATE session SET revoked_at = ?1 WHERE revoked_at IS NULL", [now])
}
