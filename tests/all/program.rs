//! The executable as its users have it: started as a process, talked to over its socket, judged by its exit code.
//!
//! `CODEX_WEB_TEST_BINARY` names another build of it, which is how the shipped one is tested.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The executable under test.
pub fn binary() -> PathBuf {
    std::env::var_os("CODEX_WEB_TEST_BINARY").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_codex-web")), PathBuf::from)
}

/// A data directory and what is run on it.
pub struct Program {
    pub dir: tempfile::TempDir,
    pub variables: Vec<(String, String)>,
    /// A program that starts the server, with its arguments: to take something away from it.
    pub before: Vec<String>,
}

impl Program {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run").to_string_lossy().into_owned();
        Self { dir, variables: vec![("RUNTIME_DIRECTORY".into(), run)], before: Vec::new() }
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The command with nothing of the test's own environment that could matter.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut words = self.before.iter().map(std::ffi::OsString::from).chain([binary().into_os_string()]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words);
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path).env("HOME", self.dir.path()).env("CODEX_WEB_DATA_DIR", self.data());
        command.envs(self.variables.iter().map(|(name, value)| (name, value))).args(arguments).current_dir(self.dir.path());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, "")
    }

    /// As [`Program::run`], with text on standard input.
    pub fn run_with(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        Ran::from(child.wait_with_output().unwrap())
    }

    /// Makes the first administrator without a server.
    pub fn add_admin(&self, name: &str, password: &str) {
        let email = format!("{name}@example.org");
        self.run_with(&["user", "add", name, "--email", &email, "--admin", "--password-stdin"], password).expect(0);
    }

    /// Starts the server on a free port of loopback and waits until it is ready.
    pub fn serve(&self) -> Server {
        self.serve_on("127.0.0.1:0")
    }

    /// Starts the server on this address and waits until it is ready.
    pub fn serve_on(&self, listen: &str) -> Server {
        let mut command = self.command(&["serve", "--listen", listen, "--log-format", "json"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let (said, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = said.send(line);
            }
        });
        let mut log = Vec::new();
        let deadline = Instant::now() + Duration::from_secs(30);
        while let Ok(line) = lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            log.push(line);
            if let Some(address) = event["listen"].as_str() {
                let address = address.to_owned();
                return Server { child, address, started: event, lines };
            }
        }
        let _ = child.kill();
        panic!("the server did not start:\n{}", log.join("\n"));
    }
}

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub messages: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap_or(-1), out: text(output.stdout), messages: text(output.stderr) }
    }
}

impl Ran {
    /// Fails with everything that was said unless the exit code is this one.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A running server.
pub struct Server {
    pub child: Child,
    /// `127.0.0.1:PORT`.
    pub address: String,
    /// The log line that said so.
    pub started: Value,
    /// What it goes on to say on standard error.
    pub lines: mpsc::Receiver<String>,
}

impl Server {
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.child.id().cast_signed()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Asks it to stop and waits for it.
    pub fn stop(mut self) -> i32 {
        self.signal(rustix::process::Signal::TERM);
        self.child.wait().unwrap().code().unwrap_or(-1)
    }

    /// The power goes: no goodbye.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One request on a connection of its own; `None` when the server went away before it answered.
pub fn request(address: &str, method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> Option<(u16, Value)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let port = address.rsplit(':').next().unwrap();
    let bearer = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost:{port}\r\nconnection: close\r\ncontent-type: application/json\r\n{bearer}content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length: usize = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    // An answer that was cut off in the middle is no acknowledgement.
    (body.len() == length).then(|| (status, serde_json::from_str(body).unwrap_or_default()))
}

/// Signs in and answers the access token.
pub fn sign_in(address: &str, name: &str, password: &str) -> String {
    let body = serde_json::json!({"username": name, "password": password});
    let (status, answer) = request(address, "POST", "/api/auth/login", None, Some(&body)).unwrap();
    assert_eq!(status, 200, "{answer}");
    answer["accessToken"].as_str().unwrap().to_owned()
}
