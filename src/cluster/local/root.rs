//! The private root of a workspace in tier `full`: what of the host it sees, and what is its own.
//!
//! A tmpfs with the system's programs bound read-only, an `/etc` by allow-list (the server's own configuration lies in
//! the host's), generated user and host files, its own `/proc`, `/dev`, `/tmp` and `/run`, and the home at
//! `/home/dev`. Bound things are opened before anything is covered, as detached mounts, and get their attributes
//! before they are attached. Deliberately absent: `/sys`, `/root`, `/var`, `/srv` and everything not named here.

use crate::cluster::local::git_files::PROGRAM;
use crate::cluster::local::kernel;
use crate::cluster::local::spec::SandboxSpec;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// Where the home is inside.
pub const HOME: &str = "/home/dev";
/// Where sockets and other short-lived files of the workspace go inside.
pub const RUNTIME_DIR: &str = "/run/ws";

/// Directories of programs and libraries.
pub const SYSTEM: &[&str] = &["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt"];

/// What of the host's `/etc` is shown: nothing that a service keeps its settings in.
pub const ETC: &[&str] = &[
    "alternatives",
    "bash.bashrc",
    "bash_completion.d",
    "ca-certificates",
    "ca-certificates.conf",
    "debian_version",
    "fonts",
    "inputrc",
    "java",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "lsb-release",
    "magic",
    "mime.types",
    "nanorc",
    "os-release",
    "perl",
    "pki",
    "profile",
    "profile.d",
    "protocols",
    "python3",
    "redhat-release",
    "services",
    "shells",
    "ssl/cert.pem",
    "ssl/certs",
    "ssl/openssl.cnf",
    "terminfo",
    "timezone",
    "vim",
    "zsh",
];

const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom", "tty"];

const READ_ONLY: u64 = libc::MOUNT_ATTR_RDONLY;
const PLAIN: u64 = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;

/// Where the launcher got stuck. Names the step, because an errno alone helps nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{step}: {error}")]
pub struct Stuck {
    pub step: String,
    pub error: Errno,
}

impl Stuck {
    pub fn at(step: impl Into<String>) -> impl FnOnce(Errno) -> Self {
        let step = step.into();
        move |error| Self { step, error }
    }

    pub fn io(step: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let step = step.into();
        move |error| Self { step, error: Errno::from_io_error(&error).unwrap_or(Errno::IO) }
    }
}

/// Builds the root and moves into it. Runs as the first process of new mount and pid namespaces.
pub fn enter(spec: &SandboxSpec, uid: u32, gid: u32) -> Result<(), Stuck> {
    rustix::mount::mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)
        .map_err(Stuck::at("leave the host's mounts"))?;
    let home = detached(&spec.home, PLAIN)?;
    let system: Vec<(PathBuf, OwnedFd)> = bound(spec)?;
    let program = spec.program.as_deref().map(|path| detached(path, READ_ONLY | PLAIN)).transpose()?;
    let root = spec.root.as_path();
    tmpfs(root, "mode=0755,size=16m")?;
    for (path, tree) in system {
        attach(&tree, &below(root, &path))?;
    }
    links(root)?;
    generated(root, spec, uid, gid)?;
    own(root, "proc", 0o555)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    rustix::mount::mount("proc", root.join("proc"), "proc", flags, None).map_err(Stuck::at("mount /proc"))?;
    devices(root, spec)?;
    private(root, spec, uid, gid)?;
    if let Some(program) = program {
        attach(&program, &below(root, Path::new(PROGRAM)))?;
    }
    own(root, "home", 0o755)?;
    let target = below(root, Path::new(HOME));
    fs::create_dir(&target).map_err(Stuck::io("make the home"))?;
    attach(&home, &target)?;
    pivot(root)
}

fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// A detached copy of the mount at `path` with everything below it.
fn detached(path: &Path, attributes: u64) -> Result<OwnedFd, Stuck> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    let tree = rustix::mount::open_tree(CWD, path, flags).map_err(Stuck::at(format!("open {}", path.display())))?;
    kernel::set_mount_attributes(tree.as_fd(), c"", true, attributes).map_err(Stuck::at(format!("restrict {}", path.display())))?;
    Ok(tree)
}

/// Attaches a detached mount, making the place for it.
fn attach(tree: &OwnedFd, target: &Path) -> Result<(), Stuck> {
    let step = || format!("bind {}", target.display());
    let kind = rustix::fs::fstat(tree).map_err(Stuck::at(step()))?;
    if rustix::fs::FileType::from_raw_mode(kind.st_mode).is_dir() {
        fs::create_dir_all(target).map_err(Stuck::io(step()))?;
    } else {
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(Stuck::io(step()))?;
        }
        fs::write(target, b"").map_err(Stuck::io(step()))?;
    }
    rustix::mount::move_mount(tree, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH).map_err(Stuck::at(step()))
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_symlink())
}

/// The host's directories that are shown, opened while they can still be reached.
fn bound(spec: &SandboxSpec) -> Result<Vec<(PathBuf, OwnedFd)>, Stuck> {
    let etc = ETC.iter().map(|name| Path::new("/etc").join(name));
    let system = SYSTEM.iter().map(PathBuf::from);
    let tools = spec.tools.iter().filter(|t| !SYSTEM.iter().any(|s| t.starts_with(s))).cloned();
    let wanted = system.chain(etc).chain(tools).filter(|p| p.exists() && !is_link(p));
    let apps = spec.apps.iter().map(|app| (app.host.clone(), app.inside.clone()));
    let all = wanted.map(|path| (path.clone(), path)).chain(apps);
    all.map(|(host, inside)| detached(&host, READ_ONLY | PLAIN).map(|tree| (inside, tree))).collect()
}

/// What is a link on the host is the same link inside: `/bin -> usr/bin`, `/etc/localtime -> /usr/share/…`.
fn links(root: &Path) -> Result<(), Stuck> {
    own(root, "etc", 0o755)?;
    let etc = ETC.iter().map(|name| Path::new("/etc").join(name));
    for path in SYSTEM.iter().map(PathBuf::from).chain(etc).filter(|p| is_link(p)) {
        let target = below(root, &path);
        if let (Ok(to), Some(parent)) = (fs::read_link(&path), target.parent()) {
            fs::create_dir_all(parent).map_err(Stuck::io("make /etc"))?;
            symlink(to, &target).map_err(Stuck::io(format!("link {}", path.display())))?;
        }
    }
    Ok(())
}

fn generated(root: &Path, spec: &SandboxSpec, uid: u32, gid: u32) -> Result<(), Stuck> {
    let (shell, host) = (&spec.shell, &spec.hostname);
    let files = [
        (
            "passwd",
            format!(
                "root:x:0:0:root:/root:/usr/sbin/nologin\ndev:x:{uid}:{gid}:dev:{HOME}:{shell}\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
            ),
        ),
        ("group", format!("root:x:0:\ntty:x:5:\ndev:x:{gid}:\nnogroup:x:65534:\n")),
        ("hosts", format!("127.0.0.1\tlocalhost {host}\n::1\tlocalhost\n")),
        ("hostname", format!("{host}\n")),
        ("resolv.conf", "# This workspace has a network of its own without name servers.\n".to_owned()),
        ("nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n".to_owned()),
    ];
    let more = spec.etc.iter().map(|(name, text)| (name.as_str(), text.clone()));
    for (name, text) in files.into_iter().chain(more) {
        let path = root.join("etc").join(name);
        let made = path.parent().map_or(Ok(()), fs::create_dir_all);
        made.and_then(|()| fs::write(&path, text)).map_err(Stuck::io(format!("write /etc/{name}")))?;
    }
    Ok(())
}

fn devices(root: &Path, spec: &SandboxSpec) -> Result<(), Stuck> {
    let trees: Vec<_> = DEVICES
        .iter()
        .map(|name| Path::new("/dev").join(name))
        .map(|path| detached(&path, libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC).map(|tree| (path, tree)))
        .collect::<Result<_, _>>()?;
    own(root, "dev", 0o755)?;
    let dev = root.join("dev");
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    rustix::mount::mount("tmpfs", &dev, "tmpfs", flags, c"mode=0755,size=64k").map_err(Stuck::at("mount /dev"))?;
    for (path, tree) in trees {
        attach(&tree, &below(root, &path))?;
    }
    own(&dev, "pts", 0o755)?;
    rustix::mount::mount("devpts", dev.join("pts"), "devpts", flags, c"newinstance,ptmxmode=0666,mode=0620")
        .map_err(Stuck::at("mount /dev/pts"))?;
    own(&dev, "shm", 0o755)?;
    tmpfs(&dev.join("shm"), &format!("mode=1777,size={}", spec.limits.tmp_bytes))?;
    let links = [
        ("pts/ptmx", "ptmx"),
        ("/proc/self/fd", "fd"),
        ("/proc/self/fd/0", "stdin"),
        ("/proc/self/fd/1", "stdout"),
        ("/proc/self/fd/2", "stderr"),
    ];
    for (to, name) in links {
        symlink(to, dev.join(name)).map_err(Stuck::io("link in /dev"))?;
    }
    Ok(())
}

/// What the workspace may write: `/tmp`, `/run/ws`.
fn private(root: &Path, spec: &SandboxSpec, uid: u32, gid: u32) -> Result<(), Stuck> {
    own(root, "tmp", 0o755)?;
    tmpfs(&root.join("tmp"), &format!("mode=1777,size={}", spec.limits.tmp_bytes))?;
    own(root, "var", 0o755)?;
    symlink("../tmp", root.join("var/tmp")).map_err(Stuck::io("link /var/tmp"))?;
    own(root, "run", 0o755)?;
    let run = below(root, Path::new(RUNTIME_DIR));
    fs::create_dir(&run).map_err(Stuck::io("make /run/ws"))?;
    tmpfs(&run, &format!("mode=0700,size=16m,uid={uid},gid={gid}"))
}

fn own(parent: &Path, name: &str, mode: u32) -> Result<(), Stuck> {
    let path = parent.join(name);
    if !path.is_dir() {
        fs::create_dir(&path).map_err(Stuck::io(format!("make /{name}")))?;
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).map_err(Stuck::io(format!("make /{name}")))
}

fn tmpfs(path: &Path, options: &str) -> Result<(), Stuck> {
    let step = || format!("mount a tmpfs at {}", path.display());
    let options = std::ffi::CString::new(options).map_err(|_| Stuck { step: step(), error: Errno::INVAL })?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    rustix::mount::mount("tmpfs", path, "tmpfs", flags, options.as_c_str()).map_err(Stuck::at(step()))
}

fn pivot(root: &Path) -> Result<(), Stuck> {
    rustix::process::chdir(root).map_err(Stuck::at("go to the new root"))?;
    rustix::process::pivot_root(".", ".").map_err(Stuck::at("exchange the root"))?;
    rustix::mount::unmount(".", UnmountFlags::DETACH).map_err(Stuck::at("let go of the host's root"))?;
    rustix::process::chdir("/").map_err(Stuck::at("go to the new root"))?;
    kernel::set_mount_attributes(CWD, c"/", false, READ_ONLY).map_err(Stuck::at("make the root read-only"))
}
