//! Checking an exported file: by itself, against the entries that the database still holds, and against the heads that
//! were signed. A row of files that a purge left is checked as one history, up to where the database goes on.

use super::audit_chain::{Link, genesis, hash};
use super::audit_export::{COLUMNS, Footer, Form, Header, Line, footer_message};
use super::audit_verify::{Finding, Report, Verdict, floor};
use super::checkpoints;
use super::db::Db;
use super::tx::Read;
use crate::domain::hex::{decode as unhex, encode as hex};
use crate::error::{Error, Result};
use aws_lc_rs::digest::{self, SHA256};
use std::collections::HashMap;
use std::io::BufRead;

/// A line that is longer is no line of ours.
const LINE_MAX: usize = 1 << 20;

const HASH_OF: &str = "SELECT hash FROM audit_event WHERE seq = ?1";

/// What a file holds, and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileReport {
    pub report: Report,
    pub header: Option<Header>,
    pub footer: Option<Footer>,
}

/// Checks a file of either form. `key` is the key of the chain's MACs. Holds one line at a time.
pub fn verify(read: &Read<'_>, key: &[u8; 32], mut input: impl BufRead) -> Result<FileReport> {
    let form = if begins_with(&mut input, b'{')? { Form::JsonLines } else { Form::Csv };
    let mut check = FileCheck::new(read, key, form)?;
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let finding = match next(&mut input, form, &mut bytes)? {
            Next::Nothing => break,
            Next::Record => check.record(&bytes)?,
            Next::TooLong => Some(check.differs("This line is no part of an export.")),
        };
        if finding.is_some() {
            check.found.report.finding = finding;
            return Ok(check.found);
        }
    }
    if check.found.footer.is_none() {
        let seq = check.found.report.last_seq + 1;
        check.found.report.finding = Some(Finding::new(Verdict::TailCut, seq, "The file ends without its last line."));
    }
    Ok(check.found)
}

/// Checks a file against this database with its own key.
pub fn check(db: &Db, input: impl BufRead) -> Result<FileReport> {
    db.read_blocking(|read| verify(read, db.audit_key(), input))
}

fn unreadable(error: impl std::fmt::Display) -> Error {
    Error::internal(format!("the export cannot be read: {error}"))
}

fn begins_with(input: &mut impl BufRead, byte: u8) -> Result<bool> {
    Ok(input.fill_buf().map_err(unreadable)?.first() == Some(&byte))
}

enum Next {
    Nothing,
    Record,
    TooLong,
}

/// One line; of CSV one record, which goes on over line ends inside quotes.
fn next(input: &mut impl BufRead, form: Form, bytes: &mut Vec<u8>) -> Result<Next> {
    loop {
        let room = (LINE_MAX - bytes.len()) as u64;
        let read = std::io::Read::take(&mut *input, room).read_until(b'\n', bytes).map_err(unreadable)?;
        if bytes.is_empty() {
            return Ok(Next::Nothing);
        }
        let open = form == Form::Csv && bytes.split(|byte| *byte == b'"').count().is_multiple_of(2);
        if !bytes.ends_with(b"\n") && bytes.len() >= LINE_MAX {
            return Ok(Next::TooLong);
        }
        if read == 0 || !open {
            return Ok(Next::Record);
        }
    }
}

/// One record in either form.
enum Part {
    Titles,
    Header(Header),
    Entry(Found),
    Footer(Footer),
}

struct Found {
    seq: i64,
    prev: Vec<u8>,
    hash: Vec<u8>,
    /// All that is under the MAC; a record of CSV does not tell it, and is held by the signature alone.
    link: Option<Box<Link>>,
}

struct FileCheck<'a> {
    read: &'a Read<'a>,
    key: &'a [u8; 32],
    form: Form,
    installation: String,
    /// Hashes of signed heads by their entry.
    heads: HashMap<i64, Vec<u8>>,
    sum: digest::Context,
    titled: bool,
    found: FileReport,
}

impl<'a> FileCheck<'a> {
    fn new(read: &'a Read<'a>, key: &'a [u8; 32], form: Form) -> Result<Self> {
        let heads = checkpoints::from(read, 0)?.into_iter().map(|head| (head.seq, head.hash)).collect();
        Ok(Self {
            read,
            key,
            form,
            installation: checkpoints::installation(read)?,
            heads,
            sum: digest::Context::new(&SHA256),
            titled: form == Form::JsonLines,
            found: FileReport::default(),
        })
    }

    fn differs(&self, message: &str) -> Finding {
        Finding::new(Verdict::ExportDiffers, self.found.report.last_seq + 1, message)
    }

    fn record(&mut self, bytes: &[u8]) -> Result<Option<Finding>> {
        let part = match self.form {
            Form::JsonLines => of_json(bytes),
            Form::Csv => of_csv(bytes),
        };
        let Some(part) = part else { return Ok(Some(self.differs("This line is no part of an export."))) };
        let begun = self.found.header.is_some();
        let in_order = match part {
            Part::Titles => !self.titled,
            Part::Header(_) => self.titled && !begun,
            Part::Entry(_) | Part::Footer(_) => begun,
        };
        if !in_order || self.found.footer.is_some() {
            return Ok(Some(self.differs("The lines are not in the order of an export.")));
        }
        let finding = match part {
            Part::Titles => {
                self.titled = true;
                None
            }
            Part::Header(header) => self.header(header),
            Part::Entry(entry) => self.entry(entry)?,
            Part::Footer(footer) => return self.footer(footer),
        };
        self.sum.update(bytes);
        Ok(finding)
    }

    fn header(&mut self, header: Header) -> Option<Finding> {
        self.found.report.last_seq = (header.first - 1).max(0);
        let stranger = header.installation != self.installation;
        self.found.header = Some(header);
        stranger.then(|| self.differs("It was made by another installation."))
    }

    fn entry(&mut self, entry: Found) -> Result<Option<Finding>> {
        let seq = entry.seq;
        if entry.link.is_some_and(|link| hash(self.key, &link).as_slice() != entry.hash) {
            return Ok(Some(Finding::new(Verdict::RowAltered, seq, "Its content is not what was written.")));
        }
        let report = &mut self.found.report;
        let first = report.last_hash.is_empty();
        let before = match &self.found.header {
            Some(header) if first => unhex(&header.previous_hash).unwrap_or_default(),
            _ => std::mem::take(&mut report.last_hash),
        };
        let (expected, consecutive) = (report.last_seq + 1, seq == report.last_seq + 1);
        report.entries += 1;
        report.last_seq = seq;
        report.last_hash.clone_from(&entry.hash);
        if seq < expected || (first && !consecutive) {
            return Ok(Some(Finding::new(Verdict::ExportDiffers, seq, "Its entries are not in their order.")));
        }
        if consecutive && entry.prev != before {
            return Ok(Some(Finding::new(Verdict::ChainRewritten, seq, "It does not follow the entry before it.")));
        }
        if self.heads.get(&seq).is_some_and(|signed| *signed != entry.hash) {
            return Ok(Some(Finding::new(Verdict::ChainRewritten, seq, "Another entry of this number was signed.")));
        }
        let kept: Option<Vec<u8>> = self.read.row(HASH_OF, [seq], |r| r.get(0))?;
        let other = kept.is_some_and(|kept| kept != entry.hash);
        Ok(other.then(|| Finding::new(Verdict::ExportDiffers, seq, "The database holds another entry of this number.")))
    }

    fn footer(&mut self, footer: Footer) -> Result<Option<Finding>> {
        let sum = hex(self.sum.clone().finish().as_ref());
        let message = footer_message(&self.installation, footer.count, &footer.last_hash, &footer.sha256);
        let keys = checkpoints::public_keys(self.read)?;
        let signed = unhex(&footer.signature).is_some_and(|s| checkpoints::is_signed(&message, &footer.kid, &s, &keys));
        let report = &self.found.report;
        let last = if report.entries == 0 { 0 } else { report.last_seq };
        let same =
            (footer.count, footer.last) == (report.entries, last) && footer.sha256 == sum && footer.last_hash == hex(&report.last_hash);
        self.found.footer = Some(footer);
        Ok((!(signed && same)).then(|| self.differs("Its last line does not fit what stands before it.")))
    }
}

fn of_json(bytes: &[u8]) -> Option<Part> {
    Some(match serde_json::from_slice::<Line>(bytes).ok()? {
        Line::Header(header) => Part::Header(header),
        Line::Footer(footer) => Part::Footer(footer),
        Line::Entry(entry) => {
            let hash = unhex(&entry.hash)?;
            let link = entry.link()?;
            Part::Entry(Found { seq: link.seq, prev: link.prev.clone(), hash, link: Some(Box::new(link)) })
        }
    })
}

fn of_csv(bytes: &[u8]) -> Option<Part> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes);
    let cells = reader.records().next()?.ok()?;
    if cells.len() != COLUMNS.len() {
        return None;
    }
    Some(match &cells[0] {
        "seq" => Part::Titles,
        "header" => Part::Header(serde_json::from_str(&cells[14]).ok()?),
        "footer" => Part::Footer(serde_json::from_str(&cells[14]).ok()?),
        number => Part::Entry(Found { seq: number.parse().ok()?, prev: unhex(&cells[15])?, hash: unhex(&cells[16])?, link: None }),
    })
}

/// Where the history that was checked so far ends: the file that comes next must go on from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seam {
    pub seq: i64,
    pub hash: Vec<u8>,
}

impl Seam {
    /// Before the first entry of this installation.
    pub fn genesis(read: &Read<'_>) -> Result<Self> {
        Ok(Self { seq: 0, hash: genesis(&checkpoints::installation(read)?).to_vec() })
    }

    /// Goes on over a file that was found to be good.
    pub fn follow(&mut self, file: &FileReport) -> Option<Finding> {
        let (Some(header), Some(footer)) = (&file.header, &file.footer) else {
            return Some(Finding::new(Verdict::TailCut, self.seq + 1, "The file is not whole."));
        };
        if header.first != self.seq + 1 {
            let message = format!("The file begins with entry {}, but the one before it ends with {}.", header.first, self.seq);
            return Some(Finding::new(Verdict::RowMissing, self.seq + 1, message));
        }
        if header.previous_hash != hex(&self.hash) {
            return Some(Finding::new(Verdict::ChainRewritten, header.first, "The file does not go on where the one before it ends."));
        }
        *self = Self { seq: footer.last, hash: unhex(&footer.last_hash).unwrap_or_default() };
        None
    }

    /// Whether the database goes on where the files end.
    pub fn meets(&self, read: &Read<'_>) -> Result<Option<Finding>> {
        let (seq, hash) = match floor(read)? {
            Some(floor) => floor,
            None => (0, genesis(&checkpoints::installation(read)?).to_vec()),
        };
        if self.seq < seq {
            let message = format!("The files end with entry {}, but the database begins after entry {seq}.", self.seq);
            return Ok(Some(Finding::new(Verdict::RowMissing, self.seq + 1, message)));
        }
        // Files may reach into what the database still holds: those entries were compared one by one.
        let same = self.seq > seq || self.hash == hash;
        Ok((!same).then(|| Finding::new(Verdict::ChainRewritten, seq, "The database does not go on where the files end.")))
    }
}

#[cfg(test)]
#[path = "audit_file_tests.rs"]
mod tests;
