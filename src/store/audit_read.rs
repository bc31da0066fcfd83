//! Reading the audit log: filters, newest first, a page at a time.
//!
//! One constant statement per index: the narrowest filter that was given chooses which, and the others are checked on
//! its rows, on so many of them for one page and no more. The chain keeps ids only; names are joined here, so an erased person reads as `deleted-user-<6 hex>`
//! everywhere at once. What the personal side row holds (reason, typed names) is shown beside the details while it
//! exists.

use super::sql::{Page, id_list};
use super::tx::Read;
use crate::clock::Millis;
use crate::error::Result;
use rusqlite::types::Null;
use rusqlite::{Row, ToSql};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// Which entries a list shows. Empty: all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// From this time on.
    pub from: Option<Millis>,
    /// Before this time.
    pub until: Option<Millis>,
    /// The actor: an account's id, `cli:<user>`, or a task of the server.
    pub actor: Option<String>,
    pub action: Option<String>,
    /// `kind:id`.
    pub resource: Option<String>,
    pub success: Option<bool>,
    pub request_id: Option<String>,
    /// One entry.
    pub id: Option<String>,
}

/// One entry as people read it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub seq: i64,
    pub id: String,
    pub at: Millis,
    pub actor_kind: String,
    pub actor_id: Option<String>,
    /// E-mail address, `cli:<user>`, `deleted-user-<6 hex>`, or the part of the server.
    pub actor_name: String,
    pub action: String,
    pub resource: String,
    pub resource_name: Option<String>,
    pub details: Value,
    pub success: bool,
    pub error: Option<String>,
    pub count: i64,
    pub request_id: String,
    pub address: Option<String>,
    pub agent: Option<String>,
    pub hash: Vec<u8>,
    pub prev: Vec<u8>,
}

/// Where the last page ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Before {
    pub seq: i64,
    pub at: Millis,
}

/// Entries that one page looks through: those that match the narrowest filter but not the others are passed over, and a
/// page must not pass over the whole log.
const LOOKED_AT: i64 = 10_000;

/// What every filter says. Parameters of every statement: 1 from, 2 until, 3 actor, 4 action, 5 resource, 6 success,
/// 7 request, 8 before seq, 9 before time, 10 id.
macro_rules! narrowed {
    () => {
        " AND (?1 IS NULL OR e.ts >= ?1) AND (?2 IS NULL OR e.ts < ?2) AND (?3 IS NULL OR e.actor_id = ?3) \
         AND (?4 IS NULL OR e.action = ?4) AND (?5 IS NULL OR e.resource = ?5) AND (?6 IS NULL OR e.success = ?6) \
         AND (?7 IS NULL OR e.request_id = ?7) AND (?10 IS NULL OR e.id = ?10)"
    };
}

/// A page; 11 is the limit, 12 and 13 seq and time of where the looking ends.
macro_rules! entries {
    ($from:literal, $where:literal, $order:literal) => {
        concat!(
            "SELECT e.seq, e.id, e.ts, e.actor_kind, e.actor_id, e.action, e.resource, e.details, e.success, e.error, e.count, \
             e.request_id, e.hash, e.prev, p.data AS personal, u.email AS actor_email, u.status AS actor_status FROM audit_event e ",
            $from,
            " LEFT JOIN audit_person p ON p.seq = e.seq LEFT JOIN user u ON u.id = e.actor_id WHERE ",
            $where,
            narrowed!(),
            $order,
            " LIMIT ?11"
        )
    };
}

/// The first entry that a page does not look at any more; 11 is how many it looks at.
macro_rules! bound {
    ($from:literal, $where:literal, $order:literal) => {
        concat!("SELECT e.seq, e.ts FROM audit_event e ", $from, " WHERE ", $where, $order, " LIMIT 1 OFFSET ?11")
    };
}

/// How many match.
macro_rules! counted {
    ($from:literal, $where:literal) => {
        concat!("SELECT count(*) FROM audit_event e ", $from, " WHERE ", $where, narrowed!())
    };
}

const ALL: &str = entries!("", "1", " AND e.seq < ?8 AND ?9 IS NOT NULL AND e.seq > ?12 AND ?13 IS NOT NULL ORDER BY e.seq DESC");
const ALL_BOUND: &str = bound!("", "1", " AND e.seq < ?8 AND ?9 IS NOT NULL ORDER BY e.seq DESC");
const ALL_COUNT: &str = counted!("", "1");
const BY_ID: &str =
    entries!("", "e.id = ?10", " AND e.seq < ?8 AND ?9 IS NOT NULL AND e.seq > ?12 AND ?13 IS NOT NULL ORDER BY e.seq DESC");
const BY_ID_COUNT: &str = counted!("", "e.id = ?10");
const BY_REQUEST: &str = entries!(
    "INDEXED BY audit_event_request",
    "e.request_id = ?7",
    " AND e.seq < ?8 AND ?9 IS NOT NULL AND e.seq > ?12 AND ?13 IS NOT NULL ORDER BY e.seq DESC"
);
const BY_REQUEST_BOUND: &str =
    bound!("INDEXED BY audit_event_request", "e.request_id = ?7", " AND e.seq < ?8 AND ?9 IS NOT NULL ORDER BY e.seq DESC");
const BY_REQUEST_COUNT: &str = counted!("INDEXED BY audit_event_request", "e.request_id = ?7");
const BY_RESOURCE: &str = entries!(
    "INDEXED BY audit_event_resource",
    "e.resource = ?5",
    " AND e.seq < ?8 AND ?9 IS NOT NULL AND e.seq > ?12 AND ?13 IS NOT NULL ORDER BY e.seq DESC"
);
const BY_RESOURCE_BOUND: &str =
    bound!("INDEXED BY audit_event_resource", "e.resource = ?5", " AND e.seq < ?8 AND ?9 IS NOT NULL ORDER BY e.seq DESC");
const BY_RESOURCE_COUNT: &str = counted!("INDEXED BY audit_event_resource", "e.resource = ?5");
const BY_ACTOR: &str = entries!(
    "INDEXED BY audit_event_actor",
    "e.actor_id = ?3",
    " AND e.seq < ?8 AND ?9 IS NOT NULL AND e.seq > ?12 AND ?13 IS NOT NULL ORDER BY e.seq DESC"
);
const BY_ACTOR_BOUND: &str =
    bound!("INDEXED BY audit_event_actor", "e.actor_id = ?3", " AND e.seq < ?8 AND ?9 IS NOT NULL ORDER BY e.seq DESC");
const BY_ACTOR_COUNT: &str = counted!("INDEXED BY audit_event_actor", "e.actor_id = ?3");
const BY_ACTION: &str = entries!(
    "INDEXED BY audit_event_action",
    "e.action = ?4",
    " AND e.seq < ?8 AND ?9 IS NOT NULL AND e.seq > ?12 AND ?13 IS NOT NULL ORDER BY e.seq DESC"
);
const BY_ACTION_BOUND: &str =
    bound!("INDEXED BY audit_event_action", "e.action = ?4", " AND e.seq < ?8 AND ?9 IS NOT NULL ORDER BY e.seq DESC");
const BY_ACTION_COUNT: &str = counted!("INDEXED BY audit_event_action", "e.action = ?4");
const FAILED: &str = entries!(
    "INDEXED BY audit_event_failed",
    "e.success = 0",
    " AND e.seq < ?8 AND ?9 IS NOT NULL AND e.seq > ?12 AND ?13 IS NOT NULL ORDER BY e.seq DESC"
);
const FAILED_BOUND: &str =
    bound!("INDEXED BY audit_event_failed", "e.success = 0", " AND e.seq < ?8 AND ?9 IS NOT NULL ORDER BY e.seq DESC");
const FAILED_COUNT: &str = counted!("INDEXED BY audit_event_failed", "e.success = 0");
// The clock can have been set back, so time is an order of its own.
const BY_TIME: &str = entries!(
    "INDEXED BY audit_event_ts",
    "e.ts >= coalesce(?1, 0) AND e.ts < coalesce(?2, 9223372036854775807)",
    " AND (e.ts, e.seq) < (?9, ?8) AND (e.ts, e.seq) > (?13, ?12) ORDER BY e.ts DESC, e.seq DESC"
);
const BY_TIME_BOUND: &str = bound!(
    "INDEXED BY audit_event_ts",
    "e.ts >= coalesce(?1, 0) AND e.ts < coalesce(?2, 9223372036854775807)",
    " AND (e.ts, e.seq) < (?9, ?8) ORDER BY e.ts DESC, e.seq DESC"
);
const BY_TIME_COUNT: &str = counted!("INDEXED BY audit_event_ts", "e.ts >= coalesce(?1, 0) AND e.ts < coalesce(?2, 9223372036854775807)");
const OLDEST: &str = "SELECT seq FROM audit_event ORDER BY seq LIMIT 1";
const HEAD: &str = "SELECT seq FROM audit_event ORDER BY seq DESC LIMIT 1";
const USERS: &str =
    "SELECT id, CASE status WHEN 'erased' THEN '' ELSE email END AS name FROM user WHERE id IN (SELECT value FROM json_each(?1))";
const GROUPS: &str = "SELECT id, name FROM \"group\" WHERE id IN (SELECT value FROM json_each(?1))";
const WORKSPACES: &str = "SELECT id, name FROM workspace WHERE id IN (SELECT value FROM json_each(?1))";

/// One way through the log: along the index of the narrowest filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Way {
    list: &'static str,
    /// `None` where there is one entry at most, or every entry matches.
    bound: Option<&'static str>,
    count: Option<&'static str>,
}

fn way(filter: &Filter) -> Way {
    let of = |list, bound, count| Way { list, bound: Some(bound), count: Some(count) };
    if filter.id.is_some() {
        Way { list: BY_ID, bound: None, count: Some(BY_ID_COUNT) }
    } else if filter.request_id.is_some() {
        of(BY_REQUEST, BY_REQUEST_BOUND, BY_REQUEST_COUNT)
    } else if filter.resource.is_some() {
        of(BY_RESOURCE, BY_RESOURCE_BOUND, BY_RESOURCE_COUNT)
    } else if filter.actor.is_some() {
        of(BY_ACTOR, BY_ACTOR_BOUND, BY_ACTOR_COUNT)
    } else if filter.from.is_some() || filter.until.is_some() {
        of(BY_TIME, BY_TIME_BOUND, BY_TIME_COUNT)
    } else if filter.success == Some(false) {
        of(FAILED, FAILED_BOUND, FAILED_COUNT)
    } else if filter.action.is_some() {
        of(BY_ACTION, BY_ACTION_BOUND, BY_ACTION_COUNT)
    } else if filter.success.is_some() {
        of(ALL, ALL_BOUND, ALL_COUNT)
    } else {
        Way { list: ALL, bound: None, count: None }
    }
}

/// Whether some entries along the way do not match: an index answers one question, and only of refusals there is one.
fn passes_over(filter: &Filter) -> bool {
    let asked = [
        filter.id.is_some(),
        filter.request_id.is_some(),
        filter.resource.is_some(),
        filter.actor.is_some(),
        filter.from.is_some() || filter.until.is_some(),
        filter.success.is_some(),
        filter.action.is_some(),
    ];
    filter.success == Some(true) || asked.into_iter().filter(|asked| *asked).count() > 1
}

/// How an erased person reads.
pub fn pseudonym(id: &str) -> String {
    let hex = id.rsplit('_').next().unwrap_or(id);
    format!("deleted-user-{}", hex.get(hex.len().saturating_sub(6)..).unwrap_or(hex))
}

pub(super) fn actor_name(kind: &str, id: Option<&str>, email: Option<String>, status: Option<&str>) -> String {
    match (kind, id) {
        (_, None) => kind.to_owned(),
        ("user" | "service", Some(id)) => match email {
            Some(email) if status != Some("erased") => email,
            _ => pseudonym(id),
        },
        ("system", Some(task)) => format!("system:{task}"),
        (_, Some(id)) => id.to_owned(),
    }
}

fn text(personal: &mut Map<String, Value>, key: &str) -> Option<String> {
    match personal.remove(key) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

pub(super) fn entry(r: &Row<'_>) -> rusqlite::Result<Entry> {
    let mut personal: Map<String, Value> =
        r.get::<_, Option<String>>("personal")?.and_then(|data| serde_json::from_str(&data).ok()).unwrap_or_default();
    let (address, agent) = (text(&mut personal, "address"), text(&mut personal, "agent"));
    let mut details: Value = serde_json::from_str(&r.get::<_, String>("details")?).unwrap_or(Value::Null);
    if let Value::Object(details) = &mut details {
        details.extend(personal);
    }
    let (actor_kind, actor_id): (String, Option<String>) = (r.get("actor_kind")?, r.get("actor_id")?);
    let status: Option<String> = r.get("actor_status")?;
    Ok(Entry {
        seq: r.get("seq")?,
        id: r.get("id")?,
        at: Millis(r.get("ts")?),
        actor_name: actor_name(&actor_kind, actor_id.as_deref(), r.get("actor_email")?, status.as_deref()),
        actor_kind,
        actor_id,
        action: r.get("action")?,
        resource: r.get("resource")?,
        resource_name: None,
        details,
        success: r.get("success")?,
        error: r.get("error")?,
        count: r.get("count")?,
        request_id: r.get("request_id")?,
        address,
        agent,
        hash: r.get("hash")?,
        prev: r.get("prev")?,
    })
}

const BEGINNING: Before = Before { seq: 0, at: Millis(i64::MIN) };
const NEWEST: Before = Before { seq: i64::MAX, at: Millis(i64::MAX) };

/// The filter as the first ten parameters.
fn parameters<'p>(filter: &'p Filter, before: &'p Before) -> [&'p dyn ToSql; 10] {
    [
        time(filter.from.as_ref()),
        time(filter.until.as_ref()),
        &filter.actor,
        &filter.action,
        &filter.resource,
        &filter.success,
        &filter.request_id,
        &before.seq,
        &before.at.0,
        &filter.id,
    ]
}

fn time(at: Option<&Millis>) -> &dyn ToSql {
    at.map_or(&Null as &dyn ToSql, |at| &at.0 as &dyn ToSql)
}

/// The first entry that is beyond what one page looks at.
fn bound(read: &Read<'_>, filter: &Filter, before: &Before) -> Result<Option<Before>> {
    let Some(sql) = way(filter).bound else { return Ok(None) };
    let mut given = parameters(filter, before).to_vec();
    given.push(&LOOKED_AT);
    read.row(sql, given.as_slice(), |r| Ok(Before { seq: r.get("seq")?, at: Millis(r.get("ts")?) }))
}

/// A page of entries, newest first, and where the next one begins. A page may hold less than its limit, or nothing, and
/// yet have a next one: then it looked at [`LOOKED_AT`] entries, and the next one goes on looking.
pub fn list(read: &Read<'_>, filter: &Filter, before: Option<Before>, limit: usize) -> Result<(Page<Entry>, Option<Before>)> {
    let before = before.unwrap_or(NEWEST);
    let wanted = i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1;
    // Where every entry along the way matches, a page looks at no more than it shows.
    let bound = if passes_over(filter) { bound(read, filter, &before)? } else { None };
    let end = bound.unwrap_or(BEGINNING);
    let mut given = parameters(filter, &before).to_vec();
    given.extend([&wanted as &dyn ToSql, &end.seq, &end.at.0]);
    let rows = read.rows(way(filter).list, given.as_slice(), entry)?;
    let mut page = Page::cut(rows, limit);
    name_resources(read, page.items.iter_mut())?;
    if page.more {
        let next = page.items.last().map(|e| Before { seq: e.seq, at: e.at });
        return Ok((page, next));
    }
    // What lies at the bound was not looked at yet.
    page.more = bound.is_some();
    Ok((page, bound.map(|at| Before { seq: at.seq + 1, at: at.at })))
}

/// How many entries the filter matches; `None` where more than [`LOOKED_AT`] would have to be looked at.
pub fn count(read: &Read<'_>, filter: &Filter) -> Result<Option<i64>> {
    let Some(sql) = way(filter).count else {
        // Entries are numbered without a gap.
        let ends = (read.row(OLDEST, [], |r| r.get::<_, i64>(0))?, read.row(HEAD, [], |r| r.get::<_, i64>(0))?);
        return Ok(Some(ends.0.zip(ends.1).map_or(0, |(oldest, newest)| newest - oldest + 1)));
    };
    if bound(read, filter, &NEWEST)?.is_some() {
        return Ok(None);
    }
    read.one(sql, parameters(filter, &NEWEST).as_slice(), |r| r.get(0)).map(Some)
}

/// Names what the entries are about: from the rows that exist, else from the entry's own details.
pub(super) fn name_resources<'e>(read: &Read<'_>, entries: impl Iterator<Item = &'e mut Entry>) -> Result<()> {
    let mut names: HashMap<String, String> = HashMap::new();
    let entries: Vec<&mut Entry> = entries.collect();
    for (kind, sql) in [("user:", USERS), ("group:", GROUPS), ("workspace:", WORKSPACES)] {
        let ids: Vec<&str> = entries.iter().filter_map(|e| e.resource.strip_prefix(kind)).collect();
        if !ids.is_empty() {
            names.extend(read.rows(sql, [id_list(ids)], |r| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?)))?);
        }
    }
    for entry in entries {
        let id = entry.resource.split_once(':').map_or("", |(_, id)| id);
        entry.resource_name = match names.get(id) {
            Some(name) if name.is_empty() => Some(pseudonym(id)),
            Some(name) => Some(name.clone()),
            None => entry.details.get("name").and_then(Value::as_str).map(str::to_owned),
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_erased_person_reads_as_a_pseudonym_and_a_shell_as_itself() {
        let id = "usr_0123456789abcdef0123456789abcdef";
        assert_eq!(actor_name("user", Some(id), Some("a@b.c".into()), Some("erased")), "deleted-user-abcdef");
        assert_eq!(actor_name("user", Some(id), Some("a@b.c".into()), Some("deleted")), "a@b.c");
        assert_eq!(actor_name("local-shell", Some("cli:root"), None, None), "cli:root");
        assert_eq!(actor_name("anonymous", None, None, None), "anonymous");
        assert_eq!(actor_name("system", Some("reconcile"), None, None), "system:reconcile");
    }

    #[test]
    fn one_question_passes_over_nothing_and_two_may() {
        let actor = Filter { actor: Some("usr_1".into()), ..Filter::default() };
        assert!(!passes_over(&Filter::default()) && !passes_over(&actor));
        assert!(!passes_over(&Filter { success: Some(false), ..Filter::default() }));
        assert!(!passes_over(&Filter { from: Some(Millis(1)), until: Some(Millis(2)), ..Filter::default() }));
        assert!(passes_over(&Filter { success: Some(true), ..Filter::default() }));
        assert!(
            passes_over(&Filter { action: Some("login".into()), ..actor.clone() })
                && passes_over(&Filter { from: Some(Millis(1)), ..actor })
        );
    }

    #[test]
    fn the_narrowest_filter_chooses_the_index() {
        let time = Filter { from: Some(Millis(1)), ..Filter::default() };
        assert_eq!(way(&time).list, BY_TIME);
        assert_eq!(way(&Filter { actor: Some("usr_1".into()), ..time.clone() }).list, BY_ACTOR);
        assert_eq!(way(&Filter { id: Some("audit_1".into()), ..time }).list, BY_ID);
        assert_eq!(way(&Filter::default()).bound, None, "every entry matches: nothing is passed over");
    }
}
