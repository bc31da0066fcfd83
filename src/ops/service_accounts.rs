//! Service accounts: who programs are when they are nobody in particular.
//!
//! An account without a password and without a browser: it is made by an administrator, lives in an organization, works
//! through the groups it is a member of, and shows itself with API tokens only. It is never a platform admin. Disabling,
//! enabling and deleting it, and its memberships, are those of any account.

use super::user_create::first_groups;
use super::users::{Account, account, accounts, changed};
use super::{Caller, Ops};
use crate::domain::group::GroupRole;
use crate::domain::id::{GroupId, UserId};
use crate::domain::names::{PersonName, Reason, Username};
use crate::error::Result;
use crate::events::Operation;
use crate::policy::{Action, Target};
use crate::store::users::{self, NewService};
use crate::store::{Change, Page, Read, Tx, actors, memberships, organizations};
use serde_json::json;

/// What a service account is to be.
#[derive(Debug)]
pub struct NewServiceAccount {
    pub username: Username,
    /// What it is for.
    pub name: Option<PersonName>,
    /// Groups that it becomes a plain member of.
    pub groups: Vec<GroupId>,
    pub reason: Option<Reason>,
}

/// Makes a service account. Each membership needs its own permission.
pub async fn create(ops: &Ops, caller: &Caller, new: NewServiceAccount) -> Result<Account> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let reason = new.reason.as_ref().map(Reason::as_str);
        tx.authorize(&actor, Action::CreateServiceAccount, Target::System, reason)?;
        let groups = first_groups(tx, &actor, &new.groups, reason)?;
        let id = UserId::fresh(tx.now(), tx.entropy());
        let permit = tx.authorize(&actor, Action::CreateServiceAccount, Target::System, reason)?.made(format!("user:{id}"), None);
        let name = new.name.as_ref().map_or("", PersonName::as_str);
        let organization = organizations::default(tx)?.id;
        users::insert_service(tx, &permit, &NewService { id: &id, username: &new.username, name, organization: &organization })?;
        for group in &groups {
            memberships::insert(tx, &permit, &group.id, &id, GroupRole::Member)?;
        }
        let ids: Vec<&str> = groups.iter().map(|group| group.id.as_str()).collect();
        let personal = json!({ "username": new.username, "createdUser": name });
        let details = json!({ "groups": ids, "organizationId": organization });
        tx.audit(&permit, Change { details, subject: Some(id.to_string()), personal })?;
        tx.publish(changed(&id, Operation::Changed, groups.first().map(|group| group.id.clone())));
        account(tx, &actor, &id)
    };
    ops.db.write(caller.origin.clone(), job).await
}

/// The service accounts by user name, after the one that is named.
pub async fn list(ops: &Ops, caller: &Caller, after: Option<String>, limit: usize) -> Result<Page<Account>> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::ListUsers, Target::System, None)?;
        let page = users::service_accounts(read, after.as_deref().unwrap_or_default(), limit)?;
        let more = page.more;
        Ok(Page { items: accounts(read, &actor, page.items)?, more })
    };
    ops.db.read(caller.origin.clone(), job).await
}
