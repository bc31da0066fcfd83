//! What the quotas of all groups promise together. What the cluster has is asked of the cluster, after this said yes.

use super::{Caller, Ops};
use crate::domain::quota::{ResourceQuota, Usage};
use crate::error::Result;
use crate::policy::{Action, Target, may};
use crate::store::{Read, actors, stats};

/// The sum of all quotas.
pub async fn promised(ops: &Ops, caller: &Caller) -> Result<Usage> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::ViewClusterCapacity, Target::System, None)?;
        stats::promised(read)
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// The same beside a change of a quota: with `after` in the place of `before`, and only for who may see the capacity.
pub async fn promised_with(ops: &Ops, caller: &Caller, before: ResourceQuota, after: ResourceQuota) -> Result<Option<Usage>> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        if !may(&actor, Action::ViewClusterCapacity, Target::System) {
            return Ok(None);
        }
        Ok(Some(stats::promised(read)?.plus(&promise(&after).beyond(&promise(&before)))))
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// What one quota promises; "no limit" promises nothing that could be summed.
fn promise(quota: &ResourceQuota) -> Usage {
    Usage {
        cpu_milli: quota.cpu_milli.unwrap_or(0),
        memory_bytes: quota.memory_bytes.unwrap_or(0),
        storage_bytes: quota.storage_bytes.unwrap_or(0),
        workspaces: quota.workspaces.unwrap_or(0),
    }
}
