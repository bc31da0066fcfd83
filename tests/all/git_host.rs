//! Git servers of the tests, as git hosts run them: `git http-backend` behind TLS, a user name and a token, and OpenSSH
//! with a file of keys. Both serve one repository from an address of loopback that is not the workspace's own.

#![allow(clippy::print_stderr)] // what is skipped is said

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Where the servers are.
pub const ADDRESS: &str = "127.0.0.2";

/// Runs a line of shell in a folder; it must succeed.
#[track_caller]
pub fn host(folder: &Path, line: &str) -> String {
    let ran = Command::new("sh").args(["-ec", line]).current_dir(folder).output().unwrap();
    assert!(ran.status.success(), "{line}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8_lossy(&ran.stdout).trim().to_owned()
}

/// A bare repository `tool.git` with one commit on `main`.
fn repository(folder: &Path) {
    host(
        folder,
        "git init -q --bare tool.git; git init -q seed; cd seed; echo hello > README; git add README; \
         git -c user.name=Seed -c user.email=seed@example.org commit -q -m first; git push -q ../tool.git HEAD:refs/heads/main; \
         git -C ../tool.git symbolic-ref HEAD refs/heads/main; git -C ../tool.git config http.receivepack true",
    );
}

/// The last commit of `main`: author and subject.
fn last(folder: &Path) -> String {
    host(folder, "git -C tool.git log --format='%an <%ae> %s' -1 main")
}

/// Git over https. Serves until the process ends.
pub struct HttpsHost {
    dir: tempfile::TempDir,
    pub port: u16,
    login: Arc<Mutex<Login>>,
}

/// Who may come in, and what was shown.
#[derive(Default)]
struct Login {
    /// User name and token; `None`: everybody.
    wanted: Option<String>,
    shown: Vec<Option<String>>,
}

impl HttpsHost {
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        repository(dir.path());
        let tls = certificate(dir.path());
        let listener = std::net::TcpListener::bind((ADDRESS, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let login: Arc<Mutex<Login>> = Arc::default();
        let served = serve(listener, tls, dir.path().to_owned(), Arc::clone(&login));
        // A thread of its own: tests ask Codex Web in ways that keep theirs busy.
        std::thread::spawn(|| tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(served));
        Self { dir, port, login }
    }

    /// The certificate authority that signed the server's certificate, in PEM.
    pub fn authority(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    pub fn place(&self) -> String {
        format!("{ADDRESS}:{}", self.port)
    }

    pub fn repository(&self) -> String {
        format!("https://{}/tool.git", self.place())
    }

    /// From now on only this name with this token comes in.
    pub fn admit(&self, username: &str, token: &str) {
        self.login.lock().unwrap().wanted = Some(STANDARD.encode(format!("{username}:{token}")));
    }

    /// What requests showed since the last call.
    pub fn shown(&self) -> Vec<Option<String>> {
        std::mem::take(&mut self.login.lock().unwrap().shown)
    }

    pub fn last(&self) -> String {
        last(self.dir.path())
    }
}

/// A certificate authority, and a certificate of it for the server: as a site with its own authority has them.
fn certificate(folder: &Path) -> TlsAcceptor {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::default();
    ca.distinguished_name.push(DnType::CommonName, "Test authority");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let signed = ca.self_signed(&ca_key).unwrap();
    std::fs::write(folder.join("ca.pem"), signed.pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let issuer = Issuer::new(ca, ca_key);
    let own = CertificateParams::new([ADDRESS.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let private = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    TlsAcceptor::from(Arc::new(config.with_no_client_auth().with_single_cert(vec![own.der().clone()], private).unwrap()))
}

async fn serve(listener: std::net::TcpListener, tls: TlsAcceptor, folder: PathBuf, login: Arc<Mutex<Login>>) {
    let listener = TcpListener::from_std(listener).unwrap();
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, folder, login) = (tls.clone(), folder.clone(), Arc::clone(&login));
        tokio::spawn(async move {
            let Ok(stream) = tls.accept(stream).await else { return };
            let service = service_fn(move |request| {
                let (folder, login) = (folder.clone(), Arc::clone(&login));
                async move { Ok::<_, Infallible>(answer(request, &folder, &login).await) }
            });
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(request: Request<Incoming>, folder: &Path, login: &Mutex<Login>) -> Response<Full<Bytes>> {
    let shown = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Basic ").map(str::to_owned));
    let admitted = {
        let mut login = login.lock().unwrap();
        login.shown.push(shown.as_deref().map(|text| String::from_utf8(STANDARD.decode(text).unwrap()).unwrap()));
        login.wanted.is_none() || login.wanted == shown
    };
    if !admitted {
        let mut refused = Response::new(Full::from("Who are you?\n"));
        *refused.status_mut() = StatusCode::UNAUTHORIZED;
        refused.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"git\""));
        return refused;
    }
    let (head, body) = request.into_parts();
    let header = |name| head.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
    let body = body.collect().await.unwrap().to_bytes();
    let mut backend = tokio::process::Command::new("git");
    backend
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", folder)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", head.method.as_str())
        .env("PATH_INFO", head.uri.path())
        .env("QUERY_STRING", head.uri.query().unwrap_or_default())
        .env("CONTENT_TYPE", header(CONTENT_TYPE))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", header(CONTENT_ENCODING))
        .env("GIT_PROTOCOL", head.headers.get("git-protocol").and_then(|v| v.to_str().ok()).unwrap_or_default())
        .env("REMOTE_USER", "tester")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let mut child = backend.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let fed = tokio::spawn(async move {
        let _ = input.write_all(&body).await;
    });
    let output = child.wait_with_output().await.unwrap().stdout;
    let _ = fed.await;
    from_cgi(&output)
}

/// The answer of a CGI program: headers, an empty line, the body.
fn from_cgi(output: &[u8]) -> Response<Full<Bytes>> {
    let end = output.windows(4).position(|four| four == b"\r\n\r\n").expect("a CGI answer has a head");
    let mut response = Response::new(Full::from(output[end + 4..].to_vec()));
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        let (name, value) = line.split_once(": ").unwrap();
        if name == "Status" {
            *response.status_mut() = value.split(' ').next().unwrap().parse().unwrap();
        } else {
            let name = hyper::header::HeaderName::try_from(name).unwrap();
            response.headers_mut().insert(name, HeaderValue::try_from(value).unwrap());
        }
    }
    response
}

/// Git over ssh, by OpenSSH's own server.
pub struct SshHost {
    dir: tempfile::TempDir,
    pub port: u16,
    server: Child,
}

impl SshHost {
    /// `None` where there is no sshd, or nobody who may start it.
    pub fn start() -> Option<Self> {
        let sshd = ["/usr/sbin/sshd", "/usr/local/sbin/sshd"].into_iter().find(|path| Path::new(path).exists());
        let (Some(sshd), true) = (sshd, rustix::process::geteuid().is_root()) else {
            eprintln!("SKIPPED: this needs openssh-server, and root to start it");
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        repository(dir.path());
        host(dir.path(), "ssh-keygen -q -t ed25519 -N '' -f host; touch keys; mkdir -p /run/sshd");
        let port = std::net::TcpListener::bind((ADDRESS, 0)).unwrap().local_addr().unwrap().port();
        let path = |name: &str| dir.path().join(name).display().to_string();
        let config = format!(
            "Port {port}\nListenAddress {ADDRESS}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\nUsePAM no\n\
             PermitRootLogin prohibit-password\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n",
            path("host"),
            path("keys"),
        );
        std::fs::write(dir.path().join("config"), config).unwrap();
        let mut ssh = Self { server: spawn(sshd, dir.path()), dir, port };
        ssh.wait();
        Some(ssh)
    }

    fn wait(&mut self) {
        for _ in 0..200 {
            if std::net::TcpStream::connect((ADDRESS, self.port)).is_ok() {
                return;
            }
            assert!(self.server.try_wait().unwrap().is_none(), "sshd ended");
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("sshd does not listen");
    }

    pub fn place(&self) -> String {
        format!("{ADDRESS}:{}", self.port)
    }

    pub fn repository(&self) -> String {
        format!("ssh://root@{}{}/tool.git", self.place(), self.dir.path().display())
    }

    /// From now on this key comes in and no other.
    pub fn admit(&self, key: &str) {
        std::fs::write(self.dir.path().join("keys"), format!("{key}\n")).unwrap();
    }

    /// Another machine answers at the same place: same repository, another key of its own.
    pub fn replace(&mut self) {
        let sshd = ["/usr/sbin/sshd", "/usr/local/sbin/sshd"].into_iter().find(|path| Path::new(path).exists()).unwrap();
        self.stop();
        host(self.dir.path(), "rm host host.pub; ssh-keygen -q -t ed25519 -N '' -f host");
        self.server = spawn(sshd, self.dir.path());
        self.wait();
    }

    pub fn last(&self) -> String {
        last(self.dir.path())
    }

    fn stop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn spawn(sshd: &str, dir: &Path) -> Child {
    Command::new(sshd).args(["-D", "-e", "-f"]).arg(dir.join("config")).stderr(Stdio::null()).spawn().unwrap()
}

impl Drop for SshHost {
    fn drop(&mut self) {
        self.stop();
    }
}
