//! What stands out: alerts at each look, advice and unused workspaces from time to time, and reading them.
//!
//! Finding may read whole tables and so happens in the background; what is asked for reads the few rows that were found.
//! An alert is told to those who can do something about it when it is raised, and not again while it lasts.

use super::{Caller, Ops};
use crate::clock::{DAY, HOUR};
use crate::domain::finding::{self, FindingKind};
use crate::domain::id::GroupId;
use crate::domain::quota::{Resource, ResourceQuota, Usage};
use crate::domain::trend::Subject;
use crate::error::{Error, Missing, Result};
use crate::ops::trends::NodeLook;
use crate::policy::{Action, Actor, Target, may};
pub use crate::store::findings::Unused;
use crate::store::findings::{self, Finding};
use crate::store::inbox::{self, Notice};
use crate::store::{Origin, Read, Tx, actors, groups, quota_changes};
use std::collections::HashMap;

/// Something with a limit: what is used of it, and what it may use.
struct Limited {
    subject: String,
    name: String,
    group: Option<GroupId>,
    used: Usage,
    quota: ResourceQuota,
}

/// Raises, moves and ends the alerts after a look.
pub(super) fn note_over(tx: &Tx<'_>, used: &[(GroupId, Usage, i64)], nodes: &[NodeLook]) -> Result<()> {
    let used: HashMap<&GroupId, Usage> = used.iter().map(|(id, used, _)| (id, *used)).collect();
    let groups = quota_changes::all_quotas(tx)?;
    let of_groups = groups.into_iter().map(|group| Limited {
        subject: Subject::Object(group.id.as_str()).key(),
        used: used.get(&group.id).copied().unwrap_or_default(),
        name: group.display_name,
        quota: group.quota,
        group: Some(group.id),
    });
    let of_nodes = nodes.iter().map(|node| Limited {
        subject: Subject::Node(&node.name).key(),
        name: node.name.clone(),
        group: None,
        used: node.given,
        quota: node.has,
    });
    let mut before: HashMap<(String, Resource), Finding> =
        findings::list(tx, FindingKind::Over, None)?.into_iter().map(|f| ((f.subject.clone(), f.resource), f)).collect();
    for limited in of_groups.chain(of_nodes) {
        for resource in Resource::ALL {
            let old = before.remove(&(limited.subject.clone(), resource));
            note_level(tx, &limited, resource, old)?;
        }
    }
    // What is gone has no alert. A cluster that did not answer still has its nodes.
    let gone = before.into_values().filter(|old| old.group.is_some() || !nodes.is_empty());
    gone.into_iter().try_for_each(|gone| findings::remove(tx, &gone))
}

fn note_level(tx: &Tx<'_>, limited: &Limited, resource: Resource, old: Option<Finding>) -> Result<()> {
    let total = limited.quota.of(resource).unwrap_or(0);
    let before = old.as_ref().map(|old| old.level);
    let level = finding::level(before, limited.used.of(resource), total);
    match (level, old) {
        (Some(level), old) if before != Some(level) => {
            let since = old.map_or(tx.now(), |old| old.since);
            let (subject, group) = (limited.subject.clone(), limited.group.clone());
            findings::save(tx, &Finding { kind: FindingKind::Over, subject, resource, group, level, since })?;
            if before.is_none_or(|before| before < level) { tell(tx, limited, resource, level) } else { Ok(()) }
        }
        (None, Some(old)) => findings::remove(tx, &old),
        _ => Ok(()),
    }
}

fn tell(tx: &Tx<'_>, limited: &Limited, resource: Resource, level: i64) -> Result<()> {
    let what = match resource {
        Resource::Cpu => "cores",
        Resource::Memory => "memory",
        Resource::Storage => "storage",
        Resource::Pods => "workspaces",
    };
    let link = limited.group.as_ref().map_or_else(|| "/admin".to_owned(), |id| format!("/groups/{id}"));
    let kind = if limited.group.is_none() { "Node " } else { "" };
    let message = format!("{kind}{} uses {level} % or more of its {what}.", limited.name);
    for to in findings::caretakers(tx, limited.group.as_ref())? {
        inbox::insert(tx, &Notice { to: &to, code: "usage_alert", message: message.clone(), link: link.clone() })?;
    }
    Ok(())
}

/// Finds what is hardly used, and workspaces that nobody uses.
pub fn find(ops: &Ops) -> Result<()> {
    let rules = ops.rules();
    let (groups, peaks) =
        ops.db.read_blocking(|read| Ok((quota_changes::all_quotas(read)?, findings::peaks(read, read.now().plus(-finding::LOW_FOR))?)))?;
    ops.db.write_blocking(Origin::default(), move |tx| {
        let now = tx.now();
        findings::find_unused(tx, now.plus(-rules.idle_after_hours * HOUR), now.plus(-rules.abandoned_after_days * DAY))?;
        findings::clear(tx, FindingKind::Under)?;
        // A server that was off for most of the time knows nothing of it.
        if peaks.get(&Subject::Platform.key()).is_none_or(|(_, days)| *days < finding::LOW_LOOKED) {
            return Ok(());
        }
        for group in groups.iter().filter(|group| now.since(group.created_at) >= finding::LOW_FOR) {
            let subject = Subject::Object(group.id.as_str()).key();
            let peak = peaks.get(&subject).map(|(peak, _)| *peak).unwrap_or_default();
            for resource in Resource::ALL {
                let level = peak.of(resource);
                if group.quota.of(resource).is_some_and(|total| finding::is_low(level, total)) {
                    let (subject, group) = (subject.clone(), Some(group.id.clone()));
                    findings::save(tx, &Finding { kind: FindingKind::Under, subject, resource, group, level, since: now })?;
                }
            }
        }
        Ok(())
    })
}

/// An alert or advice, with what is used now and what may be.
#[derive(Debug, Clone)]
pub struct Told {
    pub finding: Finding,
    /// Of the group; of a node its own name.
    pub name: String,
    /// What may be used; `None` for nodes, which the cluster tells.
    pub total: Option<i64>,
}

/// A workspace that nobody uses, and which of ending it the caller may do.
#[derive(Debug, Clone)]
pub struct Resting {
    pub unused: Unused,
    pub can: Vec<&'static str>,
}

/// All that was found, of the platform or of one group.
#[derive(Debug, Clone, Default)]
pub struct Advice {
    pub over: Vec<Told>,
    pub under: Vec<Told>,
    /// `None`: not for the caller, who may not list other people's workspaces.
    pub idle: Option<Vec<Resting>>,
    pub abandoned: Option<Vec<Resting>>,
}

fn told(read: &Read<'_>, kind: FindingKind, group: Option<&GroupId>) -> Result<Vec<Told>> {
    let mut found = findings::list(read, kind, group)?;
    found.sort_by(|a, b| b.level.cmp(&a.level).then_with(|| a.subject.cmp(&b.subject)).then_with(|| a.resource.cmp(&b.resource)));
    let ids: Vec<&str> = found.iter().filter_map(|f| f.group.as_ref().map(GroupId::as_str)).collect();
    let groups: HashMap<GroupId, _> = groups::find_many(read, ids)?.into_iter().map(|group| (group.id.clone(), group)).collect();
    let with = |finding: Finding| {
        let group = finding.group.as_ref().and_then(|id| groups.get(id));
        let name = group.map_or_else(|| finding.subject.trim_start_matches("node:").to_owned(), |group| group.display_name.clone());
        Told { name, total: group.and_then(|group| group.quota.of(finding.resource)), finding }
    };
    Ok(found.into_iter().map(with).collect())
}

fn unused(read: &Read<'_>, actor: &Actor, kind: FindingKind, group: Option<&GroupId>) -> Result<Vec<Resting>> {
    let mut found = findings::unused(read, kind, group)?;
    found.sort_by(|a, b| a.since.cmp(&b.since).then_with(|| a.id.cmp(&b.id)));
    let resting = |unused: Unused| {
        let facts = unused.facts();
        let ends = [Action::StopWorkspace, Action::DeleteWorkspace].into_iter();
        Resting { can: ends.filter(|action| may(actor, *action, Target::Workspace(&facts))).map(Action::code).collect(), unused }
    };
    Ok(found.into_iter().map(resting).collect())
}

/// Everything that stands out on the platform.
pub async fn of_platform(ops: &Ops, caller: &Caller) -> Result<Advice> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::ViewPlatformStats, Target::System, None)?;
        Ok(Advice {
            over: told(read, FindingKind::Over, None)?,
            under: told(read, FindingKind::Under, None)?,
            idle: Some(unused(read, &actor, FindingKind::Idle, None)?),
            abandoned: Some(unused(read, &actor, FindingKind::Abandoned, None)?),
        })
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// What stands out in one group. Its workspaces are named to those who may list them.
pub async fn of_group(ops: &Ops, caller: &Caller, group: String) -> Result<Advice> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        let group = groups::resolve(read, &group)?.ok_or(Error::NotFound(Missing::Group))?;
        read.authorize(&actor, Action::ViewGroupUsage, Target::Group(&group.facts()), None)?;
        let lists = may(&actor, Action::ListGroupWorkspaces, Target::Group(&group.facts()));
        let list = |kind| if lists { unused(read, &actor, kind, Some(&group.id)).map(Some) } else { Ok(None) };
        Ok(Advice {
            over: told(read, FindingKind::Over, Some(&group.id))?,
            under: told(read, FindingKind::Under, Some(&group.id))?,
            idle: list(FindingKind::Idle)?,
            abandoned: list(FindingKind::Abandoned)?,
        })
    };
    ops.db.read(caller.origin.clone(), job).await
}
