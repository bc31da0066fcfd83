//! Writing audit entries: the next link of the chain, inside the transaction of the change it tells.

use super::audit_chain::{FORMAT, Hash, Link, commitment, genesis, hash};
use super::audit_concern;
use super::tx::{Attempt, Change, Read, Tx};
use crate::domain::id::AuditId;
use crate::error::Result;
use crate::policy::Permit;
use rusqlite::params;
use serde_json::{Value, json};

/// What is about to be written.
pub(super) struct Entry {
    attempt: Attempt,
    success: bool,
    error: Option<String>,
    count: i64,
    change: Change,
    reason: Option<String>,
}

impl Entry {
    pub(super) fn done(permit: &Permit, change: Change) -> Self {
        Self::of(permit, true, None, change)
    }

    pub(super) fn failed(permit: &Permit, error: &str, change: Change) -> Self {
        Self::of(permit, false, Some(error.to_owned()), change)
    }

    fn of(permit: &Permit, success: bool, error: Option<String>, change: Change) -> Self {
        let attempt =
            Attempt::of(permit.actor(), permit.action().code(), permit.resource().to_owned(), permit.group_id().map(ToString::to_string));
        Self { attempt, success, error, count: 1, change, reason: permit.reason().map(str::to_owned) }
    }

    /// A refusal, or several equal ones.
    pub(super) fn refused(attempt: Attempt, error: String, count: i64) -> Self {
        Self { attempt, success: false, error: Some(error), count, change: Change::of(json!({})), reason: None }
    }
}

/// The newest entry of the chain.
pub(super) fn head(read: &Read<'_>) -> Result<(i64, Vec<u8>)> {
    if let Some(head) = read.row("SELECT seq, hash FROM audit_event ORDER BY seq DESC LIMIT 1", [], |r| Ok((r.get(0)?, r.get(1)?)))? {
        return Ok(head);
    }
    if let Some(floor) = read.row("SELECT seq, hash FROM audit_floor ORDER BY seq DESC LIMIT 1", [], |r| Ok((r.get(0)?, r.get(1)?)))? {
        return Ok(floor);
    }
    let installation: String = read.one("SELECT id FROM installation", [], |r| r.get(0))?;
    Ok((0, genesis(&installation).to_vec()))
}

/// Personal data of an entry: `None` where there is none.
fn side_row(tx: &Tx<'_>, entry: &Entry) -> Option<String> {
    let mut data = serde_json::Map::new();
    let origin = tx.origin();
    for (key, value) in [("address", &origin.address), ("agent", &origin.agent)] {
        if !value.is_empty() {
            data.insert(key.into(), Value::String(value.clone()));
        }
    }
    if let Some(reason) = &entry.reason {
        data.insert("reason".into(), Value::String(reason.clone()));
    }
    if let Value::Object(personal) = &entry.change.personal {
        data.extend(personal.clone());
    }
    (!data.is_empty()).then(|| Value::Object(data).to_string())
}

const INSERT: &str = "INSERT INTO audit_event (seq, format, ts, id, actor_kind, actor_id, session_id, token_id, action, resource, group_id, org_id, \
     success, error, count, request_id, details, person_hash, prev, hash) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)";
const INSERT_PERSON: &str = "INSERT INTO audit_person (seq, subject, salt, data) VALUES (?1, ?2, ?3, ?4)";

pub(super) fn append(tx: &Tx<'_>, entry: Entry) -> Result<()> {
    let (last, prev) = head(tx)?;
    let side = side_row(tx, &entry);
    let mut salt = [0_u8; 16];
    tx.entropy().fill(&mut salt);
    let details = match &entry.change.details {
        Value::Null => "{}".to_owned(),
        details => details.to_string(),
    };
    let link = Link {
        seq: last + 1,
        format: FORMAT,
        ts: tx.now().0,
        id: AuditId::fresh(tx.now(), tx.entropy()).to_string(),
        actor_kind: entry.attempt.actor_kind.to_owned(),
        actor_id: entry.attempt.actor_id.clone(),
        session_id: entry.attempt.session_id.clone(),
        token_id: entry.attempt.token_id.clone(),
        action: entry.attempt.action.to_owned(),
        resource: entry.attempt.resource.clone(),
        group_id: entry.attempt.group_id.clone(),
        org_id: None,
        success: i64::from(entry.success),
        error: entry.error.clone(),
        count: entry.count,
        request_id: tx.origin().call_id.clone(),
        details,
        person_hash: side.as_deref().map(|data| commitment(&salt, data).to_vec()),
        prev,
    };
    let hash: Hash = hash(tx.audit_key(), &link);
    tx.statement(INSERT)?.execute(params![
        link.seq,
        link.format,
        link.ts,
        link.id,
        link.actor_kind,
        link.actor_id,
        link.session_id,
        link.token_id,
        link.action,
        link.resource,
        link.group_id,
        link.org_id,
        link.success,
        link.error,
        link.count,
        link.request_id,
        link.details,
        link.person_hash,
        link.prev,
        hash,
    ])?;
    audit_concern::note(tx, &link, entry.change.subject.as_deref())?;
    if let Some(data) = side {
        let subject = entry.change.subject.or(entry.attempt.actor_id);
        tx.statement(INSERT_PERSON)?.execute(params![link.seq, subject, salt, data])?;
    }
    Ok(())
}
