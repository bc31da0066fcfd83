//! A web origin: scheme, host and port, as browsers write it in `Origin` and people in the address bar.
//!
//! Deliberately small: no path, no user information, no names outside ASCII. What cannot be the address of this
//! server is refused, not repaired.

use std::fmt;
use std::net::IpAddr;

/// How the browser reaches us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A host name in lower case, or an address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    Name(String),
    Address(IpAddr),
}

impl Host {
    /// Reads `name`, `1.2.3.4` or `[::1]`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(inner) = text.strip_prefix('[') {
            return inner.strip_suffix(']')?.parse().ok().map(|address| Self::Address(IpAddr::V6(address)));
        }
        if let Ok(address) = text.parse() {
            return Some(Self::Address(IpAddr::V4(address)));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        // A last label of digits only is a mistyped address to every browser.
        let numeric = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
        (name.len() <= 253 && name.split('.').all(label) && !numeric).then_some(Self::Name(name))
    }

    /// Only programs on this machine reach it.
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Name(name) => name == "localhost" || name.ends_with(".localhost"),
            Self::Address(address) => address.to_canonical().is_loopback(),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
        }
    }
}

/// Host and optional port, as the `Host` header carries them.
pub fn parse_authority(text: &str) -> Option<(Host, Option<u16>)> {
    let colon = text.rfind(':').filter(|at| !text[*at..].contains(']'));
    match colon {
        None => Host::parse(text).map(|host| (host, None)),
        Some(at) => {
            let digits = &text[at + 1..];
            let port = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()?;
            Host::parse(&text[..at]).map(|host| (host, Some(port)))
        }
    }
}

/// Scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub scheme: Scheme,
    pub host: Host,
    pub port: u16,
}

impl Origin {
    /// Reads `scheme://host[:port]`, with or without a final slash.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refuse = |why: &str| Err(format!("\"{}\" {why}; write it like https://codex.example.org", text.escape_debug()));
        let (scheme, rest) = match text.split_once("://") {
            Some(("http", rest)) => (Scheme::Http, rest),
            Some(("https", rest)) => (Scheme::Https, rest),
            _ => return refuse("does not begin with https:// or http://"),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#']) {
            return refuse("has a path: Codex Web needs a host name of its own");
        }
        match parse_authority(authority) {
            Some((host, port)) if port != Some(0) => Ok(Self { scheme, host, port: port.unwrap_or(scheme.default_port()) }),
            _ => refuse("has no valid host name and port"),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.host)?;
        if self.port == self.scheme.default_port() { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_print_as_browsers_write_them() {
        for (text, printed) in [
            ("https://Codex.Example.org/", "https://codex.example.org"),
            ("https://codex.example.org:443", "https://codex.example.org"),
            ("http://localhost:8080", "http://localhost:8080"),
            ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
            ("https://10.0.0.1", "https://10.0.0.1"),
        ] {
            assert_eq!(Origin::parse(text).unwrap().to_string(), printed);
        }
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in [
            "",
            "codex.example.org",
            "ftp://x",
            "https://",
            "https://a/b",
            "https://a?x",
            "https://u@h",
            "https://h:0",
            "https://h:99999",
            "https://h:+1",
            "https://a b",
            "https://-a",
            "https://1.2.3",
            "https://[::1",
            "https://ä.example",
            "javascript:alert(1)",
        ] {
            assert!(Origin::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn hosts_are_read_with_and_without_a_port() {
        let name = |text: &str| Host::Name(text.into());
        assert_eq!(parse_authority("LOCALHOST:80"), Some((name("localhost"), Some(80))));
        assert_eq!(parse_authority("a.b."), Some((name("a.b"), None)));
        assert_eq!(parse_authority("[::1]"), Some((Host::Address("::1".parse().unwrap()), None)));
        assert_eq!(parse_authority("[::1]:9"), Some((Host::Address("::1".parse().unwrap()), Some(9))));
        for bad in ["", ":80", "a:", "a:b", "::1", "a..b", "evil.example/", "a:80:80"] {
            assert_eq!(parse_authority(bad), None, "{bad}");
        }
    }
}
