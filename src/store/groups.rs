//! Groups as desired state: the rows of `group`, their quota history, and what the reconciler finds out about them.
//!
//! Two lists: all groups for those who watch the platform, and a person's own, which are few and need no index. A list
//! entry comes without its use; [`super::stats`] adds that for a whole page at once.

use super::sql::{Page, fts_query, id_list, is_short, like_substring, prefix_end};
use super::tx::{Read, Tx, Unaudited};
use crate::clock::Millis;
use crate::domain::group::GroupStatus;
use crate::domain::id::{GroupId, OrganizationId, UserId};
use crate::domain::quota::ResourceQuota;
use crate::error::Result;
use crate::policy::{GroupFacts, Permit};
use rusqlite::{Row, params};

/// One group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub id: GroupId,
    pub organization_id: OrganizationId,
    pub name: String,
    pub display_name: String,
    pub description: String,
    pub namespace: String,
    pub namespace_uid: Option<String>,
    pub status: GroupStatus,
    /// Why it is not active: stable code and words.
    pub reason: Option<(String, String)>,
    pub generation: i64,
    pub observed_generation: i64,
    pub owner_id: UserId,
    pub private: bool,
    pub private_members: bool,
    pub quota: ResourceQuota,
    pub member_count: i64,
    pub created_at: Millis,
    pub updated_at: Millis,
    /// The ETag.
    pub revision: i64,
    /// Failed tries of the reconciler, and when it may try again.
    pub attempts: i64,
    pub next_attempt_at: Millis,
}

impl Group {
    /// What policy needs to know.
    pub fn facts(&self) -> GroupFacts {
        GroupFacts {
            id: self.id.clone(),
            name: self.name.clone(),
            organization_id: self.organization_id.clone(),
            private: self.private,
            private_members: self.private_members,
            deleting: self.status == GroupStatus::Deleting,
        }
    }
}

/// What a new group is made of; the quota has no open ends.
#[derive(Debug)]
pub struct NewGroup<'a> {
    pub id: &'a GroupId,
    pub organization_id: &'a OrganizationId,
    pub name: &'a str,
    pub display_name: &'a str,
    pub description: &'a str,
    pub namespace: &'a str,
    pub owner_id: &'a UserId,
    pub quota: &'a ResourceQuota,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Sort {
    #[default]
    Name,
    DisplayName,
    /// Newest first.
    Newest,
}

impl Sort {
    pub const ALL: [Self; 3] = [Self::Name, Self::DisplayName, Self::Newest];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::DisplayName => "displayName",
            Self::Newest => "-createdAt",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sort| sort.as_str() == text)
    }
}

/// Where the last page ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct After {
    pub key: String,
    pub id: String,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT g.id, g.organization_id, g.name, g.display_name, g.description, g.namespace, g.namespace_uid, g.status, \
             g.status_code, g.status_message, g.generation, g.observed_generation, g.owner_id, g.private, g.private_members, \
             g.quota_cpu_milli, g.quota_memory_bytes, g.quota_storage_bytes, g.quota_workspaces, g.member_count, g.created_at, \
             g.updated_at, g.revision, g.attempts, g.next_attempt_at ",
            $rest
        )
    };
}

const FIND: &str = select!("FROM \"group\" g WHERE g.id = ?1");
const FIND_BY_NAME: &str = select!("FROM \"group\" g WHERE g.name = ?1");
const FIND_MANY: &str = select!("FROM \"group\" g WHERE g.id IN (SELECT value FROM json_each(?1))");
// A group that is going is seen by those who watch the platform, so it is in their list.
const ALL_BY_NAME: &str = select!("FROM \"group\" g WHERE g.name > ?1 ORDER BY g.name LIMIT ?2");
const ALL_BY_DISPLAY_NAME: &str = select!(
    "FROM \"group\" g WHERE (g.display_name COLLATE NOCASE, g.id) > (?1, ?2) ORDER BY g.display_name COLLATE NOCASE, g.id LIMIT ?3"
);
const ALL_NEWEST: &str = select!("FROM \"group\" g WHERE g.id < ?1 ORDER BY g.id DESC LIMIT ?2");
const ALL_SEARCH: &str =
    select!("FROM search s JOIN \"group\" g ON g.id = s.id WHERE s.search MATCH ?1 AND s.rowid > ?2 ORDER BY s.rowid LIMIT ?3");
const SEARCH_ROW: &str = "SELECT row_id FROM search_row WHERE kind = 'group' AND id = ?1";
const ALL_PREFIX: &str = select!("FROM \"group\" g WHERE g.name >= ?1 AND g.name < ?2 AND g.name > ?3 ORDER BY g.name LIMIT ?4");
// A person's own groups are few: they are found by the membership index and sorted then.
const OWN: &str = select!(
    "FROM membership m JOIN \"group\" g ON g.id = m.group_id WHERE m.user_id = ?1 AND (m.expires_at IS NULL OR m.expires_at > ?2) \
     AND g.status <> 'deleting' AND (g.name LIKE ?3 ESCAPE '\\' OR g.display_name LIKE ?3 ESCAPE '\\') ORDER BY g.name"
);
const COUNT: &str = "SELECT count(*) FROM \"group\"";
const COUNT_SEARCH: &str = "SELECT count(*) FROM search s WHERE s.search MATCH ?1";
const COUNT_PREFIX: &str = "SELECT count(*) FROM \"group\" WHERE name >= ?1 AND name < ?2";
const INSERT: &str = "INSERT INTO \"group\" (id, organization_id, name, display_name, description, namespace, status, owner_id, \
     quota_cpu_milli, quota_memory_bytes, quota_storage_bytes, quota_workspaces, created_at, updated_at) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'creating', ?7, ?8, ?9, ?10, ?11, ?12, ?12)";
const SAVE: &str = "UPDATE \"group\" SET display_name = ?2, description = ?3, quota_cpu_milli = ?4, quota_memory_bytes = ?5, \
     quota_storage_bytes = ?6, quota_workspaces = ?7, updated_at = ?8, generation = generation + 1, attempts = 0, next_attempt_at = 0, \
     status = CASE status WHEN 'failed' THEN 'creating' ELSE status END, revision = revision + 1 WHERE id = ?1";
const SET_OWNER: &str = "UPDATE \"group\" SET owner_id = ?2, updated_at = ?3, revision = revision + 1 WHERE id = ?1";
const MARK_DELETING: &str = "UPDATE \"group\" SET status = 'deleting', status_code = NULL, status_message = NULL, attempts = 0, \
     next_attempt_at = 0, updated_at = ?2, generation = generation + 1, revision = revision + 1 WHERE id = ?1";
const RECORD_ACTIVE: &str = "UPDATE \"group\" SET status = 'active', status_code = NULL, status_message = NULL, observed_generation = ?2, \
     namespace_uid = coalesce(?3, namespace_uid), attempts = 0, next_attempt_at = 0, revision = revision + 1 WHERE id = ?1";
const OBSERVED: &str = "UPDATE \"group\" SET observed_generation = ?2, namespace_uid = coalesce(?3, namespace_uid), attempts = 0, \
     next_attempt_at = 0, status_code = NULL, status_message = NULL WHERE id = ?1";
const RECORD_FAILED: &str = "UPDATE \"group\" SET status = 'failed', status_code = ?2, status_message = ?3, updated_at = ?4, \
     revision = revision + 1 WHERE id = ?1";
const SET_ATTEMPTS: &str = "UPDATE \"group\" SET attempts = ?2, next_attempt_at = ?3, status_code = ?4, status_message = ?5 WHERE id = ?1";
const REMOVE: &str = "DELETE FROM \"group\" WHERE id = ?1";
const INSERT_QUOTA_CHANGE: &str = "INSERT INTO quota_change (group_id, at, changed_by, reason, cpu_milli, memory_bytes, storage_bytes, workspaces) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const WORKSPACES: &str = "SELECT count(*) FROM workspace WHERE group_id = ?1";

fn group(r: &Row<'_>) -> rusqlite::Result<Group> {
    let reason: (Option<String>, Option<String>) = (r.get("status_code")?, r.get("status_message")?);
    Ok(Group {
        id: GroupId::trusted(r.get("id")?),
        organization_id: OrganizationId::trusted(r.get("organization_id")?),
        name: r.get("name")?,
        display_name: r.get("display_name")?,
        description: r.get("description")?,
        namespace: r.get("namespace")?,
        namespace_uid: r.get("namespace_uid")?,
        status: GroupStatus::parse(&r.get::<_, String>("status")?).unwrap_or(GroupStatus::Failed),
        reason: reason.0.map(|code| (code, reason.1.unwrap_or_default())),
        generation: r.get("generation")?,
        observed_generation: r.get("observed_generation")?,
        owner_id: UserId::trusted(r.get("owner_id")?),
        private: r.get("private")?,
        private_members: r.get("private_members")?,
        quota: ResourceQuota {
            cpu_milli: Some(r.get("quota_cpu_milli")?),
            memory_bytes: Some(r.get("quota_memory_bytes")?),
            storage_bytes: Some(r.get("quota_storage_bytes")?),
            workspaces: Some(r.get("quota_workspaces")?),
        },
        member_count: r.get("member_count")?,
        created_at: Millis(r.get("created_at")?),
        updated_at: Millis(r.get("updated_at")?),
        revision: r.get("revision")?,
        attempts: r.get("attempts")?,
        next_attempt_at: Millis(r.get("next_attempt_at")?),
    })
}

pub fn find(read: &Read<'_>, id: &GroupId) -> Result<Option<Group>> {
    read.row(FIND, [id.as_str()], group)
}

/// By id or by name: routes below `groups/{id}` take both. No name can look like an id, whose `_` no name may have.
pub fn resolve(read: &Read<'_>, id_or_name: &str) -> Result<Option<Group>> {
    match GroupId::parse(id_or_name) {
        Ok(id) => find(read, &id),
        Err(_) => read.row(FIND_BY_NAME, [id_or_name], group),
    }
}

/// Those of the groups that exist, in no order.
pub fn find_many<'a>(read: &Read<'_>, ids: impl IntoIterator<Item = &'a str>) -> Result<Vec<Group>> {
    read.rows(FIND_MANY, [id_list(ids)], group)
}

fn wanted(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1
}

fn page(read: &Read<'_>, sort: Sort, after: Option<&After>, limit: usize) -> Result<Vec<Group>> {
    let (key, id) = after.map_or(("", ""), |a| (a.key.as_str(), a.id.as_str()));
    match sort {
        Sort::Name => read.rows(ALL_BY_NAME, params![key, wanted(limit)], group),
        Sort::DisplayName => read.rows(ALL_BY_DISPLAY_NAME, params![key, id, wanted(limit)], group),
        Sort::Newest => read.rows(ALL_NEWEST, params![if id.is_empty() { "grp_~" } else { id }, wanted(limit)], group),
    }
}

/// A page of all groups. A search of three characters or more finds substrings, in the order of creation; a shorter
/// one finds names that begin with it.
pub fn list_all(read: &Read<'_>, search: &str, sort: Sort, after: Option<&After>, limit: usize) -> Result<(Page<Group>, Option<After>)> {
    let rows = if search.is_empty() {
        page(read, sort, after, limit)?
    } else if is_short(search) {
        let prefix = search.to_lowercase();
        let key = after.map_or("", |a| a.key.as_str());
        read.rows(ALL_PREFIX, params![prefix, prefix_end(&prefix), key, wanted(limit)], group)?
    } else {
        let from: i64 = after.and_then(|a| a.key.parse().ok()).unwrap_or(0);
        read.rows(ALL_SEARCH, params![fts_query("group", search), from, wanted(limit)], group)?
    };
    let page = Page::cut(rows, limit);
    let next = match page.items.last() {
        Some(last) if page.more => Some(After { key: key_of(read, last, search, sort)?, id: last.id.to_string() }),
        _ => None,
    };
    Ok((page, next))
}

fn key_of(read: &Read<'_>, last: &Group, search: &str, sort: Sort) -> Result<String> {
    if !search.is_empty() && !is_short(search) {
        return Ok(read.one(SEARCH_ROW, [last.id.as_str()], |r| r.get::<_, i64>(0))?.to_string());
    }
    Ok(if search.is_empty() && sort == Sort::DisplayName { last.display_name.clone() } else { last.name.clone() })
}

/// How many groups the search matches. Costs a scan.
pub fn count_all(read: &Read<'_>, search: &str) -> Result<i64> {
    if search.is_empty() {
        return read.one(COUNT, [], |r| r.get(0));
    }
    if is_short(search) {
        let prefix = search.to_lowercase();
        return read.one(COUNT_PREFIX, params![prefix, prefix_end(&prefix)], |r| r.get(0));
    }
    read.one(COUNT_SEARCH, [fts_query("group", search)], |r| r.get(0))
}

/// All groups of a person whose name or title holds the text, by name.
pub fn list_own(read: &Read<'_>, user: &UserId, search: &str) -> Result<Vec<Group>> {
    read.rows(OWN, params![user.as_str(), read.now().0, like_substring(search)], group)
}

/// Fails with `Taken` when the name or the namespace is in use, also by a group that is going.
pub fn insert(tx: &Tx<'_>, permit: &Permit, new: &NewGroup<'_>) -> Result<()> {
    let quota = new.quota;
    tx.change(
        permit,
        INSERT,
        params![
            new.id.as_str(),
            new.organization_id.as_str(),
            new.name,
            new.display_name,
            new.description,
            new.namespace,
            new.owner_id.as_str(),
            quota.cpu_milli,
            quota.memory_bytes,
            quota.storage_bytes,
            quota.workspaces,
            tx.now().0
        ],
    )?;
    Ok(())
}

/// Title, description and quota. Moves the generation, also when nothing differs: that is how a person asks for the
/// group to be applied again. A group that failed is tried again.
pub fn save(tx: &Tx<'_>, permit: &Permit, id: &GroupId, display_name: &str, description: &str, quota: &ResourceQuota) -> Result<()> {
    let q = quota;
    tx.change(
        permit,
        SAVE,
        params![id.as_str(), display_name, description, q.cpu_milli, q.memory_bytes, q.storage_bytes, q.workspaces, tx.now().0],
    )?;
    Ok(())
}

pub fn set_owner(tx: &Tx<'_>, permit: &Permit, id: &GroupId, owner: &UserId) -> Result<()> {
    tx.change(permit, SET_OWNER, params![id.as_str(), owner.as_str(), tx.now().0])?;
    Ok(())
}

/// Adds the quota to its history.
pub fn insert_quota_change(tx: &Tx<'_>, permit: &Permit, id: &GroupId, quota: &ResourceQuota) -> Result<()> {
    tx.change(
        permit,
        INSERT_QUOTA_CHANGE,
        params![
            id.as_str(),
            tx.now().0,
            permit.actor().audit_id(),
            permit.reason().unwrap_or_default(),
            quota.cpu_milli,
            quota.memory_bytes,
            quota.storage_bytes,
            quota.workspaces
        ],
    )?;
    Ok(())
}

pub fn mark_deleting(tx: &Tx<'_>, permit: &Permit, id: &GroupId) -> Result<()> {
    tx.change(permit, MARK_DELETING, params![id.as_str(), tx.now().0])?;
    Ok(())
}

/// Its place in the cluster is there.
pub fn record_active(tx: &Tx<'_>, permit: &Permit, id: &GroupId, generation: i64, namespace_uid: Option<&str>) -> Result<()> {
    tx.change(permit, RECORD_ACTIVE, params![id.as_str(), generation, namespace_uid])?;
    Ok(())
}

/// A later generation of an active group was applied: nothing that anybody could be asked about.
pub fn note_observed(tx: &Tx<'_>, id: &GroupId, generation: i64, namespace_uid: Option<&str>) -> Result<()> {
    tx.note(Unaudited::Status, OBSERVED, params![id.as_str(), generation, namespace_uid])?;
    Ok(())
}

/// The cluster will not make it as it is described.
pub fn record_failed(tx: &Tx<'_>, permit: &Permit, id: &GroupId, code: &str, message: &str) -> Result<()> {
    tx.change(permit, RECORD_FAILED, params![id.as_str(), code, message, tx.now().0])?;
    Ok(())
}

/// A try that did not work, and why; `next` is when another one makes sense.
pub fn note_attempt(tx: &Tx<'_>, id: &GroupId, attempts: i64, next: Millis, reason: Option<(&str, &str)>) -> Result<()> {
    let (code, message) = (reason.map(|r| r.0), reason.map(|r| r.1));
    tx.note(Unaudited::Attempts, SET_ATTEMPTS, params![id.as_str(), attempts, next.0, code, message])?;
    Ok(())
}

/// The row itself; its memberships and its quota history go with it.
pub fn remove(tx: &Tx<'_>, permit: &Permit, id: &GroupId) -> Result<()> {
    tx.change(permit, REMOVE, [id.as_str()])?;
    Ok(())
}

/// How many workspaces the group has, whatever their state.
pub fn workspaces(read: &Read<'_>, id: &GroupId) -> Result<i64> {
    read.one(WORKSPACES, [id.as_str()], |r| r.get(0))
}
