//! The history of groups' quotas: who set what, when and why, and what held at a time. Written by [`super::groups`] in
//! the transaction of the change.

use super::tx::Read;
use crate::clock::Millis;
use crate::domain::id::GroupId;
use crate::domain::quota::ResourceQuota;
use crate::error::Result;
use rusqlite::{Row, params};

/// As much of a history as a chart looks at.
const STEPS_MAX: i64 = 500;

const STEPS: &str =
    "SELECT at, cpu_milli, memory_bytes, storage_bytes, workspaces FROM quota_change WHERE group_id = ?1 ORDER BY id DESC LIMIT ?2";
const PAGE: &str = "SELECT q.id, q.at, q.changed_by, u.username, u.name, q.reason, q.cpu_milli, q.memory_bytes, q.storage_bytes, q.workspaces \
     FROM quota_change q LEFT JOIN user u ON u.id = q.changed_by AND u.status <> 'erased' \
     WHERE q.group_id = ?1 AND q.id < ?2 ORDER BY q.id DESC LIMIT ?3";
const ALL_QUOTAS: &str = "SELECT id, display_name, created_at, quota_cpu_milli AS cpu_milli, quota_memory_bytes AS memory_bytes, \
     quota_storage_bytes AS storage_bytes, quota_workspaces AS workspaces FROM \"group\" WHERE status <> 'deleting'";

fn quota(row: &Row<'_>) -> rusqlite::Result<ResourceQuota> {
    Ok(ResourceQuota {
        cpu_milli: Some(row.get("cpu_milli")?),
        memory_bytes: Some(row.get("memory_bytes")?),
        storage_bytes: Some(row.get("storage_bytes")?),
        workspaces: Some(row.get("workspaces")?),
    })
}

/// From when on each quota held, the oldest first; of a very long history the newest part.
pub fn steps(read: &Read<'_>, group: &GroupId) -> Result<Vec<(Millis, ResourceQuota)>> {
    let mut steps = read.rows(STEPS, params![group.as_str(), STEPS_MAX], |r| Ok((Millis(r.get("at")?), quota(r)?)))?;
    steps.reverse();
    Ok(steps)
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaSet {
    pub id: i64,
    pub at: Millis,
    /// Who: an id, or what else acted; and their names while they have an account.
    pub by: Option<String>,
    pub username: Option<String>,
    pub name: Option<String>,
    pub reason: String,
    pub quota: ResourceQuota,
}

/// The newest first, older than the entry `before`.
pub fn page(read: &Read<'_>, group: &GroupId, before: Option<i64>, limit: usize) -> Result<Vec<QuotaSet>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    read.rows(PAGE, params![group.as_str(), before.unwrap_or(i64::MAX), limit], |r| {
        Ok(QuotaSet {
            id: r.get("id")?,
            at: Millis(r.get("at")?),
            by: r.get("changed_by")?,
            username: r.get("username")?,
            name: r.get("name")?,
            reason: r.get("reason")?,
            quota: quota(r)?,
        })
    })
}

/// A group with what it may use.
#[derive(Debug, Clone)]
pub struct GroupQuota {
    pub id: GroupId,
    pub display_name: String,
    pub created_at: Millis,
    pub quota: ResourceQuota,
}

/// All groups that stay. Reads the whole table: for the background alone.
pub fn all_quotas(read: &Read<'_>) -> Result<Vec<GroupQuota>> {
    read.rows(ALL_QUOTAS, [], |r| {
        Ok(GroupQuota {
            id: GroupId::trusted(r.get("id")?),
            display_name: r.get("display_name")?,
            created_at: Millis(r.get("created_at")?),
            quota: quota(r)?,
        })
    })
}
