//! One person's Ed25519 key (RFC 8709): made here, sealed as PKCS#8, shown as one line of `authorized_keys`.
//!
//! Generating draws on aws-lc's own generator, which seeds itself: it takes no `Entropy`.

use super::wire::{Reader, put_string};
use crate::error::{Error, Result};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use zeroize::Zeroizing;

/// The name of the algorithm, which stands in keys and in signatures.
pub const ALGORITHM: &str = "ssh-ed25519";

/// Bytes of an Ed25519 public key.
const PUBLIC_BYTES: usize = 32;

/// The private key.
pub struct UserKey {
    pair: Ed25519KeyPair,
    pkcs8: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for UserKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UserKey(..)")
    }
}

impl UserKey {
    pub fn generate() -> Result<Self> {
        let pair = Ed25519KeyPair::generate().map_err(|_| fault("cannot generate Ed25519"))?;
        let pkcs8 = pair.to_pkcs8v1().map_err(|_| fault("cannot encode Ed25519"))?.as_ref().to_vec().into();
        Ok(Self { pair, pkcs8 })
    }

    /// The key as [`Self::pkcs8`] gave it.
    pub fn from_pkcs8(pkcs8: Zeroizing<Vec<u8>>) -> Result<Self> {
        let pair = Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(|_| fault("is not an Ed25519 key"))?;
        Ok(Self { pair, pkcs8 })
    }

    /// The private key, to be sealed and stored, never to be shown.
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// The public part. The comment is for people: it says whose key it is.
    pub fn public(&self, comment: &str) -> PublicKey {
        let mut blob = Vec::new();
        put_string(&mut blob, ALGORITHM.as_bytes());
        put_string(&mut blob, self.pair.public_key().as_ref());
        PublicKey { blob, comment: comment.to_owned() }
    }

    /// A signature as SSH carries it: the algorithm and the 64 bytes.
    pub(super) fn sign(&self, data: &[u8]) -> Vec<u8> {
        let mut signature = Vec::new();
        put_string(&mut signature, ALGORITHM.as_bytes());
        put_string(&mut signature, self.pair.sign(data).as_ref());
        signature
    }
}

fn fault(what: &str) -> Error {
    Error::internal(format!("SSH key: {what}"))
}

/// The public part of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    blob: Vec<u8>,
    comment: String,
}

impl PublicKey {
    /// Reads what [`Self::line`] wrote.
    pub fn parse(line: &str) -> Result<Self> {
        let mut parts = line.splitn(3, ' ');
        let (algorithm, blob) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let blob = STANDARD.decode(blob).map_err(|_| fault("is not base64"))?;
        let mut reader = Reader::new(&blob);
        let named = algorithm == ALGORITHM && reader.string() == Ok(ALGORITHM.as_bytes());
        let sized = reader.string().is_ok_and(|key| key.len() == PUBLIC_BYTES);
        if !named || !sized || reader.end().is_err() {
            return Err(fault("is not an Ed25519 public key"));
        }
        Ok(Self { blob, comment: parts.next().unwrap_or_default().to_owned() })
    }

    /// The key as SSH carries it.
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    pub fn comment(&self) -> &str {
        &self.comment
    }

    /// One line of `authorized_keys`, without a line end.
    pub fn line(&self) -> String {
        format!("{ALGORITHM} {} {}", STANDARD.encode(&self.blob), self.comment)
    }

    /// As `ssh-keygen -l` prints it: `SHA256:` and unpadded base64.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.blob)
    }
}

/// The fingerprint of any key that is encoded as SSH has it.
pub fn fingerprint(blob: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(digest(&SHA256, blob)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of github.com, with the fingerprint that its documentation prints.
    const KNOWN: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    #[test]
    fn a_known_key_has_its_known_fingerprint() {
        let key = PublicKey::parse(KNOWN).unwrap();
        assert_eq!(key.fingerprint(), "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU");
        assert_eq!(PublicKey::parse(&format!("{KNOWN} a comment")).unwrap().comment(), "a comment");
    }

    #[test]
    fn a_key_comes_back_from_its_sealed_form_and_its_line() {
        let key = UserKey::generate().unwrap();
        let again = UserKey::from_pkcs8(Zeroizing::new(key.pkcs8().to_vec())).unwrap();
        let public = key.public("ada@codex-web");
        assert_eq!(again.public("ada@codex-web"), public);
        assert_eq!(PublicKey::parse(&public.line()).unwrap(), public);
        assert_ne!(UserKey::generate().unwrap().public("ada@codex-web"), public);
        assert_eq!(format!("{key:?}"), "UserKey(..)");
    }

    #[test]
    fn what_is_no_ed25519_key_is_refused() {
        let other = KNOWN.replace("ssh-ed25519 ", "ssh-rsa ");
        let long = KNOWN.replace("GKJl", "GKJlAAAA");
        for line in ["", "ssh-ed25519", "ssh-ed25519 !!!", "ssh-ed25519 AAAA", &other, &long] {
            assert!(PublicKey::parse(line).is_err(), "{line}");
        }
    }
}
