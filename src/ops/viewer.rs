//! The caller's rights as they are now, for streams that outlive a change of them.

use super::{Caller, Ops};
use crate::error::Result;
use crate::policy::Actor;
use crate::store::actors;

/// Loads the actor anew; an error when the caller is nobody any more.
pub async fn reload(ops: &Ops, caller: &Caller) -> Result<Actor> {
    let principal = caller.principal.clone();
    ops.db.read(caller.origin.clone(), move |read| actors::load(read, &principal)).await
}
