//! The one door to files: every path is opened below the home by `openat2`, which refuses to resolve out of it.
//!
//! The programs of the workspace change the tree at any time, so nothing is decided by a name that is looked up again:
//! a folder is opened once, and what is done in it is done by its descriptor. Links are followed while they stay below
//! the home; absolute ones never do.

use crate::agent::files::refusal::Refusal;
use crate::domain::home_path::HomePath;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, openat, openat2, readlinkat, statx};
use rustix::io::Errno;
use std::path::Path;

/// How many links a name may lead through.
const LINKS_MAX: usize = 16;
/// How often a look-up is repeated that met a rename; the kernel asks for it where `..` is in play.
const ATTEMPTS: usize = 32;

/// The home, opened.
pub struct Home {
    root: OwnedFd,
}

/// A name in an opened folder.
pub struct Place {
    pub folder: OwnedFd,
    pub name: Vec<u8>,
}

impl Home {
    pub fn open(path: &Path) -> Result<Self, Refusal> {
        let root = openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        Ok(Self { root: root.map_err(|error| Refusal::failed(format!("the home cannot be opened: {error}")))? })
    }

    /// Opens what a path leads to, as long as that lies below the home.
    pub fn at(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let path = if path.is_empty() { b"." } else { path };
        let below = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        for _ in 0..ATTEMPTS {
            match openat2(&self.root, path, flags | OFlags::CLOEXEC, Mode::empty(), below) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                // Older container runtimes refuse the call; then no link is followed at all.
                Err(Errno::NOSYS | Errno::PERM) => return step_by_step(&self.root, path, flags),
                result => return result,
            }
        }
        Err(Errno::AGAIN)
    }

    /// Opens a folder to do something in it.
    pub fn folder(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        self.at(path, OFlags::PATH | OFlags::DIRECTORY)
    }

    /// The folder of a path and the name in it, whatever has that name. The home itself has no place.
    pub fn place(&self, path: &HomePath) -> Result<Place, Refusal> {
        let (folder, name) = path.split().ok_or_else(|| Refusal::new(400, "bad_path", "the home itself cannot be changed"))?;
        Ok(Place { folder: self.folder(folder)?, name: name.to_vec() })
    }

    /// The same for a file that is to be written: where the name is a link, the place that it leads to, so that writing
    /// does not replace the link.
    pub fn place_for_writing(&self, path: &HomePath) -> Result<Place, Refusal> {
        let mut path = path.as_bytes().to_vec();
        for _ in 0..LINKS_MAX {
            let cut = path.iter().rposition(|b| *b == b'/');
            let (folder, name) = cut.map_or((&b""[..], &path[..]), |at| (&path[..at], &path[at + 1..]));
            // Only a link can lead to such an end.
            if name.is_empty() || name == b"." || name == b".." {
                return Err(Refusal::is_directory());
            }
            let place = Place { folder: self.folder(folder)?, name: name.to_vec() };
            let target = match readlinkat(&place.folder, &place.name, Vec::new()) {
                Ok(target) => target.into_bytes(),
                // No link, or nothing yet.
                Err(Errno::INVAL | Errno::NOENT) => return Ok(place),
                Err(error) => return Err(error.into()),
            };
            if target.starts_with(b"/") {
                return Err(Errno::XDEV.into());
            }
            path = if folder.is_empty() { target } else { [folder, &b"/"[..], &target[..]].concat() };
        }
        Err(Errno::LOOP.into())
    }

    /// Bytes that the file system has left for this user.
    pub fn free_bytes(&self) -> Result<u64, Refusal> {
        let root = self.at(b"", OFlags::RDONLY | OFlags::DIRECTORY)?;
        let system = rustix::fs::fstatvfs(root)?;
        Ok(system.f_bavail.saturating_mul(system.f_frsize))
    }
}

/// The same without `openat2`: one name at a time, and no links.
fn step_by_step(root: &OwnedFd, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut names: Vec<&[u8]> = path.split(|b| *b == b'/').collect();
    if names.contains(&&b".."[..]) {
        return Err(Errno::XDEV);
    }
    let last = names.pop().unwrap_or(b".");
    let mut folder = None;
    for name in names {
        let from = folder.as_ref().unwrap_or(root);
        let next = openat(from, name, OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        folder = Some(next);
    }
    let opened = openat(folder.as_ref().unwrap_or(root), last, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    // With O_PATH a link is opened as itself.
    let seen = statx(&opened, "", AtFlags::EMPTY_PATH, rustix::fs::StatxFlags::TYPE)?;
    if FileType::from_raw_mode(seen.stx_mode.into()) == FileType::Symlink { Err(Errno::LOOP) } else { Ok(opened) }
}

/// Opens a folder of a folder itself: no link, and nothing on another disk. For walks through whole trees.
pub fn real_folder(folder: impl AsFd, name: &[u8]) -> Result<OwnedFd, Errno> {
    real(folder, name, OFlags::RDONLY | OFlags::DIRECTORY)
}

/// Opens a file of a folder itself, without waiting at a pipe.
pub fn real_file(folder: impl AsFd, name: &[u8]) -> Result<OwnedFd, Errno> {
    real(folder, name, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)
}

fn real(folder: impl AsFd, name: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let strict = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat2(&folder, name, flags, Mode::empty(), strict) {
        Err(Errno::NOSYS | Errno::PERM) => openat(folder, name, flags, Mode::empty()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn path(raw: &str) -> HomePath {
        HomePath::of_address(raw).unwrap()
    }

    fn tree() -> (tempfile::TempDir, Home) {
        let base = tempfile::tempdir().unwrap();
        fs::write(base.path().join("secret"), b"treasure").unwrap();
        let home = base.path().join("home");
        fs::create_dir_all(home.join("a/b")).unwrap();
        fs::write(home.join("a/file"), b"mine").unwrap();
        symlink("../secret", home.join("up")).unwrap();
        symlink(base.path().join("secret"), home.join("absolute")).unwrap();
        symlink(home.join("a"), home.join("absolute-inside")).unwrap();
        symlink("a/../a/file", home.join("inside")).unwrap();
        symlink("loop", home.join("loop")).unwrap();
        symlink("/proc/self/root", home.join("magic")).unwrap();
        symlink("../../..", home.join("a/b/far")).unwrap();
        let opened = Home::open(&home).unwrap();
        (base, opened)
    }

    #[test]
    fn nothing_outside_the_home_is_opened() {
        let (_base, home) = tree();
        for name in ["up", "absolute", "absolute-inside", "magic", "magic/etc/passwd", "a/b/far/secret", "a/b/far", "loop"] {
            let refused = home.at(name.as_bytes(), OFlags::RDONLY).err();
            assert!(matches!(refused, Some(Errno::XDEV | Errno::LOOP)), "{name}: {refused:?}");
        }
        assert!(home.at(b"inside", OFlags::RDONLY).is_ok(), "a link that stays below is followed");
        assert!(home.at(b"..", OFlags::PATH).is_err() && home.at(b"a/../../secret", OFlags::RDONLY).is_err());
    }

    #[test]
    fn without_openat2_no_link_is_followed_at_all() {
        let (_base, home) = tree();
        for name in ["up", "absolute", "inside", "magic/etc", "a/b/far/secret", "a/../../secret", ".."] {
            assert!(step_by_step(&home.root, name.as_bytes(), OFlags::RDONLY).is_err(), "{name}");
            assert!(step_by_step(&home.root, name.as_bytes(), OFlags::PATH).is_err(), "{name}");
        }
        assert!(step_by_step(&home.root, b"a/file", OFlags::RDONLY).is_ok());
        assert!(step_by_step(&home.root, b".", OFlags::PATH | OFlags::DIRECTORY).is_ok());
    }

    #[test]
    fn writing_to_a_link_writes_where_it_leads() {
        let (base, home) = tree();
        symlink("b/new", base.path().join("home/a/soon")).unwrap();
        let place = home.place_for_writing(&path("a/soon")).unwrap();
        fs::write(base.path().join("home/a/b/new"), b"x").unwrap();
        assert_eq!(place.name, b"new");
        assert!(statx(&place.folder, &place.name, AtFlags::empty(), rustix::fs::StatxFlags::TYPE).is_ok());
        for name in ["up", "absolute", "loop", "a/b/far", "magic"] {
            assert!(home.place_for_writing(&path(name)).is_err(), "{name}");
        }
    }

    /// A program that swaps a folder for a link, again and again, never gets a look-up to leave the home.
    #[test]
    fn a_race_of_links_is_never_won() {
        let (base, home) = tree();
        let outside = base.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("file"), b"treasure").unwrap();
        let (folder, link) = (base.path().join("home/a"), base.path().join("home/evil"));
        symlink(&outside, &link).unwrap();
        let stop = std::sync::atomic::AtomicBool::new(false);
        let begun = std::time::Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while begun.elapsed().as_secs() < 60 && !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let _ = rustix::fs::renameat_with(CWD, &folder, CWD, &link, rustix::fs::RenameFlags::EXCHANGE);
                }
            });
            let mut opened = 0;
            for _ in 0..20_000 {
                if let Ok(file) = home.at(b"a/file", OFlags::RDONLY) {
                    let text = std::io::read_to_string(fs::File::from(file)).unwrap();
                    assert_eq!(text, "mine");
                    opened += 1;
                }
                if let Ok(place) = home.place_for_writing(&path("a/file")) {
                    let found = real_file(&place.folder, b"file").map(|f| std::io::read_to_string(fs::File::from(f)).unwrap());
                    assert_ne!(found.as_deref(), Ok("treasure"));
                }
            }
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            assert!(opened > 0, "the race was never on");
        });
    }
}
