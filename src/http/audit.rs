//! `/admin/audit-logs`: reading, exporting, checking.

use super::handler::{Reply, Request};
use super::paging::ListShape;
use crate::clock::Millis;
use crate::domain::field::FieldRule;
use crate::domain::hex::encode as hex;
use crate::error::{Error, Result};
use crate::ops::audit::{self, Before, Entry, Filter, Wish};
use crate::ops::audit_file::{self, Format, Range};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde::Serialize;
use serde_json::Value;
use std::io::Write;
use std::sync::Arc;
use tokio::sync::mpsc;

/// An entry of the audit log.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntryView {
    pub id: String,
    pub user_id: Option<String>,
    /// E-mail address, `cli:<user>`, or the part of the server.
    pub username: String,
    pub action: String,
    /// `kind:id`.
    pub resource: String,
    pub resource_name: Option<String>,
    #[schema(value_type = Object)]
    pub details: Value,
    pub timestamp: String,
    pub success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Equal refusals of one minute are one entry.
    pub count: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    pub request_id: String,
    /// Of the chain, in hexadecimal digits.
    pub hash: String,
    pub previous_hash: String,
}

impl AuditEntryView {
    fn of(entry: Entry) -> Self {
        Self {
            hash: hex(&entry.hash),
            previous_hash: hex(&entry.prev),
            timestamp: entry.at.rfc3339(),
            id: entry.id,
            user_id: entry.actor_id,
            username: entry.actor_name,
            action: entry.action,
            resource: entry.resource,
            resource_name: entry.resource_name,
            details: entry.details,
            success: entry.success,
            error: entry.error,
            count: entry.count,
            address: entry.address,
            agent: entry.agent,
            request_id: entry.request_id,
        }
    }
}

/// A page of entries, newest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditView {
    pub items: Vec<AuditEntryView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
    pub has_more: bool,
    /// With `count=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
}

fn shape(filter: &Filter) -> ListShape {
    let time = |t: Option<Millis>| t.map_or_else(String::new, |t| t.0.to_string());
    let text = |t: &Option<String>| t.clone().unwrap_or_default();
    let success = filter.success.map_or("", |s| if s { "1" } else { "0" });
    ListShape::new(
        "audit",
        &[
            &time(filter.from),
            &time(filter.until),
            &text(&filter.actor),
            &text(&filter.action),
            &text(&filter.resource),
            success,
            &text(&filter.request_id),
        ],
    )
}

/// The end of a range; a plain date means the whole of that day.
fn until(text: &str) -> Result<Millis, FieldRule> {
    let rule = || FieldRule::new("invalid", "Write the time as RFC 3339, for example 2026-03-12T10:20:30Z, or as a date.");
    let time = Millis::parse(text).ok_or_else(rule)?;
    let whole_day = !text.contains(['T', 't', ' ']);
    Ok(if whole_day { time.plus(crate::clock::DAY) } else { time.plus(1) })
}

pub async fn list(request: Request) -> Result<Reply> {
    let query = request.query();
    let filter = Filter {
        from: query.time("startDate"),
        until: query.optional("endDate", until),
        actor: query.text("userId", 128),
        action: query.text("action", 64),
        resource: query.text("resource", 128),
        success: query.flag_option("success"),
        request_id: query.text("requestId", 128),
    };
    let limit = query.integer("limit", 1, 100).unwrap_or(20);
    let (token, count) = (query.text("nextToken", 4_096), query.flag("count"));
    query.finish()?;
    let shape = shape(&filter);
    let before = token.map(|t| shape.keys("nextToken", &t, 2)).transpose()?.map(|keys| {
        let number = |at: usize| keys.get(at).and_then(|k| k.parse().ok()).unwrap_or(0);
        Before { seq: number(0), at: Millis(number(1)) }
    });
    let wish = Wish { filter, before, limit: usize::try_from(limit).unwrap_or(20), count };
    let answer = audit::list(&request.app.ops, &request.caller, wish).await?;
    Reply::ok(&AuditView {
        next_token: answer.next.map(|b| shape.cursor(&[&b.seq.to_string(), &b.at.0.to_string()])),
        has_more: answer.page.more,
        items: answer.page.items.into_iter().map(AuditEntryView::of).collect(),
        total: answer.total,
    })
}

/// What a check of the chain found.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerifyView {
    pub ok: bool,
    /// Entries that were checked.
    pub entries: i64,
    pub last_entry: i64,
    /// To be written down and compared later.
    pub last_hash: String,
    pub checkpoints: i64,
    /// Personal side rows that erasure removed.
    pub erased: i64,
    /// `row altered`, `row missing`, `row inserted`, `tail cut`, `chain rewritten` or `checkpoint signature bad`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<&'static str>,
    /// The number of the first entry that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

pub async fn verify(request: Request) -> Result<Reply> {
    let report = audit::verify_for(&request.app.ops, &request.caller).await?;
    Reply::ok(&VerifyView {
        ok: report.finding.is_none(),
        entries: report.entries,
        last_entry: report.last_seq,
        last_hash: hex(&report.last_hash),
        checkpoints: report.checkpoints,
        erased: report.erased,
        verdict: report.finding.as_ref().map(|f| f.verdict.as_str()),
        entry: report.finding.as_ref().map(|f| f.seq),
        message: report.finding.map(|f| f.message),
    })
}

/// Hands what is written to a stream, waiting for whoever reads it.
struct Pipe {
    sender: mpsc::Sender<Bytes>,
    buffer: Vec<u8>,
}

/// Written in pieces of about this many bytes.
const PIECE: usize = 32 * 1024;

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let piece = Bytes::from(std::mem::take(&mut self.buffer));
        self.sender.blocking_send(piece).map_err(|_| std::io::ErrorKind::BrokenPipe.into())
    }
}

pub async fn export(request: Request) -> Result<Reply> {
    let query = request.query();
    let format = query
        .optional("format", |t| Format::parse(t).ok_or_else(|| FieldRule::new("invalid", "Allowed are jsonl and csv.")))
        .unwrap_or(Format::JsonLines);
    let range = Range { after: 0, from: query.time("startDate"), until: query.optional("endDate", until) };
    query.finish()?;
    audit_file::permit(&request.app.ops, &request.caller, format, range).await?;
    let (sender, pieces) = mpsc::channel::<Bytes>(4);
    let app = Arc::clone(&request.app);
    let work = tokio::task::spawn_blocking(move || {
        let mut pipe = Pipe { sender, buffer: Vec::new() };
        audit_file::write(&app.ops, &app.keys, format, range, &mut pipe)?;
        pipe.flush().map_err(|e| Error::internal(format!("the export cannot be sent: {e}")))
    });
    let rest = stream::unfold(pieces, |mut pieces| async move { pieces.recv().await.map(|piece| (Ok(piece), pieces)) });
    // A file that breaks off must not look whole.
    let end = stream::once(work).filter_map(|done| async move {
        let broken = !matches!(done, Ok(Ok(())));
        broken.then(|| Err(std::io::Error::other("the export broke off")))
    });
    let kind = match format {
        Format::JsonLines => "application/x-ndjson",
        Format::Csv => "text/csv; charset=utf-8",
    };
    let name = format!("audit-log.{}", format.as_str());
    Ok(Reply::stream(kind, rest.chain(end).boxed_local()).header("content-disposition", format!("attachment; filename=\"{name}\"")))
}
