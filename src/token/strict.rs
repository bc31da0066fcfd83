//! The one way to mint and to check a signed token, whatever its kind.
//!
//! The crate underneath accepts a token without audience or issuer, with another `typ`, before its `nbf`, and a minute
//! after its end. So it is asked for the signature alone, and everything else is checked here: exactly one algorithm per
//! kind, a header without surprises, a `kid` that is known *for this kind*, every registered claim present, of the right
//! type and value, and a life no longer than the kind allows. Time comes in as a parameter. Whether the session or the
//! user behind a token still exists is for the caller to look up.

use super::keys::Family;
use super::keys::{Keyring, SigningKey};
use crate::clock::Millis;
use crate::error::{Error, Result, Unauthenticated};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Header, Validation};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How far two clocks may differ.
const LEEWAY_SECONDS: i64 = 5;
/// Longer tokens are an error, never cut.
const TOKEN_BYTES_MAX: usize = 8 * 1024;
const KID_MAX: usize = 64;

/// One kind of signed token. Two kinds never share `typ`, so none can be shown in place of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The header's `typ`.
    pub typ: &'static str,
    pub family: Family,
    /// `exp - iat` may not be larger.
    pub life_max_seconds: i64,
    /// The header's `kind`, which the seeds' machine tokens carry; must be absent where it is `None`.
    pub header_kind: Option<&'static str>,
}

/// The claims that every token has. Times are seconds since 1970-01-01 UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    pub iss: String,
    pub sub: String,
    /// One audience; a list is refused.
    pub aud: String,
    pub exp: i64,
    pub nbf: i64,
    pub iat: i64,
    pub jti: String,
}

/// What a token must say to be meant for us.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    pub issuer: &'a str,
    pub audience: &'a str,
    pub now: Millis,
}

/// Why a token was refused: for the log. The caller of the API hears only that it is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the token is too long")]
    TooLong,
    #[error("the token is not three base64url parts with a JSON header")]
    Malformed,
    #[error("the header has a field, type or algorithm that this kind of token does not have")]
    Header,
    #[error("the key is unknown for this kind of token")]
    UnknownKey,
    #[error("the signature is wrong")]
    Signature,
    #[error("a claim is missing or has the wrong type")]
    Claims,
    #[error("the issuer is another")]
    Issuer,
    #[error("the audience is another")]
    Audience,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYet,
    #[error("the token lives longer than its kind may")]
    LivesTooLong,
}

impl From<Refused> for Error {
    fn from(_: Refused) -> Self {
        Self::Unauthenticated(Unauthenticated::InvalidToken)
    }
}

/// The whole header; anything more (`crit`, `jku`, `jwk`, `x5u`, `zip`, …) is refused by not being known.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StrictHeader {
    typ: String,
    alg: String,
    kid: String,
    #[serde(default)]
    kind: Option<String>,
}

/// Signs the claims. They must serialise to an object that holds the fields of [`Registered`].
pub fn mint<C: Serialize>(kind: &Kind, key: &SigningKey, claims: &C) -> Result<SecretString> {
    if key.family() != kind.family {
        return Err(Error::internal("a token was to be signed with a key of another family"));
    }
    let mut header = Header::new(kind.family.algorithm());
    header.typ = Some(kind.typ.to_owned());
    header.kid = Some(key.kid().to_owned());
    if let Some(name) = kind.header_kind {
        header.extras.insert("kind", name);
    }
    let token = jsonwebtoken::encode(&header, claims, key.encoding());
    token.map(SecretString::from).map_err(|e| Error::internal(format!("cannot sign a token: {e}")))
}

/// The claims of a token that is whole, ours, of this kind, meant for this audience, and valid now.
pub fn verify<C: DeserializeOwned>(kind: &Kind, token: &str, keys: &Keyring, expected: &Expected<'_>) -> Result<C, Refused> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Refused::TooLong);
    }
    let header = read_header(token)?;
    let same_kind = header.typ == kind.typ && header.kind.as_deref() == kind.header_kind;
    if !same_kind || header.alg != kind.family.algorithm_name() || keys.family() != kind.family {
        return Err(Refused::Header);
    }
    let known = Some(header.kid.as_str()).filter(|kid| is_kid(kid)).and_then(|kid| keys.find(kid));
    let key = known.ok_or(Refused::UnknownKey)?;
    let claims: Value = jsonwebtoken::decode(token, key, &signature_only(kind)).map_err(|_| Refused::Signature)?.claims;
    let registered = Registered::deserialize(&claims).map_err(|_| Refused::Claims)?;
    check_registered(kind, &registered, expected)?;
    C::deserialize(claims).map_err(|_| Refused::Claims)
}

/// The audience that a token says it is for, before anything is believed: a kind with many audiences compares it, and then
/// asks [`verify`] for exactly that one.
pub fn claimed_audience(token: &str) -> Result<String, Refused> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Refused::TooLong);
    }
    let claims = token.split('.').nth(1).ok_or(Refused::Malformed)?;
    let bytes = URL_SAFE_NO_PAD.decode(claims).map_err(|_| Refused::Malformed)?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|_| Refused::Malformed)?;
    value.get("aud").and_then(Value::as_str).map(str::to_owned).ok_or(Refused::Claims)
}

fn read_header(token: &str) -> Result<StrictHeader, Refused> {
    let mut parts = token.split('.');
    let (Some(header), Some(_), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(Refused::Malformed);
    };
    let bytes = URL_SAFE_NO_PAD.decode(header).map_err(|_| Refused::Malformed)?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|_| Refused::Malformed)?;
    if !value.is_object() {
        return Err(Refused::Malformed);
    }
    // Read from the bytes and not from the value, so that a field given twice is refused.
    serde_json::from_slice(&bytes).map_err(|_| Refused::Header)
}

fn is_kid(kid: &str) -> bool {
    (1..=KID_MAX).contains(&kid.len()) && kid.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// Asks the crate for the signature by the one algorithm and for nothing else: it would read the ambient clock.
fn signature_only(kind: &Kind) -> Validation {
    let mut validation = Validation::new(kind.family.algorithm());
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

fn check_registered(kind: &Kind, claims: &Registered, expected: &Expected<'_>) -> Result<(), Refused> {
    let now = expected.now.0.div_euclid(1_000);
    let latest = now.saturating_add(LEEWAY_SECONDS);
    if claims.sub.is_empty() || claims.jti.is_empty() {
        return Err(Refused::Claims);
    }
    if claims.iss != expected.issuer {
        return Err(Refused::Issuer);
    }
    if claims.aud != expected.audience {
        return Err(Refused::Audience);
    }
    if now >= claims.exp.saturating_add(LEEWAY_SECONDS) {
        return Err(Refused::Expired);
    }
    if claims.nbf > latest || claims.iat > latest {
        return Err(Refused::NotYet);
    }
    if claims.exp.saturating_sub(claims.iat) > kind.life_max_seconds {
        return Err(Refused::LivesTooLong);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::keys::samples;
    use super::*;
    use jsonwebtoken::{Algorithm, EncodingKey};
    use secrecy::ExposeSecret;
    use serde_json::json;

    const KIND: Kind = Kind { typ: "test+jwt", family: Family::Access, life_max_seconds: 600, header_kind: None };
    const MACHINE: Kind = Kind { typ: "machine+jwt", family: Family::Machine, life_max_seconds: 600, header_kind: Some("machine_token") };
    const NOW: i64 = 1_800_000_000;

    fn good() -> Value {
        json!({"iss": "us", "sub": "usr_1", "aud": "them", "exp": NOW + 600, "nbf": NOW, "iat": NOW, "jti": "1"})
    }

    fn with(field: &str, value: Value) -> Value {
        let mut claims = good();
        claims[field] = value;
        claims
    }

    struct Bench {
        key: SigningKey,
        ring: Keyring,
    }

    impl Bench {
        fn new() -> Self {
            let key = SigningKey::generate(Family::Access).unwrap();
            let ring = Keyring::new(Family::Access, [key.public()]).unwrap();
            Self { key, ring }
        }

        fn check(&self, token: &str) -> Result<Registered, Refused> {
            verify(&KIND, token, &self.ring, &Expected { issuer: "us", audience: "them", now: Millis(NOW * 1_000) })
        }

        fn claims(&self, claims: &Value) -> Result<Registered, Refused> {
            self.check(mint(&KIND, &self.key, claims).unwrap().expose_secret())
        }

        /// A token that the right key signed over any header at all.
        fn header(&self, header: &Value) -> Result<Registered, Refused> {
            let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
            let message = format!("{}.{}", part(header), part(&good()));
            let signature = jsonwebtoken::crypto::sign(message.as_bytes(), self.key.encoding(), Algorithm::EdDSA).unwrap();
            self.check(&format!("{message}.{signature}"))
        }
    }

    #[test]
    fn a_good_token_is_accepted() {
        assert_eq!(Bench::new().claims(&good()).map(|c| c.sub), Ok("usr_1".to_owned()));
    }

    #[test]
    fn a_token_without_one_of_its_claims_is_refused() {
        let bench = Bench::new();
        for field in ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"] {
            let mut claims = good();
            claims.as_object_mut().unwrap().remove(field);
            assert_eq!(bench.claims(&claims), Err(Refused::Claims), "{field}");
        }
    }

    #[test]
    fn claims_of_the_wrong_type_are_refused() {
        let bench = Bench::new();
        for (field, value) in [
            ("exp", json!("1900000000")),
            ("exp", json!(1e300)),
            ("exp", json!(1.5)),
            ("exp", json!(null)),
            ("aud", json!(["them"])),
            ("aud", json!(["them", "others"])),
            ("sub", json!(7)),
            ("sub", json!("")),
            ("jti", json!("")),
        ] {
            assert_eq!(bench.claims(&with(field, value.clone())), Err(Refused::Claims), "{field} {value}");
        }
    }

    #[test]
    fn tokens_for_others_and_from_others_are_refused() {
        let bench = Bench::new();
        assert_eq!(bench.claims(&with("aud", json!("others"))), Err(Refused::Audience));
        assert_eq!(bench.claims(&with("iss", json!("them"))), Err(Refused::Issuer));
    }

    #[test]
    fn time_is_kept_to_five_seconds() {
        let bench = Bench::new();
        assert!(bench.claims(&with("exp", json!(NOW - 4))).is_ok());
        assert_eq!(bench.claims(&with("exp", json!(NOW - 5))), Err(Refused::Expired));
        assert_eq!(bench.claims(&with("exp", json!(-1))), Err(Refused::Expired));
        assert!(bench.claims(&with("nbf", json!(NOW + 5))).is_ok());
        assert_eq!(bench.claims(&with("nbf", json!(NOW + 6))), Err(Refused::NotYet));
        assert_eq!(bench.claims(&with("iat", json!(NOW + 6))), Err(Refused::NotYet));
    }

    #[test]
    fn a_token_that_lives_too_long_is_refused() {
        let bench = Bench::new();
        assert_eq!(bench.claims(&with("exp", json!(NOW + 601))), Err(Refused::LivesTooLong));
        assert_eq!(bench.claims(&with("exp", json!(i64::MAX))), Err(Refused::LivesTooLong));
    }

    #[test]
    fn the_header_may_hold_nothing_but_its_three_fields() {
        let bench = Bench::new();
        let kid = bench.key.kid();
        let base = json!({"typ": "test+jwt", "alg": "EdDSA", "kid": kid});
        assert!(bench.header(&base).is_ok());
        for (field, value) in [
            ("crit", json!(["exp"])),
            ("jku", json!("https://elsewhere.example/keys")),
            ("jwk", json!({"kty": "oct", "k": "AA"})),
            ("x5u", json!("https://elsewhere.example")),
            ("zip", json!("DEF")),
            ("kind", json!("machine_token")),
            ("typ", json!("machine+jwt")),
            ("typ", json!("JWT")),
            ("typ", json!("TEST+JWT")),
            ("alg", json!("none")),
            ("alg", json!("None")),
            ("alg", json!("HS512")),
            ("alg", json!("RS512")),
            ("typ", json!(null)),
        ] {
            let mut header = base.clone();
            header[field] = value.clone();
            assert_eq!(bench.header(&header), Err(Refused::Header), "{field} {value}");
        }
        for field in ["typ", "alg", "kid"] {
            let mut header = base.clone();
            header.as_object_mut().unwrap().remove(field);
            assert_eq!(bench.header(&header), Err(Refused::Header), "{field}");
        }
    }

    #[test]
    fn keys_that_are_not_ours_are_unknown_however_they_are_named() {
        let bench = Bench::new();
        for kid in ["", "../../../dev/null", &"a".repeat(65), "unknown", "' OR 1=1"] {
            let header = json!({"typ": "test+jwt", "alg": "EdDSA", "kid": kid});
            assert_eq!(bench.header(&header), Err(Refused::UnknownKey), "{kid}");
        }
    }

    #[test]
    fn a_token_signed_by_another_key_under_our_name_is_refused() {
        let (bench, other) = (Bench::new(), Bench::new());
        let forged = mint(&KIND, &other.key, &good()).unwrap();
        assert_eq!(bench.check(forged.expose_secret()), Err(Refused::UnknownKey));
        let mut header = Header::new(Algorithm::EdDSA);
        (header.typ, header.kid) = (Some("test+jwt".into()), Some(bench.key.kid().into()));
        let forged = jsonwebtoken::encode(&header, &good(), other.key.encoding()).unwrap();
        assert_eq!(bench.check(&forged), Err(Refused::Signature));
        let mut header = Header::new(Algorithm::HS256);
        (header.typ, header.kid) = (Some("test+jwt".into()), Some(bench.key.kid().into()));
        let public = bench.key.public().to_json().unwrap();
        let confused = jsonwebtoken::encode(&header, &good(), &EncodingKey::from_secret(public.as_bytes())).unwrap();
        assert_eq!(bench.check(&confused), Err(Refused::Header));
    }

    #[test]
    fn a_changed_token_is_refused_wherever_it_was_changed() {
        let bench = Bench::new();
        let token = mint(&KIND, &bench.key, &good()).unwrap().expose_secret().to_owned();
        for at in (0..token.len()).step_by(7) {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            assert!(bench.check(&String::from_utf8(bytes).unwrap()).is_err(), "{at}");
        }
        for text in ["", ".", "..", "a.b.c", &format!("{token}."), &format!(".{token}"), &token[..token.len() - 1], &"a".repeat(9_000)] {
            assert!(bench.check(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_field_given_twice_in_the_header_is_refused() {
        let bench = Bench::new();
        let header = format!(r#"{{"typ":"test+jwt","alg":"none","alg":"EdDSA","kid":"{}"}}"#, bench.key.kid());
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(good().to_string()));
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), bench.key.encoding(), Algorithm::EdDSA).unwrap();
        assert_eq!(bench.check(&format!("{message}.{signature}")), Err(Refused::Header));
    }

    #[test]
    fn machine_tokens_are_rs512_and_carry_their_kind_in_the_header() {
        let (key, other) = (samples::machine(0), samples::machine(1));
        let token = mint(&MACHINE, key, &good()).unwrap();
        let header = read_header(token.expose_secret()).unwrap();
        assert_eq!((header.alg.as_str(), header.kind.as_deref()), ("RS512", Some("machine_token")));
        let expected = Expected { issuer: "us", audience: "them", now: Millis(NOW * 1_000) };
        let check = |key: &SigningKey| {
            let ring = Keyring::new(Family::Machine, [key.public()]).unwrap();
            verify::<Registered>(&MACHINE, token.expose_secret(), &ring, &expected)
        };
        assert!(check(key).is_ok());
        assert_eq!(check(other), Err(Refused::UnknownKey));
    }

    #[test]
    fn a_key_of_the_wrong_family_does_not_sign() {
        assert!(mint(&KIND, samples::machine(0), &good()).is_err());
    }

    #[test]
    fn every_refusal_is_told_as_an_invalid_token() {
        assert_eq!(Error::from(Refused::Expired), Error::Unauthenticated(Unauthenticated::InvalidToken));
    }
}
