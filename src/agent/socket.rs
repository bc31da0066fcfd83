//! One client at one terminal: the WebSocket side of a session.
//!
//! Sending and receiving run beside each other, because a client that does not read must still be heard (its
//! acknowledgements free the program) and must be dropped when it stays behind for half a minute.

use crate::agent::protocol::{FromClient, LONGEST_INPUT, RESET, TerminalSize, ToClient};
use crate::agent::session::{Attached, Session};
use crate::clock::Clock;
use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

const PING: Duration = Duration::from_secs(20);
/// A client that holds the program up for this many looks in a row without a single acknowledgement is dropped.
const PATIENCE: u32 = 30;
/// From one look to the next.
const LOOK: Duration = Duration::from_secs(1);

/// What a client asked for in the query of its request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    pub since: Option<u64>,
    pub started: Option<i64>,
    pub size: Option<TerminalSize>,
}

/// Limits of the socket: small buffers, because an agent has little memory.
pub fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(8 * 1024)
        .write_buffer_size(0)
        .max_write_buffer_size(256 * 1024)
        .max_message_size(Some(LONGEST_INPUT))
        .max_frame_size(Some(LONGEST_INPUT))
}

/// Why a connection ended.
enum End {
    Exited(i32),
    TooSlow,
    Stopping,
    BadMessage,
    Gone,
}

/// Serves one client until it leaves, the program ends or the agent stops.
pub async fn serve<S>(stream: S, session: Arc<Session>, wish: Wish, clock: Arc<dyn Clock>, stopping: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(limits())).await;
    let (mut sink, source) = socket.split();
    let changes = session.changes();
    let attached = session.attach(wish.since, wish.started, wish.size);
    let end = tokio::select! {
        end = send(&mut sink, &session, attached, changes) => end,
        end = receive(source, &session, attached.client, clock) => end,
        end = watch_lag(&session, attached.client, LOOK) => end,
        end = until_stopping(stopping) => end,
    };
    // Last, because a stop waits until nobody is attached.
    let _ = tokio::time::timeout(Duration::from_secs(2), farewell(&mut sink, end)).await;
    session.detach(attached.client);
}

async fn send<K>(sink: &mut K, session: &Session, attached: Attached, mut changes: watch::Receiver<u64>) -> End
where
    K: Sink<Message, Error = Error> + Unpin,
{
    let mut size = attached.size;
    let Ok(mut sent) = greet(sink, session, attached).await else { return End::Gone };
    let mut ping = tokio::time::interval(PING);
    ping.reset();
    loop {
        changes.mark_unchanged();
        // The exit code is read before the output, so that output written before the end is never missed.
        let (now, exit) = session.now();
        if now != size {
            size = now;
            if tell(sink, &ToClient::Size { cols: now.cols, rows: now.rows }).await.is_err() {
                return End::Gone;
            }
        }
        let chunk = session.output(sent);
        if !chunk.is_empty() {
            sent += chunk.len() as u64;
            if sink.send(Message::Binary(chunk.into())).await.is_err() {
                return End::Gone;
            }
            continue;
        }
        if let Some(code) = exit {
            return End::Exited(code);
        }
        tokio::select! {
            _ = changes.changed() => {}
            _ = ping.tick() => {
                if sink.send(Message::Ping(Bytes::new())).await.is_err() {
                    return End::Gone;
                }
            }
        }
    }
}

/// Says hello; gives the offset of the next byte to send.
async fn greet<K>(sink: &mut K, session: &Session, attached: Attached) -> Result<u64, Error>
where
    K: Sink<Message, Error = Error> + Unpin,
{
    // The reset is part of the bytes that a client counts, so the count begins that much earlier.
    let reset = RESET.len() as u64;
    let with_reset = attached.reset && attached.from >= reset;
    let hello = ToClient::Hello {
        off: if with_reset { attached.from - reset } else { attached.from },
        cols: attached.size.cols,
        rows: attached.size.rows,
        session: session.name.clone(),
        started: session.started.0,
        reset: attached.reset,
    };
    tell(sink, &hello).await?;
    if with_reset {
        sink.send(Message::Binary(Bytes::from_static(RESET))).await?;
    }
    if attached.reset {
        session.redraw();
    }
    Ok(attached.from)
}

async fn receive<R>(mut source: R, session: &Session, client: u64, clock: Arc<dyn Clock>) -> End
where
    R: Stream<Item = Result<Message, Error>> + Unpin,
{
    while let Some(Ok(message)) = source.next().await {
        match message {
            Message::Binary(bytes) => session.send(bytes, clock.now()).await,
            Message::Text(text) => match serde_json::from_str(&text) {
                Ok(FromClient::Resize { cols, rows }) => session.resize(client, TerminalSize { cols, rows }),
                Ok(FromClient::Ack { off }) => session.ack(client, off),
                Ok(FromClient::Unknown) => {}
                Err(_) => return End::BadMessage,
            },
            Message::Close(_) => return End::Gone,
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
    End::Gone
}

async fn watch_lag(session: &Session, client: u64, look: Duration) -> End {
    let mut stuck = (None, 0);
    while stuck.1 < PATIENCE {
        tokio::time::sleep(look).await;
        let lagging = session.lagging(client);
        stuck = if lagging.is_some() && lagging == stuck.0 { (lagging, stuck.1 + 1) } else { (lagging, 0) };
    }
    End::TooSlow
}

async fn until_stopping(mut stopping: watch::Receiver<bool>) -> End {
    if stopping.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
    End::Stopping
}

async fn farewell<K>(sink: &mut K, end: End) -> Result<(), Error>
where
    K: Sink<Message, Error = Error> + Unpin,
{
    let (message, code) = match end {
        End::Exited(code) => (Some(ToClient::Exit { code }), CloseCode::Normal),
        End::TooSlow => (Some(bye("too_slow", "The connection did not keep up with the output.")), CloseCode::Again),
        End::Stopping => (Some(bye("stopped", "The workspace stops.")), CloseCode::Away),
        End::BadMessage => (Some(bye("bad_message", "The message was not understood.")), CloseCode::Policy),
        End::Gone => (None, CloseCode::Normal),
    };
    if let Some(message) = message {
        tell(sink, &message).await?;
    }
    sink.send(Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::default() }))).await?;
    sink.close().await
}

fn bye(code: &str, message: &str) -> ToClient {
    ToClient::Bye { code: code.to_owned(), message: message.to_owned() }
}

async fn tell<K>(sink: &mut K, message: &ToClient) -> Result<(), Error>
where
    K: Sink<Message, Error = Error> + Unpin,
{
    // These types always serialise.
    let text = serde_json::to_string(message).unwrap_or_default();
    sink.send(Message::Text(text.into())).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::program::{EchoPrograms, Programs};
    use crate::agent::protocol::WINDOW;
    use crate::agent::session::feed;
    use crate::clock::Millis;

    const LOOK: Duration = Duration::from_millis(5);

    /// A terminal with more output than a client may leave unread, and the client.
    async fn held_up() -> (Arc<Session>, u64) {
        let program = EchoPrograms.start(TerminalSize::DEFAULT).unwrap();
        let (session, streams, input) = Session::new("main", Millis(1), TerminalSize::DEFAULT, program);
        let session = Arc::new(session);
        let pumping = Arc::clone(&session);
        tokio::spawn(async move { pumping.pump(streams).await });
        tokio::spawn(feed(input));
        let client = session.attach(None, None, None).client;
        let typing = Arc::clone(&session);
        tokio::spawn(async move {
            loop {
                typing.send(Bytes::from(vec![b'x'; 64 * 1024]), Millis(1)).await;
            }
        });
        while session.lagging(client).is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        (session, client)
    }

    #[tokio::test]
    async fn a_client_that_acknowledges_nothing_is_dropped_after_its_time_and_not_before() {
        let (session, client) = held_up().await;
        let begun = tokio::time::Instant::now();
        let end = tokio::time::timeout(Duration::from_secs(20), watch_lag(&session, client, LOOK)).await;
        assert!(matches!(end, Ok(End::TooSlow)));
        assert!(begun.elapsed() >= LOOK * PATIENCE, "after {:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn a_client_that_gets_on_slowly_is_kept() {
        let (session, client) = held_up().await;
        let watching = watch_lag(&session, client, LOOK);
        // Every step is small, so it lags all the time, but it moves.
        let reading = async {
            for step in 1_u64..=60 {
                tokio::time::sleep(LOOK * PATIENCE / 10).await;
                session.ack(client, step * 64);
            }
        };
        tokio::select! {
            _ = watching => panic!("it was dropped"),
            () = reading => {}
        }
        assert!(session.lagging(client).is_some(), "it still lags by more than {WINDOW} bytes");
    }

    #[tokio::test]
    async fn whoever_is_dropped_is_told_why() {
        let (ours, theirs) = tokio::io::duplex(4 * 1024);
        let (mut sink, _) = WebSocketStream::from_raw_socket(ours, Role::Server, None).await.split();
        let mut client = WebSocketStream::from_raw_socket(theirs, Role::Client, None).await;
        let told = tokio::spawn(async move { client.next().await.unwrap().unwrap().into_text().unwrap().to_string() });
        farewell(&mut sink, End::TooSlow).await.unwrap();
        assert!(told.await.unwrap().contains("\"code\":\"too_slow\""));
    }
}
