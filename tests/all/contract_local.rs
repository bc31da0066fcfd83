//! What only the local runtime has: walls, limits, files, and ends that leave nothing behind.
//!
//! Each case runs in both tiers on hosts that can make them; what a host cannot do is skipped loudly, with the reason.
#![allow(clippy::print_stderr, clippy::disallowed_methods)] // what is skipped is said; a test may ask the environment

use crate::contract::{Terminal, observed, options, passable_folder, reference, spec, start, tested, ticket, ticket_for, trust, until};
use codex_web::cluster::agent_client::{self, Opening, Unreached, reach_app};
use codex_web::cluster::local::{LocalCluster, LocalOptions, Tier};
use codex_web::cluster::{
    Cluster, ClusterControl, ClusterError, ClusterView, Desired, LogOptions, ObservedWorkspace, Phase, Recipe, WorkspaceSpec,
};
use codex_web::token::ticket::Scope;
use futures_util::StreamExt;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A local runtime in a folder of its own.
pub struct Host {
    pub folder: tempfile::TempDir,
    pub cluster: Arc<LocalCluster>,
    pub tier: Tier,
}

impl Host {
    pub async fn new(tier: Tier) -> Option<Self> {
        let folder = passable_folder();
        let cluster = LocalCluster::start(options(folder.path(), tier)).unwrap();
        tested(&cluster, tier).await?;
        Some(Self { folder, cluster, tier })
    }

    pub fn cluster(&self) -> &dyn Cluster {
        &*self.cluster
    }

    fn files(&self, spec: &WorkspaceSpec) -> PathBuf {
        self.folder.path().join("workspaces").join(spec.id.as_str())
    }

    pub fn home(&self, spec: &WorkspaceSpec) -> PathBuf {
        self.files(spec).join("home")
    }

    async fn stop(&self, spec: &mut WorkspaceSpec) {
        spec.desired = Desired::Stopped;
        self.cluster.apply_workspace(spec, &trust()).await.unwrap();
        until(self.cluster(), spec, Phase::Absent).await;
        spec.desired = Desired::Running;
        spec.run += 1;
    }

    /// Runs one line in a shell of the workspace; gives what it printed.
    async fn shell(&self, spec: &WorkspaceSpec, session: &str, line: &str) -> String {
        let mut terminal = Terminal::open(self.cluster(), spec, session, None).await;
        terminal.expect("$ ").await;
        // The end mark is not in the echoed line, so it is only found in the output.
        terminal.send(&format!("{line}; echo DO''NE\r")).await;
        let text = terminal.expect("DONE").await;
        terminal.send("exit\r").await;
        let printed = text.split_once('\n').map_or("", |(_, rest)| rest);
        printed.split("DONE").next().unwrap_or_default().trim().to_owned()
    }
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Every process of this uid, by the real uid in its status.
fn processes_of(uid: u32) -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let statuses = entries.filter_map(|e| fs::read_to_string(e.path().join("status")).ok());
    statuses.filter(|s| s.lines().any(|l| l.starts_with("Uid:") && l.split_whitespace().nth(1) == Some(&uid.to_string()))).collect()
}

async fn nothing_left_of(uid: u32) {
    for _ in 0..500 {
        if processes_of(uid).is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("processes are left: {:?}", processes_of(uid));
}

/// Runs each case in each tier, as a test of its own.
macro_rules! in_both_tiers {
    ($($case:ident)*) => {
        mod full { $( #[tokio::test] async fn $case() {
            if let Some(host) = super::Host::new(super::Tier::Full).await { super::$case(host).await; }
        } )* }
        mod reduced { $( #[tokio::test] async fn $case() {
            if let Some(host) = super::Host::new(super::Tier::UidLandlock).await { super::$case(host).await; }
        } )* }
    };
}
pub(crate) use in_both_tiers;

in_both_tiers! {
    the_escape_checks_hold
    a_shell_attacks_and_reaches_nothing
    a_workspace_is_at_home
    nothing_secret_is_on_a_command_line_or_in_an_environment
    files_survive_a_restart_of_the_workspace_and_of_the_server
    removing_leaves_nothing_and_follows_no_link
    orphans_are_collected
    a_background_program_ends_with_the_workspace
    a_stop_is_polite_first_and_firm_later
    killing_the_keeper_leaves_nothing_and_is_reported
    running_out_of_memory_is_said_in_words
    limits_of_a_process_are_in_force
    an_image_needs_containers
    a_missing_program_is_named
    a_terminal_has_the_size_of_its_smallest_client
    a_client_that_does_not_acknowledge_pauses_the_program
    what_fell_out_of_the_ring_is_replaced_by_a_reset
    the_agents_status_needs_its_own_scope
    logs_can_be_followed
    usage_is_measured
    another_size_is_in_force_at_once_or_said_to_wait
    a_uid_of_the_host_is_refused
    a_server_on_a_port_of_the_workspace_is_reached_through_its_agent
}

async fn the_escape_checks_hold(host: Host) {
    let health = host.cluster.health().await;
    eprintln!("tier {:?}: {}", host.tier, health.summary);
    for (name, held) in &health.checks {
        eprintln!("  {} {name}", if *held { "held" } else { "OPEN" });
        let shared_by_design = ["processes of the host are visible", "command line of the server", "loopback network of the host"];
        let may_be_open = host.tier == Tier::UidLandlock && shared_by_design.contains(&name.as_str());
        assert!(*held || may_be_open, "{name}");
    }
    assert!(health.checks.len() >= 19, "every check was made");
    if host.tier == Tier::UidLandlock {
        assert!(health.warnings.iter().any(|w| w.contains("process list")), "{:?}", health.warnings);
    }
}

async fn a_shell_attacks_and_reaches_nothing(host: Host) {
    let (victim, attacker) = (spec(&["sh"]), spec(&["sh"]));
    start(host.cluster(), &victim).await;
    start(host.cluster(), &attacker).await;
    let secret = host.home(&victim).join("secret");
    fs::write(&secret, b"treasure").unwrap();
    let database = host.folder.path().join("codex-web.db");
    fs::write(&database, b"treasure").unwrap();
    fs::set_permissions(&database, fs::Permissions::from_mode(0o600)).unwrap();
    let socket = host.folder.path().join("run").join(format!("{}-1.sock", victim.id.hex()));
    assert!(socket.exists());
    let attempts = [
        format!("cat {}", secret.display()),
        format!("ls {}", host.home(&victim).display()),
        format!("cat {}", database.display()),
        format!("echo x >> {}", database.display()),
        format!("chmod 777 {}", database.display()),
        format!("ls {}", socket.display()),
        "touch /usr/x".to_owned(),
        "touch /etc/x".to_owned(),
        "cat /etc/shadow".to_owned(),
        "mount -t tmpfs none /tmp".to_owned(),
        "chroot /".to_owned(),
        format!("kill -0 {}", std::process::id()),
        format!("cat /proc/{}/environ", std::process::id()),
        format!("ls /proc/{}/root/", std::process::id()),
        "cat /proc/1/environ".to_owned(),
        "cat /proc/1/mem".to_owned(),
        "mknod $HOME/disk b 8 0".to_owned(),
        "su -c id".to_owned(),
        format!("ln {} $HOME/hard && cat $HOME/hard", database.display()),
        format!("ln -s {} $HOME/soft && cat $HOME/soft", database.display()),
    ];
    for (n, attempt) in attempts.iter().enumerate() {
        let text = host
            .shell(&attacker, &format!("a{n}"), &format!("{{ {attempt} ; }} </dev/null >/dev/null 2>&1 && echo REACHED || echo held"))
            .await;
        assert!(text.contains("held") && !text.contains("REACHED"), "{attempt}: {text}");
    }
    let caps = host.shell(&attacker, "caps", "grep -E 'Cap(Eff|Prm|Bnd|Amb)|NoNewPrivs' /proc/self/status").await;
    assert_eq!(caps.matches("0000000000000000").count(), 4, "{caps}");
    assert!(caps.contains("NoNewPrivs:\t1"), "{caps}");
    assert_eq!(fs::read(&database).unwrap(), b"treasure");
    host.cluster.shut_down().await;
}

async fn a_workspace_is_at_home(host: Host) {
    let spec = spec(&["sh"]);
    start(host.cluster(), &spec).await;
    let text = host
        .shell(&spec, "main", "echo $USER $HOME $GREETING $CODEX_WEB_WORKSPACE; pwd; touch kept; id -u; test -w $TMPDIR && echo tmp")
        .await;
    assert!(text.contains(&format!("hello {}", spec.id)), "{text}");
    assert!(text.contains("tmp"), "{text}");
    assert!(host.home(&spec).join("kept").exists());
    let seen = fs::metadata(host.home(&spec)).unwrap();
    assert_eq!(seen.permissions().mode() & 0o777, 0o700);
    if is_root() {
        assert!(text.contains(&spec.local_uid.to_string()), "{text}");
        assert_eq!((seen.uid(), seen.gid()), (spec.local_uid, spec.local_uid));
    }
    if host.tier == Tier::Full {
        let names = host
            .shell(&spec, "names", "whoami; hostname 2>/dev/null || cat /etc/hostname; ls -A /; ls /home; cat /proc/net/dev | grep -c :")
            .await;
        assert!(names.contains("dev") && names.contains("my-workspace"), "{names}");
        assert!(!names.contains("root\r\n") || !names.contains("srv"), "only what is shown: {names}");
        assert!(names.trim_end().ends_with('1'), "loopback only: {names}");
    }
    let logs = host.files(&spec).join("logs");
    assert_eq!(fs::metadata(logs).unwrap().permissions().mode() & 0o777, 0o700);
    host.cluster.shut_down().await;
}

async fn nothing_secret_is_on_a_command_line_or_in_an_environment(host: Host) {
    let spec = spec(&["sh"]);
    start(host.cluster(), &spec).await;
    let mut seen = 0;
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let read = |name: &str| fs::read(entry.path().join(name)).map(|t| String::from_utf8_lossy(&t).into_owned()).unwrap_or_default();
        let line = read("cmdline");
        if line.contains("sandbox-exec") && read("stat").contains(&format!(" {} ", std::process::id())) {
            assert!(line.ends_with("codex-web\0sandbox-exec\0"), "{line}");
            // Empty is the launcher of another test that ended meanwhile.
            let environment = read("environ");
            assert!(environment.is_empty() || environment == "MIMALLOC_ARENA_EAGER_COMMIT=0\0", "{environment}");
            seen += usize::from(!environment.is_empty());
        }
    }
    assert!(seen > 0, "the keeper was looked at");
    if is_root() {
        nothing_but_the_templates_own_is_in_the_environment_of(&host, &spec).await;
    }
    host.cluster.shut_down().await;
}

/// Of all that runs for the workspace: its agent, and a shell with a program.
async fn nothing_but_the_templates_own_is_in_the_environment_of(host: &Host, spec: &WorkspaceSpec) {
    // None of them is a secret. What a workspace has of its own is added by its agent when the server is there: the
    // machine token, which is for programs of the workspace and opens nothing but its own routes.
    const KNOWN: &str = "CHE_API CHE_WORKSPACE_ID CODEX_WEB_API CODEX_WEB_ENVIRONMENT CODEX_WEB_MACHINE_TOKEN_FILE CODEX_WEB_WORKSPACE \
                         CODEX_WEB_WORKSPACE_NAME COLORTERM GIT_CONFIG_SYSTEM GREETING HOME HTTPS_PROXY HTTP_PROXY LANG LOGNAME \
                         MIMALLOC_ARENA_EAGER_COMMIT NO_PROXY PATH PWD SHELL SSH_AUTH_SOCK TERM TMPDIR USER XDG_RUNTIME_DIR http_proxy \
                         https_proxy no_proxy";
    let mut terminal = Terminal::open(host.cluster(), spec, "main", None).await;
    terminal.expect("$ ").await;
    terminal.send("echo be''gins; exec sleep 30\r").await;
    terminal.expect("begins").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut programs = BTreeMap::new();
    for process in processes_of(spec.local_uid) {
        let id = process.lines().find_map(|line| line.strip_prefix("Pid:")).unwrap().trim();
        let read =
            |name: &str| fs::read(format!("/proc/{id}/{name}")).map(|t| String::from_utf8_lossy(&t).into_owned()).unwrap_or_default();
        let names =
            read("environ").split_terminator('\0').filter_map(|line| Some(line.split_once('=')?.0.to_owned())).collect::<BTreeSet<_>>();
        programs.insert(read("comm").trim().to_owned(), names);
    }
    for (program, names) in &programs {
        let unknown: Vec<_> = names.iter().filter(|name| !KNOWN.split(' ').any(|known| known == name.as_str())).collect();
        assert!(unknown.is_empty(), "{program}: {unknown:?}");
    }
    assert!(programs.contains_key("sleep") && programs.len() > 1, "{programs:#?}");
}

async fn files_survive_a_restart_of_the_workspace_and_of_the_server(host: Host) {
    let mut spec = spec(&["sh"]);
    start(host.cluster(), &spec).await;
    host.shell(&spec, "main", "echo work > kept").await;
    host.stop(&mut spec).await;
    start(host.cluster(), &spec).await;
    assert_eq!(host.shell(&spec, "main", "cat kept").await, "work");
    // The server ends without a word, as by a power cut of its own thread.
    let Host { folder, cluster, tier } = host;
    drop(cluster);
    if is_root() {
        nothing_left_of(spec.local_uid).await;
    }
    let cluster = LocalCluster::start(options(folder.path(), tier)).unwrap();
    let seen = observed(&*cluster, &spec, |w| w.is_some()).await.unwrap();
    assert_eq!((seen.phase, seen.run, seen.namespace.as_str()), (Phase::Absent, 2, "team-a"));
    let host = Host { folder, cluster, tier };
    start(host.cluster(), &spec).await;
    assert_eq!(host.shell(&spec, "main", "cat kept").await, "work");
    host.cluster.shut_down().await;
}

async fn removing_leaves_nothing_and_follows_no_link(host: Host) {
    let spec = spec(&["sh"]);
    start(host.cluster(), &spec).await;
    let precious = host.folder.path().join("precious");
    fs::create_dir(&precious).unwrap();
    fs::write(precious.join("file"), b"kept").unwrap();
    symlink(&precious, host.home(&spec).join("link")).unwrap();
    host.shell(&spec, "main", "mkdir -p a/b && touch a/b/c && chmod 0 a/b a; (sleep 1000 &)").await;
    host.cluster.remove_workspace(&spec.id, &spec.namespace).await.unwrap();
    observed(host.cluster(), &spec, |w| w.is_none()).await;
    assert!(!host.files(&spec).exists());
    assert!(precious.join("file").exists());
    let left: Vec<_> = fs::read_dir(host.folder.path().join("run")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["root"], "no socket is left");
    if is_root() {
        nothing_left_of(spec.local_uid).await;
    }
}

async fn orphans_are_collected(host: Host) {
    let spec = spec(&["sh"]);
    start(host.cluster(), &spec).await;
    // Each subshell leaves its child behind, which the first process inherits and must collect.
    host.shell(&spec, "main", "for i in 1 2 3 4 5 6 7 8; do (sleep 0.1 &) ; done; sleep 0.6").await;
    let zombies = || processes_of(spec.local_uid).into_iter().filter(|s| s.contains("State:\tZ")).count();
    for _ in 0..100 {
        // The shell itself may have ended a moment ago.
        if zombies() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(zombies(), 0);
    host.cluster.shut_down().await;
}

async fn a_background_program_ends_with_the_workspace(host: Host) {
    let mut spec = spec(&["sh"]);
    start(host.cluster(), &spec).await;
    host.shell(&spec, "main", "setsid sh -c ': > up; exec sleep 1000' >/dev/null 2>&1 & until test -e up; do sleep 0.05; done").await;
    if is_root() {
        assert!(processes_of(spec.local_uid).iter().any(|s| s.contains("sleep")), "it outlives its terminal");
    }
    host.stop(&mut spec).await;
    if is_root() {
        nothing_left_of(spec.local_uid).await;
    }
}

async fn a_stop_is_polite_first_and_firm_later(host: Host) {
    let mut spec = spec(&["sh"]);
    start(host.cluster(), &spec).await;
    host.shell(
        &spec,
        "polite",
        "setsid sh -c 'trap \"echo bye > told; exit\" TERM; : > up; while :; do sleep 0.1; done' >/dev/null 2>&1 & until test -e up; do sleep 0.05; done",
    )
    .await;
    let begun = Instant::now();
    host.stop(&mut spec).await;
    let polite = begun.elapsed();
    assert_eq!(fs::read_to_string(host.home(&spec).join("told")).unwrap(), "bye\n");
    assert!(polite < Duration::from_millis(3_500), "no waiting without need: {polite:?}");
    start(host.cluster(), &spec).await;
    let deaf = "setsid sh -c 'trap \"\" TERM HUP; : > deaf; while :; do sleep 0.1; done' >/dev/null 2>&1 & until test -e deaf; do sleep 0.05; done";
    host.shell(&spec, "deaf", deaf).await;
    let begun = Instant::now();
    host.stop(&mut spec).await;
    let firm = begun.elapsed();
    assert!((Duration::from_millis(3_800)..Duration::from_secs(15)).contains(&firm), "the grace of 4 s, then the end: {firm:?}");
    if is_root() {
        nothing_left_of(spec.local_uid).await;
    }
}

async fn killing_the_keeper_leaves_nothing_and_is_reported(host: Host) {
    if !is_root() {
        return eprintln!("SKIPPED: the keeper is found by the workspace's uid, which needs root");
    }
    let spec = spec(&["sh"]);
    start(host.cluster(), &spec).await;
    host.shell(&spec, "main", "setsid sh -c ': > up; exec sleep 1000' >/dev/null 2>&1 & until test -e up; do sleep 0.05; done").await;
    let keeper = keeper_of(spec.local_uid);
    rustix::process::kill_process(rustix::process::Pid::from_raw(keeper).unwrap(), rustix::process::Signal::KILL).unwrap();
    let seen = until(host.cluster(), &spec, Phase::Failed).await;
    let reason = seen.reason.unwrap();
    assert_eq!(reason.code, "ended");
    assert!(reason.message.contains("ended by itself"), "{}", reason.message);
    nothing_left_of(spec.local_uid).await;
    // It can be started again as it is.
    start(host.cluster(), &spec).await;
    host.cluster.shut_down().await;
}

/// The process outside the sandbox of this uid.
fn keeper_of(uid: u32) -> i32 {
    let agent = processes_of(uid).into_iter().find(|s| s.starts_with("Name:\tcodex-web")).expect("an agent");
    agent.lines().find_map(|l| l.strip_prefix("PPid:\t")).unwrap().parse().unwrap()
}

async fn running_out_of_memory_is_said_in_words(host: Host) {
    let mut spec = spec(&["sh"]);
    spec.size.memory_bytes = 96 << 20;
    start(host.cluster(), &spec).await;
    // Without a line end `tail` keeps all it reads: three times 45 MB, each below the limit of one process.
    let hog = "(head -c 45000000 /dev/zero; sleep 30) | tail > /dev/null &";
    let mut terminal = Terminal::open(host.cluster(), &spec, "main", None).await;
    terminal.send(&format!("{hog} {hog} {hog}\r")).await;
    let seen = until(host.cluster(), &spec, Phase::Failed).await;
    let reason = seen.reason.unwrap();
    assert_eq!(reason.code, "out_of_memory");
    assert!(reason.message.contains("96 MiB") && reason.remedy.is_some(), "{reason:?}");
    if is_root() {
        nothing_left_of(spec.local_uid).await;
    }
}

async fn limits_of_a_process_are_in_force(host: Host) {
    let spec = spec(&["sh"]);
    start(host.cluster(), &spec).await;
    let text = host.shell(&spec, "main", "cat /proc/self/limits; cat /proc/self/oom_score_adj").await;
    let limit =
        |name: &str| text.lines().find(|l| l.starts_with(name)).map(|l| l[name.len()..].split_whitespace().next().unwrap().to_owned());
    assert_eq!(limit("Max core file size").as_deref(), Some("0"));
    assert_eq!(limit("Max file size"), Some((1_u64 << 30).to_string()));
    if is_root() {
        assert_eq!(limit("Max processes").as_deref(), Some("4096"));
    }
    assert!(text.trim_end().ends_with("300"), "goes before the server under pressure: {text}");
    host.cluster.shut_down().await;
}

async fn an_image_needs_containers(host: Host) {
    let mut spec = spec(&["sh"]);
    spec.recipe = Recipe::Image { reference: "debian:12".to_owned() };
    host.cluster.apply_workspace(&spec, &trust()).await.unwrap();
    let seen = until(host.cluster(), &spec, Phase::Failed).await;
    let reason = seen.reason.unwrap();
    assert_eq!(reason.code, "needs_containers");
    assert!(reason.remedy.is_some());
    host.stop(&mut spec).await;
    host.cluster.remove_workspace(&spec.id, &spec.namespace).await.unwrap();
    observed(host.cluster(), &spec, |w| w.is_none()).await;
}

async fn a_missing_program_is_named(host: Host) {
    let spec = spec(&["no-such-shell", "-l"]);
    host.cluster.apply_workspace(&spec, &trust()).await.unwrap();
    let seen = until(host.cluster(), &spec, Phase::Failed).await;
    let reason = seen.reason.unwrap();
    assert_eq!(reason.code, "program_not_found");
    assert!(reason.message.contains("no-such-shell") && reason.remedy.is_some(), "{reason:?}");
    assert!(seen.notes.iter().all(|n| n.code != "ready"));
}

async fn a_terminal_has_the_size_of_its_smallest_client(host: Host) {
    let spec = spec(&["sh"]);
    start(host.cluster(), &spec).await;
    let opening = Opening { session: "main", size: Some((100, 40)), ..Opening::default() };
    let mut large = Terminal::try_open(host.cluster(), &spec, &ticket(&spec), &opening).await.unwrap();
    assert_eq!((&large.hello["cols"], &large.hello["rows"]), (&100.into(), &40.into()));
    large.expect("$ ").await;
    large.send("stty size\r").await;
    large.expect("40 100").await;
    let mut small = Terminal::open(host.cluster(), &spec, "main", None).await;
    small.tell(serde_json::json!({"t": "resize", "cols": 70, "rows": 50})).await;
    while !large.texts.iter().any(|t| t["t"] == "size") {
        assert!(large.take().await);
    }
    large.send("stty size\r").await;
    large.expect("40 70").await;
    drop(small);
    tokio::time::sleep(Duration::from_millis(100)).await;
    large.send("stty size; echo ag''ain\r").await;
    let text = large.expect("again").await;
    assert!(text.rfind("40 100") > text.rfind("40 70"), "the size comes back: {text}");
    host.cluster.shut_down().await;
}

async fn a_client_that_does_not_acknowledge_pauses_the_program(host: Host) {
    let spec = spec(&["sh"]);
    start(host.cluster(), &spec).await;
    let mut terminal = Terminal::open(host.cluster(), &spec, "main", None).await;
    terminal.expect("$ ").await;
    terminal.send("yes | head -c 3000000; echo FIN''ISHED\r").await;
    // Until nothing comes for a second and a half: the connection lives, but the program is held up.
    while let Ok(lives) = tokio::time::timeout(Duration::from_millis(1_500), terminal.take()).await {
        assert!(lives, "the connection lives");
    }
    let paused = terminal.printed.len();
    assert!((512 * 1024..600 * 1024).contains(&paused), "paused after {paused} bytes");
    // Input still works while output is held up, and acknowledging lets everything through.
    while !String::from_utf8_lossy(&terminal.printed[terminal.printed.len().saturating_sub(64)..]).contains("FINISHED") {
        let off = terminal.offset;
        terminal.tell(serde_json::json!({"t": "ack", "off": off})).await;
        assert!(tokio::time::timeout(Duration::from_secs(10), terminal.take()).await.unwrap());
    }
    assert!(terminal.printed.len() > 3_000_000);
    host.cluster.shut_down().await;
}

async fn what_fell_out_of_the_ring_is_replaced_by_a_reset(host: Host) {
    let spec = spec(&["sh"]);
    start(host.cluster(), &spec).await;
    let mut terminal = Terminal::open(host.cluster(), &spec, "main", None).await;
    terminal.expect("$ ").await;
    terminal.send("yes | head -c 2000000; echo FIN''ISHED; touch done\r").await;
    terminal.take().await;
    let since = terminal.offset;
    // Without a client the output goes to the ring alone, so it is never held up.
    drop(terminal);
    for _ in 0..500 {
        if host.home(&spec).join("done").exists() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut back = Terminal::open(host.cluster(), &spec, "main", Some(since)).await;
    assert_eq!(back.hello["reset"], true);
    let text = back.expect("FINISHED").await;
    assert!(text.starts_with("\u{1b}c"), "a reset comes first");
    assert!((1_000_000..1_100_000).contains(&text.len()), "the whole ring: {}", text.len());
    let end = back.offset;
    drop(back);
    let again = Terminal::open(host.cluster(), &spec, "main", Some(end)).await;
    assert_eq!((again.hello["off"].as_u64(), &again.hello["reset"]), (Some(end), &false.into()), "a client's count is right after a reset");
    host.cluster.shut_down().await;
}

async fn the_agents_status_needs_its_own_scope(host: Host) {
    let spec = spec(&["sh"]);
    start(host.cluster(), &spec).await;
    host.shell(&spec, "main", "true").await;
    let stream = host.cluster.connect(&reference(&spec)).await.unwrap();
    let status = agent_client::status(stream, &ticket_for(&spec.id, spec.run, &[Scope::Admin])).await.unwrap();
    assert_eq!(status["run"], 1);
    assert!(status["lastInputAt"].as_i64().unwrap() > 1_700_000_000_000);
    let stream = host.cluster.connect(&reference(&spec)).await.unwrap();
    assert!(agent_client::status(stream, &ticket(&spec)).await.is_err());
    host.cluster.shut_down().await;
}

async fn logs_can_be_followed(host: Host) {
    let mut spec = spec(&["sh"]);
    start(host.cluster(), &spec).await;
    let options = LogOptions { follow: true, ..LogOptions::default() };
    let mut lines = host.cluster.logs(&reference(&spec), options).await.unwrap();
    host.stop(&mut spec).await;
    let ended = async {
        while let Some(line) = lines.next().await {
            if line.text.contains("ended") {
                return true;
            }
        }
        false
    };
    assert!(tokio::time::timeout(Duration::from_secs(5), ended).await.unwrap());
}

async fn usage_is_measured(host: Host) {
    let spec = spec(&["sh"]);
    start(host.cluster(), &spec).await;
    let begun = Instant::now();
    let first = host.cluster.metrics(&reference(&spec)).await.unwrap();
    assert_eq!(first.cpu_milli, None, "there is nothing to compare the first reading with");
    // The shell stays, so that what it used is not on its way between two processes.
    let mut terminal = Terminal::open(host.cluster(), &spec, "main", None).await;
    terminal.send("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo DO''NE\r").await;
    terminal.expect("DONE").await;
    let mut second = host.cluster.metrics(&reference(&spec)).await.unwrap();
    // Two readings lie a second apart, or there is nothing to say yet.
    while second.cpu_milli.is_none() && begun.elapsed() < Duration::from_secs(20) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        second = host.cluster.metrics(&reference(&spec)).await.unwrap();
    }
    assert!(second.cpu_milli.unwrap() > 0 && second.memory_bytes.unwrap() > 100_000, "{second:?}");
    assert!(second.processes.unwrap() >= 1, "{second:?}");
    let capacity = host.cluster.capacity().await.unwrap();
    assert!(capacity.nodes[0].memory_bytes > capacity.nodes[0].used_memory_bytes && capacity.nodes[0].cpu_milli >= 1_000);
    host.cluster.shut_down().await;
}

/// At once where the kernel counts the workspace as a whole, else at the next start; either way it is said.
async fn another_size_is_in_force_at_once_or_said_to_wait(host: Host) {
    let mut spec = spec(&["sh"]);
    let before = start(host.cluster(), &spec).await.applied.unwrap();
    (spec.generation, spec.size.memory_bytes) = (2, spec.size.memory_bytes * 2);
    host.cluster().apply_workspace(&spec, &trust()).await.unwrap();
    let told = |seen: &ObservedWorkspace| seen.notes.iter().map(|note| note.code.clone()).find(|code| code.starts_with("resize"));
    let seen = observed(host.cluster(), &spec, |seen| seen.is_some_and(|seen| told(seen).is_some())).await.unwrap();
    let said = told(&seen);
    assert_eq!((seen.phase, seen.run, seen.generation), (Phase::Ready, 1, 2), "nothing was restarted");
    let now = if said.as_deref() == Some("resized") { spec.size.clone() } else { before };
    assert_eq!(seen.applied, Some(now), "{said:?}");
}

async fn a_uid_of_the_host_is_refused(host: Host) {
    if !is_root() {
        return eprintln!("SKIPPED: without root workspaces have the server's uid");
    }
    for uid in [0, 1, 1_000, 9_999] {
        let spec = WorkspaceSpec { local_uid: uid, ..spec(&["sh"]) };
        let refused = host.cluster.apply_workspace(&spec, &trust()).await;
        assert!(matches!(&refused, Err(ClusterError::Rejected(r)) if r.code == "uid_refused"), "{uid}: {refused:?}");
    }
}

/// Starting must not hold the server's own start up.
#[tokio::test]
async fn the_runtime_starts_at_once_and_tests_in_the_background() {
    let folder = passable_folder();
    let begun = Instant::now();
    let cluster = LocalCluster::start(options(folder.path(), Tier::Full)).unwrap();
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(50), "{took:?}");
    assert_eq!(cluster.health().await.summary, "testing the sandbox");
}

/// A workspace that is applied before the self-test is done waits for it.
#[tokio::test]
async fn a_workspace_that_is_wanted_at_once_starts_after_the_self_test() {
    let folder = passable_folder();
    let cluster = LocalCluster::start(options(folder.path(), Tier::Full)).unwrap();
    let spec = spec(&["sh"]);
    cluster.apply_workspace(&spec, &trust()).await.unwrap();
    if tested(&cluster, Tier::Full).await.is_some() {
        until(&*cluster, &spec, Phase::Ready).await;
    }
    cluster.shut_down().await;
}

/// Where the walls cannot be built, nothing runs without the operator's word.
#[tokio::test]
async fn without_walls_workspaces_refuse_to_start_unless_told() {
    let folder = passable_folder();
    // A launcher that is no launcher makes every tier fail.
    let broken = |allow| LocalOptions { self_exe: "/bin/false".into(), allow_unconfined: allow, ..options(folder.path(), Tier::Full) };
    let cluster = LocalCluster::start(broken(false)).unwrap();
    let spec = spec(&["sh"]);
    cluster.apply_workspace(&spec, &trust()).await.unwrap();
    let seen = until(&*cluster, &spec, Phase::Failed).await;
    assert_eq!(seen.reason.unwrap().code, "sandbox_unavailable");
    let health = cluster.health().await;
    assert!(!health.healthy && health.summary.contains("do not start"), "{health:?}");
    drop(cluster);
    let cluster = LocalCluster::start(broken(true)).unwrap();
    for _ in 0..200 {
        if cluster.health().await.summary.contains("NO isolation") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{:?}", cluster.health().await);
}

/// Without walls and without a uid of its own, a workspace's end must be the end of its own programs only.
#[tokio::test]
async fn an_unconfined_workspace_ends_what_it_started_and_nothing_else() {
    let folder = passable_folder();
    let cluster = LocalCluster::start(LocalOptions { allow_unconfined: true, ..options(folder.path(), Tier::Unconfined) }).unwrap();
    tested(&cluster, Tier::Unconfined).await.unwrap();
    let host = Host { folder, cluster, tier: Tier::Unconfined };
    let mut bystander = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let mut spec = spec(&["sh"]);
    start(host.cluster(), &spec).await;
    host.shell(&spec, "main", "setsid sh -c 'echo $$ > pid; exec sleep 1000' >/dev/null 2>&1 & until test -s pid; do sleep 0.05; done")
        .await;
    let child: i32 = fs::read_to_string(host.home(&spec).join("pid")).unwrap().trim().parse().unwrap();
    let child = rustix::process::Pid::from_raw(child).unwrap();
    assert!(rustix::process::test_kill_process(child).is_ok());
    host.stop(&mut spec).await;
    assert!(rustix::process::test_kill_process(child).is_err(), "its own program ended");
    assert!(bystander.try_wait().unwrap().is_none(), "another program of the same user lives on");
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

/// The promise that a killed server leaves no orphan, with a real process that is killed.
#[tokio::test]
async fn a_server_that_is_killed_takes_its_workspaces_with_it() {
    if !is_root() {
        return eprintln!("SKIPPED: what is left is found by the workspace's uid, which needs root");
    }
    for tier in ["full", "reduced"] {
        let folder = passable_folder();
        let spec = spec(&["sh"]);
        let mut server = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "contract_local::serves_until_killed", "--ignored", "--nocapture"])
            .env("CODEX_WEB_TEST_SERVE", format!("{tier} {} {}", folder.path().display(), serde_json::to_string(&spec).unwrap()))
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let ready = folder.path().join("ready");
        for _ in 0..500 {
            if ready.exists() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let is_ready = fs::read_to_string(&ready).unwrap_or_default();
        if is_ready == "skipped" {
            server.wait().unwrap();
            continue;
        }
        assert_eq!(is_ready, "yes", "the server of tier {tier} did not come up");
        assert!(processes_of(spec.local_uid).iter().any(|s| s.contains("sleep")), "something runs that has left its terminal");
        server.kill().unwrap();
        server.wait().unwrap();
        nothing_left_of(spec.local_uid).await;
    }
}

/// The server of the test above, as a process of its own.
#[tokio::test]
#[ignore = "a part of a_server_that_is_killed_takes_its_workspaces_with_it"]
async fn serves_until_killed() {
    let Ok(order) = std::env::var("CODEX_WEB_TEST_SERVE") else { return };
    let mut parts = order.splitn(3, ' ');
    let (tier, folder, text) = (parts.next().unwrap(), PathBuf::from(parts.next().unwrap()), parts.next().unwrap());
    let tier = if tier == "full" { Tier::Full } else { Tier::UidLandlock };
    let spec: WorkspaceSpec = serde_json::from_str(text).unwrap();
    let cluster = LocalCluster::start(options(&folder, tier)).unwrap();
    let answer = |text: &str| {
        fs::write(folder.join("draft"), text).unwrap();
        fs::rename(folder.join("draft"), folder.join("ready")).unwrap();
    };
    if tested(&cluster, tier).await.is_none() {
        return answer("skipped");
    }
    start(&*cluster, &spec).await;
    let mut terminal = Terminal::open(&*cluster, &spec, "main", None).await;
    terminal.expect("$ ").await;
    terminal.send("setsid sh -c ': > up; exec sleep 1000' >/dev/null 2>&1 & until test -e up; do sleep 0.05; done; echo DO''NE\r").await;
    terminal.expect("DONE").await;
    answer("yes");
    std::future::pending::<()>().await;
}

/// How long a person waits: from `apply` to the first prompt.
#[tokio::test]
async fn a_prompt_comes_quickly() {
    let folder = passable_folder();
    let cluster = LocalCluster::start(options(folder.path(), Tier::Full)).unwrap();
    if tested(&cluster, Tier::Full).await.is_none() {
        return;
    }
    let mut times = Vec::new();
    // The key is the test's own work, not the start's.
    trust();
    for _ in 0..5 {
        let spec = spec(&["sh"]);
        let begun = Instant::now();
        start(&*cluster, &spec).await;
        let ready = begun.elapsed();
        let mut terminal = Terminal::open(&*cluster, &spec, "main", None).await;
        terminal.expect("$ ").await;
        times.push((ready, begun.elapsed()));
        let agent = processes_of(spec.local_uid).into_iter().find(|s| s.starts_with("Name:\tcodex-web"));
        for line in agent.iter().flat_map(|s| s.lines()).filter(|l| l.starts_with("VmRSS") || l.starts_with("RssAnon")) {
            eprintln!("agent {line}");
        }
    }
    eprintln!("ready, prompt: {times:?}");
    let best = times.iter().map(|t| t.1).min().unwrap();
    assert!(best < Duration::from_millis(500), "{best:?}");
    cluster.shut_down().await;
}

async fn a_server_on_a_port_of_the_workspace_is_reached_through_its_agent(host: Host) {
    if !std::path::Path::new("/usr/bin/python3").exists() {
        return eprintln!("SKIPPED: the server in the workspace is python3's");
    }
    let spec = spec(&["sh"]);
    start(host.cluster(), &spec).await;
    // In the reduced tier the ports are the host's, and other tests run beside this one.
    let port = 20_000 + spec.local_uid % 20_000;
    let serve = format!("echo treasure > found; python3 -m http.server {port} --bind 127.0.0.1 >log 2>&1 &");
    host.shell(&spec, "main", &format!("{serve} sleep 0.2")).await;
    let mut tries = 0;
    let app = loop {
        let stream = host.cluster().connect(&reference(&spec)).await.unwrap();
        match reach_app(stream, &ticket_for(&spec.id, spec.run, &[Scope::Port]), &format!("/v1/port/{port}")).await {
            Ok(app) => break app,
            Err(Unreached::Refused(refusal)) if refusal.code == "not_listening" && tries < 100 => tries += 1,
            Err(other) => panic!("{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(app)).await.unwrap();
    tokio::spawn(connection);
    let request = hyper::Request::get("/found").header("host", "app").body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    assert_eq!(body, "treasure\n");
    host.cluster.shut_down().await;
}
