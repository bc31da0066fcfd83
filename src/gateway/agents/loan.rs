//! A connection while it is lent: the answer's body holds it, and gives it back at its end.

use super::{Agents, Connection, Purpose};
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use tokio::sync::OwnedSemaphorePermit;

/// A connection that is in use; it goes back when the answer was read to the end, and is closed otherwise.
pub(super) struct Loan {
    agents: Weak<Agents>,
    purpose: Arc<Purpose>,
    connection: Option<Connection>,
}

impl Loan {
    pub(super) fn new(agents: &Arc<Agents>, purpose: Arc<Purpose>, connection: Connection) -> Self {
        Self { agents: Arc::downgrade(agents), purpose, connection: Some(connection) }
    }

    fn end(&mut self) {
        if let (Some(agents), Some(connection)) = (self.agents.upgrade(), self.connection.take()) {
            agents.give_back(Arc::clone(&self.purpose), connection);
        }
    }
}

/// The body of an agent's answer, with the connection that it comes on.
pub struct AgentBody {
    body: Incoming,
    loan: Loan,
}

impl AgentBody {
    pub(super) fn new(body: Incoming, loan: Loan) -> Self {
        Self { body, loan }
    }

    /// For an upgraded connection: its place stays taken as long as this is kept, and it is never reused.
    pub fn keep(mut self) -> Kept {
        Kept { _place: self.loan.connection.take().map(|connection| connection.place) }
    }
}

/// The place of a connection that was upgraded.
pub struct Kept {
    _place: Option<OwnedSemaphorePermit>,
}

impl Body for AgentBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<std::result::Result<Frame<Bytes>, hyper::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() || (self.body.is_end_stream() && matches!(frame, Some(Ok(_)))) {
            self.loan.end();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer without a body is over before anybody polls it.
impl Drop for AgentBody {
    fn drop(&mut self) {
        if self.body.is_end_stream() {
            self.loan.end();
        }
    }
}
