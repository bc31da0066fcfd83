//! Real git and ssh in a real workspace, started by the real program: keys and tokens of the owner are used inside and
//! never found there.
//!
//! Needs the walls of tier `full`; where the host cannot make them the tests say so and skip.
#![allow(clippy::print_stderr)] // what is skipped is said

use super::program::{Program, Server, request, sign_in};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const PASSWORD: &str = "copper violin harbour meadow";

/// A server, its owner's token, and where the server's files are.
struct Real {
    program: Program,
    server: Server,
    token: String,
}

impl Real {
    /// `None` where the host has no tier `full`.
    async fn start(settings: &[(&str, &str)]) -> Option<Self> {
        let mut program = Program::new();
        program.variables.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        program.add_admin("ada", PASSWORD);
        let server = program.serve();
        let token = sign_in(&server.address, "ada", PASSWORD);
        let real = Self { program, server, token };
        let tier = real.tier().await;
        if !tier.contains("full") {
            eprintln!("SKIPPED: tier full is needed, and this host has: {tier}");
            return None;
        }
        real.call("PATCH", "/api/auth/profile", &json!({"name": "Ada \"the Countess\" Lovelace", "email": "ada@example.org"}), 200);
        real.call("POST", "/api/groups", &json!({"name": "team", "displayName": "Team"}), 201);
        Some(real)
    }

    async fn tier(&self) -> String {
        for _ in 0..300 {
            let health = self.get("/api/health/detailed").to_string();
            if !health.contains("testing the sandbox") {
                return health;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        "the self-test did not end".to_owned()
    }

    fn get(&self, path: &str) -> Value {
        request(&self.server.address, "GET", path, Some(&self.token), None).unwrap().1
    }

    #[track_caller]
    fn call(&self, method: &str, path: &str, body: &Value, status: u16) -> Value {
        let (answered, value) = request(&self.server.address, method, path, Some(&self.token), Some(body)).unwrap();
        assert_eq!(answered, status, "{method} {path}: {value}");
        value
    }

    fn key(&self) -> String {
        let made = self.call("POST", "/api/users/me/ssh-key", &json!({}), 201);
        made["publicKey"].as_str().unwrap().to_owned()
    }

    /// Makes a workspace and waits until it runs.
    async fn workspace(&self, name: &str, parameters: &Value) -> String {
        let new = json!({"name": name, "groupId": "team", "image": "local:shell", "start": true, "parameters": parameters});
        let made = self.call("POST", "/api/workspaces", &new, 201);
        let id = made["id"].as_str().unwrap().to_owned();
        self.runs(&id).await;
        id
    }

    /// Waits until a workspace runs.
    async fn runs(&self, id: &str) {
        for _ in 0..600 {
            let now = self.get(&format!("/api/workspaces/{id}"));
            match now["status"].as_str() {
                Some("running") => return,
                Some("error") => panic!("{now}"),
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        panic!("it does not start: {}", self.get(&format!("/api/workspaces/{id}/timeline")));
    }

    async fn shell(&self, id: &str) -> Shell {
        let uri = format!("ws://{}/api/workspaces/{id}/terminal?session=main", self.server.address);
        let mut request = uri.into_client_request().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {}", self.token).parse().unwrap());
        let port = self.server.address.rsplit(':').next().unwrap();
        request.headers_mut().insert("host", format!("localhost:{port}").parse().unwrap());
        let stream = TcpStream::connect(&self.server.address).await.unwrap();
        Shell { socket: tokio_tungstenite::client_async(request, stream).await.unwrap().0, seen: Vec::new() }
    }

    /// The message of the first line of the timeline with this code.
    async fn told(&self, id: &str, code: &str) -> String {
        let begun = Instant::now();
        loop {
            let timeline = self.get(&format!("/api/workspaces/{id}/timeline"));
            let lines = timeline.as_array().unwrap();
            if let Some(line) = lines.iter().find(|line| line["code"] == code) {
                return line["message"].as_str().unwrap().to_owned();
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "nothing told of {code}: {timeline}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// A terminal of a workspace.
struct Shell {
    socket: WebSocketStream<TcpStream>,
    seen: Vec<u8>,
}

impl Shell {
    /// Runs a line; its output and its exit code.
    async fn run(&mut self, line: &str) -> (i32, String) {
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
        tokio::time::timeout(Duration::from_secs(60), read).await.unwrap_or_else(|_| panic!("it hangs: {line}"))
    }

    /// As [`Shell::run`], and it must succeed.
    async fn good(&mut self, line: &str) -> String {
        let (code, output) = self.run(line).await;
        assert_eq!(code, 0, "{line}: {output}");
        output.trim().to_owned()
    }
}

#[tokio::test]
async fn git_knows_its_owner_signs_with_their_key_and_finds_no_private_part() {
    let Some(real) = Real::start(&[]).await else { return };
    let key = real.key();
    let id = real.workspace("mine", &json!({})).await;
    let mut shell = real.shell(&id).await;
    assert_eq!(shell.good("git config user.name").await, "Ada \"the Countess\" Lovelace");
    assert_eq!(shell.good("git config user.email").await, "ada@example.org");
    assert_eq!(shell.good("ssh-add -L").await, key);
    // A commit is signed by the server and verified by git itself.
    shell.good("git init -q work && cd work && echo one > file && git add file").await;
    shell.good("git -c gpg.format=ssh commit -q -S -m first").await;
    shell.good("(printf 'ada@example.org '; ssh-add -L) > ~/signers").await;
    let verified = shell.good("git -c gpg.ssh.allowedSignersFile=$HOME/signers verify-commit -v HEAD 2>&1").await;
    assert!(verified.contains("Good \"git\" signature for ada@example.org"), "{verified}");
    // Anything else is refused.
    let (code, _) = shell.run("echo text > text && ssh-add -L > key.pub && ssh-keygen -Y sign -n file -f key.pub text 2>&1").await;
    assert_ne!(code, 0, "only git objects are signed");
    for line in ["ssh-add -D", "ssh-keygen -q -t ed25519 -N '' -f own && ssh-add own"] {
        assert_ne!(shell.run(&format!("{line} 2>&1")).await.0, 0, "{line}");
    }
    // A person's own files go before.
    shell.good("git config --global user.name Somebody && test \"$(git config user.name)\" = Somebody").await;
    let private =
        shell.run("grep -rlsa 'PRIVATE KEY' /run/ws /tmp /etc /proc/1/environ /proc/1/cmdline 2>/dev/null | grep -v '/etc/ssl'").await.1;
    assert_eq!(private.trim(), "");
    let entries = real.get("/api/admin/audit-logs?action=use_ssh_key");
    assert!(entries.to_string().contains("git_object"), "{entries}");
    assert_eq!(real.server.stop(), 0);
    drop(real.program);
}

#[tokio::test]
async fn a_credential_is_given_to_git_for_its_host_and_is_read_nowhere_else() {
    let Some(real) = Real::start(&[]).await else { return };
    real.call("PUT", "/api/users/me/git-credentials/git.example.org", &json!({"username": "oauth2", "token": "s3cret-t0ken"}), 200);
    let id = real.workspace("mine", &json!({})).await;
    let mut shell = real.shell(&id).await;
    let fill = |host: &str| format!("printf 'protocol=https\\nhost={host}\\n\\n' | GIT_TERMINAL_PROMPT=0 git credential fill 2>&1");
    let filled = shell.good(&fill("git.example.org")).await;
    assert!(filled.contains("username=oauth2") && filled.contains("password=s3cret-t0ken"), "{filled}");
    for host in ["example.org", "git.example.org:8443", "git.example.org.evil.example"] {
        assert_ne!(shell.run(&fill(host)).await.0, 0, "{host}");
    }
    let over_http = "printf 'protocol=http\\nhost=git.example.org\\n\\n' | GIT_TERMINAL_PROMPT=0 git credential fill 2>&1";
    assert_ne!(shell.run(over_http).await.0, 0);
    // Git offers what worked to the helper; nothing of it is kept.
    shell.good("printf 'protocol=https\\nhost=a.example.org\\nusername=x\\npassword=y\\n\\n' | git credential approve").await;
    assert_ne!(shell.run(&fill("a.example.org")).await.0, 0);
    let found = shell.run("grep -rls s3cret-t0ken ~ /run/ws /tmp /etc 2>/dev/null").await.1;
    assert_eq!(found.trim(), "");
    real.call("DELETE", "/api/users/me/git-credentials/git.example.org", &json!({}), 204);
    assert_ne!(shell.run(&fill("git.example.org")).await.0, 0, "a removed token is gone at once");
    assert_eq!(real.server.stop(), 0);
}

#[tokio::test]
async fn a_repository_that_cannot_be_had_is_told_with_a_remedy_and_the_workspace_runs_all_the_same() {
    let Some(real) = Real::start(&[]).await else { return };
    let id = real.workspace("mine", &json!({"repository": "https://127.0.0.2:9/team/tool.git"})).await;
    assert_eq!(real.told(&id, "cloning").await, "Cloning https://127.0.0.2:9/team/tool.git into ~/tool.");
    let why = real.told(&id, "clone_failed").await;
    assert!(why.starts_with("The rules of this server do not let workspaces reach 127.0.0.2.") && why.contains("Network tab"), "{why}");
    let mut shell = real.shell(&id).await;
    assert_eq!(shell.good("ls -A | grep -c tool || true").await, "0", "nothing is left of it");
    // What a person puts there is theirs: it is not tried again.
    shell.good("mkdir tool && touch tool/mine").await;
    real.call("POST", &format!("/api/workspaces/{id}/actions"), &json!({"type": "restart"}), 200);
    real.runs(&id).await;
    assert_eq!(real.shell(&id).await.good("ls tool").await, "mine");
    let timeline = real.get(&format!("/api/workspaces/{id}/timeline"));
    assert_eq!(timeline.as_array().unwrap().iter().filter(|line| line["code"] == "cloning").count(), 1, "{timeline}");
    for bad in ["file:///etc", "--upload-pack=x", "https://ada:secret@git.example.org/a"] {
        let new = json!({"name": "other", "groupId": "team", "image": "local:shell", "parameters": {"repository": bad}});
        for path in ["/api/workspaces", "/api/workspaces?dryRun=true"] {
            let refused = real.call("POST", path, &new, 400);
            assert_eq!(refused["error"]["fields"][0]["field"], "parameters.repository", "{refused}");
        }
    }
    assert_eq!(real.server.stop(), 0);
}
