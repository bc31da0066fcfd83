//! `/api/groups/{group}/page`: a group's purpose, notes and welcome.

use super::fields::{Given, text};
use super::handler::{Reply, Request};
use crate::domain::names::{Description, LongText};
use crate::error::Result;
use crate::ops::group_page::{self, Edit, GroupPage};
use serde::{Deserialize, Serialize};

/// What a group says to its members.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupPageView {
    /// What the group is for.
    pub purpose: String,
    pub notes: String,
    /// Told to whoever joins.
    pub welcome: String,
    /// RFC 3339; null before anybody wrote notes or a welcome.
    pub updated_at: Option<String>,
}

/// Changes of it; absent stays, null empties.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[allow(dead_code)] // describes the body; it is decoded field by field
pub struct GroupPageBody {
    /// At most 500 characters.
    pub purpose: Option<String>,
    /// At most 4000 characters.
    pub notes: Option<String>,
    /// At most 4000 characters.
    pub welcome: Option<String>,
}

fn view(page: GroupPage) -> Result<Reply> {
    let updated_at = page.updated_at.map(crate::clock::Millis::rfc3339);
    Reply::ok(&GroupPageView { purpose: page.purpose, notes: page.notes, welcome: page.welcome, updated_at })
}

fn given<T>(given: Given<T>, empty: fn(String) -> T) -> Option<T> {
    match given {
        Given::Absent => None,
        Given::Null => Some(empty(String::new())),
        Given::Value(value) => Some(value),
    }
}

pub async fn get(request: Request) -> Result<Reply> {
    let group = request.param("group")?.to_owned();
    view(group_page::get(&request.app.ops, &request.caller, group).await?)
}

pub async fn update(request: Request) -> Result<Reply> {
    let mut f = request.fields()?;
    let purpose = given(f.given("purpose", text(Description::parse)), Description::trusted);
    let notes = given(f.given("notes", text(LongText::parse)), LongText::trusted);
    let welcome = given(f.given("welcome", text(LongText::parse)), LongText::trusted);
    let edit = f.build(|| Some(Edit { purpose, notes, welcome }))?;
    let group = request.param("group")?.to_owned();
    view(group_page::update(&request.app.ops, &request.caller, group, edit).await?)
}
