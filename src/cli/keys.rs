//! `codex-web keys rotate|list`.

use super::arguments::KeysCommand;
use super::control::Control;
use super::exit::{Exit, Outcome};
use super::output::Output;
use serde_json::{Value as Json, json};

pub fn run(command: &KeysCommand, control: &Control, output: &mut Output<'_>) -> Outcome {
    let keys = match command {
        KeysCommand::List => control.get("/control/keys")?,
        KeysCommand::Rotate { compromised } => {
            let keys = control.post("/control/keys/rotate", &json!({"compromised": compromised}))?;
            output.say(if *compromised {
                "New keys are in force and the old ones are gone. Running workspaces are being told; one that cannot be opened must start again."
            } else {
                "A new key is in force. Tokens of the old one work until they expire."
            })?;
            keys
        }
    };
    let text = |key: &Json, field: &str| key[field].as_str().unwrap_or_default().to_owned();
    let row = |key: &Json| ["kid", "kind", "algorithm", "state", "createdAt", "retireAt"].map(|field| text(key, field)).to_vec();
    let rows: Vec<Vec<String>> = keys.as_array().map(Vec::as_slice).unwrap_or_default().iter().map(row).collect();
    output.table(&["KEY", "SIGNS", "ALGORITHM", "STATE", "MADE", "DROPPED"], &rows, &keys)?;
    Ok(Exit::Done)
}
