//! The handle that the rest of the product holds: one writer, some readers.

use super::denials::Denials;
use super::open::{self, ReaderManager, Synchronous};
use super::room::Room;
use super::tx::{Origin, Read, Tx};
use super::upgrade;
use super::writer::{Job, Writer};
use crate::clock::{Clock, Entropy};
use crate::error::{Error, Result};
use crate::events::Bus;
use crate::metrics::StoreMeter;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// Jobs that may wait for the writer; one more is refused with 503 instead of piling up.
const QUEUE: usize = 512;
/// How long a read waits for a free connection.
const POOL_WAIT: Duration = Duration::from_secs(5);

/// How to open the database.
pub struct DbOptions {
    pub path: PathBuf,
    pub synchronous: Synchronous,
    /// Read connections.
    pub readers: u32,
    /// The key of the audit chain.
    pub audit_key: [u8; 32],
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub bus: Arc<Bus>,
}

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    inner: Arc<Inner>,
}

struct Inner {
    /// `None` once the database is closed.
    queue: Mutex<Option<SyncSender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    readers: r2d2::Pool<ReaderManager>,
    clock: Arc<dyn Clock>,
    path: PathBuf,
    audit_key: [u8; 32],
    /// Statements since it was opened.
    statements: Arc<AtomicU64>,
    meter: StoreMeter,
    room: Arc<Room>,
}

/// Why a read was refused, and what was attempted in it.
struct Refusal {
    error: Error,
    attempt: Option<super::tx::Attempt>,
}

impl Refusal {
    fn of(error: Error) -> Box<Self> {
        Box::new(Self { error, attempt: None })
    }
}

/// What a start found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// The file did not exist.
    pub fresh: bool,
    /// The last server did not stop cleanly: integrity is to be checked in the background.
    pub unclean: bool,
}

impl Db {
    /// Opens, upgrades and starts the writer. Fails on a file of a newer version or of another program.
    pub fn open(options: DbOptions) -> Result<(Self, Opened)> {
        let mut connection = open::writer(&options.path, options.synchronous)?;
        let fresh = upgrade::upgrade(&mut connection, &options.path, options.clock.as_ref(), options.entropy.as_ref())?;
        let unclean = !fresh && mark_running(&connection)?;
        let readers = r2d2::Pool::builder()
            .max_size(options.readers.max(1))
            .min_idle(Some(1))
            .connection_timeout(POOL_WAIT)
            .test_on_check_out(false)
            .error_handler(Box::new(r2d2::NopErrorHandler))
            .build_unchecked(ReaderManager { path: options.path.clone() });
        let audit_key = options.audit_key;
        let (queue, jobs) = sync_channel::<Job>(QUEUE);
        let statements = Arc::new(AtomicU64::new(0));
        let (clock, counted) = (Arc::clone(&options.clock), Arc::clone(&statements));
        let (meter, room) = (StoreMeter::default(), Arc::new(Room::default()));
        let writer = Writer {
            connection,
            clock,
            entropy: options.entropy,
            audit_key: options.audit_key,
            bus: options.bus,
            denials: Denials::default(),
            statements: counted,
            meter: meter.clone(),
            room: Arc::clone(&room),
        };
        let thread = std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || writer.run(&jobs))
            .map_err(|e| Error::internal(format!("the writer thread cannot be started: {e}")))?;
        let inner = Inner {
            queue: Mutex::new(Some(queue)),
            thread: Mutex::new(Some(thread)),
            readers,
            clock: options.clock,
            path: options.path,
            audit_key,
            statements,
            meter,
            room,
        };
        Ok((Self { inner: Arc::new(inner) }, Opened { fresh, unclean }))
    }

    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// How many statements ran since it was opened: what something cost, whatever the clock says.
    pub fn statements(&self) -> u64 {
        self.inner.statements.load(Ordering::Relaxed)
    }

    /// What the writer does, measured.
    pub fn meter(&self) -> &StoreMeter {
        &self.inner.meter
    }

    /// The room of the disk that the file lies on.
    pub fn room(&self) -> &Room {
        &self.inner.room
    }

    /// The key of the audit chain; it stays inside the store.
    pub(super) fn audit_key(&self) -> &[u8; 32] {
        &self.inner.audit_key
    }

    fn send(&self, job: Job) -> Result<()> {
        let queue = self.inner.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(queue) = queue.as_ref() else {
            return Err(Error::Unavailable { message: "The server is stopping.".into(), retry_after_seconds: 5 });
        };
        self.inner.meter.queued();
        queue.try_send(job).map_err(|e| {
            self.inner.meter.taken();
            match e {
                TrySendError::Full(_) => {
                    Error::Unavailable { message: "Too many changes wait already. Try again in a moment.".into(), retry_after_seconds: 1 }
                }
                TrySendError::Disconnected(_) => Error::internal("the writer thread has ended"),
            }
        })
    }

    /// Runs a job in one immediate transaction. The answer comes after the commit and its effects. The job goes on
    /// even when the caller stops waiting. It must not wait for anything (I6).
    pub async fn write<T, F>(&self, origin: Origin, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T> + Send + 'static,
    {
        let (answer, wait) = oneshot::channel();
        self.send(Box::new(move |writer| {
            let _ = answer.send(writer.transact(origin, job));
        }))?;
        wait.await.map_err(|_| Error::internal("a write job was lost"))?
    }

    /// As [`Db::write`], for threads outside the runtime.
    pub fn write_blocking<T, F>(&self, origin: Origin, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T> + Send + 'static,
    {
        let (answer, wait) = std::sync::mpsc::sync_channel(1);
        self.send(Box::new(move |writer| {
            let _ = answer.send(writer.transact(origin, job));
        }))?;
        wait.recv().map_err(|_| Error::internal("a write job was lost"))?
    }

    /// Runs a job on a read-only connection, in one consistent view. A refusal in it is audited.
    pub async fn read<T, F>(&self, origin: Origin, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Read<'_>) -> Result<T> + Send + 'static,
    {
        let db = self.clone();
        let outcome = tokio::task::spawn_blocking(move || db.read_now(job)).await.map_err(|_| Error::internal("a read job panicked"))?;
        self.told(outcome, origin).await
    }

    /// As [`Db::read`], on the calling thread, without auditing refusals.
    pub fn read_blocking<T>(&self, job: impl FnOnce(&Read<'_>) -> Result<T>) -> Result<T> {
        self.read_now(job).map_err(|refusal| refusal.error)
    }

    fn read_now<T>(&self, job: impl FnOnce(&Read<'_>) -> Result<T>) -> std::result::Result<T, Box<Refusal>> {
        let mut connection = self.inner.readers.get().map_err(|_| {
            Refusal::of(Error::Unavailable {
                message: "All database readers are busy. Try again in a moment.".into(),
                retry_after_seconds: 1,
            })
        })?;
        // A reader never becomes a writer, so a deferred transaction cannot fail on the way up.
        #[allow(clippy::disallowed_methods)]
        let transaction = connection.transaction().map_err(|e| Refusal::of(e.into()))?;
        let read = Read::new(&transaction, self.inner.clock.now()).counted(&self.inner.statements);
        job(&read).map_err(|error| Box::new(Refusal { error, attempt: read.take_attempt() }))
    }

    async fn told<T>(&self, outcome: std::result::Result<T, Box<Refusal>>, origin: Origin) -> Result<T> {
        let Refusal { error, attempt } = match outcome {
            Ok(value) => return Ok(value),
            Err(refusal) => *refusal,
        };
        if matches!(error, Error::Denied(_)) && attempt.is_some() {
            let (answer, wait) = oneshot::channel();
            let refused = error.clone();
            self.send(Box::new(move |writer| {
                let _ = answer.send(writer.refused(&refused, attempt, &origin));
            }))?;
            wait.await.map_err(|_| Error::internal("a refusal could not be recorded"))??;
        }
        Err(error)
    }

    /// Finishes what is queued, folds the WAL into the file and ends the writer. Later writes are refused.
    pub fn close(&self) {
        drop(self.inner.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.inner.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

/// Marks the file as in use; the answer is whether the last server stopped without saying so.
fn mark_running(connection: &Connection) -> Result<bool> {
    let clean: bool = connection.query_row("SELECT clean_stop FROM installation", [], |r| r.get(0))?;
    connection.execute("UPDATE installation SET clean_stop = 0", [])?;
    Ok(!clean)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{SystemClock, SystemEntropy};
    use crate::policy::{Action, Actor, Target, Task};
    use crate::store::{Change, Unaudited};

    fn open(dir: &Path) -> Db {
        let options = DbOptions {
            path: dir.join("codex-web.db"),
            synchronous: Synchronous::Normal,
            readers: 2,
            audit_key: [1; 32],
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            bus: Bus::new("test".into()),
        };
        Db::open(options).unwrap().0
    }

    fn count(db: &Db, sql: &'static str) -> i64 {
        db.read_blocking(|r| r.one(sql, [], |row| row.get(0))).unwrap()
    }

    #[test]
    fn a_change_without_its_audit_entry_is_rolled_back() {
        let dir = tempfile::tempdir().unwrap();
        let db = open(dir.path());
        let outcome = db.write_blocking(Origin::default(), |tx| {
            let permit = tx.authorize(&Actor::System(Task::Start), Action::UpgradeSchema, Target::System, None)?;
            tx.change(&permit, "INSERT INTO setting (key, value, updated_at) VALUES ('a', '1', 0)", [])?;
            Ok(())
        });
        assert!(matches!(outcome, Err(Error::Internal(_))));
        assert_eq!(count(&db, "SELECT count(*) FROM setting"), 0);
    }

    #[test]
    fn a_panic_fails_its_own_job_and_nothing_of_it_stays() {
        let dir = tempfile::tempdir().unwrap();
        let db = open(dir.path());
        let outcome: Result<()> = db.write_blocking(Origin::default(), |tx| {
            tx.note(Unaudited::Throttle, "INSERT INTO throttle (key, failures, window_from, last_at) VALUES ('a', 1, 0, 0)", [])?;
            panic!("on purpose");
        });
        assert!(outcome.is_err());
        assert_eq!(count(&db, "SELECT count(*) FROM throttle"), 0);
        let next = db.write_blocking(Origin::default(), |tx| {
            tx.note(Unaudited::Throttle, "INSERT INTO throttle (key, failures, window_from, last_at) VALUES ('a', 1, 0, 0)", [])
        });
        assert_eq!(next, Ok(1));
    }

    #[test]
    fn a_refused_attempt_is_audited_and_the_chain_grows() {
        let dir = tempfile::tempdir().unwrap();
        let db = open(dir.path());
        let refused: Result<()> = db.write_blocking(Origin::default(), |tx| {
            tx.authorize(&Actor::System(Task::Start), Action::CreateUser, Target::System, None)?;
            Ok(())
        });
        assert!(matches!(refused, Err(Error::Denied(_))));
        db.write_blocking(Origin::default(), |tx| {
            let permit = tx.authorize(&Actor::System(Task::Start), Action::UpgradeSchema, Target::System, None)?;
            tx.audit(&permit, Change::default())
        })
        .unwrap();
        assert_eq!(count(&db, "SELECT count(*) FROM audit_event WHERE success = 0"), 1);
        assert_eq!(count(&db, "SELECT max(seq) FROM audit_event"), 2);
    }

    #[test]
    fn a_reader_cannot_write_and_every_connection_has_its_pragmas() {
        let dir = tempfile::tempdir().unwrap();
        let db = open(dir.path());
        let outcome = db.read_blocking(|r| r.row("DELETE FROM setting RETURNING key", [], |_| Ok(())));
        assert!(outcome.is_err());
        for pragma in ["SELECT foreign_keys FROM pragma_foreign_keys", "SELECT recursive_triggers FROM pragma_recursive_triggers"] {
            assert_eq!(count(&db, pragma), 1, "{pragma}");
        }
    }
}
