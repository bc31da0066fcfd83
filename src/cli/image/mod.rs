//! `codex-web image export`: this program as a container image, for sites without a registry and without other tools.
//!
//! The image is made of the executable that runs: what was tested is what is shipped. It serves as the image of the
//! server and as the one from which the agent of each workspace is copied. Deliberately absent: anything of a
//! distribution, and so any program that is not ours.

mod archive;
mod elf;
mod name;

use super::arguments::ImageCommand;
use super::exit::{Exit, Failure, Outcome};
use super::output::Output;
use archive::Image;
use elf::{Elf, Linking};
use name::Name;
use serde_json::json;
use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// This program, whatever it is called and whether or not its file was replaced since.
const SELF: &str = "/proc/self/exe";
const VERSION: &str = env!("CARGO_PKG_VERSION");

pub fn run(command: &ImageCommand, output: &mut Output<'_>) -> Outcome {
    let ImageCommand::Export { file: to, name } = command;
    let name = Name::parse(name.as_deref().unwrap_or("localhost/codex-web"), VERSION).map_err(Failure::usage)?;
    let program = fs::read(SELF)?;
    let image = Image { program: &program, machine: machine(&program)?, version: VERSION, name: &name };
    let (to, digest) = match to.as_deref() {
        Some(path) if path == Path::new("-") => {
            if io::stdout().is_terminal() {
                return Err(Failure::usage("The archive is no text: send it into a file or a program, or name a file with --file."));
            }
            image.write(&mut *output.out)?;
            return Ok(Exit::Done);
        }
        Some(path) => (path.to_owned(), write(&image, path)?),
        None => {
            let path = PathBuf::from(format!("codex-web-{VERSION}.tar"));
            let digest = write(&image, &path)?;
            (path, digest)
        }
    };
    let facts = [("File", to.display().to_string()), ("Image", name.full()), ("Digest", digest.clone())];
    output.facts(&facts, &json!({ "file": to.display().to_string(), "image": name.full(), "digest": digest }))?;
    Ok(Exit::Done)
}

/// The processor for which the program was made; an error where the program would not start in an image of its own.
fn machine(program: &[u8]) -> Result<&'static str, Failure> {
    let elf = Elf::read(program).ok_or_else(|| Failure::failed("This program is not of a form that goes into an image."))?;
    if elf.linking == Linking::Dynamic {
        return Err(Failure::failed(
            "This build needs libraries of the system, which an image of its own does not have. Use the static executable that is \
             shipped, or build it: cargo build --profile dist --target x86_64-unknown-linux-musl",
        ));
    }
    elf.machine.ok_or_else(|| Failure::failed("This program was made for a processor for which images have no name."))
}

/// Whole, or not at all; the digest of the image.
fn write(image: &Image<'_>, path: &Path) -> Result<String, Failure> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".part");
    let draft = PathBuf::from(draft);
    let written = File::create(&draft).and_then(|file| {
        let mut file = io::BufWriter::new(file);
        let digest = image.write(&mut file)?;
        file.flush()?;
        file.get_ref().sync_all()?;
        fs::rename(&draft, path)?;
        Ok(digest)
    });
    written.map_err(|error| {
        let _ = fs::remove_file(&draft);
        Failure::failed(format!("{} cannot be written: {error}.", path.display()))
    })
}
