//! The audit log as a file: JSON lines for machines and for keeping, CSV for people; and checking such a file.
//!
//! JSON lines begin with a header (range, the hash before, the installation) and end with a footer (count, last hash,
//! SHA-256 of the entries, signature), so that a file that was cut or edited shows it. The entries hold what the chain
//! holds: ids, never names or addresses. CSV quotes every cell and disarms cells that a spreadsheet would compute.

use super::audit_chain::{Link, hash};
use super::audit_verify::{ENTRIES, Finding, Report, Stored, Verdict, stored};
use super::checkpoints::{self, Signer};
use super::tx::Read;
use crate::clock::Millis;
use crate::domain::hex::{decode as unhex, encode as hex};
use crate::error::{Error, Result};
use aws_lc_rs::digest::{self, SHA256};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, Write};

/// Which entries a file holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Range {
    /// After this entry; 0 begins with the first.
    pub after: i64,
    pub from: Option<Millis>,
    pub until: Option<Millis>,
}

/// One line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
enum Line {
    Header { format: i64, installation: String, previous_hash: String, first: i64 },
    Entry(Box<EntryLine>),
    Footer { count: i64, last_hash: String, sha256: String, kid: String, signature: String },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EntryLine {
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
    hash: String,
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
    fn link(&self) -> Option<Link> {
        let person_hash = match &self.person_hash {
            Some(text) => Some(unhex(text)?),
            None => None,
        };
        Some(Link {
            seq: self.seq,
            format: self.format,
            ts: self.ts,
            id: self.id.clone(),
            actor_kind: self.actor_kind.clone(),
            actor_id: self.actor_id.clone(),
            session_id: self.session_id.clone(),
            token_id: self.token_id.clone(),
            action: self.action.clone(),
            resource: self.resource.clone(),
            group_id: self.group_id.clone(),
            org_id: self.org_id.clone(),
            success: i64::from(self.success),
            error: self.error.clone(),
            count: self.count,
            request_id: self.request_id.clone(),
            details: self.details.clone(),
            person_hash,
            prev: unhex(&self.prev)?,
        })
    }
}

fn fault(error: impl std::fmt::Display) -> Error {
    Error::internal(format!("the export cannot be written: {error}"))
}

/// Calls `each` for every entry of the range, without holding more than one.
fn walk(read: &Read<'_>, range: Range, mut each: impl FnMut(&Stored) -> Result<()>) -> Result<()> {
    let mut statement = read.statement(ENTRIES)?;
    for row in statement.query_map([range.after], stored)? {
        let row = row?;
        let (early, late) = (range.from.is_some_and(|t| row.link.ts < t.0), range.until.is_some_and(|t| row.link.ts >= t.0));
        if !early && !late {
            each(&row)?;
        }
    }
    Ok(())
}

fn footer_message(installation: &str, count: i64, last_hash: &str, sha256: &str) -> Vec<u8> {
    format!("codex-audit-export-v1\0{installation}\0{count}\0{last_hash}\0{sha256}").into_bytes()
}

/// Writes JSON lines; answers how many entries there were.
pub fn jsonl(read: &Read<'_>, range: Range, signer: &Signer, out: &mut dyn Write) -> Result<i64> {
    let installation = checkpoints::installation(read)?;
    let (mut sum, mut count, mut last_hash) = (digest::Context::new(&SHA256), 0_i64, String::new());
    let line = |out: &mut dyn Write, line: &Line| -> Result<String> {
        let text = serde_json::to_string(line).map_err(fault)?;
        writeln!(out, "{text}").map_err(fault)?;
        Ok(text)
    };
    let mut begun = false;
    walk(read, range, |row| {
        if !begun {
            let (format, first) = (row.link.format, row.link.seq);
            line(out, &Line::Header { format, installation: installation.clone(), previous_hash: hex(&row.link.prev), first })?;
            begun = true;
        }
        let text = line(out, &Line::Entry(Box::new(EntryLine::from(row))))?;
        sum.update(text.as_bytes());
        sum.update(b"\n");
        count += 1;
        last_hash = hex(&row.hash);
        Ok(())
    })?;
    if !begun {
        line(out, &Line::Header { format: 1, installation: installation.clone(), previous_hash: String::new(), first: 0 })?;
    }
    let sha256 = hex(sum.finish().as_ref());
    let signature = hex(&signer.sign(&footer_message(&installation, count, &last_hash, &sha256)));
    line(out, &Line::Footer { count, last_hash, sha256, kid: signer.kid().to_owned(), signature })?;
    Ok(count)
}

/// A cell that no spreadsheet computes: quoted, and with an apostrophe in front of what looks like a formula.
pub fn cell(text: &str) -> String {
    let armed = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    format!("\"{}{}\"", if armed { "'" } else { "" }, text.replace('"', "\"\""))
}

/// Writes CSV (RFC 4180) for people; answers how many entries there were.
pub fn csv(read: &Read<'_>, range: Range, out: &mut dyn Write) -> Result<i64> {
    let head =
        ["seq", "time", "id", "actorKind", "actorId", "action", "resource", "groupId", "success", "error", "count", "requestId", "details"];
    let mut row_of = |cells: &[String]| write!(out, "{}\r\n", cells.join(",")).map_err(fault);
    row_of(&head.map(cell))?;
    let mut count = 0;
    walk(read, range, |row| {
        let link = &row.link;
        let optional = |text: &Option<String>| cell(text.as_deref().unwrap_or_default());
        count += 1;
        row_of(&[
            cell(&link.seq.to_string()),
            cell(&Millis(link.ts).rfc3339()),
            cell(&link.id),
            cell(&link.actor_kind),
            optional(&link.actor_id),
            cell(&link.action),
            cell(&link.resource),
            optional(&link.group_id),
            cell(if link.success == 0 { "false" } else { "true" }),
            optional(&link.error),
            cell(&link.count.to_string()),
            cell(&link.request_id),
            cell(&link.details),
        ])
    })?;
    Ok(count)
}

const HASH_OF: &str = "SELECT hash FROM audit_event WHERE seq = ?1";

/// Checks a file of JSON lines: by itself, and against the entries that the database still holds.
pub fn verify(read: &Read<'_>, key: &[u8; 32], input: impl BufRead) -> Result<Report> {
    let mut check = FileCheck {
        read,
        key,
        installation: checkpoints::installation(read)?,
        sum: digest::Context::new(&SHA256),
        report: Report::default(),
        begun: false,
        ended: false,
    };
    for line in input.lines() {
        let text = line.map_err(|e| Error::internal(format!("the export cannot be read: {e}")))?;
        if let Some(finding) = check.line(&text)? {
            check.report.finding = Some(finding);
            return Ok(check.report);
        }
    }
    if !check.ended {
        check.report.finding = Some(Finding::new(Verdict::TailCut, check.report.last_seq + 1, "The file ends without its last line."));
    }
    Ok(check.report)
}

struct FileCheck<'a> {
    read: &'a Read<'a>,
    key: &'a [u8; 32],
    installation: String,
    sum: digest::Context,
    report: Report,
    begun: bool,
    ended: bool,
}

impl FileCheck<'_> {
    fn differs(&self, message: &str) -> Finding {
        Finding::new(Verdict::ExportDiffers, self.report.last_seq + 1, message)
    }

    fn line(&mut self, text: &str) -> Result<Option<Finding>> {
        let Ok(line) = serde_json::from_str::<Line>(text) else {
            return Ok(Some(self.differs("This line is no part of an export.")));
        };
        if self.ended || self.begun == matches!(line, Line::Header { .. }) {
            return Ok(Some(self.differs("The lines are not in the order of an export.")));
        }
        match line {
            Line::Header { installation, first, .. } => {
                self.begun = true;
                self.report.last_seq = (first - 1).max(0);
                Ok((installation != self.installation).then(|| self.differs("It was made by another installation.")))
            }
            Line::Entry(entry) => {
                self.sum.update(text.as_bytes());
                self.sum.update(b"\n");
                self.entry(&entry)
            }
            Line::Footer { count, last_hash, sha256, kid, signature } => {
                self.ended = true;
                let sum = hex(self.sum.clone().finish().as_ref());
                let message = footer_message(&self.installation, count, &last_hash, &sha256);
                let keys = checkpoints::public_keys(self.read)?;
                let signed = unhex(&signature).is_some_and(|s| checkpoints::is_signed(&message, &kid, &s, &keys));
                let same = count == self.report.entries && sha256 == sum && last_hash == hex(&self.report.last_hash);
                Ok((!(signed && same)).then(|| self.differs("Its last line does not fit its entries.")))
            }
        }
    }

    fn entry(&mut self, entry: &EntryLine) -> Result<Option<Finding>> {
        let Some(link) = entry.link() else {
            return Ok(Some(self.differs("This entry cannot be read.")));
        };
        let computed = hash(self.key, &link);
        if hex(&computed) != entry.hash {
            return Ok(Some(Finding::new(Verdict::RowAltered, link.seq, "Its content is not what was written.")));
        }
        let consecutive = link.seq == self.report.last_seq + 1;
        if consecutive && !self.report.last_hash.is_empty() && link.prev != self.report.last_hash {
            return Ok(Some(Finding::new(Verdict::ChainRewritten, link.seq, "It does not follow the entry before it.")));
        }
        let kept: Option<Vec<u8>> = self.read.row(HASH_OF, [link.seq], |r| r.get(0))?;
        self.report.entries += 1;
        self.report.last_seq = link.seq;
        self.report.last_hash = computed.to_vec();
        if kept.is_some_and(|kept| kept != computed) {
            return Ok(Some(Finding::new(Verdict::ExportDiffers, link.seq, "The database holds another entry of this number.")));
        }
        Ok(None)
    }
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
}
