//! The folders of a workspace on the host: made, handed to its uid, measured and removed.
//!
//! `home/` belongs to the workspace, `logs/` and `state/` to the server. What a workspace made is hostile here: links
//! are never followed.

use crate::domain::id::{GroupId, WorkspaceId};
use rustix::fs::{AtFlags, CWD};
use rustix::process::{Gid, Uid};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Where the folders of one workspace are.
#[derive(Debug, Clone)]
pub struct Folders {
    pub base: PathBuf,
}

/// What the server keeps beside a home, so that it can tell after its own restart whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    pub namespace: String,
    pub group: GroupId,
    pub run: i64,
    pub generation: i64,
    pub uid: u32,
}

impl Folders {
    pub fn new(workspaces: &Path, id: &WorkspaceId) -> Self {
        Self { base: workspaces.join(id.as_str()) }
    }

    pub fn home(&self) -> PathBuf {
        self.base.join("home")
    }

    pub fn logs(&self) -> PathBuf {
        self.base.join("logs")
    }

    /// Temporary files where the sandbox has no private `/tmp`; emptied at every start and end.
    pub fn tmp(&self) -> PathBuf {
        self.base.join("tmp")
    }

    fn state(&self) -> PathBuf {
        self.base.join("state")
    }

    fn record(&self) -> PathBuf {
        self.state().join("workspace.json")
    }

    /// Makes what is missing and hands the home to `uid` (`None`: the server's own).
    pub fn prepare(&self, record: &Record, uid: Option<u32>, shared_tmp: bool) -> io::Result<()> {
        folder(&self.base, 0o711)?;
        folder(&self.logs(), 0o700)?;
        folder(&self.state(), 0o700)?;
        self.keep(record)?;
        let home = self.home();
        if folder(&home, 0o700)? {
            furnish(&home)?;
        }
        give(&home, uid)?;
        self.clear_tmp()?;
        if shared_tmp {
            folder(&self.tmp(), 0o700)?;
            give(&self.tmp(), uid)?;
        }
        Ok(())
    }

    /// Writes the record, whole or not at all.
    pub fn keep(&self, record: &Record) -> io::Result<()> {
        write_whole(&self.record(), &serde_json::to_vec_pretty(record)?)
    }

    /// Reads the record; `None` where there is none.
    pub fn recall(&self) -> Option<Record> {
        serde_json::from_slice(&fs::read(self.record()).ok()?).ok()
    }

    /// Removes the temporary files of a run that ended.
    pub fn clear_tmp(&self) -> io::Result<()> {
        remove_tree(&self.tmp())
    }

    /// Removes everything.
    pub fn remove(&self) -> io::Result<()> {
        remove_tree(&self.base)
    }
}

/// Writes a file that is read whole or not at all, also after a power cut.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Two writers at once must not take each other's draft away.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let draft = path.with_extension(format!("draft-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
    let mut file = File::options().create(true).write(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, path)
}

/// Makes a folder of exactly this mode; says whether it is new.
pub fn folder(path: &Path, mode: u32) -> io::Result<bool> {
    let new = match fs::create_dir(path) {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
        Err(error) => return Err(error),
    };
    let found = fs::symlink_metadata(path)?;
    if !found.is_dir() {
        return Err(io::Error::new(ErrorKind::NotADirectory, format!("{} is not a folder", path.display())));
    }
    if found.permissions().mode() & 0o7777 != mode {
        fs::set_permissions(path, Permissions::from_mode(mode))?;
    }
    Ok(new)
}

/// Puts the host's template files (`.bashrc` and the like) into a new home.
fn furnish(home: &Path) -> io::Result<()> {
    let Ok(entries) = fs::read_dir("/etc/skel") else { return Ok(()) };
    for entry in entries.flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_file())) {
        let text = fs::read(entry.path())?;
        File::options().create_new(true).write(true).mode(0o644).open(home.join(entry.file_name()))?.write_all(&text)?;
    }
    Ok(())
}

/// Hands a tree to a uid. The whole tree is walked only when its top belongs to somebody else.
fn give(top: &Path, uid: Option<u32>) -> io::Result<()> {
    let Some(uid) = uid else { return Ok(()) };
    let found = fs::symlink_metadata(top)?;
    if found.uid() == uid && found.gid() == uid {
        return Ok(());
    }
    // The top comes last: an interrupted walk is repeated.
    for entry in fs::read_dir(top)?.flatten() {
        give_all(&entry.path(), uid)?;
    }
    own(top, uid)
}

fn give_all(path: &Path, uid: u32) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)?.flatten() {
            give_all(&entry.path(), uid)?;
        }
    }
    own(path, uid)
}

fn own(path: &Path, uid: u32) -> io::Result<()> {
    Ok(rustix::fs::chownat(CWD, path, Some(Uid::from_raw(uid)), Some(Gid::from_raw(uid)), AtFlags::SYMLINK_NOFOLLOW)?)
}

/// What a tree takes on the disk in bytes. A file with several names counts once for each.
pub fn used_bytes(top: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(top) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => found.blocks() * 512 + used_bytes(&entry.path()),
        Ok(found) => found.blocks() * 512,
        Err(_) => 0,
    });
    sizes.sum()
}

/// Removes a tree; links are removed, not followed. What is not there is removed already.
fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            // Without root, folders that their owner closed must be opened first.
            unlock(path);
            absent_is_fine(fs::remove_dir_all(path))
        }
        result => absent_is_fine(result),
    }
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    result.or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

fn unlock(path: &Path) {
    if fs::symlink_metadata(path).is_ok_and(|m| m.is_dir()) {
        let _ = fs::set_permissions(path, Permissions::from_mode(0o700));
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            unlock(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn record() -> Record {
        let group = GroupId::trusted("grp_00000000000000000000000000000001".into());
        Record { namespace: "team-a".into(), group, run: 3, generation: 4, uid: 5 }
    }

    #[test]
    fn a_record_is_read_back_and_a_damaged_one_is_none() {
        let base = tempfile::tempdir().unwrap();
        let folders = Folders { base: base.path().join("ws") };
        folders.prepare(&record(), None, true).unwrap();
        assert_eq!(folders.recall(), Some(record()));
        fs::write(folders.record(), b"{").unwrap();
        assert_eq!(folders.recall(), None);
    }

    #[test]
    fn preparing_again_keeps_files_and_repairs_modes() {
        let base = tempfile::tempdir().unwrap();
        let folders = Folders { base: base.path().join("ws") };
        folders.prepare(&record(), None, false).unwrap();
        fs::write(folders.home().join("work"), b"kept").unwrap();
        fs::set_permissions(folders.home(), Permissions::from_mode(0o777)).unwrap();
        folders.prepare(&record(), None, false).unwrap();
        assert_eq!(fs::read(folders.home().join("work")).unwrap(), b"kept");
        let mode = |p: PathBuf| fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(folders.home()), mode(folders.logs()), mode(folders.base.clone())), (0o700, 0o700, 0o711));
    }

    #[test]
    fn removing_takes_links_and_closed_folders_but_not_what_they_point_to() {
        let base = tempfile::tempdir().unwrap();
        let outside = base.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("precious"), b"kept").unwrap();
        let folders = Folders { base: base.path().join("ws") };
        folders.prepare(&record(), None, false).unwrap();
        symlink(&outside, folders.home().join("link")).unwrap();
        let closed = folders.home().join("closed");
        fs::create_dir(&closed).unwrap();
        fs::write(closed.join("file"), b"x").unwrap();
        fs::set_permissions(&closed, Permissions::from_mode(0o000)).unwrap();
        folders.remove().unwrap();
        assert!(!folders.base.exists());
        assert!(outside.join("precious").exists());
        folders.remove().unwrap();
    }

    #[test]
    fn a_link_in_place_of_a_folder_is_refused() {
        let base = tempfile::tempdir().unwrap();
        symlink("/", base.path().join("ws")).unwrap();
        assert!(folder(&base.path().join("ws"), 0o711).is_err());
    }

    #[test]
    fn use_is_what_the_disk_gave() {
        let base = tempfile::tempdir().unwrap();
        fs::write(base.path().join("file"), vec![1_u8; 100_000]).unwrap();
        let used = used_bytes(base.path());
        assert!((100_000..200_000).contains(&used), "{used}");
    }
}
