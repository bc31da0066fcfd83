//! Makes the cluster that the configuration asks for. Nothing is connected to: a server starts without its cluster.

use super::exit::Failure;
use crate::clock::SystemClock;
use crate::cluster::Cluster;
use crate::cluster::kubernetes::{self, KubernetesCluster, KubernetesSettings, ServerPlace};
use crate::cluster::local::{LocalCluster, LocalOptions};
use crate::config::Config;
use crate::config::cluster::{Connect, Kind};
use crate::domain::egress::Policy;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The cluster of this configuration.
pub fn start(config: &Config, egress: watch::Receiver<Arc<Policy>>) -> Result<Arc<dyn Cluster>, Failure> {
    match config.cluster.kind {
        Kind::Local => local(config, egress),
        Kind::Kubernetes => Ok(KubernetesCluster::new(settings(config)?, egress, Arc::new(SystemClock))),
    }
}

fn local(config: &Config, egress: watch::Receiver<Arc<Policy>>) -> Result<Arc<dyn Cluster>, Failure> {
    let mut options = LocalOptions::new(config.data.dir.clone(), config.run_dir.clone(), Arc::new(SystemClock));
    options.allow_unconfined = config.allow_unconfined;
    options.egress = egress;
    options.extra_ca = config.extra_ca.as_ref().map(|extra| extra.pem().into());
    let started = LocalCluster::start(options);
    let cluster = started
        .map_err(|error| Failure::failed(format!("The local runtime cannot be started in {}: {error}.", config.run_dir.display())))?;
    Ok(cluster)
}

/// The section `cluster`, with the files that it names.
pub fn settings(config: &Config) -> Result<KubernetesSettings, Failure> {
    let section = &config.cluster;
    let registry_config = section.registry_config.as_ref().map(|path| {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| Failure::usage(format!("cluster.registry_config: {} cannot be read: {error}.", path.display())))?;
        match serde_json::from_str::<serde_json::Value>(&text) {
            Ok(json) if json.is_object() => Ok(text),
            _ => Err(Failure::usage(format!("cluster.registry_config: {} is no Docker configuration file (JSON).", path.display()))),
        }
    });
    Ok(KubernetesSettings {
        kubeconfig: section.kubeconfig.clone(),
        context: section.context.clone(),
        agent_image: section.agent_image.clone(),
        images: section.images.iter().map(|(app, image)| ((*app).to_owned(), image.clone())).collect(),
        past_logs: Some(config.data.dir.join("workspace-logs")),
        storage_class: section.storage_class.clone(),
        connect: match section.connect {
            Connect::Auto => kubernetes::Connect::Auto,
            Connect::Direct => kubernetes::Connect::Direct,
            Connect::PortForward => kubernetes::Connect::PortForward,
        },
        server: ServerPlace {
            cidrs: section.server_cidr.clone(),
            namespace: section.server_namespace.clone(),
            labels: section.server_labels.clone(),
        },
        dns_servers: section.dns_servers.clone(),
        image_pull_secrets: section.image_pull_secrets.clone(),
        registry_config: registry_config.transpose()?,
        extra_ca: config.extra_ca.as_ref().map(|extra| extra.pem().to_owned()),
        node_selector: section.node_selector.clone(),
        tolerations: section.tolerations.clone(),
        connect_timeout: Duration::from_secs(section.connect_timeout),
        request_timeout: Duration::from_secs(section.request_timeout),
        proof: Arc::default(),
    })
}
