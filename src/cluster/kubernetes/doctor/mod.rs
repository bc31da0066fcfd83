//! What `codex-web doctor` finds in a cluster: one finding for each thing that is needed, each with what to do about it.
//!
//! It asks and changes nothing; the one thing that it sends to be made is a dry run. Each check stands by itself, so that
//! one that fails hides none of the others, except where there is no API server to ask.

mod features;
mod rights;

use super::client::{self, Clients};
use super::settings::KubernetesSettings;
use crate::clock::{Clock, Millis, SECOND};
use crate::cluster::ClusterError;
use hyper::Request;
use hyper::header::DATE;
use kube::client::Body;
use std::sync::Arc;

/// The oldest minor version of Kubernetes that the client is made for.
const OLDEST_MINOR: u32 = 33;
/// Certificates and tokens are judged by the clock: so much apart, in milliseconds, is worth a word, and so much breaks.
const SKEW: i64 = 3 * SECOND;
const TOO_MUCH_SKEW: i64 = 30 * SECOND;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Good,
    /// It works, but not as well as it could.
    Warning,
    Bad,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub name: &'static str,
    pub verdict: Verdict,
    pub found: String,
    /// What to do now; there is one wherever the verdict is not good.
    pub cure: Option<String>,
}

impl Finding {
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

/// Checks everything that these settings need.
pub async fn examine(settings: KubernetesSettings, clock: Arc<dyn Clock>) -> Vec<Finding> {
    let settings = Arc::new(settings);
    let mut findings = vec![agent_image(&settings.agent_image)];
    let from = match &settings.kubeconfig {
        Some(path) => path.display().to_string(),
        None => "the service account of this pod".to_owned(),
    };
    if let Err(why) = client::configuration(&settings).await {
        let cure = "set cluster.kubeconfig to a file that this user may read, and cluster.context to one of its contexts";
        findings.push(Finding::bad("cluster", why, cure));
        return findings;
    }
    let clients = Clients::new(Arc::clone(&settings));
    let (version, skew) = match version(&clients, clock.as_ref()).await {
        Ok(found) => found,
        Err(error) => {
            let cure = format!("check that the API server runs and that its address and credentials in {from} are right");
            findings.push(Finding::bad("cluster", error.to_string(), cure));
            return findings;
        }
    };
    findings.push(reachable(&version, &from));
    findings.extend(skew.map(clock_skew));
    let (rights, classes, quota, api, metrics) = tokio::join!(
        rights::check(&clients),
        features::storage_class(&clients, settings.storage_class.as_deref()),
        features::quota(&clients),
        features::network_policy(&clients, &version.git),
        features::metrics(&clients),
    );
    findings.extend(rights);
    findings.extend([classes, api, metrics, quota]);
    findings
}

/// What the API server says of itself.
struct Version {
    git: String,
    minor: Option<u32>,
}

async fn version(clients: &Clients, clock: &dyn Clock) -> Result<(Version, Option<i64>), ClusterError> {
    let client = clients.get().await?;
    let request = Request::get("/version").body(Body::empty()).map_err(|e| ClusterError::Transient(e.to_string()))?;
    let asked = clock.now();
    let answer = clients.call(client.send(request)).await?;
    let answered = clock.now();
    let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok()).and_then(http_date);
    let skew = date.map(|date| apart(date, asked, answered));
    let info = clients.call(client.apiserver_version()).await?;
    let minor: String = info.minor.chars().take_while(char::is_ascii_digit).collect();
    Ok((Version { git: info.git_version, minor: minor.parse().ok() }, skew))
}

/// How far apart the clocks are at least, in milliseconds: the header has whole seconds, and an answer takes its time.
fn apart(date: Millis, asked: Millis, answered: Millis) -> i64 {
    let (earliest, latest) = (date, date.plus(999));
    if earliest > answered {
        earliest.since(answered)
    } else if latest < asked {
        latest.since(asked)
    } else {
        0
    }
}

/// `Sun, 22 Nov 2026 08:40:10 GMT`.
fn http_date(text: &str) -> Option<Millis> {
    let time = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Millis(time.as_millisecond()))
}

fn reachable(version: &Version, from: &str) -> Finding {
    let found = format!("Kubernetes {} with {from}", version.git);
    match version.minor {
        Some(minor) if minor < OLDEST_MINOR => {
            Finding::warning("cluster", found, format!("upgrade the cluster to 1.{OLDEST_MINOR} or later: older ones were not tried"))
        }
        _ => Finding::good("cluster", found),
    }
}

fn clock_skew(skew: i64) -> Finding {
    const NAME: &str = "cluster clock";
    let found = format!("{} s {} this machine's", skew.abs() / SECOND, if skew > 0 { "ahead of" } else { "behind" });
    let cure = "synchronise the clocks of this machine and of the control plane (NTP)";
    match skew.abs() {
        0..SKEW => Finding::good(NAME, "shows the same time"),
        SKEW..TOO_MUCH_SKEW => Finding::warning(NAME, found, cure),
        _ => Finding::bad(NAME, found, cure),
    }
}

fn agent_image(image: &str) -> Finding {
    const NAME: &str = "agent image";
    if image.is_empty() {
        let cure = "set cluster.agent_image; codex-web image export makes one for a registry, or for the nodes directly";
        return Finding::bad(NAME, "not set, so no workspace can start", cure);
    }
    let last = image.rsplit('/').next().unwrap_or(image);
    if !last.contains('@') && last.split_once(':').is_none_or(|(_, tag)| tag == "latest") {
        return Finding::warning(
            NAME,
            format!("{image} has no fixed tag"),
            "name the version of this program, so that agents do not change by themselves",
        );
    }
    Finding::good(NAME, image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_compared_with_what_a_header_can_say() {
        let at = |ms: i64| Millis(1_795_338_000_000 + ms);
        assert_eq!(apart(at(0), at(100), at(300)), 0);
        assert_eq!(apart(at(0), at(999), at(1_500)), 0, "a header has whole seconds");
        assert_eq!(apart(at(0), at(5_000), at(5_100)), -4_001);
        assert_eq!(apart(at(60_000), at(0), at(100)), 59_900);
        assert_eq!(http_date("Sun, 22 Nov 2026 08:40:10 GMT").map(Millis::rfc3339).as_deref(), Some("2026-11-22T08:40:10.000Z"));
        assert_eq!(http_date("yesterday"), None);
        let verdicts = [0, 4_000, -60_000].map(|skew| clock_skew(skew).verdict);
        assert_eq!(verdicts, [Verdict::Good, Verdict::Warning, Verdict::Bad]);
    }

    #[test]
    fn an_agent_image_needs_a_fixed_tag() {
        let verdict = |image| agent_image(image).verdict;
        assert_eq!(verdict(""), Verdict::Bad);
        for loose in ["codex-web", "registry.example.org:5000/codex-web", "a/b:latest"] {
            assert_eq!(verdict(loose), Verdict::Warning, "{loose}");
        }
        for fixed in ["registry.example.org:5000/codex-web:0.1.0", "a@sha256:00"] {
            assert_eq!(verdict(fixed), Verdict::Good, "{fixed}");
        }
    }

    #[test]
    fn an_old_cluster_is_named() {
        let of = |minor| reachable(&Version { git: format!("v1.{minor}.1"), minor: Some(minor) }, "a file").verdict;
        assert_eq!((of(32), of(33), of(40)), (Verdict::Warning, Verdict::Good, Verdict::Good));
    }
}
