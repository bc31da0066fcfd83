//! Whether the database answers, and how many groups it holds.

use super::{Ops, Origin};
use crate::error::Result;
use crate::store::{installation, stats};

/// Reads one row.
pub async fn database_answers(ops: &Ops, origin: Origin) -> Result<()> {
    ops.db.read(origin, |read| installation::find(read).map(|_| ())).await
}

/// How many namespaces there are: each group has one. Costs a scan of the groups.
pub async fn namespaces(ops: &Ops, origin: Origin) -> Result<i64> {
    ops.db.read(origin, stats::groups).await
}
