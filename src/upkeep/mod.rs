//! Timed work: each piece is a step function that does a bounded amount and may be run at any time, twice or not at all.

use crate::app::App;
use crate::clock::{DAY, MINUTE, Millis};
use crate::error::Result;
use crate::store::{Origin, codes, idempotency, integrity, keys, sessions};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often the steps are looked at.
const TICK: Duration = Duration::from_secs(10);
/// Ended sign-ins and used codes are kept this long, in milliseconds, so that a late question can be answered.
const KEPT: i64 = 7 * DAY;

/// A step: what it is called in the log, how often it runs (milliseconds), and what it does.
struct Step {
    name: &'static str,
    every: i64,
    run: fn(&App) -> Result<()>,
}

const STEPS: &[Step] = &[
    Step { name: "sweep ended sign-ins", every: 60 * MINUTE, run: sweep_credentials },
    Step { name: "forget idle callers", every: MINUTE, run: forget_idle_callers },
];

/// Runs the steps until the server stops.
pub async fn run(app: Arc<App>, mut stopped: watch::Receiver<bool>) {
    let mut last: Vec<Millis> = vec![app.clock.now(); STEPS.len()];
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            () = tokio::time::sleep(TICK) => {}
        }
        let now = app.clock.now();
        for (step, last) in STEPS.iter().zip(&mut last) {
            if now.since(*last) < step.every {
                continue;
            }
            *last = now;
            let app = Arc::clone(&app);
            match tokio::task::spawn_blocking(move || (step.run)(&app)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(step = step.name, %error, "upkeep failed; it is tried again"),
                Err(_) => tracing::error!(step = step.name, "upkeep panicked; it is tried again"),
            }
        }
    }
}

fn sweep_credentials(app: &App) -> Result<()> {
    app.ops.db.write_blocking(Origin::default(), |tx| {
        let before = tx.now().plus(-KEPT);
        sessions::sweep(tx, before)?;
        codes::sweep(tx, before)?;
        idempotency::sweep(tx, tx.now().plus(-DAY))?;
        Ok(())
    })?;
    let dropped = app.ops.db.write_blocking(Origin::default(), keys::sweep)?;
    if dropped > 0 { app.keys.reload(&app.ops.db) } else { Ok(()) }
}

fn forget_idle_callers(app: &App) -> Result<()> {
    app.limiter.tidy();
    Ok(())
}

/// After an unclean stop: reads the whole file once and says what is wrong with it.
pub fn check_integrity(app: &App) -> Result<()> {
    if !app.unclean {
        return Ok(());
    }
    tracing::warn!("the last server did not stop cleanly: checking the database");
    match app.ops.db.read_blocking(integrity::check)?.as_slice() {
        [] => tracing::info!("the database is whole"),
        problems => problems.iter().for_each(|problem| tracing::error!(problem, "the database is damaged: restore a backup")),
    }
    Ok(())
}
