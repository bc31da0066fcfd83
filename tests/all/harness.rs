//! The real application for tests: a data directory of its own, the fake cluster, and a client for each kind of caller.
//!
//! [`Harness::new`] answers in this process, without sockets, through the same edge as the network.
//! [`Harness::listening`] serves a real port besides, for streams, sockets and what only the listener does. Time is the
//! machine's plus what [`TestClock::advance`] adds, so that expiry is tested without sleeping. People and groups are made
//! by the store's own functions, audited as a shell's doing; the common password is hashed once per process, at its real
//! cost.
//!
//! ```ignore
//! let harness = Harness::new();
//! let answer = harness.member("team").post("/api/workspaces", json!({"name": "mine"})).await;
//! assert_eq!((answer.status, answer.code()), (400, "VALIDATION_ERROR"));
//! ```

mod client;
mod network;

// Each test takes what it needs.
#[allow(unused_imports)]
pub use client::{Answer, Client, Shows};
#[allow(unused_imports)]
pub use network::{Events, Wire};

use codex_web::app::{App, Application, Parts, Stage, database_path};
use codex_web::clock::{Clock, Millis, SystemClock, SystemEntropy};
use codex_web::cluster::Cluster;
use codex_web::cluster::fake::FakeCluster;
use codex_web::config::{Config, Flags, Surroundings};
use codex_web::domain::email::Email;
use codex_web::domain::group::GroupRole;
use codex_web::domain::id::{GroupId, SessionId, UserId};
use codex_web::domain::names::Username;
use codex_web::domain::quota::ResourceQuota;
use codex_web::http::edge::Channel;
use codex_web::identity::password::{GateLimits, Passwords};
use codex_web::identity::session::Expiry;
use codex_web::policy::{Action, Actor, Permit, Target, Task};
use codex_web::store::sessions::{self, SessionKind, SessionRow};
use codex_web::store::{Change, Origin, Tx, grants, groups, memberships, organizations, users};
use codex_web::token::opaque::{OpaqueToken, SESSION_PREFIX};
use codex_web::transport::{Machine, decide};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// What everybody here signs in with.
pub const PASSWORD: &str = "plum orbit lantern quiver";

/// Its hash, made once.
pub fn password_hash() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| hash_of(PASSWORD))
}

/// The hash of a password, at its real cost.
pub fn hash_of(password: &str) -> String {
    let password = SecretString::from(password.to_owned());
    let hash = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(Passwords::new(GateLimits::for_cores(1), Arc::new(SystemEntropy)).hash(&password)).unwrap()
    };
    // The runtime of the calling test must not be blocked on from inside.
    std::thread::spawn(hash).join().unwrap()
}

/// The machine's time, moved by the test.
#[derive(Default)]
pub struct TestClock(AtomicI64);

impl TestClock {
    /// Moves time forward, in milliseconds.
    pub fn advance(&self, milliseconds: i64) {
        self.0.fetch_add(milliseconds, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Millis {
        SystemClock.now().plus(self.0.load(Ordering::SeqCst))
    }
}

/// One application with everything around it.
pub struct Harness {
    pub app: Arc<App>,
    pub application: Application,
    pub cluster: Arc<FakeCluster>,
    pub clock: Arc<TestClock>,
    /// The data directory.
    pub dir: tempfile::TempDir,
    wire: Option<Wire>,
    groups: Mutex<BTreeMap<String, GroupId>>,
    people: AtomicU32,
}

impl Default for Harness {
    fn default() -> Self {
        Self::new()
    }
}

impl Harness {
    /// Answers in this process.
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// As [`Harness::new`], with settings in the form of the environment: `("CODEX_WEB_LIMITS__RATE", "on")`.
    pub fn with(settings: &[(&str, &str)]) -> Self {
        Self::build(tempfile::tempdir().unwrap(), Arc::default(), settings, SocketAddr::from(([127, 0, 0, 1], 8080)))
    }

    /// Answers in this process and on a port of loopback.
    pub fn listening() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut harness = Self::build(tempfile::tempdir().unwrap(), Arc::default(), &[], listener.local_addr().unwrap());
        harness.wire = Some(Wire::serve(Arc::clone(&harness.app), listener));
        harness
    }

    /// As [`Harness::listening`], with settings in the form of the environment.
    pub fn listening_with(settings: &[(&str, &str)]) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut harness = Self::build(tempfile::tempdir().unwrap(), Arc::default(), settings, listener.local_addr().unwrap());
        harness.wire = Some(Wire::serve(Arc::clone(&harness.app), listener));
        harness
    }

    /// Answers in this process from a data directory that another harness left.
    pub fn on(dir: tempfile::TempDir) -> Self {
        Self::build(dir, Arc::default(), &[], SocketAddr::from(([127, 0, 0, 1], 8080)))
    }

    /// As [`Harness::on`], on a port of loopback besides.
    pub fn listening_on(dir: tempfile::TempDir) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut harness = Self::build(dir, Arc::default(), &[], listener.local_addr().unwrap());
        harness.wire = Some(Wire::serve(Arc::clone(&harness.app), listener));
        harness
    }

    /// Stops the application cleanly and leaves its data directory.
    pub async fn into_dir(self) -> tempfile::TempDir {
        let Self { app, application, dir, wire, .. } = self;
        drop((app, wire));
        application.stop().await;
        dir
    }

    /// Stops the application cleanly and starts another one on the same data directory, in process.
    pub async fn restarted(self) -> Self {
        let Self { app, application, clock, dir, wire, .. } = self;
        drop((app, wire));
        application.stop().await;
        Self::build(dir, clock, &[], SocketAddr::from(([127, 0, 0, 1], 8080)))
    }

    fn build(dir: tempfile::TempDir, clock: Arc<TestClock>, settings: &[(&str, &str)], listen: SocketAddr) -> Self {
        let config = Arc::new(configuration(dir.path(), settings));
        let transport = decide(&config.server, listen, &Machine::default()).unwrap();
        let cluster = FakeCluster::new(clock.clone());
        let application = Application::build(Parts {
            config,
            transport,
            clock: clock.clone(),
            entropy: Arc::new(SystemEntropy),
            cluster: Some(cluster.clone() as Arc<dyn Cluster>),
            egress: tokio::sync::watch::Sender::default(),
            log: None,
            lock: None,
        })
        .unwrap();
        application.app.enter(Stage::Serving);
        let app = Arc::clone(&application.app);
        Self { app, application, cluster, clock, dir, wire: None, groups: Mutex::default(), people: AtomicU32::new(1) }
    }

    /// The listener of [`Harness::listening`].
    pub fn wire(&self) -> &Wire {
        self.wire.as_ref().expect("this harness does not listen")
    }

    /// A platform administrator, signed in with a cookie; each call makes another person.
    pub fn admin(&self) -> Client {
        let id = self.create_user(&self.next_name("admin"), true);
        self.signed_in(&id)
    }

    /// An admin of the group, which is made when it is not there.
    pub fn group_admin(&self, group: &str) -> Client {
        self.with_role(group, GroupRole::Admin, "lead")
    }

    /// A member of the group, which is made when it is not there.
    pub fn member(&self, group: &str) -> Client {
        self.with_role(group, GroupRole::Member, "member")
    }

    /// Somebody who is signed in and in no group.
    pub fn stranger(&self) -> Client {
        let id = self.create_user(&self.next_name("stranger"), false);
        self.signed_in(&id)
    }

    /// Nobody.
    pub fn anonymous(&self) -> Client {
        Client::new(Arc::clone(&self.app), Channel::Network([127, 0, 0, 1].into()), None, Shows::Nothing)
    }

    /// A shell on the server's machine.
    pub fn shell(&self) -> Client {
        Client::new(Arc::clone(&self.app), Channel::CommandLine("tester".into()), None, Shows::Nothing)
    }

    fn next_name(&self, kind: &str) -> String {
        format!("{kind}-{}", self.people.fetch_add(1, Ordering::SeqCst))
    }

    fn with_role(&self, group: &str, role: GroupRole, kind: &str) -> Client {
        let group = self.group(group);
        let user = self.create_user(&self.next_name(kind), false);
        self.join(&group, &user, role);
        self.signed_in(&user)
    }

    /// An active person who signs in with [`PASSWORD`]; the address is `NAME@example.org`.
    pub fn create_user(&self, username: &str, admin: bool) -> UserId {
        self.create_user_with(username, admin, Some(password_hash()), false)
    }

    /// As [`Harness::create_user`], with a password hash of its own, or none.
    pub fn create_user_with(&self, username: &str, admin: bool, hash: Option<&str>, must_change_password: bool) -> UserId {
        let id = UserId::fresh(self.clock.now(), &SystemEntropy);
        let (made, hash) = (id.clone(), hash.map(str::to_owned));
        let (username, email) = (Username::parse(username).unwrap(), Email::parse(&format!("{username}@example.org")).unwrap());
        self.as_shell(Action::CreateUser, move |tx, permit| {
            let name = username.as_str().to_owned();
            let password_hash = hash.as_deref();
            users::insert(
                tx,
                permit,
                &users::NewUser { id: &id, username: &username, email: &email, name: &name, password_hash, must_change_password },
            )?;
            if admin { grants::insert_all(tx, permit, &id) } else { Ok(()) }
        });
        made
    }

    /// The group of this name, active; made by the first call, with the namespace `codex-platform-NAME`.
    pub fn group(&self, name: &str) -> GroupId {
        if let Some(known) = self.groups.lock().unwrap().get(name) {
            return known.clone();
        }
        let id = GroupId::fresh(self.clock.now(), &SystemEntropy);
        let (made, group_name) = (id.clone(), name.to_owned());
        let owner = self.create_user(&self.next_name("owner"), false);
        self.as_shell(Action::CreateGroup, move |tx, permit| {
            let namespace = format!("codex-platform-{group_name}");
            let organization = organizations::default(tx)?;
            groups::insert(
                tx,
                permit,
                &groups::NewGroup {
                    id: &id,
                    organization_id: &organization.id,
                    name: &group_name,
                    display_name: &group_name,
                    description: "",
                    namespace: &namespace,
                    owner_id: &owner,
                    quota: &ResourceQuota::NEW_GROUP,
                },
            )?;
            memberships::insert(tx, permit, &id, &owner, GroupRole::Admin)?;
            groups::record_active(tx, permit, &id, 1, None)
        });
        self.groups.lock().unwrap().insert(name.to_owned(), made.clone());
        made
    }

    /// Makes the person a member of the group.
    pub fn join(&self, group: &GroupId, user: &UserId, role: GroupRole) {
        let (group, user) = (group.clone(), user.clone());
        self.as_shell(Action::CreateUser, move |tx, permit| memberships::insert(tx, permit, &group, &user, role));
    }

    /// A client with a fresh sign-in of this person, shown by cookie; `client.by_token()` shows it by access token.
    pub fn signed_in(&self, user: &UserId) -> Client {
        let now = self.clock.now();
        let expiry = Expiry::beginning(now);
        let cookie = OpaqueToken::fresh(SESSION_PREFIX, &SystemEntropy);
        let session = SessionRow {
            id: SessionId::fresh(now, &SystemEntropy),
            user_id: user.clone(),
            kind: SessionKind::Cookie,
            created_at: now,
            signed_in_at: now,
            last_used_at: now,
            idle_expires: expiry.idle,
            hard_expires: expiry.hard,
            address: "127.0.0.1".into(),
            agent: "harness".into(),
        };
        let (row, hash) = (session.clone(), cookie.hash);
        self.write(move |tx| {
            let permit = tx.authorize(&Actor::Anonymous, Action::SignIn, Target::System, None)?;
            sessions::insert(tx, &permit, &row, Some(hash.as_bytes()))?;
            tx.audit(&permit, Change::of(json!({"sessionId": row.id})))
        });
        let shows = Shows::Cookie { secret: cookie.secret.expose_secret().to_owned(), session: session.id };
        Client::new(Arc::clone(&self.app), Channel::Network([127, 0, 0, 1].into()), Some(user.clone()), shows)
    }

    /// Runs a job as a shell would, with a permit for the action and its audit entry.
    pub fn as_shell(&self, action: Action, job: impl FnOnce(&Tx<'_>, &Permit) -> codex_web::error::Result<()> + Send + 'static) {
        self.write(move |tx| {
            let shell = Actor::CommandLine { system_user: "harness".into() };
            let permit = tx.authorize(&shell, action, Target::System, None)?;
            job(tx, &permit)?;
            tx.audit(&permit, Change::default())
        });
    }

    /// Runs a job as the server's own task would; the permit names the system.
    pub fn as_task(&self, task: Task, action: Action, job: impl FnOnce(&Tx<'_>, &Permit) -> codex_web::error::Result<()> + Send + 'static) {
        self.write(move |tx| {
            let permit = tx.authorize(&Actor::System(task), action, Target::System, None)?;
            job(tx, &permit)?;
            tx.audit(&permit, Change::default())
        });
    }

    fn write(&self, job: impl FnOnce(&Tx<'_>) -> codex_web::error::Result<()> + Send + 'static) {
        self.app.ops.db.write_blocking(Origin { call_id: "call_harness".into(), ..Origin::default() }, job).unwrap();
    }

    /// Writes into the file as nothing of the product would.
    pub fn execute(&self, sql: &str) {
        let file = rusqlite::Connection::open(database_path(self.dir.path())).unwrap();
        file.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
        file.execute_batch(sql).unwrap();
    }

    /// What the file holds, read past the application: one object per row.
    pub fn rows(&self, sql: &str) -> Vec<Value> {
        rows(&database_path(self.dir.path()), sql)
    }

    /// The audit entries of an action, oldest first.
    pub fn audit(&self, action: &str) -> Vec<Value> {
        let mut entries = self.rows(&format!("SELECT * FROM audit_event WHERE action = '{action}' ORDER BY seq"));
        for entry in &mut entries {
            entry["details"] = serde_json::from_str(entry["details"].as_str().unwrap()).unwrap();
        }
        entries
    }
}

/// The configuration of a fresh data directory: nothing of the machine's environment, requests not limited by rate, and
/// commits that do not wait for the disk.
pub fn configuration(dir: &Path, settings: &[(&str, &str)]) -> Config {
    let defaults = [("CODEX_WEB_LIMITS__RATE", "off"), ("CODEX_WEB_DATA__SYNCHRONOUS", "normal")];
    let environment = defaults.iter().chain(settings).map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let surroundings = Surroundings {
        environment,
        cores: 2,
        current_dir: dir.to_owned(),
        system_file: dir.join("system.toml"),
        ..Surroundings::default()
    };
    Config::load(&surroundings, &Flags { data_dir: Some(dir.to_owned()), ..Flags::default() }).unwrap()
}

#[allow(clippy::disallowed_methods)] // past the application, on purpose
fn rows(path: &Path, sql: &str) -> Vec<Value> {
    use rusqlite::types::ValueRef;
    let connection = rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let cell = |value: ValueRef<'_>| match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => json!(number),
        ValueRef::Real(number) => json!(number),
        ValueRef::Text(text) => json!(String::from_utf8_lossy(text)),
        ValueRef::Blob(bytes) => json!(bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))),
    };
    let read = |row: &rusqlite::Row<'_>| {
        let pairs = names.iter().enumerate().map(|(at, name)| Ok((name.clone(), cell(row.get_ref(at)?))));
        Ok(Value::Object(pairs.collect::<rusqlite::Result<serde_json::Map<_, _>>>()?))
    };
    statement.query_map([], read).unwrap().map(Result::unwrap).collect()
}
