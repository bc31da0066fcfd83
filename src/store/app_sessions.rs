//! App sessions: which browser may see which app, by the hash of a cookie of that app's origin.
//!
//! Each belongs to the sign-in from which it was handed off and is worth nothing without it, so none has an end of its
//! own: what is read is always joined with the live sign-in.

use super::sessions::SessionKind;
use super::tx::{Read, Tx, Unaudited};
use crate::clock::Millis;
use crate::domain::id::{SessionId, UserId, WorkspaceId};
use crate::error::Result;
use rusqlite::params;

/// A new one.
#[derive(Debug, Clone, Copy)]
pub struct NewAppSession<'a> {
    pub hash: &'a [u8],
    pub session_id: &'a SessionId,
    pub workspace_id: &'a WorkspaceId,
    /// A slug, or a port in digits.
    pub app: &'a str,
    /// The one origin that may show it.
    pub host: &'a str,
    /// Empty where none was asked for.
    pub reason: &'a str,
}

/// One with its live sign-in.
#[derive(Debug, Clone)]
pub struct AppSessionRow {
    pub session_id: SessionId,
    pub session_kind: SessionKind,
    pub signed_in_at: Millis,
    pub user_id: UserId,
    pub workspace_id: WorkspaceId,
    pub app: String,
    pub host: String,
    pub reason: String,
}

const INSERT: &str =
    "INSERT INTO app_session (hash, session_id, workspace_id, app, host, reason, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const REPLACED: &str = "DELETE FROM app_session WHERE session_id = ?1 AND workspace_id = ?2 AND app = ?3 AND host = ?4";
const END: &str = "DELETE FROM app_session WHERE workspace_id = ?1";
const FIND: &str = "SELECT a.session_id, s.kind, s.signed_in_at, s.user_id, a.workspace_id, a.app, a.host, a.reason \
     FROM app_session a JOIN session s ON s.id = a.session_id \
     WHERE a.hash = ?1 AND s.revoked_at IS NULL AND s.idle_expires > ?2 AND s.hard_expires > ?2";

/// Keeps a new one; an older one of the same browser for the same app ends.
pub fn insert(tx: &Tx<'_>, new: &NewAppSession<'_>) -> Result<()> {
    let (session, workspace) = (new.session_id.as_str(), new.workspace_id.as_str());
    tx.note(Unaudited::AppDoors, REPLACED, params![session, workspace, new.app, new.host])?;
    tx.note(Unaudited::AppDoors, INSERT, params![new.hash, session, workspace, new.app, new.host, new.reason, tx.now().0])?;
    Ok(())
}

/// The one of this cookie, while its sign-in lasts.
pub fn find(read: &Read<'_>, hash: &[u8]) -> Result<Option<AppSessionRow>> {
    read.row(FIND, params![hash, read.now().0], |row| {
        Ok(AppSessionRow {
            session_id: SessionId::trusted(row.get("session_id")?),
            session_kind: if row.get::<_, String>("kind")? == "cookie" { SessionKind::Cookie } else { SessionKind::Tokens },
            signed_in_at: Millis(row.get("signed_in_at")?),
            user_id: UserId::trusted(row.get("user_id")?),
            workspace_id: WorkspaceId::trusted(row.get("workspace_id")?),
            app: row.get("app")?,
            host: row.get("host")?,
            reason: row.get("reason")?,
        })
    })
}

/// Ends all of them for one workspace.
pub fn end_of_workspace(tx: &Tx<'_>, workspace: &WorkspaceId) -> Result<()> {
    tx.note(Unaudited::AppDoors, END, [workspace.as_str()]).map(drop)
}
