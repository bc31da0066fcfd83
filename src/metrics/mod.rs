//! What the server measures of itself, as OpenMetrics text.
//!
//! Two halves. [`Meters`] count as things happen: requests, writes, rounds of the reconciler, timed work. A
//! [`Snapshot`] is read when somebody asks: rows, the disk, this process. [`page`] prints both.
//!
//! Every label value comes from a closed list (the route table, an enum, the statuses of HTTP), so nothing that a caller
//! sends can make a series. Groups, people and workspaces are no labels for the same reason: what each of them uses is
//! asked of the API, which also knows who may see it. A leaf module: it knows nothing else of the product.

pub mod live;
pub mod process;
pub mod snapshot;

pub use live::{Meters, Outcome, Rounds, StoreMeter, Work};
pub use snapshot::Snapshot;

use prometheus_client::encoding::text::{encode_eof, encode_registry};

/// The media type of [`page`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What every family of this product begins with; those of the process have the names that every program's have.
const PREFIX: &str = "codex_web";

/// Everything that is measured, as one text. The error is that of a writer that cannot fail.
pub fn page(meters: &Meters, snapshot: &Snapshot) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    meters.print(&mut text)?;
    encode_registry(&mut text, &snapshot.registry())?;
    encode_registry(&mut text, &snapshot.process.registry())?;
    encode_eof(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::time::Duration;

    /// A page with a sample of everything.
    fn full() -> String {
        let meters = Meters::new(StoreMeter::default());
        meters.request("GET", "/api/groups/{group}", 200, Duration::from_millis(3));
        meters.store.wrote(Duration::from_millis(2));
        meters.store.failed();
        meters.rounds.done(Outcome::Done, Duration::from_millis(8));
        meters.work.done("sweep ended sign-ins", Outcome::Failed);
        page(&meters, &Snapshot::example()).unwrap()
    }

    fn families(text: &str, keyword: &str) -> BTreeSet<String> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(keyword)?.split(' ').next().map(str::to_owned));
        lines.collect()
    }

    #[test]
    fn every_family_has_help_and_a_unit_or_is_a_state() {
        let text = full();
        let (all, helped, united) = (families(&text, "# TYPE "), families(&text, "# HELP "), families(&text, "# UNIT "));
        assert!(all.len() > 30, "{text}");
        assert_eq!(all, helped);
        // Facts and switches count nothing.
        let without: Vec<&String> = all.difference(&united).collect();
        assert_eq!(without, ["codex_web_build", "codex_web_cluster_healthy", "codex_web_read_only", "codex_web_unclean_start"]);
        for unit in text.lines().filter_map(|line| line.strip_prefix("# UNIT ")) {
            let (family, unit) = unit.split_once(' ').unwrap();
            assert!(family.ends_with(&format!("_{unit}")), "{family} does not end with its unit {unit}");
        }
    }

    #[test]
    fn the_page_ends_as_openmetrics_must_and_names_each_family_once() {
        let text = full();
        assert!(text.ends_with("\n# EOF\n") && text.matches("# EOF").count() == 1, "{text}");
        let types: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE ")).collect();
        assert_eq!(types.len(), families(&text, "# TYPE ").len(), "a family that stands twice");
        assert!(text.contains("codex_web_http_requests_total{method=\"GET\",route=\"/api/groups/{group}\",status=\"200\"} 1"), "{text}");
        assert!(text.contains("codex_web_upkeep_runs_total{step=\"sweep ended sign-ins\",outcome=\"failed\"} 1"), "{text}");
    }

    #[test]
    fn what_is_not_known_is_absent_and_not_zero() {
        let (text, bare) = (full(), page(&Meters::new(StoreMeter::default()), &Snapshot::default()).unwrap());
        for family in ["codex_web_backup_newest_timestamp_seconds", "codex_web_cluster_cpu_cores", "codex_web_disk_free_bytes"] {
            assert!(text.contains(family), "{family} is missing in {text}");
            assert!(!bare.lines().any(|line| line.starts_with(family)), "{family} has a value that nobody knows");
        }
    }
}
