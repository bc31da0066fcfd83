//! The quota question, asked the same way by everything that makes, starts or resizes a workspace, and by its dry run.

use crate::domain::id::UserId;
use crate::domain::pool::{Ask, Check, Level, check};
use crate::domain::quota::Usage;
use crate::error::{Error, Missing, Result};
use crate::store::Read;
use crate::store::pool::{self, Home};
use crate::store::workspaces::Workspace;

/// What a change would draw on, level by level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weighed {
    pub checks: Vec<Check>,
}

impl Weighed {
    /// Whether everything fits.
    pub fn allowed(&self) -> bool {
        self.checks.iter().all(|check| check.ok)
    }

    /// The first comparison that failed.
    pub fn short(&self) -> Option<&Check> {
        self.checks.iter().find(|check| !check.ok)
    }

    /// Refuses by the first level that is too small.
    pub fn require(&self) -> Result<()> {
        crate::domain::pool::require(&self.checks)
    }
}

/// Weighs a workspace that is to count for `after`, and counts for `before` now.
pub(super) fn weigh(read: &Read<'_>, owner: &UserId, home: &Home, before: Option<&Usage>, after: &Usage) -> Result<Weighed> {
    let levels = pool::levels(read, owner, home)?;
    Ok(Weighed { checks: check(&levels, &Ask::from_change(before, after)) })
}

/// Weighs a workspace that is to be this person's in this group, and counts for `after` there. Levels that it draws on
/// today already are asked for the difference only.
pub(super) fn weigh_move(read: &Read<'_>, workspace: &Workspace, owner: &UserId, home: &Home, after: &Usage) -> Result<Weighed> {
    let now = pool::find_home(read, workspace.row.group_id.as_str())?.ok_or(Error::NotFound(Missing::Group))?;
    let drawn_on = pool::levels(read, &workspace.row.owner_id, &now)?;
    let (known, new): (Vec<Level>, Vec<Level>) = pool::levels(read, owner, home)?
        .into_iter()
        .partition(|level| drawn_on.iter().any(|old| (old.kind, &old.id) == (level.kind, &level.id)));
    let mut checks = check(&new, &Ask::from_change(None, after));
    checks.extend(check(&known, &Ask::from_change(Some(&workspace.counted()), after)));
    Ok(Weighed { checks })
}

/// Weighs a change of a workspace that is there.
pub(super) fn weigh_change(read: &Read<'_>, workspace: &Workspace, after: &Usage) -> Result<Weighed> {
    let home = pool::find_home(read, workspace.row.group_id.as_str())?.ok_or(Error::NotFound(Missing::Group))?;
    weigh(read, &workspace.row.owner_id, &home, Some(&workspace.counted()), after)
}
