//! What each workspace held, and from when to when: the ground of its cost.
//!
//! A row is one stretch of time in which a workspace counted for the same: its disk always, cores and memory while it
//! should run or something of it runs, as the quota counts them. [`settle`] stands behind every write that can change
//! that, so nothing is sampled and nothing is missed. Rows outlive their workspace: what was held must still be paid.

use super::tx::{Read, Tx, Unaudited};
use crate::clock::{DAY, Millis};
use crate::domain::id::WorkspaceId;
use crate::domain::month::Month;
use crate::domain::pricing::Held;
use crate::error::Result;
use rusqlite::{Row, params};

/// Stretches that ended earlier are forgotten, in milliseconds: 13 months.
const KEPT: i64 = 400 * DAY;

// What counts is the rule of `pool.rs`, for one workspace.
const NOW: &str = "SELECT w.group_id, w.owner_id, CASE WHEN w.desired = 'running' OR s.phase <> 'absent' THEN max(w.cpu_milli, coalesce(s.applied_cpu_milli, 0)) ELSE 0 END AS cpu_milli, \
     CASE WHEN w.desired = 'running' OR s.phase <> 'absent' THEN max(w.memory_bytes, coalesce(s.applied_memory_bytes, 0)) ELSE 0 END AS memory_bytes, \
     max(w.disk_bytes, coalesce(s.applied_disk_bytes, 0)) AS disk_bytes \
     FROM workspace w JOIN workspace_status s ON s.workspace_id = w.id WHERE w.id = ?1 AND w.desired <> 'deleted'";
const OPEN: &str =
    "SELECT group_id, owner_id, cpu_milli, memory_bytes, disk_bytes FROM workspace_period WHERE workspace_id = ?1 AND until IS NULL";
const CLOSE: &str = "UPDATE workspace_period SET until = max(since, ?2) WHERE workspace_id = ?1 AND until IS NULL";
const BEGIN: &str = "INSERT INTO workspace_period (workspace_id, group_id, owner_id, since, cpu_milli, memory_bytes, disk_bytes) \
     SELECT id, group_id, owner_id, ?2, ?3, ?4, ?5 FROM workspace WHERE id = ?1";
const SWEEP: &str = "DELETE FROM workspace_period WHERE until < ?1";

/// Whose it is, and what it counts for.
#[derive(PartialEq, Eq)]
struct Stretch {
    group: String,
    owner: String,
    cpu_milli: i64,
    memory_bytes: i64,
    disk_bytes: i64,
}

fn stretch(row: &Row<'_>) -> rusqlite::Result<Stretch> {
    Ok(Stretch {
        group: row.get("group_id")?,
        owner: row.get("owner_id")?,
        cpu_milli: row.get("cpu_milli")?,
        memory_bytes: row.get("memory_bytes")?,
        disk_bytes: row.get("disk_bytes")?,
    })
}

/// Notes what a workspace counts for from now on, where that has changed.
pub fn settle(tx: &Tx<'_>, id: &WorkspaceId) -> Result<()> {
    let now = tx.row(NOW, [id.as_str()], stretch)?;
    if now == tx.row(OPEN, [id.as_str()], stretch)? {
        return Ok(());
    }
    tx.note(Unaudited::Periods, CLOSE, params![id.as_str(), tx.now().0])?;
    if let Some(now) = now {
        tx.note(Unaudited::Periods, BEGIN, params![id.as_str(), tx.now().0, now.cpu_milli, now.memory_bytes, now.disk_bytes])?;
    }
    Ok(())
}

/// Forgets stretches that ended long ago.
pub fn sweep(tx: &Tx<'_>) -> Result<usize> {
    tx.note(Unaudited::Periods, SWEEP, [tx.now().plus(-KEPT).0])
}

/// Hours of a stretch between ?1 and ?2, times amounts; and the amounts of what is held at ?2.
macro_rules! held_sql {
    () => {
        "total(p.cpu_milli / 1000.0 * h.hours) AS core_hours, \
         total(p.memory_bytes / 1073741824.0 * h.hours) AS memory_gib_hours, \
         total(p.disk_bytes / 1073741824.0 * h.hours) AS storage_gib_hours, \
         total(CASE WHEN p.cpu_milli = 0 THEN p.disk_bytes / 1073741824.0 * h.hours ELSE 0 END) AS idle_storage_gib_hours, \
         total(CASE WHEN p.until IS NULL THEN p.cpu_milli / 1000.0 ELSE 0 END) AS cores, \
         total(CASE WHEN p.until IS NULL THEN p.memory_bytes / 1073741824.0 ELSE 0 END) AS memory_gib, \
         total(CASE WHEN p.until IS NULL THEN p.disk_bytes / 1073741824.0 ELSE 0 END) AS storage_gib, \
         total(CASE WHEN p.until IS NULL AND p.cpu_milli = 0 THEN p.disk_bytes / 1073741824.0 ELSE 0 END) AS idle_storage_gib \
         FROM (SELECT id, (min(coalesce(until, ?2), ?2) - max(since, ?1)) / 3600000.0 AS hours FROM workspace_period \
               WHERE since < ?2 AND coalesce(until, 9223372036854775807) > ?1"
    };
}

const OF_WORKSPACE: &str = concat!("SELECT ", held_sql!(), " AND workspace_id = ?3) h JOIN workspace_period p ON p.id = h.id");
const OF_GROUP: &str = concat!("SELECT ", held_sql!(), " AND group_id = ?3) h JOIN workspace_period p ON p.id = h.id");
const OF_OWNER: &str = concat!("SELECT ", held_sql!(), " AND owner_id = ?3) h JOIN workspace_period p ON p.id = h.id");
const OF_ALL: &str = concat!("SELECT ", held_sql!(), ") h JOIN workspace_period p ON p.id = h.id");
const BY_GROUP: &str = concat!(
    "SELECT p.group_id AS id, (SELECT display_name FROM \"group\" g WHERE g.id = p.group_id) AS name, ",
    held_sql!(),
    ") h JOIN workspace_period p ON p.id = h.id GROUP BY p.group_id"
);
const BY_OWNER: &str = concat!(
    "SELECT p.owner_id AS id, (SELECT username FROM user u WHERE u.id = p.owner_id AND u.status <> 'erased') AS name, ",
    held_sql!(),
    ") h JOIN workspace_period p ON p.id = h.id GROUP BY p.owner_id"
);
const BY_WORKSPACE: &str = concat!(
    "SELECT p.workspace_id AS id, (SELECT name FROM workspace w WHERE w.id = p.workspace_id) AS name, ",
    held_sql!(),
    ") h JOIN workspace_period p ON p.id = h.id GROUP BY p.workspace_id"
);

/// Whose holdings are asked for.
#[derive(Debug, Clone, Copy)]
pub enum Whose<'a> {
    Workspace(&'a str),
    Group(&'a str),
    Owner(&'a str),
    All,
}

/// What lists are made by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Group,
    User,
    Workspace,
}

/// What was held since the month began, and what an hour more of the present adds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Holding {
    pub so_far: Held,
    /// Of one hour.
    pub present: Held,
}

fn holding(row: &Row<'_>) -> rusqlite::Result<Holding> {
    Ok(Holding {
        so_far: Held {
            core_hours: row.get("core_hours")?,
            memory_gib_hours: row.get("memory_gib_hours")?,
            storage_gib_hours: row.get("storage_gib_hours")?,
            idle_storage_gib_hours: row.get("idle_storage_gib_hours")?,
        },
        present: Held {
            core_hours: row.get("cores")?,
            memory_gib_hours: row.get("memory_gib")?,
            storage_gib_hours: row.get("storage_gib")?,
            idle_storage_gib_hours: row.get("idle_storage_gib")?,
        },
    })
}

/// From the first of the month to this moment. A clock that was set back counts nothing twice.
fn bounds(read: &Read<'_>) -> (i64, i64) {
    (Month::of(read.now()).from.0, read.now().0)
}

/// What one holds.
pub fn of(read: &Read<'_>, whose: Whose<'_>) -> Result<Holding> {
    let (from, now) = bounds(read);
    match whose {
        Whose::Workspace(id) => read.one(OF_WORKSPACE, params![from, now, id], holding),
        Whose::Group(id) => read.one(OF_GROUP, params![from, now, id], holding),
        Whose::Owner(id) => read.one(OF_OWNER, params![from, now, id], holding),
        Whose::All => read.one(OF_ALL, params![from, now], holding),
    }
}

/// What everybody holds: id, name (`None`: it is gone), amounts.
pub fn list(read: &Read<'_>, by: By) -> Result<Vec<(String, Option<String>, Holding)>> {
    let (from, now) = bounds(read);
    let sql = match by {
        By::Group => BY_GROUP,
        By::User => BY_OWNER,
        By::Workspace => BY_WORKSPACE,
    };
    read.rows(sql, params![from, now], |r| Ok((r.get("id")?, r.get("name")?, holding(r)?)))
}

/// When the first stretch of this workspace began; before it nothing is known.
pub fn known_since(read: &Read<'_>, id: &WorkspaceId) -> Result<Option<Millis>> {
    const FIRST: &str = "SELECT min(since) FROM workspace_period WHERE workspace_id = ?1";
    Ok(read.one(FIRST, [id.as_str()], |r| r.get::<_, Option<i64>>(0))?.map(Millis))
}
