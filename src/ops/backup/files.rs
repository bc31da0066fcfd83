//! Files and folders that their owner alone can read, and the time in a name.

use crate::clock::Millis;
use crate::error::{Error, Result};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

pub(super) fn stamp(now: Millis) -> String {
    let time = now.rfc3339();
    let seconds = time.split('.').next().unwrap_or(&time);
    format!("{}Z", seconds.replace(['-', ':'], ""))
}

pub(super) fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

pub(super) fn make_private_folder(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| io_fault(path, &error))
}

pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

pub(super) fn io_fault(path: &Path, error: &io::Error) -> Error {
    if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        return Error::StorageFull;
    }
    Error::internal(format!("{}: {error}", path.display()))
}
