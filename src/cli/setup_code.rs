//! `codex-web setup-code`: a new one-time link for the first administrator; the ones before it end.

use super::control::Control;
use super::exit::{Exit, Failure, Outcome};
use super::output::{Format, Output};
use crate::app::Application;
use crate::http::handler::ReplyBody;
use serde_json::{Value as Json, json};

pub fn run(control: &Control, output: &mut Output<'_>) -> Outcome {
    let made = control.post("/control/setup-code", &json!({}))?;
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
pub async fn fresh(application: &Application) -> Result<String, Failure> {
    let reply = application.call("POST", "/control/setup-code", "", Some("{}".into()), "server").await;
    let ReplyBody::Json(text) = reply.body else {
        return Err(Failure::failed("The set-up code could not be made."));
    };
    let json: Json = serde_json::from_str(&text).unwrap_or_default();
    let Some(code) = json["code"].as_str() else {
        return Err(Failure::failed(format!(
            "The set-up code could not be made: {}",
            json["error"]["message"].as_str().unwrap_or_default()
        )));
    };
    Ok(code.to_owned())
}
