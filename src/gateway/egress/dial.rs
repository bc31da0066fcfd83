//! From a judged target to an open connection.
//!
//! The name is looked up once. Only addresses that pass are tried, the first at once and each further one when the one
//! before has failed or has been silent for a moment, with the families taking turns (after RFC 8305).

use super::resolve::{OwnAddresses, Resolver};
use super::upstream::SiteProxy;
use crate::cluster::ByteStream;
use crate::domain::egress::{Entry, Host, Policy, Refusal, Target};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;

/// How long a name may take.
const LOOK_UP: Duration = Duration::from_secs(5);
/// How long a connection may take, over all addresses.
const CONNECT: Duration = Duration::from_secs(10);
/// How long one address is tried alone.
const HEAD_START: Duration = Duration::from_millis(250);
/// Addresses of one name that are tried.
const MOST_ADDRESSES: usize = 8;

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The target is not written as a target is; why.
    Malformed(&'static str),
    /// The policy forbids it.
    Refused(Refusal),
    /// The workspace has too many connections.
    TooMany,
    /// All workspaces together have too many.
    Full,
    /// The name leads nowhere.
    NoSuchName(Target),
    /// Nobody answers there; the words say how the last try ended.
    Unreachable(Target, String),
    TimedOut(Target),
    /// The upstream proxy did not open it; its status, or 0 where it did not answer.
    Upstream(Target, u16),
    /// The upstream proxy showed a certificate that this server does not trust.
    Distrusted(Target),
}

impl Failure {
    /// The status for the program that asked, and a stable word.
    pub fn code(&self) -> (u16, &'static str) {
        match self {
            Self::Malformed(_) => (400, "bad_target"),
            Self::Refused(refusal) => (403, refusal.rule.code()),
            Self::TooMany => (503, "too_many_connections"),
            Self::Full => (503, "server_busy"),
            Self::NoSuchName(_) => (502, "no_such_name"),
            Self::Unreachable(..) => (502, "unreachable"),
            Self::TimedOut(_) => (504, "timed_out"),
            Self::Upstream(..) | Self::Distrusted(_) => (502, "upstream_proxy"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(why) => write!(f, "This is no target: {why}."),
            Self::Refused(refusal) => write!(f, "{refusal}"),
            Self::TooMany => write!(f, "This workspace has {} connections to the outside open; no more are opened.", super::MOST_OPEN),
            Self::Full => write!(f, "All workspaces together have as many connections open as this server can hold. Try again later."),
            Self::NoSuchName(target) => write!(f, "{target}: the server finds no address for this name."),
            Self::Unreachable(target, why) => write!(f, "{target} does not accept connections: {why}."),
            Self::TimedOut(target) => write!(f, "{target} did not answer in time."),
            Self::Upstream(target, 0) => write!(f, "{target}: the site's proxy does not answer."),
            Self::Upstream(target, 407) => write!(f, "{target}: the site's proxy does not accept this server's credentials."),
            Self::Upstream(target, status) => write!(f, "{target}: the site's proxy refused with status {status}."),
            Self::Distrusted(target) => {
                write!(f, "{target}: the certificate of the site's proxy is not trusted; its authority belongs into server.extra_ca.")
            }
        }
    }
}

/// An open connection, and what it was judged by.
pub struct Dialled {
    pub stream: Box<dyn ByteStream>,
    pub target: Target,
    /// Where it leads; `None` where the upstream proxy looked the name up.
    pub address: Option<IpAddr>,
    /// The machine's own addresses at the time.
    pub own: Vec<IpAddr>,
}

/// Opens connections.
pub struct Dialler {
    pub upstream: Option<SiteProxy>,
    /// What is reached without the upstream proxy.
    pub direct: Vec<Entry>,
    pub resolver: Arc<dyn Resolver>,
    pub own: OwnAddresses,
}

impl Dialler {
    /// Judges, looks up, judges again, connects.
    pub async fn dial(&self, policy: &Policy, target: &Target) -> Result<Dialled, Failure> {
        policy.judge(target).map_err(Failure::Refused)?;
        let own = (self.own)();
        if let Some(proxy) = self.upstream.as_ref().filter(|_| !self.goes_directly(target)) {
            policy.judge_unresolved(target, &own).map_err(Failure::Refused)?;
            let stream = self.reach(&proxy.upstream.target).await.map_err(|_| Failure::Upstream(target.clone(), 0))?;
            let stream = proxy.tunnel(stream, target).await?;
            return Ok(Dialled { stream, target: target.clone(), address: None, own });
        }
        let passed = passing(policy, target, self.look_up(target).await?, &own)?;
        let (stream, address) = self.connect(target, passed).await?;
        // What the kernel delivers to this machine is this machine, however the address got here.
        if stream.local_addr().is_ok_and(|local| local.ip() == address) {
            policy.judge_address(target, address, &[address]).map_err(Failure::Refused)?;
        }
        Ok(Dialled { stream: Box::new(stream), target: target.clone(), address: Some(address), own })
    }

    /// Connects to the site's proxy: the operator chose it, wherever it stands.
    async fn reach(&self, proxy: &Target) -> Result<TcpStream, Failure> {
        let addresses = self.look_up(proxy).await?;
        self.connect(proxy, addresses).await.map(|(stream, _)| stream)
    }

    fn goes_directly(&self, target: &Target) -> bool {
        self.direct.iter().any(|entry| match target.host {
            Host::Name(_) => entry.names(target),
            Host::Address(address) => entry.holds(address, target.port),
        })
    }

    async fn look_up(&self, target: &Target) -> Result<Vec<IpAddr>, Failure> {
        let name = match &target.host {
            Host::Address(address) => return Ok(vec![*address]),
            Host::Name(name) => name,
        };
        let asked = tokio::time::timeout(LOOK_UP, self.resolver.resolve(name)).await;
        let found = asked.map_err(|_| Failure::TimedOut(target.clone()))?.unwrap_or_default();
        if found.is_empty() { Err(Failure::NoSuchName(target.clone())) } else { Ok(found) }
    }

    /// Connects to the first of these addresses that answers, and to no other.
    async fn connect(&self, target: &Target, addresses: Vec<IpAddr>) -> Result<(TcpStream, IpAddr), Failure> {
        let tried = tokio::time::timeout(CONNECT, race(take_turns(addresses), target.port)).await;
        match tried {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => Err(Failure::Unreachable(target.clone(), words(&error))),
            Err(_) => Err(Failure::TimedOut(target.clone())),
        }
    }
}

/// The addresses that pass; where none does, why the first one does not.
fn passing(policy: &Policy, target: &Target, found: Vec<IpAddr>, own: &[IpAddr]) -> Result<Vec<IpAddr>, Failure> {
    let mut first_refusal = None;
    let mut passed = Vec::with_capacity(found.len());
    for address in found.into_iter().map(|address| address.to_canonical()) {
        match policy.judge_address(target, address, own) {
            Ok(()) => passed.push(address),
            Err(refusal) => first_refusal = first_refusal.or(Some(refusal)),
        }
    }
    match first_refusal {
        Some(refusal) if passed.is_empty() => Err(Failure::Refused(refusal)),
        _ => Ok(passed),
    }
}

/// The families by turns, beginning with that of the first.
fn take_turns(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let first_is_v4 = addresses.first().is_some_and(IpAddr::is_ipv4);
    let (same, other): (Vec<IpAddr>, Vec<IpAddr>) = addresses.into_iter().partition(|address| address.is_ipv4() == first_is_v4);
    let mut other = other.into_iter();
    let mut mixed: Vec<IpAddr> = same.into_iter().flat_map(|address| [Some(address), other.next()]).flatten().collect();
    mixed.extend(other);
    mixed.truncate(MOST_ADDRESSES);
    mixed
}

async fn race(addresses: Vec<IpAddr>, port: u16) -> io::Result<(TcpStream, IpAddr)> {
    let mut waiting = addresses.into_iter();
    let mut tries = FuturesUnordered::new();
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        if let Some(address) = waiting.next() {
            tries.push(async move { TcpStream::connect(SocketAddr::new(address, port)).await.map(|stream| (stream, address)) });
        } else if tries.is_empty() {
            return Err(last);
        }
        let next = tries.next();
        let ended = if waiting.len() == 0 { next.await } else { tokio::time::timeout(HEAD_START, next).await.unwrap_or_default() };
        match ended {
            Some(Ok((stream, address))) => {
                stream.set_nodelay(true)?;
                return Ok((stream, address));
            }
            Some(Err(error)) => last = error,
            // The head start is over.
            None => {}
        }
    }
}

/// How a try ended, without the system's number.
fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "the connection was refused".to_owned(),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => "there is no way there".to_owned(),
        io::ErrorKind::ConnectionReset => "the connection was reset".to_owned(),
        kind => kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_and_the_first_one_leads() {
        let ips = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
        let mixed = take_turns(ips(&["2a00::1", "2a00::2", "2a00::3", "1.1.1.1", "1.1.1.2"]));
        assert_eq!(mixed, ips(&["2a00::1", "1.1.1.1", "2a00::2", "1.1.1.2", "2a00::3"]));
        assert_eq!(take_turns(ips(&["1.1.1.1", "2a00::1", "2a00::2"])), ips(&["1.1.1.1", "2a00::1", "2a00::2"]));
        assert_eq!(take_turns((0..20).map(|n| IpAddr::from([1, 1, 1, n])).collect()).len(), MOST_ADDRESSES);
    }
}
