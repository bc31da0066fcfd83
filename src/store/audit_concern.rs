//! Whose account or workspace an entry is about, where somebody else did it: what each person is shown of the log.
//!
//! The row is written with its entry and says whose the thing was then, so that a workspace that was handed on or deleted
//! still tells the one who had it. It holds nothing that the entry does not say, lies outside the chain, and goes when the
//! entry is purged.

use super::audit_chain::Link;
use super::audit_read::{self, Entry};
use super::sql::Page;
use super::tx::{Read, Tx};
use crate::domain::id::UserId;
use crate::error::Result;
use rusqlite::params;

const OWNER: &str = "SELECT owner_id FROM workspace WHERE id = ?1";
const INSERT: &str = "INSERT INTO audit_concern (user_id, seq) SELECT id, ?2 FROM user WHERE id = ?1";
const OF_PERSON: &str = "SELECT e.seq, e.id, e.ts, e.actor_kind, e.actor_id, e.action, e.resource, e.details, e.success, e.error, e.count, \
     e.request_id, e.hash, e.prev, p.data AS personal, u.email AS actor_email, u.status AS actor_status, \
     CASE u.status WHEN 'erased' THEN NULL ELSE u.username END AS username, CASE u.status WHEN 'erased' THEN NULL ELSE u.name END AS name \
     FROM audit_concern c JOIN audit_event e ON e.seq = c.seq LEFT JOIN audit_person p ON p.seq = e.seq \
     LEFT JOIN user u ON u.id = e.actor_id WHERE c.user_id = ?1 AND c.seq < ?2 ORDER BY c.seq DESC LIMIT ?3";

/// What somebody did to a person's things.
#[derive(Debug, Clone, PartialEq)]
pub struct Deed {
    pub entry: Entry,
    /// Of whoever did it, where that is somebody with an account.
    pub username: Option<String>,
    pub name: Option<String>,
}

/// Whom an entry concerns besides its actor. What the server does by itself concerns nobody, and somebody who signs in is
/// nobody else.
fn concerned(tx: &Tx<'_>, link: &Link, subject: Option<&str>) -> Result<Option<String>> {
    let by_itself = matches!(link.actor_kind.as_str(), "system" | "machine");
    if by_itself || (link.actor_kind == "anonymous" && link.success == 1) {
        return Ok(None);
    }
    let person = match link.resource.split_once(':') {
        Some(("user", id)) => Some(id.to_owned()),
        Some(("workspace", id)) => tx.row(OWNER, [id], |r| r.get(0))?,
        _ => subject.map(str::to_owned),
    };
    Ok(person.filter(|person| link.actor_id.as_ref() != Some(person)))
}

/// Writes down whom an entry concerns.
pub(super) fn note(tx: &Tx<'_>, link: &Link, subject: Option<&str>) -> Result<()> {
    // A sign-in that fails takes as long under a name that nobody has.
    let stranger = || (link.actor_kind == "anonymous" && link.success == 0).then(String::new);
    if let Some(person) = concerned(tx, link, subject)?.or_else(stranger) {
        tx.statement(INSERT)?.execute(params![person, link.seq])?;
    }
    Ok(())
}

/// What others did to the things of a person, newest first; `before` is where the last page ended.
pub fn list(read: &Read<'_>, person: &UserId, before: Option<i64>, limit: usize) -> Result<Page<Deed>> {
    let wanted = i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1;
    let rows = read.rows(OF_PERSON, params![person.as_str(), before.unwrap_or(i64::MAX), wanted], |r| {
        Ok(Deed { entry: audit_read::entry(r)?, username: r.get("username")?, name: r.get("name")? })
    })?;
    let mut page = Page::cut(rows, limit);
    audit_read::name_resources(read, page.items.iter_mut().map(|deed| &mut deed.entry))?;
    Ok(page)
}
