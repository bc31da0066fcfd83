//! Access tokens: what an API client shows with each request. `at+jwt` (RFC 9068), EdDSA, ten minutes.
//!
//! A token carries identity and no authority: the user, the session it came from, and the user's token version. Whoever
//! accepts it looks up the session and the user, so that signing out, disabling and a new password end it at once.

use super::keys::{Family, Keyring, SigningKey};
use super::opaque::random_text;
use super::strict::{Expected, Kind, Refused, mint, verify};
use crate::clock::{Entropy, MINUTE, Millis};
use crate::domain::id::{SessionId, UserId};
use crate::error::Result;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// Who the token is for.
pub const AUDIENCE: &str = "codex-web";

/// How long a token is good, in milliseconds.
pub const LIFE: i64 = 10 * MINUTE;

const KIND: Kind = Kind { typ: "at+jwt", family: Family::Access, life_max_seconds: LIFE / 1_000, header_kind: None };

/// The claims, all of them required.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: UserId,
    aud: String,
    exp: i64,
    nbf: i64,
    iat: i64,
    jti: String,
    sid: SessionId,
    tv: i64,
}

/// Whom a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessSubject {
    pub user: UserId,
    pub session: SessionId,
    /// `user.token_version` at the time of minting; a token with another one is dead.
    pub token_version: i64,
}

/// A fresh token.
#[derive(Debug)]
pub struct AccessToken {
    pub token: SecretString,
    pub expires_at: Millis,
    /// Seconds, as `expiresIn` of the API.
    pub expires_in: i64,
}

/// Signs a token for the subject. `issuer` is the installation's public address.
pub fn issue(key: &SigningKey, issuer: &str, subject: &AccessSubject, now: Millis, entropy: &dyn Entropy) -> Result<AccessToken> {
    let issued = now.0.div_euclid(1_000);
    let claims = Claims {
        iss: issuer.to_owned(),
        sub: subject.user.clone(),
        aud: AUDIENCE.to_owned(),
        exp: issued + LIFE / 1_000,
        nbf: issued,
        iat: issued,
        jti: random_text(16, entropy),
        sid: subject.session.clone(),
        tv: subject.token_version,
    };
    let expires_at = Millis(claims.exp.saturating_mul(1_000));
    Ok(AccessToken { token: mint(&KIND, key, &claims)?, expires_at, expires_in: LIFE / 1_000 })
}

/// The subject of a token that is whole and valid now. Its session and user are still to be looked up.
pub fn read(token: &str, keys: &Keyring, issuer: &str, now: Millis) -> Result<AccessSubject, Refused> {
    let claims: Claims = verify(&KIND, token, keys, &Expected { issuer, audience: AUDIENCE, now })?;
    Ok(AccessSubject { user: claims.sub, session: claims.sid, token_version: claims.tv })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, ManualClock, SystemEntropy};
    use secrecy::ExposeSecret;

    const ISSUER: &str = "http://localhost:8080";

    fn bench() -> (SigningKey, Keyring, AccessSubject, ManualClock) {
        let key = SigningKey::generate(Family::Access).unwrap();
        let ring = Keyring::new(Family::Access, [key.public()]).unwrap();
        let now = Millis(1_800_000_000_000);
        let subject =
            AccessSubject { user: UserId::fresh(now, &SystemEntropy), session: SessionId::fresh(now, &SystemEntropy), token_version: 3 };
        (key, ring, subject, ManualClock::starting_at(now))
    }

    #[test]
    fn a_token_says_who_until_it_ends() {
        let (key, ring, subject, clock) = bench();
        let made = issue(&key, ISSUER, &subject, clock.now(), &SystemEntropy).unwrap();
        assert_eq!(made.expires_at.since(clock.now()), LIFE);
        let token = made.token.expose_secret();
        assert_eq!(read(token, &ring, ISSUER, clock.now()), Ok(subject));
        clock.advance(LIFE + 5_000);
        assert_eq!(read(token, &ring, ISSUER, clock.now()), Err(Refused::Expired));
    }

    #[test]
    fn a_token_of_another_installation_is_refused() {
        let (key, ring, subject, clock) = bench();
        let made = issue(&key, "https://elsewhere.example", &subject, clock.now(), &SystemEntropy).unwrap();
        assert_eq!(read(made.token.expose_secret(), &ring, ISSUER, clock.now()), Err(Refused::Issuer));
    }

    #[test]
    fn a_signed_token_without_a_session_is_refused() {
        let (key, ring, subject, clock) = bench();
        let now = clock.now().0 / 1_000;
        let claims = serde_json::json!({"iss": ISSUER, "sub": subject.user, "aud": AUDIENCE, "exp": now + 60, "nbf": now, "iat": now, "jti": "x", "tv": 1});
        let token = mint(&KIND, &key, &claims).unwrap();
        assert_eq!(read(token.expose_secret(), &ring, ISSUER, clock.now()), Err(Refused::Claims));
    }

    #[test]
    fn printing_a_token_for_debugging_shows_nothing_of_it() {
        let (key, _, subject, clock) = bench();
        let made = issue(&key, ISSUER, &subject, clock.now(), &SystemEntropy).unwrap();
        assert!(!format!("{made:?}").contains("eyJ"));
    }
}
