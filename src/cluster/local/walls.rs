//! Landlock: the wall that holds even where the kernel's namespaces do not, and the only one for files in tier
//! `uid+landlock`.
//!
//! Rights are asked for best-effort, because older kernels know fewer; what was really enforced is checked, since the
//! crate reports success on a kernel without Landlock. TCP rules are not used: they are allow-lists of port numbers,
//! which breaks every development server that picks a port.

use crate::cluster::local::root::{ETC, RUNTIME_DIR, SYSTEM, Stuck};
use crate::cluster::local::spec::{SandboxSpec, Tier};
use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetStatus, Scope,
};
use rustix::io::Errno;
use std::path::{Path, PathBuf};

const WANTED: ABI = ABI::V7;

/// Files of `/etc` that the host's own tools need to name users and hosts.
const HOST_FILES: &[&str] = &["passwd", "group", "hosts", "resolv.conf", "nsswitch.conf", "hostname", "host.conf", "gai.conf"];
const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts"];

/// Confines this process and all that come from it, for good. Comes last: nothing can be mounted afterwards.
pub fn raise(spec: &SandboxSpec) -> Result<(), Stuck> {
    let (readable, writable) = match spec.tier {
        Tier::Full => (vec![PathBuf::from("/")], own_root()),
        Tier::UidLandlock => (shared_readable(spec), shared_writable(spec)),
        Tier::Unconfined => return Ok(()),
    };
    let status = restrict(&readable, &writable).map_err(|error| Stuck { step: format!("Landlock ({error})"), error: Errno::INVAL })?;
    if status == RulesetStatus::NotEnforced {
        return Err(Stuck { step: "Landlock (this kernel does not have it, or it is off)".to_owned(), error: Errno::OPNOTSUPP });
    }
    Ok(())
}

fn own_root() -> Vec<PathBuf> {
    ["/home/dev", "/tmp", RUNTIME_DIR, "/dev", "/proc"].iter().map(PathBuf::from).collect()
}

fn shared_readable(spec: &SandboxSpec) -> Vec<PathBuf> {
    let etc = ETC.iter().chain(HOST_FILES).map(|name| Path::new("/etc").join(name));
    SYSTEM
        .iter()
        .map(PathBuf::from)
        .chain(etc)
        .chain(spec.tools.iter().chain(&spec.program).cloned())
        .chain(spec.apps.iter().map(|app| app.host.clone()))
        .chain([PathBuf::from("/proc")])
        .collect()
}

fn shared_writable(spec: &SandboxSpec) -> Vec<PathBuf> {
    let devices = DEVICES.iter().map(|name| Path::new("/dev").join(name));
    [spec.home.clone(), spec.tmp.clone()].into_iter().chain(devices).collect()
}

fn restrict(readable: &[PathBuf], writable: &[PathBuf]) -> Result<RulesetStatus, landlock::RulesetError> {
    let all = AccessFs::from_all(WANTED);
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)?
        .scope(Scope::AbstractUnixSocket)?
        .scope(Scope::Signal)?
        .create()?;
    for path in readable {
        rules = allow(rules, path, AccessFs::from_read(WANTED))?;
    }
    for path in writable {
        rules = allow(rules, path, all)?;
    }
    Ok(rules.restrict_self()?.ruleset)
}

/// What does not exist needs no rule; a file takes only the rights that files have.
fn allow(rules: RulesetCreated, path: &Path, rights: BitFlags<AccessFs>) -> Result<RulesetCreated, landlock::RulesetError> {
    let Ok(fd) = PathFd::new(path) else { return Ok(rules) };
    let rights = if path.is_dir() { rights } else { rights & AccessFs::from_file(WANTED) };
    rules.add_rule(PathBeneath::new(fd, rights))
}
