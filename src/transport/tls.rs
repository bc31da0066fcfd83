//! The server's side of TLS: the certificate in force, read again when its files change.
//!
//! A renewal must not need a restart, and a half-written or mismatched pair must not take the server down: the old
//! certificate stays in force until the new pair is complete and fits together.

use super::certificate::fingerprint;
use super::origin::Host;
use crate::error::{Error, Result};
use rustls::ServerConfig;
use rustls::client::verify_server_name;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// Tells whether a file was replaced or written: device, inode, size, and time of change in nanoseconds.
type Stamp = (u64, u64, u64, i64, i64);

/// A certificate chain and its key, as they are on disk.
pub struct Certificate {
    chain_file: PathBuf,
    key_file: PathBuf,
    current: RwLock<(Arc<CertifiedKey>, [Option<Stamp>; 2])>,
}

impl Certificate {
    /// Reads both files; the error names the file and what is wrong with it.
    pub fn load(chain_file: &Path, key_file: &Path) -> Result<Arc<Self>> {
        let stamps = [stamp(chain_file), stamp(key_file)];
        let key = Arc::new(read(chain_file, key_file)?);
        Ok(Arc::new(Self { chain_file: chain_file.into(), key_file: key_file.into(), current: RwLock::new((key, stamps)) }))
    }

    /// Looks at the files and takes over what changed; to be called every few seconds. `Ok(true)`: a new certificate
    /// is in force. After an error the old one stays, and the files are tried again when they change once more.
    pub fn refresh(&self) -> Result<bool> {
        let stamps = [stamp(&self.chain_file), stamp(&self.key_file)];
        if self.current.read().unwrap_or_else(PoisonError::into_inner).1 == stamps {
            return Ok(false);
        }
        let fresh = read(&self.chain_file, &self.key_file);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.1 = stamps;
        current.0 = Arc::new(fresh?);
        Ok(true)
    }

    /// SHA-256 of the certificate in force, to compare with what the browser shows.
    pub fn fingerprint(&self) -> String {
        self.key().cert.first().map(|der| fingerprint(der)).unwrap_or_default()
    }

    /// Whether browsers take it for this host; for `*.domain` any name right below.
    pub fn covers(&self, host: &Host) -> bool {
        let name = match host {
            Host::Address(address) => address.to_string(),
            // Verifiers compare names, not patterns.
            Host::Name(name) => name.strip_prefix("*.").map_or_else(|| name.clone(), |domain| format!("any.{domain}")),
        };
        let key = self.key();
        let (Some(leaf), Ok(name)) = (key.cert.first(), ServerName::try_from(name)) else { return false };
        ParsedCertificate::try_from(leaf).is_ok_and(|parsed| verify_server_name(&parsed, &name).is_ok())
    }

    /// What the listener needs. The protocols are set by the HTTP server.
    pub fn server_config(self: &Arc<Self>) -> Result<ServerConfig> {
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| Error::internal(format!("TLS cannot be set up: {error}")))?;
        let resolver: Arc<Self> = Arc::clone(self);
        Ok(builder.with_no_client_auth().with_cert_resolver(resolver))
    }

    fn key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).0)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.key())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("chain_file", &self.chain_file).finish_non_exhaustive()
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.dev(), meta.ino(), meta.size(), meta.ctime(), meta.ctime_nsec()))
}

fn read(chain_file: &Path, key_file: &Path) -> Result<CertifiedKey> {
    let fault = |file: &Path, why: &dyn fmt::Display| Error::internal(format!("{}: {why}", file.display()));
    let chain: std::result::Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_file_iter(chain_file).map_err(|error| fault(chain_file, &error))?.collect();
    let chain = chain.map_err(|error| fault(chain_file, &error))?;
    if chain.is_empty() {
        return Err(fault(chain_file, &"there is no certificate in it (PEM is expected)"));
    }
    let key = PrivateKeyDer::from_pem_file(key_file).map_err(|error| fault(key_file, &error))?;
    let key = CertifiedKey::from_der(chain, key, &default_provider());
    key.map_err(|error| fault(key_file, &format!("it does not fit {}: {error}", chain_file.display())))
}

#[cfg(test)]
mod tests {
    use super::super::certificate::ensure;
    use super::*;
    use crate::clock::Millis;

    fn pair(dir: &Path) -> (PathBuf, PathBuf) {
        let (files, _) = ensure(dir, &[Host::parse("localhost").unwrap()].into(), Millis(1_790_000_000_000), [7; 16]).unwrap();
        (files.certificate, files.key)
    }

    #[test]
    fn a_renewed_pair_is_taken_over_without_a_restart() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (chain, key) = pair(one.path());
        let (new_chain, new_key) = pair(two.path());
        let certificate = Certificate::load(&chain, &key).unwrap();
        let before = certificate.fingerprint();
        assert!(!certificate.refresh().unwrap());

        std::fs::rename(&new_chain, &chain).unwrap();
        assert!(certificate.refresh().is_err(), "the old key does not fit the new certificate");
        assert_eq!(certificate.fingerprint(), before, "the old pair stays in force");
        assert!(!certificate.refresh().unwrap(), "and is not tried over and over");

        std::fs::rename(&new_key, &key).unwrap();
        assert!(certificate.refresh().unwrap());
        assert_ne!(certificate.fingerprint(), before);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_with_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let (chain, key) = pair(dir.path());
        let missing = dir.path().join("missing.pem");
        assert!(Certificate::load(&missing, &key).unwrap_err().to_string().contains("missing.pem"));
        std::fs::write(&missing, "no pem").unwrap();
        assert!(Certificate::load(&missing, &key).unwrap_err().to_string().contains("no certificate in it"));
        assert!(Certificate::load(&chain, &missing).unwrap_err().to_string().contains("missing.pem"));
    }
}
