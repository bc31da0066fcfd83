//! Git inside the workspace with what its owner keeps on the server: the key of the SSH agent and the tokens of the
//! credential helper, and the repository that a new workspace begins with.
//!
//! Nothing of it is kept here. Programs ask at sockets that only the user of the workspace can open, each request goes
//! to the server over the uplink, and the server decides. The private key never comes this way.

pub mod clone;
pub mod credential;
mod progress;
mod socket;
pub mod ssh_agent;

use crate::agent::http::body;
use crate::agent::init;
use crate::agent::pty::Children;
use crate::agent::uplink::Uplink;
use crate::agent::voice::Voice;
use crate::domain::agent::AgentOrder;
use crate::domain::git::Repository;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::{Method, Request, StatusCode};
use std::io;

/// The longest answer of the server that is read, in bytes.
const ANSWER_MAX: usize = 64 * 1024;

/// Starts the sockets and, where there is something to clone, the clone. Reports by `voice`.
pub fn start(order: &AgentOrder, uplink: &Uplink, children: &Children, voice: &Voice) {
    if let Some(path) = order.env.get("SSH_AUTH_SOCK") {
        socket::offer(path, uplink, |stream, uplink| Box::pin(ssh_agent::serve(stream, uplink)));
    }
    if let Some(path) = &order.git.credential_socket {
        socket::offer(path, uplink, |stream, uplink| Box::pin(credential::serve(stream, uplink)));
    }
    if let Some((path, text)) = &order.git.config
        && let Err(error) = std::fs::write(path, text)
    {
        init::log(&format!("git's configuration could not be written: {error}"));
    }
    let repository = order.git.repository.as_ref().and_then(|text| Repository::parse(text).ok());
    if let Some(repository) = repository {
        tokio::spawn(clone::clone_once(order.clone(), repository, uplink.clone(), children.clone(), voice.clone()));
    }
}

/// Asks the server; the answer's status and body.
async fn ask(uplink: &Uplink, method: Method, path: &'static str, question: Bytes) -> io::Result<(StatusCode, Bytes)> {
    let mut request = Request::new(body(question));
    *request.method_mut() = method;
    *request.uri_mut() = hyper::Uri::from_static(path);
    let answer = uplink.request(request).await?;
    let status = answer.status();
    let read = Limited::new(answer.into_body(), ANSWER_MAX).collect().await.map_err(io::Error::other)?;
    Ok((status, read.to_bytes()))
}

/// The words of a refusal.
fn words(body: &Bytes) -> String {
    let told = serde_json::from_slice::<serde_json::Value>(body).unwrap_or_default();
    told["message"].as_str().unwrap_or("the server refused").to_owned()
}
