//! Copying a folder while its digest is taken, so that what was checked is what lies there.
//!
//! Files, folders and links only. Links are copied as links: one that leads out of the folder is refused, unless it
//! leads to programs of the system, which every workspace sees. Owners and special modes are not kept; times are,
//! because Python compares them with those of its compiled files.

use super::layout::SEEN;
use crate::domain::hex;
use aws_lc_rs::digest::{Context, SHA256};
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

/// Bytes that are copied at once.
const PIECE: usize = 256 * 1024;
/// The deepest folder that is copied.
const DEEPEST: usize = 64;

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// SHA-256 over kinds, paths, contents and whether files can be run, in hexadecimal.
    pub digest: String,
    pub files: u64,
    pub bytes: u64,
}

/// Copies everything below `from` into the new folder `to`.
pub fn copy(from: &Path, to: &Path) -> io::Result<Copied> {
    walk(from, Some(to))
}

/// The digest of what lies there.
pub fn digest(folder: &Path) -> io::Result<Copied> {
    walk(folder, None)
}

struct Walk<'a> {
    from: &'a Path,
    to: Option<&'a Path>,
    sum: Context,
    files: u64,
    bytes: u64,
    piece: Vec<u8>,
}

fn walk(from: &Path, to: Option<&Path>) -> io::Result<Copied> {
    let mut walk = Walk { from, to, sum: Context::new(&SHA256), files: 0, bytes: 0, piece: vec![0; PIECE] };
    if let Some(to) = to {
        new_folder(to)?;
    }
    walk.folder(Path::new(""), 0)?;
    Ok(Copied { digest: hex::encode(walk.sum.finish().as_ref()), files: walk.files, bytes: walk.bytes })
}

fn new_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o755).create(path)?;
    // The umask may have taken what workspaces need.
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

fn refused(path: &Path, why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("{}: {why}", path.display()))
}

impl Walk<'_> {
    /// Everything in a folder, in the order of the names' bytes, so that two copies have one digest.
    fn folder(&mut self, below: &Path, depth: usize) -> io::Result<()> {
        if depth > DEEPEST {
            return Err(refused(below, "folders lie too deep in each other"));
        }
        let mut names: Vec<_> =
            fs::read_dir(self.from.join(below))?.map(|entry| entry.map(|e| e.file_name())).collect::<io::Result<_>>()?;
        names.sort();
        for name in names {
            let path = below.join(name);
            let kind = fs::symlink_metadata(self.from.join(&path))?.file_type();
            if kind.is_dir() {
                self.note(b'd', &path, &[]);
                self.make(&path, new_folder)?;
                self.folder(&path, depth + 1)?;
            } else if kind.is_symlink() {
                self.link(&path)?;
            } else if kind.is_file() {
                self.file(&path)?;
            } else {
                return Err(refused(&path, "only files, folders and links can be installed"));
            }
        }
        Ok(())
    }

    fn make(&self, path: &Path, make: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
        self.to.map_or(Ok(()), |to| make(&to.join(path)))
    }

    /// One entry under the digest. Lengths stand before texts, so that no two trees read the same.
    fn note(&mut self, kind: u8, path: &Path, text: &[u8]) {
        let path = path.as_os_str().as_bytes();
        self.sum.update(&[kind]);
        for part in [path, text] {
            self.sum.update(&(part.len() as u64).to_be_bytes());
            self.sum.update(part);
        }
    }

    fn link(&mut self, path: &Path) -> io::Result<()> {
        let target = fs::read_link(self.from.join(path))?;
        if !stays_inside(path, &target) {
            return Err(refused(path, &format!("the link leads out of the folder, to {}", target.display())));
        }
        self.note(b'l', path, target.as_os_str().as_bytes());
        self.files += 1;
        self.make(path, |new| symlink(&target, new))
    }

    fn file(&mut self, path: &Path) -> io::Result<()> {
        let mut source = File::open(self.from.join(path))?;
        let meta = source.metadata()?;
        let mode = if meta.permissions().mode() & 0o111 == 0 { 0o644 } else { 0o755 };
        let mut target = self.to.map(|to| File::options().create_new(true).write(true).mode(mode).open(to.join(path))).transpose()?;
        self.note(if mode == 0o755 { b'x' } else { b'f' }, path, &meta.len().to_be_bytes());
        let mut left = meta.len();
        loop {
            let n = source.read(&mut self.piece)?;
            if n == 0 {
                break;
            }
            left = left.checked_sub(n as u64).ok_or_else(|| refused(path, "it grew while it was read"))?;
            self.sum.update(&self.piece[..n]);
            if let Some(target) = &mut target {
                target.write_all(&self.piece[..n])?;
            }
        }
        if left > 0 {
            return Err(refused(path, "it shrank while it was read"));
        }
        (self.files, self.bytes) = (self.files + 1, self.bytes + meta.len());
        if let Some(target) = target {
            target.set_permissions(fs::Permissions::from_mode(mode))?;
            target.set_modified(meta.modified()?)?;
        }
        Ok(())
    }
}

/// Whether a link below the folder leads to something in it, or to programs of the system. By the text alone: what a
/// workspace follows a link to is what the workspace may see anyway.
fn stays_inside(link: &Path, target: &Path) -> bool {
    if target.is_absolute() {
        let plain = target.components().all(|part| !matches!(part, Component::ParentDir));
        return plain && SEEN.iter().any(|seen| target.as_os_str().as_bytes().starts_with(seen.as_bytes()));
    }
    let mut at: PathBuf = link.parent().map(Path::to_path_buf).unwrap_or_default();
    target.components().all(|part| match part {
        Component::ParentDir => at.pop(),
        Component::Normal(name) => {
            at.push(name);
            true
        }
        _ => true,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn source() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("bin")).unwrap();
        fs::write(folder.path().join("bin/program"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(folder.path().join("bin/program"), fs::Permissions::from_mode(0o4711)).unwrap();
        fs::write(folder.path().join("data"), vec![7; 600_000]).unwrap();
        symlink("../data", folder.path().join("bin/data")).unwrap();
        symlink("/usr/bin/python3", folder.path().join("bin/python3")).unwrap();
        folder
    }

    #[test]
    fn a_copy_has_the_digest_of_what_was_copied_and_plain_modes() {
        let (from, place) = (source(), tempfile::tempdir().unwrap());
        let to = place.path().join("copy");
        let copied = copy(from.path(), &to).unwrap();
        assert_eq!((copied.files, copied.bytes), (4, 600_010));
        assert_eq!(digest(from.path()).unwrap(), copied);
        assert_eq!(digest(&to).unwrap(), copied);
        let mode = |file: &str| fs::metadata(to.join(file)).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode("bin/program"), mode("data"), mode("bin")), (0o755, 0o644, 0o755));
        let time = |folder: &Path| fs::metadata(folder.join("data")).unwrap().modified().unwrap();
        assert_eq!(time(&to), time(from.path()));
    }

    #[test]
    fn any_change_changes_the_digest() {
        let change: [fn(&Path); 5] = [
            |folder| fs::write(folder.join("data"), vec![8; 600_000]).unwrap(),
            |folder| fs::rename(folder.join("data"), folder.join("other")).unwrap(),
            |folder| fs::set_permissions(folder.join("data"), fs::Permissions::from_mode(0o755)).unwrap(),
            |folder| fs::create_dir(folder.join("new")).unwrap(),
            |folder| {
                fs::remove_file(folder.join("bin/python3")).unwrap();
                symlink("/usr/bin/python4", folder.join("bin/python3")).unwrap();
            },
        ];
        let before = digest(source().path()).unwrap().digest;
        for change in change {
            let folder = source();
            change(folder.path());
            assert_ne!(digest(folder.path()).unwrap().digest, before);
        }
    }

    #[test]
    fn a_link_that_leads_out_and_what_is_no_file_are_refused() {
        for target in ["/etc/shadow", "../../etc/passwd", "/usr/../etc/shadow", "a/../../../x"] {
            let folder = source();
            symlink(target, folder.path().join("bin/bad")).unwrap();
            let error = copy(folder.path(), &folder.path().with_extension("copy")).unwrap_err();
            let _ = fs::remove_dir_all(folder.path().with_extension("copy"));
            assert!(error.to_string().contains("leads out of the folder"), "{target}: {error}");
        }
        let folder = source();
        let _listener = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
        assert!(digest(folder.path()).unwrap_err().to_string().contains("only files"));
    }
}
