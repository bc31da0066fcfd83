//! The command line: one file per subcommand, results on standard output, messages on standard error, and exit codes
//! that scripts may rely on.
//!
//! Commands that touch data are clients of the application ([`control`]); none of them opens the database for writing
//! by itself, so whatever a command changes goes through `ops` and the audit log like everything else.

pub mod arguments;
mod completions;
mod config;
mod context;
pub mod control;
pub mod exit;
pub mod output;
mod password;
pub mod sandbox;
mod user;

use arguments::{Arguments, Command};
use clap::Parser;
use context::Context;
use exit::{Exit, Failure, Outcome};
use output::Output;
use std::ffi::OsString;
use std::io;

/// Runs one command to its end.
pub fn run(arguments: impl IntoIterator<Item = OsString>, surroundings: crate::config::Surroundings) -> Exit {
    let (mut out, mut messages) = (io::stdout().lock(), io::stderr());
    let parsed = match Arguments::try_parse_from(arguments) {
        Ok(parsed) => parsed,
        Err(error) => {
            // Help and version are no mistakes, and go where results go.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Done };
        }
    };
    let mut output = Output { format: parsed.global.output, out: &mut out, messages: &mut messages };
    match dispatch(parsed, surroundings, &mut output) {
        Ok(exit) => exit,
        Err(failure) => {
            let _ = output.say(&failure.message);
            failure.exit
        }
    }
}

fn dispatch(parsed: Arguments, surroundings: crate::config::Surroundings, output: &mut Output<'_>) -> Outcome {
    let Arguments { global, serve, command } = parsed;
    let context = |settings| Context::new(surroundings, &global, settings);
    match command {
        Some(command) if serve != arguments::ServeFlags::default() => {
            let _ = command;
            Err(Failure::usage("--listen, --public-url, --cluster and --log-format belong to `serve`: write them after it."))
        }
        Some(Command::Config(command)) => config::run(&command, &context(Vec::new()), output),
        Some(Command::Completions { shell }) => completions::run(shell, output),
        Some(Command::User(command)) => {
            let config = context(Vec::new()).config()?;
            let socket = control::Socket::connect(&config.data.dir.join("control.sock"))?;
            let socket = socket.ok_or_else(|| Failure::failed("The server does not run."))?;
            user::run(command, &control::Control::new(socket), output)
        }
        _ => Err(Failure::failed("This command needs the application.")),
    }
}
