//! Same-origin proof: what keeps another site's page from acting with a person's cookie.
//!
//! Same-*site* is not same-*origin*: pages of workspaces may be same-site, so `SameSite` alone does not protect.

use crate::error::{Error, Result};
use crate::transport::Transport;

fn header<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
}

/// A call that changes something. With a cookie the proof is demanded; without one (signing in, API clients) only a
/// proof of the contrary refuses.
pub fn check(transport: &Transport, headers: &[(String, String)], by_cookie: bool) -> Result<()> {
    let refused =
        Err(Error::CrossSite("This call came from another site, so it was refused. Open the page at its own address and try again."));
    if let Some(site) = header(headers, "sec-fetch-site") {
        // `none` is a person typing an address: never how a page sends a change.
        return if site == "same-origin" { Ok(()) } else { refused };
    }
    match header(headers, "origin") {
        Some(origin) if is_ours(transport, origin, headers) => Ok(()),
        Some(_) => refused,
        None if by_cookie => refused,
        None => Ok(()),
    }
}

/// The handshake of a socket: browsers always send `Origin` there, and it must be exactly ours.
pub fn check_socket(transport: &Transport, headers: &[(String, String)], by_cookie: bool) -> Result<()> {
    match header(headers, "origin") {
        Some(origin) if is_ours(transport, origin, headers) => Ok(()),
        None if !by_cookie => Ok(()),
        _ => Err(Error::CrossSite("This socket was opened from another site, so it was refused.")),
    }
}

fn is_ours(transport: &Transport, origin: &str, headers: &[(String, String)]) -> bool {
    header(headers, "host").is_some_and(|host| transport.same_origin(origin, host))
}
