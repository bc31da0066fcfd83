//! What an operator looks after once it runs: backups, keys, room for connections, who may read the metrics, and how people
//! are told and prove who they are.

use super::{Check, Verdict};
use crate::clock::{DAY, Millis};
use crate::config::Config;
use crate::ops::backup::{self, Places};
use crate::store::{backup as database, keys};
use rustix::process::{Resource, getrlimit};

/// A backup older than this is worth a word, in milliseconds.
const OLD_BACKUP: i64 = 7 * DAY;
/// So is a key that signed for longer than this.
const OLD_KEY: i64 = 400 * DAY;
/// Below this many open files people and workspaces are turned away before the machine is busy.
const FEW_FILES: u64 = 4_096;

/// All of them; `there` tells whether there is an installation yet.
pub fn checks(config: &Config, places: &Places, there: bool, now: Millis) -> Vec<Check> {
    let mut checks = Vec::new();
    if there {
        checks.push(backups(places, now));
        checks.extend(signing_keys(places, now));
    }
    checks.push(open_files(getrlimit(Resource::Nofile).maximum));
    checks.push(metrics(config));
    checks
        .push(Check::good("mail", "none is sent: people are told in the pages, and invitations are links that an administrator hands on"));
    checks.push(Check::good("sign-in", "passwords that are kept here; no identity provider is asked"));
    checks
}

fn backups(places: &Places, now: Millis) -> Check {
    const CURE: &str = "codex-web backup create, every night, and take the folder to another machine";
    match backup::list(places) {
        Err(error) => Check::bad("backups", error.to_string(), "make the folder backups readable for the server's user"),
        Ok(found) => newest(found.len(), found.last().and_then(|(_, manifest)| Millis::parse(&manifest.created_at)), now, CURE),
    }
}

fn newest(count: usize, made: Option<Millis>, now: Millis, cure: &str) -> Check {
    match made {
        None => Check::warning("backups", "none in the data directory", cure),
        Some(made) if now.since(made) > OLD_BACKUP => {
            Check::warning("backups", format!("{count}, the newest is {} days old", now.since(made) / DAY), cure)
        }
        Some(made) => Check::good("backups", format!("{count}, the newest of {made}")),
    }
}

/// The keys that sign now, one of each kind.
fn signing_keys(places: &Places, now: Millis) -> Option<Check> {
    let keys = database::look_into(&places.database(), now, keys::list).ok()?;
    let active: Vec<(String, Millis)> = keys.into_iter().filter(|key| key.active).map(|key| (key.kind, key.created_at)).collect();
    Some(ages(&active, now))
}

fn ages(active: &[(String, Millis)], now: Millis) -> Check {
    const NAME: &str = "signing keys";
    let old: Vec<String> = active.iter().filter(|(_, since)| now.since(*since) > OLD_KEY).map(|(kind, _)| kind.clone()).collect();
    if !old.is_empty() {
        return Check::warning(NAME, format!("in use for more than a year: {}", old.join(", ")), "codex-web keys rotate");
    }
    let kinds: Vec<&str> = active.iter().map(|(kind, _)| kind.as_str()).collect();
    Check::good(NAME, if kinds.is_empty() { "made at the first start".to_owned() } else { kinds.join(", ") })
}

fn open_files(most: Option<u64>) -> Check {
    match most {
        Some(most) if most < FEW_FILES => Check::warning(
            "open files",
            format!("at most {most} files and connections may be open"),
            "raise the limit: LimitNOFILE in the unit, or ulimit -Hn before the start",
        ),
        Some(most) => Check::good("open files", format!("up to {most}")),
        None => Check::good("open files", "no limit"),
    }
}

fn metrics(config: &Config) -> Check {
    match config.metrics_listen {
        None => Check::good("metrics", "GET /metrics, for who may watch the platform"),
        Some(listen) if listen.ip().is_loopback() => Check::good("metrics", format!("also at {listen}, for programs of this machine")),
        Some(listen) => Check {
            name: "metrics",
            verdict: Verdict::Warning,
            found: format!("also at {listen}, unencrypted, for everybody who reaches it"),
            cure: Some("let only monitors reach it, or set metrics.listen to a loopback address".to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_790_000_000_000);

    #[test]
    fn a_missing_and_an_old_backup_are_told_with_what_to_type() {
        assert_eq!(newest(0, None, NOW, "cure").verdict, Verdict::Warning);
        assert_eq!(newest(3, Some(NOW.plus(-DAY)), NOW, "cure").verdict, Verdict::Good);
        let old = newest(3, Some(NOW.plus(-9 * DAY)), NOW, "cure");
        assert_eq!((old.verdict, old.found.as_str(), old.cure.as_deref()), (Verdict::Warning, "3, the newest is 9 days old", Some("cure")));
    }

    #[test]
    fn a_key_of_more_than_a_year_should_be_rotated() {
        let active = |days: i64| vec![("access".to_owned(), NOW.plus(-DAY)), ("audit".to_owned(), NOW.plus(-days * DAY))];
        assert_eq!(ages(&active(30), NOW).found, "access, audit");
        let old = ages(&active(500), NOW);
        assert_eq!(
            (old.verdict, old.found.contains("audit"), old.cure.as_deref()),
            (Verdict::Warning, true, Some("codex-web keys rotate"))
        );
        assert!(!old.found.contains("access"), "{old:?}");
    }

    #[test]
    fn few_open_files_are_a_warning() {
        assert_eq!(open_files(Some(1_024)).verdict, Verdict::Warning);
        assert_eq!((open_files(Some(65_536)).verdict, open_files(None).verdict), (Verdict::Good, Verdict::Good));
    }
}
