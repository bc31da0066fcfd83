//! `codex-web serve`: from the configuration to a server that answers, in the order in which things can fail.
//!
//! What a person must correct (configuration, transport, a data directory in use, a port that is taken) is found before
//! anything is made. Nothing that the first answer need not wait for is waited for.

use super::announce::{self, Facts, SetUp};
use super::cluster;
use super::context::Context;
use super::data_dir;
use super::exit::{Exit, Failure, Outcome};
use super::output::to_terminal;
use super::setup_code;
use crate::app::listen::{Listeners, block_on, run_until_stopped};
use crate::app::{App, Application, Parts, setup_file};
use crate::clock::{Clock, Entropy, SystemClock, SystemEntropy};
use crate::config::Config;
use crate::gateway::names;
use crate::ops::{Origin, setup};
use crate::telemetry;
use crate::transport::tls::Certificate;
use crate::transport::{Encryption, Machine, Transport, certificate, decide};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sd_notify::NotifyState;
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;
use tokio::sync::watch;

/// How often more time is asked for while the server starts, and how much, in microseconds.
const START_TICK: Duration = Duration::from_secs(10);
const MORE_TIME: u32 = 60_000_000;
/// How often the certificate's files are looked at.
const CERTIFICATE_TICK: Duration = Duration::from_secs(10);

pub fn run(context: &Context) -> Outcome {
    take_small_pages();
    let config = context.config()?;
    let log = telemetry::install(config.log_json, &config.runtime(&BTreeMap::new()).log_level);
    raise_open_files();
    // Fails only when it is installed already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    decide(&config.server, config.server.listen, &Machine::read()).map_err(Failure::usage)?;
    let lock = data_dir::claim(&config)?;
    let network = bind(config.server.listen)?;
    let listen = network.local_addr()?;
    let metrics = config.metrics_listen.map(bind).transpose()?;
    let transport = decide(&config.server, listen, &Machine::read()).map_err(Failure::usage)?;
    let certificate = load_certificate(&config, &transport)?;
    // The settings table is not open yet; what it adds is put in force before the first workspace starts.
    let egress = watch::Sender::new(Arc::new(config.runtime(&BTreeMap::new()).egress));
    let parts = Parts {
        cluster: Some(cluster::start(&config, egress.subscribe())?),
        egress,
        config: Arc::new(config),
        transport,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        log: Some(log),
        lock: Some(lock),
    };
    block_on(live(parts, Taken { network, listen, metrics }, certificate))?
}

/// Takes memory in small pages. The allocator asks the system for large ones, and of each of them a server that mostly
/// waits would use a tenth. `cli::sandbox` takes it back: programs of workspaces get what the system gives.
fn take_small_pages() {
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// Takes as many descriptors as the system gives: sockets of people and connections of workspaces need them, and the
/// usual soft limit is for programs that cannot count beyond it. Where that fails the old limit holds.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// The addresses that were taken before anything was made.
struct Taken {
    network: TcpListener,
    /// That of `network`.
    listen: SocketAddr,
    metrics: Option<TcpListener>,
}

/// The server's whole life.
async fn live(parts: Parts, taken: Taken, certificate: Option<Arc<Certificate>>) -> Outcome {
    let Taken { network, listen, metrics } = taken;
    let config = Arc::clone(&parts.config);
    let application = while_starting(|| Application::build(parts))?;
    let app = Arc::clone(&application.app);
    let facts = Facts {
        listen,
        transport: app.transport.clone(),
        data_dir: config.data.dir.clone(),
        fingerprint: certificate.as_ref().map(|certificate| certificate.fingerprint()),
        set_up: set_up(&application).await?,
    };
    let tls = certificate.as_ref().map(Certificate::server_config).transpose()?;
    let listeners = Listeners { network, tls, metrics, control: config.data.dir.join("control.sock") };
    let ready = move || {
        announce::ready(&facts, config.log_json, to_terminal());
        tell_systemd(&[NotifyState::Ready]);
        tokio::spawn(announce::cluster(Arc::clone(&app), config.log_json));
        tokio::spawn(watchdog(app));
        if let Some(certificate) = certificate {
            tokio::spawn(follow(certificate));
        }
    };
    run_until_stopped(application, listeners, ready).await?;
    Ok(Exit::Done)
}

/// The port is taken before anything is made, and told in words.
fn bind(listen: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(listen).map_err(|error| {
        let cure = match error.kind() {
            std::io::ErrorKind::AddrInUse => "Another program uses it: choose another port with --listen, or 0 for a free one.",
            std::io::ErrorKind::PermissionDenied => "Ports below 1024 need root, or CAP_NET_BIND_SERVICE; choose another with --listen.",
            std::io::ErrorKind::AddrNotAvailable => "This machine does not have that address; choose another with --listen.",
            _ => "Choose another with --listen.",
        };
        Failure::failed(format!("Cannot listen on {listen}: {error}. {cure}"))
    })
}

fn load_certificate(config: &Config, transport: &Transport) -> Result<Option<Arc<Certificate>>, Failure> {
    match (transport.encryption, &config.server.certificate) {
        (Encryption::Certificate, Some((chain, key))) => Ok(Some(Certificate::load(chain, key)?)),
        (Encryption::SelfSigned, _) => {
            let mut serial = [0; 16];
            SystemEntropy.fill(&mut serial);
            let mut hosts = transport.known_hosts.clone();
            hosts.insert(names::decide(&config.gateway, transport).certificate_host());
            let (files, new) = certificate::ensure(&config.data.dir.join("tls"), &hosts, SystemClock.now(), serial)?;
            if new {
                tracing::info!(file = %files.certificate.display(), "a self-signed certificate was made");
            }
            Ok(Some(Certificate::load(&files.certificate, &files.key)?))
        }
        _ => Ok(None),
    }
}

/// Whether somebody must still be made the first administrator, and the code with which.
async fn set_up(application: &Application) -> Result<SetUp, Failure> {
    if setup::is_open(&application.app.ops, Origin::default()).await? {
        return Ok(SetUp::Waiting { code: setup_code::fresh(application).await? });
    }
    setup_file::forget(&application.app.config.data.dir);
    Ok(SetUp::Done)
}

/// Takes over a renewed certificate while the server runs.
async fn follow(certificate: Arc<Certificate>) {
    loop {
        tokio::time::sleep(CERTIFICATE_TICK).await;
        match certificate.refresh() {
            Ok(false) => {}
            Ok(true) => tracing::info!(sha256 = certificate.fingerprint(), "a renewed certificate is in force"),
            Err(error) => tracing::error!(%error, "the renewed certificate cannot be used; the old one stays in force"),
        }
    }
}

/// Shows systemd, where it asks for that, that the writer moves: a server that cannot write is restarted.
async fn watchdog(app: Arc<App>) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    loop {
        tokio::time::sleep(limit / 3).await;
        if app.ops.db.write(Origin::default(), |_| Ok(())).await.is_ok() {
            tell_systemd(&[NotifyState::Watchdog]);
        }
    }
}

/// Does what may take long (upgrading a large database) while the service manager is asked to go on waiting.
fn while_starting<T>(work: impl FnOnce() -> T) -> T {
    let (end, ended) = mpsc::channel::<()>();
    let asking = std::thread::Builder::new().name("starting".into()).spawn(move || {
        while ended.recv_timeout(START_TICK) == Err(RecvTimeoutError::Timeout) {
            tell_systemd(&[NotifyState::ExtendTimeoutUsec(MORE_TIME)]);
        }
    });
    let done = work();
    drop(end);
    if let Ok(asking) = asking {
        let _ = asking.join();
    }
    done
}

/// Says something to the service manager, where there is one.
fn tell_systemd(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "the service manager was not told");
    }
}
