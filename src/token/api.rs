//! The text of an API token: `cxp_`, twelve hexadecimal digits that name it, an underscore, and 43 random characters.
//!
//! The digits are no secret: lists show them, so that a token found in a log can be told from the others, and the row is
//! looked up by them, so that nothing secret is compared by the database. The prefix lets secret scanners find tokens that
//! leaked: `cxp_[0-9a-f]{12}_[A-Za-z0-9_-]{43}`.

use super::opaque::{API_TOKEN_PREFIX, TokenHash, random_text};
use crate::clock::Entropy;
use crate::domain::hex;
use secrecy::{ExposeSecret, SecretString};

/// Bytes behind the mark, two digits each.
const MARK_BYTES: usize = 6;
const MARK_CHARACTERS: usize = 2 * MARK_BYTES;
/// Random bytes of the secret part.
const SECRET_BYTES: usize = 32;
/// Their length as base64url without padding.
const SECRET_CHARACTERS: usize = 43;

/// A fresh token: the text goes to the client and nowhere else.
#[derive(Debug)]
pub struct ApiToken {
    pub secret: SecretString,
    pub mark: String,
    /// Of the whole text.
    pub hash: TokenHash,
}

impl ApiToken {
    pub fn fresh(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0_u8; MARK_BYTES];
        entropy.fill(&mut bytes);
        let mark = hex::encode(&bytes);
        let secret = SecretString::from(format!("{API_TOKEN_PREFIX}{mark}_{}", random_text(SECRET_BYTES, entropy)));
        let hash = TokenHash::of(secret.expose_secret());
        Self { secret, mark, hash }
    }
}

/// What a shown text says: the mark to look it up by, and the hash to compare. `None` for everything that is no API token.
pub fn presented(text: &str) -> Option<(&str, TokenHash)> {
    let (mark, secret) = text.strip_prefix(API_TOKEN_PREFIX)?.split_at_checked(MARK_CHARACTERS)?;
    let secret = secret.strip_prefix('_')?;
    let is_mark = mark.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let is_secret = secret.len() == SECRET_CHARACTERS && secret.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    (is_mark && is_secret).then(|| (mark, TokenHash::of(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;

    #[test]
    fn a_fresh_token_is_found_by_its_mark_and_proved_by_its_hash() {
        let token = ApiToken::fresh(&SystemEntropy);
        assert_eq!(token.secret.expose_secret().len(), 60);
        assert_eq!(presented(token.secret.expose_secret()), Some((token.mark.as_str(), token.hash)));
        assert!(!format!("{token:?}").contains("cxp_"));
    }

    #[test]
    fn what_does_not_have_the_form_is_not_looked_up() {
        let (mark, secret) = ("0123456789ab", "a".repeat(43));
        assert!(presented(&format!("cxp_{mark}_{secret}")).is_some());
        for text in [
            String::new(),
            "cxp_".into(),
            format!("cxs_{mark}_{secret}"),
            format!("cxp_{mark}{secret}_"),
            format!("cxp_0123456789AB_{secret}"),
            format!("cxp_{mark}_{secret}a"),
            format!("cxp_{mark}_{}", "a".repeat(42)),
            format!("cxp_{mark}_{}'", "a".repeat(42)),
            format!("cxp_0123456789aé_{}", "a".repeat(42)),
        ] {
            assert_eq!(presented(&text), None, "{text}");
        }
    }
}
