//! Git's credential protocol (gitcredentials(7)) at a socket: what `codex-web agent credential get` sends and receives.
//!
//! Git says in lines what it wants a credential for. One is looked for only for https, for exactly the host that git
//! names. Storing and erasing are not offered: tokens are kept in the profile.

use super::{ask, words};
use crate::agent::init::log;
use crate::agent::uplink::Uplink;
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest question, in bytes.
const QUESTION_MAX: u64 = 16 * 1024;
/// How long a program may take to ask.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct Credential {
    username: String,
    token: String,
}

/// Answers one question: lines up to the end of what is sent.
pub async fn serve<S>(mut stream: S, uplink: Uplink)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut question = String::new();
    let mut bounded = (&mut stream).take(QUESTION_MAX);
    if !matches!(tokio::time::timeout(PATIENCE, bounded.read_to_string(&mut question)).await, Ok(Ok(_))) {
        return;
    }
    if let Some(wanted) = wanted(&question)
        && let Some(found) = find(&uplink, &wanted).await
    {
        let _ = stream.write_all(found.as_bytes()).await;
    }
    let _ = stream.shutdown().await;
}

/// What git wants: the host, and the user name where the address has one.
#[derive(Debug, PartialEq, Eq)]
struct Wanted<'a> {
    host: &'a str,
    username: Option<&'a str>,
}

fn wanted(question: &str) -> Option<Wanted<'_>> {
    let value = |name: &str| question.lines().filter_map(|line| line.split_once('=')).find(|(key, _)| *key == name).map(|(_, v)| v);
    (value("protocol")? == "https").then_some(Wanted { host: value("host")?, username: value("username") })
}

async fn find(uplink: &Uplink, wanted: &Wanted<'_>) -> Option<String> {
    let question = json!({ "host": wanted.host }).to_string().into();
    match ask(uplink, Method::POST, "/git/credential", question).await {
        Ok((StatusCode::OK, body)) => answer(wanted, &serde_json::from_slice(&body).ok()?),
        // Most hosts need none.
        Ok((StatusCode::NOT_FOUND, _)) => None,
        Ok((_, body)) => {
            log(&format!("git: no credential for {}: {}", wanted.host.escape_debug(), words(&body)));
            None
        }
        Err(error) => {
            log(&format!("git: no credential for {}: {error}", wanted.host.escape_debug()));
            None
        }
    }
}

/// The lines for git; nothing where the address names somebody else, or where a value could become a second line.
fn answer(wanted: &Wanted<'_>, found: &Credential) -> Option<String> {
    let plain = |text: &str| !text.contains(['\n', '\r', '\0']);
    let meant = wanted.username.is_none_or(|name| name == found.username);
    (meant && plain(&found.username) && plain(&found.token)).then(|| format!("username={}\npassword={}\n", found.username, found.token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(username: &str, token: &str) -> Credential {
        Credential { username: username.to_owned(), token: token.to_owned() }
    }

    #[test]
    fn only_https_is_asked_for_and_the_host_is_gits_own() {
        let question = "protocol=https\nhost=git.example.org:8443\npath=a/b.git\nusername=ada\nwwwauth[]=Basic\n\n";
        assert_eq!(wanted(question), Some(Wanted { host: "git.example.org:8443", username: Some("ada") }));
        for other in ["protocol=http\nhost=h\n", "protocol=https\n", "host=h\n", "", "nonsense", "protocol=cert\npath=/x\n"] {
            assert_eq!(wanted(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_name_in_the_address_must_be_the_names_of_the_token() {
        let any = Wanted { host: "h", username: None };
        let ada = Wanted { host: "h", username: Some("ada") };
        assert_eq!(answer(&any, &found("ada", "t")).as_deref(), Some("username=ada\npassword=t\n"));
        assert_eq!(answer(&ada, &found("ada", "t")).as_deref(), Some("username=ada\npassword=t\n"));
        assert_eq!(answer(&ada, &found("ben", "t")), None);
        assert_eq!(answer(&any, &found("ada", "t\nquit=1")), None);
    }

    #[tokio::test]
    async fn without_a_server_there_is_an_empty_answer() {
        let (mut near, far) = tokio::io::duplex(4096);
        let served = tokio::spawn(serve(far, Uplink::default()));
        near.write_all(b"protocol=https\nhost=h.example.org\n\n").await.unwrap();
        near.shutdown().await.unwrap();
        let mut told = String::new();
        near.read_to_string(&mut told).await.unwrap();
        served.await.unwrap();
        assert_eq!(told, "");
    }
}
