//! Why something was not done to a file: a stable word that the server puts into its own sentence, and a status.

use crate::agent::http::{Answer, answer};
use crate::domain::field::FieldRule;
use crate::domain::file::FileRefusal;
use hyper::StatusCode;
use rustix::io::Errno;
use serde_json::json;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub code: &'static str,
    pub message: String,
    /// See [`FileRefusal::number`].
    pub number: Option<u64>,
}

impl Refusal {
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), number: None }
    }

    #[must_use]
    pub fn number(mut self, number: u64) -> Self {
        self.number = Some(number);
        self
    }

    pub fn not_found() -> Self {
        Self::new(404, "not_found", "there is nothing of this name")
    }

    pub fn exists() -> Self {
        Self::new(409, "exists", "there is something of this name already")
    }

    pub fn is_directory() -> Self {
        Self::new(409, "is_directory", "it is a folder")
    }

    pub fn not_directory() -> Self {
        Self::new(409, "not_directory", "it is not a folder")
    }

    /// A device, a pipe or a socket.
    pub fn special() -> Self {
        Self::new(409, "special_file", "it is neither a file nor a folder")
    }

    pub fn stale() -> Self {
        Self::new(412, "stale", "it is not the file that was expected")
    }

    /// What the server allowed is used up.
    pub fn no_room() -> Self {
        Self::new(409, "no_room", "the workspace may not hold that much")
    }

    pub fn bad_query(message: impl Into<String>) -> Self {
        Self::new(400, "bad_query", message)
    }

    /// The client left, or its body was not whole.
    pub fn broken_body() -> Self {
        Self::new(400, "broken_body", "the body broke off")
    }

    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(500, "failed", message)
    }

    /// As it is answered.
    pub fn answer(self) -> Answer {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let told = FileRefusal { code: self.code.to_owned(), message: self.message, number: self.number };
        answer(status, &json!(told))
    }
}

impl From<FieldRule> for Refusal {
    fn from(rule: FieldRule) -> Self {
        Self::new(400, "bad_path", rule.message)
    }
}

impl From<Errno> for Refusal {
    fn from(error: Errno) -> Self {
        match error {
            Errno::NOENT => Self::not_found(),
            Errno::NOTDIR => Self::not_directory(),
            Errno::ISDIR => Self::is_directory(),
            Errno::EXIST => Self::exists(),
            Errno::NXIO | Errno::NODEV => Self::special(),
            Errno::ACCESS | Errno::PERM | Errno::ROFS => Self::new(409, "not_permitted", "its permissions do not allow it"),
            // RESOLVE_BENEATH answers so, and so does a move to another disk, which says it itself.
            Errno::XDEV => Self::new(409, "outside", "it leads out of the home"),
            Errno::LOOP => Self::new(409, "link_refused", "the link cannot be followed"),
            Errno::NOTEMPTY => Self::new(409, "not_empty", "the folder is not empty"),
            Errno::BUSY | Errno::TXTBSY | Errno::AGAIN => Self::new(409, "busy", "something uses it"),
            Errno::NAMETOOLONG => Self::new(400, "bad_path", "the name is too long"),
            Errno::NOSPC | Errno::DQUOT => Self::new(409, "disk_full", "the disk is full"),
            Errno::FBIG => Self::no_room(),
            other => Self::failed(other.to_string()),
        }
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Errno::from_io_error(&error).map_or_else(|| Self::failed(error.to_string()), Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_errors_become_words_that_the_server_knows() {
        for (error, code) in [
            (Errno::NOSPC, "disk_full"),
            (Errno::DQUOT, "disk_full"),
            (Errno::FBIG, "no_room"),
            (Errno::XDEV, "outside"),
            (Errno::LOOP, "link_refused"),
            (Errno::ACCESS, "not_permitted"),
            (Errno::ROFS, "not_permitted"),
            (Errno::NXIO, "special_file"),
            (Errno::AGAIN, "busy"),
            (Errno::IO, "failed"),
        ] {
            assert_eq!(Refusal::from(error).code, code);
            assert_eq!(Refusal::from(std::io::Error::from(error)).code, code, "by way of the standard library");
        }
    }
}
