//! Uploads in pieces: what has arrived stays beside the file under the client's own id, so that a broken upload goes on
//! where it stopped. The last piece puts the file in its place.

use crate::agent::files::blocking;
use crate::agent::files::conditions::Conditions;
use crate::agent::files::entry::Facts;
use crate::agent::files::home::{Home, Place, real_file};
use crate::agent::files::receive::{Bound, receive};
use crate::agent::files::refusal::Refusal;
use crate::agent::files::write::{MARK, draft_name, put_in_place, replaceable};
use crate::clock::{DAY, Millis};
use crate::domain::file::{FileKind, UploadState};
use bytes::Bytes;
use hyper::body::Body;
use rustix::fs::{AtFlags, Dir, FlockOperation, Mode, OFlags, flock, openat, unlinkat};
use rustix::io::Errno;
use std::fs::File;

/// A draft that nothing was added to for so long is left over, in milliseconds.
const STALE: i64 = DAY;

/// One piece of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Chosen by the client; one for each file.
    pub id: String,
    /// How many bytes have arrived before it.
    pub offset: u64,
    /// How many there will be in all.
    pub total: u64,
}

/// How much of an upload has arrived.
pub fn state(place: &Place, id: &str) -> Result<UploadState, Refusal> {
    match Facts::of_name(&place.folder, &draft_name(&place.name, id)) {
        Ok(facts) if facts.kind == FileKind::File => Ok(UploadState { offset: facts.size, done: false, etag: None }),
        Ok(_) => Err(Refusal::special()),
        Err(Errno::NOENT) => Ok(UploadState { offset: 0, done: false, etag: None }),
        Err(error) => Err(error.into()),
    }
}

/// Takes one piece.
pub async fn write<B>(place: Place, piece: Piece, body: B, room: &Bound, conditions: Conditions) -> Result<UploadState, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    let missing = piece.total.checked_sub(piece.offset).ok_or_else(|| Refusal::bad_query("offset is behind total"))?;
    if missing > room.most {
        return Err(room.refusal.clone());
    }
    conditions.check(replaceable(&place)?.as_ref())?;
    let draft = draft_name(&place.name, &piece.id);
    let file = open(&place, &draft, piece.offset)?;
    let bound = Bound { most: missing, refusal: Refusal::bad_query("more bytes came than total says") };
    let offset = piece.offset + receive(body, &file, &bound).await?;
    if offset < piece.total {
        return Ok(UploadState { offset, done: false, etag: None });
    }
    blocking(move || {
        let etag = put_in_place(&place, &draft, &file, &conditions)?;
        Ok(UploadState { offset, done: true, etag: Some(etag) })
    })
    .await
}

/// Opens the draft where the piece goes on. Only one piece at a time is written; the lock ends with the descriptor.
fn open(place: &Place, draft: &[u8], offset: u64) -> Result<File, Refusal> {
    let make = if offset == 0 { OFlags::CREATE } else { OFlags::empty() };
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | make;
    let wrong = |found: u64| Refusal::new(409, "wrong_offset", "another piece of the upload comes next").number(found);
    let file = match openat(&place.folder, draft, flags, Mode::from_raw_mode(0o600)) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) if offset > 0 => return Err(wrong(0)),
        Err(error) => return Err(error.into()),
    };
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    let facts = Facts::of_file(&file)?;
    if facts.kind != FileKind::File {
        return Err(Refusal::special());
    }
    if offset == 0 {
        file.set_len(0)?;
    } else if facts.size != offset {
        return Err(wrong(facts.size));
    }
    Ok(file)
}

/// Removes what broken uploads left in a folder long ago.
pub fn sweep(home: &Home, folder: &[u8], now: Millis) {
    let opened = home.at(folder, OFlags::RDONLY | OFlags::DIRECTORY).and_then(Dir::new);
    let Ok(mut dir) = opened else { return };
    while let Some(Ok(found)) = dir.read() {
        let name = found.file_name().to_bytes();
        let is_draft = name.starts_with(b".") && name.windows(MARK.len()).any(|part| part == MARK);
        let Some(folder) = dir.fd().ok().filter(|_| is_draft) else { continue };
        let is_left = |facts: Facts| facts.kind == FileKind::File && now.since(Millis(facts.modified_millis())) > STALE;
        // Whoever still writes to it holds its lock.
        let is_free = || real_file(folder, name).and_then(|file| flock(file, FlockOperation::NonBlockingLockExclusive)).is_ok();
        if Facts::of_name(folder, name).is_ok_and(is_left) && is_free() {
            let _ = unlinkat(folder, name, AtFlags::empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::home_path::HomePath;
    use http_body_util::Full;
    use std::fs;
    use std::time::{Duration, SystemTime};

    fn room(most: u64) -> Bound {
        Bound { most, refusal: Refusal::no_room() }
    }

    fn place(base: &tempfile::TempDir) -> Place {
        Home::open(base.path()).unwrap().place_for_writing(&HomePath::of_address("film").unwrap()).unwrap()
    }

    async fn put(base: &tempfile::TempDir, offset: u64, total: u64, text: &str) -> Result<UploadState, Refusal> {
        let piece = Piece { id: "u1".into(), offset, total };
        write(place(base), piece, Full::from(text.to_owned()), &room(100), Conditions::default()).await
    }

    #[tokio::test]
    async fn a_broken_upload_goes_on_where_it_stopped() {
        let base = tempfile::tempdir().unwrap();
        fs::write(base.path().join("film"), b"old").unwrap();
        assert_eq!(state(&place(&base), "u1").unwrap().offset, 0);
        assert_eq!(put(&base, 0, 10, "0123").await.unwrap(), UploadState { offset: 4, done: false, etag: None });
        assert_eq!(state(&place(&base), "u1").unwrap().offset, 4);
        let wrong = put(&base, 3, 10, "3456").await.unwrap_err();
        assert_eq!((wrong.code, wrong.number), ("wrong_offset", Some(4)));
        assert_eq!(fs::read(base.path().join("film")).unwrap(), b"old");
        let done = put(&base, 4, 10, "456789").await.unwrap();
        assert!(done.done && done.offset == 10 && done.etag.is_some());
        assert_eq!(fs::read(base.path().join("film")).unwrap(), b"0123456789");
        assert_eq!(fs::read_dir(base.path()).unwrap().count(), 1);
        let again = put(&base, 4, 10, "x").await.unwrap_err();
        assert_eq!((again.code, again.number), ("wrong_offset", Some(0)), "it begins anew");
    }

    #[tokio::test]
    async fn more_than_was_announced_or_fits_is_refused() {
        let base = tempfile::tempdir().unwrap();
        assert_eq!(put(&base, 0, 101, "x").await.unwrap_err().code, "no_room");
        assert_eq!(put(&base, 5, 4, "x").await.unwrap_err().code, "bad_query");
        assert_eq!(put(&base, 0, 3, "0123").await.unwrap_err().code, "bad_query");
        assert!(!base.path().join("film").exists());
        assert_eq!(put(&base, 0, 0, "").await.unwrap().offset, 0);
        assert_eq!(fs::read(base.path().join("film")).unwrap(), b"", "an empty file is a file");
    }

    #[tokio::test]
    async fn two_clients_do_not_write_into_one_another() {
        let base = tempfile::tempdir().unwrap();
        put(&base, 0, 10, "0123").await.unwrap();
        let _held = open(&place(&base), &draft_name(b"film", "u1"), 4).unwrap();
        assert_eq!(put(&base, 4, 10, "456789").await.unwrap_err().code, "busy");
    }

    #[tokio::test]
    async fn only_what_was_left_long_ago_is_swept() {
        let base = tempfile::tempdir().unwrap();
        put(&base, 0, 10, "0123").await.unwrap();
        let draft = base.path().join(std::str::from_utf8(&draft_name(b"film", "u1")).unwrap());
        fs::write(base.path().join("kept.codex-upload-x"), b"").unwrap();
        let home = Home::open(base.path()).unwrap();
        let written = fs::metadata(&draft).unwrap().modified().unwrap();
        let now = Millis(i64::try_from(written.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis()).unwrap());
        sweep(&home, b"", now.plus(DAY - 1_000));
        assert!(draft.exists());
        for name in [draft.clone(), base.path().join("kept.codex-upload-x")] {
            fs::File::options().write(true).open(name).unwrap().set_modified(written - Duration::from_secs(90_000)).unwrap();
        }
        sweep(&home, b"", now);
        assert!(!draft.exists() && base.path().join("kept.codex-upload-x").exists());
    }
}
