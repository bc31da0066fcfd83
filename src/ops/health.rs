//! Whether the database answers.

use super::{Ops, Origin};
use crate::error::Result;
use crate::store::installation;

/// Reads one row.
pub async fn database_answers(ops: &Ops, origin: Origin) -> Result<()> {
    ops.db.read(origin, |read| installation::find(read).map(|_| ())).await
}
