//! A socket in the workspace's runtime directory, for programs of the workspace.

use crate::agent::accept;
use crate::agent::init::log;
use crate::agent::uplink::Uplink;
use futures_util::future::BoxFuture;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tokio::net::{UnixListener, UnixStream};

/// How many programs may be connected at once.
const MOST_CONNECTIONS: usize = 32;

/// How one connection is served.
pub type Serve = fn(UnixStream, Uplink) -> BoxFuture<'static, ()>;

/// Listens at `path` and serves every connection. Where it cannot listen, the log of the workspace says so and the
/// workspace goes on without.
pub fn offer(path: &str, uplink: &Uplink, serve: Serve) {
    match listen(Path::new(path)) {
        Ok(listener) => {
            let uplink = uplink.clone();
            tokio::spawn(accept::each(listener, MOST_CONNECTIONS, move |stream| serve(stream, uplink.clone())));
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
