//! `GET /api/events`: what changed, as it changes, filtered to what the caller may see.
//!
//! Hints without data; a page then asks for what it shows. Whoever's rights changed is told to load everything anew,
//! and the stream itself goes on with the new rights.

use super::handler::{Reply, Request};
use crate::app::App;
use crate::error::{Error, Result, Unauthenticated};
use crate::events::{Belongs, Live, Resume, Sequenced};
use crate::ops::{Caller, viewer};
use crate::policy::{Actor, Right, Role};
use bytes::Bytes;
use futures_util::stream::{LocalBoxStream, StreamExt, unfold};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::{self, error::RecvError};

/// How often a quiet stream shows that it lives.
const HEARTBEAT: Duration = Duration::from_secs(15);

struct State {
    app: Arc<App>,
    caller: Caller,
    actor: Actor,
    receiver: broadcast::Receiver<Sequenced>,
    live: Live,
    waiting: VecDeque<Bytes>,
}

pub async fn follow(request: Request) -> Result<Reply> {
    let user = request.actor.user().ok_or(Error::Unauthenticated(Unauthenticated::NoToken))?;
    let (session, token) = (user.credential.session().cloned(), user.credential.token().cloned());
    let belongs = Belongs { user: Some(user.id.clone()), session, token, workspace: None, group: None };
    let live = request.app.ops.bus.register(belongs);
    let (resume, receiver) = request.app.ops.bus.subscribe(request.header("last-event-id"));
    let mut state = State {
        app: Arc::clone(&request.app),
        caller: request.caller.clone(),
        actor: request.actor.clone(),
        receiver,
        live,
        waiting: VecDeque::new(),
    };
    state.waiting.push_back(Bytes::from_static(b"retry: 2000\n\n"));
    match resume {
        Resume::Reset => state.tell_reset(),
        Resume::From(missed) => {
            for event in &missed {
                state.tell(event);
            }
        }
    }
    Ok(Reply::stream("text/event-stream", stream(state)).header("cache-control", "no-store").header("x-accel-buffering", "no"))
}

fn stream(state: State) -> LocalBoxStream<'static, std::io::Result<Bytes>> {
    unfold(state, |mut state| async move {
        loop {
            if let Some(next) = state.waiting.pop_front() {
                return Some((Ok(next), state));
            }
            tokio::select! {
                biased;
                _ = state.live.cut() => return None,
                received = state.receiver.recv() => match received {
                    Ok(event) => state.take(&event).await?,
                    Err(RecvError::Lagged(_)) => state.tell_reset(),
                    Err(RecvError::Closed) => return None,
                },
                () = tokio::time::sleep(HEARTBEAT) => state.waiting.push_back(Bytes::from_static(b": still here\n\n")),
            }
        }
    })
    .boxed_local()
}

impl State {
    /// Takes one event; `None` ends the stream: the caller is nobody any more.
    async fn take(&mut self, event: &Sequenced) -> Option<()> {
        let me = self.actor.user_id().cloned()?;
        if event.event.reset.contains(&me) {
            self.actor = viewer::reload(&self.app.ops, &self.caller).await.ok()?;
            self.tell_reset();
        }
        self.tell(event);
        Some(())
    }

    fn tell_reset(&mut self) {
        let id = self.app.ops.bus.stream_id(self.app.ops.bus.current());
        self.waiting.push_back(Bytes::from(format!("id: {id}\nevent: reset\ndata: {{}}\n\n")));
    }

    fn tell(&mut self, sequenced: &Sequenced) {
        if !sees(&self.actor, sequenced) {
            return;
        }
        let event = &sequenced.event;
        let data = serde_json::json!({
            "seq": sequenced.seq, "kind": event.kind, "op": event.operation, "id": event.id, "groupId": event.group_id,
        });
        let id = self.app.ops.bus.stream_id(sequenced.seq);
        self.waiting.push_back(Bytes::from(format!("id: {id}\ndata: {data}\n\n")));
    }
}

/// Whether the event's audience includes this actor.
fn sees(actor: &Actor, sequenced: &Sequenced) -> bool {
    let Some(user) = actor.user() else { return false };
    let audience = &sequenced.event.audience;
    let watches = audience.platform && user.rights.has_any(&[Right::MonitorSystem, Right::ManageSystem, Right::ManageUsers]);
    let in_group = audience.group.as_ref().is_some_and(|(group, admins_only)| match user.groups.get(group) {
        Some(Role::Admin) => true,
        Some(Role::Member) => !admins_only,
        None => false,
    });
    watches || in_group || audience.users.contains(&user.id)
}
