//! `codex-web healthcheck`: for container runtimes and scripts.
//!
//! It asks over the control socket, so it needs no address, no certificate and no credential, and works with port 0.

use super::context::Context;
use super::control::{Control, Socket};
use super::exit::{Exit, Failure, Outcome};
use super::output::Output;

pub fn run(context: &Context, output: &mut Output<'_>) -> Outcome {
    let config = context.config()?;
    let socket = config.data.dir.join("control.sock");
    let connected = Socket::connect(&socket)?;
    let Some(connected) = connected else {
        return Err(Failure::failed(format!("No server answers on {}.", socket.display())));
    };
    let answer = Control::new(connected).get("/api/health/ready")?;
    output.facts(&[("Status", answer["status"].as_str().unwrap_or_default().to_owned())], &answer)?;
    Ok(Exit::Done)
}
