//! The privilege matrix, and how `can` is written.

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

/// `{action: true | {code, message}}`.
pub fn can_view(can: &Can) -> Value {
    let one = |hindrance: &Option<access::Hindrance>| match hindrance {
        None => Value::Bool(true),
        Some(h) => json!({ "code": h.code, "message": h.message }),
    };
    can.iter().map(|(action, hindrance)| ((*action).to_owned(), one(hindrance))).collect::<Map<String, Value>>().into()
}
