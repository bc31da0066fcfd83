//! When a workspace was last used by a person. Unaudited, and apart from the workspace, so that using it never touches
//! the row that says what it should be.

use super::tx::{Tx, Unaudited};
use crate::clock::{MINUTE, Millis};
use crate::domain::id::WorkspaceId;
use crate::error::Result;

const TOUCH: &str = "INSERT INTO workspace_activity (workspace_id, last_accessed_at) SELECT id, ?2 FROM workspace WHERE id = ?1 \
     ON CONFLICT (workspace_id) DO UPDATE SET last_accessed_at = excluded.last_accessed_at WHERE last_accessed_at <= ?3";

/// Notes that the workspace was used; at most one write a minute. Answers whether something was written.
pub fn touch(tx: &Tx<'_>, id: &WorkspaceId, at: Millis) -> Result<bool> {
    Ok(tx.note(Unaudited::Activity, TOUCH, (id.as_str(), at.0, at.plus(-MINUTE).0))? > 0)
}
