//! Who belongs to which group, and as what. The group's member count is kept by triggers of the table.
//!
//! Members are listed in the order in which their accounts were made, which is the table's own. A search looks at the
//! members of that one group only, so it needs no index of its own.

use super::sql::{Page, id_list, like_substring};
use super::tx::{Read, Tx, Unaudited};
use crate::clock::{MINUTE, Millis};
use crate::domain::group::GroupRole;
use crate::domain::id::{GroupId, UserId};
use crate::domain::user::UserStatus;
use crate::error::{Error, Result};
use crate::policy::{Consequence, Permit};
use rusqlite::{Row, params};

/// One member as the list shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub id: UserId,
    pub username: String,
    pub name: String,
    pub email: String,
    pub status: UserStatus,
    pub role: GroupRole,
    pub joined_at: Millis,
    pub last_visit_at: Option<Millis>,
    pub ends_at: Option<Millis>,
}

/// One membership of a person, with the group's names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfUser {
    pub user_id: UserId,
    pub group_id: GroupId,
    pub name: String,
    pub display_name: String,
    pub role: GroupRole,
    pub joined_at: Millis,
}

macro_rules! member {
    ($rest:literal) => {
        concat!(
            "SELECT u.id, u.username, u.name, u.email, u.status, m.role, m.joined_at, m.last_visit_at, m.expires_at \
             FROM membership m JOIN user u ON u.id = m.user_id ",
            $rest
        )
    };
}

const FIND: &str = "SELECT role FROM membership WHERE group_id = ?1 AND user_id = ?2 AND (expires_at IS NULL OR expires_at > ?3)";
const FIND_MEMBER: &str = member!("WHERE m.group_id = ?1 AND m.user_id = ?2 AND (m.expires_at IS NULL OR m.expires_at > ?3)");
const LIST: &str =
    member!("WHERE m.group_id = ?1 AND m.user_id > ?2 AND (m.expires_at IS NULL OR m.expires_at > ?3) ORDER BY m.user_id LIMIT ?4");
const SEARCH: &str = member!(
    "WHERE m.group_id = ?1 AND m.user_id > ?2 AND (m.expires_at IS NULL OR m.expires_at > ?3) \
     AND (u.username LIKE ?4 ESCAPE '\\' OR u.name LIKE ?4 ESCAPE '\\' OR u.email LIKE ?4 ESCAPE '\\') ORDER BY m.user_id LIMIT ?5"
);
const COUNT: &str = "SELECT count(*) FROM membership m JOIN user u ON u.id = m.user_id WHERE m.group_id = ?1 \
     AND (m.expires_at IS NULL OR m.expires_at > ?2) \
     AND (u.username LIKE ?3 ESCAPE '\\' OR u.name LIKE ?3 ESCAPE '\\' OR u.email LIKE ?3 ESCAPE '\\')";
const OF_USERS: &str = "SELECT m.user_id, m.group_id, g.name, g.display_name, m.role, m.joined_at FROM membership m \
     JOIN \"group\" g ON g.id = m.group_id WHERE m.user_id IN (SELECT value FROM json_each(?1)) AND g.status <> 'deleting' \
     AND (m.expires_at IS NULL OR m.expires_at > ?2) ORDER BY m.user_id, m.group_id";
const USERS: &str = "SELECT user_id FROM membership WHERE group_id = ?1";
// A membership that has run out and was not swept yet is replaced.
const INSERT: &str = "INSERT INTO membership (group_id, user_id, role, joined_at, granted_by, granted_at) VALUES (?1, ?2, ?3, ?4, ?5, ?4)";
const REMOVE_EXPIRED: &str = "DELETE FROM membership WHERE group_id = ?1 AND user_id = ?2 AND expires_at <= ?3";
const SET_ROLE: &str = "UPDATE membership SET role = ?3, granted_by = ?4, granted_at = ?5 WHERE group_id = ?1 AND user_id = ?2";
const REMOVE: &str = "DELETE FROM membership WHERE group_id = ?1 AND user_id = ?2";
const REMOVE_OF_GROUP: &str = "DELETE FROM membership WHERE group_id = ?1";
const REMOVE_OF_USER: &str = "DELETE FROM membership WHERE user_id = ?1";
const LAST_VISIT: &str = "SELECT coalesce(last_visit_at, 0) FROM membership WHERE group_id = ?1 AND user_id = ?2 \
     AND (expires_at IS NULL OR expires_at > ?3)";
const VISIT: &str = "UPDATE membership SET last_visit_at = ?3 WHERE group_id = ?1 AND user_id = ?2 AND coalesce(last_visit_at, 0) <= ?4";
const WORKSPACES: &str = "SELECT count(*) FROM workspace WHERE owner_id = ?1 AND group_id = ?2 AND desired <> 'deleted'";

fn role(word: &str) -> GroupRole {
    GroupRole::parse(word).unwrap_or(GroupRole::Member)
}

fn member(r: &Row<'_>) -> rusqlite::Result<Member> {
    Ok(Member {
        id: UserId::trusted(r.get("id")?),
        username: r.get("username")?,
        name: r.get("name")?,
        email: r.get("email")?,
        status: UserStatus::parse(&r.get::<_, String>("status")?).unwrap_or(UserStatus::Disabled),
        role: role(&r.get::<_, String>("role")?),
        joined_at: Millis(r.get("joined_at")?),
        last_visit_at: r.get::<_, Option<i64>>("last_visit_at")?.map(Millis),
        ends_at: r.get::<_, Option<i64>>("expires_at")?.map(Millis),
    })
}

/// The role of a person in a group, if they are a member now.
pub fn find(read: &Read<'_>, group: &GroupId, user: &UserId) -> Result<Option<GroupRole>> {
    read.row(FIND, params![group.as_str(), user.as_str(), read.now().0], |r| Ok(role(&r.get::<_, String>(0)?)))
}

/// Whether a visit of this person would be written down: they are a member, and were not here within a minute.
pub fn is_visit_due(read: &Read<'_>, group: &GroupId, user: &UserId) -> Result<bool> {
    let now = read.now();
    let last = read.row(LAST_VISIT, params![group.as_str(), user.as_str(), now.0], |r| r.get::<_, i64>(0))?;
    Ok(last.is_some_and(|last| last <= now.plus(-MINUTE).0))
}

/// A member looked at the group now; written at most once a minute.
pub fn visit(tx: &Tx<'_>, group: &GroupId, user: &UserId) -> Result<()> {
    let now = tx.now();
    tx.note(Unaudited::LastUsed, VISIT, params![group.as_str(), user.as_str(), now.0, now.plus(-MINUTE).0]).map(drop)
}

/// One member as the list shows them.
pub fn find_member(read: &Read<'_>, group: &GroupId, user: &UserId) -> Result<Option<Member>> {
    read.row(FIND_MEMBER, params![group.as_str(), user.as_str(), read.now().0], member)
}

/// A page of members after the given one; `search` is a substring of user name, name or e-mail.
pub fn list(read: &Read<'_>, group: &GroupId, search: &str, after: Option<&UserId>, limit: usize) -> Result<Page<Member>> {
    let after = after.map_or("", UserId::as_str);
    let wanted = i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1;
    let rows = if search.is_empty() {
        read.rows(LIST, params![group.as_str(), after, read.now().0, wanted], member)?
    } else {
        read.rows(SEARCH, params![group.as_str(), after, read.now().0, like_substring(search), wanted], member)?
    };
    Ok(Page::cut(rows, limit))
}

/// How many members the search matches.
pub fn count(read: &Read<'_>, group: &GroupId, search: &str) -> Result<i64> {
    read.one(COUNT, params![group.as_str(), read.now().0, like_substring(search)], |r| r.get(0))
}

/// The memberships of several people, without groups that are being deleted.
pub fn of_users<'a>(read: &Read<'_>, ids: impl IntoIterator<Item = &'a str>) -> Result<Vec<OfUser>> {
    read.rows(OF_USERS, params![id_list(ids), read.now().0], |r| {
        Ok(OfUser {
            user_id: UserId::trusted(r.get("user_id")?),
            group_id: GroupId::trusted(r.get("group_id")?),
            name: r.get("name")?,
            display_name: r.get("display_name")?,
            role: role(&r.get::<_, String>("role")?),
            joined_at: Millis(r.get("joined_at")?),
        })
    })
}

/// Everybody in the group, for telling them that something changed.
pub fn users(read: &Read<'_>, group: &GroupId) -> Result<Vec<UserId>> {
    read.rows(USERS, [group.as_str()], |r| Ok(UserId::trusted(r.get(0)?)))
}

/// How many workspaces a person owns in a group: they keep them from leaving.
pub fn workspaces(read: &Read<'_>, group: &GroupId, user: &UserId) -> Result<i64> {
    read.one(WORKSPACES, [user.as_str(), group.as_str()], |r| r.get(0))
}

/// Fails with `Taken` when they are a member already.
pub fn insert(tx: &Tx<'_>, permit: &Permit, group: &GroupId, user: &UserId, role: GroupRole) -> Result<()> {
    let now = tx.now().0;
    tx.change(permit, REMOVE_EXPIRED, params![group.as_str(), user.as_str(), now])?;
    tx.change(permit, INSERT, params![group.as_str(), user.as_str(), role.as_str(), now, permit.actor().audit_id()])?;
    Ok(())
}

pub fn set_role(tx: &Tx<'_>, permit: &Permit, group: &GroupId, user: &UserId, role: GroupRole) -> Result<()> {
    tx.change(permit, SET_ROLE, params![group.as_str(), user.as_str(), role.as_str(), permit.actor().audit_id(), tx.now().0])?;
    Ok(())
}

pub fn remove(tx: &Tx<'_>, permit: &Permit, group: &GroupId, user: &UserId) -> Result<()> {
    tx.change(permit, REMOVE, [group.as_str(), user.as_str()])?;
    Ok(())
}

fn ends_memberships(permit: &Permit) -> Result<()> {
    if permit.allows(Consequence::EndMemberships) { Ok(()) } else { Err(Error::internal("this permit ends no memberships")) }
}

/// All memberships of a group that goes.
pub fn remove_of_group(tx: &Tx<'_>, permit: &Permit, group: &GroupId) -> Result<()> {
    ends_memberships(permit)?;
    tx.change(permit, REMOVE_OF_GROUP, [group.as_str()])?;
    Ok(())
}

/// All memberships of a person who goes.
pub fn remove_of_user(tx: &Tx<'_>, permit: &Permit, user: &UserId) -> Result<()> {
    ends_memberships(permit)?;
    tx.change(permit, REMOVE_OF_USER, [user.as_str()])?;
    Ok(())
}
