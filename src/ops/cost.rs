//! What was held this month, of whom: the ground that prices turn into money. The prices themselves are settings.

use super::workspaces::permitted;
use super::{Caller, Ops};
use crate::clock::Millis;
use crate::domain::id::{UserId, WorkspaceId};
use crate::domain::month::Month;
use crate::domain::pricing::Prices;
use crate::error::{Error, Missing, Result};
use crate::policy::{Action, Target};
use crate::store::periods::{self, Whose};
pub use crate::store::periods::{By, Holding};
use crate::store::workspaces::Workspace;
use crate::store::{Read, actors, groups, users};

/// What somebody holds, and the moment at which that was asked.
#[derive(Debug, Clone, Copy)]
pub struct Account {
    pub holding: Holding,
    pub now: Millis,
}

impl Account {
    /// Of the month so far.
    pub fn month_to_date(&self, prices: &Prices) -> f64 {
        self.holding.so_far.cost(prices)
    }

    /// Of the whole month, if everything stays as it is now.
    pub fn projected(&self, prices: &Prices) -> f64 {
        let left = Month::of(self.now).hours_left(self.now);
        crate::domain::pricing::rounded(self.month_to_date(prices) + self.holding.present.cost(prices) * left)
    }
}

/// Who may see prices.
pub async fn see_prices(ops: &Ops, caller: &Caller) -> Result<()> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::ViewPricing, Target::System, None).map(drop)
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// One workspace and what it held; `since`: before that nothing is known of it.
pub async fn of_workspace(ops: &Ops, caller: &Caller, id: WorkspaceId) -> Result<(Workspace, Account, Option<Millis>)> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        let (workspace, _) = permitted(read, &actor, &id, Action::ViewWorkspaceMetrics, None)?;
        let holding = periods::of(read, Whose::Workspace(id.as_str()))?;
        Ok((workspace, Account { holding, now: read.now() }, periods::known_since(read, &id)?))
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// All workspaces of a group, those that are gone included.
pub async fn of_group(ops: &Ops, caller: &Caller, group: String) -> Result<Account> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        let group = groups::resolve(read, &group)?.ok_or(Error::NotFound(Missing::Group))?;
        read.authorize(&actor, Action::ViewGroupUsage, Target::Group(&group.facts()), None)?;
        Ok(Account { holding: periods::of(read, Whose::Group(group.id.as_str()))?, now: read.now() })
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// All workspaces of a person, in all groups.
pub async fn of_user(ops: &Ops, caller: &Caller, id: UserId) -> Result<Account> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        let user = users::find(read, &id)?.ok_or(Error::NotFound(Missing::User))?;
        let facts = users::facts(read, &user)?;
        read.authorize(&actor, Action::ViewUserCost, Target::User(&facts), None)?;
        Ok(Account { holding: periods::of(read, Whose::Owner(id.as_str()))?, now: read.now() })
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// One line of a list: id, name (`None`: it is gone), what it holds.
pub type Line = (String, Option<String>, Account);

/// Everybody's, and the sum of all.
pub async fn list(ops: &Ops, caller: &Caller, by: By) -> Result<(Vec<Line>, Account)> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::ViewCosts, Target::System, None)?;
        let now = read.now();
        let lines = periods::list(read, by)?.into_iter().map(|(id, name, holding)| (id, name, Account { holding, now }));
        Ok((lines.collect(), Account { holding: periods::of(read, Whose::All)?, now }))
    };
    ops.db.read(caller.origin.clone(), job).await
}
