//! One box that finds people, groups and workspaces, each filtered by what the caller may see.
//!
//! Who watches the platform searches the trigram index; everybody else searches among their own few: the groups they
//! are in, their workspaces and those of groups they administer, the people of those groups. Short texts match the
//! beginning of names, which costs an index range. The reach of one search is bounded, so that a common word cannot
//! occupy a reader.

use super::sql::{fts_query, id_list, is_short, like_substring, prefix_end};
use super::tx::Read;
use crate::domain::id::{GroupId, UserId};
use crate::error::Result;
use rusqlite::{Row, params};

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// `user`, `group` or `workspace`.
    pub kind: &'static str,
    pub id: String,
    pub title: String,
    pub subtitle: String,
}

/// What the caller may see.
#[derive(Debug, Clone)]
pub struct Scope {
    pub user: UserId,
    pub all_users: bool,
    pub all_groups: bool,
    pub all_workspaces: bool,
    /// Groups the caller is in.
    pub groups: Vec<GroupId>,
    /// Groups the caller administers.
    pub administered: Vec<GroupId>,
}

// The inner query bounds the reach: the newest thousand matches of one kind.
const USERS: &str = "SELECT u.id, CASE u.name WHEN '' THEN u.username ELSE u.name END AS title, u.email AS subtitle \
     FROM (SELECT id FROM search WHERE search MATCH ?1 ORDER BY rowid DESC LIMIT 1000) s JOIN user u ON u.id = s.id \
     WHERE u.status IN ('active', 'disabled') LIMIT ?2";
const USERS_PREFIX: &str = "SELECT u.id, CASE u.name WHEN '' THEN u.username ELSE u.name END AS title, u.email AS subtitle \
     FROM user u WHERE u.status IN ('active', 'disabled') AND u.username >= ?1 AND u.username < ?2 ORDER BY u.username LIMIT ?3";
const USERS_OF_GROUPS: &str = "SELECT u.id, CASE u.name WHEN '' THEN u.username ELSE u.name END AS title, u.email AS subtitle \
     FROM user u WHERE u.id IN (SELECT user_id FROM membership WHERE group_id IN (SELECT value FROM json_each(?1))) \
     AND u.status IN ('active', 'disabled') \
     AND (u.username LIKE ?2 ESCAPE '\\' OR u.name LIKE ?2 ESCAPE '\\' OR u.email LIKE ?2 ESCAPE '\\') LIMIT ?3";
const GROUPS: &str = "SELECT g.id, g.display_name AS title, g.name AS subtitle \
     FROM (SELECT id FROM search WHERE search MATCH ?1 ORDER BY rowid DESC LIMIT 1000) s JOIN \"group\" g ON g.id = s.id LIMIT ?2";
const GROUPS_PREFIX: &str = "SELECT g.id, g.display_name AS title, g.name AS subtitle FROM \"group\" g \
     WHERE g.name >= ?1 AND g.name < ?2 ORDER BY g.name LIMIT ?3";
const OWN_GROUPS: &str = "SELECT g.id, g.display_name AS title, g.name AS subtitle FROM \"group\" g \
     WHERE g.id IN (SELECT value FROM json_each(?1)) AND (g.name LIKE ?2 ESCAPE '\\' OR g.display_name LIKE ?2 ESCAPE '\\') \
     ORDER BY g.name LIMIT ?3";
const WORKSPACES: &str = "SELECT w.id, w.name AS title, g.name AS subtitle \
     FROM (SELECT id FROM search WHERE search MATCH ?1 ORDER BY rowid DESC LIMIT 1000) s \
     JOIN workspace w ON w.id = s.id JOIN \"group\" g ON g.id = w.group_id WHERE w.desired <> 'deleted' LIMIT ?2";
const OWN_WORKSPACES: &str = "SELECT w.id, w.name AS title, g.name AS subtitle FROM workspace w JOIN \"group\" g ON g.id = w.group_id \
     WHERE w.owner_id = ?1 AND w.desired <> 'deleted' AND w.name LIKE ?2 ESCAPE '\\' LIMIT ?3";
const GROUP_WORKSPACES: &str = "SELECT w.id, w.name AS title, g.name AS subtitle FROM workspace w JOIN \"group\" g ON g.id = w.group_id \
     WHERE w.group_id IN (SELECT value FROM json_each(?1)) AND w.owner_id <> ?2 AND w.desired <> 'deleted' \
     AND w.name LIKE ?3 ESCAPE '\\' LIMIT ?4";

fn hit(kind: &'static str) -> impl Fn(&Row<'_>) -> rusqlite::Result<Hit> {
    move |r| Ok(Hit { kind, id: r.get("id")?, title: r.get("title")?, subtitle: r.get("subtitle")? })
}

/// At most `limit` of each kind: own workspaces first, then groups, people, other workspaces.
pub fn list(read: &Read<'_>, scope: &Scope, text: &str, limit: usize) -> Result<Vec<Hit>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let pattern = like_substring(text);
    let mut hits = read.rows(OWN_WORKSPACES, params![scope.user.as_str(), pattern, limit], hit("workspace"))?;
    hits.extend(groups(read, scope, text, limit)?);
    hits.extend(users(read, scope, text, limit)?);
    for other in workspaces(read, scope, text, limit)? {
        if !hits.iter().any(|h| h.id == other.id) {
            hits.push(other);
        }
    }
    Ok(hits)
}

fn groups(read: &Read<'_>, scope: &Scope, text: &str, limit: i64) -> Result<Vec<Hit>> {
    if !scope.all_groups {
        let ids = id_list(scope.groups.iter().map(GroupId::as_str));
        return read.rows(OWN_GROUPS, params![ids, like_substring(text), limit], hit("group"));
    }
    if is_short(text) {
        let prefix = text.to_lowercase();
        return read.rows(GROUPS_PREFIX, params![prefix, prefix_end(&prefix), limit], hit("group"));
    }
    read.rows(GROUPS, params![fts_query("group", text), limit], hit("group"))
}

fn users(read: &Read<'_>, scope: &Scope, text: &str, limit: i64) -> Result<Vec<Hit>> {
    if !scope.all_users {
        let ids = id_list(scope.administered.iter().map(GroupId::as_str));
        return read.rows(USERS_OF_GROUPS, params![ids, like_substring(text), limit], hit("user"));
    }
    if is_short(text) {
        let prefix = text.to_lowercase();
        return read.rows(USERS_PREFIX, params![prefix, prefix_end(&prefix), limit], hit("user"));
    }
    read.rows(USERS, params![fts_query("user", text), limit], hit("user"))
}

fn workspaces(read: &Read<'_>, scope: &Scope, text: &str, limit: i64) -> Result<Vec<Hit>> {
    if scope.all_workspaces && !is_short(text) {
        return read.rows(WORKSPACES, params![fts_query("workspace", text), limit], hit("workspace"));
    }
    let ids = id_list(scope.administered.iter().map(GroupId::as_str));
    read.rows(GROUP_WORKSPACES, params![ids, scope.user.as_str(), like_substring(text), limit], hit("workspace"))
}
