//! The command line: one file per subcommand, results on standard output, messages on standard error, and exit codes
//! that scripts may rely on.
//!
//! Commands that touch data are clients of the application ([`control`]); none of them opens the database for writing
//! by itself, so whatever a command changes goes through `ops` and the audit log like everything else.

mod agent;
mod agent_install;
mod agent_tools;
mod announce;
mod apps;
pub mod arguments;
mod audit;
mod backup;

mod cluster;
mod completions;
mod config;
mod context;
pub mod control;
mod data_dir;
mod doctor;
mod doctor_cluster;
pub mod exit;
mod healthcheck;
mod image;
mod in_process;
mod keys;
mod openapi;
pub mod output;
mod password;
pub mod sandbox;
mod serve;
mod setup_code;
mod user;

use crate::config::Surroundings;
use arguments::{Arguments, AuditCommand, BackupCommand, Command, ServeFlags, UserCommand};
use clap::Parser;
use context::{Context, Presence};
use exit::{Exit, Failure, Outcome};
use output::{Output, Patient};
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

/// Runs one command to its end.
pub fn run(arguments: impl IntoIterator<Item = OsString>, surroundings: Surroundings) -> ExitCode {
    match Arguments::try_parse_from(arguments) {
        Ok(Arguments { command: Some(Command::Agent(arguments)), .. }) => {
            agent::run(arguments, surroundings.environment).unwrap_or_else(|failure| {
                let _ = writeln!(io::stderr(), "{failure}");
                failure.exit.into()
            })
        }
        Ok(parsed) => run_command(parsed, surroundings).into(),
        Err(error) => {
            // Help and version are no mistakes, and go where results go.
            let _ = error.print();
            if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() }
        }
    }
}

fn run_command(parsed: Arguments, surroundings: Surroundings) -> Exit {
    let (mut out, mut messages) = (Patient(io::stdout().lock()), Patient(io::stderr()));
    let mut output = Output { format: parsed.global.output, out: &mut out, messages: &mut messages };
    match dispatch(parsed, surroundings, &mut output) {
        Ok(exit) => exit,
        Err(failure) => {
            let _ = output.say(&failure.message);
            failure.exit
        }
    }
}

fn dispatch(parsed: Arguments, surroundings: Surroundings, output: &mut Output<'_>) -> Outcome {
    let Arguments { global, serve, command } = parsed;
    let flags = match &command {
        None => serve.settings(),
        Some(_) if serve != ServeFlags::default() => {
            return Err(Failure::usage("--listen, --public-url, --cluster and --log-format belong to `serve`: write them after it."));
        }
        Some(Command::Serve(flags)) => flags.clone().settings(),
        Some(_) => Vec::new(),
    };
    let context = Context::new(surroundings, &global, flags);
    match command {
        None | Some(Command::Serve(_)) => serve::run(&context),
        Some(Command::Config(command)) => config::run(&command, &context, output),
        Some(Command::Completions { shell }) => completions::run(shell, output),
        Some(Command::Image(command)) => image::run(&command, output),
        // It takes another way in.
        Some(Command::Agent(_)) => Err(Failure::usage("codex-web agent is run by itself.")),
        Some(Command::Openapi) => openapi::run(output),
        Some(Command::Apps(command)) => apps::run(&command, &context, output),
        Some(Command::Doctor) => doctor::run(&context, output),
        Some(Command::Healthcheck) => healthcheck::run(&context, output),
        Some(Command::SetupCode) => setup_code::run(&context.application(Presence::MayBeNew)?, output),
        Some(Command::User(command @ UserCommand::Add(_))) => user::run(command, &context.application(Presence::MayBeNew)?, output),
        Some(Command::User(command)) => user::run(command, &context.application(Presence::MustExist)?, output),
        Some(Command::Keys(command)) => keys::run(&command, &context.application(Presence::MustExist)?, output),
        Some(Command::Audit(command)) => run_audit(&command, &context, output),
        Some(Command::Backup(command)) => run_backup(&command, &context, output),
    }
}

fn run_audit(command: &AuditCommand, context: &Context, output: &mut Output<'_>) -> Outcome {
    match command {
        AuditCommand::Verify(what) => {
            let config = context.config()?;
            data_dir::must_exist(&config)?;
            audit::verify(&config.data.dir, what, output)
        }
        AuditCommand::Export { format, from, to, after } => {
            let range = audit::Range { from: from.as_deref(), to: to.as_deref(), after: *after };
            audit::export(*format, &range, &context.application(Presence::MustExist)?, output)
        }
    }
}

fn run_backup(command: &BackupCommand, context: &Context, output: &mut Output<'_>) -> Outcome {
    match command {
        BackupCommand::Create { with_keys } => backup::create(*with_keys, &context.application(Presence::MustExist)?, output),
        BackupCommand::List => backup::list(&context.config()?, output),
        BackupCommand::Verify(which) => backup::verify(&context.config()?, &which.name, output),
        BackupCommand::Restore(which) => backup::restore(context, &which.name, output),
    }
}
