//! `codex-web agent`: the agent as the first process of a container that the server did not start itself.
//!
//! Takes its order from a file that the server wrote (it holds no secret) and listens on a unix socket. On the local
//! runtime the launcher becomes the agent without this command.

use crate::agent::init;
use crate::domain::agent::AgentOrder;
use rustix::fs::Mode;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::ExitCode;

/// Runs until the workspace ends. Refuses where it is not the first process: at its end it ends every other one.
pub fn run(order: &Path, socket: &Path) -> ExitCode {
    match prepare(order, socket) {
        Ok((order, listener, status)) => init::run(order, listener.into(), status),
        Err(error) => {
            let _ = writeln!(io::stderr(), "codex-web agent: {error}");
            ExitCode::FAILURE
        }
    }
}

fn prepare(order: &Path, socket: &Path) -> io::Result<(AgentOrder, UnixListener, File)> {
    if rustix::process::getpid() != rustix::process::Pid::INIT {
        return Err(io::Error::other("this command is the first process of a workspace and is never started by hand"));
    }
    let order = serde_json::from_slice(&std::fs::read(order)?)?;
    // Only the user of the workspace and whoever may enter its folder can connect, and each needs a ticket.
    rustix::process::umask(Mode::from_raw_mode(0o077));
    let listener = UnixListener::bind(socket)?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    listener.set_nonblocking(true)?;
    let status = File::options().write(true).open("/dev/null")?;
    Ok((order, listener, status))
}
