//! What is left to do of somebody's leaving, read from what is so now, each step with what stands in its way.

use super::offboard::{Fate, Kind, Review, State, Step, Wish};
use super::workspace_transfer::{self, Transfer};
use crate::domain::group::GroupRole;
use crate::domain::id::{GroupId, UserId};
use crate::domain::quantity::human_bytes;
use crate::domain::user::UserStatus;
use crate::domain::workspace::Desired;
use crate::error::{Error, Result};
use crate::policy::explain::explain;
use crate::policy::{Action, Actor, Context, Target, UserFacts};
use crate::store::groups::Group;
use crate::store::users::{self, User};
use crate::store::workspaces::Workspace;
use crate::store::{Read, memberships, offboard};
use aws_lc_rs::digest;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// What an error says to people, with the first field that it names.
pub(super) fn told(error: &Error) -> String {
    let description = error.describe();
    description.fields.first().map_or_else(|| description.message.to_string(), |field| field.message.clone())
}

/// Everything that is left, in the order in which it is done.
pub(super) fn steps(read: &Read<'_>, actor: &Actor, user: &User, facts: &UserFacts, wish: &Wish) -> Result<Review> {
    let held = offboard::held(read, &user.id)?;
    let mut steps: Vec<Step> = Vec::new();
    steps.extend(account(read, actor, user, facts, &held));
    steps.extend(credentials(user, &held));
    if !facts.rights.is_empty() {
        let words = "The rights over the platform end.".to_owned();
        steps.push(decided(own(Kind::Rights, user, words), hindered(read, actor, Action::DemoteAdminUser, Target::User(facts))));
    }
    for group in offboard::groups(read, &user.id)? {
        steps.push(ownership(read, actor, user, &group, wish)?);
    }
    for workspace in offboard::workspaces(read, &user.id)? {
        steps.push(of_workspace(read, actor, &workspace, wish)?);
    }
    let open: BTreeSet<GroupId> =
        steps.iter().filter(|step| matches!(step.state, State::Undecided | State::Blocked)).filter_map(|step| step.group.clone()).collect();
    for of_user in memberships::of_users(read, [user.id.as_str()])? {
        let Some(group) = crate::store::groups::find(read, &of_user.group_id)? else { continue };
        let words = format!("{} leaves {}.", user.username, group.display_name);
        let step = Step { name: group.display_name.clone(), id: group.id.to_string(), ..own(Kind::Membership, user, words) };
        let no = hindered(read, actor, Action::RemoveUserFromGroup, Target::Group(&group.facts()));
        steps.push(match no {
            None if open.contains(&group.id) => {
                let message = "What they own in it comes first.".to_owned();
                Step { state: State::Undecided, message: Some(message), ..step }
            }
            no => decided(step, no),
        });
    }
    Ok(Review { digest: digest_of(&steps), steps })
}

/// Names what was shown: with other steps, or other words, it is another.
fn digest_of(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        let message = step.message.as_deref().unwrap_or_default();
        let _ = writeln!(text, "{}\u{1f}{}\u{1f}{}\u{1f}{}\u{1f}{message}", step.kind.as_str(), step.id, step.state.as_str(), step.words);
    }
    crate::domain::hex::encode(&digest::digest(&digest::SHA256, text.as_bytes()).as_ref()[..16])
}

fn own(kind: Kind, user: &User, words: String) -> Step {
    Step { kind, id: user.id.to_string(), name: user.username.clone(), group: None, words, state: State::Due, message: None }
}

fn decided(step: Step, no: Option<String>) -> Step {
    match no {
        None => step,
        Some(message) => Step { state: State::Blocked, message: Some(message), ..step },
    }
}

fn hindered(read: &Read<'_>, actor: &Actor, action: Action, target: Target<'_>) -> Option<String> {
    let explained = explain(actor, action, target, Context { now: read.now(), ..Context::default() });
    (!explained.allowed).then_some(explained.words)
}

fn account(read: &Read<'_>, actor: &Actor, user: &User, facts: &UserFacts, held: &offboard::Held) -> Option<Step> {
    if user.status != UserStatus::Active {
        return None;
    }
    let sessions = match held.sessions {
        0 => "there is no sign-in to end".to_owned(),
        1 => "one sign-in ends".to_owned(),
        many => format!("{many} sign-ins end"),
    };
    let words = format!("The account is disabled: {sessions}, and open terminals close.");
    Some(decided(own(Kind::Account, user, words), hindered(read, actor, Action::DisableUser, Target::User(facts))))
}

/// One line for all that opens something; the password counts, so an account that had one comes here once.
fn credentials(user: &User, held: &offboard::Held) -> Option<Step> {
    let count = |n: i64, one: &str, many: &str| match n {
        0 => None,
        1 => Some(one.to_owned()),
        n => Some(format!("{n} {many}")),
    };
    let parts: Vec<String> = [
        count(i64::from(user.has_password), "the password", "passwords"),
        count(held.tokens, "an API token", "API tokens"),
        count(held.ssh_keys, "the SSH key", "SSH keys"),
        count(held.git_credentials, "a git credential", "git credentials"),
        count(held.shares, "a share of somebody else's workspace", "shares of other people's workspaces"),
        count(held.roles, "a place in an organization", "places in organizations"),
        count(held.requests, "an open request", "open requests"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let list = match parts.as_slice() {
        [] => return None,
        [one] => one.clone(),
        [init @ .., last] => format!("{} and {last}", init.join(", ")),
    };
    let ends = if parts.len() == 1 && !list.starts_with(|c: char| c.is_ascii_digit()) { "ends" } else { "end" };
    let mut letters = list.chars();
    let list: String = letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default();
    Some(own(Kind::Credentials, user, format!("{list} {ends}.")))
}

fn ownership(read: &Read<'_>, actor: &Actor, user: &User, group: &Group, wish: &Wish) -> Result<Step> {
    let base = Step {
        name: group.display_name.clone(),
        id: group.id.to_string(),
        group: Some(group.id.clone()),
        ..own(Kind::Group, user, format!("{} gets another owner.", group.display_name))
    };
    let Some(heir) = wish.owners.get(&group.id) else {
        let message = "Name another admin of the group as its owner.".to_owned();
        return Ok(Step { state: State::Undecided, message: Some(message), ..base });
    };
    let person = person(read, heir)?;
    let is_admin = memberships::find(read, &group.id, heir)? == Some(GroupRole::Admin);
    Ok(match person.filter(|person| is_admin && person.id != user.id) {
        None => decided(base, Some("Only an active admin of the group can own it. Make somebody one first.".to_owned())),
        Some(person) => {
            let no = hindered(read, actor, Action::UpdateGroup, Target::Group(&group.facts()));
            decided(Step { words: format!("{} owns {} from now on.", person.username, group.display_name), ..base }, no)
        }
    })
}

fn person(read: &Read<'_>, id: &UserId) -> Result<Option<User>> {
    Ok(users::find(read, id)?.filter(|user| user.status == UserStatus::Active))
}

fn of_workspace(read: &Read<'_>, actor: &Actor, workspace: &Workspace, wish: &Wish) -> Result<Step> {
    let row = &workspace.row;
    let step = |words: String| Step {
        kind: Kind::Workspace,
        id: row.id.to_string(),
        name: row.name.clone(),
        group: Some(row.group_id.clone()),
        words,
        state: State::Due,
        message: None,
    };
    let size = human_bytes(row.size.disk_bytes);
    let runs = if row.desired == Desired::Running { "it runs now and stops, and " } else { "" };
    match wish.workspaces.get(&row.id) {
        None => {
            let words = format!("{} in {}, with up to {size} of files.", row.name, workspace.group_display_name);
            let message = "Say whether it is deleted or given to somebody.".to_owned();
            Ok(Step { state: State::Undecided, message: Some(message), ..step(words) })
        }
        Some(Fate::Delete) => {
            let words = format!("{} is deleted: {runs}its disk of {size} goes with every file on it.", row.name);
            Ok(decided(step(words), hindered(read, actor, Action::DeleteWorkspace, Target::Workspace(&workspace.facts()))))
        }
        Some(Fate::Transfer(to)) => {
            let wish = Transfer { to: to.clone(), group: None, name: None, reason: None, expected: None };
            let name = person(read, to)?.map_or_else(|| "somebody".to_owned(), |person| person.username);
            let words = format!("{} goes to {name}: {runs}its files go along.", row.name);
            let fits =
                workspace_transfer::plan(read, actor, &row.id, &wish).and_then(|plan| workspace_transfer::weighed(read, &plan)?.require());
            Ok(decided(step(words), fits.err().map(|error| told(&error))))
        }
    }
}
