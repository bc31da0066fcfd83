//! The audited ends of groups: active, failed, gone. What only moves on (a later generation, another try) is a note.

use crate::clock::Millis;
use crate::domain::group::GroupStatus;
use crate::domain::id::GroupId;
use crate::error::Result;
use crate::events::{Audience, Event, Operation};
use crate::policy::{Action, Actor, Permit, Target, Task};
use crate::store::groups::{self, Group};
use crate::store::{Change, Db, Origin, Tx};
use serde_json::json;

fn permit(tx: &Tx<'_>, group: &Group) -> Result<Permit> {
    tx.authorize(&Actor::System(Task::Reconcile), Action::RecordGroupState, Target::Group(&group.facts()), None)
}

fn event(group: &Group, operation: Operation) -> Event {
    Event {
        kind: "group",
        operation,
        id: group.id.to_string(),
        group_id: Some(group.id.clone()),
        audience: Audience { users: vec![group.owner_id.clone()], group: Some((group.id.clone(), false)), platform: true },
        reset: Vec::new(),
    }
}

/// The cluster has the group as this generation describes it.
pub async fn record_active(db: &Db, origin: Origin, id: GroupId, generation: i64, namespace_uid: Option<String>) -> Result<()> {
    let job = move |tx: &Tx<'_>| {
        let Some(group) = groups::find(tx, &id)?.filter(|g| g.status != GroupStatus::Deleting) else { return Ok(()) };
        if group.status == GroupStatus::Active {
            groups::note_observed(tx, &id, generation, namespace_uid.as_deref())?;
        } else {
            let permit = permit(tx, &group)?;
            groups::record_active(tx, &permit, &id, generation, namespace_uid.as_deref())?;
            tx.audit(&permit, Change::of(json!({ "before": group.status.as_str(), "state": "active", "namespace": group.namespace })))?;
        }
        tx.publish(event(&group, Operation::Changed));
        // Workspaces that waited for it can go on.
        tx.after_commit(crate::store::Effect::Wake);
        Ok(())
    };
    db.write(origin, job).await
}

/// What did not work with a group: when to try again, why it failed, and whether it failed for good as it is described.
pub struct Failure {
    pub attempts: i64,
    pub next: Millis,
    pub code: String,
    pub message: String,
    pub is_final: bool,
}

/// A try that did not work.
pub async fn record_failed(db: &Db, origin: Origin, id: GroupId, failure: Failure) -> Result<()> {
    let job = move |tx: &Tx<'_>| {
        let Some(group) = groups::find(tx, &id)? else { return Ok(()) };
        let Failure { attempts, next, code, message, is_final } = &failure;
        groups::note_attempt(tx, &id, *attempts, *next, Some((code, message)))?;
        if *is_final && group.status == GroupStatus::Creating {
            let permit = permit(tx, &group)?;
            groups::record_failed(tx, &permit, &id, code, message)?;
            tx.audit(&permit, Change::of(json!({ "before": group.status.as_str(), "state": "failed", "reason": code })))?;
        }
        tx.publish(event(&group, Operation::Changed));
        Ok(())
    };
    db.write(origin, job).await
}

/// The cluster has nothing of a deleted group any more: its row goes.
pub async fn removed(db: &Db, origin: Origin, id: GroupId) -> Result<()> {
    let job = move |tx: &Tx<'_>| {
        let Some(group) = groups::find(tx, &id)?.filter(|g| g.status == GroupStatus::Deleting) else { return Ok(()) };
        let permit = permit(tx, &group)?;
        groups::remove(tx, &permit, &id)?;
        tx.audit(&permit, Change::of(json!({ "state": "removed", "name": group.name, "namespace": group.namespace })))?;
        tx.publish(event(&group, Operation::Removed));
        Ok(())
    };
    db.write(origin, job).await
}
