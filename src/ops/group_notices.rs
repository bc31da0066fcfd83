//! What members of a group are told: that they joined or left it, that their role changed, that its quota changed, that
//! it is deleted. Whoever did it knows and is not told.

use crate::domain::group::GroupRole;
use crate::domain::id::UserId;
use crate::domain::quota::{Resource, ResourceQuota};
use crate::error::Result;
use crate::policy::Permit;
use crate::store::groups::Group;
use crate::store::inbox::{self, Notice};
use crate::store::{Tx, group_page, memberships};

/// One person, unless they did it themselves.
fn tell(tx: &Tx<'_>, permit: &Permit, to: &UserId, code: &'static str, did: &str, link: String) -> Result<()> {
    let actor = permit.actor().user();
    if actor.is_some_and(|user| user.id == *to) {
        return Ok(());
    }
    let who = actor.map_or("Somebody at the server's console", |user| user.username.as_str());
    let because = permit.reason().map(|reason| format!(" The reason: {reason}")).unwrap_or_default();
    inbox::insert(tx, &Notice { to, code, message: format!("{who} {did}{because}"), link })
}

fn page(group: &Group) -> String {
    format!("/groups/{}", group.id)
}

/// Somebody is in the group from now on, and reads its welcome.
pub(super) fn joined(tx: &Tx<'_>, permit: &Permit, group: &Group, user: &UserId, role: GroupRole) -> Result<()> {
    let welcome = group_page::find(tx, &group.id)?.welcome;
    let what = if role == GroupRole::Admin { "an admin" } else { "a member" };
    let space = if welcome.is_empty() { "" } else { " " };
    tell(tx, permit, user, "group_joined", &format!("made you {what} of {}.{space}{welcome}", group.display_name), page(group))
}

/// Somebody has another role.
pub(super) fn role_changed(tx: &Tx<'_>, permit: &Permit, group: &Group, user: &UserId, role: GroupRole) -> Result<()> {
    let what = if role == GroupRole::Admin { "an admin" } else { "a plain member" };
    tell(tx, permit, user, "group_role", &format!("made you {what} of {}.", group.display_name), page(group))
}

/// Somebody is no longer in the group.
pub(super) fn left(tx: &Tx<'_>, permit: &Permit, group: &Group, user: &UserId) -> Result<()> {
    tell(tx, permit, user, "group_left", &format!("took you out of {}.", group.display_name), String::new())
}

/// The quota is another: what it was and what it is, resource by resource.
pub(super) fn quota_changed(tx: &Tx<'_>, permit: &Permit, group: &Group, after: &ResourceQuota) -> Result<()> {
    let print = |resource: Resource, quota: &ResourceQuota| quota.of(resource).map_or_else(|| "no limit".to_owned(), |n| resource.print(n));
    let changes: Vec<String> = Resource::ALL
        .into_iter()
        .filter(|resource| group.quota.of(*resource) != after.of(*resource))
        .map(|resource| {
            let name = if resource == Resource::Pods { "workspaces" } else { resource.as_str() };
            format!("{name} from {} to {}", print(resource, &group.quota), print(resource, after))
        })
        .collect();
    let did = format!("changed the quota of {}: {}.", group.display_name, changes.join(", "));
    for member in memberships::users(tx, &group.id)? {
        tell(tx, permit, &member, "group_quota", &did, page(group))?;
    }
    Ok(())
}

/// The group is going, and these were in it.
pub(super) fn deleted(tx: &Tx<'_>, permit: &Permit, group: &Group, members: &[UserId]) -> Result<()> {
    let did = format!("deleted the group {}.", group.display_name);
    members.iter().try_for_each(|member| tell(tx, permit, member, "group_deleted", &did, String::new()))
}
