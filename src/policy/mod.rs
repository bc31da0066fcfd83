//! Who may do what. Everything that decides about permission is here, and nothing else is.
//!
//! [`matrix`] is the table; [`authorize`] asks it and answers with a [`Permit`] or a refusal; [`may`] asks it for the
//! `can` of the API; [`explain`] says why; [`guidelines`] prints the three-role matrix of the privilege guidelines.
//! The same row answers all four, so what a page shows is what a click gets.

pub mod action;
pub mod actor;
pub mod administrative;
pub mod constraints;
pub mod explain;
pub mod guidelines;
pub mod matrix;
pub mod permit;
pub mod rights;
pub mod scarcity;
pub mod target;

pub use action::Action;
pub use actor::{Actor, Credential, MachineActor, Principal, Role, Task, TokenGrant, UserActor};
pub use permit::{Consequence, Permit};
pub use rights::{Right, Rights};
pub use target::{GroupFacts, Target, UserFacts, WorkspaceFacts};

use crate::clock::{MINUTE, Millis};
use crate::error::{Denied, Error, Shown, Unauthenticated};
use matrix::{Everyone, Object, Row, row, visibility};

/// How old a sign-in may be for actions that need a fresh second factor, in milliseconds.
const STEP_UP_AGE: i64 = 10 * MINUTE;

/// What else a decision depends on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    pub now: Millis,
    /// The written reason, if one was given.
    pub reason: Option<&'a str>,
    /// The setting `workspaces.break_glass`.
    pub break_glass: bool,
}

/// Where a right came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Platform,
    Organization,
    GroupAdmin,
    GroupMember,
    Share,
    Own,
    Everyone,
    System,
    CommandLine,
    BreakGlass,
}

/// Decides. The answer is either a permit, which the store asks for, or a refusal that is audited.
pub fn authorize(actor: &Actor, action: Action, target: Target<'_>, context: Context<'_>) -> Result<Permit, Error> {
    let resource = target.resource(actor.user_id());
    let Some(source) = source_of_right(actor, action, &target, context) else {
        return Err(refusal(actor, action, &target, resource));
    };
    if let Some(user) = actor.user() {
        check_step_up(user, &row(action), context.now)?;
    }
    if let Some(never) = constraints::never(actor, action, &target) {
        return Err(Error::Denied(Box::new(Denied {
            action: action.code(),
            resource,
            group_id: target.group_id().map(ToString::to_string),
            rule: never.rule,
            message: never.message,
            shown: never.shown,
        })));
    }
    let reason = context.reason.map(str::to_owned);
    Ok(Permit::new(action, actor.clone(), resource, target.group_id().cloned(), reason, source == Source::BreakGlass))
}

/// Whether the table gives the action, for `can` and for filters; the same answer as [`authorize`] without its permit.
pub fn may(actor: &Actor, action: Action, target: Target<'_>) -> bool {
    source_of_right(actor, action, &target, Context::default()).is_some() && constraints::never(actor, action, &target).is_none()
}

/// Could any object exist on which this actor may take the action? The registrar asks it before it reads a body.
pub fn could_ever(actor: &Actor, action: Action) -> bool {
    let row = row(action);
    match actor {
        Actor::Anonymous => row.everyone == Everyone::Anonymous,
        Actor::Machine(_) => row.machine,
        Actor::System(_) => row.system,
        Actor::CommandLine { .. } => command_line_may(action),
        Actor::User(user) => {
            token_allows(user, &row, None)
                && (row.everyone != Everyone::No
                    || row.own
                    || row.public
                    || user.rights.has_any(row.platform)
                    || (row.group_member && !user.groups.is_empty())
                    || (row.group_admin && user.groups.values().any(|r| *r == Role::Admin))
                    || (row.organization && user.organizations.values().any(|actions| actions.contains(row.code)))
                    || row.share.is_some()
                    || (row.break_glass && user.rights.is_admin()))
        }
    }
}

/// The refusal of an action that no relation could ever permit this actor, before the object is looked up. `resource`
/// is what the caller named, for the audit log.
pub fn refuse_at_gate(actor: &Actor, action: Action, resource: String) -> Error {
    refusal(actor, action, &Target::System, resource)
}

/// Whether the credential lets its owner's rights through: a sign-in does, an API token does as far as it was made for
/// it. Without a target the question is whether it ever could.
fn token_allows(user: &UserActor, row: &Row, target: Option<&Target<'_>>) -> bool {
    match (&user.credential, &user.token) {
        (Credential::Cookie(_) | Credential::Access(_), _) => true,
        (Credential::ApiToken(_), Some(grant)) => grant.covers(row.scope) && within_limits(grant, row, target),
        (Credential::ApiToken(_), None) => false,
    }
}

/// A token for listed groups and workspaces never speaks of the platform, of people or of its owner's account.
fn within_limits(grant: &TokenGrant, row: &Row, target: Option<&Target<'_>>) -> bool {
    if !grant.is_limited() {
        return true;
    }
    match target {
        None => matches!(row.object, Object::Group | Object::Workspace),
        Some(Target::Group(facts)) => grant.groups.contains(&facts.id),
        Some(Target::Workspace(facts)) => grant.groups.contains(&facts.group_id) || grant.workspaces.contains(&facts.id),
        Some(Target::System | Target::Own | Target::User(_)) => false,
    }
}

/// A shell on the server's machine, as the data directory's user, is recovery and automation: it may do what a
/// platform admin may, and never enters a workspace.
fn command_line_may(action: Action) -> bool {
    let row = row(action);
    row.system || !row.platform.is_empty()
}

pub(crate) fn source_of_right(actor: &Actor, action: Action, target: &Target<'_>, context: Context<'_>) -> Option<Source> {
    let row = row(action);
    match actor {
        Actor::Anonymous => (row.everyone == Everyone::Anonymous).then_some(Source::Everyone),
        Actor::Machine(machine) => (row.machine && is_itself(machine, target)).then_some(Source::Own),
        Actor::System(_) => row.system.then_some(Source::System),
        Actor::CommandLine { .. } => command_line_may(action).then_some(Source::CommandLine),
        Actor::User(user) if token_allows(user, &row, Some(target)) => user_source(user, &row, target, context),
        Actor::User(_) => None,
    }
}

fn user_source(user: &UserActor, row: &Row, target: &Target<'_>, context: Context<'_>) -> Option<Source> {
    if row.everyone != Everyone::No {
        return Some(Source::Everyone);
    }
    if row.own && is_own(user, target) {
        return Some(Source::Own);
    }
    if row.public && is_public(row, target) {
        return Some(Source::Everyone);
    }
    if user.rights.has_any(row.platform) {
        return Some(Source::Platform);
    }
    if let Some(source) = role_source(user, row, target) {
        return Some(source);
    }
    if let (Target::Workspace(workspace), Some(needed)) = (target, row.share)
        && workspace.share.is_some_and(|level| level >= needed)
    {
        return Some(Source::Share);
    }
    (row.break_glass && context.break_glass && context.reason.is_some() && user.rights.is_admin()).then_some(Source::BreakGlass)
}

fn is_itself(machine: &MachineActor, target: &Target<'_>) -> bool {
    matches!(target, Target::Workspace(facts) if facts.id == machine.workspace)
}

fn is_own(user: &UserActor, target: &Target<'_>) -> bool {
    match target {
        Target::Own => true,
        Target::User(facts) => facts.id == user.id,
        Target::Workspace(facts) => facts.owner_id == user.id,
        Target::System | Target::Group(_) => false,
    }
}

fn is_public(row: &Row, target: &Target<'_>) -> bool {
    let Target::Group(facts) = target else { return false };
    let members = row.code == Action::ViewGroupMembers.code();
    !facts.deleting && !facts.private && (!members || !facts.private_members)
}

fn role_source(user: &UserActor, row: &Row, target: &Target<'_>) -> Option<Source> {
    let role = match target {
        Target::Group(facts) if facts.deleting => None,
        Target::Group(facts) => user.groups.get(&facts.id).copied(),
        Target::Workspace(facts) => user.groups.get(&facts.group_id).copied(),
        // Matrix row 3: users who share a group in which the caller is an admin.
        Target::User(facts) => facts.groups.iter().filter_map(|id| user.groups.get(id)).max().copied(),
        Target::System | Target::Own => None,
    };
    if row.group_admin && role == Some(Role::Admin) {
        return Some(Source::GroupAdmin);
    }
    if row.group_member && role.is_some() {
        return Some(Source::GroupMember);
    }
    let organization = match target {
        Target::Group(facts) => Some(&facts.organization_id),
        Target::Workspace(facts) => Some(&facts.organization_id),
        Target::System | Target::Own | Target::User(_) => None,
    };
    let given = organization.and_then(|id| user.organizations.get(id)).is_some_and(|actions| actions.contains(row.code));
    (row.organization && given).then_some(Source::Organization)
}

fn check_step_up(user: &UserActor, row: &Row, now: Millis) -> Result<(), Error> {
    let interactive = user.credential.session().is_some();
    if row.step_up && interactive && user.has_second_factor && now.since(user.signed_in_at) > STEP_UP_AGE {
        return Err(Error::Unauthenticated(Unauthenticated::StepUpRequired));
    }
    Ok(())
}

fn refusal(actor: &Actor, action: Action, target: &Target<'_>, resource: String) -> Error {
    if matches!(actor, Actor::Anonymous) {
        return Error::Unauthenticated(Unauthenticated::NoToken);
    }
    let shown = match visibility(target.object()) {
        Some((view, missing)) if action == view || !may(actor, view, *target) => Shown::Hidden(missing),
        _ => Shown::Refused,
    };
    Error::Denied(Box::new(Denied {
        action: action.code(),
        resource,
        group_id: target.group_id().map(ToString::to_string),
        rule: explain::refusal_rule(actor, action),
        message: explain::refusal_words(actor, action),
        shown,
    }))
}

/// The objects on which an action can be taken; the route table uses it to check itself.
pub const fn object_of(action: Action) -> Object {
    row(action).object
}

#[cfg(test)]
mod tests;
