//! The real program with a real workspace in it, and a terminal inside: what the tests of git and of machine routes use.
//!
//! The walls are those that a test asks for; where the host cannot make them the test says so and skips.
#![allow(clippy::print_stderr)] // what is skipped is said

use super::egress_workspace::has;
use super::program::{Program, Server, request, sign_in};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

pub const PASSWORD: &str = "copper violin harbour meadow";
/// How long a line of the timeline, or the answer of a shell, may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// Which walls a test needs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Walls {
    Full,
    /// Those of root in an ordinary container.
    Reduced,
}

/// A server, and the token of ada, who is its administrator and owns the workspaces.
pub struct Real {
    pub program: Program,
    pub server: Server,
    pub token: String,
}

impl Real {
    /// With the walls of tier `full`; `None` where the host has none.
    pub async fn start(settings: &[(&str, &str)]) -> Option<Self> {
        Self::start_behind(Walls::Full, settings).await
    }

    /// `None` where the host has no such walls.
    pub async fn start_behind(walls: Walls, settings: &[(&str, &str)]) -> Option<Self> {
        let mut program = Program::new();
        // The users of workspaces pass through it.
        std::fs::set_permissions(program.dir.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
        program.variables.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        if walls == Walls::Reduced {
            if !rustix::process::geteuid().is_root() || !has("setpriv") {
                eprintln!("SKIPPED: root and setpriv are needed to run as root in a container does");
                return None;
            }
            program.before = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"].map(str::to_owned).to_vec();
        }
        program.add_admin("ada", PASSWORD);
        let server = program.serve();
        let token = sign_in(&server.address, "ada", PASSWORD);
        let real = Self { program, server, token };
        let health = real.health().await;
        let wanted = if walls == Walls::Full { "full isolation" } else { "reduced isolation" };
        if !health.contains(wanted) {
            eprintln!("SKIPPED: {wanted} is needed, and this host has: {health}");
            return None;
        }
        real.call("PATCH", "/api/auth/profile", &json!({"name": "Ada \"the Countess\" Lovelace", "email": "ada@example.org"}), 200);
        real.call("POST", "/api/groups", &json!({"name": "team", "displayName": "Team"}), 201);
        Some(real)
    }

    async fn health(&self) -> String {
        for _ in 0..300 {
            let health = self.get("/api/health/detailed").to_string();
            if !health.contains("testing the sandbox") {
                return health;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        "the self-test did not end".to_owned()
    }

    pub fn get(&self, path: &str) -> Value {
        self.ask("GET", path, &self.token, None).1
    }

    #[track_caller]
    pub fn call(&self, method: &str, path: &str, body: &Value, status: u16) -> Value {
        let (answered, value) = self.ask(method, path, &self.token, Some(body));
        assert_eq!(answered, status, "{method} {path}: {value}");
        value
    }

    /// As somebody with this token.
    pub fn ask(&self, method: &str, path: &str, token: &str, body: Option<&Value>) -> (u16, Value) {
        request(&self.server.address, method, path, Some(token), body).unwrap()
    }

    /// Makes a key for ada, or another one; its public part.
    pub fn key(&self) -> String {
        let made = self.call("POST", "/api/users/me/ssh-key", &json!({}), 201);
        made["publicKey"].as_str().unwrap().to_owned()
    }

    /// Makes a workspace and waits until it runs.
    pub async fn workspace(&self, name: &str, parameters: &Value) -> String {
        let new = json!({"name": name, "groupId": "team", "image": "local:shell", "start": true, "parameters": parameters});
        let made = self.call("POST", "/api/workspaces", &new, 201);
        let id = made["id"].as_str().unwrap().to_owned();
        self.reaches(&id, "running").await;
        id
    }

    /// Waits until a workspace has this status.
    pub async fn reaches(&self, id: &str, status: &str) {
        for _ in 0..600 {
            let now = self.get(&format!("/api/workspaces/{id}"));
            match now["status"].as_str() {
                Some(reached) if reached == status => return,
                Some("error") => panic!("{now}"),
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        panic!("it is not {status}: {}", self.get(&format!("/api/workspaces/{id}/timeline")));
    }

    /// Starts, stops or restarts a workspace and waits until that is done.
    pub async fn act(&self, id: &str, action: &str) {
        self.call("POST", &format!("/api/workspaces/{id}/actions"), &json!({"type": action}), 200);
        self.reaches(id, if action == "stop" { "stopped" } else { "running" }).await;
    }

    pub async fn shell(&self, id: &str) -> Shell {
        self.shell_of(id, &self.token).await
    }

    pub async fn shell_of(&self, id: &str, token: &str) -> Shell {
        let uri = format!("ws://{}/api/workspaces/{id}/terminal?session=main", self.server.address);
        let mut request = uri.into_client_request().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        let port = self.server.address.rsplit(':').next().unwrap();
        request.headers_mut().insert("host", format!("localhost:{port}").parse().unwrap());
        let stream = TcpStream::connect(&self.server.address).await.unwrap();
        Shell { socket: tokio_tungstenite::client_async(request, stream).await.unwrap().0, seen: Vec::new() }
    }

    /// The lines of the timeline with this code, the latest first.
    pub fn lines(&self, id: &str, code: &str) -> Vec<Value> {
        let timeline = self.get(&format!("/api/workspaces/{id}/timeline"));
        timeline.as_array().unwrap().iter().filter(|line| line["code"] == code).cloned().collect()
    }

    /// The message of the latest line with this code, in this run or a later one.
    pub async fn told(&self, id: &str, code: &str, run: i64) -> String {
        let begun = Instant::now();
        loop {
            if let Some(line) = self.lines(id, code).first().filter(|line| line["run"].as_i64() >= Some(run)) {
                return line["message"].as_str().unwrap().to_owned();
            }
            let timeline = self.get(&format!("/api/workspaces/{id}/timeline"));
            assert!(begun.elapsed() < PATIENCE, "nothing told of {code}: {timeline}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The home of a workspace, as the host sees it.
    pub fn home(&self, id: &str) -> PathBuf {
        self.program.data().join("workspaces").join(id).join("home")
    }
}

/// Waits until something holds about a file.
pub async fn until(mut holds: impl FnMut() -> bool, file: &Path) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(30), "waited in vain for {}", file.display());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A terminal of a workspace.
pub struct Shell {
    socket: WebSocketStream<TcpStream>,
    seen: Vec<u8>,
}

impl Shell {
    /// Runs a line; its output and its exit code.
    pub async fn run(&mut self, line: &str) -> (i32, String) {
        self.seen.clear();
        // The marks are not in the echoed line, so they are only found in the output.
        let typed = format!("echo BE\"\"GIN; {line}; echo \"E\"\"ND:$?:\"\r");
        self.socket.send(Message::Binary(typed.into_bytes().into())).await.unwrap();
        let read = async {
            loop {
                let text = String::from_utf8_lossy(&self.seen).replace('\r', "");
                if let Some((before, after)) = text.split_once("END:")
                    && let Some((code, _)) = after.split_once(':')
                {
                    let output = before.rsplit("BEGIN\n").next().unwrap_or_default();
                    return (code.parse().unwrap(), output.to_owned());
                }
                match self.socket.next().await {
                    Some(Ok(Message::Binary(bytes))) => self.seen.extend_from_slice(&bytes),
                    Some(Ok(_)) => {}
                    other => panic!("the terminal ended: {other:?}: {text}"),
                }
            }
        };
        tokio::time::timeout(PATIENCE, read).await.unwrap_or_else(|_| panic!("it hangs: {line}"))
    }

    /// As [`Shell::run`], and it must succeed.
    pub async fn good(&mut self, line: &str) -> String {
        let (code, output) = self.run(line).await;
        assert_eq!(code, 0, "{line}: {output}");
        output.trim().to_owned()
    }

    /// As [`Shell::run`], and it must fail; what it said.
    pub async fn fails(&mut self, line: &str) -> String {
        let (code, output) = self.run(line).await;
        assert_ne!(code, 0, "{line}: {output}");
        output.trim().to_owned()
    }
}
