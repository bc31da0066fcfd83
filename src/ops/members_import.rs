//! Many people join a group at once, from a list. What stands in the way of each is said line by line before anything is
//! written; then all who can join do, in one transaction, and the others stay named.

use super::groups::found;
use super::members::admit;
use super::{Caller, Ops};
use crate::domain::email::sign_in_key;
use crate::domain::group::GroupRole;
use crate::domain::id::UserId;
use crate::domain::member_list::Line;
use crate::domain::names::Reason;
use crate::domain::user::UserStatus;
use crate::error::{Error, Result};
use crate::policy::{Action, Permit, Target};
use crate::store::groups::Group;
use crate::store::users::{self, User};
use crate::store::{Read, Tx, actors, memberships, sign_in};
use std::collections::BTreeSet;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Import {
    pub lines: Vec<Line>,
    /// For lines that name none.
    pub role: GroupRole,
    pub reason: Option<Reason>,
}

/// What becomes of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub number: u64,
    pub who: String,
    pub user: Option<User>,
    pub role: GroupRole,
    /// Why nobody joins by this line; `None`: they join, or have joined.
    pub problem: Option<Problem>,
}

/// Why nobody joins by a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    Unknown,
    Disabled,
    Member,
    Twice,
    Role(String),
}

impl Problem {
    /// The stable word.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Disabled => "disabled",
            Self::Member => "member",
            Self::Twice => "twice",
            Self::Role(_) => "role",
        }
    }

    pub fn words(&self) -> String {
        match self {
            Self::Unknown => "Nobody here has this user name or e-mail address.".to_owned(),
            Self::Disabled => "The account is disabled.".to_owned(),
            Self::Member => "A member already.".to_owned(),
            Self::Twice => "Stands in the list before.".to_owned(),
            Self::Role(word) => format!("{word} is no role; there are member and admin."),
        }
    }
}

/// What would become of each line; writes nothing.
pub async fn review(ops: &Ops, caller: &Caller, group: String, import: Import) -> Result<Vec<Row>> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        let group = found(read, &group)?;
        read.authorize(&actor, Action::AddUserToGroup, Target::Group(&group.facts()), None)?;
        rows(read, &group, &import)
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// Lets everybody join who can.
pub async fn carry_out(ops: &Ops, caller: &Caller, group: String, import: Import) -> Result<Vec<Row>> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let group = found(tx, &group)?;
        let reason = import.reason.as_ref().map(Reason::as_str);
        let permit = tx.authorize(&actor, Action::AddUserToGroup, Target::Group(&group.facts()), reason)?;
        let rows = rows(tx, &group, &import)?;
        if rows.iter().all(|row| row.problem.is_some()) {
            return Err(Error::WrongState("Nobody in this list can join.".to_owned()));
        }
        joining(tx, &permit, &group, &rows)?;
        Ok(rows)
    };
    ops.db.write(caller.origin.clone(), job).await
}

fn joining(tx: &Tx<'_>, permit: &Permit, group: &Group, rows: &[Row]) -> Result<()> {
    for row in rows.iter().filter(|row| row.problem.is_none()) {
        if let Some(user) = &row.user {
            admit(tx, permit, group, user, row.role)?;
        }
    }
    Ok(())
}

fn rows(read: &Read<'_>, group: &Group, import: &Import) -> Result<Vec<Row>> {
    let mut seen: BTreeSet<UserId> = BTreeSet::new();
    let mut rows = Vec::with_capacity(import.lines.len());
    for line in &import.lines {
        let user = match sign_in::find_by_name(read, &sign_in_key(&line.who))? {
            Some(found) => users::find(read, &found.id)?,
            None => None,
        };
        let problem = match (&user, &line.role) {
            (None, _) => Some(Problem::Unknown),
            (_, Err(word)) => Some(Problem::Role(word.clone())),
            (Some(user), _) if user.status != UserStatus::Active => Some(Problem::Disabled),
            (Some(user), _) if !seen.insert(user.id.clone()) => Some(Problem::Twice),
            (Some(user), _) if memberships::find(read, &group.id, &user.id)?.is_some() => Some(Problem::Member),
            _ => None,
        };
        let role = line.role.clone().ok().flatten().unwrap_or(import.role);
        rows.push(Row { number: line.number, who: line.who.clone(), user, role, problem });
    }
    Ok(rows)
}
