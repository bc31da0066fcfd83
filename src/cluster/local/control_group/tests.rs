//! Both versions against folders that look like a host's, and against the kernel of this machine where it lets us.

use super::*;
use std::process::{Child, Command};
use tempfile::TempDir;

const GROUPS: &str = "9:name=systemd:/\n8:pids:/a\n4:memory:/elsewhere/b\n2:cpu,cpuacct:/a\n0::/a\n";

#[test]
fn the_group_of_a_controller_is_found_among_joined_ones() {
    assert_eq!(path_of(GROUPS, "cpuacct"), Some("/a"));
    assert_eq!(path_of(GROUPS, "memory"), Some("/elsewhere/b"));
    assert_eq!(path_of(GROUPS, "blkio"), None);
}

#[test]
fn a_memory_group_of_another_place_is_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let base = root.path().display();
    let mut mounts = String::new();
    for (name, path) in [("pids", "a"), ("memory", "elsewhere/b"), ("cpu", "a")] {
        fs::create_dir_all(root.path().join(name).join(path)).unwrap();
        mounts.push_str(&format!("30 20 0:1 / {base}/{name} rw - cgroup cgroup rw,{name}\n"));
    }
    let host = Host::version_1(GROUPS, &mounts).unwrap();
    assert!(host.limits("pids") && host.limits("cpu") && !host.limits("memory"));
    assert_eq!(host.words(), "cgroup v1: cpu, pids");
}

#[test]
fn limits_are_written_in_the_kernels_units() {
    let root = tempfile::tempdir().unwrap();
    let own = vec![("pids", root.path().join("pids")), ("cpu", root.path().join("cpu"))];
    for (_, dir) in &own {
        fs::create_dir(dir).unwrap();
    }
    let size = Size { cpu_milli: 1_500, memory_bytes: 1, ..Size::default() };
    let groups = Host { version: 1, own }.make("ws-1", &size).unwrap();
    let read = |path: &str| fs::read_to_string(root.path().join(path)).unwrap();
    assert_eq!(read("cpu/ws-1/cpu.cfs_quota_us"), "150000");
    assert_eq!(read("pids/ws-1/pids.max"), "4096");
    assert_eq!(groups.entrances().len(), 2);
}

#[test]
fn a_mount_that_shows_a_part_of_the_tree_is_understood() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("inner")).unwrap();
    let mounts = format!("30 20 0:1 /docker/x {} rw - cgroup2 cgroup rw\n", root.path().display());
    assert_eq!(place(&mounts, "cgroup2", None, "/docker/x/inner"), Some(root.path().join("inner")));
    assert_eq!(place(&mounts, "cgroup2", None, "/other"), None);
}

const SERVER: u32 = 4_711;

fn size(cpu_milli: i64, memory_bytes: i64) -> Size {
    Size { cpu_milli, memory_bytes, ..Size::default() }
}

/// Folders that look like those of a kernel, but for what only a kernel does.
struct Folders {
    root: TempDir,
    groups: String,
    mounts: String,
}

impl Folders {
    /// Version 2: the server sits in `/unit`, which has these controllers and these processes in it.
    fn version_2(controllers: &str, processes: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let unit = root.path().join("unit");
        fs::create_dir(&unit).unwrap();
        fs::write(unit.join("cgroup.controllers"), controllers).unwrap();
        fs::write(unit.join("cgroup.procs"), processes).unwrap();
        let mounts = format!("30 20 0:1 / {} rw,nosuid - cgroup2 cgroup rw,nsdelegate\n", root.path().display());
        Self { root, groups: "0::/unit\n".to_owned(), mounts }
    }

    /// Version 1: each of these controllers has a hierarchy of its own, and the server sits in `/unit` of each.
    fn version_1(controllers: &[&str]) -> Self {
        let root = tempfile::tempdir().unwrap();
        let (mut groups, mut mounts) = (String::new(), String::new());
        for (n, name) in controllers.iter().enumerate() {
            fs::create_dir_all(root.path().join(name).join("unit")).unwrap();
            groups.push_str(&format!("{n}:{name}:/unit\n"));
            mounts.push_str(&format!("{n} 20 0:{n} / {}/{name} rw - cgroup cgroup rw,{name}\n", root.path().display()));
        }
        Self { root, groups, mounts }
    }

    fn host(&self) -> Host {
        Host::among(&self.groups, &self.mounts, SERVER)
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.path().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn write(&self, path: &str, text: &str) {
        fs::write(self.root.path().join(path), text).unwrap();
    }
}

#[test]
fn version_2_hands_the_controllers_down_and_writes_every_limit_of_a_workspace() {
    let folders = Folders::version_2("cpuset cpu io memory pids\n", "4711\n");
    let host = folders.host();
    assert_eq!(host.words(), "cgroup v2: cpu, memory, pids");
    assert_eq!(folders.read("unit/server/cgroup.procs"), "4711", "a group that hands controllers down holds no process itself");
    assert_eq!(folders.read("unit/cgroup.subtree_control"), "+cpu +memory +pids");

    let groups = host.make("ws-1", &size(1_500, 2_147_483_648)).unwrap();
    let limits = ["memory.max", "memory.oom.group", "memory.swap.max", "pids.max", "cpu.max"];
    assert_eq!(limits.map(|file| folders.read(&format!("unit/ws-1/{file}"))), ["2147483648", "1", "0", "4096", "150000 100000"]);
    assert_eq!(groups.entrances(), [folders.root.path().join("unit/ws-1/cgroup.procs")]);
    groups.set(&size(250, 1_073_741_824)).unwrap();
    assert_eq!(["memory.max", "cpu.max"].map(|file| folders.read(&format!("unit/ws-1/{file}"))), ["1073741824", "25000 100000"]);
}

#[test]
fn version_2_counts_and_kills_by_the_files_of_the_group() {
    let folders = Folders::version_2("cpu memory pids", "4711");
    let groups = folders.host().make("ws-1", &size(1_000, 1)).unwrap();
    assert_eq!((groups.counted(), groups.memory_kills()), (Counted::default(), 0), "nothing is made up");
    folders.write("unit/ws-1/cpu.stat", "usage_usec 12345\nuser_usec 1\n");
    folders.write("unit/ws-1/memory.current", "4096\n");
    folders.write("unit/ws-1/pids.current", "3\n");
    folders.write("unit/ws-1/memory.events", "low 0\noom 1\noom_kill 2\n");
    let counted = Counted { cpu_microseconds: Some(12_345), memory_bytes: Some(4_096), processes: Some(3) };
    assert_eq!((groups.counted(), groups.memory_kills()), (counted, 2));
    groups.kill();
    assert_eq!(folders.read("unit/ws-1/cgroup.kill"), "1");
}

#[test]
fn version_2_is_left_alone_where_it_was_not_delegated() {
    for (controllers, processes, why) in
        [("cpu memory pids", "4711 1", "somebody else's process sits in the group"), ("cpu pids", "4711", "a controller is not offered")]
    {
        let folders = Folders::version_2(controllers, processes);
        assert_eq!(folders.host(), Host::default(), "{why}");
        assert!(!folders.root.path().join("unit/cgroup.subtree_control").exists(), "{why}");
        assert_eq!(folders.host().words(), "no control groups");
    }
}

#[test]
fn version_1_writes_each_limit_into_the_hierarchy_of_its_controller() {
    let folders = Folders::version_1(&["pids", "cpu", "cpuacct", "memory"]);
    let host = folders.host();
    assert_eq!(host.words(), "cgroup v1: cpu, memory, pids");
    let groups = host.make("ws-1", &size(500, 1_073_741_824)).unwrap();
    let limits = [
        "pids/unit/ws-1/pids.max",
        "cpu/unit/ws-1/cpu.cfs_period_us",
        "cpu/unit/ws-1/cpu.cfs_quota_us",
        "memory/unit/ws-1/memory.limit_in_bytes",
    ];
    assert_eq!(limits.map(|file| folders.read(file)), ["4096", "100000", "50000", "1073741824"]);
    assert_eq!(groups.entrances().len(), 4, "a process enters each of them");
    folders.write("cpuacct/unit/ws-1/cpuacct.usage", "2000000\n");
    folders.write("memory/unit/ws-1/memory.usage_in_bytes", "8192\n");
    folders.write("memory/unit/ws-1/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
    let counted = Counted { cpu_microseconds: Some(2_000), memory_bytes: Some(8_192), processes: None };
    assert_eq!((groups.counted(), groups.memory_kills()), (counted, 1));
}

#[test]
fn version_2_goes_before_version_1_where_a_host_has_both() {
    let (new, old) = (Folders::version_2("cpu memory pids", "4711"), Folders::version_1(&["pids", "cpu"]));
    let both = Host::among(&format!("{}{}", old.groups, new.groups), &format!("{}{}", old.mounts, new.mounts), SERVER);
    assert!(both.limits("memory") && both.words().starts_with("cgroup v2"));
}

/// A process that waits to be put somewhere; killed with the test.
struct Waiting(Child);

impl Waiting {
    fn start() -> Self {
        Self(Command::new("sleep").arg("60").spawn().unwrap())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A place of this machine's kernel where a test may make groups: a group of our own below ours (version 2), or the
/// hierarchies in which we sit (version 1). The folder is the one to remove afterwards.
fn real(server: u32) -> Option<(Host, Option<PathBuf>)> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let (groups, mounts) = (read("/proc/self/cgroup"), read("/proc/self/mountinfo"));
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let own = groups.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
    let name = format!("codex-web-test-{}", std::process::id());
    if let Some(place) = place(&mounts, "cgroup2", None, own) {
        let folder = place.join(&name);
        if fs::create_dir(&folder).is_ok() {
            let path = format!("{}/{name}", own.trim_end_matches('/'));
            let _ = fs::write(place.join("cgroup.subtree_control"), "+cpu +memory +pids");
            let _ = fs::write(folder.join("cgroup.procs"), server.to_string());
            if let Some(host) = Host::version_2(&format!("0::{path}\n"), &mounts, server) {
                return Some((host, Some(folder)));
            }
            let _ = fs::write(place.join("cgroup.procs"), server.to_string());
            let _ = fs::remove_dir(&folder);
        }
    }
    Some((Host::version_1(&groups, &mounts)?, None))
}

/// Asks the kernel itself. Without root, or where nothing was delegated, it says so and shows nothing.
#[test]
fn the_kernel_holds_the_limits_that_were_written() {
    let (server, inside) = (Waiting::start(), Waiting::start());
    let Some((host, folder)) = real(server.0.id()) else {
        eprintln!("SKIPPED: control groups are not ours to make here (it takes root, and cgroup v2 delegation or v1)");
        return;
    };
    eprintln!("against the kernel: {}", host.words());
    let name = format!("codex-web-test-ws-{}", std::process::id());
    let groups = host.make(&name, &size(500, 64 * 1024 * 1024)).unwrap();
    let held = |controller: &str, file: &str| {
        let held = groups.dir(controller).map(|dir| fs::read_to_string(dir.join(file)).unwrap_or_else(|error| panic!("{file}: {error}")));
        held.map(|text| text.trim().to_owned())
    };
    for entrance in groups.entrances() {
        fs::write(entrance, inside.0.id().to_string()).unwrap();
    }
    let counted = groups.counted();
    let limits = if host.version == 2 {
        [held("cpu", "cpu.max"), held("memory", "memory.max"), held("pids", "pids.max")]
    } else {
        [held("cpu", "cpu.cfs_quota_us"), held("memory", "memory.limit_in_bytes"), held("pids", "pids.max")]
    };
    let cpu = if host.version == 2 { "50000 100000" } else { "50000" };
    groups.set(&size(1_000, 128 * 1024 * 1024)).unwrap();
    let pids = held("pids", "pids.max");
    drop((inside, server));
    let gone = (0..50).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        groups.remove()
    });
    if let Some(folder) = folder {
        let _ = (fs::remove_dir(folder.join("server")), fs::remove_dir(folder));
    }
    for (controller, (limit, expected)) in ["cpu", "memory", "pids"].into_iter().zip(limits.into_iter().zip([cpu, "67108864", "4096"])) {
        assert_eq!(limit.as_deref(), host.limits(controller).then_some(expected), "{controller}");
    }
    assert!(!host.limits("pids") || (counted.processes == Some(1) && pids.as_deref() == Some("4096")), "{counted:?}");
    assert!(gone, "an empty group is removed");
}
