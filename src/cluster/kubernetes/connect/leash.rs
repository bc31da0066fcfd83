//! Connections end with their pod: with that one pod, not with one that has its name.
//!
//! A process that ends closes its connections by itself. A node that is gone, or a network that was cut, does not say
//! anything; but the API server does, and then everything that was connected to the pod ends at once. One task follows
//! the watch for all connections.

use super::Pods;
use crate::cluster::{ClusterError, WorkspaceRef};
use futures_util::future::BoxFuture;
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

/// The connections to one pod.
struct Held {
    workspace: WorkspaceRef,
    /// Dropped when the pod is gone.
    alive: watch::Sender<()>,
}

/// All pods that something is connected to, by their uid.
pub struct Leashes {
    pods: Arc<dyn Pods>,
    held: Mutex<HashMap<String, Held>>,
    follows: Mutex<bool>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Leashes {
    pub fn new(pods: Arc<dyn Pods>) -> Arc<Self> {
        Arc::new(Self { pods, held: Mutex::default(), follows: Mutex::new(false) })
    }

    /// For a connection to this pod.
    pub fn hold(self: &Arc<Self>, workspace: &WorkspaceRef, uid: &str) -> Result<Leash, ClusterError> {
        self.begin()?;
        let mut held = lock(&self.held);
        let entry = held.entry(uid.to_owned()).or_insert_with(|| Held { workspace: workspace.clone(), alive: watch::Sender::new(()) });
        let alive = entry.alive.subscribe();
        drop(held);
        // It may have gone between the look at it and this.
        self.look();
        Ok(Leash(alive))
    }

    /// Begins to follow the watch, with the first connection.
    fn begin(self: &Arc<Self>) -> Result<(), ClusterError> {
        let mut follows = lock(&self.follows);
        if !*follows {
            tokio::spawn(follow(Arc::downgrade(self), self.pods.changes()?));
            *follows = true;
        }
        Ok(())
    }

    /// Lets go of what is gone, and of what nobody is connected to.
    fn look(&self) {
        let is_there = |uid: &str, held: &Held| match self.pods.pod(&held.workspace) {
            Ok(seen) => seen.uid == uid,
            Err(ClusterError::Gone) => false,
            // Not knowing is no reason to cut anything.
            Err(_) => true,
        };
        lock(&self.held).retain(|uid, held| held.alive.receiver_count() > 0 && is_there(uid, held));
    }
}

async fn follow(leashes: Weak<Leashes>, mut changes: watch::Receiver<u64>) {
    while changes.changed().await.is_ok() {
        let Some(leashes) = leashes.upgrade() else { return };
        leashes.look();
    }
}

/// What ends one connection.
pub struct Leash(watch::Receiver<()>);

impl Leash {
    /// The stream, until the pod is gone.
    pub fn around<S>(self, stream: S) -> Leashed<S> {
        let mut alive = self.0;
        let gone: BoxFuture<'static, ()> = Box::pin(async move { while alive.changed().await.is_ok() {} });
        Leashed { stream, gone: Some(gone) }
    }
}

/// A stream that ends when its pod does.
pub struct Leashed<S> {
    stream: S,
    /// `None` once it is.
    gone: Option<BoxFuture<'static, ()>>,
}

impl<S> Leashed<S> {
    fn is_gone(&mut self, context: &mut Context<'_>) -> bool {
        if self.gone.as_mut().is_some_and(|gone| gone.as_mut().poll(context).is_ready()) {
            self.gone = None;
        }
        self.gone.is_none()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Leashed<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_pending() && self.is_gone(context) {
            return Poll::Ready(Err(io::Error::new(ErrorKind::ConnectionAborted, "the pod of the workspace is gone")));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Leashed<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
