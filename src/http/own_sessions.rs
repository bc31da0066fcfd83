//! The caller's own sign-ins: `auth/sessions`.

use super::cookies;
use super::handler::{Reply, Request};
use crate::domain::id::SessionId;
use crate::error::{Missing, Result};
use crate::ops::new_session::SessionKind;
use crate::ops::own_sessions::{self, OwnSession};
use serde::Serialize;

/// One sign-in.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    #[schema(value_type = String)]
    pub id: SessionId,
    /// It is the one that asks.
    pub current: bool,
    /// `cookie` or `tokens`.
    pub kind: &'static str,
    pub created_at: String,
    pub last_used_at: String,
    /// When it ends if nobody uses it.
    pub expires_at: String,
    pub address: String,
    pub agent: String,
}

impl SessionView {
    pub(super) fn of(own: OwnSession) -> Self {
        let OwnSession { session, current } = own;
        Self {
            id: session.id,
            current,
            kind: if session.kind == SessionKind::Cookie { "cookie" } else { "tokens" },
            created_at: session.created_at.rfc3339(),
            last_used_at: session.last_used_at.rfc3339(),
            expires_at: session.idle_expires.min(session.hard_expires).rfc3339(),
            address: session.address,
            agent: session.agent,
        }
    }
}

pub async fn list(request: Request) -> Result<Reply> {
    let sessions = own_sessions::list(&request.app.ops, &request.caller).await?;
    Reply::ok(&sessions.into_iter().map(SessionView::of).collect::<Vec<_>>())
}

pub async fn end(request: Request) -> Result<Reply> {
    let id = request.id("session", SessionId::parse, Missing::Session)?;
    let was_own = own_sessions::end(&request.app.ops, &request.caller, id).await?;
    Ok(if was_own { cookies::without_session(Reply::none(), &request.app) } else { Reply::none() })
}
