//! Accounts from a list: `admin/user-imports`.

use super::fields::{raw_text, text};
use super::handler::{Reply, Request};
use super::user_view::InvitationView;
use super::users::invitation;
use crate::clock::Millis;
use crate::domain::names::{PersonName, Reason};
use crate::domain::roster;
use crate::error::{FieldProblem, Result};
use crate::ops::user_import::{self, Line};
use serde::Serialize;

/// A list that is larger is refused, in bytes.
const CSV_BYTES: usize = 60 * 1024;

/// A list of people.
#[derive(Debug, utoipa::ToSchema)]
#[allow(dead_code)] // describes the body; it is decoded field by field
pub struct UserImportBody {
    /// CSV, at most 500 people; the first line names the columns: email, and where wanted username, name, groups (names,
    /// separated by semicolons), ends (a date) and manager (a user name).
    pub csv: String,
    pub reason: Option<String>,
}

/// One row of the list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportLineView {
    /// Of the file, counted from 1.
    pub line: u64,
    pub email: String,
    pub username: Option<String>,
    pub name: Option<String>,
    pub groups: Vec<String>,
    pub expires_at: Option<String>,
    pub manager: Option<String>,
    /// Columns with what is wrong in them.
    #[schema(value_type = Vec<Object>)]
    pub problems: Vec<FieldProblem>,
    /// The account, once it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invitation: Option<InvitationView>,
}

/// What would become, or became, of a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportView {
    pub dry_run: bool,
    /// Rows with a problem; while there is one, nobody is made.
    pub wrong: usize,
    /// Accounts that were made.
    pub made: usize,
    pub lines: Vec<ImportLineView>,
}

fn line(request: &Request, line: &Line) -> ImportLineView {
    let entry = line.entry.as_ref();
    ImportLineView {
        line: line.line,
        email: entry.map_or_else(|| line.email.clone(), |entry| entry.email.to_string()),
        username: entry.map(|entry| entry.username.to_string()),
        name: entry.and_then(|entry| entry.name.as_ref()).map(PersonName::to_string),
        groups: entry.map(|entry| entry.groups.clone()).unwrap_or_default(),
        expires_at: entry.and_then(|entry| entry.ends).map(Millis::rfc3339),
        manager: entry.and_then(|entry| entry.manager.clone()),
        problems: line.problems.clone(),
        user_id: line.made.as_ref().map(|(id, _)| id.to_string()),
        invitation: line.made.as_ref().map(|(_, made)| invitation(request, made)),
    }
}

pub async fn import(request: Request) -> Result<Reply> {
    let query = request.query();
    let dry_run = query.flag("dryRun");
    query.finish()?;
    let mut f = request.fields()?;
    let rows = f.required("csv", |value| raw_text(CSV_BYTES)(value).and_then(|csv| roster::read(&csv)));
    let reason = f.optional("reason", text(Reason::parse));
    let rows = f.build(|| rows)?;
    let lines = if dry_run {
        user_import::check(&request.app.ops, &request.caller, rows).await?
    } else {
        user_import::import(&request.app.ops, &request.caller, rows, reason).await?
    };
    Reply::ok(&ImportView {
        dry_run,
        wrong: lines.iter().filter(|line| !line.problems.is_empty()).count(),
        made: lines.iter().filter(|line| line.made.is_some()).count(),
        lines: lines.iter().map(|one| line(&request, one)).collect(),
    })
}
