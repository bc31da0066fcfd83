//! What this machine is called and which addresses it has, read from the kernel's own tables.
//!
//! Used for the certificate, the known hosts and the start message when the server listens beyond loopback and no
//! public address is configured. Names are never looked up: that would be an outbound connection nobody asked for.

use super::origin::Host;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

/// The machine as its network sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Machine {
    /// The kernel's host name, where it is a valid one.
    pub name: Option<Host>,
    /// Addresses of all interfaces but loopback and link-local ones, in a stable order.
    pub addresses: Vec<IpAddr>,
}

impl Machine {
    /// Reads the host name and `/proc/net`. What cannot be read is left out.
    pub fn read() -> Self {
        let table = |name: &str| std::fs::read_to_string(Path::new("/proc/net").join(name)).unwrap_or_default();
        let mut addresses = ipv4_addresses(&table("fib_trie"));
        addresses.extend(ipv6_addresses(&table("if_inet6")));
        let name = rustix::system::uname().nodename().to_str().ok().and_then(Host::parse);
        Self { name: name.filter(|name| !name.is_loopback()), addresses }
    }

    /// The host to show to people: the name, else the first address, else loopback.
    pub fn host(&self) -> Host {
        self.name.clone().or_else(|| self.addresses.first().copied().map(Host::Address)).unwrap_or_else(|| Host::Name("localhost".into()))
    }
}

/// Own addresses in the kernel's routing trie: a leaf line `|-- ADDRESS` followed by `/32 host LOCAL`.
fn ipv4_addresses(table: &str) -> Vec<IpAddr> {
    let mut found: Vec<Ipv4Addr> = Vec::new();
    let mut leaf = None;
    for line in table.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("|-- ") {
            leaf = text.parse().ok();
        } else if line == "/32 host LOCAL"
            && let Some(address) = leaf
            && !found.contains(&address)
        {
            found.push(address);
        }
    }
    found.retain(|address| !address.is_loopback() && !address.is_link_local());
    found.sort_unstable();
    found.into_iter().map(IpAddr::V4).collect()
}

/// Lines of `if_inet6`: 32 hexadecimal digits, then numbers and the interface.
fn ipv6_addresses(table: &str) -> Vec<IpAddr> {
    let mut found: Vec<Ipv6Addr> = table
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter_map(|digits| u128::from_str_radix(digits, 16).ok())
        .map(Ipv6Addr::from_bits)
        .filter(|address| !address.is_loopback() && !address.is_unicast_link_local())
        .collect();
    found.sort_unstable();
    found.into_iter().map(IpAddr::V6).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_addresses_are_found_in_the_routing_trie() {
        let table = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     +-- 10.1.0.0/24 2 0 2\n        |-- 10.1.0.0\n           /24 link UNICAST\n        |-- 10.1.0.5\n           /32 host LOCAL\n        |-- 10.1.0.255\n           /32 link BROADCAST\n     |-- 127.0.0.1\n        /32 host LOCAL\nLocal:\n     |-- 10.1.0.5\n        /32 host LOCAL\n";
        assert_eq!(ipv4_addresses(table), vec!["10.1.0.5".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn link_local_and_loopback_addresses_are_left_out() {
        let table = "00000000000000000000000000000001 01 80 10 80       lo\nfe800000000000000042c0fffea80002 02 40 20 80     eth0\n20010db8000000000000000000000007 02 40 00 80     eth0\n";
        assert_eq!(ipv6_addresses(table), vec!["2001:db8::7".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn a_machine_without_network_is_called_localhost() {
        assert_eq!(Machine::default().host(), Host::Name("localhost".into()));
    }
}
