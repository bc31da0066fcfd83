//! `codex-web audit verify|export`.
//!
//! Verifying reads the file by itself, so it works while the server runs and when it cannot run. Exporting goes through
//! the application, because taking the log out is itself audited.

use super::arguments::ExportFormat;
use super::control::{Control, query};
use super::exit::{Exit, Failure, Outcome};
use super::output::Output;
use crate::app::{audit_key, database_path};
use crate::clock::{Clock, SystemClock};
use crate::domain::hex;
use crate::error::Result as Checked;
use crate::identity::master_key;
use crate::store::audit_verify::{Options, Report, verify as verify_chain};
use crate::store::{audit_export, backup};
use serde_json::json;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// Checks the chain of the database, or of an export of it.
pub fn verify(data_dir: &Path, export: Option<&Path>, output: &mut Output<'_>) -> Outcome {
    let key = data_dir.join("keys").join("master");
    let report = match export {
        None => chain(&database_path(data_dir), &key)?,
        Some(path) => {
            let file = File::open(path).map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?;
            let key = key_of(&key)?;
            backup::look_into(&database_path(data_dir), SystemClock.now(), |read| audit_export::verify(read, &key, BufReader::new(file)))?
        }
    };
    print(&report, output)
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

/// Writes the log to standard output as it comes, however long it is.
pub fn export(format: ExportFormat, from: Option<&str>, to: Option<&str>, control: &Control, output: &mut Output<'_>) -> Outcome {
    let format = match format {
        ExportFormat::Jsonl => "jsonl",
        ExportFormat::Csv => "csv",
    };
    let query = query(&[("format", Some(format)), ("from", from), ("to", to)]);
    control.copy(&format!("/control/audit/export{query}"), output.out)?;
    Ok(Exit::Done)
}
