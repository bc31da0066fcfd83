//! Egress against real sockets of this machine, with a resolver that says what a test wants.

use super::*;
use crate::clock::{ManualClock, Millis, SystemClock, SystemEntropy};
use crate::domain::egress::{Mode, Upstream};
use crate::transport::trust::ExtraCa;
use futures_util::future::BoxFuture;
use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpListener;

/// Answers each question with the next of its answers, the last one again and again, and counts the questions.
#[derive(Default)]
struct Script(Mutex<(VecDeque<Vec<IpAddr>>, usize)>);

impl Script {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let answers = answers.iter().map(|answer| answer.iter().map(|text| text.parse().unwrap()).collect()).collect();
        Arc::new(Self(Mutex::new((answers, 0))))
    }

    fn questions(&self) -> usize {
        self.0.lock().unwrap().1
    }
}

impl Resolver for Script {
    fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let mut held = self.0.lock().unwrap();
        held.1 += 1;
        let answer = if held.0.len() > 1 { held.0.pop_front() } else { held.0.front().cloned() };
        Box::pin(async move { answer.ok_or_else(|| io::Error::other("no such name")) })
    }
}

struct World {
    egress: Arc<Egress>,
    resolver: Arc<Script>,
    told: Arc<Mutex<Vec<(i64, String)>>>,
    workspace: WorkspaceId,
}

fn policy(mode: Mode, allow: &[String]) -> Policy {
    Policy { mode, allow: allow.iter().map(|text| Entry::parse(text).unwrap()).collect() }
}

fn world_with(policy: Policy, resolver: Arc<Script>, upstream: Option<&str>, own: &[&str]) -> World {
    world_trusting(None, policy, resolver, upstream, own)
}

fn world_trusting(extra: Option<&ExtraCa>, policy: Policy, resolver: Arc<Script>, upstream: Option<&str>, own: &[&str]) -> World {
    let told: Arc<Mutex<Vec<(i64, String)>>> = Arc::default();
    let (tell, own) = (Arc::clone(&told), own.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>());
    let mut egress = Egress::new(Parts {
        rules: watch::Sender::new(Arc::new(policy)),
        upstream: upstream.map(|text| SiteProxy::new(Upstream::parse(text).unwrap(), extra).unwrap()),
        direct: vec![Entry::parse("*.direct.example").unwrap()],
        resolver: Arc::clone(&resolver) as _,
        own: Arc::new(move || own.clone()),
        clock: Arc::new(ManualClock::starting_at(Millis(1_000))),
        most_open: MOST_OPEN + 1,
        on_refused: Box::new(move |_, run, words| tell.lock().unwrap().push((run, words))),
    });
    egress.idle = Duration::from_secs(5);
    World { egress: Arc::new(egress), resolver, told, workspace: WorkspaceId::fresh(SystemClock.now(), &SystemEntropy) }
}

fn world(policy: Policy, answers: &[&[&str]]) -> World {
    world_with(policy, Script::new(answers), None, &[])
}

impl World {
    async fn open(&self, authority: &str) -> Result<Connection, Failure> {
        self.egress.connect(&self.workspace, 1, authority).await
    }

    async fn refusal(&self, authority: &str) -> &'static str {
        self.open(authority).await.err().unwrap_or_else(|| panic!("{authority} was opened")).code().1
    }

    fn account(&self) -> Account {
        self.egress.account(&self.workspace)
    }
}

/// The program's end of a connection that is being carried.
fn carried(connection: Connection) -> (DuplexStream, tokio::task::JoinHandle<()>) {
    let (program, ours) = tokio::io::duplex(16 * 1024);
    (program, tokio::spawn(connection.carry(ours)))
}

async fn listener(address: &str) -> (TcpListener, u16) {
    let listener = TcpListener::bind((address, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Answers each line with itself in capitals until the other side ends, then says goodbye.
fn shout(listener: TcpListener) {
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(n @ 1..) = stream.read(&mut buffer).await {
                    stream.write_all(&buffer[..n].to_ascii_uppercase()).await.unwrap();
                }
                let _ = stream.write_all(b"bye").await;
            });
        }
    });
}

async fn said(stream: &mut DuplexStream, bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    tokio::time::timeout(Duration::from_secs(5), stream.read_exact(&mut buffer)).await.unwrap().unwrap();
    String::from_utf8(buffer).unwrap()
}

#[tokio::test]
async fn bytes_go_both_ways_are_counted_and_an_end_on_one_side_leaves_the_other_open() {
    let (server, port) = listener("127.0.0.2").await;
    shout(server);
    let world = world(policy(Mode::Open, &[format!("127.0.0.2:{port}")]), &[&["127.0.0.2"]]);
    let (mut program, task) = carried(world.open(&format!("registry.example:{port}")).await.unwrap());
    program.write_all(b"hello").await.unwrap();
    assert_eq!(said(&mut program, 5).await, "HELLO");
    assert_eq!(world.account().open, 1);
    program.shutdown().await.unwrap();
    assert_eq!(said(&mut program, 3).await, "bye");
    task.await.unwrap();
    let account = world.account();
    assert_eq!((account.bytes_out, account.bytes_in, account.connections, account.open), (5, 8, 1, 0));
    let target = &account.targets[0];
    assert_eq!((target.target.to_string(), target.count), (format!("registry.example:{port}"), 1));
    assert_eq!((target.bytes_out, target.bytes_in, target.last_at), (5, 8, Millis(1_000)));
}

#[tokio::test]
async fn a_name_that_changes_its_mind_is_asked_once_and_reaches_only_what_was_judged() {
    let (good, port) = listener("127.0.0.2").await;
    let bad = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    shout(good);
    let world = world(policy(Mode::Open, &[format!("127.0.0.2:{port}")]), &[&["127.0.0.2"], &["127.0.0.1"]]);
    let (mut program, _task) = carried(world.open(&format!("rebinding.example:{port}")).await.unwrap());
    program.write_all(b"who").await.unwrap();
    assert_eq!(said(&mut program, 3).await, "WHO");
    assert_eq!(world.resolver.questions(), 1);
    assert_eq!(world.refusal(&format!("rebinding.example:{port}")).await, "loopback_address");
    let reached = tokio::time::timeout(Duration::from_millis(100), bad.accept()).await;
    assert!(reached.is_err(), "the loopback service was connected to");
}

#[tokio::test]
async fn of_several_addresses_only_those_that_pass_are_tried() {
    let (good, port) = listener("127.0.0.2").await;
    let bad = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    shout(good);
    let world = world(policy(Mode::Open, &[format!("127.0.0.2:{port}")]), &[&["127.0.0.1", "169.254.169.254", "127.0.0.2", "::1"]]);
    let (mut program, _task) = carried(world.open(&format!("many.example:{port}")).await.unwrap());
    program.write_all(b"x").await.unwrap();
    assert_eq!(said(&mut program, 1).await, "X");
    assert!(tokio::time::timeout(Duration::from_millis(100), bad.accept()).await.is_err());
}

#[tokio::test]
async fn an_address_that_does_not_answer_is_followed_by_the_next() {
    let (server, port) = listener("127.0.0.2").await;
    shout(server);
    let world = world(policy(Mode::Open, &["127.0.0.0/8".to_owned()]), &[&["127.0.0.9", "127.0.0.2"]]);
    let (mut program, _task) = carried(world.open(&format!("two.example:{port}")).await.unwrap());
    program.write_all(b"x").await.unwrap();
    assert_eq!(said(&mut program, 1).await, "X");
}

#[tokio::test]
async fn loopback_metadata_and_this_server_are_not_reached_in_any_spelling() {
    let (server, port) = listener("127.0.0.1").await;
    let world = world_with(policy(Mode::Open, &[]), Script::new(&[&["127.0.0.1"]]), None, &["8.8.4.4"]);
    for host in [
        "127.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "0.0.0.0",
        "[::]",
        "169.254.169.254",
        "localhost",
        "any.example.",
        "8.8.4.4",
    ] {
        let code = world.refusal(&format!("{host}:{port}")).await;
        assert!(code.ends_with("_address") || code == "own_server", "{host}: {code}");
    }
    for host in ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "user@example.org", "example.org\r\nX: y", "::1", "例え.example"] {
        assert_eq!(world.refusal(&format!("{host}:{port}")).await, "bad_target", "{host:?}");
    }
    assert!(tokio::time::timeout(Duration::from_millis(100), server.accept()).await.is_err());
    assert_eq!(world.account().connections, 0);
}

#[tokio::test]
async fn an_allow_list_is_asked_before_the_name_servers_and_none_means_none() {
    let world = world(policy(Mode::Allowlist, &["*.example.org".to_owned(), "10.0.0.0/8".to_owned()]), &[&["1.1.1.1"]]);
    assert_eq!(world.refusal("secret-data.evil.example:443").await, "not_listed");
    assert_eq!(world.resolver.questions(), 0, "the question would have carried the data out");
    world.egress.set_policy(policy(Mode::None, &["*.example.org".to_owned()]));
    assert_eq!(world.refusal("www.example.org:443").await, "closed");
    assert_eq!(world.resolver.questions(), 0);
}

#[tokio::test]
async fn refusals_are_counted_listed_and_told_once_a_run() {
    let world = world(policy(Mode::Open, &[]), &[&["10.0.0.7"]]);
    for _ in 0..3 {
        assert_eq!(world.refusal("git.corp.example:443").await, "private_address");
    }
    let _ = world.egress.connect(&world.workspace, 2, "git.corp.example:443").await;
    let account = world.account();
    assert_eq!(account.refused.len(), 1);
    assert_eq!((account.refused[0].count, account.refused[0].rule.code()), (4, "private_address"));
    let told = world.told.lock().unwrap().clone();
    assert_eq!(told.iter().map(|(run, _)| *run).collect::<Vec<_>>(), [1, 2]);
    assert!(told[0].1.contains("it leads to 10.0.0.7"), "{told:?}");
}

#[tokio::test]
async fn a_flood_of_refusals_fills_neither_the_list_nor_the_timeline() {
    let world = world(policy(Mode::None, &[]), &[]);
    for n in 0..1_000 {
        assert_eq!(world.refusal(&format!("host{n}.example:443")).await, "closed");
    }
    assert_eq!(world.account().refused.len(), 100);
    assert_eq!(world.told.lock().unwrap().len(), 20);
}

#[tokio::test]
async fn a_change_of_the_policy_cuts_what_it_no_longer_allows_and_nothing_else() {
    let (server, port) = listener("127.0.0.2").await;
    shout(server);
    let both = [format!("a.example:{port}"), format!("b.example:{port}"), format!("127.0.0.2:{port}")];
    let world = world(policy(Mode::Allowlist, &both), &[&["127.0.0.2"]]);
    let (mut kept, _kept) = carried(world.open(&format!("a.example:{port}")).await.unwrap());
    let (mut cut, task) = carried(world.open(&format!("b.example:{port}")).await.unwrap());
    cut.write_all(b"x").await.unwrap();
    assert_eq!(said(&mut cut, 1).await, "X");
    world.egress.set_policy(policy(Mode::Allowlist, &[both[0].clone(), both[2].clone()]));
    tokio::time::timeout(Duration::from_secs(1), task).await.expect("it was cut within a second").unwrap();
    assert_eq!(cut.read(&mut [0; 8]).await.unwrap(), 0);
    kept.write_all(b"x").await.unwrap();
    assert_eq!(said(&mut kept, 1).await, "X");
    assert_eq!(world.account().open, 1);
}

#[tokio::test]
async fn a_workspace_has_a_bounded_number_of_connections_and_gets_places_back() {
    let (server, port) = listener("127.0.0.2").await;
    shout(server);
    let world = world(policy(Mode::Open, &["127.0.0.2".to_owned()]), &[]);
    let authority = format!("127.0.0.2:{port}");
    let mut open = Vec::new();
    for _ in 0..MOST_OPEN {
        open.push(world.open(&authority).await.unwrap());
    }
    assert_eq!(world.refusal(&authority).await, "too_many_connections");
    open.pop();
    assert!(world.open(&authority).await.is_ok());
    let other = WorkspaceId::fresh(SystemClock.now(), &SystemEntropy);
    let theirs = world.egress.connect(&other, 1, &authority).await;
    assert!(theirs.is_ok(), "another workspace has places of its own");
    open.push(world.open(&authority).await.unwrap());
    let full = world.egress.connect(&other, 1, &authority).await.err().unwrap();
    assert_eq!(full.code(), (503, "server_busy"), "all together have a bound too");
}

#[tokio::test]
async fn what_nobody_reads_stops_the_sender() {
    let (server, port) = listener("127.0.0.2").await;
    let world = world(policy(Mode::Open, &["127.0.0.2".to_owned()]), &[]);
    let (mut program, _task) = carried(world.open(&format!("127.0.0.2:{port}")).await.unwrap());
    let (_silent, _) = server.accept().await.unwrap();
    let chunk = vec![0; 64 * 1024];
    let mut sent = 0;
    while tokio::time::timeout(Duration::from_millis(300), program.write_all(&chunk)).await.is_ok() {
        sent += chunk.len();
        assert!(sent < 64 << 20, "it takes whatever comes");
    }
    assert!(sent > 0);
}

#[tokio::test]
async fn a_silent_connection_is_ended_and_a_busy_one_is_not() {
    let (server, port) = listener("127.0.0.2").await;
    shout(server);
    let world = world(policy(Mode::Open, &["127.0.0.2".to_owned()]), &[]);
    let mut connection = world.open(&format!("127.0.0.2:{port}")).await.unwrap();
    connection.idle = Duration::from_millis(200);
    let (mut program, task) = carried(connection);
    for _ in 0..6 {
        program.write_all(b"x").await.unwrap();
        assert_eq!(said(&mut program, 1).await, "X");
        tokio::time::sleep(Duration::from_millis(80)).await;
    }
    tokio::time::timeout(Duration::from_secs(2), task).await.expect("silence ended it").unwrap();
}

#[tokio::test]
async fn what_does_not_answer_is_said_in_words() {
    let (server, port) = listener("127.0.0.2").await;
    drop(server);
    let world = world(policy(Mode::Open, &["127.0.0.2".to_owned()]), &[]);
    let failure = world.open(&format!("127.0.0.2:{port}")).await.err().unwrap();
    assert_eq!(failure.code(), (502, "unreachable"));
    assert_eq!(failure.to_string(), format!("127.0.0.2:{port} does not accept connections: the connection was refused."));
    assert_eq!(world.open("nowhere.example:80").await.err().unwrap().code(), (502, "no_such_name"));
    assert_eq!(world.account().open, 0);
}

/// A proxy that takes one tunnel: gives the head of the request and then echoes in capitals, or answers with a status.
async fn site_proxy(status: &'static str) -> (u16, tokio::task::JoinHandle<String>) {
    let (server, port) = listener("127.0.0.3").await;
    let task = tokio::spawn(async move {
        let (mut stream, _) = server.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes()).await.unwrap();
        let mut buffer = [0; 64];
        if let Ok(n @ 1..) = stream.read(&mut buffer).await {
            stream.write_all(&buffer[..n].to_ascii_uppercase()).await.unwrap();
        }
        String::from_utf8(head).unwrap()
    });
    (port, task)
}

#[tokio::test]
async fn the_sites_proxy_gets_the_name_and_the_credentials_and_this_server_looks_nothing_up() {
    let (port, proxy) = site_proxy("200 OK").await;
    let resolver = Script::new(&[]);
    let world = world_with(policy(Mode::Open, &[]), Arc::clone(&resolver), Some(&format!("http://ada:sesame@127.0.0.3:{port}")), &[]);
    assert_eq!(world.refusal("localhost:80").await, "local_name");
    assert_eq!(world.refusal("169.254.169.254:80").await, "metadata_address");
    let (mut program, _task) = carried(world.open("www.example.org:443").await.unwrap());
    program.write_all(b"hi").await.unwrap();
    assert_eq!(said(&mut program, 2).await, "HI");
    let head = proxy.await.unwrap().to_ascii_lowercase();
    assert!(head.starts_with("connect www.example.org:443 http/1.1\r\n"), "{head}");
    assert!(head.contains("proxy-authorization: basic ywrhonnlc2ftzq==\r\n"), "{head}");
    assert_eq!(resolver.questions(), 0);
}

#[tokio::test]
async fn what_goes_round_the_sites_proxy_is_looked_up_and_judged_here() {
    let resolver = Script::new(&[&["10.0.0.1"]]);
    let world = world_with(policy(Mode::Open, &[]), Arc::clone(&resolver), Some("http://127.0.0.3:1"), &[]);
    assert_eq!(world.refusal("git.direct.example:443").await, "private_address");
    assert_eq!(resolver.questions(), 1);
    assert_eq!(world.refusal("www.example.org:443").await, "upstream_proxy", "nobody listens there");
}

#[tokio::test]
async fn a_site_proxy_that_refuses_is_named_with_its_status() {
    let (port, _proxy) = site_proxy("407 Proxy Authentication Required").await;
    let world = world_with(policy(Mode::Open, &[]), Script::new(&[]), Some(&format!("http://127.0.0.3:{port}")), &[]);
    let failure = world.open("www.example.org:443").await.err().unwrap();
    assert_eq!(failure.to_string(), "www.example.org:443: the site's proxy does not accept this server's credentials.");
}

/// A proxy as [`site_proxy`], behind TLS with this certificate for 127.0.0.3.
async fn encrypted_site_proxy() -> (u16, tokio::task::JoinHandle<Option<String>>, tempfile::TempDir) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.3".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), made.cert.pem()).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let (server, port) = listener("127.0.0.3").await;
    let task = tokio::spawn(async move {
        let (stream, _) = server.accept().await.unwrap();
        let mut stream = tokio_rustls::TlsAcceptor::from(Arc::new(config)).accept(stream).await.ok()?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let mut buffer = [0; 64];
        if let Ok(n @ 1..) = stream.read(&mut buffer).await {
            stream.write_all(&buffer[..n].to_ascii_uppercase()).await.unwrap();
            stream.flush().await.unwrap();
        }
        String::from_utf8(head).ok()
    });
    (port, task, folder)
}

#[tokio::test]
async fn a_site_proxy_by_tls_is_spoken_to_when_its_authority_was_added() {
    let (port, proxy, folder) = encrypted_site_proxy().await;
    let extra = ExtraCa::load(&folder.path().join("ca.pem")).unwrap();
    let address = format!("https://ada:sesame@127.0.0.3:{port}");
    let world = world_trusting(Some(&extra), policy(Mode::Open, &[]), Script::new(&[]), Some(&address), &[]);
    let (mut program, _task) = carried(world.open("www.example.org:443").await.unwrap());
    program.write_all(b"hi").await.unwrap();
    assert_eq!(said(&mut program, 2).await, "HI");
    let head = proxy.await.unwrap().unwrap().to_ascii_lowercase();
    assert!(head.starts_with("connect www.example.org:443 http/1.1\r\n") && head.contains("proxy-authorization: basic "), "{head}");
}

#[tokio::test]
async fn a_site_proxy_that_proves_nothing_gets_neither_name_nor_credentials() {
    let (port, proxy, _folder) = encrypted_site_proxy().await;
    let address = format!("https://ada:sesame@127.0.0.3:{port}");
    let world = world_with(policy(Mode::Open, &[]), Script::new(&[]), Some(&address), &[]);
    let failure = world.open("www.example.org:443").await.err().unwrap();
    assert_eq!(failure.code(), (502, "upstream_proxy"));
    assert!(failure.to_string().contains("is not trusted; its authority belongs into server.extra_ca"), "{failure}");
    assert_eq!(proxy.await.unwrap(), None);
    // One that speaks no TLS at all.
    let (port, _plain) = site_proxy("200 OK").await;
    let world = world_with(policy(Mode::Open, &[]), Script::new(&[]), Some(&format!("https://127.0.0.3:{port}")), &[]);
    world.egress.connect(&world.workspace, 1, "www.example.org:443").await.err().map(|failure| failure.to_string()).unwrap();
}
