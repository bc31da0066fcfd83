//! The home in a container: a volume, which gets the files that the image gives new users at the first start.
//!
//! A volume on which anything lies has been somebody's home and is never touched: not its files, and not its modes.

use rustix::fs::Access;
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Where an image keeps what a new home begins with.
const SKELETON: &str = "/etc/skel";
/// What a file system puts on a new volume by itself.
const RESCUED: &str = "lost+found";

/// Makes the home where there is none. The error is a sentence for people.
pub fn make(home: &Path) -> Result<(), String> {
    make_from(home, Path::new(SKELETON))
}

fn make_from(home: &Path, skeleton: &Path) -> Result<(), String> {
    let told = |error: &dyn std::fmt::Display| format!("The home {} cannot be used: {error}.", home.display());
    match fs::metadata(home) {
        Ok(found) if !found.is_dir() => return Err(told(&"something else is in its place")),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(0o700).create(home).map_err(|error| told(&error))?;
        }
        Err(error) => return Err(told(&error)),
    }
    rustix::fs::access(home, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| {
        let owner = fs::metadata(home).map_or_else(|_| "?".to_owned(), |found| found.uid().to_string());
        let own = rustix::process::getuid();
        format!("The home {} belongs to user {owner} and cannot be written as user {own}: {error}.", home.display())
    })?;
    furnish(home, skeleton).map_err(|error| told(&error))
}

fn furnish(home: &Path, skeleton: &Path) -> io::Result<()> {
    let is_new = fs::read_dir(home)?.flatten().all(|entry| entry.file_name() == RESCUED);
    if !is_new {
        return Ok(());
    }
    for entry in fs::read_dir(skeleton).into_iter().flatten().flatten() {
        // An image may hold files that this user cannot read; a home without them is a home.
        let Ok(text) = fs::read(entry.path()) else { continue };
        File::options().create_new(true).write(true).mode(0o644).open(home.join(entry.file_name()))?.write_all(&text)?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_new_home_has_the_images_files() {
        let dir = tempfile::tempdir().unwrap();
        let (volume, skeleton) = (dir.path().join("volume"), dir.path().join("skel"));
        fs::create_dir_all(skeleton.join("folder")).unwrap();
        fs::write(skeleton.join(".bashrc"), "PS1=x").unwrap();
        // As ext4 hands it over.
        fs::create_dir_all(volume.join(RESCUED)).unwrap();
        make_from(&volume, &skeleton).unwrap();
        assert_eq!(fs::read_to_string(volume.join(".bashrc")).unwrap(), "PS1=x");
        assert_eq!(fs::read_dir(&volume).unwrap().count(), 2);
        // Where no volume is mounted, it belongs to its user alone.
        let home = dir.path().join("home/dev");
        make_from(&home, &skeleton).unwrap();
        assert_eq!(fs::metadata(&home).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_home_in_which_anything_lies_is_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let (home, skeleton) = (dir.path().join("dev"), dir.path().join("skel"));
        fs::create_dir_all(&skeleton).unwrap();
        fs::write(skeleton.join(".bashrc"), "PS1=x").unwrap();
        fs::create_dir(&home).unwrap();
        fs::write(home.join("work"), "").unwrap();
        make_from(&home, &skeleton).unwrap();
        assert_eq!(fs::read_dir(&home).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_home_is_told_in_words() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("dev");
        fs::write(&home, "").unwrap();
        assert!(make_from(&home, dir.path()).unwrap_err().contains("something else is in its place"));
        assert!(make_from(Path::new("/proc/no-such-place/dev"), dir.path()).unwrap_err().contains("cannot be used"));
    }
}
