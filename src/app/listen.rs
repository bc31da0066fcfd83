//! Listening: the address for people, and the control socket for the command line.

use super::{Application, Stage};
use crate::error::{Error, Result};
use crate::gateway::intake::{self, HEADER_TIME, Intake, KEEP_ALIVE};
use crate::gateway::ports;
use crate::http::server::{ControlPeer, ListenerKind, configure};
use actix_web::dev::{Extensions, ServerHandle};
use actix_web::{App as WebApp, HttpServer};
use std::any::Any;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::runtime::{Builder, LocalOptions};
use tokio::signal::unix::{SignalKind, signal};

/// How long requests may go on after the server was told to stop, in seconds.
const GRACE: u64 = 10;
/// Open connections of one worker; more wait in the kernel's queue.
const CONNECTIONS: usize = 10_000;

/// What is listened on.
pub struct Listeners {
    pub network: TcpListener,
    /// Encrypts by itself; absent for plain http.
    pub tls: Option<rustls::ServerConfig>,
    /// Where metrics are given to whoever comes.
    pub metrics: Option<TcpListener>,
    /// Where the control socket is made.
    pub control: PathBuf,
}

/// Runs the future that a server lives in, on this thread. A runtime of one queue: what the listeners start here and in
/// their workers, which take after it, and what any task starts need not wake two schedulers in turn.
pub fn block_on<T>(life: impl Future<Output = T>) -> std::io::Result<T> {
    Ok(Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?.block_on(life))
}

/// Serves until the process is told to stop. `ready` is called once the first answer is possible.
pub async fn run_until_stopped(application: Application, listeners: Listeners, ready: impl FnOnce()) -> Result<()> {
    let app = Arc::clone(&application.app);
    let mut signals = Signals::listen()?;
    let control = control_listener(&listeners.control)?;
    let fault = |e: std::io::Error| Error::internal(format!("the server cannot listen: {e}"));
    let people = configure(Arc::clone(&app), ListenerKind::Network);
    let (address, tls) = (listeners.network.local_addr().map_err(fault)?.ip(), listeners.tls.clone());
    let workers = app.config.server.workers;
    let server = match listeners.tls {
        None => {
            let intake = Intake { workers, connections: CONNECTIONS, grace: GRACE, port: None };
            intake::serve(listeners.network, intake, &app.gateway, people).map_err(fault)?
        }
        Some(tls) => HttpServer::new(move || WebApp::new().configure(people.clone()))
            .workers(workers)
            .max_connections(CONNECTIONS)
            .client_request_timeout(HEADER_TIME)
            .keep_alive(KEEP_ALIVE)
            .tcp_nodelay(true)
            .shutdown_timeout(GRACE)
            .disable_signals()
            .listen_rustls_0_23(listeners.network, tls)
            .map_err(fault)?
            .run(),
    };
    let shell = configure(Arc::clone(&app), ListenerKind::Control);
    let shells = HttpServer::new(move || WebApp::new().configure(shell.clone()))
        .workers(1)
        .on_connect(note_peer)
        .shutdown_timeout(1)
        .disable_signals()
        .listen_uds(control)
        .map_err(fault)?;
    let mut servers = vec![server, shells.run()];
    if let Some(listener) = listeners.metrics {
        let address = listener.local_addr().map_err(fault)?;
        tracing::info!(%address, "metrics for whoever comes");
        let monitors = configure(Arc::clone(&app), ListenerKind::Metrics);
        let monitors = HttpServer::new(move || WebApp::new().configure(monitors.clone()))
            .workers(1)
            .client_request_timeout(HEADER_TIME)
            .shutdown_timeout(1)
            .disable_signals()
            .listen(listener)
            .map_err(fault)?;
        servers.push(monitors.run());
    }
    let handles: Vec<ServerHandle> = servers.iter().map(actix_web::dev::Server::handle).collect();
    let running: Vec<_> = servers.into_iter().map(actix_web::rt::spawn).collect();
    let opening = actix_web::rt::spawn(ports::keep(app.gateway.clone(), address, tls));
    let background = super::background::start(&application);
    app.enter(Stage::Serving);
    ready();
    signals.first().await;
    tracing::info!("stopping");
    app.enter(Stage::Stopping);
    // Where no service manager listens this does nothing.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    actix_web::rt::spawn(async move {
        signals.first().await;
        // The second signal means now; what was acknowledged is in the file.
        #[allow(clippy::disallowed_methods)]
        std::process::exit(130);
    });
    background.stop().await;
    app.ops.bus.cut(&crate::events::Cut::All, crate::events::CutReason::Restarting);
    stop(handles).await;
    opening.abort();
    for task in running {
        let _ = task.await;
    }
    let _ = std::fs::remove_file(&listeners.control);
    application.stop().await;
    Ok(())
}

async fn stop(handles: Vec<ServerHandle>) {
    for handle in handles {
        handle.stop(true).await;
    }
}

/// Binds the control socket, private to the data directory's user. A stale one is removed: the lock is held.
fn control_listener(path: &Path) -> Result<UnixListener> {
    let fault = |e: std::io::Error| Error::internal(format!("the control socket {} cannot be made: {e}", path.display()));
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(fault(e)),
        _ => {}
    }
    let listener = UnixListener::bind(path).map_err(fault)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(fault)?;
    Ok(listener)
}

/// Remembers who opened a connection of the control socket; the kernel says so, not the client.
fn note_peer(connection: &dyn Any, data: &mut Extensions) {
    if let Some(stream) = connection.downcast_ref::<actix_web::rt::net::UnixStream>()
        && let Ok(peer) = stream.peer_cred()
    {
        data.insert(ControlPeer(system_user(peer.uid())));
    }
}

/// The name of a uid in `/etc/passwd`, else the number.
pub fn system_user(uid: u32) -> String {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let wanted = uid.to_string();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, id) = (fields.next()?, fields.next()?, fields.next()?);
        (id == wanted).then(|| name.to_owned())
    });
    name.unwrap_or(wanted)
}

struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn listen() -> Result<Self> {
        let fault = |e: std::io::Error| Error::internal(format!("signals cannot be received: {e}"));
        Ok(Self { terminate: signal(SignalKind::terminate()).map_err(fault)?, interrupt: signal(SignalKind::interrupt()).map_err(fault)? })
    }

    async fn first(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
