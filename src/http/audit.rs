//! `/admin/audit-logs`: reading, where it stands, checking. [`super::audit_export`] sends it as a file.

use super::handler::{Reply, Request};
use super::paging::ListShape;
use crate::clock::Millis;
use crate::domain::field::FieldRule;
use crate::domain::hex::encode as hex;
use crate::error::Result;
use crate::ops::audit::{self, Before, Entry, Filter, Wish};
use serde::Serialize;
use serde_json::Value;

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

/// A page of entries, newest first. It may hold less than was asked for, or nothing, and yet have a next one: when none
/// of the 10,000 entries that one page looks at match.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditView {
    pub items: Vec<AuditEntryView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
    pub has_more: bool,
    /// With `count=true`; left out where more than 10,000 entries would have to be looked at.
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
            &text(&filter.id),
        ],
    )
}

/// The end of a range; a plain date means the whole of that day.
pub(super) fn until(text: &str) -> Result<Millis, FieldRule> {
    let rule = || FieldRule::new("invalid", "Write the time as RFC 3339, for example 2026-03-12T10:20:30Z, or as a date.");
    let time = Millis::parse(text).ok_or_else(rule)?;
    let whole_day = !text.contains(['T', 't', ' ']);
    Ok(if whole_day { time.plus(crate::clock::DAY) } else { time.plus(1) })
}

pub async fn list(request: Request) -> Result<Reply> {
    let query = request.query();
    let filter = Filter {
        from: query.time("startDate"),
        until: query.given("endDate", until),
        actor: query.text("userId", 128),
        action: query.text("action", 64),
        resource: query.text("resource", 128),
        success: query.flag_option("success"),
        request_id: query.text("requestId", 128),
        id: query.text("id", 128),
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

/// A signed head of the chain.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckpointView {
    /// The number of the entry that was the newest.
    pub entry: i64,
    pub hash: String,
    pub at: String,
    /// Entries since.
    pub behind: i64,
    pub key_id: String,
    /// Ed25519, in hexadecimal digits.
    pub signature: String,
    /// What `codex-web audit verify --anchor` takes: worth writing down somewhere else.
    pub anchor: String,
}

/// A check that the server made by itself or somebody asked for.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastCheckView {
    pub at: String,
    pub ok: bool,
    pub entries: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// How long entries stay in the database.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RetentionView {
    pub days: i64,
    /// Nothing is removed while this is on, whatever its age.
    pub hold: bool,
    /// Why entries that are old enough are still there: `hold`, `clock`, `broken` or `file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<&'static str>,
    /// The last entry that was written out and removed, and when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purged_up_to: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purged_at: Option<String>,
    /// The folder of the files on the server.
    pub folder: String,
}

/// Where the audit log stands.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditStatusView {
    /// Entries in the database.
    pub entries: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_entry: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_hash: Option<String>,
    /// `null` before the first.
    pub checkpoint: Option<CheckpointView>,
    /// `null` until the server or somebody checked it.
    pub checked: Option<LastCheckView>,
    pub retention: RetentionView,
}

pub async fn status(request: Request) -> Result<Reply> {
    let app = &request.app;
    let status = audit::status(&app.ops, &request.caller).await?;
    let (oldest, newest) = (status.oldest.map_or((0, None), |end| (end.seq, Some(end.at))), status.newest);
    let last = newest.as_ref().map_or(0, |end| end.seq);
    let settings = app.ops.rules().audit;
    Reply::ok(&AuditStatusView {
        entries: if oldest.0 == 0 { 0 } else { last - oldest.0 + 1 },
        since: oldest.1.map(Millis::rfc3339),
        last_entry: newest.as_ref().map(|end| end.seq),
        last_hash: newest.as_ref().map(|end| hex(&end.hash)),
        checkpoint: status.checkpoint.map(|head| CheckpointView {
            entry: head.seq,
            hash: hex(&head.hash),
            at: head.at.rfc3339(),
            behind: last - head.seq,
            key_id: head.kid,
            signature: hex(&head.signature),
            anchor: format!("{}:{}", head.seq, hex(&head.hash)),
        }),
        checked: app.ops.audit.last_check().map(|check| LastCheckView {
            at: check.at.rfc3339(),
            ok: check.finding.is_none(),
            entries: check.entries,
            verdict: check.finding.as_ref().map(|f| f.verdict.as_str()),
            entry: check.finding.as_ref().map(|f| f.seq),
            message: check.finding.map(|f| f.message),
        }),
        retention: RetentionView {
            days: settings.retention_days,
            hold: settings.hold,
            kept: app.ops.audit.kept().map(crate::ops::audit_watch::Kept::as_str),
            purged_up_to: status.purged.as_ref().map(|end| end.seq),
            purged_at: status.purged.map(|end| end.at.rfc3339()),
            folder: app.config.audit_export_dir.to_string_lossy().into_owned(),
        },
    })
}
