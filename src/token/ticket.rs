//! Agent tickets: how the server proves to the agent of one run of one workspace that a connection is ours.
//!
//! A ticket is a JWT (RS512, `typ: ticket+jwt`) that opens exactly one connection within a minute. The agent holds
//! public keys only: what runs beside it in the workspace could read a shared secret. How it is checked is
//! [`super::strict`]; what is added here is the one audience per run, and that each ticket is accepted once.
//!
//! Deliberately absent: permissions. The server decides before it mints; the scope only keeps a ticket for one purpose
//! from being used for another.

use super::keys::{Family, Keyring, SigningKey, jwks};
use super::opaque::random_text;
use super::strict::{self, Expected, Kind, Refused};
use crate::clock::{Entropy, Millis};
use crate::domain::id::WorkspaceId;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The `typ` of a ticket's header.
pub const TYPE: &str = "ticket+jwt";
/// How long a ticket may be used to open its connection, in seconds.
pub const LIFE_SECONDS: i64 = 60;
/// How long a used ticket is remembered beyond its end, in seconds: longer than any clock is trusted to differ.
const REMEMBERED_SECONDS: i64 = 60;
/// Who opens connections to an agent.
const SUBJECT: &str = "server";

const KIND: Kind = Kind { typ: TYPE, family: Family::Machine, life_max_seconds: LIFE_SECONDS, header_kind: None };

/// What a connection may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Terminals: attach, list, end.
    Term,
    /// Status, stop, and how apps are.
    Admin,
    /// An app of the workspace's recipe.
    App,
    /// A server that somebody started in the workspace.
    Port,
    /// The files of the home.
    Files,
    /// The connection over which the agent asks the server.
    Up,
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
    #[error("the ticket was refused: {0}")]
    Refused(#[from] Refused),
    #[error("the ticket was used before")]
    Replayed,
}

/// The audience that names one run of one workspace.
pub fn audience(workspace: &WorkspaceId, run: i64) -> String {
    format!("ws:{workspace}:{run}")
}

/// Mints tickets with one private key.
#[derive(Debug, Clone)]
pub struct TicketSigner {
    key: Arc<SigningKey>,
    issuer: String,
    jwks: String,
}

impl TicketSigner {
    /// The key is one of [`Family::Machine`].
    pub fn new(key: Arc<SigningKey>, issuer: &str) -> Result<Self, TicketError> {
        if key.family() != Family::Machine {
            return Err(TicketError::Key);
        }
        let jwks = jwks([key.public()]).map_err(|_| TicketError::Key)?;
        Ok(Self { key, issuer: issuer.to_owned(), jwks })
    }

    /// Reads an RSA private key in DER (PKCS#8).
    pub fn from_pkcs8_der(der: &[u8], issuer: &str) -> Result<Self, TicketError> {
        let key = SigningKey::from_pkcs8(Family::Machine, Zeroizing::new(der.to_vec())).map_err(|_| TicketError::Key)?;
        Self::new(Arc::new(key), issuer)
    }

    /// The RFC 7638 thumbprint of the key.
    pub fn kid(&self) -> &str {
        self.key.kid()
    }

    /// The key itself: machine tokens are signed with it too.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// A JWKS document (RFC 7517) with the public half.
    pub fn jwks(&self) -> String {
        self.jwks.clone()
    }

    /// A ticket for one connection to this run of the workspace, valid for [`LIFE_SECONDS`] from `now`.
    pub fn mint(&self, wanted: &Wanted<'_>, now: Millis, entropy: &dyn Entropy) -> Result<String, TicketError> {
        let seconds = now.0.div_euclid(1_000);
        let claims = TicketClaims {
            iss: self.issuer.clone(),
            aud: audience(wanted.workspace, wanted.run),
            sub: SUBJECT.to_owned(),
            iat: seconds,
            nbf: seconds,
            exp: seconds.saturating_add(LIFE_SECONDS),
            jti: random_text(16, entropy),
            act: wanted.actor.map(str::to_owned),
            scope: wanted.scope.to_vec(),
        };
        let token = strict::mint(&KIND, &self.key, &claims).map_err(|_| TicketError::Signing)?;
        Ok(token.expose_secret().to_owned())
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
    keys: Keyring,
    issuer: String,
    audience: String,
    /// `jti` -> `exp` in seconds, of tickets that were accepted and could still be replayed.
    used: HashMap<String, i64>,
}

impl TicketVerifier {
    /// Takes the RSA keys of a JWKS document; keys of other kinds are passed over.
    pub fn new(jwks: &str, issuer: &str, workspace: &WorkspaceId, run: i64) -> Result<Self, TicketError> {
        let keys = Keyring::from_jwks(Family::Machine, jwks).map_err(|_| TicketError::KeySet)?;
        Ok(Self { keys, issuer: issuer.to_owned(), audience: audience(workspace, run), used: HashMap::new() })
    }

    /// Trusts these keys from now on, and no others. A document without a usable key changes nothing.
    pub fn trust(&mut self, jwks: &str) -> Result<(), TicketError> {
        let keys = Keyring::from_jwks(Family::Machine, jwks).map_err(|_| TicketError::KeySet)?;
        if keys.is_empty() {
            return Err(TicketError::KeySet);
        }
        self.keys = keys;
        Ok(())
    }

    /// Accepts a ticket once.
    pub fn accept(&mut self, ticket: &str, now: Millis) -> Result<TicketClaims, TicketError> {
        let expected = Expected { issuer: &self.issuer, audience: &self.audience, now };
        let claims: TicketClaims = strict::verify(&KIND, ticket, &self.keys, &expected)?;
        // What is remembered must stay small, however the server chose it.
        if claims.sub != SUBJECT || claims.jti.len() > 64 {
            return Err(Refused::Claims.into());
        }
        let seconds = now.0.div_euclid(1_000);
        self.used.retain(|_, exp| exp.saturating_add(REMEMBERED_SECONDS) >= seconds);
        if self.used.insert(claims.jti.clone(), claims.exp).is_some() {
            return Err(TicketError::Replayed);
        }
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys::samples;
    use super::*;
    use crate::clock::SystemEntropy;

    const NOW: Millis = Millis(1_773_310_830_000);

    fn signer() -> TicketSigner {
        TicketSigner::from_pkcs8_der(samples::machine(0).pkcs8(), "codex-web").unwrap()
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

    fn signed(kind: &Kind, claims: &impl Serialize) -> String {
        strict::mint(kind, samples::machine(0), claims).unwrap().expose_secret().to_owned()
    }

    fn refused(claims: &impl Serialize) -> Option<TicketError> {
        verifier().accept(&signed(&KIND, claims), NOW).err()
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
    fn a_ticket_is_remembered_for_as_long_as_it_would_be_accepted() {
        let ticket = signed(&KIND, &claims());
        let mut verifier = verifier();
        verifier.accept(&ticket, NOW).unwrap();
        assert_eq!(verifier.accept(&ticket, NOW.plus(64_000)), Err(TicketError::Replayed));
        assert_eq!(verifier.accept(&ticket, NOW.plus(65_000)), Err(TicketError::Refused(Refused::Expired)));
    }

    #[test]
    fn another_run_another_workspace_and_another_subject_are_refused() {
        for (aud, sub, why) in [
            (audience(&workspace(), 2), SUBJECT, Refused::Audience),
            ("ws:ws_00000000000000000000000000000002:3".to_owned(), SUBJECT, Refused::Audience),
            (audience(&workspace(), 3), "user", Refused::Claims),
        ] {
            let claims = TicketClaims { aud, sub: sub.into(), ..claims() };
            assert_eq!(refused(&claims), Some(TicketError::Refused(why)));
        }
        let claims = TicketClaims { iss: "somebody".into(), ..claims() };
        assert_eq!(refused(&claims), Some(TicketError::Refused(Refused::Issuer)));
    }

    #[test]
    fn a_ticket_for_longer_than_a_minute_is_refused() {
        let long = TicketClaims { exp: claims().exp + 1, ..claims() };
        assert_eq!(refused(&long), Some(TicketError::Refused(Refused::LivesTooLong)));
    }

    #[test]
    fn a_missing_or_mistyped_claim_is_refused() {
        for name in ["iss", "aud", "sub", "iat", "nbf", "exp", "jti", "scope"] {
            let mut value = serde_json::to_value(claims()).unwrap();
            value.as_object_mut().unwrap().remove(name);
            assert!(refused(&value).is_some(), "without {name}");
        }
        let mut list = serde_json::to_value(claims()).unwrap();
        list["aud"] = serde_json::json!([audience(&workspace(), 3), "other"]);
        assert!(refused(&list).is_some());
        assert!(refused(&TicketClaims { jti: "x".repeat(65), ..claims() }).is_some());
    }

    #[test]
    fn a_machine_token_is_no_ticket() {
        let machine = Kind { typ: "machine+jwt", header_kind: Some("machine_token"), ..KIND };
        assert_eq!(verifier().accept(&signed(&machine, &claims()), NOW), Err(TicketError::Refused(Refused::Header)));
    }

    #[test]
    fn the_key_of_another_server_is_unknown() {
        let forged = strict::mint(&KIND, samples::machine(1), &claims()).unwrap();
        assert_eq!(verifier().accept(forged.expose_secret(), NOW), Err(TicketError::Refused(Refused::UnknownKey)));
    }

    #[test]
    fn only_a_machine_key_signs_tickets() {
        let access = SigningKey::generate(Family::Access).unwrap();
        assert_eq!(TicketSigner::new(Arc::new(access), "codex-web").err(), Some(TicketError::Key));
        assert_eq!(TicketVerifier::new("{}", "codex-web", &workspace(), 3).err(), Some(TicketError::KeySet));
    }
}
