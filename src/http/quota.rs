//! A group's quota: its history, the sizing calculator, and moving a part of it to another group.

use super::capacity;
use super::fields::{Query, text};
use super::groups::GroupView;
use super::handler::{Reply, Request};
use super::paging::{LIST_MAX, ListShape, next_link};
use crate::domain::capacity::CommitmentView;
use crate::domain::field::FieldRule;
use crate::domain::names::Reason;
use crate::domain::pool::CheckView;
use crate::domain::quantity::{bytes_from_json, count_from_json, cpu_from_json, parse_bytes, parse_cpu, print_bytes, print_cpu};
use crate::domain::quota::{QuotaChange, QuotaView, ResourceQuota};
use crate::domain::sizing::{self, Team, USUAL, preset_for};
use crate::error::{Error, Result};
use crate::ops::quota::{self, Known, Move, QuotaSet};
use serde::{Deserialize, Serialize};

/// One change of a quota.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuotaChangeView {
    pub id: i64,
    pub at: String,
    /// Who set it; null where it was not a person, or one who is gone.
    pub user_id: Option<String>,
    pub user_name: Option<String>,
    pub user_display_name: Option<String>,
    /// Empty where none was written.
    pub reason: String,
    pub resource_quota: QuotaView,
}

impl QuotaChangeView {
    fn of(set: QuotaSet) -> Self {
        let user_id = set.by.filter(|by| by.starts_with("usr_"));
        let shown = set.name.filter(|name| !name.is_empty()).or_else(|| set.username.clone());
        Self {
            id: set.id,
            at: set.at.rfc3339(),
            user_id,
            user_name: set.username,
            user_display_name: shown,
            reason: set.reason,
            resource_quota: set.quota.view(),
        }
    }
}

pub async fn history(request: Request) -> Result<Reply> {
    let query = request.query();
    let limit = query.integer("limit", 1, LIST_MAX).unwrap_or(100);
    let cursor = query.text("cursor", 4_096);
    query.finish()?;
    let group = request.param("group")?.to_owned();
    let shape = ListShape::new("quota", &[&group]);
    let before = match cursor {
        Some(cursor) => shape.keys("cursor", &cursor, 1)?.pop().and_then(|key| key.parse().ok()),
        None => None,
    };
    let limit = usize::try_from(limit).unwrap_or(1);
    let page = quota::history(&request.app.ops, &request.caller, group.clone(), before, limit).await?;
    let last = page.items.last().filter(|_| page.more).map(|last| last.id.to_string());
    let reply = Reply::ok(&page.items.into_iter().map(QuotaChangeView::of).collect::<Vec<_>>())?;
    let path = format!("/api/groups/{group}/quota/history");
    Ok(match last {
        Some(last) => reply.header("link", next_link(&path, &request.query, &shape.cursor(&[&last]))),
        None => reply,
    })
}

/// One number of the formula.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SizingInputView {
    /// `members`, `cpu` and `memory` of a running workspace, `storage` and `workspaces` of a member, `concurrency` in percent.
    pub name: &'static str,
    pub value: String,
    /// `given`, `history`, or `usual` where nothing better is known.
    pub source: &'static str,
}

/// What the formula proposes.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SizingView {
    pub inputs: Vec<SizingInputView>,
    /// On how many of the last 30 days somebody looked at what the group uses.
    pub history_days: usize,
    /// Cpu and memory: members × each × concurrency. Storage and workspaces: members × each.
    pub proposed: QuotaView,
    /// The same with two fifths more cpu, memory and workspaces, rounded up to something round.
    pub with_buffer: QuotaView,
    /// What the guide has for a team of this size.
    pub usual: QuotaView,
    /// What all quotas would promise with the buffered one in place; absent where the cluster does not say what it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commitments: Option<Vec<CommitmentView>>,
}

/// What the query says of the formula's numbers.
struct Given {
    members: Option<i64>,
    cpu_milli: Option<i64>,
    memory_bytes: Option<i64>,
    storage_bytes: Option<i64>,
    workspaces: Option<i64>,
    concurrency: Option<i64>,
}

fn given(query: &Query) -> Given {
    Given {
        members: query.integer("members", 1, 100_000),
        cpu_milli: query.optional("cpu", parse_cpu),
        memory_bytes: query.optional("memory", parse_bytes),
        storage_bytes: query.optional("storage", parse_bytes),
        workspaces: query.integer("workspaces", 1, 1_000),
        concurrency: query.integer("concurrency", 1, 100),
    }
}

/// What is given, else what history tells, else what is usual.
fn chosen(given: &Given, known: Option<&Known>) -> (Team, Vec<SizingInputView>) {
    let mut inputs = Vec::new();
    let past = known.and_then(|known| known.team);
    let mut choose = |name: &'static str, given: Option<i64>, of: fn(&Team) -> i64, print: fn(i64) -> String| {
        let (value, source) = match (given, past) {
            (Some(value), _) => (value, "given"),
            (None, Some(past)) => (of(&past), "history"),
            (None, None) => (of(&USUAL), "usual"),
        };
        inputs.push(SizingInputView { name, value: print(value), source });
        value
    };
    let count = |amount: i64| amount.to_string();
    // How many belong to it now is known also of a group that has done nothing yet.
    let members = given.members.or(known.map(|known| known.members.max(1)).filter(|_| past.is_none()));
    let team = Team {
        members: choose("members", members, |t| t.members, count),
        cpu_milli: choose("cpu", given.cpu_milli, |t| t.cpu_milli, print_cpu),
        memory_bytes: choose("memory", given.memory_bytes, |t| t.memory_bytes, print_bytes),
        storage_bytes: choose("storage", given.storage_bytes, |t| t.storage_bytes, print_bytes),
        workspaces_per_member: choose("workspaces", given.workspaces, |t| t.workspaces_per_member, count),
        concurrency_percent: choose("concurrency", given.concurrency, |t| t.concurrency_percent, count),
    };
    if given.members.is_none()
        && past.is_none()
        && known.is_some()
        && let Some(first) = inputs.first_mut()
    {
        first.source = "history";
    }
    (team, inputs)
}

async fn sized(request: &Request, given: &Given, known: Option<&Known>) -> Result<Reply> {
    let (team, inputs) = chosen(given, known);
    let too_large = || Error::field("members", "too_large", "These numbers are more than can be counted.");
    let proposed = sizing::proposed(&team).ok_or_else(too_large)?;
    let with_buffer = sizing::with_buffer(&proposed);
    let before = known.map_or(NOTHING, |known| known.quota);
    Reply::ok(&SizingView {
        inputs,
        history_days: known.map_or(0, |known| known.days),
        proposed: proposed.view(),
        with_buffer: with_buffer.view(),
        usual: preset_for(team.members).quota.view(),
        commitments: capacity::beside(request, before, with_buffer).await?,
    })
}

/// What a group that is not there yet promises.
const NOTHING: ResourceQuota = ResourceQuota { cpu_milli: Some(0), memory_bytes: Some(0), storage_bytes: Some(0), workspaces: Some(0) };

pub async fn size_group(request: Request) -> Result<Reply> {
    let query = request.query();
    let given = given(&query);
    query.finish()?;
    let known = quota::known(&request.app.ops, &request.caller, request.param("group")?.to_owned()).await?;
    sized(&request, &given, Some(&known)).await
}

pub async fn size_new(request: Request) -> Result<Reply> {
    let query = request.query();
    let given = given(&query);
    query.finish()?;
    quota::may_size(&request.app.ops, &request.caller).await?;
    sized(&request, &given, None).await
}

/// How much of each goes from one group to another; at least one.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[allow(dead_code)] // describes the body; it is decoded field by field
pub struct MoveQuotaBody {
    /// The group that gets it: id or name.
    pub to: String,
    #[schema(schema_with = super::openapi::cpu_amount)]
    pub cpu: Option<String>,
    pub memory: Option<String>,
    pub storage: Option<String>,
    pub pods: Option<i64>,
    pub reason: Option<String>,
}

/// Both groups after the move.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct MovedQuotaView {
    pub from: GroupView,
    pub to: GroupView,
}

/// What a move would leave both with. It is always allowed: what runs goes on running.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct MoveDryRunView {
    pub allowed: bool,
    pub checks: Vec<CheckView>,
    pub from: QuotaView,
    pub to: QuotaView,
}

fn wish(request: &Request) -> Result<Move> {
    let mut f = request.fields()?;
    let name = |text: &str| match text.trim() {
        "" => Err(FieldRule::new("required", "Name the group that gets it.")),
        name if name.len() > 100 => Err(FieldRule::new("too_long", "This is neither the id nor the name of a group.")),
        name => Ok(name.to_owned()),
    };
    let to = f.required("to", text(name));
    let amounts = QuotaChange {
        cpu_milli: f.optional("cpu", cpu_from_json),
        memory_bytes: f.optional("memory", bytes_from_json),
        storage_bytes: f.optional("storage", bytes_from_json),
        workspaces: f.optional("pods", count_from_json),
    };
    let reason = f.optional("reason", text(Reason::parse));
    let wish = f.build(|| Some(Move { to: to?, amounts, reason }))?;
    if wish.amounts == QuotaChange::default() {
        return Err(Error::field("body", "required", "Give at least one of cpu, memory, storage and pods."));
    }
    Ok(wish)
}

pub async fn shift(request: Request) -> Result<Reply> {
    let query = request.query();
    let dry_run = query.flag("dryRun");
    query.finish()?;
    let (from, wish) = (request.param("group")?.to_owned(), wish(&request)?);
    if dry_run {
        let (from, to) = quota::weigh_shift(&request.app.ops, &request.caller, from, wish).await?;
        let checks = from.checks.iter().chain(&to.checks).map(CheckView::from).collect();
        return Reply::ok(&MoveDryRunView { allowed: true, checks, from: from.after.view(), to: to.after.view() });
    }
    let (from, to) = quota::shift(&request.app.ops, &request.caller, from, wish).await?;
    Reply::ok(&MovedQuotaView { from: GroupView::single(&from), to: GroupView::single(&to) })
}
