//! The first exchange on a connection to an agent: a question that only the agent of this run can answer.
//!
//! It goes before the ticket, on the same connection, which is then used as if nothing had happened. What comes back is
//! read byte for byte to its end and not further; who sends anything else than this one answer is not believed.

use crate::clock::Entropy;
use crate::token::proof::{RunSecret, question};
use std::net::IpAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// How long the answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest answer, head and body, in bytes.
const LONGEST: usize = 2 * 1024;
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// Why somebody is not believed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    #[error("the connection to the agent of the workspace broke ({0})")]
    Broken(String),
    #[error("the agent of the workspace did not answer within {} seconds", PATIENCE.as_secs())]
    Silent,
    #[error("what answers at the address of the workspace is not its agent")]
    SomebodyElse,
}

/// Asks whoever is at the other end; the stream again where the answer is right for one of these addresses.
pub async fn prove<S>(mut stream: S, secret: &RunSecret, addresses: &[IpAddr], entropy: &dyn Entropy) -> Result<S, Unproven>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let question = question(entropy);
    let asked = tokio::time::timeout(PATIENCE, ask(&mut stream, &question)).await;
    let answer = asked.map_err(|_| Unproven::Silent)??;
    let proved = proof_in(&answer).is_some_and(|proof| addresses.iter().any(|address| secret.is_right(&question, *address, &proof)));
    if proved { Ok(stream) } else { Err(Unproven::SomebodyElse) }
}

/// Sends the question and reads one whole answer.
async fn ask<S>(stream: &mut S, question: &str) -> Result<Vec<u8>, Unproven>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let broken = |error: std::io::Error| Unproven::Broken(error.to_string());
    let request = format!("GET /v1/proof?question={question} HTTP/1.1\r\nhost: agent\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    let mut answer = Vec::new();
    let mut buffer = [0_u8; LONGEST];
    loop {
        if let Some(whole) = length(&answer) {
            return if answer.len() == whole { Ok(answer) } else { Err(Unproven::SomebodyElse) };
        }
        if answer.len() >= LONGEST {
            return Err(Unproven::SomebodyElse);
        }
        match stream.read(&mut buffer).await.map_err(broken)? {
            0 => return Err(Unproven::Broken("it was closed".to_owned())),
            read => answer.extend_from_slice(&buffer[..read]),
        }
    }
}

/// Head and body together, once as much is here as tells the length; 0 for what is no answer.
fn length(answer: &[u8]) -> Option<usize> {
    let head = answer.windows(END_OF_HEAD.len()).position(|window| window == END_OF_HEAD)?;
    let text = std::str::from_utf8(&answer[..head]).unwrap_or_default();
    let named = text.lines().filter_map(|line| line.split_once(':')).find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let body = named.and_then(|(_, value)| value.trim().parse::<usize>().ok()).filter(|length| *length <= LONGEST);
    match body.map(|body| head + END_OF_HEAD.len() + body) {
        // The rest is on its way.
        Some(whole) if whole > answer.len() => None,
        whole => Some(whole.unwrap_or(0)),
    }
}

fn proof_in(answer: &[u8]) -> Option<String> {
    let head = answer.windows(END_OF_HEAD.len()).position(|window| window == END_OF_HEAD)?;
    if !answer.starts_with(b"HTTP/1.1 200 ") {
        return None;
    }
    let told: serde_json::Value = serde_json::from_slice(&answer[head + END_OF_HEAD.len()..]).ok()?;
    Some(told["proof"].as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;
    use crate::domain::id::WorkspaceId;
    use crate::token::proof::ProofKey;
    use std::net::Ipv4Addr;
    use zeroize::Zeroizing;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 2, 3));

    fn secret(run: i64) -> RunSecret {
        ProofKey::new(Zeroizing::new([3; 32])).secret(&WorkspaceId::trusted(format!("ws_{:032}", 1)), run)
    }

    /// What becomes of an answer that this makes of the question.
    async fn answered(reply: impl FnOnce(&str) -> Vec<u8>) -> Result<(), Unproven> {
        let (near, mut far) = tokio::io::duplex(4096);
        let asked = tokio::spawn(async move { prove(near, &secret(1), &[HERE], &SystemEntropy).await.map(drop) });
        let mut request = vec![0; 200];
        let read = far.read(&mut request).await.unwrap();
        let text = String::from_utf8(request[..read].to_vec()).unwrap();
        let question = text.split_once("question=").unwrap().1.split(' ').next().unwrap();
        let reply = reply(question);
        // In two pieces, as a network may cut it.
        let middle = reply.len() / 2;
        far.write_all(&reply[..middle]).await.unwrap();
        tokio::task::yield_now().await;
        far.write_all(&reply[middle..]).await.unwrap();
        drop(far);
        asked.await.unwrap()
    }

    fn http(status: &str, body: &str) -> Vec<u8> {
        format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
    }

    fn proof(run: i64, question: &str, at: IpAddr) -> String {
        serde_json::json!({ "proof": secret(run).answer(question, at) }).to_string()
    }

    #[tokio::test]
    async fn the_agent_of_the_run_is_believed_and_nobody_else() {
        assert_eq!(answered(|question| http("200 OK", &proof(1, question, HERE))).await, Ok(()));
        let elsewhere = IpAddr::V4(Ipv4Addr::new(10, 1, 2, 4));
        for (why, run, at) in [("another run", 2, HERE), ("fetched from elsewhere", 1, elsewhere)] {
            let told = answered(|question| http("200 OK", &proof(run, question, at))).await;
            assert_eq!(told, Err(Unproven::SomebodyElse), "{why}");
        }
    }

    #[tokio::test]
    async fn what_is_not_exactly_one_answer_is_not_believed() {
        let surplus = answered(|question| [http("200 OK", &proof(1, question, HERE)), b"HTTP/1.1 200 OK".to_vec()].concat()).await;
        assert_eq!(surplus, Err(Unproven::SomebodyElse));
        assert_eq!(answered(|question| http("401 Unauthorized", &proof(1, question, HERE))).await, Err(Unproven::SomebodyElse));
        assert_eq!(answered(|_| b"SSH-2.0-OpenSSH\r\n\r\n".to_vec()).await, Err(Unproven::SomebodyElse));
        assert_eq!(answered(|_| vec![b'a'; LONGEST + 1]).await, Err(Unproven::SomebodyElse));
        assert_eq!(answered(|_| b"HTTP/1.1 200 OK\r\n".to_vec()).await, Err(Unproven::Broken("it was closed".to_owned())));
    }
}
