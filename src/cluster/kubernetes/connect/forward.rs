//! A connection to a port of a pod that the API server carries: the `portforward` of Kubernetes over a WebSocket.
//!
//! Each message begins with the number of its channel: 0 carries the bytes, 1 the one error. The first message on each is
//! the port, little-endian. Nothing is buffered here beyond one message, in either direction: who does not read is not
//! read for, all the way to the program in the pod. What is written goes out without a flush, as from a plain connection.
//! There is no half-closed connection; the end of one is the end of both directions.

use super::Seen;
use crate::cluster::ClusterError;
use crate::cluster::kubernetes::client::Clients;
use bytes::{Buf, Bytes, BytesMut};
use futures_util::task::AtomicWaker;
use futures_util::{Sink, Stream};
use k8s_openapi::api::core::v1::Pod;
use kube::Resource;
use kube::core::Request;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

/// The channels of the one port that is asked for.
const DATA: u8 = 0;
const ERROR: u8 = 1;
/// The most bytes of one message that we send.
const CHUNK: usize = 64 * 1024;

/// Asks the API server for a connection to this port of the pod.
pub async fn open(
    clients: &Clients,
    pod: &Seen,
    port: u16,
) -> Result<Forwarded<impl AsyncRead + AsyncWrite + Send + Unpin + use<>>, ClusterError> {
    let request = Request::new(Pod::url_path(&(), Some(&pod.namespace))).portforward(&pod.name, &[port]);
    let request = request.map_err(|error| ClusterError::Transient(format!("a port-forward cannot be asked for: {error}")))?;
    let client = clients.get().await?;
    let connection = clients.call(client.connect(request)).await?;
    Ok(Forwarded::new(connection.into_stream(), port))
}

/// The bytes of one port.
pub struct Forwarded<S> {
    socket: WebSocketStream<S>,
    port: u16,
    /// Whether the port was named on the channel of the bytes, and on that of the error.
    begun: [bool; 2],
    /// What was received and not read yet.
    rest: Bytes,
    /// Whether something that was written did not go out yet.
    unsent: bool,
    room: Arc<Room>,
}

/// Who is told when there is room to send: whoever writes, and whoever reads, for a writer that is done does not come back.
#[derive(Default)]
struct Room {
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl Wake for Room {
    fn wake(self: Arc<Self>) {
        self.reader.wake();
        self.writer.wake();
    }
}

impl<S> Forwarded<S> {
    pub fn new(socket: WebSocketStream<S>, port: u16) -> Self {
        Self { socket, port, begun: [false; 2], rest: Bytes::new(), unsent: false, room: Arc::default() }
    }

    /// What one message brings: bytes of the port, or the end in words.
    fn take(&mut self, mut message: Bytes) -> io::Result<Bytes> {
        let odd = || io::Error::new(ErrorKind::InvalidData, "the API server sent what is no port-forward");
        if message.is_empty() {
            return Ok(message);
        }
        let channel = message.get_u8();
        let begun = self.begun.get_mut(usize::from(channel)).ok_or_else(odd)?;
        if !*begun {
            *begun = true;
            let named = message.len() == 2 && message.get_u16_le() == self.port;
            return if named { Ok(Bytes::new()) } else { Err(odd()) };
        }
        match channel {
            DATA => Ok(message),
            ERROR => Err(io::Error::new(ErrorKind::ConnectionRefused, words(&message))),
            _ => Err(odd()),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Forwarded<S> {
    /// Sends what can be sent now of what was written; not ready while something is left.
    fn send(&mut self) -> Poll<io::Result<()>> {
        let told = Waker::from(Arc::clone(&self.room));
        let sent = Pin::new(&mut self.socket).poll_flush(&mut Context::from_waker(&told)).map_err(broken);
        self.unsent = sent.is_pending();
        sent
    }
}

/// The error of the node, on one line and bounded.
fn words(text: &[u8]) -> String {
    const LONGEST: usize = 300;
    let line = String::from_utf8_lossy(text).split_whitespace().collect::<Vec<_>>().join(" ");
    let short: String = line.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    format!("the cluster could not forward the port: {short}")
}

fn broken(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        Error::ConnectionClosed | Error::AlreadyClosed => ErrorKind::BrokenPipe.into(),
        other => io::Error::other(other),
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Forwarded<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.room.reader.register(context.waker());
        if self.unsent
            && let Poll::Ready(sent) = self.send()
        {
            sent?;
        }
        loop {
            if !self.rest.is_empty() {
                let length = self.rest.len().min(buffer.remaining());
                buffer.put_slice(&self.rest.split_to(length));
                return Poll::Ready(Ok(()));
            }
            match ready!(Pin::new(&mut self.socket).poll_next(context)) {
                Some(Ok(Message::Binary(message))) => self.rest = self.take(message)?,
                None | Some(Ok(Message::Close(_)) | Err(Error::ConnectionClosed | Error::AlreadyClosed)) => return Poll::Ready(Ok(())),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(broken(error))),
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Forwarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.room.writer.register(context.waker());
        if self.unsent {
            ready!(self.send())?;
        }
        let length = bytes.len().min(CHUNK);
        let mut message = BytesMut::with_capacity(length + 1);
        message.extend_from_slice(&[DATA]);
        message.extend_from_slice(&bytes[..length]);
        Pin::new(&mut self.socket).start_send(Message::Binary(message.freeze())).map_err(broken)?;
        if let Poll::Ready(sent) = self.send() {
            sent?;
        }
        Poll::Ready(Ok(length))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.room.writer.register(context.waker());
        self.send()
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut self.socket).poll_close(context)) {
            Ok(()) | Err(Error::ConnectionClosed | Error::AlreadyClosed) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(broken(error))),
        }
    }
}
