//! The escape checks, from inside: tries to reach what a workspace must not reach and reports what held.
//!
//! Measured facts beat version numbers: kernels have announced rights that they did not enforce. Every attempt is
//! harmless where it succeeds, because it aims at a decoy or asks for permission only.

use crate::cluster::local::kernel::{self, Side};
use crate::cluster::local::spec::{ProbeResult, Probes};
use rustix::fs::{CWD, Mode};
use rustix::mount::MountFlags;
use rustix::process::{Pid, WaitOptions};
use rustix::thread::UnshareFlags;
use std::fs::{self, File};
use std::net::TcpStream;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::Path;
use std::time::Duration;

/// Checks that hold in tier `full` only, because the others share the host's process list and network.
pub const FULL_ONLY: &[&str] = &["processes of the host are visible", "command line of the server", "loopback network of the host"];
/// Not an escape: the workspace must be able to work.
pub const MUST_WORK: &str = "its own home is usable";

/// Tries everything; a result says whether it was blocked.
pub fn run(probes: &Probes, home: &Path) -> Vec<ProbeResult> {
    let server = Pid::from_raw(probes.server_pid.cast_signed());
    let proc = |name: &str| Path::new("/proc").join(probes.server_pid.to_string()).join(name);
    let other_home = probes.other_file.parent().unwrap_or(&probes.other_file);
    let attempts: [(&str, bool); 19] = [
        (MUST_WORK, !uses_home(home)),
        ("another workspace: read a file", fs::read(&probes.other_file).is_ok()),
        ("another workspace: list the home", fs::read_dir(other_home).is_ok()),
        ("another workspace: see that a file exists", fs::metadata(&probes.other_file).is_ok()),
        ("another workspace: connect to a socket", UnixStream::connect(&probes.other_socket).is_ok()),
        ("server data: read", File::open(&probes.server_file).is_ok()),
        ("server data: write", File::options().append(true).open(&probes.server_file).is_ok()),
        ("server data: truncate", truncates(&probes.server_file)),
        (
            "server data: change the mode",
            rustix::fs::chmodat(CWD, &probes.server_file, Mode::from_raw_mode(0o600), rustix::fs::AtFlags::empty()).is_ok(),
        ),
        ("system files: write", writes_system()),
        ("processes of the host are visible", proc("stat").exists()),
        ("signal the server", server.is_none_or(|pid| rustix::process::test_kill_process(pid).is_ok())),
        ("environment of the server", fs::read(proc("environ")).is_ok()),
        ("root directory of the server", fs::read_dir(proc("root")).is_ok()),
        ("command line of the server", fs::read(proc("cmdline")).is_ok_and(|line| !line.is_empty())),
        ("loopback network of the host", TcpStream::connect_timeout(&probes.loopback, Duration::from_millis(200)).is_ok()),
        ("abstract socket of the host", connects_abstract(&probes.abstract_socket)),
        ("become root", rustix::thread::set_thread_uid(rustix::thread::Uid::ROOT).is_ok()),
        ("mount in a nested user namespace", mounts_nested()),
    ];
    attempts.into_iter().map(|(name, reached)| ProbeResult { name: name.to_owned(), blocked: !reached }).collect()
}

fn uses_home(home: &Path) -> bool {
    let file = home.join(".probe");
    let written = fs::write(&file, b"ok").is_ok() && fs::read(&file).is_ok_and(|text| text == b"ok");
    written && fs::remove_file(&file).is_ok()
}

fn truncates(path: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let Ok(path) = std::ffi::CString::new(path.as_os_str().as_bytes()) else { return true };
    // `truncate` needs no descriptor, which older Landlock does not cover; the decoy is empty already.
    kernel::truncate_to_nothing(&path).is_ok()
}

fn writes_system() -> bool {
    ["/etc/.probe", "/usr/.probe", "/.probe"].iter().any(|path| {
        let made = File::create_new(path).is_ok();
        if made {
            let _ = fs::remove_file(path);
        }
        made
    })
}

fn connects_abstract(name: &str) -> bool {
    SocketAddr::from_abstract_name(name).is_ok_and(|address| UnixStream::connect_addr(&address).is_ok())
}

/// In a process of its own, because a new user namespace cannot be left again.
fn mounts_nested() -> bool {
    match kernel::fork() {
        Ok(Side::Child) => {
            let nested = kernel::unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNS).is_ok();
            let mounted = nested && rustix::mount::mount("tmpfs", "/tmp", "tmpfs", MountFlags::empty(), None).is_ok();
            kernel::leave(i32::from(mounted))
        }
        Ok(Side::Parent(child)) => {
            let ended = rustix::process::waitpid(Some(child), WaitOptions::empty());
            !ended.is_ok_and(|e| e.is_some_and(|(_, status)| status.exit_status() == Some(0)))
        }
        Err(_) => true,
    }
}
