//! What stands out of the use of things: found in the background, read by few rows.
//!
//! A finding about a workspace is shown only while it is still true of the workspace as it is now, so that stopping an
//! idle one takes it off the list at once.

use super::tx::{Read, Tx, Unaudited};
use crate::clock::Millis;
use crate::domain::finding::{FindingKind, resource};
use crate::domain::id::{GroupId, OrganizationId, UserId, WorkspaceId};
use crate::domain::quota::{Resource, Usage};
use crate::domain::trend::Step;
use crate::error::Result;
use crate::policy::WorkspaceFacts;
use rusqlite::{Row, params};
use std::collections::HashMap;

/// How many of one kind are kept; more would help nobody.
const KEPT: i64 = 1_000;

/// One finding about a group or a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub kind: FindingKind,
    /// The key of the subject: `node:NAME`, or an id.
    pub subject: String,
    pub resource: Resource,
    pub group: Option<GroupId>,
    /// Of an alert 80 or 90; of what is hardly used the most that was in use.
    pub level: i64,
    pub since: Millis,
}

const OF_KIND: &str = "SELECT subject, resource, group_id, level, since FROM usage_finding WHERE kind = ?1";
const OF_GROUP: &str = "SELECT subject, resource, group_id, level, since FROM usage_finding INDEXED BY usage_finding_group \
     WHERE group_id = ?2 AND kind = ?1";
const SAVE: &str = "INSERT INTO usage_finding (kind, subject, resource, group_id, level, since) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
     ON CONFLICT (kind, subject, resource) DO UPDATE SET level = excluded.level, since = excluded.since";
const REMOVE: &str = "DELETE FROM usage_finding WHERE kind = ?1 AND subject = ?2 AND resource = ?3";
const CLEAR: &str = "DELETE FROM usage_finding WHERE kind = ?1";
const PEAKS: &str = "SELECT subject, max(cpu_peak) AS cpu_milli, max(memory_peak) AS memory_bytes, max(coalesce(disk_peak, 0)) AS storage_bytes, \
     max(things_peak) AS workspaces, count(*) AS steps FROM usage_sample \
     WHERE period = ?1 AND at >= ?2 AND (subject = 'platform' OR subject GLOB 'grp_*') GROUP BY subject";

const GROUP_ADMINS: &str = "SELECT m.user_id AS id FROM membership m JOIN user u ON u.id = m.user_id \
     WHERE m.group_id = ?1 AND m.role = 'admin' AND (m.expires_at IS NULL OR m.expires_at > ?2) AND u.status = 'active'";
const SYSTEM_ADMINS: &str = "SELECT g.user_id AS id FROM system_grant g JOIN user u ON u.id = g.user_id \
     WHERE g.right = 'manageSystem' AND (g.expires_at IS NULL OR g.expires_at > ?1) AND u.status = 'active'";

/// When somebody last used or started it.
macro_rules! used_sql {
    () => {
        "max(coalesce(a.last_accessed_at, 0), coalesce(w.started_at, w.created_at))"
    };
}

const FIND_IDLE: &str = concat!(
    "INSERT INTO usage_finding (kind, subject, resource, group_id, level, since) SELECT 'idle', w.id, '', w.group_id, 0, ",
    used_sql!(),
    " AS used FROM workspace w INDEXED BY workspace_meant JOIN workspace_status s ON s.workspace_id = w.id \
      LEFT JOIN workspace_activity a ON a.workspace_id = w.id \
      WHERE w.desired <> 'stopped' AND w.desired = 'running' AND s.phase = 'ready' AND ",
    used_sql!(),
    " < ?1 ORDER BY w.memory_bytes DESC LIMIT ?2"
);
const FIND_ABANDONED: &str = concat!(
    "INSERT INTO usage_finding (kind, subject, resource, group_id, level, since) SELECT 'abandoned', w.id, '', w.group_id, 0, ",
    used_sql!(),
    " AS used FROM workspace w LEFT JOIN workspace_activity a ON a.workspace_id = w.id WHERE w.desired = 'stopped' AND ",
    used_sql!(),
    " < ?1 ORDER BY w.disk_bytes DESC LIMIT ?2"
);

/// Workspaces of which the finding is still true, what they hold, and whose they are.
macro_rules! still_sql {
    ($index:literal, $rest:literal) => {
        concat!(
            "SELECT f.kind, w.id, w.name, w.group_id, g.organization_id, g.display_name, w.owner_id, u.username, u.name AS owner_name, f.since, \
             max(w.cpu_milli, coalesce(s.applied_cpu_milli, 0)) AS cpu_milli, max(w.memory_bytes, coalesce(s.applied_memory_bytes, 0)) AS memory_bytes, \
             max(w.disk_bytes, coalesce(s.applied_disk_bytes, 0)) AS disk_bytes \
             FROM usage_finding f ",
            $index,
            " CROSS JOIN workspace w ON w.id = f.subject JOIN workspace_status s ON s.workspace_id = w.id \
             JOIN \"group\" g ON g.id = w.group_id JOIN user u ON u.id = w.owner_id LEFT JOIN workspace_activity a ON a.workspace_id = w.id \
             WHERE w.desired = CASE f.kind WHEN 'idle' THEN 'running' ELSE 'stopped' END \
             AND max(coalesce(a.last_accessed_at, 0), coalesce(w.started_at, w.created_at)) <= f.since AND ",
            $rest
        )
    };
}

const UNUSED: &str = still_sql!("", "f.kind = ?1");
const UNUSED_IN_GROUP: &str = still_sql!("INDEXED BY usage_finding_group", "f.group_id = ?2 AND f.kind = ?1");

fn finding(kind: FindingKind) -> impl Fn(&Row<'_>) -> rusqlite::Result<Option<Finding>> {
    move |row| {
        let word: String = row.get("resource")?;
        let group: Option<String> = row.get("group_id")?;
        let (subject, level, since) = (row.get("subject")?, row.get("level")?, Millis(row.get("since")?));
        Ok(resource(&word).map(|resource| Finding { kind, subject, resource, group: group.map(GroupId::trusted), level, since }))
    }
}

/// All of one kind, or those of one group. Of alerts and advice only: for workspaces see [`unused`].
pub fn list(read: &Read<'_>, kind: FindingKind, group: Option<&GroupId>) -> Result<Vec<Finding>> {
    let found = match group {
        None => read.rows(OF_KIND, [kind.as_str()], finding(kind))?,
        Some(group) => read.rows(OF_GROUP, [kind.as_str(), group.as_str()], finding(kind))?,
    };
    Ok(found.into_iter().flatten().collect())
}

pub fn save(tx: &Tx<'_>, found: &Finding) -> Result<()> {
    let group = found.group.as_ref().map(GroupId::as_str);
    let row = params![found.kind.as_str(), found.subject, found.resource.as_str(), group, found.level, found.since.0];
    tx.note(Unaudited::Samples, SAVE, row).map(drop)
}

pub fn remove(tx: &Tx<'_>, found: &Finding) -> Result<()> {
    tx.note(Unaudited::Samples, REMOVE, params![found.kind.as_str(), found.subject, found.resource.as_str()]).map(drop)
}

/// The most that each group used in the days since, by its key, and on how many of them somebody looked at it. The key
/// `platform` tells on how many days somebody looked at all. Walks those days: for the background alone.
pub fn peaks(read: &Read<'_>, since: Millis) -> Result<HashMap<String, (Usage, i64)>> {
    let since = Step::Day.floor(since).0;
    let rows = read.rows(PEAKS, params![Step::Day.as_str(), since], |r| {
        let used = Usage {
            cpu_milli: r.get("cpu_milli")?,
            memory_bytes: r.get("memory_bytes")?,
            storage_bytes: r.get("storage_bytes")?,
            workspaces: r.get("workspaces")?,
        };
        Ok((r.get("subject")?, (used, r.get("steps")?)))
    })?;
    Ok(rows.into_iter().collect())
}

/// Finds anew which workspaces run without being used since `idle`, and which lie stopped and unused since `abandoned`.
pub fn find_unused(tx: &Tx<'_>, idle: Millis, abandoned: Millis) -> Result<()> {
    for (kind, sql, before) in [(FindingKind::Idle, FIND_IDLE, idle), (FindingKind::Abandoned, FIND_ABANDONED, abandoned)] {
        tx.note(Unaudited::Samples, CLEAR, [kind.as_str()])?;
        tx.note(Unaudited::Samples, sql, params![before.0, KEPT])?;
    }
    Ok(())
}

/// Who looks after a group, or after the nodes: whom an alert is told.
pub fn caretakers(read: &Read<'_>, group: Option<&GroupId>) -> Result<Vec<UserId>> {
    let id = |row: &Row<'_>| row.get("id").map(UserId::trusted);
    match group {
        Some(group) => read.rows(GROUP_ADMINS, params![group.as_str(), read.now().0], id),
        None => read.rows(SYSTEM_ADMINS, [read.now().0], id),
    }
}

/// Forgets all findings of a kind.
pub fn clear(tx: &Tx<'_>, kind: FindingKind) -> Result<()> {
    tx.note(Unaudited::Samples, CLEAR, [kind.as_str()]).map(drop)
}

/// A workspace that nobody uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unused {
    pub id: WorkspaceId,
    pub name: String,
    pub group_id: GroupId,
    pub organization_id: OrganizationId,
    pub group_name: String,
    pub owner_id: UserId,
    pub owner_username: String,
    pub owner_name: String,
    /// When it was last used.
    pub since: Millis,
    /// What it holds, whether it runs or not.
    pub holds: Usage,
}

impl Unused {
    /// What policy asks about it, by role: whom it is shared with is not looked up.
    pub fn facts(&self) -> WorkspaceFacts {
        WorkspaceFacts {
            id: self.id.clone(),
            name: self.name.clone(),
            group_id: self.group_id.clone(),
            organization_id: self.organization_id.clone(),
            owner_id: self.owner_id.clone(),
            share: None,
        }
    }
}

fn unused_row(row: &Row<'_>) -> rusqlite::Result<Unused> {
    Ok(Unused {
        id: WorkspaceId::trusted(row.get("id")?),
        name: row.get("name")?,
        group_id: GroupId::trusted(row.get("group_id")?),
        organization_id: OrganizationId::trusted(row.get("organization_id")?),
        group_name: row.get("display_name")?,
        owner_id: UserId::trusted(row.get("owner_id")?),
        owner_username: row.get("username")?,
        owner_name: row.get("owner_name")?,
        since: Millis(row.get("since")?),
        holds: Usage {
            cpu_milli: row.get("cpu_milli")?,
            memory_bytes: row.get("memory_bytes")?,
            storage_bytes: row.get("disk_bytes")?,
            workspaces: 1,
        },
    })
}

/// Idle or abandoned workspaces, of all groups or of one; at most as many as are kept.
pub fn unused(read: &Read<'_>, kind: FindingKind, group: Option<&GroupId>) -> Result<Vec<Unused>> {
    match group {
        None => read.rows(UNUSED, [kind.as_str()], unused_row),
        Some(group) => read.rows(UNUSED_IN_GROUP, [kind.as_str(), group.as_str()], unused_row),
    }
}
