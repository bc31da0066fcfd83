//! Two sockets and what passes between them: the browser's and the agent's.
//!
//! Nothing is parsed: frames are handed over as they come, one at a time in each direction, so that whoever is slow
//! slows the other side down and no memory fills. Beside them run the clock of the next permission check, the pings
//! that find out whether the other end still lives, and the cut.

use super::Gateway;
use super::terminal::{TerminalWish, attach};
use crate::cluster::agent_client::TerminalSocket;
use crate::error::{Error, Unauthenticated};
use crate::events::{CutReason, Live};
use crate::ops::Caller;
use crate::ops::terminal::{self as entering, Entrance};
use actix_ws::{CloseCode, CloseReason, Message, MessageStream, Session};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use std::cell::Cell;
use std::time::Duration;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message as AgentMessage;

/// How often the right to be here is asked for again.
const RECHECK: Duration = Duration::from_secs(60);
/// How often the browser is asked whether it is still there, and how long it may stay silent.
const PING: Duration = Duration::from_secs(20);
const SILENCE: Duration = Duration::from_secs(70);
/// Use is written down at most this often.
const ACTIVITY: Duration = Duration::from_secs(60);
/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_millis(500);

/// Who was let in, and on what grounds.
pub(super) struct Pass {
    pub caller: Caller,
    pub entrance: Entrance,
    pub reason: Option<String>,
}

/// Why a bridge ended.
enum End {
    /// The browser left, or went silent.
    Left,
    /// The agent closed; it has said why.
    Closed,
    /// The connection to the agent broke.
    Broken,
    Cut(CutReason),
    Refused(Error),
}

/// Passes frames until one side ends or the right does.
pub(super) async fn run(gateway: Gateway, pass: Pass, mut live: Live, wish: &TerminalWish, mut socket: Session, stream: MessageStream) {
    let end = tokio::select! {
        biased;
        reason = live.cut() => End::Cut(reason),
        attached = attach(&gateway, &pass.entrance, wish) => match attached {
            Ok(agent) => exchange(&gateway, &pass, &mut live, agent, &mut socket, stream).await,
            Err(error) => End::Refused(error),
        },
    };
    let _ = tokio::time::timeout(FAREWELL, farewell(socket, end)).await;
}

async fn exchange(
    gateway: &Gateway,
    pass: &Pass,
    live: &mut Live,
    agent: TerminalSocket,
    socket: &mut Session,
    stream: MessageStream,
) -> End {
    let (to_agent, from_agent) = agent.split();
    let heard = Cell::new(Instant::now());
    tokio::select! {
        biased;
        reason = live.cut() => End::Cut(reason),
        end = recheck(gateway, pass) => end,
        end = down(from_agent, socket.clone()) => end,
        end = up(gateway, pass, stream, to_agent, socket.clone(), &heard) => end,
        end = ping(socket.clone(), &heard) => end,
    }
}

/// From the agent to the browser.
async fn down(mut agent: SplitStream<TerminalSocket>, mut browser: Session) -> End {
    while let Some(Ok(message)) = agent.next().await {
        let sent = match message {
            AgentMessage::Binary(bytes) => browser.binary(bytes).await,
            AgentMessage::Text(text) => browser.text(text.as_str()).await,
            AgentMessage::Close(_) => return End::Closed,
            AgentMessage::Ping(_) | AgentMessage::Pong(_) | AgentMessage::Frame(_) => Ok(()),
        };
        if sent.is_err() {
            return End::Left;
        }
    }
    End::Broken
}

/// From the browser to the agent.
async fn up(
    gateway: &Gateway,
    pass: &Pass,
    mut browser: MessageStream,
    mut agent: SplitSink<TerminalSocket, AgentMessage>,
    mut answer: Session,
    heard: &Cell<Instant>,
) -> End {
    let mut noted = Instant::now();
    while let Some(Ok(message)) = browser.next().await {
        heard.set(Instant::now());
        let sent = match message {
            Message::Binary(bytes) => {
                if noted.elapsed() >= ACTIVITY {
                    noted = Instant::now();
                    note_use(gateway, pass);
                }
                agent.send(AgentMessage::Binary(bytes)).await
            }
            Message::Text(text) => agent.send(AgentMessage::Text(text.to_string().into())).await,
            Message::Ping(bytes) => {
                if answer.pong(&bytes).await.is_err() {
                    return End::Left;
                }
                Ok(())
            }
            Message::Close(_) => return End::Left,
            // Nothing that a terminal says is long enough to come in pieces.
            Message::Continuation(_) => return End::Refused(Error::TooLarge { limit: 1024 * 1024 }),
            Message::Pong(_) | Message::Nop => Ok(()),
        };
        if sent.is_err() {
            return End::Broken;
        }
    }
    End::Left
}

/// Writes the use down without anybody waiting for it.
fn note_use(gateway: &Gateway, pass: &Pass) {
    let (db, id) = (gateway.ops.db.clone(), pass.entrance.workspace.clone());
    tokio::spawn(async move {
        if let Err(error) = entering::used(&db, id).await {
            tracing::debug!(%error, "the use of a workspace was not noted");
        }
    });
}

async fn recheck(gateway: &Gateway, pass: &Pass) -> End {
    loop {
        tokio::time::sleep(RECHECK).await;
        match entering::recheck(&gateway.ops, &pass.caller, &pass.entrance, pass.reason.clone()).await {
            Ok(()) => {}
            // The database is busy: that takes nobody's right away. The next check comes.
            Err(Error::Unavailable { .. } | Error::Internal(_)) => {}
            Err(error) => return End::Refused(error),
        }
    }
}

async fn ping(mut browser: Session, heard: &Cell<Instant>) -> End {
    loop {
        tokio::time::sleep(PING).await;
        if heard.get().elapsed() > SILENCE || browser.ping(b"").await.is_err() {
            return End::Left;
        }
    }
}

/// Refuses a socket that is open already.
pub(super) async fn refuse(socket: Session, error: &Error) {
    let _ = tokio::time::timeout(FAREWELL, farewell(socket, End::Refused(error.clone()))).await;
}

async fn farewell(mut socket: Session, end: End) {
    let (bye, code) = match end {
        End::Left | End::Closed => (None, CloseCode::Normal),
        // The client comes back by itself, and learns then what became of the workspace.
        End::Broken => (None, CloseCode::Again),
        End::Cut(reason) => (Some(cut_words(reason)), CloseCode::Policy),
        End::Refused(error) => (Some(refusal_words(&error)), CloseCode::Policy),
    };
    if let Some((code, message)) = bye {
        let text = json!({ "t": "bye", "code": code, "message": message }).to_string();
        if socket.text(text).await.is_err() {
            return;
        }
    }
    let _ = socket.close(Some(CloseReason { code, description: None })).await;
}

fn cut_words(reason: CutReason) -> (&'static str, String) {
    let (code, message) = match reason {
        CutReason::SignedOut => ("signed_out", "You have signed out."),
        CutReason::Revoked => ("revoked", "This terminal is no longer yours to open."),
        CutReason::Stopped => ("stopped", "The workspace was stopped."),
        CutReason::Restarting => ("restart", "It restarts. The terminal comes back by itself."),
    };
    (code, message.to_owned())
}

fn refusal_words(error: &Error) -> (&'static str, String) {
    let message = error.describe().message.into_owned();
    let code = match error {
        Error::Unauthenticated(Unauthenticated::InvalidToken | Unauthenticated::NoToken) => "signed_out",
        Error::WrongState(_) => "stopped",
        Error::WorkspaceUnreachable(_) | Error::ClusterUnavailable(_) | Error::Unavailable { .. } => "unreachable",
        _ => "revoked",
    };
    (code, message)
}
