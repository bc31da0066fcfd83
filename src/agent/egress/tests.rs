//! The proxy from the side of programs, on real sockets, with an outside that leads wherever a test wants.

use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Leads every authority to one server of this machine, and notes what was asked for.
struct OneServer {
    port: u16,
    asked: std::sync::Mutex<Vec<String>>,
}

impl Outside for OneServer {
    fn connect<'a>(&'a self, authority: &'a str) -> BoxFuture<'a, Result<Box<dyn Stream>, Refusal>> {
        self.asked.lock().unwrap().push(authority.to_owned());
        Box::pin(async move {
            if authority.starts_with("refused.") {
                let message = "refused.example:443 is refused: it is not on the list.";
                return Err(Refusal::new(StatusCode::FORBIDDEN, "not_listed", message));
            }
            Ok(Box::new(TcpStream::connect(("127.0.0.1", self.port)).await.unwrap()) as Box<dyn Stream>)
        })
    }
}

/// Reads one message with a head and the body that `content-length` says.
async fn message(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => bytes.push(byte),
            Err(_) => return String::from_utf8(bytes).unwrap(),
        }
    }
    let head = String::from_utf8(bytes).unwrap();
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    head + &String::from_utf8(body).unwrap()
}

/// A server that answers each request with the request itself; every `each` requests it closes.
async fn mirror(each: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                for _ in 0..each {
                    let request = message(&mut stream).await;
                    if request.is_empty() {
                        return;
                    }
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nKeep-Alive: timeout=5\r\nX-Kept: 1\r\n\r\n{request}",
                        request.len()
                    );
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    port
}

async fn proxy(each: usize) -> (TcpStream, Arc<OneServer>) {
    let outside = Arc::new(OneServer { port: mirror(each).await, asked: std::sync::Mutex::default() });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, Arc::clone(&outside) as _));
    (TcpStream::connect(address).await.unwrap(), outside)
}

async fn exchange(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), message(stream)).await.unwrap()
}

#[tokio::test]
async fn a_plain_request_reaches_the_server_without_what_belongs_to_this_hop() {
    let (mut stream, outside) = proxy(9).await;
    let request = "POST http://user:secret@Registry.example/a%2Fb?q=1 HTTP/1.1\r\nHost: elsewhere.example\r\nProxy-Authorization: Basic x\r\n\
        Proxy-Connection: keep-alive\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nTE: trailers\r\nX-Other: 2\r\nContent-Length: 3\r\n\r\nabc";
    let answer = exchange(&mut stream, request).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let (head, seen) = answer.split_once("\r\n\r\n").unwrap();
    assert!(seen.starts_with("POST /a%2Fb?q=1 HTTP/1.1\r\n"), "{seen}");
    assert!(seen.ends_with("\r\n\r\nabc"), "{seen}");
    let seen = seen.to_ascii_lowercase();
    assert!(seen.contains("host: registry.example\r\n") && seen.contains("x-other: 2") && seen.contains("via: 1.1 codex-web"), "{seen}");
    for gone in ["elsewhere", "proxy-", "x-mine", "te:", "secret", "connection:"] {
        assert!(!seen.contains(gone), "{gone} in {seen}");
    }
    assert!(!head.contains("timeout=5") && head.contains("X-Kept: 1"), "{head}");
    assert_eq!(*outside.asked.lock().unwrap(), ["Registry.example:80"]);
}

#[tokio::test]
async fn one_connection_serves_many_requests_and_outlives_a_server_that_closes() {
    let (mut stream, outside) = proxy(2).await;
    for n in 0..4 {
        let answer = exchange(&mut stream, &format!("GET http://a.example:8080/{n} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        assert!(
            answer.contains(&format!("GET /{n} HTTP/1.1\r\n")) && answer.to_ascii_lowercase().contains("host: a.example:8080"),
            "{answer}"
        );
    }
    // The server closes after every second request.
    assert_eq!(*outside.asked.lock().unwrap(), ["a.example:8080", "a.example:8080"]);
    let _ = exchange(&mut stream, "GET http://b.example/ HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(outside.asked.lock().unwrap().last().unwrap(), "b.example:80");
}

#[tokio::test]
async fn requests_that_are_sent_at_once_are_answered_in_order() {
    let (mut stream, _) = proxy(9).await;
    let all: String = (0..3).map(|n| format!("GET http://a.example/{n} HTTP/1.1\r\nHost: x\r\n\r\n")).collect();
    stream.write_all(all.as_bytes()).await.unwrap();
    for n in 0..3 {
        let answer = tokio::time::timeout(Duration::from_secs(5), message(&mut stream)).await.unwrap();
        assert!(answer.contains(&format!("GET /{n} HTTP/1.1")), "{answer}");
    }
}

#[tokio::test]
async fn a_tunnel_carries_whatever_is_in_it() {
    let (mut stream, outside) = proxy(9).await;
    let answer = exchange(&mut stream, "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 Connection established\r\n"), "{answer}");
    let inside = exchange(&mut stream, "GET /inside HTTP/1.1\r\nHost: y\r\nContent-Length: 0\r\n\r\n").await;
    assert!(inside.contains("GET /inside HTTP/1.1\r\nHost: y"), "{inside}");
    assert_eq!(*outside.asked.lock().unwrap(), ["a.example:443"]);
}

#[tokio::test]
async fn a_refusal_is_in_the_status_line_in_a_header_and_in_the_text() {
    for request in
        ["CONNECT refused.example:443 HTTP/1.1\r\nHost: x\r\n\r\n", "GET http://refused.example:443/ HTTP/1.1\r\nHost: x\r\n\r\n"]
    {
        let (mut stream, _) = proxy(9).await;
        let answer = exchange(&mut stream, request).await;
        assert!(answer.starts_with("HTTP/1.1 403 Forbidden (refused.example:443 is refused: it is not on the list.)\r\n"), "{answer}");
        assert!(answer.contains("codex-web-rule: not_listed"), "{answer}");
        assert!(answer.ends_with("Codex Web: refused.example:443 is refused: it is not on the list.\n"), "{answer}");
    }
}

#[tokio::test]
async fn what_is_no_request_to_a_proxy_is_told_what_this_is() {
    let (mut stream, outside) = proxy(9).await;
    for request in [
        "GET / HTTP/1.1\r\nHost: 127.0.0.1:3128\r\n\r\n",
        "GET https://a.example/ HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET ftp://a.example/ HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        let answer = exchange(&mut stream, request).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    assert!(outside.asked.lock().unwrap().is_empty());
}
