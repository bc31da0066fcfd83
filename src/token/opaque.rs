//! Opaque tokens: random text for the client, its SHA-256 for the database.
//!
//! Used for everything that has a row: sessions, refresh tokens, API tokens, one-time codes. 256 random bits need no slow
//! hash. The prefix tells kinds apart at a glance and lets secret scanners find leaked ones; what a token may be used for
//! is decided by the row, whose key includes the purpose.

use crate::clock::Entropy;
use aws_lc_rs::{constant_time, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;

/// Of a browser session, in a cookie.
pub const SESSION_PREFIX: &str = "cxs_";
/// Of a refresh token.
pub const REFRESH_PREFIX: &str = "cxr_";
/// Of an API token or a service account's token.
pub const API_TOKEN_PREFIX: &str = "cxp_";
/// Of an app session, in a cookie of the app's origin.
pub const APP_SESSION_PREFIX: &str = "cxa_";
/// Of one-time codes: set-up, invitation, reset, second factor pending, socket tickets, hand-offs.
pub const CODE_PREFIX: &str = "cxc_";

/// Random bytes of a token.
const SECRET_BYTES: usize = 32;
/// Their length as base64url without padding.
const SECRET_CHARACTERS: usize = 43;

/// The SHA-256 of a token, as the database keeps it.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of a token as it was presented.
    pub fn of(token: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
        Self(bytes)
    }

    /// The hash as the database keeps it; `None` when it is not 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// In constant time.
impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for TokenHash {}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

/// A fresh token: the text goes to the client and nowhere else, the hash into the row.
#[derive(Debug)]
pub struct OpaqueToken {
    pub secret: SecretString,
    pub hash: TokenHash,
}

impl OpaqueToken {
    pub fn fresh(prefix: &str, entropy: &dyn Entropy) -> Self {
        let secret = SecretString::from(format!("{prefix}{}", random_text(SECRET_BYTES, entropy)));
        let hash = TokenHash::of(secret.expose_secret());
        Self { secret, hash }
    }
}

/// The hash to look a presented token up by, if it has the form of this kind. Everything else is refused before the
/// database is asked, so that a token of one kind is never even looked for among another's.
pub fn presented(prefix: &str, token: &str) -> Option<TokenHash> {
    let secret = token.strip_prefix(prefix)?;
    let well_formed = secret.len() == SECRET_CHARACTERS && secret.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    well_formed.then(|| TokenHash::of(token))
}

/// Random bytes as base64url text.
pub fn random_text(bytes: usize, entropy: &dyn Entropy) -> String {
    let mut buffer = zeroize::Zeroizing::new(vec![0_u8; bytes]);
    entropy.fill(&mut buffer);
    URL_SAFE_NO_PAD.encode(buffer.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;

    #[test]
    fn a_presented_token_is_found_by_the_hash_of_the_fresh_one() {
        let token = OpaqueToken::fresh(REFRESH_PREFIX, &SystemEntropy);
        assert_eq!(presented(REFRESH_PREFIX, token.secret.expose_secret()), Some(token.hash));
        assert_eq!(token.secret.expose_secret().len(), 47);
    }

    #[test]
    fn a_token_of_one_kind_is_not_looked_for_among_another() {
        let token = OpaqueToken::fresh(REFRESH_PREFIX, &SystemEntropy);
        assert_eq!(presented(SESSION_PREFIX, token.secret.expose_secret()), None);
    }

    #[test]
    fn malformed_tokens_are_not_looked_up() {
        let long = format!("cxs_{}", "a".repeat(44));
        for text in ["", "cxs_", "cxs_short", long.as_str(), &format!("cxs_{}", "ä".repeat(21)), &format!("cxs_{}'", "a".repeat(42))] {
            assert_eq!(presented(SESSION_PREFIX, text), None, "{text}");
        }
    }

    #[test]
    fn no_two_tokens_are_alike_and_none_is_printed() {
        let a = OpaqueToken::fresh(CODE_PREFIX, &SystemEntropy);
        let b = OpaqueToken::fresh(CODE_PREFIX, &SystemEntropy);
        assert_ne!(a.hash, b.hash);
        assert!(!format!("{a:?}").contains("cxc_"));
    }

    #[test]
    fn a_hash_survives_the_database() {
        let hash = TokenHash::of("x");
        assert_eq!(TokenHash::from_bytes(hash.as_bytes()), Some(hash));
        assert_eq!(TokenHash::from_bytes(&[0; 31]), None);
    }
}
