//! The transport rule: from where the server listens and what the operator configured to scheme, address, cookies and
//! known hosts, as one pure function.
//!
//! | listens on | UI address | cookies |
//! |---|---|---|
//! | loopback, no TLS | `http://localhost:PORT` | plain names with the port, not `Secure` |
//! | anything else, `tls = auto` | `https://…`, self-signed | `__Host-`, `Secure` |
//! | anything, `cert` and `key` | `https://…` | `__Host-`, `Secure` |
//! | behind a trusted proxy that ends TLS | `public_url`, `https://…` | `__Host-`, `Secure` |
//! | anything else | refuses to start | |
//!
//! Passwords and sessions never cross a network in the clear: there is no setting for that.

pub mod certificate;
pub mod machine;
pub mod origin;
pub mod tls;
pub mod trust;

pub use machine::Machine;
pub use origin::{Host, Origin, Scheme};

use crate::config::Server;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

/// Who encrypts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// Nobody needs to: only this machine connects.
    None,
    /// We do, with a certificate that we made.
    SelfSigned,
    /// We do, with the operator's certificate.
    Certificate,
    /// The trusted proxy in front of us.
    Proxy,
}

/// How cookies are named and marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cookies {
    /// `NAME_PORT` without `Secure`: cookies ignore ports, so two servers on one loopback would share a plain name.
    Plain { port: u16 },
    /// `__Host-NAME`, `Secure`: no other host, and no plain page of this one, can set or read it.
    Host,
}

impl Cookies {
    /// The cookie's full name.
    pub fn name(self, base: &str) -> String {
        match self {
            Self::Plain { port } => format!("{base}_{port}"),
            Self::Host => format!("__Host-{base}"),
        }
    }

    pub fn secure(self) -> bool {
        matches!(self, Self::Host)
    }
}

/// What the rule decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transport {
    pub encryption: Encryption,
    /// The address people use: start message, links, token issuer.
    pub public_url: Origin,
    pub cookies: Cookies,
    /// Host names that are answered; any other is 421.
    pub known_hosts: BTreeSet<Host>,
    /// Pages asked for at another known host are redirected to `public_url`; the API answers at all of them.
    pub redirect_pages: bool,
}

impl Transport {
    /// Whether the `Host` header names this server. The port is not compared: a forwarded port is not a foreign host.
    pub fn knows(&self, host_header: &str) -> bool {
        origin::parse_authority(host_header).is_some_and(|(host, _)| self.known_hosts.contains(&host))
    }

    /// Where a page asked for at this `Host` belongs instead, if it does.
    pub fn redirect(&self, host_header: &str) -> Option<&Origin> {
        let (host, _) = origin::parse_authority(host_header)?;
        (self.redirect_pages && host != self.public_url.host).then_some(&self.public_url)
    }

    /// Whether an `Origin` header is our own page: our scheme, and exactly the host and port that the request was sent
    /// to. A page of another program on the same machine has another port, and is foreign.
    pub fn same_origin(&self, origin_header: &str, host_header: &str) -> bool {
        let Some((host, port)) = origin::parse_authority(host_header).filter(|(host, _)| self.known_hosts.contains(host)) else {
            return false;
        };
        let Ok(origin) = Origin::parse(origin_header) else { return false };
        let sent_to = Origin { scheme: self.public_url.scheme, port: port.unwrap_or(if self.cookies.secure() { 443 } else { 80 }), host };
        origin == sent_to
    }
}

/// Decides. `listen` is the address as bound (its port is the real one); the text of a refusal names every way out.
pub fn decide(server: &Server, listen: SocketAddr, machine: &Machine) -> Result<Transport, String> {
    let loopback = listen.ip().to_canonical().is_loopback();
    let proxied = !server.trusted_proxies.is_empty();
    match (&server.certificate, server.tls) {
        (Some(_), _) => encrypted(server, listen, machine, Encryption::Certificate),
        (None, _) if proxied => behind_proxy(server, listen),
        (None, _) if loopback => on_loopback(server, listen),
        (None, true) => encrypted(server, listen, machine, Encryption::SelfSigned),
        (None, false) => Err(refusal(listen)),
    }
}

fn on_loopback(server: &Server, listen: SocketAddr) -> Result<Transport, String> {
    let public_url = match &server.public_url {
        None => Origin { scheme: Scheme::Http, host: Host::Name("localhost".into()), port: listen.port() },
        Some(url) if url.scheme == Scheme::Http && url.host.is_loopback() => url.clone(),
        Some(url) => {
            return Err(format!(
                "server.public_url is {url}, but the server listens on {listen} without TLS. If a proxy on this machine ends TLS there, \
                 name it: server.trusted_proxies = [\"127.0.0.1\"] (and an https:// address). Without a proxy, set server.listen to an \
                 address that others reach: TLS is then switched on by itself."
            ));
        }
    };
    let redirect_pages = true;
    let known_hosts = hosts([public_url.host.clone()], listen);
    Ok(Transport { encryption: Encryption::None, public_url, cookies: Cookies::Plain { port: listen.port() }, known_hosts, redirect_pages })
}

fn behind_proxy(server: &Server, listen: SocketAddr) -> Result<Transport, String> {
    let Some(url) = server.public_url.clone().filter(|url| url.scheme == Scheme::Https) else {
        let found = server.public_url.as_ref().map_or_else(|| "it is not set".to_owned(), |url| format!("it is {url}"));
        return Err(format!(
            "server.trusted_proxies is set, so server.public_url must be the https:// address that the proxy answers at; {found}. \
             Without a proxy, remove server.trusted_proxies."
        ));
    };
    let known_hosts = hosts([url.host.clone()], listen);
    Ok(Transport { encryption: Encryption::Proxy, public_url: url, cookies: Cookies::Host, known_hosts, redirect_pages: true })
}

fn encrypted(server: &Server, listen: SocketAddr, machine: &Machine, encryption: Encryption) -> Result<Transport, String> {
    if let Some(url) = &server.public_url {
        if url.scheme == Scheme::Http {
            return Err(format!("server.public_url is {url}, but the server speaks TLS on {listen}: write it with https://."));
        }
        let known_hosts = hosts([url.host.clone()], listen);
        return Ok(Transport { encryption, public_url: url.clone(), cookies: Cookies::Host, known_hosts, redirect_pages: true });
    }
    let host = match listen.ip() {
        address if address.is_unspecified() => machine.host(),
        address if address.to_canonical().is_loopback() => Host::Name("localhost".into()),
        address => Host::Address(address),
    };
    let own = machine.name.iter().cloned().chain(machine.addresses.iter().copied().map(Host::Address)).chain([host.clone()]);
    let public_url = Origin { scheme: Scheme::Https, host, port: listen.port() };
    Ok(Transport { encryption, public_url, cookies: Cookies::Host, known_hosts: hosts(own, listen), redirect_pages: false })
}

/// The given hosts, loopback (for whoever sits at the machine, or forwards a port), and the address itself.
fn hosts(own: impl IntoIterator<Item = Host>, listen: SocketAddr) -> BTreeSet<Host> {
    let loopback = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])];
    let mut all: BTreeSet<Host> = own.into_iter().chain(loopback.map(Host::Address)).collect();
    all.insert(Host::Name("localhost".into()));
    if listen.ip().to_canonical().is_loopback() {
        all.insert(Host::Address(listen.ip()));
    }
    all
}

fn refusal(listen: SocketAddr) -> String {
    let port = listen.port();
    let choices = [
        ("remove server.tls = \"off\"".to_owned(), "a self-signed certificate is made and kept".to_owned()),
        ("server.cert = \"…\", server.key = \"…\"".to_owned(), "your own certificate".to_owned()),
        ("server.trusted_proxies = [\"…\"], server.public_url = \"https://…\"".to_owned(), "a proxy in front ends TLS".to_owned()),
        (format!("server.listen = \"127.0.0.1:{port}\""), format!("this machine only; from another: ssh -L {port}:localhost:{port} HOST")),
    ];
    let mut text =
        format!("Codex Web does not serve {listen} without TLS: passwords and sessions would cross the network in the clear. Choose one:");
    for (setting, meaning) in choices {
        text.push_str(&format!("\n    {setting:<66}  {meaning}"));
    }
    text
}

#[cfg(test)]
mod tests;
