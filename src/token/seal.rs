//! The seal over every secret at rest: AES-256-GCM under keys derived from the one master key.
//!
//! A sealed value is bound to its purpose and to the id of the row it lies in (as associated data), so that a thief with
//! write access to the file cannot move a sealed value to another row and have the server use it there. The format's
//! number is its first byte. Nonces are random: the few thousand values of an installation are far from the 2^32 at
//! which that would need thought. Reading and guarding the key's file is `identity::master_key`.

use crate::clock::Entropy;
use crate::error::{Error, Result};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use zeroize::Zeroizing;

/// Bytes of the master key.
pub const MASTER_KEY_BYTES: usize = 32;

const FORMAT: u8 = 1;
const TAG_BYTES: usize = 16;

/// The key that all others hang from. It is never used itself: every purpose has its own key derived from it.
pub struct MasterKey(Zeroizing<[u8; MASTER_KEY_BYTES]>);

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

struct KeyLength;

impl KeyType for KeyLength {
    fn len(&self) -> usize {
        MASTER_KEY_BYTES
    }
}

impl MasterKey {
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; MASTER_KEY_BYTES]);
        entropy.fill(bytes.as_mut_slice());
        Self(bytes)
    }

    /// `None` when it is not 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let array: [u8; MASTER_KEY_BYTES] = bytes.try_into().ok()?;
        Some(Self(Zeroizing::new(array)))
    }

    /// For the key's file only.
    pub fn expose(&self) -> &[u8; MASTER_KEY_BYTES] {
        &self.0
    }

    /// A key of its own for one purpose: `audit`, `device`. The same purpose always gives the same key.
    pub fn derive(&self, purpose: &str) -> Result<Zeroizing<[u8; MASTER_KEY_BYTES]>> {
        let mut key = Zeroizing::new([0; MASTER_KEY_BYTES]);
        let extracted = Salt::new(HKDF_SHA256, b"codex-web").extract(self.0.as_slice());
        let info = [purpose.as_bytes()];
        let filled = extracted.expand(&info, KeyLength).and_then(|okm| okm.fill(key.as_mut_slice()));
        filled.map(|()| key).map_err(|_| Error::internal("cannot derive a key"))
    }
}

/// Seals and opens secrets.
pub struct Sealer(LessSafeKey);

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(..)")
    }
}

/// Purpose and id, unambiguous: the purpose's length stands in front.
fn bound_to(purpose: &str, id: &str) -> Vec<u8> {
    let mut data = vec![FORMAT];
    data.extend_from_slice(&(purpose.len() as u64).to_be_bytes());
    data.extend_from_slice(purpose.as_bytes());
    data.extend_from_slice(id.as_bytes());
    data
}

impl Sealer {
    pub fn new(master: &MasterKey) -> Result<Self> {
        let key = master.derive("seal")?;
        let unbound = UnboundKey::new(&AES_256_GCM, key.as_slice()).map_err(|_| Error::internal("cannot make the sealing key"))?;
        Ok(Self(LessSafeKey::new(unbound)))
    }

    /// The sealed form: format, nonce, ciphertext, tag.
    pub fn seal(&self, purpose: &str, id: &str, secret: &[u8], entropy: &dyn Entropy) -> Result<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        entropy.fill(&mut nonce);
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + secret.len() + TAG_BYTES);
        sealed.push(FORMAT);
        sealed.extend_from_slice(&nonce);
        let mut body = Zeroizing::new(Vec::with_capacity(secret.len() + TAG_BYTES));
        body.extend_from_slice(secret);
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(bound_to(purpose, id)), &mut *body)
            .map_err(|_| Error::internal("cannot seal a secret"))?;
        sealed.extend_from_slice(&body);
        Ok(sealed)
    }

    /// The secret, if it was sealed under this master key for this purpose and id and not changed since.
    pub fn open(&self, purpose: &str, id: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let refused = || Error::internal(format!("the sealed {purpose} of {id} does not open with this master key"));
        let (format, rest) = sealed.split_first().ok_or_else(refused)?;
        if *format != FORMAT || rest.len() < NONCE_LEN + TAG_BYTES {
            return Err(refused());
        }
        let (nonce, body) = rest.split_at(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| refused())?;
        let mut body = Zeroizing::new(body.to_vec());
        let length = self.0.open_in_place(nonce, Aad::from(bound_to(purpose, id)), &mut body).map_err(|_| refused())?.len();
        body.truncate(length);
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;

    fn sealer() -> Sealer {
        Sealer::new(&MasterKey::generate(&SystemEntropy)).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_for_its_purpose_and_id_only() {
        let sealer = sealer();
        let sealed = sealer.seal("signing_key", "kid-1", b"secret", &SystemEntropy).unwrap();
        assert_eq!(sealer.open("signing_key", "kid-1", &sealed).unwrap().as_slice(), b"secret");
        for (purpose, id) in [("signing_key", "kid-2"), ("totp", "kid-1"), ("signing_keyk", "id-1"), ("signing_ke", "ykid-1")] {
            assert!(sealer.open(purpose, id, &sealed).is_err(), "{purpose} {id}");
        }
    }

    #[test]
    fn a_changed_or_cut_value_does_not_open() {
        let sealer = sealer();
        let sealed = sealer.seal("p", "i", b"secret", &SystemEntropy).unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(sealer.open("p", "i", &changed).is_err(), "{at}");
            assert!(sealer.open("p", "i", &sealed[..at]).is_err(), "{at}");
        }
    }

    #[test]
    fn another_master_key_opens_nothing() {
        let sealed = sealer().seal("p", "i", b"secret", &SystemEntropy).unwrap();
        assert!(sealer().open("p", "i", &sealed).is_err());
    }

    #[test]
    fn the_same_secret_sealed_twice_looks_different() {
        let sealer = sealer();
        let seal = || sealer.seal("p", "i", b"", &SystemEntropy).unwrap();
        assert_ne!(seal(), seal());
        assert!(sealer.open("p", "i", &seal()).unwrap().is_empty());
    }

    #[test]
    fn each_purpose_has_its_own_key_and_keeps_it() {
        let master = MasterKey::from_bytes(&[7; 32]).unwrap();
        assert_eq!(*master.derive("audit").unwrap(), *master.derive("audit").unwrap());
        assert_ne!(*master.derive("audit").unwrap(), *master.derive("device").unwrap());
        assert!(MasterKey::from_bytes(&[7; 31]).is_none());
        assert_eq!(format!("{master:?}"), "MasterKey(..)");
    }
}
