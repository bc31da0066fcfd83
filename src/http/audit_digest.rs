//! `/admin/audit-logs/digest`: what administrators did in a week.

use super::handler::{Reply, Request};
use crate::clock::Millis;
use crate::domain::field::FieldRule;
use crate::domain::week::Week;
use crate::error::Result;
use crate::ops::audit_digest::{self, Administrator, Digest, Tally};
use crate::policy::Action;
use serde::Serialize;

/// One kind of act.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DigestActionView {
    pub action: &'static str,
    /// What it does, for people.
    pub words: &'static str,
    /// How often it was done.
    pub done: i64,
    /// How often it was refused or failed.
    pub refused: i64,
    pub last_at: String,
}

/// One administrator, with what they did.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DigestPersonView {
    /// An account, or `cli:<user>` for a shell on the server's machine.
    pub user_id: String,
    /// E-mail address, or `cli:<user>`.
    pub called: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Done and refused in all.
    pub total: i64,
    pub actions: Vec<DigestActionView>,
}

/// A week from Monday, in UTC.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DigestView {
    pub from: String,
    /// The first moment of the next week.
    pub to: String,
    pub total: i64,
    /// The busiest first.
    pub people: Vec<DigestPersonView>,
}

fn action_view((code, tally): (&'static str, Tally)) -> DigestActionView {
    let words = Action::parse(code).map_or("", |action| crate::policy::matrix::row(action).words);
    DigestActionView { action: code, words, done: tally.done, refused: tally.refused, last_at: tally.last.rfc3339() }
}

fn person_view(person: Administrator) -> DigestPersonView {
    let total = person.total();
    let mut actions: Vec<DigestActionView> = person.actions.into_iter().map(action_view).collect();
    actions.sort_by(|a, b| (b.done + b.refused).cmp(&(a.done + a.refused)).then_with(|| a.action.cmp(b.action)));
    DigestPersonView { user_id: person.id, called: person.called, username: person.username, name: person.name, total, actions }
}

pub async fn show(request: Request) -> Result<Reply> {
    let query = request.query();
    let week = query.given("week", |text| {
        let day = Millis::parse(text).ok_or_else(|| FieldRule::new("invalid", "Write a day of the week, for example 2026-03-12."));
        day.map(Week::of)
    });
    query.finish()?;
    let Digest { week, people } = audit_digest::of_week(&request.app.ops, &request.caller, week).await?;
    let people: Vec<DigestPersonView> = people.into_iter().map(person_view).collect();
    Reply::ok(&DigestView {
        from: week.from.rfc3339(),
        to: week.to.rfc3339(),
        total: people.iter().map(|person| person.total).sum(),
        people,
    })
}
