//! What a program asks for: a host and a port, read strictly.
//!
//! There is one spelling of each target. Numbers that only some resolvers take for an address (`2130706433`,
//! `0x7f.1`, `127.1`) are refused rather than guessed at, because the next program on the way may guess otherwise.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// The longest name of the DNS in text form, in bytes.
const NAME_MAX: usize = 253;
const LABEL_MAX: usize = 63;

/// Endings of names that no public server has: of the machine itself, of the local network, of clouds' own services.
const LOCAL_ENDINGS: &[&str] = &["localhost", "local", "internal", "intranet", "lan", "home", "corp", "private", "localdomain", "arpa"];

/// Who is asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// In lower case, without a dot at the end.
    Name(String),
    /// An IPv4 address in its IPv6 form stands here as IPv4.
    Address(IpAddr),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    pub host: Host,
    pub port: u16,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Target {
    /// Reads `host:port`. The error says what is wrong and repeats nothing of what was asked, so that it can be printed.
    pub fn parse(authority: &str) -> Result<Self, &'static str> {
        let (host, port) = authority.rsplit_once(':').ok_or("a port is missing: write host:port")?;
        Ok(Self { host: parse_host(host)?, port: parse_port(port)? })
    }
}

/// A port of 1 to 65535 in plain digits.
pub fn parse_port(text: &str) -> Result<u16, &'static str> {
    let plain = !text.is_empty() && text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| plain).ok_or("the port is no number from 1 to 65535")
}

/// A name, an IPv4 address in four decimal numbers, or an IPv6 address in brackets.
pub fn parse_host(text: &str) -> Result<Host, &'static str> {
    if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let address: Ipv6Addr = inner.parse().map_err(|_| "the address in brackets is no IPv6 address")?;
        return Ok(Host::Address(IpAddr::V6(address).to_canonical()));
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return match address {
            IpAddr::V4(_) => Ok(Host::Address(address)),
            IpAddr::V6(_) => Err("an IPv6 address stands in brackets"),
        };
    }
    parse_name(text).map(Host::Name)
}

/// A name in lower case without the dot of the root.
pub fn parse_name(text: &str) -> Result<String, &'static str> {
    let name = text.strip_suffix('.').unwrap_or(text);
    if name.is_empty() || name.len() > NAME_MAX {
        return Err("a host name has 1 to 253 characters");
    }
    let good = |label: &str| {
        (1..=LABEL_MAX).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if !name.split('.').all(good) {
        return Err("a host name has letters, digits, hyphens and dots only");
    }
    // As in the URL standard: what ends in a number is an address, or nothing.
    let last = name.rsplit('.').next().unwrap_or(name);
    let number = last.bytes().all(|b| b.is_ascii_digit())
        || last.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("0x")) && last[2..].bytes().all(|b| b.is_ascii_hexdigit());
    if number {
        return Err("an address is written as four decimal numbers");
    }
    Ok(name.to_ascii_lowercase())
}

/// Whether only a private network can know this name.
pub fn is_local(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    !name.contains('.') || LOCAL_ENDINGS.contains(&last)
}
