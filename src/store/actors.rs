//! Loading who asks: identity comes from the credential, everything they may do from the rows, in the same view that
//! decides. Expired grants never count; a sweeper only tidies them up.

use super::tx::Read;
use super::{api_tokens, machine_tokens};
use crate::clock::Millis;
use crate::domain::id::{GroupId, OrganizationId, UserId};
use crate::error::{Error, Result, Unauthenticated};
pub use crate::policy::Principal;
use crate::policy::{Actor, Credential, MachineActor, Right, Rights, Role, UserActor};
use std::collections::{BTreeMap, BTreeSet};

const USER: &str = "SELECT username, must_change_password FROM user \
     WHERE id = ?1 AND status = 'active' AND (expires_at IS NULL OR expires_at > ?2)";
const RIGHTS: &str = "SELECT right FROM system_grant WHERE user_id = ?1 AND (expires_at IS NULL OR expires_at > ?2)";
const GROUPS: &str = "SELECT m.group_id, m.role FROM membership m JOIN \"group\" g ON g.id = m.group_id \
     WHERE m.user_id = ?1 AND g.status <> 'deleting' AND (m.expires_at IS NULL OR m.expires_at > ?2)";
const ORGANIZATION_ACTIONS: &str = "SELECT a.organization_id, x.action FROM organization_role_assignment a \
     JOIN organization_role_action x ON x.organization_id = a.organization_id AND x.role = a.role \
     WHERE a.user_id = ?1 AND (a.expires_at IS NULL OR a.expires_at > ?2)";

/// The actor behind a principal. A user who is not active any more is nobody: 401.
pub fn load(read: &Read<'_>, principal: &Principal) -> Result<Actor> {
    match principal {
        Principal::Anonymous => Ok(Actor::Anonymous),
        Principal::CommandLine { system_user } => Ok(Actor::CommandLine { system_user: system_user.clone() }),
        Principal::Machine { token, workspace, run } => {
            let held = machine_tokens::find(read, token)?.filter(|held| held.grant.workspace == *workspace && held.run == *run);
            held.ok_or(Error::Unauthenticated(Unauthenticated::InvalidToken))?;
            Ok(Actor::Machine(MachineActor { workspace: workspace.clone(), token: token.clone() }))
        }
        Principal::User { id, credential, signed_in_at } => {
            load_user(read, id, credential, *signed_in_at).map(|u| Actor::User(Box::new(u)))
        }
    }
}

fn load_user(read: &Read<'_>, id: &UserId, credential: &Credential, signed_in_at: Millis) -> Result<UserActor> {
    let now = read.now().0;
    let (username, must_change_password) = read
        .row(USER, (id.as_str(), now), |r| Ok((r.get("username")?, r.get("must_change_password")?)))?
        .ok_or(Error::Unauthenticated(Unauthenticated::InvalidToken))?;
    let token = match credential {
        // Revoked or past its end: nobody, as for the person.
        Credential::ApiToken(token) => {
            Some(api_tokens::grant(read, token, id)?.ok_or(Error::Unauthenticated(Unauthenticated::InvalidToken))?)
        }
        Credential::Cookie(_) | Credential::Access(_) => None,
    };
    Ok(UserActor {
        id: id.clone(),
        username,
        rights: rights(read, id)?,
        groups: groups(read, id)?,
        organizations: organizations(read, id)?,
        credential: credential.clone(),
        token,
        signed_in_at,
        has_second_factor: false,
        must_change_password,
    })
}

/// The platform rights of a user, now.
pub fn rights(read: &Read<'_>, id: &UserId) -> Result<Rights> {
    let words = read.rows(RIGHTS, (id.as_str(), read.now().0), |r| r.get::<_, String>(0))?;
    Ok(words.iter().filter_map(|w| Right::parse(w)).collect())
}

/// The groups of a user and the role in each, without those that are being deleted.
pub fn groups(read: &Read<'_>, id: &UserId) -> Result<BTreeMap<GroupId, Role>> {
    let rows = read.rows(GROUPS, (id.as_str(), read.now().0), |r| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?)))?;
    Ok(rows.into_iter().map(|(id, role)| (GroupId::trusted(id), if role == "admin" { Role::Admin } else { Role::Member })).collect())
}

fn organizations(read: &Read<'_>, id: &UserId) -> Result<BTreeMap<OrganizationId, BTreeSet<String>>> {
    let rows = read.rows(ORGANIZATION_ACTIONS, (id.as_str(), read.now().0), |r| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?)))?;
    let mut organizations: BTreeMap<OrganizationId, BTreeSet<String>> = BTreeMap::new();
    for (organization, action) in rows {
        organizations.entry(OrganizationId::trusted(organization)).or_default().insert(action);
    }
    Ok(organizations)
}
