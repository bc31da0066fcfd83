//! One terminal: a program, the end of its output, and the clients that look at it.
//!
//! The program is read only while every attached client keeps up, so a slow browser slows `yes` down instead of
//! filling memory. Without clients output goes to the ring alone. The smallest attached size wins, as in tmux.

use crate::agent::program::{Handle, Program};
use crate::agent::protocol::{CHUNK, SessionEntry, TerminalSize, WINDOW};
use crate::agent::ring::{CAPACITY, Ring};
use crate::clock::Millis;
use bytes::Bytes;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, mpsc, oneshot, watch};

/// Messages of input that may wait for the program.
const INPUT_QUEUE: usize = 64;
/// How long the last output of an ended program is waited for, while something else still holds the terminal.
const LAST_WORDS: Duration = Duration::from_millis(200);

struct Client {
    id: u64,
    acked: u64,
    size: Option<TerminalSize>,
}

struct State {
    ring: Ring,
    clients: Vec<Client>,
    next_client: u64,
    size: TerminalSize,
    exit: Option<i32>,
}

impl State {
    fn lags(&self, client: &Client) -> bool {
        self.ring.end().saturating_sub(client.acked) > WINDOW
    }

    fn is_held_up(&self) -> bool {
        self.clients.iter().any(|c| self.lags(c))
    }
}

/// What a client finds when it attaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attached {
    pub client: u64,
    /// Offset of the first byte to send.
    pub from: u64,
    pub size: TerminalSize,
    /// The client asked for bytes that are no longer held, or of another terminal.
    pub reset: bool,
}

/// One terminal.
pub struct Session {
    pub name: String,
    pub started: Millis,
    state: Mutex<State>,
    /// Ticks when there is output, another size, or an end.
    changed: watch::Sender<u64>,
    /// Wakes the reader of the program when a client caught up or left.
    room: Notify,
    input: mpsc::Sender<Bytes>,
    handle: Box<dyn Handle>,
    last_input: AtomicI64,
}

/// The parts of a program that are moved by [`Session::pump`].
pub struct Streams {
    output: Box<dyn AsyncRead + Send + Unpin>,
    exit: oneshot::Receiver<i32>,
}

impl Session {
    /// Wraps a program. The caller spawns [`Session::pump`] and [`feed`].
    pub fn new(name: &str, started: Millis, size: TerminalSize, program: Program) -> (Self, Streams, Feed) {
        let (input, queue) = mpsc::channel(INPUT_QUEUE);
        let state = State { ring: Ring::new(CAPACITY), clients: Vec::new(), next_client: 1, size, exit: None };
        let session = Self {
            name: name.to_owned(),
            started,
            state: Mutex::new(state),
            changed: watch::Sender::new(0),
            room: Notify::new(),
            input,
            handle: program.handle,
            last_input: AtomicI64::new(0),
        };
        let streams = Streams { output: program.output, exit: program.exit };
        (session, streams, Feed { queue, input: program.input })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tick(&self) {
        self.changed.send_modify(|n| *n = n.wrapping_add(1));
    }

    /// Is told of output, sizes and the end.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Adds a client that had read up to `since` of the terminal that began at `started` (`None`: had read nothing).
    pub fn attach(&self, since: Option<u64>, started: Option<i64>, size: Option<TerminalSize>) -> Attached {
        let mut state = self.state();
        let held = state.ring.start()..=state.ring.end();
        let same = started.is_none_or(|s| s == self.started.0);
        let asked = since.filter(|offset| same && held.contains(offset));
        let from = asked.unwrap_or_else(|| state.ring.start());
        let client = state.next_client;
        state.next_client += 1;
        state.clients.push(Client { id: client, acked: from, size: size.map(TerminalSize::bounded) });
        self.fit(&mut state);
        Attached { client, from, size: state.size, reset: since.is_some() && asked.is_none() }
    }

    /// Removes a client; its size no longer counts.
    pub fn detach(&self, client: u64) {
        let mut state = self.state();
        state.clients.retain(|c| c.id != client);
        self.fit(&mut state);
        drop(state);
        self.room.notify_one();
    }

    /// A client says how large its window is.
    pub fn resize(&self, client: u64, size: TerminalSize) {
        let mut state = self.state();
        if let Some(found) = state.clients.iter_mut().find(|c| c.id == client) {
            found.size = Some(size.bounded());
        }
        self.fit(&mut state);
    }

    /// Makes full-screen programs draw themselves again, by a size that changes and changes back.
    pub fn redraw(&self) {
        let size = self.state().size;
        self.handle.resize(TerminalSize { rows: if size.rows > 1 { size.rows - 1 } else { 2 }, ..size });
        self.handle.resize(size);
    }

    fn fit(&self, state: &mut State) {
        let wanted = state.clients.iter().filter_map(|c| c.size).reduce(TerminalSize::smallest);
        if let Some(size) = wanted.filter(|s| *s != state.size) {
            state.size = size;
            self.handle.resize(size);
            self.tick();
        }
    }

    /// A client has everything before `offset` on its screen. Offsets that go back or ahead of what was sent are ignored.
    pub fn ack(&self, client: u64, offset: u64) {
        let mut state = self.state();
        let end = state.ring.end();
        if let Some(found) = state.clients.iter_mut().find(|c| c.id == client)
            && (found.acked..=end).contains(&offset)
        {
            found.acked = offset;
        }
        drop(state);
        self.room.notify_one();
    }

    /// How far a client has acknowledged, where it holds the program up.
    pub fn lagging(&self, client: u64) -> Option<u64> {
        let state = self.state();
        state.clients.iter().find(|c| c.id == client && state.lags(c)).map(|c| c.acked)
    }

    /// The next piece of output from `offset` on, at most [`CHUNK`] bytes.
    pub fn output(&self, offset: u64) -> Vec<u8> {
        self.state().ring.read(offset, CHUNK)
    }

    /// The size in force, and the exit code once the program has ended.
    pub fn now(&self) -> (TerminalSize, Option<i32>) {
        let state = self.state();
        (state.size, state.exit)
    }

    /// Gives input to the program; waits while it does not read.
    pub async fn send(&self, bytes: Bytes, now: Millis) {
        self.last_input.store(now.0, Ordering::Relaxed);
        let _ = self.input.send(bytes).await;
    }

    /// When somebody last typed; `None` before.
    pub fn last_input(&self) -> Option<Millis> {
        Some(Millis(self.last_input.load(Ordering::Relaxed))).filter(|at| at.0 != 0)
    }

    /// Ends the program.
    pub fn end(&self) {
        self.handle.end();
    }

    /// How this terminal is listed.
    pub fn entry(&self) -> SessionEntry {
        let state = self.state();
        SessionEntry {
            session: self.name.clone(),
            started_at: self.started.0,
            cols: state.size.cols,
            rows: state.size.rows,
            attached: state.clients.len(),
        }
    }

    /// Moves the program's output into the ring until it ends; gives its exit code.
    pub async fn pump(&self, streams: Streams) -> i32 {
        let Streams { mut output, mut exit } = streams;
        let mut buffer = vec![0_u8; CHUNK];
        let mut code = None;
        loop {
            while self.state().is_held_up() {
                self.room.notified().await;
            }
            let read = tokio::select! {
                read = output.read(&mut buffer) => read,
                ended = &mut exit, if code.is_none() => {
                    code = Some(ended.unwrap_or(-1));
                    continue;
                }
                () = tokio::time::sleep(LAST_WORDS), if code.is_some() => break,
            };
            match read {
                Ok(n @ 1..) => self.push(&buffer[..n]),
                // A pseudo terminal says EIO when its last holder is gone.
                Ok(0) | Err(_) => break,
            }
        }
        let code = match code {
            Some(code) => code,
            None => self.last_code(exit).await,
        };
        self.state().exit = Some(code);
        self.tick();
        code
    }

    /// The terminal is gone but the program may live on without it: then it is ended.
    async fn last_code(&self, mut exit: oneshot::Receiver<i32>) -> i32 {
        if let Ok(ended) = tokio::time::timeout(LAST_WORDS, &mut exit).await {
            return ended.unwrap_or(-1);
        }
        self.handle.end();
        exit.await.unwrap_or(-1)
    }

    fn push(&self, bytes: &[u8]) {
        self.state().ring.push(bytes);
        self.tick();
    }
}

/// Input on its way to the program.
pub struct Feed {
    queue: mpsc::Receiver<Bytes>,
    input: Box<dyn AsyncWrite + Send + Unpin>,
}

/// Writes input to the program until the program or the session is gone.
pub async fn feed(mut feed: Feed) {
    while let Some(bytes) = feed.queue.recv().await {
        if feed.input.write_all(&bytes).await.is_err() {
            break;
        }
    }
}
