//! API tokens: what programs show instead of a password.
//!
//! A token is made by somebody who signed in, for themselves or, by an administrator, for a service account; its text is
//! told once. It narrows what its owner may do to its scopes, and where it was made so to some groups and workspaces; what
//! is left is looked up at each use, so it shrinks with its owner. Administrators see what tokens there are and revoke
//! them; nobody reads one again. Making and revoking are recorded, and so is by which token anything was done.

use super::own_account::own_id;
use super::users::present;
use super::{Caller, Ops};
use crate::clock::DAY;
use crate::domain::id::{GroupId, TokenId, UserId, WorkspaceId};
use crate::domain::names::{DisplayName, Reason};
use crate::domain::scope::Scope;
use crate::domain::user::UserKind;
use crate::error::{Error, FieldProblem, Missing, Result};
use crate::events::{Audience, Cut, CutReason, Event, Operation};
use crate::policy::{Action, Actor, Permit, Target, TokenGrant, may};
pub use crate::store::api_tokens::TokenRow;
use crate::store::inbox::{self, Notice};
use crate::store::users::{self, User};
use crate::store::{Change, Effect, Origin, Page, Read, Tx, actors, api_tokens, groups, workspaces};
use crate::token::api::ApiToken;
use secrecy::SecretString;
use serde_json::json;

/// What the text of every token begins with.
pub use crate::token::opaque::API_TOKEN_PREFIX as PREFIX;

/// Tokens that one account has at most at a time.
pub const MOST: i64 = 50;
/// The longest life of a token, in days.
pub const DAYS_MOST: i64 = 365;
/// Before so many days the keeper of a token is told that it ends.
const WARNED_BEFORE: [i64; 2] = [14, 3];

/// What a token is to be.
#[derive(Debug)]
pub struct NewToken {
    pub name: DisplayName,
    pub scopes: Vec<Scope>,
    /// 1 to [`DAYS_MOST`].
    pub days: i64,
    /// With these or [`NewToken::workspaces`], it works there and nowhere else.
    pub groups: Vec<GroupId>,
    pub workspaces: Vec<WorkspaceId>,
}

/// A new token, and its text, which is told this once.
#[derive(Debug)]
pub struct Made {
    pub row: TokenRow,
    pub secret: SecretString,
}

/// A token with the account it stands for.
#[derive(Debug, Clone)]
pub struct OfAccount {
    pub row: TokenRow,
    pub owner: Option<User>,
}

/// The caller's tokens, newest first.
pub async fn own(ops: &Ops, caller: &Caller) -> Result<Vec<TokenRow>> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::ListOwnTokens, Target::Own, None)?;
        api_tokens::of_user(read, &own_id(&actor)?)
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// Makes a token for the caller.
pub async fn create_own(ops: &Ops, caller: &Caller, new: NewToken) -> Result<Made> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let permit = tx.authorize(&actor, Action::CreateOwnToken, Target::Own, None)?;
        make(tx, &permit, &own_id(&actor)?, &new)
    };
    ops.db.write(caller.origin.clone(), job).await
}

/// Ends one of the caller's tokens, or all of them. Somebody else's is as good as none.
pub async fn revoke_own(ops: &Ops, caller: &Caller, which: Option<TokenId>) -> Result<()> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let permit = tx.authorize(&actor, Action::RevokeOwnToken, Target::Own, None)?;
        end(tx, &permit, &own_id(&actor)?, which.as_ref()).map(drop)
    };
    ops.db.write(caller.origin.clone(), job).await
}

/// The tokens of an account, newest first.
pub async fn of_user(ops: &Ops, caller: &Caller, id: UserId) -> Result<Vec<TokenRow>> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        let (user, facts) = present(read, &id)?;
        read.authorize(&actor, Action::ListUserTokens, Target::User(&facts), None)?;
        api_tokens::of_user(read, &user.id)
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// Makes a token for a service account.
pub async fn create_for(ops: &Ops, caller: &Caller, id: UserId, new: NewToken, reason: Option<Reason>) -> Result<Made> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let (user, facts) = present(tx, &id)?;
        let permit = tx.authorize(&actor, Action::CreateServiceToken, Target::User(&facts), reason.as_ref().map(Reason::as_str))?;
        if user.kind != UserKind::Service {
            return Err(Error::WrongState(format!("{} is a person. People make their tokens themselves.", user.username)));
        }
        make(tx, &permit, &user.id, &new)
    };
    ops.db.write(caller.origin.clone(), job).await
}

/// Ends one token of an account, or all of them, and tells whoever kept it.
pub async fn revoke_of(ops: &Ops, caller: &Caller, id: UserId, which: Option<TokenId>, reason: Option<Reason>) -> Result<()> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let (user, facts) = present(tx, &id)?;
        let permit = tx.authorize(&actor, Action::RevokeUserToken, Target::User(&facts), reason.as_ref().map(Reason::as_str))?;
        let ended = end(tx, &permit, &user.id, which.as_ref())?;
        if ended > 0 && user.kind == UserKind::Person && actor.user_id() != Some(&user.id) {
            let words = if ended == 1 { "One of your API tokens was".to_owned() } else { format!("{ended} of your API tokens were") };
            let message = format!("{words} revoked by an administrator. Programs that used it are refused.");
            inbox::insert(tx, &Notice { to: &user.id, code: "tokens_revoked", message, link: "/profile".into() })?;
        }
        Ok(())
    };
    ops.db.write(caller.origin.clone(), job).await
}

/// Everybody's tokens, newest first, a page at a time.
pub async fn all(ops: &Ops, caller: &Caller, after: Option<TokenId>, limit: usize) -> Result<Page<OfAccount>> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::ListAllTokens, Target::System, None)?;
        let page = api_tokens::page(read, after.as_ref(), limit)?;
        let owners = users::find_many(read, page.items.iter().map(|row| row.user_id.as_str()))?;
        let owner = |row: &TokenRow| owners.iter().find(|user| user.id == row.user_id).cloned();
        Ok(page.map(|row| OfAccount { owner: owner(&row), row }))
    };
    ops.db.read(caller.origin.clone(), job).await
}

fn make(tx: &Tx<'_>, permit: &Permit, owner: &UserId, new: &NewToken) -> Result<Made> {
    demand_seen(tx, permit.actor(), new)?;
    if api_tokens::count_live(tx, owner)? >= MOST {
        return Err(Error::WrongState(format!("There are {MOST} tokens already. Revoke one that is not used any more.")));
    }
    let made = ApiToken::fresh(tx.entropy());
    let row = TokenRow {
        id: TokenId::fresh(tx.now(), tx.entropy()),
        user_id: owner.clone(),
        name: new.name.to_string(),
        mark: made.mark,
        grant: TokenGrant {
            scopes: new.scopes.iter().copied().collect(),
            groups: new.groups.iter().cloned().collect(),
            workspaces: new.workspaces.iter().cloned().collect(),
        },
        created_by: permit.actor().user_id().cloned(),
        created_at: tx.now(),
        expires_at: tx.now().plus(new.days * DAY),
        revoked_at: None,
        last_used_at: None,
        last_address: String::new(),
    };
    api_tokens::insert(tx, permit, &row, &made.hash)?;
    let details = json!({
        "tokenId": row.id, "mark": row.mark, "scopes": row.grant.scopes, "expiresAt": row.expires_at.rfc3339(),
        "groups": row.grant.groups, "workspaces": row.grant.workspaces,
    });
    tx.audit(permit, Change { details, subject: Some(owner.to_string()), personal: json!({ "token": row.name }) })?;
    tx.publish(changed(&row.id, owner, Operation::Changed));
    Ok(Made { row, secret: made.secret })
}

/// What a token is limited to must be there for whoever makes it.
fn demand_seen(tx: &Tx<'_>, actor: &Actor, new: &NewToken) -> Result<()> {
    let mut problems = Vec::new();
    for (index, id) in new.groups.iter().enumerate() {
        let found = groups::find(tx, id)?;
        if !found.is_some_and(|group| may(actor, Action::ViewGroup, Target::Group(&group.facts()))) {
            problems.push(FieldProblem::new(format!("groups[{index}]"), "unknown_group", "There is no such group."));
        }
    }
    for (index, id) in new.workspaces.iter().enumerate() {
        let found = workspaces::find(tx, id, actor.user_id())?;
        if !found.is_some_and(|workspace| may(actor, Action::ViewWorkspace, Target::Workspace(&workspace.facts()))) {
            problems.push(FieldProblem::new(format!("workspaces[{index}]"), "unknown_workspace", "There is no such workspace."));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Error::Invalid(problems)) }
}

/// Ends one token or all, with every connection that it opened; answers how many there were.
fn end(tx: &Tx<'_>, permit: &Permit, owner: &UserId, which: Option<&TokenId>) -> Result<usize> {
    let (details, ended) = if let Some(id) = which {
        let row = api_tokens::find(tx, id)?.filter(|row| row.user_id == *owner).ok_or(Error::NotFound(Missing::Token))?;
        api_tokens::revoke(tx, permit, &row.id)?;
        tx.after_commit(Effect::Cut(Cut::Token(row.id.clone()), CutReason::Revoked));
        tx.publish(changed(&row.id, owner, Operation::Removed));
        (json!({ "tokenId": row.id, "mark": row.mark }), 1)
    } else {
        let ended = api_tokens::revoke_all(tx, permit, owner)?;
        tx.after_commit(Effect::Cut(Cut::TokensOf(owner.clone()), CutReason::Revoked));
        tx.publish(changed(owner, owner, Operation::Removed));
        (json!({ "endedTokens": ended }), ended)
    };
    tx.audit(permit, Change { details, subject: Some(owner.to_string()), personal: serde_json::Value::Null })?;
    Ok(ended)
}

/// Tells the owner's pages and those of administrators.
fn changed(id: &impl ToString, owner: &UserId, operation: Operation) -> Event {
    Event {
        kind: "token",
        operation,
        id: id.to_string(),
        group_id: None,
        audience: Audience { users: vec![owner.clone()], platform: true, ..Audience::default() },
        reset: Vec::new(),
    }
}

/// Tells the keepers of tokens that these end soon: two weeks before, and three days before.
pub fn tell_of_ends(ops: &Ops) -> Result<()> {
    ops.db.write_blocking(Origin::default(), |tx: &Tx<'_>| {
        for days in WARNED_BEFORE {
            for ending in api_tokens::ending(tx, days * DAY)? {
                let left = ending.expires_at.since(tx.now()).div_euclid(DAY) + 1;
                let whose = if ending.tell == ending.owner { String::new() } else { format!(" of {}", ending.owner_name) };
                let link = if ending.tell == ending.owner { "/profile".into() } else { format!("/admin/users/{}", ending.owner) };
                let words = if left == 1 { "within a day".to_owned() } else { format!("in {left} days") };
                let message = format!("The API token \"{}\"{whose} ends {words}. Make another and put it in its place.", ending.name);
                inbox::insert(tx, &Notice { to: &ending.tell, code: "token_ends", message, link })?;
                api_tokens::warned(tx, &ending.id)?;
            }
        }
        Ok(())
    })
}
