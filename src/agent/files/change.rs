//! Making folders and giving other names.

use crate::agent::files::entry::{Facts, entry};
use crate::agent::files::home::{Home, Place};
use crate::agent::files::refusal::Refusal;
use crate::domain::file::{FileEntry, FileKind};
use crate::domain::home_path::HomePath;
use rustix::fs::{Mode, RenameFlags, mkdirat, renameat_with};
use rustix::io::Errno;

/// The permission bits of a new folder; the mask of the agent takes its part.
const NEW_FOLDER: u32 = 0o777;

/// Makes a folder and those that it lies in.
pub fn make_folder(home: &Home, path: &HomePath) -> Result<FileEntry, Refusal> {
    let names: Vec<&[u8]> = path.as_bytes().split(|b| *b == b'/').collect();
    for depth in 1..names.len() {
        let parent = place(home, &names[..depth])?;
        match mkdirat(&parent.folder, &parent.name, Mode::from_raw_mode(NEW_FOLDER)) {
            // What is there and no folder is found out by the next step.
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let place = home.place(path)?;
    mkdirat(&place.folder, &place.name, Mode::from_raw_mode(NEW_FOLDER))?;
    Ok(entry(&place.folder, &place.name)?)
}

fn place(home: &Home, names: &[&[u8]]) -> Result<Place, Refusal> {
    let (name, folder) = names.split_last().ok_or_else(Refusal::not_found)?;
    Ok(Place { folder: home.folder(&folder.join(&b'/'))?, name: name.to_vec() })
}

/// Gives something another name. A link is moved itself. Nothing is replaced unless that is wanted, and a folder never
/// replaces anything but an empty folder.
pub fn rename(home: &Home, from: &HomePath, to: &HomePath, overwrite: bool) -> Result<FileEntry, Refusal> {
    let (old, new) = (home.place(from)?, home.place(to)?);
    let flags = if overwrite { RenameFlags::empty() } else { RenameFlags::NOREPLACE };
    renameat_with(&old.folder, &old.name, &new.folder, &new.name, flags).map_err(|error| match error {
        Errno::XDEV => Refusal::new(409, "other_disk", "it lies on another disk"),
        Errno::INVAL if is_folder(&old) => Refusal::new(409, "into_itself", "a folder cannot be moved into itself"),
        other => other.into(),
    })?;
    Ok(entry(&new.folder, &new.name)?)
}

fn is_folder(place: &Place) -> bool {
    Facts::of_name(&place.folder, &place.name).is_ok_and(|facts| facts.kind == FileKind::Directory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn path(raw: &str) -> HomePath {
        HomePath::of_address(raw).unwrap()
    }

    #[test]
    fn a_folder_is_made_with_those_it_lies_in() {
        let base = tempfile::tempdir().unwrap();
        let home = Home::open(base.path()).unwrap();
        let made = make_folder(&home, &path("a/b/c%E9")).unwrap();
        assert_eq!((made.name.as_str(), made.kind), ("c%E9", FileKind::Directory));
        assert_eq!(make_folder(&home, &path("a/b")).unwrap_err().code, "exists");
        fs::write(base.path().join("file"), b"").unwrap();
        assert_eq!(make_folder(&home, &path("file/x")).unwrap_err().code, "not_directory");
        assert_eq!(make_folder(&home, &path("")).unwrap_err().code, "bad_path");
        symlink("..", base.path().join("up")).unwrap();
        symlink("/tmp", base.path().join("away")).unwrap();
        for name in ["up/x", "up/x/y", "away/codex-web-was-here"] {
            assert_eq!(make_folder(&home, &path(name)).unwrap_err().code, "outside", "{name}");
        }
    }

    #[test]
    fn nothing_is_replaced_unless_that_is_wanted() {
        let base = tempfile::tempdir().unwrap();
        let home = Home::open(base.path()).unwrap();
        fs::write(base.path().join("a"), b"a").unwrap();
        fs::write(base.path().join("b"), b"b").unwrap();
        fs::create_dir_all(base.path().join("dir/inner")).unwrap();
        let code = |from: &str, to: &str, over| rename(&home, &path(from), &path(to), over).unwrap_err().code;
        assert_eq!(code("a", "b", false), "exists");
        assert_eq!(fs::read(base.path().join("b")).unwrap(), b"b");
        assert_eq!(rename(&home, &path("a"), &path("b"), true).unwrap().name, "b");
        assert_eq!(fs::read(base.path().join("b")).unwrap(), b"a");
        assert_eq!(code("b", "dir", true), "is_directory");
        assert_eq!(code("dir", "dir/inner/x", false), "into_itself");
        assert_eq!(code("none", "x", false), "not_found");
        assert_eq!(code("b", "none/x", false), "not_found");
        assert_eq!((code("", "x", false), code("b", "", true)), ("bad_path", "bad_path"));
    }

    #[test]
    fn a_link_is_moved_itself_and_nothing_is_moved_through_one_that_leads_out() {
        let base = tempfile::tempdir().unwrap();
        let (inside, outside) = (base.path().join("home"), base.path().join("outside"));
        fs::create_dir(&inside).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(inside.join("file"), b"mine").unwrap();
        symlink("../outside", inside.join("link")).unwrap();
        let home = Home::open(&inside).unwrap();
        assert_eq!(rename(&home, &path("file"), &path("link/file"), false).unwrap_err().code, "outside");
        assert_eq!(rename(&home, &path("link"), &path("renamed"), false).unwrap().kind, FileKind::Link);
        assert!(outside.exists() && inside.join("file").exists());
    }
}
