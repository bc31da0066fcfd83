//! `codex-web openapi`: the description of the HTTP API, built from the same table as the routes themselves.

use super::exit::{Exit, Outcome};
use super::output::Output;

pub fn run(output: &mut Output<'_>) -> Outcome {
    output.json(&crate::http::openapi::document())?;
    Ok(Exit::Done)
}
