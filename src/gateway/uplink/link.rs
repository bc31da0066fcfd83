//! One connection to one agent: opened as any other, and then used the other way round.
//!
//! Everything that is done for the workspace runs in tasks that belong to the connection and end with it, so that
//! cutting it leaves nothing behind.

use super::{Course, Peer, Services, course};
use crate::cluster::ByteStream;
use crate::cluster::agent_client::{AgentError, turn_round};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;

/// Requests and tunnels of one workspace at a time; more wait inside it.
const MOST_STREAMS: u32 = 256;
/// How much one stream may send before the server has read it, in bytes.
const STREAM_WINDOW: u32 = 256 * 1024;
/// The same for all streams together: what a workspace can make the server hold.
const CONNECTION_WINDOW: u32 = 8 * 1024 * 1024;
/// How much of one download is kept ready for the connection, in bytes.
const SEND_BUFFER: usize = 256 * 1024;
/// The headers of one request, in bytes.
const HEADERS: u32 = 16 * 1024;
/// How often a silent agent is asked whether it is still there, and how long it may take to say so.
const PING: Duration = Duration::from_secs(20);
/// How long an agent may take to turn the connection round.
const PATIENCE: Duration = Duration::from_secs(10);

/// The tasks of one connection.
#[derive(Clone, Default)]
struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl Tasks {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What has ended is taken out, so that a connection that lasts for weeks does not gather it.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }
}

impl<F> hyper::rt::Executor<F> for Tasks
where
    F: Future + Send + 'static,
{
    fn execute(&self, task: F) {
        self.spawn(async move { drop(task.await) });
    }
}

/// Ends the tasks with the connection; they hold each other, so dropping is not enough.
struct EndOf(Tasks);

impl Drop for EndOf {
    fn drop(&mut self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}

/// Turns a fresh connection round and answers what comes, until the connection ends. Dropping the future cuts it.
pub async fn serve(stream: Box<dyn ByteStream>, ticket: String, peer: Arc<Peer>, services: Services) -> Result<(), AgentError> {
    let turned = tokio::time::timeout(PATIENCE, turn_round(stream, &ticket)).await;
    let turned = turned.map_err(|_| AgentError::Broken("it took longer than 10 seconds".to_owned()))??;
    let end = EndOf(Tasks::default());
    let tasks = end.0.clone();
    let service = service_fn(move |request| {
        let (peer, services, tasks) = (Arc::clone(&peer), services.clone(), tasks.clone());
        let answer: BoxFuture<'static, _> = Box::pin(guarded(peer, services, tasks, request));
        answer.map(Ok::<_, Infallible>)
    });
    let mut builder = Builder::new(end.0.clone());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(MOST_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(HEADERS)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    let serving: BoxFuture<'static, hyper::Result<()>> = Box::pin(builder.serve_connection(turned, service));
    serving.await.map_err(|error| AgentError::Broken(error.to_string()))
}

/// A service that panics fails that one request (I9).
async fn guarded(peer: Arc<Peer>, services: Services, tasks: Tasks, request: Request<Incoming>) -> Response<super::Body> {
    let answered = AssertUnwindSafe(answered(peer, &services, &tasks, request)).catch_unwind().await;
    answered.unwrap_or_else(|_| {
        tracing::error!("a service of workspaces panicked");
        super::refuse(StatusCode::INTERNAL_SERVER_ERROR, "internal", "The server failed at this; its log says more.")
    })
}

async fn answered(peer: Arc<Peer>, services: &Services, tasks: &Tasks, mut request: Request<Incoming>) -> Response<super::Body> {
    match course(services, &request) {
        Course::Refused(refusal) => *refusal,
        Course::Service(service) => service.call(peer, request).await,
        Course::Tunnel(tunnels, target) => match tunnels.open(peer, target).await {
            Err(refusal) => refusal,
            Ok(carry) => {
                let upgrade = hyper::upgrade::on(&mut request);
                tasks.spawn(async move {
                    if let Ok(upgraded) = upgrade.await {
                        carry(TokioIo::new(upgraded)).await;
                    }
                });
                Response::new(super::body(bytes::Bytes::new()))
            }
        },
    }
}
