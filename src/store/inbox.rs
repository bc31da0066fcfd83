//! Notices for people, written in the transaction of what they tell. Read marks are unaudited, and so are notices: the
//! act itself has its audit entry.

use super::sql::Page;
use super::tx::{Read, Tx, Unaudited};
use crate::clock::{DAY, Millis};
use crate::domain::id::{NoticeId, UserId};
use crate::error::Result;
use crate::events::{Audience, Event, Operation};
use rusqlite::params;

/// How long a notice is kept, read or not, in milliseconds.
const KEPT: i64 = 90 * DAY;

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

/// What a person was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub id: NoticeId,
    pub at: Millis,
    pub code: String,
    pub message: String,
    pub link: String,
    pub read_at: Option<Millis>,
}

const INSERT: &str = "INSERT INTO inbox (id, user_id, at, code, message, link) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const LIST: &str = "SELECT id, at, code, message, link, read_at FROM inbox WHERE user_id = ?1 AND id < ?2 AND (?3 = 0 OR read_at IS NULL) \
     ORDER BY id DESC LIMIT ?4";
const READ: &str = "UPDATE inbox SET read_at = ?3 WHERE user_id = ?1 AND id <= ?2 AND read_at IS NULL";
const SWEEP: &str = "DELETE FROM inbox WHERE at < ?1";
/// Sorts after every id.
const LAST: &str = "ntc_~";

/// Tells a person something; their open pages are told that there is something new.
pub fn insert(tx: &Tx<'_>, notice: &Notice<'_>) -> Result<()> {
    let id = NoticeId::fresh(tx.now(), tx.entropy());
    tx.note(Unaudited::Inbox, INSERT, params![id.as_str(), notice.to.as_str(), tx.now().0, notice.code, notice.message, notice.link])?;
    publish(tx, notice.to, id.to_string());
    Ok(())
}

fn publish(tx: &Tx<'_>, to: &UserId, id: String) {
    let audience = Audience { users: vec![to.clone()], ..Audience::default() };
    tx.publish(Event { kind: "notice", operation: Operation::Changed, id, group_id: None, audience, reset: Vec::new() });
}

/// What a person was told, newest first; only what they have not read yet where that is asked.
pub fn list(read: &Read<'_>, user: &UserId, unread: bool, before: Option<&NoticeId>, limit: usize) -> Result<Page<Told>> {
    let most = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let before = before.map_or(LAST, NoticeId::as_str);
    let rows = read.rows(LIST, params![user.as_str(), before, unread, most], |r| {
        Ok(Told {
            id: NoticeId::trusted(r.get("id")?),
            at: Millis(r.get("at")?),
            code: r.get("code")?,
            message: r.get("message")?,
            link: r.get("link")?,
            read_at: r.get::<_, Option<i64>>("read_at")?.map(Millis),
        })
    })?;
    Ok(Page::cut(rows, limit))
}

/// Marks what a person was told up to this notice as read; without one, everything.
pub fn mark_read(tx: &Tx<'_>, user: &UserId, until: Option<&NoticeId>) -> Result<usize> {
    let until = until.map_or(LAST, NoticeId::as_str);
    let marked = tx.note(Unaudited::Inbox, READ, params![user.as_str(), until, tx.now().0])?;
    if marked > 0 {
        publish(tx, user, until.to_owned());
    }
    Ok(marked)
}

/// Forgets old notices.
pub fn sweep(tx: &Tx<'_>) -> Result<usize> {
    tx.note(Unaudited::Inbox, SWEEP, [tx.now().plus(-KEPT).0])
}
