//! A group's purpose, notes and welcome: read by its members, written by its admins.

use super::groups::{found, tell};
use super::{Caller, Ops};
use crate::domain::names::{Description, LongText};
use crate::error::Result;
use crate::events::Operation;
use crate::policy::{Action, Target};
use crate::store::group_page;
pub use crate::store::group_page::GroupPage;
use crate::store::{Change, Read, Tx, actors};
use serde_json::json;

/// What is to change; absent stays.
#[derive(Debug, Clone, Default)]
pub struct Edit {
    pub purpose: Option<Description>,
    pub notes: Option<LongText>,
    pub welcome: Option<LongText>,
}

/// The words of a group.
pub async fn get(ops: &Ops, caller: &Caller, group: String) -> Result<GroupPage> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        let group = found(read, &group)?;
        read.authorize(&actor, Action::ReadGroupPage, Target::Group(&group.facts()), None)?;
        group_page::find(read, &group.id)
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// Changes some of them. The audit names which; the words themselves may speak of people and stay out of it.
pub async fn update(ops: &Ops, caller: &Caller, group: String, edit: Edit) -> Result<GroupPage> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let group = found(tx, &group)?;
        let permit = tx.authorize(&actor, Action::EditGroupPage, Target::Group(&group.facts()), None)?;
        let before = group_page::find(tx, &group.id)?;
        let after = GroupPage {
            purpose: edit.purpose.map_or_else(|| before.purpose.clone(), Description::into_string),
            notes: edit.notes.map_or_else(|| before.notes.clone(), LongText::into_string),
            welcome: edit.welcome.map_or_else(|| before.welcome.clone(), LongText::into_string),
            updated_at: None,
        };
        let changed: Vec<&str> = [
            ("purpose", before.purpose != after.purpose),
            ("notes", before.notes != after.notes),
            ("welcome", before.welcome != after.welcome),
        ]
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect();
        group_page::save(tx, &permit, &group.id, &after)?;
        tx.audit(&permit, Change::of(json!({ "name": group.name, "fields": changed })))?;
        tell(tx, &group, Operation::Changed, Vec::new());
        group_page::find(tx, &group.id)
    };
    ops.db.write(caller.origin.clone(), job).await
}
