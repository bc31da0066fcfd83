//! The file of the master key: made once, readable by the server alone, refused when others could read it.
//!
//! It is the one secret on disk. It is 64 hexadecimal digits and a line end, so that an operator can keep it on paper or
//! in a vault. It is written to a second name, flushed and then renamed, so that a crash leaves either no key or a whole
//! one. Whether a missing key may be made anew is the caller's decision: beside an existing database it may not, because
//! what that holds would never open again.

use crate::clock::Entropy;
use crate::token::seal::{MASTER_KEY_BYTES, MasterKey};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The bits that let anybody but the owner in.
const OTHERS: u32 = 0o077;

/// Why there is no master key; each sentence says what to do.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    #[error("The master key {0} is not there. Put it back from where you keep it: without it, nothing sealed in the database opens.")]
    Missing(PathBuf),
    #[error("The master key {path} can be read by others (mode {mode:04o}). If nobody has, run: chmod 600 {path}")]
    ReadableByOthers { path: PathBuf, mode: u32 },
    #[error("The master key {path} belongs to user {owner}, not to the user this runs as ({own}).")]
    ForeignOwner { path: PathBuf, owner: u32, own: u32 },
    #[error("The master key {0} is not a regular file.")]
    NotAFile(PathBuf),
    #[error("The master key {0} is damaged: it should be 64 hexadecimal digits.")]
    Damaged(PathBuf),
    #[error("The master key {0} is there already.")]
    Exists(PathBuf),
    #[error("The master key {path} cannot be used: {source}")]
    Io { path: PathBuf, source: std::io::Error },
}

/// Reads the key.
pub fn load(path: &Path) -> Result<MasterKey, MasterKeyError> {
    let io = |source: std::io::Error| MasterKeyError::Io { path: path.to_owned(), source };
    let not_a_link = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0);
    let file = match OpenOptions::new().read(true).custom_flags(not_a_link).open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Err(MasterKeyError::Missing(path.to_owned())),
        Err(e) if e.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            return Err(MasterKeyError::NotAFile(path.to_owned()));
        }
        Err(e) => return Err(io(e)),
    };
    guard(path, &file.metadata().map_err(io)?)?;
    let mut text = Zeroizing::new(Vec::with_capacity(2 * MASTER_KEY_BYTES + 2));
    file.take(256).read_to_end(&mut text).map_err(io)?;
    parse(&text).ok_or_else(|| MasterKeyError::Damaged(path.to_owned()))
}

/// Makes a new key and its directory; an existing key is never replaced.
pub fn create(path: &Path, entropy: &dyn Entropy) -> Result<MasterKey, MasterKeyError> {
    let io = |source: std::io::Error| MasterKeyError::Io { path: path.to_owned(), source };
    if path.symlink_metadata().is_ok() {
        return Err(MasterKeyError::Exists(path.to_owned()));
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(io)?;
    let key = MasterKey::generate(entropy);
    let second = path.with_extension("new");
    match std::fs::remove_file(&second) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(io(e)),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&second).map_err(io)?;
    file.write_all(&print(&key)).map_err(io)?;
    file.sync_all().map_err(io)?;
    std::fs::rename(&second, path).map_err(io)?;
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(io)?;
    Ok(key)
}

/// Refuses a key that others can read or that another user can change. Root's files are as good as our own: service
/// managers hand credentials over in them.
fn guard(path: &Path, metadata: &std::fs::Metadata) -> Result<(), MasterKeyError> {
    if !metadata.is_file() {
        return Err(MasterKeyError::NotAFile(path.to_owned()));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & OTHERS != 0 {
        return Err(MasterKeyError::ReadableByOthers { path: path.to_owned(), mode });
    }
    let (owner, own) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner != own && owner != 0 {
        return Err(MasterKeyError::ForeignOwner { path: path.to_owned(), owner, own });
    }
    Ok(())
}

fn print(key: &MasterKey) -> Zeroizing<Vec<u8>> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = Zeroizing::new(Vec::with_capacity(2 * MASTER_KEY_BYTES + 1));
    for byte in key.expose() {
        text.push(DIGITS[usize::from(byte >> 4)]);
        text.push(DIGITS[usize::from(byte & 15)]);
    }
    text.push(b'\n');
    text
}

fn parse(text: &[u8]) -> Option<MasterKey> {
    let digits = text.trim_ascii();
    if digits.len() != 2 * MASTER_KEY_BYTES {
        return None;
    }
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let mut bytes = Zeroizing::new([0; MASTER_KEY_BYTES]);
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = value(*high)? << 4 | value(*low)?;
    }
    MasterKey::from_bytes(bytes.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;
    use std::os::unix::fs::PermissionsExt;

    fn place() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys").join("master");
        (directory, path)
    }

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_new_key_is_read_back_and_only_the_owner_can_read_it() {
        let (_directory, path) = place();
        let key = create(&path, &SystemEntropy).unwrap();
        assert_eq!(load(&path).unwrap().expose(), key.expose());
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o600);
        assert_eq!(path.parent().unwrap().metadata().unwrap().mode() & 0o7777, 0o700);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn an_existing_key_is_never_replaced() {
        let (_directory, path) = place();
        let key = create(&path, &SystemEntropy).unwrap();
        assert!(matches!(create(&path, &SystemEntropy), Err(MasterKeyError::Exists(_))));
        assert_eq!(load(&path).unwrap().expose(), key.expose());
    }

    #[test]
    fn a_missing_key_is_not_made_silently() {
        let (_directory, path) = place();
        assert!(matches!(load(&path), Err(MasterKeyError::Missing(_))));
        assert!(!path.exists());
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let (_directory, path) = place();
        create(&path, &SystemEntropy).unwrap();
        for mode in [0o640, 0o604, 0o660, 0o644, 0o610, 0o601] {
            set_mode(&path, mode);
            assert!(matches!(load(&path), Err(MasterKeyError::ReadableByOthers { .. })), "{mode:o}");
        }
        set_mode(&path, 0o400);
        assert!(load(&path).is_ok());
    }

    #[test]
    fn a_link_or_a_directory_is_no_key() {
        let (directory, path) = place();
        create(&path, &SystemEntropy).unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(matches!(load(&link), Err(MasterKeyError::NotAFile(_))));
        assert!(matches!(create(&link, &SystemEntropy), Err(MasterKeyError::Exists(_))));
        assert!(matches!(load(directory.path()), Err(MasterKeyError::NotAFile(_))));
    }

    #[test]
    fn what_a_crash_left_behind_is_written_again() {
        let (_directory, path) = place();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path.with_extension("new"), b"half").unwrap();
        let key = create(&path, &SystemEntropy).unwrap();
        assert_eq!(load(&path).unwrap().expose(), key.expose());
    }

    #[test]
    fn a_damaged_key_is_refused() {
        let (_directory, path) = place();
        create(&path, &SystemEntropy).unwrap();
        for text in [String::new(), "0".repeat(63), "0".repeat(65), "g".repeat(64), "0".repeat(300)] {
            std::fs::write(&path, &text).unwrap();
            assert!(matches!(load(&path), Err(MasterKeyError::Damaged(_))), "{text}");
        }
        std::fs::write(&path, format!("{}\r\n", "AB".repeat(32))).unwrap();
        assert_eq!(load(&path).unwrap().expose(), &[0xab; 32]);
    }
}
