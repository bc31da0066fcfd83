//! The bytes of a file, as fast as they are taken: a piece is read when it is asked for, so memory stays flat whatever
//! the file's size, and no thread waits for a slow client.

use crate::agent::files::blocking;
use crate::agent::files::conditions::may_send_part;
use crate::agent::files::entry::Facts;
use crate::agent::files::home::Home;
use crate::agent::files::range::{Slice, Wanted, wanted};
use crate::agent::files::refusal::Refusal;
use crate::agent::http::{Answer, Body};
use crate::domain::file::FileKind;
use crate::domain::home_path::HomePath;
use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG};
use hyper::{HeaderMap, Response, StatusCode};
use rustix::fs::OFlags;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// How much is read at once, in bytes.
pub const PIECE: usize = 256 * 1024;

/// The header with the time of the last write, in milliseconds since 1970.
const MODIFIED: &str = "x-codex-modified";

/// A file that is open for reading.
pub struct Opened {
    file: File,
    facts: Facts,
}

/// Opens a file; anything else is refused before it is touched, since opening a pipe would wake its writer.
pub fn open(home: &Home, path: &HomePath) -> Result<Opened, Refusal> {
    refuse_others(Facts::of_file(home.at(path.as_bytes(), OFlags::PATH)?)?.kind)?;
    let file = home.at(path.as_bytes(), OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?;
    // It may have become something else in between.
    let facts = Facts::of_file(&file)?;
    refuse_others(facts.kind)?;
    Ok(Opened { file: file.into(), facts })
}

fn refuse_others(kind: FileKind) -> Result<(), Refusal> {
    match kind {
        FileKind::File => Ok(()),
        FileKind::Directory => Err(Refusal::is_directory()),
        FileKind::Link | FileKind::Other => Err(Refusal::special()),
    }
}

/// The answer with the bytes that the headers ask for.
pub fn answer(opened: Opened, headers: &HeaderMap) -> Result<Answer, Refusal> {
    let Opened { file, facts } = opened;
    let range = headers.get("range").and_then(|v| v.to_str().ok()).filter(|_| may_send_part(headers, &facts));
    let response = Response::builder()
        .header(CONTENT_TYPE, "application/octet-stream")
        .header(ACCEPT_RANGES, "bytes")
        .header(ETAG, facts.etag())
        .header(MODIFIED, facts.modified_millis());
    let (response, slice) = match wanted(range, facts.size) {
        Wanted::Whole => (response.status(StatusCode::OK), Slice { from: 0, length: facts.size }),
        Wanted::Part(slice) => {
            let told = format!("bytes {}-{}/{}", slice.from, slice.from + slice.length - 1, facts.size);
            (response.status(StatusCode::PARTIAL_CONTENT).header(CONTENT_RANGE, told), slice)
        }
        Wanted::Nothing => return Err(Refusal::new(416, "range", "the file ends before that").number(facts.size)),
    };
    let response = response.header(CONTENT_LENGTH, slice.length).body(pieces(file, slice));
    response.map_err(|error| Refusal::failed(error.to_string()))
}

fn pieces(file: File, slice: Slice) -> Body {
    let (file, end) = (Arc::new(file), slice.from + slice.length);
    let pieces = stream::try_unfold(slice.from, move |at| {
        let file = Arc::clone(&file);
        async move {
            if at >= end {
                return Ok(None);
            }
            let length = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
            let piece = blocking(move || Ok(read_at(&file, at, length)?)).await.map_err(|refusal| io::Error::other(refusal.message))?;
            let next = at + piece.len() as u64;
            Ok::<_, io::Error>(Some((Frame::data(piece), next)))
        }
    });
    StreamBody::new(pieces).boxed_unsync()
}

fn read_at(file: &File, at: u64, length: usize) -> io::Result<Bytes> {
    let mut piece = vec![0; length];
    let read = loop {
        match file.read_at(&mut piece, at) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => break read?,
        }
    };
    // The length was promised: an early end must look like one.
    if read == 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter"));
    }
    piece.truncate(read);
    Ok(piece.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn home() -> (tempfile::TempDir, Home) {
        let base = tempfile::tempdir().unwrap();
        fs::write(base.path().join("digits"), b"0123456789").unwrap();
        let home = Home::open(base.path()).unwrap();
        (base, home)
    }

    fn path(raw: &str) -> HomePath {
        HomePath::of_address(raw).unwrap()
    }

    async fn get(home: &Home, name: &str, range: &[(&'static str, &str)]) -> (u16, HeaderMap, String) {
        let mut headers = HeaderMap::new();
        for (name, value) in range {
            headers.insert(*name, value.parse().unwrap());
        }
        let (head, body) = match answer(open(home, &path(name)).unwrap(), &headers) {
            Ok(answer) => answer.into_parts(),
            Err(refusal) => refusal.answer().into_parts(),
        };
        let bytes = body.collect().await.unwrap().to_bytes();
        (head.status.as_u16(), head.headers, String::from_utf8_lossy(&bytes).into_owned())
    }

    #[tokio::test]
    async fn a_file_is_read_whole_and_in_part() {
        let (_base, home) = home();
        let (status, headers, text) = get(&home, "digits", &[]).await;
        assert_eq!((status, &headers["content-length"], text.as_str()), (200, &"10".parse().unwrap(), "0123456789"));
        let etag = headers["etag"].to_str().unwrap().to_owned();
        let (status, headers, text) = get(&home, "digits", &[("range", "bytes=2-4"), ("if-range", &etag)]).await;
        assert_eq!((status, &headers["content-range"], text.as_str()), (206, &"bytes 2-4/10".parse().unwrap(), "234"));
        let (status, _, text) = get(&home, "digits", &[("range", "bytes=2-4"), ("if-range", "\"other\"")]).await;
        assert_eq!((status, text.as_str()), (200, "0123456789"), "a part of another file is of no use");
        let (status, _, text) = get(&home, "digits", &[("range", "bytes=10-")]).await;
        assert!(status == 416 && text.contains("\"number\":10"), "{text}");
    }

    #[tokio::test]
    async fn a_file_that_shrinks_meanwhile_ends_in_an_error() {
        let (base, home) = home();
        fs::write(base.path().join("long"), vec![7; PIECE * 2]).unwrap();
        let mut body = answer(open(&home, &path("long")).unwrap(), &HeaderMap::new()).unwrap().into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap().len(), PIECE);
        fs::write(base.path().join("long"), b"short").unwrap();
        assert!(body.frame().await.unwrap().is_err());
    }

    #[test]
    fn what_is_no_file_is_refused_without_touching_it() {
        let (base, home) = home();
        let pipe = base.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(base.path().join("socket")).unwrap();
        std::os::unix::fs::symlink("pipe", base.path().join("to-pipe")).unwrap();
        let refused = |name: &str| open(&home, &path(name)).err().unwrap().code;
        for name in ["pipe", "socket", "to-pipe"] {
            assert_eq!(refused(name), "special_file", "{name}");
        }
        assert_eq!((refused(""), refused("none")), ("is_directory", "not_found"));
        let reader = rustix::fs::open(&pipe, OFlags::WRONLY | OFlags::NONBLOCK, rustix::fs::Mode::empty());
        assert_eq!(reader.err(), Some(rustix::io::Errno::NXIO), "nobody reads the pipe");
    }
}
