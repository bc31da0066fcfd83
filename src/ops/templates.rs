//! Seeing workspace recipes.

use super::{Caller, Ops};
use crate::error::Result;
use crate::policy::{Action, Target};
use crate::store::templates;
pub use crate::store::templates::Template;
use crate::store::{Read, actors};

/// What a workspace can be made from, the built-in ones first.
pub async fn list(ops: &Ops, caller: &Caller) -> Result<Vec<Template>> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::ListTemplates, Target::System, None)?;
        templates::list(read)
    };
    ops.db.read(caller.origin.clone(), job).await
}
