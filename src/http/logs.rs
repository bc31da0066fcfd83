//! `/api/workspaces/{id}/logs`: plain text, one line for each line, streamed when it follows.

use super::handler::{Reply, Request};
use super::workspaces::{gateway, named};
use crate::error::Result;
use crate::gateway::logs::{self, LogWish};
use bytes::Bytes;
use futures_util::StreamExt;

/// Lines when no number is given, and the most.
const LINES: i64 = 200;
const LINES_MAX: i64 = 10_000;

pub async fn read(request: Request) -> Result<Reply> {
    let query = request.query();
    let lines = query.integer("lines", 0, LINES_MAX).unwrap_or(LINES);
    let (follow, previous) = (query.flag("follow"), query.flag("previous"));
    let since = query.time("since");
    query.finish()?;
    // What has ended grows no more.
    let wish = LogWish { lines: usize::try_from(lines).unwrap_or(0), follow: follow && !previous, previous, since };
    let found = logs::read(&gateway(&request.app), &request.caller, named(&request)?, wish).await?;
    let stream = found.map(|line| Ok(Bytes::from(line))).boxed_local();
    // A proxy that waits for more would hold back the line somebody waits for.
    Ok(Reply::stream("text/plain; charset=utf-8", stream).header("x-accel-buffering", "no"))
}
