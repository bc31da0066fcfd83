//! Starts launchers and listens to them.
//!
//! Must run on the runtime's one long-lived thread: the kernel ends a launcher when the *thread* that started it ends.
//! A launcher gets an empty environment, no argument but its subcommand, its order in memory as standard input, and
//! two descriptors. Its output is the workspace's log.

use crate::cluster::local::spec::{LISTENER_FD, Order, STATUS_FD};
use command_fds::{CommandFdExt, FdMapping};
use rustix::fd::OwnedFd;
use rustix::fs::MemfdFlags;
use rustix::process::{Pid, PidfdFlags, Signal};
use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use tokio::io::AsyncReadExt;
use tokio::io::unix::AsyncFd;
use tokio::net::unix::pipe;

/// The shipped program's allocator sets a gibibyte of address space aside, and by default as memory that counts against
/// `RLIMIT_DATA`: in a workspace of one gibibyte the agent would die at its first allocation. Reserved without being
/// committed it counts for nothing. Only the launcher sees this; programs of the workspace get their own environment.
const RESERVE_ONLY: (&str, &str) = ("MIMALLOC_ARENA_EAGER_COMMIT", "0");

/// The hidden subcommand that enters a sandbox.
pub const SUBCOMMAND: &str = "sandbox-exec";

/// A line longer than this is cut, in bytes.
const LONGEST_LINE: usize = 8 * 1024;

/// A running launcher. Dropping it kills it.
pub struct Launched {
    pub pid: Pid,
    child: Child,
    ended: AsyncFd<OwnedFd>,
    is_over: bool,
}

/// What a launcher says: how the start goes, and the log.
pub struct Voices {
    pub status: Lines,
    pub log: Lines,
}

/// Starts a launcher. The listener is closed in this process, so that connecting fails once the agent is gone.
pub fn launch(exe: &Path, order: &Order, listener: UnixListener) -> io::Result<(Launched, Voices)> {
    let (status_read, status_write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let (log_read, log_write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let mappings =
        vec![FdMapping { parent_fd: listener.into(), child_fd: LISTENER_FD }, FdMapping { parent_fd: status_write, child_fd: STATUS_FD }];
    let mut command = Command::new(exe);
    command
        .arg(SUBCOMMAND)
        .env_clear()
        .envs([RESERVE_ONLY])
        .current_dir("/")
        .stdin(in_memory(order)?)
        .stdout(log_write.try_clone()?)
        .stderr(log_write);
    command.fd_mappings(mappings).map_err(io::Error::other)?;
    let child = command.spawn()?;
    drop(command);
    let pid = Pid::from_child(&child);
    // Deprecated for types that may close their descriptor early; an owned one does not.
    #[allow(deprecated)]
    let ended = AsyncFd::new(rustix::process::pidfd_open(pid, PidfdFlags::NONBLOCK)?)?;
    let voices = Voices { status: Lines::new(status_read)?, log: Lines::new(log_read)? };
    Ok((Launched { pid, child, ended, is_over: false }, voices))
}

/// The order as a file without a name: it cannot fill a pipe and nobody else can open it.
fn in_memory(order: &Order) -> io::Result<Stdio> {
    let mut file = File::from(rustix::fs::memfd_create("order", MemfdFlags::CLOEXEC)?);
    file.write_all(&serde_json::to_vec(order)?)?;
    file.rewind()?;
    Ok(file.into())
}

impl Launched {
    /// Waits for the end. May be dropped and called again.
    pub async fn ended(&mut self) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                self.is_over = true;
                return Ok(status);
            }
            self.ended.readable().await?.clear_ready();
        }
    }

    pub fn signal(&self, signal: Signal) {
        if !self.is_over {
            let _ = rustix::process::kill_process(self.pid, signal);
        }
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        if !self.is_over {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// The lines of a pipe, cut at [`LONGEST_LINE`].
pub struct Lines {
    pipe: pipe::Receiver,
    buffer: Vec<u8>,
    over: bool,
}

impl Lines {
    fn new(pipe: OwnedFd) -> io::Result<Self> {
        Ok(Self { pipe: pipe::Receiver::from_owned_fd(pipe)?, buffer: Vec::new(), over: false })
    }

    /// The next line; `None` once every writer is gone. Nothing is lost when the wait is given up.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            let end = self.buffer.iter().take(LONGEST_LINE).position(|b| *b == b'\n');
            if end.is_some() || self.buffer.len() >= LONGEST_LINE || (self.over && !self.buffer.is_empty()) {
                let length = end.unwrap_or(self.buffer.len().min(LONGEST_LINE));
                let line = String::from_utf8_lossy(&self.buffer[..length]).into_owned();
                self.buffer.drain(..length + usize::from(end.is_some()));
                return Some(line);
            }
            if self.over {
                return None;
            }
            self.buffer.reserve(4096);
            self.over = !matches!(self.pipe.read_buf(&mut self.buffer).await, Ok(1..));
        }
    }
}

/// Ends every process of a uid that only workspaces have, and waits until that is done.
pub async fn sweep(exe: &Path, uid: u32) {
    let started = in_memory(&Order::Sweep { uid }).and_then(|order| {
        Command::new(exe).arg(SUBCOMMAND).env_clear().current_dir("/").stdin(order).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
    });
    if let Ok(mut child) = started {
        let _ = tokio::task::spawn_blocking(move || child.wait()).await;
    }
}
