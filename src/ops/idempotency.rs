//! Repeated creating requests: the answer that was given the first time.

use super::{Ops, Origin};
use crate::error::Result;
use crate::store::idempotency as rows;
pub use crate::store::idempotency::{IdempotencyKey, Remembered};

/// The answer that was kept for this key, for a day.
pub async fn find(ops: &Ops, origin: Origin, key: IdempotencyKey) -> Result<Option<Remembered>> {
    ops.db.read(origin, move |read| rows::find(read, &key)).await
}

/// Keeps an answer.
pub async fn keep(ops: &Ops, origin: Origin, key: IdempotencyKey, answer: Remembered) -> Result<()> {
    ops.db.write(origin, move |tx| rows::keep(tx, &key, &answer)).await
}
