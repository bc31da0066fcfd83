//! `codex-web backup create|verify|restore|list`.
//!
//! Creating goes through the application, which audits it. Verifying and listing read files. Restoring needs the server
//! stopped: it takes the lock, keeps what it replaces aside, and ends every sign-in of the restored database.

use super::audit;
use super::context::Context;
use super::control::Control;
use super::data_dir;
use super::exit::{Exit, Failure, Outcome};
use super::in_process::InProcess;
use super::output::Output;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::ops::backup::{self, DATABASE, Manifest, Places};
use serde_json::{Value as Json, json};
use std::path::Path;

pub fn create(with_keys: bool, control: &Control, output: &mut Output<'_>) -> Outcome {
    let made = control.post("/control/backups", &json!({"withKeys": with_keys}))?;
    if !with_keys {
        output.say("The master key is not in it: keep keys/master elsewhere, or nothing sealed in the backup opens.")?;
    }
    let facts = [("Backup", text(&made, "name")), ("Folder", text(&made, "path"))];
    output.facts(&facts, &made)?;
    Ok(Exit::Done)
}

pub fn list(config: &Config, output: &mut Output<'_>) -> Outcome {
    let found = backup::list(&places(config))?;
    let row = |(name, manifest): &(String, Manifest)| {
        let key = if manifest.has_key() { "yes" } else { "" };
        let tenths = manifest.bytes().saturating_mul(10) / 1_048_576;
        let size = format!("{}.{} MiB", tenths / 10, tenths % 10);
        vec![name.clone(), manifest.created_at.clone(), size, key.to_owned(), manifest.program.clone()]
    };
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    let json: Json = found.iter().map(|(name, manifest)| json!({"name": name, "manifest": manifest})).collect();
    output.table(&["BACKUP", "MADE", "SIZE", "KEY", "VERSION"], &rows, &json)?;
    Ok(Exit::Done)
}

pub fn verify(config: &Config, name: &str, output: &mut Output<'_>) -> Outcome {
    let (places, folder) = (places(config), places(config).backup(name));
    let found = check(&places, &folder)?;
    let (verdict, exit) = match &found {
        Ok(_) => ("good", Exit::Done),
        Err(_) => ("not good", Exit::ProblemFound),
    };
    let problem = found.as_ref().err();
    let mut facts = vec![("Verdict", verdict.to_owned())];
    match &found {
        Ok(manifest) => {
            facts.push(("Made", manifest.created_at.clone()));
            facts.push(("Audit entries", manifest.audit_head.seq.to_string()));
        }
        Err(problem) => facts.push(("Problem", problem.clone())),
    }
    output.facts(&facts, &json!({"verdict": verdict, "problem": problem, "manifest": found.as_ref().ok()}))?;
    Ok(exit)
}

/// The files against the manifest, the database by opening it, and the audit chain with the key that belongs to it.
fn check(places: &Places, folder: &Path) -> Result<Result<Manifest, String>, Failure> {
    let manifest = match backup::verify(folder)? {
        Ok(manifest) => manifest,
        Err(problem) => return Ok(Err(problem)),
    };
    let key = backup::key_of(places, folder, &manifest);
    let report = audit::chain(&folder.join(DATABASE), &key)?;
    Ok(match report.finding {
        None => Ok(manifest),
        Some(finding) => Err(format!("its audit log: {}, entry {}: {}", finding.verdict.as_str(), finding.seq, finding.message)),
    })
}

pub fn restore(context: &Context, name: &str, output: &mut Output<'_>) -> Outcome {
    let config = context.config()?;
    let places = places(&config);
    let folder = places.backup(name);
    let lock = data_dir::claim(&config)?;
    let manifest = check(&places, &folder)?.map_err(|problem| {
        Failure::new(Exit::ProblemFound, format!("{} is not restored: {problem}. Nothing was changed.", folder.display()))
    })?;
    let aside = backup::put_in_place(&places, &folder, &manifest, SystemClock.now())?;
    output.say(&format!("The files before it were kept in {}.", aside.display()))?;
    // The application takes the lock for itself.
    drop(lock);
    let control = Control::new(InProcess::build(config)?);
    let ended = control.post("/control/restored", &json!({"createdAt": manifest.created_at, "upTo": manifest.audit_head.seq}))?;
    let facts =
        [("Restored", name.to_owned()), ("As of", manifest.created_at.clone()), ("Sign-ins ended", ended["endedSessions"].to_string())];
    output.facts(
        &facts,
        &json!({"restored": name, "createdAt": manifest.created_at, "endedSessions": ended["endedSessions"], "keptAside": aside}),
    )?;
    Ok(Exit::Done)
}

fn places(config: &Config) -> Places {
    Places { data_dir: config.data.dir.clone() }
}

fn text(json: &Json, field: &str) -> String {
    json[field].as_str().unwrap_or_default().to_owned()
}
