//! The `cluster` section: where workspaces run, and how a Kubernetes cluster is reached and used.
//!
//! A cluster is used when `cluster.kind` says so and never because a kubeconfig lies about. What cannot work on
//! Kubernetes (a name among `workspaces.egress_allow`: network policies know addresses only) is refused here, when the
//! program starts, and not found out by a workspace.

use super::value::Value;
use super::{Config, Problem, Setting, Source, Values};
use crate::domain::container::{Toleration, is_object_name, parse_label};
use crate::domain::egress::Entry;
use crate::domain::names::LABEL_MAX;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Where workspaces run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Local,
    Kubernetes,
}

/// How the server reaches the agents of workspaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connect {
    Auto,
    Direct,
    PortForward,
}

/// Which key names the image of which built-in template.
const IMAGES: [(&str, &str); 3] =
    [("shell", "cluster.shell_image"), ("code-server", "cluster.code_server_image"), ("jupyterlab", "cluster.jupyterlab_image")];

/// The section. Everything but `kind` and `namespace_prefix` is for Kubernetes.
#[derive(Debug, Clone)]
pub struct Cluster {
    pub kind: Kind,
    /// What every namespace begins with, without the hyphen that follows.
    pub namespace_prefix: String,
    /// `None`: the service account of the pod in which this server runs.
    pub kubeconfig: Option<PathBuf>,
    pub context: Option<String>,
    /// Empty where there is no Kubernetes.
    pub agent_image: String,
    /// The images of built-in templates by the app that they are for; `shell` for the one without.
    pub images: BTreeMap<&'static str, String>,
    pub storage_class: Option<String>,
    pub connect: Connect,
    /// Networks from which this server reaches agents, when it runs beside the cluster.
    pub server_cidr: Vec<String>,
    /// Where the pod of this server is, when it runs in the cluster.
    pub server_namespace: String,
    pub server_labels: BTreeMap<String, String>,
    pub dns_servers: Vec<Entry>,
    pub image_pull_secrets: Vec<String>,
    /// A Docker configuration file with credentials of registries.
    pub registry_config: Option<PathBuf>,
    pub node_selector: BTreeMap<String, String>,
    pub tolerations: Vec<Toleration>,
    /// Seconds.
    pub connect_timeout: u64,
    /// Seconds.
    pub request_timeout: u64,
}

impl Cluster {
    pub(super) fn read(get: &Values<'_>) -> Self {
        let text = |path: &str| Some(get.text(path).to_owned()).filter(|text| !text.is_empty());
        let labels = |path: &str| get.list(path).iter().filter_map(|text| parse_label(text).ok()).collect();
        Self {
            kind: if get.text("cluster.kind") == "kubernetes" { Kind::Kubernetes } else { Kind::Local },
            namespace_prefix: get.text("cluster.namespace_prefix").to_owned(),
            kubeconfig: text("cluster.kubeconfig").map(PathBuf::from),
            context: text("cluster.context"),
            agent_image: get.text("cluster.agent_image").to_owned(),
            images: IMAGES.iter().filter_map(|(app, key)| Some((*app, text(key)?))).collect(),
            storage_class: text("cluster.storage_class"),
            connect: match get.text("cluster.connect") {
                "direct" => Connect::Direct,
                "port-forward" => Connect::PortForward,
                _ => Connect::Auto,
            },
            server_cidr: get.list("cluster.server_cidr").to_vec(),
            server_namespace: get.text("cluster.server_namespace").to_owned(),
            server_labels: labels("cluster.server_labels"),
            dns_servers: get.targets("cluster.dns_servers"),
            image_pull_secrets: get.list("cluster.image_pull_secrets").to_vec(),
            registry_config: text("cluster.registry_config").map(PathBuf::from),
            node_selector: labels("cluster.node_selector"),
            tolerations: get.list("cluster.tolerations").iter().filter_map(|text| Toleration::parse(text).ok()).collect(),
            connect_timeout: get.count("cluster.connect_timeout"),
            request_timeout: get.count("cluster.request_timeout"),
        }
    }

    /// What cannot work, each with what to write instead. `place` says where a setting came from, `set` whether it is.
    pub(super) fn check(&self, get: &Values<'_>, place: impl Fn(&str) -> String, problems: &mut Vec<Problem>) {
        let mut say = |path: &str, words: &str| problems.push(Problem::new(place(path), format!("{path}: {words}")));
        if !is_prefix(&self.namespace_prefix) {
            say(
                "cluster.namespace_prefix",
                "write lower-case letters, digits and hyphens, a letter first, at most 40; a hyphen is put behind it",
            );
        }
        if self.dns_servers.iter().any(|entry| entry.network().is_none()) {
            say("cluster.dns_servers", "holds a name; write the addresses of the name servers");
        }
        if self.kind == Kind::Local {
            return;
        }
        if self.agent_image.is_empty() {
            let words = "is not set, but workspaces in Kubernetes need it: the image that holds this program";
            say("cluster.agent_image", words);
        }
        if self.context.is_some() && self.kubeconfig.is_none() {
            say("cluster.context", "names a context, but cluster.kubeconfig names no file that could hold it");
        }
        if let Some(name) = egress_name(&get.targets("workspaces.egress_allow")) {
            say("workspaces.egress_allow", &no_names(&name));
        }
        if !get.text("workspaces.egress_proxy").is_empty() {
            say(
                "workspaces.egress_proxy",
                "is for the local runtime; in Kubernetes workspaces reach the outside by the cluster's own network",
            );
        }
        if get.on("workspaces.allow_unconfined") {
            say("workspaces.allow_unconfined", "is for the local runtime; pods of workspaces are always confined");
        }
    }
}

impl Config {
    /// The built-in default is a program of this machine, which a cluster does not have.
    pub(super) fn default_image(&self, effective: &[Setting]) -> String {
        let setting = effective.iter().find(|setting| setting.key.path() == "workspaces.default_image");
        let is_ours = setting.is_some_and(|setting| setting.source == Source::Default);
        if is_ours && self.cluster.kind == Kind::Kubernetes {
            return String::new();
        }
        Values(effective).text("workspaces.default_image").to_owned()
    }

    /// What the cluster cannot hold workspaces to opens nothing.
    pub(super) fn enforceable(&self, mut allow: Vec<Entry>) -> Vec<Entry> {
        if self.cluster.kind == Kind::Kubernetes {
            allow.retain(|entry| entry.network().is_some());
        }
        allow
    }

    /// Why a value that is valid by itself cannot be set here, because of what the file or a flag says of the rest.
    pub fn refusal(&self, path: &str, value: &Value) -> Option<String> {
        let Value::List(items) = value else { return None };
        if path != "workspaces.egress_allow" || self.cluster.kind != Kind::Kubernetes {
            return None;
        }
        let entries: Vec<Entry> = items.iter().filter_map(|text| Entry::parse(text).ok()).collect();
        egress_name(&entries).map(|name| no_names(&name))
    }
}

/// The first entry that is a name.
fn egress_name(entries: &[Entry]) -> Option<String> {
    entries.iter().find(|entry| entry.network().is_none()).map(ToString::to_string)
}

/// Why a name cannot stand in `workspaces.egress_allow`.
fn no_names(name: &str) -> String {
    format!("{name} is a name, and the network policies of Kubernetes know addresses only; write addresses or networks, like 10.1.0.0/16")
}

/// What a namespace can begin with, with room for something behind it.
fn is_prefix(text: &str) -> bool {
    const LONGEST: usize = 40;
    const { assert!(LONGEST < LABEL_MAX) };
    text.len() <= LONGEST && is_object_name(text) && !text.contains('.') && text.starts_with(|c: char| c.is_ascii_lowercase())
}
