//! A folder as one file, made while it is sent: nothing is kept on the disk, and a slow client holds neither a thread
//! nor more memory than a piece.
//!
//! The packing goes in steps, each on a blocking thread, and each ends when a piece is full. What could not be packed is
//! named in a text file at the end of the archive, so that nothing is missing silently.

use crate::agent::files::blocking;
use crate::agent::files::entry::Facts;
use crate::agent::files::home::Home;
use crate::agent::files::read::PIECE;
use crate::agent::files::refusal::Refusal;
use crate::agent::files::tar::TarGz;
use crate::agent::files::walk::{Found, Walk};
use crate::agent::files::zip::Zip;
use crate::agent::http::{Answer, Body};
use crate::clock::Millis;
use crate::domain::file::FileKind;
use crate::domain::home_path::HomePath;
use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::Response;
use hyper::body::Frame;
use hyper::header::CONTENT_TYPE;
use rustix::fs::OFlags;
use std::fs::File;
use std::io::{self, Read};

/// The most lines of the list of what is missing.
const MISSING_MAX: usize = 1_000;
const MISSING_NAME: &[u8] = b"codex-web-left-out.txt";

/// The kinds of archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    TarGz,
    Zip,
}

impl Kind {
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "tar.gz" => Some(Self::TarGz),
            "zip" => Some(Self::Zip),
            _ => None,
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::TarGz => "application/gzip",
            Self::Zip => "application/zip",
        }
    }
}

/// Writes one form of archive into a buffer.
pub trait Packer: Send {
    fn folder(&mut self, path: &[u8], facts: &Facts) -> io::Result<()>;
    fn link(&mut self, path: &[u8], facts: &Facts, target: &[u8]) -> io::Result<()>;
    /// Begins a file of exactly `facts.size` bytes, which come by [`Packer::data`].
    fn file(&mut self, path: &[u8], facts: &Facts) -> io::Result<()>;
    fn data(&mut self, bytes: &[u8]) -> io::Result<()>;
    fn end_file(&mut self) -> io::Result<()>;
    /// Nothing comes after this.
    fn finish(&mut self) -> io::Result<()>;
    /// How many bytes are ready.
    fn ready(&self) -> usize;
    /// Takes what is ready.
    fn take(&mut self) -> Vec<u8>;
}

/// A file whose bytes are being packed.
struct Current {
    file: File,
    left: u64,
}

/// An archive in the making.
struct Archive {
    packer: Box<dyn Packer>,
    walk: Walk,
    top: Vec<u8>,
    now: Millis,
    current: Option<Current>,
    missing: Vec<String>,
    is_finished: bool,
}

/// The answer with a folder as an archive.
pub fn answer(home: &Home, path: &HomePath, kind: Kind, now: Millis) -> Result<Answer, Refusal> {
    let folder = home.at(path.as_bytes(), OFlags::RDONLY | OFlags::DIRECTORY)?;
    let facts = Facts::of_file(&folder)?;
    let top = path.split().map_or(&b"home"[..], |(_, name)| name).to_vec();
    let mut packer: Box<dyn Packer> = match kind {
        Kind::TarGz => Box::new(TarGz::new()),
        Kind::Zip => Box::new(Zip::new()),
    };
    packer.folder(&top, &facts)?;
    let walk = Walk::new(folder, &top)?;
    let archive = Archive { packer, walk, top, now, current: None, missing: Vec::new(), is_finished: false };
    let response = Response::builder().header(CONTENT_TYPE, kind.content_type()).body(pieces(archive));
    response.map_err(|error| Refusal::failed(error.to_string()))
}

fn pieces(archive: Archive) -> Body {
    let pieces = stream::try_unfold(archive, |mut archive| async move {
        let step = blocking(move || Ok((archive.step()?, archive))).await;
        let (piece, archive) = step.map_err(|refusal| io::Error::other(refusal.message))?;
        Ok::<_, io::Error>(piece.map(|piece| (Frame::data(piece), archive)))
    });
    StreamBody::new(pieces).boxed_unsync()
}

impl Archive {
    /// Packs until a piece is full; `None` after the last one.
    fn step(&mut self) -> io::Result<Option<Bytes>> {
        while self.packer.ready() < PIECE && !self.is_finished {
            match self.current.take() {
                Some(current) => self.go_on(current)?,
                None => self.begin_next()?,
            }
        }
        let piece = self.packer.take();
        Ok((!piece.is_empty()).then(|| piece.into()))
    }

    fn begin_next(&mut self) -> io::Result<()> {
        match self.walk.next() {
            Some(Found::Folder { path, facts }) => self.packer.folder(&path, &facts),
            Some(Found::Link { path, facts, target }) => self.packer.link(&path, &facts, &target),
            Some(Found::File { path, facts, file }) => {
                self.packer.file(&path, &facts)?;
                self.current = Some(Current { file, left: facts.size });
                Ok(())
            }
            Some(Found::LeftOut { path, why }) => {
                self.miss(&path, &why);
                Ok(())
            }
            None => self.finish(),
        }
    }

    /// Packs the next bytes of a file. One that became shorter is filled up, since its length is written already.
    fn go_on(&mut self, mut current: Current) -> io::Result<()> {
        let mut bytes = vec![0; usize::try_from(current.left).unwrap_or(PIECE).min(PIECE)];
        let read = match current.file.read(&mut bytes) {
            Ok(0) => bytes.len(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            read => read?,
        };
        self.packer.data(&bytes[..read])?;
        current.left -= read as u64;
        if current.left > 0 {
            self.current = Some(current);
            return Ok(());
        }
        self.packer.end_file()
    }

    fn miss(&mut self, path: &[u8], why: &str) {
        if self.missing.len() < MISSING_MAX {
            self.missing.push(format!("{}: {why}\n", String::from_utf8_lossy(path)));
        } else if self.missing.len() == MISSING_MAX {
            self.missing.push("and more\n".to_owned());
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        if !self.missing.is_empty() {
            let text = format!("These were left out of this archive:\n\n{}", self.missing.concat());
            let path = [&self.top[..], b"/", MISSING_NAME].concat();
            let modified = (self.now.0.div_euclid(1_000), 0);
            let facts = Facts { kind: FileKind::File, size: text.len() as u64, inode: 0, modified, mode: 0o644 };
            self.packer.file(&path, &facts)?;
            self.packer.data(text.as_bytes())?;
            self.packer.end_file()?;
        }
        self.is_finished = true;
        self.packer.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::process::Command;

    /// A folder with what archives have trouble with.
    fn tree() -> tempfile::TempDir {
        let base = tempfile::tempdir().unwrap();
        let top = base.path().join("top");
        let long = top.join("long-".repeat(30)).join("name-".repeat(30));
        fs::create_dir_all(&long).unwrap();
        fs::write(long.join("deep"), b"deep").unwrap();
        fs::write(top.join("empty"), b"").unwrap();
        fs::write(top.join("big"), vec![7; PIECE * 5 + 1]).unwrap();
        fs::write(top.join("run"), b"#!/bin/sh\n").unwrap();
        fs::set_permissions(top.join("run"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(top.join(std::ffi::OsStr::from_bytes(b"caf\xe9")), b"odd").unwrap();
        fs::write(top.join("Zoë 🦀"), b"text").unwrap();
        symlink("../../outside", top.join("link")).unwrap();
        symlink("l".repeat(300), top.join("long-link")).unwrap();
        fs::write(base.path().join("outside"), b"treasure").unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, top.join("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        base
    }

    async fn packed(base: &tempfile::TempDir, kind: Kind) -> Bytes {
        let home = Home::open(base.path()).unwrap();
        let answer = answer(&home, &HomePath::of_address("top").unwrap(), kind, Millis(1_700_000_000_000)).unwrap();
        answer.into_body().collect().await.unwrap().to_bytes()
    }

    fn demand(out: &std::path::Path, odd: &[u8]) {
        let top = out.join("top");
        let long = top.join("long-".repeat(30)).join("name-".repeat(30)).join("deep");
        assert_eq!(fs::read(long).unwrap(), b"deep");
        assert_eq!(fs::read(top.join("big")).unwrap(), vec![7; PIECE * 5 + 1]);
        assert_eq!(fs::read(top.join("empty")).unwrap(), b"");
        assert_eq!(fs::read(top.join("Zoë 🦀")).unwrap(), b"text");
        assert_eq!(fs::read(top.join(std::ffi::OsStr::from_bytes(odd))).unwrap(), b"odd");
        assert_eq!(fs::read_link(top.join("link")).unwrap().to_str(), Some("../../outside"));
        assert_eq!(fs::metadata(top.join("run")).unwrap().permissions().mode() & 0o777, 0o755);
        let told = fs::read_to_string(top.join("codex-web-left-out.txt")).unwrap();
        assert!(told.contains("top/pipe: it is neither"), "{told}");
        assert!(!out.join("outside").exists());
    }

    #[tokio::test]
    async fn a_tarball_is_unpacked_by_tar() {
        let (base, out) = (tree(), tempfile::tempdir().unwrap());
        let file = out.path().join("a.tar.gz");
        fs::write(&file, packed(&base, Kind::TarGz).await).unwrap();
        let status = Command::new("tar").arg("-xzf").arg(&file).arg("-C").arg(out.path()).status().unwrap();
        assert!(status.success());
        demand(out.path(), b"caf\xe9");
        assert_eq!(fs::read_link(out.path().join("top/long-link")).unwrap().as_os_str().len(), 300);
    }

    #[tokio::test]
    async fn a_zip_file_is_unpacked_by_python() {
        let (base, out) = (tree(), tempfile::tempdir().unwrap());
        let file = out.path().join("a.zip");
        fs::write(&file, packed(&base, Kind::Zip).await).unwrap();
        // Python's own unpacker writes links as files; this one makes them, as Info-ZIP does.
        let script = "import os, stat, sys, zipfile\n\
            z = zipfile.ZipFile(sys.argv[1])\n\
            assert z.testzip() is None\n\
            for i in z.infolist():\n\
            \x20   mode, path = i.external_attr >> 16, os.path.join(sys.argv[2], i.filename)\n\
            \x20   if stat.S_ISLNK(mode):\n\
            \x20       os.symlink(z.read(i), path)\n\
            \x20   else:\n\
            \x20       z.extract(i, sys.argv[2])\n\
            \x20       os.chmod(path, mode & 0o777)\n";
        let Ok(status) = Command::new("python3").args(["-c", script]).arg(&file).arg(out.path()).status() else {
            return println!("SKIPPED: there is no python3 to unpack with");
        };
        assert!(status.success());
        demand(out.path(), "caf\u{fffd}".as_bytes());
    }

    #[tokio::test]
    async fn a_file_that_changes_its_length_meanwhile_does_not_break_the_archive() {
        let (base, out) = (tree(), tempfile::tempdir().unwrap());
        for n in 0..20 {
            fs::write(base.path().join(format!("top/n{n}")), vec![n; PIECE]).unwrap();
        }
        let home = Home::open(base.path()).unwrap();
        let answer = answer(&home, &HomePath::of_address("top").unwrap(), Kind::TarGz, Millis(0)).unwrap();
        let mut body = answer.into_body();
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            bytes.extend_from_slice(&frame.unwrap().into_data().unwrap());
            for n in 0..20 {
                fs::write(base.path().join(format!("top/n{n}")), b"short").unwrap();
            }
        }
        let file = out.path().join("a.tar.gz");
        fs::write(&file, bytes).unwrap();
        assert!(Command::new("tar").arg("-tzf").arg(&file).stdout(std::process::Stdio::null()).status().unwrap().success());
    }
}
