//! The file that holds the set-up code while there is no administrator, readable by the data directory's user alone:
//! for whoever starts the server without a terminal.

use crate::error::{Error, Result};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Its name in the data directory.
const NAME: &str = "setup-code";

/// Writes a new code in the place of the old one.
pub fn keep(data_dir: &Path, code: &str) -> Result<()> {
    forget(data_dir);
    let path = data_dir.join(NAME);
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let written = made.and_then(|mut file| writeln!(file, "{code}"));
    written.map_err(|error| Error::internal(format!("{} cannot be written: {error}", path.display())))
}

/// Removes it, once there is an administrator.
pub fn forget(data_dir: &Path) {
    // That it is not there is the usual case.
    let _ = fs::remove_file(data_dir.join(NAME));
}
