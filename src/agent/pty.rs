//! Programs on pseudo terminals, and the ends of every process that this one started or inherited.
//!
//! The first process of a sandbox must collect every orphan. So the exit statuses of its own programs are collected in
//! the same place (`reap`) and handed to whoever waits, instead of by the runtime, which would take turns with us.

use crate::agent::background;
use crate::agent::machine::Environment;
use crate::agent::program::{Background, Handle, Program, Programs, StartError};
use crate::agent::protocol::TerminalSize;
use crate::domain::agent::AgentOrder;
use pty_process::blocking::Command;
use rustix::fd::OwnedFd;
use rustix::process::{Pid, Signal, WaitOptions};
use rustix::termios::Winsize;
use std::collections::HashMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

/// Shells that become login shells by a leading hyphen.
const SHELLS: &[&str] = &["bash", "zsh", "fish", "ksh", "dash", "sh"];

/// Who waits for which process.
#[derive(Clone, Default)]
pub struct Children(Arc<Mutex<HashMap<Pid, oneshot::Sender<i32>>>>);

impl Children {
    fn waiting(&self) -> MutexGuard<'_, HashMap<Pid, oneshot::Sender<i32>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Told once, when this process ends. Must follow its start without an await between.
    pub(super) fn expect(&self, pid: Pid) -> oneshot::Receiver<i32> {
        let (tell, told) = oneshot::channel();
        self.waiting().insert(pid, tell);
        told
    }

    /// The programs that were started and have not ended.
    pub fn own(&self) -> Vec<Pid> {
        self.waiting().keys().copied().collect()
    }

    /// Collects every process that ended. Called at each SIGCHLD, on the thread that starts programs.
    pub fn reap(&self) {
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            let signal = status.terminating_signal().map(|s| 128 + s);
            if let Some(told) = self.waiting().remove(&pid) {
                let _ = told.send(status.exit_status().or(signal).unwrap_or(-1));
            }
        }
    }
}

/// Starts the program of an order.
pub struct PtyPrograms {
    order: AgentOrder,
    children: Children,
    environment: Environment,
}

impl PtyPrograms {
    pub fn new(order: AgentOrder, children: Children, environment: Environment) -> Self {
        Self { order, children, environment }
    }

    /// The file that would be started.
    pub fn find(&self) -> Result<PathBuf, StartError> {
        self.find_named(self.order.argv.first().ok_or(StartError::NoShell)?)
    }

    fn find_named(&self, name: &str) -> Result<PathBuf, StartError> {
        let path = self.order.env.get("PATH").map_or("", String::as_str);
        find(name, path, Path::new(&self.order.home)).ok_or_else(|| StartError::NotFound(name.to_owned()))
    }
}

/// Looks a program up as a shell would.
pub(super) fn find(name: &str, path: &str, home: &Path) -> Option<PathBuf> {
    let runs = |file: &PathBuf| file.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    if name.is_empty() {
        return None;
    }
    if name.contains('/') {
        return Some(home.join(name)).filter(runs);
    }
    path.split(':').filter(|dir| !dir.is_empty()).map(|dir| Path::new(dir).join(name)).find(runs)
}

impl Programs for PtyPrograms {
    fn start(&self, size: TerminalSize) -> Result<Program, StartError> {
        let file = self.find()?;
        let failed = |error: &dyn std::fmt::Display| StartError::Failed(error.to_string());
        let (pty, pts) = pty_process::blocking::open().map_err(|e| failed(&e))?;
        pty.resize(pty_process::Size::new(size.rows, size.cols)).map_err(|e| failed(&e))?;
        let name = self.order.argv.first().map_or("", String::as_str);
        let is_shell = Path::new(name).file_name().and_then(|n| n.to_str()).filter(|n| SHELLS.contains(n));
        let arg0 = match is_shell {
            Some(shell) if self.order.argv.len() == 1 => format!("-{shell}"),
            _ => name.to_owned(),
        };
        let env = self.environment.over(&self.order.env);
        let command = Command::new(&file).arg0(arg0).args(&self.order.argv[1..]).env_clear().envs(env).current_dir(&self.order.home);
        let child = command.spawn(pts).map_err(|e| failed(&e))?;
        // No await between start and registration: the reaper runs on this thread and cannot come in between.
        let pid = Pid::from_child(&child);
        let exit = self.children.expect(pid);
        let terminal = Arc::new(Terminal::new(pty.into()).map_err(|e| failed(&e))?);
        Ok(Program {
            output: Box::new(Stream(Arc::clone(&terminal))),
            input: Box::new(Stream(Arc::clone(&terminal))),
            handle: Box::new(PtyHandle { terminal, pid }),
            exit,
        })
    }

    fn has(&self, name: &str) -> bool {
        self.find_named(name).is_ok()
    }

    fn start_background(&self, argv: &[String]) -> Result<Background, StartError> {
        let file = self.find_named(argv.first().map_or("", String::as_str))?;
        let order = AgentOrder { env: self.environment.over(&self.order.env), ..self.order.clone() };
        background::start(&order, &self.children, &file, argv).map_err(|error| StartError::Failed(error.to_string()))
    }
}

/// Our side of a pseudo terminal.
struct Terminal(AsyncFd<OwnedFd>);

impl Terminal {
    fn new(pty: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&pty, true)?;
        // Deprecated for types that may close their descriptor early; an owned one does not.
        #[allow(deprecated)]
        let terminal = AsyncFd::new(pty)?;
        Ok(Self(terminal))
    }
}

struct PtyHandle {
    terminal: Arc<Terminal>,
    pid: Pid,
}

impl Handle for PtyHandle {
    fn resize(&self, size: TerminalSize) {
        let size = Winsize { ws_row: size.rows, ws_col: size.cols, ws_xpixel: 0, ws_ypixel: 0 };
        let _ = rustix::termios::tcsetwinsize(self.terminal.0.get_ref(), size);
    }

    fn end(&self) {
        // The program leads its session and group. Shells ignore SIGTERM but not a hang-up; a stopped one must go on to die.
        for signal in [Signal::HUP, Signal::CONT] {
            let _ = rustix::process::kill_process_group(self.pid, signal);
        }
        let pid = self.pid;
        tokio::spawn(async move {
            tokio::time::sleep(std::time::Duration::from_secs(3)).await;
            let _ = rustix::process::kill_process_group(pid, Signal::KILL);
        });
    }
}

/// Reads from or writes to a terminal.
struct Stream(Arc<Terminal>);

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut ready = ready!(self.0.0.poll_read_ready(context))?;
            let read = ready.try_io(|fd| Ok(rustix::io::read(fd.get_ref(), buffer.initialize_unfilled())?));
            if let Ok(result) = read {
                return Poll::Ready(result.map(|n| buffer.advance(n)));
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.0.0.poll_write_ready(context))?;
            if let Ok(result) = ready.try_io(|fd| Ok(rustix::io::write(fd.get_ref(), bytes)?)) {
                return Poll::Ready(result);
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_in_the_path_or_by_their_own() {
        let home = tempfile::tempdir().unwrap();
        assert!(find("sh", "/nowhere:/bin:/usr/bin", home.path()).is_some());
        assert_eq!(find("sh", "", home.path()), None);
        assert_eq!(find("", "/bin", home.path()), None);
        assert_eq!(find("/etc/passwd", "/bin", home.path()), None, "not executable");
        assert_eq!(find("no-such-program", "/bin:/usr/bin", home.path()), None);
    }
}
