//! The same application on a real port: for streams, for sockets, and for what only the listener does.

use super::client::{Answer, Client};
use bytes::Bytes;
use codex_web::app::App;
use codex_web::app::listen::block_on;
use codex_web::gateway::intake::{self, Intake};
use codex_web::gateway::ports;
use codex_web::http::server::{ListenerKind, configure};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;

/// A listener on its own thread; it ends with this value.
pub struct Wire {
    pub address: SocketAddr,
    server: actix_web::dev::ServerHandle,
}

impl Drop for Wire {
    fn drop(&mut self) {
        // The order is a message to the server's thread; nobody waits for it here.
        drop(self.server.stop(false));
    }
}

impl Wire {
    pub fn serve(app: Arc<App>, listener: TcpListener) -> Self {
        let address = listener.local_addr().unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let served = block_on(async move {
                actix_web::rt::spawn(ports::keep(app.gateway.clone(), address.ip(), None));
                let gateway = app.gateway.clone();
                let configure = configure(app, ListenerKind::Network);
                let intake = Intake { workers: 1, connections: 10_000, grace: 30, port: None };
                let server = intake::serve(listener, intake, &gateway, configure).unwrap();
                tell.send(server.handle()).unwrap();
                server.await.unwrap();
            });
            served.unwrap();
        });
        Self { address, server: told.recv().unwrap() }
    }

    /// One request on a connection of its own; the body is still to be read.
    pub async fn request(&self, client: &Client, method: &str, path: &str, body: Option<&Value>) -> hyper::Response<Incoming> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = hyper::Request::builder().method(method).uri(path);
        for (name, value) in client.headers() {
            request = request.header(name, value);
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = Full::new(body.map(|b| Bytes::from(b.to_string())).unwrap_or_default());
        sender.send_request(request.body(body).unwrap()).await.unwrap()
    }

    /// One request with its whole answer.
    pub async fn call(&self, client: &Client, method: &str, path: &str, body: Option<Value>) -> Answer {
        let response = self.request(client, method, path, body.as_ref()).await;
        let status = response.status().as_u16();
        let headers = response.headers().iter().map(|(n, v)| (n.to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned())).collect();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status, headers, json: serde_json::from_str(&text).unwrap_or(Value::Null), text }
    }

    /// Follows the live events.
    pub async fn events(&self, client: &Client) -> Events {
        self.stream(client, "/api/events").await
    }

    /// Follows any streamed answer.
    pub async fn stream(&self, client: &Client, path: &str) -> Events {
        let response = self.request(client, "GET", path, None).await;
        assert_eq!(response.status(), 200, "{path}");
        Events { body: response.into_body() }
    }

    /// Opens a socket, or gives the status with which it was refused.
    pub async fn socket(&self, client: &Client, path: &str) -> Result<WebSocketStream<TcpStream>, u16> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let mut request = hyper::Request::builder().uri(format!("ws://{}{path}", self.address));
        for (name, value) in client.headers() {
            request = request.header(name, value);
        }
        let request = request
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", generate_key());
        match tokio_tungstenite::client_async(request.body(()).unwrap(), stream).await {
            Ok((socket, _)) => Ok(socket),
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(other) => panic!("{other}"),
        }
    }
}

/// A streamed answer as it comes.
pub struct Events {
    body: Incoming,
}

impl Events {
    /// The next piece, or `None` when the stream ended; fails when nothing happens for five seconds.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            let frame = tokio::time::timeout(Duration::from_secs(5), self.body.frame()).await.expect("nothing came for five seconds");
            match frame {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Some(String::from_utf8_lossy(&data).into_owned());
                    }
                }
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// Reads until a piece contains the text.
    pub async fn until(&mut self, text: &str) -> String {
        loop {
            let piece = self.next().await.unwrap_or_else(|| panic!("the stream ended before {text}"));
            if piece.contains(text) {
                return piece;
            }
        }
    }

    /// Whether the stream ends within this time, whatever still comes on it.
    pub async fn ends_within(mut self, limit: Duration) -> bool {
        let drain = async { while let Some(Ok(_)) = self.body.frame().await {} };
        tokio::time::timeout(limit, drain).await.is_ok()
    }
}
