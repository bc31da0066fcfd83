//! Programs without a terminal: apps. Each leads a process group of its own, so that it ends with what it started.

use crate::agent::program::{Background, Handle};
use crate::agent::protocol::TerminalSize;
use crate::agent::pty::Children;
use crate::domain::agent::AgentOrder;
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, Signal};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::net::unix::pipe;

/// How long a program has between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(3);

/// Starts the file with these arguments, in the home and with the environment of the order. Output and errors come in
/// one stream, as a terminal would show them.
pub fn start(order: &AgentOrder, children: &Children, file: &Path, argv: &[String]) -> io::Result<Background> {
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&read, true)?;
    let output = pipe::Receiver::from_owned_fd(read)?;
    let name = argv.first().map_or("", String::as_str);
    let mut command = Command::new(file);
    command
        .arg0(name)
        .args(argv.get(1..).unwrap_or_default())
        .env_clear()
        .envs(&order.env)
        .current_dir(&order.home)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(write.try_clone()?)
        .stderr(write);
    let child = command.spawn()?;
    // No await between start and registration: the reaper runs on this thread and cannot come in between.
    let pid = Pid::from_child(&child);
    let exit = children.expect(pid);
    Ok(Background { output: Box::new(output), handle: Box::new(Group(pid)), exit, pid: Some(pid.as_raw_nonzero().get()) })
}

/// A process group.
struct Group(Pid);

impl Handle for Group {
    fn resize(&self, _: TerminalSize) {}

    fn end(&self) {
        // What is stopped must go on to end.
        for signal in [Signal::TERM, Signal::CONT] {
            let _ = rustix::process::kill_process_group(self.0, signal);
        }
        let group = self.0;
        tokio::spawn(async move {
            tokio::time::sleep(GRACE).await;
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        });
    }
}
