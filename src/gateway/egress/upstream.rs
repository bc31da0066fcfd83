//! A tunnel through the site's own proxy.

use super::dial::Failure;
use crate::cluster::ByteStream;
use crate::domain::egress::{Target, Upstream};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue, PROXY_AUTHORIZATION};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::net::TcpStream;

/// How long the proxy may take to open a tunnel: it looks the name up and connects.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks the proxy at the other end for a tunnel.
pub async fn tunnel(stream: TcpStream, upstream: &Upstream, target: &Target) -> Result<Box<dyn ByteStream>, Failure> {
    let asked = tokio::time::timeout(PATIENCE, ask(stream, upstream, target)).await;
    match asked {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(status)) => Err(Failure::Upstream(target.clone(), status)),
        Err(_) => Err(Failure::TimedOut(target.clone())),
    }
}

/// The error is the proxy's status, 0 where it gave none.
async fn ask(stream: TcpStream, upstream: &Upstream, target: &Target) -> Result<Box<dyn ByteStream>, u16> {
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
