//! An app's answer on its way to the browser: the head and what is here of the body in one piece, the rest as it comes.

use super::answer::{Answer, Length};
use super::chunks::{Chunks, Next};
use super::wires::Taut;
use super::{Admitted, PIECE, unless_over};
use crate::gateway::agents::Wire;
use crate::gateway::visits::over;
use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The end of a chunked body.
const LAST: &[u8] = b"0\r\n\r\n";

/// Writes the answer; `false` where it could not be completed.
pub(super) async fn pass_on(client: &mut TcpStream, wire: &mut Taut, answer: &Answer, admitted: &Admitted) -> bool {
    let mut out = answer.written(admitted.shared);
    match answer.length {
        Length::None => write(client, &out, wire, admitted).await,
        Length::Known(bytes) => {
            let mut left = bytes;
            loop {
                let here = wire.read.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                out.extend_from_slice(&wire.read[..here]);
                wire.read.advance(here);
                left -= here as u64;
                if !write(client, &out, wire, admitted).await {
                    return false;
                }
                if left == 0 {
                    return true;
                }
                out.clear();
                if fill(client, wire, admitted).await != Some(true) {
                    return false;
                }
            }
        }
        Length::ToEnd => loop {
            let here = wire.read.split();
            if !here.is_empty() {
                chunk(&here, &mut out);
            }
            if !out.is_empty() && !write(client, &out, wire, admitted).await {
                return false;
            }
            out.clear();
            match fill(client, wire, admitted).await {
                Some(true) => {}
                Some(false) => return write(client, LAST, wire, admitted).await,
                None => return false,
            }
        },
        Length::Chunked => {
            let mut chunks = Chunks::default();
            loop {
                let Ok(ended) = gather(&mut chunks, &mut wire.read, &mut out) else { return false };
                if (!out.is_empty() && !write(client, &out, wire, admitted).await) || ended {
                    return ended;
                }
                out.clear();
                if fill(client, wire, admitted).await != Some(true) {
                    return false;
                }
            }
        }
    }
}

/// Puts a piece of a body behind what is to be written, as a chunk.
fn chunk(piece: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
    out.extend_from_slice(piece);
    out.extend_from_slice(b"\r\n");
}

/// Puts what was read of a chunked body behind what is to be written; whether it was the last of it.
fn gather(chunks: &mut Chunks, read: &mut BytesMut, out: &mut Vec<u8>) -> std::io::Result<bool> {
    loop {
        match chunks.next(read)? {
            Next::Piece(piece) => chunk(&piece, out),
            Next::More => return Ok(false),
            Next::End => {
                out.extend_from_slice(LAST);
                return Ok(true);
            }
        }
    }
}

async fn write(client: &mut TcpStream, bytes: &[u8], wire: &mut Taut, admitted: &Admitted) -> bool {
    tokio::select! {
        biased;
        written = client.write_all(bytes) => written.is_ok(),
        () = over(admitted.guest.held.cut.clone()) => false,
        _ = wire.wire.live.cut() => false,
    }
}

/// Reads more of the answer: `Some(false)` at the end of the connection, `None` where it broke or is over.
async fn fill(client: &TcpStream, wire: &mut Taut, admitted: &Admitted) -> Option<bool> {
    let Taut { wire: Wire { stream, live, .. }, read } = wire;
    read.reserve(PIECE);
    unless_over(&admitted.guest.held, live, client, stream.read_buf(read)).await.ok()?.ok().map(|count| count > 0)
}
