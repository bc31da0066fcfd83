//! Finding backups, and finding out whether one is good.

use super::files::io_fault;
use super::manifest::{Manifest, entry, read_manifest};
use super::{DATABASE, KEY, Places};
use crate::error::Result;
use crate::store::backup;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// All backups in the data directory, oldest first. Folders that are no backups are passed over.
pub fn list(places: &Places) -> Result<Vec<(String, Manifest)>> {
    let entries = match fs::read_dir(places.backups()) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io_fault(&places.backups(), &error)),
    };
    let mut found: Vec<(String, Manifest)> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .filter_map(|name| read_manifest(&places.backup(&name)).ok().map(|manifest| (name, manifest)))
        .collect();
    found.sort_by(|a, b| a.1.created_at.cmp(&b.1.created_at).then_with(|| a.0.cmp(&b.0)));
    Ok(found)
}

/// Checks a backup: every file against the manifest, then the database by opening it. The inner error says what is
/// wrong. The audit chain needs the key and is checked by the caller.
pub fn verify(folder: &Path) -> Result<std::result::Result<Manifest, String>> {
    let manifest = read_manifest(folder)?;
    for file in &manifest.files {
        if file.name.contains('/') {
            return Ok(Err(format!("the manifest names a file outside the backup: {}", file.name)));
        }
        match entry(folder, &file.name) {
            Ok(found) if found == *file => {}
            Ok(found) => return Ok(Err(format!("{} was changed: {} bytes, SHA-256 {}", file.name, found.bytes, found.sha256))),
            Err(error) => return Ok(Err(error.to_string())),
        }
    }
    Ok(match backup::check(&folder.join(DATABASE))? {
        Err(problem) => Err(problem),
        Ok(content) if content.rows != manifest.rows => Err("the tables do not hold what the manifest says".into()),
        Ok(_) => Ok(manifest),
    })
}

/// Where the key to a backup lies: in it, or in the data directory.
pub fn key_of(places: &Places, folder: &Path, manifest: &Manifest) -> PathBuf {
    if manifest.has_key() { folder.join(KEY) } else { places.master_key() }
}
