//! Telling the timeline of a workspace what its programs were refused.

use super::Ops;
use super::timeline::{self, NewEvent};
use crate::domain::id::WorkspaceId;
use crate::error::Result;
use crate::store::{Origin, Tx};

/// Notes one refusal; the same one right after counts up. Nothing where the workspace is gone.
pub async fn note(ops: &Ops, workspace: WorkspaceId, run: i64, message: String) -> Result<()> {
    let origin = Origin { call_id: "egress".to_owned(), ..Origin::default() };
    let job = move |tx: &Tx<'_>| {
        let event = NewEvent { workspace, at: tx.now(), run, kind: "warning", code: "egress_refused".to_owned(), message, actor: None };
        timeline::tell(tx, &[event])
    };
    ops.db.write(origin, job).await
}
