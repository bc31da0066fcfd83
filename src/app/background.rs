//! What goes on beside the answers: keys that take time to make, the reconciler, timed upkeep.

use super::Application;
use crate::cluster::ClusterControl;
use crate::gateway::egress::EgressTunnels;
use crate::gateway::uplink::Services;
use crate::gateway::uplink::keeper::Keeper;
use crate::reconcile::Reconciler;
use crate::upkeep;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The running tasks; they end when told to.
pub struct Background {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// Starts everything that is not needed for the first answer.
pub fn start(application: &Application) -> Background {
    let app = Arc::clone(&application.app);
    let (stop, stopped) = watch::channel(false);
    let late = Arc::clone(&app);
    let mut tasks = vec![tokio::task::spawn_blocking(move || {
        if let Err(error) = late.keys.complete(&late.ops.db, late.clock.as_ref(), late.entropy.as_ref()) {
            tracing::error!(%error, "the key of agent tickets could not be made: workspaces cannot be opened");
        }
        if late.unclean
            && let Err(error) = upkeep::check_integrity(&late.ops)
        {
            tracing::error!(%error, "the database could not be checked");
        }
    })];
    let limited = Arc::clone(&app);
    let upkeep = upkeep::Upkeep {
        ops: app.ops.clone(),
        keys: Arc::clone(&app.keys),
        clock: Arc::clone(&app.clock),
        forget_idle_callers: Arc::new(move || limited.limiter.tidy()),
    };
    tasks.push(tokio::spawn(upkeep::run(upkeep, stopped.clone())));
    let keeper = Keeper::new(app.gateway.clone(), Services::default().tunnels(Arc::new(EgressTunnels(Arc::clone(&app.egress)))));
    tasks.push(tokio::spawn(keeper.run(stopped.clone())));
    tasks.push(tokio::spawn(super::egress::follow(Arc::clone(&app), stopped.clone())));
    if let Some(cluster) = &application.cluster {
        let control: Arc<dyn ClusterControl> = Arc::clone(cluster) as _;
        let reconciler = Reconciler::new(app.ops.clone(), control, Arc::clone(&app.clock), app.keys.machine());
        tasks.push(tokio::spawn(reconciler.run(stopped)));
    }
    Background { stop, tasks }
}

impl Background {
    /// Tells all tasks to end and waits for what they do now.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        for task in self.tasks {
            let _ = task.await;
        }
    }
}
