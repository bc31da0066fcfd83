//! Why something is allowed or not, in words, from the same row that decides.

use super::action::Action;
use super::actor::{Actor, TokenGrant};
use super::matrix::{Everyone, ReasonRule, Row, Share, row};
use super::target::Target;
use super::{Context, Source, constraints, source_of_right};

/// The answer to "why can or can't they do this".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    pub allowed: bool,
    /// The source that gave the right, where one did.
    pub source: Option<Source>,
    /// One sentence.
    pub words: String,
}

/// Explains one decision.
pub fn explain(actor: &Actor, action: Action, target: Target<'_>, context: Context<'_>) -> Explanation {
    let source = source_of_right(actor, action, &target, context);
    if let Some(never) = constraints::never(actor, action, &target) {
        return Explanation { allowed: false, source, words: never.message };
    }
    match source {
        Some(source) => Explanation { allowed: true, source: Some(source), words: source_words(source).to_owned() },
        None => Explanation { allowed: false, source: None, words: refusal_words(actor, action) },
    }
}

fn source_words(source: Source) -> &'static str {
    match source {
        Source::Platform => "Platform admins may do this everywhere.",
        Source::Organization => "A role in the organization gives this.",
        Source::GroupAdmin => "Admins of the group may do this.",
        Source::GroupMember => "Members of the group may do this.",
        Source::Share => "The workspace is shared at a level that gives this.",
        Source::Own => "It is their own.",
        Source::Everyone => "Everybody may do this.",
        Source::System => "The server does this itself.",
        Source::CommandLine => "A shell on the server may do this.",
        Source::BreakGlass => "A platform admin may enter with a written reason, and the owner is told.",
    }
}

/// Who may, completing "Only …".
fn holders(row: &Row) -> Vec<&'static str> {
    let mut who = Vec::new();
    if row.own {
        who.push(if row.share == Some(Share::Use) && !row.group_admin { "its owner" } else { "the owner" });
    }
    if row.machine {
        who.push("the workspace itself");
    }
    if row.share.is_some() {
        who.push("people it is shared with");
    }
    if row.group_member {
        who.push("members of the group");
    } else if row.group_admin {
        who.push("admins of the group");
    }
    if !row.platform.is_empty() {
        who.push("platform admins");
    }
    who
}

fn joined(words: &[&str]) -> String {
    match words {
        [] => "the server itself".to_owned(),
        [one] => (*one).to_owned(),
        [init @ .., last] => format!("{} and {last}", init.join(", ")),
    }
}

/// Who may take an action, as sentences for the API description.
pub fn who_may(action: Action) -> String {
    let row = row(action);
    let mut words = match row.everyone {
        Everyone::Anonymous => "Anybody.".to_owned(),
        Everyone::SignedIn => "Everybody who is signed in.".to_owned(),
        Everyone::No => {
            let who = joined(&holders(&row));
            let (first, rest) = who.split_at(who.chars().next().map_or(0, char::len_utf8));
            format!("{}{rest}.", first.to_uppercase())
        }
    };
    if row.reason == ReasonRule::ForOthers {
        words.push_str(" A reason is asked for when it is somebody else's.");
    }
    if row.break_glass {
        words.push_str(" A platform admin may with a written reason, where that is allowed.");
    }
    words
}

/// What keeps an API token from an action that its owner might take, as a sentence; `None` where it is not the token.
fn token_words(actor: &Actor, row: &Row) -> Option<String> {
    let user = actor.user().filter(|user| user.credential.token().is_some())?;
    let grant = user.token.as_ref();
    match row.scope {
        None => Some(format!("No API token may {}. Sign in to do it.", row.words)),
        Some(needed) if !grant.is_some_and(|grant| grant.covers(row.scope)) => {
            Some(format!("This API token may not {}: that needs the scope {needed}.", row.words))
        }
        Some(_) if grant.is_some_and(TokenGrant::is_limited) => {
            Some(format!("This API token may not {} here: it was made for certain groups or workspaces only.", row.words))
        }
        Some(_) => None,
    }
}

/// The stable word of a refusal for the audit log.
pub fn refusal_rule(actor: &Actor, action: Action) -> &'static str {
    if token_words(actor, &row(action)).is_some() { "token_scope" } else { "not_permitted" }
}

/// The sentence of a refusal: it names the rule, never the person's fault.
pub fn refusal_words(actor: &Actor, action: Action) -> String {
    let row = row(action);
    if let Some(words) = token_words(actor, &row) {
        return words;
    }
    if row.everyone != Everyone::No {
        return "This credential does not cover the action. Sign in with your password to do it.".to_owned();
    }
    format!("You may not {}. Only {} can.", row.words, joined(&holders(&row)))
}
