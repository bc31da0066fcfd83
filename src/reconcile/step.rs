//! Carrying out one step, and remembering when it did not work.

use super::origin;
use super::plan::{Step, Wanted};
use super::record::StatusChange;
use super::seen::complained;
use crate::clock::{MINUTE, Millis, SECOND};
use crate::cluster::{AgentTrust, ClusterControl, ClusterError};
use crate::domain::id::{GroupId, WorkspaceId};
use crate::domain::workspace::Reason;
use crate::error::{Error, Result};
use crate::ops::group_state::{self, NAMESPACE_TAKEN};
use crate::ops::{Ops, workspace_actions};
use crate::store::Tx;
use crate::store::timeline::{self, NewEvent};
use crate::store::workspaces::{self, Workspace};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

/// The longest that one call of the cluster may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The first pause after a failure, and the longest, in milliseconds.
const FIRST_PAUSE: i64 = SECOND;
const LONGEST_PAUSE: i64 = 5 * MINUTE;

/// What steps work with.
pub struct Context<'a> {
    pub ops: &'a Ops,
    pub cluster: &'a dyn ClusterControl,
    pub wanted: &'a Wanted,
    pub trust: &'a AgentTrust,
    pub now: Millis,
}

/// What became of a step.
enum Outcome {
    Done,
    /// The cluster said no: today, or to what is described.
    Refused(ClusterError),
}

/// How long to wait after so many failures in a row, in milliseconds: 1 s, 2 s, 4 s, … 5 min.
pub fn pause_after(attempts: i64) -> i64 {
    let doublings = u32::try_from(attempts.clamp(1, 16) - 1).unwrap_or(0);
    FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE)
}

/// Carries out a step. Whatever goes wrong stays with its object.
pub async fn carry_out(context: &Context<'_>, step: Step) {
    let name = format!("{step:?}");
    let short: String = name.chars().take(120).collect();
    let attempt = AssertUnwindSafe(tokio::time::timeout(PATIENCE, attempt(context, &step))).catch_unwind().await;
    let outcome = match attempt {
        Ok(Ok(Ok(outcome))) => outcome,
        Ok(Ok(Err(error))) => {
            tracing::warn!(step = short, %error, "a step of the reconciler could not be recorded; it is repeated");
            return;
        }
        Ok(Err(_)) => Outcome::Refused(ClusterError::Transient("the cluster took longer than 30 seconds".to_owned())),
        Err(_) => {
            tracing::error!(step = short, "a step of the reconciler panicked");
            Outcome::Refused(ClusterError::Transient("the server failed at this; its log says more".to_owned()))
        }
    };
    if let Err(error) = settle(context, &step, outcome).await {
        tracing::warn!(step = short, %error, "the outcome of a step could not be recorded");
    }
}

async fn attempt(context: &Context<'_>, step: &Step) -> Result<Outcome> {
    let Context { ops, cluster, trust, .. } = context;
    let answer = match step {
        Step::ApplyGroup(spec) => cluster.apply_group(spec).await,
        Step::RemoveGroup { id, namespace } => gone_is_done(cluster.remove_group(id, namespace).await),
        Step::RecordGroup { id, generation, namespace_uid } => {
            group_state::record_active(ops, id.clone(), *generation, namespace_uid.clone()).await?;
            Ok(())
        }
        Step::ForgetGroup(id) => {
            group_state::removed(ops, id.clone()).await?;
            Ok(())
        }
        Step::ApplyWorkspace(spec) => cluster.apply_workspace(spec, trust).await,
        Step::RemoveWorkspace { id, namespace, .. } => gone_is_done(cluster.remove_workspace(id, namespace).await),
        Step::ForgetWorkspace(id) => {
            workspace_actions::record_removed(&ops.db, origin(), id.clone()).await?;
            Ok(())
        }
    };
    Ok(answer.map_or_else(Outcome::Refused, |()| Outcome::Done))
}

fn gone_is_done(answer: std::result::Result<(), ClusterError>) -> std::result::Result<(), ClusterError> {
    match answer {
        Err(ClusterError::Gone) => Ok(()),
        other => other,
    }
}

async fn settle(context: &Context<'_>, step: &Step, outcome: Outcome) -> Result<()> {
    match (step, outcome) {
        (Step::ApplyGroup(spec), Outcome::Refused(error)) => group_refused(context, &spec.id, &error).await,
        (Step::RemoveGroup { id, .. }, Outcome::Refused(error)) => group_refused(context, id, &error).await,
        (Step::ApplyWorkspace(spec), outcome) => workspace_settled(context, &spec.id, outcome).await,
        (Step::RemoveWorkspace { id, .. }, outcome) => workspace_settled(context, id, outcome).await,
        _ => Ok(()),
    }
}

async fn group_refused(context: &Context<'_>, id: &GroupId, error: &ClusterError) -> Result<()> {
    let Some(group) = context.wanted.groups.iter().find(|g| g.id == *id) else { return Ok(()) };
    let attempts = group.attempts + 1;
    let next = context.now.plus(pause_after(attempts));
    let (reason, is_final) = reason(error);
    let code = if matches!(error, ClusterError::Conflict(_)) { NAMESPACE_TAKEN.to_owned() } else { reason.code };
    if is_final {
        group_state::record_failed(context.ops, id.clone(), code.clone(), reason.message.clone()).await?;
    }
    group_state::record_attempt(context.ops, id.clone(), attempts, next, Some((code, reason.message))).await
}

async fn workspace_settled(context: &Context<'_>, id: &WorkspaceId, outcome: Outcome) -> Result<()> {
    let found = context.wanted.workspaces.iter().find(|w| w.row.id == *id);
    let workspace = found.ok_or_else(|| Error::internal("a step for a workspace that is not wanted"))?;
    let (id, generation) = (workspace.row.id.clone(), workspace.row.generation);
    match outcome {
        Outcome::Done if workspace.row.attempts == 0 => Ok(()),
        Outcome::Done => context.ops.db.write(origin(), move |tx| workspaces::save_attempts(tx, &id, generation, 0, Millis(0))).await,
        Outcome::Refused(error) => workspace_refused(context, workspace, &error).await,
    }
}

/// Keeps the reason where the owner sees it, and the time of the next try.
async fn workspace_refused(context: &Context<'_>, workspace: &Workspace, error: &ClusterError) -> Result<()> {
    let (reason, is_final) = reason(error);
    let row = &workspace.row;
    let attempts = row.attempts + 1;
    let next = context.now.plus(pause_after(attempts));
    let told = NewEvent {
        workspace: row.id.clone(),
        at: context.now,
        run: row.run,
        kind: if is_final { "error" } else { "warning" },
        code: reason.code.clone(),
        message: reason.message.clone(),
        actor: None,
    };
    let (id, generation) = (row.id.clone(), row.generation);
    let change = StatusChange::of(workspace, complained(workspace, reason, is_final, context.now));
    let job = move |tx: &Tx<'_>| {
        workspaces::save_attempts(tx, &id, generation, attempts, next)?;
        timeline::insert(tx, &told)?;
        change.map_or(Ok(()), |change| change.write(tx))
    };
    context.ops.db.write(origin(), job).await
}

/// The reason in words, and whether trying again is of little use.
fn reason(error: &ClusterError) -> (Reason, bool) {
    let plain = |code: &str, message: String, remedy: &str| Reason { code: code.to_owned(), message, remedy: Some(remedy.to_owned()) };
    match error {
        ClusterError::Rejected(reason) => (reason.clone(), true),
        ClusterError::Conflict(why) => {
            (plain("conflict", format!("The cluster refused it: {why}."), "A platform admin can look at it."), true)
        }
        ClusterError::Transient(why) => (plain("retrying", format!("It did not work: {why}."), "It is tried again by itself."), false),
        ClusterError::Gone => (plain("retrying", "What it needs is not there yet.".to_owned(), "It is tried again by itself."), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end_at_five_minutes() {
        assert_eq!([1, 2, 3, 4].map(pause_after), [1_000, 2_000, 4_000, 8_000]);
        assert_eq!([9, 10, 1_000, i64::MAX].map(pause_after), [256_000, 300_000, 300_000, 300_000]);
        assert_eq!([0, -5].map(pause_after), [1_000, 1_000]);
    }
}
