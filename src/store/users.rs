//! People and service accounts: the rows of `user`, one by one and as a list.
//!
//! Without a search the list is by user name, along an index. A search of three characters or more shows first whose
//! user name begins like that, along the same index, and then goes through the trigram index in the order in which people
//! were created; a shorter one walks the prefix indexes of user name, name and e-mail one after the other. Every page
//! starts where the last one ended ([`After`]), so the thousandth page costs what the first does. Deleted people are not
//! listed: their rows stay for the audit only.

use super::sql::{Page, fts_query, id_list, is_short, prefix_end};
use super::tx::{Read, Tx, Unaudited};
use crate::clock::Millis;
use crate::domain::email::Email;
use crate::domain::id::{OrganizationId, UserId};
use crate::domain::names::Username;
use crate::domain::user::{UserKind, UserStatus};
use crate::error::{Error, Result, Taken};
use crate::policy::{Permit, UserFacts};
use rusqlite::{Row, params};

/// One account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub kind: UserKind,
    pub status: UserStatus,
    pub username: String,
    pub email: String,
    pub name: String,
    pub has_password: bool,
    pub must_change_password: bool,
    pub expires_at: Option<Millis>,
    pub manager_id: Option<UserId>,
    pub created_at: Millis,
    pub updated_at: Millis,
    pub last_login_at: Option<Millis>,
    /// The ETag.
    pub revision: i64,
}

/// What a new account is made of.
#[derive(Debug)]
pub struct NewUser<'a> {
    pub id: &'a UserId,
    pub username: &'a Username,
    pub email: &'a Email,
    pub name: &'a str,
    /// argon2id, as PHC text; `None`: the person chooses a password with an invitation.
    pub password_hash: Option<&'a str>,
    pub must_change_password: bool,
}

/// What a new service account is made of.
#[derive(Debug)]
pub struct NewService<'a> {
    pub id: &'a UserId,
    pub username: &'a Username,
    pub name: &'a str,
    pub organization: &'a OrganizationId,
}

/// Which people a list shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// Substring of user name, name or e-mail; empty: all. Short ones match at the beginning only.
    pub search: String,
    /// `active` or `disabled`.
    pub status: Option<UserStatus>,
    /// Only platform admins: who holds all four rights.
    pub admins: bool,
}

/// Where the last page ended: which of the list's parts, the value it is ordered by, and the row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct After {
    pub part: i64,
    pub key: String,
    pub row: i64,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT u.rowid AS row, u.id, u.kind, u.status, u.username, u.email, u.name, u.password_hash IS NOT NULL AS has_password, \
             u.must_change_password, u.expires_at, u.manager_id, u.created_at, u.updated_at, u.last_login_at, u.revision ",
            $rest
        )
    };
}

const FIND: &str = select!("FROM user u WHERE u.id = ?1");
const FIND_MANY: &str = select!("FROM user u WHERE u.id IN (SELECT value FROM json_each(?1))");
const LIST: &str = select!(
    "FROM user u WHERE u.status IN ('active', 'disabled') AND (?1 IS NULL OR u.status = ?1) AND u.username > ?2 \
     ORDER BY u.username LIMIT ?3"
);
const LIST_DISABLED: &str =
    select!("FROM user u INDEXED BY user_disabled WHERE u.status = 'disabled' AND u.username > ?1 ORDER BY u.username LIMIT ?2");
// There are few of them, so they are looked through.
const ADMINS: &str = select!(
    "FROM (SELECT user_id FROM system_grant WHERE expires_at IS NULL OR expires_at > ?1 GROUP BY user_id HAVING count(*) = 4) g \
     CROSS JOIN user u ON u.id = g.user_id WHERE u.status IN ('active', 'disabled') AND (?2 IS NULL OR u.status = ?2) \
     AND instr(lower(u.username || ' ' || u.name || ' ' || u.email), ?3) > 0 AND u.username > ?4 ORDER BY u.username LIMIT ?5"
);
const SERVICE: &str = select!(
    "FROM user u INDEXED BY user_service WHERE u.kind = 'service' AND u.status IN ('active', 'disabled') AND u.username > ?1 \
     ORDER BY u.username LIMIT ?2"
);
const SEARCH: &str = select!(
    "FROM search s JOIN user u ON u.id = s.id WHERE s.search MATCH ?1 AND s.rowid > ?2 \
     AND u.status IN ('active', 'disabled') AND (?3 IS NULL OR u.status = ?3) AND NOT (u.username >= ?4 AND u.username < ?5) \
     ORDER BY s.rowid LIMIT ?6"
);
const SEARCH_ROW: &str = "SELECT row_id FROM search_row WHERE kind = 'user' AND id = ?1";
const BY_USERNAME: &str = select!(
    "FROM user u WHERE u.status IN ('active', 'disabled') AND u.username >= ?1 AND u.username < ?2 AND u.username > ?3 \
     AND (?4 IS NULL OR u.status = ?4) ORDER BY u.username LIMIT ?5"
);
// What an earlier part has shown is left out here.
const BY_NAME: &str = select!(
    "FROM user u WHERE u.name >= ?1 COLLATE NOCASE AND u.name < ?2 COLLATE NOCASE AND (u.name COLLATE NOCASE, u.rowid) > (?3, ?4) \
     AND u.status IN ('active', 'disabled') AND (?5 IS NULL OR u.status = ?5) AND NOT (u.username >= ?1 AND u.username < ?2) \
     ORDER BY u.name COLLATE NOCASE, u.rowid LIMIT ?6"
);
const BY_EMAIL: &str = select!(
    "FROM user u WHERE u.email >= ?1 COLLATE NOCASE AND u.email < ?2 COLLATE NOCASE AND u.email > ?3 COLLATE NOCASE \
     AND u.status IN ('active', 'disabled') AND (?4 IS NULL OR u.status = ?4) AND NOT (u.username >= ?1 AND u.username < ?2) \
     AND NOT (u.name >= ?1 COLLATE NOCASE AND u.name < ?2 COLLATE NOCASE) ORDER BY u.email COLLATE NOCASE LIMIT ?5"
);
const COUNT: &str = "SELECT count(*) FROM user u WHERE u.status IN ('active', 'disabled') AND (?1 IS NULL OR u.status = ?1)";
const COUNT_SEARCH: &str = "SELECT count(*) FROM search s JOIN user u ON u.id = s.id WHERE s.search MATCH ?1 \
     AND u.status IN ('active', 'disabled') AND (?2 IS NULL OR u.status = ?2)";
const COUNT_PREFIX: &str = "SELECT count(*) FROM user u WHERE u.status IN ('active', 'disabled') AND (?3 IS NULL OR u.status = ?3) \
     AND ((u.username >= ?1 AND u.username < ?2) OR (u.name >= ?1 COLLATE NOCASE AND u.name < ?2 COLLATE NOCASE) \
     OR (u.email >= ?1 COLLATE NOCASE AND u.email < ?2 COLLATE NOCASE))";
const INSERT: &str = "INSERT INTO user (id, kind, status, username, email, name, password_hash, must_change_password, password_expires_at, \
     created_at, updated_at) VALUES (?1, 'person', 'active', ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)";
// Every account has an address; that of a program is one that no mail ever reaches (RFC 2606).
const INSERT_SERVICE: &str = "INSERT INTO user (id, kind, status, username, email, name, organization_id, created_at, updated_at) \
     VALUES (?1, 'service', 'active', ?2, ?2 || '@service.invalid', ?3, ?4, ?5, ?5)";
const SAVE: &str = "UPDATE user SET name = ?2, email = ?3, updated_at = ?4, revision = revision + 1 WHERE id = ?1";
const TOUCH: &str = "UPDATE user SET updated_at = ?2, revision = revision + 1 WHERE id = ?1";
const SET_STATUS: &str = "UPDATE user SET status = ?2, updated_at = ?3, revision = revision + 1 WHERE id = ?1";
const SET_PASSWORD: &str = "UPDATE user SET password_hash = ?2, must_change_password = ?3, password_expires_at = ?4, updated_at = ?5, \
     revision = revision + 1 WHERE id = ?1";
const DROP_PASSWORD: &str = "UPDATE user SET password_hash = NULL, must_change_password = 0, password_expires_at = NULL WHERE id = ?1";
const FORGET_FAILURES: &str = "DELETE FROM throttle WHERE key = ?1";
const WORKSPACES_OWNED: &str = "SELECT count(*) FROM workspace WHERE owner_id = ?1";
const GROUPS_OWNED: &str = "SELECT count(*) FROM \"group\" WHERE owner_id = ?1";

fn user(r: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: UserId::trusted(r.get("id")?),
        kind: UserKind::parse(&r.get::<_, String>("kind")?).unwrap_or(UserKind::Person),
        // An unknown word must not open a door: such an account counts as disabled.
        status: UserStatus::parse(&r.get::<_, String>("status")?).unwrap_or(UserStatus::Disabled),
        username: r.get("username")?,
        email: r.get("email")?,
        name: r.get("name")?,
        has_password: r.get("has_password")?,
        must_change_password: r.get("must_change_password")?,
        expires_at: r.get::<_, Option<i64>>("expires_at")?.map(Millis),
        manager_id: r.get::<_, Option<String>>("manager_id")?.map(UserId::trusted),
        created_at: Millis(r.get("created_at")?),
        updated_at: Millis(r.get("updated_at")?),
        last_login_at: r.get::<_, Option<i64>>("last_login_at")?.map(Millis),
        revision: r.get("revision")?,
    })
}

/// Any account, deleted ones included.
pub fn find(read: &Read<'_>, id: &UserId) -> Result<Option<User>> {
    read.row(FIND, [id.as_str()], user)
}

/// Those of the accounts that exist, in no order, deleted ones included.
pub fn find_many<'a>(read: &Read<'_>, ids: impl IntoIterator<Item = &'a str>) -> Result<Vec<User>> {
    read.rows(FIND_MANY, [id_list(ids)], user)
}

/// What policy needs to know of an account.
pub fn facts(read: &Read<'_>, user: &User) -> Result<UserFacts> {
    let rights = super::actors::rights(read, &user.id)?;
    let active = user.status == UserStatus::Active;
    Ok(UserFacts {
        id: user.id.clone(),
        username: user.username.clone(),
        active,
        rights,
        groups: super::actors::groups(read, &user.id)?.into_keys().collect(),
        last_admin: active && rights.is_admin() && super::grants::is_last_admin(read, &user.id)?,
    })
}

/// A page of accounts that can be used or are disabled, with the place where the next page begins.
pub fn list(read: &Read<'_>, filter: &Filter, after: Option<&After>, limit: usize) -> Result<(Page<User>, Option<After>)> {
    let start = after.cloned().unwrap_or_default();
    let (rows, part) = if filter.admins {
        (admins(read, filter, &start, limit)?, 0)
    } else if filter.search.is_empty() {
        (by_username(read, filter, &start, limit)?, 0)
    } else if is_short(&filter.search) {
        return by_prefix(read, filter, start, limit);
    } else {
        return by_substring(read, filter, &start, limit);
    };
    let page = Page::cut(rows, limit);
    let next = page.items.last().filter(|_| page.more).map(|(row, u)| After { part, key: u.username.clone(), row: *row });
    Ok((page.map(|(_, u)| u), next))
}

fn with_row(r: &Row<'_>) -> rusqlite::Result<(i64, User)> {
    Ok((r.get("row")?, user(r)?))
}

fn wanted(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1
}

fn admins(read: &Read<'_>, filter: &Filter, after: &After, limit: usize) -> Result<Vec<(i64, User)>> {
    let (status, search) = (filter.status.map(UserStatus::as_str), filter.search.to_lowercase());
    read.rows(ADMINS, params![read.now().0, status, search, after.key, wanted(limit)], with_row)
}

fn by_username(read: &Read<'_>, filter: &Filter, after: &After, limit: usize) -> Result<Vec<(i64, User)>> {
    if filter.status == Some(UserStatus::Disabled) {
        return read.rows(LIST_DISABLED, params![after.key, wanted(limit)], with_row);
    }
    read.rows(LIST, params![filter.status.map(UserStatus::as_str), after.key, wanted(limit)], with_row)
}

/// User names that begin with the text, then everything else that holds it. The trigram index alone would do, but what
/// is typed is mostly a beginning, and then a million people cost what a thousand do.
fn by_substring(read: &Read<'_>, filter: &Filter, start: &After, limit: usize) -> Result<(Page<User>, Option<After>)> {
    let mut found = match start.part {
        0 => one_part(read, filter, start, limit + 1)?,
        _ => Vec::new(),
    };
    if found.len() <= limit {
        let from = if start.part == 0 { 0 } else { start.row };
        found.extend(by_trigrams(read, filter, from, limit + 1 - found.len())?);
    }
    let page = Page::cut(found, limit);
    let next = match page.items.last() {
        Some((after, last)) if page.more && after.part > 0 => Some(After { row: search_row(read, last)?, ..after.clone() }),
        Some((after, _)) if page.more => Some(after.clone()),
        _ => None,
    };
    Ok((page.map(|(_, u)| u), next))
}

fn by_trigrams(read: &Read<'_>, filter: &Filter, from: i64, limit: usize) -> Result<Vec<(After, User)>> {
    let (prefix, status) = (filter.search.to_lowercase(), filter.status.map(UserStatus::as_str));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let values = params![fts_query("user", &filter.search), from, status, prefix, prefix_end(&prefix), limit];
    let rows = read.rows(SEARCH, values, user)?;
    Ok(rows.into_iter().map(|u| (After { part: 1, ..After::default() }, u)).collect())
}

fn search_row(read: &Read<'_>, user: &User) -> Result<i64> {
    read.one(SEARCH_ROW, [user.id.as_str()], |r| r.get(0))
}

/// The parts of a short search, in the order in which they are walked.
const PARTS: i64 = 3;

fn by_prefix(read: &Read<'_>, filter: &Filter, start: After, limit: usize) -> Result<(Page<User>, Option<After>)> {
    let mut found: Vec<(After, User)> = Vec::new();
    for part in start.part.clamp(0, PARTS - 1)..PARTS {
        let after = if part == start.part { start.clone() } else { After { part, ..After::default() } };
        let missing = limit + 1 - found.len();
        found.extend(one_part(read, filter, &after, missing)?);
        if found.len() > limit {
            break;
        }
    }
    let page = Page::cut(found, limit);
    let next = page.items.last().filter(|_| page.more).map(|(after, _)| after.clone());
    Ok((page.map(|(_, u)| u), next))
}

fn one_part(read: &Read<'_>, filter: &Filter, after: &After, limit: usize) -> Result<Vec<(After, User)>> {
    let prefix = filter.search.to_lowercase();
    let end = prefix_end(&prefix);
    let (status, limit) = (filter.status.map(UserStatus::as_str), i64::try_from(limit).unwrap_or(i64::MAX));
    let (part, key, row) = (after.part, &after.key, after.row);
    let rows = match part {
        0 => read.rows(BY_USERNAME, params![prefix, end, key, status, limit], with_row)?,
        1 => read.rows(BY_NAME, params![prefix, end, key, row, status, limit], with_row)?,
        _ => read.rows(BY_EMAIL, params![prefix, end, key, status, limit], with_row)?,
    };
    let key_of = |u: &User| match part {
        0 => u.username.clone(),
        1 => u.name.clone(),
        _ => u.email.clone(),
    };
    Ok(rows.into_iter().map(|(row, u)| (After { part, key: key_of(&u), row }, u)).collect())
}

/// How many accounts the filter matches. Costs a scan.
pub fn count(read: &Read<'_>, filter: &Filter) -> Result<i64> {
    let status = filter.status.map(UserStatus::as_str);
    if filter.admins {
        let all = admins(read, filter, &After::default(), usize::MAX)?.len();
        return Ok(i64::try_from(all).unwrap_or(i64::MAX));
    }
    if filter.search.is_empty() {
        return read.one(COUNT, params![status], |r| r.get(0));
    }
    if is_short(&filter.search) {
        let prefix = filter.search.to_lowercase();
        return read.one(COUNT_PREFIX, params![prefix, prefix_end(&prefix), status], |r| r.get(0));
    }
    read.one(COUNT_SEARCH, params![fts_query("user", &filter.search), status], |r| r.get(0))
}

/// How long a password works that somebody else chose (ASVS 6.4.1), in milliseconds.
pub const INITIAL_PASSWORD_LIFE: i64 = 72 * crate::clock::HOUR;

fn good_until(read: &Read<'_>, must_change: bool) -> Option<i64> {
    must_change.then(|| read.now().plus(INITIAL_PASSWORD_LIFE).0)
}

/// Fails with `Taken` when the user name or the address belongs to somebody else.
pub fn insert(tx: &Tx<'_>, permit: &Permit, new: &NewUser<'_>) -> Result<()> {
    let now = tx.now().0;
    let (username, email) = (new.username.as_str(), new.email.as_str());
    let until = good_until(tx, new.must_change_password);
    let (hash, must_change) = (new.password_hash, new.must_change_password);
    tx.change(permit, INSERT, params![new.id.as_str(), username, email, new.name, hash, must_change, until, now])?;
    Ok(())
}

/// An account without a password. Fails with `Taken` when the user name belongs to somebody else.
pub fn insert_service(tx: &Tx<'_>, permit: &Permit, new: &NewService<'_>) -> Result<()> {
    let values = params![new.id.as_str(), new.username.as_str(), new.name, new.organization.as_str(), tx.now().0];
    tx.change(permit, INSERT_SERVICE, values).map(drop).map_err(|error| match error {
        // Its address is made from its name, and nobody gave it one.
        Error::Taken(Taken::Email) => Error::Taken(Taken::Username),
        other => other,
    })
}

/// Service accounts by user name, after this one.
pub fn service_accounts(read: &Read<'_>, after: &str, limit: usize) -> Result<Page<User>> {
    Ok(Page::cut(read.rows(SERVICE, params![after, wanted(limit)], user)?, limit))
}

/// Name and address. Fails with `Taken` when the address belongs to somebody else.
pub fn save(tx: &Tx<'_>, permit: &Permit, id: &UserId, name: &str, email: &str) -> Result<()> {
    tx.change(permit, SAVE, params![id.as_str(), name, email, tx.now().0])?;
    Ok(())
}

/// Moves the revision when something changed that the account's view shows: rights, memberships.
pub fn touch(tx: &Tx<'_>, permit: &Permit, id: &UserId) -> Result<()> {
    tx.change(permit, TOUCH, params![id.as_str(), tx.now().0])?;
    Ok(())
}

pub fn set_status(tx: &Tx<'_>, permit: &Permit, id: &UserId, status: UserStatus) -> Result<()> {
    tx.change(permit, SET_STATUS, params![id.as_str(), status.as_str(), tx.now().0])?;
    Ok(())
}

/// `hash` is argon2id, as PHC text.
pub fn set_password(tx: &Tx<'_>, permit: &Permit, id: &UserId, hash: &str, must_change: bool) -> Result<()> {
    tx.change(permit, SET_PASSWORD, params![id.as_str(), hash, must_change, good_until(tx, must_change), tx.now().0])?;
    Ok(())
}

/// A deleted account keeps no secret.
pub fn drop_secrets(tx: &Tx<'_>, permit: &Permit, id: &UserId) -> Result<()> {
    tx.change(permit, DROP_PASSWORD, [id.as_str()])?;
    super::api_tokens::revoke_all(tx, permit, id)?;
    Ok(())
}

/// Forgets the failed sign-ins of an account; answers whether any were kept.
pub fn forget_failures(tx: &Tx<'_>, id: &UserId) -> Result<bool> {
    Ok(tx.note(Unaudited::Throttle, FORGET_FAILURES, [format!("user:{id}")])? > 0)
}

/// What an account owns and would orphan: workspaces, groups.
pub fn owned(read: &Read<'_>, id: &UserId) -> Result<(i64, i64)> {
    let workspaces = read.one(WORKSPACES_OWNED, [id.as_str()], |r| r.get(0))?;
    let groups = read.one(GROUPS_OWNED, [id.as_str()], |r| r.get(0))?;
    Ok((workspaces, groups))
}
