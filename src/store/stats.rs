//! Sums: what is used by a group, a person, an organization, and the counts of the dashboards.
//!
//! Use is what the pool check counts (`domain::quota::Usage::counted`), written once more as SQL so that a sum never
//! loads its rows; a test compares the two over every combination of states. Each sum walks the index of its owner, so
//! it costs what that owner has, not what the installation has.

use super::sql::id_list;
use super::tx::Read;
use crate::clock::{DAY, Millis};
use crate::domain::id::{GroupId, OrganizationId, UserId};
use crate::domain::quota::Usage;
use crate::error::Result;
use rusqlite::{Row, params};
use std::collections::HashMap;

/// While something runs or may still run, cpu and memory count; the larger of asked and applied does.
macro_rules! sums {
    ($before:literal, $rest:literal) => {
        concat!(
            "SELECT ",
            $before,
            "coalesce(sum(CASE WHEN w.desired = 'running' OR coalesce(s.phase, 'absent') <> 'absent' \
               THEN max(w.cpu_milli, coalesce(s.applied_cpu_milli, 0)) ELSE 0 END), 0) AS cpu_milli, \
             coalesce(sum(CASE WHEN w.desired = 'running' OR coalesce(s.phase, 'absent') <> 'absent' \
               THEN max(w.memory_bytes, coalesce(s.applied_memory_bytes, 0)) ELSE 0 END), 0) AS memory_bytes, \
             coalesce(sum(max(w.disk_bytes, coalesce(s.applied_disk_bytes, 0))), 0) AS storage_bytes, \
             count(w.id) AS workspaces \
             FROM workspace w LEFT JOIN workspace_status s ON s.workspace_id = w.id ",
            $rest
        )
    };
}

const BY_GROUP: &str = sums!("", "WHERE w.group_id = ?1");
const BY_USER: &str = sums!("", "WHERE w.owner_id = ?1");
const BY_GROUPS: &str = sums!("w.group_id, ", "WHERE w.group_id IN (SELECT value FROM json_each(?1)) GROUP BY w.group_id");
const BY_ORGANIZATION: &str = sums!(
    "",
    "WHERE w.group_id IN (WITH RECURSIVE below (id) AS (SELECT ?1 UNION ALL SELECT o.id FROM organization o JOIN below b ON o.parent_id = b.id) \
     SELECT g.id FROM \"group\" g WHERE g.organization_id IN (SELECT id FROM below))"
);
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

fn usage(r: &Row<'_>) -> rusqlite::Result<Usage> {
    Ok(Usage {
        cpu_milli: r.get("cpu_milli")?,
        memory_bytes: r.get("memory_bytes")?,
        storage_bytes: r.get("storage_bytes")?,
        workspaces: r.get("workspaces")?,
    })
}

/// What a group uses.
pub fn used_by_group(read: &Read<'_>, id: &GroupId) -> Result<Usage> {
    read.one(BY_GROUP, [id.as_str()], usage)
}

/// What each of these groups uses, in one query; a group without workspaces is left out.
pub fn used_by_groups<'a>(read: &Read<'_>, ids: impl IntoIterator<Item = &'a GroupId>) -> Result<HashMap<GroupId, Usage>> {
    let ids = id_list(ids.into_iter().map(GroupId::as_str));
    let rows = read.rows(BY_GROUPS, [ids], |r| Ok((GroupId::trusted(r.get("group_id")?), usage(r)?)))?;
    Ok(rows.into_iter().collect())
}

/// What a person uses, over all groups.
pub fn used_by_user(read: &Read<'_>, id: &UserId) -> Result<Usage> {
    read.one(BY_USER, [id.as_str()], usage)
}

/// What an organization uses, with everything below it.
pub fn used_by_organization(read: &Read<'_>, id: &OrganizationId) -> Result<Usage> {
    read.one(BY_ORGANIZATION, [id.as_str()], usage)
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
