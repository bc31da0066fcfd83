//! Opening an app from the UI: where its origin is, and the code with which the browser there is let in.

use super::Gateway;
use super::apps::encode;
use super::names::Place;
use crate::clock::Millis;
use crate::error::Result;
use crate::ops::Caller;
use crate::ops::open::{self, Wish};
use secrecy::ExposeSecret;

/// Where the browser goes next.
#[derive(Debug)]
pub struct Way {
    pub url: String,
    /// Until when, where the way is open only for a while.
    pub expires_at: Option<Millis>,
}

/// The beginning of the way: the app's own origin, where the browser gets its nonce.
pub async fn begin(gateway: &Gateway, caller: &Caller, wish: Wish, to: &str) -> Result<Way> {
    let origin = origin(gateway, caller, wish).await?;
    Ok(Way { url: format!("{origin}/.codex/start?to={}", encode(to)), expires_at: None })
}

/// The end of the way, for the browser that holds the nonce with this hash.
pub async fn hand_off(gateway: &Gateway, caller: &Caller, wish: Wish, to: String, nonce_hash: String) -> Result<Way> {
    let origin = origin(gateway, caller, wish.clone()).await?;
    let made = open::hand_off(&gateway.ops, caller, wish, origin.clone(), to, nonce_hash).await?;
    let url = format!("{origin}/.codex/handoff?code={}", made.code.expose_secret());
    Ok(Way { url, expires_at: Some(made.expires_at) })
}

/// The app's origin; where apps have ports, one is given to it and opened.
async fn origin(gateway: &Gateway, caller: &Caller, wish: Wish) -> Result<String> {
    let place = Place { workspace: wish.workspace.clone(), target: wish.target.clone() };
    let names = &gateway.apps.names;
    let port = match names.ports() {
        None => {
            open::check(&gateway.ops, caller, wish).await?;
            None
        }
        Some(range) => {
            let tenant = open::port(&gateway.ops, caller, wish, range).await?;
            let port = tenant.port;
            gateway.apps.ports.open(tenant).await?;
            Some(port)
        }
    };
    Ok(names.origin(&place, port).to_string())
}
