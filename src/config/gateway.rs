//! The `gateway` section: on which origins the apps of workspaces are shown.

use super::{Problem, Server};
use crate::transport::{Host, Scheme};

/// What the operator asks for; what comes of it is decided where the transport is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Auto,
    Hosts,
    Ports,
}

/// The section.
#[derive(Debug, Clone)]
pub struct Gateway {
    pub mode: Mode,
    pub apps_domain: Option<Host>,
    pub apps_host: Option<Host>,
    /// First and last port.
    pub port_range: (u16, u16),
}

/// What holds when nobody says anything.
const PORTS: (u16, u16) = (8_100, 8_199);
/// Each open port is a listener.
const MOST_PORTS: u16 = 1_000;

/// Reads `8100-8199`.
pub fn ports(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-')?;
    let (first, last): (u16, u16) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first > 0 && last >= first && last - first < MOST_PORTS).then_some((first, last))
}

impl Gateway {
    pub(super) fn read(mode: &str, apps_domain: &str, apps_host: &str, port_range: &str) -> Self {
        Self {
            mode: match mode {
                "hosts" => Mode::Hosts,
                "ports" => Mode::Ports,
                _ => Mode::Auto,
            },
            apps_domain: Host::parse(apps_domain),
            apps_host: Host::parse(apps_host),
            port_range: ports(port_range).unwrap_or(PORTS),
        }
    }

    /// Whether the pages are at `localhost`, where every name below leads to the same machine.
    pub fn ui_is_at_localhost(server: &Server) -> bool {
        let localhost = |host: &Host| matches!(host, Host::Name(_)) && host.is_loopback();
        match &server.public_url {
            Some(url) => localhost(&url.host),
            None => server.listen.ip().to_canonical().is_loopback(),
        }
    }

    /// What cannot work, each with what to write instead. `place` says where a setting came from.
    pub(super) fn check(&self, server: &Server, place: impl Fn(&str) -> String, problems: &mut Vec<Problem>) {
        let ui = server.public_url.as_ref().map(|url| &url.host);
        if matches!(self.apps_domain, Some(Host::Address(_))) {
            let words = "gateway.apps_domain: is an address, and addresses have no names below them; use gateway.mode = \"ports\"";
            problems.push(Problem::new(place("gateway.apps_domain"), words));
        }
        if self.apps_domain.is_some() && self.apps_domain.as_ref() == ui {
            let words = "gateway.apps_domain: is the host of server.public_url; apps need a domain of their own";
            problems.push(Problem::new(place("gateway.apps_domain"), words));
        }
        if self.mode == Mode::Hosts && self.apps_domain.is_none() && !Self::ui_is_at_localhost(server) {
            let words =
                "gateway.mode: hosts needs gateway.apps_domain, a domain whose names all lead here, unless the pages are at localhost";
            problems.push(Problem::new(place("gateway.mode"), words));
        }
        let (first, last) = self.port_range;
        let own = [Some(server.listen.port()), server.public_url.as_ref().filter(|u| u.scheme == Scheme::Http).map(|u| u.port)];
        if self.mode == Mode::Ports && own.iter().flatten().any(|port| (first..=last).contains(port)) {
            let words = format!("gateway.port_range: {first}-{last} holds the port of server.listen; choose other ports");
            problems.push(Problem::new(place("gateway.port_range"), words));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_two_ports_in_order() {
        assert_eq!(ports("8100-8199"), Some((8_100, 8_199)));
        assert_eq!(ports("9000 - 9000"), Some((9_000, 9_000)));
        for bad in ["", "8100", "8199-8100", "0-10", "1-65536", "1-1001", "a-b", "-1-2"] {
            assert_eq!(ports(bad), None, "{bad}");
        }
    }
}
