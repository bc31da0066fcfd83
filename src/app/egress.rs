//! Egress as the application puts it together: the system's resolver, this machine's addresses, the settings of the
//! moment, and the timeline for what was refused.

use super::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::egress::Policy;
use crate::gateway::egress::Parts;
use crate::gateway::egress::resolve::SystemResolver;
use crate::ops::{Ops, egress};
use crate::store::{Origin, settings};
use crate::transport::Machine;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long a setting that somebody wrote may wait.
const TICK: Duration = Duration::from_secs(5);
/// Connections of all workspaces together, where descriptors are plenty.
const MOST_OPEN: usize = 16_384;

pub(super) fn parts(rules: watch::Sender<Arc<Policy>>, config: &Config, clock: &Arc<dyn Clock>, ops: &Ops) -> Parts {
    let ops = ops.clone();
    Parts {
        rules,
        upstream: config.egress_proxy.clone(),
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
    }
}

/// Half of what this process may have open: the other half is for people.
fn most_open() -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    files.map_or(MOST_OPEN, |files| usize::try_from(files / 2).unwrap_or(MOST_OPEN).min(MOST_OPEN))
}

/// Puts the settings in force whenever somebody changes them, until the server stops.
pub async fn follow(app: Arc<App>, mut stopped: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            () = tokio::time::sleep(TICK) => refresh(&app).await,
        }
    }
}

/// Looks at the settings once.
pub async fn refresh(app: &App) {
    let origin = Origin { call_id: "settings".to_owned(), ..Origin::default() };
    match app.ops.db.read(origin, settings::all).await {
        Ok(stored) => app.egress.set_policy(app.config.runtime(&stored).egress),
        // What was in force stays in force.
        Err(error) => tracing::warn!(%error, "the settings could not be read"),
    }
}
