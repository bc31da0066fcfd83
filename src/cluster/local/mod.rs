//! The embedded runtime for where there is no cluster: each workspace is a sandboxed process tree on this host.
//!
//! A workspace is our own agent as the first process of a sandbox, with a home of its own. The walls come in two tiers
//! that a self-test at start chooses between; where neither holds, workspaces refuse to start unless the operator says
//! otherwise. Workspaces end with the server, whatever ends it, and come back by reconciliation with their files.
//!
//! One long-lived thread starts and watches everything: the kernel ties a launcher's life to the thread that started
//! it. The server never opens a socket, log or file that a workspace can replace. In tier `full` the sandbox has a network
//! namespace with loopback only, and what goes out goes through a proxy of the agent to the server (`gateway::egress`).
//! Deliberately absent: images, because there is nothing here to run them.

mod agent_notes;
mod control;
mod control_group;
mod egress;
mod enter;
pub(in crate::cluster) mod git_files;
mod guard;
mod home;
mod host;
mod kernel;
mod order;
mod probe;
mod resize;
mod root;
mod self_test;
mod spawn;
mod spec;
mod state;
mod supervise;
pub mod tools;
mod view;
mod walls;

pub use enter::{Entered, enter};
pub use spawn::SUBCOMMAND;
pub use spec::Tier;

use crate::clock::Clock;
use crate::cluster::local::home::{Folders, folder};
use crate::cluster::local::state::{Shared, Target};
use crate::cluster::local::supervise::supervise;
use crate::domain::egress::Policy;
use crate::domain::id::WorkspaceId;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

/// What `health` says until the self-test is done.
pub const TESTING: &str = "testing the sandbox";

/// How the local runtime is set up.
#[derive(Clone)]
pub struct LocalOptions {
    /// Holds `workspaces/`. It and its parents must let other uids pass (mode 0711) where namespaces are refused.
    pub data_dir: PathBuf,
    /// A short path for sockets, made with mode 0700.
    pub run_dir: PathBuf,
    /// This program: it is started again as launcher and agent. `/proc/self/exe` stays right across an upgrade.
    pub self_exe: PathBuf,
    /// Start workspaces without walls where none can be had.
    pub allow_unconfined: bool,
    /// Try this tier and no other: for tests and `doctor`.
    pub only_tier: Option<Tier>,
    /// Directories of the host that workspaces may read, beside the system's own.
    pub tools: Vec<PathBuf>,
    /// Certificate authorities that programs of workspaces trust beside the system's, in PEM.
    pub extra_ca: Option<Arc<str>>,
    /// How long programs have between SIGTERM and SIGKILL.
    pub grace: Duration,
    /// What workspaces may reach. Where the network is the host's own nobody can hold them to it, so anything but
    /// `open` ends and refuses them there.
    pub egress: watch::Receiver<Arc<Policy>>,
    pub clock: Arc<dyn Clock>,
}

impl LocalOptions {
    /// The usual options.
    pub fn new(data_dir: PathBuf, run_dir: PathBuf, clock: Arc<dyn Clock>) -> Self {
        Self {
            data_dir,
            run_dir,
            self_exe: PathBuf::from("/proc/self/exe"),
            allow_unconfined: false,
            only_tier: None,
            tools: Vec::new(),
            extra_ca: None,
            grace: Duration::from_secs(5),
            egress: watch::channel(Arc::default()).1,
            clock,
        }
    }

    /// Where a launcher puts its private root together; seen by itself alone.
    fn mount_point(&self) -> PathBuf {
        self.run_dir.join("root")
    }
}

/// The local runtime. Dropping it ends every workspace at once; [`shut_down`](crate::cluster::ClusterControl::shut_down)
/// ends them gracefully.
pub struct LocalCluster {
    shared: Arc<Shared>,
    runtime: Handle,
    _end: oneshot::Sender<()>,
}

impl LocalCluster {
    /// Makes the folders and starts the runtime's thread. Returns at once: the self-test and the look through the homes
    /// run in the background, and `health` says `testing` until the first is done.
    pub fn start(options: LocalOptions) -> io::Result<Arc<Self>> {
        folder(&options.data_dir.join("workspaces"), 0o711)?;
        std::fs::create_dir_all(&options.run_dir)?;
        folder(&options.run_dir, 0o700)?;
        folder(&options.mount_point(), 0o700)?;
        let is_root = rustix::process::geteuid().is_root();
        let shared = Arc::new(Shared::new(options, is_root));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        let background = Arc::clone(&shared);
        std::thread::Builder::new().name("local-runtime".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::spawn(look_around(background));
                let _ = ended.await;
            });
            // Supervisors are dropped here, and each kills its sandbox.
            runtime.shutdown_timeout(Duration::from_secs(1));
        })?;
        Ok(Arc::new(Self { shared, runtime: handle, _end: end }))
    }

    /// Gives a workspace its target, and a supervisor where it has none yet.
    fn aim(&self, id: &WorkspaceId, wanted: Target) {
        let mut state = self.shared.state();
        let Some(entry) = state.workspaces.get_mut(id) else { return };
        if let Some(target) = &entry.target {
            target.send_replace(wanted);
        } else {
            let (target, watched) = watch::channel(wanted);
            entry.target = Some(target);
            let supervisor = supervise(Arc::clone(&self.shared), id.clone(), watched);
            self.runtime.spawn(guard::guarded(Arc::clone(&self.shared), id.clone(), supervisor));
        }
    }
}

/// The work that may take longer than a start may: homes on the disk, and the self-test.
async fn look_around(shared: Arc<Shared>) {
    let scan = Arc::clone(&shared);
    let _ = tokio::task::spawn_blocking(move || scan_homes(&scan)).await;
    shared.scanned.send_replace(true);
    shared.tick();
    let verdict = self_test::run(&shared.options, shared.is_root).await;
    let known: Vec<WorkspaceId> = shared.state().workspaces.keys().cloned().collect();
    for id in known {
        verdict.limits.tidy(&order::group_name(&id));
        if let (true, Some(uid)) = (verdict.tier != Some(Tier::Full), leftover_uid(&shared, &id)) {
            spawn::sweep(&shared.options.self_exe, uid).await;
        }
    }
    shared.verdict.send_replace(Some(Arc::new(verdict)));
    shared.tick();
}

/// The uid under which a program of a killed server could still run: without a pid namespace nothing but its keeper
/// ends it, and a keeper can be killed too.
fn leftover_uid(shared: &Shared, id: &WorkspaceId) -> Option<u32> {
    let state = shared.state();
    state.workspaces.get(id).filter(|entry| shared.is_root && entry.live.is_none()).map(|entry| entry.uid)
}

/// Lists the homes of earlier runs as absent. What cannot be read is left alone.
fn scan_homes(shared: &Shared) {
    for entry in std::fs::read_dir(shared.workspaces_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(id) = name.to_str().and_then(|n| WorkspaceId::parse(n).ok()) else { continue };
        let folders = Folders::new(&shared.workspaces_dir(), &id);
        if let Some(record) = folders.recall() {
            let blank = shared.blank(&id, &record);
            shared.state().workspaces.entry(id).or_insert(blank);
        }
    }
    remove_old_sockets(shared);
}

/// Removes the sockets of earlier runs of the workspaces of this data directory; the run directory may be shared.
fn remove_old_sockets(shared: &Shared) {
    let known: Vec<String> = shared.state().workspaces.keys().map(|id| format!("{}-", id.hex())).collect();
    for entry in std::fs::read_dir(&shared.options.run_dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_old = name.to_str().is_some_and(|n| n.ends_with(".sock") && known.iter().any(|k| n.starts_with(k.as_str())));
        if is_old {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
