//! `codex-web agent credential|connect`: what git and ssh in a workspace start.
//!
//! Both only carry bytes: the first between git and a socket of the agent, the second between ssh and the agent's proxy.
//! They run many times a day in small workspaces, so they use neither configuration nor threads that nobody needs.

use super::arguments::AgentTool;
use super::exit::{Exit, Failure, Outcome};
use crate::domain::agent::EGRESS_PORT;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Where the agent offers the way out.
const PROXY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), EGRESS_PORT);
/// The longest question of git and the longest answer, in bytes.
const CREDENTIAL_MAX: u64 = 16 * 1024;
/// The longest head of the proxy's answer, in bytes.
const HEAD_MAX: usize = 8 * 1024;
/// How long the agent may take to say whether there is a way.
const PATIENCE: Duration = Duration::from_secs(90);

pub fn run(command: &AgentTool) -> Outcome {
    let done = match command {
        // Tokens are kept in the profile: git may neither store nor erase them.
        AgentTool::Credential { operation, socket } if operation == "get" => credential(socket),
        AgentTool::Credential { .. } => Ok(()),
        AgentTool::Connect { host, port } => connect(host, *port),
    };
    done.map(|()| Exit::Done).map_err(|error| Failure::failed(format!("codex-web: {error}")))
}

fn credential(socket: &Path) -> io::Result<()> {
    let mut question = Vec::new();
    io::stdin().take(CREDENTIAL_MAX).read_to_end(&mut question)?;
    let mut agent = UnixStream::connect(socket)?;
    agent.set_read_timeout(Some(PATIENCE))?;
    agent.write_all(&question)?;
    agent.shutdown(Shutdown::Write)?;
    let mut answer = Vec::new();
    agent.take(CREDENTIAL_MAX).read_to_end(&mut answer)?;
    io::stdout().write_all(&answer)
}

fn connect(host: &str, port: u16) -> io::Result<()> {
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
    if host.is_empty() || host.len() > 253 || !host.bytes().all(is_name) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no host name"));
    }
    // An address of the sixth version stands in brackets.
    let authority = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let mut proxy = TcpStream::connect(PROXY)?;
    proxy.set_read_timeout(Some(PATIENCE))?;
    proxy.write_all(format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n").as_bytes())?;
    let head = head(&mut proxy)?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    if status != "200" {
        let body = body(&mut proxy, &head);
        return Err(io::Error::new(io::ErrorKind::ConnectionRefused, format!("{}: {authority}: {}", verdict(status), words(&body))));
    }
    proxy.set_read_timeout(None)?;
    carry(proxy)
}

fn verdict(status: &str) -> &'static str {
    if status == "403" { "refused" } else { "not connected" }
}

/// The words of the proxy's answer: JSON with a message, or text.
fn words(body: &str) -> String {
    let told = serde_json::from_str::<serde_json::Value>(body).ok();
    let message = told.as_ref().and_then(|told| told["message"].as_str()).unwrap_or(body);
    message.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// The head of the answer, byte by byte: what comes after it belongs to the tunnel.
fn head(proxy: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    let mut byte = [0_u8; 1];
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= HEAD_MAX || proxy.read(&mut byte)? == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the agent did not answer"));
        }
        head.extend_from_slice(&byte);
    }
    String::from_utf8(head).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the agent's answer is no text"))
}

/// The words after the head: as many bytes as it says, because the proxy keeps the connection open.
fn body(proxy: &mut impl Read, head: &str) -> String {
    let mut lengths = head.lines().filter_map(|line| line.split_once(':')).filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: u64 = lengths.find_map(|(_, value)| value.trim().parse().ok()).unwrap_or(0);
    let mut body = Vec::new();
    let _ = proxy.take(length.min(CREDENTIAL_MAX)).read_to_end(&mut body);
    String::from_utf8_lossy(&body).into_owned()
}

/// Carries bytes both ways until the far side ends.
fn carry(proxy: TcpStream) -> io::Result<()> {
    let mut out = proxy.try_clone()?;
    // Ends with the process: nothing else can end a read of standard input.
    std::thread::spawn(move || {
        let _ = pass(&mut io::stdin().lock(), &mut out);
        let _ = out.shutdown(Shutdown::Write);
    });
    pass(&mut &proxy, &mut io::stdout().lock())
}

fn pass(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0_u8; 32 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => {
                to.write_all(&buffer[..length])?;
                to.flush()?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_cannot_bring_a_header_of_its_own() {
        for host in ["", "a b", "a\r\nX: y", "a/b", "a@b", "é"] {
            assert_eq!(connect(host, 22).err().map(|e| e.kind()), Some(io::ErrorKind::InvalidInput), "{host:?}");
        }
    }

    #[test]
    fn a_refusal_is_read_to_its_end_and_not_beyond_it() {
        let mut answer = &b"No.\nwhat comes later"[..];
        assert_eq!(body(&mut answer, "HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\n"), "No.\n");
        assert_eq!(body(&mut answer, "HTTP/1.1 403 Forbidden\r\n\r\n"), "");
    }

    #[test]
    fn a_refusal_is_told_in_the_words_of_the_proxy() {
        assert_eq!(words(r#"{"code":"egress_denied","message":"Not allowed here."}"#), "Not allowed here.");
        assert_eq!(words("plain\x1b text\n"), "plain text");
        assert_eq!((verdict("403"), verdict("504")), ("refused", "not connected"));
    }
}
