//! How an agent that is reached over a network proves to the server which run of which workspace it is.
//!
//! A ticket proves the server to the agent, and says whom it is meant for only to an agent that cares. The address of a
//! pod is given to another one when the first is gone; a hostile program that listens there now would be handed the
//! tickets, tokens and keystrokes that are meant for somebody else. So whoever answers must answer a fresh question
//! first: HMAC-SHA256 with the secret of the run, over the question and the address at which the connection arrived. The
//! address keeps an answer from being fetched from the right agent and passed on.
//!
//! The secret of a run is made from a key of the installation, so that the server stores none of them and knows all of
//! them after a restart. It opens nothing: whoever has it can only say that they are this workspace.

use super::ticket::audience;
use crate::clock::Entropy;
use crate::domain::hex;
use crate::domain::id::WorkspaceId;
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign, verify};
use std::net::IpAddr;
use zeroize::Zeroizing;

/// What the key is derived for.
pub const PURPOSE: &str = "agent-proof";
/// Bytes of a key, of the secret of a run, and of a question.
const BYTES: usize = 32;

/// The key of the installation from which the secret of each run is made.
#[derive(Clone)]
pub struct ProofKey(Zeroizing<[u8; BYTES]>);

/// The secret of one run: in the order of its agent, and nowhere else.
pub struct RunSecret(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for ProofKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProofKey(..)")
    }
}

impl ProofKey {
    pub fn new(key: Zeroizing<[u8; BYTES]>) -> Self {
        Self(key)
    }

    /// A key that nobody knew before.
    pub fn fresh(entropy: &dyn Entropy) -> Self {
        let mut key = Zeroizing::new([0; BYTES]);
        entropy.fill(key.as_mut_slice());
        Self(key)
    }

    /// The secret of this run.
    pub fn secret(&self, workspace: &WorkspaceId, run: i64) -> RunSecret {
        let made = sign(&Key::new(HMAC_SHA256, self.0.as_slice()), audience(workspace, run).as_bytes());
        RunSecret(Zeroizing::new(made.as_ref().to_vec()))
    }
}

impl RunSecret {
    /// As it stands in an order.
    pub fn to_text(&self) -> String {
        hex::encode(&self.0)
    }

    /// `None` for what is no secret of a run.
    pub fn parse(text: &str) -> Option<Self> {
        hex::decode(text).filter(|bytes| bytes.len() == BYTES).map(|bytes| Self(Zeroizing::new(bytes)))
    }

    /// The answer to a question that arrived at this address; `None` for what is no question.
    pub fn answer(&self, question: &str, address: IpAddr) -> Option<String> {
        is_question(question).then(|| hex::encode(sign(&self.key(), &said(question, address)).as_ref()))
    }

    /// Whether this answers the question at this address. Takes as long for a wrong answer as for a right one.
    pub fn is_right(&self, question: &str, address: IpAddr, answer: &str) -> bool {
        hex::decode(answer).is_some_and(|tag| verify(&self.key(), &said(question, address), &tag).is_ok())
    }

    fn key(&self) -> Key {
        Key::new(HMAC_SHA256, &self.0)
    }
}

/// A question that nobody has asked before.
pub fn question(entropy: &dyn Entropy) -> String {
    let mut bytes = [0; BYTES];
    entropy.fill(&mut bytes);
    hex::encode(&bytes)
}

fn is_question(text: &str) -> bool {
    text.len() == 2 * BYTES && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn said(question: &str, address: IpAddr) -> Vec<u8> {
    format!("codex-web agent\n{question}\n{}\n", address.to_canonical()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;
    use std::net::Ipv4Addr;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 2, 3));

    fn key() -> ProofKey {
        ProofKey::new(Zeroizing::new([7; BYTES]))
    }

    fn workspace(n: u8) -> WorkspaceId {
        WorkspaceId::trusted(format!("ws_{n:032}"))
    }

    #[test]
    fn an_agent_with_the_secret_of_the_run_is_believed() {
        let (asked, secret) = (question(&SystemEntropy), key().secret(&workspace(1), 3));
        let told = RunSecret::parse(&secret.to_text()).unwrap().answer(&asked, HERE).unwrap();
        assert!(secret.is_right(&asked, HERE, &told));
        // The same address as an IPv6 socket shows it.
        assert!(secret.is_right(&asked, IpAddr::V6(Ipv4Addr::new(10, 1, 2, 3).to_ipv6_mapped()), &told));
    }

    #[test]
    fn another_run_another_workspace_another_address_and_an_old_answer_are_not() {
        let (asked, secret) = (question(&SystemEntropy), key().secret(&workspace(1), 3));
        let answer = |secret: &RunSecret, asked: &str, at| secret.answer(asked, at).unwrap();
        for wrong in [
            answer(&key().secret(&workspace(1), 2), &asked, HERE),
            answer(&key().secret(&workspace(2), 3), &asked, HERE),
            answer(&secret, &asked, IpAddr::V4(Ipv4Addr::new(10, 1, 2, 4))),
            answer(&secret, &question(&SystemEntropy), HERE),
            String::new(),
            "zz".to_owned(),
        ] {
            assert!(!secret.is_right(&asked, HERE, &wrong), "{wrong}");
        }
    }

    #[test]
    fn only_questions_are_answered() {
        let secret = key().secret(&workspace(1), 3);
        for no_question in ["", "ab", &"g".repeat(64), &"a".repeat(65)] {
            assert_eq!(secret.answer(no_question, HERE), None, "{no_question}");
        }
        assert!(RunSecret::parse("abcd").is_none());
    }
}
