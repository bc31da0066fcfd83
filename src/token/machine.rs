//! Machine tokens: how programs inside a workspace show the server which workspace they are. `machine+jwt`, RS512, a day.
//!
//! The shape is that of CodeReady Workspaces (`kind: machine_token`; `wsid`, `uid`, `uname`, `jti`), with what it lacked:
//! issuer, audience, a beginning and an end. Like every token it carries identity and no authority: whoever accepts one
//! looks up its row, so that stopping the workspace or disabling its owner ends it at once.
//!
//! A token is a function of its row and the key: it is signed again wherever it is shown, and kept nowhere.

use super::keys::{Family, Keyring, SigningKey};
use super::strict::{self, Expected, Kind, Refused, mint, verify};
use crate::clock::{DAY, Millis};
use crate::domain::id::{TokenId, UserId, WorkspaceId};
use crate::error::Result;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// How long a token is good, in milliseconds.
pub const LIFE: i64 = DAY;

const KIND: Kind = Kind { typ: "machine+jwt", family: Family::Machine, life_max_seconds: LIFE / 1_000, header_kind: Some("machine_token") };

/// The claims, all of them required.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: UserId,
    aud: String,
    exp: i64,
    nbf: i64,
    iat: i64,
    jti: TokenId,
    wsid: WorkspaceId,
    uid: UserId,
    uname: String,
}

/// What a token says, and what its row keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineGrant {
    pub id: TokenId,
    pub workspace: WorkspaceId,
    /// The owner of the workspace.
    pub user: UserId,
    pub username: String,
    pub issued_at: Millis,
    pub expires_at: Millis,
}

/// Whom a token speaks for; its row says whether it still does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineSubject {
    pub id: TokenId,
    pub workspace: WorkspaceId,
    pub user: UserId,
}

fn audience(workspace: &WorkspaceId) -> String {
    format!("codex-workspace:{workspace}")
}

/// Signs the token of a row: the same row and key give the same token.
pub fn sign(key: &SigningKey, issuer: &str, grant: &MachineGrant) -> Result<SecretString> {
    let issued = grant.issued_at.0.div_euclid(1_000);
    let claims = Claims {
        iss: issuer.to_owned(),
        sub: grant.user.clone(),
        aud: audience(&grant.workspace),
        exp: grant.expires_at.0.div_euclid(1_000),
        nbf: issued,
        iat: issued,
        jti: grant.id.clone(),
        wsid: grant.workspace.clone(),
        uid: grant.user.clone(),
        uname: grant.username.clone(),
    };
    mint(&KIND, key, &claims)
}

/// Whom a token speaks for, if it is whole, ours and valid now.
pub fn read(token: &str, keys: &Keyring, issuer: &str, now: Millis) -> Result<MachineSubject, Refused> {
    // Each workspace has an audience of its own; which one is meant is read before it is believed.
    let audience = strict::claimed_audience(token)?;
    let claims: Claims = verify(&KIND, token, keys, &Expected { issuer, audience: &audience, now })?;
    let consistent = audience == self::audience(&claims.wsid) && claims.sub == claims.uid;
    let subject = MachineSubject { id: claims.jti, workspace: claims.wsid, user: claims.uid };
    consistent.then_some(subject).ok_or(Refused::Audience)
}

#[cfg(test)]
mod tests {
    use super::super::keys::samples;
    use super::*;
    use crate::clock::HOUR;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use secrecy::ExposeSecret;
    use serde_json::{Value, json};

    const NOW: Millis = Millis(1_800_000_000_000);

    fn grant() -> MachineGrant {
        let hex = "0".repeat(32);
        MachineGrant {
            id: TokenId::trusted(format!("tok_{hex}")),
            workspace: WorkspaceId::trusted(format!("ws_{hex}")),
            user: UserId::trusted(format!("usr_{hex}")),
            username: "anna".to_owned(),
            issued_at: NOW,
            expires_at: NOW.plus(LIFE),
        }
    }

    fn signed(claims: &Value) -> String {
        mint(&KIND, samples::machine(0), claims).unwrap().expose_secret().to_owned()
    }

    fn check(token: &str, now: Millis) -> Result<MachineSubject, Refused> {
        read(token, &Keyring::new(Family::Machine, [samples::machine(0).public()]).unwrap(), "us", now)
    }

    fn part(token: &str, index: usize) -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(index).unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn a_token_has_the_shape_that_agents_of_the_field_know() {
        let token = sign(samples::machine(0), "us", &grant()).unwrap();
        let (header, claims) = (part(token.expose_secret(), 0), part(token.expose_secret(), 1));
        assert_eq!((&header["alg"], &header["kind"], &header["typ"]), (&json!("RS512"), &json!("machine_token"), &json!("machine+jwt")));
        let grant = grant();
        assert_eq!((&claims["wsid"], &claims["uid"]), (&json!(grant.workspace), &json!(grant.user)));
        assert_eq!((&claims["uname"], &claims["jti"]), (&json!("anna"), &json!(grant.id)));
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 24 * 60 * 60);
    }

    #[test]
    fn the_same_row_gives_the_same_token() {
        let sign = || sign(samples::machine(0), "us", &grant()).unwrap().expose_secret().to_owned();
        assert_eq!(sign(), sign());
    }

    #[test]
    fn a_token_is_good_for_a_day() {
        let token = sign(samples::machine(0), "us", &grant()).unwrap();
        let subject = check(token.expose_secret(), NOW.plus(LIFE - HOUR)).unwrap();
        assert_eq!((subject.workspace, subject.user, subject.id), (grant().workspace, grant().user, grant().id));
        assert_eq!(check(token.expose_secret(), NOW.plus(LIFE + 6_000)), Err(Refused::Expired));
        assert_eq!(check(token.expose_secret(), NOW.plus(-6_000)), Err(Refused::NotYet));
    }

    #[test]
    fn claims_that_contradict_each_other_are_refused() {
        let token = sign(samples::machine(0), "us", &grant()).unwrap();
        let good = part(token.expose_secret(), 1);
        assert!(check(&signed(&good), NOW).is_ok());
        let other = "1".repeat(32);
        for (field, value, refusal) in [
            ("wsid", json!(format!("ws_{other}")), Refused::Audience),
            ("aud", json!(format!("codex-workspace:ws_{other}")), Refused::Audience),
            ("aud", json!("codex-web"), Refused::Audience),
            ("uid", json!(format!("usr_{other}")), Refused::Audience),
            ("iss", json!("them"), Refused::Issuer),
            ("wsid", json!("ws_1"), Refused::Claims),
            ("jti", json!("1"), Refused::Claims),
            ("exp", json!(NOW.0 / 1_000 + LIFE / 1_000 + 1), Refused::LivesTooLong),
            ("aud", json!(["codex-web"]), Refused::Claims),
        ] {
            let mut claims = good.clone();
            claims[field] = value.clone();
            assert_eq!(check(&signed(&claims), NOW), Err(refusal), "{field} {value}");
        }
    }

    #[test]
    fn tokens_of_other_kinds_and_keys_are_refused() {
        let other = sign(samples::machine(1), "us", &grant()).unwrap();
        assert_eq!(check(other.expose_secret(), NOW), Err(Refused::UnknownKey));
        let ticket = Kind { typ: "ticket+jwt", header_kind: None, ..KIND };
        let token = sign(samples::machine(0), "us", &grant()).unwrap();
        let as_ticket = mint(&ticket, samples::machine(0), &part(token.expose_secret(), 1)).unwrap();
        assert_eq!(check(as_ticket.expose_secret(), NOW), Err(Refused::Header));
        for text in ["", "a.b.c", "..", &"x".repeat(9_000)] {
            assert!(check(text, NOW).is_err(), "{text}");
        }
    }
}
