//! The way from this server to the agent in a pod: at the pod's address, or through the API server.
//!
//! Where the server runs in the cluster, or beside it with a route, pods have addresses that it can connect to, and
//! nothing stands between. Elsewhere the API server carries the bytes (port-forward), at the cost of one more connection
//! to it for each of ours. `auto` tries the first and falls back to the second; what it found is kept, told by
//! [`Connector::told`], and tried again while it is the slower way, because networks change.
//!
//! **Whom it has reached.** A connection is made to the pod that the watch shows for this run of this workspace, and
//! whoever answers there must first prove to be that run's agent ([`crate::token::proof`]): an address may belong to
//! another pod by the time the connection arrives. Only then does the caller get the stream and send its ticket, which is
//! good for one run of one workspace. The connection ends when the pod does ([`leash`]).

mod direct;
mod forward;
mod leash;
mod proving;
#[cfg(test)]
mod tests;

use super::Connect;
use super::client::Clients;
use crate::clock::Entropy;
use crate::cluster::{ByteStream, ClusterError, WorkspaceRef};
use crate::token::proof::ProofKey;
use leash::Leashes;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// While connections go through the API server, the pods' own addresses are tried this often.
const TRY_AGAIN: Duration = Duration::from_secs(60);
/// Before either way is known, whoever asks how the cluster is has them tried at most this often.
const TRY_FIRST: Duration = Duration::from_secs(10);

/// The pod of one run, as the watch shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub name: String,
    pub namespace: String,
    pub uid: String,
    pub address: Option<IpAddr>,
    /// It is being deleted: what is connected may stay to its end, nothing new begins.
    pub ending: bool,
}

/// Where pods are looked up.
pub trait Pods: Send + Sync {
    /// The pod of this run; [`ClusterError::Gone`] where there is none.
    fn pod(&self, workspace: &WorkspaceRef) -> Result<Seen, ClusterError>;

    /// Any run whose agent answers, to try the ways with.
    fn any(&self) -> Option<WorkspaceRef>;

    /// Moves on whenever a pod may have changed.
    fn changes(&self) -> Result<watch::Receiver<u64>, ClusterError>;
}

/// How an agent is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Direct,
    Forward,
}

/// Why an agent was not reached.
#[derive(Debug)]
enum Failure {
    /// Nothing came back from the pod's address: there may be no route to it.
    NoRoute(String),
    Other(ClusterError),
}

impl From<Failure> for ClusterError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NoRoute(why) => Self::Transient(why),
            Failure::Other(error) => error,
        }
    }
}

/// What `auto` has found out.
#[derive(Debug, Default)]
struct Found {
    way: Option<Way>,
    /// Why it is not the direct one.
    why: String,
    tried: Option<Instant>,
}

/// What a connector is made of.
pub struct Parts {
    pub wish: Connect,
    pub clients: Clients,
    pub pods: Arc<dyn Pods>,
    pub proof: ProofKey,
    pub entropy: Arc<dyn Entropy>,
    /// Where agents listen.
    pub port: u16,
}

struct Inner {
    parts: Parts,
    found: Mutex<Found>,
    leashes: Arc<Leashes>,
}

/// Connects to agents. Cheap to clone.
#[derive(Clone)]
pub struct Connector(Arc<Inner>);

impl Connector {
    pub fn new(parts: Parts) -> Self {
        let leashes = Leashes::new(Arc::clone(&parts.pods));
        Self(Arc::new(Inner { parts, found: Mutex::default(), leashes }))
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.0.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A fresh stream to the agent of this run, which has proved to be it.
    pub async fn connect(&self, workspace: &WorkspaceRef) -> Result<Box<dyn ByteStream>, ClusterError> {
        let pod = self.0.parts.pods.pod(workspace)?;
        if pod.ending {
            return Err(ClusterError::Gone);
        }
        // Taken before the connection is made, so that an end in between is not missed.
        let leash = self.0.leashes.hold(workspace, &pod.uid)?;
        let stream = match self.0.parts.wish {
            Connect::Direct => self.direct(workspace, &pod).await?,
            Connect::PortForward => self.forward(workspace, &pod).await?,
            Connect::Auto => self.either(workspace, &pod).await?,
        };
        Ok(Box::new(leash.around(stream)))
    }

    /// One sentence on how agents are reached, for the health of the cluster.
    pub fn told(&self) -> String {
        let through = "Agents are reached through the API server";
        let straight = "Agents are reached at the addresses of their pods";
        match (self.0.parts.wish, self.way()) {
            (Connect::Direct, _) => format!("{straight} (cluster.connect = direct)."),
            (Connect::PortForward, _) => format!("{through} (cluster.connect = port-forward)."),
            (Connect::Auto, Some(Way::Direct)) => format!("{straight}."),
            (Connect::Auto, Some(Way::Forward)) => format!("{through}: {}.", self.found().why),
            (Connect::Auto, None) => "How agents are reached is found out with the first workspace that runs.".to_owned(),
        }
    }

    /// The way that is used, once it is known.
    pub fn way(&self) -> Option<Way> {
        match self.0.parts.wish {
            Connect::Direct => Some(Way::Direct),
            Connect::PortForward => Some(Way::Forward),
            Connect::Auto => self.found().way,
        }
    }

    /// Finds out which way works, where that is not known and something runs to try it with. Nobody waits for it.
    pub fn try_out(&self) {
        if self.way().is_some() || !self.may_try(TRY_FIRST) {
            return;
        }
        let connector = self.clone();
        tokio::spawn(async move {
            if let Some(workspace) = connector.0.parts.pods.any()
                && let Err(error) = connector.connect(&workspace).await
            {
                tracing::debug!(%error, "no way to an agent was found yet");
            }
        });
    }

    /// Whether the last try is so long ago; then this is the next one.
    fn may_try(&self, pause: Duration) -> bool {
        let mut found = self.found();
        let may = found.tried.is_none_or(|tried| tried.elapsed() >= pause);
        if may {
            found.tried = Some(Instant::now());
        }
        may
    }

    async fn either(&self, workspace: &WorkspaceRef, pod: &Seen) -> Result<Box<dyn ByteStream>, ClusterError> {
        if self.way() == Some(Way::Forward) {
            self.try_again_beside(workspace, pod);
            return self.forward(workspace, pod).await;
        }
        match self.direct(workspace, pod).await {
            Ok(stream) => {
                self.keep(Way::Direct, String::new());
                Ok(stream)
            }
            Err(Failure::NoRoute(why)) => {
                let stream = self.forward(workspace, pod).await?;
                self.keep(Way::Forward, why);
                Ok(stream)
            }
            Err(Failure::Other(error)) => Err(error),
        }
    }

    fn keep(&self, way: Way, why: String) {
        let mut found = self.found();
        if found.way != Some(way) {
            tracing::info!(?way, why, "how agents are reached has been found out");
        }
        *found = Found { way: Some(way), why, tried: Some(Instant::now()) };
    }

    /// Nobody waits for this: it takes as long as a packet that never comes back.
    fn try_again_beside(&self, workspace: &WorkspaceRef, pod: &Seen) {
        if !self.may_try(TRY_AGAIN) {
            return;
        }
        let (connector, workspace, pod) = (self.clone(), workspace.clone(), pod.clone());
        tokio::spawn(async move {
            if connector.direct(&workspace, &pod).await.is_ok() {
                connector.keep(Way::Direct, String::new());
            }
        });
    }

    async fn direct(&self, workspace: &WorkspaceRef, pod: &Seen) -> Result<Box<dyn ByteStream>, Failure> {
        let Some(address) = pod.address else {
            return Err(Failure::Other(ClusterError::Transient("the workspace has no address yet".to_owned())));
        };
        let stream = direct::open(SocketAddr::new(address, self.0.parts.port)).await?;
        self.prove(workspace, stream, &[address]).await.map_err(Failure::Other)
    }

    async fn forward(&self, workspace: &WorkspaceRef, pod: &Seen) -> Result<Box<dyn ByteStream>, ClusterError> {
        let stream = forward::open(&self.0.parts.clients, pod, self.0.parts.port).await?;
        // The node connects inside the pod, to whichever loopback address answers first.
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        self.prove(workspace, stream, &loopback).await
    }

    async fn prove(
        &self,
        workspace: &WorkspaceRef,
        stream: impl ByteStream + 'static,
        addresses: &[IpAddr],
    ) -> Result<Box<dyn ByteStream>, ClusterError> {
        let parts = &self.0.parts;
        let secret = parts.proof.secret(&workspace.id, workspace.run);
        let proved = proving::prove(stream, &secret, addresses, parts.entropy.as_ref()).await;
        proved.map(|stream| Box::new(stream) as Box<dyn ByteStream>).map_err(|why| {
            tracing::debug!(workspace = %workspace.id, run = workspace.run, %why, "an agent was not reached");
            ClusterError::Transient(why.to_string())
        })
    }
}
