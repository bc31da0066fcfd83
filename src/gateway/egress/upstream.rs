//! A tunnel through the site's own proxy, which is spoken to in the clear or by TLS, as the operator wrote it.

use super::dial::Failure;
use crate::cluster::ByteStream;
use crate::domain::egress::{Host, Target, Upstream};
use crate::error::Result as Outcome;
use crate::transport::trust::{ExtraCa, client_config};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue, PROXY_AUTHORIZATION};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long the proxy may take to open a tunnel: it looks the name up and connects.
const PATIENCE: Duration = Duration::from_secs(20);

/// The site's proxy, and what this server needs to speak to it.
pub struct SiteProxy {
    pub upstream: Upstream,
    tls: Option<TlsConnector>,
}

impl SiteProxy {
    /// Where the proxy is spoken to by TLS, its certificate must come from an authority of the system or an added one.
    pub fn new(upstream: Upstream, extra: Option<&ExtraCa>) -> Outcome<Self> {
        let tls = upstream.is_encrypted.then(|| client_config(extra)).transpose()?.map(TlsConnector::from);
        Ok(Self { upstream, tls })
    }

    /// Asks the proxy at the other end for a tunnel.
    pub async fn tunnel(&self, stream: TcpStream, target: &Target) -> Result<Box<dyn ByteStream>, Failure> {
        let asked = tokio::time::timeout(PATIENCE, async {
            let stream = self.secured(stream).await.map_err(|error| distrusted(&error, target))?;
            ask(stream, &self.upstream, target).await.map_err(|status| Failure::Upstream(target.clone(), status))
        });
        asked.await.unwrap_or_else(|_| Err(Failure::TimedOut(target.clone())))
    }

    async fn secured(&self, stream: TcpStream) -> io::Result<Box<dyn ByteStream>> {
        let Some(tls) = &self.tls else { return Ok(Box::new(stream)) };
        let name = match &self.upstream.target.host {
            Host::Name(name) => ServerName::try_from(name.clone()).map_err(io::Error::other)?,
            Host::Address(address) => ServerName::from(*address),
        };
        Ok(Box::new(tls.connect(name, stream).await?))
    }
}

/// A proxy that proves nothing is another trouble than one that does not answer: the operator cures it elsewhere.
fn distrusted(error: &io::Error, target: &Target) -> Failure {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(_)) => Failure::Distrusted(target.clone()),
        _ => Failure::Upstream(target.clone(), 0),
    }
}

/// The error is the proxy's status, 0 where it gave none.
async fn ask(stream: Box<dyn ByteStream>, upstream: &Upstream, target: &Target) -> Result<Box<dyn ByteStream>, u16> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|_| 0_u16)?;
    tokio::spawn(connection.with_upgrades());
    let mut request = Request::builder().method(Method::CONNECT).uri(target.to_string()).header(HOST, target.to_string());
    if let Some((user, password)) = &upstream.credentials {
        let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))).map_err(|_| 0_u16)?;
        value.set_sensitive(true);
        request = request.header(PROXY_AUTHORIZATION, value);
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(|_| 0_u16)?;
    let response = sender.send_request(request).await.map_err(|_| 0_u16)?;
    if !response.status().is_success() {
        return Err(response.status().as_u16());
    }
    let upgraded = hyper::upgrade::on(response).await.map_err(|_| 0_u16)?;
    Ok(Box::new(TokioIo::new(upgraded)))
}
