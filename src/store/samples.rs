//! Use over time. One look is three statements, whatever is looked at: the rows of the minute, the hour and the day, each
//! beside its neighbours, because the table lies in the order of time.
//!
//! Read as points: a series is at most a few hundred looks into the key, so it costs the same however much is kept.

use super::tx::{Read, Tx, Unaudited};
use crate::clock::Millis;
use crate::domain::quota::Resource;
use crate::domain::trend::{Gathered, Look, Step};
use crate::error::Result;
use rusqlite::{Row, params};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Steps forgotten at one look: one falls due each minute, and after a long stop the rest go bit by bit.
const FORGOTTEN_AT_ONCE: usize = 3;

// Of ?3, a list of [subject, cpu, memory, disk, things, running].
const ADD: &str = "INSERT INTO usage_sample (period, at, subject, looks, cpu_milli, cpu_peak, memory_bytes, memory_peak, disk_bytes, \
     disk_peak, things, things_peak, running, running_peak) \
     SELECT ?1, ?2, j.value ->> 0, 1, j.value ->> 1, j.value ->> 1, j.value ->> 2, j.value ->> 2, j.value ->> 3, j.value ->> 3, \
     j.value ->> 4, j.value ->> 4, j.value ->> 5, j.value ->> 5 FROM json_each(?3) j WHERE true \
     ON CONFLICT (period, at, subject) DO UPDATE SET looks = looks + 1, cpu_milli = cpu_milli + excluded.cpu_milli, \
     cpu_peak = max(cpu_peak, excluded.cpu_peak), memory_bytes = memory_bytes + excluded.memory_bytes, \
     memory_peak = max(memory_peak, excluded.memory_peak), disk_bytes = coalesce(disk_bytes + excluded.disk_bytes, disk_bytes, excluded.disk_bytes), \
     disk_peak = coalesce(max(disk_peak, excluded.disk_peak), disk_peak, excluded.disk_peak), things = things + excluded.things, \
     things_peak = max(things_peak, excluded.things_peak), running = running + excluded.running, \
     running_peak = max(running_peak, excluded.running_peak)";
const FORGET: &str = "DELETE FROM usage_sample WHERE period = ?1 AND at = (SELECT min(at) FROM usage_sample WHERE period = ?1 AND at < ?2)";
const SERIES: &str = "SELECT s.at, s.looks, s.cpu_milli, s.cpu_peak, s.memory_bytes, s.memory_peak, s.disk_bytes, s.disk_peak, \
     s.things, s.things_peak, s.running, s.running_peak FROM json_each(?1) j \
     CROSS JOIN usage_sample s ON s.period = ?2 AND s.at = j.value AND s.subject = ?3";

/// Of workspaces that were measured in the step ?1: the sums over its looks by how often somebody looked, so that one that
/// ran for a quarter of an hour has a quarter of what it used then.
macro_rules! top_sql {
    ($who:literal, $group:literal) => {
        concat!(
            "SELECT ",
            $who,
            ", sum(s.cpu_milli) / p.looks AS cpu_milli, sum(s.memory_bytes) / p.looks AS memory_bytes, \
             sum(s.disk_bytes) / p.looks AS disk_bytes FROM usage_sample p \
             CROSS JOIN usage_sample s ON s.period = p.period AND s.at = p.at AND s.subject >= 'ws_' AND s.subject < 'ws`' \
             CROSS JOIN workspace w ON w.id = s.subject JOIN \"group\" g ON g.id = w.group_id JOIN user u ON u.id = w.owner_id \
             WHERE p.period = 'hour' AND p.at = ?1 AND p.subject = 'platform' GROUP BY ",
            $group,
            " ORDER BY CASE ?2 WHEN 'memory' THEN sum(s.memory_bytes) WHEN 'storage' THEN sum(s.disk_bytes) ELSE sum(s.cpu_milli) END DESC LIMIT ?3"
        )
    };
}

const TOP_WORKSPACES: &str = top_sql!("w.id AS id, w.name AS name, g.display_name AS beside", "w.id");
const TOP_GROUPS: &str = top_sql!("g.id AS id, g.display_name AS name, NULL AS beside", "g.id");
const TOP_USERS: &str = top_sql!("u.id AS id, CASE u.name WHEN '' THEN u.username ELSE u.name END AS name, u.username AS beside", "u.id");

/// Adds one look at many things, by their keys.
pub fn add(tx: &Tx<'_>, at: Millis, looks: &[(String, Look)]) -> Result<()> {
    let row = |(key, look): &(String, Look)| json!([key, look.cpu_milli, look.memory_bytes, look.disk_bytes, look.things, look.running]);
    let rows = looks.iter().map(row).collect::<Value>().to_string();
    for step in Step::ALL {
        tx.note(Unaudited::Samples, ADD, params![step.as_str(), step.floor(at).0, rows])?;
    }
    Ok(())
}

/// Forgets what is older than its step is kept, a bounded number of steps at a time.
pub fn forget(tx: &Tx<'_>) -> Result<()> {
    for step in Step::ALL {
        let before = tx.now().plus(-step.kept()).0;
        for _ in 0..FORGOTTEN_AT_ONCE {
            if tx.note(Unaudited::Samples, FORGET, params![step.as_str(), before])? == 0 {
                break;
            }
        }
    }
    Ok(())
}

fn gathered(row: &Row<'_>) -> rusqlite::Result<Gathered> {
    Ok(Gathered {
        looks: row.get("looks")?,
        sum: Look {
            cpu_milli: row.get("cpu_milli")?,
            memory_bytes: row.get("memory_bytes")?,
            disk_bytes: row.get("disk_bytes")?,
            things: row.get("things")?,
            running: row.get("running")?,
        },
        peak: Look {
            cpu_milli: row.get("cpu_peak")?,
            memory_bytes: row.get("memory_peak")?,
            disk_bytes: row.get("disk_peak")?,
            things: row.get("things_peak")?,
            running: row.get("running_peak")?,
        },
    })
}

/// What is known of one thing in these steps; a step in which nobody looked is not in it.
pub fn series(read: &Read<'_>, step: Step, moments: &[Millis], key: &str) -> Result<HashMap<Millis, Gathered>> {
    let moments = moments.iter().map(|at| at.0).collect::<Value>().to_string();
    let rows = read.rows(SERIES, params![moments, step.as_str(), key], |row| Ok((Millis(row.get("at")?), gathered(row)?)))?;
    Ok(rows.into_iter().collect())
}

/// Whom use is summed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopBy {
    Workspace,
    Group,
    User,
}

/// One of those who use most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    pub id: String,
    pub name: String,
    /// The group of a workspace, the user name of a person.
    pub beside: Option<String>,
    pub cpu_milli: i64,
    pub memory_bytes: i64,
    pub disk_bytes: Option<i64>,
}

/// Who uses most of a resource in the hour that holds `at`, as it was measured. Costs what runs.
pub fn top(read: &Read<'_>, at: Millis, by: TopBy, resource: Resource, limit: i64) -> Result<Vec<Consumer>> {
    let sql = match by {
        TopBy::Workspace => TOP_WORKSPACES,
        TopBy::Group => TOP_GROUPS,
        TopBy::User => TOP_USERS,
    };
    read.rows(sql, params![Step::Hour.floor(at).0, resource.as_str(), limit], |r| {
        Ok(Consumer {
            id: r.get("id")?,
            name: r.get("name")?,
            beside: r.get("beside")?,
            cpu_milli: r.get("cpu_milli")?,
            memory_bytes: r.get("memory_bytes")?,
            disk_bytes: r.get("disk_bytes")?,
        })
    })
}
