//! Making a backup: copied, checked, described, flushed, and only then given its name.

use super::files::{io_fault, make_private_folder, private_file, stamp, sync_folder};
use super::manifest::{Manifest, entry, manifest, write_manifest};
use super::{DATABASE, KEY, Places};
use crate::clock::{Clock, Millis};
use crate::error::{Error, Result};
use crate::store::backup;
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Makes a backup and answers its name and manifest. Takes as long as copying takes; call it on a thread that may wait.
pub fn create(places: &Places, with_keys: bool, clock: &dyn Clock) -> Result<(String, Manifest)> {
    let now = clock.now();
    let backups = places.backups();
    make_private_folder(&backups)?;
    let name = free_name(&backups, now);
    let unfinished = backups.join(format!(".{name}.unfinished"));
    let made = fill(places, &unfinished, with_keys, now).and_then(|manifest| {
        fs::rename(&unfinished, backups.join(&name)).and_then(|()| sync_folder(&backups)).map_err(|error| io_fault(&backups, &error))?;
        Ok(manifest)
    });
    if made.is_err() {
        // What is left of a failed backup is no backup; the first error is the one to tell.
        let _ = fs::remove_dir_all(&unfinished);
    }
    made.map(|manifest| (name, manifest))
}

fn fill(places: &Places, folder: &Path, with_keys: bool, now: Millis) -> Result<Manifest> {
    let _ = fs::remove_dir_all(folder);
    make_private_folder(folder)?;
    let copy = folder.join(DATABASE);
    // SQLite makes files by the umask; this one is made before it opens it.
    private_file(&copy).map_err(|error| io_fault(&copy, &error))?;
    backup::copy(&places.database(), &copy)?;
    let content = backup::check(&copy)?.map_err(|problem| Error::internal(format!("the copy is not good: {problem}")))?;
    let mut files = vec![entry(folder, DATABASE)?];
    if with_keys {
        let mut key = private_file(&folder.join(KEY)).map_err(|error| io_fault(folder, &error))?;
        let copied = File::open(places.master_key()).and_then(|mut from| io::copy(&mut from, &mut key)).and_then(|_| key.sync_all());
        copied.map_err(|error| io_fault(&places.master_key(), &error))?;
        files.push(entry(folder, KEY)?);
    }
    let manifest = manifest(content, files, now);
    write_manifest(folder, &manifest)?;
    sync_folder(folder).map_err(|error| io_fault(folder, &error))?;
    Ok(manifest)
}

/// `20260312T102030Z`, and a number after it when that is taken.
fn free_name(backups: &Path, now: Millis) -> String {
    let stamp = stamp(now);
    let mut name = stamp.clone();
    let mut number = 2;
    while backups.join(&name).exists() {
        name = format!("{stamp}-{number}");
        number += 1;
    }
    name
}
