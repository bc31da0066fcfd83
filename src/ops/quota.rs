//! A group's quota over time, how large it should be, and moving a part of it to another group in one step.

use super::groups::{self as group_ops, Single, Weighed, found, tell};
use super::{Caller, Ops};
use crate::clock::Millis;
use crate::domain::group::GroupStatus;
use crate::domain::names::Reason;
use crate::domain::pool::left_of;
use crate::domain::quota::{QuotaChange, Resource, ResourceQuota};
use crate::domain::sizing::{Seen, Team, team_of};
use crate::domain::trend::{Gathered, Part, Range, Step, Subject};
use crate::error::{Error, Result};
use crate::events::Operation;
use crate::policy::{Action, Actor, Permit, Target};
use crate::store::groups::{self, Group};
pub use crate::store::quota_changes::QuotaSet;
use crate::store::{Change, Effect, Page, Read, Tx, actors, pool, quota_changes, samples};
use serde_json::json;

/// How far back the calculator looks, in days.
const LOOKS_BACK: usize = 30;

/// What the quota was, the newest first.
pub async fn history(ops: &Ops, caller: &Caller, group: String, before: Option<i64>, limit: usize) -> Result<Page<QuotaSet>> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        let group = found(read, &group)?;
        read.authorize(&actor, Action::ViewGroupUsage, Target::Group(&group.facts()), None)?;
        let mut items = quota_changes::page(read, &group.id, before, limit.saturating_add(1))?;
        let more = items.len() > limit;
        items.truncate(limit);
        Ok(Page { items, more })
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// What the calculator knows of a group.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    pub quota: ResourceQuota,
    pub members: i64,
    /// From its history, where there is some.
    pub team: Option<Team>,
    /// On how many of the last 30 days somebody looked at it.
    pub days: usize,
}

/// What the last 30 days tell about a group.
pub async fn known(ops: &Ops, caller: &Caller, group: String) -> Result<Known> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        let group = found(read, &group)?;
        read.authorize(&actor, Action::ViewGroupUsage, Target::Group(&group.facts()), None)?;
        let recent: Vec<Millis> = Range::Quarter.moments(read.now()).into_iter().rev().take(LOOKS_BACK).collect();
        let own = samples::series(read, Step::Day, &recent, &Subject::Object(group.id.as_str()).key())?;
        let most = |part: Part| own.values().filter_map(|day: &Gathered| day.peak(part)).max().unwrap_or(0);
        let seen = Seen {
            members: group.member_count,
            running: most(Part::Running),
            cpu_milli: most(Part::Cpu),
            memory_bytes: most(Part::Memory),
            storage_bytes: most(Part::Disk),
            workspaces: most(Part::Things),
        };
        Ok(Known { quota: group.quota, members: group.member_count, team: team_of(&seen), days: own.len() })
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// Who may size a group that is not there yet.
pub async fn may_size(ops: &Ops, caller: &Caller) -> Result<()> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::ViewClusterCapacity, Target::System, None).map(drop)
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// What goes from one group to another.
#[derive(Debug, Clone)]
pub struct Move {
    /// Id or name.
    pub to: String,
    /// How much of each; absent: nothing.
    pub amounts: QuotaChange,
    pub reason: Option<Reason>,
}

/// Both groups with what they would have.
struct Planned {
    from: (Group, ResourceQuota),
    to: (Group, ResourceQuota),
}

fn plan(read: &Read<'_>, from: &str, wish: &Move) -> Result<Planned> {
    let (from, to) = (found(read, from)?, found(read, &wish.to)?);
    if from.id == to.id {
        return Err(Error::field("to", "invalid", "Name another group: a quota cannot be moved to where it is."));
    }
    for group in [&from, &to] {
        if group.status == GroupStatus::Deleting {
            return Err(Error::WrongState(format!("{} is being deleted.", group.display_name)));
        }
    }
    let (mut less, mut more) = (from.quota, to.quota);
    for resource in Resource::ALL {
        let moved = moved(&wish.amounts, resource);
        let (has, gets) = (from.quota.of(resource).unwrap_or(0), to.quota.of(resource).unwrap_or(0));
        if moved == 0 {
            continue;
        }
        if moved >= has {
            let (has, name) = (resource.print(has), &from.display_name);
            return Err(Error::WrongState(format!("{name} has {has} of {}, and must keep some of it.", resource.as_str())));
        }
        let sum =
            gets.checked_add(moved).ok_or_else(|| Error::field(resource.as_str(), "too_large", "This is more than can be counted."))?;
        set(&mut less, resource, has - moved);
        set(&mut more, resource, sum);
    }
    Ok(Planned { from: (from, less), to: (to, more) })
}

fn moved(amounts: &QuotaChange, resource: Resource) -> i64 {
    let amount = match resource {
        Resource::Cpu => amounts.cpu_milli,
        Resource::Memory => amounts.memory_bytes,
        Resource::Storage => amounts.storage_bytes,
        Resource::Pods => amounts.workspaces,
    };
    amount.unwrap_or(0)
}

fn set(quota: &mut ResourceQuota, resource: Resource, amount: i64) {
    let place = match resource {
        Resource::Cpu => &mut quota.cpu_milli,
        Resource::Memory => &mut quota.memory_bytes,
        Resource::Storage => &mut quota.storage_bytes,
        Resource::Pods => &mut quota.workspaces,
    };
    *place = Some(amount);
}

fn permit(read: &Read<'_>, actor: &Actor, group: &Group, reason: Option<&str>) -> Result<Permit> {
    read.authorize(actor, Action::SetGroupQuota, Target::Group(&group.facts()), reason)
}

/// Takes from one group and gives to another, both or neither. What is below its use afterwards goes on running.
pub async fn shift(ops: &Ops, caller: &Caller, from: String, wish: Move) -> Result<(Single, Single)> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        // Who may not is told so before anything about the other group.
        permit(tx, &actor, &found(tx, &from)?, None)?;
        let Planned { from, to } = plan(tx, &from, &wish)?;
        let reason = wish.reason.as_ref().map(Reason::as_str);
        for ((group, after), other, way) in [(&from, &to.0, "movedTo"), (&to, &from.0, "movedFrom")] {
            let permit = permit(tx, &actor, group, reason)?;
            groups::save(tx, &permit, &group.id, &group.display_name, &group.description, after)?;
            groups::insert_quota_change(tx, &permit, &group.id, after)?;
            let quota = json!({ "before": group.quota.view(), "after": after.view() });
            tx.audit(&permit, Change::of(json!({ "resourceQuota": quota, "name": group.name, way: other.id })))?;
            tell(tx, group, Operation::Changed, Vec::new());
        }
        tx.after_commit(Effect::Wake);
        Ok((group_ops::single(tx, &actor, &from.0.id)?, group_ops::single(tx, &actor, &to.0.id)?))
    };
    ops.db.write(caller.origin.clone(), job).await
}

/// What both would be left with, without changing anything.
pub async fn weigh_shift(ops: &Ops, caller: &Caller, from: String, wish: Move) -> Result<(Weighed, Weighed)> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        permit(read, &actor, &found(read, &from)?, None)?;
        let Planned { from, to } = plan(read, &from, &wish)?;
        let weighed = |(group, after): &(Group, ResourceQuota)| -> Result<Weighed> {
            permit(read, &actor, group, None)?;
            let used = pool::group_usage(read, &group.id)?;
            Ok(Weighed { checks: left_of(group.id.as_str(), &group.name, &used, after), before: group.quota, after: *after })
        };
        Ok((weighed(&from)?, weighed(&to)?))
    };
    ops.db.read(caller.origin.clone(), job).await
}
