//! Removing a file, or a folder with all in it. No link is followed, no other disk is entered, and a tree of any depth
//! takes a bounded number of descriptors.

use crate::agent::files::home::{Place, real_folder};
use crate::agent::files::refusal::Refusal;
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{AtFlags, Dir, FileType, RenameFlags, renameat_with, unlinkat};
use rustix::io::Errno;

/// How many folders are open at once. What lies deeper is moved up and comes later.
const DEPTH: usize = 64;

/// Removes what has a name, whatever it is.
pub fn remove(place: &Place) -> Result<(), Refusal> {
    match unlinkat(&place.folder, &place.name, AtFlags::empty()) {
        Err(Errno::ISDIR) => remove_folder(place),
        result => Ok(result?),
    }
}

fn remove_folder(place: &Place) -> Result<(), Refusal> {
    loop {
        let top = real_folder(&place.folder, &place.name).map_err(explain)?;
        let removed = empty(top.as_fd())?;
        match unlinkat(&place.folder, &place.name, AtFlags::REMOVEDIR) {
            // Something deep was moved up, or a program adds files: as long as it becomes less, it goes on.
            Err(Errno::NOTEMPTY) if removed > 0 => {}
            Err(error) => return Err(explain(error)),
            Ok(()) => return Ok(()),
        }
    }
}

fn explain(error: Errno) -> Refusal {
    match error {
        Errno::XDEV => Refusal::new(409, "other_disk", "another disk is mounted in it"),
        other => other.into(),
    }
}

struct Level {
    dir: Dir,
    name: Vec<u8>,
}

/// Empties a folder as far as it goes; answers how many things were removed or moved up.
fn empty(top: BorrowedFd<'_>) -> Result<u64, Refusal> {
    let mut stack = vec![Level { dir: Dir::read_from(top)?, name: Vec::new() }];
    let mut removed = 0;
    loop {
        let depth = stack.len();
        let Some(level) = stack.last_mut() else { return Ok(removed) };
        let Some(found) = level.dir.read() else {
            removed += leave(&mut stack)?;
            continue;
        };
        let found = found?;
        let name = found.file_name().to_bytes().to_vec();
        if name == b"." || name == b".." {
            continue;
        }
        let folder = level.dir.fd()?;
        let is_folder = match found.file_type() {
            FileType::Directory => true,
            _ => match unlinkat(folder, &name, AtFlags::empty()) {
                // Some file systems do not say what it is.
                Err(Errno::ISDIR) => true,
                result => gone(result).map(|()| false)?,
            },
        };
        if !is_folder {
            removed += 1;
        } else if depth < DEPTH {
            let below = real_folder(folder, &name).map_err(explain)?;
            stack.push(Level { dir: Dir::new(below)?, name });
        } else {
            move_up(folder, &name, top, removed)?;
            removed += 1;
        }
    }
}

/// Removes the emptied folder on top of the stack from the one below it.
fn leave(stack: &mut Vec<Level>) -> Result<u64, Refusal> {
    let Some(emptied) = stack.pop() else { return Ok(0) };
    let Some(parent) = stack.last() else { return Ok(0) };
    match unlinkat(parent.dir.fd()?, &emptied.name, AtFlags::REMOVEDIR) {
        // A program wrote into it meanwhile: the next round comes by.
        Err(Errno::NOTEMPTY) => Ok(0),
        result => gone(result).map(|()| 1),
    }
}

/// What somebody else has removed is removed.
fn gone(result: Result<(), Errno>) -> Result<(), Refusal> {
    match result {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(explain(error)),
    }
}

fn move_up(folder: BorrowedFd<'_>, name: &[u8], top: BorrowedFd<'_>, number: u64) -> Result<(), Refusal> {
    let mut number = number;
    loop {
        let new = format!(".codex-removing-{number}");
        match renameat_with(folder, name, top, new.as_bytes(), RenameFlags::NOREPLACE) {
            Err(Errno::EXIST) => number += 1,
            result => return gone(result),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::files::home::Home;
    use crate::domain::home_path::HomePath;
    use rustix::fs::{Mode, mkdirat};
    use std::fs;
    use std::os::unix::fs::symlink;

    fn removed(base: &std::path::Path, raw: &str) -> Result<(), &'static str> {
        let place = Home::open(base).unwrap().place(&HomePath::of_address(raw).unwrap()).map_err(|r| r.code)?;
        remove(&place).map_err(|r| r.code)
    }

    #[test]
    fn a_tree_goes_and_what_its_links_point_to_stays() {
        let base = tempfile::tempdir().unwrap();
        let (home, outside) = (base.path().join("home"), base.path().join("outside"));
        fs::create_dir_all(home.join("tree/a/b")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("precious"), b"kept").unwrap();
        fs::write(home.join("tree/a/b/file"), b"x").unwrap();
        symlink(&outside, home.join("tree/a/link")).unwrap();
        symlink("../outside", home.join("away")).unwrap();
        assert_eq!(removed(&home, "tree"), Ok(()));
        assert_eq!(removed(&home, "away/precious"), Err("outside"));
        assert_eq!(removed(&home, "away"), Ok(()), "the link itself goes");
        assert!(outside.join("precious").exists() && fs::read_dir(&home).unwrap().count() == 0);
        assert_eq!((removed(&home, "none"), removed(&home, "")), (Err("not_found"), Err("bad_path")));
    }

    #[test]
    fn a_tree_of_two_thousand_levels_goes() {
        let base = tempfile::tempdir().unwrap();
        fs::create_dir(base.path().join("deep")).unwrap();
        let mut at = real_folder(fs::File::open(base.path()).unwrap(), b"deep").unwrap();
        for _ in 0..2_000 {
            mkdirat(&at, "d", Mode::from_raw_mode(0o700)).unwrap();
            mkdirat(&at, "e", Mode::from_raw_mode(0o700)).unwrap();
            at = real_folder(&at, b"d").unwrap();
        }
        assert_eq!(removed(base.path(), "deep"), Ok(()));
        assert_eq!(fs::read_dir(base.path()).unwrap().count(), 0);
    }
}
