//! The head of a request, where it is a simple one. Everything else is left to the framework: it knows the rest of the
//! protocol, and how to refuse.

use crate::gateway::asked::Asked;
use hyper::header::HeaderMap;
use hyper::http::uri::PathAndQuery;

/// More headers than this are the framework's.
pub const MOST_HEADERS: usize = 64;

/// Headers that make a request more than a question: it has a body, or wants something of this hop.
const NOT_SIMPLE: [&str; 9] =
    ["content-length", "transfer-encoding", "upgrade", "expect", "te", "trailer", "keep-alive", "proxy-connection", "http2-settings"];

/// The head of a simple request: `GET` or `HEAD` in HTTP/1.1, without a body, on a connection that stays.
pub struct Head<'h, 'b> {
    method: &'b str,
    /// Path and query, as they came.
    pub path: &'b str,
    /// What `Host` says.
    pub authority: &'b str,
    headers: &'h [httparse::Header<'b>],
}

impl<'h, 'b> Head<'h, 'b> {
    /// The head at the beginning of what was read, and how long it is in bytes.
    pub fn simple(read: &'b [u8], room: &'h mut [httparse::Header<'b>; MOST_HEADERS]) -> Option<(Self, usize)> {
        let mut parsed = httparse::Request::new(room);
        let Ok(httparse::Status::Complete(length)) = parsed.parse(read) else { return None };
        let (method, path, version) = (parsed.method?, parsed.path?, parsed.version?);
        let headers: &'h [httparse::Header<'b>] = parsed.headers;
        let is_question = matches!(method, "GET" | "HEAD") && version == 1 && path.starts_with('/') && PathAndQuery::try_from(path).is_ok();
        if !is_question {
            return None;
        }
        let mut authority = None;
        for header in headers {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            if is("host") {
                if authority.is_some() {
                    return None;
                }
                authority = Some(std::str::from_utf8(header.value).ok()?);
            }
            // Whose word about the client counts is decided by those that can be read.
            let unreadable = (is("forwarded") || is("x-forwarded-for")) && std::str::from_utf8(header.value).is_err();
            let another_hop = is("connection") && !header.value.eq_ignore_ascii_case(b"keep-alive");
            if unreadable || another_hop || NOT_SIMPLE.iter().any(|name| is(name)) {
                return None;
            }
        }
        Some((Self { method, path, authority: authority?, headers }, length))
    }

    /// Names and values as they came.
    pub fn headers(&self) -> impl Iterator<Item = (&'b str, &'b [u8])> {
        self.headers.iter().map(|header| (header.name, header.value))
    }
}

impl Asked for Head<'_, '_> {
    fn method(&self) -> &str {
        self.method
    }

    fn lines<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
        named.filter_map(|header| std::str::from_utf8(header.value).ok())
    }
}

/// A request as it is sent to the app: built from parsed parts, and only the address as it came.
pub fn written(head: &Head<'_, '_>, headers: &HeaderMap) -> Vec<u8> {
    let mut out = Vec::with_capacity(1_024);
    for part in [head.method.as_bytes(), b" ", head.path.as_bytes(), b" HTTP/1.1\r\n"] {
        out.extend_from_slice(part);
    }
    lines(headers.iter(), &mut out);
    out.extend_from_slice(b"\r\n");
    out
}

/// Writes headers line by line.
pub fn lines<'h>(headers: impl Iterator<Item = (&'h hyper::header::HeaderName, &'h hyper::header::HeaderValue)>, out: &mut Vec<u8>) {
    for (name, value) in headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn simple(text: &str) -> Option<(String, usize)> {
        let mut room = [httparse::EMPTY_HEADER; MOST_HEADERS];
        Head::simple(text.as_bytes(), &mut room).map(|(head, length)| (format!("{} {} {}", head.method, head.path, head.authority), length))
    }

    #[test]
    fn a_question_is_simple_and_what_follows_it_is_not_looked_at() {
        let text = "GET /a%2fb?c=d HTTP/1.1\r\nHost: x--1.localhost:8080\r\nConnection: Keep-Alive\r\n\r\n";
        assert_eq!(simple(text), Some(("GET /a%2fb?c=d x--1.localhost:8080".into(), text.len())));
        assert_eq!(simple(&format!("{text}PUT")).unwrap().1, text.len());
        assert!(simple(&text.replace("GET", "HEAD")).is_some());
    }

    #[test]
    fn whatever_is_more_than_a_question_is_not_simple() {
        let text = |line: &str, headers: &str| format!("{line}\r\n{headers}\r\n");
        let host = "Host: x\r\n";
        for line in
            ["POST / HTTP/1.1", "GET / HTTP/1.0", "GET http://x/ HTTP/1.1", "OPTIONS * HTTP/1.1", "get / HTTP/1.1", "GET /\u{7f} HTTP/1.1"]
        {
            assert_eq!(simple(&text(line, host)), None, "{line}");
        }
        for headers in [
            "",
            "Host: x\r\nHost: x\r\n",
            "Host: x\r\nContent-Length: 0\r\n",
            "Host: x\r\ntransfer-ENCODING: chunked\r\n",
            "Host: x\r\nConnection: close\r\n",
            "Host: x\r\nConnection: keep-alive, cookie\r\n",
            "Host: x\r\nUpgrade: websocket\r\n",
            "Host: x\r\nExpect: 100-continue\r\n",
            "Host: x\r\n folded: y\r\n",
            "Host : x\r\n",
            "Host: x\r\nTE: trailers\r\n",
        ] {
            assert_eq!(simple(&text("GET / HTTP/1.1", headers)), None, "{headers:?}");
        }
        assert_eq!(simple("GET / HTTP/1.1\r\nHost: x\r\n"), None, "a part of a head");
        let many = "a: b\r\n".repeat(MOST_HEADERS);
        assert_eq!(simple(&text("GET / HTTP/1.1", &format!("{host}{many}"))), None);
    }
}
