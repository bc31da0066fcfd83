//! Finding people, groups and workspaces from anywhere; each hit is something the caller may open.

use super::{Caller, Ops};
use crate::error::Result;
use crate::policy::{Action, Actor, Role, Target, may};
pub use crate::store::search::Hit;
use crate::store::search::{self, Scope};
use crate::store::{Read, actors};

/// At most `limit` hits.
pub async fn find(ops: &Ops, caller: &Caller, text: String, limit: usize) -> Result<Vec<Hit>> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::SearchEverything, Target::Own, None)?;
        let Some(scope) = scope(&actor) else { return Ok(Vec::new()) };
        let mut hits = search::list(read, &scope, text.trim(), limit)?;
        hits.truncate(limit);
        Ok(hits)
    };
    ops.db.read(caller.origin.clone(), job).await
}

fn scope(actor: &Actor) -> Option<Scope> {
    let user = actor.user()?;
    let administered = user.groups.iter().filter(|(_, role)| **role == Role::Admin).map(|(id, _)| id.clone()).collect();
    Some(Scope {
        user: user.id.clone(),
        all_users: may(actor, Action::ListUsers, Target::System),
        all_groups: may(actor, Action::ListAllGroups, Target::System),
        all_workspaces: may(actor, Action::ListAllWorkspaces, Target::System),
        groups: user.groups.keys().cloned().collect(),
        administered,
    })
}
