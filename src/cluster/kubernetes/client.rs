//! The connection to the API server: made when it is first needed, so that the server starts without its cluster.
//!
//! Credentials are read where the configuration says and nowhere else. A client that was refused with 401 is dropped, so
//! that the next call reads the kubeconfig again: an operator renews a token by writing it there.

use super::errors;
use super::pace::Pace;
use super::settings::KubernetesSettings;
use crate::cluster::ClusterError;
use kube::Client;
use kube::client::ClientBuilder;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Gives clients; cheap to clone.
#[derive(Clone)]
pub struct Clients {
    settings: Arc<KubernetesSettings>,
    made: Arc<Mutex<Option<Client>>>,
    pace: Pace,
}

impl Clients {
    pub fn new(settings: Arc<KubernetesSettings>) -> Self {
        Self { settings, made: Arc::default(), pace: Pace::default() }
    }

    /// The client; no connection is opened by this.
    pub async fn get(&self) -> Result<Client, ClusterError> {
        if let Some(client) = self.made.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Ok(client);
        }
        let client = make(&self.settings, &self.pace).await.map_err(ClusterError::Transient)?;
        *self.made.lock().unwrap_or_else(PoisonError::into_inner) = Some(client.clone());
        Ok(client)
    }

    /// Forgets the client, so that the next one is made from what the files say then.
    pub fn forget(&self) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Waits for one request, within the time that the operator gives it.
    pub async fn call<T>(&self, request: impl Future<Output = kube::Result<T>>) -> Result<T, ClusterError> {
        let until = Instant::now() + self.settings.request_timeout;
        self.turn(until).await?;
        self.once(until, request).await?.map_err(|error| self.explain(&error))
    }

    /// As [`Clients::call`], and asks again when the API server says that it may: what it was asked for it has not done.
    pub async fn call_again<T, F>(&self, request: impl Fn() -> F) -> Result<T, ClusterError>
    where
        F: Future<Output = kube::Result<T>>,
    {
        let until = Instant::now() + self.settings.request_timeout;
        loop {
            self.turn(until).await?;
            match self.once(until, request()).await? {
                Err(error) if errors::is_throttled(&error) && self.pace.wait().is_some() => {}
                answer => return answer.map_err(|error| self.explain(&error)),
            }
        }
    }

    /// Waits as long as the API server asked; where that is longer than a request may take, nothing is asked at all.
    async fn turn(&self, until: Instant) -> Result<(), ClusterError> {
        let Some(wait) = self.pace.wait() else { return Ok(()) };
        if Instant::now() + wait >= until {
            return Err(errors::throttled(wait));
        }
        tokio::time::sleep(wait).await;
        Ok(())
    }

    async fn once<T>(&self, until: Instant, request: impl Future<Output = kube::Result<T>>) -> Result<kube::Result<T>, ClusterError> {
        // On the heap: a request of the library is several kilobytes, and some callers have many at a time.
        let answer = tokio::time::timeout_at(until, Box::pin(request)).await;
        answer.map_err(|_| errors::too_slow(self.settings.request_timeout))
    }

    fn explain(&self, error: &kube::Error) -> ClusterError {
        if errors::is_unauthorized(error) {
            self.forget();
        }
        match self.pace.wait() {
            Some(wait) if errors::is_throttled(error) => errors::throttled(wait),
            _ => errors::of(error),
        }
    }
}

async fn make(settings: &KubernetesSettings, pace: &Pace) -> Result<Client, String> {
    // Fails only when it is installed already; without it the first TLS handshake would panic.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let config = configuration(settings).await?;
    let made = ClientBuilder::try_from(config).map_err(|error| format!("the connection to the cluster cannot be set up: {error}"))?;
    Ok(made.with_layer(pace).build())
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
    // What is asked again, and when, is decided here: the library would repeat a call for as long as nobody gives up.
    config.default_retry = false;
    // Logs and connections to agents may be silent for long; single requests are timed by `Clients::call`.
    config.read_timeout = None;
    if config.root_cert.is_none() && config.root_cert_file.is_none() {
        config.root_cert = settings.extra_ca.as_deref().map(authorities).transpose()?;
    }
    config.write_timeout = Some(Duration::from_secs(30));
    Ok(config)
}

/// Whom to believe where the kubeconfig names nobody: the authorities of the system and the added ones, each in DER.
fn authorities(added: &str) -> Result<Vec<Vec<u8>>, String> {
    let added = pem::parse_many(added).map_err(|error| format!("server.extra_ca is no PEM: {error}"))?;
    let system = rustls_native_certs::load_native_certs().certs;
    // One that cannot be read is no reason to believe none: the system's store is not ours.
    let is_readable = |certificate: &CertificateDer<'static>| RootCertStore::empty().add(certificate.clone()).is_ok();
    let system = system.into_iter().filter(is_readable).map(|certificate| certificate.to_vec());
    Ok(system.chain(added.into_iter().map(pem::Pem::into_contents)).collect())
}
