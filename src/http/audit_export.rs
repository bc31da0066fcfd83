//! The audit log as a file, sent as it is written: to pages and programs, and to the command line.

use super::audit::until;
use super::fields::Query;
use super::handler::{Reply, Request};
use crate::app::App;
use crate::clock::Millis;
use crate::domain::field::FieldRule;
use crate::error::{Error, Result};
use crate::ops::audit_file::{self, Form, Range};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::unfold;
use std::io::{self, Write};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Bytes that are sent at once.
const PIECE: usize = 64 * 1024;
/// Pieces that may wait for a slow reader.
const WAITING: usize = 4;

fn form(query: &Query) -> Form {
    let unknown = || FieldRule::new("invalid", "Allowed are jsonl and csv.");
    query.optional("format", |text| audit_file::form(text).ok_or_else(unknown)).unwrap_or(Form::JsonLines)
}

fn after(query: &Query) -> i64 {
    query.integer("after", 0, i64::MAX).unwrap_or(0)
}

/// `GET /api/admin/audit-logs/export`.
pub async fn export(request: Request) -> Result<Reply> {
    let query = request.query();
    let form = form(&query);
    let range = Range { after: after(&query), up_to: None, from: query.time("startDate"), until: query.given("endDate", until) };
    query.finish()?;
    let name = name(form, &range, request.app.clock.now());
    let reply = stream(&request, form, range).await?;
    Ok(reply.header("content-disposition", format!("attachment; filename=\"{name}\"")))
}

/// `POST /control/audit/export?format=&from=&to=&after=`.
pub async fn to_command_line(request: Request) -> Result<Reply> {
    let query = request.query();
    let form = form(&query);
    let range = Range { after: after(&query), up_to: None, from: query.time("from"), until: query.time("to") };
    query.finish()?;
    stream(&request, form, range).await
}

/// Which days it holds, and when it was made: two exports are two files.
fn name(form: Form, range: &Range, now: Millis) -> String {
    let day = |at: Millis| at.rfc3339().get(..10).unwrap_or_default().to_owned();
    let from = range.from.map_or_else(|| "beginning".to_owned(), day);
    // The end is not inside.
    let to = day(range.until.map_or(now, |until| until.plus(-1)));
    format!("audit-{from}-to-{to}.{}", audit_file::word(form))
}

async fn stream(request: &Request, form: Form, range: Range) -> Result<Reply> {
    audit_file::permit(&request.app.ops, &request.caller, form, range).await?;
    let (pieces, mut received) = mpsc::channel::<io::Result<Bytes>>(WAITING);
    let app = Arc::clone(&request.app);
    tokio::task::spawn_blocking(move || send(&app, form, range, pieces));
    // The first piece decides between an answer and an error.
    let stream = unfold(received.recv().await.map(|first| (first, received)), |state| async move {
        let (piece, mut received) = state?;
        let next = received.recv().await;
        Some((piece, next.map(|next| (next, received))))
    });
    let kind = if form == Form::Csv { "text/csv; charset=utf-8" } else { "application/x-ndjson" };
    Ok(Reply::stream(kind, stream.boxed_local()))
}

fn send(app: &App, form: Form, range: Range, pieces: mpsc::Sender<io::Result<Bytes>>) {
    let mut out = Pieces { gathered: Vec::with_capacity(PIECE), pieces };
    let written = audit_file::write(&app.ops, &app.keys, form, range, &mut out)
        .and_then(|_| out.flush().map_err(|error| Error::internal(error.to_string())));
    if let Err(error) = written {
        tracing::warn!(%error, "an export of the audit log ended early");
        // The reader must see that the file is not whole.
        let _ = out.pieces.blocking_send(Err(io::Error::other("the export ended early")));
    }
}

/// Gathers what is written and hands it on in pieces, waiting for whoever reads it.
struct Pieces {
    gathered: Vec<u8>,
    pieces: mpsc::Sender<io::Result<Bytes>>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::replace(&mut self.gathered, Vec::with_capacity(PIECE)));
        self.pieces.blocking_send(Ok(piece)).map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "nobody reads any more"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_called_by_its_days() {
        let at = |text: &str| Millis::parse(text).unwrap();
        let now = at("2026-03-12T10:00:00Z");
        assert_eq!(name(Form::Csv, &Range::default(), now), "audit-beginning-to-2026-03-12.csv");
        let range = Range { from: Some(at("2026-01-01")), until: Some(at("2026-02-01")), ..Range::default() };
        assert_eq!(name(Form::JsonLines, &range, now), "audit-2026-01-01-to-2026-01-31.jsonl");
    }
}
