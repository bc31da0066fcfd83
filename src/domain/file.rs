//! What the agent tells the server about files: the words between the two, as JSON. Names are percent-encoded, since
//! JSON cannot hold a name that is no text.

use serde::{Deserialize, Serialize};

/// What an entry of a folder is. A link is shown as itself, wherever it leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileKind {
    File,
    Directory,
    Link,
    /// A device, a pipe or a socket: listed, but neither read nor replaced.
    Other,
}

/// One entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileEntry {
    /// Percent-encoded.
    pub name: String,
    pub kind: FileKind,
    /// In bytes.
    pub size: u64,
    /// Milliseconds since 1970.
    pub modified_at: i64,
    /// The permission bits.
    pub mode: u32,
    /// Where a link leads, percent-encoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// A folder: its entries, folders first, then by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileListing {
    pub entries: Vec<FileEntry>,
    /// There are more entries than these.
    pub truncated: bool,
}

/// How far an upload is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UploadState {
    /// How many bytes have arrived.
    pub offset: u64,
    /// The file is in its place.
    pub done: bool,
    /// Of the file in its place, with its quotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
}

/// Something new is made in the home, or something gets another name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "type")]
pub enum FileChange {
    /// A folder, with the folders that it lies in.
    Directory,
    Move {
        /// Percent-encoded, from the home.
        to: String,
        /// Whether a file of that name is replaced.
        overwrite: bool,
    },
}

/// How the agent refuses: a stable word, words for the log, and a number where the word needs one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRefusal {
    pub code: String,
    pub message: String,
    /// `range`: how long the file is. `wrong_offset`: how far the upload is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
}

/// The header in which the server tells the agent how many bytes may still be written.
pub const ROOM_HEADER: &str = "x-codex-room";

/// Whether a client may call an upload this: `^[A-Za-z0-9_-]{1,64}$`.
pub fn is_upload_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_id_can_stand_in_a_file_name() {
        assert!(is_upload_id("0f3c-A_9"));
        for text in ["", "../x", "a.b", "a b", &"a".repeat(65)] {
            assert!(!is_upload_id(text), "{text}");
        }
    }

    #[test]
    fn a_change_has_one_form() {
        let change: FileChange = serde_json::from_str(r#"{"type":"move","to":"a%20b","overwrite":true}"#).unwrap();
        assert_eq!(change, FileChange::Move { to: "a%20b".into(), overwrite: true });
        assert_eq!(serde_json::to_string(&FileChange::Directory).unwrap(), r#"{"type":"directory"}"#);
    }
}
