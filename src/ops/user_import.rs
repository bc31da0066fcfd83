//! Many accounts at once, from a list: checked first, then made together or not at all.
//!
//! The same questions are asked of the dry run and of the import, each in one view: whether a name or an address is free
//! (also among the rows of the list itself), whether the groups take members and the caller may add them, whether the
//! manager is there. Each account gets an invitation and an audit entry of its own, like one that was made by hand.

use super::user_create::{Creation, Invitation, insert, invite};
use super::user_term::Term;
use super::users::changed;
use super::{Caller, Ops};
use crate::domain::id::UserId;
use crate::domain::names::Reason;
use crate::domain::roster::{Entry, Row};
use crate::domain::user::UserKind;
use crate::error::{Error, FieldProblem, Result};
use crate::events::Operation;
use crate::policy::{Action, Actor, Target, may};
use crate::store::groups::{self, Group};
use crate::store::{Read, Tx, actors, sign_in, users};
use std::collections::BTreeSet;

/// One row of the list, and what would become or became of it.
#[derive(Debug)]
pub struct Line {
    /// Of the file, counted from 1.
    pub line: u64,
    /// As written.
    pub email: String,
    pub entry: Option<Entry>,
    /// Columns with what is wrong in them.
    pub problems: Vec<FieldProblem>,
    /// The account and its invitation, once they are made.
    pub made: Option<(UserId, Invitation)>,
}

/// What an entry refers to.
struct Found {
    groups: Vec<Group>,
    manager: Option<UserId>,
}

/// Says of each row whether it could be made; changes nothing.
pub async fn check(ops: &Ops, caller: &Caller, rows: Vec<Row>) -> Result<Vec<Line>> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::CreateUser, Target::System, None)?;
        Ok(examined(read, &actor, &rows)?.into_iter().map(|(line, _)| line).collect())
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// Makes all of them. One row that is wrong stops the whole list; the error names each.
pub async fn import(ops: &Ops, caller: &Caller, rows: Vec<Row>, reason: Option<Reason>) -> Result<Vec<Line>> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        tx.authorize(&actor, Action::CreateUser, Target::System, reason.as_ref().map(Reason::as_str))?;
        let lines = examined(tx, &actor, &rows)?;
        let place = |line: &Line, problem: &FieldProblem| FieldProblem {
            field: format!("line {}: {}", line.line, problem.field),
            ..problem.clone()
        };
        let wrong: Vec<FieldProblem> = lines.iter().flat_map(|(line, _)| line.problems.iter().map(move |p| place(line, p))).collect();
        if !wrong.is_empty() {
            return Err(Error::Invalid(wrong));
        }
        lines.into_iter().map(|(line, found)| make(tx, &actor, line, found, reason.as_ref())).collect()
    };
    ops.db.write(caller.origin.clone(), job).await
}

fn examined(read: &Read<'_>, actor: &Actor, rows: &[Row]) -> Result<Vec<(Line, Found)>> {
    let (mut emails, mut usernames) = (BTreeSet::new(), BTreeSet::new());
    let mut lines = Vec::with_capacity(rows.len());
    for row in rows {
        let mut problems = Vec::new();
        let mut found = Found { groups: Vec::new(), manager: None };
        match &row.entry {
            Err(wrong) => problems.clone_from(wrong),
            Ok(entry) => {
                names_are_free(read, entry, (&mut emails, &mut usernames), &mut problems)?;
                found = refers_to(read, actor, entry, &mut problems)?;
            }
        }
        let line = Line { line: row.line, email: row.email.clone(), entry: row.entry.clone().ok(), problems, made: None };
        lines.push((line, found));
    }
    Ok(lines)
}

fn names_are_free(
    read: &Read<'_>,
    entry: &Entry,
    (emails, usernames): (&mut BTreeSet<String>, &mut BTreeSet<String>),
    problems: &mut Vec<FieldProblem>,
) -> Result<()> {
    let mut taken = |field: &'static str, message: &'static str| problems.push(FieldProblem::new(field, "taken", message));
    if !emails.insert(entry.email.key()) {
        taken("email", "This address stands in the list twice.");
    } else if sign_in::find_by_name(read, &entry.email.key())?.is_some() {
        taken("email", "This e-mail address belongs to another user.");
    }
    if !usernames.insert(entry.username.to_string()) {
        taken("username", "This user name stands in the list twice.");
    } else if sign_in::find_by_name(read, entry.username.as_str())?.is_some() {
        taken("username", "This user name is taken.");
    }
    if entry.ends.is_some_and(|ends| ends <= read.now()) {
        problems.push(FieldProblem::new("ends", "past", "Give a day that is still to come."));
    }
    Ok(())
}

fn refers_to(read: &Read<'_>, actor: &Actor, entry: &Entry, problems: &mut Vec<FieldProblem>) -> Result<Found> {
    let mut groups: Vec<Group> = Vec::new();
    for written in &entry.groups {
        match groups::resolve(read, written)?.filter(|group| may(actor, Action::ViewGroup, Target::Group(&group.facts()))) {
            Some(group) if groups.iter().any(|known| known.id == group.id) => {}
            Some(group) if !group.status.takes_more() => {
                problems.push(FieldProblem::new("groups", "wrong_state", format!("{} takes no members now.", group.name)));
            }
            Some(group) if !may(actor, Action::AddUserToGroup, Target::Group(&group.facts())) => {
                problems.push(FieldProblem::new("groups", "not_permitted", format!("You may not add members to {}.", group.name)));
            }
            Some(group) => groups.push(group),
            None => {
                let shown: String = written.chars().filter(|c| !c.is_control()).take(63).collect();
                problems.push(FieldProblem::new("groups", "unknown_group", format!("There is no group {shown}.")));
            }
        }
    }
    let manager = match &entry.manager {
        None => None,
        Some(name) => {
            let found = sign_in::find_by_name(read, name)?.filter(|account| account.may_sign_in);
            let person = found.map(|account| users::find(read, &account.id)).transpose()?.flatten();
            let id = person.filter(|user| user.kind == UserKind::Person).map(|user| user.id);
            if id.is_none() {
                problems.push(FieldProblem::new("manager", "unknown_user", "There is no active person of this user name."));
            }
            id
        }
    };
    Ok(Found { groups, manager })
}

fn make(tx: &Tx<'_>, actor: &Actor, line: Line, found: Found, reason: Option<&Reason>) -> Result<Line> {
    let entry = line.entry.clone().ok_or_else(|| Error::internal("a row without problems and without an entry"))?;
    let why = reason.map(Reason::as_str);
    for group in &found.groups {
        tx.authorize(actor, Action::AddUserToGroup, Target::Group(&group.facts()), why)?;
    }
    let id = UserId::fresh(tx.now(), tx.entropy());
    let permit = tx.authorize(actor, Action::CreateUser, Target::System, why)?.made(format!("user:{id}"), None);
    let new = Creation {
        email: entry.email,
        username: None,
        name: entry.name,
        password_hash: None,
        is_admin: false,
        groups: Vec::new(),
        term: Term { expires_at: entry.ends.map(Some), manager: found.manager.map(Some) },
        reason: None,
    };
    insert(tx, &permit, &new, &id, &entry.username, &found.groups)?;
    let invitation = invite(tx, &id)?;
    tx.publish(changed(&id, Operation::Changed, found.groups.first().map(|group| group.id.clone())));
    Ok(Line { made: Some((id, invitation)), ..line })
}
