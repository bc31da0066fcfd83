//! All terminals of one workspace, by name. A terminal lives until its program ends, whoever comes and goes.

use crate::agent::program::{Programs, StartError};
use crate::agent::protocol::{SessionEntry, TerminalSize};
use crate::agent::session::{Session, feed};
use crate::clock::{Clock, Millis};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many terminals one workspace may have at once.
pub const MOST: usize = 32;

/// Why a terminal cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("this workspace has {MOST} terminals already; end one first")]
    TooMany,
}

/// The terminals of one workspace.
pub struct Sessions {
    programs: Arc<dyn Programs>,
    clock: Arc<dyn Clock>,
    open: Mutex<BTreeMap<String, Arc<Session>>>,
    /// When somebody last typed into a terminal that has ended since; 0 before.
    past_input: AtomicI64,
}

impl Sessions {
    pub fn new(programs: Arc<dyn Programs>, clock: Arc<dyn Clock>) -> Self {
        Self { programs, clock, open: Mutex::new(BTreeMap::new()), past_input: AtomicI64::new(0) }
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Session>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The terminal of this name; a new program where there is none.
    pub fn find_or_start(self: &Arc<Self>, name: &str, size: Option<TerminalSize>) -> Result<Arc<Session>, OpenError> {
        let mut open = self.open();
        if let Some(session) = open.get(name) {
            return Ok(Arc::clone(session));
        }
        if open.len() >= MOST {
            return Err(OpenError::TooMany);
        }
        let size = size.unwrap_or(TerminalSize::DEFAULT).bounded();
        let program = self.programs.start(size)?;
        let (session, streams, input) = Session::new(name, self.clock.now(), size, program);
        let session = Arc::new(session);
        open.insert(name.to_owned(), Arc::clone(&session));
        drop(open);
        tokio::spawn(feed(input));
        let (all, pumped) = (Arc::clone(self), Arc::clone(&session));
        tokio::spawn(async move {
            pumped.pump(streams).await;
            all.forget(&pumped);
        });
        Ok(session)
    }

    fn forget(&self, ended: &Arc<Session>) {
        self.past_input.fetch_max(ended.last_input().map_or(0, |at| at.0), Ordering::Relaxed);
        let mut open = self.open();
        if open.get(&ended.name).is_some_and(|s| Arc::ptr_eq(s, ended)) {
            open.remove(&ended.name);
        }
    }

    pub fn list(&self) -> Vec<SessionEntry> {
        self.open().values().map(|s| s.entry()).collect()
    }

    /// Ends a terminal's program; `false` where there is none of this name.
    pub fn end(&self, name: &str) -> bool {
        let found = self.open().get(name).cloned();
        if let Some(session) = &found {
            session.end();
        }
        found.is_some()
    }

    /// When somebody last typed into any of the terminals.
    pub fn last_input(&self) -> Option<Millis> {
        let past = Some(Millis(self.past_input.load(Ordering::Relaxed))).filter(|at| at.0 != 0);
        self.open().values().filter_map(|s| s.last_input()).chain(past).max()
    }

    /// Ends every terminal's program.
    pub fn end_all(&self) {
        self.open().values().for_each(|s| s.end());
    }
}
