//! The head of an app's answer: how long what follows is, and what of it the browser gets.

use super::head::lines;
use crate::error::Error;
use crate::gateway::headers;
use bytes::{Buf, BytesMut};
use hyper::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};

/// More headers than this are no answer.
const MOST_HEADERS: usize = 100;
/// A longer head is no answer, in bytes.
const LONGEST: usize = 256 * 1024;

/// How long the body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    None,
    Known(u64),
    Chunked,
    /// It ends with the connection.
    ToEnd,
}

/// The head of an answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    headers: HeaderMap,
    pub length: Length,
    /// Said of an answer that has no body: to `HEAD`, or by 304.
    announced: Option<u64>,
    /// The connection is good for another request once the body was read.
    pub keeps: bool,
}

/// What was read of an answer so far.
#[derive(Debug)]
pub enum Read {
    Whole(Answer),
    Part,
    /// It is none, or one that this way does not pass on.
    Malformed,
}

impl Answer {
    /// Takes the head from the beginning of what was read; answers that only precede it (1xx) are left out.
    pub fn of(read: &mut BytesMut, to_head: bool) -> Read {
        loop {
            let mut room = [httparse::EMPTY_HEADER; MOST_HEADERS];
            let mut parsed = httparse::Response::new(&mut room);
            let length = match parsed.parse(read) {
                Ok(httparse::Status::Complete(length)) => length,
                Ok(httparse::Status::Partial) if read.len() < LONGEST => return Read::Part,
                _ => return Read::Malformed,
            };
            let (Some(status), Some(version)) = (parsed.code, parsed.version) else { return Read::Malformed };
            if status == 101 {
                return Read::Malformed;
            }
            if (100..200).contains(&status) {
                read.advance(length);
                continue;
            }
            let mut headers = HeaderMap::with_capacity(parsed.headers.len());
            for header in parsed.headers.iter() {
                let (Ok(name), Ok(value)) = (HeaderName::from_bytes(header.name.as_bytes()), HeaderValue::from_bytes(header.value)) else {
                    return Read::Malformed;
                };
                headers.append(name, value);
            }
            read.advance(length);
            return framed(status, version, headers, to_head).map_or(Read::Malformed, Read::Whole);
        }
    }

    /// The head as the browser gets it. `shared`: see [`headers::outward`].
    pub fn written(&self, shared: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(2_048);
        // The reason has no meaning (RFC 9112, 4), and an app's own words there are not passed on.
        let reason = hyper::StatusCode::from_u16(self.status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
        out.extend_from_slice(format!("HTTP/1.1 {} {reason}\r\n", self.status).as_bytes());
        lines(headers::outward(&self.headers, shared).filter(|(name, _)| **name != CONTENT_LENGTH), &mut out);
        match (self.length, self.announced) {
            (Length::Chunked | Length::ToEnd, _) => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
            (Length::Known(bytes), _) | (Length::None, Some(bytes)) => {
                out.extend_from_slice(format!("content-length: {bytes}\r\n").as_bytes());
            }
            (Length::None, None) => {}
        }
        out.extend_from_slice(b"\r\n");
        out
    }
}

/// The end of a connection on which an answer was waited for, in words.
pub fn farewell(error: &Error) -> Vec<u8> {
    let described = error.describe();
    let reason = hyper::StatusCode::from_u16(described.status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
    format!(
        "HTTP/1.1 {} {reason}\r\ncontent-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\nx-content-type-options: nosniff\r\n\
         content-security-policy: default-src 'none'\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{}",
        described.status,
        described.message.len(),
        described.message
    )
    .into_bytes()
}

/// How long the body is (RFC 9112, 6.3). What two readers could read differently is not passed on this way.
fn framed(status: u16, version: u8, headers: HeaderMap, to_head: bool) -> Option<Answer> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let announced = match (lengths.next(), lengths.next()) {
        (None, _) => None,
        (Some(one), None) if !one.is_empty() && one.as_bytes().iter().all(u8::is_ascii_digit) => {
            Some(one.to_str().ok()?.parse::<u64>().ok()?)
        }
        _ => return None,
    };
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let chunked = match (codings.next(), codings.next()) {
        (None, _) => false,
        (Some(one), None) if one.as_bytes().eq_ignore_ascii_case(b"chunked") && announced.is_none() && version == 1 => true,
        _ => return None,
    };
    let bodyless = to_head || matches!(status, 204 | 304);
    let length = match (bodyless, chunked, announced) {
        (true, ..) => Length::None,
        (false, true, _) => Length::Chunked,
        (false, false, Some(bytes)) => Length::Known(bytes),
        (false, false, None) => Length::ToEnd,
    };
    let closes = headers
        .get_all(CONNECTION)
        .iter()
        .any(|value| value.as_bytes().split(|b| *b == b',').any(|token| token.trim_ascii().eq_ignore_ascii_case(b"close")));
    // 204 says nothing of a length (RFC 9110, 8.6).
    let announced = if status == 204 { None } else { announced };
    Some(Answer { status, headers, length, announced, keeps: version == 1 && !closes && length != Length::ToEnd })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, to_head: bool) -> Option<(Answer, String)> {
        let mut read = BytesMut::from(text);
        match Answer::of(&mut read, to_head) {
            Read::Whole(answer) => Some((answer, String::from_utf8(read.to_vec()).unwrap())),
            _ => None,
        }
    }

    #[test]
    fn an_answer_says_how_long_it_is() {
        let (answer, rest) = read("HTTP/1.1 200 Fine\r\nContent-Length: 3\r\nSet-Cookie: a=1; Domain=x\r\nX: y\r\n\r\nabc", false).unwrap();
        assert_eq!((answer.length, answer.keeps, rest.as_str()), (Length::Known(3), true, "abc"));
        assert_eq!(String::from_utf8(answer.written(false)).unwrap(), "HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 3\r\n\r\n");
        let (answer, _) = read(
            "HTTP/1.1 103 Early\r\nlink: x\r\n\r\nHTTP/1.1 404 No\r\nTransfer-Encoding: Chunked\r\nconnection: x, Close\r\n\r\n",
            false,
        )
        .unwrap();
        assert_eq!((answer.status, answer.length, answer.keeps), (404, Length::Chunked, false));
        assert!(answer.written(false).ends_with(b"transfer-encoding: chunked\r\n\r\n"));
        for (text, to_head) in
            [("HTTP/1.1 304 Same\r\ncontent-length: 9\r\n\r\n", false), ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", true)]
        {
            let (answer, _) = read(text, to_head).unwrap();
            assert_eq!(answer.length, Length::None);
            assert!(answer.written(false).ends_with(b"content-length: 9\r\n\r\n"), "{text}");
        }
        let (answer, _) = read("HTTP/1.1 204 None\r\ncontent-length: 0\r\n\r\n", false).unwrap();
        assert_eq!(String::from_utf8(answer.written(false)).unwrap(), "HTTP/1.1 204 No Content\r\n\r\n");
        let (answer, rest) = read("HTTP/1.0 200 OK\r\n\r\nto the end", false).unwrap();
        assert_eq!((answer.length, answer.keeps, rest.as_str()), (Length::ToEnd, false, "to the end"));
        assert!(answer.written(false).ends_with(b"transfer-encoding: chunked\r\n\r\n"));
        assert!(!read("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", false).unwrap().0.keeps);
    }

    #[test]
    fn what_two_readers_could_read_differently_is_not_passed_on() {
        for headers in [
            "content-length: 1\r\ncontent-length: 1\r\n",
            "content-length: 1, 1\r\n",
            "content-length: +1\r\n",
            "content-length: \r\n",
            "content-length: 99999999999999999999\r\n",
            "content-length: 1\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding: gzip, chunked\r\n",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        ] {
            assert!(read(&format!("HTTP/1.1 200 OK\r\n{headers}\r\nx"), false).is_none(), "{headers:?}");
        }
        assert!(read("HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n", false).is_none());
        assert!(read("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", false).is_none());
        assert!(read("nonsense\r\n\r\n", false).is_none());
        assert!(matches!(Answer::of(&mut BytesMut::from("HTTP/1.1 200 OK\r\nx"), false), Read::Part));
        assert!(matches!(
            Answer::of(&mut BytesMut::from(format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(LONGEST)).as_str()), false),
            Read::Malformed
        ));
    }
}
