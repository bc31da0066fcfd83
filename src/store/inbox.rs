//! Notices for people, written in the transaction of what they tell. Read marks are unaudited, and so are notices: the
//! act itself has its audit entry.

use super::tx::{Tx, Unaudited};
use crate::domain::id::{NoticeId, UserId};
use crate::error::Result;

/// What a person is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice<'a> {
    pub to: &'a UserId,
    /// Stable, `snake_case`.
    pub code: &'static str,
    pub message: String,
    /// A page of the UI, from its root; empty where there is none.
    pub link: String,
}

const INSERT: &str = "INSERT INTO inbox (id, user_id, at, code, message, link) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

pub fn insert(tx: &Tx<'_>, notice: &Notice<'_>) -> Result<()> {
    let id = NoticeId::fresh(tx.now(), tx.entropy());
    let row = (id.as_str(), notice.to.as_str(), tx.now().0, notice.code, &notice.message, &notice.link);
    tx.note(Unaudited::Inbox, INSERT, row).map(drop)
}
