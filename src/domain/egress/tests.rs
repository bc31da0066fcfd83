//! The rules, from the side of somebody who wants in.

use super::*;
use proptest::prelude::*;

fn target(text: &str) -> Target {
    Target::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"))
}

fn policy(mode: Mode, allow: &[&str]) -> Policy {
    Policy { mode, allow: allow.iter().map(|text| Entry::parse(text).unwrap()).collect() }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// What the open policy says about a literal address.
fn rule_of(address: &str) -> Option<&'static str> {
    let host = if address.contains(':') { format!("[{address}]:80") } else { format!("{address}:80") };
    policy(Mode::Open, &[]).judge_address(&target(&host), ip(address), &[]).err().map(|refusal| refusal.rule.code())
}

#[test]
fn addresses_of_the_operators_own_network_are_refused_by_their_class() {
    for (address, rule) in [
        ("127.0.0.1", "loopback_address"),
        ("127.255.255.254", "loopback_address"),
        ("::1", "loopback_address"),
        ("0.0.0.0", "unspecified_address"),
        ("::", "unspecified_address"),
        ("0.1.2.3", "reserved_address"),
        ("10.0.0.1", "private_address"),
        ("172.16.0.1", "private_address"),
        ("172.31.255.255", "private_address"),
        ("192.168.1.1", "private_address"),
        ("fd12:3456::1", "private_address"),
        ("fec0::1", "private_address"),
        ("100.64.0.1", "carrier_nat_address"),
        ("100.127.255.255", "carrier_nat_address"),
        ("169.254.1.1", "link_local_address"),
        ("fe80::1", "link_local_address"),
        ("169.254.169.254", "metadata_address"),
        ("fd00:ec2::254", "metadata_address"),
        ("fd20:ce::254", "metadata_address"),
        ("fe80::a9fe:a9fe", "metadata_address"),
        ("168.63.129.16", "metadata_address"),
        ("100.100.100.200", "metadata_address"),
        ("192.0.0.192", "metadata_address"),
        ("224.0.0.1", "multicast_address"),
        ("239.255.255.250", "multicast_address"),
        ("ff02::1", "multicast_address"),
        ("255.255.255.255", "reserved_address"),
        ("240.0.0.1", "reserved_address"),
        ("192.0.0.8", "reserved_address"),
        ("192.88.99.1", "reserved_address"),
        ("2001:2::1", "reserved_address"),
        ("100::1", "reserved_address"),
        ("4000::1", "reserved_address"),
    ] {
        assert_eq!(rule_of(address), Some(rule), "{address}");
    }
}

#[test]
fn an_address_inside_another_is_judged_by_the_one_inside() {
    for (address, rule) in [
        ("::ffff:127.0.0.1", Some("loopback_address")),
        ("::ffff:a9fe:a9fe", Some("metadata_address")),
        ("::ffff:8.8.8.8", None),
        ("64:ff9b::127.0.0.1", Some("loopback_address")),
        ("64:ff9b::10.0.0.1", Some("private_address")),
        ("64:ff9b::169.254.169.254", Some("metadata_address")),
        ("64:ff9b::8.8.8.8", None),
        ("64:ff9b:1::8.8.8.8", Some("tunnel_address")),
        ("2002:7f00:1::1", Some("tunnel_address")),
        ("2002:808:808::1", Some("tunnel_address")),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", Some("tunnel_address")),
        ("::127.0.0.1", Some("tunnel_address")),
        ("::8.8.8.8", Some("tunnel_address")),
    ] {
        assert_eq!(rule_of(address), rule, "{address}");
    }
}

#[test]
fn public_addresses_pass_and_stand_ins_for_them() {
    for address in [
        "1.1.1.1",
        "8.8.8.8",
        "172.15.0.1",
        "172.32.0.1",
        "100.63.255.255",
        "100.128.0.1",
        "192.0.1.1",
        "192.0.2.1",
        "198.18.0.1",
        "203.0.113.9",
        "2001:db8::1",
        "2606:4700::1",
        "2a00::1",
    ] {
        assert_eq!(rule_of(address), None, "{address}");
    }
}

#[test]
fn a_target_has_one_spelling_and_all_others_are_refused() {
    assert_eq!(target("Example.ORG.:443"), target("example.org:443"));
    assert_eq!(target("[::ffff:127.0.0.1]:80"), target("127.0.0.1:80"));
    let long = format!("{}.org:80", "a".repeat(300));
    let label = format!("{}.org:80", "a".repeat(64));
    for text in [
        "",
        "example.org",
        "example.org:",
        ":80",
        "example.org:0",
        "example.org:080",
        "example.org:+80",
        "example.org:65536",
        "example.org:999999999999",
        "example.org:80:80",
        "2130706433:80",
        "0177.0.0.1:80",
        "0x7f.0.0.1:80",
        "0x7f000001:80",
        "127.1:80",
        "127.0.1:80",
        "127.0.0.1.:80",
        "1.2.3.4.5:80",
        "foo.0x1:80",
        "::1:80",
        "[::1%lo]:80",
        "[fe80::1%25eth0]:80",
        "[127.0.0.1]:80",
        "[::1:80",
        "user@example.org:80",
        "user:password@example.org:80",
        "example.org@127.0.0.1:80",
        "example.org#@127.0.0.1:80",
        "example.org/:80",
        "http://example.org:80",
        "exam ple.org:80",
        "example.org\r\nHost: evil:80",
        "example.org\0.evil:80",
        "example..org:80",
        ".example.org:80",
        "example.org..:80",
        "-example.org:80",
        "ex%61mple.org:80",
        "１２７.0.0.1:80",
        "bücher.example:80",
        "ⓛocalhost:80",
        "127。0。0。1:80",
        &long,
        &label,
    ] {
        assert!(Target::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn a_list_opens_exactly_what_it_names() {
    let policy = policy(Mode::Allowlist, &["example.org", "*.cdn.example:443", "9.9.9.0/24", "10.1.0.0/16:22", "[2606:4700::/32]:443"]);
    for good in [
        "example.org:80",
        "EXAMPLE.org.:443",
        "a.cdn.example:443",
        "a.b.cdn.example:443",
        "9.9.9.9:53",
        "10.1.2.3:22",
        "[2606:4700::1]:443",
    ] {
        assert_eq!(policy.judge(&target(good)), Ok(()), "{good}");
    }
    for bad in [
        "sub.example.org:80",
        "example.org.evil.net:80",
        "notexample.org:80",
        "cdn.example:443",
        "evilcdn.example:443",
        "a.cdn.example:80",
        "9.9.8.9:53",
        "10.1.2.3:80",
        "[2606:4700::1]:80",
        "[2606:4701::1]:443",
    ] {
        let refusal = policy.judge(&target(bad)).unwrap_err();
        assert_eq!(refusal.rule, Rule::NotListed, "{bad}");
    }
}

#[test]
fn nothing_passes_where_the_policy_is_none() {
    let policy = policy(Mode::None, &["example.org", "127.0.0.0/8"]);
    for text in ["example.org:443", "127.0.0.1:80", "8.8.8.8:53"] {
        assert_eq!(policy.judge(&target(text)).unwrap_err().rule, Rule::Closed, "{text}");
    }
}

#[test]
fn a_name_opens_private_addresses_and_never_loopback_metadata_or_this_server() {
    let policy = policy(Mode::Open, &["git.corp.example", "*.inner.example"]);
    let own = [ip("10.0.0.2")];
    for name in ["git.corp.example:22", "a.inner.example:80"] {
        let target = target(name);
        assert_eq!(policy.judge_address(&target, ip("10.0.0.7"), &own), Ok(()), "{name}");
        assert_eq!(policy.judge_address(&target, ip("fd00::7"), &own), Ok(()), "{name}");
        for (address, code) in [
            ("127.0.0.1", "loopback_address"),
            ("169.254.169.254", "metadata_address"),
            ("fd00:ec2::254", "metadata_address"),
            ("fe80::1", "link_local_address"),
            ("10.0.0.2", "own_server"),
            ("::ffff:10.0.0.2", "own_server"),
            ("64:ff9b::10.0.0.2", "own_server"),
        ] {
            assert_eq!(policy.judge_address(&target, ip(address), &own).unwrap_err().rule.code(), code, "{name} {address}");
        }
    }
    let other = target("other.example:80");
    assert_eq!(policy.judge_address(&other, ip("10.0.0.7"), &own).unwrap_err().rule.code(), "private_address");
}

#[test]
fn an_address_on_the_list_opens_that_address_and_port_for_names_too() {
    let policy = policy(Mode::Open, &["127.0.0.2:8080", "10.9.0.0/16"]);
    let registry = target("registry.example:8080");
    assert_eq!(policy.judge_address(&registry, ip("127.0.0.2"), &[]), Ok(()));
    assert!(policy.judge_address(&target("registry.example:8081"), ip("127.0.0.2"), &[]).is_err());
    assert!(policy.judge_address(&registry, ip("127.0.0.1"), &[]).is_err());
    assert_eq!(policy.judge_address(&registry, ip("10.9.1.1"), &[]), Ok(()));
    assert_eq!(policy.judge_address(&registry, ip("::ffff:10.9.1.1"), &[]), Ok(()));
}

#[test]
fn behind_an_upstream_proxy_names_of_private_networks_are_refused_by_their_look() {
    let policy = policy(Mode::Open, &["build.corp"]);
    for name in
        ["localhost:80", "db:5432", "metadata.google.internal:80", "printer.local:80", "a.localhost:80", "1.0.0.127.in-addr.arpa:80"]
    {
        assert_eq!(policy.judge_unresolved(&target(name), &[]).unwrap_err().rule, Rule::LocalName, "{name}");
    }
    assert_eq!(policy.judge_unresolved(&target("example.org:80"), &[]), Ok(()));
    assert_eq!(policy.judge_unresolved(&target("build.corp:80"), &[]), Ok(()));
    assert_eq!(policy.judge_unresolved(&target("169.254.169.254:80"), &[]).unwrap_err().rule.code(), "metadata_address");
}

#[test]
fn entries_read_back_as_they_were_written() {
    for text in
        ["example.org", "*.example.org", "*.example.org:443", "10.0.0.0/8", "10.0.0.7:22", "fd00::/8", "[fd00::/8]:22", "::1", "[::1]:80"]
    {
        assert_eq!(Entry::parse(text).unwrap().to_string(), text);
    }
    for text in [
        "",
        "*",
        "*.",
        "**.example.org",
        "a.*.org",
        "0.0.0.0/0",
        "::/0",
        "10.0.0.0/33",
        "10.0.0.0/",
        "10.0.0",
        "example.org:",
        "example.org:http",
        "ex ample",
        "[::1",
        "[::1]80",
        "::ffff:10.0.0.1",
        "user@host",
        "http://example.org",
        "example.org/24",
    ] {
        assert!(Entry::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn a_refusal_says_what_why_and_who_can_change_it() {
    let refused = policy(Mode::Open, &[]).judge_address(&target("git.example:443"), ip("10.0.0.1"), &[]).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "git.example:443 is refused: it leads to 10.0.0.1, an address of a private network. The operator can name the address in workspaces.egress_allow."
    );
    let literal = policy(Mode::Open, &[]).judge_address(&target("10.0.0.1:443"), ip("10.0.0.1"), &[]).unwrap_err();
    assert_eq!(
        literal.to_string(),
        "10.0.0.1:443 is refused: it is an address of a private network. The operator can name the address in workspaces.egress_allow."
    );
}

proptest! {
    /// Whatever is read is printed in a form that is read as the same, and never holds a blank or a control character.
    #[test]
    fn any_text_is_refused_or_has_one_form(text in "\\PC{0,40}(:[0-9]{1,6})?") {
        if let Ok(target) = Target::parse(&text) {
            let shown = target.to_string();
            prop_assert!(shown.bytes().all(|b| b.is_ascii_graphic() && b != b'@' && b != b'/'), "{}", shown);
            prop_assert_eq!(Target::parse(&shown), Ok(target));
        }
    }

    /// An IPv4 address has the same class in its mapped and its NAT64 form.
    #[test]
    fn a_form_of_an_address_changes_nothing(bits in any::<u32>()) {
        let plain = std::net::Ipv4Addr::from_bits(bits);
        let nat64: IpAddr = format!("64:ff9b::{plain}").parse().unwrap();
        prop_assert_eq!(class(IpAddr::V4(plain)), class(IpAddr::V6(plain.to_ipv6_mapped())));
        prop_assert_eq!(class(IpAddr::V4(plain)), class(nat64));
    }
}
