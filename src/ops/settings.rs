//! Settings that change while the server runs: what is set, by whom, and changes of it.
//!
//! Which keys there are, what may be written and what a file pins is the configuration's business; whoever calls
//! [`change`] has asked it. What is in force follows the table: the application reads it again after a change.

use super::{Caller, Ops};
use crate::domain::names::Reason;
use crate::error::{Error, Result};
use crate::events::{Audience, Event, Operation};
use crate::policy::{Action, Target};
pub use crate::store::settings::Stored;
use crate::store::{Change, Read, Tx, actors, settings};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The rows of the table, and the ETag of all of them.
#[derive(Debug, Clone)]
pub struct Held {
    pub stored: BTreeMap<String, Stored>,
    pub revision: i64,
}

/// One wish of a PATCH.
#[derive(Debug, Clone)]
pub struct Wish {
    pub key: String,
    /// `None`: back to the default.
    pub value: Option<Value>,
    /// What holds when nothing is set.
    pub default: Value,
    /// Its values are not written into the audit log.
    pub secret: bool,
}

fn held(read: &Read<'_>) -> Result<Held> {
    Ok(Held { stored: settings::list(read)?, revision: settings::revision(read)? })
}

/// What is set.
pub async fn list(ops: &Ops, caller: &Caller) -> Result<Held> {
    let principal = caller.principal.clone();
    let job = move |read: &Read<'_>| {
        let actor = actors::load(read, &principal)?;
        read.authorize(&actor, Action::ViewSystemSettings, Target::System, None)?;
        held(read)
    };
    ops.db.read(caller.origin.clone(), job).await
}

/// Changes some settings, all or none, under one entry with each old and new value. `action` tells prices from the rest;
/// `revision` is that of `If-Match`.
pub async fn change(
    ops: &Ops,
    caller: &Caller,
    action: Action,
    wishes: Vec<Wish>,
    reason: Option<Reason>,
    revision: Option<i64>,
) -> Result<Held> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let permit = tx.authorize(&actor, action, Target::System, reason.as_ref().map(Reason::as_str))?;
        let before = held(tx)?;
        if revision.is_some_and(|r| r != before.revision) {
            return Err(Error::Stale);
        }
        let mut differences = Map::new();
        for wish in &wishes {
            let old = before.stored.get(&wish.key).map_or(&Value::Null, |stored| &stored.value);
            let new = wish.value.as_ref().unwrap_or(&Value::Null);
            if old != new {
                settings::save(tx, &permit, &wish.key, new)?;
                differences.insert(wish.key.clone(), difference(wish, old, new));
            }
        }
        if !differences.is_empty() {
            tx.audit(&permit, Change::of(differences.into()))?;
            tx.publish(Event {
                kind: "setting",
                operation: Operation::Changed,
                id: "system".to_owned(),
                group_id: None,
                audience: Audience { platform: true, ..Audience::default() },
                reset: Vec::new(),
            });
        }
        held(tx)
    };
    ops.db.write(caller.origin.clone(), job).await
}

/// What held and what holds; of a secret only that it changed.
fn difference(wish: &Wish, old: &Value, new: &Value) -> Value {
    let holds = |value: &Value| if value.is_null() { wish.default.clone() } else { value.clone() };
    if wish.secret { json!("changed") } else { json!({ "before": holds(old), "after": holds(new) }) }
}
