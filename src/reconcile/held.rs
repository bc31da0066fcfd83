//! What the cluster holds, by id, and what of it is different from the last time.
//!
//! The cluster names everything it has each time. A fingerprint of what each object looked like when it was last dealt
//! with tells which rows of the file have to be read at all. Losing the fingerprints costs reading more rows, once.

use crate::cluster::{Observation, ObservedGroup, ObservedWorkspace};
use crate::domain::id::{GroupId, WorkspaceId};
use crate::store::due::Ids;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// One observation, by id.
#[derive(Debug, Default)]
pub struct Held<'o> {
    /// `None` where groups have no place of their own.
    pub groups: Option<BTreeMap<&'o GroupId, &'o ObservedGroup>>,
    pub workspaces: BTreeMap<&'o WorkspaceId, &'o ObservedWorkspace>,
}

impl<'o> Held<'o> {
    pub fn of(observation: &'o Observation) -> Self {
        Self {
            groups: observation.groups.as_ref().map(|groups| groups.iter().map(|g| (&g.id, g)).collect()),
            workspaces: observation.workspaces.iter().map(|w| (&w.id, w)).collect(),
        }
    }

    /// The ids in pages of so many of each kind.
    pub fn pages(&self, size: usize) -> impl Iterator<Item = Ids> {
        let groups = self.groups.iter().flat_map(|groups| groups.keys().copied().cloned());
        pages(groups.collect(), self.workspaces.keys().copied().cloned().collect(), size)
    }
}

/// Cuts ids into pages of so many of each kind.
pub fn pages(groups: Vec<GroupId>, workspaces: Vec<WorkspaceId>, size: usize) -> impl Iterator<Item = Ids> {
    let count = groups.len().max(workspaces.len()).div_ceil(size);
    (0..count).map(move |n| Ids {
        groups: groups.iter().skip(n * size).take(size).cloned().collect(),
        workspaces: workspaces.iter().skip(n * size).take(size).cloned().collect(),
    })
}

/// Fingerprints of what was dealt with.
#[derive(Debug, Default)]
pub struct Known {
    groups: BTreeMap<GroupId, u64>,
    workspaces: BTreeMap<WorkspaceId, u64>,
}

impl Known {
    /// What looks different from when it was dealt with, is new, or is not there any more.
    pub fn news(&self, held: &Held<'_>) -> (Vec<GroupId>, Vec<WorkspaceId>) {
        let groups = held.groups.as_ref().map(|groups| different(&self.groups, groups, group));
        (groups.unwrap_or_default(), different(&self.workspaces, &held.workspaces, workspace))
    }

    /// These were dealt with as they are held.
    pub fn dealt_with(&mut self, ids: &Ids, held: &Held<'_>) {
        if let Some(groups) = &held.groups {
            remember(&mut self.groups, &ids.groups, groups, group);
        }
        remember(&mut self.workspaces, &ids.workspaces, &held.workspaces, workspace);
    }
}

fn different<I: Ord + Clone, O>(known: &BTreeMap<I, u64>, held: &BTreeMap<&I, &O>, print: impl Fn(&O) -> u64) -> Vec<I> {
    let changed = held.iter().filter(|(id, object)| known.get(**id) != Some(&print(object))).map(|(id, _)| (*id).clone());
    let gone = known.keys().filter(|id| !held.contains_key(id)).cloned();
    changed.chain(gone).collect()
}

fn remember<I: Ord + Clone, O>(known: &mut BTreeMap<I, u64>, ids: &[I], held: &BTreeMap<&I, &O>, print: impl Fn(&O) -> u64) {
    for id in ids {
        match held.get(id) {
            Some(object) => known.insert(id.clone(), print(object)),
            None => known.remove(id),
        };
    }
}

fn fingerprint(parts: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

fn group(g: &ObservedGroup) -> u64 {
    fingerprint((g.generation, g.ready, g.terminating, &g.reason, &g.namespace_uid))
}

/// Everything but the notes, which are told once.
fn workspace(w: &ObservedWorkspace) -> u64 {
    fingerprint((w.phase, w.run, w.generation, &w.reason, &w.applied, &w.components))
}
