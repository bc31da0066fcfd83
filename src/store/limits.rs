//! Caps of people and organizations. A group's amounts are its quota columns and nowhere else.
//!
//! [`levels`] loads what the pool check of `domain::pool` weighs, in its order: the person, the group, each organization
//! up to the root. A level without any limit is left out: there is nothing to compare.

use super::groups::Group;
use super::tx::{Read, Tx};
use super::{organizations, stats};
use crate::domain::id::UserId;
use crate::domain::pool::{Level, LevelKind};
use crate::domain::quota::{Resource, ResourceQuota};
use crate::error::Result;
use crate::policy::Permit;
use rusqlite::params;

/// Whose cap it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account<'a> {
    User(&'a str),
    Organization(&'a str),
}

impl Account<'_> {
    fn key(&self) -> (&'static str, &str) {
        match self {
            Self::User(id) => ("user", id),
            Self::Organization(id) => ("organization", id),
        }
    }
}

const FIND: &str = "SELECT kind, amount FROM resource_limit WHERE account_kind = ?1 AND account_id = ?2";
const SAVE: &str = "INSERT INTO resource_limit (account_kind, account_id, kind, amount) VALUES (?1, ?2, ?3, ?4) \
     ON CONFLICT (account_kind, account_id, kind) DO UPDATE SET amount = excluded.amount";
const REMOVE: &str = "DELETE FROM resource_limit WHERE account_kind = ?1 AND account_id = ?2";

/// The caps of an account; what has no row is not limited.
pub fn find(read: &Read<'_>, account: Account<'_>) -> Result<ResourceQuota> {
    let rows = read.rows(FIND, account.key(), |r| Ok((r.get::<_, String>(0)?, r.get::<_, Option<i64>>(1)?)))?;
    let of = |resource: Resource| rows.iter().find(|(kind, _)| kind == resource.as_str()).and_then(|(_, amount)| *amount);
    Ok(ResourceQuota {
        cpu_milli: of(Resource::Cpu),
        memory_bytes: of(Resource::Memory),
        storage_bytes: of(Resource::Storage),
        workspaces: of(Resource::Pods),
    })
}

/// Sets one cap; `None` is "no limit".
pub fn save(tx: &Tx<'_>, permit: &Permit, account: Account<'_>, resource: Resource, amount: Option<i64>) -> Result<()> {
    let (kind, id) = account.key();
    tx.change(permit, SAVE, params![kind, id, resource.as_str(), amount])?;
    Ok(())
}

/// All caps of an account.
pub fn remove(tx: &Tx<'_>, permit: &Permit, account: Account<'_>) -> Result<()> {
    tx.change(permit, REMOVE, account.key())?;
    Ok(())
}

/// What a change in this group by this person is weighed against, with what is used now.
pub fn levels(read: &Read<'_>, user: &UserId, user_name: &str, group: &Group) -> Result<Vec<Level>> {
    let mut levels = Vec::new();
    let own = find(read, Account::User(user.as_str()))?;
    if own != ResourceQuota::UNLIMITED {
        let used = stats::used_by_user(read, user)?;
        levels.push(Level { kind: LevelKind::User, id: user.to_string(), name: user_name.to_owned(), quota: own, used });
    }
    let used = stats::used_by_group(read, &group.id)?;
    levels.push(Level { kind: LevelKind::Group, id: group.id.to_string(), name: group.name.clone(), quota: group.quota, used });
    for organization in organizations::path(read, &group.organization_id)? {
        let quota = find(read, Account::Organization(organization.id.as_str()))?;
        if quota != ResourceQuota::UNLIMITED {
            let used = stats::used_by_organization(read, &organization.id)?;
            let (id, name) = (organization.id.to_string(), organization.name);
            levels.push(Level { kind: LevelKind::Organization, id, name, quota, used });
        }
    }
    Ok(levels)
}
