//! `codex-web config check|show|example`.

use super::arguments::ConfigCommand;
use super::context::Context;
use super::exit::{Exit, Failure, Outcome};
use super::output::{Format, Output};
use crate::config::{Config, Problem, Problems, print};
use crate::transport::{self, Machine};
use serde_json::json;
use std::collections::BTreeMap;

pub fn run(command: &ConfigCommand, context: &Context, output: &mut Output<'_>) -> Outcome {
    match command {
        ConfigCommand::Example => output.text(&print::example())?,
        ConfigCommand::Show => show(&context.config()?, output)?,
        ConfigCommand::Check => return check(context, output),
    }
    Ok(Exit::Done)
}

fn show(config: &Config, output: &mut Output<'_>) -> Result<(), Failure> {
    let settings = config.effective(&BTreeMap::new());
    let rows: Vec<Vec<String>> = print::rows(&settings).into_iter().map(Vec::from).collect();
    output.table(&["SETTING", "VALUE", "SOURCE"], &rows, &json!(print::items(&settings)))?;
    Ok(())
}

/// Everything that would keep the server from starting, as far as it can be known without starting it.
fn check(context: &Context, output: &mut Output<'_>) -> Outcome {
    let found = context.config().map_err(|failure| failure.message).and_then(|config| {
        let refused = |message: String| Problems(vec![Problem::new("transport", message)]).to_string();
        transport::decide(&config.server, config.server.listen, &Machine::read()).map_err(refused)?;
        Ok(config)
    });
    match (found, output.format) {
        (Ok(config), Format::Table) => {
            let file = config.file.map_or_else(|| "no file".to_owned(), |path| path.display().to_string());
            output.say(&format!("The configuration is good ({file})."))?;
            Ok(Exit::Done)
        }
        (Ok(_), Format::Json) => {
            output.json(&json!({"valid": true}))?;
            Ok(Exit::Done)
        }
        (Err(message), Format::Table) => Err(Failure::usage(message)),
        (Err(message), Format::Json) => {
            output.json(&json!({"valid": false, "message": message}))?;
            Ok(Exit::Usage)
        }
    }
}
