//! What the operator decided about the cluster, as this runtime needs it. Plain data: nothing is looked up here.

use crate::cluster::{Recipe, WorkspaceSpec};
use crate::domain::container::Toleration;
use crate::domain::egress::Entry;
use crate::token::proof::ProofKey;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// How agents are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Connect {
    /// At the pod's address where that works, else through the API server.
    #[default]
    Auto,
    Direct,
    PortForward,
}

/// Where this server's own connections to agents come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerPlace {
    /// Networks, when it runs beside the cluster.
    pub cidrs: Vec<String>,
    /// Namespace and labels of its pod, when it runs in the cluster.
    pub namespace: String,
    pub labels: BTreeMap<String, String>,
}

/// The `cluster` section, resolved.
#[derive(Debug, Clone)]
pub struct KubernetesSettings {
    /// `None`: the service account of our own pod.
    pub kubeconfig: Option<PathBuf>,
    /// `None`: the file's current context.
    pub context: Option<String>,
    /// The image with this program as its entry point.
    pub agent_image: String,
    /// What stands for the built-in templates of the local runtime here: an image by the app that the template is for,
    /// [`SHELL`] for the one without.
    pub images: BTreeMap<String, String>,
    /// Where the logs of pods that are gone are kept; `None`: nowhere.
    pub past_logs: Option<PathBuf>,
    /// `None`: the cluster's default class.
    pub storage_class: Option<String>,
    pub connect: Connect,
    pub server: ServerPlace,
    /// Name servers that are not the pods of `kube-dns`; addresses and networks only.
    pub dns_servers: Vec<Entry>,
    /// Secrets that somebody keeps in every group's namespace.
    pub image_pull_secrets: Vec<String>,
    /// The text of a Docker configuration file; it becomes a Secret in every group's namespace.
    pub registry_config: Option<String>,
    /// Certificate authorities that programs of workspaces trust beside those of their image, in PEM.
    pub extra_ca: Option<String>,
    pub node_selector: BTreeMap<String, String>,
    pub tolerations: Vec<Toleration>,
    pub connect_timeout: Duration,
    /// For one request, from sending it to the last byte of the answer; streams have rules of their own.
    pub request_timeout: Duration,
    /// From what the secret is made by which the agent of each run proves whose it is; told when the database is open.
    pub proof: Arc<OnceLock<ProofKey>>,
}

/// The built-in template that has no app.
pub const SHELL: &str = "shell";

/// What an operator does so that the built-in template for this app can be used here.
pub fn image_hint(app: &str) -> String {
    format!("An operator of this server names an image with it in `cluster.{}_image`.", app.replace('-', "_"))
}

impl KubernetesSettings {
    /// The image of a workspace; `None` where it is made from programs of a machine and no image stands for them.
    pub fn image_of<'a>(&'a self, spec: &'a WorkspaceSpec) -> Option<&'a str> {
        match &spec.recipe {
            Recipe::Image { reference } => Some(reference),
            Recipe::Local { .. } => {
                let app = spec.apps.iter().find_map(|app| app.requires.as_deref()).unwrap_or(SHELL);
                self.images.get(app).map(String::as_str)
            }
        }
    }

    /// What holds when nobody says anything but the image.
    pub fn new(agent_image: &str) -> Self {
        Self {
            kubeconfig: None,
            context: None,
            agent_image: agent_image.to_owned(),
            images: BTreeMap::new(),
            past_logs: None,
            storage_class: None,
            connect: Connect::Auto,
            server: ServerPlace {
                cidrs: Vec::new(),
                namespace: "codex-web".to_owned(),
                labels: [("app.kubernetes.io/name".to_owned(), "codex-web".to_owned())].into(),
            },
            dns_servers: Vec::new(),
            image_pull_secrets: Vec::new(),
            registry_config: None,
            extra_ca: None,
            node_selector: BTreeMap::new(),
            tolerations: Vec::new(),
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(10),
            proof: Arc::default(),
        }
    }
}
