//! The server's routes for machines, offered on loopback: `$CODEX_WEB_API/machine/…`.
//!
//! What is asked here goes over the connection to the server as it is, the token of the caller included; nothing is
//! added to it. Any other path is not there.

use crate::agent::accept;
use crate::agent::hops;
use crate::agent::http::{Answer, refuse};
use crate::agent::uplink::Uplink;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::HOST;
use hyper::service::service_fn;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// The port where the workspace has a network of its own; elsewhere one that is free.
pub const PORT: u16 = 3129;

/// What may be asked for.
const BELOW: &str = "/api/machine/";
/// Connections that are served at once; more wait.
const MOST_CONNECTIONS: usize = 64;
/// How long a connection may sit without a request.
const IDLE: Duration = Duration::from_secs(60);

/// Listens on loopback; 0 is any free port.
pub async fn listen(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
}

/// Serves what the listener accepts.
pub async fn serve(listener: TcpListener, uplink: Uplink) {
    accept::each(listener, MOST_CONNECTIONS, |stream| one(stream, uplink.clone())).await;
}

async fn one(stream: TcpStream, uplink: Uplink) {
    let service = service_fn(move |request| {
        let uplink = uplink.clone();
        async move { Ok::<_, Infallible>(pass_on(&uplink, request).await) }
    });
    let mut server = hyper::server::conn::http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(IDLE);
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

async fn pass_on(uplink: &Uplink, request: Request<Incoming>) -> Answer {
    if !request.uri().path().starts_with(BELOW) {
        return refuse(StatusCode::NOT_FOUND, "not_found", "Only /api/machine/ is offered here.");
    }
    let mut request = request.map(|body| body.map_err(io::Error::other).boxed_unsync());
    hops::strip(request.headers_mut());
    request.headers_mut().remove(HOST);
    match uplink.request(request).await {
        Ok(mut response) => {
            hops::strip(response.headers_mut());
            response.map(|body| body.map_err(io::Error::other).boxed_unsync())
        }
        Err(error) => refuse(StatusCode::BAD_GATEWAY, "unreachable", &format!("The server cannot be reached: {error}.")),
    }
}
