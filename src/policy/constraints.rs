//! The few rules that say "never", each with the attack it prevents. They stand above every source of right.

use super::action::Action;
use super::actor::Actor;
use super::target::{Target, UserFacts};
use crate::error::Shown;

/// A rule that forbids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Never {
    /// Stable word for the audit.
    pub rule: &'static str,
    pub message: String,
    pub shown: Shown,
}

/// The first "never" rule that forbids the action, if one does.
pub fn never(actor: &Actor, action: Action, target: &Target<'_>) -> Option<Never> {
    let Target::User(subject) = target else {
        return None;
    };
    on_oneself(actor, action, subject).or_else(|| more_rights(actor, action, subject)).or_else(|| last_admin(action, subject))
}

/// Nobody demotes, disables or deletes themselves: a stolen session must not be able to lock its owner out, and the
/// last administrator must not slip away (D10).
fn on_oneself(actor: &Actor, action: Action, subject: &UserFacts) -> Option<Never> {
    if actor.user_id() != Some(&subject.id) {
        return None;
    }
    let (rule, message, shown) = match action {
        Action::DemoteAdminUser => {
            ("self_demotion", "You cannot take the admin right from yourself. Another platform admin can.", Shown::SelfDemotion)
        }
        Action::DisableUser => ("self_disable", "You cannot disable yourself. Another platform admin can.", Shown::SelfDisable),
        Action::DeleteUser => ("self_delete", "You cannot delete yourself. Another platform admin can.", Shown::SelfDisable),
        Action::OffboardUser => ("self_offboard", "You cannot offboard yourself. Another platform admin can.", Shown::SelfDisable),
        // A reset needs no current password, so it would turn a stolen session into a stolen account.
        Action::ResetUserPassword => {
            ("self_reset", "You cannot reset your own password here. Change it on your profile page.", Shown::Refused)
        }
        _ => return None,
    };
    Some(Never { rule, message: message.to_owned(), shown })
}

/// Nobody acts on the credentials or the status of somebody with more rights: an administrator of users could
/// otherwise take over a full administrator by resetting the password (Coder CVE-2026-55077).
fn more_rights(actor: &Actor, action: Action, subject: &UserFacts) -> Option<Never> {
    let guarded = matches!(
        action,
        Action::UpdateUser
            | Action::DeleteUser
            | Action::EnableUser
            | Action::DisableUser
            | Action::ResetUserPassword
            | Action::InviteUser
            | Action::SignOutUser
            | Action::EndUserSession
            | Action::CreateServiceToken
            | Action::RevokeUserToken
            | Action::OffboardUser
            | Action::PromoteUserToAdmin
            | Action::DemoteAdminUser
    );
    let own_rights = actor.user().map(|u| u.rights)?;
    if !guarded || subject.rights.is_subset_of(own_rights) {
        return None;
    }
    Some(Never {
        rule: "more_rights",
        message: format!("{} has platform rights that you do not have, so only somebody who has them may do this.", subject.username),
        shown: Shown::Refused,
    })
}

/// The last active platform admin cannot be lost, also not by two requests at once: the fact is read in the
/// transaction that decides (D10).
fn last_admin(action: Action, subject: &UserFacts) -> Option<Never> {
    let loses = matches!(action, Action::DemoteAdminUser | Action::DisableUser | Action::DeleteUser | Action::OffboardUser);
    (loses && subject.last_admin).then(|| Never {
        rule: "last_admin",
        message: format!("{} is the last active platform admin. Make somebody else a platform admin first.", subject.username),
        shown: Shown::LastAdmin,
    })
}
