//! What is known of one entry: its kind, its numbers, and the tag that changes with its content.

use crate::domain::file::{FileEntry, FileKind};
use crate::domain::home_path::encode;
use rustix::fd::AsFd;
use rustix::fs::{AtFlags, FileType, StatxFlags, readlinkat, statx};
use rustix::io::Errno;

/// What the kernel says of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    pub kind: FileKind,
    pub size: u64,
    pub inode: u64,
    /// Seconds since 1970, and nanoseconds of the second.
    pub modified: (i64, u32),
    /// The permission bits.
    pub mode: u32,
}

impl Facts {
    /// Of a name in a folder; a link is looked at itself.
    pub fn of_name(folder: impl AsFd, name: &[u8]) -> Result<Self, Errno> {
        Self::look(folder, name, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Of something that is open.
    pub fn of_file(file: impl AsFd) -> Result<Self, Errno> {
        Self::look(file, b"", AtFlags::EMPTY_PATH)
    }

    fn look(at: impl AsFd, name: &[u8], flags: AtFlags) -> Result<Self, Errno> {
        let seen = statx(at, name, flags, StatxFlags::BASIC_STATS)?;
        let mode = u32::from(seen.stx_mode);
        let kind = match FileType::from_raw_mode(mode) {
            FileType::RegularFile => FileKind::File,
            FileType::Directory => FileKind::Directory,
            FileType::Symlink => FileKind::Link,
            _ => FileKind::Other,
        };
        let modified = (seen.stx_mtime.tv_sec, seen.stx_mtime.tv_nsec);
        Ok(Self { kind, size: seen.stx_size, inode: seen.stx_ino, modified, mode: mode & 0o7777 })
    }

    /// A strong entity tag, with its quotes: another file, another length or another time of writing is another tag.
    pub fn etag(&self) -> String {
        format!("\"{:x}-{:x}-{:x}.{:x}\"", self.inode, self.size, self.modified.0, self.modified.1)
    }

    /// Milliseconds since 1970.
    pub fn modified_millis(&self) -> i64 {
        self.modified.0.saturating_mul(1_000).saturating_add(i64::from(self.modified.1 / 1_000_000))
    }
}

/// An entry as it is listed.
pub fn entry(folder: impl AsFd, name: &[u8]) -> Result<FileEntry, Errno> {
    let facts = Facts::of_name(&folder, name)?;
    let target = match facts.kind {
        FileKind::Link => readlinkat(&folder, name, Vec::new()).ok().map(|target| encode(target.as_bytes())),
        _ => None,
    };
    Ok(FileEntry { name: encode(name), kind: facts.kind, size: facts.size, modified_at: facts.modified_millis(), mode: facts.mode, target })
}
