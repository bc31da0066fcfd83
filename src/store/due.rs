//! What the reconciler has to look at: ids only, page by page, along indexes.
//!
//! *Due* is what is not settled and may be tried now; its rows are few, however many workspaces there are. The *rest* is
//! everything else, which a slow comparison walks by key. The rows themselves are read by id where they belong.

use super::sql::id_list;
use super::tx::Read;
use crate::clock::Millis;
use crate::domain::id::{GroupId, WorkspaceId};
use crate::error::Result;
use rusqlite::params;
use std::collections::BTreeSet;

/// Where a page ended: the last id of each kind, empty at the beginning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct After {
    pub group: String,
    pub workspace: String,
}

/// Ids of one page, each in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ids {
    pub groups: Vec<GroupId>,
    pub workspaces: Vec<WorkspaceId>,
}

impl Ids {
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.workspaces.is_empty()
    }

    /// Where the next page begins.
    pub fn end(&self, before: &After) -> After {
        After {
            group: self.groups.last().map_or_else(|| before.group.clone(), ToString::to_string),
            workspace: self.workspaces.last().map_or_else(|| before.workspace.clone(), ToString::to_string),
        }
    }
}

const DUE_GROUPS: &str = "SELECT id FROM \"group\" INDEXED BY group_due \
     WHERE (status <> 'active' OR observed_generation < generation OR attempts > 0) AND id > ?1 AND next_attempt_at <= ?2 ORDER BY id LIMIT ?3";
const DUE_WORKSPACES: &str =
    "SELECT workspace_id AS id FROM workspace_due WHERE workspace_id > ?1 AND due <= ?2 ORDER BY workspace_id LIMIT ?3";
const UNTOLD: &str = "SELECT d.workspace_id AS id FROM workspace_due d CROSS JOIN workspace_status s ON s.workspace_id = d.workspace_id \
     WHERE d.workspace_id > ?1 AND s.reason_code IS NOT 'cluster_unreachable' ORDER BY d.workspace_id LIMIT ?2";
const REST_OF_GROUPS: &str = "SELECT id FROM \"group\" WHERE id > ?1 AND status = 'active' AND observed_generation >= generation \
     AND attempts = 0 ORDER BY id LIMIT ?2";
const REST_OF_WORKSPACES: &str = "SELECT w.id FROM workspace w WHERE w.id > ?1 \
     AND NOT EXISTS (SELECT 1 FROM workspace_due d WHERE d.workspace_id = w.id) ORDER BY w.id LIMIT ?2";
const MEANT: &str = "SELECT id FROM workspace INDEXED BY workspace_meant WHERE desired <> 'stopped' AND id > ?1 ORDER BY id LIMIT ?2";
const NEXT_GROUP: &str = "SELECT min(next_attempt_at) FROM \"group\" INDEXED BY group_due \
     WHERE (status <> 'active' OR observed_generation < generation OR attempts > 0) AND next_attempt_at > ?1";
const NEXT_WORKSPACE: &str = "SELECT min(due) FROM workspace_due WHERE due > ?1";
const INHABITED: &str = "SELECT j.value AS id FROM json_each(?1) j WHERE EXISTS (SELECT 1 FROM workspace w WHERE w.group_id = j.value)";
const STRANGE_GROUPS: &str = "SELECT j.value AS id FROM json_each(?1) j WHERE NOT EXISTS (SELECT 1 FROM \"group\" g WHERE g.id = j.value)";
const STRANGE_WORKSPACES: &str =
    "SELECT j.value AS id FROM json_each(?1) j WHERE NOT EXISTS (SELECT 1 FROM workspace w WHERE w.id = j.value)";

fn groups(read: &Read<'_>, sql: &str, values: impl rusqlite::Params) -> Result<Vec<GroupId>> {
    read.rows(sql, values, |r| r.get("id").map(GroupId::trusted))
}

fn workspaces(read: &Read<'_>, sql: &str, values: impl rusqlite::Params) -> Result<Vec<WorkspaceId>> {
    read.rows(sql, values, |r| r.get("id").map(WorkspaceId::trusted))
}

/// What is not settled and may be tried now; at most `limit` of each kind.
pub fn due(read: &Read<'_>, after: &After, limit: u32) -> Result<Ids> {
    let now = read.now().0;
    Ok(Ids {
        groups: groups(read, DUE_GROUPS, params![after.group, now, limit])?,
        workspaces: workspaces(read, DUE_WORKSPACES, params![after.workspace, now, limit])?,
    })
}

/// What is settled, as far as the file knows; at most `limit` of each kind.
pub fn rest(read: &Read<'_>, after: &After, limit: u32) -> Result<Ids> {
    Ok(Ids {
        groups: groups(read, REST_OF_GROUPS, params![after.group, limit])?,
        workspaces: workspaces(read, REST_OF_WORKSPACES, params![after.workspace, limit])?,
    })
}

/// Workspaces that are not settled and do not say that the cluster is silent.
pub fn untold(read: &Read<'_>, after: &After, limit: u32) -> Result<Ids> {
    Ok(Ids { groups: Vec::new(), workspaces: workspaces(read, UNTOLD, params![after.workspace, limit])? })
}

/// Workspaces that should be running, or gone.
pub fn meant(read: &Read<'_>, after: &After, limit: u32) -> Result<Ids> {
    Ok(Ids { groups: Vec::new(), workspaces: workspaces(read, MEANT, params![after.workspace, limit])? })
}

/// When the next try that has to wait may be made.
pub fn next(read: &Read<'_>) -> Result<Option<Millis>> {
    let now = read.now().0;
    let group: Option<i64> = read.one(NEXT_GROUP, [now], |r| r.get(0))?;
    let workspace: Option<i64> = read.one(NEXT_WORKSPACE, [now], |r| r.get(0))?;
    Ok(group.into_iter().chain(workspace).min().map(Millis))
}

/// Those of the groups that have workspaces, whatever their state.
pub fn inhabited<'a>(read: &Read<'_>, of: impl IntoIterator<Item = &'a GroupId>) -> Result<BTreeSet<GroupId>> {
    Ok(groups(read, INHABITED, [id_list(of.into_iter().map(GroupId::as_str))])?.into_iter().collect())
}

/// Those of the ids that the file does not know.
pub fn strangers(read: &Read<'_>, ids: &Ids) -> Result<Ids> {
    Ok(Ids {
        groups: groups(read, STRANGE_GROUPS, [id_list(ids.groups.iter().map(GroupId::as_str))])?,
        workspaces: workspaces(read, STRANGE_WORKSPACES, [id_list(ids.workspaces.iter().map(WorkspaceId::as_str))])?,
    })
}
