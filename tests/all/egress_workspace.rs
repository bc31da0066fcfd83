//! What real programs reach from inside a real workspace of tier `full`: through the agent's proxy, over the link to the
//! server, under a policy, to servers of this test. Where a client or the tier is not there, the case is skipped loudly.
#![allow(clippy::print_stderr, clippy::disallowed_methods)] // what is skipped is said; a test may ask the environment

use super::contract::{Terminal, options, passable_folder, reference, spec, start, tested, ticket_for, trust, until};
use super::file_server::{ADDRESS, FileServer};
use codex_web::clock::SystemClock;
use codex_web::cluster::local::{LocalCluster, Tier};
use codex_web::cluster::{Cluster, ClusterControl, ClusterView, Desired, Phase, WorkspaceSpec};
use codex_web::domain::egress::{Entry, Mode, Policy};
use codex_web::gateway::egress::ledger::Account;
use codex_web::gateway::egress::resolve::{Resolver, SystemResolver};
use codex_web::gateway::egress::{Egress, EgressTunnels, Parts};
use codex_web::gateway::uplink::{Peer, Services, link};
use codex_web::token::ticket::Scope;
use futures_util::future::BoxFuture;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Names below `.test` lead to the servers of this file; all others are asked for as ever.
struct Names(SystemResolver);

impl Resolver for Names {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        if name.ends_with(".test") {
            return Box::pin(async { Ok(vec![ADDRESS.parse().unwrap()]) });
        }
        self.0.resolve(name)
    }
}

/// A runtime with its egress.
pub struct Place {
    folder: tempfile::TempDir,
    cluster: Arc<LocalCluster>,
    egress: Arc<Egress>,
}

/// A workspace in it, connected to the server.
pub struct Inside<'a> {
    place: &'a Place,
    spec: WorkspaceSpec,
    _link: JoinHandle<()>,
}

pub fn policy(mode: Mode, allow: &[&str]) -> Policy {
    Policy { mode, allow: allow.iter().map(|text| Entry::parse(text).unwrap()).collect() }
}

impl Place {
    async fn new(policy: Policy, tools: &[PathBuf]) -> Option<Self> {
        Self::trusting(policy, tools, None).await
    }

    /// Whose workspaces trust these authorities besides.
    pub async fn trusting(policy: Policy, tools: &[PathBuf], authorities: Option<&str>) -> Option<Self> {
        let folder = passable_folder();
        let mut options = options(folder.path(), Tier::Full);
        options.tools = tools.to_vec();
        options.extra_ca = authorities.map(Into::into);
        let cluster = LocalCluster::start(options).unwrap();
        tested(&cluster, Tier::Full).await?;
        let egress = Egress::new(Parts {
            rules: watch::Sender::new(Arc::new(policy)),
            upstream: None,
            direct: Vec::new(),
            resolver: Arc::new(Names(SystemResolver::default())),
            own: Arc::new(Vec::new),
            clock: Arc::new(SystemClock),
            most_open: 1_024,
            on_refused: Box::new(|_, _, _| {}),
        });
        Some(Self { folder, cluster, egress: Arc::new(egress) })
    }

    pub async fn workspace(&self) -> Inside<'_> {
        let mut spec = spec(&["sh"]);
        spec.size.memory_bytes = 2 << 30;
        start(&*self.cluster, &spec).await;
        let stream = self.cluster.connect(&reference(&spec)).await.unwrap();
        let (owner, group) = (spec.owner.clone(), spec.group.clone());
        let peer = Peer { workspace: spec.id.clone(), run: spec.run, owner, group, namespace: spec.namespace.clone(), has_apps: false };
        let services = Services::default().tunnels(Arc::new(EgressTunnels(Arc::clone(&self.egress))));
        let ticket = ticket_for(&spec.id, spec.run, &[Scope::Up]);
        let link = tokio::spawn(async move {
            let _ = link::serve(stream, ticket, Arc::new(peer), services).await;
        });
        Inside { place: self, spec, _link: link }
    }
}

impl Inside<'_> {
    /// Runs a script in the workspace; gives its exit code and what it printed.
    pub async fn run(&self, script: &str) -> (i32, String) {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("s{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let file = self.home().join(format!("{name}.sh"));
        fs::write(&file, script).unwrap();
        let cluster: &dyn Cluster = &*self.place.cluster;
        let mut terminal = Terminal::open(cluster, &self.spec, &name, None).await;
        terminal.expect("$ ").await;
        terminal.send(&format!("sh ~/{name}.sh >~/{name}.log 2>&1 </dev/null; echo CO''DE=$?=\r")).await;
        let mut text = String::new();
        for _ in 0..30 {
            // Each wait has its own patience; large downloads need several.
            text = terminal.text();
            if text.contains("CODE=") && text.split("CODE=").nth(1).is_some_and(|rest| rest.contains('=')) {
                break;
            }
            let _ = tokio::time::timeout(Duration::from_secs(4), terminal.take()).await;
        }
        let code = text.split("CODE=").nth(1).and_then(|rest| rest.split('=').next()?.parse().ok()).unwrap_or(-1);
        (code, fs::read_to_string(self.home().join(format!("{name}.log"))).unwrap_or_default())
    }

    /// The same, which must succeed.
    pub async fn succeeds(&self, script: &str) -> String {
        let (code, text) = self.run(script).await;
        assert_eq!(code, 0, "{script}\n{text}");
        text
    }

    fn home(&self) -> PathBuf {
        self.place.folder.path().join("workspaces").join(self.spec.id.as_str()).join("home")
    }

    fn account(&self) -> Account {
        self.place.egress.account(&self.spec.id)
    }

    /// Returns as soon as one connection is open.
    async fn downloads(&self) {
        for _ in 0..500 {
            if self.account().open == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("nothing is being downloaded: {:?}", self.account());
    }

    /// The account once nothing is open any more.
    async fn settled(&self) -> Account {
        for _ in 0..200 {
            if self.account().open == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.account()
    }
}

/// Whether this host has a program, said where it has not.
pub fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok_and(|out| out.status.success());
    if !found {
        eprintln!("SKIPPED: {program} is not installed on this host");
    }
    found
}

/// Runs a script on this host, in a folder.
pub fn host(folder: &Path, script: &str) {
    let done = Command::new("sh").args(["-e", "-c", script]).current_dir(folder).output().unwrap();
    assert!(done.status.success(), "{script}\n{}", String::from_utf8_lossy(&done.stderr));
}

/// The usual way in: everything is open, and so are the servers of this file.
async fn open_place() -> Option<Place> {
    Place::new(policy(Mode::Open, &[ADDRESS]), &[]).await
}

#[tokio::test]
async fn a_download_is_counted_to_the_byte_on_both_sides() {
    let Some(place) = open_place().await else { return };
    if !has("curl") {
        return;
    }
    let (files, inside) = (tempfile::tempdir().unwrap(), place.workspace().await);
    fs::write(files.path().join("hello.txt"), "hello from outside").unwrap();
    let server = FileServer::plain(files.path());
    let url = format!("http://files.test:{}/hello.txt", server.port);
    let text = inside.succeeds(&format!("curl -sS {url} {url} && curl -sSI {url}")).await;
    assert_eq!(text.matches("hello from outside").count(), 2, "{text}");
    assert!(text.contains("via: 1.1 codex-web") || text.contains("Via: 1.1 codex-web"), "{text}");
    let account = inside.settled().await;
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::SeqCst);
    assert_eq!((account.bytes_in, account.bytes_out), (count(&server.counts.sent), count(&server.counts.received)));
    assert_eq!((account.connections, account.targets[0].count), (2, 2), "two programs, and the first kept its connection");
    assert_eq!(account.targets[0].target.to_string(), format!("files.test:{}", server.port));
}

#[tokio::test]
async fn three_hundred_megabytes_pass_and_neither_end_keeps_them() {
    let Some(place) = open_place().await else { return };
    if !has("curl") {
        return;
    }
    let (files, inside) = (tempfile::tempdir().unwrap(), place.workspace().await);
    let server = FileServer::plain(files.path());
    let begun = std::time::Instant::now();
    let script =
        format!("curl -sSo /dev/null -w '%{{size_download}}' http://big.test:{}/zeros/300 && grep VmHWM /proc/1/status", server.port);
    let text = inside.succeeds(&script).await;
    assert!(text.starts_with("314572800"), "{text}");
    let peak: u64 = text.split_whitespace().rev().nth(1).unwrap().parse().unwrap();
    eprintln!("300 MB in {:?}; the agent's peak is {} MB", begun.elapsed(), peak >> 10);
    assert!(peak < 100 << 10, "the agent held {peak} kB");
    let account = inside.settled().await;
    assert_eq!(account.bytes_in, server.counts.sent.load(Ordering::SeqCst));
}

#[tokio::test]
async fn nothing_of_the_servers_own_network_is_reached_whatever_it_is_called() {
    let Some(place) = Place::new(policy(Mode::Open, &[]), &[]).await else { return };
    if !has("curl") {
        return;
    }
    let files = tempfile::tempdir().unwrap();
    fs::write(files.path().join("secret"), "TREASURE").unwrap();
    let server = FileServer::plain(files.path());
    let inside = place.workspace().await;
    let port = server.port;
    // `--noproxy ''` sends even the workspace's own addresses through the proxy.
    let mut script = String::from("try() { curl -sS -m 9 --noproxy '' \"$@\"; echo; curl -sS -m 9 --noproxy '' -p -k \"$@\"; echo; }\n");
    let hosts = [
        "127.0.0.2",
        "2130706434",
        "0x7f000002",
        "0177.0.0.2",
        "127.2",
        "[::ffff:127.0.0.2]",
        "[::ffff:7f00:2]",
        "[64:ff9b::7f00:2]",
        "[::1]",
        "localhost",
        "LOCALHOST.",
        "0.0.0.0",
        "[::]",
        "files.test",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "10.0.0.1",
        "user@127.0.0.2",
    ];
    for host in hosts {
        script.push_str(&format!("try 'http://{host}:{port}/secret'\n"));
    }
    let (_, text) = inside.run(&script).await;
    assert!(!text.contains("TREASURE"), "{text}");
    assert!(server.requests().is_empty() && server.counts.received.load(Ordering::SeqCst) == 0, "{:?}", server.requests());
    let account = inside.account();
    assert_eq!(account.connections, 0);
    let rules: std::collections::BTreeSet<&str> = account.refused.iter().map(|refused| refused.rule.code()).collect();
    for rule in ["loopback_address", "metadata_address", "private_address", "unspecified_address"] {
        assert!(rules.contains(rule), "{rule} is missing in {rules:?}");
    }
    // Straight out, past the proxy, there is nothing at all.
    let (code, text) = inside
        .run(&format!("curl -sS -m 3 --noproxy '*' http://127.0.0.2:{port}/secret; curl -sS -m 3 --noproxy '*' http://1.1.1.1/"))
        .await;
    assert!(code != 0 && !text.contains("TREASURE"), "{text}");
}

#[tokio::test]
async fn one_workspace_does_not_reach_another() {
    let Some(place) = open_place().await else { return };
    if !has("curl") || !has("python3") {
        return;
    }
    let (victim, attacker) = (place.workspace().await, place.workspace().await);
    fs::write(victim.home().join("index.html"), "TREASURE").unwrap();
    victim.succeeds("cd ~ && (/usr/bin/python3 -m http.server --bind 0.0.0.0 8099 >/dev/null 2>&1 &); for i in $(seq 200); do curl -sS http://127.0.0.1:8099/ | grep TREASURE && exit 0; sleep 0.1; done; exit 1").await;
    let (_, text) = attacker
        .run("for h in 127.0.0.1 127.0.0.2 localhost 0.0.0.0 victim.test; do curl -sS -m 5 --noproxy '' http://$h:8099/; curl -sS -m 5 --noproxy '*' http://$h:8099/; done")
        .await;
    assert!(!text.contains("TREASURE"), "{text}");
}

#[tokio::test]
async fn a_refusal_is_seen_by_the_user_of_each_program() {
    let Some(place) = Place::new(policy(Mode::Allowlist, &["only.this.test"]), &[]).await else { return };
    let inside = place.workspace().await;
    if has("curl") {
        let (_, text) = inside.run("curl -sS http://evil.test/x; curl -sS https://evil.test/x").await;
        assert!(text.contains("Codex Web: evil.test:80 is refused: it is not on the list"), "{text}");
        assert!(text.contains("403"), "{text}");
    }
    if has("git") {
        let (code, text) = inside.run("git clone http://evil.test/a.git; git clone https://evil.test/a.git").await;
        assert!(code != 0 && text.contains("403"), "{text}");
    }
    if has("/usr/bin/pip3") {
        let (code, text) = inside.run("/usr/bin/pip3 --retries 1 download --no-deps -i https://evil.test/simple demo").await;
        assert!(code != 0 && text.contains("evil.test:443 is refused"), "{text}");
    }
    let account = inside.account();
    assert!(account.refused.iter().all(|refused| refused.rule.code() == "not_listed"), "{:?}", account.refused);
    assert_eq!(account.bytes_in + account.bytes_out, 0);
}

#[tokio::test]
async fn a_stop_ends_what_is_being_downloaded() {
    let Some(place) = open_place().await else { return };
    if !has("curl") {
        return;
    }
    let files = tempfile::tempdir().unwrap();
    let server = FileServer::plain(files.path());
    let mut inside = place.workspace().await;
    inside
        .succeeds(&format!("(curl -sS --limit-rate 100k -o /dev/null http://slow.test:{}/zeros/100 >/dev/null 2>&1 &)", server.port))
        .await;
    inside.downloads().await;
    inside.spec.desired = Desired::Stopped;
    place.cluster.apply_workspace(&inside.spec, &trust()).await.unwrap();
    until(&*place.cluster, &inside.spec, Phase::Absent).await;
    assert_eq!(inside.settled().await.open, 0);
}

#[tokio::test]
async fn a_policy_that_closes_ends_what_is_being_downloaded_within_a_second() {
    let Some(place) = open_place().await else { return };
    if !has("curl") {
        return;
    }
    let files = tempfile::tempdir().unwrap();
    let server = FileServer::plain(files.path());
    let inside = place.workspace().await;
    inside
        .succeeds(&format!(
            "(curl -sS --limit-rate 5M -o /dev/null http://slow.test:{}/zeros/2000 >/dev/null 2>~/cut.log; echo ended >>~/cut.log) &",
            server.port
        ))
        .await;
    inside.downloads().await;
    place.egress.set_policy(policy(Mode::None, &[]));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(inside.account().open, 0);
    inside.succeeds("for i in 1 2 3 4 5 6 7 8 9; do grep -q ended ~/cut.log && exit 0; sleep 1; done; exit 1").await;
}

#[tokio::test]
async fn git_clones_over_http_and_https() {
    let Some(place) = open_place().await else { return };
    if !has("git") {
        return;
    }
    let (files, inside) = (tempfile::tempdir().unwrap(), place.workspace().await);
    host(
        files.path(),
        "export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null; git init -q -b main work; cd work; echo inside >file; git add file; \
         git -c user.name=t -c user.email=t@example.org commit -q -m one; cd ..; git clone -q --bare work repo.git; cd repo.git; git update-server-info",
    );
    let plain = FileServer::plain(files.path());
    let (encrypted, certificate) = FileServer::encrypted(files.path(), "git.test");
    fs::write(inside.home().join("ca.pem"), certificate).unwrap();
    let script = format!(
        "set -e; cd ~; git clone -q http://git.test:{}/repo.git one; export GIT_SSL_CAINFO=$HOME/ca.pem; git clone -q https://git.test:{}/repo.git two; cat one/file two/file",
        plain.port, encrypted.port
    );
    assert_eq!(inside.succeeds(&script).await, "inside\ninside\n");
    let account = inside.settled().await;
    let sum = |counter: fn(&super::file_server::Counts) -> u64| counter(&plain.counts) + counter(&encrypted.counts);
    assert_eq!(account.bytes_in, sum(|counts| counts.sent.load(Ordering::SeqCst)));
    assert_eq!(account.bytes_out, sum(|counts| counts.received.load(Ordering::SeqCst)));
}

/// Makes a wheel of the package demo, and the index that pip looks it up in; gives the file's name.
pub fn offer_wheel(folder: &Path) -> &'static str {
    const WHEEL: &str = "demo-1.0-py3-none-any.whl";
    fs::create_dir_all(folder.join("simple/demo")).unwrap();
    fs::write(folder.join("simple/demo/index.html"), format!("<a href=\"/{WHEEL}\">{WHEEL}</a>")).unwrap();
    host(
        folder,
        &format!(
            "/usr/bin/python3 - <<'E'\nimport zipfile\nz = zipfile.ZipFile('{WHEEL}', 'w')\nd = 'demo-1.0.dist-info/'\n\
             z.writestr('demo.py', 'x = 1')\nz.writestr(d + 'METADATA', 'Metadata-Version: 2.1\\nName: demo\\nVersion: 1.0\\n')\n\
             z.writestr(d + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\nz.writestr(d + 'RECORD', '')\nE"
        ),
    );
    WHEEL
}

#[tokio::test]
async fn pip_downloads_a_package() {
    let Some(place) = open_place().await else { return };
    if !has("/usr/bin/pip3") {
        return;
    }
    let (files, inside) = (tempfile::tempdir().unwrap(), place.workspace().await);
    let wheel = offer_wheel(files.path());
    let server = FileServer::plain(files.path());
    let host = format!("pypi.test:{}", server.port);
    inside
        .succeeds(&format!(
            "cd ~ && /usr/bin/pip3 --isolated download --no-deps -i http://{host}/simple --trusted-host pypi.test demo && test -s {wheel}"
        ))
        .await;
}

#[tokio::test]
async fn npm_looks_a_package_up_and_fetches_it() {
    let Some(place) = open_place().await else { return };
    if !has("npm") {
        return;
    }
    let (files, inside) = (tempfile::tempdir().unwrap(), place.workspace().await);
    let server = FileServer::plain(files.path());
    host(
        files.path(),
        "mkdir package; echo '{\"name\":\"demo\",\"version\":\"1.2.3\"}' >package/package.json; tar czf demo-1.2.3.tgz package",
    );
    let tarball = format!("http://npm.test:{}/demo-1.2.3.tgz", server.port);
    let version = serde_json::json!({ "name": "demo", "version": "1.2.3", "dist": { "tarball": tarball } });
    let document = serde_json::json!({ "name": "demo", "dist-tags": { "latest": "1.2.3" }, "versions": { "1.2.3": version } });
    fs::write(files.path().join("demo"), document.to_string()).unwrap();
    let registry = format!("--registry http://npm.test:{}/", server.port);
    let text =
        inside.succeeds(&format!("cd ~ && npm view demo version {registry} && npm pack demo {registry} && test -s demo-1.2.3.tgz")).await;
    assert!(text.contains("1.2.3"), "{text}");
}

/// The folder of the toolchain whose `cargo` runs here.
fn toolchain() -> Option<PathBuf> {
    let out = Command::new("rustc").args(["--print", "sysroot"]).output().ok()?;
    let folder = PathBuf::from(String::from_utf8(out.stdout).ok()?.trim());
    folder.join("bin/cargo").exists().then_some(folder)
}

#[tokio::test]
async fn cargo_fetches_from_a_sparse_registry() {
    let Some(tools) = toolchain() else { return eprintln!("SKIPPED: there is no cargo on this host") };
    let Some(place) = Place::new(policy(Mode::Open, &[ADDRESS]), std::slice::from_ref(&tools)).await else { return };
    let (files, inside) = (tempfile::tempdir().unwrap(), place.workspace().await);
    let server = FileServer::plain(files.path());
    let base = format!("http://crates.test:{}", server.port);
    host(
        files.path(),
        "mkdir -p demo-1.0.0/src index/de/mo dl; echo 'pub fn x() {}' >demo-1.0.0/src/lib.rs; \
         printf '[package]\\nname = \"demo\"\\nversion = \"1.0.0\"\\nedition = \"2021\"\\n' >demo-1.0.0/Cargo.toml; tar czf dl/demo-1.0.0.crate demo-1.0.0",
    );
    let sum = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &fs::read(files.path().join("dl/demo-1.0.0.crate")).unwrap());
    let sum: String = sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let entry = serde_json::json!({ "name": "demo", "vers": "1.0.0", "deps": [], "cksum": sum, "features": {}, "yanked": false });
    fs::write(files.path().join("index/de/mo/demo"), format!("{entry}\n")).unwrap();
    let config = serde_json::json!({ "dl": format!("{base}/dl/{{crate}}-{{version}}.crate") });
    fs::write(files.path().join("index/config.json"), config.to_string()).unwrap();
    let programs = tools.join("bin");
    let script = format!(
        "set -e; mkdir -p ~/p/src; cd ~/p; echo 'fn main() {{}}' >src/main.rs\n\
         printf '[package]\\nname = \"p\"\\nversion = \"0.1.0\"\\n[dependencies]\\ndemo = {{ version = \"1\", registry = \"ours\" }}\\n' >Cargo.toml\n\
         export CARGO_REGISTRIES_OURS_INDEX=sparse+{base}/index/ CARGO_HOME=$HOME/.cargo PATH={}:$PATH\ncargo fetch",
        programs.display()
    );
    let text = inside.succeeds(&script).await;
    assert!(text.contains("Downloaded"), "{text}");
    assert!(server.requests().iter().any(|line| line.contains("/dl/demo-1.0.0.crate")), "{:?}", server.requests());
}

#[tokio::test]
async fn apt_reads_a_list_and_downloads_a_package() {
    let Some(place) = open_place().await else { return };
    if !has("apt-get") || !has("dpkg-deb") {
        return;
    }
    let (files, inside) = (tempfile::tempdir().unwrap(), place.workspace().await);
    host(
        files.path(),
        "mkdir -p p/DEBIAN; printf 'Package: demo\\nVersion: 1.0\\nArchitecture: all\\nMaintainer: t <t@example.org>\\nDescription: demo\\n' >p/DEBIAN/control; \
         dpkg-deb --root-owner-group -b p demo_1.0_all.deb >/dev/null; \
         (cat p/DEBIAN/control; echo \"Filename: ./demo_1.0_all.deb\"; echo \"Size: $(stat -c %s demo_1.0_all.deb)\"; echo \"SHA256: $(sha256sum demo_1.0_all.deb | cut -d' ' -f1)\"; echo) >Packages",
    );
    let server = FileServer::plain(files.path());
    let script = format!(
        "set -e; cd ~; mkdir -p apt/lists/partial apt/cache/archives/partial; : >apt/status\n\
         echo 'deb [trusted=yes] http://apt.test:{}/ ./' >apt/sources.list\n\
         O=\"-o Dir::Etc::sourcelist=$HOME/apt/sources.list -o Dir::Etc::sourceparts=/nowhere -o Dir::State::lists=$HOME/apt/lists \
         -o Dir::State::status=$HOME/apt/status -o Dir::Cache=$HOME/apt/cache -o APT::Get::List-Cleanup=0\"\n\
         apt-get $O update; apt-get $O download demo; test -s demo_1.0_all.deb",
        server.port
    );
    inside.succeeds(&script).await;
}

#[tokio::test]
async fn without_a_network_of_its_own_a_workspace_runs_only_where_everything_is_open() {
    let folder = passable_folder();
    let rules = watch::Sender::new(Arc::new(policy(Mode::Open, &[])));
    let mut options = options(folder.path(), Tier::UidLandlock);
    options.egress = rules.subscribe();
    let cluster = LocalCluster::start(options).unwrap();
    if tested(&cluster, Tier::UidLandlock).await.is_none() {
        return;
    }
    let spec = spec(&["sh"]);
    start(&*cluster, &spec).await;
    let mut terminal = Terminal::open(&*cluster, &spec, "env", None).await;
    terminal.expect("$ ").await;
    terminal.send("echo proxy=[$http_proxy$HTTPS_PROXY] EN''D\r").await;
    assert!(terminal.expect("END").await.contains("proxy=[] "), "it was promised a proxy that is not there");
    drop(terminal);
    let health = cluster.health().await;
    assert!(!health.governs_egress && health.warnings.iter().any(|words| words.contains("neither limited nor counted")), "{health:?}");
    rules.send_replace(Arc::new(policy(Mode::Allowlist, &["example.org"])));
    let failed = until(&*cluster, &spec, Phase::Failed).await.reason.unwrap();
    assert_eq!(failed.code, "egress_ungoverned");
    assert!(failed.message.contains("workspaces.egress = allowlist"), "{}", failed.message);
    let mut again = spec.clone();
    again.run += 1;
    cluster.apply_workspace(&again, &trust()).await.unwrap();
    assert_eq!(until(&*cluster, &again, Phase::Failed).await.reason.unwrap().code, "egress_ungoverned");
    assert!(!cluster.health().await.healthy);
}

/// Scripts that ask the registry that a client is configured with, in the folder `$D`.
const PIP: &str = "/usr/bin/pip3 --isolated download -q --no-deps -d \"$D\" six && ls \"$D\" | grep six";
const CARGO: &str = "mkdir -p \"$D/src\" && cd \"$D\" && echo 'fn main() {}' >src/main.rs && \
    printf '[package]\\nname = \"p\"\\nversion = \"0.1.0\"\\nedition = \"2021\"\\n[dependencies]\\nitoa = \"1\"\\n' >Cargo.toml && \
    CARGO_HOME=\"$D/home\" cargo fetch";
const APT: &str = "mkdir -p \"$D/etc\" \"$D/lists/partial\" \"$D/cache/archives/partial\" && cd \"$D\" && : >status && tar xf \"$SOURCES\" -C etc && \
    O=\"-o Dir::Etc=$D/etc -o Dir::State::lists=$D/lists -o Dir::State::status=$D/status -o Dir::Cache=$D/cache -o APT::Sandbox::User=\" && \
    apt-get -q $O update && apt-get -q $O download hello && ls hello_*.deb";

#[tokio::test]
async fn the_registries_of_pip_cargo_and_apt_answer_through_it_where_they_are_reachable() {
    let tools = toolchain();
    let Some(place) = Place::new(policy(Mode::Open, &[]), tools.as_slice()).await else { return };
    let inside = place.workspace().await;
    let sources = inside.home().join("sources.tar");
    let packed = Command::new("tar").args(["cf", &sources.to_string_lossy(), "-C", "/etc/apt", "."]).output();
    let programs = tools.as_ref().map(|folder| folder.join("bin").to_string_lossy().into_owned()).unwrap_or_default();
    for (name, script) in [("pip", PIP), ("cargo", CARGO), ("apt", APT)] {
        if (name == "apt" && packed.is_err()) || (name == "cargo" && tools.is_none()) {
            eprintln!("SKIPPED: there is no {name} on this host");
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let outside = format!("export PATH={programs}:$PATH D={} SOURCES={}; {script}", folder.path().display(), sources.display());
        if !Command::new("sh").args(["-c", &outside]).output().is_ok_and(|out| out.status.success()) {
            eprintln!("SKIPPED: the registry of {name} is not reachable from this host, or {name} is not there");
            continue;
        }
        let before = inside.settled().await;
        inside.succeeds(&format!("export PATH={programs}:$PATH D=$HOME/{name} SOURCES=$HOME/sources.tar; mkdir -p $D; {script}")).await;
        let after = inside.settled().await;
        eprintln!("{name}: {} bytes in, {} out", after.bytes_in - before.bytes_in, after.bytes_out - before.bytes_out);
        assert!(after.bytes_in > before.bytes_in, "{name} went another way");
    }
}

/// The address that a client of this host is configured with, and the host name in it.
fn configured(program: &str, arguments: &[&str]) -> Option<(String, String)> {
    let out = Command::new(program).args(arguments).output().ok().filter(|out| out.status.success())?;
    let url = String::from_utf8(out.stdout).ok()?.trim().trim_end_matches('/').to_owned();
    let host = url.split("://").nth(1)?.split(['/', ':']).next()?.to_owned();
    Some((url, host))
}

#[tokio::test]
async fn the_registry_that_npm_is_configured_with_answers_through_it_where_it_is_reachable() {
    let Some((url, name)) = configured("npm", &["config", "get", "registry"]) else {
        return eprintln!("SKIPPED: there is no npm on this host");
    };
    let reachable =
        Command::new("npm").args(["view", "left-pad", "version", "--fetch-retries=0"]).output().is_ok_and(|out| out.status.success());
    if !reachable {
        return eprintln!("SKIPPED: the registry of npm is not reachable from this host");
    }
    // In allowlist, so that the one name is all that is needed, wherever it leads on this host.
    let Some(place) = Place::new(policy(Mode::Allowlist, &[&name]), &[]).await else { return };
    let inside = place.workspace().await;
    let authorities = std::env::var("NODE_EXTRA_CA_CERTS").map(|path| fs::read(path).unwrap_or_default()).unwrap_or_default();
    fs::write(inside.home().join("extra.pem"), authorities).unwrap();
    let script = format!(
        "cd ~; export NODE_EXTRA_CA_CERTS=$HOME/extra.pem; npm view left-pad version --registry {url}/ && npm pack left-pad --registry {url}/ && ls left-pad-*.tgz"
    );
    let text = inside.succeeds(&script).await;
    assert!(text.contains("left-pad-"), "{text}");
    let account = inside.settled().await;
    eprintln!("npm: {} bytes in, {} out, over {} connections", account.bytes_in, account.bytes_out, account.connections);
    assert!(account.bytes_in > 1_000 && account.targets.iter().all(|reached| reached.target.host.to_string() == name));
}
