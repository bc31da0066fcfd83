//! What the reconciler finds out about groups, recorded as the server's own act.
//!
//! Only turns are audited: active, failed, gone. That a later generation was applied, or that a try did not work yet,
//! is nothing that anybody could be asked about.

use super::Ops;
use super::groups::tell;
use crate::clock::Millis;
use crate::domain::group::GroupStatus;
use crate::domain::id::GroupId;
use crate::error::{Error, Result, Taken};
use crate::events::Operation;
use crate::policy::{Action, Actor, Permit, Target, Task};
use crate::store::groups::{self, Group};
use crate::store::{Change, Origin, Tx, memberships};
use serde_json::json;

/// The code of a rejection because the namespace is somebody else's.
pub const NAMESPACE_TAKEN: &str = "namespace_taken";

fn origin() -> Origin {
    Origin { call_id: "reconcile".into(), ..Origin::default() }
}

fn permit(tx: &Tx<'_>, group: &Group) -> Result<Permit> {
    tx.authorize(&Actor::System(Task::Reconcile), Action::RecordGroupState, Target::Group(&group.facts()), None)
}

/// The cluster holds the group as this generation describes it.
pub async fn record_active(ops: &Ops, id: GroupId, generation: i64, namespace_uid: Option<String>) -> Result<()> {
    let job = move |tx: &Tx<'_>| {
        let Some(group) = groups::find(tx, &id)?.filter(|g| g.status != GroupStatus::Deleting) else { return Ok(()) };
        let uid = namespace_uid.as_deref();
        if group.status == GroupStatus::Active {
            return groups::note_observed(tx, &id, generation, uid);
        }
        let permit = permit(tx, &group)?;
        groups::record_active(tx, &permit, &id, generation, uid)?;
        tx.audit(&permit, Change::of(json!({ "status": { "before": group.status, "after": "active" }, "name": group.name })))?;
        // Workspaces that waited for the group can go on.
        tx.after_commit(crate::store::Effect::Wake);
        tell(tx, &group, Operation::Changed, Vec::new());
        Ok(())
    };
    ops.db.write(origin(), job).await
}

/// The cluster will not make the group as it is described. An active group stays active: its place is there.
pub async fn record_failed(ops: &Ops, id: GroupId, code: String, message: String) -> Result<()> {
    let job = move |tx: &Tx<'_>| {
        let Some(group) = groups::find(tx, &id)?.filter(|g| g.status == GroupStatus::Creating) else { return Ok(()) };
        let permit = permit(tx, &group)?;
        groups::record_failed(tx, &permit, &id, &code, &message)?;
        let details = json!({ "status": { "before": "creating", "after": "failed" }, "name": group.name, "namespace": group.namespace });
        tx.audit_failure(&permit, &format!("cluster:{code}"), Change::of(details))?;
        tell(tx, &group, Operation::Changed, Vec::new());
        Ok(())
    };
    ops.db.write(origin(), job).await
}

/// A try did not work; the next makes sense at `next`. The reason is shown while the group is not active.
pub async fn record_attempt(ops: &Ops, id: GroupId, attempts: i64, next: Millis, reason: Option<(String, String)>) -> Result<()> {
    let job = move |tx: &Tx<'_>| {
        let reason = reason.as_ref().map(|(code, message)| (code.as_str(), message.as_str()));
        groups::note_attempt(tx, &id, attempts, next, reason)
    };
    ops.db.write(origin(), job).await
}

/// What holds the place of a deleted group, or that nothing does any more.
pub async fn record_held(ops: &Ops, id: GroupId, reason: Option<(String, String)>) -> Result<()> {
    let job = move |tx: &Tx<'_>| {
        let Some(group) = groups::find(tx, &id)?.filter(|g| g.status == GroupStatus::Deleting) else { return Ok(()) };
        let reason = reason.as_ref().map(|(code, message)| (code.as_str(), message.as_str()));
        groups::note_attempt(tx, &id, group.attempts, group.next_attempt_at, reason)?;
        tell(tx, &group, Operation::Changed, Vec::new());
        Ok(())
    };
    ops.db.write(origin(), job).await
}

/// The namespace of a deleted group is gone: so is the row, and its name is free again.
pub async fn removed(ops: &Ops, id: GroupId) -> Result<()> {
    let job = move |tx: &Tx<'_>| {
        let Some(group) = groups::find(tx, &id)?.filter(|g| g.status == GroupStatus::Deleting) else { return Ok(()) };
        remove(tx, &group, json!({ "removed": true, "name": group.name, "namespace": group.namespace }))
    };
    ops.db.write(origin(), job).await
}

fn remove(tx: &Tx<'_>, group: &Group, details: serde_json::Value) -> Result<()> {
    let permit = permit(tx, group)?;
    let members = memberships::users(tx, &group.id)?;
    groups::remove(tx, &permit, &group.id)?;
    tx.audit(&permit, Change::of(details))?;
    tell(tx, group, Operation::Removed, members);
    Ok(())
}

/// Takes back a group that the cluster rejected while its creator waited; answers what they are told.
pub(super) async fn take_back(ops: &Ops, id: GroupId) -> Result<Error> {
    let job = move |tx: &Tx<'_>| {
        let Some(group) = groups::find(tx, &id)?.filter(|g| g.status == GroupStatus::Failed) else {
            return Ok(Error::Taken(Taken::Namespace));
        };
        let (code, message) = group.reason.clone().unwrap_or_default();
        // Somebody was quicker than the refusal: what they made in it keeps the row.
        if groups::workspaces(tx, &group.id)? == 0 {
            remove(tx, &group, json!({ "rejected": code, "name": group.name, "namespace": group.namespace }))?;
        }
        Ok(if code == NAMESPACE_TAKEN || code.is_empty() {
            Error::Taken(Taken::Namespace)
        } else {
            Error::Conflict(format!("The cluster refuses this group: {message}"))
        })
    };
    ops.db.write(origin(), job).await
}
