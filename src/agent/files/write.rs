//! Writing a file whole or not at all: the bytes go into a draft beside it, and only a draft that is on the disk takes
//! the file's place. A reader sees the old file or the new one, also after a crash.

use crate::agent::files::blocking;
use crate::agent::files::conditions::Conditions;
use crate::agent::files::entry::Facts;
use crate::agent::files::home::Place;
use crate::agent::files::receive::{Bound, receive};
use crate::agent::files::refusal::Refusal;
use crate::domain::file::{FileKind, UploadState};
use bytes::Bytes;
use hyper::body::Body;
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, fchmod, openat, renameat, renameat_with, unlinkat};
use rustix::io::Errno;
use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};

/// What marks the draft of a file: `.<name>.codex-upload-<id>`.
pub const MARK: &[u8] = b".codex-upload-";

/// The permission bits of a new file.
const NEW_FILE: u32 = 0o644;

/// What the name of a draft is. A long name is cut, so that the mark still fits.
pub fn draft_name(name: &[u8], id: &str) -> Vec<u8> {
    let room = 255 - 1 - MARK.len() - 64;
    [b".", &name[..name.len().min(room)], MARK, id.as_bytes()].concat()
}

/// What is at a place now; refused where it is nothing that a file may replace.
pub fn replaceable(place: &Place) -> Result<Option<Facts>, Refusal> {
    match Facts::of_name(&place.folder, &place.name) {
        Ok(facts) if facts.kind == FileKind::File => Ok(Some(facts)),
        Ok(facts) if facts.kind == FileKind::Directory => Err(Refusal::is_directory()),
        Ok(_) => Err(Refusal::special()),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A draft with a name of its own, which goes away unless it takes its place.
struct Draft {
    place: Place,
    name: Vec<u8>,
    is_placed: bool,
}

impl Draft {
    fn take_place(mut self, file: &File, conditions: &Conditions) -> Result<String, Refusal> {
        let etag = put_in_place(&self.place, &self.name, file, conditions)?;
        self.is_placed = true;
        Ok(etag)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_placed {
            let _ = unlinkat(&self.place.folder, &self.name, AtFlags::empty());
        }
    }
}

fn begin(place: Place) -> Result<(Draft, File), Refusal> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    loop {
        // A draft of an earlier run may have this name.
        let name = draft_name(&place.name, &format!("put-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(&place.folder, &name, flags, Mode::from_raw_mode(0o600)) {
            Ok(file) => return Ok((Draft { place, name, is_placed: false }, file.into())),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Takes a whole file from a body.
pub async fn write<B>(place: Place, body: B, bound: &Bound, conditions: Conditions) -> Result<UploadState, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    conditions.check(replaceable(&place)?.as_ref())?;
    let (draft, file) = begin(place)?;
    let offset = receive(body, &file, bound).await?;
    let etag = blocking(move || draft.take_place(&file, &conditions)).await?;
    Ok(UploadState { offset, done: true, etag: Some(etag) })
}

/// Puts a finished draft in its place, with the permissions of what it replaces. Answers its entity tag.
pub fn put_in_place(place: &Place, draft: &[u8], file: &File, conditions: &Conditions) -> Result<String, Refusal> {
    let now = replaceable(place)?;
    conditions.check(now.as_ref())?;
    // Without the bits that would let it run as somebody.
    let mode = now.map_or(NEW_FILE, |facts| facts.mode & 0o777);
    fchmod(file, Mode::from_raw_mode(mode))?;
    file.sync_all()?;
    if conditions.only_new() {
        renameat_with(&place.folder, draft, &place.folder, &place.name, RenameFlags::NOREPLACE).map_err(|error| match error {
            Errno::EXIST => Refusal::stale(),
            other => other.into(),
        })?;
    } else {
        renameat(&place.folder, draft, &place.folder, &place.name)?;
    }
    // The new name is on the disk, too; where the folder cannot be read, it comes there by itself.
    if let Ok(folder) = openat(&place.folder, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
        let _ = rustix::fs::fsync(folder);
    }
    Ok(Facts::of_file(file)?.etag())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::files::home::Home;
    use crate::domain::home_path::HomePath;
    use http_body_util::{BodyExt, Full, StreamBody};
    use hyper::HeaderMap;
    use hyper::body::Frame;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    const OPEN: Bound = Bound { most: u64::MAX, refusal: Refusal { status: 409, code: "no_room", message: String::new(), number: None } };

    fn place(base: &tempfile::TempDir, raw: &str) -> Result<Place, Refusal> {
        Home::open(base.path()).unwrap().place_for_writing(&HomePath::of_address(raw).unwrap())
    }

    fn when(name: &'static str, value: &str) -> Conditions {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        Conditions::of(&headers)
    }

    fn names(base: &tempfile::TempDir) -> Vec<String> {
        let mut all: Vec<String> =
            fs::read_dir(base.path()).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        all.sort();
        all
    }

    async fn put(base: &tempfile::TempDir, name: &str, text: &str, conditions: Conditions) -> Result<UploadState, Refusal> {
        write(place(base, name)?, Full::from(text.to_owned()), &OPEN, conditions).await
    }

    #[tokio::test]
    async fn a_file_is_replaced_whole_and_keeps_its_mode() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("run.sh");
        let made = put(&base, "run.sh", "one", Conditions::default()).await.unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o644);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o4751)).unwrap();
        put(&base, "run.sh", "two", when("if-match", &made.etag.unwrap())).await.unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o751, "its mode, but never its setuid bit");
        std::os::unix::fs::symlink("run.sh", base.path().join("link")).unwrap();
        put(&base, "link", "three", Conditions::default()).await.unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"three");
        assert_eq!(names(&base), ["link", "run.sh"], "the link stays one, and no draft is left");
    }

    #[tokio::test]
    async fn a_stale_write_is_refused_and_changes_nothing() {
        let base = tempfile::tempdir().unwrap();
        let made = put(&base, "notes", "one", when("if-none-match", "*")).await.unwrap().etag.unwrap();
        put(&base, "notes", "changed", Conditions::default()).await.unwrap();
        for conditions in [when("if-match", &made), when("if-none-match", "*")] {
            assert_eq!(put(&base, "notes", "two", conditions).await.unwrap_err().status, 412);
        }
        assert_eq!(put(&base, "none", "x", when("if-match", "*")).await.unwrap_err().status, 412);
        assert_eq!((fs::read(base.path().join("notes")).unwrap(), names(&base)), (b"changed".to_vec(), vec!["notes".to_owned()]));
    }

    #[tokio::test]
    async fn what_breaks_off_or_does_not_fit_leaves_the_old_file_whole() {
        let base = tempfile::tempdir().unwrap();
        fs::write(base.path().join("old"), b"old").unwrap();
        let broken = futures_util::stream::iter([Ok(Frame::data(Bytes::from_static(b"new"))), Err(std::io::Error::other("gone"))]);
        let broken = StreamBody::new(broken).map_err(|e| e);
        let refused = write(place(&base, "old").unwrap(), broken, &OPEN, Conditions::default()).await;
        assert_eq!(refused.unwrap_err().code, "broken_body");
        let tight = Bound { most: 2, ..OPEN };
        let long = futures_util::stream::iter([Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(b"new")))]);
        let refused = write(place(&base, "old").unwrap(), StreamBody::new(long), &tight, Conditions::default()).await;
        assert_eq!(refused.unwrap_err().code, "no_room");
        assert_eq!((fs::read(base.path().join("old")).unwrap(), names(&base)), (b"old".to_vec(), vec!["old".to_owned()]));
    }

    #[tokio::test]
    async fn folders_and_special_files_are_not_replaced() {
        let base = tempfile::tempdir().unwrap();
        fs::create_dir(base.path().join("folder")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, base.path().join("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        for (name, code) in [("folder", "is_directory"), ("pipe", "special_file"), ("none/file", "not_found"), ("pipe/x", "not_directory")]
        {
            assert_eq!(put(&base, name, "x", Conditions::default()).await.unwrap_err().code, code, "{name}");
        }
        let long = "n".repeat(255);
        assert!(put(&base, &long, "x", Conditions::default()).await.is_ok(), "the longest name has room for its draft");
    }
}
