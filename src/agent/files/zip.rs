//! A zip archive, for those whose system opens nothing else. Its table of contents comes last, so a few hundred bytes
//! of every entry are remembered until then; a tarball needs nothing of the kind.
//!
//! Names in a zip file are text: what is none is written with replacement characters.

use crate::agent::files::archive::Packer;
use crate::agent::files::entry::Facts;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, DateTime, ZipWriter};

/// Where the writer puts what it has written.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An archive in the making.
pub struct Zip {
    buffer: Buffer,
    /// Absent once it is finished.
    writer: Option<ZipWriter<StreamWriter<Buffer>>>,
}

impl Zip {
    pub fn new() -> Self {
        let buffer = Buffer::default();
        Self { writer: Some(ZipWriter::new_stream(buffer.clone())), buffer }
    }

    fn writer(&mut self) -> io::Result<&mut ZipWriter<StreamWriter<Buffer>>> {
        self.writer.as_mut().ok_or_else(|| io::Error::other("the archive is finished"))
    }
}

fn options(facts: &Facts) -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(1))
        .unix_permissions(facts.mode & 0o777)
        .last_modified_time(modified(facts).unwrap_or_default())
        // A length that fits is written in the old form, which every program reads.
        .large_file(facts.size >= u64::from(u32::MAX) / 2)
}

/// In UTC; the format knows no time zone, and nothing before 1980.
fn modified(facts: &Facts) -> Option<DateTime> {
    let at = Timestamp::from_second(facts.modified.0).ok()?.to_zoned(TimeZone::UTC);
    let small = |n: i8| u8::try_from(n).unwrap_or(0);
    let year = u16::try_from(at.year()).ok()?;
    DateTime::from_date_and_time(year, small(at.month()), small(at.day()), small(at.hour()), small(at.minute()), small(at.second())).ok()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Packer for Zip {
    fn folder(&mut self, path: &[u8], facts: &Facts) -> io::Result<()> {
        Ok(self.writer()?.add_directory(text(path), options(facts))?)
    }

    fn link(&mut self, path: &[u8], facts: &Facts, target: &[u8]) -> io::Result<()> {
        Ok(self.writer()?.add_symlink(text(path), text(target), options(facts))?)
    }

    fn file(&mut self, path: &[u8], facts: &Facts) -> io::Result<()> {
        Ok(self.writer()?.start_file(text(path), options(facts))?)
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer()?.write_all(bytes)
    }

    fn end_file(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        match self.writer.take() {
            Some(writer) => Ok(writer.finish().map(drop)?),
            None => Ok(()),
        }
    }

    fn ready(&self) -> usize {
        self.buffer.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut *self.buffer.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
