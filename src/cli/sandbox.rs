//! `codex-web sandbox-exec`, hidden: the launcher of a local sandbox and, inside it, the agent.
//!
//! Must run before anything else of the program: no thread, no telemetry, no configuration.

use crate::agent::init::{self, Door};
use crate::agent::voice::Voice;
use crate::cluster::local::{Entered, enter};
use std::process::ExitCode;

/// The hidden subcommand's name.
pub const SUBCOMMAND: &str = crate::cluster::local::SUBCOMMAND;

/// Reads its order from standard input, makes the sandbox, and becomes the agent in it.
pub fn run() -> ExitCode {
    // The server does without large pages for itself; what it starts would inherit that.
    let _ = rustix::thread::disable_transparent_huge_pages(false);
    match enter() {
        Entered::Agent { order, listener, status } => init::run(*order, Door::Inherited(listener), &Voice::pipe(status)),
        Entered::Done(code) => ExitCode::from(code),
    }
}
