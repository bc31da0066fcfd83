//! The audit log as a file: JSON lines for machines and for keeping, CSV for people.
//!
//! Both begin with a header (what the file holds, the hash before its first entry, the key) and end with a footer (how
//! many entries, the last hash, the SHA-256 of everything before the footer, its signature), so that a file that was cut
//! or edited shows it: [`super::audit_file`] checks them. Entries hold what the chain holds: ids, never names or
//! addresses. CSV quotes every cell and disarms cells that a spreadsheet would compute.
//!
//! A file is written in batches, each read in a view of its own. Entries never change, so what lies between two numbers is
//! the same however long somebody takes to receive it, and a slow line keeps neither memory nor a connection of the
//! database. Entries that a purge removes in the meantime end the file early, without a footer.

use super::audit_chain::Link;
use super::audit_verify::{ENTRIES, Stored, floor, stored};
use super::checkpoints::{self, Signer};
use super::tx::Read;
use crate::clock::Millis;
use crate::domain::hex::{decode as unhex, encode as hex};
use crate::error::{Error, Result};
use aws_lc_rs::digest::{self, SHA256};
use rusqlite::params;
use serde::{Deserialize, Serialize};

/// The format of the file, for programs that read it.
const FORMAT: i64 = 1;
/// Entries that are read at once.
const BATCH: i64 = 500;

/// How the file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The record: every entry carries its place in the chain and can be computed anew.
    JsonLines,
    /// For people and spreadsheets; the signature holds the whole file.
    Csv,
}

/// Which entries a file holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Range {
    /// After this entry; 0 begins with the oldest.
    pub after: i64,
    /// Up to this entry and with it; `None` goes on to the newest.
    pub up_to: Option<i64>,
    pub from: Option<Millis>,
    /// This moment is not inside.
    pub until: Option<Millis>,
}

impl Range {
    fn holds(&self, at: i64) -> bool {
        self.from.is_none_or(|from| at >= from.0) && self.until.is_none_or(|until| at < until.0)
    }
}

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Header {
    pub format: i64,
    pub installation: String,
    /// The number of the first entry; 0 in a file without entries.
    pub first: i64,
    /// The hash that the first entry follows.
    pub previous_hash: String,
    pub from: Option<String>,
    pub until: Option<String>,
    pub made_at: String,
    /// The key that signs the footer.
    pub kid: String,
}

/// The last line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Footer {
    pub count: i64,
    /// The number of the last entry; 0 in a file without entries.
    pub last: i64,
    pub last_hash: String,
    /// Of every byte before this line.
    pub sha256: String,
    pub kid: String,
    pub signature: String,
}

/// One line of JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub(super) enum Line {
    Header(Header),
    Entry(Box<EntryLine>),
    Footer(Footer),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct EntryLine {
    seq: i64,
    format: i64,
    ts: i64,
    time: String,
    id: String,
    actor_kind: String,
    actor_id: Option<String>,
    session_id: Option<String>,
    token_id: Option<String>,
    action: String,
    resource: String,
    group_id: Option<String>,
    org_id: Option<String>,
    success: bool,
    error: Option<String>,
    count: i64,
    request_id: String,
    details: String,
    person_hash: Option<String>,
    prev: String,
    pub(super) hash: String,
}

impl From<&Stored> for EntryLine {
    fn from(row: &Stored) -> Self {
        let link = row.link.clone();
        Self {
            seq: link.seq,
            format: link.format,
            ts: link.ts,
            time: Millis(link.ts).rfc3339(),
            id: link.id,
            actor_kind: link.actor_kind,
            actor_id: link.actor_id,
            session_id: link.session_id,
            token_id: link.token_id,
            action: link.action,
            resource: link.resource,
            group_id: link.group_id,
            org_id: link.org_id,
            success: link.success != 0,
            error: link.error,
            count: link.count,
            request_id: link.request_id,
            details: link.details,
            person_hash: link.person_hash.as_deref().map(hex),
            prev: hex(&link.prev),
            hash: hex(&row.hash),
        }
    }
}

impl EntryLine {
    /// What the chain holds of it; `None` where it cannot be read, or tells the time in two ways.
    pub(super) fn link(self) -> Option<Link> {
        if self.time != Millis(self.ts).rfc3339() {
            return None;
        }
        let person_hash = match &self.person_hash {
            Some(text) => Some(unhex(text)?),
            None => None,
        };
        Some(Link {
            seq: self.seq,
            format: self.format,
            ts: self.ts,
            id: self.id,
            actor_kind: self.actor_kind,
            actor_id: self.actor_id,
            session_id: self.session_id,
            token_id: self.token_id,
            action: self.action,
            resource: self.resource,
            group_id: self.group_id,
            org_id: self.org_id,
            success: i64::from(self.success),
            error: self.error,
            count: self.count,
            request_id: self.request_id,
            details: self.details,
            person_hash,
            prev: unhex(&self.prev)?,
        })
    }
}

/// What the signature of a footer stands for.
pub(super) fn footer_message(installation: &str, count: i64, last_hash: &str, sha256: &str) -> Vec<u8> {
    format!("codex-audit-export-v1\0{installation}\0{count}\0{last_hash}\0{sha256}").into_bytes()
}

const OLDEST: &str = "SELECT seq FROM audit_event WHERE seq > ?1 ORDER BY seq LIMIT 1";
const NEWEST: &str = "SELECT seq FROM audit_event WHERE seq <= ?1 ORDER BY seq DESC LIMIT 1";
const OF_TIME: &str =
    "SELECT min(seq), max(seq) FROM audit_event INDEXED BY audit_event_ts WHERE ts >= ?1 AND ts < ?2 AND seq > ?3 AND seq <= ?4";
const PREV_OF: &str = "SELECT prev FROM audit_event WHERE seq = ?1";

/// The first and the last number of the range, where it holds anything.
fn span(read: &Read<'_>, range: &Range) -> Result<Option<(i64, i64)>> {
    let up_to = range.up_to.unwrap_or(i64::MAX);
    if range.from.is_none() && range.until.is_none() {
        let oldest: Option<i64> = read.row(OLDEST, [range.after], |r| r.get(0))?;
        let newest: Option<i64> = read.row(NEWEST, [up_to], |r| r.get(0))?;
        return Ok(oldest.zip(newest).filter(|(oldest, newest)| oldest <= newest));
    }
    let (from, until) = (range.from.map_or(i64::MIN, |t| t.0), range.until.map_or(i64::MAX, |t| t.0));
    let ends: (Option<i64>, Option<i64>) = read.one(OF_TIME, params![from, until, range.after, up_to], |r| Ok((r.get(0)?, r.get(1)?)))?;
    Ok(ends.0.zip(ends.1))
}

/// A file that is being written.
pub struct Export {
    form: Form,
    range: Range,
    installation: String,
    /// The entry that was read last, and the one to end with.
    at: i64,
    end: i64,
    sum: digest::Context,
    count: i64,
    last: i64,
    last_hash: String,
}

impl Export {
    /// Fixes what the file will hold, and writes its header.
    pub fn begin(read: &Read<'_>, form: Form, range: Range, signer: &Signer, out: &mut Vec<u8>) -> Result<Self> {
        let installation = checkpoints::installation(read)?;
        let span = span(read, &range)?;
        let previous: Option<Vec<u8>> = match span {
            Some((first, _)) => read.row(PREV_OF, [first], |r| r.get(0))?,
            None => None,
        };
        let header = Header {
            format: FORMAT,
            installation: installation.clone(),
            first: span.map_or(0, |(first, _)| first),
            previous_hash: previous.as_deref().map(hex).unwrap_or_default(),
            from: range.from.map(Millis::rfc3339),
            until: range.until.map(Millis::rfc3339),
            made_at: read.now().rfc3339(),
            kid: signer.kid().to_owned(),
        };
        let (at, end) = span.map_or((0, 0), |(first, last)| (first - 1, last));
        let sum = digest::Context::new(&SHA256);
        let mut export = Self { form, range, installation, at, end, sum, count: 0, last: 0, last_hash: String::new() };
        let text = match form {
            Form::JsonLines => line(&Line::Header(header))?,
            Form::Csv => format!("{}{}", record(COLUMNS.map(str::to_owned)), aside("header", &header.made_at, &header)?),
        };
        export.put(&text, out);
        Ok(export)
    }

    /// Writes the next entries; answers whether there are more.
    pub fn more(&mut self, read: &Read<'_>, out: &mut Vec<u8>) -> Result<bool> {
        let before = self.at;
        let mut statement = read.statement(ENTRIES)?;
        for row in statement.query_map(params![self.at, self.end, BATCH], stored)? {
            let row = row?;
            if row.link.seq != self.at + 1 && floor(read)?.is_some_and(|(purged, _)| purged > self.at) {
                return Err(Error::internal("entries were purged while they were exported"));
            }
            self.at = row.link.seq;
            if self.range.holds(row.link.ts) {
                let text = match self.form {
                    Form::JsonLines => line(&Line::Entry(Box::new(EntryLine::from(&row))))?,
                    Form::Csv => record(cells(&row)),
                };
                self.put(&text, out);
                self.count += 1;
                self.last = row.link.seq;
                self.last_hash = hex(&row.hash);
            }
        }
        Ok(self.at > before && self.at < self.end)
    }

    /// Writes the footer; answers it.
    pub fn end(self, signer: &Signer, out: &mut Vec<u8>) -> Result<Footer> {
        let sha256 = hex(self.sum.finish().as_ref());
        let signature = hex(&signer.sign(&footer_message(&self.installation, self.count, &self.last_hash, &sha256)));
        let footer =
            Footer { count: self.count, last: self.last, last_hash: self.last_hash, sha256, kid: signer.kid().to_owned(), signature };
        let text = match self.form {
            Form::JsonLines => line(&Line::Footer(footer.clone()))?,
            Form::Csv => aside("footer", "", &footer)?,
        };
        out.extend_from_slice(text.as_bytes());
        Ok(footer)
    }

    fn put(&mut self, text: &str, out: &mut Vec<u8>) {
        self.sum.update(text.as_bytes());
        out.extend_from_slice(text.as_bytes());
    }
}

fn fault(error: impl std::fmt::Display) -> Error {
    Error::internal(format!("the export cannot be written: {error}"))
}

fn line(line: &Line) -> Result<String> {
    serde_json::to_string(line).map(|text| text + "\n").map_err(fault)
}

/// The columns of CSV.
pub(super) const COLUMNS: [&str; 17] = [
    "seq",
    "time",
    "id",
    "actorKind",
    "actorId",
    "sessionId",
    "tokenId",
    "action",
    "resource",
    "groupId",
    "success",
    "error",
    "count",
    "requestId",
    "details",
    "previousHash",
    "hash",
];

fn cells(row: &Stored) -> [String; 17] {
    let link = &row.link;
    let optional = |text: &Option<String>| text.clone().unwrap_or_default();
    [
        link.seq.to_string(),
        Millis(link.ts).rfc3339(),
        link.id.clone(),
        link.actor_kind.clone(),
        optional(&link.actor_id),
        optional(&link.session_id),
        optional(&link.token_id),
        link.action.clone(),
        link.resource.clone(),
        optional(&link.group_id),
        if link.success == 0 { "false" } else { "true" }.to_owned(),
        optional(&link.error),
        link.count.to_string(),
        link.request_id.clone(),
        link.details.clone(),
        hex(&link.prev),
        hex(&row.hash),
    ]
}

/// A record that is no entry: what it is stands where the number would, what it says where details would.
fn aside(what: &str, time: &str, says: &impl Serialize) -> Result<String> {
    let mut cells = [const { String::new() }; 17];
    what.clone_into(&mut cells[0]);
    time.clone_into(&mut cells[1]);
    cells[14] = serde_json::to_string(says).map_err(fault)?;
    Ok(record(cells))
}

/// One record of RFC 4180.
fn record(cells: [String; 17]) -> String {
    format!("{}\r\n", cells.map(|text| cell(&text)).join(","))
}

/// A cell that no spreadsheet computes: quoted, and with an apostrophe in front of what looks like a formula.
fn cell(text: &str) -> String {
    let armed = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    format!("\"{}{}\"", if armed { "'" } else { "" }, text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_that_a_spreadsheet_would_compute_are_disarmed() {
        for text in ["=1+1", "+1", "-1", "@SUM", "\t=1", "\u{ff1d}1"] {
            assert!(cell(text).starts_with("\"'"), "{text}");
        }
        assert_eq!(cell("say \"hi\", now"), "\"say \"\"hi\"\", now\"");
    }

    #[test]
    fn a_range_holds_its_first_moment_and_not_its_last() {
        let range = Range { from: Some(Millis(5)), until: Some(Millis(9)), ..Range::default() };
        assert_eq!([4, 5, 8, 9].map(|at| range.holds(at)), [false, true, true, false]);
        assert!(Range::default().holds(0));
    }
}
