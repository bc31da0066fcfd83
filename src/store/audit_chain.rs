//! The chain of the audit log, pure: what lies under the MAC, and how one entry follows another.
//!
//! `hash = HMAC-SHA256(key, "codex-audit-v1" then every field with its length in front)`, beginning with the format and
//! the hash before. Lengths in front keep two neighbouring fields from trading characters. A plain hash could be
//! recomputed by anyone who can write the file; the key lies under the master key.

use aws_lc_rs::{digest, hmac};

/// The format of the MAC that new entries are written with.
pub const FORMAT: i64 = 1;

/// A hash or a MAC.
pub type Hash = [u8; 32];

/// The columns of `audit_event` as the chain sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub seq: i64,
    pub format: i64,
    pub ts: i64,
    pub id: String,
    pub actor_kind: String,
    pub actor_id: Option<String>,
    pub session_id: Option<String>,
    pub token_id: Option<String>,
    pub action: String,
    pub resource: String,
    pub group_id: Option<String>,
    pub org_id: Option<String>,
    pub success: i64,
    pub error: Option<String>,
    pub count: i64,
    pub request_id: String,
    pub details: String,
    pub person_hash: Option<Vec<u8>>,
    pub prev: Vec<u8>,
}

fn put(mac: &mut hmac::Context, field: Option<&[u8]>) {
    // A missing field and an empty one are different things.
    mac.update(&[u8::from(field.is_some())]);
    let bytes = field.unwrap_or_default();
    mac.update(&(bytes.len() as u64).to_be_bytes());
    mac.update(bytes);
}

/// The MAC of one entry.
pub fn hash(key: &[u8; 32], link: &Link) -> Hash {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let mut mac = hmac::Context::with_key(&key);
    mac.update(b"codex-audit-v1");
    let number = |n: i64| n.to_be_bytes();
    put(&mut mac, Some(&number(link.format)));
    put(&mut mac, Some(&link.prev));
    for n in [link.seq, link.ts, link.success, link.count] {
        put(&mut mac, Some(&number(n)));
    }
    for text in [&link.id, &link.actor_kind, &link.action, &link.resource, &link.request_id, &link.details] {
        put(&mut mac, Some(text.as_bytes()));
    }
    for text in [&link.actor_id, &link.session_id, &link.token_id, &link.group_id, &link.org_id, &link.error] {
        put(&mut mac, text.as_ref().map(String::as_bytes));
    }
    put(&mut mac, link.person_hash.as_deref());
    let mut hash = [0; 32];
    hash.copy_from_slice(mac.sign().as_ref());
    hash
}

/// What the first entry follows: the installation itself.
pub fn genesis(installation_id: &str) -> Hash {
    sha256(&[installation_id.as_bytes()])
}

/// What an entry says about its personal side row without showing it.
pub fn commitment(salt: &[u8], data: &str) -> Hash {
    sha256(&[salt, data.as_bytes()])
}

/// What a checkpoint signs.
pub fn checkpoint_message(installation_id: &str, seq: i64, count: i64, hash: &[u8], ts: i64) -> Vec<u8> {
    let mut message = Vec::with_capacity(128);
    message.extend_from_slice(b"codex-audit-checkpoint-v1\0");
    message.extend_from_slice(installation_id.as_bytes());
    for n in [seq, count, ts] {
        message.extend_from_slice(&n.to_be_bytes());
    }
    message.extend_from_slice(hash);
    message
}

fn sha256(parts: &[&[u8]]) -> Hash {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> Link {
        Link {
            seq: 1,
            format: FORMAT,
            ts: 5,
            id: "audit_1".into(),
            actor_kind: "user".into(),
            actor_id: Some("usr_1".into()),
            session_id: None,
            token_id: None,
            action: "create_group".into(),
            resource: "group:grp_1".into(),
            group_id: None,
            org_id: None,
            success: 1,
            error: None,
            count: 1,
            request_id: "call_1".into(),
            details: "{}".into(),
            person_hash: None,
            prev: vec![0; 32],
        }
    }

    #[test]
    fn every_field_is_under_the_mac() {
        let original = hash(&[7; 32], &link());
        let edits: Vec<fn(&mut Link)> = vec![
            |l| l.seq = 2,
            |l| l.format = 2,
            |l| l.ts = 6,
            |l| l.id.push('x'),
            |l| l.actor_kind.push('x'),
            |l| l.actor_id = None,
            |l| l.session_id = Some(String::new()),
            |l| l.token_id = Some("t".into()),
            |l| l.action.push('x'),
            |l| l.resource.push('x'),
            |l| l.group_id = Some("g".into()),
            |l| l.org_id = Some("o".into()),
            |l| l.success = 0,
            |l| l.error = Some("e".into()),
            |l| l.count = 2,
            |l| l.request_id.push('x'),
            |l| l.details.push(' '),
            |l| l.person_hash = Some(vec![1]),
            |l| l.prev = vec![1; 32],
        ];
        for (n, edit) in edits.into_iter().enumerate() {
            let mut edited = link();
            edit(&mut edited);
            assert_ne!(hash(&[7; 32], &edited), original, "edit {n}");
        }
    }

    #[test]
    fn neighbouring_fields_cannot_trade_characters() {
        let (mut a, mut b) = (link(), link());
        a.action = "create".into();
        a.resource = "_group".into();
        b.action = "create_".into();
        b.resource = "group".into();
        assert_ne!(hash(&[7; 32], &a), hash(&[7; 32], &b));
    }

    #[test]
    fn another_key_gives_another_chain() {
        assert_ne!(hash(&[7; 32], &link()), hash(&[8; 32], &link()));
    }
}
