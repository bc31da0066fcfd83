//! Joins two streams: what comes from one goes to the other, in both directions, until both have ended or one broke.
//!
//! A piece is passed on as soon as it was read, from a buffer that all joined streams of a thread share, so an open
//! connection on which nothing happens holds no memory. Only what the other side has no room for is kept, and nothing
//! more is read before it went out: whoever is slow slows the other side down. The end of one direction is passed on
//! and leaves the other open, but not for good: who asked and is gone looks just like who asked and still listens.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How much is read at once, in bytes.
const PIECE: usize = 64 * 1024;

thread_local! {
    /// Lent to whoever reads. Empty while it is lent, and before it was first.
    static PIECES: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Passes bytes on in both directions. Ends with the error of the side that broke, and at the latest so long after
/// `asker` has nothing more to say.
pub async fn join<A, B>(mut asker: A, mut answerer: B, linger: Duration) -> io::Result<()>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let (mut there, mut back) = (Way::default(), Way::default());
    let mut end = None;
    poll_fn(|context| {
        let there = there.pass_on(context, &mut asker, &mut answerer)?;
        let back = back.pass_on(context, &mut answerer, &mut asker)?;
        if there.is_pending() || back.is_ready() {
            return if there.is_ready() { Poll::Ready(Ok(())) } else { Poll::Pending };
        }
        let end = end.get_or_insert_with(|| Box::pin(tokio::time::sleep(linger)));
        end.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    })
    .await
}

/// One direction.
#[derive(Default)]
struct Way {
    /// Was read and did not fit; from `sent` on it is still to be written.
    rest: Vec<u8>,
    sent: usize,
    /// Nothing more comes.
    ended: bool,
    /// The other side knows that.
    closed: bool,
}

impl Way {
    /// Moves what can be moved. Ready once everything was, and the end was passed on.
    fn pass_on<R, W>(&mut self, context: &mut Context<'_>, from: &mut R, to: &mut W) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        while !self.closed {
            while self.sent < self.rest.len() {
                let written = ready!(Pin::new(&mut *to).poll_write(context, &self.rest[self.sent..]))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.sent += written;
            }
            // Given back, not kept for the next time: most ways never need it again.
            (self.rest, self.sent) = (Vec::new(), 0);
            if self.ended {
                ready!(Pin::new(&mut *to).poll_shutdown(context))?;
                self.closed = true;
            } else {
                ready!(self.take_a_piece(context, from, to))?;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once and writes as much of that as there is room for.
    fn take_a_piece<R, W>(&mut self, context: &mut Context<'_>, from: &mut R, to: &mut W) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let mut lent = PIECES.take();
        lent.resize(PIECE, 0);
        let mut piece = ReadBuf::new(&mut lent);
        let outcome = Pin::new(from).poll_read(context, &mut piece);
        if let Poll::Ready(Ok(())) = outcome {
            let read = piece.filled();
            self.ended = read.is_empty();
            let written = if self.ended { Poll::Ready(Ok(0)) } else { Pin::new(to).poll_write(context, read) };
            let outcome = match written {
                Poll::Ready(Ok(written)) => Ok(written),
                Poll::Ready(Err(error)) => Err(error),
                Poll::Pending => Ok(0),
            };
            if let Ok(written) = outcome {
                self.rest = read[written..].to_vec();
            }
            PIECES.set(lent);
            return Poll::Ready(outcome.map(drop));
        }
        PIECES.set(lent);
        outcome
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    const LINGER: Duration = Duration::from_millis(300);

    /// The outer ends of two joined pipes that hold so many bytes.
    fn joined(room: usize) -> (DuplexStream, DuplexStream, tokio::task::JoinHandle<io::Result<()>>) {
        let ((left, a), (b, right)) = (duplex(room), duplex(room));
        (left, right, tokio::spawn(join(a, b, LINGER)))
    }

    #[tokio::test]
    async fn bytes_pass_in_both_directions_and_in_order() {
        let (left, right, joining) = joined(100);
        let sent: Vec<u8> = (0..300_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let exchange = |stream: DuplexStream, given: Vec<u8>| async move {
            let (mut read, mut write) = tokio::io::split(stream);
            let writing = async {
                write.write_all(&given).await.unwrap();
                write.shutdown().await.unwrap();
            };
            let mut got = Vec::new();
            let ((), read) = tokio::join!(writing, read.read_to_end(&mut got));
            read.unwrap();
            got
        };
        let back: Vec<u8> = sent.iter().rev().copied().collect();
        let (here, there) = tokio::join!(exchange(left, sent.clone()), exchange(right, back.clone()));
        assert!(here == back && there == sent);
        joining.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn the_end_of_one_direction_leaves_the_other_open() {
        let (mut left, mut right, joining) = joined(100);
        left.write_all(b"question").await.unwrap();
        left.shutdown().await.unwrap();
        let mut got = Vec::new();
        right.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, b"question");
        right.write_all(b"answer").await.unwrap();
        drop(right);
        let mut got = Vec::new();
        left.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, b"answer");
        joining.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn whoever_is_slow_slows_the_other_side_down() {
        let (mut left, mut right, _joining) = joined(1_000);
        let mut sent = 0;
        while let Ok(Ok(count)) = tokio::time::timeout(Duration::from_millis(50), left.write(&[7; 500])).await {
            sent += count;
        }
        // The two pipes, and one piece between them.
        assert!(sent <= 2_000 + PIECE, "{sent} bytes were taken from one side while the other read nothing");
        let mut got = vec![0; sent];
        right.read_exact(&mut got).await.unwrap();
        assert!(got.iter().all(|byte| *byte == 7));
    }

    #[tokio::test]
    async fn who_asked_and_is_gone_does_not_keep_the_other_side_for_good() {
        let (left, mut right, joining) = joined(100);
        drop(left);
        let ended = tokio::time::timeout(Duration::from_secs(5), joining).await.unwrap().unwrap();
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(right.read(&mut [0]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn what_cannot_be_written_any_more_ends_both() {
        let (left, mut right, joining) = joined(100);
        drop(left);
        right.write_all(b"nobody").await.unwrap();
        let ended = tokio::time::timeout(Duration::from_millis(200), joining).await.unwrap().unwrap();
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
