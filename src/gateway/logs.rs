//! The log of a workspace: its newest lines, and then the new ones as they are written.

use super::{Gateway, place, refused};
use crate::clock::Millis;
use crate::cluster::{ClusterError, LogLine, LogOptions};
use crate::domain::id::WorkspaceId;
use crate::error::Result;
use crate::events::Belongs;
use crate::ops::{Caller, workspaces};
use crate::policy::{Action, Principal};
use futures_util::stream::{self, BoxStream, StreamExt};
use std::time::Duration;

/// How often the right to read on is asked for again.
const RECHECK: Duration = Duration::from_secs(60);

/// Which lines are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogWish {
    /// At most so many of the newest lines come first.
    pub lines: usize,
    /// Go on as lines are written.
    pub follow: bool,
    /// What ended before, where it has a log of its own (a container that crashed).
    pub previous: bool,
    /// Only what was written at this time or later.
    pub since: Option<Millis>,
}

/// The lines, each `<rfc3339> <text>` with a line end. A stream that follows ends with the right to read it.
pub async fn read(gateway: &Gateway, caller: &Caller, id: WorkspaceId, wish: LogWish) -> Result<BoxStream<'static, String>> {
    let workspace = workspaces::view(&gateway.ops, caller, id.clone(), Action::ViewWorkspaceLogs).await?;
    let lines = of(gateway, &id, &workspace.namespace, workspace.row.run, wish).await?;
    if !wish.follow {
        return Ok(lines.boxed());
    }
    let Some(end) = end_of_right(gateway, caller, id, workspace.row.group_id.clone()) else { return Ok(lines.boxed()) };
    Ok(lines.take_until(end).boxed())
}

/// The lines of a workspace, for somebody who was found to be allowed to read them.
pub async fn of(gateway: &Gateway, id: &WorkspaceId, namespace: &str, run: i64, wish: LogWish) -> Result<BoxStream<'static, String>> {
    let place = place(id, namespace, run);
    let options = LogOptions { tail: wish.lines, follow: wish.follow, since: wish.since, previous: wish.previous };
    match gateway.view.logs(&place, options).await {
        Ok(lines) => Ok(lines.map(|line| print(&line)).boxed()),
        // It never ran: nothing was written.
        Err(ClusterError::Gone) => Ok(stream::empty().boxed()),
        Err(error) => Err(refused(error)),
    }
}

fn print(line: &LogLine) -> String {
    // One line is one line, whatever a program wrote into it.
    let text: String = line.text.chars().map(|c| if c == '\n' || c == '\r' { ' ' } else { c }).collect();
    format!("{} {text}\n", line.at.rfc3339())
}

/// Completes when the caller may not read on: their connection was cut, or the right is gone when it is asked for again.
pub(super) fn end_of_right(
    gateway: &Gateway,
    caller: &Caller,
    id: WorkspaceId,
    group: crate::domain::id::GroupId,
) -> Option<futures_util::future::BoxFuture<'static, ()>> {
    let Principal::User { id: user, credential, .. } = &caller.principal else { return None };
    let (session, token) = (credential.session().cloned(), credential.token().cloned());
    let belongs = Belongs { user: Some(user.clone()), session, token, workspace: None, group: Some(group) };
    let mut live = gateway.ops.bus.register(belongs);
    let (ops, caller) = (gateway.ops.clone(), caller.clone());
    Some(Box::pin(async move {
        loop {
            tokio::select! {
                _ = live.cut() => return,
                () = tokio::time::sleep(RECHECK) => {
                    if workspaces::view(&ops, &caller, id.clone(), Action::ViewWorkspaceLogs).await.is_err() {
                        return;
                    }
                }
            }
        }
    }))
}
