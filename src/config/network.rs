//! Networks in CIDR notation: which peers are trusted proxies.

use std::net::IpAddr;

/// A network, or one address as the network that holds only it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    /// Leading bits that must agree.
    prefix: u8,
}

impl Network {
    /// Reads `address` or `address/bits`. A network that holds every address is refused: it would let anybody write
    /// their own address into the audit log.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refuse = || format!("\"{}\" is no address and no network like 10.0.0.0/24", text.escape_debug());
        let (address, prefix) = text.trim().split_once('/').map_or((text.trim(), None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.parse().map_err(|_| refuse())?;
        let bits = width(address);
        let prefix = match prefix {
            None => bits,
            Some(text) => text.parse().ok().filter(|prefix| *prefix <= bits).ok_or_else(refuse)?,
        };
        if prefix == 0 {
            return Err(format!("\"{}\" would trust every address: name the proxies", text.escape_debug()));
        }
        Ok(Self { address, prefix })
    }

    /// Whether the address lies in it. IPv4 addresses are recognised in their IPv6 form as well.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (own, other) = (self.address.to_canonical(), address.to_canonical());
        let shift = u32::from(width(self.address) - self.prefix);
        match (own, other) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).checked_shr(shift).unwrap_or(0) == 0,
            (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).checked_shr(shift).unwrap_or(0) == 0,
            _ => false,
        }
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(network: &str, address: &str) -> bool {
        Network::parse(network).unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn a_network_holds_its_addresses_and_no_others() {
        assert!(holds("10.1.0.0/16", "10.1.255.255"));
        assert!(!holds("10.1.0.0/16", "10.2.0.0"));
        assert!(holds("127.0.0.1", "127.0.0.1"));
        assert!(!holds("127.0.0.1", "127.0.0.2"));
        assert!(holds("fd00::/8", "fdab::1"));
        assert!(!holds("fd00::/8", "fe80::1"));
    }

    #[test]
    fn an_ipv4_peer_on_an_ipv6_socket_is_the_same_peer() {
        assert!(holds("10.0.0.0/8", "::ffff:10.2.3.4"));
        assert!(!holds("fd00::/8", "10.2.3.4"));
    }

    #[test]
    fn everybody_is_not_a_proxy() {
        for text in ["*", "0.0.0.0/0", "::/0", "10.0.0.0/33", "example.org", ""] {
            assert!(Network::parse(text).is_err(), "{text}");
        }
    }
}
