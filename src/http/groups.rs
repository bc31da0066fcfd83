//! Groups: `/groups`.

use super::access::can_view;
use super::capacity;
use super::fields::{Fields, Given, id, text};
use super::handler::{Reply, Request};
use super::paging::{LIST_MAX, ListShape, next_link};
use super::users::reason;
use crate::domain::capacity::CommitmentView;
use crate::domain::field::FieldRule;
use crate::domain::id::UserId;
use crate::domain::names::{Description, DisplayName, GroupName, Namespace, Reason};
use crate::domain::pool::CheckView;
use crate::domain::quantity::{bytes_from_json, count_from_json, cpu_from_json};
use crate::domain::quota::{QuotaChange, QuotaView, UsageView};
use crate::error::{Error, Result};
use crate::ops::group_create::{self, Creation};
use crate::ops::groups::{self, After, Answer, Listed, Single, Sort, Update, Wish};
use crate::policy::Role;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Why a group is not active.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct GroupReasonView {
    pub code: String,
    pub message: String,
}

/// A group.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupView {
    pub id: String,
    pub name: String,
    pub display_name: String,
    pub description: String,
    pub namespace: String,
    pub organization_id: String,
    /// `creating`, `active`, `failed` or `deleting`.
    pub status: &'static str,
    pub reason: Option<GroupReasonView>,
    pub private: bool,
    pub private_members: bool,
    pub owner_id: String,
    pub resource_quota: QuotaView,
    pub usage: UsageView,
    /// The same as `usage`, in the single view.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_usage: Option<UsageView>,
    /// When its quota was just set, for who may see the capacity: what the quotas of all groups promise together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commitments: Option<Vec<CommitmentView>>,
    pub member_count: i64,
    /// The caller's own: `member`, `admin` or null.
    pub role: Option<&'static str>,
    pub created_at: String,
    pub updated_at: String,
    /// In a list the names of the allowed actions, else each action with `true` or why not.
    #[schema(schema_with = super::openapi::allowed)]
    pub can: Value,
}

impl GroupView {
    fn of(listed: &Listed) -> Self {
        let group = &listed.group;
        Self {
            id: group.id.to_string(),
            name: group.name.clone(),
            display_name: group.display_name.clone(),
            description: group.description.clone(),
            namespace: group.namespace.clone(),
            organization_id: group.organization_id.to_string(),
            status: group.status.as_str(),
            reason: group.reason.clone().map(|(code, message)| GroupReasonView { code, message }),
            private: group.private,
            private_members: group.private_members,
            owner_id: group.owner_id.to_string(),
            resource_quota: group.quota.view(),
            usage: UsageView::new(&listed.used, &group.quota),
            current_usage: None,
            commitments: None,
            member_count: group.member_count,
            role: listed.role.map(|role| if role == Role::Admin { "admin" } else { "member" }),
            created_at: group.created_at.rfc3339(),
            updated_at: group.updated_at.rfc3339(),
            can: json!(listed.can),
        }
    }

    pub(super) fn single(single: &Single) -> Self {
        let view = Self::of(&single.listed);
        Self { current_usage: Some(view.usage.clone()), can: can_view(&single.can), ..view }
    }
}

/// Amounts: cores (`2`, `0.5`, `500m`), bytes with a unit (`20Gi`), a whole number of workspaces.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[allow(dead_code)] // describes the body; it is decoded field by field
pub struct QuotaBody {
    #[schema(schema_with = super::openapi::cpu_amount)]
    pub cpu: Option<String>,
    pub memory: Option<String>,
    pub storage: Option<String>,
    pub pods: Option<i64>,
}

/// A new group.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)]
pub struct CreateGroupBody {
    /// A DNS label, unique, never changed.
    pub name: String,
    pub display_name: String,
    pub description: Option<String>,
    /// Begins with the platform's prefix; made from the name when absent.
    pub namespace: Option<String>,
    pub resource_quota: Option<QuotaBody>,
    pub reason: Option<String>,
}

/// Changes of a group; absent stays, the quota by resource.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)]
pub struct UpdateGroupBody {
    pub display_name: Option<String>,
    pub description: Option<String>,
    pub resource_quota: Option<QuotaBody>,
    pub reason: Option<String>,
}

/// Another owner.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)]
pub struct OwnerBody {
    pub user_id: String,
    pub reason: Option<String>,
}

fn group(request: &Request) -> Result<String> {
    Ok(request.param("group")?.to_owned())
}

pub async fn list(request: Request) -> Result<Reply> {
    let query = request.query();
    let search = query.text("search", 100).map(|t| t.trim().to_owned()).unwrap_or_default();
    let sort = query
        .optional("sort", |t| Sort::parse(t).ok_or_else(|| FieldRule::new("invalid", "Allowed are name, displayName and -createdAt.")))
        .unwrap_or_default();
    let limit = query.integer("limit", 1, LIST_MAX).unwrap_or(LIST_MAX);
    let (cursor, count) = (query.text("cursor", 4_096), query.flag("count"));
    query.finish()?;
    let shape = ListShape::new("groups", &[sort.as_str(), &search]);
    let after = cursor.map(|c| shape.keys("cursor", &c, 2)).transpose()?.map(|keys| {
        let mut keys = keys.into_iter();
        After { key: keys.next().unwrap_or_default(), id: keys.next().unwrap_or_default() }
    });
    let wish = Wish { search, sort, after, limit: usize::try_from(limit).unwrap_or(1), count };
    let Answer { page, next, total } = groups::list(&request.app.ops, &request.caller, wish).await?;
    let mut reply = Reply::ok(&page.items.iter().map(GroupView::of).collect::<Vec<_>>())?;
    if let Some(next) = next {
        reply = reply.header("link", next_link("/api/groups", &request.query, &shape.cursor(&[&next.key, &next.id])));
    }
    Ok(match total {
        Some(total) => reply.header("x-total-count", total.to_string()),
        None => reply,
    })
}

fn reply(status: u16, single: &Single) -> Result<Reply> {
    Ok(Reply::json(status, &GroupView::single(single))?.etag(single.listed.group.revision))
}

/// The answer to who has just set a quota: what all of them promise now, against what the cluster has.
async fn with_commitments(request: &Request, status: u16, single: &Single) -> Result<Reply> {
    let quota = single.listed.group.quota;
    let view = GroupView { commitments: capacity::beside(request, quota, quota).await?, ..GroupView::single(single) };
    Ok(Reply::json(status, &view)?.etag(single.listed.group.revision))
}

pub async fn get(request: Request) -> Result<Reply> {
    let single = groups::get(&request.app.ops, &request.caller, group(&request)?).await?;
    reply(200, &single)
}

pub async fn visit(request: Request) -> Result<Reply> {
    groups::visit(&request.app.ops, &request.caller, group(&request)?).await?;
    Ok(Reply::none())
}

/// The amounts of a body; `null` would be "no limit", which a group cannot have.
fn quota(f: &mut Fields<'_>) -> QuotaChange {
    let change = f.nested("resourceQuota", |q| {
        let mut amount = |name: &'static str, parse: fn(&Value) -> Result<i64, FieldRule>| match q.given(name, parse) {
            Given::Value(amount) => Some(amount),
            Given::Absent => None,
            Given::Null => {
                q.problem(name, "required", "A group's quota has no open ends: give an amount.");
                None
            }
        };
        Some(QuotaChange {
            cpu_milli: amount("cpu", cpu_from_json),
            memory_bytes: amount("memory", bytes_from_json),
            storage_bytes: amount("storage", bytes_from_json),
            workspaces: amount("pods", count_from_json),
        })
    });
    change.unwrap_or_default()
}

pub async fn create(request: Request) -> Result<Reply> {
    let prefix = request.app.ops.rules().namespace_prefix.clone();
    let mut f = request.fields()?;
    let name = f.required("name", text(GroupName::parse));
    let display_name = f.required("displayName", text(DisplayName::parse));
    let description = f.optional("description", text(Description::parse));
    let namespace = f.optional("namespace", text(move |t| Namespace::parse(t, &prefix)));
    let quota = quota(&mut f);
    let reason = f.optional("reason", text(Reason::parse));
    let new = f.build(|| {
        let description = description.unwrap_or_else(|| Description::trusted(String::new()));
        Some(Creation { name: name?, display_name: display_name?, description, namespace, quota, reason })
    })?;
    let single = group_create::create(&request.app.ops, &request.caller, new).await?;
    Ok(with_commitments(&request, 201, &single).await?.header("location", format!("/api/groups/{}", single.listed.group.id)))
}

/// What was made with the group and stays.
const FIXED: [(&str, &str); 5] = [
    ("id", "An id cannot be changed."),
    ("name", "A group's name cannot be changed; its display name can."),
    ("namespace", "A group's namespace cannot be changed."),
    ("createdAt", "The time of creation cannot be changed."),
    ("memberCount", "Members are counted by the server."),
];

fn changes(request: &Request) -> Result<Update> {
    let mut f = request.fields()?;
    let display_name = f.optional("displayName", text(DisplayName::parse));
    let description = match f.given("description", text(Description::parse)) {
        Given::Absent => None,
        Given::Null => Some(Description::trusted(String::new())),
        Given::Value(description) => Some(description),
    };
    let quota = quota(&mut f);
    let reason = f.optional("reason", text(Reason::parse));
    for (field, message) in FIXED {
        f.refuse(field, message);
    }
    let nothing = display_name.is_none() && description.is_none() && quota == QuotaChange::default();
    let mut update = f.build(|| Some(Update { display_name, description, quota, reason, revision: None }))?;
    if nothing {
        return Err(Error::field("body", "required", "Give at least one of displayName, description and resourceQuota."));
    }
    update.revision = request.if_match()?;
    Ok(update)
}

pub async fn update(request: Request) -> Result<Reply> {
    let query = request.query();
    let dry_run = query.flag("dryRun");
    query.finish()?;
    let update = changes(&request)?;
    if dry_run {
        let weighed = groups::weigh(&request.app.ops, &request.caller, group(&request)?, update.quota).await?;
        let commitments = capacity::beside(&request, weighed.before, weighed.after).await?;
        return Reply::ok(&QuotaDryRunView { allowed: true, checks: weighed.checks.iter().map(CheckView::from).collect(), commitments });
    }
    let sets_quota = update.quota != QuotaChange::default();
    let single = groups::update(&request.app.ops, &request.caller, group(&request)?, update).await?;
    if sets_quota { with_commitments(&request, 200, &single).await } else { reply(200, &single) }
}

/// What a new quota would leave. It is always allowed: it stops nothing, it only refuses more.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct QuotaDryRunView {
    pub allowed: bool,
    pub checks: Vec<CheckView>,
    /// What the quotas of all groups would promise together, for who may see the capacity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commitments: Option<Vec<CommitmentView>>,
}

pub async fn delete(request: Request) -> Result<Reply> {
    groups::delete(&request.app.ops, &request.caller, group(&request)?, reason(&request)?).await?;
    Ok(Reply::none())
}

pub async fn usage(request: Request) -> Result<Reply> {
    let (quota, used) = groups::usage(&request.app.ops, &request.caller, group(&request)?).await?;
    Reply::ok(&UsageView::new(&used, &quota))
}

pub async fn transfer(request: Request) -> Result<Reply> {
    let mut f = request.fields()?;
    let owner = f.required("userId", id(UserId::parse));
    let reason = f.optional("reason", text(Reason::parse));
    let owner = f.build(|| owner)?;
    let single = groups::transfer(&request.app.ops, &request.caller, group(&request)?, owner, reason).await?;
    reply(200, &single)
}
