//! How long accounts last and who answers for them: the columns of `user` for that, and what the upkeep asks.

use super::tx::{Read, Tx};
use crate::clock::Millis;
use crate::domain::id::UserId;
use crate::error::Result;
use crate::policy::Permit;
use rusqlite::params;

/// An account whose end is near and whose person was not told.
#[derive(Debug, Clone)]
pub struct Ending {
    pub id: UserId,
    pub username: String,
    pub manager: Option<UserId>,
    pub at: Millis,
}

const SAVE: &str = "UPDATE user SET expires_at = ?2, manager_id = ?3, updated_at = ?4, revision = revision + 1 WHERE id = ?1";
const ENDED: &str = "SELECT id FROM user INDEXED BY user_end WHERE status = 'active' AND expires_at <= ?1 ORDER BY expires_at LIMIT 100";
const ENDING: &str = "SELECT u.id, u.username, u.manager_id, u.expires_at FROM user u INDEXED BY user_end \
     WHERE u.status = 'active' AND u.expires_at > ?1 AND u.expires_at <= ?2 AND NOT EXISTS (SELECT 1 FROM inbox i \
     WHERE i.user_id = u.id AND i.code = 'account_ends' AND i.at > u.expires_at - ?3) ORDER BY u.expires_at LIMIT 100";

/// Saves both; `None` is no end, and nobody.
pub fn save(tx: &Tx<'_>, permit: &Permit, id: &UserId, expires_at: Option<Millis>, manager: Option<&UserId>) -> Result<()> {
    let values = params![id.as_str(), expires_at.map(|at| at.0), manager.map(UserId::as_str), tx.now().0];
    tx.change(permit, SAVE, values).map(drop)
}

/// Active accounts that are past their end, the longest first.
pub fn ended(read: &Read<'_>) -> Result<Vec<UserId>> {
    read.rows(ENDED, [read.now().0], |r| Ok(UserId::trusted(r.get("id")?)))
}

/// Active accounts that end within so many milliseconds, of whose end nobody was told within that time.
pub fn ending(read: &Read<'_>, within: i64) -> Result<Vec<Ending>> {
    read.rows(ENDING, params![read.now().0, read.now().plus(within).0, within], |r| {
        Ok(Ending {
            id: UserId::trusted(r.get("id")?),
            username: r.get("username")?,
            manager: r.get::<_, Option<String>>("manager_id")?.map(UserId::trusted),
            at: Millis(r.get("expires_at")?),
        })
    })
}
