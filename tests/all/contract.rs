//! One suite for every implementation of the `Cluster` trait: what the reconciler and the gateway may rely on.
//!
//! Each case is written once against [`Subject`] and run for the fake, for the local runtime in both its tiers, and for
//! Kubernetes. What only one of them has is tested elsewhere: walls, limits and files in `contract_local.rs`, objects and
//! faults of a cluster below `kubernetes`.
#![allow(clippy::print_stderr, clippy::disallowed_methods)] // what is skipped is said; a test may ask the environment

use codex_web::clock::{Clock, Millis, SystemClock, SystemEntropy};
use codex_web::cluster::agent_client::{self, AgentError, Opening, TerminalSocket};
use codex_web::cluster::fake::FakeCluster;
use codex_web::cluster::local::{LocalCluster, LocalOptions, Tier};
use codex_web::cluster::{
    AgentTrust, Cluster, ClusterError, ContainerSetup, Desired, GitSetup, GroupSpec, LogLine, LogOptions, ObservedGroup, ObservedWorkspace,
    Phase, Recipe, Size, WorkspaceRef, WorkspaceSpec,
};
use codex_web::domain::id::{GroupId, UserId, WorkspaceId};
use codex_web::token::ticket::{Scope, TicketSigner, Wanted};
use futures_util::{SinkExt, StreamExt};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

/// Signs tickets as the server would.
pub fn signer() -> &'static TicketSigner {
    static SIGNER: OnceLock<TicketSigner> = OnceLock::new();
    SIGNER.get_or_init(|| new_signer("codex-web"))
}

/// A signer with a key of its own.
pub fn new_signer(issuer: &str) -> TicketSigner {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    TicketSigner::from_pkcs8_der(der.as_ref(), issuer).unwrap()
}

pub fn trust() -> AgentTrust {
    AgentTrust { jwks: signer().jwks(), issuer: "codex-web".to_owned() }
}

pub fn spec(argv: &[&str]) -> WorkspaceSpec {
    static NEXT_UID: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    // Uids differ between tests of this process and between processes, because ends are found by uid.
    let base = 300_000 + (std::process::id() % 2_000) * 100;
    let now = SystemClock.now();
    WorkspaceSpec {
        id: WorkspaceId::fresh(now, &SystemEntropy),
        name: "my workspace".to_owned(),
        generation: 1,
        run: 1,
        group: GroupId::fresh(now, &SystemEntropy),
        namespace: "team-a".to_owned(),
        owner: UserId::fresh(now, &SystemEntropy),
        recipe: Recipe::Local { argv: argv.iter().map(|s| (*s).to_owned()).collect() },
        env: [("GREETING".to_owned(), "hello".to_owned())].into(),
        apps: Vec::new(),
        container: ContainerSetup::default(),
        git: GitSetup::default(),
        size: Size { cpu_milli: 1_000, memory_bytes: 512 << 20, disk_bytes: 1 << 30, ..Size::default() },
        desired: Desired::Running,
        local_uid: base + NEXT_UID.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
    }
}

pub fn reference(spec: &WorkspaceSpec) -> WorkspaceRef {
    WorkspaceRef { id: spec.id.clone(), namespace: spec.namespace.clone(), run: spec.run }
}

pub fn ticket(spec: &WorkspaceSpec) -> String {
    ticket_for(&spec.id, spec.run, &[Scope::Term])
}

pub fn ticket_for(workspace: &WorkspaceId, run: i64, scope: &[Scope]) -> String {
    signer().mint(&Wanted { workspace, run, actor: None, scope }, SystemClock.now(), &SystemEntropy).unwrap()
}

/// What is observed of one workspace, once it is as wanted; fails after a minute.
pub async fn observed(
    cluster: &dyn Cluster,
    spec: &WorkspaceSpec,
    wanted: impl Fn(Option<&ObservedWorkspace>) -> bool,
) -> Option<ObservedWorkspace> {
    let mut changes = cluster.changes();
    let mut last = None;
    for _ in 0..1_200 {
        let all = cluster.observe().await.unwrap();
        last = all.workspaces.into_iter().find(|w| w.id == spec.id);
        if wanted(last.as_ref()) {
            return last;
        }
        let _ = tokio::time::timeout(Duration::from_millis(50), changes.changed()).await;
    }
    panic!("not as wanted after a minute: {last:?}");
}

pub async fn until(cluster: &dyn Cluster, spec: &WorkspaceSpec, phase: Phase) -> ObservedWorkspace {
    observed(cluster, spec, |w| w.is_some_and(|w| w.phase == phase && w.run == spec.run)).await.unwrap()
}

pub async fn start(cluster: &dyn Cluster, spec: &WorkspaceSpec) -> ObservedWorkspace {
    cluster.apply_workspace(spec, &trust()).await.unwrap();
    until(cluster, spec, Phase::Ready).await
}

/// A terminal's socket with the bookkeeping of a client: what was printed, and the offset.
pub struct Terminal {
    pub socket: TerminalSocket,
    pub hello: serde_json::Value,
    pub offset: u64,
    pub printed: Vec<u8>,
    pub texts: Vec<serde_json::Value>,
}

impl Terminal {
    pub async fn open(cluster: &dyn Cluster, spec: &WorkspaceSpec, session: &str, since: Option<u64>) -> Self {
        Self::try_open(cluster, spec, &ticket(spec), &Opening { session, since, ..Opening::default() }).await.unwrap()
    }

    pub async fn try_open(cluster: &dyn Cluster, spec: &WorkspaceSpec, ticket: &str, opening: &Opening<'_>) -> Result<Self, AgentError> {
        let stream = cluster.connect(&reference(spec)).await.unwrap();
        let mut socket = agent_client::open_terminal(stream, ticket, opening).await?;
        let Some(Ok(Message::Text(hello))) = socket.next().await else { panic!("no hello") };
        let hello: serde_json::Value = serde_json::from_str(&hello).unwrap();
        assert_eq!(hello["t"], "hello");
        let offset = hello["off"].as_u64().unwrap();
        Ok(Self { socket, hello, offset, printed: Vec::new(), texts: Vec::new() })
    }

    pub async fn send(&mut self, text: &str) {
        self.socket.send(Message::Binary(text.as_bytes().to_vec().into())).await.unwrap();
    }

    pub async fn tell(&mut self, message: serde_json::Value) {
        self.socket.send(Message::Text(message.to_string().into())).await.unwrap();
    }

    /// Takes one message; `false` once the connection is over.
    pub async fn take(&mut self) -> bool {
        match self.socket.next().await {
            Some(Ok(Message::Binary(bytes))) => {
                self.offset += bytes.len() as u64;
                self.printed.extend_from_slice(&bytes);
                true
            }
            Some(Ok(Message::Text(text))) => {
                self.texts.push(serde_json::from_str(&text).unwrap());
                true
            }
            Some(Ok(Message::Close(_)) | Err(_)) | None => false,
            Some(Ok(_)) => true,
        }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.printed).into_owned()
    }

    /// Reads until the text was printed; fails after 20 s.
    pub async fn expect(&mut self, wanted: &str) -> String {
        let read = async {
            while !self.text().contains(wanted) {
                assert!(self.take().await, "the connection ended before {wanted:?}");
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(20), read).await.is_ok(), "{wanted:?} was not printed: {}", self.text());
        self.text()
    }

    /// Reads until the connection is over; gives the control messages.
    pub async fn rest(mut self) -> Vec<serde_json::Value> {
        let read = async { while self.take().await {} };
        assert!(tokio::time::timeout(Duration::from_secs(20), read).await.is_ok(), "the connection did not end");
        self.texts
    }
}

/// An implementation under test, and what must outlive it.
pub struct Subject {
    cluster: Arc<dyn Cluster>,
    /// A workspace that this implementation can run, its group made; each call gives another one.
    describe: Box<dyn Fn() -> WorkspaceSpec>,
    /// The namespace that groups of a test may take.
    namespace: String,
    _keep: Box<dyn std::any::Any>,
}

impl Subject {
    pub fn new(
        cluster: Arc<dyn Cluster>,
        describe: impl Fn() -> WorkspaceSpec + 'static,
        namespace: &str,
        keep: impl std::any::Any,
    ) -> Self {
        Self { cluster, describe: Box::new(describe), namespace: namespace.to_owned(), _keep: Box::new(keep) }
    }

    fn without_namespaces(cluster: Arc<dyn Cluster>, argv: &'static [&'static str], keep: Option<tempfile::TempDir>) -> Self {
        Self::new(cluster, move || spec(argv), "team-a", keep)
    }
}

fn fake() -> Subject {
    Subject::without_namespaces(FakeCluster::new(Arc::new(SystemClock)), &["echo"], None)
}

/// A folder that the uids of workspaces may pass through.
pub fn passable_folder() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
    folder
}

/// Options of a local runtime in a folder of its own, with the real program as its launcher.
pub fn options(folder: &std::path::Path, tier: Tier) -> LocalOptions {
    let mut options = LocalOptions::new(folder.to_owned(), folder.join("run"), Arc::new(SystemClock));
    options.self_exe = env!("CARGO_BIN_EXE_codex-web").into();
    options.only_tier = Some(tier);
    options.grace = Duration::from_secs(4);
    options
}

/// Waits for the self-test; `None`, said loudly, where this host cannot make the tier.
pub async fn tested(cluster: &Arc<LocalCluster>, tier: Tier) -> Option<()> {
    let cluster: &dyn Cluster = &**cluster;
    for _ in 0..500 {
        let health = cluster.health().await;
        if health.summary != "testing the sandbox" {
            if health.healthy {
                return Some(());
            }
            eprintln!("SKIPPED: this host cannot make tier {tier:?}: {:?}", health.warnings);
            assert!(std::env::var_os("CODEX_WEB_TEST_EVERY_TIER").is_none(), "every tier was asked for");
            return None;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the self-test did not end");
}

async fn local(tier: Tier) -> Option<Subject> {
    let folder = passable_folder();
    let cluster = LocalCluster::start(options(folder.path(), tier)).unwrap();
    tested(&cluster, tier).await?;
    Some(Subject::without_namespaces(cluster, &["sh"], Some(folder)))
}

/// Runs each case against each implementation, as a test of its own.
macro_rules! contract {
    ($($case:ident)*) => {
        mod on_the_fake { $( #[tokio::test] async fn $case() { super::$case(super::fake()).await; } )* }
        mod on_local_full { $( #[tokio::test] async fn $case() {
            if let Some(subject) = super::local(super::Tier::Full).await { super::$case(subject).await; }
        } )* }
        mod on_local_reduced { $( #[tokio::test] async fn $case() {
            if let Some(subject) = super::local(super::Tier::UidLandlock).await { super::$case(subject).await; }
        } )* }
        mod on_kubernetes { $( #[tokio::test] #[ignore = "needs a cluster: tests/run kubernetes"] async fn $case() {
            if let Some(subject) = crate::kubernetes::subject().await { super::$case(subject).await; }
        } )* }
    };
}

contract! {
    a_started_workspace_becomes_ready_and_says_how
    a_stopped_workspace_is_absent_and_can_start_again
    a_higher_run_restarts_and_the_old_run_is_gone
    applying_the_same_again_changes_nothing
    a_removed_workspace_is_no_longer_listed
    a_terminal_echoes_and_ends_with_its_program
    a_client_that_comes_back_gets_what_it_missed
    terminals_are_listed_and_ended_by_name
    tickets_are_refused_when_wrong_used_or_for_something_else
    a_stop_tells_the_clients
    groups_are_kept_and_never_adopted
    logs_can_be_read
    logs_outlive_a_stop_and_a_start
    a_change_is_announced
}

async fn a_started_workspace_becomes_ready_and_says_how(subject: Subject) {
    let spec = (subject.describe)();
    subject.cluster.apply_workspace(&spec, &trust()).await.unwrap();
    let mut codes = Vec::new();
    for _ in 0..3_000 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        // Where another process keeps the list, it may show what is new a moment later.
        let all = subject.cluster.observe().await.unwrap().workspaces;
        let Some(seen) = all.into_iter().find(|w| w.id == spec.id) else { continue };
        codes.extend(seen.notes.iter().map(|n| n.code.clone()));
        if seen.phase == Phase::Ready {
            assert_eq!((seen.run, seen.generation), (1, 1));
            assert_eq!(seen.applied.as_ref(), Some(&spec.size));
            assert_eq!(seen.namespace, spec.namespace);
            break;
        }
    }
    assert_eq!(codes.first().map(String::as_str), Some("accepted"));
    assert_eq!(codes.last().map(String::as_str), Some("ready"));
    let again = until(&*subject.cluster, &spec, Phase::Ready).await;
    assert!(again.notes.is_empty(), "notes are told once");
    // A cluster counts its ready pods a moment after they are.
    observed(&*subject.cluster, &spec, |seen| seen.is_some_and(|seen| seen.components.iter().all(|c| c.healthy))).await;
    subject.cluster.shut_down().await;
}

async fn a_stopped_workspace_is_absent_and_can_start_again(subject: Subject) {
    let mut spec = (subject.describe)();
    start(&*subject.cluster, &spec).await;
    spec.desired = Desired::Stopped;
    spec.generation = 2;
    subject.cluster.apply_workspace(&spec, &trust()).await.unwrap();
    let seen = until(&*subject.cluster, &spec, Phase::Absent).await;
    assert_eq!(seen.applied, None);
    assert!(matches!(subject.cluster.connect(&reference(&spec)).await, Err(ClusterError::Gone)));
    spec.desired = Desired::Running;
    spec.run = 2;
    start(&*subject.cluster, &spec).await;
    subject.cluster.shut_down().await;
}

async fn a_higher_run_restarts_and_the_old_run_is_gone(subject: Subject) {
    let mut spec = (subject.describe)();
    start(&*subject.cluster, &spec).await;
    let old = reference(&spec);
    spec.run = 2;
    start(&*subject.cluster, &spec).await;
    assert!(matches!(subject.cluster.connect(&old).await, Err(ClusterError::Gone)));
    assert!(subject.cluster.connect(&reference(&spec)).await.is_ok());
    subject.cluster.shut_down().await;
}

async fn applying_the_same_again_changes_nothing(subject: Subject) {
    let mut spec = (subject.describe)();
    start(&*subject.cluster, &spec).await;
    let mut terminal = Terminal::open(&*subject.cluster, &spec, "main", None).await;
    terminal.send("still here").await;
    terminal.expect("still here").await;
    spec.generation = 2;
    start(&*subject.cluster, &spec).await;
    terminal.send(" and here").await;
    terminal.expect("and here").await;
    subject.cluster.shut_down().await;
}

async fn a_removed_workspace_is_no_longer_listed(subject: Subject) {
    let spec = (subject.describe)();
    start(&*subject.cluster, &spec).await;
    subject.cluster.remove_workspace(&spec.id, &spec.namespace).await.unwrap();
    observed(&*subject.cluster, &spec, |w| w.is_none()).await;
    subject.cluster.remove_workspace(&spec.id, &spec.namespace).await.unwrap();
    subject.cluster.shut_down().await;
}

async fn a_terminal_echoes_and_ends_with_its_program(subject: Subject) {
    let spec = (subject.describe)();
    start(&*subject.cluster, &spec).await;
    let mut terminal = Terminal::open(&*subject.cluster, &spec, "main", None).await;
    terminal.expect("$ ").await;
    terminal.send("hällo").await;
    terminal.expect("hällo").await;
    terminal.send("\r").await;
    terminal.expect("$ ").await;
    terminal.send("exit\r").await;
    let texts = terminal.rest().await;
    assert_eq!(texts.last().map(|t| t["t"].clone()), Some("exit".into()), "{texts:?}");
    subject.cluster.shut_down().await;
}

async fn a_client_that_comes_back_gets_what_it_missed(subject: Subject) {
    let spec = (subject.describe)();
    start(&*subject.cluster, &spec).await;
    let mut first = Terminal::open(&*subject.cluster, &spec, "main", None).await;
    first.expect("$ ").await;
    first.send("one").await;
    first.expect("one").await;
    let (seen, started) = (first.offset, first.hello["started"].as_i64());
    let mut second = Terminal::open(&*subject.cluster, &spec, "main", None).await;
    second.expect("one").await;
    drop(first);
    second.send("two").await;
    second.expect("two").await;
    let opening = Opening { session: "main", since: Some(seen), started, size: None };
    let mut back = Terminal::try_open(&*subject.cluster, &spec, &ticket(&spec), &opening).await.unwrap();
    assert_eq!((back.hello["off"].as_u64(), &back.hello["reset"]), (Some(seen), &false.into()));
    assert_eq!(back.expect("two").await, "two", "exactly the missed bytes");
    let other = Opening { started: Some(1), ..opening };
    let mut other = Terminal::try_open(&*subject.cluster, &spec, &ticket(&spec), &other).await.unwrap();
    assert_eq!(other.hello["reset"], true, "an offset of another terminal gives everything again");
    other.expect("two").await;
    subject.cluster.shut_down().await;
}

async fn terminals_are_listed_and_ended_by_name(subject: Subject) {
    let cluster = &*subject.cluster;
    let spec = (subject.describe)();
    start(cluster, &spec).await;
    let mut one = Terminal::open(cluster, &spec, "one", None).await;
    let mut two = Terminal::open(cluster, &spec, "two", None).await;
    one.send("first").await;
    one.expect("first").await;
    two.send("second").await;
    assert!(!two.expect("second").await.contains("first"));
    let list = || async { agent_client::list_sessions(cluster.connect(&reference(&spec)).await.unwrap(), &ticket(&spec)).await.unwrap() };
    let names: Vec<String> = list().await.into_iter().map(|s| s.session).collect();
    assert_eq!(names, ["one", "two"]);
    one.send("\rexit\r").await;
    one.rest().await;
    let stream = cluster.connect(&reference(&spec)).await.unwrap();
    let gone = agent_client::end_session(stream, &ticket(&spec), "three").await.unwrap_err();
    assert!(matches!(gone, AgentError::Refused { status: 404, .. }), "{gone}");
    let left = list().await;
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].session.as_str(), left[0].attached), ("two", 1));
    cluster.shut_down().await;
}

async fn tickets_are_refused_when_wrong_used_or_for_something_else(subject: Subject) {
    let cluster = &*subject.cluster;
    let spec = (subject.describe)();
    start(cluster, &spec).await;
    let now = SystemClock.now();
    let minted = |signer: &TicketSigner, workspace: &WorkspaceId, run: i64, scope: Scope, at: Millis| {
        signer.mint(&Wanted { workspace, run, actor: None, scope: &[scope] }, at, &SystemEntropy).unwrap()
    };
    let other = WorkspaceId::fresh(now, &SystemEntropy);
    let used = ticket(&spec);
    Terminal::try_open(cluster, &spec, &used, &Opening { session: "main", ..Opening::default() }).await.unwrap();
    let cases = [
        ("no token at all", "nonsense".to_owned(), 401),
        ("used before", used, 401),
        ("another key", minted(&new_signer("codex-web"), &spec.id, 1, Scope::Term, now), 401),
        ("expired", minted(signer(), &spec.id, 1, Scope::Term, now.plus(-70_000)), 401),
        ("of the future", minted(signer(), &spec.id, 1, Scope::Term, now.plus(30_000)), 401),
        ("another workspace", minted(signer(), &other, 1, Scope::Term, now), 401),
        ("another run", minted(signer(), &spec.id, 2, Scope::Term, now), 401),
        ("another scope", minted(signer(), &spec.id, 1, Scope::Admin, now), 403),
    ];
    for (name, ticket, expected) in cases {
        let refused = Terminal::try_open(cluster, &spec, &ticket, &Opening { session: "main", ..Opening::default() }).await;
        let Err(AgentError::Refused { status, .. }) = refused else { panic!("{name} was not refused") };
        assert_eq!(status, expected, "{name}");
    }
    // None of that did it any harm.
    Terminal::open(cluster, &spec, "main", None).await;
    cluster.shut_down().await;
}

async fn a_stop_tells_the_clients(subject: Subject) {
    let mut spec = (subject.describe)();
    start(&*subject.cluster, &spec).await;
    let mut terminal = Terminal::open(&*subject.cluster, &spec, "main", None).await;
    terminal.expect("$ ").await;
    spec.desired = Desired::Stopped;
    subject.cluster.apply_workspace(&spec, &trust()).await.unwrap();
    let texts = terminal.rest().await;
    assert!(texts.iter().any(|t| t["t"] == "bye" && t["code"] == "stopped"), "{texts:?}");
    subject.cluster.shut_down().await;
}

async fn groups_are_kept_and_never_adopted(subject: Subject) {
    let (cluster, namespace) = (&*subject.cluster, subject.namespace.as_str());
    let now = SystemClock.now();
    let group = |namespace: &str, generation| GroupSpec {
        id: GroupId::fresh(now, &SystemEntropy),
        name: "Team".to_owned(),
        namespace: namespace.to_owned(),
        generation,
        cpu_milli: None,
        memory_bytes: None,
        storage_bytes: None,
        workspaces: None,
    };
    let ours = group(namespace, 3);
    cluster.apply_group(&ours).await.unwrap();
    cluster.apply_group(&ours).await.unwrap();
    if cluster.observe().await.unwrap().groups.is_none() {
        // A group has no place of its own there: there is nothing to adopt, and nothing that could stay.
        return cluster.remove_group(&ours.id, namespace).await.unwrap();
    }
    group_is(cluster, &ours.id, |seen| seen.is_some_and(|group| (group.generation, group.ready) == (3, true))).await;
    assert!(matches!(cluster.apply_group(&group(namespace, 1)).await, Err(ClusterError::Conflict(_))));
    cluster.remove_group(&ours.id, namespace).await.unwrap();
    group_is(cluster, &ours.id, |seen| seen.is_none()).await;
}

/// Waits until the group is observed as wanted; fails after two minutes.
pub async fn group_is(cluster: &dyn Cluster, id: &GroupId, wanted: impl Fn(Option<&ObservedGroup>) -> bool) {
    let mut changes = cluster.changes();
    let mut last = None;
    for _ in 0..2_400 {
        last = cluster.observe().await.unwrap().groups.unwrap().into_iter().find(|group| group.id == *id);
        if wanted(last.as_ref()) {
            return;
        }
        let _ = tokio::time::timeout(Duration::from_millis(50), changes.changed()).await;
    }
    panic!("not as wanted after two minutes: {last:?}");
}

async fn logs_can_be_read(subject: Subject) {
    let spec = (subject.describe)();
    start(&*subject.cluster, &spec).await;
    let tail = |tail| LogOptions { tail, ..LogOptions::default() };
    let one: Vec<_> = subject.cluster.logs(&reference(&spec), tail(1)).await.unwrap().collect().await;
    assert_eq!(one.len(), 1);
    let lines: Vec<_> = subject.cluster.logs(&reference(&spec), tail(100)).await.unwrap().collect().await;
    assert_eq!(lines.last(), one.last(), "the newest is the last: {lines:?}");
    let later = SystemClock.now().plus(60_000);
    let options = LogOptions { tail: 100, since: Some(later), ..LogOptions::default() };
    assert_eq!(subject.cluster.logs(&reference(&spec), options).await.unwrap().count().await, 0);
    subject.cluster.shut_down().await;
}

async fn logs_outlive_a_stop_and_a_start(subject: Subject) {
    let mut spec = (subject.describe)();
    start(&*subject.cluster, &spec).await;
    let read = async |spec: &WorkspaceSpec| -> Vec<LogLine> {
        let options = LogOptions { tail: 1_000, ..LogOptions::default() };
        subject.cluster.logs(&reference(spec), options).await.unwrap().collect().await
    };
    let first = read(&spec).await;
    assert!(!first.is_empty());
    (spec.desired, spec.generation) = (Desired::Stopped, 2);
    subject.cluster.apply_workspace(&spec, &trust()).await.unwrap();
    until(&*subject.cluster, &spec, Phase::Absent).await;
    let stopped = read(&spec).await;
    assert!(stopped.starts_with(&first), "{stopped:?} does not begin with {first:?}");
    (spec.desired, spec.generation, spec.run) = (Desired::Running, 3, 2);
    start(&*subject.cluster, &spec).await;
    let again = read(&spec).await;
    assert!(again.starts_with(&stopped) && again.len() > stopped.len(), "{again:?} does not go on after {stopped:?}");
    let newest = LogOptions { tail: again.len() - first.len(), ..LogOptions::default() };
    let tail: Vec<_> = subject.cluster.logs(&reference(&spec), newest).await.unwrap().collect().await;
    assert_eq!(tail, again[first.len()..], "the newest lines, over the stop");
    subject.cluster.shut_down().await;
}

async fn a_change_is_announced(subject: Subject) {
    let mut changes = subject.cluster.changes();
    changes.mark_unchanged();
    let spec = (subject.describe)();
    subject.cluster.apply_workspace(&spec, &trust()).await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), changes.changed()).await.unwrap().unwrap();
    subject.cluster.shut_down().await;
}
