//! What must lie on the disk before an app is started: the folder of its socket, and the settings that it brings.

use crate::agent::apps::{Address, LONGEST_SOCKET, Supervised};
use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Makes room for the socket and writes what is not there yet.
pub fn prepare(app: &Supervised) -> io::Result<()> {
    if let Address::Socket(socket) = &app.address {
        make_room(socket)?;
    }
    for file in &app.app.files {
        write_new(&app.home.join(&file.path), &file.text)?;
    }
    Ok(())
}

fn make_room(socket: &Path) -> io::Result<()> {
    let length = socket.as_os_str().len();
    if length > LONGEST_SOCKET {
        let message = format!("the path of its socket has {length} bytes and may have {LONGEST_SOCKET}: the data directory lies too deep");
        return Err(io::Error::new(ErrorKind::InvalidInput, message));
    }
    if let Some(folder) = socket.parent() {
        // The mode keeps other users out, so whatever mode an app gives its socket is good.
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    // What a killed program left behind would be taken for a running one.
    absent_is_fine(std::fs::remove_file(socket))
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    result.or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// Writes a file where nothing lies, link or otherwise. What is there stays.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
    }
    match File::options().create_new(true).write(true).mode(0o644).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_once_and_what_a_person_made_of_it_stays() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(".config/editor/settings.json");
        write_new(&path, "{}").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{}");
        std::fs::write(&path, "mine").unwrap();
        write_new(&path, "{}").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    }

    #[test]
    fn a_link_is_not_followed_to_write_elsewhere() {
        let home = tempfile::tempdir().unwrap();
        let (link, target) = (home.path().join("link"), home.path().join("target"));
        std::os::unix::fs::symlink(&target, &link).unwrap();
        write_new(&link, "{}").unwrap();
        assert!(!target.exists());
    }

    #[test]
    fn a_socket_whose_path_is_too_long_is_refused_in_words() {
        let deep = Path::new("/").join("x".repeat(120)).join("editor.sock");
        assert!(make_room(&deep).unwrap_err().to_string().contains("lies too deep"));
    }
}
