//! Putting a backup in the place of the database. Nothing is lost: what it replaces is moved aside.

use super::files::{io_fault, make_private_folder, private_file, stamp, sync_folder};
use super::manifest::Manifest;
use super::{DATABASE, KEY, Places};
use crate::clock::Millis;
use crate::error::Result;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Puts a verified backup in the place of the database and answers the folder where the old files lie now. The lock
/// must be held. Ending the sign-ins is the caller's next step, with the database open.
pub fn put_in_place(places: &Places, folder: &Path, manifest: &Manifest, now: Millis) -> Result<PathBuf> {
    let database = places.database();
    // The copy is complete on the same disk before anything is moved.
    let fresh = places.data_dir.join(format!("{DATABASE}.restoring"));
    copy_private(&folder.join(DATABASE), &fresh)?;
    let aside = places.data_dir.join(format!("before-restore-{}", stamp(now)));
    make_private_folder(&aside)?;
    for name in [DATABASE.to_owned(), format!("{DATABASE}-wal"), format!("{DATABASE}-shm")] {
        move_if_there(&places.data_dir.join(&name), &aside.join(&name))?;
    }
    if manifest.has_key() {
        move_if_there(&places.master_key(), &aside.join(KEY))?;
        make_private_folder(&places.data_dir.join("keys"))?;
        copy_private(&folder.join(KEY), &places.master_key())?;
    }
    fs::rename(&fresh, &database).map_err(|error| io_fault(&database, &error))?;
    sync_folder(&places.data_dir).map_err(|error| io_fault(&places.data_dir, &error))?;
    Ok(aside)
}

fn move_if_there(from: &Path, to: &Path) -> Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_fault(from, &error)),
        _ => Ok(()),
    }
}

fn copy_private(from: &Path, to: &Path) -> Result<()> {
    let _ = fs::remove_file(to);
    let copied = private_file(to).and_then(|mut target| io::copy(&mut File::open(from)?, &mut target).and_then(|_| target.sync_all()));
    copied.map_err(|error| io_fault(to, &error))
}
