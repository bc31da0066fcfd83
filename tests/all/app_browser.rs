//! A browser at the origin of an app: keeps that origin's cookies, follows the hand-off, opens sockets, and can be told
//! to write any bytes at all.

use super::harness::{Client, Harness};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;

/// A whole answer.
#[derive(Debug)]
pub struct Seen {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub text: String,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }
}

/// One browser at one origin.
pub struct Browser {
    pub address: SocketAddr,
    /// `name:port`, as in the address bar.
    pub authority: String,
    pub cookies: Mutex<BTreeMap<String, String>>,
}

impl Browser {
    /// A fresh browser at the origin to which an address belongs.
    pub fn at(url: &str, address: SocketAddr) -> Self {
        let authority = url.split('/').nth(2).unwrap().to_owned();
        Self { address, authority, cookies: Mutex::default() }
    }

    /// Signed in through the whole hand-off, at a port of a workspace.
    pub async fn signed_in(harness: &Harness, who: &Client, workspace: &str, port: u16) -> Self {
        let begun = who.post(&format!("/api/workspaces/{workspace}/open"), json!({ "port": port })).await.expect(200).json;
        let url = begun["url"].as_str().unwrap();
        let browser = Self::at(url, harness.wire().address);
        let landed = browser.hand_off(who, workspace, url).await;
        assert_eq!((landed.status, landed.header("location")), (303, Some("/")), "{landed:?}");
        browser
    }

    /// Follows the start, asks the UI for a code as its page does, and shows the code.
    pub async fn hand_off(&self, who: &Client, workspace: &str, start: &str) -> Seen {
        let code = self.code(who, workspace, start).await;
        self.get(&code).await
    }

    /// The address with the code, as the UI gives it to this browser.
    pub async fn code(&self, who: &Client, workspace: &str, start: &str) -> String {
        let to_ui = self.get(path_of(start)).await.expect(303);
        let location = to_ui.header("location").unwrap();
        let wish: BTreeMap<&str, &str> = location.split_once('#').unwrap().1.split('&').filter_map(|pair| pair.split_once('=')).collect();
        assert_eq!(wish["workspace"], workspace);
        let mut body = json!({ "nonceHash": wish["nonce"] });
        match (wish.get("app"), wish.get("port")) {
            (Some(app), _) => body["app"] = json!(app),
            (_, Some(port)) => body["port"] = json!(port.parse::<u16>().unwrap()),
            _ => panic!("{location}"),
        }
        if wish["to"] != "/" {
            body["to"] = json!(wish["to"].replace("%3F", "?").replace("%3D", "="));
        }
        let made = who.post(&format!("/api/workspaces/{workspace}/open"), body).await.expect(200).json;
        path_of(made["url"].as_str().unwrap()).to_owned()
    }

    pub async fn get(&self, path: &str) -> Seen {
        self.send("GET", path, &[("accept", "text/html,*/*")], Bytes::new()).await
    }

    /// A request as a script of the app makes it.
    pub async fn fetch(&self, path: &str) -> Seen {
        self.send("GET", path, &[("accept", "*/*")], Bytes::new()).await
    }

    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Bytes) -> Seen {
        let response = self.stream(method, path, headers, body).await;
        let (status, headers) = (response.status().as_u16(), pairs(&response));
        let text = match response.into_body().collect().await {
            Ok(bytes) => String::from_utf8_lossy(&bytes.to_bytes()).into_owned(),
            Err(error) => format!("broken off: {error}"),
        };
        Seen { status, headers, text }
    }

    /// One request whose answer is still to be read.
    pub async fn stream(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Bytes) -> hyper::Response<Incoming> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = hyper::Request::builder().method(method).uri(path);
        if !headers.iter().any(|(n, _)| *n == "host") {
            request = request.header("host", &self.authority);
        }
        if let Some(cookies) = self.cookie_line() {
            request = request.header("cookie", cookies);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = sender.send_request(request.body(Full::new(body)).unwrap()).await.unwrap();
        self.keep_cookies(&response);
        response
    }

    pub fn cookie_line(&self) -> Option<String> {
        let cookies = self.cookies.lock().unwrap();
        let pairs: Vec<String> = cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    fn keep_cookies(&self, response: &hyper::Response<Incoming>) {
        for line in response.headers().get_all("set-cookie") {
            let pair = line.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.lock().unwrap().insert(name.to_owned(), value.to_owned());
        }
    }

    /// A WebSocket of the app's own page, or the status with which it was refused.
    pub async fn socket(&self, path: &str, origin: &str) -> Result<WebSocketStream<TcpStream>, u16> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let request = hyper::Request::builder()
            .uri(format!("ws://{}{path}", self.authority))
            .header("host", &self.authority)
            .header("cookie", self.cookie_line().unwrap_or_default())
            .header("origin", origin)
            .header("connection", "keep-alive, Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", generate_key());
        match tokio_tungstenite::client_async(request.body(()).unwrap(), stream).await {
            Ok((socket, _)) => Ok(socket),
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(other) => panic!("{other}"),
        }
    }

    pub fn origin(&self) -> String {
        format!("http://{}", self.authority)
    }

    /// Writes these bytes and reads whatever comes until the other side closes or a moment passes.
    pub async fn raw(&self, bytes: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(std::time::Duration::from_millis(700), stream.read_to_end(&mut answer)).await;
        String::from_utf8_lossy(&answer).into_owned()
    }
}

fn pairs(response: &hyper::Response<Incoming>) -> Vec<(String, String)> {
    response.headers().iter().map(|(n, v)| (n.to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned())).collect()
}

/// Path and query of an address.
pub fn path_of(url: &str) -> &str {
    url.find("://").map_or(url, |at| url[at + 3..].find('/').map_or("/", |slash| &url[at + 3 + slash..]))
}
