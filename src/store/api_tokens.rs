//! API tokens: who they stand for, what they were made for, and when they were used. Only hashes are stored.
//!
//! A token is found by its mark, the readable part of its text, and holds when the hash of the whole text is the kept one.
//! Revoked and expired ones are found by nobody but the lists of their owner and of administrators, for a while.

use super::sql::Page;
use super::tx::{Read, Tx, Unaudited};
use crate::clock::{DAY, Millis};
use crate::domain::id::{GroupId, TokenId, UserId, WorkspaceId};
use crate::domain::scope::Scope;
use crate::error::Result;
use crate::policy::{Permit, TokenGrant};
use crate::token::opaque::TokenHash;
use rusqlite::{Row, params};
use std::collections::BTreeSet;

/// How long a token that ended is still listed, in milliseconds.
const KEPT: i64 = 30 * DAY;

/// One token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    pub id: TokenId,
    pub user_id: UserId,
    pub name: String,
    /// The readable part of its text.
    pub mark: String,
    pub grant: TokenGrant,
    /// Who made it; for a service account an administrator.
    pub created_by: Option<UserId>,
    pub created_at: Millis,
    pub expires_at: Millis,
    pub revoked_at: Option<Millis>,
    /// To the hour.
    pub last_used_at: Option<Millis>,
    pub last_address: String,
}

/// What is compared with a token that is shown.
#[derive(Debug, Clone)]
pub struct Live {
    pub id: TokenId,
    pub user_id: UserId,
    pub hash: TokenHash,
    pub created_at: Millis,
    pub last_used_at: Option<Millis>,
}

/// A token whose end somebody is to be told of.
#[derive(Debug, Clone)]
pub struct Ending {
    pub id: TokenId,
    pub name: String,
    pub owner: UserId,
    pub owner_name: String,
    /// Who is told.
    pub tell: UserId,
    pub expires_at: Millis,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT t.id, t.user_id, t.name, t.mark, t.created_by, t.created_at, t.expires_at, t.revoked_at, t.last_used_at, t.last_address, \
             (SELECT json_group_array(s.scope) FROM api_token_scope s WHERE s.token_id = t.id) AS scopes, \
             (SELECT json_group_array(l.object_id) FROM api_token_limit l WHERE l.token_id = t.id) AS objects FROM api_token t ",
            $rest
        )
    };
}

const LIVE: &str = "SELECT id, user_id, secret_hash, created_at, last_used_at FROM api_token \
     WHERE mark = ?1 AND revoked_at IS NULL AND expires_at > ?2";
const GRANT: &str = select!("WHERE t.id = ?1 AND t.user_id = ?2 AND t.revoked_at IS NULL AND t.expires_at > ?3");
const FIND: &str = select!("WHERE t.id = ?1 AND t.revoked_at IS NULL AND t.expires_at > ?2");
const OF_USER: &str = select!("WHERE t.user_id = ?1 AND t.revoked_at IS NULL ORDER BY t.id DESC");
const PAGE: &str = select!("WHERE t.revoked_at IS NULL AND t.id < ?1 ORDER BY t.id DESC LIMIT ?2");
const COUNT_LIVE: &str = "SELECT count(*) FROM api_token WHERE user_id = ?1 AND revoked_at IS NULL AND expires_at > ?2";
const INSERT: &str = "INSERT INTO api_token (id, user_id, name, mark, secret_hash, created_by, created_at, expires_at) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const INSERT_SCOPE: &str = "INSERT INTO api_token_scope (token_id, scope) VALUES (?1, ?2)";
const INSERT_LIMIT: &str = "INSERT INTO api_token_limit (token_id, object_id) VALUES (?1, ?2)";
const REVOKE: &str = "UPDATE api_token SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL";
const REVOKE_ALL: &str = "UPDATE api_token SET revoked_at = ?2 WHERE user_id = ?1 AND revoked_at IS NULL AND expires_at > ?2";
const TOUCH: &str = "UPDATE api_token SET last_used_at = ?2, last_address = ?3 WHERE id = ?1 AND coalesce(last_used_at, 0) <= ?4";
const ENDING: &str = "SELECT t.id, t.name, t.user_id, u.username, coalesce(t.created_by, t.user_id) AS tell, t.expires_at \
     FROM api_token t JOIN user u ON u.id = t.user_id WHERE t.revoked_at IS NULL AND t.expires_at > ?1 AND t.expires_at <= ?2 \
     AND t.created_at < t.expires_at - ?3 AND (t.warned_at IS NULL OR t.warned_at < t.expires_at - ?3) ORDER BY t.expires_at LIMIT 100";
const WARNED: &str = "UPDATE api_token SET warned_at = ?2 WHERE id = ?1";
const SWEEP: &str = "DELETE FROM api_token WHERE coalesce(revoked_at, expires_at) < ?1";

fn words(row: &Row<'_>, column: &str) -> rusqlite::Result<Vec<String>> {
    Ok(serde_json::from_str(&row.get::<_, String>(column)?).unwrap_or_default())
}

fn grant_of(row: &Row<'_>) -> rusqlite::Result<TokenGrant> {
    let objects = words(row, "objects")?;
    let of = |prefix: &'static str| objects.iter().filter(move |id| id.starts_with(prefix)).cloned();
    Ok(TokenGrant {
        // A word that this program does not know gives nothing.
        scopes: words(row, "scopes")?.iter().filter_map(|word| Scope::parse(word)).collect::<BTreeSet<_>>(),
        groups: of("grp_").map(GroupId::trusted).collect(),
        workspaces: of("ws_").map(WorkspaceId::trusted).collect(),
    })
}

fn token(row: &Row<'_>) -> rusqlite::Result<TokenRow> {
    let moment = |name: &str| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(name)?.map(Millis));
    Ok(TokenRow {
        id: TokenId::trusted(row.get("id")?),
        user_id: UserId::trusted(row.get("user_id")?),
        name: row.get("name")?,
        mark: row.get("mark")?,
        grant: grant_of(row)?,
        created_by: row.get::<_, Option<String>>("created_by")?.map(UserId::trusted),
        created_at: Millis(row.get("created_at")?),
        expires_at: Millis(row.get("expires_at")?),
        revoked_at: moment("revoked_at")?,
        last_used_at: moment("last_used_at")?,
        last_address: row.get("last_address")?,
    })
}

/// The token of this mark, if it holds now. Whether the text is the right one is for the caller to compare.
pub fn find_live(read: &Read<'_>, mark: &str) -> Result<Option<Live>> {
    let found = read.row(LIVE, params![mark, read.now().0], |r| {
        let hash = TokenHash::from_bytes(&r.get::<_, Vec<u8>>("secret_hash")?);
        let (id, user_id) = (TokenId::trusted(r.get("id")?), UserId::trusted(r.get("user_id")?));
        let last_used_at = r.get::<_, Option<i64>>("last_used_at")?.map(Millis);
        Ok((id, user_id, hash, Millis(r.get("created_at")?), last_used_at))
    })?;
    Ok(found.and_then(|(id, user_id, hash, created_at, last_used_at)| Some(Live { id, user_id, hash: hash?, created_at, last_used_at })))
}

/// What a person's token was made for, if it holds now.
pub fn grant(read: &Read<'_>, id: &TokenId, owner: &UserId) -> Result<Option<TokenGrant>> {
    read.row(GRANT, params![id.as_str(), owner.as_str(), read.now().0], grant_of)
}

/// A token that holds now.
pub fn find(read: &Read<'_>, id: &TokenId) -> Result<Option<TokenRow>> {
    read.row(FIND, params![id.as_str(), read.now().0], token)
}

/// A person's tokens, newest first: those that hold, and those that ran out lately.
pub fn of_user(read: &Read<'_>, user: &UserId) -> Result<Vec<TokenRow>> {
    read.rows(OF_USER, [user.as_str()], token)
}

/// Everybody's tokens, newest first, after the one that is named.
pub fn page(read: &Read<'_>, after: Option<&TokenId>, limit: usize) -> Result<Page<TokenRow>> {
    let wanted = i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1;
    // Behind every id there is.
    let after = after.map_or("tok_g", TokenId::as_str);
    Ok(Page::cut(read.rows(PAGE, params![after, wanted], token)?, limit))
}

/// How many tokens of a person hold now.
pub fn count_live(read: &Read<'_>, user: &UserId) -> Result<i64> {
    read.one(COUNT_LIVE, params![user.as_str(), read.now().0], |r| r.get(0))
}

/// Keeps a new token; `hash` is that of its whole text.
pub fn insert(tx: &Tx<'_>, permit: &Permit, new: &TokenRow, hash: &TokenHash) -> Result<()> {
    let by = new.created_by.as_ref().map(UserId::as_str);
    let (id, user) = (new.id.as_str(), new.user_id.as_str());
    tx.change(permit, INSERT, params![id, user, new.name, new.mark, hash.as_bytes(), by, new.created_at.0, new.expires_at.0])?;
    for scope in &new.grant.scopes {
        tx.change(permit, INSERT_SCOPE, params![id, scope.to_string()])?;
    }
    let groups = new.grant.groups.iter().map(GroupId::as_str);
    for object in groups.chain(new.grant.workspaces.iter().map(WorkspaceId::as_str)) {
        tx.change(permit, INSERT_LIMIT, params![id, object])?;
    }
    Ok(())
}

/// Ends a token.
pub fn revoke(tx: &Tx<'_>, permit: &Permit, id: &TokenId) -> Result<()> {
    tx.change(permit, REVOKE, params![id.as_str(), tx.now().0]).map(drop)
}

/// Ends all tokens of a person; answers how many there were.
pub fn revoke_all(tx: &Tx<'_>, permit: &Permit, user: &UserId) -> Result<usize> {
    tx.change(permit, REVOKE_ALL, params![user.as_str(), tx.now().0])
}

/// Notes the use of a token, unless that was done within so many milliseconds.
pub fn touch(tx: &Tx<'_>, id: &TokenId, address: &str, every: i64) -> Result<()> {
    tx.note(Unaudited::LastUsed, TOUCH, params![id.as_str(), tx.now().0, address, tx.now().plus(-every).0]).map(drop)
}

/// Tokens that were made for longer, end within so many milliseconds, and whose keeper was not told within that time.
pub fn ending(read: &Read<'_>, within: i64) -> Result<Vec<Ending>> {
    read.rows(ENDING, params![read.now().0, read.now().plus(within).0, within], |r| {
        Ok(Ending {
            id: TokenId::trusted(r.get("id")?),
            name: r.get("name")?,
            owner: UserId::trusted(r.get("user_id")?),
            owner_name: r.get("username")?,
            tell: UserId::trusted(r.get("tell")?),
            expires_at: Millis(r.get("expires_at")?),
        })
    })
}

/// Notes that somebody was told of a token's end.
pub fn warned(tx: &Tx<'_>, id: &TokenId) -> Result<()> {
    tx.note(Unaudited::LastUsed, WARNED, params![id.as_str(), tx.now().0]).map(drop)
}

/// Forgets tokens that ended long ago; the audit log knows them.
pub fn sweep(tx: &Tx<'_>) -> Result<usize> {
    tx.note(Unaudited::Rotation, SWEEP, [tx.now().plus(-KEPT).0])
}
