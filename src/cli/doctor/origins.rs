//! Where the server answers: its address, its certificate, whether its ports are free, and whether the names of apps lead
//! here. Names are asked of this machine's resolver; a browser may have another one, so a name that is not found is a
//! warning where something else could make up for it.

use super::Check;
use crate::clock::SystemEntropy;
use crate::config::Config;
use crate::gateway::names::{self, Names};
use crate::token::opaque::random_text;
use crate::transport::tls::Certificate;
use crate::transport::{self, Encryption, Host, Machine, Transport};
use std::collections::BTreeSet;
use std::net::{IpAddr, TcpListener, ToSocketAddrs};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

const NAMES: &str = "gateway names";
const CERTIFICATE: &str = "certificate";
/// How long the resolver may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The transport rule, the certificate, the names of apps, and whether the port is free.
pub fn addresses(config: &Config, runs: bool) -> Vec<Check> {
    let listen = config.server.listen;
    let transport = match transport::decide(&config.server, listen, &Machine::read()) {
        Ok(transport) => transport,
        Err(refusal) => return vec![Check::bad("address", refusal, "change the settings as one of these lines says")],
    };
    let names = names::decide(&config.gateway, &transport);
    let mut checks = vec![Check::good("address", address_line(&transport)), gateway_names(config, &transport, &names, runs)];
    if let Names::Hosts { domain, .. } = &names
        && domain != "localhost"
    {
        let label = format!("codex-web-{}", random_text(6, &SystemEntropy).replace(['-', '_'], "0").to_lowercase());
        let app = format!("{label}.{domain}");
        checks.push(wildcard(domain, &app, resolve(&app), &transport.public_url.host, host_addresses(&transport.public_url.host)));
    }
    if let Some((chain, key)) = &config.server.certificate {
        checks.push(match Certificate::load(chain, key) {
            Ok(certificate) => covered(&certificate, &transport, &names),
            Err(error) => Check::bad(CERTIFICATE, error.to_string(), "correct server.cert and server.key"),
        });
    }
    if let Some(extra) = &config.extra_ca {
        // One that cannot be used is a mistake of the configuration, told above.
        let words = format!("{} beside the system's, from {}", extra.count(), extra.path().display());
        checks.push(Check::good("authorities", words));
    }
    if !runs && listen.port() != 0 {
        checks.push(match TcpListener::bind(listen) {
            Ok(_) => Check::good("port", format!("{listen} is free")),
            Err(error) => {
                Check::bad("port", format!("{listen}: {error}"), "choose another port with server.listen, or stop what uses this one")
            }
        });
    }
    checks
}

/// Where apps are shown.
fn gateway_names(config: &Config, transport: &Transport, names: &Names, runs: bool) -> Check {
    let taken = |port: &u16| TcpListener::bind((config.server.listen.ip(), *port)).is_err();
    let taken = names.ports().filter(|_| !runs).and_then(|(first, last)| (first..=last).find(taken));
    match (taken, names.advice(&transport.public_url)) {
        (Some(port), _) => Check::warning(
            NAMES,
            format!("{}; port {port} is used by another program", names.summary()),
            "move gateway.port_range, or stop what uses the port",
        ),
        (None, Some(advice)) => Check::warning(NAMES, names.summary(), advice),
        (None, None) => Check::good(NAMES, names.summary()),
    }
}

/// What a name leads to; empty where nobody knows it, `None` where the resolver did not answer in time.
fn resolve(name: &str) -> Option<BTreeSet<IpAddr>> {
    let (tell, told) = channel();
    let name = name.to_owned();
    // The system's resolver knows no time limit.
    let asking = move || {
        let found = (name.as_str(), 0).to_socket_addrs();
        let _ = tell.send(found.map(|all| all.map(|address| address.ip().to_canonical()).collect()).unwrap_or_default());
    };
    thread::Builder::new().spawn(asking).ok()?;
    told.recv_timeout(PATIENCE).ok()
}

fn host_addresses(host: &Host) -> Option<BTreeSet<IpAddr>> {
    match host {
        Host::Address(address) => Some(BTreeSet::from([address.to_canonical()])),
        Host::Name(name) => resolve(name),
    }
}

/// Whether a name below the apps' domain that nobody can have made leads to where the pages are.
fn wildcard(domain: &str, app: &str, found: Option<BTreeSet<IpAddr>>, ui: &Host, pages: Option<BTreeSet<IpAddr>>) -> Check {
    let listed = |all: &BTreeSet<IpAddr>| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let Some(found) = found else {
        return Check::warning(NAMES, format!("the resolver of this machine did not answer for {app}"), "ask again when DNS works here");
    };
    let pages = pages.unwrap_or_default();
    let record = match ui {
        Host::Address(address) => format!("add the DNS record *.{domain} with the address {address}"),
        Host::Name(name) => format!("add the DNS record *.{domain} with the addresses of {name}, for example as a CNAME"),
    };
    if found.is_empty() && pages.is_empty() {
        let found = format!("neither {ui} nor a name below {domain} is known here; browsers may have a resolver that knows them");
        return Check::warning(NAMES, found, record);
    }
    if found.is_empty() {
        return Check::bad(NAMES, format!("no name below {domain} is known here ({app} was asked for), so no app can be opened"), record);
    }
    if pages.is_empty() {
        return Check::warning(
            NAMES,
            format!("names below {domain} lead to {}, but {ui} itself is not known here", listed(&found)),
            format!("add a DNS record for {ui}"),
        );
    }
    if found.is_disjoint(&pages) {
        return Check::warning(
            NAMES,
            format!(
                "names below {domain} lead to {}, and {ui} to {}: apps open only if both arrive at this server",
                listed(&found),
                listed(&pages)
            ),
            record,
        );
    }
    Check::good(NAMES, format!("names below {domain} lead to {}, as {ui} does", listed(&found)))
}

/// Whether the operator's certificate is for the pages and for the names of apps.
fn covered(certificate: &Certificate, transport: &Transport, names: &Names) -> Check {
    let shown = format!("SHA-256 {}", certificate.fingerprint());
    let wanted = [transport.public_url.host.clone(), names.certificate_host()];
    let mut missing: Vec<String> = wanted.iter().filter(|host| !certificate.covers(host)).map(ToString::to_string).collect();
    missing.dedup();
    if missing.is_empty() {
        return Check::good(CERTIFICATE, shown);
    }
    let missing = missing.join(" and ");
    Check::warning(
        CERTIFICATE,
        format!("{shown}; it does not cover {missing}, so browsers warn there"),
        format!("get a certificate that lists {missing} among its names, and set it as server.cert and server.key"),
    )
}

fn address_line(transport: &Transport) -> String {
    let how = match transport.encryption {
        Encryption::None => "this machine only",
        Encryption::SelfSigned => "self-signed certificate",
        Encryption::Certificate => "own certificate",
        Encryption::Proxy => "TLS ends at the trusted proxy",
    };
    let hosts: Vec<String> = transport.known_hosts.iter().map(ToString::to_string).collect();
    format!("{} ({how}); answers at {}", transport.public_url, hosts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;
    use crate::clock::Millis;
    use crate::config::{Flags, Surroundings};
    use crate::transport::certificate;

    fn addresses(texts: &[&str]) -> BTreeSet<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn names_of_apps_are_good_when_they_lead_to_where_the_pages_are() {
        let ui = Host::parse("codex.example.org").unwrap();
        let told = |found, pages| wildcard("apps.example.net", "codex-web-x.apps.example.net", found, &ui, Some(pages));
        let judge = |found, pages| told(Some(found), pages);
        let here = || addresses(&["192.0.2.1", "2001:db8::1"]);
        assert_eq!(judge(addresses(&["192.0.2.1"]), here()).verdict, Verdict::Good);
        let none = judge(addresses(&[]), here());
        assert_eq!((none.verdict, none.cure.unwrap().contains("*.apps.example.net")), (Verdict::Bad, true));
        assert_eq!(judge(addresses(&[]), addresses(&[])).verdict, Verdict::Warning, "another resolver may know both");
        let elsewhere = judge(addresses(&["198.51.100.7"]), here());
        assert_eq!((elsewhere.verdict, elsewhere.found.contains("198.51.100.7")), (Verdict::Warning, true), "{elsewhere:?}");
        assert_eq!(judge(here(), addresses(&[])).verdict, Verdict::Warning, "the pages themselves are not known");
        assert_eq!(told(None, here()).verdict, Verdict::Warning, "the resolver is silent");
    }

    #[test]
    fn a_certificate_without_the_names_of_apps_is_told_with_the_name_that_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let environment = [
            ("SERVER__LISTEN", "0.0.0.0:443"),
            ("SERVER__PUBLIC_URL", "https://codex.example.org"),
            ("GATEWAY__APPS_DOMAIN", "apps.example.net"),
        ];
        let environment = environment.map(|(name, value)| (format!("CODEX_WEB_{name}"), value.to_owned())).into();
        let surroundings = Surroundings { environment, cores: 1, current_dir: "/nowhere".into(), ..Surroundings::default() };
        let config = Config::load(&surroundings, &Flags::default()).unwrap();
        let transport = transport::decide(&config.server, config.server.listen, &Machine::default()).unwrap();
        let names = names::decide(&config.gateway, &transport);
        let judge = |folder: &str, hosts: &[&str]| {
            let hosts = hosts.iter().map(|host| Host::parse(host).unwrap_or_else(|| Host::Name((*host).to_owned()))).collect();
            let (files, _) = certificate::ensure(&dir.path().join(folder), &hosts, Millis(1_790_000_000_000), [7; 16]).unwrap();
            covered(&Certificate::load(&files.certificate, &files.key).unwrap(), &transport, &names)
        };
        assert_eq!(judge("both", &["codex.example.org", "*.apps.example.net"]).verdict, Verdict::Good);
        let one = judge("one", &["codex.example.org"]);
        assert_eq!(one.verdict, Verdict::Warning);
        assert!(one.found.contains("does not cover *.apps.example.net,") && one.cure.unwrap().contains("*.apps.example.net"));
        let other = judge("other", &["codex.example.com", "codex-web.apps.example.net"]);
        assert!(other.found.contains("codex.example.org and *.apps.example.net"), "{other:?}");
    }

    #[test]
    fn the_resolver_knows_this_machine_and_no_invented_name() {
        assert!(resolve("localhost").unwrap().iter().all(IpAddr::is_loopback));
        assert_eq!(resolve("codex-web-nowhere.invalid"), Some(BTreeSet::new()));
    }
}
