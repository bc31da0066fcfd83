//! Reaching for the files of a workspace: who may, and what is written down about it.
//!
//! The owner comes and goes unrecorded but for the last use, which is a change. Everything that anybody else reads or
//! writes is an audit entry with the path, which may say more about a person than an id does and is kept where erasure
//! finds it; the owner is told once for each visit.

use super::terminal::{Entrance, entrance};
use super::workspaces::{Deed, event, tell};
use super::{Caller, Ops};
use crate::clock::MINUTE;
use crate::domain::id::WorkspaceId;
use crate::error::{Error, Missing, Result};
use crate::events::Operation;
use crate::policy::{Action, Context, Permit, Target};
use crate::store::actors::{self, Principal};
use crate::store::workspaces::{self, Workspace};
use crate::store::{Change, Read, Tx, activity, timeline};
use serde_json::json;

/// Who comes back within so many milliseconds is still on the same visit.
const VISIT: i64 = 15 * MINUTE;
/// How many of the newest entries of the timeline are looked at for an earlier visit.
const LOOKED_AT: usize = 50;

/// What somebody reaches for.
#[derive(Debug, Clone)]
pub struct Reach {
    pub workspace: WorkspaceId,
    /// `ReadWorkspaceFiles` or `WriteWorkspaceFiles`.
    pub action: Action,
    /// For the audit: the path below the home, for people.
    pub path: String,
    /// The written reason of somebody who breaks the glass.
    pub reason: Option<String>,
}

/// The way in, and how large the disk of the workspace is.
#[derive(Debug, Clone)]
pub struct Reached {
    pub entrance: Entrance,
    /// 0 where it has no limit.
    pub disk_bytes: i64,
}

fn permit(read: &Read<'_>, principal: &Principal, reach: &Reach, glass: bool) -> Result<(Workspace, Permit)> {
    let actor = actors::load(read, principal)?;
    let workspace = workspaces::find(read, &reach.workspace, actor.user_id())?.ok_or(Error::NotFound(Missing::Workspace))?;
    let context = Context { now: read.now(), reason: reach.reason.as_deref(), break_glass: glass };
    let permit = read.authorize_with(&actor, reach.action, Target::Workspace(&workspace.facts()), context)?;
    Ok((workspace, permit))
}

fn reached(read: &Read<'_>, principal: &Principal, workspace: &Workspace) -> Result<Reached> {
    Ok(Reached { entrance: entrance(read, principal, workspace)?, disk_bytes: workspace.row.size.disk_bytes })
}

/// Asks for the way to the files. Refuses what does not run; records a change, and everything that is somebody else's.
pub async fn reach(ops: &Ops, caller: &Caller, reach: Reach) -> Result<Reached> {
    let glass = ops.rules().break_glass;
    let (principal, wanted) = (caller.principal.clone(), reach.clone());
    let look = move |read: &Read<'_>| {
        let (workspace, _) = permit(read, &principal, &wanted, glass)?;
        reached(read, &principal, &workspace)
    };
    let found = ops.db.read(caller.origin.clone(), look).await?;
    if found.entrance.own && reach.action == Action::ReadWorkspaceFiles {
        return Ok(found);
    }
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let (workspace, permit) = permit(tx, &principal, &reach, glass)?;
        let reached = reached(tx, &principal, &workspace)?;
        if !reached.entrance.own {
            record(tx, &permit, &workspace, &reach, &reached.entrance)?;
        }
        if reach.action == Action::WriteWorkspaceFiles && activity::touch(tx, &reach.workspace, tx.now())? {
            tx.publish(event(&workspace.facts(), Operation::Changed));
        }
        Ok(reached)
    };
    ops.db.write(caller.origin.clone(), job).await
}

fn record(tx: &Tx<'_>, permit: &Permit, workspace: &Workspace, reach: &Reach, entrance: &Entrance) -> Result<()> {
    tx.audit(
        permit,
        Change {
            details: json!({ "run": entrance.run, "breakGlass": permit.is_break_glass() }),
            subject: Some(workspace.row.owner_id.to_string()),
            personal: json!({ "path": reach.path }),
        },
    )?;
    let deed = if reach.action == Action::WriteWorkspaceFiles {
        Deed { code: "files_changed", line: "Its files were changed.", done: "changed files of" }
    } else {
        Deed { code: "files_read", line: "Its files were read.", done: "read files of" }
    };
    let since = tx.now().plus(-VISIT);
    let recent = timeline::list(tx, &reach.workspace, None, LOOKED_AT)?;
    let is_told = recent.items.iter().any(|e| e.code == deed.code && e.actor_id.as_ref() == Some(&entrance.user) && e.at > since);
    if is_told { Ok(()) } else { tell(tx, permit, workspace, entrance.run, &deed) }
}

/// Whether what was begun may go on: the same question again, and the same run.
pub async fn recheck(ops: &Ops, caller: &Caller, reach: Reach, run: i64) -> Result<()> {
    let (principal, glass) = (caller.principal.clone(), ops.rules().break_glass);
    let job = move |read: &Read<'_>| {
        let (workspace, _) = permit(read, &principal, &reach, glass)?;
        let now = entrance(read, &principal, &workspace)?;
        if now.run == run { Ok(()) } else { Err(Error::WrongState("It was restarted.".to_owned())) }
    };
    ops.db.read(caller.origin.clone(), job).await
}
