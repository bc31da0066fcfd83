//! New accounts, with their first memberships and either a temporary password or an invitation.
//!
//! Passwords come in hashed: hashing takes tens of milliseconds and nobody may wait for that in a write.

use super::user_term::Term;
use super::users::{Account, account, changed};
use super::{Caller, Ops};
use crate::clock::{HOUR, Millis};
use crate::domain::email::Email;
use crate::domain::group::GroupRole;
use crate::domain::id::{GroupId, UserId};
use crate::domain::names::{PersonName, Reason, Username};
use crate::error::{Error, FieldProblem, Result};
use crate::events::Operation;
use crate::policy::{Action, Actor, Permit, Rights, Target, UserFacts};
use crate::store::codes::{self, Purpose};
use crate::store::groups::{self, Group};
use crate::store::memberships;
use crate::store::users::{self, NewUser};
use crate::store::{Change, Tx, actors, grants};
use crate::token::opaque::{CODE_PREFIX, OpaqueToken};
use secrecy::SecretString;
use serde_json::json;

/// How long an invitation can be used.
const INVITATION_LIFE: i64 = 72 * HOUR;

/// A one-use invitation; its code is told once, the database keeps only the hash.
#[derive(Debug)]
pub struct Invitation {
    pub code: SecretString,
    pub expires_at: Millis,
}

/// A new account.
#[derive(Debug)]
pub struct Creation {
    pub email: Email,
    /// The e-mail's local part when absent.
    pub username: Option<Username>,
    pub name: Option<PersonName>,
    /// argon2id of a temporary password, which must be changed at the first sign-in. Without one there is an invitation.
    pub password_hash: Option<String>,
    pub is_admin: bool,
    pub groups: Vec<GroupId>,
    /// When it ends, and who answers for it.
    pub term: Term,
    pub reason: Option<Reason>,
}

/// Creates an account with its first memberships. Each of them, and the admin right, needs its own permission.
pub async fn create(ops: &Ops, caller: &Caller, new: Creation) -> Result<(Account, Option<Invitation>)> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let reason = new.reason.as_ref().map(Reason::as_str);
        tx.authorize(&actor, Action::CreateUser, Target::System, reason)?;
        let username = new
            .username
            .clone()
            .or_else(|| new.email.suggested_username())
            .ok_or_else(|| Error::field("username", "required", "This address suggests no user name. Give one."))?;
        let id = UserId::fresh(tx.now(), tx.entropy());
        let facts = UserFacts {
            id: id.clone(),
            username: username.to_string(),
            active: true,
            rights: Rights::NONE,
            groups: Vec::new(),
            last_admin: false,
        };
        if new.is_admin {
            tx.authorize(&actor, Action::PromoteUserToAdmin, Target::User(&facts), reason)?;
        }
        let groups = first_groups(tx, &actor, &new.groups, reason)?;
        let permit = tx.authorize(&actor, Action::CreateUser, Target::System, reason)?.made(format!("user:{id}"), None);
        insert(tx, &permit, &new, &id, &username, &groups)?;
        let invitation = if new.password_hash.is_none() { Some(invite(tx, &id)?) } else { None };
        tx.publish(changed(&id, Operation::Changed, groups.first().map(|g| g.id.clone())));
        Ok((account(tx, &actor, &id)?, invitation))
    };
    ops.db.write(caller.origin.clone(), job).await
}

/// The rows of a new account, and its audit entry.
pub(super) fn insert(tx: &Tx<'_>, permit: &Permit, new: &Creation, id: &UserId, username: &Username, groups: &[Group]) -> Result<()> {
    let name = new.name.as_ref().map_or("", PersonName::as_str);
    let row = NewUser {
        id,
        username,
        email: &new.email,
        name,
        password_hash: new.password_hash.as_deref(),
        must_change_password: new.password_hash.is_some(),
    };
    users::insert(tx, permit, &row)?;
    if new.is_admin {
        grants::insert_all(tx, permit, id)?;
    }
    for group in groups {
        memberships::insert(tx, permit, &group.id, id, GroupRole::Member)?;
    }
    let mut details = super::user_term::begin(tx, permit, id, &new.term)?;
    let ids: Vec<&str> = groups.iter().map(|g| g.id.as_str()).collect();
    details.insert("isAdmin".into(), json!(new.is_admin));
    details.insert("groups".into(), json!(ids));
    details.insert("invited".into(), json!(new.password_hash.is_none()));
    let change = Change {
        details: details.into(),
        subject: Some(id.to_string()),
        personal: json!({ "username": username, "email": new.email, "createdUser": name }),
    };
    tx.audit(permit, change)
}

pub(super) fn invite(tx: &Tx<'_>, id: &UserId) -> Result<Invitation> {
    let code = OpaqueToken::fresh(CODE_PREFIX, tx.entropy());
    let expires_at = tx.now().plus(INVITATION_LIFE);
    codes::insert(tx, Purpose::Invite, code.hash.as_bytes(), Some(id), id.as_str(), expires_at)?;
    Ok(Invitation { code: code.secret, expires_at })
}

/// The groups of a body, each of which must exist and take members.
pub(super) fn first_groups(tx: &Tx<'_>, actor: &Actor, ids: &[GroupId], reason: Option<&str>) -> Result<Vec<Group>> {
    let mut found: Vec<Group> = Vec::with_capacity(ids.len());
    let mut problems = Vec::new();
    for (index, id) in ids.iter().enumerate() {
        match groups::find(tx, id)? {
            Some(group) if found.iter().any(|g| g.id == group.id) => {}
            Some(group) if group.status.takes_more() => {
                tx.authorize(actor, Action::AddUserToGroup, Target::Group(&group.facts()), reason)?;
                found.push(group);
            }
            _ => {
                problems.push(FieldProblem::new(format!("groups[{index}]"), "unknown_group", "There is no such group that takes members."));
            }
        }
    }
    if problems.is_empty() { Ok(found) } else { Err(Error::Invalid(problems)) }
}
