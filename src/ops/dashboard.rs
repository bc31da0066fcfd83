//! The numbers of a person's first page, and those of the platform.

use super::{Caller, Ops};
use crate::clock::{DAY, Millis};
use crate::domain::id::GroupId;
use crate::domain::quota::{Resource, ResourceQuota, Usage};
use crate::error::Result;
use crate::policy::{Action, Target};
use crate::store::stats;
pub use crate::store::stats::{Counts, Platform};
use crate::store::{Read, actors, groups, pool};

/// What a person has, and what their groups use together.
#[derive(Debug, Clone)]
pub struct Own {
    pub workspaces: i64,
    pub running: i64,
    pub groups: i64,
    pub used: Usage,
    pub quota: ResourceQuota,
}

/// The caller's own numbers.
pub async fn own(ops: &Ops, caller: &Caller) -> Result<Own> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::ViewDashboard, Target::System, None)?;
        let Some(user) = actor.user() else {
            return Ok(Own { workspaces: 0, running: 0, groups: 0, used: Usage::default(), quota: ResourceQuota::default() });
        };
        let ids: Vec<GroupId> = user.groups.keys().cloned().collect();
        let (workspaces, running) = stats::own_workspaces(read, &user.id)?;
        let used = pool::group_usages(read, &ids)?.values().fold(Usage::default(), |sum, used| sum.plus(used));
        let quotas: Vec<ResourceQuota> = groups::find_many(read, ids.iter().map(GroupId::as_str))?.iter().map(|g| g.quota).collect();
        Ok(Own { workspaces, running, groups: i64::try_from(ids.len()).unwrap_or(i64::MAX), used, quota: together(&quotas) })
    };
    ops.db.read(caller.origin.clone(), job).await
}

fn together(quotas: &[ResourceQuota]) -> ResourceQuota {
    let sum = |resource: Resource| Some(quotas.iter().filter_map(|q| q.of(resource)).fold(0_i64, i64::saturating_add));
    ResourceQuota {
        cpu_milli: sum(Resource::Cpu),
        memory_bytes: sum(Resource::Memory),
        storage_bytes: sum(Resource::Storage),
        workspaces: sum(Resource::Pods),
    }
}

/// The end of a day: how many there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// Its first moment, UTC.
    pub date: Millis,
    pub counts: Counts,
}

/// The numbers of the platform, and how they came to be in these last days, today included.
pub async fn platform(ops: &Ops, caller: &Caller, days: i64) -> Result<(Platform, Vec<Day>)> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::ViewPlatformStats, Target::System, None)?;
        Ok((stats::platform(read)?, growth(read, days)?))
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// Backwards from what there is now: what came on a day was not there the day before.
fn growth(read: &Read<'_>, days: i64) -> Result<Vec<Day>> {
    let today = read.now().0.div_euclid(DAY);
    let first = today - days + 1;
    let moves = stats::moves(read, Millis(first * DAY))?;
    let mut counts = stats::standing(read)?;
    let mut series = Vec::new();
    for day in (first..=today).rev() {
        series.push(Day { date: Millis(day * DAY), counts });
        for (_, moved) in moves.iter().filter(|(on, _)| *on == day) {
            // What an older log does not hold must not show fewer than none.
            counts = Counts {
                users: (counts.users - moved.users).max(0),
                groups: (counts.groups - moved.groups).max(0),
                workspaces: (counts.workspaces - moved.workspaces).max(0),
            };
        }
    }
    series.reverse();
    Ok(series)
}
