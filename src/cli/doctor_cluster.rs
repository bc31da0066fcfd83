//! `codex-web doctor` where workspaces are pods of a cluster: reachability, rights, storage, network, metrics, quota and
//! clocks, asked of the API server with the server's own credentials.

use super::cluster;
use super::doctor::{Check, Verdict};
use crate::clock::SystemClock;
use crate::cluster::kubernetes::doctor::{self, Finding};
use crate::config::Config;
use std::sync::Arc;

/// What was found, one check for each finding.
pub fn checks(config: &Config) -> Vec<Check> {
    let bad = |found: String, cure: &str| vec![Check { name: "cluster", verdict: Verdict::Bad, found, cure: Some(cure.to_owned()) }];
    let settings = match cluster::settings(config) {
        Ok(settings) => settings,
        Err(failure) => return bad(failure.message, "correct the section cluster of the configuration"),
    };
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(doctor::examine(settings, Arc::new(SystemClock))).into_iter().map(check).collect(),
        Err(error) => bad(error.to_string(), "free some memory and run doctor again"),
    }
}

fn check(finding: Finding) -> Check {
    let verdict = match finding.verdict {
        doctor::Verdict::Good => Verdict::Good,
        doctor::Verdict::Warning => Verdict::Warning,
        doctor::Verdict::Bad => Verdict::Bad,
    };
    Check { name: finding.name, verdict, found: finding.found, cure: finding.cure }
}
