//! Each row of the transport table, and each way to be refused.

use super::*;
use crate::config::Network;

fn server(public_url: Option<&str>, proxies: &[&str], tls: bool, certificate: bool) -> Server {
    Server {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        public_url: public_url.map(|text| Origin::parse(text).unwrap()),
        trusted_proxies: proxies.iter().map(|text| Network::parse(text).unwrap()).collect(),
        tls,
        certificate: certificate.then(|| ("/cert.pem".into(), "/key.pem".into())),
        workers: 1,
        body_limit: 1024,
    }
}

fn machine() -> Machine {
    Machine { name: Host::parse("box.lan"), addresses: vec!["10.0.0.5".parse().unwrap(), "2001:db8::5".parse().unwrap()] }
}

fn decided(server: &Server, listen: &str) -> Transport {
    decide(server, listen.parse().unwrap(), &machine()).unwrap()
}

fn refused(server: &Server, listen: &str) -> String {
    decide(server, listen.parse().unwrap(), &machine()).unwrap_err()
}

#[test]
fn loopback_is_plain_http_at_localhost_with_the_port_in_the_cookie_name() {
    for listen in ["127.0.0.1:8080", "[::1]:8080"] {
        for tls in [true, false] {
            let transport = decided(&server(None, &[], tls, false), listen);
            assert_eq!(transport.public_url.to_string(), "http://localhost:8080");
            assert_eq!(transport.encryption, Encryption::None);
            assert_eq!(transport.cookies.name("codex_sid"), "codex_sid_8080");
            assert!(!transport.cookies.secure());
            assert!(transport.knows("localhost:8080") && transport.knows("127.0.0.1:8080") && transport.knows("[::1]:9000"));
            assert!(!transport.knows("evil.example") && !transport.knows("box.lan") && !transport.knows(""));
            assert!(transport.redirect("127.0.0.1:8080").is_some(), "one origin for pages");
            assert!(transport.redirect("localhost:9000").is_none(), "a forwarded port stays where it is");
        }
    }
}

#[test]
fn anything_else_gets_a_self_signed_certificate_for_every_name_of_the_machine() {
    let transport = decided(&server(None, &[], true, false), "0.0.0.0:8443");
    assert_eq!(transport.encryption, Encryption::SelfSigned);
    assert_eq!(transport.public_url.to_string(), "https://box.lan:8443");
    assert_eq!(transport.cookies.name("codex_sid"), "__Host-codex_sid");
    for host in ["box.lan:8443", "10.0.0.5:8443", "[2001:db8::5]:8443", "localhost", "127.0.0.1"] {
        assert!(transport.knows(host), "{host}");
        assert!(transport.redirect(host).is_none(), "pages stay where they were asked for: {host}");
    }
    assert!(!transport.knows("10.0.0.6"));
    assert_eq!(decided(&server(None, &[], true, false), "10.0.0.5:443").public_url.to_string(), "https://10.0.0.5");
}

#[test]
fn a_public_address_narrows_the_known_hosts_to_itself_and_loopback() {
    let transport = decided(&server(Some("https://codex.example.org"), &[], true, false), "0.0.0.0:443");
    assert!(transport.knows("codex.example.org") && transport.knows("localhost"));
    assert!(!transport.knows("box.lan") && !transport.knows("10.0.0.5"));
    assert_eq!(transport.redirect("127.0.0.1").map(ToString::to_string).as_deref(), Some("https://codex.example.org"));
}

#[test]
fn a_certificate_means_tls_everywhere_even_on_loopback() {
    let transport = decided(&server(None, &[], true, true), "127.0.0.1:8443");
    assert_eq!(transport.encryption, Encryption::Certificate);
    assert_eq!(transport.public_url.to_string(), "https://localhost:8443");
    assert!(transport.cookies.secure());
    assert!(refused(&server(Some("http://codex.example.org"), &[], true, true), "0.0.0.0:443").contains("https://"));
}

#[test]
fn behind_a_trusted_proxy_the_public_address_must_be_https() {
    for listen in ["127.0.0.1:8080", "0.0.0.0:8080"] {
        let transport = decided(&server(Some("https://codex.example.org"), &["10.0.0.9"], false, false), listen);
        assert_eq!(transport.encryption, Encryption::Proxy);
        assert!(transport.cookies.secure() && transport.knows("codex.example.org"));
        assert!(refused(&server(None, &["10.0.0.9"], true, false), listen).contains("server.public_url must be"));
        assert!(refused(&server(Some("http://codex.example.org"), &["10.0.0.9"], true, false), listen).contains("it is http://"));
    }
}

#[test]
fn without_tls_and_without_a_proxy_it_refuses_and_names_every_choice() {
    for url in [None, Some("https://codex.example.org"), Some("http://codex.example.org")] {
        let text = refused(&server(url, &[], false, false), "0.0.0.0:8080");
        for choice in
            ["server.tls", "server.cert", "server.trusted_proxies", "server.public_url", "server.listen", "ssh -L 8080:localhost:8080"]
        {
            assert!(text.contains(choice), "{choice} is missing in {text}");
        }
    }
}

#[test]
fn loopback_with_a_foreign_public_address_asks_for_the_proxy() {
    assert!(refused(&server(Some("https://codex.example.org"), &[], true, false), "127.0.0.1:8080").contains("server.trusted_proxies"));
    assert!(refused(&server(Some("http://codex.example.org"), &[], true, false), "127.0.0.1:8080").contains("server.listen"));
}

#[test]
fn only_the_page_that_the_request_was_sent_to_is_our_own() {
    let transport = decided(&server(None, &[], true, false), "127.0.0.1:8080");
    assert!(transport.same_origin("http://localhost:8080", "localhost:8080"));
    assert!(transport.same_origin("http://localhost:9000", "localhost:9000"), "a forwarded port");
    assert!(!transport.same_origin("http://localhost:3000", "localhost:8080"), "another program of this machine");
    assert!(!transport.same_origin("https://localhost:8080", "localhost:8080"));
    assert!(!transport.same_origin("http://evil.example:8080", "evil.example:8080"));
    assert!(!transport.same_origin("null", "localhost:8080"));
    let public = decided(&server(Some("https://codex.example.org"), &["10.0.0.9"], true, false), "127.0.0.1:8080");
    assert!(public.same_origin("https://codex.example.org", "codex.example.org"));
    assert!(!public.same_origin("http://codex.example.org", "codex.example.org"));
}
