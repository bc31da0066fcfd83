//! The levels that a change draws on, and what is used of each: the facts of the quota check (D6).
//!
//! Read in the transaction of the change, so that two changes at once cannot both take the last of something. What a
//! workspace counts for is the rule of `domain::quota::Usage::counted`, repeated here as SQL; a test compares the two.
//! A level without a limit is not read at all. Not here: a size cap for single workspaces, which nothing sets.

use super::tx::Read;
use crate::domain::group::GroupStatus;
use crate::domain::id::{GroupId, OrganizationId, UserId};
use crate::domain::pool::{Level, LevelKind};
use crate::domain::quota::{ResourceQuota, Usage};
use crate::error::Result;
use crate::policy::GroupFacts;
use rusqlite::Row;
use std::collections::HashMap;

/// A group as somebody who makes a workspace in it meets it.
#[derive(Debug, Clone)]
pub struct Home {
    pub facts: GroupFacts,
    pub status: GroupStatus,
    pub quota: ResourceQuota,
    pub namespace: String,
}

const HOME: &str = "SELECT id, organization_id, name, namespace, status, private, private_members, \
     quota_cpu_milli, quota_memory_bytes, quota_storage_bytes, quota_workspaces FROM \"group\"";

/// What counts: see `Usage::counted`. `max(x, NULL)` would be NULL, so what is not in force counts as 0.
macro_rules! counted {
    () => {
        "count(*) AS workspaces, \
         coalesce(sum(max(w.disk_bytes, coalesce(s.applied_disk_bytes, 0))), 0) AS storage_bytes, \
         coalesce(sum(CASE WHEN w.desired = 'running' OR coalesce(s.phase, 'absent') <> 'absent' \
                      THEN max(w.cpu_milli, coalesce(s.applied_cpu_milli, 0)) ELSE 0 END), 0) AS cpu_milli, \
         coalesce(sum(CASE WHEN w.desired = 'running' OR coalesce(s.phase, 'absent') <> 'absent' \
                      THEN max(w.memory_bytes, coalesce(s.applied_memory_bytes, 0)) ELSE 0 END), 0) AS memory_bytes"
    };
}

const GROUP_USAGE: &str =
    concat!("SELECT ", counted!(), " FROM workspace w LEFT JOIN workspace_status s ON s.workspace_id = w.id WHERE w.group_id = ?1");
const GROUP_USAGES: &str = concat!(
    "SELECT w.group_id AS group_id, ",
    counted!(),
    " FROM json_each(?1) j CROSS JOIN workspace w ON w.group_id = j.value LEFT JOIN workspace_status s ON s.workspace_id = w.id GROUP BY w.group_id"
);
const EVERY_USAGE: &str = concat!(
    "SELECT w.group_id AS group_id, coalesce(sum(w.desired = 'running' AND s.phase = 'ready'), 0) AS running, ",
    counted!(),
    " FROM workspace w INDEXED BY workspace_group LEFT JOIN workspace_status s ON s.workspace_id = w.id GROUP BY w.group_id"
);
const USER_USAGE: &str =
    concat!("SELECT ", counted!(), " FROM workspace w LEFT JOIN workspace_status s ON s.workspace_id = w.id WHERE w.owner_id = ?1");
const ORGANIZATION_USAGE: &str = concat!(
    "SELECT ",
    counted!(),
    " FROM organization o JOIN organization top ON top.id = ?1 AND (o.id = top.id OR o.path GLOB top.path || '/*') \
     JOIN \"group\" g ON g.organization_id = o.id JOIN workspace w ON w.group_id = g.id \
     LEFT JOIN workspace_status s ON s.workspace_id = w.id"
);
const LIMITS: &str = "SELECT kind, amount FROM resource_limit WHERE account_kind = ?1 AND account_id = ?2 AND amount IS NOT NULL";
const ORGANIZATION: &str = "SELECT display_name, parent_id FROM organization WHERE id = ?1";
const USERNAME: &str = "SELECT username FROM user WHERE id = ?1";

fn home(row: &Row<'_>) -> rusqlite::Result<Home> {
    let status: String = row.get("status")?;
    // A status that this version does not know lets nothing in.
    let status = GroupStatus::parse(&status).unwrap_or(GroupStatus::Failed);
    Ok(Home {
        facts: GroupFacts {
            id: GroupId::trusted(row.get("id")?),
            name: row.get("name")?,
            organization_id: OrganizationId::trusted(row.get("organization_id")?),
            private: row.get("private")?,
            private_members: row.get("private_members")?,
            deleting: status == GroupStatus::Deleting,
        },
        status,
        quota: ResourceQuota {
            cpu_milli: Some(row.get("quota_cpu_milli")?),
            memory_bytes: Some(row.get("quota_memory_bytes")?),
            storage_bytes: Some(row.get("quota_storage_bytes")?),
            workspaces: Some(row.get("quota_workspaces")?),
        },
        namespace: row.get("namespace")?,
    })
}

fn usage(row: &Row<'_>) -> rusqlite::Result<Usage> {
    Ok(Usage {
        cpu_milli: row.get("cpu_milli")?,
        memory_bytes: row.get("memory_bytes")?,
        storage_bytes: row.get("storage_bytes")?,
        workspaces: row.get("workspaces")?,
    })
}

/// The group of this id or name.
pub fn find_home(read: &Read<'_>, id_or_name: &str) -> Result<Option<Home>> {
    let by = if GroupId::parse(id_or_name).is_ok() { " WHERE id = ?1" } else { " WHERE name = ?1" };
    read.row(&format!("{HOME}{by}"), [id_or_name], home)
}

/// What the workspaces of a group use.
pub fn group_usage(read: &Read<'_>, group: &GroupId) -> Result<Usage> {
    read.one(GROUP_USAGE, [group.as_str()], usage)
}

/// What the workspaces of some groups use, in one statement; a group without workspaces is left out.
pub fn group_usages(read: &Read<'_>, groups: &[GroupId]) -> Result<HashMap<GroupId, Usage>> {
    let ids = serde_json::json!(groups).to_string();
    let rows = read.rows(GROUP_USAGES, [ids], |r| Ok((GroupId::trusted(r.get("group_id")?), usage(r)?)))?;
    Ok(rows.into_iter().collect())
}

/// What the workspaces of every group use, and how many of them run; groups without workspaces are left out. Reads all
/// workspaces: for the background alone.
pub fn every_usage(read: &Read<'_>) -> Result<Vec<(GroupId, Usage, i64)>> {
    read.rows(EVERY_USAGE, [], |r| Ok((GroupId::trusted(r.get("group_id")?), usage(r)?, r.get("running")?)))
}

/// The limits of a user or an organization, if any is set.
fn limits(read: &Read<'_>, kind: LevelKind, id: &str) -> Result<Option<ResourceQuota>> {
    let rows = read.rows(LIMITS, (kind.as_str(), id), |r| Ok((r.get::<_, String>(0)?, r.get::<_, i64>(1)?)))?;
    let mut quota = ResourceQuota::UNLIMITED;
    for (kind, amount) in &rows {
        let place = match kind.as_str() {
            "cpu" => &mut quota.cpu_milli,
            "memory" => &mut quota.memory_bytes,
            "storage" => &mut quota.storage_bytes,
            _ => &mut quota.workspaces,
        };
        *place = Some(*amount);
    }
    Ok((!rows.is_empty()).then_some(quota))
}

/// Every level that a workspace of this person in this group draws on, in the order in which they are weighed.
pub fn levels(read: &Read<'_>, owner: &UserId, home: &Home) -> Result<Vec<Level>> {
    let mut levels = Vec::new();
    if let Some(quota) = limits(read, LevelKind::User, owner.as_str())? {
        let name: Option<String> = read.row(USERNAME, [owner.as_str()], |r| r.get(0))?;
        let used = read.one(USER_USAGE, [owner.as_str()], usage)?;
        levels.push(Level { kind: LevelKind::User, id: owner.to_string(), name: name.unwrap_or_default(), quota, used });
    }
    levels.push(Level {
        kind: LevelKind::Group,
        id: home.facts.id.to_string(),
        name: home.facts.name.clone(),
        quota: home.quota,
        used: group_usage(read, &home.facts.id)?,
    });
    organizations(read, &home.facts.organization_id, &mut levels)?;
    Ok(levels)
}

/// The organization of the group and those above it, up to the root.
fn organizations(read: &Read<'_>, first: &OrganizationId, levels: &mut Vec<Level>) -> Result<()> {
    let mut next = Some(first.to_string());
    while let Some(id) = next {
        let found: Option<(String, Option<String>)> = read.row(ORGANIZATION, [&id], |r| Ok((r.get(0)?, r.get(1)?)))?;
        let Some((name, parent)) = found else { break };
        if let Some(quota) = limits(read, LevelKind::Organization, &id)? {
            let used = read.one(ORGANIZATION_USAGE, [&id], usage)?;
            levels.push(Level { kind: LevelKind::Organization, id, name, quota, used });
        }
        next = parent;
    }
    Ok(())
}
