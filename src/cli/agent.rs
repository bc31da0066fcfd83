//! `codex-web agent`: what runs inside a workspace that the server did not start itself, and what its programs start.

use super::agent_install;
use super::agent_tools;
use super::arguments::{AgentArguments, AgentCommand};
use super::exit::{Exit, Failure, Outcome};
use crate::agent::container;
use std::collections::BTreeMap;
use std::process::ExitCode;

/// Runs one of them to its end. Takes no lock on the standard streams: the agent's threads and programs write there.
pub fn run(arguments: AgentArguments, environment: BTreeMap<String, String>) -> Result<ExitCode, Failure> {
    match (arguments.order, arguments.command) {
        (Some(order), None) => Ok(container::run(order, arguments.port, environment)),
        (None, Some(AgentCommand::Install { folder })) => done(agent_install::run(&folder)),
        (None, Some(AgentCommand::Tool(tool))) => done(agent_tools::run(&tool)),
        _ => Err(Failure::usage("codex-web agent needs --order, or one command.")),
    }
}

fn done(outcome: Outcome) -> Result<ExitCode, Failure> {
    outcome.map(Exit::into)
}
