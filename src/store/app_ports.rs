//! Ports of apps, where apps have no host names of their own: one for each app of each workspace, for as long as the
//! workspace exists.
//!
//! Browsers keep what a page stored by host and port, so a port that was somebody's is given again only when no other
//! is left, the longest unused first.

use super::tx::{Read, Tx, Unaudited};
use crate::clock::Millis;
use crate::domain::id::WorkspaceId;
use crate::error::Result;
use rusqlite::params;

/// A port that belongs to an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppPort {
    pub port: u16,
    pub workspace_id: WorkspaceId,
    /// A slug, or a port inside the workspace in digits.
    pub app: String,
    pub given_at: Millis,
}

const LIST: &str = "SELECT port, workspace_id, app, given_at FROM app_port WHERE workspace_id IS NOT NULL ORDER BY port";
const OF_APP: &str = "SELECT port, given_at FROM app_port WHERE workspace_id = ?1 AND app = ?2 AND port BETWEEN ?3 AND ?4";
const OUTSIDE: &str = "DELETE FROM app_port WHERE workspace_id = ?1 AND app = ?2";
const NEW: &str = "WITH RECURSIVE range (port) AS (SELECT ?1 UNION ALL SELECT port + 1 FROM range WHERE port < ?2) \
     SELECT port FROM range WHERE port NOT IN (SELECT port FROM app_port) ORDER BY port LIMIT 1";
const OLDEST: &str = "SELECT port FROM app_port WHERE workspace_id IS NULL AND port BETWEEN ?1 AND ?2 ORDER BY given_at LIMIT 1";
const GIVE: &str = "INSERT INTO app_port (port, workspace_id, app, given_at) VALUES (?1, ?2, ?3, ?4) \
     ON CONFLICT (port) DO UPDATE SET workspace_id = excluded.workspace_id, app = excluded.app, given_at = excluded.given_at";

/// All that belong to somebody.
pub fn list(read: &Read<'_>) -> Result<Vec<AppPort>> {
    read.rows(LIST, [], |row| {
        Ok(AppPort {
            port: row.get("port")?,
            workspace_id: WorkspaceId::trusted(row.get("workspace_id")?),
            app: row.get("app")?,
            given_at: Millis(row.get("given_at")?),
        })
    })
}

/// The app's own port, given to it now if it has none in the range (both ends included); `None` when all are taken.
pub fn give(tx: &Tx<'_>, range: (u16, u16), workspace: &WorkspaceId, app: &str) -> Result<Option<AppPort>> {
    let of = |port: u16, given_at: Millis| AppPort { port, workspace_id: workspace.clone(), app: app.to_owned(), given_at };
    let known = tx.row(OF_APP, params![workspace.as_str(), app, range.0, range.1], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if let Some((port, given_at)) = known {
        return Ok(Some(of(port, Millis(given_at))));
    }
    // The operator has moved the range since it was given.
    tx.note(Unaudited::AppDoors, OUTSIDE, params![workspace.as_str(), app])?;
    let free = |sql: &str| tx.row(sql, params![range.0, range.1], |row| row.get::<_, u16>(0));
    let Some(port) = free(NEW)?.map_or_else(|| free(OLDEST), |port| Ok(Some(port)))? else { return Ok(None) };
    tx.note(Unaudited::AppDoors, GIVE, params![port, workspace.as_str(), app, tx.now().0])?;
    Ok(Some(of(port, tx.now())))
}
