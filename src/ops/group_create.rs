//! New groups. The row is written first; then the caller waits a bounded time for the namespace, so that most get an
//! active group. What the cluster rejects within that time is taken back.

use super::groups::{Single, single, tell};
use super::{Caller, Ops, group_state};
use crate::domain::group::{GroupRole, GroupStatus};
use crate::domain::id::{GroupId, UserId};
use crate::domain::names::{Description, DisplayName, GroupName, Namespace, Reason};
use crate::domain::quota::{QuotaChange, ResourceQuota};
use crate::error::{Error, Result};
use crate::events::{Operation, Sequenced};
use crate::policy::{Action, Permit, Target};
use crate::store::groups::{self, NewGroup};
use crate::store::{Change, Effect, Tx, actors, memberships, organizations};
use serde_json::json;
use std::time::Duration;
use tokio::sync::broadcast;

/// How long creating waits for the namespace.
const WAIT: Duration = Duration::from_secs(5);

/// A new group.
#[derive(Debug)]
pub struct Creation {
    pub name: GroupName,
    pub display_name: DisplayName,
    pub description: Description,
    /// The prefix and the name when absent.
    pub namespace: Option<Namespace>,
    pub quota: QuotaChange,
    pub reason: Option<Reason>,
}

/// Creates a group, whose creator becomes its owner and first admin, and waits for its namespace. What the cluster
/// rejects within that time is taken back, and the answer is a conflict.
pub async fn create(ops: &Ops, caller: &Caller, new: Creation) -> Result<Single> {
    let (_, events) = ops.bus.subscribe(None);
    let (principal, prefix) = (caller.principal.clone(), ops.rules().namespace_prefix.clone());
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let permit = tx.authorize(&actor, Action::CreateGroup, Target::System, new.reason.as_ref().map(Reason::as_str))?;
        let Some(owner) = actor.user_id().cloned() else {
            return Err(Error::WrongState("A group needs an owner: create it signed in as a person.".into()));
        };
        insert(tx, permit, &new, &prefix, &owner)
    };
    let id = ops.db.write(caller.origin.clone(), job).await?;
    let settled = tokio::time::timeout(WAIT, settled(ops, events, &id)).await;
    if let Ok(Err(rejected)) = settled {
        return Err(rejected);
    }
    let principal = caller.principal.clone();
    ops.db.read(caller.origin.clone(), move |read| single(read, &actors::load(read, &principal)?, &id)).await
}

fn insert(tx: &Tx<'_>, permit: Permit, new: &Creation, prefix: &str, owner: &UserId) -> Result<GroupId> {
    let id = GroupId::fresh(tx.now(), tx.entropy());
    let namespace = new.namespace.clone().unwrap_or_else(|| Namespace::derive(&new.name, prefix));
    let quota = ResourceQuota::NEW_GROUP.merged(&new.quota);
    let organization = organizations::default(tx)?;
    let permit = permit.made(format!("group:{id}"), Some(id.clone()));
    let row = NewGroup {
        id: &id,
        organization_id: &organization.id,
        name: new.name.as_str(),
        display_name: new.display_name.as_str(),
        description: new.description.as_str(),
        namespace: namespace.as_str(),
        owner_id: owner,
        quota: &quota,
    };
    groups::insert(tx, &permit, &row)?;
    groups::insert_quota_change(tx, &permit, &id, &quota)?;
    memberships::insert(tx, &permit, &id, owner, GroupRole::Admin)?;
    let details = json!({
        "name": new.name, "displayName": new.display_name, "namespace": namespace, "ownerId": owner, "resourceQuota": quota.view(),
    });
    tx.audit(&permit, Change::of(details))?;
    tx.after_commit(Effect::Wake);
    let group = groups::find(tx, &id)?.ok_or_else(|| Error::internal("a new group is missing"))?;
    tell(tx, &group, Operation::Changed, vec![owner.clone()]);
    Ok(id)
}

/// Follows the bus until the group is not `creating` any more. A rejection takes the group back.
async fn settled(ops: &Ops, mut events: broadcast::Receiver<Sequenced>, id: &GroupId) -> Result<()> {
    loop {
        let wanted = id.clone();
        let status = ops.db.read(crate::store::Origin::default(), move |read| Ok(groups::find(read, &wanted)?.map(|g| g.status))).await?;
        match status {
            Some(GroupStatus::Creating) => {}
            Some(GroupStatus::Failed) => return Err(group_state::take_back(ops, id.clone()).await?),
            _ => return Ok(()),
        }
        loop {
            match events.recv().await {
                Ok(told) if told.event.id == id.as_str() => break,
                Ok(_) => {}
                // Some were missed: look at the row again.
                Err(broadcast::error::RecvError::Lagged(_)) => break,
                Err(broadcast::error::RecvError::Closed) => return Ok(()),
            }
        }
    }
}
