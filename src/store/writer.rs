//! The one thread that writes. Jobs come through a bounded queue and run one after the other, each in one immediate
//! transaction; a panic fails its own job only.

use super::audit::{self, Entry};
use super::denials::{Denials, Due};
use super::effects;
use super::room::Room;
use super::tx::{Attempt, Origin, Read, Tx};
use crate::clock::{Clock, Entropy};
use crate::error::{Error, Result};
use crate::events::Bus;
use crate::metrics::StoreMeter;
use rusqlite::{Connection, TransactionBehavior};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// A job slower than this is told in the log: everybody else waits behind it.
const SLOW: Duration = Duration::from_millis(100);
/// How often folded refusals are looked at while nothing else happens.
const TICK: Duration = Duration::from_secs(5);

pub(super) type Job = Box<dyn FnOnce(&mut Writer) + Send>;

/// What the thread owns.
pub(super) struct Writer {
    pub connection: Connection,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub audit_key: [u8; 32],
    pub bus: Arc<Bus>,
    pub denials: Denials,
    pub statements: Arc<AtomicU64>,
    pub meter: StoreMeter,
    pub room: Arc<Room>,
}

impl Writer {
    /// Runs until the last sender is gone, then writes what waits and folds the WAL into the file.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        loop {
            match jobs.recv_timeout(TICK) {
                Ok(job) => {
                    self.meter.taken();
                    let started = Instant::now();
                    if catch_unwind(AssertUnwindSafe(|| job(&mut self))).is_err() {
                        tracing::error!("a write job panicked and was rolled back");
                    }
                    let took = started.elapsed();
                    self.meter.wrote(took);
                    if took > SLOW {
                        tracing::warn!(milliseconds = took.as_millis(), "a slow write job");
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.flush(false),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.flush(true);
        if let Err(error) = self.connection.execute_batch("UPDATE installation SET clean_stop = 1; PRAGMA wal_checkpoint(TRUNCATE);") {
            tracing::warn!(%error, "the last checkpoint failed; the next start repeats it");
        }
    }

    /// One job in one transaction; then its effects, then the answer.
    pub(super) fn transact<T>(&mut self, origin: Origin, job: impl FnOnce(&Tx<'_>) -> Result<T>) -> Result<T> {
        let outcome = self.attempt(origin, job);
        if matches!(outcome, Err(Error::StorageFull | Error::Internal(_))) {
            self.meter.failed();
        }
        if matches!(outcome, Err(Error::StorageFull)) {
            self.room.found_full();
        }
        outcome
    }

    fn attempt<T>(&mut self, origin: Origin, job: impl FnOnce(&Tx<'_>) -> Result<T>) -> Result<T> {
        let now = self.clock.now();
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let read = Read::new(&transaction, now).counted(&self.statements).sparing(self.room.is_short());
        let tx = Tx::new(read, self.entropy.as_ref(), &self.audit_key, origin.clone());
        let outcome = catch_unwind(AssertUnwindSafe(|| job(&tx)));
        let attempt = tx.take_attempt();
        let outcome = match outcome {
            Ok(Ok(value)) => tx.settle().map(|effects| (value, effects)),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(Error::internal("a write job panicked and was rolled back")),
        };
        match outcome {
            Ok((value, effects)) => {
                transaction.commit()?;
                effects::run(&self.bus, effects);
                Ok(value)
            }
            Err(error) => {
                drop(transaction);
                self.refused(&error, attempt, &origin)?;
                Err(error)
            }
        }
    }

    /// Audits a refused attempt. If that fails, the failure is the answer: nothing is refused in silence.
    pub(super) fn refused(&mut self, error: &Error, attempt: Option<Attempt>, origin: &Origin) -> Result<()> {
        let (Some(attempt), Some(word)) = (attempt, audited_word(error)) else {
            return Ok(());
        };
        let now = self.clock.now();
        match self.denials.record(attempt, word, now) {
            Some(due) => self.write_refusals(vec![due], origin),
            None => Ok(()),
        }
    }

    fn write_refusals(&mut self, due: Vec<Due>, origin: &Origin) -> Result<()> {
        let now = self.clock.now();
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let read = Read::new(&transaction, now).counted(&self.statements);
        let tx = Tx::new(read, self.entropy.as_ref(), &self.audit_key, origin.clone());
        for refusal in due {
            audit::append(&tx, Entry::refused(refusal.attempt, refusal.error, refusal.count))?;
        }
        drop(tx);
        transaction.commit()?;
        Ok(())
    }

    fn flush(&mut self, all: bool) {
        let due = self.denials.due(self.clock.now(), all);
        if due.is_empty() {
            return;
        }
        if let Err(error) = self.write_refusals(due, &Origin { call_id: "folded".into(), ..Origin::default() }) {
            tracing::error!(%error, "folded refusals could not be written");
        }
    }
}

/// How the audit log names a refusal; `None` for what is no act of a person (invalid input, faults of ours).
fn audited_word(error: &Error) -> Option<String> {
    Some(match error {
        Error::Denied(denied) => format!("denied:{}", denied.rule),
        Error::Quota(quota) => format!("quota:{}", quota.resource),
        Error::StillUsed { .. } => "conflict:still_used".into(),
        Error::Taken(what) => format!("conflict:{}_taken", what.field().to_lowercase()),
        Error::WrongState(_) => "conflict:wrong_state".into(),
        Error::RateLimited { .. } => "throttled".into(),
        _ => return None,
    })
}
