//! A tar archive in the form of GNU tar, compressed by gzip.

use crate::agent::files::archive::Packer;
use crate::agent::files::entry::Facts;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, Write};
use tar::{EntryType, Header};

/// Everything in a tar archive is filled up to blocks of this length.
const BLOCK: u64 = 512;
/// The longest name that a header holds; longer ones stand in an entry of their own before it.
const NAME: usize = 100;
/// The name of such an entry.
const LONG: &[u8] = b"././@LongLink";

/// An archive in the making.
pub struct TarGz {
    encoder: GzEncoder<Vec<u8>>,
    /// Length of the file that is being written.
    length: u64,
}

impl TarGz {
    pub fn new() -> Self {
        // Fast: what is downloaded over a local network is not worth a processor.
        Self { encoder: GzEncoder::new(Vec::new(), Compression::fast()), length: 0 }
    }

    fn entry(&mut self, kind: EntryType, path: &[u8], facts: &Facts, size: u64, target: &[u8]) -> io::Result<()> {
        if target.len() > NAME {
            self.long(EntryType::GNULongLink, target)?;
        }
        if path.len() > NAME {
            self.long(EntryType::GNULongName, path)?;
        }
        let mut header = header(kind, path, size);
        header.set_mode(facts.mode & 0o777);
        header.set_mtime(u64::try_from(facts.modified.0).unwrap_or(0));
        if let Some(old) = header.as_gnu_mut() {
            put(&mut old.linkname, target);
        }
        self.write_header(&mut header)
    }

    fn long(&mut self, kind: EntryType, text: &[u8]) -> io::Result<()> {
        let length = text.len() as u64 + 1;
        self.write_header(&mut header(kind, LONG, length))?;
        self.encoder.write_all(text)?;
        self.encoder.write_all(&[0])?;
        self.fill(length)
    }

    fn write_header(&mut self, header: &mut Header) -> io::Result<()> {
        header.set_cksum();
        self.encoder.write_all(header.as_bytes())
    }

    fn fill(&mut self, length: u64) -> io::Result<()> {
        let missing = usize::try_from((BLOCK - length % BLOCK) % BLOCK).unwrap_or(0);
        self.encoder.write_all(&[0; 512][..missing])
    }
}

fn header(kind: EntryType, path: &[u8], size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mode(0o644);
    header.set_mtime(0);
    if let Some(old) = header.as_gnu_mut() {
        put(&mut old.name, path);
    }
    header
}

fn put(field: &mut [u8; NAME], text: &[u8]) {
    let length = text.len().min(NAME);
    field[..length].copy_from_slice(&text[..length]);
}

impl Packer for TarGz {
    fn folder(&mut self, path: &[u8], facts: &Facts) -> io::Result<()> {
        self.entry(EntryType::Directory, &[path, b"/"].concat(), facts, 0, b"")
    }

    fn link(&mut self, path: &[u8], facts: &Facts, target: &[u8]) -> io::Result<()> {
        self.entry(EntryType::Symlink, path, facts, 0, target)
    }

    fn file(&mut self, path: &[u8], facts: &Facts) -> io::Result<()> {
        self.length = facts.size;
        self.entry(EntryType::Regular, path, facts, facts.size, b"")
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.encoder.write_all(bytes)
    }

    fn end_file(&mut self) -> io::Result<()> {
        self.fill(self.length)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.encoder.write_all(&[0; 1024])?;
        self.encoder.try_finish()
    }

    fn ready(&self) -> usize {
        self.encoder.get_ref().len()
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.encoder.get_mut())
    }
}
