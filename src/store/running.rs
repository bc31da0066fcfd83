//! The workspaces that run now, read for the connections that the server keeps to them.

use super::tx::Read;
use super::workspaces::parsed;
use crate::domain::id::{GroupId, UserId, WorkspaceId};
use crate::domain::template::FrozenSpec;
use crate::error::Result;
use rusqlite::{Row, params};

/// One run of one workspace, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Running {
    pub workspace: WorkspaceId,
    pub run: i64,
    pub owner: UserId,
    pub group: GroupId,
    pub namespace: String,
    /// Whether its recipe has apps.
    pub has_apps: bool,
}

/// What every statement here asks of a workspace; `?1` is the time. What it is not names the index.
macro_rules! running_sql {
    () => {
        "SELECT w.id, w.run, w.owner_id, w.group_id, w.spec, g.namespace FROM workspace w \
         CROSS JOIN workspace_status s ON s.workspace_id = w.id CROSS JOIN user u ON u.id = w.owner_id \
         CROSS JOIN \"group\" g ON g.id = w.group_id \
         WHERE w.desired <> 'stopped' AND w.desired = 'running' AND s.phase = 'ready' AND s.observed_run = w.run \
         AND u.status = 'active' AND (u.expires_at IS NULL OR u.expires_at > ?1)"
    };
}

const BY_ID: &str = concat!(running_sql!(), " AND w.id = ?2");
const BY_OWNER: &str = concat!(running_sql!(), " AND w.owner_id = ?2 ORDER BY w.id");
const PAGE: &str = concat!(running_sql!(), " AND w.id > ?2 ORDER BY w.id LIMIT ?3");

fn running(row: &Row<'_>) -> rusqlite::Result<Running> {
    Ok(Running {
        workspace: WorkspaceId::trusted(row.get("id")?),
        run: row.get("run")?,
        owner: UserId::trusted(row.get("owner_id")?),
        group: GroupId::trusted(row.get("group_id")?),
        namespace: row.get("namespace")?,
        has_apps: !parsed::<FrozenSpec>(row, "spec")?.apps.is_empty(),
    })
}

/// The workspace, if it runs.
pub fn find(read: &Read<'_>, id: &WorkspaceId) -> Result<Option<Running>> {
    read.row(BY_ID, params![read.now().0, id.as_str()], running)
}

/// Those of one person.
pub fn of_user(read: &Read<'_>, user: &UserId) -> Result<Vec<Running>> {
    read.rows(BY_OWNER, params![read.now().0, user.as_str()], running)
}

/// At most `limit` with larger ids than `after`.
pub fn page(read: &Read<'_>, after: Option<&WorkspaceId>, limit: usize) -> Result<Vec<Running>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    read.rows(PAGE, params![read.now().0, after.map_or("", WorkspaceId::as_str), limit], running)
}
