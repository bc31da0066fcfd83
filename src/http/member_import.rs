//! `/api/groups/{group}/members/import`: many people join a group at once, from a list or CSV.

use super::fields::text;
use super::handler::{Reply, Request};
use super::users::role;
use super::workspace_body::is_dry_run;
use crate::domain::group::GroupRole;
use crate::domain::member_list;
use crate::domain::names::Reason;
use crate::error::Result;
use crate::ops::members_import::{self, Import, Problem, Row};
use serde::Serialize;

/// A list of people.
#[derive(Debug, utoipa::ToSchema)]
#[allow(dead_code)] // describes the body; it is decoded field by field
pub struct MemberImportBody {
    /// A user name or an e-mail address a line, or CSV with columns such as `email` and `role`; at most 1000 people.
    list: String,
    /// Of lines that name none: `member` (the default) or `admin`.
    role: Option<String>,
    reason: Option<String>,
}

/// What becomes of a line.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportRowView {
    /// In the list, from 1.
    pub line: u64,
    /// As it stands there.
    pub who: String,
    pub user_id: Option<String>,
    pub username: Option<String>,
    pub name: Option<String>,
    /// `member` or `admin`.
    pub role: &'static str,
    /// They join, or have joined.
    pub joins: bool,
    /// `unknown`, `disabled`, `member`, `twice` or `role`, where they do not.
    pub problem: Option<&'static str>,
    pub message: Option<String>,
}

impl ImportRowView {
    fn of(row: &Row) -> Self {
        let user = row.user.as_ref();
        Self {
            line: row.number,
            who: row.who.clone(),
            user_id: user.map(|user| user.id.to_string()),
            username: user.map(|user| user.username.clone()),
            name: user.map(|user| user.name.clone()),
            role: row.role.as_str(),
            joins: row.problem.is_none(),
            problem: row.problem.as_ref().map(Problem::code),
            message: row.problem.as_ref().map(Problem::words),
        }
    }
}

pub async fn import(request: Request) -> Result<Reply> {
    let dry = is_dry_run(&request)?;
    let mut f = request.fields()?;
    let lines = f.required("list", text(member_list::parse));
    let role = role(&mut f).unwrap_or(GroupRole::Member);
    let reason = f.optional("reason", text(Reason::parse));
    let import = f.build(|| Some(Import { lines: lines?, role, reason }))?;
    let group = request.param("group")?.to_owned();
    let rows = if dry {
        members_import::review(&request.app.ops, &request.caller, group, import).await?
    } else {
        members_import::carry_out(&request.app.ops, &request.caller, group, import).await?
    };
    Reply::ok(&rows.iter().map(ImportRowView::of).collect::<Vec<_>>())
}
