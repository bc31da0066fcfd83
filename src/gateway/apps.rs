//! What the origins of apps have in common: their names, their cookies, who is there, and which port is whose.

use super::asked::Asked;
use super::knocks::Knocks;
use super::names::{self, Names, Place};
use super::ports::Ports;
use super::visits::Visits;
use crate::config::{Config, Network};
use crate::transport::{Cookies, Scheme, Transport};
use std::sync::Arc;

/// The cookie of an app session, before prefix and port.
const APP_COOKIE: &str = "codex_app";
/// The cookie that ties a hand-off to one browser.
const NONCE_COOKIE: &str = "codex_nonce";
/// The cookie that tells a browser's storage of a port's earlier tenant from that of the present one.
const TENANT_COOKIE: &str = "codex_tenant";
/// The most cookies of one name that are looked at: a page of another origin may have added some.
const MOST_OF_ONE_NAME: usize = 4;

/// Shared by all origins of apps.
pub struct Apps {
    pub names: Names,
    pub transport: Transport,
    pub trusted_proxies: Vec<Network>,
    pub ports: Ports,
    pub visits: Visits,
    /// Who shows cookies and codes that nobody was given.
    pub knocks: Knocks,
}

/// Which of our cookies on an app's origin.
#[derive(Debug, Clone, Copy)]
pub enum Cookie {
    Session,
    Nonce,
    Tenant,
}

impl Apps {
    pub fn new(config: &Config, transport: &Transport) -> Arc<Self> {
        Arc::new(Self {
            names: names::decide(&config.gateway, transport),
            transport: transport.clone(),
            trusted_proxies: config.server.trusted_proxies.clone(),
            ports: Ports::default(),
            visits: Visits::default(),
            knocks: Knocks::default(),
        })
    }

    /// The full name of a cookie; `port` is the app's own, where it has one, because cookies ignore ports.
    pub fn cookie_name(&self, cookie: Cookie, port: Option<u16>) -> String {
        let base = match cookie {
            Cookie::Session => APP_COOKIE,
            Cookie::Nonce => NONCE_COOKIE,
            Cookie::Tenant => TENANT_COOKIE,
        };
        let prefix = if self.transport.cookies == Cookies::Host { "__Host-" } else { "" };
        let suffix = port.map(|port| format!("_{port}")).unwrap_or_default();
        format!("{prefix}{base}{suffix}")
    }

    /// A `Set-Cookie` for this origin alone, out of reach of scripts. Without `seconds` it lasts as long as the browser.
    pub fn set_cookie(&self, cookie: Cookie, port: Option<u16>, value: &str, seconds: Option<i64>) -> String {
        let secure = if self.transport.cookies.secure() { "; Secure" } else { "" };
        let age = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        format!("{}={value}; Path=/{age}; HttpOnly; SameSite=Lax{secure}", self.cookie_name(cookie, port))
    }

    /// A `Set-Cookie` that removes one of this origin.
    pub fn forget_cookie(&self, cookie: Cookie, port: Option<u16>) -> String {
        self.set_cookie(cookie, port, "", Some(0))
    }

    /// The values of a cookie in the `Cookie` headers of a request.
    pub fn cookies(&self, request: &impl Asked, cookie: Cookie, port: Option<u16>) -> Vec<String> {
        let name = self.cookie_name(cookie, port);
        let pairs = request.lines("cookie").flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.filter(|(n, _)| *n == name).map(|(_, value)| value.to_owned()).take(MOST_OF_ONE_NAME).collect()
    }

    /// `http` or `https`, as the browser speaks it.
    pub fn scheme(&self) -> &'static str {
        match self.transport.public_url.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    /// The page of the UI that opens this app.
    pub fn opening_page(&self, place: &Place) -> String {
        format!("{}/open?workspace={}&{}", self.transport.public_url, place.workspace, named(place))
    }
}

/// `app=code` or `port=3000`.
pub fn named(place: &Place) -> String {
    match &place.target {
        crate::domain::app_target::AppTarget::App(slug) => format!("app={slug}"),
        crate::domain::app_target::AppTarget::Port(port) => format!("port={port}"),
    }
}

/// Percent-encodes a value for a query or a fragment: everything but what RFC 3986 leaves unreserved, and the slash.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => encoded.push(char::from(byte)),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

/// One parameter of a raw query, decoded; `None` where it is not there or is no text.
pub fn parameter(query: &str, name: &str) -> Option<String> {
    let raw = query.split('&').filter_map(|pair| pair.split_once('=')).find(|(n, _)| *n == name)?.1;
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte == b'%' {
            let hex = rest.get(..2).and_then(|hex| std::str::from_utf8(hex).ok()).filter(|h| h.bytes().all(|b| b.is_ascii_hexdigit()))?;
            bytes.push(u8::from_str_radix(hex, 16).ok()?);
            rest = &rest[2..];
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Whether a text may be where a browser is sent inside an app: a path of the same origin, and none of our own.
pub fn is_inside(to: &str) -> bool {
    let plain = to.len() <= 2_048 && to.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    plain && to.starts_with('/') && !to.starts_with("//") && !is_reserved(to)
}

/// Whether an address belongs to the gateway on every origin of apps, and never reaches an app.
pub fn is_reserved(path: &str) -> bool {
    path.strip_prefix("/.codex").is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_of_the_same_origin_is_inside() {
        for good in ["/", "/a/b?c=d&e#f", "/?folder=/home/dev", "/a//b", "/.codexx"] {
            assert!(is_inside(good), "{good}");
        }
        let long = format!("/{}", "a".repeat(2_048));
        for bad in
            ["", "a", "//evil", "/\\evil", "https://evil", "/a b", "/a\nb", "/ä", "/.codex", "/.codex/handoff?code=x", "/.codex?x", &long]
        {
            assert!(!is_inside(bad), "{bad:?}");
        }
    }

    #[test]
    fn parameters_come_back_as_they_were() {
        for text in ["/a?b=c&d#e", "ä ö+%", ""] {
            assert_eq!(parameter(&format!("x=1&to={}&y=2", encode(text)), "to").as_deref(), Some(text));
        }
        for bad in ["to=%", "to=%f", "to=%+1", "to=%ff", "too=1"] {
            assert_eq!(parameter(bad, "to"), None, "{bad}");
        }
    }
}
