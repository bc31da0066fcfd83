//! The launcher: turns a fresh, single-threaded process into the first process of a sandbox.
//!
//! Two processes come of it. The *keeper* stays outside with the server's rights, does nothing but pass signals on and
//! wait, and dies with the server. The *first* process goes in, in an order in which every step was learned the hard
//! way: cgroup before all (nothing escapes counting), mounts before privileges are dropped, the bounding set while it
//! may still be changed, the parent-death signal after the change of uid (which clears it), Landlock last.

use crate::cluster::local::kernel::{self, Side};
use crate::cluster::local::probe;
use crate::cluster::local::root::{self, Stuck};
use crate::cluster::local::spec::{Inside, LISTENER_FD, Limits, Order, STATUS_FD, SandboxSpec, Tier};
use crate::cluster::local::walls;
use crate::domain::agent::{AgentOrder, StartEvent};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::Mode;
use rustix::process::{Pid, Resource, Rlimit, Signal, WaitOptions};
use rustix::thread::{CapabilitySet, CapabilitySets, Gid, Uid, UnshareFlags};
use std::fs::{self, File};
use std::io::{Read, Write};

/// The longest order, in bytes.
const LONGEST_ORDER: u64 = 1024 * 1024;
/// Exit status of a launcher that could not make the sandbox; the reason went to the status pipe.
const STUCK: u8 = 70;

/// What the calling process is now.
pub enum Entered {
    /// The first process of a sandbox: run the agent.
    Agent { order: Box<AgentOrder>, listener: OwnedFd, status: File },
    /// Everything is done; end with this status.
    Done(u8),
}

/// Reads an order from standard input and does it. Must be called before anything else: the process has one thread.
pub fn enter() -> Entered {
    let order = match read_order() {
        Ok(order) => order,
        Err(error) => return complain(None, &error),
    };
    match order {
        Order::Sweep { uid } => {
            sweep(uid);
            Entered::Done(0)
        }
        Order::Enter(spec) => keep(&spec),
    }
}

fn read_order() -> Result<Order, Stuck> {
    let mut text = String::new();
    std::io::stdin().take(LONGEST_ORDER).read_to_string(&mut text).map_err(Stuck::io("read the order"))?;
    // The order is not left behind on a descriptor that programs inside would inherit.
    let null = File::options().read(true).write(true).open("/dev/null").map_err(Stuck::io("open /dev/null"))?;
    rustix::stdio::dup2_stdin(&null).map_err(Stuck::at("close the order"))?;
    serde_json::from_str(&text).map_err(|_| Stuck { step: "understand the order".to_owned(), error: rustix::io::Errno::INVAL })
}

fn complain(status: Option<&mut File>, stuck: &Stuck) -> Entered {
    let event = StartEvent::Failed {
        code: "sandbox_failed".to_owned(),
        message: format!("The sandbox could not be made: {stuck}."),
        remedy: Some("Run `codex-web doctor` to see what this host allows.".to_owned()),
    };
    let line = serde_json::to_string(&event).unwrap_or_default();
    if let Some(status) = status {
        let _ = writeln!(status, "{line}");
    }
    let _ = writeln!(std::io::stderr(), "the sandbox could not be made: {stuck}");
    Entered::Done(STUCK)
}

/// The keeper's part: namespaces, fork, and then waiting.
fn keep(spec: &SandboxSpec) -> Entered {
    let taken = (|| {
        let listener = kernel::inherited(LISTENER_FD)?;
        let status = File::from(kernel::inherited(STATUS_FD)?);
        kernel::close_from(5)?;
        Ok((listener, status))
    })();
    let (listener, mut status) = match taken {
        Ok(taken) => taken,
        Err(error) => return complain(None, &Stuck { step: "take the descriptors".to_owned(), error }),
    };
    match split(spec) {
        Ok((Side::Parent(first), lifeline)) => {
            drop((listener, status, lifeline.0));
            let code = wait(spec, first);
            drop(lifeline.1);
            Entered::Done(code)
        }
        Ok((Side::Child, lifeline)) => {
            drop(lifeline.1);
            match inside(spec, &lifeline.0, &mut status) {
                Ok(()) => begin(spec, listener, status),
                Err(stuck) => complain(Some(&mut status), &stuck),
            }
        }
        Err(stuck) => complain(Some(&mut status), &stuck),
    }
}

fn split(spec: &SandboxSpec) -> Result<(Side, (OwnedFd, OwnedFd)), Stuck> {
    // Tier full ends with the keeper through the pid namespace. Without one the keeper must live long enough to clean up.
    let last = if spec.tier == Tier::Full { Signal::KILL } else { Signal::TERM };
    kernel::hold_signals();
    rustix::process::set_parent_process_death_signal(Some(last)).map_err(Stuck::at("tie the sandbox to the server"))?;
    if !server_lives(spec) {
        return Err(Stuck { step: "the server is gone".to_owned(), error: rustix::io::Errno::SRCH });
    }
    for procs in &spec.cgroups {
        fs::write(procs, "0").map_err(Stuck::io(format!("enter the cgroup {}", procs.display())))?;
    }
    // Under pressure a workspace goes before the server does.
    let _ = fs::write("/proc/self/oom_score_adj", "300");
    if spec.tier == Tier::Full {
        namespaces(spec)?;
    } else {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid())).map_err(Stuck::at("become the reaper"))?;
    }
    let lifeline = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(Stuck::at("make the lifeline"))?;
    Ok((kernel::fork().map_err(Stuck::at("fork"))?, lifeline))
}

fn server_lives(spec: &SandboxSpec) -> bool {
    rustix::process::getppid().is_some_and(|p| p.as_raw_nonzero().get().cast_unsigned() == spec.server_pid)
}

fn namespaces(spec: &SandboxSpec) -> Result<(), Stuck> {
    let mut flags = UnshareFlags::NEWNS
        | UnshareFlags::NEWPID
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWUTS
        | UnshareFlags::NEWCGROUP
        | UnshareFlags::NEWNET;
    let (uid, gid) = (rustix::process::getuid(), rustix::process::getgid());
    if spec.uid.is_none() {
        flags |= UnshareFlags::NEWUSER;
    }
    kernel::unshare(flags).map_err(Stuck::at("make namespaces"))?;
    if spec.uid.is_none() {
        // A group list could otherwise be dropped to get past a file mode that shuts a group out.
        fs::write("/proc/self/setgroups", "deny").map_err(Stuck::io("give up the groups"))?;
        fs::write("/proc/self/uid_map", format!("{uid} {uid} 1")).map_err(Stuck::io("map the user"))?;
        fs::write("/proc/self/gid_map", format!("{gid} {gid} 1")).map_err(Stuck::io("map the group"))?;
    }
    kernel::raise_loopback().map_err(Stuck::at("raise the loopback interface"))?;
    rustix::system::sethostname(spec.hostname.as_bytes()).map_err(Stuck::at("name the host"))
}

/// Waits for the first process, passes the wish to stop on, and leaves nothing behind.
fn wait(spec: &SandboxSpec, first: Pid) -> u8 {
    let mut code = None;
    while code.is_none() {
        match kernel::next_signal() {
            Signal::CHILD => code = reap(first),
            _ if spec.tier != Tier::Full && !server_lives(spec) => code = Some(137),
            _ => drop(rustix::process::kill_process(first, Signal::TERM)),
        }
    }
    if spec.tier != Tier::Full {
        end_what_is_left(spec);
    }
    code.unwrap_or(1)
}

/// Collects ended children; gives the status of the first process once it is among them.
fn reap(first: Pid) -> Option<u8> {
    let mut code = None;
    while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
        if pid == first {
            let signal = status.terminating_signal().map(|s| 128 + s);
            code = Some(u8::try_from(status.exit_status().or(signal).unwrap_or(1)).unwrap_or(1));
        }
    }
    code
}

/// Without a pid namespace the programs of a workspace outlive its first process: they are ended by their uid, or as
/// descendants where the uid is the server's own.
fn end_what_is_left(spec: &SandboxSpec) {
    if let Some(uid) = spec.uid {
        sweep(uid);
        return;
    }
    for _ in 0..50 {
        let left = crate::agent::process_table::descendants(rustix::process::getpid());
        if left.is_empty() {
            return;
        }
        for process in left {
            let _ = rustix::process::kill_process(process.pid, Signal::KILL);
        }
        while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// Kills every process of a uid, by becoming it: the kernel then finds them all, however fast they fork.
fn sweep(uid: u32) {
    if uid == 0 || !rustix::process::getuid().is_root() {
        return;
    }
    for _ in 0..3 {
        match kernel::fork() {
            Ok(Side::Child) => {
                if become_user(uid).is_ok() {
                    // `kill(-1)`: everything this user may signal, but itself.
                    let _ = rustix::process::kill_process_group(Pid::INIT, Signal::KILL);
                }
                kernel::leave(0)
            }
            Ok(Side::Parent(child)) => drop(rustix::process::waitpid(Some(child), WaitOptions::empty())),
            Err(_) => return,
        }
    }
}

fn become_user(uid: u32) -> Result<(), Stuck> {
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(uid));
    rustix::thread::set_thread_groups(&[]).map_err(Stuck::at("drop the groups"))?;
    rustix::thread::set_thread_res_gid(gid, gid, gid).map_err(Stuck::at("change the group"))?;
    rustix::thread::set_thread_res_uid(uid, uid, uid).map_err(Stuck::at("change the user"))
}

/// The first process' part: walls, then nothing left to take away.
fn inside(spec: &SandboxSpec, lifeline: &OwnedFd, status: &mut File) -> Result<(), Stuck> {
    kernel::release_signals();
    let _ = rustix::process::setsid();
    // Not every kernel has keyrings, and container runtimes refuse the call: then there is none to leave.
    let _ = kernel::leave_keyring();
    rustix::process::umask(Mode::from_raw_mode(0o022));
    if spec.tier == Tier::Full {
        let uid = spec.uid.unwrap_or_else(|| rustix::process::getuid().as_raw());
        let gid = spec.uid.unwrap_or_else(|| rustix::process::getgid().as_raw());
        root::enter(spec, uid, gid)?;
    } else {
        // What the first process of a pid namespace is anyway: the parent of every orphan.
        rustix::process::set_child_subreaper(Some(rustix::process::getpid())).map_err(Stuck::at("become the reaper"))?;
    }
    limit(&spec.limits)?;
    give_up(spec)?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(Stuck::at("tie the sandbox to its keeper"))?;
    if is_cut(lifeline) {
        return Err(Stuck { step: "the keeper is gone".to_owned(), error: rustix::io::Errno::SRCH });
    }
    walls::raise(spec)?;
    // Programs beside it cannot read this process' memory or take its descriptors.
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable).map_err(Stuck::at("close the memory"))?;
    let made = serde_json::to_string(&StartEvent::SandboxMade).unwrap_or_default();
    writeln!(status, "{made}").map_err(Stuck::io("report"))
}

fn is_cut(lifeline: &OwnedFd) -> bool {
    let mut wanted = [PollFd::from_borrowed_fd(lifeline.as_fd(), PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut wanted, Some(&now)).is_ok() && wanted[0].revents().contains(PollFlags::HUP)
}

fn limit(limits: &Limits) -> Result<(), Stuck> {
    let files = limits.open_files.min(rustix::process::getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX));
    let wanted = [
        (Resource::Core, Some(0)),
        (Resource::Nofile, Some(files)),
        (Resource::Data, limits.data_bytes),
        (Resource::Fsize, limits.file_bytes),
    ];
    for (resource, value) in wanted {
        set_limit(resource, value)?;
    }
    if limits.nice {
        let _ = rustix::process::nice(5);
    }
    Ok(())
}

fn set_limit(resource: Resource, value: Option<u64>) -> Result<(), Stuck> {
    let Some(value) = value else { return Ok(()) };
    let both = Rlimit { current: Some(value), maximum: Some(value) };
    rustix::process::setrlimit(resource, both).map_err(Stuck::at(format!("limit {resource:?}")))
}

/// Drops every privilege, in the only order that works.
fn give_up(spec: &SandboxSpec) -> Result<(), Stuck> {
    for number in 0..64 {
        let one = CapabilitySet::from_bits_retain(1 << number);
        // The first number that the kernel does not know ends the list.
        if rustix::thread::remove_capability_from_bounding_set(one).is_err() {
            break;
        }
    }
    if let Some(uid) = spec.uid {
        become_user(uid)?;
    }
    set_limit(Resource::Nproc, spec.limits.processes)?;
    rustix::thread::set_no_new_privs(true).map_err(Stuck::at("refuse new privileges"))?;
    let _ = rustix::thread::clear_ambient_capability_set();
    let none = CapabilitySets { effective: CapabilitySet::empty(), permitted: CapabilitySet::empty(), inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, none).map_err(Stuck::at("drop the capabilities"))
}

fn begin(spec: &SandboxSpec, listener: OwnedFd, mut status: File) -> Entered {
    match &spec.inside {
        Inside::Agent(order) => Entered::Agent { order: order.clone(), listener, status },
        Inside::SelfTest(probes) => {
            let home = if spec.tier == Tier::Full { root::HOME.into() } else { spec.home.clone() };
            for result in probe::run(probes, &home) {
                let _ = writeln!(status, "{}", serde_json::to_string(&result).unwrap_or_default());
            }
            Entered::Done(0)
        }
    }
}
