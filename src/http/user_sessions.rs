//! A person's sign-ins, for administrators: `admin/users/{user}/sessions`.

use super::handler::{Reply, Request};
use super::own_sessions::SessionView;
use super::users::{reason, user_id};
use crate::domain::id::SessionId;
use crate::error::{Missing, Result};
use crate::ops::own_sessions::OwnSession;
use crate::ops::user_sessions::{self, SessionRow};

pub async fn list(request: Request) -> Result<Reply> {
    let sessions = user_sessions::list(&request.app.ops, &request.caller, user_id(&request)?).await?;
    let asking = request.actor.user().and_then(|user| user.credential.session());
    let view = |session: SessionRow| SessionView::of(OwnSession { current: asking == Some(&session.id), session });
    Reply::ok(&sessions.into_iter().map(view).collect::<Vec<_>>())
}

pub async fn end(request: Request) -> Result<Reply> {
    let session = request.id("session", SessionId::parse, Missing::Session)?;
    user_sessions::end(&request.app.ops, &request.caller, user_id(&request)?, session, reason(&request)?).await?;
    Ok(Reply::none())
}
