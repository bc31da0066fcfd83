//! Which apps an operator put on this server for all workspaces. The files are the command line's work; what is done
//! here is that it may, and the record of it.

use super::{Caller, Ops};
use crate::error::Result;
use crate::policy::{Action, Target};
use crate::store::{Change, Tx, actors};
use serde_json::json;

/// One version of an app.
#[derive(Debug, Clone)]
pub struct AppVersion {
    pub name: String,
    pub version: String,
    /// SHA-256 of its files, in hexadecimal.
    pub digest: String,
}

/// Records that an app is about to take its place.
pub async fn installed(ops: &Ops, caller: &Caller, app: AppVersion) -> Result<()> {
    record(ops, caller, Action::InstallApp, app).await
}

/// Records that an app is about to be removed.
pub async fn removed(ops: &Ops, caller: &Caller, app: AppVersion) -> Result<()> {
    record(ops, caller, Action::RemoveApp, app).await
}

async fn record(ops: &Ops, caller: &Caller, action: Action, app: AppVersion) -> Result<()> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let permit = tx.authorize(&actor, action, Target::System, None)?;
        tx.audit(&permit, Change::of(json!({ "name": app.name, "version": app.version, "digest": app.digest })))
    };
    ops.db.write(caller.origin.clone(), job).await
}
