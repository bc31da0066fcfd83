//! How the cluster itself is, for the start message, the admin page and the health routes: read from the watches, so that
//! asking often costs the API server nothing.

use super::Shared;
use super::watch::Watch;
use crate::cluster::ClusterHealth;
use k8s_openapi::api::core::v1::Node;

/// How it is now.
pub async fn of(shared: &Shared) -> ClusterHealth {
    let health = ClusterHealth { kind: "kubernetes", ..ClusterHealth::default() };
    match shared.watch() {
        Ok(watch) if watch.filled().is_some() => from_watches(watch, health),
        // Before everything was read once, what the API server says itself is all that is known.
        _ => from_api_server(shared, health).await,
    }
}

fn from_watches(watch: &Watch, health: ClusterHealth) -> ClusterHealth {
    let version = watch.version().map_or_else(|| "Kubernetes".to_owned(), |version| format!("Kubernetes {version}"));
    let nodes = watch.sees::<Node>().then(|| match watch.all::<Node>().len() {
        1 => ", 1 node".to_owned(),
        n => format!(", {n} nodes"),
    });
    let summary = format!("{version}{}", nodes.unwrap_or_default());
    let warnings = watch.blind_spots().into_iter().map(|(kind, _)| {
        let lost = match kind {
            "events" => "why a workspace does not start is told in fewer words",
            _ => "whether a node is away, and how much room there is, cannot be told",
        };
        format!(
            "This server may not watch {kind}, so {lost}; give its role the verbs list and watch for {kind}, as codex-web doctor shows."
        )
    });
    let warnings = warnings.collect();
    match watch.trouble() {
        None => ClusterHealth { healthy: true, summary, warnings, ..health },
        Some(why) => ClusterHealth { healthy: false, summary: format!("{summary}: {why}"), warnings, ..health },
    }
}

async fn from_api_server(shared: &Shared, health: ClusterHealth) -> ClusterHealth {
    let version = match shared.clients.get().await {
        Ok(client) => shared.clients.call(client.apiserver_version()).await,
        Err(error) => Err(error),
    };
    match version {
        Ok(version) => ClusterHealth { healthy: true, summary: format!("Kubernetes {}", version.git_version), ..health },
        Err(error) => ClusterHealth { healthy: false, summary: error.to_string(), ..health },
    }
}
