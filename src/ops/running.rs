//! Which workspaces run now, and for whom: what the server keeps a connection to.
//!
//! A workspace counts while its agent is ready in the run that is wanted and its owner may use it: the account is
//! active. Looked up one by one as news come, and page by page for what the news missed; never all at once.

use super::Ops;
use crate::domain::id::{UserId, WorkspaceId};
use crate::error::Result;
use crate::store::Origin;
use crate::store::running;
pub use crate::store::running::Running;

/// The workspace, if it runs.
pub async fn find(ops: &Ops, id: WorkspaceId) -> Result<Option<Running>> {
    ops.db.read(origin(), move |read| running::find(read, &id)).await
}

/// The running workspaces of one person.
pub async fn of_user(ops: &Ops, user: UserId) -> Result<Vec<Running>> {
    ops.db.read(origin(), move |read| running::of_user(read, &user)).await
}

/// The next running workspaces behind this one, in the order of their ids.
pub async fn page(ops: &Ops, after: Option<WorkspaceId>, limit: usize) -> Result<Vec<Running>> {
    ops.db.read(origin(), move |read| running::page(read, after.as_ref(), limit)).await
}

fn origin() -> Origin {
    Origin { call_id: "uplink".to_owned(), ..Origin::default() }
}
