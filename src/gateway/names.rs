//! On which origin an app is shown: a name of its own below the apps' domain, or a port of its own. Pure.
//!
//! No app ever shares an origin with the pages of Codex Web or with another app: what runs in a workspace is written by
//! others, and a page of the same origin could act as whoever looks at it.

use crate::config::Gateway as Config;
use crate::config::gateway::Mode;
use crate::domain::app_target::AppTarget;
use crate::domain::id::WorkspaceId;
use crate::transport::{Encryption, Host, Origin, Scheme, Transport};
use std::net::IpAddr;

/// One app of one workspace.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    pub workspace: WorkspaceId,
    pub target: AppTarget,
}

/// How apps are named here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// `<app>--<workspace hex>.<domain>`, on the listener of the pages.
    Hosts { domain: String, scheme: Scheme, port: u16 },
    /// One port each, of one host.
    Ports { host: Host, scheme: Scheme, range: (u16, u16) },
}

/// Decides. `hosts` without a domain is refused where the configuration is read, and falls back to ports here.
pub fn decide(config: &Config, transport: &Transport) -> Names {
    let url = &transport.public_url;
    let localhost = matches!(&url.host, Host::Name(_)) && url.host.is_loopback();
    let domain = match &config.apps_domain {
        Some(Host::Name(name)) => Some(name.clone()),
        // Every name below localhost leads to this machine, and browsers know it.
        _ => localhost.then(|| "localhost".to_owned()),
    };
    if let (Mode::Auto | Mode::Hosts, Some(domain)) = (config.mode, domain) {
        return Names::Hosts { domain, scheme: url.scheme, port: url.port };
    }
    let host = config.apps_host.clone().unwrap_or_else(|| other_host(transport));
    Names::Ports { host, scheme: url.scheme, range: config.port_range }
}

/// A host of this server other than that of the pages, where there is one that a browser accepts: cookies ignore ports.
fn other_host(transport: &Transport) -> Host {
    let ui = &transport.public_url.host;
    let loopback = |address: &IpAddr| address.to_canonical().is_loopback();
    if ui.is_loopback() {
        return match ui {
            Host::Name(_) => Host::Address(IpAddr::from([127, 0, 0, 1])),
            Host::Address(_) => Host::Name("localhost".to_owned()),
        };
    }
    let addresses = transport.known_hosts.iter().filter_map(|host| match host {
        Host::Address(address) if !loopback(address) => Some(*address),
        _ => None,
    });
    match (ui, transport.encryption) {
        // Our own certificate lists the addresses; anybody else's names what its owner wanted.
        (Host::Name(_), Encryption::SelfSigned) => addresses.min().map_or_else(|| ui.clone(), Host::Address),
        _ => ui.clone(),
    }
}

impl Names {
    /// The app that a `Host` header names; only where apps have names.
    pub fn place(&self, host_header: &str) -> Option<Place> {
        let Self::Hosts { domain, .. } = self else { return None };
        let Some((Host::Name(name), _)) = crate::transport::origin::parse_authority(host_header) else { return None };
        let label = name.strip_suffix(domain.as_str())?.strip_suffix('.')?;
        let (target, hex) = label.rsplit_once("--")?;
        let workspace = WorkspaceId::parse(&format!("{}{hex}", WorkspaceId::PREFIX)).ok()?;
        Some(Place { workspace, target: AppTarget::parse(target)? })
    }

    /// The origin of an app; `port` is its own where apps have ports.
    pub fn origin(&self, place: &Place, port: Option<u16>) -> Origin {
        match self {
            Self::Hosts { domain, scheme, port } => {
                let host = Host::Name(format!("{}--{}.{domain}", place.target, place.workspace.hex()));
                Origin { scheme: *scheme, host, port: *port }
            }
            Self::Ports { host, scheme, range } => Origin { scheme: *scheme, host: host.clone(), port: port.unwrap_or(range.0) },
        }
    }

    /// First and last port, where apps have ports.
    pub fn ports(&self) -> Option<(u16, u16)> {
        match self {
            Self::Ports { range, .. } => Some(*range),
            Self::Hosts { .. } => None,
        }
    }

    /// The host that a certificate must list besides those of the pages: where apps have names, all of them.
    pub fn certificate_host(&self) -> Host {
        match self {
            Self::Hosts { domain, .. } => Host::Name(format!("*.{domain}")),
            Self::Ports { host, .. } => host.clone(),
        }
    }

    /// In a line, for people.
    pub fn summary(&self) -> String {
        match self {
            Self::Hosts { domain, scheme, port } => format!("apps at {}://NAME.{domain}:{port}", scheme.as_str()),
            Self::Ports { host, scheme, range: (first, last) } => {
                format!("apps at {}://{host}, ports {first} to {last}, for their owners", scheme.as_str())
            }
        }
    }

    /// What is less than it could be, with what to set; for `doctor` and the start message.
    pub fn advice(&self, ui: &Origin) -> Option<String> {
        match self {
            Self::Hosts { domain, .. } if domain == "localhost" => None,
            Self::Hosts { domain, .. } => {
                let below = |inner: &str, outer: &str| inner.strip_suffix(outer).is_some_and(|rest| rest.ends_with('.'));
                let ui = ui.host.to_string();
                (below(domain, &ui) || below(&ui, domain)).then(|| {
                    format!(
                        "{domain} and {ui} lie below each other, so browsers take pages of apps for the same site; set gateway.apps_domain to a domain that is neither parent nor child of {ui}{}",
                        for_example(&ui)
                    )
                })
            }
            Self::Ports { host, .. } if *host == ui.host => Some(format!(
                "apps share the host {host} with the pages; set gateway.apps_domain to a domain whose names all lead here, or gateway.apps_host to another name"
            )),
            Self::Ports { .. } => Some(format!(
                "apps open for the owners of workspaces only; set gateway.apps_domain to a domain whose names all lead here, neither parent nor child of {}{}",
                ui.host,
                for_example(&ui.host.to_string())
            )),
        }
    }
}

/// A domain beside that of the pages, where it has a place to stand.
fn for_example(ui: &str) -> String {
    match ui.split_once('.') {
        Some((first, parent)) if parent.contains('.') && ui.parse::<IpAddr>().is_err() => format!(", for example {first}-apps.{parent}"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Flags, Surroundings};
    use crate::transport::{Machine, decide as transport};

    fn names(settings: &[(&str, &str)], addresses: &[&str]) -> (Names, Transport) {
        let environment = settings.iter().map(|(n, v)| (format!("CODEX_WEB_{n}"), (*v).to_owned())).collect();
        let surroundings = Surroundings { environment, cores: 1, current_dir: "/nowhere".into(), ..Surroundings::default() };
        let config = Config::load(&surroundings, &Flags::default()).unwrap();
        let machine = Machine { name: None, addresses: addresses.iter().map(|a| a.parse().unwrap()).collect() };
        let transport = transport(&config.server, config.server.listen, &machine).unwrap();
        (decide(&config.gateway, &transport), transport)
    }

    fn place(app: &str) -> Place {
        let workspace = WorkspaceId::trusted(format!("ws_{}", "0123456789abcdef".repeat(2)));
        Place { workspace, target: AppTarget::parse(app).unwrap() }
    }

    #[test]
    fn out_of_the_box_apps_are_names_below_localhost() {
        let (names, transport) = names(&[], &[]);
        let origin = names.origin(&place("code"), None).to_string();
        assert_eq!(origin, "http://code--0123456789abcdef0123456789abcdef.localhost:8080");
        assert_eq!(names.place("CODE--0123456789abcdef0123456789abcdef.localhost:1"), Some(place("code")));
        assert_eq!(names.place("3000--0123456789abcdef0123456789abcdef.localhost"), Some(place("3000")));
        assert_eq!(names.advice(&transport.public_url), None);
    }

    #[test]
    fn a_host_that_names_no_app_leads_nowhere() {
        let (names, _) = names(&[], &[]);
        let hex = "0123456789abcdef0123456789abcdef";
        for host in [
            "localhost".to_owned(),
            format!("code--{hex}.localhost.evil.example"),
            format!("code--{hex}.evil.example"),
            format!("x.code--{hex}.localhost"),
            format!("code--{hex}0.localhost"),
            format!("code--ws_{hex}.localhost"),
            format!("--{hex}.localhost"),
            format!("070--{hex}.localhost"),
            format!("a--b--{hex}.localhost"),
            format!("code--{hex}localhost"),
            format!("code--{hex}@localhost"),
            String::new(),
        ] {
            assert_eq!(names.place(&host), None, "{host}");
        }
    }

    #[test]
    fn without_a_domain_apps_have_ports_of_another_host_where_there_is_one() {
        let port = |names: &Names| names.origin(&place("code"), Some(8_101)).to_string();
        let (loopback, _) = names(&[("GATEWAY__MODE", "ports")], &[]);
        assert_eq!(port(&loopback), "http://127.0.0.1:8101");
        let (machine, _) = names(&[("SERVER__LISTEN", "0.0.0.0:8443"), ("SERVER__PUBLIC_URL", "https://box.example:8443")], &["10.0.0.5"]);
        assert_eq!(port(&machine), "https://box.example:8101", "the certificate is made for that name");
        let (given, _) = names(&[("SERVER__LISTEN", "0.0.0.0:8443"), ("GATEWAY__APPS_HOST", "apps.example")], &["10.0.0.5"]);
        assert_eq!(port(&given), "https://apps.example:8101");
        assert_eq!(given.place("code--0123456789abcdef0123456789abcdef.localhost"), None);
    }

    #[test]
    fn a_domain_makes_names_and_a_neighbour_of_the_pages_is_told() {
        let server = [("SERVER__LISTEN", "0.0.0.0:443"), ("SERVER__PUBLIC_URL", "https://codex.example.org")];
        let with = |domain: &'static str| names(&[server[0], server[1], ("GATEWAY__APPS_DOMAIN", domain)], &[]);
        let (own, transport) = with("apps.example.net");
        assert_eq!(own.origin(&place("code"), None).to_string(), "https://code--0123456789abcdef0123456789abcdef.apps.example.net");
        assert_eq!(own.advice(&transport.public_url), None);
        for near in ["apps.codex.example.org", "example.org"] {
            let (names, transport) = with(near);
            let advice = names.advice(&transport.public_url).unwrap();
            assert!(advice.contains("lie below each other") && advice.ends_with("for example codex-apps.example.org"), "{advice}");
        }
    }
}
