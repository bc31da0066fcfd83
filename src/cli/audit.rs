//! `codex-web audit verify|export`.
//!
//! Verifying reads the file by itself, so it works while the server runs and when it cannot run. Exporting goes through
//! the application, because taking the log out is itself audited.

use super::arguments::{ExportFormat, VerifyArguments};
use super::control::{Control, query};
use super::exit::{Exit, Failure, Outcome};
use super::output::Output;
use crate::app::{audit_key, database_path};
use crate::clock::{Clock, SystemClock};
use crate::domain::hex;
use crate::error::Result as Checked;
use crate::identity::master_key;
use crate::store::audit_file::{self, Seam};
use crate::store::audit_verify::{Options, Report, verify as verify_chain};
use crate::store::{Read, backup};
use serde_json::json;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// Checks the chain of the database, an export of it, or the whole history in both.
pub fn verify(data_dir: &Path, what: &VerifyArguments, output: &mut Output<'_>) -> Outcome {
    let (database, key) = (database_path(data_dir), key_of(&data_dir.join("keys").join("master"))?);
    let anchor = what.anchor.as_deref().map(anchor).transpose()?;
    let report = if let Some(path) = &what.export {
        let file = open(path)?;
        backup::look_into(&database, SystemClock.now(), |read| Ok(audit_file::verify(read, &key, file)?.report))?
    } else {
        let options = Options { anchor, ..Options::default() };
        match &what.with_exports {
            None => backup::look_into(&database, SystemClock.now(), |read| verify_chain(read, &key, &options))?,
            Some(folder) => {
                let files = files(folder)?;
                backup::look_into(&database, SystemClock.now(), |read| history(read, &key, &options, &files))?
            }
        }
    };
    print(&report, output)
}

fn open(path: &Path) -> Result<BufReader<File>, Failure> {
    File::open(path).map(BufReader::new).map_err(|error| Failure::failed(format!("{}: {error}", path.display())))
}

/// `4711:9f3a…`, as the pages show a checkpoint.
fn anchor(text: &str) -> Result<(i64, Vec<u8>), Failure> {
    let parsed = text.split_once(':').and_then(|(seq, hash)| Some((seq.parse().ok()?, hex::decode(hash.trim())?)));
    parsed.filter(|(_, hash)| hash.len() == 32).ok_or_else(|| {
        Failure::usage("--anchor takes the number of an entry, a colon and its hash of 64 digits, as a checkpoint is shown.")
    })
}

/// The files that purges left, in the order of the log.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error: std::io::Error| Failure::failed(format!("{}: {error}", folder.display()));
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|end| end == "jsonl") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// The files one after the other, then the database, which must go on where they end.
fn history(read: &Read<'_>, key: &[u8; 32], options: &Options, files: &[PathBuf]) -> Checked<Report> {
    let mut seam = Seam::genesis(read)?;
    let mut entries = 0;
    for path in files {
        let file = File::open(path).map_err(|error| crate::error::Error::internal(format!("{}: {error}", path.display())))?;
        let found = audit_file::verify(read, key, BufReader::new(file))?;
        entries += found.report.entries;
        let wrong = found.report.finding.clone().or_else(|| seam.follow(&found));
        if let Some(mut finding) = wrong {
            finding.message = format!("{}: {}", path.display(), finding.message);
            return Ok(Report { entries, finding: Some(finding), ..found.report });
        }
    }
    let report = verify_chain(read, key, options)?;
    let finding = match report.finding {
        Some(finding) => Some(finding),
        None => seam.meets(read)?,
    };
    // Entries in both were counted once.
    let twice = (seam.seq - (report.last_seq - report.entries)).max(0);
    Ok(Report { entries: entries + report.entries - twice, finding, ..report })
}

/// Checks the chain of a database file with the audit key that hangs from this master key.
pub fn chain(database: &Path, master: &Path) -> Checked<Report> {
    let key = key_of(master)?;
    backup::look_into(database, SystemClock.now(), |read| verify_chain(read, &key, &Options::default()))
}

fn key_of(master: &Path) -> Checked<[u8; 32]> {
    let master = master_key::load(master).map_err(|error| crate::error::Error::internal(error.to_string()))?;
    audit_key(&master)
}

fn print(report: &Report, output: &mut Output<'_>) -> Outcome {
    let finding = report.finding.as_ref();
    let verdict = finding.map_or("intact", |finding| finding.verdict.as_str());
    let hash = hex::encode(&report.last_hash);
    let mut facts = vec![
        ("Verdict", verdict.to_owned()),
        ("Entries", report.entries.to_string()),
        ("Newest", format!("{} {hash}", report.last_seq)),
        ("Checkpoints", report.checkpoints.to_string()),
    ];
    if report.erased > 0 {
        facts.push(("Erased", format!("{} side rows of personal data, as they may be", report.erased)));
    }
    if let Some(finding) = finding {
        facts.push(("Where", format!("entry {}: {}", finding.seq, finding.message)));
    }
    let json = json!({
        "verdict": verdict,
        "entries": report.entries,
        "lastSeq": report.last_seq,
        "lastHash": hash,
        "checkpoints": report.checkpoints,
        "erased": report.erased,
        "finding": finding.map(|finding| json!({"seq": finding.seq, "message": finding.message})),
    });
    output.facts(&facts, &json)?;
    Ok(if finding.is_some() { Exit::ProblemFound } else { Exit::Done })
}

/// Which entries are written.
pub struct Range<'a> {
    pub from: Option<&'a str>,
    pub to: Option<&'a str>,
    pub after: Option<u32>,
}

/// Writes the log to standard output as it comes, however long it is.
pub fn export(format: ExportFormat, range: &Range<'_>, control: &Control, output: &mut Output<'_>) -> Outcome {
    let format = match format {
        ExportFormat::Jsonl => "jsonl",
        ExportFormat::Csv => "csv",
    };
    let after = range.after.map(|entry| entry.to_string());
    let query = query(&[("format", Some(format)), ("from", range.from), ("to", range.to), ("after", after.as_deref())]);
    control.copy(&format!("/control/audit/export{query}"), output.out)?;
    Ok(Exit::Done)
}
