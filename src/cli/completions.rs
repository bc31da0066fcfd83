//! `codex-web completions bash|zsh|fish`.

use super::arguments::Arguments;
use super::exit::{Exit, Outcome};
use super::output::Output;
use clap::CommandFactory;
use clap_complete::{Shell, generate};

pub fn run(shell: Shell, output: &mut Output<'_>) -> Outcome {
    let mut script = Vec::new();
    generate(shell, &mut Arguments::command(), "codex-web", &mut script);
    output.out.write_all(&script)?;
    Ok(Exit::Done)
}
