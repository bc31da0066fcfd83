//! Which walls this host allows, found out by building them: runs the real launcher on the escape checks of
//! `probe.rs` and takes the strongest tier whose every check held.
//!
//! Kernel versions are not asked. Container runtimes, security modules and distributions take pieces away in ways
//! that only a try reveals.

use crate::cluster::Size;
use crate::cluster::local::LocalOptions;
use crate::cluster::local::control_group::Host;
use crate::cluster::local::egress;
use crate::cluster::local::home::folder;
use crate::cluster::local::probe::FULL_ONLY;
use crate::cluster::local::spawn::{Voices, launch};
use crate::cluster::local::spec::{Inside, Limits, Order, ProbeResult, Probes, SandboxSpec, Tier};
use crate::domain::agent::StartEvent;
use crate::domain::egress::Mode;
use rustix::fs::{AtFlags, CWD};
use rustix::process::{Gid, Uid};
use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The user as whom the checks run where the server is root: no person and no workspace has this number.
const PROBE_UID: u32 = 64_991;
/// The owner of the decoys, another one.
const DECOY_UID: u32 = 64_992;
/// A launcher that says nothing for this long is stuck.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the self-test found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// `None`: workspaces do not start.
    pub tier: Option<Tier>,
    /// The checks of the tier that is used, or of the last that was tried: name, and whether it held.
    pub checks: Vec<(String, bool)>,
    /// Why stronger tiers are not used, one sentence each.
    pub refused: Vec<String>,
    /// What can be limited for a workspace as a whole.
    pub limits: Host,
}

/// Tries the tiers from the strongest down.
pub async fn run(options: &LocalOptions, is_root: bool) -> Verdict {
    let limits = Host::detect(std::process::id());
    let mut verdict = Verdict { tier: None, checks: Vec::new(), refused: Vec::new(), limits };
    let candidates: Vec<Tier> = match options.only_tier {
        Some(Tier::Unconfined) => Vec::new(),
        Some(tier) => vec![tier],
        None if is_root => vec![Tier::Full, Tier::UidLandlock],
        None => vec![Tier::Full],
    };
    for tier in candidates {
        match attempt(options, is_root, tier).await {
            Ok(results) => {
                let open: Vec<&str> = results.iter().filter(|r| !r.blocked && matters(tier, &r.name)).map(|r| r.name.as_str()).collect();
                verdict.checks = results.iter().map(|r| (r.name.clone(), r.blocked)).collect();
                if open.is_empty() {
                    verdict.tier = Some(tier);
                    return verdict;
                }
                verdict.refused.push(format!("Tier {} does not hold here: {}.", tier.as_str(), open.join(", ")));
            }
            Err(why) => verdict.refused.push(format!("Tier {} cannot be made here: {why}", tier.as_str())),
        }
    }
    if options.allow_unconfined {
        verdict.tier = Some(Tier::Unconfined);
    }
    verdict
}

fn matters(tier: Tier, check: &str) -> bool {
    match tier {
        Tier::Full => true,
        Tier::UidLandlock => !FULL_ONLY.contains(&check),
        Tier::Unconfined => false,
    }
}

/// Decoys that are removed whatever happens.
struct Decoys {
    base: PathBuf,
    socket: PathBuf,
    listeners: (UnixListener, UnixListener, TcpListener),
    probes: Probes,
    home: PathBuf,
}

impl Drop for Decoys {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.base);
        let _ = fs::remove_file(&self.socket);
    }
}

fn decoys(options: &LocalOptions, is_root: bool) -> io::Result<Decoys> {
    // Two runtimes of one process (in tests) must not meet in the abstract name space.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let server_pid = std::process::id();
    let number = format!("{server_pid}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let base = options.data_dir.join("workspaces").join(format!(".self-test-{number}"));
    let _ = fs::remove_dir_all(&base);
    folder(&base, 0o711)?;
    let (home, other) = (base.join("home"), base.join("other"));
    for (path, uid) in [(&home, PROBE_UID), (&other, DECOY_UID)] {
        folder(path, 0o700)?;
        if is_root {
            rustix::fs::chownat(CWD, path, Some(Uid::from_raw(uid)), Some(Gid::from_raw(uid)), AtFlags::SYMLINK_NOFOLLOW)?;
        }
    }
    let (other_file, server_file) = (other.join("file"), base.join("server-file"));
    for path in [&other_file, &server_file] {
        crate::cluster::local::home::write_whole(path, b"")?;
    }
    let socket = options.run_dir.join(format!("probe-{number}.sock"));
    let _ = fs::remove_file(&socket);
    let abstract_socket = format!("codex-web-probe-{number}");
    let named = UnixListener::bind(&socket)?;
    let hidden = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&abstract_socket)?)?;
    let loopback = TcpListener::bind(("127.0.0.1", 0))?;
    let probes =
        Probes { other_file, other_socket: socket.clone(), server_file, server_pid, loopback: loopback.local_addr()?, abstract_socket };
    Ok(Decoys { base, socket, listeners: (named, hidden, loopback), probes, home })
}

async fn attempt(options: &LocalOptions, is_root: bool, tier: Tier) -> Result<Vec<ProbeResult>, String> {
    let decoys = decoys(options, is_root).map_err(|e| format!("the decoys could not be laid out: {e}."))?;
    let order = Order::Enter(Box::new(SandboxSpec {
        tier,
        server_pid: std::process::id(),
        uid: is_root.then_some(PROBE_UID),
        home: decoys.home.clone(),
        tmp: decoys.home.clone(),
        root: options.mount_point(),
        hostname: "self-test".to_owned(),
        shell: "/bin/sh".to_owned(),
        tools: options.tools.clone(),
        apps: Vec::new(),
        program: None,
        etc: Vec::new(),
        cgroups: Vec::new(),
        limits: Limits { open_files: 256, tmp_bytes: 1024 * 1024, ..Limits::default() },
        inside: Inside::SelfTest(Box::new(decoys.probes.clone())),
    }));
    // The launcher expects a listener; the probe does not use it.
    let listener = decoys.listeners.0.try_clone().map_err(|e| format!("no socket could be made: {e}."))?;
    let (mut launched, voices) = launch(&options.self_exe, &order, listener).map_err(|e| format!("the launcher did not start: {e}."))?;
    let answer = tokio::time::timeout(PATIENCE, listen(voices)).await.map_err(|_| "the launcher did not answer.".to_owned())?;
    let _ = tokio::time::timeout(PATIENCE, launched.ended()).await;
    answer
}

async fn listen(mut voices: Voices) -> Result<Vec<ProbeResult>, String> {
    let mut results = Vec::new();
    while let Some(line) = voices.status.next().await {
        if let Ok(result) = serde_json::from_str::<ProbeResult>(&line) {
            results.push(result);
        } else if let Ok(StartEvent::Failed { message, .. }) = serde_json::from_str(&line) {
            return Err(message);
        }
    }
    if results.is_empty() {
        let words = voices.log.next().await.unwrap_or_else(|| "the launcher ended without a word".to_owned());
        return Err(format!("{words}."));
    }
    Ok(results)
}

impl Verdict {
    /// One line for the start message, the admin page and `doctor`.
    pub fn summary(&self, is_root: bool) -> String {
        let users = if is_root { "a uid for each workspace" } else { "the server's own uid for all" };
        let limits =
            if self.limits.limits("memory") { self.limits.words() } else { format!("{}; memory best effort", self.limits.words()) };
        let blocked = self.checks.iter().filter(|(_, held)| *held).count();
        let checks = format!("self-test: {blocked} of {} checks held", self.checks.len());
        match self.tier {
            Some(Tier::Full) => format!("full isolation ({users}, namespaces, private root, own network, Landlock); {limits}; {checks}"),
            Some(Tier::UidLandlock) => {
                format!("reduced isolation ({users}, Landlock; shared process list and network); {limits}; {checks}")
            }
            Some(Tier::Unconfined) => "NO isolation, as workspaces.allow_unconfined demands".to_owned(),
            None => "no isolation available: workspaces do not start".to_owned(),
        }
    }

    /// What is limited or not isolated, one sentence each, with the remedy.
    pub fn warnings(&self, is_root: bool, mode: Mode) -> Vec<String> {
        let mut warnings = self.refused.clone();
        match self.tier {
            Some(Tier::Full) => {}
            Some(Tier::UidLandlock) => warnings.push(
                "Workspaces see each other's process list and share the host's network, 127.0.0.1 included; let the server make namespaces (in a container: CAP_SYS_ADMIN) to close this.".to_owned(),
            ),
            Some(Tier::Unconfined) => warnings.push(
                "Workspaces can read and change whatever the server can; use this on a throw-away machine for one person only.".to_owned(),
            ),
            None => warnings.push(
                "Run the server as root or allow user namespaces; on a throw-away machine for one person, set workspaces.allow_unconfined.".to_owned(),
            ),
        }
        warnings.extend(self.tier.and_then(|tier| egress::warning(tier, mode)));
        if !self.limits.limits("memory") {
            warnings.push("Memory limits are best effort: usage is watched every second, and each process has a heap limit. Give the server a control group of its own (systemd: Delegate=yes) for exact limits.".to_owned());
        }
        if !self.limits.limits("cpu") {
            warnings.push("Processor shares are not limited: workspaces run at a lower priority only.".to_owned());
        }
        if !is_root {
            warnings.push(
                "The server is not root, so all workspaces share its uid; the walls between them are namespaces and Landlock alone."
                    .to_owned(),
            );
        }
        warnings
    }
}

/// The limits of one process of a workspace of this size, given what can be limited for the whole of it.
pub fn process_limits(host: &Host, size: &Size, own_uid: bool) -> Limits {
    let bytes = |n: i64| u64::try_from(n).unwrap_or(0);
    let memory = bytes(size.memory_bytes).max(64 << 20);
    Limits {
        processes: own_uid.then_some(crate::cluster::local::control_group::MOST_PROCESSES),
        open_files: 65_536,
        data_bytes: (!host.limits("memory")).then_some(memory),
        file_bytes: Some(bytes(size.disk_bytes)).filter(|n| *n > 0),
        tmp_bytes: (memory / 2).max(64 << 20),
        nice: !host.limits("cpu"),
    }
}
