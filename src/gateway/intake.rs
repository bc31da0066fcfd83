//! Taking in connections from the network: the short way of apps first, the framework for everything else.
//!
//! `actix_web::HttpServer` hands a fresh socket to its dispatcher; a connection whose first bytes were read before needs
//! the layer below it. What is set up here is what that server sets up itself.

use super::Gateway;
use super::lane::Lane;
use actix_http::error::DispatchError;
use actix_http::{HttpService, Protocol};
use actix_server::{GracefulShutdownSignal, Server};
use actix_service::{Service, ServiceFactory, fn_factory, fn_service, map_config};
use actix_web::App;
use actix_web::dev::AppConfig;
use actix_web::web::ServiceConfig;
use bytes::Bytes;
use std::io;
use std::net::TcpListener;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// How long a client may take to send its headers.
pub const HEADER_TIME: Duration = Duration::from_secs(10);
/// How long a connection may lie unused between two requests.
pub const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// What a listener for plain connections is like.
#[derive(Debug, Clone, Copy)]
pub struct Intake {
    pub workers: usize,
    /// Open connections of one worker; more wait in the kernel's queue.
    pub connections: usize,
    /// How long requests may go on after the server was told to stop, in seconds.
    pub grace: u64,
    /// The app's own port, where all that comes is for one app.
    pub port: Option<u16>,
}

/// Serves plain connections of this listener until it is told to stop.
pub fn serve(
    listener: TcpListener,
    intake: Intake,
    gateway: &Gateway,
    configure: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> io::Result<Server> {
    let server = Server::build()
        .workers(intake.workers)
        .max_concurrent_connections(intake.connections)
        .shutdown_timeout(intake.grace)
        .disable_signals();
    let (gateway, stopping) = (gateway.clone(), server.graceful_shutdown_signal());
    let server =
        server.listen("network", listener, move || connections(gateway.clone(), intake.port, stopping.clone(), configure.clone()))?;
    Ok(server.run())
}

/// What each worker does with a connection: the short way, and then, if it goes on, the framework.
fn connections(
    gateway: Gateway,
    port: Option<u16>,
    stopping: GracefulShutdownSignal,
    configure: impl Fn(&mut ServiceConfig) + Clone + 'static,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()> {
    let signal = stopping.clone();
    let framework = HttpService::build()
        .graceful_shutdown_signal(move || {
            let signal = signal.clone();
            async move { signal.notified().await }
        })
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEADER_TIME)
        .finish(map_config(App::new().configure(configure), |()| AppConfig::default()));
    fn_factory(move || {
        let (lane, stopping, framework) = (Lane::new(gateway.clone()), stopping.clone(), framework.new_service(()));
        async move {
            let framework = Rc::new(framework.await?);
            Ok(fn_service(move |client: TcpStream| {
                let (lane, stopping, framework) = (Rc::clone(&lane), stopping.clone(), Rc::clone(&framework));
                async move {
                    let _ = client.set_nodelay(true);
                    let peer = client.peer_addr().ok();
                    let Some((client, read)) = lane.serve(client, port, stopping.notified()).await else { return Ok(()) };
                    framework.call((Begun { read, client }, Protocol::Http1, peer)).await
                }
            }))
        }
    })
}

/// A connection of which something was read already.
struct Begun {
    read: Bytes,
    client: TcpStream,
}

impl AsyncRead for Begun {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut self.client).poll_read(context, buffer);
        }
        let here = self.read.len().min(buffer.remaining());
        buffer.put_slice(&self.read.split_to(here));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Begun {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.client).poll_write(context, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, pieces: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.client).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.client.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.client).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.client).poll_shutdown(context)
    }
}
