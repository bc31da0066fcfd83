//! The words of the terminal socket. Binary messages are terminal bytes in both directions; text messages are these.
//!
//! Offsets count the terminal's output from its first byte, so that a client can come back with `since`. A client
//! counts: the offset of `hello` plus the length of every binary message.

use serde::{Deserialize, Serialize};

/// A client may lag this many bytes behind before the program is paused.
pub const WINDOW: u64 = 512 * 1024;
/// The longest binary message to a client, in bytes.
pub const CHUNK: usize = 32 * 1024;
/// The longest message a client may send, in bytes.
pub const LONGEST_INPUT: usize = 1024 * 1024;
/// Resets a terminal (RIS): sent before a replay that does not continue what the client has.
pub const RESET: &[u8] = b"\x1bc";

/// Columns and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalSize {
    pub cols: u16,
    pub rows: u16,
}

impl TerminalSize {
    /// What a terminal has before any client says its size.
    pub const DEFAULT: Self = Self { cols: 80, rows: 24 };

    /// The same, within what a program can be told: 2 to 1000 columns, 1 to 1000 rows.
    #[must_use]
    pub fn bounded(self) -> Self {
        Self { cols: self.cols.clamp(2, 1_000), rows: self.rows.clamp(1, 1_000) }
    }

    /// The largest size that fits into both.
    #[must_use]
    pub fn smallest(self, other: Self) -> Self {
        Self { cols: self.cols.min(other.cols), rows: self.rows.min(other.rows) }
    }
}

/// From the agent to a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "t")]
pub enum ToClient {
    Hello {
        /// Offset of the first byte that follows.
        off: u64,
        cols: u16,
        rows: u16,
        session: String,
        /// When the terminal began, in milliseconds since 1970: tells a new terminal of the same name from the old.
        started: i64,
        /// What follows does not continue what the client has.
        reset: bool,
    },
    /// The size changed, because another client came, went or resized.
    Size { cols: u16, rows: u16 },
    /// The program ended; a signal counts as 128 plus its number.
    Exit { code: i32 },
    /// The server's side ends the connection, and why.
    Bye { code: String, message: String },
}

/// From a client to the agent. Unknown kinds are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "t")]
pub enum FromClient {
    Resize {
        cols: u16,
        rows: u16,
    },
    /// Everything before this offset is on the client's screen.
    Ack {
        off: u64,
    },
    #[serde(other)]
    Unknown,
}

/// One terminal in the answer of `GET /v1/term/sessions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionEntry {
    pub session: String,
    /// Milliseconds since 1970.
    pub started_at: i64,
    pub cols: u16,
    pub rows: u16,
    /// How many clients are attached.
    pub attached: usize,
}

/// Whether a text may name a terminal: `^[a-z0-9-]{1,32}$`.
pub fn is_session_name(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_the_form_that_clients_know() {
        let hello = ToClient::Hello { off: 7, cols: 80, rows: 24, session: "main".into(), started: 1, reset: false };
        let text = serde_json::to_string(&hello).unwrap();
        assert_eq!(text, r#"{"t":"hello","off":7,"cols":80,"rows":24,"session":"main","started":1,"reset":false}"#);
        let exit = serde_json::to_string(&ToClient::Exit { code: 130 }).unwrap();
        assert_eq!(exit, r#"{"t":"exit","code":130}"#);
        let resize: FromClient = serde_json::from_str(r#"{"t":"resize","cols":132,"rows":43}"#).unwrap();
        assert_eq!(resize, FromClient::Resize { cols: 132, rows: 43 });
    }

    #[test]
    fn an_unknown_kind_is_not_an_error() {
        let message: FromClient = serde_json::from_str(r#"{"t":"later","x":1}"#).unwrap();
        assert_eq!(message, FromClient::Unknown);
    }

    #[test]
    fn names_are_short_and_plain() {
        assert!(is_session_name("main-2"));
        for name in ["", "Main", "a b", "a/b", "..", &"a".repeat(33)] {
            assert!(!is_session_name(name), "{name}");
        }
    }
}
