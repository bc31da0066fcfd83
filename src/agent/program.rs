//! What a terminal runs: a pair of byte streams, a size and an exit code.
//!
//! The real one is a program on a pseudo terminal (`pty.rs`). The echo program lets the whole protocol run inside a
//! test process, without a fork.

use crate::agent::protocol::TerminalSize;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, oneshot};

/// Why a program did not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    #[error("the program {0} was not found in this workspace")]
    NotFound(String),
    #[error("the program could not be started: {0}")]
    Failed(String),
    #[error("this image has no shell: neither $SHELL nor bash nor sh is there")]
    NoShell,
}

/// The handles on a running program that must outlive its streams.
pub trait Handle: Send + Sync {
    /// Tells the program its window size.
    fn resize(&self, size: TerminalSize);
    /// Ends the program and what it started on this terminal.
    fn end(&self);
}

/// A running program.
pub struct Program {
    pub output: Box<dyn AsyncRead + Send + Unpin>,
    pub input: Box<dyn AsyncWrite + Send + Unpin>,
    pub handle: Box<dyn Handle>,
    /// Its exit code; a signal counts as 128 plus its number.
    pub exit: oneshot::Receiver<i32>,
}

/// A running program without a terminal.
pub struct Background {
    /// What it prints, errors included.
    pub output: Box<dyn AsyncRead + Send + Unpin>,
    pub handle: Box<dyn Handle>,
    /// Its exit code; a signal counts as 128 plus its number.
    pub exit: oneshot::Receiver<i32>,
    /// Its process, where it is one.
    pub pid: Option<i32>,
}

/// Starts programs.
pub trait Programs: Send + Sync {
    fn start(&self, size: TerminalSize) -> Result<Program, StartError>;

    /// Whether a program of this name can be started.
    fn has(&self, _name: &str) -> bool {
        false
    }

    /// Starts a program without a terminal, leading a process group of its own.
    fn start_background(&self, argv: &[String]) -> Result<Background, StartError> {
        Err(StartError::NotFound(argv.first().cloned().unwrap_or_default()))
    }
}

/// Starts programs that print a prompt and send back what they are sent. `exit` ends one.
#[derive(Debug, Default, Clone, Copy)]
pub struct EchoPrograms;

struct EchoHandle(Arc<Notify>);

impl Handle for EchoHandle {
    fn resize(&self, _: TerminalSize) {}

    fn end(&self) {
        self.0.notify_one();
    }
}

impl Programs for EchoPrograms {
    fn start(&self, _: TerminalSize) -> Result<Program, StartError> {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let (output, input) = tokio::io::split(ours);
        let (done, exit) = oneshot::channel();
        let end = Arc::new(Notify::new());
        let handle = Box::new(EchoHandle(Arc::clone(&end)));
        tokio::spawn(async move {
            let code = tokio::select! {
                () = echo(theirs) => 0,
                // A hang-up, as a shell would count it.
                () = end.notified() => 129,
            };
            let _ = done.send(code);
        });
        Ok(Program { output: Box::new(output), input: Box::new(input), handle, exit })
    }
}

async fn echo(mut stream: tokio::io::DuplexStream) {
    let mut line = Vec::new();
    let mut buffer = [0_u8; 4096];
    if stream.write_all(b"$ ").await.is_err() {
        return;
    }
    while let Ok(n @ 1..) = stream.read(&mut buffer).await {
        let mut answer = Vec::with_capacity(n);
        for byte in &buffer[..n] {
            if matches!(byte, b'\r' | b'\n') {
                if line == b"exit" {
                    return;
                }
                line.clear();
                answer.extend_from_slice(b"\r\n$ ");
            } else {
                line.push(*byte);
                answer.push(*byte);
            }
        }
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}
