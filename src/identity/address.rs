//! Which address a request comes from, believing forwarded headers only from proxies that the operator named.
//!
//! Anybody can send `X-Forwarded-For`; the framework believes it from everybody, so it is not asked. Only when the TCP
//! peer is a trusted proxy is the header read, from the right: the first hop that is not itself a trusted proxy is the
//! client, and what stands left of it is the client's own story. One family of header and one line of it; anything else
//! is refused, because two readers would disagree about it. Host and scheme come from the configuration, never from here.

use crate::config::network::Network;
use crate::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// More hops than this are not a chain of proxies.
const HOPS_MAX: usize = 32;

/// The forwarded headers of one request: every line of each, as it came.
#[derive(Debug, Clone, Copy, Default)]
pub struct ForwardedHeaders<'a> {
    /// `Forwarded` (RFC 7239).
    pub forwarded: &'a [&'a str],
    /// `X-Forwarded-For`.
    pub x_forwarded_for: &'a [&'a str],
}

/// The client's address. A peer that is no trusted proxy is the client, whatever it sends along.
pub fn client_address(peer: IpAddr, headers: &ForwardedHeaders<'_>, trusted: &[Network]) -> Result<IpAddr, Error> {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut client = peer.to_canonical();
    if !is_trusted(client) {
        return Ok(client);
    }
    for hop in hops(headers)?.into_iter().rev() {
        // A proxy may hide or not know whom it speaks for: then it speaks for itself.
        let Some(address) = hop else { break };
        client = address;
        if !is_trusted(client) {
            break;
        }
    }
    Ok(client)
}

fn refused(why: &str) -> Error {
    Error::Syntax(format!("{why} Set the proxy to send one line of one of Forwarded and X-Forwarded-For."))
}

/// The hops from the client (left) to the last proxy (right); `None` where a hop is no address.
fn hops(headers: &ForwardedHeaders<'_>) -> Result<Vec<Option<IpAddr>>, Error> {
    let hops: Vec<Option<IpAddr>> = match (headers.forwarded, headers.x_forwarded_for) {
        ([], []) => Vec::new(),
        ([line], []) => line.split(',').map(|element| forwarded_for(element).and_then(node)).collect(),
        ([], [line]) => line.split(',').map(|hop| node(hop.trim())).collect(),
        ([_, ..], [_, ..]) => return Err(refused("The request has both Forwarded and X-Forwarded-For.")),
        _ => return Err(refused("The request has a forwarded header twice.")),
    };
    if hops.len() > HOPS_MAX {
        return Err(refused("The forwarded header has too many hops."));
    }
    Ok(hops)
}

/// The value of `for` in one element of `Forwarded`, if it stands there exactly once.
fn forwarded_for(element: &str) -> Option<&str> {
    let mut values = element.split(';').filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"'))
    });
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

/// An address with or without a port: `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]`, `[::1]:80`.
fn node(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse::<IpAddr>().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))?;
    Some(address.to_canonical())
}

/// What attempts from an address are counted under: an IPv4 address, or the /64 that one IPv6 customer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressKey(IpAddr);

impl AddressKey {
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

impl fmt::Display for AddressKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(v4) => write!(f, "{v4}"),
            IpAddr::V6(v6) => write!(f, "{v6}/64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusted() -> Vec<Network> {
        ["10.0.0.0/8", "fd00::/8"].iter().map(|text| Network::parse(text).unwrap()).collect()
    }

    fn from(peer: &str, forwarded: &[&str], x_forwarded_for: &[&str]) -> String {
        let headers = ForwardedHeaders { forwarded, x_forwarded_for };
        client_address(peer.parse().unwrap(), &headers, &trusted()).map_or_else(|e| e.to_string(), |a| a.to_string())
    }

    #[test]
    fn nobody_but_a_trusted_proxy_is_believed() {
        assert_eq!(from("203.0.113.9", &[], &["6.6.6.6"]), "203.0.113.9");
        assert_eq!(from("203.0.113.9", &["for=6.6.6.6"], &["6.6.6.6"]), "203.0.113.9");
        assert_eq!(
            client_address("127.0.0.1".parse().unwrap(), &ForwardedHeaders { x_forwarded_for: &["6.6.6.6"], ..Default::default() }, &[])
                .unwrap()
                .to_string(),
            "127.0.0.1"
        );
    }

    #[test]
    fn the_right_most_hop_that_is_no_proxy_is_the_client() {
        assert_eq!(from("10.0.0.1", &[], &["6.6.6.6, 203.0.113.9, 10.0.0.2"]), "203.0.113.9");
        assert_eq!(from("10.0.0.1", &["for=6.6.6.6, for=203.0.113.9;proto=https, For=\"10.0.0.2:443\""], &[]), "203.0.113.9");
        assert_eq!(from("::ffff:10.0.0.1", &[], &["203.0.113.9"]), "203.0.113.9");
    }

    #[test]
    fn a_chain_of_proxies_only_ends_at_its_first() {
        assert_eq!(from("10.0.0.1", &[], &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
        assert_eq!(from("10.0.0.1", &[], &[]), "10.0.0.1");
    }

    #[test]
    fn a_hop_without_an_address_stands_for_the_proxy_that_named_it() {
        assert_eq!(from("10.0.0.1", &["for=unknown, for=10.0.0.2"], &[]), "10.0.0.2");
        assert_eq!(from("10.0.0.1", &["for=_hidden"], &[]), "10.0.0.1");
        assert_eq!(from("10.0.0.1", &["for=1.2.3.4;for=5.6.7.8"], &[]), "10.0.0.1");
        assert_eq!(from("10.0.0.1", &[], &["6.6.6.6, garbage"]), "10.0.0.1");
        assert_eq!(from("10.0.0.1", &[], &[""]), "10.0.0.1");
    }

    #[test]
    fn ports_and_brackets_are_read() {
        assert_eq!(from("10.0.0.1", &[], &["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(from("10.0.0.1", &["for=\"[2001:db8::1]\""], &[]), "2001:db8::1");
        assert_eq!(from("10.0.0.1", &[], &["2001:db8::1"]), "2001:db8::1");
        assert_eq!(from("10.0.0.1", &[], &["203.0.113.9:1234"]), "203.0.113.9");
    }

    #[test]
    fn two_headers_are_refused() {
        assert!(from("10.0.0.1", &["for=1.2.3.4"], &["1.2.3.4"]).contains("both"));
        assert!(from("10.0.0.1", &[], &["1.2.3.4", "5.6.7.8"]).contains("twice"));
        assert!(from("10.0.0.1", &["for=1.2.3.4", "for=1.2.3.4"], &[]).contains("twice"));
        assert!(from("10.0.0.1", &[], &[&"10.0.0.2,".repeat(40)]).contains("too many"));
    }

    #[test]
    fn one_customer_has_one_key() {
        let key = |text: &str| AddressKey::of(text.parse().unwrap()).to_string();
        assert_eq!(key("2001:db8:0:1::1"), key("2001:db8:0:1:ffff::9"));
        assert_ne!(key("2001:db8:0:1::1"), key("2001:db8:0:2::1"));
        assert_eq!(key("::ffff:203.0.113.9"), "203.0.113.9");
        assert_ne!(key("203.0.113.9"), key("203.0.113.8"));
    }
}
