//! What goes on beside the answers: keys that take time to make, the reconciler, timed upkeep.

use super::{App, Application, Stage};
use crate::cluster::ClusterControl;
use crate::config::cluster::Kind;
use crate::gateway::egress::EgressTunnels;
use crate::gateway::git::{GitDesk, GitService};
use crate::gateway::looks;
use crate::gateway::rekey;
use crate::gateway::uplink::keeper::Keeper;
use crate::gateway::uplink::timeline::Timeline;
use crate::gateway::uplink::tokens::Tokens;
use crate::gateway::uplink::{Service, Services};
use crate::reconcile::Reconciler;
use crate::store::Db;
use crate::upkeep;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How often the room of the disk is looked at: often enough that nobody fills what is kept free in between.
const DISK_TICK: Duration = Duration::from_secs(5);

/// The running tasks; they end when told to.
pub struct Background {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// Starts everything that is not needed for the first answer.
pub fn start(application: &Application) -> Background {
    let app = Arc::clone(&application.app);
    let (stop, stopped) = watch::channel(false);
    let mut tasks = Vec::new();
    beside(Arc::clone(&app));
    let limited = Arc::clone(&app);
    let upkeep = upkeep::Upkeep {
        ops: app.ops.clone(),
        keys: Arc::clone(&app.keys),
        clock: Arc::clone(&app.clock),
        audit_dir: app.config.audit_export_dir.clone(),
        started: (app.clock.now(), Instant::now()),
        forget_idle_callers: Arc::new(move || limited.limiter.tidy()),
        work: app.meters.work.clone(),
    };
    tasks.push(tokio::spawn(upkeep::run(upkeep, stopped.clone())));
    tasks.push(tokio::spawn(follow_disk(app.ops.db.clone(), stopped.clone())));
    let keeper = Keeper::new(app.gateway.clone(), services(&app));
    tasks.push(tokio::spawn(keeper.run(stopped.clone())));
    tasks.push(tokio::spawn(looks::keep(app.gateway.clone(), stopped.clone())));
    tasks.push(tokio::spawn(rekey::follow(app.gateway.clone(), stopped.clone())));
    tasks.push(tokio::spawn(super::settings::follow(Arc::clone(&app), stopped.clone())));
    if let Some(cluster) = &application.cluster {
        let control: Arc<dyn ClusterControl> = Arc::clone(cluster) as _;
        let reconciler =
            Reconciler::new(app.ops.clone(), control, Arc::clone(&app.clock), app.keys.machine()).measured(app.meters.rounds.clone());
        tasks.push(tokio::spawn(reconciler.run(stopped)));
    }
    Background { stop, tasks }
}

/// Looks at the room of the disk until the server stops.
async fn follow_disk(db: Db, mut stopped: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            () = tokio::time::sleep(DISK_TICK) => {}
        }
        let db = db.clone();
        // A disk that hangs must not hang the server's thread.
        if tokio::task::spawn_blocking(move || look_at_disk(&db)).await.is_err() {
            tracing::error!("looking at the disk panicked; it is tried again");
        }
    }
}

/// Looks at it once, and tells the log when reading only begins or ends.
pub(super) fn look_at_disk(db: &Db) {
    let folder = db.path().parent().unwrap_or(db.path());
    let (free, reserve) = (|| db.room().space().map_or(0, |space| space.free >> 20), db.room().reserve() >> 20);
    match db.room().look(folder) {
        Ok(None) => {}
        Ok(Some(true)) => {
            let (free_mib, cure) = (free(), "free space there; it goes on by itself");
            tracing::error!(folder = %folder.display(), free_mib, min_free_mib = reserve, cure, "the disk is nearly full: only reading goes on");
        }
        Ok(Some(false)) => tracing::info!(free_mib = free(), "the disk has room again: everything goes on"),
        Err(error) => tracing::warn!(%error, "the room of the disk is not known"),
    }
}

/// Work of seconds that nobody waits for, on a thread of its own. A stop does not wait for it either: a key that was not
/// made is made by the next server, and a file that was not read to its end is only read.
fn beside(app: Arc<App>) {
    let work = move || {
        let made = app.keys.complete(&app.ops.db, app.clock.as_ref(), app.entropy.as_ref());
        if app.stage() == Stage::Stopping {
            return;
        }
        if let Err(error) = made {
            tracing::error!(%error, "the key of agent tickets could not be made: workspaces cannot be opened");
        }
        if app.unclean
            && let Err(error) = upkeep::check_integrity(&app.ops)
        {
            tracing::error!(%error, "the database could not be checked");
        }
    };
    if let Err(error) = std::thread::Builder::new().name("beside".into()).spawn(work) {
        tracing::error!(%error, "the key of agent tickets could not be made: the host starts no more threads");
    }
}

/// What workspaces may ask for on their own connections.
fn services(app: &Arc<App>) -> Services {
    let desk = GitDesk::new(app.ops.clone(), Arc::clone(app.keys.sealer()), Arc::clone(&app.clock));
    let git: Arc<dyn Service> = Arc::new(GitService(Arc::new(desk)));
    let machine = super::machine::start(Arc::clone(app));
    let services = match app.config.cluster.kind {
        Kind::Local => Services::default().tunnels(Arc::new(EgressTunnels(Arc::clone(&app.egress)))),
        // Pods have a network of their own, with policies; a way out through this server would go round them.
        Kind::Kubernetes => Services::default(),
    };
    services
        .below("/ssh/", Arc::clone(&git))
        .below("/git/", git)
        .below("/api/machine/", machine)
        .below("/machine/", Tokens::new(app.gateway.clone()))
        .below("/timeline/", Timeline::new(app.gateway.clone()))
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
