//! From a name to addresses: the system's resolver behind a seam, a bounded number of questions at a time.

use futures_util::future::BoxFuture;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Looks names up.
pub trait Resolver: Send + Sync {
    /// Every address of the name, in the order in which they should be tried.
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// The addresses of this machine, looked at anew for each connection: interfaces come and go.
pub type OwnAddresses = Arc<dyn Fn() -> Vec<IpAddr> + Send + Sync>;

/// Questions that are open at a time, for all workspaces: each occupies a thread until it is answered, and a name whose
/// server is silent takes its time.
const MOST_QUESTIONS: usize = 64;

/// The resolver of this machine.
pub struct SystemResolver(Arc<Semaphore>);

impl Default for SystemResolver {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST_QUESTIONS)))
    }
}

impl Resolver for SystemResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let (places, name) = (Arc::clone(&self.0), name.to_owned());
        Box::pin(async move {
            let place = places.acquire_owned().await.map_err(io::Error::other)?;
            let asked = tokio::task::spawn_blocking(move || {
                // The place is held until the answer, whoever still waits for it.
                let _place = place;
                let found = (name.as_str(), 0_u16).to_socket_addrs()?;
                Ok(found.map(|address| address.ip()).collect())
            });
            asked.await.map_err(io::Error::other)?
        })
    }
}
