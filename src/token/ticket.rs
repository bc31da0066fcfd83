//! Agent tickets: how the server proves to the agent of one run of one workspace that a connection is ours.
//!
//! A ticket is a JWT (RS512, `typ: ticket+jwt`) that opens exactly one connection within a minute. The agent holds
//! public keys only: what runs beside it in the workspace could read a shared secret. The checks are stricter than the
//! crate's defaults, which accept a token without `aud` or `iss`, never look at `typ` and allow a minute of leeway
//! (RFC 8725). Time comes in as a parameter.
//!
//! Deliberately absent: permissions. The server decides before it mints; the scope only keeps a ticket for one purpose
//! from being used for another.

use crate::clock::{Entropy, Millis};
use crate::domain::id::WorkspaceId;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, JwkSet, KeyAlgorithm, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The `typ` of a ticket's header.
pub const TYPE: &str = "ticket+jwt";
/// How long a ticket may be used to open its connection, in seconds.
pub const LIFE_SECONDS: i64 = 60;
/// How far two clocks may differ, in seconds.
const LEEWAY_SECONDS: i64 = 5;
/// Longer texts are refused before they are parsed, in bytes.
const LONGEST: usize = 8 * 1024;
/// Who opens connections to an agent.
const SUBJECT: &str = "server";

/// What a connection may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Terminals: attach, list, end.
    Term,
    /// Status and stop.
    Admin,
}

/// What a ticket says. Unknown claims are ignored, so that a newer server can talk to an older agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketClaims {
    pub iss: String,
    /// `ws:<id>:<run>`; a list is refused.
    pub aud: String,
    pub sub: String,
    /// Seconds since 1970, as `nbf` and `exp`.
    pub iat: i64,
    pub nbf: i64,
    pub exp: i64,
    /// Used once per agent.
    pub jti: String,
    /// For whom the connection is opened: a user id, or nothing where the server itself asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<String>,
    pub scope: Vec<Scope>,
}

/// Why a ticket was not minted or not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    #[error("the key is not a usable RSA key")]
    Key,
    #[error("the key set is not a JWKS document")]
    KeySet,
    #[error("the ticket could not be signed")]
    Signing,
    #[error("this is not a ticket")]
    Malformed,
    #[error("the ticket was signed with an unknown key")]
    UnknownKey,
    #[error("the ticket's signature or claims are wrong")]
    Refused,
    #[error("the ticket is not valid at this time")]
    Expired,
    #[error("the ticket was used before")]
    Replayed,
}

/// The audience that names one run of one workspace.
pub fn audience(workspace: &WorkspaceId, run: i64) -> String {
    format!("ws:{workspace}:{run}")
}

/// Mints tickets with one private key.
pub struct TicketSigner {
    key: EncodingKey,
    kid: String,
    issuer: String,
    public: Jwk,
}

impl TicketSigner {
    /// Reads an RSA private key in PEM (PKCS#1 or PKCS#8). The key id is its RFC 7638 thumbprint.
    pub fn from_pem(pem: &[u8], issuer: &str) -> Result<Self, TicketError> {
        let key = EncodingKey::from_rsa_pem(pem).map_err(|_| TicketError::Key)?;
        let mut public = Jwk::from_encoding_key(&key, Algorithm::RS512).map_err(|_| TicketError::Key)?;
        let kid = public.thumbprint(ThumbprintHash::SHA256).map_err(|_| TicketError::Key)?;
        public.common.key_id = Some(kid.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Self { key, kid, issuer: issuer.to_owned(), public })
    }

    /// Reads an RSA private key in DER (PKCS#8).
    pub fn from_pkcs8_der(der: &[u8], issuer: &str) -> Result<Self, TicketError> {
        let text = pem::encode(&pem::Pem::new("PRIVATE KEY", der));
        Self::from_pem(text.as_bytes(), issuer)
    }

    /// The RFC 7638 thumbprint of the key.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// A JWKS document (RFC 7517) with the public half.
    pub fn jwks(&self) -> String {
        serde_json::json!({ "keys": [self.public] }).to_string()
    }

    /// A ticket for one connection to this run of the workspace, valid for [`LIFE_SECONDS`] from `now`.
    pub fn mint(&self, wanted: &Wanted<'_>, now: Millis, entropy: &dyn Entropy) -> Result<String, TicketError> {
        let mut random = [0_u8; 16];
        entropy.fill(&mut random);
        let seconds = now.0.div_euclid(1_000);
        let claims = TicketClaims {
            iss: self.issuer.clone(),
            aud: audience(wanted.workspace, wanted.run),
            sub: SUBJECT.to_owned(),
            iat: seconds,
            nbf: seconds,
            exp: seconds.saturating_add(LIFE_SECONDS),
            jti: URL_SAFE_NO_PAD.encode(random),
            act: wanted.actor.map(str::to_owned),
            scope: wanted.scope.to_vec(),
        };
        let mut header = Header::new(Algorithm::RS512);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(self.kid.clone());
        jsonwebtoken::encode(&header, &claims, &self.key).map_err(|_| TicketError::Signing)
    }
}

/// What a ticket is wanted for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    pub workspace: &'a WorkspaceId,
    pub run: i64,
    /// The user on whose behalf the connection is opened.
    pub actor: Option<&'a str>,
    pub scope: &'a [Scope],
}

/// Checks tickets for one run of one workspace, and remembers those that were used.
pub struct TicketVerifier {
    keys: HashMap<String, DecodingKey>,
    validation: Validation,
    /// `jti` -> `exp` in seconds, of tickets that were accepted and could still be replayed.
    used: HashMap<String, i64>,
}

impl TicketVerifier {
    /// Takes the RSA keys of a JWKS document; keys of other kinds are passed over.
    pub fn new(jwks: &str, issuer: &str, workspace: &WorkspaceId, run: i64) -> Result<Self, TicketError> {
        let set: JwkSet = serde_json::from_str(jwks).map_err(|_| TicketError::KeySet)?;
        let keys = set.keys.iter().filter(|k| fits(k)).filter_map(|jwk| {
            let kid = jwk.common.key_id.clone()?;
            Some((kid, DecodingKey::from_jwk(jwk).ok()?))
        });
        let mut validation = Validation::new(Algorithm::RS512);
        validation.set_required_spec_claims(&["exp", "nbf", "aud", "iss", "sub"]);
        validation.set_audience(&[audience(workspace, run)]);
        validation.set_issuer(&[issuer]);
        validation.sub = Some(SUBJECT.to_owned());
        // The crate would ask the ambient clock; `in_time` does it with ours.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Ok(Self { keys: keys.collect(), validation, used: HashMap::new() })
    }

    /// Accepts a ticket once.
    pub fn accept(&mut self, ticket: &str, now: Millis) -> Result<TicketClaims, TicketError> {
        let claims = self.verify(ticket, now)?;
        let seconds = now.0.div_euclid(1_000);
        self.used.retain(|_, exp| exp.saturating_add(LEEWAY_SECONDS) >= seconds);
        if self.used.insert(claims.jti.clone(), claims.exp).is_some() {
            return Err(TicketError::Replayed);
        }
        Ok(claims)
    }

    fn verify(&self, ticket: &str, now: Millis) -> Result<TicketClaims, TicketError> {
        if ticket.len() > LONGEST {
            return Err(TicketError::Malformed);
        }
        let header = jsonwebtoken::decode_header(ticket).map_err(|_| TicketError::Malformed)?;
        if header.typ.as_deref() != Some(TYPE) || header.crit.is_some() || header.alg != Algorithm::RS512 {
            return Err(TicketError::Malformed);
        }
        let kid = header.kid.filter(|k| is_key_id(k)).ok_or(TicketError::Malformed)?;
        let key = self.keys.get(&kid).ok_or(TicketError::UnknownKey)?;
        let claims = jsonwebtoken::decode::<TicketClaims>(ticket, key, &self.validation).map_err(|_| TicketError::Refused)?.claims;
        if claims.jti.is_empty() || claims.jti.len() > 64 {
            return Err(TicketError::Malformed);
        }
        in_time(&claims, now.0.div_euclid(1_000))?;
        Ok(claims)
    }
}

fn fits(key: &Jwk) -> bool {
    let signs = key.common.public_key_use.as_ref().is_none_or(|u| *u == PublicKeyUse::Signature);
    signs && key.common.key_algorithm.as_ref().is_none_or(|a| *a == KeyAlgorithm::RS512)
}

fn is_key_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

fn in_time(claims: &TicketClaims, now: i64) -> Result<(), TicketError> {
    let early = claims.nbf.max(claims.iat) > now.saturating_add(LEEWAY_SECONDS);
    let late = claims.exp.saturating_add(LEEWAY_SECONDS) <= now;
    let too_long = claims.exp.saturating_sub(claims.iat) > LIFE_SECONDS;
    if early || late || too_long { Err(TicketError::Expired) } else { Ok(()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use std::sync::OnceLock;

    const NOW: Millis = Millis(1_773_310_830_000);

    fn der(n: usize) -> &'static [u8] {
        static KEYS: [OnceLock<Vec<u8>>; 2] = [OnceLock::new(), OnceLock::new()];
        KEYS[n].get_or_init(|| {
            let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
            let pkcs8: Pkcs8V1Der<'_> = pair.as_der().unwrap();
            pkcs8.as_ref().to_vec()
        })
    }

    fn signer() -> TicketSigner {
        TicketSigner::from_pkcs8_der(der(0), "codex-web").unwrap()
    }

    fn workspace() -> WorkspaceId {
        WorkspaceId::trusted("ws_00000000000000000000000000000001".to_owned())
    }

    fn verifier() -> TicketVerifier {
        TicketVerifier::new(&signer().jwks(), "codex-web", &workspace(), 3).unwrap()
    }

    fn claims() -> TicketClaims {
        let now = NOW.0 / 1_000;
        TicketClaims {
            iss: "codex-web".into(),
            aud: audience(&workspace(), 3),
            sub: SUBJECT.into(),
            iat: now,
            nbf: now,
            exp: now + 60,
            jti: "one".into(),
            act: None,
            scope: vec![Scope::Term],
        }
    }

    fn header() -> Header {
        let mut header = Header::new(Algorithm::RS512);
        header.typ = Some(TYPE.into());
        header.kid = Some(signer().kid);
        header
    }

    fn signed(header: &Header, claims: &impl Serialize) -> String {
        jsonwebtoken::encode(header, claims, &signer().key).unwrap()
    }

    #[test]
    fn a_minted_ticket_is_accepted_once() {
        let wanted = Wanted { workspace: &workspace(), run: 3, actor: Some("usr_x"), scope: &[Scope::Term] };
        let ticket = signer().mint(&wanted, NOW, &SystemEntropy).unwrap();
        let mut verifier = verifier();
        let claims = verifier.accept(&ticket, NOW).unwrap();
        assert_eq!(claims.act.as_deref(), Some("usr_x"));
        assert_eq!(verifier.accept(&ticket, NOW), Err(TicketError::Replayed));
    }

    #[test]
    fn another_run_another_workspace_and_another_issuer_are_refused() {
        for change in [
            |c: &mut TicketClaims| c.aud = audience(&workspace(), 2),
            |c: &mut TicketClaims| c.aud = "ws:ws_00000000000000000000000000000002:3".into(),
            |c: &mut TicketClaims| c.iss = "somebody".into(),
            |c: &mut TicketClaims| c.sub = "user".into(),
        ] {
            let mut claims = claims();
            change(&mut claims);
            assert_eq!(verifier().accept(&signed(&header(), &claims), NOW), Err(TicketError::Refused));
        }
    }

    #[test]
    fn time_is_checked_with_five_seconds_of_leeway() {
        let ticket = signed(&header(), &claims());
        assert!(verifier().accept(&ticket, NOW.plus(64_000)).is_ok());
        assert_eq!(verifier().accept(&ticket, NOW.plus(65_000)), Err(TicketError::Expired));
        assert!(verifier().accept(&ticket, NOW.plus(-5_000)).is_ok());
        assert_eq!(verifier().accept(&ticket, NOW.plus(-6_000)), Err(TicketError::Expired));
        let mut long = claims();
        long.exp += 1;
        assert_eq!(verifier().accept(&signed(&header(), &long), NOW), Err(TicketError::Expired));
    }

    #[test]
    fn a_missing_or_mistyped_claim_is_refused() {
        for name in ["iss", "aud", "sub", "iat", "nbf", "exp", "jti", "scope"] {
            let mut value = serde_json::to_value(claims()).unwrap();
            value.as_object_mut().unwrap().remove(name);
            assert!(verifier().accept(&signed(&header(), &value), NOW).is_err(), "without {name}");
        }
        let mut list = serde_json::to_value(claims()).unwrap();
        list["aud"] = serde_json::json!([audience(&workspace(), 3), "other"]);
        assert!(verifier().accept(&signed(&header(), &list), NOW).is_err());
    }

    #[test]
    fn another_type_critical_headers_and_unknown_keys_are_refused() {
        let mut typ = header();
        typ.typ = Some("machine+jwt".into());
        assert_eq!(verifier().accept(&signed(&typ, &claims()), NOW), Err(TicketError::Malformed));
        let mut crit = header();
        crit.crit = Some(vec!["exp".into()]);
        assert_eq!(verifier().accept(&signed(&crit, &claims()), NOW), Err(TicketError::Malformed));
        let mut path = header();
        path.kid = Some("../../dev/null".into());
        assert_eq!(verifier().accept(&signed(&path, &claims()), NOW), Err(TicketError::Malformed));
        let mut other = header();
        other.kid = Some("other".into());
        assert_eq!(verifier().accept(&signed(&other, &claims()), NOW), Err(TicketError::UnknownKey));
    }

    #[test]
    fn a_key_of_another_owner_and_a_symmetric_signature_are_refused() {
        let stranger = TicketSigner::from_pkcs8_der(der(1), "codex-web").unwrap();
        let forged = jsonwebtoken::encode(&header(), &claims(), &stranger.key).unwrap();
        assert_eq!(verifier().accept(&forged, NOW), Err(TicketError::Refused));
        let mut symmetric = header();
        symmetric.alg = Algorithm::HS512;
        let token = jsonwebtoken::encode(&symmetric, &claims(), &EncodingKey::from_secret(signer().jwks().as_bytes())).unwrap();
        assert_eq!(verifier().accept(&token, NOW), Err(TicketError::Malformed));
    }

    #[test]
    fn an_over_long_text_is_refused_before_it_is_read() {
        assert_eq!(verifier().accept(&"a".repeat(9_000), NOW), Err(TicketError::Malformed));
    }
}
