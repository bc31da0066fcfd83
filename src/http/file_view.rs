//! Files as the API shows them.

use crate::clock::Millis;
use crate::domain::file::{FileEntry, FileKind, UploadState};
use crate::domain::home_path::{HomePath, decode, encode};
use crate::gateway::files::Folder;
use serde::Serialize;

/// One entry of a folder.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileEntryView {
    pub name: String,
    /// Stands in paths in place of a name that is no text; there only for such names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoded_name: Option<String>,
    /// `file`, `directory`, `link` or `other`. A link is shown itself, wherever it leads.
    pub r#type: &'static str,
    /// In bytes.
    pub size: u64,
    /// RFC 3339.
    pub modified_at: String,
    /// The permission bits in octal: `0644`.
    pub mode: String,
    /// Where a link leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// A folder.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FolderView {
    /// From the home; empty for the home itself.
    pub path: String,
    /// Folders first, then by name.
    pub entries: Vec<FileEntryView>,
    /// There are more entries than these.
    pub truncated: bool,
    /// What the home takes of the workspace's disk, in bytes; absent until it is measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_bytes: Option<i64>,
    /// How large that disk is.
    pub total_bytes: i64,
}

/// How far an upload is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UploadView {
    /// How many bytes have arrived.
    pub offset: u64,
    /// The file is in its place.
    pub done: bool,
}

impl FileEntryView {
    /// What an agent tells; `None` where it is no entry at all.
    pub fn of(entry: FileEntry) -> Option<Self> {
        let name = decode(&entry.name).filter(|name| !name.is_empty() && !name.contains(&b'/'))?;
        let is_text = std::str::from_utf8(&name).is_ok();
        Some(Self {
            encoded_name: (!is_text).then(|| encode(&name)),
            name: String::from_utf8_lossy(&name).into_owned(),
            r#type: match entry.kind {
                FileKind::File => "file",
                FileKind::Directory => "directory",
                FileKind::Link => "link",
                FileKind::Other => "other",
            },
            size: entry.size,
            modified_at: Millis(entry.modified_at).rfc3339(),
            mode: format!("{:04o}", entry.mode & 0o7777),
            target: entry.target.and_then(|target| decode(&target)).map(|target| String::from_utf8_lossy(&target).into_owned()),
        })
    }
}

impl FolderView {
    pub fn of(path: &HomePath, folder: Folder) -> Self {
        Self {
            path: path.shown(),
            entries: folder.listing.entries.into_iter().filter_map(FileEntryView::of).collect(),
            truncated: folder.listing.truncated,
            used_bytes: folder.used,
            total_bytes: folder.total,
        }
    }
}

impl From<&UploadState> for UploadView {
    fn from(state: &UploadState) -> Self {
        Self { offset: state.offset, done: state.done }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str) -> FileEntry {
        FileEntry { name: name.into(), kind: FileKind::File, size: 1, modified_at: 0, mode: 0o10_0644, target: None }
    }

    #[test]
    fn a_name_that_is_no_text_has_an_encoded_form() {
        let odd = FileEntryView::of(entry("caf%E9")).unwrap();
        assert_eq!((odd.name.as_str(), odd.encoded_name.as_deref(), odd.mode.as_str()), ("caf\u{fffd}", Some("caf%E9"), "0644"));
        assert_eq!(FileEntryView::of(entry("caf%C3%A9")).unwrap().encoded_name, None);
    }

    #[test]
    fn a_name_that_no_entry_can_have_is_left_out() {
        for name in ["", "a%2Fb", "%zz"] {
            assert!(FileEntryView::of(entry(name)).is_none(), "{name}");
        }
    }
}
