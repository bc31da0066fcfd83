//! Signing keys in families that never mix: Ed25519 for people's access tokens, RSA 3072 for machines, and Ed25519 of its
//! own for the checkpoints of the audit log.
//!
//! A key is named by its RFC 7638 thumbprint, so the name is a fact about the key and cannot be given twice. Private
//! parts leave here only as PKCS#8 to be sealed ([`super::seal`]); public parts as a JWKS document (RFC 7517). Generating
//! draws on aws-lc's own generator, which seeds itself: it takes no `Entropy`. Which key signs and which only still
//! verifies is kept in the database.

use crate::error::{Error, Result};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, JwkSet, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// What a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// Access tokens of people and API clients: Ed25519, `EdDSA`.
    Access,
    /// Machine tokens and agent tickets: RSA 3072, `RS512`, because the seeds' agents expect it.
    Machine,
    /// Checkpoints of the audit log: Ed25519. Signs no tokens.
    Audit,
}

impl Family {
    pub const ALL: [Self; 3] = [Self::Access, Self::Machine, Self::Audit];

    /// The `kind` of the row in `signing_key`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Machine => "machine",
            Self::Audit => "audit",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.as_str() == text)
    }

    /// The one algorithm of this family.
    pub fn algorithm(self) -> Algorithm {
        match self {
            Self::Access | Self::Audit => Algorithm::EdDSA,
            Self::Machine => Algorithm::RS512,
        }
    }

    /// The algorithm's name in a token's header.
    pub fn algorithm_name(self) -> &'static str {
        match self {
            Self::Access | Self::Audit => "EdDSA",
            Self::Machine => "RS512",
        }
    }
}

/// A private key that signs one family of tokens.
pub struct SigningKey {
    public: PublicKey,
    pkcs8: Zeroizing<Vec<u8>>,
    encoding: EncodingKey,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid()).finish_non_exhaustive()
    }
}

fn fault(what: &str) -> Error {
    Error::internal(format!("signing key: {what}"))
}

impl SigningKey {
    /// A new key. RSA takes about half a second: run it outside of the async workers.
    pub fn generate(family: Family) -> Result<Self> {
        let pkcs8: Zeroizing<Vec<u8>> = match family {
            Family::Access | Family::Audit => {
                let pair = Ed25519KeyPair::generate().map_err(|_| fault("cannot generate Ed25519"))?;
                pair.to_pkcs8v1().map_err(|_| fault("cannot encode Ed25519"))?.as_ref().to_vec().into()
            }
            Family::Machine => {
                let pair = KeyPair::generate(KeySize::Rsa3072).map_err(|_| fault("cannot generate RSA"))?;
                let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| fault("cannot encode RSA"))?;
                der.as_ref().to_vec().into()
            }
        };
        Self::from_pkcs8(family, pkcs8)
    }

    /// The key as [`Self::pkcs8`] gave it; a key of another family is refused.
    pub fn from_pkcs8(family: Family, pkcs8: Zeroizing<Vec<u8>>) -> Result<Self> {
        let document = Zeroizing::new(pem::encode(&pem::Pem::new("PRIVATE KEY", pkcs8.as_slice())));
        let encoding = match family {
            Family::Access | Family::Audit => EncodingKey::from_ed_pem(document.as_bytes()),
            Family::Machine => EncodingKey::from_rsa_pem(document.as_bytes()),
        }
        .map_err(|_| fault("is not a key of its family"))?;
        let jwk = Jwk::from_encoding_key(&encoding, family.algorithm()).map_err(|_| fault("has no public part"))?;
        Ok(Self { public: PublicKey::named(family, jwk)?, pkcs8, encoding })
    }

    pub fn kid(&self) -> &str {
        &self.public.kid
    }

    pub fn family(&self) -> Family {
        self.public.family
    }

    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The public half of an RSA key as base64 of its X.509 form, as programs in workspaces expect to find it.
    pub fn public_spki(&self) -> Result<String> {
        if self.family() != Family::Machine {
            return Err(fault("has no X.509 form here"));
        }
        let pair = KeyPair::from_pkcs8(&self.pkcs8).map_err(|_| fault("is not an RSA key"))?;
        let der: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| fault("cannot encode RSA"))?;
        Ok(base64::engine::general_purpose::STANDARD.encode(der.as_ref()))
    }

    /// The private key, to be sealed and stored, never to be shown.
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// The signature over a message that is no token, as base64url.
    pub fn sign_detached(&self, message: &[u8]) -> Result<String> {
        jsonwebtoken::crypto::sign(message, &self.encoding, self.family().algorithm()).map_err(|_| fault("cannot sign"))
    }

    pub(super) fn encoding(&self) -> &EncodingKey {
        &self.encoding
    }
}

/// The public part of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    pub family: Family,
    pub kid: String,
    jwk: Jwk,
}

impl PublicKey {
    fn named(family: Family, mut jwk: Jwk) -> Result<Self> {
        let kid = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| fault("has no thumbprint"))?;
        jwk.common.key_id = Some(kid.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        jwk.common.key_algorithm = Some(family.algorithm().into());
        Ok(Self { family, kid, jwk })
    }

    /// The key as one JSON Web Key, as `signing_key.public` keeps it.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(&self.jwk).map_err(|e| fault(&e.to_string()))
    }

    /// Whether [`SigningKey::sign_detached`] of this key made the signature over the message.
    pub fn verify_detached(&self, message: &[u8], signature: &str) -> bool {
        let key = DecodingKey::from_jwk(&self.jwk).ok();
        key.is_some_and(|key| jsonwebtoken::crypto::verify(signature, message, &key, self.family.algorithm()).unwrap_or(false))
    }

    /// Reads what [`Self::to_json`] wrote. The name is computed again, not believed.
    pub fn from_json(family: Family, text: &str) -> Result<Self> {
        let jwk: Jwk = serde_json::from_str(text).map_err(|e| fault(&e.to_string()))?;
        if !fits(family, &jwk) {
            return Err(fault("is not a public key of its family"));
        }
        Self::named(family, jwk)
    }
}

/// Whether the key is of the kind that the family signs with, and says nothing else about itself.
fn fits(family: Family, jwk: &Jwk) -> bool {
    let kind = match family {
        Family::Access | Family::Audit => matches!(jwk.algorithm, AlgorithmParameters::OctetKeyPair(_)),
        Family::Machine => matches!(jwk.algorithm, AlgorithmParameters::RSA(_)),
    };
    let algorithm = jwk.common.key_algorithm.is_none_or(|a| a == family.algorithm().into());
    let signs = jwk.common.public_key_use.as_ref().is_none_or(|u| *u == PublicKeyUse::Signature);
    kind && algorithm && signs
}

/// The JWKS document of the given keys, as `/.well-known/jwks.json` serves it and agents receive it.
pub fn jwks<'a>(keys: impl IntoIterator<Item = &'a PublicKey>) -> Result<String> {
    let set = JwkSet { keys: keys.into_iter().map(|key| key.jwk.clone()).collect() };
    serde_json::to_string(&set).map_err(|e| fault(&e.to_string()))
}

/// The public keys that tokens of one family are checked against.
#[derive(Clone)]
pub struct Keyring {
    family: Family,
    keys: BTreeMap<String, DecodingKey>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyring").field("family", &self.family).field("kids", &self.keys.keys()).finish()
    }
}

impl Keyring {
    /// Keys of other families are left out.
    pub fn new<'a>(family: Family, keys: impl IntoIterator<Item = &'a PublicKey>) -> Result<Self> {
        let mut known = BTreeMap::new();
        for key in keys.into_iter().filter(|key| key.family == family) {
            let decoding = DecodingKey::from_jwk(&key.jwk).map_err(|_| fault("cannot verify with it"))?;
            known.insert(key.kid.clone(), decoding);
        }
        Ok(Self { family, keys: known })
    }

    /// The keys of this family in a JWKS document; the others are left out, and a key's name is computed, not believed.
    pub fn from_jwks(family: Family, document: &str) -> Result<Self> {
        let set: JwkSet = serde_json::from_str(document).map_err(|e| fault(&e.to_string()))?;
        let fitting = set.keys.into_iter().filter(|jwk| fits(family, jwk));
        let keys = fitting.map(|jwk| PublicKey::named(family, jwk)).collect::<Result<Vec<_>>>()?;
        Self::new(family, &keys)
    }

    pub fn family(&self) -> Family {
        self.family
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(super) fn find(&self, kid: &str) -> Option<&DecodingKey> {
        self.keys.get(kid)
    }
}

#[cfg(test)]
pub(super) mod samples {
    use super::*;
    use std::sync::OnceLock;

    /// RSA keys take long to make: the tests share two.
    pub fn machine(which: usize) -> &'static SigningKey {
        static KEYS: [OnceLock<SigningKey>; 2] = [OnceLock::new(), OnceLock::new()];
        KEYS[which].get_or_init(|| SigningKey::generate(Family::Machine).unwrap())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_back_from_its_sealed_form_with_the_same_name() {
        let access = SigningKey::generate(Family::Access).unwrap();
        for key in [&access, samples::machine(0)] {
            let again = SigningKey::from_pkcs8(key.family(), Zeroizing::new(key.pkcs8().to_vec())).unwrap();
            assert_eq!(again.kid(), key.kid());
            assert_eq!(again.public(), key.public());
            assert_eq!(key.kid().len(), 43);
        }
    }

    #[test]
    fn a_key_of_the_other_family_is_refused() {
        let access = SigningKey::generate(Family::Access).unwrap();
        assert!(SigningKey::from_pkcs8(Family::Machine, Zeroizing::new(access.pkcs8().to_vec())).is_err());
        let public = samples::machine(0).public().to_json().unwrap();
        assert!(PublicKey::from_json(Family::Access, &public).is_err());
        assert!(PublicKey::from_json(Family::Machine, &public).is_ok());
    }

    #[test]
    fn the_thumbprint_is_that_of_the_rfc() {
        // RFC 8037, appendix A.3.
        let jwk = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        let key = PublicKey::from_json(Family::Access, jwk).unwrap();
        assert_eq!(key.kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn the_jwks_document_names_use_and_algorithm_and_holds_no_private_part() {
        let access = SigningKey::generate(Family::Access).unwrap();
        let document = jwks([access.public(), samples::machine(0).public()]).unwrap();
        let value: serde_json::Value = serde_json::from_str(&document).unwrap();
        let keys = value["keys"].as_array().unwrap();
        assert_eq!(keys.len(), 2);
        for (key, algorithm) in keys.iter().zip(["EdDSA", "RS512"]) {
            assert_eq!((key["use"].as_str(), key["alg"].as_str()), (Some("sig"), Some(algorithm)));
            assert!(["d", "p", "q", "dp", "dq", "qi", "k"].iter().all(|private| key.get(private).is_none()), "{key}");
        }
    }

    #[test]
    fn a_keyring_takes_only_its_own_family_from_a_document() {
        let access = SigningKey::generate(Family::Access).unwrap();
        let document = jwks([access.public(), samples::machine(0).public()]).unwrap();
        let ring = Keyring::from_jwks(Family::Machine, &document).unwrap();
        assert!(ring.find(samples::machine(0).kid()).is_some());
        assert!(ring.find(access.kid()).is_none());
    }

    #[test]
    fn a_detached_signature_is_of_one_key_and_one_message() {
        let (key, other) = (SigningKey::generate(Family::Audit).unwrap(), SigningKey::generate(Family::Audit).unwrap());
        let signature = key.sign_detached(b"head").unwrap();
        assert!(key.public().verify_detached(b"head", &signature));
        assert!(!key.public().verify_detached(b"tail", &signature));
        assert!(!other.public().verify_detached(b"head", &signature));
        assert!(!key.public().verify_detached(b"head", "nonsense"));
    }

    #[test]
    fn a_private_key_is_never_printed() {
        let key = SigningKey::generate(Family::Access).unwrap();
        let printed = format!("{key:?}");
        assert!(printed.contains(key.kid()) && printed.len() < 100, "{printed}");
    }
}
