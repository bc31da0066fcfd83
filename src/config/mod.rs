//! What the operator decided: one typed [`Config`] from five layers, lowest first: built-in default, settings table,
//! file, environment, flags.
//!
//! Every problem is reported at once, with the nearest known name. The source of each value is kept, so that
//! `config show` can say it and the settings page can refuse to change what a file pins. The environment comes in as a
//! parameter ([`Surroundings`]); nothing here asks the process for it, and nothing else in the program reads a variable.

mod audit;
pub mod cluster;
pub mod gateway;
pub mod layers;
pub mod network;
mod pricing;
pub mod print;
pub mod registry;
mod surroundings;
mod together;
pub mod value;

pub use cluster::Cluster;
pub use gateway::Gateway;
pub use layers::{Problem, Source};
pub use network::Network;
pub use surroundings::{Flags, Surroundings};

use crate::domain::audit::AuditSettings;
use crate::domain::egress::{Entry, Mode, Policy, Upstream};
use crate::domain::pricing::PriceSettings;
use crate::transport::Origin;
use crate::transport::trust::ExtraCa;
use layers::Layers;
use registry::{DefaultValue, KEYS, Key, When};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use value::Value;

/// The name of the file, in the data directory and in `/etc/codex-web`.
pub const FILE_NAME: &str = "codex-web.toml";

/// All problems of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("The configuration has a problem:")?,
            many => write!(f, "The configuration has {many} problems:")?,
        }
        for problem in &self.0 {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

/// One setting with its value and where that came from.
#[derive(Debug, Clone)]
pub struct Setting {
    pub key: &'static Key,
    /// `None` when it is unset.
    pub value: Option<Value>,
    pub source: Source,
}

impl Setting {
    /// Whether a file, a variable or a flag holds it against the settings page.
    pub fn pinned(&self) -> bool {
        !matches!(self.source, Source::Default | Source::Settings)
    }
}

/// The `server` section.
#[derive(Debug, Clone)]
pub struct Server {
    pub listen: SocketAddr,
    pub public_url: Option<Origin>,
    pub trusted_proxies: Vec<Network>,
    /// `false`: `tls = off`.
    pub tls: bool,
    /// Certificate chain and private key, PEM; both or none.
    pub certificate: Option<(PathBuf, PathBuf)>,
    pub workers: usize,
    /// Bytes.
    pub body_limit: usize,
}

/// The `data` section.
#[derive(Debug, Clone)]
pub struct Data {
    pub dir: PathBuf,
    /// `synchronous = full`: an acknowledged change survives a power cut.
    pub synchronous_full: bool,
    pub readers: u32,
    /// Bytes of its disk that are kept free.
    pub min_free: u64,
}

/// The `limits` section.
#[derive(Debug, Clone)]
pub struct Limits {
    pub rate: bool,
    pub requests_per_second: u32,
}

/// Settings that can change while the server runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Runtime {
    pub default_image: String,
    pub break_glass: bool,
    pub password_min_length: usize,
    /// `workspaces.egress` and `workspaces.egress_allow`.
    pub egress: Policy,
    pub log_level: String,
    /// The `pricing` section.
    pub pricing: PriceSettings,
    pub idle_after_hours: i64,
    pub abandoned_after_days: i64,
    /// The `audit` section.
    pub audit: AuditSettings,
}

/// The whole configuration at start.
#[derive(Debug, Clone)]
pub struct Config {
    pub server: Server,
    pub data: Data,
    pub limits: Limits,
    pub cluster: Cluster,
    pub gateway: Gateway,
    /// `server.extra_ca`, read.
    pub extra_ca: Option<ExtraCa>,
    pub allow_unconfined: bool,
    pub egress_proxy: Option<Upstream>,
    /// What is reached without the proxy.
    pub egress_direct: Vec<Entry>,
    /// Where metrics are given to whoever comes.
    pub metrics_listen: Option<SocketAddr>,
    /// Where the audit log is written out before it is purged.
    pub audit_export_dir: PathBuf,
    /// `log.format = json`.
    pub log_json: bool,
    /// Where sockets of workspaces lie: short, private, empty after a reboot.
    pub run_dir: PathBuf,
    /// The file that was read, if there was one.
    pub file: Option<PathBuf>,
    settings: Vec<Setting>,
}

impl Config {
    /// Reads all layers but the settings table, which lies in a database that only this configuration can find.
    pub fn load(surroundings: &Surroundings, flags: &Flags) -> Result<Self, Problems> {
        let mut layers = Layers::default();
        let early = early_data_dir(surroundings, flags, &mut layers.problems);
        let file = choose_file(surroundings, flags, &early, &mut layers.problems);
        if let Some(file) = &file {
            layers.file(file);
            refuse_moving_itself(file, &early, &mut layers);
        }
        layers.environment(&surroundings.environment, &surroundings.current_dir);
        if let Some(text) = surroundings.environment.get("CODEX_WEB_DATA_DIR") {
            layers.given("data.dir", text, Source::Environment("CODEX_WEB_DATA_DIR".into()), &surroundings.current_dir);
        }
        if let Some(path) = &flags.data_dir {
            layers.given("data.dir", &path.to_string_lossy(), Source::Flag("--data-dir"), &surroundings.current_dir);
        }
        for (key, flag, text) in &flags.settings {
            layers.given(key, text, Source::Flag(flag), &surroundings.current_dir);
        }
        let settings = complete(&mut layers, surroundings, &early);
        let config = Self::typed(settings, file, surroundings);
        together::check(&config, &mut layers.problems);
        if layers.problems.is_empty() { Ok(config) } else { Err(Problems(layers.problems)) }
    }

    fn typed(settings: Vec<Setting>, file: Option<PathBuf>, surroundings: &Surroundings) -> Self {
        let get = Values(&settings);
        let dir = PathBuf::from(get.text("data.dir"));
        Self {
            server: Server {
                listen: get.text("server.listen").parse().unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080))),
                public_url: Origin::parse(get.text("server.public_url")).ok(),
                trusted_proxies: get.list("server.trusted_proxies").iter().filter_map(|text| Network::parse(text).ok()).collect(),
                tls: get.text("server.tls") != "off",
                certificate: match (get.text("server.cert"), get.text("server.key")) {
                    ("", _) | (_, "") => None,
                    (cert, key) => Some((cert.into(), key.into())),
                },
                workers: get.count("server.workers"),
                body_limit: get.count("server.body_limit"),
            },
            data: Data {
                synchronous_full: get.text("data.synchronous") != "normal",
                readers: get.count("data.readers"),
                min_free: get.count::<u64>("data.min_free") << 20,
                dir: dir.clone(),
            },
            limits: Limits { rate: get.on("limits.rate"), requests_per_second: get.count("limits.requests_per_second") },
            cluster: Cluster::read(&get),
            gateway: Gateway::read(
                get.text("gateway.mode"),
                get.text("gateway.apps_domain"),
                get.text("gateway.apps_host"),
                get.text("gateway.port_range"),
            ),
            extra_ca: ExtraCa::load(Path::new(get.text("server.extra_ca"))).ok(),
            allow_unconfined: get.on("workspaces.allow_unconfined"),
            egress_proxy: Upstream::parse(get.text("workspaces.egress_proxy")).ok(),
            egress_direct: get.targets("workspaces.egress_direct"),
            metrics_listen: get.text("metrics.listen").parse().ok(),
            audit_export_dir: audit::export_dir(&get, &dir),
            log_json: get.text("log.format") == "json",
            run_dir: run_dir(surroundings, &dir),
            file,
            settings,
        }
    }

    /// Every setting in the order of the registry, with what the settings table (`stored`, by key) adds. A stored
    /// value that is no longer valid is passed over: it must not keep the server from starting.
    pub fn effective(&self, stored: &BTreeMap<String, Json>) -> Vec<Setting> {
        self.settings
            .iter()
            .map(|setting| {
                let path = setting.key.path();
                let value = stored.get(&path).and_then(|json| setting.key.kind.read(json).ok());
                match value {
                    Some(value) if setting.key.when == When::Runtime && !setting.pinned() => {
                        Setting { value: Some(value), source: Source::Settings, ..*setting }
                    }
                    _ => setting.clone(),
                }
            })
            .collect()
    }

    /// The settings that can change while the server runs, as they are now.
    pub fn runtime(&self, stored: &BTreeMap<String, Json>) -> Runtime {
        let effective = self.effective(stored);
        let get = Values(&effective);
        Runtime {
            default_image: self.default_image(&effective),
            break_glass: get.on("workspaces.break_glass"),
            password_min_length: get.count("auth.password_min_length"),
            egress: Policy {
                mode: Mode::parse(get.text("workspaces.egress")).unwrap_or(Mode::None),
                allow: self.enforceable(get.targets("workspaces.egress_allow")),
            },
            log_level: get.text("log.level").to_owned(),
            pricing: pricing::read(&get),
            idle_after_hours: get.count("workspaces.idle_after_hours"),
            abandoned_after_days: get.count("workspaces.abandoned_after_days"),
            audit: audit::read(&get),
        }
    }

    /// One setting by its name, without the settings table.
    pub fn setting(&self, path: &str) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.key.path() == path)
    }
}

/// Typed look-ups in a complete list: `complete` puts every key of the registry in with a value of its own kind, so
/// the fallbacks of these readers are unreachable for keys that exist (a test asks for each).
struct Values<'a>(&'a [Setting]);

impl Values<'_> {
    fn get(&self, path: &str) -> Option<&Value> {
        self.0.iter().find(|setting| setting.key.path() == path).and_then(|setting| setting.value.as_ref())
    }

    /// Empty when it is unset.
    fn text(&self, path: &str) -> &str {
        if let Some(Value::Text(text)) = self.get(path) { text } else { "" }
    }

    fn list(&self, path: &str) -> &[String] {
        if let Some(Value::List(items)) = self.get(path) { items } else { &[] }
    }

    fn targets(&self, path: &str) -> Vec<Entry> {
        self.list(path).iter().filter_map(|text| Entry::parse(text).ok()).collect()
    }

    fn on(&self, path: &str) -> bool {
        matches!(self.get(path), Some(Value::Bool(true)))
    }

    fn count<T: TryFrom<i64> + Default>(&self, path: &str) -> T {
        if let Some(Value::Count(number)) = self.get(path) { T::try_from(*number).unwrap_or_default() } else { T::default() }
    }
}

/// The data directory as flags and environment say it: the file may lie in it.
fn early_data_dir(surroundings: &Surroundings, flags: &Flags, problems: &mut Vec<Problem>) -> PathBuf {
    let variable = |name: &str| surroundings.environment.get(name).filter(|text| !text.is_empty());
    if let (Some(short), Some(long)) = (variable("CODEX_WEB_DATA_DIR"), variable("CODEX_WEB_DATA__DIR"))
        && short != long
    {
        problems.push(Problem::new("$CODEX_WEB_DATA_DIR", "differs from $CODEX_WEB_DATA__DIR; keep one of them"));
    }
    let named =
        flags.data_dir.clone().or_else(|| variable("CODEX_WEB_DATA_DIR").or_else(|| variable("CODEX_WEB_DATA__DIR")).map(PathBuf::from));
    let path = named.unwrap_or_else(|| default_data_dir(surroundings));
    surroundings.current_dir.join(path)
}

fn default_data_dir(surroundings: &Surroundings) -> PathBuf {
    let variable = |name: &str| surroundings.environment.get(name).filter(|text| text.starts_with('/')).map(PathBuf::from);
    if surroundings.root {
        return PathBuf::from("/var/lib/codex-web");
    }
    variable("XDG_DATA_HOME")
        .or_else(|| variable("HOME").map(|home| home.join(".local/share")))
        .map_or_else(|| surroundings.current_dir.join("codex-web-data"), |base| base.join("codex-web"))
}

/// systemd's runtime directory, else the usual places; in the data directory where the machine offers none.
fn run_dir(surroundings: &Surroundings, data_dir: &Path) -> PathBuf {
    let variable = |name: &str| surroundings.environment.get(name).filter(|text| text.starts_with('/'));
    if let Some(given) = variable("RUNTIME_DIRECTORY").and_then(|list| list.split(':').next()) {
        return PathBuf::from(given);
    }
    if surroundings.root {
        return PathBuf::from("/run/codex-web");
    }
    variable("XDG_RUNTIME_DIR").map_or_else(|| data_dir.join("run"), |base| Path::new(base).join("codex-web"))
}

fn choose_file(surroundings: &Surroundings, flags: &Flags, data_dir: &Path, problems: &mut Vec<Problem>) -> Option<PathBuf> {
    let variable = surroundings.environment.get("CODEX_WEB_CONFIG").filter(|text| !text.is_empty());
    let named =
        flags.config.clone().map(|path| (path, "--config")).or_else(|| variable.map(|text| (PathBuf::from(text), "$CODEX_WEB_CONFIG")));
    if let Some((path, place)) = named {
        let path = surroundings.current_dir.join(path);
        if path.is_file() {
            return Some(path);
        }
        problems.push(Problem::new(place, format!("there is no file {}", path.display())));
        return None;
    }
    [data_dir.join(FILE_NAME), surroundings.system_file.clone()].into_iter().find(|path| path.is_file())
}

/// A file that was found in the data directory cannot say that the data directory is elsewhere.
fn refuse_moving_itself(file: &Path, data_dir: &Path, layers: &mut Layers) {
    if file != data_dir.join(FILE_NAME) {
        return;
    }
    if let Some((Value::Text(text), source)) = layers.values.get("data.dir")
        && Path::new(text) != data_dir
    {
        let message =
            "data.dir: this file was found in the data directory, so it cannot name another one; use --data-dir or CODEX_WEB_DATA_DIR";
        let problem = Problem::new(source, message);
        layers.problems.push(problem);
    }
}

/// One entry per key of the registry, with its default where no layer said anything.
fn complete(layers: &mut Layers, surroundings: &Surroundings, data_dir: &Path) -> Vec<Setting> {
    KEYS.iter()
        .map(|key| match layers.values.remove(&key.path()) {
            Some((value, source)) => Setting { key, value: Some(value), source },
            None => Setting { key, value: default_of(key, surroundings, data_dir), source: Source::Default },
        })
        .collect()
}

fn default_of(key: &Key, surroundings: &Surroundings, data_dir: &Path) -> Option<Value> {
    match key.default {
        DefaultValue::Unset => None,
        DefaultValue::Text(text) => key.kind.parse(text).ok(),
        DefaultValue::Machine(_) if key.name == "workers" => Some(Value::Count(i64::try_from(surroundings.cores.clamp(1, 8)).unwrap_or(1))),
        DefaultValue::Machine(_) => Some(Value::Text(data_dir.to_string_lossy().into_owned())),
    }
}

#[cfg(test)]
mod tests;
