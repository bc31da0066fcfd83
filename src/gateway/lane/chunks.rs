//! A chunked body (RFC 9112, 7.1), piece by piece as it comes. Extensions and trailers belong to the hop and are dropped.

use bytes::{Buf, Bytes, BytesMut};
use std::io;

/// A longer line of a size or a trailer is refused, in bytes.
const LONGEST_LINE: usize = 8 * 1024;
/// More trailers than this are refused, in bytes.
const LONGEST_TRAILERS: usize = 64 * 1024;

/// Where in a body it stands.
#[derive(Debug, Default)]
pub struct Chunks {
    at: At,
    trailers: usize,
}

#[derive(Debug, Default)]
enum At {
    #[default]
    Size,
    /// So many bytes of this chunk are still to come.
    Data(u64),
    /// The line end behind a chunk.
    Behind,
    Trailers,
    End,
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    Piece(Bytes),
    /// It goes on with what is not read yet.
    More,
    End,
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a chunked body is malformed")
}

impl Chunks {
    /// Takes the next piece from what was read.
    pub fn next(&mut self, read: &mut BytesMut) -> io::Result<Next> {
        loop {
            match self.at {
                At::Size => match httparse::parse_chunk_size(read) {
                    Ok(httparse::Status::Complete((line, size))) => {
                        read.advance(line);
                        self.at = if size == 0 { At::Trailers } else { At::Data(size) };
                    }
                    Ok(httparse::Status::Partial) if read.len() < LONGEST_LINE => return Ok(Next::More),
                    _ => return Err(malformed()),
                },
                At::Data(_) if read.is_empty() => return Ok(Next::More),
                At::Data(left) => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(read.len());
                    let left = left - here as u64;
                    self.at = if left == 0 { At::Behind } else { At::Data(left) };
                    return Ok(Next::Piece(read.split_to(here).freeze()));
                }
                At::Behind => match read.get(..2) {
                    Some(b"\r\n") => {
                        read.advance(2);
                        self.at = At::Size;
                    }
                    Some(_) => return Err(malformed()),
                    None => return Ok(Next::More),
                },
                At::Trailers => {
                    let Some(end) = read.windows(2).position(|two| two == b"\r\n") else {
                        return if read.len() < LONGEST_LINE { Ok(Next::More) } else { Err(malformed()) };
                    };
                    read.advance(end + 2);
                    self.trailers += end;
                    if self.trailers > LONGEST_TRAILERS {
                        return Err(malformed());
                    }
                    if end == 0 {
                        self.at = At::End;
                    }
                }
                At::End => return Ok(Next::End),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body, fed in steps of so many bytes, and what is left behind its end.
    fn body(text: &str, step: usize) -> io::Result<(String, String)> {
        let (mut chunks, mut read, mut found) = (Chunks::default(), BytesMut::new(), Vec::new());
        let mut given = text.as_bytes().chunks(step);
        loop {
            match chunks.next(&mut read)? {
                Next::Piece(piece) => found.extend_from_slice(&piece),
                Next::More => read.extend_from_slice(given.next().ok_or_else(malformed)?),
                Next::End => {
                    let rest = read.iter().copied().chain(given.flatten().copied()).collect::<Vec<_>>();
                    return Ok((String::from_utf8(found).unwrap(), String::from_utf8(rest).unwrap()));
                }
            }
        }
    }

    #[test]
    fn a_body_is_the_same_however_it_arrives() {
        let text = "4;name=value\r\nWiki\r\n6\r\npedia \r\nE\r\nin \r\n\r\nchunks.\r\n0\r\nExpires: never\r\n\r\nHTTP";
        for step in 1..text.len() {
            assert_eq!(body(text, step).unwrap(), ("Wikipedia in \r\n\r\nchunks.".into(), "HTTP".into()), "{step}");
        }
    }

    #[test]
    fn what_is_no_chunk_is_an_error_and_not_an_end() {
        for text in ["x\r\n", "-1\r\nab\r\n0\r\n\r\n", "2\r\nabc\r\n0\r\n\r\n", "fffffffffffffffff\r\n", "4\r\nWi", "4\r\nWiki\r\n0\r\n"] {
            assert!(body(text, 3).is_err(), "{text:?}");
        }
        assert!(body(&format!("0\r\n{}", "a".repeat(9_000)), 1_000).is_err());
    }
}
