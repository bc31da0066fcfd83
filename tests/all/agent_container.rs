//! The agent as the first process of a container: the real program, as a user without a name, in a pid namespace of its
//! own, with its order in a file and its door on the network.
#![allow(clippy::print_stderr)] // what is skipped is said

use crate::contract::{new_signer, passable_folder, signer, ticket_for, trust};
use crate::program::binary;
use codex_web::clock::{Clock, SystemClock, SystemEntropy};
use codex_web::cluster::ByteStream;
use codex_web::cluster::agent_client::{self, AgentError, Opening};
use codex_web::domain::agent::AgentOrder;
use codex_web::domain::id::WorkspaceId;
use codex_web::token::ticket::{Scope, Wanted};
use futures_util::{SinkExt, StreamExt};
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::Message;

/// A user that no password file names.
const USER: &str = "54321";

struct Container {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
    order: AgentOrder,
}

impl Container {
    /// Starts the agent by this order; `None`, said loudly, where this host makes no pid namespace.
    fn start(change: impl FnOnce(&mut AgentOrder)) -> Option<Self> {
        let allowed = Command::new("unshare").args(["--fork", "--pid", "--mount-proc", "setpriv", "--reuid", USER, "true"]).output();
        if !allowed.is_ok_and(|ended| ended.status.success()) {
            eprintln!("SKIPPED: this host lets us make no pid namespace as root");
            return None;
        }
        let folder = passable_folder();
        let program = folder.path().join("codex-web");
        fs::hard_link(binary(), &program).or_else(|_| fs::copy(binary(), &program).map(drop)).unwrap();
        let (volume, run) = (folder.path().join("home"), folder.path().join("run"));
        for made in [&volume, &run] {
            fs::create_dir(made).unwrap();
            std::os::unix::fs::chown(made, Some(USER.parse().unwrap()), Some(USER.parse().unwrap())).unwrap();
        }
        let workspace = WorkspaceId::fresh(SystemClock.now(), &SystemEntropy);
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let mut order = AgentOrder {
            jwks: trust().jwks,
            issuer: trust().issuer,
            grace_milliseconds: 4_000,
            ..AgentOrder::bare(workspace, 1, text(&volume))
        };
        order.env = [("HOME", text(&volume)), ("XDG_RUNTIME_DIR", text(&run)), ("TMPDIR", text(&run))]
            .map(|(name, value)| (name.to_owned(), value))
            .into();
        change(&mut order);
        fs::write(folder.path().join("order.json"), serde_json::to_vec(&order).unwrap()).unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut command = Command::new("unshare");
        command.args(["--fork", "--pid", "--mount-proc", "--kill-child"]);
        command.args(["setpriv", "--reuid", USER, "--regid", USER, "--clear-groups", "--no-new-privs", "--bounding-set=-all"]);
        command.arg(&program).args(["agent", "--port", &port.to_string(), "--order"]);
        command.arg(folder.path().join("order.json")).env_clear().env("PATH", "/usr/bin:/bin").env("FROM_IMAGE", "yes").current_dir("/");
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let child = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        Some(Self { child, port, folder, order })
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// One request on a connection of its own; status and body.
    fn ask(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: agent\r\nconnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    fn until_it_answers(&self) {
        let begun = Instant::now();
        while self.ask("/healthz").is_none() {
            assert!(begun.elapsed() < Duration::from_secs(20), "it does not answer: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    async fn stream(&self) -> Box<dyn ByteStream> {
        Box::new(tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.unwrap())
    }

    fn ticket(&self, scope: Scope) -> String {
        ticket_for(&self.order.workspace, self.order.run, &[scope])
    }

    /// Types a line into a new terminal; what is printed until `DONE` comes as a line of its own.
    async fn shell(&self, line: &str) -> String {
        let opening = Opening { session: "main", ..Opening::default() };
        let mut socket = agent_client::open_terminal(self.stream().await, &self.ticket(Scope::Term), &opening).await.unwrap();
        socket.send(Message::Binary(format!("{line}; echo DO''NE\r").into_bytes().into())).await.unwrap();
        let mut printed = String::new();
        let read = async {
            while let Some(Ok(message)) = socket.next().await {
                if let Message::Binary(bytes) = message {
                    printed.push_str(&String::from_utf8_lossy(&bytes));
                }
                if printed.contains("DONE") {
                    return;
                }
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(20), read).await.is_ok(), "{printed}");
        printed
    }

    /// The agent's process, as this host counts.
    fn first(&self) -> rustix::process::Pid {
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.child.id())).unwrap();
        rustix::process::Pid::from_raw(children.split_whitespace().next().unwrap().parse().unwrap()).unwrap()
    }

    /// Asks it to stop, as a kubelet does; how long that took.
    fn stop(&mut self) -> Duration {
        let begun = Instant::now();
        rustix::process::kill_process(self.first(), rustix::process::Signal::TERM).unwrap();
        while self.child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(15), "it did not end: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        begun.elapsed()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_user_without_a_name_works_in_a_container_and_orphans_are_collected() {
    let Some(container) = Container::start(|order| {
        order.env.insert("GREETING".to_owned(), "hello".to_owned());
    }) else {
        return;
    };
    container.until_it_answers();
    let line = "(sleep 0.1 &); for i in $(seq 100); do sleep 0.1; cat /proc/[0-9]*/status 2>&1 | grep -q 'State:.Z' || break; done; echo \"$GREETING $FROM_IMAGE $(id -u) $HOME $(cat /proc/1/comm) \
                zombies=$(cat /proc/[0-9]*/status | grep -c 'State:.Z')\"";
    let printed = container.shell(line).await;
    let expected = format!("hello yes {USER} {} codex-web zombies=0", container.home().display());
    assert!(printed.contains(&expected), "{expected} is not in {printed}");
    // It listens on both families.
    assert!(TcpStream::connect((Ipv6Addr::LOCALHOST, container.port)).is_ok());
}

#[tokio::test]
async fn a_prober_needs_no_ticket_and_learns_nothing_and_everybody_else_needs_one() {
    let Some(container) = Container::start(|_| ()) else { return };
    container.until_it_answers();
    assert_eq!(container.ask("/healthz"), Some((200, String::new())));
    for path in ["/v1/health", "/v1/status", "/v1/term/sessions", "/v1/files/", "/v1/port/22/", "/nonsense"] {
        assert_eq!(container.ask(path).map(|(status, _)| status), Some(401), "{path}");
    }
    // Without the secret of a run there is nothing to prove.
    assert_eq!(container.ask(&format!("/v1/proof?question={}", "a".repeat(64))).map(|(status, _)| status), Some(404));
    let other = Wanted { workspace: &container.order.workspace, run: 2, actor: None, scope: &[Scope::Admin] };
    let other = signer().mint(&other, SystemClock.now(), &SystemEntropy).unwrap();
    let refused = agent_client::status(container.stream().await, &other).await;
    assert!(matches!(refused, Err(AgentError::Refused { status: 401, .. })), "{refused:?}");
    let status = agent_client::status(container.stream().await, &container.ticket(Scope::Admin)).await.unwrap();
    assert_eq!((status["run"].as_i64(), status["sessions"].as_i64()), (Some(1), Some(0)));
}

#[tokio::test]
async fn strangers_at_the_door_do_not_keep_the_server_out() {
    let Some(container) = Container::start(|_| ()) else { return };
    container.until_it_answers();
    // More than are heard at a time; none of them says anything.
    let mut strangers: Vec<TcpStream> = (0..400).map(|_| TcpStream::connect((Ipv4Addr::LOCALHOST, container.port)).unwrap()).collect();
    let ticket = container.ticket(Scope::Admin);
    let asked = agent_client::status(container.stream().await, &ticket);
    tokio::time::timeout(Duration::from_secs(5), asked).await.expect("the server waited behind strangers").unwrap();
    // The eldest had to go.
    strangers[0].set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert!(matches!(strangers[0].read(&mut [0]), Ok(0) | Err(_)));
}

#[tokio::test]
async fn the_command_of_the_recipe_runs_and_its_words_stand_in_the_log() {
    let script = "echo the command says hello; trap 'echo ended well > ended; exit 0' TERM; while :; do sleep 0.05; done";
    let Some(mut container) = Container::start(|order| {
        order.command = ["sh", "-c", script].map(str::to_owned).to_vec();
    }) else {
        return;
    };
    container.until_it_answers();
    let begun = Instant::now();
    while !container.log().lines().any(|line| line == "the command says hello") {
        assert!(begun.elapsed() < Duration::from_secs(10), "{}", container.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    let took = container.stop();
    assert!(took < Duration::from_secs(4), "a stop took {took:?}");
    assert_eq!(fs::read_to_string(container.home().join("ended")).unwrap().trim(), "ended well");
    assert!(container.log().contains("the workspace ended"), "{}", container.log());
}

#[tokio::test]
async fn a_command_that_fails_is_started_again_and_the_server_can_read_why() {
    let Some(container) = Container::start(|order| order.command = ["sh", "-c", "exit 3"].map(str::to_owned).to_vec()) else { return };
    container.until_it_answers();
    let begun = Instant::now();
    loop {
        let status = agent_client::status(container.stream().await, &container.ticket(Scope::Admin)).await.unwrap();
        let notes: Vec<&str> = status["notes"].as_array().unwrap().iter().filter_map(|note| note["code"].as_str()).collect();
        if notes.iter().filter(|code| **code == "command_failed").count() >= 2 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(15), "{status}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(container.log().contains("ended with code 3"), "{}", container.log());
}

#[tokio::test]
async fn an_image_without_a_shell_says_so_and_goes_on() {
    let Some(container) = Container::start(|order| {
        order.env.insert("PATH".to_owned(), "/nowhere".to_owned());
    }) else {
        return;
    };
    container.until_it_answers();
    let opening = Opening { session: "main", ..Opening::default() };
    let refused = agent_client::open_terminal(container.stream().await, &container.ticket(Scope::Term), &opening).await.err();
    assert!(matches!(&refused, Some(AgentError::Refused { status: 501, message, .. }) if message.contains("no shell")), "{refused:?}");
    agent_client::status(container.stream().await, &container.ticket(Scope::Admin)).await.unwrap();
}

#[tokio::test]
async fn keys_in_the_order_are_followed() {
    let Some(container) = Container::start(|_| ()) else { return };
    container.until_it_answers();
    let new = new_signer("codex-web");
    let order = AgentOrder { jwks: new.jwks(), ..container.order.clone() };
    // As a mounted Secret changes: whole.
    let (draft, file) = (container.folder.path().join("draft"), container.folder.path().join("order.json"));
    fs::write(&draft, serde_json::to_vec(&order).unwrap()).unwrap();
    fs::rename(draft, file).unwrap();
    let begun = Instant::now();
    loop {
        let wanted = Wanted { workspace: &order.workspace, run: 1, actor: None, scope: &[Scope::Admin] };
        let ticket = new.mint(&wanted, SystemClock.now(), &SystemEntropy).unwrap();
        if agent_client::status(container.stream().await, &ticket).await.is_ok() {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{}", container.log());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let refused = agent_client::status(container.stream().await, &container.ticket(Scope::Admin)).await;
    assert!(matches!(refused, Err(AgentError::Refused { status: 401, .. })), "{refused:?}");
}

#[tokio::test]
async fn a_home_that_cannot_be_written_ends_the_start_in_words() {
    let Some(mut container) = Container::start(|order| order.home = "/proc/home".to_owned()) else { return };
    let code = container.child.wait().unwrap().code();
    assert_eq!(code, Some(71), "{}", container.log());
    assert!(container.log().contains("The home /proc/home cannot be used"), "{}", container.log());
}

#[test]
fn the_program_installs_itself_as_any_user() {
    let folder = passable_folder();
    let ended = Command::new(binary()).args(["agent", "install"]).arg(folder.path()).output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    let copy = folder.path().join("codex-web");
    let version = |program: &Path| Command::new(program).arg("--version").output().unwrap().stdout;
    assert_eq!(version(&copy), version(&binary()));
    assert_eq!(fs::metadata(&copy).unwrap().len(), fs::metadata(binary()).unwrap().len());
    let refused = Command::new(binary()).args(["agent", "install", "/proc/nowhere"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("cannot be installed in /proc/nowhere"), "{refused:?}");
}

#[test]
fn a_dynamic_build_makes_no_image_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("image.tar");
    let ended = Command::new(binary()).args(["image", "export", "--file"]).arg(&file).output().unwrap();
    let messages = String::from_utf8_lossy(&ended.stderr).into_owned();
    // The shipped executable is static, and tests may be run with it.
    if ended.status.success() {
        assert!(file.exists());
        return;
    }
    assert_eq!((ended.status.code(), file.exists()), (Some(1), false));
    assert!(messages.contains("static executable") && messages.contains("musl"), "{messages}");
}
