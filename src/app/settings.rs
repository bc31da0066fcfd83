//! The settings that are in force: read from the table after a change, and every few seconds in case somebody else
//! wrote them (the command line, or a request that was dropped before it could tell).
//!
//! Each capability keeps what it needs in its own place; here they are all told. A setting that only the next start
//! reads is none of these.

use super::App;
use crate::config::Runtime;
use crate::ops::Rules;
use crate::store::{Origin, settings};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long a setting that somebody wrote past this process may wait.
const TICK: Duration = Duration::from_secs(5);

/// The rules of use cases with the settings of the moment.
pub(super) fn rules(lasting: &Rules, runtime: &Runtime) -> Rules {
    Rules {
        default_image: Some(runtime.default_image.clone()).filter(|image| !image.is_empty()),
        password_min_length: runtime.password_min_length,
        break_glass: runtime.break_glass,
        pricing: runtime.pricing.clone(),
        idle_after_hours: runtime.idle_after_hours,
        abandoned_after_days: runtime.abandoned_after_days,
        audit: runtime.audit,
        ..lasting.clone()
    }
}

/// Puts the settings in force whenever somebody changes them, until the server stops.
pub async fn follow(app: Arc<App>, mut stopped: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            () = tokio::time::sleep(TICK) => refresh(&app).await,
        }
    }
}

/// Looks at the settings once.
pub async fn refresh(app: &App) {
    let _turn = app.settings_turn.lock().await;
    let origin = Origin { call_id: "settings".to_owned(), ..Origin::default() };
    match app.ops.db.read(origin, settings::all).await {
        Ok(stored) => put_in_force(app, app.config.runtime(&stored)),
        // What was in force stays in force.
        Err(error) => tracing::warn!(%error, "the settings could not be read"),
    }
}

fn put_in_force(app: &App, runtime: Runtime) {
    app.ops.set_rules(rules(&app.ops.rules(), &runtime));
    if let Some(log) = &app.log {
        log.set(&runtime.log_level);
    }
    app.egress.set_policy(runtime.egress);
}
