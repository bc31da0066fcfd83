//! How commands reach the application: over the control socket of a running server, or by building the application in
//! this process under the data directory's lock. Either way it is the same application: the same routes, the same
//! policy, the same audit entries, with the actor `cli:<system user>`.

use super::exit::{Exit, Failure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value as Json;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tokio::net::UnixStream;

/// What an answer holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// One way to the application.
pub trait Transport {
    /// Sends one request; `body` is JSON. The body of a successful answer goes to `out` as it comes, and the answer's
    /// own body is empty then; without `out` it is gathered.
    fn call(&self, method: &str, path: &str, body: Option<&Json>, out: Option<&mut dyn Write>) -> Result<Answer, Failure>;
}

/// The application, wherever it runs.
pub struct Control(Box<dyn Transport>);

impl Control {
    pub fn new(transport: impl Transport + 'static) -> Self {
        Self(Box::new(transport))
    }

    pub fn get(&self, path: &str) -> Result<Json, Failure> {
        self.json("GET", path, None)
    }

    pub fn post(&self, path: &str, body: &Json) -> Result<Json, Failure> {
        self.json("POST", path, Some(body))
    }

    /// Copies the body of a successful answer, which may be longer than memory.
    pub fn copy(&self, path: &str, out: &mut dyn Write) -> Result<(), Failure> {
        let answer = self.0.call("POST", path, Some(&Json::Object(serde_json::Map::new())), Some(out))?;
        if answer.status < 400 { Ok(()) } else { Err(refusal(answer.status, &serde_json::from_slice(&answer.body).unwrap_or(Json::Null))) }
    }

    /// The JSON of a successful answer; a refusal becomes the failure that the person reads.
    fn json(&self, method: &str, path: &str, body: Option<&Json>) -> Result<Json, Failure> {
        let answer = self.0.call(method, path, body, None)?;
        let json: Json = if answer.body.is_empty() { Json::Null } else { serde_json::from_slice(&answer.body).unwrap_or(Json::Null) };
        if answer.status < 400 { Ok(json) } else { Err(refusal(answer.status, &json)) }
    }
}

/// The envelope of an error in words.
fn refusal(status: u16, json: &Json) -> Failure {
    let error = &json["error"];
    let mut text = error["message"].as_str().map_or_else(|| format!("The server answered {status}."), str::to_owned);
    let fields = error["fields"].as_array().map(Vec::as_slice).unwrap_or_default();
    if fields.len() > 1 {
        for field in fields {
            let _ = write!(text, "\n  {}: {}", field["field"].as_str().unwrap_or_default(), field["message"].as_str().unwrap_or_default());
        }
    }
    if status >= 500
        && let Some(call) = error["callid"].as_str()
    {
        let _ = write!(text, " (call {call} in the server's log)");
    }
    Failure::failed(text)
}

/// The control socket of a running server.
pub struct Socket {
    path: PathBuf,
    runtime: tokio::runtime::Runtime,
}

impl Socket {
    /// `None` when nobody listens there.
    pub fn connect(path: &Path) -> Result<Option<Self>, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        match runtime.block_on(UnixStream::connect(path)) {
            Ok(_) => Ok(Some(Self { path: path.to_owned(), runtime })),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(Failure::failed(format!(
                "{} belongs to another user: run this command as the user that the server runs as.",
                path.display()
            ))),
            Err(error) => Err(Failure::failed(format!("{}: {error}", path.display()))),
        }
    }
}

impl Transport for Socket {
    fn call(&self, method: &str, path: &str, body: Option<&Json>, out: Option<&mut dyn Write>) -> Result<Answer, Failure> {
        let exchange = exchange(&self.path, method, path, body.map(Json::to_string), out);
        self.runtime
            .block_on(exchange)
            .map_err(|error| Failure::new(Exit::Failed, format!("The running server did not answer on {}: {error}", self.path.display())))
    }
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// One request on a connection of its own.
async fn exchange(
    socket: &Path,
    method: &str,
    path: &str,
    body: Option<String>,
    mut out: Option<&mut dyn Write>,
) -> Result<Answer, AnyError> {
    let stream = UnixStream::connect(socket).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = hyper::Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("user-agent", concat!("codex-web-cli/", env!("CARGO_PKG_VERSION")))
        .body(Full::new(Bytes::from(body.unwrap_or_default())))?;
    let answer = async {
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let mut incoming = response.into_body();
        let mut body = Vec::new();
        while let Some(frame) = incoming.frame().await {
            let Ok(piece) = frame?.into_data() else { continue };
            match out.as_mut().filter(|_| status < 400) {
                Some(out) => out.write_all(&piece)?,
                None => body.extend_from_slice(&piece),
            }
        }
        Ok::<Answer, AnyError>(Answer { status, body })
    };
    let mut answer = std::pin::pin!(answer);
    let mut connection = std::pin::pin!(connection);
    // The connection must be driven while the answer is waited for; it may end right after the answer is complete.
    tokio::select! {
        answer = &mut answer => answer,
        ended = &mut connection => {
            ended?;
            answer.await
        }
    }
}

/// A query string from names and values; empty without any.
pub fn query(pairs: &[(&str, Option<&str>)]) -> String {
    let given: Vec<String> = pairs.iter().filter_map(|(name, value)| value.map(|value| format!("{name}={}", encode(value)))).collect();
    if given.is_empty() { String::new() } else { format!("?{}", given.join("&")) }
}

/// Percent-encodes everything but unreserved characters (RFC 3986).
pub fn encode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::io::Read;
    use std::os::unix::net::UnixListener;

    #[test]
    fn nobody_listening_is_no_error() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Socket::connect(&dir.path().join("control.sock")).unwrap().is_none());
        let path = dir.path().join("stale.sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(Socket::connect(&path).unwrap().is_none());
    }

    #[test]
    fn a_request_travels_over_the_socket_and_its_refusal_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let server = std::thread::spawn(move || {
            // The first connection only asks whether somebody is there.
            let _probe = listener.accept().unwrap();
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap();
            let body = json!({"error": {"message": "Taken.", "fields": []}}).to_string();
            write!(stream, "HTTP/1.1 409 Conflict\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
            String::from_utf8_lossy(&request[..read]).into_owned()
        });
        let control = Control::new(Socket::connect(&path).unwrap().unwrap());
        let failure = control.post("/api/admin/users", &json!({"username": "ada"})).unwrap_err();
        assert_eq!(failure, Failure::failed("Taken."));
        let request = server.join().unwrap();
        assert!(request.starts_with("POST /api/admin/users HTTP/1.1\r\n") && request.ends_with("{\"username\":\"ada\"}"), "{request}");
    }

    #[test]
    fn values_in_addresses_are_encoded() {
        assert_eq!(query(&[("search", Some("a b&c=é")), ("status", None)]), "?search=a%20b%26c%3D%C3%A9");
        assert_eq!(query(&[("status", None)]), "");
    }
}
