//! The counts of the dashboards. What groups and people use is summed in [`super::pool`], beside the check that counts it.

use super::tx::Read;
use crate::clock::{DAY, Millis};
use crate::domain::id::UserId;
use crate::error::Result;
use rusqlite::params;

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
