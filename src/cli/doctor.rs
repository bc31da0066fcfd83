//! `codex-web doctor`: one line per thing the server needs; what is wrong names the command or setting that cures it.
//!
//! It only looks: it makes nothing, changes nothing and connects to nothing but the control socket of this machine and
//! the API server of the cluster that is configured. Where apps have names it asks this machine's resolver for one of them.

mod origins;
mod service;

use super::context::Context;
use super::control::{Control, Socket};
use super::exit::{Exit, Failure, Outcome};
use super::output::{Format, Output};
use super::{apps, audit, doctor_cluster};
use crate::clock::{Clock, Millis, SystemClock};
use crate::cluster::ClusterView;
use crate::cluster::local::{LocalCluster, LocalOptions, TESTING};
use crate::config::Config;
use crate::config::cluster::Kind;
use crate::identity::master_key;
use crate::ops::backup::Places;
use crate::store::backup;
use rustix::fs::{StatVfs, statfs, statvfs};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

const MIB: u64 = 1024 * 1024;
/// Less than so many times what must stay free is a warning.
const LITTLE: u64 = 4;
/// No clock that is right shows an earlier time than the day this was written: 2026-01-01.
const EARLIEST: Millis = Millis(1_767_225_600_000);

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Good,
    /// It works, but not as well as it could.
    Warning,
    Bad,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub name: &'static str,
    pub verdict: Verdict,
    pub found: String,
    /// What to do now.
    pub cure: Option<String>,
}

impl Check {
    fn good(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Good, found: found.into(), cure: None }
    }

    fn warning(name: &'static str, found: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Warning, found: found.into(), cure: Some(cure.into()) }
    }

    fn bad(name: &'static str, found: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Bad, found: found.into(), cure: Some(cure.into()) }
    }
}

pub fn run(context: &Context, output: &mut Output<'_>) -> Outcome {
    let checks = match context.config() {
        Err(failure) => vec![Check::bad("configuration", failure.message, "codex-web config example shows every setting")],
        Ok(config) => all(&config, &context.surroundings.temp_dir),
    };
    print(&checks, output)?;
    let bad = checks.iter().any(|check| check.verdict == Verdict::Bad);
    Ok(if bad { Exit::ProblemFound } else { Exit::Done })
}

fn print(checks: &[Check], output: &mut Output<'_>) -> std::io::Result<()> {
    let word = |verdict: Verdict| match verdict {
        Verdict::Good => "ok",
        Verdict::Warning => "warning",
        Verdict::Bad => "problem",
    };
    if output.format == Format::Json {
        let json = checks.iter().map(|c| json!({"check": c.name, "verdict": word(c.verdict), "found": c.found, "cure": c.cure}));
        return output.json(&json.collect());
    }
    for check in checks {
        output.text(&format!(
            "{:<8} {:<16} {}\n",
            word(check.verdict),
            check.name,
            check.found.replace('\n', "\n                          ")
        ))?;
        if let Some(cure) = &check.cure {
            output.text(&format!("{:<25} -> {cure}\n", ""))?;
        }
    }
    Ok(())
}

fn all(config: &Config, temp_dir: &Path) -> Vec<Check> {
    let places = Places { data_dir: config.data.dir.clone() };
    let now = SystemClock.now();
    let file = config.file.as_ref().map_or_else(|| "no file, defaults".to_owned(), |path| path.display().to_string());
    let running = Socket::connect(&config.data.dir.join("control.sock"));
    let runs = matches!(running, Ok(Some(_)));
    let mut checks = vec![Check::good("configuration", file)];
    checks.extend(origins::addresses(config, runs));
    checks.push(data_directory(&config.data.dir));
    checks.extend(disk(&config.data.dir, config.data.min_free));
    checks.push(clock(now, None));
    if places.database().exists() {
        checks.extend(database(&places, now));
    }
    checks.push(match &running {
        Ok(Some(_)) => Check::good("server", "running"),
        Ok(None) => Check::good("server", "not running"),
        Err(failure) => Check::bad("server", failure.message.clone(), "run doctor as the user that the server runs as"),
    });
    match config.cluster.kind {
        Kind::Local => checks.extend(sandbox(config, running.ok().flatten(), temp_dir)),
        Kind::Kubernetes => checks.extend(doctor_cluster::checks(config)),
    }
    checks.push(installed_apps(&config.data.dir));
    checks.extend(service::checks(config, &places, places.database().exists(), now));
    checks
}

fn installed_apps(dir: &Path) -> Check {
    const NAME: &str = "workspace apps";
    let found = apps::summary(dir);
    if found.iter().any(|app| app.ends_with("damaged")) {
        return Check::bad(NAME, found.join("\n"), "install it again: codex-web apps install NAME --from-dir DIR");
    }
    Check::good(
        NAME,
        if found.is_empty() { "none installed; editors are found where the host has them".to_owned() } else { found.join("\n") },
    )
}

fn chain(places: &Places) -> Check {
    const CURE: &str = "find out who changed the file; codex-web backup restore brings back the last good copy";
    match audit::chain(&places.database(), &places.master_key()) {
        Err(error) => Check::bad("audit log", error.to_string(), CURE),
        Ok(report) => match report.finding {
            None => Check::good("audit log", format!("{} entries, the chain is intact", report.entries)),
            Some(finding) => {
                Check::bad("audit log", format!("{}, entry {}: {}", finding.verdict.as_str(), finding.seq, finding.message), CURE)
            }
        },
    }
}

/// What keeps workspaces apart: the running server knows, else the self-test is run in a folder that is removed again.
fn sandbox(config: &Config, running: Option<Socket>, temp_dir: &Path) -> Vec<Check> {
    let health = match running {
        Some(socket) => Control::new(socket).get("/api/health/detailed").map(|health| health["cluster"].clone()),
        None => self_test(config, temp_dir),
    };
    let health = match health {
        Ok(health) => health,
        Err(failure) => return vec![Check::bad("workspaces", failure.message, "see the server's log")],
    };
    let summary = health["summary"].as_str().unwrap_or_default().to_owned();
    let mut checks = vec![if health["status"] == "healthy" {
        Check::good("workspaces", summary)
    } else {
        Check::bad("workspaces", summary, "the lines below say what is missing")
    }];
    for warning in health["warnings"].as_array().map(Vec::as_slice).unwrap_or_default() {
        // Each warning of the runtime ends with its own remedy.
        let (found, cure) = split(warning.as_str().unwrap_or_default());
        checks.push(Check { name: "workspaces", verdict: Verdict::Warning, found, cure });
    }
    checks
}

/// What is found, and what to do about it where the sentence says so after a semicolon.
fn split(warning: &str) -> (String, Option<String>) {
    match warning.rsplit_once("; ") {
        Some((found, cure)) => (found.to_owned(), Some(cure.trim_end_matches('.').to_owned())),
        None => (warning.to_owned(), None),
    }
}

fn self_test(config: &Config, temp_dir: &Path) -> Result<Json, Failure> {
    let folder = temp_dir.join(format!("codex-web-doctor-{}", std::process::id()));
    let mut options = LocalOptions::new(folder.join("data"), folder.join("run"), Arc::new(SystemClock));
    options.allow_unconfined = config.allow_unconfined;
    options.egress = watch::channel(Arc::new(config.runtime(&BTreeMap::new()).egress)).1;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tested = runtime.block_on(async {
        DirBuilder::new().recursive(true).mode(0o711).create(folder.join("data"))?;
        let cluster = LocalCluster::start(options)?;
        for _ in 0..300 {
            let health = cluster.health().await;
            if health.summary != TESTING {
                let status = if health.healthy { "healthy" } else { "unhealthy" };
                return Ok(json!({"status": status, "summary": health.summary, "warnings": health.warnings}));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(Failure::failed("the self-test of the sandbox did not end within 30 seconds"))
    });
    let _ = fs::remove_dir_all(&folder);
    tested
}

fn data_directory(dir: &Path) -> Check {
    const NAME: &str = "data directory";
    let Ok(meta) = fs::metadata(dir) else {
        let parent = dir.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
        return if rustix::fs::access(parent, rustix::fs::Access::WRITE_OK).is_ok() {
            Check::good(NAME, format!("{} is made at the first start", dir.display()))
        } else {
            Check::bad(
                NAME,
                format!("{} does not exist and {} cannot be written", dir.display(), parent.display()),
                "name a writable folder with --data-dir",
            )
        };
    };
    let own = rustix::process::geteuid().as_raw();
    let shown = format!("{} (owner {}, mode {:04o})", dir.display(), meta.uid(), meta.mode() & 0o7777);
    if meta.uid() != own && own != 0 {
        return Check::bad(NAME, shown, "run this as the owner of the data directory");
    }
    if meta.mode() & 0o022 != 0 {
        return Check::bad(NAME, format!("{shown}: others may write there"), format!("chmod go-w {}", dir.display()));
    }
    // The type of this number differs between platforms.
    #[allow(clippy::useless_conversion)]
    let kind = statfs(dir).ok().and_then(|stat| network_disk(i64::try_from(stat.f_type).unwrap_or_default()));
    match kind {
        Some(kind) => Check::bad(NAME, format!("{shown} lies on {kind}: SQLite's locks do not hold there"), "move it to a local disk"),
        None => Check::good(NAME, shown),
    }
}

/// File systems of other machines, by the number that `statfs` gives.
fn network_disk(kind: i64) -> Option<&'static str> {
    match kind {
        0x6969 => Some("NFS"),
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => Some("SMB"),
        0x0102_1997 => Some("9P"),
        0x00c3_6400 => Some("CephFS"),
        0x5346_414f => Some("AFS"),
        _ => None,
    }
}

fn disk(dir: &Path, reserve: u64) -> Option<Check> {
    let existing = dir.ancestors().find(|path| path.exists())?;
    let StatVfs { f_bavail, f_frsize, f_favail, f_files, .. } = statvfs(existing).ok()?;
    Some(space(f_bavail.saturating_mul(f_frsize), reserve, (f_files > 0).then_some(f_favail)))
}

fn space(free: u64, reserve: u64, files: Option<u64>) -> Check {
    const NAME: &str = "disk";
    let shown = format!("{} MiB free", free / MIB);
    let cure = "free some space, or move the data directory to a larger disk";
    if files.is_some_and(|files| files < 1_000) {
        return Check::bad(
            NAME,
            format!("{shown}, but only {} more files can be made", files.unwrap_or(0)),
            "delete files that are not needed",
        );
    }
    match free {
        free if free < reserve => {
            Check::bad(NAME, format!("{shown}, less than the {} that data.min_free keeps: it only reads", reserve / MIB), cure)
        }
        free if free < reserve.saturating_mul(LITTLE) => Check::warning(NAME, shown, cure),
        _ => Check::good(NAME, shown),
    }
}

fn clock(now: Millis, newest_entry: Option<Millis>) -> Check {
    const CURE: &str = "set the clock; on Debian: apt-get install systemd-timesyncd";
    match newest_entry {
        _ if now < EARLIEST => Check::bad("clock", format!("shows {now}, which is in the past"), CURE),
        Some(entry) if entry > now => Check::bad("clock", format!("shows {now}, but the newest audit entry was written at {entry}"), CURE),
        _ => Check::good("clock", now.to_string()),
    }
}

fn database(places: &Places, now: Millis) -> Vec<Check> {
    let content = match backup::check(&places.database()) {
        Err(error) => return vec![Check::bad("database", error.to_string(), "codex-web backup restore")],
        Ok(Err(problem)) => return vec![Check::bad("database", problem, "codex-web backup restore")],
        Ok(Ok(content)) => content,
    };
    let mut checks = vec![Check::good("database", format!("schema {}, pages, indexes and references are good", content.schema))];
    if let Err(error) = master_key::load(&places.master_key()) {
        let cure = "put the master key back from where you keep it, readable by its owner alone";
        checks.push(Check::bad("keys", error.to_string(), cure));
    } else {
        checks.push(Check::good("keys", "the master key is there and private"));
        checks.push(chain(places));
    }
    if let Some(newest) = content.newest_entry {
        checks.extend(Some(clock(now, Some(newest))).filter(|check| check.verdict != Verdict::Good));
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_space_is_a_warning_and_too_little_a_problem() {
        let judged = |free, files| space(free * MIB, 128 * MIB, files).verdict;
        assert_eq!(judged(10 * 1024, None), Verdict::Good);
        assert_eq!(judged(300, None), Verdict::Warning);
        assert_eq!(judged(100, None), Verdict::Bad);
        assert_eq!(judged(10 * 1024, Some(3)), Verdict::Bad);
    }

    #[test]
    fn a_clock_behind_the_audit_log_is_a_problem() {
        let now = Millis(1_790_000_000_000);
        assert_eq!(clock(now, Some(now)).verdict, Verdict::Good);
        assert_eq!(clock(now, Some(now.plus(1))).verdict, Verdict::Bad);
        assert_eq!(clock(Millis(0), None).verdict, Verdict::Bad);
    }

    #[test]
    fn a_folder_that_others_may_write_to_is_a_problem() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).unwrap();
        assert_eq!(data_directory(dir.path()).verdict, Verdict::Good);
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(data_directory(dir.path()).cure, Some(format!("chmod go-w {}", dir.path().display())));
        assert_eq!(data_directory(&dir.path().join("new")).verdict, Verdict::Good);
    }

    #[test]
    fn everything_that_is_not_good_names_its_cure() {
        for check in [space(0, MIB, None), space(0, MIB, Some(0)), clock(Millis(0), None), Check::warning("a", "b", "c")] {
            assert!(check.cure.is_some(), "{check:?}");
        }
    }
}
