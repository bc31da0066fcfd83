//! Egress as the application puts it together: the system's resolver, this machine's addresses, the settings of the
//! moment, and the timeline for what was refused.

use crate::clock::Clock;
use crate::config::Config;
use crate::domain::egress::Policy;
use crate::error::Result;
use crate::gateway::egress::resolve::SystemResolver;
use crate::gateway::egress::{Parts, SiteProxy};
use crate::ops::{Ops, egress};
use crate::transport::Machine;
use std::sync::Arc;
use tokio::sync::watch;

/// Connections of all workspaces together, where descriptors are plenty.
const MOST_OPEN: usize = 16_384;

pub(super) fn parts(rules: watch::Sender<Arc<Policy>>, config: &Config, clock: &Arc<dyn Clock>, ops: &Ops) -> Result<Parts> {
    let ops = ops.clone();
    let proxy = config.egress_proxy.clone().map(|upstream| SiteProxy::new(upstream, config.extra_ca.as_ref())).transpose()?;
    Ok(Parts {
        rules,
        upstream: proxy,
        direct: config.egress_direct.clone(),
        resolver: Arc::new(SystemResolver::default()),
        own: Arc::new(|| Machine::read().addresses),
        clock: Arc::clone(clock),
        most_open: most_open(),
        on_refused: Box::new(move |workspace, run, words| {
            let (ops, workspace) = (ops.clone(), workspace.clone());
            tokio::spawn(async move {
                if let Err(error) = egress::note(&ops, workspace, run, words).await {
                    tracing::warn!(%error, "a refused connection is missing in the timeline of its workspace");
                }
            });
        }),
    })
}

/// Half of what this process may have open: the other half is for people.
fn most_open() -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    files.map_or(MOST_OPEN, |files| usize::try_from(files / 2).unwrap_or(MOST_OPEN).min(MOST_OPEN))
}
