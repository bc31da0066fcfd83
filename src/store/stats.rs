//! The counts of the dashboards. What groups and people use is summed in [`super::pool`], beside the check that counts it.

use super::tx::Read;
use crate::clock::{DAY, Millis};
use crate::domain::id::UserId;
use crate::domain::quota::Usage;
use crate::error::Result;
use rusqlite::{Row, params};

const OWN_WORKSPACES: &str = "SELECT count(*), coalesce(sum(w.desired = 'running' AND s.phase = 'ready' AND s.observed_run = w.run), 0) \
     FROM workspace w LEFT JOIN workspace_status s ON s.workspace_id = w.id WHERE w.owner_id = ?1";
const PEOPLE: &str = "SELECT count(*) FROM user WHERE status IN ('active', 'disabled')";
const GROUPS: &str = "SELECT count(*) FROM \"group\"";
const WORKSPACES: &str = "SELECT count(*) FROM workspace";
const RUNNING: &str = "SELECT count(*) FROM workspace_status s JOIN workspace w ON w.id = s.workspace_id \
     WHERE s.phase = 'ready' AND w.desired = 'running' AND s.observed_run = w.run";
// Any use of the API counts, as it does upstream: a session or a token that was used.
const ACTIVE_PEOPLE: &str = "SELECT count(*) FROM (SELECT user_id FROM session WHERE last_used_at >= ?1 \
     UNION SELECT user_id FROM api_token WHERE last_used_at >= ?1)";

// A sum of quotas can be beyond the range of whole numbers; it then stays at the end of it.
const PROMISED: &str = "SELECT CAST(min(total(quota_cpu_milli), 9e18) AS INTEGER) AS cpu_milli, \
     CAST(min(total(quota_memory_bytes), 9e18) AS INTEGER) AS memory_bytes, CAST(min(total(quota_storage_bytes), 9e18) AS INTEGER) AS storage_bytes, \
     CAST(min(total(quota_workspaces), 9e18) AS INTEGER) AS workspaces FROM \"group\" WHERE status <> 'deleting'";
const STANDING: &str = "SELECT (SELECT count(*) FROM user WHERE status IN ('active', 'disabled')) AS users, \
     (SELECT count(*) FROM \"group\" WHERE status <> 'deleting') AS groups, \
     (SELECT count(*) FROM workspace WHERE desired <> 'deleted') AS workspaces";
// The audit log holds every coming and going; a group that the cluster rejected goes without having been deleted.
const MOVES: &str = "SELECT e.ts / 86400000 AS day, \
     sum(CASE e.action WHEN 'create_user' THEN 1 WHEN 'set_up' THEN 1 WHEN 'delete_user' THEN -1 ELSE 0 END) AS users, \
     sum(CASE e.action WHEN 'create_group' THEN 1 WHEN 'delete_group' THEN -1 WHEN 'record_group_state' THEN -1 ELSE 0 END) AS groups, \
     sum(CASE e.action WHEN 'create_workspace' THEN 1 WHEN 'delete_workspace' THEN -1 WHEN 'admin_delete_workspace' THEN -1 ELSE 0 END) AS workspaces \
     FROM audit_event e WHERE e.success = 1 AND e.action IN ('create_user', 'set_up', 'delete_user', 'create_group', 'delete_group', \
     'record_group_state', 'create_workspace', 'delete_workspace', 'admin_delete_workspace') \
     AND (e.action <> 'record_group_state' OR instr(e.details, '\"rejected\"') > 0) \
     AND e.seq >= coalesce((SELECT seq FROM audit_event WHERE ts >= ?1 ORDER BY ts, seq LIMIT 1), 9223372036854775807) GROUP BY day ORDER BY day";

/// How many there are, or how many more or fewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub users: i64,
    pub groups: i64,
    pub workspaces: i64,
}

fn counts(row: &Row<'_>) -> rusqlite::Result<Counts> {
    Ok(Counts { users: row.get("users")?, groups: row.get("groups")?, workspaces: row.get("workspaces")? })
}

/// How many there are now; what is being deleted is not counted.
pub fn standing(read: &Read<'_>) -> Result<Counts> {
    read.one(STANDING, [], counts)
}

/// What came and went on each day (since 1970, UTC) from this moment on; days without are left out.
pub fn moves(read: &Read<'_>, from: Millis) -> Result<Vec<(i64, Counts)>> {
    read.rows(MOVES, [from.0], |r| Ok((r.get("day")?, counts(r)?)))
}

/// How many groups there are, those that are being made or deleted included. Costs a scan.
pub fn groups(read: &Read<'_>) -> Result<i64> {
    read.one(GROUPS, [], |r| r.get(0))
}

/// The sum of the quotas of all groups.
pub fn promised(read: &Read<'_>) -> Result<Usage> {
    read.one(PROMISED, [], |r| {
        Ok(Usage {
            cpu_milli: r.get("cpu_milli")?,
            memory_bytes: r.get("memory_bytes")?,
            storage_bytes: r.get("storage_bytes")?,
            workspaces: r.get("workspaces")?,
        })
    })
}

/// How many workspaces a person has, and how many of them run.
pub fn own_workspaces(read: &Read<'_>, id: &UserId) -> Result<(i64, i64)> {
    read.one(OWN_WORKSPACES, [id.as_str()], |r| Ok((r.get(0)?, r.get(1)?)))
}

/// The numbers of the platform page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    pub users: i64,
    pub admins: i64,
    pub groups: i64,
    pub workspaces: i64,
    pub running: i64,
    /// Who used the API in the last seven days.
    pub active_users: i64,
}

/// Counts whole tables.
pub fn platform(read: &Read<'_>) -> Result<Platform> {
    let count = |sql: &str| read.one(sql, [], |r| r.get::<_, i64>(0));
    let week_ago: Millis = read.now().plus(-7 * DAY);
    Ok(Platform {
        users: count(PEOPLE)?,
        admins: super::grants::count_admins(read)?,
        groups: count(GROUPS)?,
        workspaces: count(WORKSPACES)?,
        running: count(RUNNING)?,
        active_users: read.one(ACTIVE_PEOPLE, params![week_ago.0], |r| r.get(0))?,
    })
}
