//! The one registry of settings: name, type, default, when it takes effect, and one sentence for people.
//!
//! Everything that names a setting reads this table: the file, the environment, the flags, `config show`, the
//! commented example, the settings page and its API. A key that is not here does not exist, and a key stands here
//! only when the program acts on it. Keys of capabilities that this build does not have are absent on purpose: a
//! setting that is accepted and ignored is a lie.

use super::value::Kind;
use crate::domain::audit::DAYS_MIN;
use crate::domain::egress::Mode as EgressMode;
use crate::domain::spelling::distance;

/// When a change of a setting takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At the next start. Lives in the file, the environment or the flags only.
    Start,
    /// At once. Lives in the settings table too, unless a file, variable or flag pins it.
    Runtime,
}

impl When {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Runtime => "runtime",
        }
    }
}

/// What holds when nobody says anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultValue {
    /// Nothing: the setting is unset.
    Unset,
    /// This value, in the notation of the environment.
    Text(&'static str),
    /// Worked out from the machine; the words say how.
    Machine(&'static str),
}

/// One setting.
#[derive(Debug)]
pub struct Key {
    pub section: &'static str,
    pub name: &'static str,
    pub kind: Kind,
    pub default: DefaultValue,
    pub when: When,
    /// Its value is never shown, logged or answered.
    pub secret: bool,
    /// What it does, in one sentence.
    pub doc: &'static str,
    /// A value worth showing in the example where there is no fixed default.
    pub example: Option<&'static str>,
}

impl Key {
    /// `section.name`, the same everywhere.
    pub fn path(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    /// Its environment variable.
    pub fn variable(&self) -> String {
        format!("CODEX_WEB_{}__{}", self.section.to_uppercase(), self.name.to_uppercase())
    }
}

const fn start(section: &'static str, name: &'static str, kind: Kind, default: DefaultValue, doc: &'static str) -> Key {
    Key { section, name, kind, default, when: When::Start, secret: false, doc, example: None }
}

const fn runtime(section: &'static str, name: &'static str, kind: Kind, default: DefaultValue, doc: &'static str) -> Key {
    Key { section, name, kind, default, when: When::Runtime, secret: false, doc, example: None }
}

const fn example(key: Key, example: &'static str) -> Key {
    Key { example: Some(example), ..key }
}

const fn secret(key: Key) -> Key {
    Key { secret: true, ..key }
}

use DefaultValue::{Machine, Text, Unset};
use Kind::{
    Address, Bool, Count, Currency, Decimal, Host, Image, Labels, Names, Networks, Origin, Path, Ports, Proxy, Targets, Tolerations, Word,
};

/// THE TABLE, in the order in which it is shown.
#[rustfmt::skip]
pub static KEYS: &[Key] = &[
    start("server", "listen", Address, Text("127.0.0.1:8080"),
        "Address and port to listen on; port 0 picks a free one. What else it needs: the operator's guide, Addresses and TLS."),
    example(start("server", "public_url", Origin, Unset,
        "The one address that people type, without a path. Needed behind a proxy; other known hosts are redirected to it."), "https://codex.example.org"),
    example(start("server", "trusted_proxies", Networks, Unset,
        "Addresses or networks of the proxies whose X-Forwarded-* headers are believed. They end TLS; public_url must be https."), "[\"127.0.0.1\", \"10.0.0.0/24\"]"),
    start("server", "tls", Word(&["auto", "off"]), Text("auto"),
        "auto: a self-signed certificate unless the server listens on loopback only or stands behind a trusted proxy. off: never."),
    example(start("server", "cert", Path, Unset,
        "Certificate chain in PEM, with server.key; read again when the file changes."), "/etc/codex-web/tls/cert.pem"),
    example(start("server", "key", Path, Unset,
        "Private key in PEM of server.cert; read again when the file changes."), "/etc/codex-web/tls/key.pem"),
    example(start("server", "extra_ca", Path, Unset,
        "Certificate authorities in PEM that this server and programs in workspaces trust beside the system's, for sites with their own."), "/etc/codex-web/tls/site-ca.pem"),
    example(start("server", "workers", Count { min: 1, max: 256 }, Machine("one for each core, at most 8"),
        "Threads that answer requests."), "2"),
    start("server", "body_limit", Count { min: 16_384, max: 67_108_864 }, Text("1048576"),
        "Largest request body in bytes; routes that need less have their own, smaller limit."),

    example(start("data", "dir", Path, Machine("/var/lib/codex-web for root, else $XDG_DATA_HOME/codex-web"),
        "The data directory. Also --data-dir and CODEX_WEB_DATA_DIR."), "/var/lib/codex-web"),
    start("data", "synchronous", Word(&["full", "normal"]), Text("full"),
        "full: what was acknowledged survives a power cut. normal: faster, and the last second may be lost then."),
    start("data", "readers", Count { min: 1, max: 64 }, Text("4"),
        "Read connections to the database; each keeps a few megabytes of cache."),
    start("data", "min_free", Count { min: 16, max: 1_048_576 }, Text("128"),
        "Megabytes (MiB) of its disk that are kept free: below that the server only reads, stops and deletes, until there is more again."),

    start("cluster", "kind", Word(&["local", "kubernetes"]), Text("local"),
        "Where workspaces run. local: as sandboxed processes on this machine. kubernetes: as pods of a cluster; the keys below are for that."),
    start("cluster", "namespace_prefix", Kind::Text { max: 40 }, Text("codex-platform"),
        "What the namespace of every group begins with; a hyphen follows it."),
    example(start("cluster", "kubeconfig", Path, Unset,
        "The kubeconfig file of the cluster. Without it the server uses the service account of its own pod; no other place is looked at."), "/etc/codex-web/kubeconfig"),
    example(start("cluster", "context", Kind::Text { max: 253 }, Unset,
        "The context of the kubeconfig; without it the file's current one."), "production"),
    example(start("cluster", "agent_image", Kind::Text { max: 255 }, Unset,
        "The image that holds this program: an init container copies the agent out of it. Needed with Kubernetes."), "registry.example.org/codex-web:0.1.0"),
    example(start("cluster", "shell_image", Kind::Text { max: 255 }, Unset,
        "The image of workspaces that are made from the built-in template Shell; without it they need the local runtime."), "registry.example.org/shell:1"),
    example(start("cluster", "code_server_image", Kind::Text { max: 255 }, Unset,
        "The same for VS Code in the browser: an image with code-server in its PATH."), "registry.example.org/code-server:4"),
    example(start("cluster", "jupyterlab_image", Kind::Text { max: 255 }, Unset,
        "The same for JupyterLab: an image with jupyter-lab in its PATH."), "registry.example.org/jupyterlab:4"),
    example(start("cluster", "storage_class", Kind::Text { max: 253 }, Unset,
        "The storage class of the disks of workspaces; without it the cluster's default class."), "fast"),
    start("cluster", "connect", Word(&["auto", "direct", "port-forward"]), Text("auto"),
        "How agents are reached. direct: at the address of the pod. port-forward: through the API server. auto: direct where that works."),
    example(start("cluster", "server_cidr", Networks, Unset,
        "Addresses from which this server reaches pods when it runs beside the cluster: only they may reach agents."), "[\"192.0.2.10/32\"]"),
    start("cluster", "server_namespace", Kind::Text { max: 63 }, Text("codex-web"),
        "The namespace of this server's pod when it runs in the cluster."),
    start("cluster", "server_labels", Labels, Text("app.kubernetes.io/name=codex-web"),
        "Labels of this server's pod when it runs in the cluster: only pods that have them all may reach agents."),
    example(start("cluster", "dns_servers", Targets, Unset,
        "Name servers of the cluster that are not pods labelled k8s-app=kube-dns in kube-system: addresses, each with :port or for port 53."), "[\"169.254.20.10\"]"),
    example(start("cluster", "image_pull_secrets", Names, Unset,
        "Secrets with credentials of registries that somebody keeps in every group's namespace."), "[\"regcred\"]"),
    example(start("cluster", "registry_config", Path, Unset,
        "A Docker configuration file (config.json) with credentials of registries; it becomes a Secret in every group's namespace."), "/etc/codex-web/registry.json"),
    example(start("cluster", "node_selector", Labels, Unset,
        "Labels that nodes of workspaces must have."), "[\"codex-web/workspaces=yes\"]"),
    example(start("cluster", "tolerations", Tolerations, Unset,
        "Taints of nodes that workspaces may run on nevertheless."), "[\"dedicated=workspaces:NoSchedule\"]"),
    start("cluster", "connect_timeout", Count { min: 1, max: 60 }, Text("5"),
        "Seconds within which the cluster must accept a connection."),
    start("cluster", "request_timeout", Count { min: 1, max: 25 }, Text("10"),
        "Seconds within which the cluster must answer a request."),

    start("gateway", "mode", Word(&["auto", "hosts", "ports"]), Text("auto"),
        "How apps of workspaces get origins of their own. hosts: a name each. ports: a port each, for their owner only. auto: hosts where it can."),
    example(start("gateway", "apps_domain", Host, Unset,
        "The domain whose names all lead here (wildcard DNS and certificate); neither parent nor child of the UI's. localhost where the UI is there."), "apps.example.net"),
    example(start("gateway", "apps_host", Host, Unset,
        "The host of apps in mode ports: a name or address of this server other than the UI's."), "192.0.2.10"),
    start("gateway", "port_range", Ports, Text("8100-8199"),
        "The ports of apps in mode ports, on the address of server.listen."),

    runtime("workspaces", "default_image", Image, Text("local:shell"),
        "What a workspace is made from when neither template nor image is given: local:NAME is a built-in template."),
    runtime("workspaces", "break_glass", Bool, Text("on"),
        "Whether a platform administrator may enter somebody else's workspace with a written reason."),
    runtime("workspaces", "idle_after_hours", Count { min: 1, max: 8_760 }, Text("8"),
        "Hours after which a running workspace that nobody uses is listed as idle. Nothing is stopped by itself."),
    runtime("workspaces", "abandoned_after_days", Count { min: 1, max: 3_650 }, Text("30"),
        "Days after which a stopped workspace that nobody uses is listed as abandoned. Nothing is deleted by itself."),
    start("workspaces", "allow_unconfined", Bool, Text("off"),
        "Run workspaces without a sandbox where the machine offers none. Only for a throw-away machine with one person on it."),
    runtime("workspaces", "egress", Word(&EgressMode::WORDS), Text("open"),
        "What workspaces may reach. open: everything but private networks and this machine. allowlist: what egress_allow names. none: nothing."),
    example(runtime("workspaces", "egress_allow", Targets, Unset,
        "Names, *.names, addresses and networks, each with :port or without, that workspaces may reach; private addresses are reached only so."),
        "[\"git.example.org\", \"*.example.net:443\", \"10.1.0.0/16\"]"),
    secret(example(start("workspaces", "egress_proxy", Proxy, Unset,
        "The HTTP proxy, http:// or https://, through which workspaces reach the outside; it then looks the names up."), "http://proxy.example.org:3128")),
    example(start("workspaces", "egress_direct", Targets, Unset,
        "What workspaces reach without egress_proxy, written like egress_allow; it opens nothing by itself."),
        "[\"*.corp.example\", \"10.0.0.0/8\"]"),

    runtime("auth", "password_min_length", Count { min: 8, max: 128 }, Text("12"),
        "Fewest characters of a new password."),

    start("limits", "rate", Bool, Text("on"),
        "Whether requests are limited per person and address; off leaves only the sign-in throttle."),
    start("limits", "requests_per_second", Count { min: 1, max: 100_000 }, Text("50"),
        "Requests per second that one person or address may go on making; four times as many in a burst."),

    runtime("pricing", "currency", Currency, Text("USD"),
        "What costs are shown in. Nothing is converted: set the prices in the same."),
    example(runtime("pricing", "cpu_core_per_month", Decimal { max: 1_000_000 }, Unset,
        "Price of a core for a month of 730 hours; unset: derived from the machines of the cluster, else from a t3a.xlarge."), "27.5"),
    example(runtime("pricing", "memory_gib_per_month", Decimal { max: 1_000_000 }, Unset,
        "Price of a GiB of memory for a month; unset: derived like that of a core."), "6.8"),
    runtime("pricing", "storage_gib_per_month", Decimal { max: 1_000_000 }, Text("0.1"),
        "Price of a GiB of disk for a month."),
    runtime("pricing", "cluster_overhead_rate", Decimal { max: 10 }, Text("0.2"),
        "What managing the cluster adds, as a part of the rest: 0.2 is a fifth."),
    runtime("pricing", "network_overhead_rate", Decimal { max: 10 }, Text("0.1"),
        "What the network adds, as a part of the rest."),
    runtime("pricing", "stopped_disk_is_free", Bool, Text("off"),
        "Whether a stopped workspace costs nothing although its disk stays."),

    example(start("metrics", "listen", Address, Unset,
        "An address of its own for GET /metrics (Prometheus), plain and without a token: for loopback or a network of monitors only."), "127.0.0.1:9464"),

    runtime("audit", "retention_days", Count { min: DAYS_MIN, max: 36_500 }, Text("365"),
        "Days that the audit log stays in the database. What is older is written out, read back, and only then removed."),
    runtime("audit", "hold", Bool, Text("off"),
        "Keep every entry of the audit log whatever its age, for as long as this is on."),
    example(start("audit", "export_dir", Path, Unset,
        "Where entries are written out before they are removed; without it audit in the data directory. Back it up: it is the past of the log."), "/var/backups/codex-web/audit"),

    runtime("log", "level", Word(&["error", "warn", "info", "debug", "trace"]), Text("info"),
        "What is written to standard error."),
    start("log", "format", Word(&["text", "json"]), Text("text"),
        "text: lines for people. json: one object a line."),
];

/// Looks a key up by `section.name`.
pub fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| path.split_once('.').is_some_and(|(section, name)| key.section == section && key.name == name))
}

/// The key with the most similar name, for "did you mean".
pub fn nearest(path: &str) -> Option<&'static Key> {
    let name = path.rsplit('.').next().unwrap_or_default();
    let candidate = |key: &'static Key| {
        let whole = distance(path, &key.path());
        // The right name in the wrong section, or without one, is nearer than its letters say.
        let moved = distance(name, key.name);
        let near_whole = (whole <= 1 + path.len() / 4).then_some(whole);
        let near_name = (moved <= name.len() / 4).then_some(moved + 1);
        near_whole.into_iter().chain(near_name).min().map(|distance| (distance, key))
    };
    KEYS.iter().filter_map(candidate).min_by_key(|(distance, _)| *distance).map(|(_, key)| key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_a_valid_value_of_its_own_key() {
        for key in KEYS {
            if let Text(text) = key.default {
                assert!(key.kind.parse(text).is_ok(), "{}", key.path());
            }
            if let Some(text) = key.example {
                assert!(key.kind.parse(text).is_ok(), "{}", key.path());
            }
        }
    }

    #[test]
    fn no_key_stands_twice_and_sections_are_together() {
        let paths: std::collections::BTreeSet<String> = KEYS.iter().map(Key::path).collect();
        assert_eq!(paths.len(), KEYS.len());
        let mut sections: Vec<&str> = KEYS.iter().map(|key| key.section).collect();
        sections.dedup();
        let unique: std::collections::BTreeSet<&str> = sections.iter().copied().collect();
        assert_eq!(sections.len(), unique.len(), "{sections:?}");
    }

    #[test]
    fn the_nearest_name_is_found_by_spelling_and_by_a_forgotten_section() {
        assert_eq!(nearest("server.lisen").map(Key::path).as_deref(), Some("server.listen"));
        assert_eq!(nearest("listen").map(Key::path).as_deref(), Some("server.listen"));
        assert_eq!(nearest("server.break_glass").map(Key::path).as_deref(), Some("workspaces.break_glass"));
        assert!(nearest("kitchen.sink").is_none());
    }

    #[test]
    fn a_secret_never_has_a_default() {
        assert!(KEYS.iter().filter(|key| key.secret).all(|key| key.default == Unset));
    }
}
