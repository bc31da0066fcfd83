//! Packs the user interface for the executable: each file gzipped, the form in which browsers take it, into a folder that
//! `http::assets` embeds. What does not shrink (typefaces) stays as it is; type declarations are for editors only.

use flate2::{Compression, write::GzEncoder};
use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

#[allow(clippy::disallowed_methods)] // cargo tells a build script its folder by the environment alone
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=assets");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let folder = out.join("assets");
    if folder.exists() {
        fs::remove_dir_all(&folder)?; // a file that is gone is embedded no more
    }
    pack(Path::new("assets"), &folder)?;
    // The folder is known here alone, and the macro takes no address that is put together.
    let address = folder.to_str().ok_or("a folder that is not UTF-8")?;
    let declaration = format!("#[derive(rust_embed::RustEmbed)]\n#[folder = {address:?}]\nstruct Packed;\n");
    fs::write(out.join("packed.rs"), declaration)?;
    Ok(())
}

/// Every file of a folder and of those in it; a gzipped one has `.gz` behind its name.
fn pack(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).ok_or("a file name that is not UTF-8")?;
        if path.is_dir() {
            pack(&path, &to.join(name))?;
        } else if !name.ends_with(".d.mts") {
            let plain = fs::read(&path)?;
            let packed = gzip(&plain)?;
            if packed.len() < plain.len() { fs::write(to.join(format!("{name}.gz")), packed)? } else { fs::write(to.join(name), plain)? }
        }
    }
    Ok(())
}

/// What is shipped is packed as small as gzip can be, which takes a while; a debug build packs again whatever it sends.
fn gzip(plain: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    if env_is("PROFILE", "release") {
        let mut packed = Vec::new();
        zopfli::compress(zopfli::Options::default(), zopfli::Format::Gzip, plain, &mut packed)?;
        return Ok(packed);
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain)?;
    Ok(encoder.finish()?)
}

#[allow(clippy::disallowed_methods)] // cargo tells a build script everything by the environment
fn env_is(name: &str, value: &str) -> bool {
    env::var(name).is_ok_and(|given| given == value)
}
