//! Asking an app whether it can be used: one small HTTP/1.1 request, of whose answer only the status counts.

use crate::agent::apps::Address;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

/// Enough of an answer for its status: `HTTP/1.1 200`.
const STATUS_LINE: usize = 12;

/// Whether the app answers this path with a status of 2xx or 3xx within the time.
pub async fn answers(address: &Address, path: &str, patience: Duration) -> bool {
    tokio::time::timeout(patience, ask(address, path)).await.is_ok_and(|asked| asked.is_ok_and(is_good))
}

async fn ask(address: &Address, path: &str) -> io::Result<[u8; STATUS_LINE]> {
    match address {
        Address::Socket(socket) => exchange(UnixStream::connect(socket).await?, path).await,
        Address::Port(port) => exchange(TcpStream::connect(("127.0.0.1", *port)).await?, path).await,
    }
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, path: &str) -> io::Result<[u8; STATUS_LINE]> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: codex-web\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = [0; STATUS_LINE];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

fn is_good(answer: [u8; STATUS_LINE]) -> bool {
    answer.starts_with(b"HTTP/1.") && matches!(&answer[8..10], b" 2" | b" 3")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tokio::net::UnixListener;

    async fn says(answer: &'static str) -> bool {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("app.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 1024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        });
        answers(&Address::Socket(socket), "/healthz", Duration::from_secs(5)).await
    }

    #[tokio::test]
    async fn only_a_good_status_of_http_counts() {
        assert!(says("HTTP/1.1 200 OK\r\n\r\n").await);
        assert!(says("HTTP/1.0 302 Found\r\nlocation: /login\r\n\r\n").await);
        for bad in ["HTTP/1.1 503 Service Unavailable\r\n\r\n", "HTTP/1.1 404 Not Found\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "", "HTTP/1.1"]
        {
            assert!(!says(bad).await, "{bad}");
        }
    }

    #[tokio::test]
    async fn nobody_there_is_no_answer() {
        assert!(!answers(&Address::Socket("/nowhere/app.sock".into()), "/", Duration::from_secs(1)).await);
    }
}
