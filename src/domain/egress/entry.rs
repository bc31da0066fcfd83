//! One entry of `workspaces.egress_allow`: a name, everything below a name, an address or a network, each with a port
//! or for every port.

use super::target::{Host, Target, parse_host, parse_name, parse_port};
use std::fmt;
use std::net::IpAddr;

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Name(String),
    /// Kept with the dot in front, so that it ends whatever lies below.
    Below(String),
    Network {
        address: IpAddr,
        /// Leading bits that must agree; never 0.
        bits: u8,
    },
}

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    what: What,
    port: Option<u16>,
}

impl Entry {
    /// Reads `name`, `*.name`, `address` or `address/bits`, each with `:port` or without; an IPv6 address or network
    /// with a port stands in brackets.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refuse = |why: &str| format!("\"{}\": {why}", text.escape_debug());
        let text = text.trim();
        let (host, port) = split_port(text).map_err(refuse)?;
        let what = parse_what(host).map_err(refuse)?;
        Ok(Self { what, port })
    }

    /// Whether it names this target by name.
    pub fn names(&self, target: &Target) -> bool {
        let Host::Name(name) = &target.host else { return false };
        let named = match &self.what {
            What::Name(own) => own == name,
            What::Below(ending) => name.len() > ending.len() && name.ends_with(ending.as_str()),
            What::Network { .. } => false,
        };
        named && self.is_for(target.port)
    }

    /// Whether it names this address.
    pub fn holds(&self, address: IpAddr, port: u16) -> bool {
        let What::Network { address: own, bits } = self.what else { return false };
        let agree = match (own, address.to_canonical()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros() >= u32::from(bits),
            (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros() >= u32::from(bits),
            _ => false,
        };
        agree && self.is_for(port)
    }

    /// Its addresses, as the address and the bits that must agree; `None` for a name.
    pub fn network(&self) -> Option<(IpAddr, u8)> {
        match self.what {
            What::Network { address, bits } => Some((address, bits)),
            What::Name(_) | What::Below(_) => None,
        }
    }

    /// Its one port; `None` for every port.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    fn is_for(&self, port: u16) -> bool {
        self.port.is_none_or(|own| own == port)
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Name(name) => f.write_str(name)?,
            What::Below(ending) => write!(f, "*{ending}")?,
            What::Network { address, bits } => {
                let whole = if address.is_ipv4() { 32 } else { 128 };
                let text = if *bits == whole { address.to_string() } else { format!("{address}/{bits}") };
                if address.is_ipv6() && self.port.is_some() { write!(f, "[{text}]")? } else { f.write_str(&text)? }
            }
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Separates the port: after a closing bracket, or after the only colon.
fn split_port(text: &str) -> Result<(&str, Option<u16>), &'static str> {
    if let Some(rest) = text.strip_prefix('[') {
        let (inner, after) = rest.split_once(']').ok_or("the closing bracket is missing")?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((inner, Some(parse_port(port)?))),
            None if after.is_empty() => Ok((inner, None)),
            None => Err("after the bracket comes :port or nothing"),
        };
    }
    match text.split_once(':') {
        // More than one colon: an IPv6 address.
        Some((_, rest)) if rest.contains(':') => Ok((text, None)),
        Some((host, port)) => Ok((host, Some(parse_port(port)?))),
        None => Ok((text, None)),
    }
}

fn parse_what(text: &str) -> Result<What, &'static str> {
    if let Some(name) = text.strip_prefix("*.") {
        return parse_name(name).map(|name| What::Below(format!(".{name}")));
    }
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let Ok(address) = address.parse::<IpAddr>() else {
        return match (bits, parse_host(text)?) {
            (None, Host::Name(name)) => Ok(What::Name(name)),
            _ => Err("a network is written like 10.0.0.0/24"),
        };
    };
    let whole = if address.is_ipv4() { 32 } else { 128 };
    let bits = match bits {
        None => whole,
        Some(text) => text.parse().ok().filter(|bits| *bits <= whole).ok_or("the bits of the network are missing or too many")?,
    };
    if bits == 0 {
        return Err("it would open every address, this machine's own too: name the networks, or set workspaces.egress to open");
    }
    // A network of IPv4 addresses in their IPv6 form could be meant either way.
    if address.to_canonical() != address {
        return Err("write this IPv4 address in its own form");
    }
    Ok(What::Network { address, bits })
}
