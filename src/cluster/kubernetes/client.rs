//! The connection to the API server: made when it is first needed, so that the server starts without its cluster.
//!
//! Credentials are read where the configuration says and nowhere else. A client that was refused with 401 is dropped, so
//! that the next call reads the kubeconfig again: an operator renews a token by writing it there.

use super::errors;
use super::settings::KubernetesSettings;
use crate::cluster::ClusterError;
use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Gives clients; cheap to clone.
#[derive(Clone)]
pub struct Clients {
    settings: Arc<KubernetesSettings>,
    made: Arc<Mutex<Option<Client>>>,
}

impl Clients {
    pub fn new(settings: Arc<KubernetesSettings>) -> Self {
        Self { settings, made: Arc::default() }
    }

    /// The client; no connection is opened by this.
    pub async fn get(&self) -> Result<Client, ClusterError> {
        if let Some(client) = self.made.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Ok(client);
        }
        let client = make(&self.settings).await.map_err(ClusterError::Transient)?;
        *self.made.lock().unwrap_or_else(PoisonError::into_inner) = Some(client.clone());
        Ok(client)
    }

    /// Forgets the client, so that the next one is made from what the files say then.
    pub fn forget(&self) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Waits for one request, within the time that the operator gives it.
    pub async fn call<T>(&self, request: impl Future<Output = kube::Result<T>>) -> Result<T, ClusterError> {
        // On the heap: a request of the library is several kilobytes, and some callers have many at a time.
        match tokio::time::timeout(self.settings.request_timeout, Box::pin(request)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                if errors::is_unauthorized(&error) {
                    self.forget();
                }
                Err(errors::of(&error))
            }
            Err(_) => Err(errors::too_slow(self.settings.request_timeout)),
        }
    }
}

async fn make(settings: &KubernetesSettings) -> Result<Client, String> {
    // Fails only when it is installed already; without it the first TLS handshake would panic.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let config = configuration(settings).await?;
    Client::try_from(config).map_err(|error| format!("the connection to the cluster cannot be set up: {error}"))
}

/// Address and credentials, as the operator's choice leads to them.
pub async fn configuration(settings: &KubernetesSettings) -> Result<Config, String> {
    let mut config = match &settings.kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path).map_err(|error| format!("{} cannot be used: {error}", path.display()))?;
            let options = KubeConfigOptions { context: settings.context.clone(), ..KubeConfigOptions::default() };
            let found = Config::from_custom_kubeconfig(file.clone(), &options).await;
            let mut config = found.map_err(|error| format!("{} cannot be used: {error}", path.display()))?;
            // The library would take a proxy from the environment, which nobody configured here.
            config.proxy_url =
                config.proxy_url.filter(|_| file.clusters.iter().any(|c| c.cluster.as_ref().is_some_and(|c| c.proxy_url.is_some())));
            config
        }
        None => Config::incluster().map_err(|error| {
            format!("cluster.kubeconfig is not set and this program does not run in a pod with a service account ({error})")
        })?,
    };
    config.connect_timeout = Some(settings.connect_timeout);
    // Logs and connections to agents may be silent for long; single requests are timed by `Clients::call`.
    config.read_timeout = None;
    config.write_timeout = Some(Duration::from_secs(30));
    Ok(config)
}
