//! The manifest: what a backup holds, with the size and checksum of each of its files.

use super::KEY;
use super::files::{io_fault, private_file};
use crate::clock::Millis;
use crate::domain::hex;
use crate::error::{Error, Result};
use crate::store::backup::Content;
use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

pub(super) const MANIFEST: &str = "manifest.json";
/// The number of the manifest's format.
const FORMAT: u32 = 1;

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    pub format: u32,
    /// RFC 3339.
    pub created_at: String,
    /// The version of the program that wrote it.
    pub program: String,
    pub schema: i64,
    pub installation: String,
    pub audit_head: AuditHead,
    /// Rows of each table.
    pub rows: BTreeMap<String, i64>,
    pub files: Vec<FileEntry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHead {
    pub seq: i64,
    pub hash: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    pub name: String,
    pub bytes: u64,
    pub sha256: String,
}

impl Manifest {
    /// Whether the master key is in it.
    pub fn has_key(&self) -> bool {
        self.files.iter().any(|file| file.name == KEY)
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

pub(super) fn manifest(content: Content, files: Vec<FileEntry>, now: Millis) -> Manifest {
    let (seq, hash) = content.audit_head;
    Manifest {
        format: FORMAT,
        created_at: now.rfc3339(),
        program: env!("CARGO_PKG_VERSION").into(),
        schema: content.schema,
        installation: content.installation,
        audit_head: AuditHead { seq, hash },
        rows: content.rows,
        files,
    }
}

pub(super) fn write_manifest(folder: &Path, manifest: &Manifest) -> Result<()> {
    let path = folder.join(MANIFEST);
    let text = serde_json::to_vec_pretty(manifest).map_err(|error| Error::internal(error.to_string()))?;
    let written = private_file(&path).and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()));
    written.map_err(|error| io_fault(&path, &error))
}

/// The manifest of a backup, if it is one.
pub fn read_manifest(folder: &Path) -> Result<Manifest> {
    let path = folder.join(MANIFEST);
    let text = fs::read(&path).map_err(|error| io_fault(&path, &error))?;
    let manifest: Manifest =
        serde_json::from_slice(&text).map_err(|error| Error::internal(format!("{} is damaged: {error}", path.display())))?;
    if manifest.format == FORMAT {
        Ok(manifest)
    } else {
        Err(Error::internal(format!("{} has format {}, this program knows {FORMAT}", path.display(), manifest.format)))
    }
}

/// The entry of a file as it lies in the folder now; reads all of it.
pub(super) fn entry(folder: &Path, name: &str) -> Result<FileEntry> {
    let path = folder.join(name);
    let hashed = || -> io::Result<(u64, String)> {
        let mut file = File::open(&path)?;
        let mut context = digest::Context::new(&digest::SHA256);
        let mut buffer = vec![0; 1 << 16];
        let mut bytes = 0;
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            context.update(&buffer[..read]);
            bytes += read as u64;
        }
        Ok((bytes, hex::encode(context.finish().as_ref())))
    };
    let (bytes, sha256) = hashed().map_err(|error| io_fault(&path, &error))?;
    Ok(FileEntry { name: name.to_owned(), bytes, sha256 })
}
