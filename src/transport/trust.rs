//! Whom this server believes when it is the client of a TLS connection: the certificate authorities of the system, and
//! those that the operator adds with `server.extra_ca` because a site has its own.
//!
//! There is no way to switch the check off. The added authorities go to workspaces too, so a bundle with anything but
//! certificates in it, above all a private key, is refused.

use crate::error::{Error, Result};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest bundle, in bytes: it is part of what each workspace is told at its start.
const LARGEST: u64 = 512 * 1024;

/// The certificates of `server.extra_ca`. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct ExtraCa {
    path: PathBuf,
    pem: Arc<str>,
    certificates: Arc<[CertificateDer<'static>]>,
}

impl ExtraCa {
    /// Reads a PEM bundle and checks each certificate in it; the error says what is wrong and with which file.
    pub fn load(path: &Path) -> std::result::Result<Self, String> {
        let fault = |why: String| format!("{}: {why}", path.display());
        let size = std::fs::metadata(path).map_err(|error| fault(error.to_string()))?.len();
        if size > LARGEST {
            return Err(fault(format!("it has {size} bytes; at most {LARGEST} are taken")));
        }
        let bytes = std::fs::read(path).map_err(|error| fault(error.to_string()))?;
        let (pem, certificates) = read(&bytes).map_err(fault)?;
        Ok(Self { path: path.to_owned(), pem: pem.into(), certificates: certificates.into() })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The certificates and nothing else, in PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// How many certificates there are; at least one.
    pub fn count(&self) -> usize {
        self.certificates.len()
    }

    /// Each certificate, in DER.
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }
}

impl fmt::Debug for ExtraCa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExtraCa").field("path", &self.path).field("count", &self.count()).finish_non_exhaustive()
    }
}

fn read(bytes: &[u8]) -> std::result::Result<(String, Vec<CertificateDer<'static>>), String> {
    let blocks = pem::parse_many(bytes).map_err(|error| format!("it is no PEM: {error}"))?;
    if blocks.is_empty() {
        return Err("there is no certificate in it (PEM is expected)".to_owned());
    }
    let mut roots = RootCertStore::empty();
    let (mut text, mut certificates) = (String::new(), Vec::with_capacity(blocks.len()));
    for (number, block) in (1..).zip(&blocks) {
        match block.tag() {
            "CERTIFICATE" => {}
            tag if tag.contains("PRIVATE KEY") => {
                return Err("it holds a private key, which every workspace could read; leave only certificates in it".to_owned());
            }
            tag => return Err(format!("block {number} is a {tag}; only certificates are expected")),
        }
        let certificate = CertificateDer::from(block.contents().to_vec());
        roots.add(certificate.clone()).map_err(|error| format!("certificate {number} cannot be read: {error}"))?;
        text.push_str(&pem::encode_config(block, pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF)));
        certificates.push(certificate);
    }
    Ok((text, certificates))
}

/// What a client of this server is set up with. Reads the system's store, so it is made once; a machine without one has
/// the added authorities alone.
pub fn client_config(extra: Option<&ExtraCa>) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(system.certs);
    roots.add_parsable_certificates(extra.iter().flat_map(|extra| extra.certificates().iter().cloned()));
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Error::internal(format!("TLS cannot be set up: {error}")))?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority(name: &str) -> (String, String) {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    fn loaded(text: &str) -> std::result::Result<ExtraCa, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ca.pem");
        std::fs::write(&file, text).unwrap();
        ExtraCa::load(&file)
    }

    #[test]
    fn a_bundle_is_kept_without_what_people_write_between() {
        let (one, two) = (authority("one.example").0, authority("two.example").0);
        let bundle = loaded(&format!("# Corp root\r\n{}\nserial 17\n{two}", one.replace('\n', "\r\n"))).unwrap();
        assert_eq!(bundle.count(), 2);
        assert_eq!(bundle.pem(), format!("{one}{two}"));
        assert!(!format!("{bundle:?}").contains("CERTIFICATE"));
    }

    #[test]
    fn what_is_wrong_with_a_bundle_is_told_with_its_file() {
        let (certificate, key) = authority("one.example");
        let cut = certificate.replacen("MII", "AAA", 1);
        for (text, why) in [
            ("", "no certificate in it"),
            ("hello", "no certificate in it"),
            ("-----BEGIN CERTIFICATE-----\nabc\n-----END X-----\n", "no PEM"),
            (&cut, "certificate 1 cannot be read"),
            (&format!("{certificate}{key}"), "private key"),
            ("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", "only certificates are expected"),
        ] {
            let error = loaded(text).unwrap_err();
            assert!(error.contains("ca.pem: ") && error.contains(why), "{why}: {error}");
        }
        assert!(ExtraCa::load(Path::new("/nowhere/ca.pem")).unwrap_err().starts_with("/nowhere/ca.pem: "));
        assert!(loaded(&format!("{}{certificate}", "#\n".repeat(300_000))).unwrap_err().contains("at most"));
    }
}
