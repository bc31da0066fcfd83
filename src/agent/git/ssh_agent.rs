//! An SSH agent without keys (draft-ietf-sshm-ssh-agent): it lists the owner's public key and has the server sign.
//!
//! Two requests are known, listing and signing; every other one is answered with failure, as the protocol demands. A
//! request is passed on as it came: the server reads it and decides.

use super::{ask, words};
use crate::agent::init::log;
use crate::agent::uplink::Uplink;
use bytes::Bytes;
use hyper::{Method, StatusCode};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;

/// The longest message that is read, in bytes: what the server takes, and the type.
const MESSAGE_MAX: u32 = 16 * 1024 + 1;
/// How long a program may keep a connection without asking.
const IDLE: Duration = Duration::from_secs(600);

/// Serves one program until it leaves or sends what is no message.
pub async fn serve<S>(mut stream: S, uplink: Uplink)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    while let Ok(Ok(message)) = tokio::time::timeout(IDLE, message(&mut stream)).await {
        let answer = answer(message, &uplink).await;
        if send(&mut stream, &answer).await.is_err() {
            return;
        }
    }
}

/// The type and the contents of the next message.
async fn message<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<(u8, Bytes)> {
    let length = stream.read_u32().await?;
    if !(1..=MESSAGE_MAX).contains(&length) {
        return Err(io::Error::from(io::ErrorKind::InvalidData));
    }
    let kind = stream.read_u8().await?;
    let mut contents = vec![0; usize::try_from(length - 1).unwrap_or_default()];
    stream.read_exact(&mut contents).await?;
    Ok((kind, contents.into()))
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, message: &[u8]) -> io::Result<()> {
    stream.write_u32(u32::try_from(message.len()).unwrap_or(u32::MAX)).await?;
    stream.write_all(message).await
}

async fn answer((kind, contents): (u8, Bytes), uplink: &Uplink) -> Vec<u8> {
    let (asked, what) = match kind {
        REQUEST_IDENTITIES => (ask(uplink, Method::GET, "/ssh/identities", Bytes::new()).await, "the key is not listed"),
        SIGN_REQUEST => (ask(uplink, Method::POST, "/ssh/sign", contents).await, "nothing was signed"),
        _ => return vec![FAILURE],
    };
    match asked {
        Ok((StatusCode::OK, body)) if kind == REQUEST_IDENTITIES => [&[IDENTITIES_ANSWER], &body[..]].concat(),
        Ok((StatusCode::OK, signature)) => {
            let length = u32::try_from(signature.len()).unwrap_or(u32::MAX).to_be_bytes();
            [&[SIGN_RESPONSE], &length[..], &signature[..]].concat()
        }
        // The protocol has no words for a refusal; the log of the workspace has.
        Ok((_, body)) => {
            log(&format!("ssh: {what}: {}", words(&body)));
            vec![FAILURE]
        }
        Err(error) => {
            log(&format!("ssh: {what}: {error}"));
            vec![FAILURE]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn exchange(messages: &[u8]) -> Vec<u8> {
        let (mut near, far) = tokio::io::duplex(64 * 1024);
        let served = tokio::spawn(serve(far, Uplink::default()));
        near.write_all(messages).await.unwrap();
        near.shutdown().await.unwrap();
        let mut told = Vec::new();
        near.read_to_end(&mut told).await.unwrap();
        served.await.unwrap();
        told
    }

    #[tokio::test]
    async fn every_other_request_fails_and_the_connection_goes_on() {
        // Remove all, add a key, lock, an extension: each with its own contents.
        let messages = [&b"\0\0\0\x01\x13"[..], b"\0\0\0\x03\x11ab", b"\0\0\0\x02\x16x", b"\0\0\0\x06\x1b\0\0\0\x01e"].concat();
        assert_eq!(exchange(&messages).await, b"\0\0\0\x01\x05".repeat(4));
    }

    #[tokio::test]
    async fn without_a_server_nothing_is_signed() {
        assert_eq!(exchange(b"\0\0\0\x02\x0dx").await, b"\0\0\0\x01\x05");
    }

    #[tokio::test]
    async fn a_length_that_no_message_has_ends_the_connection() {
        for bad in [&b"\0\0\0\0"[..], b"\xff\xff\xff\xff\x0b", b"\0\x01\0\0\x0b"] {
            assert!(exchange(bad).await.is_empty(), "{bad:?}");
        }
    }
}
