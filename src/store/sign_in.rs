//! What proves who somebody is: the account behind a typed name or address, with its password hash.
//!
//! Nothing else in the product reads a password hash. Deleted accounts are never found: their names may be somebody
//! else's by now. Names are looked up in the one spelling that `domain::email::sign_in_key` makes.

use super::tx::{Read, Tx};
use crate::domain::id::UserId;
use crate::error::Result;
use crate::policy::Permit;
use rusqlite::{Row, params};

/// What signing in needs to know of an account.
#[derive(Clone)]
pub struct Credentials {
    pub id: UserId,
    pub username: String,
    pub email: String,
    pub name: String,
    /// Active, a person, and not past its end.
    pub may_sign_in: bool,
    /// Somebody else chose the password, and it was not changed in time.
    pub password_expired: bool,
    /// argon2id, as PHC text.
    pub password_hash: Option<String>,
}

/// Without the hash.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("id", &self.id).field("may_sign_in", &self.may_sign_in).finish_non_exhaustive()
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, username, email, name, password_hash, \
             status = 'active' AND kind = 'person' AND (expires_at IS NULL OR expires_at > ?2) AS may_sign_in, \
             password_expires_at IS NOT NULL AND password_expires_at <= ?2 AS password_expired \
             FROM user WHERE status IN ('active', 'disabled') AND ",
            $rest
        )
    };
}

const BY_USERNAME: &str = select!("username = ?1");
const BY_EMAIL: &str = select!("email = ?1 COLLATE NOCASE");
const BY_ID: &str = select!("id = ?1");
const RECORD: &str = "UPDATE user SET last_login_at = ?2 WHERE id = ?1";
const SAVE_HASH: &str = "UPDATE user SET password_hash = ?2 WHERE id = ?1";

fn credentials(r: &Row<'_>) -> rusqlite::Result<Credentials> {
    Ok(Credentials {
        id: UserId::trusted(r.get("id")?),
        username: r.get("username")?,
        email: r.get("email")?,
        name: r.get("name")?,
        may_sign_in: r.get("may_sign_in")?,
        password_expired: r.get("password_expired")?,
        password_hash: r.get("password_hash")?,
    })
}

/// The account of this user name or e-mail address. No user name holds an `@`, so the two cannot be mixed up.
pub fn find_by_name(read: &Read<'_>, key: &str) -> Result<Option<Credentials>> {
    let sql = if key.contains('@') { BY_EMAIL } else { BY_USERNAME };
    read.row(sql, params![key, read.now().0], credentials)
}

pub fn find(read: &Read<'_>, id: &UserId) -> Result<Option<Credentials>> {
    read.row(BY_ID, params![id.as_str(), read.now().0], credentials)
}

/// Notes when somebody signed in. The revision stays: nobody's edit becomes stale by it.
pub fn record(tx: &Tx<'_>, permit: &Permit, id: &UserId) -> Result<()> {
    tx.change(permit, RECORD, params![id.as_str(), tx.now().0])?;
    Ok(())
}

/// The same password, hashed at today's cost.
pub fn save_stronger_hash(tx: &Tx<'_>, permit: &Permit, id: &UserId, hash: &str) -> Result<()> {
    tx.change(permit, SAVE_HASH, params![id.as_str(), hash])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_found_along_an_index() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("../../schema.sql")).unwrap();
        for (sql, index) in [(BY_USERNAME, "user_username"), (BY_EMAIL, "user_email"), (BY_ID, "sqlite_autoindex_user_1")] {
            let plan: String = connection.query_row(&format!("EXPLAIN QUERY PLAN {sql}"), params!["x", 0], |r| r.get(3)).unwrap();
            assert!(plan.contains("SEARCH") && plan.contains(index), "{plan}");
        }
    }
}
