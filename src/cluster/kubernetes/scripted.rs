//! An API server that answers as a test says: for what a real one does too rarely to wait for.

use super::client::Clients;
use super::settings::KubernetesSettings;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value as Json, json};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// What was asked.
#[derive(Debug, Clone)]
pub struct Call {
    pub at: Instant,
    pub method: String,
    /// With the query.
    pub path: String,
    pub body: Json,
}

/// What is answered: the status, the seconds of `Retry-After`, and the body.
pub struct Answer(pub u16, pub Option<u64>, pub Json);

type Script = Box<dyn FnMut(&Call) -> Answer + Send>;

/// The server; it ends with the test.
pub struct Api {
    calls: Mutex<Vec<Call>>,
    script: Mutex<Script>,
    _folder: tempfile::TempDir,
}

impl Api {
    /// A server and clients of it that wait this long for an answer.
    pub async fn begin(patience: Duration, script: impl FnMut(&Call) -> Answer + Send + 'static) -> (Arc<Self>, Clients) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kubeconfig");
        let cluster = json!({"name": "c", "cluster": {"server": format!("http://{}", listener.local_addr().unwrap())}});
        let context = json!({"name": "c", "context": {"cluster": "c", "user": "u"}});
        let config = json!({"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "contexts": [context], "current-context": "c",
            "users": [{"name": "u", "user": {}}]});
        std::fs::write(&file, config.to_string()).unwrap();
        let api = Arc::new(Self { calls: Mutex::default(), script: Mutex::new(Box::new(script)), _folder: folder });
        let serving = Arc::clone(&api);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let api = Arc::clone(&serving);
                let service = service_fn(move |request| Arc::clone(&api).serve(request));
                tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service));
            }
        });
        let settings = KubernetesSettings { kubeconfig: Some(file), request_timeout: patience, ..KubernetesSettings::new("agent") };
        (api, Clients::new(Arc::new(settings)))
    }

    async fn serve(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (method, path) = (request.method().to_string(), request.uri().to_string());
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let call = Call { at: Instant::now(), method, path, body: serde_json::from_slice(&body).unwrap_or_default() };
        self.calls.lock().unwrap().push(call.clone());
        let Answer(status, retry_after, body) = {
            let mut script = self.script.lock().unwrap();
            (*script)(&call)
        };
        let answer = Response::builder().status(status);
        let answer = match retry_after {
            Some(seconds) => answer.header("retry-after", seconds),
            None => answer,
        };
        Ok(answer.body(Full::new(Bytes::from(body.to_string()))).unwrap())
    }

    /// Everything that was asked so far.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }
}

/// A refusal as the API server writes it.
pub fn refusal(code: u16, reason: &str) -> Answer {
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": reason, "reason": reason, "code": code});
    Answer(code, None, status)
}
