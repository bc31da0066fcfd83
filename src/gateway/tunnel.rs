//! WebSockets, as bytes: after the handshake nothing is parsed, so that every extension and subprotocol passes.
//!
//! Each direction moves one buffer at a time, so whoever is slow slows the other side down. Both end with the visit.

use super::headers;
use super::proxy::builder;
use super::visits::{Held, over};
use crate::error::{Error, Result};
use crate::gateway::agents::{AgentBody, Kept};
use actix_web::{HttpResponse, web};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use hyper::Response;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf, ReadHalf, WriteHalf};

/// The buffer of one direction, in bytes: most sockets carry short messages, and there may be a thousand.
const SMALL: usize = 4 * 1024;
/// What it grows to while more is there than fits.
const LARGE: usize = 64 * 1024;

/// Answers the handshake as the app did, and joins the two sides.
pub async fn open(held: Arc<Held>, mut answer: Response<AgentBody>, payload: web::Payload, shared: bool) -> Result<HttpResponse> {
    let broken = |_| Error::WorkspaceUnreachable("The app broke off the handshake.".to_owned());
    let app = hyper::upgrade::on(&mut answer).await.map_err(broken)?;
    let (head, body) = answer.into_parts();
    let (from_app, to_app) = tokio::io::split(TokioIo::new(app));
    let upward = Arc::clone(&held);
    actix_web::rt::spawn(async move {
        tokio::select! {
            biased;
            () = over(upward.cut.clone()) => {}
            () = up(&upward, payload, to_app) => {}
        }
    });
    let down = Down { app: from_app, buffer: BytesMut::new(), size: SMALL, over: Box::pin(over(held.cut.clone())), _kept: body.keep() };
    Ok(builder(101, headers::outward(&head.headers, shared)).upgrade("websocket").streaming(down))
}

/// From the browser to the app; the app's side is closed with it.
async fn up(held: &Arc<Held>, mut browser: web::Payload, mut app: WriteHalf<TokioIo<Upgraded>>) {
    while let Some(Ok(bytes)) = browser.next().await {
        held.count(bytes.len() as u64);
        if app.write_all(&bytes).await.is_err() {
            return;
        }
    }
    // The app may have closed first.
    let _ = app.shutdown().await;
}

/// From the app to the browser.
struct Down {
    app: ReadHalf<TokioIo<Upgraded>>,
    buffer: BytesMut,
    size: usize,
    over: Pin<Box<dyn Future<Output = ()>>>,
    _kept: Kept,
}

impl futures_util::Stream for Down {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let this = &mut *self;
        if this.over.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        if this.buffer.capacity() < this.size {
            this.buffer.reserve(this.size);
        }
        this.buffer.resize(this.size, 0);
        let mut read = ReadBuf::new(&mut this.buffer);
        let outcome = Pin::new(&mut this.app).poll_read(context, &mut read);
        let filled = read.filled().len();
        match outcome {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Some(Err(error))),
            Poll::Ready(Ok(())) if filled == 0 => Poll::Ready(None),
            Poll::Ready(Ok(())) => {
                this.buffer.truncate(filled);
                let bytes = this.buffer.split().freeze();
                this.size = if filled == this.size { LARGE } else { SMALL.max(filled.next_power_of_two()).min(LARGE) };
                Poll::Ready(Some(Ok(bytes)))
            }
        }
    }
}
