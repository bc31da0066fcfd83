//! What a person was told: what others did to their things, and what became of their rights. Whoever acts writes the
//! notice in the transaction of the act; here it is read.

use super::own_account::own_id;
use super::{Caller, Ops};
use crate::domain::id::NoticeId;
use crate::error::Result;
use crate::policy::{Action, Target};
use crate::store::inbox;
pub use crate::store::inbox::Told;
use crate::store::{Page, Read, Tx, actors};

/// Which notices are asked for.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Only those that were not read yet.
    pub unread: bool,
    /// The last id of the page before.
    pub before: Option<NoticeId>,
    pub limit: usize,
}

/// The caller's notices, newest first.
pub async fn list(ops: &Ops, caller: &Caller, wish: Wish) -> Result<Page<Told>> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::ReadOwnNotices, Target::Own, None)?;
        inbox::list(read, &own_id(&actor)?, wish.unread, wish.before.as_ref(), wish.limit)
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// Marks the caller's notices up to this one as read; without one, all of them.
pub async fn mark_read(ops: &Ops, caller: &Caller, until: Option<NoticeId>) -> Result<()> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        tx.authorize(&actor, Action::ReadOwnNotices, Target::Own, None)?;
        inbox::mark_read(tx, &own_id(&actor)?, until.as_ref()).map(drop)
    };
    ops.db.write(caller.origin.clone(), job).await
}
