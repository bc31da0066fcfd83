//! The self-signed certificate: made at the first start that needs one, kept under `tls/`, told by its SHA-256.
//!
//! It is kept as long as it serves, because people compare its fingerprint once and then trust it: a new one is made
//! only when it is about to expire or when a host *name* is wanted that it does not list. New addresses alone do not
//! replace it; they come and go with every network that the machine joins.

use super::origin::Host;
use crate::clock::{DAY, Millis};
use crate::error::{Error, Result};
use aws_lc_rs::digest;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, SanType, SerialNumber, date_time_ymd,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// How long a certificate is valid: the longest life that Apple's systems accept.
const LIFE: i64 = 825 * DAY;
/// It is replaced when less than this is left.
const RENEWAL: i64 = 30 * DAY;

/// Where the certificate lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// What cannot be read back from a certificate without a parser of X.509.
#[derive(Serialize, Deserialize)]
struct Notes {
    names: BTreeSet<String>,
    expires: Millis,
}

/// The kept certificate, or a new one for these hosts. The second value says whether it is new.
pub fn ensure(folder: &Path, hosts: &BTreeSet<Host>, now: Millis, serial: [u8; 16]) -> Result<(Files, bool)> {
    let files = Files { certificate: folder.join("self-signed.crt"), key: folder.join("self-signed.key") };
    let notes_file = folder.join("self-signed.json");
    if still_serves(&notes_file, &files, hosts, now) {
        return Ok((files, false));
    }
    let notes = Notes { names: hosts.iter().map(Host::to_string).collect(), expires: now.plus(LIFE) };
    let (certificate, key) = make(hosts, now, serial)?;
    fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    // The key first: whoever finds a certificate finds its key beside it.
    write_private(&files.key, key.as_bytes())?;
    write_private(&files.certificate, certificate.as_bytes())?;
    let notes = serde_json::to_vec(&notes).map_err(|error| Error::internal(error.to_string()))?;
    write_private(&notes_file, &notes)?;
    Ok((files, true))
}

fn still_serves(notes: &Path, files: &Files, hosts: &BTreeSet<Host>, now: Millis) -> bool {
    let Some(notes) = fs::read(notes).ok().and_then(|text| serde_json::from_slice::<Notes>(&text).ok()) else { return false };
    let names_listed = hosts.iter().filter(|host| matches!(host, Host::Name(_))).all(|host| notes.names.contains(&host.to_string()));
    names_listed && notes.expires.since(now) > RENEWAL && files.certificate.is_file() && files.key.is_file()
}

/// A certificate and its private key, PEM.
fn make(hosts: &BTreeSet<Host>, now: Millis, serial: [u8; 16]) -> Result<(String, String)> {
    let fault = |error: rcgen::Error| Error::internal(format!("the self-signed certificate cannot be made: {error}"));
    let key = KeyPair::generate().map_err(fault)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Codex Web (self-signed)");
    let (from, to) = (date(now.plus(-DAY)), date(now.plus(LIFE)));
    params.not_before = date_time_ymd(from.0, from.1, from.2);
    params.not_after = date_time_ymd(to.0, to.1, to.2);
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    for host in hosts {
        params.subject_alt_names.push(match host {
            Host::Name(name) => SanType::DnsName(name.as_str().try_into().map_err(fault)?),
            Host::Address(address) => SanType::IpAddress(*address),
        });
    }
    let certificate = params.self_signed(&key).map_err(fault)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

/// Year, month and day, UTC: certificates need no finer time.
fn date(at: Millis) -> (i32, u8, u8) {
    let day = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC).date();
    (day.year().into(), day.month().unsigned_abs(), day.day().unsigned_abs())
}

/// Writes a file that only its owner reads, whole or not at all.
fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    let fresh = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let _ = fs::remove_file(&fresh);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    };
    write().map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Error {
    Error::internal(format!("{} cannot be written: {error}", path.display()))
}

/// SHA-256 of the certificate (DER) as browsers show it: upper-case pairs with colons.
pub fn fingerprint(der: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, der);
    hash.as_ref().iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const NOW: Millis = Millis(1_790_000_000_000);

    fn hosts(texts: &[&str]) -> BTreeSet<Host> {
        texts.iter().map(|text| Host::parse(text).unwrap()).collect()
    }

    #[test]
    fn it_is_made_once_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let names = hosts(&["box.lan", "10.0.0.5", "[2001:db8::5]", "localhost"]);
        let (files, new) = ensure(dir.path(), &names, NOW, [1; 16]).unwrap();
        assert!(new);
        let first = fs::read(&files.certificate).unwrap();
        let (again, new) = ensure(dir.path(), &names, NOW.plus(DAY), [2; 16]).unwrap();
        assert!(!new && again == files);
        assert_eq!(fs::read(&again.certificate).unwrap(), first);
        for file in [&files.certificate, &files.key] {
            assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_new_address_keeps_it_and_a_new_name_or_the_end_of_its_life_replaces_it() {
        let dir = tempfile::tempdir().unwrap();
        let new = |texts: &[&str], now: Millis| ensure(dir.path(), &hosts(texts), now, [1; 16]).unwrap().1;
        assert!(new(&["box.lan"], NOW));
        assert!(!new(&["box.lan", "10.0.0.9"], NOW));
        assert!(new(&["box.lan", "codex.example.org"], NOW));
        assert!(!new(&["codex.example.org"], NOW.plus(LIFE - RENEWAL - DAY)));
        assert!(new(&["codex.example.org"], NOW.plus(LIFE - RENEWAL + DAY)));
    }

    #[test]
    fn the_fingerprint_reads_like_the_browsers() {
        assert!(fingerprint(b"").starts_with("E3:B0:C4:42:98:FC:1C:14:"));
        assert_eq!(fingerprint(b"").len(), 32 * 3 - 1);
    }
}
