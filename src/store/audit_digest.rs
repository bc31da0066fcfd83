//! What administrators did between two moments, counted by person and action.
//!
//! Each action is read along its own index between the first and the last entry of the time, so that it costs what
//! administrators did then, and not what the log holds.

use super::audit_read::actor_name;
use super::sql::id_list;
use super::tx::Read;
use crate::clock::Millis;
use crate::error::Result;
use crate::policy::administrative::Reach;
use rusqlite::params;
use std::collections::{BTreeMap, HashMap, HashSet};

/// What one person did of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub done: i64,
    pub refused: i64,
    pub last: Millis,
}

/// One administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Administrator {
    /// `usr_…`, or `cli:<user>`.
    pub id: String,
    /// E-mail address, `cli:<user>`, or `deleted-user-<6 hex>`.
    pub called: String,
    pub username: Option<String>,
    pub name: Option<String>,
    /// By code of the action.
    pub actions: BTreeMap<&'static str, Tally>,
}

impl Administrator {
    /// Done and refused in all.
    pub fn total(&self) -> i64 {
        self.actions.values().map(|tally| tally.done + tally.refused).sum()
    }
}

const FIRST: &str = "SELECT seq FROM audit_event INDEXED BY audit_event_ts WHERE ts >= ?1 AND ts < ?2 ORDER BY ts, seq LIMIT 1";
const LAST: &str = "SELECT seq FROM audit_event INDEXED BY audit_event_ts WHERE ts >= ?1 AND ts < ?2 ORDER BY ts DESC, seq DESC LIMIT 1";
const OF_ACTION: &str = "SELECT e.actor_kind, e.actor_id, e.success, e.count, e.ts, \
     EXISTS (SELECT 1 FROM audit_concern c WHERE c.seq = e.seq) AS on_others FROM audit_event e INDEXED BY audit_event_action \
     WHERE e.action = ?1 AND e.seq >= ?2 AND e.seq <= ?3 AND e.ts >= ?4 AND e.ts < ?5";
const ADMINS: &str = "SELECT DISTINCT user_id FROM system_grant WHERE expires_at IS NULL OR expires_at > ?1";
const NAMES: &str = "SELECT id, email, status, username, name FROM user WHERE id IN (SELECT value FROM json_each(?1))";

struct Row {
    kind: String,
    actor: Option<String>,
    success: bool,
    count: i64,
    at: Millis,
    on_others: bool,
}

/// Whether an entry is the act of an administrator. What only a platform right permits, and was done, was done by one,
/// whoever they are today; of the rest the present administrators are asked.
fn counts(row: &Row, reach: Reach, admins: &HashSet<String>) -> bool {
    let is_admin = row.kind == "local-shell" || row.actor.as_ref().is_some_and(|id| admins.contains(id));
    match (row.kind.as_str(), reach) {
        ("system" | "machine" | "anonymous", _) => false,
        (_, Reach::Always) => row.success || is_admin,
        (_, Reach::OnOthers) => is_admin && row.on_others,
    }
}

/// What administrators did of these actions, the busiest first.
pub fn between(read: &Read<'_>, from: Millis, until: Millis, actions: &[(&'static str, Reach)]) -> Result<Vec<Administrator>> {
    let first: Option<i64> = read.row(FIRST, [from.0, until.0], |r| r.get(0))?;
    let last: Option<i64> = read.row(LAST, [from.0, until.0], |r| r.get(0))?;
    let Some((first, last)) = first.zip(last) else { return Ok(Vec::new()) };
    let admins: HashSet<String> = read.rows(ADMINS, [read.now().0], |r| r.get(0))?.into_iter().collect();
    let mut tallies: BTreeMap<String, BTreeMap<&'static str, Tally>> = BTreeMap::new();
    for (action, reach) in actions {
        let mut statement = read.statement(OF_ACTION)?;
        // The clock can have been set back within the time: then its first entry is not the one with the lowest number.
        let rows = statement.query_map(params![action, first.min(last), last.max(first), from.0, until.0], |r| {
            Ok(Row {
                kind: r.get("actor_kind")?,
                actor: r.get("actor_id")?,
                success: r.get("success")?,
                count: r.get("count")?,
                at: Millis(r.get("ts")?),
                on_others: r.get("on_others")?,
            })
        })?;
        for row in rows {
            let row = row?;
            if !counts(&row, *reach, &admins) {
                continue;
            }
            let Some(actor) = row.actor else { continue };
            let tally = tallies.entry(actor).or_default().entry(*action).or_default();
            *(if row.success { &mut tally.done } else { &mut tally.refused }) += row.count;
            tally.last = tally.last.max(row.at);
        }
    }
    named(read, tallies)
}

fn named(read: &Read<'_>, tallies: BTreeMap<String, BTreeMap<&'static str, Tally>>) -> Result<Vec<Administrator>> {
    let rows = read.rows(NAMES, [id_list(tallies.keys().map(String::as_str))], |r| {
        let (id, status): (String, String) = (r.get("id")?, r.get("status")?);
        let erased = status == "erased";
        let called = actor_name("user", Some(id.as_str()), r.get("email")?, Some(status.as_str()));
        let (username, name): (String, String) = (r.get("username")?, r.get("name")?);
        Ok((id, (called, Some(username).filter(|_| !erased), Some(name).filter(|_| !erased))))
    })?;
    let mut names: HashMap<_, _> = rows.into_iter().collect();
    let mut people: Vec<Administrator> = tallies
        .into_iter()
        .map(|(id, actions)| {
            let (called, username, name) = names.remove(&id).unwrap_or_else(|| (id.clone(), None, None));
            Administrator { id, called, username, name, actions }
        })
        .collect();
    people.sort_by(|a, b| b.total().cmp(&a.total()).then_with(|| a.id.cmp(&b.id)));
    Ok(people)
}
