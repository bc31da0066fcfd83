//! Connections to apps that lie ready for the next request, of one worker: as bytes, without a client library between.
//!
//! The one used last is taken first. One that the app has closed or written to meanwhile is thrown away, and so is what
//! lies unused for long or whose run of the workspace has ended; a task of the worker looks for those.

use crate::domain::app_target::AppTarget;
use crate::domain::id::WorkspaceId;
use crate::gateway::agents::{KEPT_TO_AN_APP, Wire};
use bytes::BytesMut;
use futures_util::FutureExt;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

/// How often those are looked for that lie unused.
const LOOK: Duration = Duration::from_secs(1);
/// How long a connection may lie unused.
const KEPT: Duration = Duration::from_millis(KEPT_TO_AN_APP.unsigned_abs());

/// Workspace, run, app.
pub type Key = (WorkspaceId, i64, AppTarget);

/// A connection, and what was read from it and not used yet.
pub struct Taut {
    pub wire: Wire,
    pub read: BytesMut,
}

impl Taut {
    pub fn new(wire: Wire) -> Self {
        Self { wire, read: BytesMut::new() }
    }

    /// Nothing was heard, and nothing ended it.
    fn is_quiet(&mut self) -> bool {
        self.read.is_empty() && !self.wire.live.is_cut() && self.wire.stream.read(&mut [0]).now_or_never().is_none()
    }
}

/// Connections that lie unused, and since when.
#[derive(Default)]
pub struct Wires {
    unused: RefCell<HashMap<Key, Vec<(Taut, Instant)>>>,
}

impl Wires {
    /// Made on the worker that uses it: what lies too long is looked for there.
    pub fn new() -> Rc<Self> {
        let wires = Rc::new(Self::default());
        actix_web::rt::spawn(look(Rc::downgrade(&wires)));
        wires
    }

    pub fn take(&self, key: &Key) -> Option<Taut> {
        let mut unused = self.unused.borrow_mut();
        let kept = unused.get_mut(key)?;
        while let Some((mut wire, since)) = kept.pop() {
            if since.elapsed() < KEPT && wire.is_quiet() {
                return Some(wire);
            }
        }
        None
    }

    pub fn give_back(&self, key: Key, wire: Taut) {
        // What was sent beyond the answer would be taken for the next one.
        if wire.read.is_empty() {
            self.unused.borrow_mut().entry(key).or_default().push((wire, Instant::now()));
        }
    }

    fn tidy(&self) {
        self.unused.borrow_mut().retain(|_, kept| {
            kept.retain_mut(|(wire, since)| since.elapsed() < KEPT && wire.is_quiet());
            !kept.is_empty()
        });
    }
}

async fn look(wires: Weak<Wires>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(wires) = wires.upgrade() else { return };
        wires.tidy();
    }
}
