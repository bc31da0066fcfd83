//! The application: what everybody shares, and the order in which it starts and stops.
//!
//! Only this file knows everyone. Starting does nothing that the first answer need not wait for: RSA keys, the sandbox
//! self-test and integrity checks come after it.

pub mod background;
pub mod egress;
pub mod listen;
pub mod machine;
pub mod settings;
pub mod setup_file;

use crate::clock::{Clock, DAY, Entropy};
use crate::cluster::{Cluster, ClusterView};
use crate::config::{self, Config};
use crate::domain::egress::Policy;
use crate::error::{Error, Result};
use crate::events::{Bus, Cut, CutReason};
use crate::gateway::Gateway;
use crate::gateway::apps::Apps;
use crate::gateway::egress::Egress;
use crate::http::edge::{self, Call, Channel};
use crate::http::handler::Reply;
use crate::http::limiter::Limiter;
use crate::http::route::Router;
use crate::http::routes::ROUTES;
use crate::http::turns::Turns;
use crate::identity::device::Devices;
use crate::identity::master_key;
use crate::identity::password::{GateLimits, Passwords};
use crate::identity::signing::Keys;
use crate::identity::throttle::SignInThrottle;
use crate::identity::typed_name::TypedNames;
use crate::metrics::Meters;
use crate::ops::doors::Doors;
use crate::ops::{Ops, Rules};
use crate::store::open::Synchronous;
use crate::store::{Db, DbOptions, installation, settings as stored_settings, throttles};
use crate::telemetry::LogLevel;
use crate::token::proof::{self, ProofKey};
use crate::token::seal::{MasterKey, Sealer};
use crate::transport::Transport;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;
use tokio::sync::watch;

/// Where in its life the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Starting,
    Serving,
    Stopping,
}

/// What every handler can reach.
pub struct App {
    pub config: Arc<Config>,
    pub transport: Transport,
    pub ops: Ops,
    pub keys: Arc<Keys>,
    pub passwords: Passwords,
    pub throttle: Arc<SignInThrottle>,
    pub devices: Devices,
    pub typed_names: TypedNames,
    pub view: Arc<dyn ClusterView>,
    pub gateway: Gateway,
    /// What workspaces reach outside.
    pub egress: Arc<Egress>,
    /// Changes what is written to the log.
    pub log: Option<LogLevel>,
    /// Held while the settings are read and put in force, so that an older reading never comes last.
    pub settings_turn: tokio::sync::Mutex<()>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub router: Router,
    pub limiter: Limiter,
    /// What the server measures of itself.
    pub meters: Arc<Meters>,
    pub turns: Turns,
    pub monotonic_start: Instant,
    /// The last server did not stop cleanly.
    pub unclean: bool,
    stage: AtomicU8,
}

impl App {
    pub fn stage(&self) -> Stage {
        match self.stage.load(Ordering::SeqCst) {
            0 => Stage::Starting,
            1 => Stage::Serving,
            _ => Stage::Stopping,
        }
    }

    /// What signing in works with.
    pub fn doors(&self) -> Doors<'_> {
        Doors {
            ops: &self.ops,
            keys: &self.keys,
            passwords: &self.passwords,
            throttle: &self.throttle,
            devices: &self.devices,
            typed_names: &self.typed_names,
            clock: self.clock.as_ref(),
            entropy: self.entropy.as_ref(),
        }
    }

    pub fn enter(&self, stage: Stage) {
        let number = match stage {
            Stage::Starting => 0,
            Stage::Serving => 1,
            Stage::Stopping => 2,
        };
        self.stage.store(number, Ordering::SeqCst);
    }
}

/// What an application is built from: everything ambient comes in here (I7).
pub struct Parts {
    pub config: Arc<Config>,
    pub transport: Transport,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    /// Makes the cluster; absent for command lines without a server, which change desired state only.
    pub cluster: Option<Arc<dyn Cluster>>,
    /// What workspaces may reach: the cluster looks at it, and building the application puts the settings in force.
    pub egress: watch::Sender<Arc<Policy>>,
    /// Changes what is written to the log; absent where nobody reads it.
    pub log: Option<LogLevel>,
    /// Keep the data directory's lock as long as the application lives.
    pub lock: Option<DataLock>,
}

/// The lock of the data directory: one process owns the file.
pub struct DataLock(#[allow(dead_code)] std::fs::File);

impl DataLock {
    /// Takes the lock; `None` when another process holds it.
    pub fn take(dir: &Path) -> Result<Option<Self>> {
        let path = dir.join("lock");
        let file = std::fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(|e| Error::internal(format!("{} cannot be opened: {e}", path.display())))?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self(file))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(e) => Err(Error::internal(format!("{} cannot be locked: {e}", path.display()))),
        }
    }
}

/// A running application without its listeners.
pub struct Application {
    pub app: Arc<App>,
    pub cluster: Option<Arc<dyn Cluster>>,
    _lock: Option<DataLock>,
}

impl Application {
    /// Opens the database and the keys and wires everything; listens on nothing and starts no background work.
    pub fn build(parts: Parts) -> Result<Self> {
        let Parts { config, transport, clock, entropy, cluster, egress: rules, log, lock } = parts;
        let monotonic_start = Instant::now();
        let master = open_master_key(&config.data.dir, entropy.as_ref())?;
        let mut start = [0_u8; 4];
        entropy.fill(&mut start);
        let bus = Bus::new(crate::domain::hex::encode(&start));
        let audit_key = audit_key(&master)?;
        private_file(&database_path(&config.data.dir))?;
        let (db, opened) = Db::open(DbOptions {
            path: database_path(&config.data.dir),
            synchronous: if config.data.synchronous_full { Synchronous::Full } else { Synchronous::Normal },
            readers: config.data.readers,
            audit_key,
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            bus: Arc::clone(&bus),
        })?;
        db.room().keep_free(config.data.min_free);
        background::look_at_disk(&db);
        let sealer = Arc::new(Sealer::new(&master)?);
        let installation = db.read_blocking(installation::find)?.id;
        if let Some(cluster) = &cluster {
            cluster.prove_with(ProofKey::new(master.derive(proof::PURPOSE)?));
            cluster.claim(&installation);
        }
        let issuer = format!("codex-web:{installation}");
        let keys = Keys::open(&db, issuer, sealer, clock.as_ref(), entropy.as_ref())?;
        let runtime = config.runtime(&db.read_blocking(stored_settings::all)?);
        rules.send_replace(Arc::new(runtime.egress.clone()));
        if let Some(log) = &log {
            log.set(&runtime.log_level);
        }
        let lasting = Rules {
            namespace_prefix: format!("{}-", config.cluster.namespace_prefix),
            runs_containers: config.cluster.kind == config::cluster::Kind::Kubernetes,
            ..Rules::default()
        };
        let ops = Ops::new(db, bus, settings::rules(&lasting, &runtime));
        let throttle = SignInThrottle::new(Arc::clone(&clock));
        throttle.restore(ops.db.read_blocking(|read| throttles::list(read, read.now().plus(-DAY)))?);
        let view: Arc<dyn ClusterView> = match &cluster {
            Some(cluster) => Arc::clone(cluster) as _,
            None => Arc::new(crate::cluster::absent::AbsentCluster),
        };
        let apps = Apps::new(&config, &transport);
        let gateway = Gateway::new(ops.clone(), Arc::clone(&view), Arc::clone(&keys), Arc::clone(&clock), Arc::clone(&entropy), apps);
        let app = App {
            gateway,
            egress: Arc::new(Egress::new(egress::parts(rules, &config, &clock, &ops)?)),
            log,
            settings_turn: tokio::sync::Mutex::default(),
            limiter: Limiter::new(&config.limits),
            meters: Arc::new(Meters::new(ops.db.meter().clone())),
            passwords: Passwords::new(GateLimits::for_cores(config.server.workers), Arc::clone(&entropy)),
            throttle,
            devices: Devices::new(&master)?,
            typed_names: TypedNames::new(&master)?,
            config,
            transport,
            ops,
            keys,
            view,
            clock,
            entropy,
            router: Router::new(ROUTES),
            turns: Turns::default(),
            monotonic_start,
            unclean: opened.unclean,
            stage: AtomicU8::new(0),
        };
        Ok(Self { app: Arc::new(app), cluster, _lock: lock })
    }

    /// One call without a listener, as a shell of this system user.
    pub async fn call(&self, method: &str, path: &str, query: &str, body: Option<String>, system_user: &str) -> Reply {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        let call = Call {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            channel: Channel::CommandLine(system_user.to_owned()),
            body: Ok(body.unwrap_or_default().into()),
            raw: None,
        };
        edge::serve(Arc::clone(&self.app), call).await
    }

    /// Ends live connections, finishes what is queued and closes the file.
    pub async fn stop(self) {
        self.app.enter(Stage::Stopping);
        self.app.ops.bus.cut(&Cut::All, CutReason::Restarting);
        if let Some(cluster) = &self.cluster {
            cluster.shut_down().await;
        }
        let app = Arc::clone(&self.app);
        let closed = tokio::task::spawn_blocking(move || {
            if let Err(error) = crate::upkeep::sign_audit_head_now(&app.ops, &app.keys) {
                tracing::warn!(%error, "the head of the audit log was not signed before the stop");
            }
            app.ops.db.close();
        });
        let _ = closed.await;
    }
}

/// The database file of a data directory.
pub fn database_path(dir: &Path) -> PathBuf {
    dir.join("codex-web.db")
}

/// The key of the audit chain's MACs.
pub fn audit_key(master: &MasterKey) -> Result<[u8; 32]> {
    Ok(*master.derive("audit-chain")?)
}

/// Makes the file, readable by its owner alone, before SQLite makes it by the umask; its journal gets the same mode.
fn private_file(path: &Path) -> Result<()> {
    let made = std::fs::OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
    made.map(drop).map_err(|e| Error::internal(format!("{} cannot be made: {e}", path.display())))
}

/// Opens the master key, or makes it with the first database. A database without its key is not opened: new keys
/// would make every sealed secret and the audit chain unreadable.
fn open_master_key(dir: &Path, entropy: &dyn Entropy) -> Result<MasterKey> {
    let path = dir.join("keys").join("master");
    if path.exists() {
        return master_key::load(&path).map_err(|e| Error::internal(e.to_string()));
    }
    if database_path(dir).exists() {
        return Err(Error::internal(format!(
            "{} is missing, but the database exists: restore the key from where you keep it",
            path.display()
        )));
    }
    master_key::create(&path, entropy).map_err(|e| Error::internal(e.to_string()))
}
