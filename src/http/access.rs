//! The privilege matrix, the scopes of API tokens, and how `can` is written.

use super::handler::{Reply, Request};
use crate::error::Result;
use crate::ops::access::{self, Can};
use crate::policy::guidelines::GuidelineRow;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// `GET /api/access/matrix`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct MatrixView {
    /// The columns, by the names under which a row holds their cells.
    #[schema(value_type = Vec<String>)]
    pub roles: [&'static str; 3],
    pub rows: Vec<GuidelineRow>,
}

pub async fn matrix(request: Request) -> Result<Reply> {
    let rows = access::guidelines(&request.app.ops, &request.caller).await?;
    Reply::ok(&MatrixView { roles: ["member", "groupAdmin", "platformAdmin"], rows })
}

/// A scope that an API token can be made with.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ScopeView {
    /// For example `workspaces:read`.
    pub scope: String,
    /// What it is for, in one sentence.
    pub words: &'static str,
    /// The actions that it covers, of those that the caller could take.
    #[schema(value_type = Vec<String>)]
    pub actions: Vec<&'static str>,
}

pub async fn scopes(request: Request) -> Result<Reply> {
    let offered = access::scopes(&request.app.ops, &request.caller).await?;
    let view = |of: access::Offered| ScopeView { scope: of.scope.to_string(), words: of.scope.words(), actions: of.actions };
    Reply::ok(&offered.into_iter().map(view).collect::<Vec<_>>())
}

/// `{action: true | {code, message}}`.
pub fn can_view(can: &Can) -> Value {
    let one = |hindrance: &Option<access::Hindrance>| match hindrance {
        None => Value::Bool(true),
        Some(h) => json!({ "code": h.code, "message": h.message }),
    };
    can.iter().map(|(action, hindrance)| ((*action).to_owned(), one(hindrance))).collect::<Map<String, Value>>().into()
}
