//! The entries of a folder: folders first, then by name, and never more than a page can show.
//!
//! Memory stays bounded whatever the folder holds: of a larger folder the first entries in that order are kept, and
//! only those are looked at one by one.

use crate::agent::files::entry::{Facts, entry};
use crate::agent::files::home::Home;
use crate::agent::files::refusal::Refusal;
use crate::domain::file::{FileKind, FileListing};
use crate::domain::home_path::HomePath;
use rustix::fs::{Dir, FileType, OFlags};
use std::collections::BinaryHeap;

/// The most entries of one answer.
pub const MOST: usize = 10_000;

/// Sorts as people do: whether it is no folder, the name without regard to case, the name.
type Key = (bool, Vec<u8>, Vec<u8>);

/// Lists a folder.
pub fn list(home: &Home, path: &HomePath) -> Result<FileListing, Refusal> {
    let mut dir = Dir::new(home.at(path.as_bytes(), OFlags::RDONLY | OFlags::DIRECTORY)?)?;
    let (names, truncated) = first_names(&mut dir, MOST)?;
    let folder = dir.fd()?;
    // What vanished between the two looks is left out.
    let entries = names.iter().filter_map(|name| entry(folder, name).ok()).collect();
    Ok(FileListing { entries, truncated })
}

fn first_names(dir: &mut Dir, most: usize) -> Result<(Vec<Vec<u8>>, bool), Refusal> {
    // The largest of the kept ones is on top, ready to give way.
    let mut kept: BinaryHeap<Key> = BinaryHeap::new();
    let mut truncated = false;
    while let Some(found) = dir.read() {
        let found = found?;
        let name = found.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        let is_folder = match found.file_type() {
            // Some file systems do not say.
            FileType::Unknown => Facts::of_name(dir.fd()?, name).is_ok_and(|facts| facts.kind == FileKind::Directory),
            kind => kind == FileType::Directory,
        };
        kept.push((!is_folder, name.to_ascii_lowercase(), name.to_vec()));
        if kept.len() > most {
            kept.pop();
            truncated = true;
        }
    }
    Ok((kept.into_sorted_vec().into_iter().map(|(_, _, name)| name).collect(), truncated))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;

    fn names(listing: &FileListing) -> Vec<&str> {
        listing.entries.iter().map(|e| e.name.as_str()).collect()
    }

    #[test]
    fn folders_come_first_and_odd_names_survive() {
        let base = tempfile::tempdir().unwrap();
        for name in [&b"b.txt"[..], b"A.txt", b"caf\xe9", b"new\nline", b"100%", b"-rf", b" "] {
            fs::write(base.path().join(OsStr::from_bytes(name)), b"x").unwrap();
        }
        fs::create_dir(base.path().join("zoo")).unwrap();
        std::os::unix::fs::symlink("../../etc", base.path().join("link")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, base.path().join("pipe"), FileType::Fifo, 0o600.into(), 0).unwrap();
        let listing = list(&Home::open(base.path()).unwrap(), &HomePath::default()).unwrap();
        let wanted = ["zoo", "%20", "-rf", "100%25", "A.txt", "b.txt", "caf%E9", "link", "new%0Aline", "pipe"];
        assert_eq!(names(&listing), wanted);
        let kinds = |name: &str| listing.entries.iter().find(|e| e.name == name).unwrap();
        assert_eq!((kinds("link").kind, kinds("link").target.as_deref()), (FileKind::Link, Some("../../etc")));
        assert_eq!((kinds("pipe").kind, kinds("b.txt").size), (FileKind::Other, 1));
        assert!(!listing.truncated);
    }

    #[test]
    fn a_hundred_thousand_entries_are_cut_at_the_right_place() {
        let base = tempfile::tempdir().unwrap();
        for n in 0..100_000 {
            fs::File::create(base.path().join(format!("file-{n:06}"))).unwrap();
        }
        fs::create_dir(base.path().join("zzz")).unwrap();
        let begun = std::time::Instant::now();
        let listing = list(&Home::open(base.path()).unwrap(), &HomePath::default()).unwrap();
        assert!(listing.truncated && listing.entries.len() == MOST);
        assert_eq!((listing.entries[0].name.as_str(), listing.entries[MOST - 1].name.as_str()), ("zzz", "file-009998"));
        assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
    }

    #[test]
    fn what_is_no_folder_is_not_listed() {
        let base = tempfile::tempdir().unwrap();
        fs::write(base.path().join("file"), b"x").unwrap();
        let home = Home::open(base.path()).unwrap();
        let refused = |name: &str| list(&home, &HomePath::of_address(name).unwrap()).unwrap_err().code;
        assert_eq!((refused("file"), refused("none"), refused("file/x")), ("not_directory", "not_found", "not_directory"));
    }
}
