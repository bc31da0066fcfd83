//! What happened to a workspace, in words: at most 500 entries a workspace, kept for 30 days. Unaudited: the audit log
//! tells what people did; this tells what became of it.

use super::sql::Page;
use super::tx::{Read, Tx, Unaudited};
use crate::clock::{DAY, Millis};
use crate::domain::id::{UserId, WorkspaceId};
use crate::error::Result;
use rusqlite::{Row, params};

/// How many entries of one workspace are kept.
const KEPT: i64 = 500;
/// How long they are kept, in milliseconds.
const AGE: i64 = 30 * DAY;
/// Entries that one sweep removes at most, so that nobody waits behind it.
const SWEPT: i64 = 5_000;

/// One entry to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    pub workspace: WorkspaceId,
    pub at: Millis,
    pub run: i64,
    /// `step`, `action`, `warning` or `error`.
    pub kind: &'static str,
    /// Stable, `snake_case`.
    pub code: String,
    pub message: String,
    /// The person who did it.
    pub actor: Option<UserId>,
}

/// One entry as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineEvent {
    /// Grows with time.
    pub id: i64,
    pub at: Millis,
    pub run: i64,
    pub kind: String,
    pub code: String,
    pub message: String,
    pub actor_id: Option<UserId>,
    /// Absent where the person was deleted.
    pub actor_name: Option<String>,
    /// How often it happened in a row.
    pub count: i64,
}

const REPEATED: &str = "UPDATE workspace_event SET count = count + 1, at = ?2 \
     WHERE id = (SELECT id FROM workspace_event WHERE workspace_id = ?1 ORDER BY id DESC LIMIT 1) \
     AND kind IN ('warning', 'error') AND kind = ?3 AND run = ?4 AND code = ?5 AND message = ?6 AND at < ?2";
/// A step that tells how far it is has one line in a run, whose time is that of its beginning.
const FURTHER: &str = "UPDATE workspace_event SET message = ?4 \
     WHERE id = (SELECT id FROM workspace_event WHERE workspace_id = ?1 AND run = ?2 AND code = ?3 ORDER BY id DESC LIMIT 1) \
     AND kind = 'step'";
const INSERT: &str = "INSERT INTO workspace_event (workspace_id, at, run, kind, code, message, actor_id) \
     SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE EXISTS (SELECT 1 FROM workspace WHERE id = ?1) \
     AND NOT EXISTS (SELECT 1 FROM workspace_event WHERE workspace_id = ?1 AND run = ?3 AND kind = ?4 AND kind <> 'action' \
     AND code = ?5 AND message = ?6 AND at >= ?2)";
const TRIM: &str = "DELETE FROM workspace_event WHERE workspace_id = ?1 \
     AND id NOT IN (SELECT id FROM workspace_event WHERE workspace_id = ?1 ORDER BY id DESC LIMIT ?2)";
const COUNT: &str = "SELECT count(*) FROM workspace_event WHERE workspace_id = ?1";
const SWEEP: &str = "DELETE FROM workspace_event WHERE id IN (SELECT id FROM workspace_event WHERE at < ?1 LIMIT ?2)";
const LIST: &str = "SELECT e.id, e.at, e.run, e.kind, e.code, e.message, e.actor_id, e.count, u.username FROM workspace_event e \
     LEFT JOIN user u ON u.id = e.actor_id AND u.status IN ('active', 'disabled') \
     WHERE e.workspace_id = ?1 AND e.id < ?2 ORDER BY e.id DESC LIMIT ?3";

/// The codes of steps that tell how far they are.
const TELLS_HOW_FAR: &[&str] = &["cloning"];

/// Writes an entry; does nothing where the workspace is gone. The same trouble again and again becomes one entry with a
/// count, and a step that comes further becomes one entry with its latest words. What a cluster tells a second time, of the
/// same moment or an earlier one, is there already: a server that has started anew is told what its cluster remembers.
pub fn insert(tx: &Tx<'_>, event: &NewEvent) -> Result<()> {
    let id = event.workspace.as_str();
    let again = params![id, event.at.0, event.kind, event.run, event.code, event.message];
    if tx.note(Unaudited::Timeline, REPEATED, again)? > 0 {
        return Ok(());
    }
    let is_step = event.kind == "step" && TELLS_HOW_FAR.contains(&event.code.as_str());
    if is_step && tx.note(Unaudited::Timeline, FURTHER, params![id, event.run, event.code, event.message])? > 0 {
        return Ok(());
    }
    let actor = event.actor.as_ref().map(UserId::as_str);
    tx.note(Unaudited::Timeline, INSERT, params![id, event.at.0, event.run, event.kind, event.code, event.message, actor])?;
    let count: i64 = tx.one(COUNT, [id], |r| r.get(0))?;
    if count > KEPT {
        tx.note(Unaudited::Timeline, TRIM, (id, KEPT))?;
    }
    Ok(())
}

fn event(row: &Row<'_>) -> rusqlite::Result<TimelineEvent> {
    Ok(TimelineEvent {
        id: row.get("id")?,
        at: Millis(row.get("at")?),
        run: row.get("run")?,
        kind: row.get("kind")?,
        code: row.get("code")?,
        message: row.get("message")?,
        actor_id: row.get::<_, Option<String>>("actor_id")?.map(UserId::trusted),
        actor_name: row.get("username")?,
        count: row.get("count")?,
    })
}

/// The entries before `before` (exclusive), newest first.
pub fn list(read: &Read<'_>, workspace: &WorkspaceId, before: Option<i64>, limit: usize) -> Result<Page<TimelineEvent>> {
    let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let rows = read.rows(LIST, params![workspace.as_str(), before.unwrap_or(i64::MAX), most], event)?;
    Ok(Page::cut(rows, limit))
}

/// Forgets entries that are too old, some at a time; answers how many.
pub fn sweep(tx: &Tx<'_>) -> Result<usize> {
    tx.note(Unaudited::Timeline, SWEEP, (tx.now().plus(-AGE).0, SWEPT))
}
