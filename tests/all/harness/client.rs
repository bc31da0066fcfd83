//! One caller: what they show, and how their calls go through the edge and come back.

use bytes::Bytes;
use codex_web::app::App;
use codex_web::clock::SystemEntropy;
use codex_web::domain::id::{SessionId, UserId};
use codex_web::http::edge::{self, Call, Channel};
use codex_web::http::handler::{Reply, ReplyBody};
use codex_web::identity::caller::SESSION_COOKIE;
use codex_web::store::sessions;
use codex_web::token::access::{self, AccessSubject};
use futures_util::StreamExt;
use secrecy::ExposeSecret;
use serde_json::Value;
use std::net::IpAddr;
use std::sync::Arc;

/// How the caller shows who they are.
#[derive(Debug, Clone)]
pub enum Shows {
    Nothing,
    /// As our own page would: with the cookie and the browser's word that the page is ours.
    Cookie {
        secret: String,
        session: SessionId,
    },
    Bearer(String),
}

/// A caller. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    pub app: Arc<App>,
    pub channel: Channel,
    user: Option<UserId>,
    pub shows: Shows,
    extra: Vec<(String, String)>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub text: String,
    /// `null` when the body is no JSON.
    pub json: Value,
}

impl Client {
    pub fn new(app: Arc<App>, channel: Channel, user: Option<UserId>, shows: Shows) -> Self {
        Self { app, channel, user, shows, extra: Vec::new() }
    }

    /// Who this is.
    pub fn user_id(&self) -> &UserId {
        self.user.as_ref().expect("this client is nobody")
    }

    /// The sign-in behind the cookie.
    pub fn session_id(&self) -> &SessionId {
        match &self.shows {
            Shows::Cookie { session, .. } => session,
            other => panic!("no cookie but {other:?}"),
        }
    }

    /// The same caller with one more header on every call.
    #[must_use]
    pub fn with_header(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client.extra.push((name.to_ascii_lowercase(), value.to_owned()));
        client
    }

    /// The same caller from another address.
    #[must_use]
    #[allow(clippy::wrong_self_convention)] // it reads as English: a client from an address
    pub fn from_address(&self, address: &str) -> Self {
        Self { channel: Channel::Network(address.parse::<IpAddr>().unwrap()), ..self.clone() }
    }

    /// The same sign-in shown as an access token, as an API client does.
    #[must_use]
    pub fn by_token(&self) -> Self {
        Self { shows: Shows::Bearer(self.access_token()), ..self.clone() }
    }

    /// The same caller with this token.
    #[must_use]
    pub fn with_bearer(&self, token: &str) -> Self {
        Self { shows: Shows::Bearer(token.to_owned()), ..self.clone() }
    }

    /// The same place, another credential.
    #[must_use]
    pub fn showing(&self, shows: &Shows) -> Self {
        Self { shows: shows.clone(), ..self.clone() }
    }

    /// The same caller with this session cookie.
    #[must_use]
    pub fn with_cookie(&self, secret: &str) -> Self {
        let session = SessionId::trusted("unknown".into());
        Self { shows: Shows::Cookie { secret: secret.to_owned(), session }, ..self.clone() }
    }

    /// A good access token for the sign-in behind the cookie.
    pub fn access_token(&self) -> String {
        let (user, session) = (self.user_id().clone(), self.session_id().clone());
        let of = user.clone();
        let token_version = self.app.ops.db.read_blocking(move |read| sessions::token_version(read, &of)).unwrap().unwrap();
        let subject = AccessSubject { user, session, token_version };
        let token = access::issue(&self.app.keys.access(), self.app.keys.issuer(), &subject, self.app.clock.now(), &SystemEntropy);
        token.unwrap().token.expose_secret().to_owned()
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, Some(body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.call("PUT", path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call("PATCH", path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, None).await
    }

    /// Any call; the path may carry a query.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let (headers, body) = match body {
            Some(body) => (vec![("content-type", "application/json")], body.to_string()),
            None => (Vec::new(), String::new()),
        };
        Answer::of(self.raw(method, path, &headers, body.into()).await).await
    }

    /// The reply itself, for streams.
    pub async fn raw(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Bytes) -> Reply {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let given = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        let headers = self.headers().into_iter().chain(given).collect();
        let call = Call {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            channel: self.channel.clone(),
            body: Ok(body),
            raw: None,
        };
        edge::serve(Arc::clone(&self.app), call).await
    }

    /// The headers of every call. What [`Client::with_header`] gave replaces the usual value.
    pub fn headers(&self) -> Vec<(String, String)> {
        let mut headers = vec![("host".to_owned(), self.host()), ("user-agent".to_owned(), "harness".to_owned())];
        match &self.shows {
            Shows::Nothing => {}
            Shows::Cookie { secret, .. } => {
                headers.push(("cookie".to_owned(), format!("{}={secret}", self.app.transport.cookies.name(SESSION_COOKIE))));
                headers.push(("sec-fetch-site".to_owned(), "same-origin".to_owned()));
            }
            Shows::Bearer(token) => headers.push(("authorization".to_owned(), format!("Bearer {token}"))),
        }
        headers.retain(|(name, _)| !self.extra.iter().any(|(n, _)| n == name) || name == "cookie");
        headers.extend(self.extra.iter().filter(|(_, value)| !value.is_empty()).cloned());
        headers
    }

    fn host(&self) -> String {
        let url = &self.app.transport.public_url;
        format!("localhost:{}", url.port)
    }
}

impl Answer {
    /// Reads the reply to its end; a stream is read as far as it goes within a moment.
    pub async fn of(reply: Reply) -> Self {
        let headers = reply.headers.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect();
        let text = match reply.body {
            ReplyBody::Empty | ReplyBody::Upgraded(_) => String::new(),
            ReplyBody::Json(text) | ReplyBody::Text(text) => text,
            ReplyBody::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            ReplyBody::Stream(mut stream) | ReplyBody::Sized(_, mut stream) => {
                let mut bytes = Vec::new();
                while let Ok(Some(Ok(part))) = tokio::time::timeout(std::time::Duration::from_millis(200), stream.next()).await {
                    bytes.extend_from_slice(&part);
                }
                String::from_utf8_lossy(&bytes).into_owned()
            }
        };
        Self { status: reply.status, headers, json: serde_json::from_str(&text).unwrap_or(Value::Null), text }
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// All values of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str()).collect()
    }

    /// The stable word of a refusal, empty when it is none.
    pub fn code(&self) -> &str {
        self.json["error"]["code"].as_str().unwrap_or_default()
    }

    /// `field:code` of each invalid field.
    pub fn fields(&self) -> Vec<String> {
        let fields = self.json["error"]["fields"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        fields.iter().map(|f| format!("{}:{}", text(&f["field"]), text(&f["code"]))).collect()
    }

    /// Demands a status; the answer is shown when it differs.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{} {:?}", self.text, self.headers);
        self
    }

    /// The value of a cookie that the answer sets.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let set = self.all("set-cookie").into_iter().find_map(|line| line.strip_prefix(&format!("{name}=")))?;
        set.split(';').next().map(str::to_owned)
    }
}
