//! What the cluster last said of a workspace, and the one word that follows from it and from what should be.
//!
//! Written by the reconciler, unaudited, and never together with the row that says what should be.

use super::tx::{Tx, Unaudited};
use crate::clock::Millis;
use crate::domain::id::WorkspaceId;
use crate::domain::size::Size;
use crate::domain::workspace::{Component, Phase, Reason};
use crate::error::Result;
use rusqlite::{Row, params};

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkspaceStatus {
    pub phase: Phase,
    pub reason: Option<Reason>,
    /// Since when phase and reason are as they are.
    pub since: Millis,
    pub observed_generation: i64,
    pub observed_run: i64,
    /// The size in force, while anything runs.
    pub applied: Option<Size>,
    pub components: Vec<Component>,
}

impl WorkspaceStatus {
    /// Of a workspace that nobody has seen yet.
    pub fn unseen(now: Millis) -> Self {
        Self {
            phase: Phase::Absent,
            reason: None,
            since: now,
            observed_generation: 0,
            observed_run: 0,
            applied: None,
            components: Vec::new(),
        }
    }
}

/// `domain::workspace::Status::of` as SQL, over `workspace w` and `workspace_status s`.
macro_rules! status_sql {
    () => {
        "CASE WHEN w.desired = 'deleted' THEN 'deleting' \
              WHEN w.desired = 'stopped' AND s.phase = 'absent' THEN 'stopped' \
              WHEN w.desired = 'stopped' THEN 'stopping' \
              WHEN s.phase = 'ready' AND s.observed_run = w.run THEN 'running' \
              WHEN s.phase = 'waiting' THEN 'pending' \
              WHEN s.phase = 'failed' THEN 'error' \
              ELSE 'starting' END"
    };
}
pub(super) use status_sql;

/// How many workspaces have each status.
pub(super) const COUNTS: &str =
    concat!("SELECT ", status_sql!(), ", count(*) FROM workspace w JOIN workspace_status s ON s.workspace_id = w.id GROUP BY 1");

/// The columns of a row, as every statement that joins them names them.
macro_rules! status_columns {
    () => {
        "s.phase, s.reason_code, s.reason_message, s.reason_remedy, s.since, s.observed_generation, s.observed_run, \
         s.applied_cpu_milli, s.applied_memory_bytes, s.applied_disk_bytes, s.components"
    };
}
pub(super) use status_columns;

/// Reads the columns above.
pub(super) fn status(row: &Row<'_>) -> rusqlite::Result<WorkspaceStatus> {
    let phase: String = row.get("phase")?;
    let code: Option<String> = row.get("reason_code")?;
    let message: Option<String> = row.get("reason_message")?;
    let remedy = row.get("reason_remedy")?;
    let applied: (Option<i64>, Option<i64>, Option<i64>) =
        (row.get("applied_cpu_milli")?, row.get("applied_memory_bytes")?, row.get("applied_disk_bytes")?);
    let components: String = row.get("components")?;
    Ok(WorkspaceStatus {
        phase: Phase::parse(&phase).unwrap_or(Phase::Absent),
        reason: code.zip(message).map(|(code, message)| Reason { code, message, remedy }),
        since: Millis(row.get("since")?),
        observed_generation: row.get("observed_generation")?,
        observed_run: row.get("observed_run")?,
        applied: match applied {
            (Some(cpu), Some(memory), Some(disk)) => Some(Size::new(cpu, memory, disk)),
            _ => None,
        },
        // What another version wrote is shown as nothing; the next observation replaces it.
        components: serde_json::from_str(&components).unwrap_or_default(),
    })
}

const SAVE: &str = "INSERT INTO workspace_status (workspace_id, phase, reason_code, reason_message, reason_remedy, since, observed_generation, \
     observed_run, applied_cpu_milli, applied_memory_bytes, applied_disk_bytes, components) \
     SELECT id, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12 FROM workspace WHERE id = ?1 AND (?13 IS NULL OR generation = ?13) \
     ON CONFLICT (workspace_id) DO UPDATE SET phase = excluded.phase, reason_code = excluded.reason_code, \
     reason_message = excluded.reason_message, reason_remedy = excluded.reason_remedy, since = excluded.since, \
     observed_generation = excluded.observed_generation, observed_run = excluded.observed_run, \
     applied_cpu_milli = excluded.applied_cpu_milli, applied_memory_bytes = excluded.applied_memory_bytes, \
     applied_disk_bytes = excluded.applied_disk_bytes, components = excluded.components";

/// Writes what was seen; does nothing where the workspace is gone. Answers whether a row was written.
pub fn save(tx: &Tx<'_>, id: &WorkspaceId, status: &WorkspaceStatus) -> Result<bool> {
    write(tx, id, None, status)
}

/// As [`save`], unless the workspace is of another generation by now.
pub fn save_if(tx: &Tx<'_>, id: &WorkspaceId, generation: i64, status: &WorkspaceStatus) -> Result<bool> {
    write(tx, id, Some(generation), status)
}

fn write(tx: &Tx<'_>, id: &WorkspaceId, generation: Option<i64>, status: &WorkspaceStatus) -> Result<bool> {
    let reason = status.reason.as_ref();
    let applied = status.applied.as_ref();
    let components = serde_json::to_string(&status.components).unwrap_or_else(|_| "[]".to_owned());
    let written = tx.note(
        Unaudited::Status,
        SAVE,
        params![
            id.as_str(),
            status.phase.as_str(),
            reason.map(|r| &r.code),
            reason.map(|r| &r.message),
            reason.and_then(|r| r.remedy.as_ref()),
            status.since.0,
            status.observed_generation,
            status.observed_run,
            applied.map(|s| s.cpu_milli),
            applied.map(|s| s.memory_bytes),
            applied.map(|s| s.disk_bytes),
            components,
            generation,
        ],
    )?;
    if written > 0 {
        super::periods::settle(tx, id)?;
    }
    Ok(written > 0)
}
