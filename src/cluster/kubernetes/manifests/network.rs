//! Who may talk to workspaces and whom they may reach: nobody and nothing, but for what these policies name.
//!
//! Policies know addresses, not names. In `open` everything outside is reached that is not private, link-local or the
//! place where a cloud hands out its credentials; `egress_allow` adds to that. A policy of our own is one of four fixed
//! names, so that what a change leaves behind is found and removed.

use super::group::group_labels;
use super::{Context, marks, metadata};
use crate::cluster::GroupSpec;
use crate::cluster::kubernetes::names;
use crate::domain::agent::AGENT_PORT;
use crate::domain::egress::{Entry, Mode, Policy};
use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

const DNS_PORT: u16 = 53;

/// Networks that lead back into somebody's own: private, shared with a carrier, loopback, link-local, multicast, reserved,
/// and the addresses at which clouds hand out credentials though they look public.
const CLOSED_V4: [&str; 13] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "240.0.0.0/4",
];
/// Of IPv6 only global unicast addresses are public at all, less the tunnels that hide an IPv4 address.
const PUBLIC_V6: &str = "2000::/3";
const CLOSED_V6: [&str; 2] = ["2001::/32", "2002::/16"];

/// The policies of a group under this egress policy.
pub fn policies(context: Context<'_>, spec: &GroupSpec, egress: &Policy) -> Vec<NetworkPolicy> {
    let policy = |name: &str, rules: NetworkPolicySpec| NetworkPolicy {
        metadata: metadata(name, &spec.namespace, group_labels(context, spec)),
        spec: Some(NetworkPolicySpec { pod_selector: Some(LabelSelector::default()), ..rules }),
    };
    let mut all = vec![policy(names::POLICY_DENY, deny()), policy(names::POLICY_SERVER, server(context))];
    if egress.mode != Mode::None {
        all.push(policy(names::POLICY_DNS, dns(context)));
        let rules = outside(egress);
        if !rules.is_empty() {
            all.push(policy(names::POLICY_EGRESS, leaving(rules)));
        }
    }
    all
}

fn deny() -> NetworkPolicySpec {
    NetworkPolicySpec { policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]), ..NetworkPolicySpec::default() }
}

fn leaving(rules: Vec<NetworkPolicyEgressRule>) -> NetworkPolicySpec {
    NetworkPolicySpec { policy_types: Some(vec!["Egress".to_owned()]), egress: Some(rules), ..NetworkPolicySpec::default() }
}

/// Only this server reaches agents: by the labels of its pod and, where it runs beside the cluster, by its addresses.
fn server(context: Context<'_>) -> NetworkPolicySpec {
    let server = &context.settings.server;
    let pod = pods_in(&server.namespace, LabelSelector { match_labels: Some(server.labels.clone()), ..LabelSelector::default() });
    let from = std::iter::once(pod).chain(server.cidrs.iter().map(|text| block(whole(text), &[]))).collect();
    let rule = NetworkPolicyIngressRule { from: Some(from), ports: Some(ports(Some(AGENT_PORT), &["TCP"])) };
    NetworkPolicySpec { policy_types: Some(vec!["Ingress".to_owned()]), ingress: Some(vec![rule]), ..NetworkPolicySpec::default() }
}

fn dns(context: Context<'_>) -> NetworkPolicySpec {
    let labels = LabelSelector { match_labels: Some(marks([("k8s-app", "kube-dns")])), ..LabelSelector::default() };
    let usual =
        NetworkPolicyEgressRule { to: Some(vec![pods_in("kube-system", labels)]), ports: Some(ports(Some(DNS_PORT), &["TCP", "UDP"])) };
    let named = context.settings.dns_servers.iter().filter_map(|entry| toward(entry, Some(DNS_PORT)));
    leaving(std::iter::once(usual).chain(named).collect())
}

fn outside(egress: &Policy) -> Vec<NetworkPolicyEgressRule> {
    let open = NetworkPolicyEgressRule {
        to: Some(vec![block("0.0.0.0/0".to_owned(), &CLOSED_V4), block(PUBLIC_V6.to_owned(), &CLOSED_V6)]),
        ports: None,
    };
    let open = (egress.mode == Mode::Open).then_some(open);
    open.into_iter().chain(egress.allow.iter().filter_map(|entry| toward(entry, None))).collect()
}

/// The rule for one entry; `port` is meant where the entry names none. An entry with a name opens nothing.
fn toward(entry: &Entry, port: Option<u16>) -> Option<NetworkPolicyEgressRule> {
    let (address, bits) = entry.network()?;
    let ports = entry.port().or(port).map(|port| ports(Some(port), &["TCP", "UDP"]));
    Some(NetworkPolicyEgressRule { to: Some(vec![block(format!("{address}/{bits}"), &[])]), ports })
}

fn pods_in(namespace: &str, labels: LabelSelector) -> NetworkPolicyPeer {
    let namespace = marks([("kubernetes.io/metadata.name", namespace)]);
    NetworkPolicyPeer {
        namespace_selector: Some(LabelSelector { match_labels: Some(namespace), ..LabelSelector::default() }),
        pod_selector: Some(labels),
        ip_block: None,
    }
}

fn block(cidr: String, except: &[&str]) -> NetworkPolicyPeer {
    let except = (!except.is_empty()).then(|| except.iter().map(|text| (*text).to_owned()).collect());
    NetworkPolicyPeer { ip_block: Some(IPBlock { cidr, except }), ..NetworkPolicyPeer::default() }
}

/// A network with its bits: one address is a network too.
fn whole(text: &str) -> String {
    match text.parse::<std::net::IpAddr>() {
        Ok(address) if address.is_ipv4() => format!("{address}/32"),
        Ok(address) => format!("{address}/128"),
        Err(_) => text.to_owned(),
    }
}

fn ports(port: Option<u16>, protocols: &[&str]) -> Vec<NetworkPolicyPort> {
    let port = port.map(|port| IntOrString::Int(i32::from(port)));
    let one = |protocol: &&str| NetworkPolicyPort { port: port.clone(), protocol: Some((*protocol).to_owned()), end_port: None };
    protocols.iter().map(one).collect()
}
