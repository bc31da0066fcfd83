//! Bytes both ways, counted as they go.
//!
//! Each direction holds one buffer and reads only what it has passed on, so a slow reader slows the writer and nothing
//! piles up here. An end on one side is passed on while the other direction goes on.

use super::ledger::{Direction, Tunnel};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What one direction holds, in bytes.
const BUFFER: usize = 32 * 1024;

/// Carries until both directions have ended, one has broken, or nothing has moved for `idle`.
pub async fn both_ways<W, R>(workspace: W, remote: R, tunnel: &Tunnel, idle: Duration)
where
    W: AsyncRead + AsyncWrite + Unpin,
    R: AsyncRead + AsyncWrite + Unpin,
{
    let moved = AtomicU64::new(0);
    let (from_workspace, to_workspace) = tokio::io::split(workspace);
    let (from_remote, to_remote) = tokio::io::split(remote);
    let carried = async {
        let out = one_way(from_workspace, to_remote, tunnel, Direction::Out, &moved);
        let back = one_way(from_remote, to_workspace, tunnel, Direction::In, &moved);
        tokio::try_join!(out, back)
    };
    tokio::select! {
        // A break of one side ends the other by dropping it.
        _ = carried => {}
        () = silence(&moved, idle) => {}
    }
}

async fn one_way<R, W>(mut from: R, mut to: W, tunnel: &Tunnel, direction: Direction, moved: &AtomicU64) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut buffer = vec![0_u8; BUFFER];
    loop {
        let n = from.read(&mut buffer).await?;
        moved.fetch_add(1, Ordering::Relaxed);
        if n == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..n]).await?;
        tunnel.count(direction, n);
        moved.fetch_add(1, Ordering::Relaxed);
    }
}

/// Returns once the count has stood still for a whole period.
async fn silence(moved: &AtomicU64, idle: Duration) {
    let mut seen = moved.load(Ordering::Relaxed);
    loop {
        tokio::time::sleep(idle).await;
        let now = moved.load(Ordering::Relaxed);
        if now == seen {
            return;
        }
        seen = now;
    }
}
