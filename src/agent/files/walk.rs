//! All that lies below a folder, one thing after the other, for an archive. Links are told, not followed; other disks
//! and what is neither file nor folder are left out and said.

use crate::agent::files::entry::Facts;
use crate::agent::files::home::{real_file, real_folder};
use crate::domain::file::FileKind;
use rustix::fd::OwnedFd;
use rustix::fs::{Dir, readlinkat};
use rustix::io::Errno;
use std::fs::File;

/// How deep a walk goes: each level keeps a descriptor.
const DEPTH: usize = 128;

/// One thing below the folder, with its path.
pub enum Found {
    Folder {
        path: Vec<u8>,
        facts: Facts,
    },
    File {
        path: Vec<u8>,
        facts: Facts,
        file: File,
    },
    Link {
        path: Vec<u8>,
        facts: Facts,
        target: Vec<u8>,
    },
    /// Not included, and why.
    LeftOut {
        path: Vec<u8>,
        why: String,
    },
}

struct Level {
    dir: Dir,
    path: Vec<u8>,
}

/// A walk; an iterator that may block.
pub struct Walk {
    stack: Vec<Level>,
}

impl Walk {
    /// Begins at an opened folder; `name` comes first in every path.
    pub fn new(folder: OwnedFd, name: &[u8]) -> Result<Self, Errno> {
        Ok(Self { stack: vec![Level { dir: Dir::new(folder)?, path: name.to_vec() }] })
    }
}

impl Iterator for Walk {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        loop {
            let depth = self.stack.len();
            let level = self.stack.last_mut()?;
            let name = match level.dir.read() {
                Some(Ok(found)) => found.file_name().to_bytes().to_vec(),
                Some(Err(error)) => {
                    let path = level.path.clone();
                    self.stack.pop();
                    return Some(Found::LeftOut { path, why: error.to_string() });
                }
                None => {
                    self.stack.pop();
                    continue;
                }
            };
            if name == b"." || name == b".." {
                continue;
            }
            let path = [&level.path[..], b"/", &name[..]].concat();
            return Some(match look(level, &name, &path, depth) {
                Ok((found, None)) => found,
                Ok((found, Some(dir))) => {
                    self.stack.push(Level { dir, path });
                    found
                }
                Err(why) => Found::LeftOut { path, why },
            });
        }
    }
}

fn look(level: &Level, name: &[u8], path: &[u8], depth: usize) -> Result<(Found, Option<Dir>), String> {
    let words = |error: Errno| match error {
        Errno::ACCESS | Errno::PERM => "its permissions do not allow it to be read".to_owned(),
        Errno::XDEV => "it lies on another disk".to_owned(),
        other => other.to_string(),
    };
    let folder = level.dir.fd().map_err(words)?;
    let facts = Facts::of_name(folder, name).map_err(words)?;
    let path = path.to_vec();
    match facts.kind {
        FileKind::Directory if depth >= DEPTH => Err(format!("it lies deeper than {DEPTH} folders")),
        FileKind::Directory => {
            let dir = real_folder(folder, name).and_then(Dir::new).map_err(words)?;
            Ok((Found::Folder { path, facts }, Some(dir)))
        }
        FileKind::File => {
            let file = real_file(folder, name).map_err(words)?;
            // What is open is what is packed, whatever has the name by now.
            let facts = Facts::of_file(&file).map_err(words)?;
            if facts.kind != FileKind::File {
                return Err("it is neither a file nor a folder".to_owned());
            }
            Ok((Found::File { path, facts, file: file.into() }, None))
        }
        FileKind::Link => {
            let target = readlinkat(folder, name, Vec::new()).map_err(words)?.into_bytes();
            Ok((Found::Link { path, facts, target }, None))
        }
        FileKind::Other => Err("it is neither a file nor a folder".to_owned()),
    }
}
