//! A socket in the workspace's runtime directory, for programs of the workspace.

use crate::agent::init::log;
use crate::agent::uplink::Uplink;
use futures_util::future::BoxFuture;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

/// How many programs may be connected at once.
const MOST_CONNECTIONS: usize = 32;

/// How one connection is served.
pub type Serve = fn(UnixStream, Uplink) -> BoxFuture<'static, ()>;

/// Listens at `path` and serves every connection. Where it cannot listen, the log of the workspace says so and the
/// workspace goes on without.
pub fn offer(path: &str, uplink: &Uplink, serve: Serve) {
    match listen(Path::new(path)) {
        Ok(listener) => {
            tokio::spawn(accept(listener, uplink.clone(), serve));
        }
        Err(error) => log(&format!("there is no socket at {path}: {error}")),
    }
}

/// The directory belongs to the user of the workspace alone; the mode says so once more.
fn listen(path: &Path) -> std::io::Result<UnixListener> {
    let _ = std::fs::remove_file(path);
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

async fn accept(listener: UnixListener, uplink: Uplink, serve: Serve) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let uplink = uplink.clone();
                tokio::spawn(async move {
                    serve(stream, uplink).await;
                    drop(place);
                });
            }
            // Out of descriptors, mostly: wait for some to come back.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}
