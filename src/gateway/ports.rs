//! Ports of apps: one listener for each port that is given, opened when it is given and at the next starts.
//!
//! Listeners live on the server's own thread, because the one that answers a request may end before them: a request
//! asks for a port and waits until it is open. A port stays open until the server stops; whose it is, is looked up with
//! every request.

use super::intake::{self, HEADER_TIME, Intake, KEEP_ALIVE};
use super::names::Place;
use super::{Gateway, entry};
use crate::domain::app_target::AppTarget;
use crate::error::{Error, Result};
use crate::ops::open::{self, AppPort};
use actix_web::{App, HttpRequest, HttpServer, web};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, TcpListener};
use std::rc::Rc;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How long a port may take to be open.
const PATIENCE: Duration = Duration::from_secs(5);
/// Open connections of one port; more wait in the kernel's queue.
const CONNECTIONS: usize = 2_048;

/// A port to open, and whom to tell.
struct Order {
    port: u16,
    done: oneshot::Sender<std::io::Result<()>>,
}

/// Which port is whose.
pub struct Ports {
    tenants: RwLock<HashMap<u16, AppPort>>,
    orders: mpsc::UnboundedSender<Order>,
    waiting: Mutex<Option<mpsc::UnboundedReceiver<Order>>>,
}

impl Default for Ports {
    fn default() -> Self {
        let (orders, waiting) = mpsc::unbounded_channel();
        Self { tenants: RwLock::default(), orders, waiting: Mutex::new(Some(waiting)) }
    }
}

impl Ports {
    /// Whose port it is, and since when.
    pub fn tenant(&self, port: u16) -> Option<AppPort> {
        self.tenants.read().unwrap_or_else(PoisonError::into_inner).get(&port).cloned()
    }

    fn let_to(&self, tenant: AppPort) {
        self.tenants.write().unwrap_or_else(PoisonError::into_inner).insert(tenant.port, tenant);
    }

    /// Makes sure that the port is open and answers for its app.
    pub async fn open(&self, tenant: AppPort) -> Result<()> {
        let port = tenant.port;
        self.let_to(tenant);
        let (done, told) = oneshot::channel();
        let closed =
            || Error::Unavailable { message: "The server opens no ports now. Try again in a moment.".to_owned(), retry_after_seconds: 2 };
        self.orders.send(Order { port, done }).map_err(|_| closed())?;
        match tokio::time::timeout(PATIENCE, told).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(error))) => {
                tracing::error!(port, %error, "a port of the gateway cannot be opened");
                Err(Error::Unavailable {
                    message: format!(
                        "Port {port} of this server cannot be opened: another program may use it. The operator can move gateway.port_range."
                    ),
                    retry_after_seconds: 30,
                })
            }
            _ => Err(closed()),
        }
    }
}

/// The app that a tenant stands for.
pub fn place(tenant: &AppPort) -> Option<Place> {
    Some(Place { workspace: tenant.workspace_id.clone(), target: AppTarget::parse(&tenant.app)? })
}

/// Opens the ports that are given already and those that are ordered, at this address; ends with the gateway. Runs on
/// the server's own thread.
pub async fn keep(gateway: Gateway, address: IpAddr, tls: Option<rustls::ServerConfig>) {
    let waiting = gateway.apps.ports.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
    let (Some(mut orders), Some(range)) = (waiting, gateway.apps.names.ports()) else { return };
    let mut open = HashMap::new();
    match open::ports(&gateway.ops.db) {
        Ok(tenants) => {
            for tenant in tenants.into_iter().filter(|tenant| (range.0..=range.1).contains(&tenant.port)) {
                let port = tenant.port;
                gateway.apps.ports.let_to(tenant);
                match listen(&gateway, address, port, tls.clone()) {
                    Ok(server) => drop(open.insert(port, server)),
                    Err(error) => tracing::error!(port, %error, "a port of the gateway cannot be opened"),
                }
            }
        }
        Err(error) => tracing::error!(%error, "the ports of apps cannot be read"),
    }
    while let Some(Order { port, done }) = orders.recv().await {
        let opened = match open.entry(port) {
            Entry::Occupied(_) => Ok(()),
            Entry::Vacant(vacant) => listen(&gateway, address, port, tls.clone()).map(|server| {
                vacant.insert(server);
            }),
        };
        // Whoever ordered it may have given up.
        let _ = done.send(opened);
    }
}

fn listen(gateway: &Gateway, address: IpAddr, port: u16, tls: Option<rustls::ServerConfig>) -> std::io::Result<Server> {
    let listener = TcpListener::bind((address, port))?;
    let answers = gateway.clone();
    let configure = move |config: &mut web::ServiceConfig| {
        // One of each worker, as on the listener of the pages.
        let gateway = Rc::new(answers.clone());
        config.default_service(web::to(move |request: HttpRequest, payload: web::Payload| {
            let gateway = Rc::clone(&gateway);
            async move { entry::serve_port(&gateway, port, request, payload).await }
        }));
    };
    let server = match tls {
        None => intake::serve(listener, Intake { workers: 1, connections: CONNECTIONS, grace: 1, port: Some(port) }, gateway, configure)?,
        Some(tls) => HttpServer::new(move || App::new().configure(configure.clone()))
            .workers(1)
            .max_connections(CONNECTIONS)
            .client_request_timeout(HEADER_TIME)
            .keep_alive(KEEP_ALIVE)
            .tcp_nodelay(true)
            .shutdown_timeout(1)
            .disable_signals()
            .listen_rustls_0_23(listener, tls)?
            .run(),
    };
    let handle = server.handle();
    actix_web::rt::spawn(server);
    Ok(Server(handle))
}

/// A listener; it ends with this value.
struct Server(actix_web::dev::ServerHandle);

impl Drop for Server {
    fn drop(&mut self) {
        // The order is a message to the listener's own task; nobody waits for it here.
        drop(self.0.stop(false));
    }
}
