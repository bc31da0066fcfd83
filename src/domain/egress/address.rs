//! Which addresses lead back into the operator's own network, or nowhere: the special-purpose registries of IANA
//! (RFC 6890 and its successors) and the addresses at which clouds hand out credentials.
//!
//! The ranges for documentation and benchmarks (TEST-NET and their like) lead nowhere by themselves and are no operator's
//! network; sites whose resolver gives them out for names that a gateway then carries are common enough, so they pass.
//!
//! For IPv6 the rule is turned round: only global unicast addresses (2000::/3) are public at all, less what is special
//! there. An address that embeds another is judged by the one inside, where the network would really go there (mapped
//! addresses, NAT64), and refused where only long abandoned tunnels would (6to4, Teredo, IPv4-compatible).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is not public.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    Unspecified,
    Loopback,
    Private,
    /// Shared between a carrier and its customers (100.64.0.0/10).
    CarrierNat,
    LinkLocal,
    /// Where clouds answer with the credentials of the machine.
    Metadata,
    Multicast,
    /// An IPv4 address inside an IPv6 one, for a tunnel.
    Tunnel,
    /// Protocol assignments, abandoned relays, future use.
    Reserved,
    /// This server itself; found by its list of addresses and not by the number.
    OwnServer,
}

impl Class {
    /// A stable word.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified_address",
            Self::Loopback => "loopback_address",
            Self::Private => "private_address",
            Self::CarrierNat => "carrier_nat_address",
            Self::LinkLocal => "link_local_address",
            Self::Metadata => "metadata_address",
            Self::Multicast => "multicast_address",
            Self::Tunnel => "tunnel_address",
            Self::Reserved => "reserved_address",
            Self::OwnServer => "own_server",
        }
    }

    /// Completes "it leads to 10.0.0.1, …" and "it is …".
    pub fn words(self) -> &'static str {
        match self {
            Self::Unspecified => "no address of any server",
            Self::Loopback => "an address of the server's own loopback network",
            Self::Private => "an address of a private network",
            Self::CarrierNat => "an address inside the provider's network",
            Self::LinkLocal => "an address of the local link",
            Self::Metadata => "the address at which a cloud hands out this machine's credentials",
            Self::Multicast => "a multicast address",
            Self::Tunnel => "an address that hides another one inside",
            Self::Reserved => "a reserved address and not a public one",
            Self::OwnServer => "an address of this server itself",
        }
    }

    /// Whether an entry with a name opens it. The others are opened by an entry with the address only: no name of the
    /// outside has a good reason to lead there.
    pub fn opens_by_name(self) -> bool {
        matches!(self, Self::Private | Self::CarrierNat)
    }
}

/// The class of an address; `None` for a public one.
pub fn class(address: IpAddr) -> Option<Class> {
    match address.to_canonical() {
        IpAddr::V4(address) => class_v4(address),
        IpAddr::V6(address) => class_v6(address),
    }
}

/// Fixed addresses of metadata services: most clouds; one that hides in a public range; two in private ones.
const METADATA_V4: [Ipv4Addr; 4] =
    [Ipv4Addr::new(169, 254, 169, 254), Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192)];
const METADATA_V6: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
];

fn class_v4(address: Ipv4Addr) -> Option<Class> {
    if METADATA_V4.contains(&address) {
        return Some(Class::Metadata);
    }
    match address.octets() {
        [0, 0, 0, 0] => Some(Class::Unspecified),
        [127, ..] => Some(Class::Loopback),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Some(Class::Private),
        [100, 64..=127, ..] => Some(Class::CarrierNat),
        // 169.254.169.253 and its neighbours are name servers and clocks of a cloud.
        [169, 254, ..] => Some(Class::LinkLocal),
        [224..=239, ..] => Some(Class::Multicast),
        // Own network, protocol assignments, 6to4 relays, future use.
        [0 | 240..=255, ..] | [192, 0, 0, _] | [192, 88, 99, _] => Some(Class::Reserved),
        _ => None,
    }
}

fn class_v6(address: Ipv6Addr) -> Option<Class> {
    if METADATA_V6.contains(&address) {
        return Some(Class::Metadata);
    }
    if let Some(inner) = embedded(address) {
        return class_v4(inner);
    }
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some(Class::Unspecified),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some(Class::Loopback),
        // IPv4-compatible, local NAT64, Teredo, 6to4.
        [0, 0, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] | [0x2001, 0, ..] | [0x2002, ..] => Some(Class::Tunnel),
        [0xfc00..=0xfdff, ..] => Some(Class::Private),
        [0xfe80..=0xfebf, ..] => Some(Class::LinkLocal),
        // Site-local, abandoned but still routed in places.
        [0xfec0..=0xfeff, ..] => Some(Class::Private),
        [0xff00..=0xffff, ..] => Some(Class::Multicast),
        // Protocol assignments.
        [0x2001, 1..=0x1ff, ..] => Some(Class::Reserved),
        [0x2000..=0x3fff, ..] => None,
        _ => Some(Class::Reserved),
    }
}

/// The address itself, and the one to which a translator of this network would send what is sent to it.
pub fn forms(address: IpAddr) -> impl Iterator<Item = IpAddr> {
    let inner = if let IpAddr::V6(address) = address { embedded(address).map(IpAddr::V4) } else { None };
    [address].into_iter().chain(inner)
}

/// The IPv4 address inside a NAT64 address (RFC 6052, the well-known prefix).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))),
        _ => None,
    }
}
