//! `codex-web setup-code`: a new one-time link for the first administrator; the ones before it end.
//!
//! While set-up is open the code also lies in the file `setup-code` of the data directory, readable by its owner alone,
//! for whoever starts the server without a terminal.

use super::control::Control;
use super::exit::{Exit, Failure, Outcome};
use super::output::{Format, Output};
use crate::app::Application;
use serde_json::{Value as Json, json};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Its name in the data directory.
const FILE: &str = "setup-code";

pub fn run(control: &Control, data_dir: &Path, output: &mut Output<'_>) -> Outcome {
    let made = control.post("/control/setup-code", &json!({}))?;
    keep(data_dir, made["code"].as_str().unwrap_or_default())?;
    match output.format {
        Format::Json => output.json(&made)?,
        Format::Table => {
            output.text(&format!("{}\n", made["url"].as_str().unwrap_or_default()))?;
            output.say("Open it within an hour, while the server runs. It works once; earlier links have ended.")?;
        }
    }
    Ok(Exit::Done)
}

/// The code for the start message, from the application that is about to serve.
pub async fn fresh(application: &Application, data_dir: &Path) -> Result<String, Failure> {
    let reply = application.call("POST", "/control/setup-code", "", Some("{}".into()), "server").await;
    let crate::http::handler::ReplyBody::Json(text) = reply.body else {
        return Err(Failure::failed("The set-up code could not be made."));
    };
    let json: Json = serde_json::from_str(&text).unwrap_or_default();
    let Some(code) = json["code"].as_str() else {
        return Err(Failure::failed(format!(
            "The set-up code could not be made: {}",
            json["error"]["message"].as_str().unwrap_or_default()
        )));
    };
    keep(data_dir, code)?;
    Ok(code.to_owned())
}

fn keep(data_dir: &Path, code: &str) -> Result<(), Failure> {
    forget(data_dir);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(data_dir.join(FILE))?;
    Ok(writeln!(file, "{code}")?)
}

/// Removes the file, once there is an administrator.
pub fn forget(data_dir: &Path) {
    // That it is not there is the usual case.
    let _ = fs::remove_file(data_dir.join(FILE));
}
