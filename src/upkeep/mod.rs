//! Timed work: each piece is a step function that does a bounded amount and may be run at any time, twice or not at all.

mod retention;

pub use retention::Outcome as Retention;

use crate::clock::{Clock, DAY, MINUTE, Millis};
use crate::error::Result;
use crate::identity::signing::Keys;
use crate::metrics::{Outcome, Work};
use crate::ops::{Ops, api_tokens, audit_watch, findings, user_term};
use crate::store::{
    Origin, api_tokens as tokens, checkpoints, codes, idempotency, inbox, integrity, keys, periods, search_upkeep, sessions, throttles,
    timeline,
};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How often the steps are looked at.
const TICK: Duration = Duration::from_secs(10);
/// Ended sign-ins and used codes are kept this long, in milliseconds, so that a late question can be answered.
const KEPT: i64 = 7 * DAY;
/// Pieces of the search index that are merged at once: about 64 MB.
const MOST_PIECES: usize = 64;

/// What the steps work with.
#[derive(Clone)]
pub struct Upkeep {
    pub ops: Ops,
    pub keys: Arc<Keys>,
    pub clock: Arc<dyn Clock>,
    /// Where the audit log is written out before it is purged.
    pub audit_dir: PathBuf,
    /// The same moment on both clocks: one that somebody set shows against the one that nobody can.
    pub started: (Millis, Instant),
    /// Forgets callers that have been quiet; the edge's own business.
    pub forget_idle_callers: Arc<dyn Fn() + Send + Sync>,
    /// Counts what was done.
    pub work: Work,
}

/// A step: what it is called in the log, how often it runs (milliseconds), and what it does.
struct Step {
    name: &'static str,
    every: i64,
    run: fn(&Upkeep) -> Result<()>,
}

const STEPS: &[Step] = &[
    Step { name: "sweep ended sign-ins", every: 60 * MINUTE, run: sweep_credentials },
    Step { name: "end accounts that are past their end", every: MINUTE, run: |upkeep| user_term::end_accounts(&upkeep.ops) },
    Step { name: "tell of API tokens that end", every: 60 * MINUTE, run: |upkeep| api_tokens::tell_of_ends(&upkeep.ops) },
    Step { name: "sign the head of the audit log", every: MINUTE, run: sign_audit_head },
    Step { name: "check the audit log", every: 10 * MINUTE, run: check_audit_log },
    Step { name: "write out and purge old audit entries", every: 60 * MINUTE, run: |upkeep| purge_audit_log(upkeep).map(drop) },
    Step { name: "forget old timelines", every: 60 * MINUTE, run: forget_old_timelines },
    Step { name: "forget old notices", every: 60 * MINUTE, run: forget_old_notices },
    Step { name: "forget what was held long ago", every: 60 * MINUTE, run: forget_old_periods },
    Step { name: "merge the search index", every: 10 * MINUTE, run: merge_search_index },
    Step { name: "find what is hardly used", every: 10 * MINUTE, run: |upkeep| findings::find(&upkeep.ops) },
    Step {
        name: "forget idle callers",
        every: MINUTE,
        run: |upkeep| {
            (upkeep.forget_idle_callers)();
            Ok(())
        },
    },
];

/// Runs the steps until the server stops.
pub async fn run(upkeep: Upkeep, mut stopped: watch::Receiver<bool>) {
    for step in STEPS {
        upkeep.work.expect(step.name);
    }
    let mut last: Vec<Millis> = vec![upkeep.clock.now(); STEPS.len()];
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            () = tokio::time::sleep(TICK) => {}
        }
        let now = upkeep.clock.now();
        for (step, last) in STEPS.iter().zip(&mut last) {
            if now.since(*last) < step.every {
                continue;
            }
            *last = now;
            let (upkeep, work) = (upkeep.clone(), upkeep.work.clone());
            let ended = tokio::task::spawn_blocking(move || (step.run)(&upkeep)).await;
            work.done(step.name, if matches!(ended, Ok(Ok(()))) { Outcome::Done } else { Outcome::Failed });
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(step = step.name, %error, "upkeep failed; it is tried again"),
                Err(_) => tracing::error!(step = step.name, "upkeep panicked; it is tried again"),
            }
        }
    }
}

fn sweep_credentials(upkeep: &Upkeep) -> Result<()> {
    upkeep.ops.db.write_blocking(Origin::default(), |tx| {
        let before = tx.now().plus(-KEPT);
        sessions::sweep(tx, before)?;
        codes::sweep(tx, before)?;
        tokens::sweep(tx)?;
        idempotency::sweep(tx, tx.now().plus(-DAY))?;
        throttles::sweep(tx, tx.now().plus(-DAY))?;
        Ok(())
    })?;
    let dropped = upkeep.ops.db.write_blocking(Origin::default(), keys::sweep)?;
    if dropped > 0 { upkeep.keys.reload(&upkeep.ops.db) } else { Ok(()) }
}

/// A chain alone cannot tell a cut tail from a quiet day: its head is signed every thousand entries and every hour with
/// news.
fn sign_audit_head(upkeep: &Upkeep) -> Result<()> {
    if upkeep.ops.db.read_blocking(checkpoints::is_due)? { sign_audit_head_now(&upkeep.ops, &upkeep.keys) } else { Ok(()) }
}

/// Signs the head of the audit log whatever the hour: before the server stops.
pub fn sign_audit_head_now(ops: &Ops, keys: &Keys) -> Result<()> {
    let key = keys.audit();
    let signer = checkpoints::Signer::new(key.kid().to_owned(), key.pkcs8())?;
    ops.db.write_blocking(Origin::default(), move |tx| checkpoints::insert(tx, &signer)).map(|_| ())
}

/// Once a day the whole chain is computed anew, the first time soon after a start.
fn check_audit_log(upkeep: &Upkeep) -> Result<()> {
    let recent = upkeep.ops.audit.last_check().is_some_and(|last| upkeep.clock.now().since(last.at) < DAY);
    if recent { Ok(()) } else { audit_watch::check(&upkeep.ops).map(drop) }
}

/// Writes out the entries of the audit log that are older than the settings keep them, and removes what was written.
pub fn purge_audit_log(upkeep: &Upkeep) -> Result<Retention> {
    retention::run(upkeep)
}

fn forget_old_timelines(upkeep: &Upkeep) -> Result<()> {
    upkeep.ops.db.write_blocking(Origin::default(), timeline::sweep).map(|_| ())
}

fn forget_old_notices(upkeep: &Upkeep) -> Result<()> {
    upkeep.ops.db.write_blocking(Origin::default(), inbox::sweep).map(drop)
}

fn forget_old_periods(upkeep: &Upkeep) -> Result<()> {
    upkeep.ops.db.write_blocking(Origin::default(), periods::sweep).map(drop)
}

/// In pieces, so that the writes of people come between them; what is left is for the next time.
fn merge_search_index(upkeep: &Upkeep) -> Result<()> {
    for _ in 0..MOST_PIECES {
        if !upkeep.ops.db.write_blocking(Origin::default(), search_upkeep::merge)? {
            break;
        }
    }
    Ok(())
}

/// After an unclean stop: reads the whole file once and says what is wrong with it.
pub fn check_integrity(ops: &Ops) -> Result<()> {
    tracing::warn!("the last server did not stop cleanly: checking the database");
    match ops.db.read_blocking(integrity::check)?.as_slice() {
        [] => tracing::info!("the database is whole"),
        problems => problems.iter().for_each(|problem| tracing::error!(problem, "the database is damaged: restore a backup")),
    }
    Ok(())
}
