//! What the server says when it starts: exactly what a person needs, and for programs the same facts as fields.
//!
//! The set-up link is a credential: it is printed to a terminal and nowhere else. Logs are kept, copied and read by
//! others, so there the message says which command makes a new one.

use super::output::printable;
use crate::app::{App, Stage};
use crate::cluster::ClusterHealth;
use crate::cluster::local::TESTING;
use crate::transport::{Encryption, Transport};
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What is known when the first answer is possible.
pub struct Facts {
    pub listen: SocketAddr,
    pub transport: Transport,
    pub data_dir: PathBuf,
    /// SHA-256 of the certificate, where we encrypt.
    pub fingerprint: Option<String>,
    pub set_up: SetUp,
}

/// Whether there is a first administrator yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetUp {
    Done,
    /// The one-time code of the link.
    Waiting {
        code: String,
    },
}

/// Says that the server answers.
pub fn ready(facts: &Facts, json: bool, terminal: bool) {
    if json {
        tracing::info!(
            listen = %facts.listen,
            url = %facts.transport.public_url,
            data_dir = %facts.data_dir.display(),
            set_up = facts.set_up == SetUp::Done,
            certificate_sha256 = facts.fingerprint.as_deref().unwrap_or_default(),
            version = env!("CARGO_PKG_VERSION"),
            "serving"
        );
    } else {
        // Nobody can be told that standard error is gone.
        let _ = std::io::stderr().write_all(message(facts, terminal).as_bytes());
    }
}

fn message(facts: &Facts, terminal: bool) -> String {
    let transport = &facts.transport;
    let mut text = format!("Codex Web {}\n\n", env!("CARGO_PKG_VERSION"));
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:<12} {}", printable(value));
    };
    line("Address", &transport.public_url.to_string());
    match (&facts.set_up, terminal) {
        (SetUp::Done, _) => {}
        (SetUp::Waiting { code }, true) => {
            line("Set up", &format!("{}/setup#{code}", transport.public_url));
            line("", "once, within an hour; after that: codex-web setup-code");
        }
        (SetUp::Waiting { .. }, false) => line("Set up", "run `codex-web setup-code` for the link"),
    }
    if let Some(fingerprint) = &facts.fingerprint {
        line("Certificate", &format!("SHA-256 {fingerprint}"));
        if transport.encryption == Encryption::SelfSigned {
            line("", "self-signed: compare this with what the browser shows before you go on");
        }
    }
    if !transport.redirect_pages {
        let hosts: Vec<String> = transport.known_hosts.iter().map(ToString::to_string).collect();
        line("Answers at", &hosts.join(", "));
    }
    if transport.public_url.port != facts.listen.port() || transport.encryption == Encryption::Proxy {
        line("Listens on", &facts.listen.to_string());
    }
    line("Data", &facts.data_dir.display().to_string());
    text
}

/// Waits for the cluster's first word about itself and says it: where workspaces run, and what does not keep them apart.
pub async fn cluster(app: Arc<App>, json: bool) {
    for _ in 0..300 {
        let health = app.view.health().await;
        if app.stage() == Stage::Stopping {
            return;
        }
        if health.summary != TESTING {
            return told(&health, json);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn told(health: &ClusterHealth, json: bool) {
    if json {
        let (summary, warnings) = (&health.summary, health.warnings.join(" "));
        tracing::info!(cluster = health.kind, healthy = health.healthy, summary, warnings, "workspaces");
    } else {
        let mut text = format!("  {:<12} {}: {}\n", "Workspaces", health.kind, printable(&health.summary));
        for warning in &health.warnings {
            let _ = writeln!(text, "  {:<12} {}", "", printable(warning));
        }
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Server;
    use crate::transport::{Machine, decide};

    fn facts(listen: &str, set_up: SetUp) -> Facts {
        let listen: SocketAddr = listen.parse().unwrap();
        let server =
            Server { listen, public_url: None, trusted_proxies: Vec::new(), tls: true, certificate: None, workers: 1, body_limit: 1 };
        let transport = decide(&server, listen, &Machine { name: None, addresses: vec!["10.0.0.5".parse().unwrap()] }).unwrap();
        let fingerprint = transport.cookies.secure().then(|| "AA:BB".to_owned());
        Facts { listen, transport, data_dir: "/data".into(), fingerprint, set_up }
    }

    #[test]
    fn the_set_up_link_goes_to_a_terminal_and_nowhere_else() {
        let facts = facts("127.0.0.1:8080", SetUp::Waiting { code: "sesame".into() });
        assert!(message(&facts, true).contains("http://localhost:8080/setup#sesame"));
        let elsewhere = message(&facts, false);
        assert!(!elsewhere.contains("sesame") && elsewhere.contains("codex-web setup-code"), "{elsewhere}");
    }

    #[test]
    fn a_self_signed_certificate_is_told_with_what_to_compare() {
        let text = message(&facts("0.0.0.0:8443", SetUp::Done), true);
        for part in ["https://10.0.0.5:8443", "SHA-256 AA:BB", "self-signed", "Answers at", "127.0.0.1"] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        assert!(!text.contains("Set up"));
    }
}
