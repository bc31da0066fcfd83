//! `codex-web agent install DIR`: puts a copy of this program where the main container of a pod starts it.
//!
//! An init container runs it, because the image that a workspace runs in has no agent and may have no program that could
//! copy one. The copy is compared with the original before it takes its name: a full disk or a torn write must not become
//! a program that fails later.

use super::exit::{Exit, Failure, Outcome};
use crate::domain::hex;
use aws_lc_rs::digest::{Context, SHA256};
use rustix::fs::Mode;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// This program, whatever it is called and whether or not its file was replaced since.
const SELF: &str = "/proc/self/exe";
/// What the copy is called.
pub const NAME: &str = "codex-web";
const MODE: u32 = 0o755;

pub fn run(folder: &Path) -> Outcome {
    let installed = install(Path::new(SELF), folder);
    let (size, digest) =
        installed.map_err(|error| Failure::failed(format!("The program cannot be installed in {}: {error}.", folder.display())))?;
    // For the log of the init container; no lock is held on the stream here.
    let _ = io::Write::write_fmt(
        &mut io::stderr(),
        format_args!("installed {} ({size} bytes, sha256 {digest})\n", folder.join(NAME).display()),
    );
    Ok(Exit::Done)
}

/// Copies the program into the folder; the size in bytes and the digest of what is there then.
fn install(program: &Path, folder: &Path) -> io::Result<(u64, String)> {
    let wanted = measure(program)?;
    let (place, draft) = (folder.join(NAME), folder.join(format!(".{NAME}.new")));
    // What a start that was killed left behind.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let copied = copy(program, &draft).and_then(|()| measure(&draft));
    match copied {
        Ok(found) if found == wanted => fs::rename(&draft, place).map(|()| wanted),
        Ok((size, _)) => {
            let _ = fs::remove_file(&draft);
            Err(io::Error::other(format!("the copy has {size} bytes and is not what was copied")))
        }
        Err(error) => {
            let _ = fs::remove_file(&draft);
            Err(error)
        }
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut written = File::options().write(true).create_new(true).mode(MODE).open(to)?;
    io::copy(&mut File::open(from)?, &mut written)?;
    // Whatever the umask says.
    rustix::fs::fchmod(&written, Mode::from_raw_mode(MODE))?;
    written.sync_all()
}

/// Size and SHA-256 of a file.
fn measure(path: &Path) -> io::Result<(u64, String)> {
    let (mut file, mut digest, mut size) = (File::open(path)?, Context::new(&SHA256), 0_u64);
    let mut buffer = vec![0_u8; 256 * 1024];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((size, hex::encode(digest.finish().as_ref())));
        }
        size += read as u64;
        digest.update(&buffer[..read]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_copy_is_the_same_program_and_may_be_started_by_anybody() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("program");
        fs::write(&program, vec![7_u8; 700_000]).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        let folder = dir.path().join("shared");
        fs::create_dir(&folder).unwrap();
        // Twice: a pod that is started again finds the copy of the first time, and perhaps half a one.
        for _ in 0..2 {
            fs::write(folder.join(".codex-web.new"), "half").unwrap();
            let (size, digest) = install(&program, &folder).unwrap();
            assert_eq!((size, digest), measure(&program).unwrap());
        }
        let copy = folder.join(NAME);
        assert_eq!(fs::read(&copy).unwrap(), fs::read(&program).unwrap());
        assert_eq!(copy.metadata().unwrap().permissions().mode() & 0o7777, 0o755);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing else is left there");
    }

    #[test]
    fn a_copy_that_fails_leaves_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(NAME), "old").unwrap();
        assert!(install(&dir.path().join("absent"), dir.path()).is_err());
        assert!(install(Path::new(SELF), &dir.path().join("no/such/folder")).is_err());
        assert_eq!(fs::read_to_string(dir.path().join(NAME)).unwrap(), "old");
    }
}
