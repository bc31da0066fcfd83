//! Control groups: the limits of a whole workspace, where the host lets us set them.
//!
//! Groups are made below the server's own group and nowhere else. Version 2 is used where the server's group was
//! delegated to it; version 1 as root, for the controllers in whose hierarchy the server sits at the same place. A
//! controller that somebody else manages (a memory group of another path than the rest) is left to them, and a
//! watchdog takes its place.

use crate::cluster::Size;
use std::fs;
use std::path::{Path, PathBuf};

/// Processes and threads that a workspace may have.
pub const MOST_PROCESSES: u64 = 4_096;
const PERIOD_MICROSECONDS: i64 = 100_000;

/// What this host lets us limit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Host {
    version: u8,
    /// Controller -> the server's own group.
    own: Vec<(&'static str, PathBuf)>,
}

/// The groups of one workspace.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    version: u8,
    dirs: Vec<(&'static str, PathBuf)>,
}

/// What a workspace's groups counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    pub cpu_microseconds: Option<u64>,
    pub memory_bytes: Option<u64>,
    pub processes: Option<u64>,
}

impl Host {
    /// Finds out, changing nothing but (version 2) which of its own groups the server sits in.
    pub fn detect(server_pid: u32) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Self::among(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"), server_pid)
    }

    /// As [`Self::detect`], with what the kernel says of this process's groups and mounts.
    fn among(groups: &str, mounts: &str, server_pid: u32) -> Self {
        Self::version_2(groups, mounts, server_pid).or_else(|| Self::version_1(groups, mounts)).unwrap_or_default()
    }

    fn version_2(groups: &str, mounts: &str, server_pid: u32) -> Option<Self> {
        let path = groups.lines().find_map(|l| l.strip_prefix("0::"))?;
        let own = place(mounts, "cgroup2", None, path)?;
        let wanted = ["cpu", "memory", "pids"];
        let offered = fs::read_to_string(own.join("cgroup.controllers")).ok()?;
        if !wanted.iter().all(|w| offered.split_whitespace().any(|o| o == *w)) {
            return None;
        }
        // A group with somebody else's processes in it was not delegated to us.
        let members = fs::read_to_string(own.join("cgroup.procs")).ok()?;
        let alone = members.split_whitespace().all(|pid| pid == server_pid.to_string());
        if path != "/" && alone {
            // A group that hands controllers down may hold no process itself.
            let leaf = own.join("server");
            let _ = fs::create_dir(&leaf);
            fs::write(leaf.join("cgroup.procs"), server_pid.to_string()).ok()?;
        } else if path != "/" {
            return None;
        }
        fs::write(own.join("cgroup.subtree_control"), "+cpu +memory +pids").ok()?;
        Some(Self { version: 2, own: vec![("all", own)] })
    }

    fn version_1(groups: &str, mounts: &str) -> Option<Self> {
        let found: Vec<(&'static str, &str)> =
            ["pids", "cpu", "cpuacct", "memory"].into_iter().filter_map(|wanted| Some((wanted, path_of(groups, wanted)?))).collect();
        let home = found.iter().find(|(name, _)| *name == "pids")?.1;
        let own = found.into_iter().filter(|(_, path)| *path == home);
        let own: Vec<_> = own
            .filter_map(|(name, path)| Some((name, place(mounts, "cgroup", Some(name), path)?)))
            .filter(|(_, dir)| is_writable(dir))
            .collect();
        (!own.is_empty()).then_some(Self { version: 1, own })
    }

    /// Whether a whole workspace's use of this (`memory`, `cpu`, `pids`) can be limited.
    pub fn limits(&self, controller: &str) -> bool {
        self.version == 2 || self.own.iter().any(|(name, _)| *name == controller)
    }

    /// For people: `cgroup v2: cpu, memory, pids`.
    pub fn words(&self) -> String {
        if self.version == 0 {
            return "no control groups".to_owned();
        }
        let names: Vec<&str> = ["cpu", "memory", "pids"].into_iter().filter(|c| self.limits(c)).collect();
        format!("cgroup v{}: {}", self.version, names.join(", "))
    }

    /// Removes the empty groups that a killed server left behind.
    pub fn tidy(&self, name: &str) {
        for (_, own) in &self.own {
            let _ = fs::remove_dir(own.join(name));
        }
    }

    /// Makes the groups of a workspace and sets its limits.
    pub fn make(&self, name: &str, size: &Size) -> std::io::Result<Groups> {
        let mut groups = Groups { version: self.version, dirs: Vec::new() };
        for (controller, own) in &self.own {
            let dir = own.join(name);
            // What a killed server left behind still counts its old kills.
            let _ = fs::remove_dir(&dir);
            if let Err(error) = fs::create_dir(&dir)
                && error.kind() != std::io::ErrorKind::AlreadyExists
            {
                groups.remove();
                return Err(error);
            }
            groups.dirs.push((controller, dir));
        }
        groups.set(size)?;
        Ok(groups)
    }
}

impl Groups {
    /// The files through which a process enters.
    pub fn entrances(&self) -> Vec<PathBuf> {
        self.dirs.iter().map(|(_, dir)| dir.join("cgroup.procs")).collect()
    }

    fn dir(&self, controller: &str) -> Option<&Path> {
        self.dirs.iter().find(|(name, _)| *name == controller || *name == "all").map(|(_, dir)| dir.as_path())
    }

    /// Whether cores and memory of the workspace as a whole are limited here.
    pub fn govern(&self) -> bool {
        self.dir("cpu").is_some() && self.dir("memory").is_some()
    }

    /// Sets the limits to another size, also while the workspace runs.
    pub fn set(&self, size: &Size) -> std::io::Result<()> {
        let quota = size.cpu_milli.saturating_mul(PERIOD_MICROSECONDS) / 1_000;
        let memory = size.memory_bytes.to_string();
        let processes = MOST_PROCESSES.to_string();
        let values: Vec<(&str, &str, String)> = if self.version == 2 {
            vec![
                ("all", "memory.max", memory),
                ("all", "memory.oom.group", "1".to_owned()),
                ("all", "pids.max", processes),
                ("all", "cpu.max", format!("{quota} {PERIOD_MICROSECONDS}")),
            ]
        } else {
            vec![
                ("pids", "pids.max", processes),
                ("cpu", "cpu.cfs_period_us", PERIOD_MICROSECONDS.to_string()),
                ("cpu", "cpu.cfs_quota_us", quota.to_string()),
                ("memory", "memory.limit_in_bytes", memory),
            ]
        };
        for (controller, file, value) in values {
            if let Some(dir) = self.dir(controller) {
                fs::write(dir.join(file), value)?;
            }
        }
        // Swap would let a workspace use more than it was given; not every kernel counts it.
        if let (2, Some(dir)) = (self.version, self.dir("all")) {
            let _ = fs::write(dir.join("memory.swap.max"), "0");
        }
        Ok(())
    }

    /// How often the kernel killed something in here for want of memory.
    pub fn memory_kills(&self) -> u64 {
        let file = if self.version == 2 { "memory.events" } else { "memory.oom_control" };
        self.dir("memory").and_then(|dir| field(&fs::read_to_string(dir.join(file)).ok()?, "oom_kill")).unwrap_or(0)
    }

    pub fn counted(&self) -> Counted {
        let number = |controller: &str, file: &str| fs::read_to_string(self.dir(controller)?.join(file)).ok()?.trim().parse::<u64>().ok();
        let (cpu, memory) = if self.version == 2 {
            let stat = self.dir("all").and_then(|dir| fs::read_to_string(dir.join("cpu.stat")).ok());
            (stat.and_then(|s| field(&s, "usage_usec")), number("all", "memory.current"))
        } else {
            (number("cpuacct", "cpuacct.usage").map(|n| n / 1_000), number("memory", "memory.usage_in_bytes"))
        };
        Counted { cpu_microseconds: cpu, memory_bytes: memory, processes: number("pids", "pids.current") }
    }

    /// Kills everything in here at once, where the kernel can.
    pub fn kill(&self) {
        if let (2, Some(dir)) = (self.version, self.dir("all")) {
            let _ = fs::write(dir.join("cgroup.kill"), "1");
        }
    }

    /// Removes the groups; `false` while something is still in them.
    pub fn remove(&self) -> bool {
        self.dirs.iter().all(|(_, dir)| fs::remove_dir(dir).is_ok() || !dir.exists())
    }
}

fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|l| l.strip_prefix(name)?.trim().parse().ok())
}

fn path_of<'a>(groups: &'a str, controller: &str) -> Option<&'a str> {
    groups.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let names = parts.nth(1)?;
        names.split(',').any(|n| n == controller).then(|| parts.next()).flatten()
    })
}

/// Where a group is in the file system, by the mounts of this process.
fn place(mounts: &str, kind: &str, controller: Option<&str>, path: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let (left, right): (Vec<&str>, Vec<&str>) = (left.split(' ').collect(), right.split(' ').collect());
        let fits = *right.first()? == kind && controller.is_none_or(|c| right.last().is_some_and(|o| o.split(',').any(|n| n == c)));
        let (shown, at) = (*left.get(3)?, Path::new(left.get(4)?));
        let rest = if shown == "/" { path } else { path.strip_prefix(shown)? };
        let dir = at.join(rest.trim_start_matches('/'));
        (fits && dir.is_dir()).then_some(dir)
    })
}

fn is_writable(dir: &Path) -> bool {
    rustix::fs::access(dir, rustix::fs::Access::WRITE_OK).is_ok()
}

#[cfg(test)]
mod tests;
