//! One-time codes: set-up, invitation, reset, socket tickets, hand-offs to apps. The purpose is part of the key.

use super::tx::{Read, Tx, Unaudited};
use crate::clock::Millis;
use crate::domain::id::UserId;
use crate::error::Result;
use rusqlite::params;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Setup,
    Invite,
    Reset,
    Socket,
    HandOff,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Invite => "invite",
            Self::Reset => "reset",
            Self::Socket => "socket",
            Self::HandOff => "handoff",
        }
    }
}

/// What a code opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeRow {
    pub user_id: Option<UserId>,
    pub subject: String,
}

const INSERT: &str = "INSERT INTO one_time_code (purpose, hash, user_id, subject, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const REDEEM: &str = "UPDATE one_time_code SET used_at = ?3 WHERE purpose = ?1 AND hash = ?2 AND used_at IS NULL AND expires_at > ?3 RETURNING user_id, subject";
const FIND: &str = "SELECT user_id, subject FROM one_time_code WHERE purpose = ?1 AND hash = ?2 AND used_at IS NULL AND expires_at > ?3";
const FIND_SPENT: &str =
    "SELECT user_id, subject FROM one_time_code WHERE purpose = ?1 AND hash = ?2 AND (used_at IS NOT NULL OR expires_at <= ?3)";
const OPEN_UNTIL: &str =
    "SELECT max(expires_at) FROM one_time_code WHERE purpose = ?1 AND user_id = ?2 AND used_at IS NULL AND expires_at > ?3";
const DROP: &str = "DELETE FROM one_time_code WHERE purpose = ?1";
const DROP_OF_USER: &str = "DELETE FROM one_time_code WHERE purpose = ?1 AND user_id = ?2";
const SWEEP: &str = "DELETE FROM one_time_code WHERE expires_at < ?1";

/// Keeps the hash of a new code.
pub fn insert(tx: &Tx<'_>, purpose: Purpose, hash: &[u8], user: Option<&UserId>, subject: &str, expires_at: Millis) -> Result<()> {
    tx.note(Unaudited::Rotation, INSERT, params![purpose.as_str(), hash, user.map(UserId::as_str), subject, tx.now().0, expires_at.0])?;
    Ok(())
}

/// Uses a code up; `None` when it is unknown, used or expired.
pub fn redeem(tx: &Tx<'_>, purpose: Purpose, hash: &[u8]) -> Result<Option<CodeRow>> {
    tx.row(REDEEM, params![purpose.as_str(), hash, tx.now().0], |r| {
        Ok(CodeRow { user_id: r.get::<_, Option<String>>(0)?.map(UserId::trusted), subject: r.get(1)? })
    })
}

/// What a code would open, without using it up.
pub fn find(read: &Read<'_>, purpose: Purpose, hash: &[u8]) -> Result<Option<CodeRow>> {
    read.row(FIND, params![purpose.as_str(), hash, read.now().0], |r| {
        Ok(CodeRow { user_id: r.get::<_, Option<String>>(0)?.map(UserId::trusted), subject: r.get(1)? })
    })
}

/// What a code opened that was used up or came too late: who tried, for the audit log.
pub fn find_spent(read: &Read<'_>, purpose: Purpose, hash: &[u8]) -> Result<Option<CodeRow>> {
    read.row(FIND_SPENT, params![purpose.as_str(), hash, read.now().0], |r| {
        Ok(CodeRow { user_id: r.get::<_, Option<String>>(0)?.map(UserId::trusted), subject: r.get(1)? })
    })
}

/// Until when a person's open code of a purpose can be used; `None` where there is none.
pub fn open_until(read: &Read<'_>, purpose: Purpose, user: &UserId) -> Result<Option<Millis>> {
    read.one(OPEN_UNTIL, params![purpose.as_str(), user.as_str(), read.now().0], |r| Ok(r.get::<_, Option<i64>>(0)?.map(Millis)))
}

/// Withdraws all codes of a purpose.
pub fn drop_all(tx: &Tx<'_>, purpose: Purpose) -> Result<()> {
    tx.note(Unaudited::Rotation, DROP, [purpose.as_str()])?;
    Ok(())
}

/// Withdraws a person's codes of a purpose.
pub fn drop_of_user(tx: &Tx<'_>, purpose: Purpose, user: &UserId) -> Result<()> {
    tx.note(Unaudited::Rotation, DROP_OF_USER, params![purpose.as_str(), user.as_str()])?;
    Ok(())
}

/// Removes what has expired.
pub fn sweep(tx: &Tx<'_>, before: Millis) -> Result<usize> {
    tx.note(Unaudited::Rotation, SWEEP, [before.0])
}
